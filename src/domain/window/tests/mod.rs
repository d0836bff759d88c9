//! Expected moments are those of Python's `zoneinfo`, or counted by hand.

mod properties;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn window(every: &str, tz: &str, anchor: Option<&str>) -> Window {
    Window { every: every.into(), anchor: anchor.map(at), tz: (!tz.is_empty()).then(|| tz.into()) }
}

/// Whether there are windows of this kind.
fn check(window: &Window) -> Result<(), WindowError> {
    span_at(window, Timestamp::UNIX_EPOCH).map(drop)
}

fn before(moment: Timestamp) -> Timestamp {
    Timestamp::from_micros(moment.as_micros() - 1)
}

/// What holds for every window at every moment.
fn check_around(window: &Window, moment: Timestamp) -> Result<Span, String> {
    let span = span_at(window, moment).map_err(|error| error.to_string())?;
    let says = |what: &str| Err(format!("{what}: {window:?} at {moment} is {span:?}"));
    if span.start > moment || (span.end <= moment && span.end < Timestamp::MAX) {
        return says("the moment lies outside");
    }
    let others = [span.start, before(span.end)];
    if others.into_iter().any(|other| other >= span.start && span_at(window, other) != Ok(span)) {
        return says("another moment of it has another window");
    }
    if span.end < Timestamp::MAX && span_at(window, span.end).map(|next| next.start) != Ok(span.end) {
        return says("the next window does not join");
    }
    if span.start > Timestamp::MIN
        && span_at(window, before(span.start)).map(|before| before.end) != Ok(span.start)
    {
        return says("the window before does not join");
    }
    Ok(span)
}

/// The starts of the window that the first moment lies in and of those after it are these moments; the last one is an
/// end. The seconds `:00Z` are left out.
#[track_caller]
fn assert_starts(window: &Window, first: &str, starts: &[&str]) {
    let short = |moment: Timestamp| moment.to_string().replace(":00.000000Z", "");
    let mut span = check_around(window, at(first)).unwrap();
    let mut found = vec![short(span.start)];
    while found.len() < starts.len() {
        found.push(short(span.end));
        span = check_around(window, span.end).unwrap();
    }
    assert_eq!(found, starts);
}

#[test]
fn a_day_has_23_or_25_hours_where_the_clock_is_set() {
    for (tz, first, starts) in [
        ("", "2026-03-29T12:00:00Z", ["2026-03-29T00:00", "2026-03-30T00:00"]),
        ("Europe/Berlin", "2026-03-29T12:00:00Z", ["2026-03-28T23:00", "2026-03-29T22:00"]),
        ("Europe/Berlin", "2026-10-25T12:00:00Z", ["2026-10-24T22:00", "2026-10-25T23:00"]),
        ("America/New_York", "2026-03-08T12:00:00Z", ["2026-03-08T05:00", "2026-03-09T04:00"]),
        ("America/New_York", "2026-11-01T12:00:00Z", ["2026-11-01T04:00", "2026-11-02T05:00"]),
        ("Australia/Lord_Howe", "2026-04-05T00:00:00Z", ["2026-04-04T13:00", "2026-04-05T13:30"]),
        ("Australia/Lord_Howe", "2026-10-04T00:00:00Z", ["2026-10-03T13:30", "2026-10-04T13:00"]),
        ("Asia/Kolkata", "2026-06-30T18:30:00Z", ["2026-06-30T18:30", "2026-07-01T18:30"]),
        ("Asia/Kolkata", "2026-06-30T18:29:59Z", ["2026-06-29T18:30", "2026-06-30T18:30"]),
    ] {
        assert_starts(&window("day", tz, None), first, &starts);
        assert_starts(&window("P1D", tz, None), first, &starts);
    }
}

#[test]
fn a_day_without_midnight_starts_when_the_clock_is_set_and_a_midnight_that_comes_twice_counts_first() {
    for (tz, first, starts) in [
        (
            "America/Sao_Paulo",
            "2018-11-03T12:00:00Z",
            ["2018-11-03T03:00", "2018-11-04T03:00", "2018-11-05T02:00"],
        ),
        (
            "America/Sao_Paulo",
            "2018-02-17T12:00:00Z",
            ["2018-02-17T02:00", "2018-02-18T03:00", "2018-02-19T03:00"],
        ),
        ("Asia/Beirut", "2022-03-26T12:00:00Z", ["2022-03-25T22:00", "2022-03-26T22:00", "2022-03-27T21:00"]),
        (
            "America/Havana",
            "2026-11-01T04:30:00Z",
            ["2026-11-01T04:00", "2026-11-02T05:00", "2026-11-03T05:00"],
        ),
    ] {
        assert_starts(&window("day", tz, None), first, &starts);
    }
}

#[test]
fn a_day_that_was_left_out_of_the_calendar_has_no_window() {
    // Samoa went from 29 to 31 December 2011.
    let starts = ["2011-12-29T10:00", "2011-12-30T10:00", "2011-12-31T10:00"];
    assert_starts(&window("day", "Pacific/Apia", None), "2011-12-30T09:59:59Z", &starts);
}

#[test]
fn an_hour_is_elapsed_time_where_the_clock_is_set_by_whole_hours() {
    for (tz, first, starts) in [
        (
            "Europe/Berlin",
            "2026-03-29T00:59:00Z",
            ["2026-03-29T00:00", "2026-03-29T01:00", "2026-03-29T02:00"],
        ),
        (
            "Europe/Berlin",
            "2026-10-25T00:30:00Z",
            ["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00"],
        ),
        (
            "America/New_York",
            "2026-11-01T05:59:00Z",
            ["2026-11-01T05:00", "2026-11-01T06:00", "2026-11-01T07:00"],
        ),
        (
            "Asia/Kolkata",
            "2026-07-01T10:05:00Z",
            ["2026-07-01T09:30", "2026-07-01T10:30", "2026-07-01T11:30"],
        ),
        // The clock was set forward at 00:01.
        (
            "America/St_Johns",
            "2006-04-02T03:30:30Z",
            ["2006-04-02T03:30", "2006-04-02T04:30", "2006-04-02T05:30"],
        ),
    ] {
        assert_starts(&window("hour", tz, None), first, &starts);
    }
}

#[test]
fn an_hour_is_cut_where_the_clock_is_set_by_half_an_hour() {
    let window = window("hour", "Australia/Lord_Howe", None);
    // 01:00, 01:30 again, 02:00, 03:00.
    let back = ["2026-04-04T14:00", "2026-04-04T15:00", "2026-04-04T15:30", "2026-04-04T16:30"];
    assert_starts(&window, "2026-04-04T14:20:00Z", &back);
    // 01:00, 02:00 which is 02:30, 03:00, 04:00.
    let forward = ["2026-10-03T14:30", "2026-10-03T15:30", "2026-10-03T16:00", "2026-10-03T17:00"];
    assert_starts(&window, "2026-10-03T14:30:00Z", &forward);
}

#[test]
fn anchored_hours_are_elapsed_time_from_the_anchor() {
    for every in ["hour", "PT1H", "PT60M"] {
        let window = window(every, "Australia/Lord_Howe", Some("2026-01-01T00:10:00Z"));
        let starts = ["2026-04-04T14:10", "2026-04-04T15:10", "2026-04-04T16:10"];
        assert_starts(&window, "2026-04-04T15:09:59.999999Z", &starts);
    }
}

#[test]
fn a_week_starts_on_monday_or_at_its_anchor() {
    for every in ["week", "P1W", "P7D"] {
        let weeks = window(every, "", None);
        let starts = ["2026-11-16T00:00", "2026-11-23T00:00", "2026-11-30T00:00"];
        assert_starts(&weeks, "2026-11-21T05:00:00Z", &starts);
        // The Sunday before the first counted Monday, and a year long before.
        assert_starts(&weeks, "1970-01-04T23:59:59Z", &["1969-12-29T00:00", "1970-01-05T00:00"]);
        assert_starts(&weeks, "0001-01-01T00:00:00Z", &["0001-01-01T00:00", "0001-01-08T00:00"]);
        let anchored = window(every, "Europe/Berlin", Some("2026-10-21T08:00:00Z"));
        let starts = ["2026-10-14T08:00", "2026-10-21T08:00", "2026-10-28T09:00"];
        assert_starts(&anchored, "2026-10-20T00:00:00Z", &starts);
    }
    assert_starts(
        &window("P2W", "", None),
        "2026-11-21T05:00:00Z",
        &["2026-11-09T00:00", "2026-11-23T00:00"],
    );
    let anchored = window("P14D", "", Some("2026-11-18T06:00:00Z"));
    let starts = ["2026-11-04T06:00", "2026-11-18T06:00", "2026-12-02T06:00"];
    assert_starts(&anchored, "2026-11-18T05:59:59.999999Z", &starts);
}

#[test]
fn a_month_starts_on_the_first() {
    let months = window("month", "Europe/Berlin", None);
    let starts = ["2026-02-28T23:00", "2026-03-31T22:00", "2026-04-30T22:00"];
    assert_starts(&months, "2026-03-01T00:00:00Z", &starts);
    let leap = ["2024-01-31T23:00", "2024-02-29T23:00"];
    assert_starts(&months, "2024-02-29T22:59:59Z", &leap);
    assert_starts(
        &window("P1Y", "", None),
        "2026-11-21T05:00:00Z",
        &["2026-01-01T00:00", "2027-01-01T00:00"],
    );
}

#[test]
fn month_ends_come_back() {
    // 09:30 in Berlin.
    let common = window("month", "Europe/Berlin", Some("2026-01-31T08:30:00Z"));
    let starts =
        ["2026-01-31T08:30", "2026-02-28T08:30", "2026-03-31T07:30", "2026-04-30T07:30", "2026-05-31T07:30"];
    assert_starts(&common, "2026-02-28T08:29:59Z", &starts);
    // Before the anchor, in a leap year.
    let leap = ["2023-12-31T08:30", "2024-01-31T08:30", "2024-02-29T08:30", "2024-03-31T07:30"];
    assert_starts(&common, "2024-01-15T00:00:00Z", &leap);
    let quarters = window("P3M", "", Some("2025-11-30T00:00:00Z"));
    let starts = ["2025-11-30T00:00", "2026-02-28T00:00", "2026-05-30T00:00", "2026-08-30T00:00"];
    assert_starts(&quarters, "2026-01-01T00:00:00Z", &starts);
    let years = window("P1Y", "", Some("2024-02-29T00:00:00Z"));
    let starts =
        ["2024-02-29T00:00", "2025-02-28T00:00", "2026-02-28T00:00", "2027-02-28T00:00", "2028-02-29T00:00"];
    assert_starts(&years, "2024-06-01T00:00:00Z", &starts);
}

#[test]
fn an_anchor_in_the_middle_of_a_day_keeps_its_time_of_day() {
    let noon = window("day", "America/New_York", Some("2026-07-01T16:00:00Z"));
    let starts = ["2026-03-06T17:00", "2026-03-07T17:00", "2026-03-08T16:00"];
    assert_starts(&noon, "2026-03-07T16:00:00Z", &starts);
    // 02:30: on 8 March it is 03:30.
    let early = window("day", "America/New_York", Some("2026-03-01T07:30:00Z"));
    let starts = ["2026-03-07T07:30", "2026-03-08T07:30", "2026-03-09T06:30"];
    assert_starts(&early, "2026-03-07T08:00:00Z", &starts);
    // 01:30: on 1 November the first one.
    let late = window("day", "America/New_York", Some("2026-10-01T05:30:00Z"));
    let starts = ["2026-10-31T05:30", "2026-11-01T05:30", "2026-11-02T06:30"];
    assert_starts(&late, "2026-10-31T06:00:00Z", &starts);
}

#[test]
fn an_anchor_in_an_hour_that_comes_twice_is_meant_as_it_is() {
    let second = window("day", "America/New_York", Some("2026-11-01T06:30:00Z"));
    let starts = ["2026-10-31T05:30", "2026-11-01T06:30", "2026-11-02T06:30"];
    assert_starts(&second, "2026-11-01T05:45:00Z", &starts);
}

#[test]
fn an_anchor_in_the_future_has_windows_before_it() {
    let noon = window("day", "America/New_York", Some("2100-06-01T16:00:00Z"));
    assert_starts(&noon, "2026-11-21T05:00:00Z", &["2026-11-20T17:00", "2026-11-21T17:00"]);
    let months = window("month", "America/New_York", Some("2100-08-31T16:00:00Z"));
    let starts = ["2026-01-31T17:00", "2026-02-28T17:00", "2026-03-31T16:00"];
    assert_starts(&months, "2026-02-10T00:00:00Z", &starts);
}

#[test]
fn hours_minutes_and_seconds_are_elapsed_time_from_1970() {
    let starts = ["2026-11-21T04:30", "2026-11-21T06:00", "2026-11-21T07:30"];
    assert_starts(&window("PT90M", "", None), "2026-11-21T05:00:00Z", &starts);
    assert_starts(&window("PT1H30M", "", None), "2026-11-21T05:00:00Z", &starts);
    let kolkata = ["2026-11-21T00:30", "2026-11-21T06:30"];
    assert_starts(&window("PT6H", "Asia/Kolkata", None), "2026-11-21T05:00:00Z", &kolkata);
    // Over the day of 23 hours: no window is shorter.
    let berlin = ["2026-03-28T23:00", "2026-03-29T05:00", "2026-03-29T11:00"];
    assert_starts(&window("PT6H", "Europe/Berlin", None), "2026-03-29T00:00:00Z", &berlin);
    assert_starts(&window("PT24H", "Europe/Berlin", None), "2026-07-01T00:00:00Z", &["2026-06-30T23:00"]);
    let seconds = span_at(&window("PT7S", "", None), at("1970-01-01T00:00:13.999999Z")).unwrap();
    assert_eq!(seconds, Span { start: at("1970-01-01T00:00:07Z"), end: at("1970-01-01T00:00:14Z") });
}

#[test]
fn a_duration_of_both_steps_by_the_calendar_first() {
    // Midnight in Berlin, a day before the clock is set.
    let both = window("P1DT12H", "Europe/Berlin", Some("2026-03-27T23:00:00Z"));
    let starts =
        ["2026-03-26T11:00", "2026-03-27T23:00", "2026-03-29T11:00", "2026-03-30T22:00", "2026-04-01T10:00"];
    assert_starts(&both, "2026-03-27T00:00:00Z", &starts);
}

#[test]
fn the_first_and_the_last_years_have_windows() {
    // Local mean time was 53 min 28 s ahead.
    let first = span_at(&window("day", "Europe/Berlin", None), at("0001-01-01T12:00:00Z")).unwrap();
    assert_eq!(first, Span { start: at("0000-12-31T23:06:32Z"), end: at("0001-01-01T23:06:32Z") });
    assert_starts(
        &window("day", "Europe/Berlin", None),
        "9998-07-01T12:00:00Z",
        &["9998-06-30T22:00", "9998-07-01T22:00"],
    );
    // In the last year, the clock is set as ever: on the last Sunday of March, the 28th.
    let starts = ["9999-03-26T23:00", "9999-03-27T23:00", "9999-03-28T22:00", "9999-03-29T22:00"];
    assert_starts(&window("day", "Europe/Berlin", None), "9999-03-27T12:00:00Z", &starts);
    assert_starts(
        &window("hour", "", None),
        "9999-12-31T22:30:00Z",
        &["9999-12-31T22:00", "9999-12-31T23:00"],
    );
}

#[test]
fn what_lies_beyond_the_first_and_the_last_moment_is_cut_off() {
    for (window, start) in [
        (window("hour", "", None), "9999-12-31T23:00:00Z"),
        (window("day", "America/New_York", None), "9999-12-31T05:00:00Z"),
        // Where it is summer.
        (window("day", "Australia/Sydney", None), "9999-12-31T13:00:00Z"),
        (window("month", "", None), "9999-12-01T00:00:00Z"),
        (window("P100Y", "", Some("9950-05-05T00:00:00Z")), "9950-05-05T00:00:00Z"),
        (window("P1D", "", Some("9999-12-31T23:59:59.999999Z")), "9999-12-31T23:59:59.999999Z"),
    ] {
        let last = Span { start: at(start), end: Timestamp::MAX };
        assert_eq!(span_at(&window, Timestamp::MAX), Ok(last));
        assert_eq!(span_at(&window, last.start), Ok(last));
    }
    let first = check_around(&window("day", "Europe/Berlin", None), Timestamp::MIN).unwrap();
    assert_eq!(first, Span { start: Timestamp::MIN, end: at("0000-01-01T23:06:32Z") });
    let first = check_around(&window("P100Y", "", None), Timestamp::MIN).unwrap();
    assert_eq!(first, Span { start: Timestamp::MIN, end: at("0070-01-01T00:00:00Z") });
}

#[test]
fn durations_are_read_as_iso_8601_writes_them() {
    for every in [
        "P1D",
        "PT6H",
        "P2W",
        "P1M",
        "P1Y",
        "P1DT12H",
        "P0Y1D",
        "PT1S",
        "P100Y",
        "P1200M",
        "P5217W",
        "P36524D",
        "P1Y2M3W4DT5H6M7S",
        "P01D",
        "PT876581H",
    ] {
        assert_eq!(check(&window(every, "", None)), Ok(()), "{every}");
    }
}

#[test]
fn what_is_no_period_is_named_in_the_error() {
    for every in [
        "",
        "P",
        "PT",
        "P1DT",
        "T1H",
        "1D",
        "p1d",
        "P1d",
        "Day",
        "days",
        "year",
        "P1H",
        "PT1D",
        "P1",
        "PD",
        "P-1D",
        "-P1D",
        "P+1D",
        "P1.5D",
        "PT0.5S",
        "PT1,5S",
        "P1M1Y",
        "P1D1D",
        "P1D ",
        " P1D",
        "P0D",
        "PT0S",
        "P101Y",
        "P1201M",
        "P36525D",
        "P100YT1S",
        "PT3155695201S",
        "P99999999999999999999D",
        "P9223372036854775807Y",
        "P9223372036854775807W",
        "PT9223372036854775807H",
        "PT9223372036854775807S",
        "P1DT1HT1M",
        "P١D",
        "P1é",
    ] {
        let window = window(every, "", None);
        let message = format!(
            "window.every: expected hour, day, week, month or an ISO 8601 duration of whole units from PT1S to P100Y \
             (like P1D, PT6H or P2W), found {every:?}"
        );
        assert_eq!(check(&window).map_err(|error| error.to_string()), Err(message));
    }
}

#[test]
fn what_is_no_zone_is_named_in_the_error() {
    for tz in
        ["Mars/Base", "", "localtime", "Etc/Unknown", "CET-1CEST", "+01:00", "../Berlin", "Europe/Berlin "]
    {
        let window = Window { every: "day".into(), anchor: None, tz: Some(tz.into()) };
        let message = format!(
            "window.tz: expected a name of the IANA time zone database (like Europe/Berlin), found {tz:?}"
        );
        assert_eq!(check(&window).map_err(|error| error.to_string()), Err(message));
    }
    for tz in ["UTC", "Etc/UTC", "Europe/Berlin", "europe/berlin", "Asia/Calcutta"] {
        assert_eq!(check(&window("day", tz, None)), Ok(()), "{tz}");
    }
}

#[test]
fn what_was_found_is_cut_short() {
    let error = check(&window(&"x".repeat(100_000), "", None)).unwrap_err();
    assert!(error.to_string().len() < 300);
}

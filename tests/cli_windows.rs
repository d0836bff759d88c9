//! Windows, through `apply` under `--manual-clock`: where they begin and end, daylight-saving days and month ends
//! included.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/budgets.rs"]
mod budgets;
#[path = "common/cli.rs"]
mod cli;

use budgets::{Bank, adjust, allocate, data, kinds, spend};

fn short(moment: &Value) -> String {
    moment.as_str().unwrap().replace(":00.000000Z", "Z")
}

/// Start and end, to the minute.
fn span(value: &Value) -> (String, String) {
    (short(&value["start"]), short(&value["end"]))
}

/// The span in which a budget begins that is made at this moment with this window.
#[track_caller]
fn first_span(now: &str, window: &str) -> (String, String) {
    let mut bank = Bank::open();
    bank.at(now);
    let frame = bank.frame(&allocate("b", 100, &format!(r#","window":{window}"#)));
    let found = span(&frame[0]["data"]["span"]);
    bank.finish();
    found
}

#[track_caller]
fn expect_span(now: &str, window: &str, start: &str, end: &str) {
    assert_eq!(first_span(now, window), (start.to_owned(), end.to_owned()), "{window} at {now}");
}

/// The spans that a budget rolls through, up to the last moment.
#[track_caller]
fn spans(window: &str, moments: &[&str]) -> Vec<(String, String)> {
    let mut bank = Bank::open();
    bank.at(moments[0]);
    let mut found =
        vec![span(&bank.frame(&allocate("b", 100, &format!(r#","window":{window}"#)))[0]["data"]["span"])];
    for (moment, number) in moments[1..].iter().zip(1..) {
        bank.at(moment);
        let rolls = bank.book.events(&["--kind", "window_rolled"]);
        assert_eq!(rolls.len(), number, "one roll at {moment}");
        let ended = span(&rolls[number - 1]["data"]["ended"]);
        assert_eq!(Some(&ended), found.last(), "what ended at {moment}");
        found.push(span(&rolls[number - 1]["data"]["span"]));
    }
    bank.finish();
    found
}

#[test]
fn hours_days_weeks_and_months_are_those_of_the_calendar() {
    let now = "2026-01-07T09:17:30.250Z";
    expect_span(now, r#"{"every":"hour"}"#, "2026-01-07T09:00Z", "2026-01-07T10:00Z");
    expect_span(now, r#"{"every":"day"}"#, "2026-01-07T00:00Z", "2026-01-08T00:00Z");
    expect_span(now, r#"{"every":"week"}"#, "2026-01-05T00:00Z", "2026-01-12T00:00Z");
    expect_span(now, r#"{"every":"month"}"#, "2026-01-01T00:00Z", "2026-02-01T00:00Z");
    expect_span("2028-02-29T23:59:59Z", r#"{"every":"month"}"#, "2028-02-01T00:00Z", "2028-03-01T00:00Z");
    // A window begins with its first moment, and ends before the first moment of the next.
    expect_span("2026-01-12T00:00:00Z", r#"{"every":"week"}"#, "2026-01-12T00:00Z", "2026-01-19T00:00Z");
    expect_span(
        "2026-01-11T23:59:59.999999Z",
        r#"{"every":"week"}"#,
        "2026-01-05T00:00Z",
        "2026-01-12T00:00Z",
    );
}

#[test]
fn an_anchor_says_where_one_of_the_windows_begins() {
    let now = "2026-01-07T09:17:30Z";
    let anchored = |every: &str, anchor: &str| format!(r#"{{"every":"{every}","anchor":"{anchor}"}}"#);
    for (every, anchor, start, end) in [
        ("hour", "2026-01-01T00:30:00Z", "2026-01-07T08:30Z", "2026-01-07T09:30Z"),
        ("day", "2026-01-01T06:00:00Z", "2026-01-07T06:00Z", "2026-01-08T06:00Z"),
        ("week", "2025-12-31T12:00:00Z", "2025-12-31T12:00Z", "2026-01-07T12:00Z"),
        ("month", "2025-03-15T08:00:00Z", "2025-12-15T08:00Z", "2026-01-15T08:00Z"),
        ("PT30M", "2026-01-07T09:05:00Z", "2026-01-07T09:05Z", "2026-01-07T09:35Z"),
        ("PT90M", "2026-01-07T00:00:00Z", "2026-01-07T09:00Z", "2026-01-07T10:30Z"),
        ("P3D", "2026-01-01T00:00:00Z", "2026-01-07T00:00Z", "2026-01-10T00:00Z"),
        ("P2W", "2026-01-05T00:00:00Z", "2026-01-05T00:00Z", "2026-01-19T00:00Z"),
        ("P1Y", "2020-02-29T00:00:00Z", "2025-02-28T00:00Z", "2026-02-28T00:00Z"),
        ("P3M", "2025-11-30T00:00:00Z", "2025-11-30T00:00Z", "2026-02-28T00:00Z"),
        // One that is still to come: windows reach back from it.
        ("day", "2026-06-01T06:00:00Z", "2026-01-07T06:00Z", "2026-01-08T06:00Z"),
        ("month", "2026-05-31T00:00:00Z", "2025-12-31T00:00Z", "2026-01-31T00:00Z"),
    ] {
        expect_span(now, &anchored(every, anchor), start, end);
    }
}

#[test]
fn durations_without_an_anchor_tile_time_all_the_same() {
    let now = "2026-01-07T09:17:30Z";
    expect_span(now, r#"{"every":"PT30M"}"#, "2026-01-07T09:00Z", "2026-01-07T09:30Z");
    expect_span(now, r#"{"every":"PT1H"}"#, "2026-01-07T09:00Z", "2026-01-07T10:00Z");
    expect_span(now, r#"{"every":"P1D"}"#, "2026-01-07T00:00Z", "2026-01-08T00:00Z");
    expect_span(now, r#"{"every":"P1M"}"#, "2026-01-01T00:00Z", "2026-02-01T00:00Z");
    expect_span(now, r#"{"every":"P1Y"}"#, "2026-01-01T00:00Z", "2027-01-01T00:00Z");
}

#[test]
fn month_ends_come_back_to_the_anchors_day() {
    let found = spans(
        r#"{"every":"month","anchor":"2026-01-31T00:00:00Z"}"#,
        &[
            "2026-01-31T00:00:00Z",
            "2026-02-28T00:00:00Z",
            "2026-03-31T00:00:00Z",
            "2026-04-30T00:00:00Z",
            "2026-05-31T00:00:00Z",
        ],
    );
    let starts: Vec<&str> = found.iter().map(|(start, _)| start.as_str()).collect();
    let expected = [
        "2026-01-31T00:00Z",
        "2026-02-28T00:00Z",
        "2026-03-31T00:00Z",
        "2026-04-30T00:00Z",
        "2026-05-31T00:00Z",
    ];
    assert_eq!(starts, expected);
    let ends: Vec<&str> = found.iter().map(|(_, end)| end.as_str()).collect();
    assert_eq!(ends[..4], expected[1..]);
    assert_eq!(ends[4], "2026-06-30T00:00Z");
    // In a leap year, the 29th.
    expect_span(
        "2028-02-29T00:00:00Z",
        r#"{"every":"P1M","anchor":"2026-01-31T00:00:00Z"}"#,
        "2028-02-29T00:00Z",
        "2028-03-31T00:00Z",
    );
}

#[test]
fn a_zone_says_whose_calendar_counts() {
    let now = "2026-01-07T09:17:30Z";
    let day = |tz: &str| format!(r#"{{"every":"day","tz":"{tz}"}}"#);
    expect_span(now, &day("Europe/Berlin"), "2026-01-06T23:00Z", "2026-01-07T23:00Z");
    expect_span(now, &day("America/New_York"), "2026-01-07T05:00Z", "2026-01-08T05:00Z");
    expect_span(now, &day("Asia/Kolkata"), "2026-01-06T18:30Z", "2026-01-07T18:30Z");
    expect_span(now, &day("UTC"), "2026-01-07T00:00Z", "2026-01-08T00:00Z");
    expect_span(now, r#"{"every":"hour","tz":"Asia/Kolkata"}"#, "2026-01-07T08:30Z", "2026-01-07T09:30Z");
    expect_span(now, r#"{"every":"month","tz":"Europe/Berlin"}"#, "2025-12-31T23:00Z", "2026-01-31T23:00Z");
    expect_span(
        now,
        r#"{"every":"week","tz":"Pacific/Kiritimati"}"#,
        "2026-01-04T10:00Z",
        "2026-01-11T10:00Z",
    );
    // A month in which the clocks change.
    let march = r#"{"every":"month","tz":"Europe/Berlin"}"#;
    expect_span("2026-03-15T00:00:00Z", march, "2026-02-28T23:00Z", "2026-03-31T22:00Z");
}

#[test]
fn a_day_in_berlin_may_have_23_or_25_hours() {
    let day = r#"{"every":"day","tz":"Europe/Berlin"}"#;
    let expected = |moments: [&str; 4]| -> Vec<(String, String)> {
        moments.windows(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
    };
    let spring = spans(day, &["2026-03-28T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]);
    let begins = ["2026-03-27T23:00Z", "2026-03-28T23:00Z", "2026-03-29T22:00Z", "2026-03-30T22:00Z"];
    assert_eq!(spring, expected(begins), "23 hours");
    let autumn = spans(day, &["2026-10-24T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"]);
    let begins = ["2026-10-23T22:00Z", "2026-10-24T22:00Z", "2026-10-25T23:00Z", "2026-10-26T23:00Z"];
    assert_eq!(autumn, expected(begins), "25 hours");
}

#[test]
fn a_day_in_new_york_may_have_23_or_25_hours() {
    let day = r#"{"every":"day","tz":"America/New_York"}"#;
    expect_span("2026-03-08T06:59:59Z", day, "2026-03-08T05:00Z", "2026-03-09T04:00Z");
    expect_span("2026-03-08T07:00:00Z", day, "2026-03-08T05:00Z", "2026-03-09T04:00Z");
    expect_span("2026-11-01T05:30:00Z", day, "2026-11-01T04:00Z", "2026-11-02T05:00Z");
    expect_span("2026-11-01T06:30:00Z", day, "2026-11-01T04:00Z", "2026-11-02T05:00Z");
    expect_span("2026-11-02T04:59:59.999999Z", day, "2026-11-01T04:00Z", "2026-11-02T05:00Z");
}

#[test]
fn an_anchors_time_of_day_is_kept_through_the_year() {
    // 09:00 in Berlin.
    let every = |every: &str| {
        format!(r#"{{"every":"{every}","anchor":"2026-01-01T08:00:00Z","tz":"Europe/Berlin"}}"#)
    };
    expect_span("2026-01-07T09:00:00Z", &every("day"), "2026-01-07T08:00Z", "2026-01-08T08:00Z");
    expect_span("2026-07-07T09:00:00Z", &every("day"), "2026-07-07T07:00Z", "2026-07-08T07:00Z");
    expect_span("2026-03-29T06:59:00Z", &every("day"), "2026-03-28T08:00Z", "2026-03-29T07:00Z");
    expect_span("2026-07-07T09:00:00Z", &every("week"), "2026-07-02T07:00Z", "2026-07-09T07:00Z");
    expect_span("2026-07-07T09:00:00Z", &every("month"), "2026-07-01T07:00Z", "2026-08-01T07:00Z");
}

#[test]
fn a_day_that_begins_at_a_time_that_is_skipped_begins_all_the_same() {
    // 02:30 in Berlin: on 2026-03-29 there is none, on 2026-10-25 there are two.
    let window = r#"{"every":"day","anchor":"2026-01-01T01:30:00Z","tz":"Europe/Berlin"}"#;
    for moments in [
        ["2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", "2026-03-30T12:00:00Z"],
        ["2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", "2026-10-26T12:00:00Z"],
    ] {
        let found = spans(window, &moments);
        assert_eq!(found[0].1, found[1].0, "without a gap: {found:?}");
        assert_eq!(found[1].1, found[2].0, "without an overlap: {found:?}");
    }
    let found = spans(window, &["2026-03-30T12:00:00Z"]);
    assert_eq!(found[0], ("2026-03-30T00:30Z".to_owned(), "2026-03-31T00:30Z".to_owned()), "and comes back");
}

#[test]
fn an_hour_is_an_hour_when_the_clocks_change() {
    let hour = r#"{"every":"hour","tz":"Europe/Berlin"}"#;
    let found = spans(hour, &["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"]);
    let starts: Vec<&str> = found.iter().map(|(start, _)| start.as_str()).collect();
    assert_eq!(starts, ["2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-10-25T02:00Z"]);
}

#[test]
fn a_window_is_half_open_to_the_microsecond() {
    for (window, last, first) in [
        (r#"{"every":"hour"}"#, "2026-01-05T09:59:59.999999Z", "2026-01-05T10:00:00Z"),
        (r#"{"every":"month"}"#, "2026-01-31T23:59:59.999999Z", "2026-02-01T00:00:00Z"),
        (r#"{"every":"day","tz":"Europe/Berlin"}"#, "2026-01-05T22:59:59.999999Z", "2026-01-05T23:00:00Z"),
    ] {
        let mut bank = Bank::open();
        bank.ok(&allocate("b", 100, &format!(r#","window":{window}"#)));
        bank.at(last);
        bank.ok(&spend("b", 60, ""));
        bank.refused("budget_exceeded", &spend("b", 60, ""));
        assert!(bank.book.events(&["--kind", "window_rolled"]).is_empty(), "{window}");
        // The command of the next window is the first to see it.
        let done = bank.done(&spend("b", 60, &format!(r#","now":"{first}""#)));
        let events = bank.book.events(&["--from", "5"]);
        assert_eq!(kinds(&events), ["window_rolled", "spend_recorded", "threshold_crossed"], "{window}");
        assert_eq!(done["first_seq"], 6, "the roll is not the command's");
        assert_eq!(data(&events, "window_rolled", "spent"), ["60"]);
        assert_eq!(cli::amount(&bank.budget("b")["spent_total"]), 120);
        bank.finish();
    }
}

#[test]
fn a_window_is_shown_as_it_was_given_and_can_be_changed() {
    let mut bank = Bank::open();
    let window = r#"{"every":"P1M","anchor":"2026-01-31T00:00:00Z","tz":"Europe/Berlin"}"#;
    let made = bank.ok(&allocate("b", 100, &format!(r#","window":{window}"#)));
    let shown = json!({"every": "P1M", "anchor": "2026-01-31T00:00:00.000000Z", "tz": "Europe/Berlin"});
    budgets::expect_fields(&made["window"], &shown);
    bank.ok(&spend("b", 30, ""));
    bank.unchanged(&adjust("b", &format!(r#""window":{window}"#)));
    let frame = bank.frame(&adjust("b", r#""window":{"every":"hour"}"#));
    assert_eq!(kinds(&frame), ["budget_adjusted"], "what is spent counts on: no roll");
    let expected = ("2026-01-05T09:00Z".to_owned(), "2026-01-05T10:00Z".to_owned());
    assert_eq!(span(&frame[0]["data"]["span"]), expected);
    bank.expect("b", 30, 0, 70);
    bank.at("2026-01-05T10:00:00Z");
    bank.expect("b", 0, 0, 100);
    bank.ok(&spend("b", 20, ""));
    assert_eq!(bank.ok(&adjust("b", r#""window":null"#))["window"], Value::Null);
    bank.at("2026-01-05T12:00:00Z");
    bank.expect("b", 20, 0, 80);
    bank.finish();
}

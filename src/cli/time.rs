//! Times, as people read them.

use std::time::Duration;

use tallybook::{Clock, SystemClock, Timestamp};

use super::style::style;

/// A time; for people with how long ago that was.
pub(super) fn when(at: Timestamp) -> String {
    match style().is_for_people {
        true => format!("{at} ({})", relative(at, SystemClock.now())),
        false => at.to_string(),
    }
}

/// How long ago a time was, or how far ahead it is.
fn relative(at: Timestamp, now: Timestamp) -> String {
    if at > now {
        return format!("in {}", span(at.saturating_since(now)));
    }
    match now.saturating_since(at) {
        past if past.as_secs() == 0 => "just now".to_owned(),
        past => format!("{} ago", span(past)),
    }
}

/// A duration in its largest unit, and the one below it where that tells something.
pub(super) fn span(duration: Duration) -> String {
    let secs = duration.as_secs();
    let both = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match secs {
        0..60 => format!("{secs} s"),
        60..3_600 => both(secs / 60, "min", secs % 60, "s"),
        3_600..86_400 => both(secs / 3_600, "h", secs % 3_600 / 60, "min"),
        86_400..864_000 => both(secs / 86_400, "d", secs % 86_400 / 3_600, "h"),
        _ => format!("{} d", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_two_units_at_most() {
        for (secs, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min 59 s"),
            (3_600, "1 h"),
            (7_320, "2 h 2 min"),
            (86_400, "1 d"),
            (90_000, "1 d 1 h"),
            (864_000, "10 d"),
            (40_000_000, "462 d"),
        ] {
            assert_eq!(span(Duration::from_secs(secs)), expected);
        }
    }

    #[test]
    fn times_are_told_from_now_on() {
        let now = Timestamp::parse("2026-11-21T12:00:00Z").unwrap();
        let told = |at: &str| relative(Timestamp::parse(at).unwrap(), now);
        assert_eq!(told("2026-11-21T12:00:00Z"), "just now");
        assert_eq!(told("2026-11-21T11:58:30Z"), "1 min 30 s ago");
        assert_eq!(told("2026-11-19T12:00:00Z"), "2 d ago");
        assert_eq!(told("2026-11-21T13:00:00Z"), "in 1 h");
        assert_eq!(when(now), "2026-11-21T12:00:00.000000Z", "not for people");
    }
}

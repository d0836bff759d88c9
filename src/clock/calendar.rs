//! The 27 characters of a time, without the detour over a general calendar: every event has one.

use super::Timestamp;

const MICROS_PER_DAY: u64 = 86_400_000_000;

// The calendar is counted from 1 March, so that a leap day ends a year, in eras of 400 years, which all have the same
// number of days ("chrono-compatible low-level date algorithms", Howard Hinnant, 2014). One era is added so that
// January and February of the year 0 are not before the first era.

const DAYS_PER_ERA: u64 = 146_097;
const YEARS_PER_ERA: u64 = 400;
/// Days from the start of the added era to 0000-01-01.
const DAYS_BEFORE_YEAR_0: u64 = DAYS_PER_ERA - 60;

/// The canonical form, `2026-11-21T01:15:13.123456Z`.
pub(super) fn to_ascii(at: Timestamp) -> [u8; 27] {
    // Never negative: `Timestamp` is never before the year 0.
    let micros = at.as_micros().wrapping_sub(Timestamp::MIN.as_micros()).cast_unsigned();
    let (year, month, day) = civil(micros / MICROS_PER_DAY);
    let micros = micros % MICROS_PER_DAY;
    let seconds = micros / 1_000_000;
    let fraction = micros % 1_000_000;
    let mut out = *b"0000-00-00T00:00:00.000000Z";
    let mut put = |at: usize, value: u64| out[at..at + 2].copy_from_slice(&pair(value));
    put(0, year / 100);
    put(2, year % 100);
    put(5, month);
    put(8, day);
    put(11, seconds / 3_600);
    put(14, seconds / 60 % 60);
    put(17, seconds % 60);
    put(20, fraction / 10_000);
    put(22, fraction / 100 % 100);
    put(24, fraction % 100);
    out
}

/// The time that `text` writes in the canonical form, and in no other: RFC 3339 could say more than is kept (a finer
/// fraction), or the same in two ways.
pub(super) fn from_ascii(text: &[u8; 27]) -> Option<Timestamp> {
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')];
    if separators.iter().any(|&(at, separator)| text[at] != separator) {
        return None;
    }
    let pair = |at: usize| match (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0')) {
        (tens @ 0..=9, ones @ 0..=9) => Some(u64::from(tens * 10 + ones)),
        _ => None,
    };
    let days = days(pair(0)? * 100 + pair(2)?, pair(5)?, pair(8)?)?;
    let (hour, minute, second) = (pair(11)?, pair(14)?, pair(17)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = (pair(20)? * 100 + pair(22)?) * 100 + pair(24)?;
    let micros = days * MICROS_PER_DAY + ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction;
    Some(Timestamp::from_micros(Timestamp::MIN.as_micros().wrapping_add_unsigned(micros)))
}

/// The two digits of a number below 100.
fn pair(below_hundred: u64) -> [u8; 2] {
    let digit = |value: u64| b'0' + u8::try_from(value % 10).unwrap_or(0);
    [digit(below_hundred / 10), digit(below_hundred)]
}

/// Year, month and day, that many days after 0000-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_BEFORE_YEAR_0;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * YEARS_PER_ERA + year_of_era + u64::from(month <= 2) - YEARS_PER_ERA;
    (year, month, day)
}

/// How many days after 0000-01-01 a day is, if there is such a day. The inverse of [`civil`].
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u64::from(leap),
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) {
        return None;
    }
    let year_from_march = year + YEARS_PER_ERA - u64::from(month <= 2);
    let (era, year_of_era) = (year_from_march / YEARS_PER_ERA, year_from_march % YEARS_PER_ERA);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * DAYS_PER_ERA + day_of_era - DAYS_BEFORE_YEAR_0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn general(at: Timestamp) -> String {
        let moment = chrono::DateTime::from_timestamp_micros(at.as_micros()).unwrap();
        moment.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
    }

    #[test]
    fn every_day_of_an_era_is_written_and_read_as_the_general_calendar_does() {
        for day in 0..=DAYS_PER_ERA {
            // Another time of day on every day.
            let micros = day * MICROS_PER_DAY + day * 591_373_471 % MICROS_PER_DAY;
            let at = Timestamp::from_micros(Timestamp::MIN.as_micros().wrapping_add_unsigned(micros));
            assert_eq!(std::str::from_utf8(&to_ascii(at)).unwrap(), general(at));
            assert_eq!(from_ascii(&to_ascii(at)), Some(at));
        }
    }

    #[test]
    fn the_first_and_the_last_moment_are_written_and_read() {
        for (at, text) in [
            (Timestamp::MIN, b"0000-01-01T00:00:00.000000Z"),
            (Timestamp::MAX, b"9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(to_ascii(at), *text);
            assert_eq!(from_ascii(text), Some(at));
        }
    }

    #[test]
    fn a_day_or_hour_that_there_is_not_is_refused() {
        for text in [
            "2026-00-01T00:00:00.000000Z",
            "2026-13-01T00:00:00.000000Z",
            "2026-01-00T00:00:00.000000Z",
            "2026-01-32T00:00:00.000000Z",
            "2026-04-31T00:00:00.000000Z",
            "2026-02-29T00:00:00.000000Z",
            "1900-02-29T00:00:00.000000Z",
            "2026-01-01T24:00:00.000000Z",
            "2026-01-01T00:60:00.000000Z",
            "2026-01-01T00:00:60.000000Z",
            "2026-01-01t00:00:00.000000z",
            "+026-01-01T00:00:00.000000Z",
            "2026-01-01T00:00:00.+00000Z",
        ] {
            assert_eq!(from_ascii(text.as_bytes().try_into().unwrap()), None, "{text}");
        }
        assert!(from_ascii(b"2024-02-29T23:59:59.999999Z").is_some());
        assert!(from_ascii(b"2000-02-29T00:00:00.000000Z").is_some());
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_the_general_reader_reads(
            text in "[0-9]{3}[0-9:/]-[01][0-9]-[0-3][0-9]T[012][0-9]:[0-6][0-9]:[0-6][0-9]\\.[0-9]{6}Z"
        ) {
            let general = Timestamp::parse(&text).ok().filter(|&at| general(at) == text);
            prop_assert_eq!(from_ascii(text.as_bytes().try_into().unwrap()), general);
        }
    }
}

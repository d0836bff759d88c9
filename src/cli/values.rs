//! The values of options.

use std::path::Path;
use std::time::Duration;

use tallybook::{Clock, Durability, StateAt, SystemClock, Timestamp};

use super::outcome::Failure;

/// A duration: a whole number and `ms`, `s`, `m`, `h` or `d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a whole number and ms, s, m, h or d (like 90s or 24h), found {text:?}");
    let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = number.checked_mul(unit_ms).ok_or_else(wrong)?;
    if millis == 0 {
        return Err(format!("expected more than no time, found {text:?}"));
    }
    Ok(Duration::from_millis(millis))
}

/// An amount that is not 0, in decimal digits.
pub(super) fn positive_amount(text: &str) -> Result<u128, String> {
    let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let amount = if is_canonical { text.parse().ok() } else { None };
    amount.ok_or_else(|| format!("expected an amount from 1 to {}, in digits, found {text:?}", u128::MAX))
}

/// A file of the user's, as text.
#[expect(clippy::disallowed_methods, reason = "the file is the user's, no part of a journal")]
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::Input(format!("reading {}", path.display()), error))
}

/// `sync`, or `interval:` and a number of milliseconds.
pub(super) fn durability(text: &str) -> Result<Durability, String> {
    let wrong = || format!("expected sync, or interval:MS with MS from 1 on, found {text:?}");
    if text == "sync" {
        return Ok(Durability::Sync);
    }
    let millis: u64 = text.strip_prefix("interval:").and_then(|ms| ms.parse().ok()).ok_or_else(wrong)?;
    if millis == 0 {
        return Err(wrong());
    }
    Ok(Durability::Interval(Duration::from_millis(millis)))
}

/// A `seq`, a time, or the end.
pub(super) fn state_at(text: &str) -> Result<StateAt, String> {
    if let Ok(seq) = text.parse() {
        return Ok(StateAt::Seq(seq));
    }
    if text == "end" {
        return Ok(StateAt::End);
    }
    time(text).map(StateAt::Time).map_err(|_| {
        format!(
            "expected a seq, a time (like 2026-11-21T01:15:13Z), how long ago (like -2h), or end, found {text:?}"
        )
    })
}

/// A time, or how long ago it was by the clock of this machine: `-` and a duration.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    let ago = text.strip_prefix('-').map(duration);
    let parsed = match ago {
        Some(ago) => ago.ok().map(|ago| before(SystemClock.now(), ago)),
        None => Timestamp::parse(text).ok(),
    };
    parsed.ok_or_else(|| {
        format!(
            "expected a time (like 2026-11-21T01:15:13Z) or how long ago (like -2h or -3d), found {text:?}"
        )
    })
}

fn before(now: Timestamp, ago: Duration) -> Timestamp {
    let micros = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_sub(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, millis) in
            [("500ms", 500), ("90s", 90_000), ("5m", 300_000), ("24h", 86_400_000), ("7d", 604_800_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "ms", "0s", "-1s", "1.5h", "1 h", "5w", "1h30m", "18446744073709551615d"] {
            assert!(duration(text).unwrap_err().contains(&format!("{text:?}")), "{text}");
        }
    }

    #[test]
    fn an_amount_is_digits_and_not_0() {
        assert_eq!(positive_amount("1"), Ok(1));
        assert_eq!(positive_amount(&u128::MAX.to_string()), Ok(u128::MAX));
        let beyond = "340282366920938463463374607431768211456";
        for text in ["", "0", "-1", "+1", "01", "1.5", "1e3", " 1", "NaN", "1_000", "\u{661}", beyond] {
            assert!(positive_amount(text).unwrap_err().contains(&format!("{text:?}")), "{text}");
        }
    }

    #[test]
    fn durability_is_sync_or_an_interval() {
        assert_eq!(durability("sync"), Ok(Durability::Sync));
        assert_eq!(durability("interval:50"), Ok(Durability::Interval(Duration::from_millis(50))));
        for text in ["", "none", "interval", "interval:", "interval:0", "interval:-1", "interval:5ms"] {
            assert!(durability(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_may_be_said_as_how_long_ago_it_was() {
        let now = SystemClock.now();
        let found = time("-2h").unwrap();
        let ago = now.saturating_since(found);
        assert!(ago <= Duration::from_secs(7_200) && ago > Duration::from_secs(7_100), "{ago:?}");
        assert!(time("-99999999999d").unwrap() < time("-3d").unwrap());
        for text in ["2h", "-2", "-2y", "- 2h", "--2h", "12"] {
            assert!(time(text).unwrap_err().contains(&format!("{text:?}")), "{text}");
        }
    }

    #[test]
    fn a_point_is_a_seq_or_a_time() {
        assert_eq!(state_at("12"), Ok(StateAt::Seq(12)));
        assert_eq!(state_at("1970-01-01T00:00:00Z"), Ok(StateAt::Time(Timestamp::UNIX_EPOCH)));
        assert_eq!(state_at("end"), Ok(StateAt::End));
        for text in ["", "-1", "--json", "-", "yesterday", "99999999999999999999"] {
            assert!(state_at(text).is_err(), "{text}");
        }
    }
}

//! Time: the one home of clocks.
//!
//! [`Timestamp`] is what events carry; [`Clock`] is the seam through which a host or a test decides what time it
//! is. Only this file may ask the operating system for the time (a lint keeps it so).

mod calendar;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::DateTime;

/// A moment in UTC, in whole microseconds since 1970-01-01T00:00:00Z.
///
/// Written as RFC 3339 with six digits of fraction, always 27 characters: `2026-11-21T01:15:13.123456Z`. The
/// range is that of four-digit years, 0000 to 9999; what lies beyond is clamped, so that a broken clock can
/// never make a journal that cannot be read.
///
/// ```
/// use tallybook::Timestamp;
/// let at = Timestamp::parse("2026-11-21T01:15:13Z").unwrap();
/// assert_eq!(at.to_string(), "2026-11-21T01:15:13.000000Z");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// What [`Timestamp::parse`] could not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a time as RFC 3339 (like 2026-11-21T01:15:13.123456Z), found {found:?}")]
pub struct TimestampError {
    found: String,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Timestamp = Timestamp(0);
    /// 0000-01-01T00:00:00Z, the earliest moment that can be written.
    pub const MIN: Timestamp = Timestamp(-62_167_219_200_000_000);
    /// 9999-12-31T23:59:59.999999Z, the latest moment that can be written.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999_999);

    /// The moment that many microseconds after the Unix epoch, clamped to [`MIN`](Self::MIN)..=[`MAX`](Self::MAX).
    pub const fn from_micros(micros: i64) -> Timestamp {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Timestamp(micros)
        }
    }

    /// Microseconds since the Unix epoch; negative before it.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The moment `duration` later, clamped to [`MAX`](Self::MAX).
    pub fn saturating_add(self, duration: Duration) -> Timestamp {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// How long after `earlier` this moment is; zero when it is not after it.
    pub fn saturating_since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads an RFC 3339 time with any offset and any number of digits of fraction (those past the sixth are cut).
    ///
    /// # Errors
    /// When the text is not RFC 3339, or the year is outside 0000–9999.
    pub fn parse(text: &str) -> Result<Timestamp, TimestampError> {
        let error = || TimestampError { found: text.chars().take(64).collect() };
        let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| error())?;
        let micros = parsed.timestamp_micros();
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) { Ok(Timestamp(micros)) } else { Err(error()) }
    }

    /// The 27 characters of the canonical form.
    pub fn to_ascii(self) -> [u8; 27] {
        calendar::to_ascii(self)
    }

    /// Reads the canonical form, and no other: RFC 3339 could say more than is kept (a finer fraction), or the same in
    /// two ways.
    pub fn from_ascii(text: &[u8; 27]) -> Option<Timestamp> {
        calendar::from_ascii(text)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_ascii()).unwrap_or_default())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where an engine gets the time from. It may jump or run backwards: the engine never stamps an event earlier
/// than the one before it.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// The monotonic clock, by which the engine measures how long something waits; never part of an event. Only a
    /// simulation has one of its own.
    fn monotonic(&self) -> Instant {
        monotonic()
    }
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one home of the wall clock")]
    fn now(&self) -> Timestamp {
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
        };
        Timestamp::from_micros(micros)
    }
}

/// A clock that stands still until it is told to move. Clones share the same time.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> ManualClock {
        ManualClock(Arc::new(AtomicI64::new(start.0)))
    }

    /// Moves the clock to `to`, which may be earlier than now.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::SeqCst);
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().saturating_add(by));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A manual clock that drives the engine's timers, too: how long something waits is how far the clock was moved forward.
#[cfg(any(test, feature = "test-util"))]
#[derive(Debug, Clone)]
pub struct SimulatedClock {
    clock: ManualClock,
    start: (Timestamp, Instant),
    /// The latest time that it showed.
    latest: Arc<AtomicI64>,
}

#[cfg(any(test, feature = "test-util"))]
impl SimulatedClock {
    /// A clock that goes with `clock`.
    pub fn new(clock: ManualClock) -> SimulatedClock {
        let start = (clock.now(), monotonic());
        SimulatedClock { clock, start, latest: Arc::new(AtomicI64::new(start.0.0)) }
    }
}

#[cfg(any(test, feature = "test-util"))]
impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn monotonic(&self) -> Instant {
        let now = self.clock.now().0;
        let latest = self.latest.fetch_max(now, Ordering::SeqCst).max(now);
        self.start.1 + Timestamp(latest).saturating_since(self.start.0)
    }
}

/// A reading of the monotonic clock, for measuring how long something took; never part of an event.
#[expect(clippy::disallowed_methods, reason = "this is the one home of the monotonic clock")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_prints_as_it_parses() {
        for text in
            ["0000-01-01T00:00:00.000000Z", "1969-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"]
        {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Timestamp::parse("2024-02-29T12:00:00+02:00").unwrap().to_string(),
            "2024-02-29T10:00:00.000000Z"
        );
    }

    #[test]
    fn what_lies_beyond_four_digit_years_is_clamped() {
        assert_eq!(Timestamp::from_micros(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::MIN);
        assert_eq!(Timestamp::MAX.saturating_add(Duration::MAX), Timestamp::MAX);
    }

    #[test]
    fn a_time_that_is_none_is_named_in_the_error() {
        assert!(Timestamp::parse("yesterday").unwrap_err().to_string().contains("\"yesterday\""));
    }
}

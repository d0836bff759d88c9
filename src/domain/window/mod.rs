//! Windows: when what is spent begins anew.
//!
//! A window is half-open: its first moment belongs to it, its end to the next one. The windows of a kind join without
//! gap or overlap, before the anchor as after it.
//!
//! - Window `k` starts at the anchor plus `k` periods, always counted from the anchor: a budget of months that is
//!   anchored on 31 January begins anew on 28 February and on 31 March.
//! - Years, months, weeks and days are steps of the zone's calendar: a day has 23 hours or 25 where the clock is set.
//!   A time of day that there is not, because the clock was set forward over it, means the moment as much later; one
//!   that comes twice means its first. Hours, minutes and seconds are elapsed time. A duration of both takes the
//!   steps of the calendar first.
//! - Without an anchor, `day`, `week` and `month` start at local midnight: every day, on Mondays, on the 1st. `hour`
//!   starts when the zone's clock strikes the hour; where it is set by less than an hour, a shorter window starts
//!   there. ISO 8601 durations are counted from 1970-01-01T00:00 of the zone's clock, those of whole weeks from
//!   Monday, 1970-01-05T00:00.
//! - What lies outside the years 0000 to 9999 is cut off. A window that ends at [`Timestamp::MAX`] never ends: it has
//!   that last moment, too.
//!
//! Only deciding computes windows. Events carry their bounds, so that replay needs no zone data, and stays the same
//! whatever becomes of a zone's rules (law FOLD).

mod period;
mod zone;

#[cfg(test)]
mod tests;

use crate::clock::Timestamp;
use crate::event::{Span, Window};

use period::{Every, Period};
use zone::Zone;

/// One hour, in microseconds.
const HOUR: i64 = 3_600_000_000;
/// One day of the calendar, in microseconds.
const DAY: i64 = 24 * HOUR;

/// Why a window cannot be computed: what was expected, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WindowError {
    message: String,
}

impl WindowError {
    /// `field` and `expected` are written out; of `found`, no more than what helps to find it.
    fn new(field: &str, expected: &str, found: &str) -> WindowError {
        let found: String = found.chars().take(64).collect();
        WindowError { message: format!("window.{field}: expected {expected}, found {found:?}") }
    }
}

/// The window of this kind that a moment lies in: from its start on, and before its end, unless that is
/// [`Timestamp::MAX`]. An error is one of the kind, whatever the moment.
pub(super) fn span_at(window: &Window, at: Timestamp) -> Result<Span, WindowError> {
    let (start, end) = Windows::of(window)?.around(at.as_micros());
    Ok(Span { start: Timestamp::from_micros(start), end: Timestamp::from_micros(end) })
}

/// All windows of a kind. A moment is in microseconds since the Unix epoch; a reading is what the zone's clock shows,
/// in the same measure.
enum Windows {
    /// The hours of the zone's clock.
    ClockHours(Zone),
    /// So much elapsed time, from a moment on.
    Elapsed { origin: i64, length: i64 },
    /// Steps of the zone's calendar.
    Calendar(Calendar),
}

impl Windows {
    fn of(window: &Window) -> Result<Windows, WindowError> {
        let every = Every::parse(&window.every)?;
        let zone = Zone::named(window.tz.as_deref())?;
        let period = match (every, window.anchor) {
            (Every::Hour, None) => return Ok(Windows::ClockHours(zone)),
            (Every::Hour, Some(_)) => Period::HOUR,
            (Every::Period(period), _) => period,
        };
        let (origin, reading) = match window.anchor {
            Some(anchor) => (anchor.as_micros(), zone.reading(anchor.as_micros())),
            None => (zone.moment(period.first_reading()), period.first_reading()),
        };
        Ok(if period.is_elapsed() {
            Windows::Elapsed { origin, length: period.micros }
        } else {
            Windows::Calendar(Calendar { zone, period, origin, reading })
        })
    }

    /// Start and end of the window that a moment lies in.
    fn around(&self, at: i64) -> (i64, i64) {
        match self {
            Windows::ClockHours(zone) => clock_hour(zone, at),
            Windows::Elapsed { origin, length } => {
                let start = at - (at - origin).rem_euclid(*length);
                (start, start + length)
            }
            Windows::Calendar(calendar) => calendar.around(at),
        }
    }
}

/// The hour of the zone's clock that a moment lies in. It is cut where the clock is set by less than whole hours: from
/// there on, it strikes the hour at other moments than before.
fn clock_hour(zone: &Zone, at: i64) -> (i64, i64) {
    let phase = |moment: i64| zone.offset(moment).rem_euclid(HOUR);
    let start = at - zone.reading(at).rem_euclid(HOUR);
    let end = start + HOUR;
    let here = phase(at);
    let start = if phase(start) == here { start } else { first(start, at, |moment| phase(moment) == here) };
    let end = if phase(end) == here { end } else { first(at, end, |moment| phase(moment) != here) };
    (start, end)
}

/// The first number of `low + 1 ..= high` that is so: `high` is, `low` is not, and there is one change in between.
fn first(mut low: i64, mut high: i64, is_so: impl Fn(i64) -> bool) -> i64 {
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is_so(middle) { high = middle } else { low = middle }
    }
    high
}

/// Windows that start at steps of the zone's calendar.
struct Calendar {
    zone: Zone,
    period: Period,
    /// The start of window 0.
    origin: i64,
    /// What the zone's clock shows then.
    reading: i64,
}

impl Calendar {
    /// The start of window `k`. No window starts before the one ahead of it: a step is a day or more, and no clock was
    /// ever set forward by more than a day. Where one was set by a whole day, that day's window is empty.
    fn start(&self, k: i64) -> i64 {
        // The anchor itself, and not the first time that the clock showed what it shows then.
        if k == 0 {
            return self.origin;
        }
        let reading = self.period.calendar_steps(self.reading, k);
        self.zone.moment(reading).saturating_add(self.period.micros.saturating_mul(k))
    }

    /// Guesses by the mean length of a period, which is off by few windows, and searches from there.
    fn around(&self, at: i64) -> (i64, i64) {
        let guess = (at - self.origin).div_euclid(self.period.mean_micros());
        let (mut low, mut high, mut step) = (guess, guess + 1, 1);
        while self.start(low) > at {
            (low, high, step) = (low - step, low, step * 2);
        }
        while self.start(high) <= at {
            (low, high, step) = (high, high + step, step * 2);
        }
        let next = first(low, high, |k| self.start(k) > at);
        (self.start(next - 1), self.start(next))
    }
}

//! What `every` says.

use chrono::{DateTime, Months};

use super::{DAY, HOUR, WindowError};

/// The mean month of the calendar, whose years repeat after 400, in microseconds.
const MEAN_MONTH: i64 = 146_097 * DAY / 4_800;
/// The longest period: 100 years.
const MAX_MICROS: i64 = 1_200 * MEAN_MONTH;

const EXPECTED: &str = "hour, day, week, month or an ISO 8601 duration of whole units from PT1S to P100Y \
    (like P1D, PT6H or P2W)";

/// How often windows start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Every {
    /// Every hour: of the zone's clock, where there is no anchor.
    Hour,
    /// After every such period.
    Period(Period),
}

impl Every {
    pub(super) fn parse(text: &str) -> Result<Every, WindowError> {
        let period = match text {
            "hour" => return Ok(Every::Hour),
            "day" => Some(Period { months: 0, days: 1, micros: 0 }),
            "week" => Some(Period { months: 0, days: 7, micros: 0 }),
            "month" => Some(Period { months: 1, days: 0, micros: 0 }),
            duration => Period::parse(duration),
        };
        period.map(Every::Period).ok_or_else(|| WindowError::new("every", EXPECTED, text))
    }
}

/// The time from the start of a window to the start of the next: steps of the calendar, then elapsed time. None is
/// negative, and not all are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    months: i64,
    days: i64,
    /// Elapsed time.
    pub(super) micros: i64,
}

impl Period {
    pub(super) const HOUR: Period = Period { months: 0, days: 0, micros: HOUR };

    /// Reads an ISO 8601 duration: `P`, then whole numbers of years, months, weeks and days, then `T` and those of
    /// hours, minutes and seconds; what is 0 may be left out.
    fn parse(text: &str) -> Option<Period> {
        let text = text.strip_prefix('P')?;
        let (date, time) = match text.split_once('T') {
            Some((_, "")) => return None,
            Some((date, time)) => (date, time),
            None => (text, ""),
        };
        let [years, months, weeks, days] = numbers(date, ['Y', 'M', 'W', 'D'])?;
        let [hours, minutes, seconds] = numbers(time, ['H', 'M', 'S'])?;
        let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
        let seconds = minutes.checked_mul(60)?.checked_add(seconds)?;
        let period = Period {
            months: years.checked_mul(12)?.checked_add(months)?,
            days: weeks.checked_mul(7)?.checked_add(days)?,
            micros: seconds.checked_mul(1_000_000)?,
        };
        (1..=MAX_MICROS).contains(&period.checked_mean_micros()?).then_some(period)
    }

    fn checked_mean_micros(&self) -> Option<i64> {
        let months = self.months.checked_mul(MEAN_MONTH)?;
        self.days.checked_mul(DAY)?.checked_add(months)?.checked_add(self.micros)
    }

    /// How long the period is, over many.
    pub(super) fn mean_micros(&self) -> i64 {
        self.months * MEAN_MONTH + self.days * DAY + self.micros
    }

    /// Whether it is elapsed time only.
    pub(super) fn is_elapsed(&self) -> bool {
        self.months == 0 && self.days == 0
    }

    /// What the clock shows at the start of window 0, where there is no anchor: the 1st of January 1970, or for whole
    /// weeks the first Monday of that year.
    pub(super) fn first_reading(&self) -> i64 {
        let is_weeks = self.months == 0 && self.micros == 0 && self.days % 7 == 0;
        if is_weeks { 4 * DAY } else { 0 }
    }

    /// The reading `k` times the months and days after `reading`, at the same time of day. A day of month that there
    /// is not means the last one of that month.
    pub(super) fn calendar_steps(&self, reading: i64, k: i64) -> i64 {
        let reading = match self.months.saturating_mul(k) {
            0 => reading,
            months => add_months(reading, months),
        };
        reading.saturating_add(self.days.saturating_mul(DAY).saturating_mul(k))
    }
}

/// The same day and time of day so many months later. Beyond what the calendar can tell, the end of time.
fn add_months(reading: i64, months: i64) -> i64 {
    let by = Months::new(u32::try_from(months.unsigned_abs()).unwrap_or(u32::MAX));
    let (moved, end) = match DateTime::from_timestamp_micros(reading) {
        Some(date) if months < 0 => (date.checked_sub_months(by), i64::MIN),
        Some(date) => (date.checked_add_months(by), i64::MAX),
        None => return reading,
    };
    moved.map_or(end, |date| date.timestamp_micros())
}

/// The whole numbers before these designators, which come in this order, each at most once; 0 for what is left out.
fn numbers<const N: usize>(mut text: &str, designators: [char; N]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let mut places = designators.into_iter().enumerate();
    while !text.is_empty() {
        let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let mut rest = rest.chars();
        let found = rest.next()?;
        let (place, _) = places.find(|&(_, designator)| designator == found)?;
        numbers[place] = digits.parse().ok()?;
        text = rest.as_str();
    }
    Some(numbers)
}

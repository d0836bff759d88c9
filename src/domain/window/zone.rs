//! The clocks of time zones.

use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use super::{DAY, WindowError};
use crate::clock::Timestamp;

/// After so long the calendar repeats, weekdays included, and with it the rules of every zone: 400 years.
const CYCLE: i64 = 146_097 * DAY;
/// Before the rules of any zone.
const EARLY: i64 = Timestamp::MIN.as_micros();
/// Long after every exception from the rules, and before the last year that jiff knows: the year 9970.
const LATE: i64 = 20 * CYCLE;

/// A time zone.
///
/// Zones come from the copy of the IANA database that jiff brings along, and from nowhere else: neither the system's
/// copy nor its own zone is asked, so that what is decided depends on the build alone. jiff keeps a zone once it has
/// been looked up.
#[derive(Debug)]
pub(super) struct Zone(TimeZone);

impl Zone {
    /// The zone of that name, in whatever case; `None`: UTC.
    pub(super) fn named(name: Option<&str>) -> Result<Zone, WindowError> {
        let Some(name) = name else { return Ok(Zone(TimeZone::UTC)) };
        let zone = TimeZoneDatabase::bundled().get(name).ok().filter(|zone| !zone.is_unknown());
        zone.map(Zone).ok_or_else(|| {
            WindowError::new("tz", "a name of the IANA time zone database (like Europe/Berlin)", name)
        })
    }

    /// How far the clock is ahead of UTC.
    pub(super) fn offset(&self, moment: i64) -> i64 {
        i64::from(self.0.to_offset(known(moment)).seconds()) * 1_000_000
    }

    /// What the clock shows.
    pub(super) fn reading(&self, moment: i64) -> i64 {
        moment.saturating_add(self.offset(moment))
    }

    /// When the clock shows this: the first time, where it does so twice. Where it is set forward over it, as if it
    /// had not been set: 02:30 of a clock that goes from 02:00 to 03:00 is the moment at which it shows 03:30.
    pub(super) fn moment(&self, reading: i64) -> i64 {
        let known = known(reading);
        let moment = self.0.to_ambiguous_timestamp(Offset::UTC.to_datetime(known)).compatible();
        // Never an error between the years 0 and 9970.
        let ahead = moment.map_or(0, |moment| known.as_microsecond() - moment.as_microsecond());
        reading.saturating_sub(ahead)
    }
}

/// A time that jiff knows, of the same rules as this one.
fn known(micros: i64) -> jiff::Timestamp {
    let micros =
        if micros > LATE { LATE - CYCLE + (micros - LATE).rem_euclid(CYCLE) } else { micros.max(EARLY) };
    // Never an error between the years 0 and 9970.
    jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

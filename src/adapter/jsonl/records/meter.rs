//! The JSON of an external meter.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::super::text::{MetaJson, Text};
use crate::domain::{Meter, MeterKind};
use crate::ids::MeterId;

/// An external meter as JSON. One that nobody has read or reset yet stands at 0.
#[derive(Debug, Clone, Copy)]
pub struct MeterJson<'a> {
    /// Its id.
    pub meter_id: &'a MeterId,
    /// The meter, if it is known.
    pub meter: Option<&'a Meter>,
}

impl<'a> From<&'a Meter> for MeterJson<'a> {
    fn from(meter: &'a Meter) -> MeterJson<'a> {
        MeterJson { meter_id: &meter.id, meter: Some(meter) }
    }
}

impl Serialize for MeterJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let MeterJson { meter_id, meter } = self;
        let kind = meter.and_then(|meter| meter.kind).map(MeterKind::name);
        let mut json = serializer.serialize_struct("Meter", 7)?;
        json.serialize_field("meter_id", &Text(meter_id))?;
        json.serialize_field("total", &Text(meter.map_or(0, |meter| meter.total)))?;
        json.serialize_field("budget_id", &meter.and_then(|meter| meter.budget_id.as_ref()).map(Text))?;
        json.serialize_field("kind", &kind)?;
        json.serialize_field("booked", &Text(meter.map_or(0, |meter| meter.booked)))?;
        json.serialize_field("updated_at", &meter.map(|meter| Text(meter.updated_at)))?;
        json.serialize_field("meta", &meter.and_then(|meter| meter.meta.as_ref()).map(MetaJson))?;
        json.end()
    }
}

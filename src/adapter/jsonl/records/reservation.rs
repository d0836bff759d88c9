//! The JSON of a reservation.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::super::text::{MetaJson, Text};
use crate::domain::Reservation;

/// A reservation as JSON: amounts as strings, what is not there as null.
///
/// Only for `serde_json`: metadata are written as the bytes that they were given as.
#[derive(Debug, Clone, Copy)]
pub struct ReservationJson<'a>(pub &'a Reservation);

impl Serialize for ReservationJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reservation = self.0;
        let mut json = serializer.serialize_struct("Reservation", 10)?;
        json.serialize_field("reservation_id", &Text(&reservation.id))?;
        json.serialize_field("budget_id", &Text(&reservation.budget_id))?;
        json.serialize_field("amount", &Text(reservation.amount))?;
        json.serialize_field("owner", &reservation.owner)?;
        json.serialize_field("status", reservation.status.name())?;
        json.serialize_field("expires_at", &reservation.expires_at.map(Text))?;
        json.serialize_field("spend_id", &reservation.spend_id.as_ref().map(Text))?;
        json.serialize_field("created_at", &Text(reservation.created_at))?;
        json.serialize_field("ended_at", &reservation.ended_at.map(Text))?;
        json.serialize_field("meta", &reservation.meta.as_ref().map(MetaJson))?;
        json.end()
    }
}

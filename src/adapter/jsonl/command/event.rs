//! Events of the host's own.

use super::super::fields::Fields;
use super::super::op::Asked;
use crate::domain::{RecordEvent, Rejection};

pub(in super::super) fn record_event(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let record = RecordEvent {
        name: fields.require("name", "the name of an event")?.shared_string()?,
        data: fields.require("data", "a JSON value")?.json()?,
        event_id: fields.get("event_id").map(|value| value.parse()).transpose()?,
    };
    Ok(Asked::Command(record.into()))
}

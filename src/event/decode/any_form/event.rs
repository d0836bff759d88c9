//! What hosts record of their own.

use std::sync::Arc;

use serde::Deserialize;

use crate::event::decode::fields;
use crate::event::{EventRecorded, Json};
use crate::ids::EventId;

/// The id and the fingerprint may be left out; then they are null.
#[derive(Deserialize)]
#[serde(remote = "EventRecorded", deny_unknown_fields)]
pub(super) struct EventRecordedForm {
    name: Arc<str>,
    #[serde(default, deserialize_with = "fields::nullable_id")]
    event_id: Option<EventId>,
    #[serde(default, deserialize_with = "fields::nullable_fingerprint")]
    body: Option<u64>,
    #[serde(deserialize_with = "fields::json")]
    data: Json,
}

//! What hosts record of their own.

use std::sync::Arc;

use crate::event::Json;
use crate::ids::EventId;

/// An event of the host's own, in order with everything else. It changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecorded {
    /// What the host calls it.
    pub name: Arc<str>,
    /// The host's id of it, where given: an event id is a key, too.
    pub event_id: Option<EventId>,
    /// The fingerprint of the command, where the caller gave the id.
    pub body: Option<u64>,
    /// What the host says about it.
    pub data: Json,
}

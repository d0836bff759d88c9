//! The command that records what hosts have to say.

use std::sync::Arc;

use crate::event::Json;
use crate::ids::EventId;

/// Record an event of the host's own, in order with everything else. It changes nothing.
///
/// ```
/// # fn main() -> Result<(), tallybook::JsonError> {
/// use tallybook::{Json, RecordEvent};
/// let data = Json::parse(r#"{"tool":"web.search","ms":812}"#)?;
/// let event = RecordEvent::new("tool_finished", data).id("019a9f3d-2222-7000-8000-000000000003");
/// # let _ = event;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordEvent {
    /// What the host calls it: 1 to 200 bytes without control characters.
    pub name: Arc<str>,
    /// What the host says about it: any JSON, of no more bytes (white space not counted) than the
    /// [rules](crate::Rules::max_event_bytes) allow, by default 64 KiB.
    pub data: Json,
    /// The host's id of it, 1 to 200 bytes without control characters, which is an idempotency key, too: within
    /// the key window the same command with it is a retry, another a conflict.
    pub event_id: Option<EventId>,
}

impl RecordEvent {
    /// An event of that name.
    pub fn new(name: impl Into<Arc<str>>, data: Json) -> RecordEvent {
        RecordEvent { name: name.into(), data, event_id: None }
    }

    /// With an id of the host's: recorded exactly once within the [key window](crate::Options::key_window), by default 24
    /// hours and 65,536 ids. Make ids UUIDs of version 7: one that is too old is then rejected
    /// ([`KeyExpired`](crate::RejectionKind::KeyExpired)), not recorded again.
    #[must_use]
    pub fn id(mut self, event_id: impl Into<EventId>) -> RecordEvent {
        self.event_id = Some(event_id.into());
        self
    }
}

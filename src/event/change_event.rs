//! The envelope of every event.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::event::{Meta, Payload};

/// One change of a goal or a budget, one refusal, or an event of the host's own, as it stands in the journal and in
/// the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEvent {
    /// The position: starts at 1, grows by 1 with every event, is never reused (law ORDER).
    pub seq: u64,
    /// When it was decided, by the engine's clock; never earlier than the event before it.
    pub ts: Timestamp,
    /// The session of the command, where given.
    pub session_id: Option<Arc<str>>,
    /// Who gave the command, where given.
    pub actor: Option<Arc<str>>,
    /// The idempotency key of the command, where given.
    pub key: Option<EventKey>,
    /// The host's metadata of the command, where given.
    pub meta: Option<Meta>,
    /// What happened.
    pub payload: Payload,
}

/// The idempotency key of the command that an event belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventKey {
    /// The key as the caller gave it.
    pub key: Arc<str>,
    /// A fingerprint of the command's body: a retry with the same key has the same fingerprint, another command
    /// under the same key has not. Only the first event of a command carries it.
    pub fingerprint: Option<u64>,
}

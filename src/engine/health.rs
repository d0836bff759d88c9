//! How an engine is doing.

use crate::error::Error;
use crate::ids::{Epoch, JournalId};

/// What an engine does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineStatus {
    /// It takes commands.
    Running,
    /// A write or a sync failed: it takes no commands until the journal is reopened (law HALT).
    Halted,
    /// It was shut down.
    Closed,
}

/// How an engine is doing, for an operator's dashboard.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// What it does.
    pub status: EngineStatus,
    /// The journal.
    pub journal_id: JournalId,
    /// The epoch of this writer.
    pub epoch: Epoch,
    /// The `seq` of the last event that is published.
    pub seq: u64,
    /// The `seq` of the last event that is synced: behind `seq` only at interval durability.
    pub durable_seq: u64,
    /// How many commands wait in the inbox.
    pub inbox_depth: usize,
    /// How many can wait.
    pub inbox_capacity: usize,
    /// Fire-and-forget turns that could not be booked, or may not have been when the engine halted, since it was
    /// opened.
    pub dropped_turns: u64,
    /// Goals with turns that were added up while the inbox was full, and are not booked yet.
    pub goals_with_pending_turns: usize,
    /// Why it halted.
    pub last_error: Option<Error>,
}

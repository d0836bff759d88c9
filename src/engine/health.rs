//! How an engine is doing.

use super::handle::Engine;
use super::risk::Risk;
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
    /// Charges of fire-and-forget turns to budgets that there are not; the rest of those turns was booked.
    pub dropped_charges: u64,
    /// Reservations whose guards were dropped, and that are not released yet.
    pub pending_releases: usize,
    /// Such releases that could not be booked, or may not have been when the engine halted, since it was opened.
    pub dropped_releases: u64,
    /// Events that a [`Recorder`](super::Recorder) was to record fire-and-forget and that are not there, or may not be
    /// since the engine halted: the inbox was full, the disk was, they were rejected, or the engine had ended.
    pub dropped_events: u64,
    /// How often the risk assessor panicked, was too late or had too much to do: vetoes that it did not say.
    pub risk_failures: u64,
    /// How often the callback for alerts panicked, or was so slow that events were pruned before it.
    pub alert_failures: u64,
    /// The `seq` of the oldest event that is retained, or of the next one: what was before it is pruned.
    pub retention_floor: u64,
    /// How many snapshots of the state there are, the base included.
    pub snapshots: usize,
    /// The `seq` of the last event in the newest snapshot, from which the next opening goes on.
    pub last_snapshot_seq: Option<u64>,
    /// How often a segment could not be archived, and was not pruned for it.
    pub archive_failures: u64,
    /// How often the upkeep failed: a run of retention and snapshots, which does what is due of pruning, archiving and
    /// making snapshots. Those of the archive are among them. The engine lives on, and it is tried again when the journal
    /// is next rotated or opened.
    pub upkeep_failures: u64,
    /// Why the last such run failed; `None` once one succeeded.
    pub last_upkeep_error: Option<Error>,
    /// Why it halted.
    pub last_error: Option<Error>,
}

impl Engine {
    /// How the engine is doing.
    pub fn health(&self) -> Health {
        let shared = self.shared();
        let view = shared.view();
        let upkeep = shared.upkeep.status();
        Health {
            status: shared.status(),
            journal_id: view.journal_id(),
            epoch: view.epoch(),
            seq: view.seq(),
            durable_seq: shared.last_durable_seq(),
            inbox_depth: shared.inbox.depth(),
            inbox_capacity: shared.inbox.capacity(),
            dropped_turns: shared.dropped_turns(),
            goals_with_pending_turns: shared.inbox.pending_turns().len(),
            dropped_charges: shared.dropped_charges(),
            pending_releases: shared.inbox.pending_releases(),
            dropped_releases: shared.dropped_releases(),
            dropped_events: shared.dropped_events(),
            risk_failures: shared.risk.as_ref().map_or(0, Risk::failures),
            alert_failures: shared.alert_failures(),
            retention_floor: upkeep.retention_floor,
            snapshots: upkeep.snapshots,
            last_snapshot_seq: upkeep.snapshot_seq,
            archive_failures: upkeep.archive_failures,
            upkeep_failures: upkeep.failures,
            last_upkeep_error: upkeep.last_error,
            last_error: shared.last_error(),
        }
    }
}

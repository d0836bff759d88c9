//! What readers see: the state after some `seq`, whole, as a value of its own. Reading it never waits for the
//! writer, and the writer never waits for a reader, however long a listing takes.

use std::ops::Deref;
use std::sync::Arc;

use super::cursor::Cursor;
use crate::clock::Timestamp;
use crate::domain::{State, StateHash};
use crate::ids::{Epoch, JournalId};
use crate::projection::Projection;

/// The state, consistent at one [`seq`](View::seq). It stays as it is while the engine goes on; to see what is new,
/// take a new one. Copies are cheap.
///
/// It reads like [`State`]: `view.goal(id)`, `view.active_goal(scope)`, `view.list_goals(&query)`.
#[derive(Debug, Clone)]
pub struct View(Arc<Snapshot>);

#[derive(Debug)]
struct Snapshot {
    projection: Projection,
    journal_id: JournalId,
    epoch: Epoch,
    last_epoch: Epoch,
}

/// A summary of a journal's state: two engines, or an engine and a replay, that agree on it hold the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The `seq` of the last event; 0 in an empty journal.
    pub seq: u64,
    /// The epoch of the writer.
    pub epoch: Epoch,
    /// The journal.
    pub journal_id: JournalId,
    /// The hash of the state. It compares only within one fold version.
    pub state_hash: StateHash,
    /// The position of the last event, to resume a feed from; `None` in an empty journal.
    pub cursor: Option<Cursor>,
}

impl View {
    pub(super) fn new(
        projection: Projection,
        journal_id: JournalId,
        epoch: Epoch,
        last_epoch: Epoch,
    ) -> View {
        View(Arc::new(Snapshot { projection, journal_id, epoch, last_epoch }))
    }

    /// The `seq` of the last event that is in it; 0 before the first.
    pub fn seq(&self) -> u64 {
        self.0.projection.seq
    }

    /// The journal.
    pub fn journal_id(&self) -> JournalId {
        self.0.journal_id
    }

    /// The epoch of the writer that published it; of a state that was read from the journal (by a follower, say) that of the
    /// last event in it.
    pub fn epoch(&self) -> Epoch {
        self.0.epoch
    }

    /// When that event was decided.
    pub fn last_ts(&self) -> Timestamp {
        self.0.projection.last_ts
    }

    /// The state itself.
    pub fn state(&self) -> &State {
        &self.0.projection.state
    }

    /// The position of the last event that is in it, to resume a feed from; `None` before the first.
    pub fn cursor(&self) -> Option<Cursor> {
        let Snapshot { journal_id, last_epoch, projection, .. } = &*self.0;
        (projection.seq > 0).then_some(Cursor {
            journal_id: *journal_id,
            epoch: *last_epoch,
            seq: projection.seq,
        })
    }

    /// Position and hash. The hash is computed here, on the caller's thread, from what changed since it was last
    /// asked for.
    pub fn head(&self) -> Head {
        Head {
            seq: self.seq(),
            epoch: self.0.epoch,
            journal_id: self.0.journal_id,
            state_hash: self.state().state_hash(),
            cursor: self.cursor(),
        }
    }
}

impl Deref for View {
    type Target = State;

    fn deref(&self) -> &State {
        self.state()
    }
}

//! What handles, feeds and the writer share: the inbox, the published state, and what the engine does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::health::EngineStatus;
use super::inbox::{Inbox, Work};
use super::published::View;
use crate::domain::Turn;
use crate::error::{Error, ErrorKind};
use crate::ids::GoalId;
use crate::journal::PublishedCell;
use crate::storage::Storage;

/// What handles, feeds and the writer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) inbox: Inbox,
    pub(super) journal_published: Arc<PublishedCell>,
    view: ArcSwap<View>,
    seq: watch::Sender<u64>,
    status: watch::Sender<EngineStatus>,
    durable_seq: AtomicU64,
    dropped_turns: AtomicU64,
    last_error: Mutex<Option<Error>>,
}

impl Shared {
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        inbox_capacity: usize,
        journal_published: Arc<PublishedCell>,
        view: View,
    ) -> Shared {
        let seq = view.seq();
        Shared {
            storage,
            inbox: Inbox::new(inbox_capacity),
            journal_published,
            view: ArcSwap::from_pointee(view),
            seq: watch::Sender::new(seq),
            status: watch::Sender::new(EngineStatus::Running),
            durable_seq: AtomicU64::new(seq),
            dropped_turns: AtomicU64::new(0),
            last_error: Mutex::new(None),
        }
    }

    /// The published state.
    pub(super) fn view(&self) -> View {
        View::clone(&self.view.load())
    }

    pub(super) fn publish(&self, view: View) {
        let seq = view.seq();
        self.view.store(Arc::new(view));
        self.seq.send_replace(seq);
    }

    /// Tells each change of the published `seq`.
    pub(super) fn watch_seq(&self) -> watch::Receiver<u64> {
        self.seq.subscribe()
    }

    /// Tells each change of what the engine does.
    pub(super) fn watch_status(&self) -> watch::Receiver<EngineStatus> {
        self.status.subscribe()
    }

    pub(super) fn status(&self) -> EngineStatus {
        *self.status.borrow()
    }

    pub(super) fn durable_seq(&self, seq: u64) {
        self.durable_seq.store(seq, Ordering::Relaxed);
    }

    pub(super) fn last_durable_seq(&self) -> u64 {
        self.durable_seq.load(Ordering::Relaxed)
    }

    pub(super) fn last_error(&self) -> Option<Error> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn dropped_turns(&self) -> u64 {
        self.dropped_turns.load(Ordering::Relaxed)
    }

    /// A fire-and-forget turn that cannot be booked: the host is not bothered, but it shows.
    pub(super) fn count_dropped_turns(&self, goal_id: GoalId, turn: &Turn, why: &dyn std::fmt::Display) {
        tracing::warn!(%goal_id, tokens = %turn.tokens, turns = turn.turns, %why, "turns were dropped");
        self.dropped_turns.fetch_add(turn.turns, Ordering::Relaxed);
    }

    /// Takes nothing more, because of that error; what was not begun is answered so.
    pub(super) fn halt(&self, error: &Error, not_begun: Vec<Work>) {
        let why = Error::new(
            ErrorKind::Halted,
            format!(
                "the engine halted before this command, so nothing was written; reopen to recover: {error}"
            ),
        );
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.clone());
        self.end(EngineStatus::Halted, why, not_begun);
    }

    /// Takes nothing more, because the host wants it so.
    pub(super) fn close(&self) {
        self.end(
            EngineStatus::Closed,
            Error::new(ErrorKind::Closed, "the engine was shut down; nothing was written"),
            Vec::new(),
        );
    }

    fn end(&self, status: EngineStatus, why: Error, not_begun: Vec<Work>) {
        let left = self.inbox.close(why.clone());
        self.status.send_replace(status);
        self.inbox.wake();
        // Wakes whoever waits for a `seq` that will not come.
        self.seq.send_modify(|_| ());
        for work in not_begun.into_iter().chain(left.work) {
            // A caller that no longer waits has nothing to be told.
            match work {
                Work::Command(_, reply) => drop(reply.send(Err(why.clone().into()))),
                Work::Account(goal_id, turn) => self.count_dropped_turns(goal_id, &turn, &why),
                Work::View(reply) | Work::Flush(reply) => drop(reply.send(Err(why.clone()))),
            }
        }
        for (goal_id, turn) in left.turns {
            self.count_dropped_turns(goal_id, &turn, &why);
        }
    }
}

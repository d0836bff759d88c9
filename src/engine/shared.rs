//! What handles, feeds and the writer share: the inbox, the published state, and what the engine does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::feed::{Live, LiveEvent};
use super::health::EngineStatus;
use super::inbox::{Inbox, Work};
use super::options::Options;
use super::published::View;
use super::reply::Reply;
use super::risk::Risk;
use super::upkeep::UpkeepRecord;
use crate::clock::Clock;
use crate::domain::Turn;
use crate::error::{Error, ErrorKind};
use crate::event::Charge;
use crate::ids::{GoalId, ReservationId};
use crate::journal::{PublishedCell, WalkSource};
use crate::storage::{Storage, Watched};

/// What handles, feeds and the writer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) storage: Arc<dyn Storage>,
    /// The same, as whoever counts the changes of names.
    pub(super) names: Arc<Watched>,
    pub(super) inbox: Inbox,
    pub(super) clock: Arc<dyn Clock>,
    /// The host's risk assessor, where there is one.
    pub(super) risk: Option<Risk>,
    /// Where readers find the events.
    pub(super) journal: WalkSource,
    /// Retention and snapshots.
    pub(super) upkeep: Arc<UpkeepRecord>,
    view: ArcSwap<View>,
    /// What was published last, on its way to subscriptions.
    pub(super) live: Arc<Live>,
    seq: watch::Sender<u64>,
    status: watch::Sender<EngineStatus>,
    durable_seq: AtomicU64,
    dropped_turns: AtomicU64,
    dropped_charges: AtomicU64,
    dropped_releases: AtomicU64,
    dropped_events: AtomicU64,
    alert_failures: AtomicU64,
    last_error: Mutex<Option<Error>>,
}

impl Shared {
    pub(super) fn new(
        names: Arc<Watched>,
        options: &Options,
        journal_published: Arc<PublishedCell>,
        view: View,
    ) -> Shared {
        let seq = view.seq();
        let upkeep: Arc<UpkeepRecord> = Arc::default();
        let live = Live::new(view.journal_id(), view.epoch(), options);
        Shared {
            storage: Arc::clone(&names) as _,
            names,
            inbox: Inbox::new(options.inbox_capacity),
            clock: Arc::clone(&options.clock),
            risk: options.risk.clone().map(Risk::new),
            journal: WalkSource::Inside(journal_published, Arc::clone(&upkeep.kept)),
            upkeep,
            view: ArcSwap::from_pointee(view),
            live: Arc::new(live),
            seq: watch::Sender::new(seq),
            status: watch::Sender::new(EngineStatus::Running),
            durable_seq: AtomicU64::new(seq),
            dropped_turns: AtomicU64::new(0),
            dropped_charges: AtomicU64::new(0),
            dropped_releases: AtomicU64::new(0),
            dropped_events: AtomicU64::new(0),
            alert_failures: AtomicU64::new(0),
            last_error: Mutex::new(None),
        }
    }

    /// The published state.
    pub(super) fn view(&self) -> View {
        self.with_view(View::clone)
    }

    /// The same for a look in passing, which holds on to nothing.
    pub(super) fn with_view<T>(&self, read: impl FnOnce(&View) -> T) -> T {
        read(&self.view.load())
    }

    /// Its `seq`.
    pub(super) fn published_seq(&self) -> u64 {
        self.view.load().seq()
    }

    /// Publishes the state, and the events that led to it to whoever follows. What was published before: to free what
    /// only that held may take a while.
    pub(super) fn publish(&self, view: View, events: Vec<LiveEvent>) -> Arc<View> {
        let seq = view.seq();
        let announced = self.live.announce(events, seq);
        let replaced = self.view.swap(Arc::new(view));
        self.seq.send_replace(seq);
        self.live.publish(announced);
        replaced
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

    pub(super) fn dropped_charges(&self) -> u64 {
        self.dropped_charges.load(Ordering::Relaxed)
    }

    /// The same for a charge of such a turn.
    pub(super) fn count_dropped_charge(&self, goal_id: GoalId, charge: &Charge) {
        let Charge { budget_id, amount } = charge;
        tracing::warn!(%goal_id, %budget_id, %amount, "a charge was dropped: there is no such budget to charge");
        self.dropped_charges.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dropped_releases(&self) -> u64 {
        self.dropped_releases.load(Ordering::Relaxed)
    }

    /// A dropped reservation that cannot be released, or may not have been: its time to live covers it, but it shows.
    pub(super) fn count_dropped_release(&self, id: &ReservationId, why: &dyn std::fmt::Display) {
        tracing::warn!(reservation_id = %id, %why, "a dropped reservation was not released");
        self.dropped_releases.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dropped_events(&self) -> u64 {
        self.dropped_events.load(Ordering::Relaxed)
    }

    /// An event of the host's for which nobody waits, and that is not recorded, or may not be. There may be floods of
    /// them: a log that were told of each would hold up whoever records.
    pub(super) fn count_dropped_event(&self, why: &dyn std::fmt::Display) {
        let dropped = self.dropped_events.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if dropped.is_power_of_two() {
            tracing::warn!(dropped, %why, "events of the host were dropped");
        }
    }

    pub(super) fn alert_failures(&self) -> u64 {
        self.alert_failures.load(Ordering::Relaxed)
    }

    pub(super) fn count_alert_failure(&self) {
        self.alert_failures.fetch_add(1, Ordering::Relaxed);
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

    /// Takes nothing more, because the host wants it so: the journal is about to be closed.
    pub(super) fn refuse(&self) {
        let waited_for = self.take_nothing_more(&shut_down(), Vec::new());
        fail_all(waited_for, &shut_down());
    }

    /// The same, when the journal is closed.
    pub(super) fn close(&self) {
        self.end(EngineStatus::Closed, shut_down(), Vec::new());
    }

    /// Closes the inbox, and counts what is lost by it. What somebody waits for of what was left in it, and of what else
    /// was not begun.
    fn take_nothing_more(&self, why: &Error, not_begun: Vec<Work>) -> Vec<Work> {
        let left = self.inbox.close(why.clone());
        if let Some(risk) = &self.risk {
            risk.close();
        }
        for id in left.releases {
            self.count_dropped_release(&id, why);
        }
        for (goal_id, turn) in left.turns {
            self.count_dropped_turns(goal_id, &turn, why);
        }
        let work = not_begun.into_iter().chain(left.work);
        work.filter_map(|work| self.count_dropped(work, why)).collect()
    }

    fn end(&self, status: EngineStatus, why: Error, not_begun: Vec<Work>) {
        // Before the end is told, so that whoever learns of it finds the counts whole.
        let waited_for = self.take_nothing_more(&why, not_begun);
        self.status.send_replace(status);
        self.inbox.wake();
        // Wakes whoever waits for a `seq` that will not come.
        self.seq.send_modify(|_| ());
        self.live.end();
        fail_all(waited_for, &why);
    }

    /// Counts work for which nobody waits; gives any other back.
    fn count_dropped(&self, work: Work, why: &Error) -> Option<Work> {
        match work {
            Work::Release(id) => self.count_dropped_release(&id, why),
            Work::Account(goal_id, turn) => self.count_dropped_turns(goal_id, &turn, why),
            Work::Command(_, reply @ Reply::Event(_)) => reply.fail(why),
            waited_for => return Some(waited_for),
        }
        None
    }
}

/// Tells those who wait that it will not be done.
fn fail_all(waited_for: Vec<Work>, why: &Error) {
    for work in waited_for {
        // A caller that no longer waits has nothing to be told.
        match work {
            Work::Command(_, reply) => reply.fail(why),
            Work::Commands(commands) => commands.fail(why),
            Work::View(reply) | Work::Flush(reply) => drop(reply.send(Err(why.clone()))),
            // Counted above.
            Work::Release(_) | Work::Account(..) => {}
        }
    }
}

fn shut_down() -> Error {
    Error::new(ErrorKind::Closed, "the engine was shut down; nothing was written")
}

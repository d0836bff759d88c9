//! The inbox: what waits for the writer. Bounded; callers wait for a place, or are told that there is none.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use super::published::View;
use super::reply::Reply;
use crate::domain::{Request, Turn};
use crate::error::{Error, ErrorKind};
use crate::event::Charge;
use crate::ids::{GoalId, ReservationId};

/// Where a view goes that was asked for.
pub(super) type ViewReply = oneshot::Sender<Result<View, Error>>;

/// Something for the writer to do.
#[derive(Debug)]
pub(super) enum Work {
    /// A command, and where its answer goes.
    Command(Box<Assessed>, Reply),
    /// A turn that is booked fire-and-forget: nobody waits for an answer, but nothing is lost without a count.
    Account(GoalId, Box<Turn>),
    /// A reservation whose guard was dropped: it is released if it is still open. Takes no place, so that dropping
    /// waits for nothing; there are no more of these than there were guards.
    Release(ReservationId),
    /// The state after everything handed over before, once that is durable.
    View(ViewReply),
    /// The same, after the turns that were added up, too; `NoSpace` when those have to wait.
    Flush(ViewReply),
}

/// A command, and what the host's risk assessor says against it.
#[derive(Debug)]
pub(super) struct Assessed {
    pub(super) request: Request,
    pub(super) veto: Option<Arc<str>>,
}

impl Work {
    /// Whether it took a place in the inbox.
    fn has_place(&self) -> bool {
        !matches!(self, Work::Release(_))
    }
}

/// Everything that waited.
#[derive(Debug, Default)]
pub(super) struct Drained {
    pub(super) work: Vec<Work>,
    pub(super) turns: BTreeMap<GoalId, Turn>,
    /// Releases for which there was no room before.
    pub(super) releases: Vec<ReservationId>,
    pub(super) is_closing: bool,
}

impl Drained {
    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.work.is_empty() && self.turns.is_empty() && self.releases.is_empty()
    }
}

#[derive(Debug)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    room: Semaphore,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    items: Drained,
    /// Turns for which there was no room; they do not keep the writer busy, but go along with what comes next.
    deferred: BTreeMap<GoalId, Turn>,
    /// The same for releases.
    deferred_releases: Vec<ReservationId>,
    /// Set when the writer is to look around even if nothing is there.
    is_woken: bool,
    /// Set when nothing more is taken; says why.
    closed: Option<Error>,
}

impl Inbox {
    pub(super) fn new(capacity: usize) -> Inbox {
        Inbox { waiting: Mutex::default(), arrived: Condvar::new(), room: Semaphore::new(capacity), capacity }
    }

    /// How many pieces of work wait.
    pub(super) fn depth(&self) -> usize {
        self.capacity.saturating_sub(self.room.available_permits())
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Waits for `count` places, no more than the capacity, and takes them.
    pub(super) async fn reserve(&self, count: usize) -> Result<(), Error> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        match self.room.acquire_many(count).await {
            Ok(places) => {
                places.forget();
                Ok(())
            }
            Err(_) => Err(self.why_closed()),
        }
    }

    /// Takes a place, if there is one.
    pub(super) fn try_reserve(&self) -> Result<(), Error> {
        match self.room.try_acquire() {
            Ok(place) => {
                place.forget();
                Ok(())
            }
            Err(tokio::sync::TryAcquireError::Closed) => Err(self.why_closed()),
            Err(tokio::sync::TryAcquireError::NoPermits) => {
                let found = format!(
                    "the inbox is full: {} commands wait; nothing was written, try again later",
                    self.capacity
                );
                Err(Error::new(ErrorKind::Busy, found))
            }
        }
    }

    /// Gives back a place that was taken and is not needed.
    pub(super) fn give_back(&self) {
        self.room.add_permits(1);
    }

    /// Puts work in; its places were reserved before. Who puts it in sees to it that somebody takes it out.
    pub(super) fn put(&self, work: impl IntoIterator<Item = Work>) -> Result<(), Error> {
        let mut waiting = self.lock();
        if let Some(why) = &waiting.closed {
            return Err(why.clone());
        }
        waiting.items.work.extend(work);
        Ok(())
    }

    /// Adds to the turns of a goal that wait to be booked together. Gives the turn back if it cannot be added.
    pub(super) fn add_turn(&self, goal_id: GoalId, turn: Turn) -> Result<(), Turn> {
        let mut waiting = self.lock();
        if waiting.closed.is_some() { Err(turn) } else { add_up(&mut waiting.items.turns, goal_id, turn) }
    }

    /// The same for turns that found no room: they wait for the next occasion.
    pub(super) fn defer_turn(&self, goal_id: GoalId, turn: Turn) -> Result<(), Turn> {
        add_up(&mut self.lock().deferred, goal_id, turn)
    }

    /// Puts the release of a dropped reservation in, without a place. Why it cannot be, if it cannot.
    pub(super) fn put_release(&self, id: ReservationId) -> Result<(), Error> {
        let mut waiting = self.lock();
        match &waiting.closed {
            Some(why) => Err(why.clone()),
            None => {
                waiting.items.work.push(Work::Release(id));
                Ok(())
            }
        }
    }

    /// Keeps a release that found no room for the next occasion.
    pub(super) fn defer_release(&self, id: ReservationId) {
        self.lock().deferred_releases.push(id);
    }

    /// How many dropped reservations are not released yet.
    pub(super) fn pending_releases(&self) -> usize {
        let waiting = self.lock();
        waiting.items.work.iter().filter(|work| !work.has_place()).count() + waiting.deferred_releases.len()
    }

    /// Whether turns or releases wait for room.
    pub(super) fn has_deferred(&self) -> bool {
        let waiting = self.lock();
        !waiting.deferred.is_empty() || !waiting.deferred_releases.is_empty()
    }

    /// The turns that wait to be booked together. A goal may have some of both kinds: then as many as can be told.
    pub(super) fn pending_turns(&self) -> BTreeMap<GoalId, Turn> {
        let waiting = self.lock();
        let mut all = waiting.items.turns.clone();
        for (&goal_id, turn) in &waiting.deferred {
            // Sums beyond the numbers cannot be shown; both parts are still booked.
            let _ = add_up(&mut all, goal_id, turn.clone());
        }
        all
    }

    /// Wakes the writer.
    pub(super) fn wake(&self) {
        self.lock().is_woken = true;
        self.arrived.notify_one();
    }

    /// Waits until something is there, or for so long.
    pub(super) fn wait(&self, timeout: Option<Duration>) {
        let waiting = self.lock();
        let is_empty = |waiting: &mut Waiting| {
            let items = &waiting.items;
            !waiting.is_woken && items.work.is_empty() && items.turns.is_empty() && !items.is_closing
        };
        // A poisoned lock is as good as any here: what it guards is whole between any two calls.
        let mut waiting = match timeout {
            None => self.arrived.wait_while(waiting, is_empty).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                self.arrived
                    .wait_timeout_while(waiting, timeout, is_empty)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
        waiting.is_woken = false;
    }

    /// Takes everything out and makes room.
    pub(super) fn drain(&self) -> Drained {
        let drained = self.lock().take();
        self.room.add_permits(drained.work.iter().filter(|work| work.has_place()).count());
        drained
    }

    /// Asks the writer to finish what waits, and to close.
    pub(super) fn start_closing(&self) {
        self.lock().items.is_closing = true;
        self.arrived.notify_all();
    }

    /// Takes nothing more from now on, for that reason. What still waited.
    pub(super) fn close(&self, why: Error) -> Drained {
        let mut waiting = self.lock();
        // A close that fails has halted (law HALT), whatever was said when it began.
        let had_only_begun =
            |before: &Error| *before.kind() == ErrorKind::Closed && *why.kind() == ErrorKind::Halted;
        if waiting.closed.as_ref().is_none_or(had_only_begun) {
            waiting.closed = Some(why);
        }
        let left = waiting.take();
        drop(waiting);
        self.room.close();
        left
    }

    /// Refuses once nothing more is taken.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        // Readers ask beside a busy writer: for them there is no lock.
        if !self.room.is_closed() {
            return Ok(());
        }
        self.lock().closed.clone().map_or(Ok(()), Err)
    }

    fn why_closed(&self) -> Error {
        let why = self.lock().closed.clone();
        why.unwrap_or_else(|| Error::new(ErrorKind::Closed, "the engine was shut down; nothing was written"))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn take(&mut self) -> Drained {
        let is_closing = self.items.is_closing;
        let mut taken = std::mem::take(&mut self.items);
        self.items.is_closing = is_closing;
        taken.releases = std::mem::take(&mut self.deferred_releases);
        let deferred = std::mem::take(&mut self.deferred);
        for (goal_id, turn) in deferred {
            if let Err(turn) = add_up(&mut taken.turns, goal_id, turn) {
                self.deferred.insert(goal_id, turn);
            }
        }
        Drained { is_closing, ..taken }
    }
}

/// Adds a turn to those of its goal (law EXACT: gives it back rather than pass the end of the numbers).
fn add_up(turns: &mut BTreeMap<GoalId, Turn>, goal_id: GoalId, turn: Turn) -> Result<(), Turn> {
    let Some(pending) = turns.get_mut(&goal_id) else {
        turns.insert(goal_id, turn);
        return Ok(());
    };
    let sums = (
        pending.tokens.checked_add(turn.tokens),
        pending.seconds.checked_add(turn.seconds),
        pending.turns.checked_add(turn.turns),
    );
    let (Some(tokens), Some(seconds), Some(turns)) = sums else { return Err(turn) };
    let Some(charges) = add_up_charges(&pending.charges, &turn.charges) else { return Err(turn) };
    *pending = Turn { tokens, seconds, turns, charges };
    Ok(())
}

/// The charges of both, those to the same budget as one.
fn add_up_charges(pending: &[Charge], more: &[Charge]) -> Option<Vec<Charge>> {
    let mut sums = pending.to_vec();
    for charge in more {
        match sums.iter_mut().find(|sum| sum.budget_id == charge.budget_id) {
            Some(sum) => sum.amount = sum.amount.checked_add(charge.amount)?,
            None => sums.push(charge.clone()),
        }
    }
    Some(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::BudgetId;

    fn pending(turns: impl IntoIterator<Item = Turn>) -> (Inbox, Vec<Turn>) {
        let inbox = Inbox::new(1);
        let goal_id = GoalId(uuid::Uuid::nil());
        let rest = turns.into_iter().filter_map(|turn| inbox.add_turn(goal_id, turn).err()).collect();
        (inbox, rest)
    }

    #[test]
    fn law_exact_charges_to_the_same_budget_add_up() {
        let turns = [
            Turn::tokens(5).charge("money", 7),
            Turn::tokens(1),
            Turn::tokens(3).charge("calls", 1).charge("money", 10),
        ];
        let (inbox, rest) = pending(turns);
        assert!(rest.is_empty());
        let expected = Turn::tokens(9).turns(3).charge("money", 17).charge("calls", 1);
        assert_eq!(inbox.drain().turns.into_values().collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn law_exact_a_charge_that_would_pass_the_numbers_is_given_back_with_its_turn() {
        let turns = [Turn::tokens(5).charge("money", u128::MAX), Turn::tokens(3).charge("money", 1)];
        let (inbox, rest) = pending(turns);
        assert_eq!(rest, [Turn::tokens(3).charge("money", 1)]);
        let kept = inbox.drain().turns.into_values().next().unwrap();
        assert_eq!((kept.tokens, kept.turns), (5, 1), "half of it is not added");
        assert_eq!(kept.charges[0], Charge { budget_id: BudgetId::from("money"), amount: u128::MAX });
    }

    #[test]
    fn a_release_takes_no_place_and_gives_none_back() {
        let inbox = Inbox::new(1);
        inbox.try_reserve().unwrap();
        inbox.put_release("r-1".into()).unwrap();
        inbox.defer_release("r-2".into());
        assert_eq!((inbox.pending_releases(), inbox.depth()), (2, 1));
        let drained = inbox.drain();
        assert_eq!((drained.work.len(), drained.releases.len()), (1, 1));
        assert_eq!((inbox.pending_releases(), inbox.depth()), (0, 1));
    }
}

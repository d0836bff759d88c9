//! The inbox: what waits for the writer. Bounded; callers wait for a place, or are told that there is none.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

use super::published::View;
use super::reply::Reply;
use super::vector::Commands;
use crate::clock::monotonic;
use crate::domain::{Request, Turn};
use crate::error::{Error, ErrorKind};
use crate::event::Charge;
use crate::ids::{GoalId, ReservationId};

/// Where a view goes that was asked for.
pub(super) type ViewReply = oneshot::Sender<Result<View, Error>>;

/// Something for the writer to do.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a command lies in the inbox itself: that costs less than memory of its own"
)]
pub(super) enum Work {
    /// A command, and where its answer goes.
    Command(Assessed, Reply),
    /// Commands that were handed over together.
    Commands(Commands),
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
    /// How many places it took in the inbox.
    fn places(&self) -> usize {
        match self {
            Work::Release(_) => 0,
            Work::Commands(commands) => commands.len(),
            Work::Command(..) | Work::Account(..) | Work::View(_) | Work::Flush(_) => 1,
        }
    }
}

/// Everything that waited.
#[derive(Debug, Default)]
pub(super) struct Drained {
    pub(super) work: Vec<Work>,
    /// How many places the work took.
    pub(super) places: usize,
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
    /// Wakes the writer's thread.
    arrived: Condvar,
    /// Wakes whoever gathers.
    gathered: Condvar,
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
    /// Whether the writer's thread sleeps and nobody has woken it. To wake a thread is a system call, even one that does not
    /// sleep, so whoever puts something in has to know. The thread sets it under the lock, right before it goes to sleep
    /// because nothing is there; whoever puts something in under the lock sees it from then on: no waking is lost.
    is_asleep: bool,
    /// Set while somebody who is about to begin a batch waits for more: how many places are to be filled before it is
    /// woken. It takes out what is there in any case, so nobody else has to be woken meanwhile.
    gathers: Option<usize>,
    /// Set when the writer is to look around even if nothing is there.
    is_woken: bool,
    /// Set when nothing more is taken; says why.
    closed: Option<Error>,
}

impl Inbox {
    pub(super) fn new(capacity: usize) -> Inbox {
        Inbox {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            gathered: Condvar::new(),
            room: Semaphore::new(capacity),
            capacity,
        }
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

    /// Takes a place, if there is one. Whether it did.
    pub(super) fn takes_place(&self) -> bool {
        self.room.try_acquire().map(SemaphorePermit::forget).is_ok()
    }

    /// Takes a place, if there is one; why not, if there is none.
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
    pub(super) fn put(&self, work: Work) -> Result<(), Error> {
        self.put_in(work).map(drop)
    }

    /// Puts work in and wakes the writer, if that is asleep.
    pub(super) fn hand_over(&self, work: Work) -> Result<(), Error> {
        self.put_in(work).map(|waiting| self.ring(waiting))
    }

    fn put_in(&self, work: Work) -> Result<MutexGuard<'_, Waiting>, Error> {
        let mut waiting = self.lock();
        if let Some(why) = &waiting.closed {
            return Err(why.clone());
        }
        waiting.items.places += work.places();
        waiting.items.work.push(work);
        Ok(waiting)
    }

    /// Sees to it that what was put in is taken out: by whoever gathers, once that has what it waits for, or by the
    /// writer's thread. Where that is at work it looks here before it goes to sleep.
    pub(super) fn nudge(&self) {
        self.ring(self.lock());
    }

    fn ring(&self, mut waiting: MutexGuard<'_, Waiting>) {
        match waiting.gathers {
            Some(wanted) if waiting.items.places < wanted => {}
            Some(_) => {
                waiting.gathers = None;
                drop(waiting);
                self.gathered.notify_one();
            }
            None => self.ring_thread(waiting),
        }
    }

    fn ring_thread(&self, mut waiting: MutexGuard<'_, Waiting>) {
        if std::mem::take(&mut waiting.is_asleep) {
            // Without the lock, which is the first thing that the thread needs.
            drop(waiting);
            self.arrived.notify_one();
        }
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
        let is_release = |work: &&Work| matches!(work, Work::Release(_));
        waiting.items.work.iter().filter(is_release).count() + waiting.deferred_releases.len()
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

    /// Has the writer's thread look around, even if nothing is there.
    pub(super) fn wake(&self) {
        let mut waiting = self.lock();
        waiting.is_woken = true;
        self.ring_thread(waiting);
    }

    /// Waits until something is there, or for so long. Only the writer's thread does.
    pub(super) fn wait(&self, timeout: Option<Duration>) {
        let until = timeout.map(|timeout| monotonic() + timeout);
        let mut waiting = self.lock();
        while waiting.has_nothing() {
            waiting.is_asleep = true;
            // A poisoned lock is as good as any here: what it guards is whole between any two calls.
            waiting = match until.map(|until| until.saturating_duration_since(monotonic())) {
                None => self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => break,
                Some(left) => {
                    self.arrived.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        waiting.is_asleep = false;
        waiting.is_woken = false;
    }

    /// Waits for more to come, where something is there: until so many places are filled, nothing has come for a `pause`,
    /// or `pauses` of them have gone by. Whoever does this holds the core, so that nobody takes it out meanwhile. How many
    /// more came; `None` when there was nothing to wait for.
    pub(super) fn gather(&self, wanted: usize, pause: Duration, pauses: u32) -> Option<usize> {
        let mut waiting = self.lock();
        let had = waiting.items.places;
        // More than there are places for cannot come before these are taken out.
        let wanted = wanted.min(self.capacity());
        if had == 0 || had >= wanted || waiting.items.is_closing {
            return None;
        }
        for _ in 0..pauses {
            let before = waiting.items.places;
            waiting.gathers = Some(wanted);
            waiting = self.gathered.wait_timeout(waiting, pause).unwrap_or_else(PoisonError::into_inner).0;
            waiting.gathers = None;
            let is_enough = waiting.items.places >= wanted || waiting.items.is_closing;
            if is_enough || waiting.items.places == before {
                break;
            }
        }
        Some(waiting.items.places.saturating_sub(had))
    }

    /// How many places are filled.
    pub(super) fn filled(&self) -> usize {
        self.lock().items.places
    }

    /// Takes everything out and makes room. `emptied`: a list that was taken out before, to be filled again.
    pub(super) fn drain(&self, emptied: Vec<Work>) -> Drained {
        let drained = self.lock().take(emptied);
        self.room.add_permits(drained.places);
        drained
    }

    /// Asks the writer to finish what waits, and to close.
    pub(super) fn start_closing(&self) {
        let mut waiting = self.lock();
        waiting.items.is_closing = true;
        waiting.gathers = None;
        self.gathered.notify_one();
        self.ring_thread(waiting);
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
        let left = waiting.take(Vec::new());
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
    /// Whether the writer's thread may sleep.
    fn has_nothing(&self) -> bool {
        let Drained { work, turns, is_closing, .. } = &self.items;
        !self.is_woken && work.is_empty() && turns.is_empty() && !is_closing
    }

    fn take(&mut self, emptied: Vec<Work>) -> Drained {
        let is_closing = self.items.is_closing;
        let mut taken = std::mem::replace(&mut self.items, Drained { work: emptied, ..Drained::default() });
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
        assert_eq!(inbox.drain(Vec::new()).turns.into_values().collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn law_exact_a_charge_that_would_pass_the_numbers_is_given_back_with_its_turn() {
        let turns = [Turn::tokens(5).charge("money", u128::MAX), Turn::tokens(3).charge("money", 1)];
        let (inbox, rest) = pending(turns);
        assert_eq!(rest, [Turn::tokens(3).charge("money", 1)]);
        let kept = inbox.drain(Vec::new()).turns.into_values().next().unwrap();
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
        let drained = inbox.drain(Vec::new());
        assert_eq!((drained.work.len(), drained.releases.len()), (1, 1));
        assert_eq!((inbox.pending_releases(), inbox.depth()), (0, 1));
    }

    // ---- who is woken ---------------------------------------------------------------------------------------------

    const PATIENCE: Duration = Duration::from_secs(60);

    fn put(inbox: &Inbox) {
        inbox.try_reserve().unwrap();
        inbox.put(Work::Account(GoalId(uuid::Uuid::nil()), Box::new(Turn::tokens(1)))).unwrap();
    }

    fn hand_over(inbox: &Inbox) {
        inbox.try_reserve().unwrap();
        inbox.hand_over(Work::Account(GoalId(uuid::Uuid::nil()), Box::new(Turn::tokens(1)))).unwrap();
    }

    fn until(is_so: impl Fn() -> bool) {
        let start = monotonic();
        while !is_so() {
            assert!(start.elapsed() < PATIENCE);
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_writer_that_sleeps_is_woken_by_whatever_is_to_be_done() {
        let to_do: [fn(&Inbox); 5] = [
            hand_over,
            |inbox| {
                put(inbox);
                inbox.nudge();
            },
            |inbox| {
                inbox.put_release("r-1".into()).unwrap();
                inbox.nudge();
            },
            Inbox::wake,
            Inbox::start_closing,
        ];
        for (index, to_do) in to_do.into_iter().enumerate() {
            let inbox = Inbox::new(8);
            std::thread::scope(|scope| {
                scope.spawn(|| inbox.wait(None));
                until(|| inbox.lock().is_asleep);
                to_do(&inbox);
                until(|| !inbox.lock().is_asleep);
            });
            assert!(!inbox.lock().is_woken, "{index}");
        }
    }

    /// Between somebody who puts in and a thread that takes out and sleeps in turn, no waking is lost.
    #[test]
    fn no_waking_is_lost() {
        let (inbox, count) = (Inbox::new(4), 5_000);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut taken = 0;
                while taken < count {
                    let began = monotonic();
                    inbox.wait(Some(PATIENCE));
                    assert!(began.elapsed() < PATIENCE, "it slept though something was there");
                    taken += inbox.drain(Vec::new()).places;
                }
            });
            for _ in 0..count {
                until(|| inbox.depth() < 4 || writer.is_finished());
                hand_over(&inbox);
            }
        });
    }

    #[test]
    fn gathering_ends_when_as_many_are_there_as_were_wanted() {
        let inbox = Inbox::new(8);
        put(&inbox);
        std::thread::scope(|scope| {
            let gathering = scope.spawn(|| inbox.gather(3, PATIENCE, 4));
            until(|| inbox.lock().gathers.is_some());
            hand_over(&inbox);
            assert!(!gathering.is_finished());
            hand_over(&inbox);
            let start = monotonic();
            assert_eq!(gathering.join().unwrap(), Some(2));
            assert!(start.elapsed() < PATIENCE);
        });
        assert_eq!(inbox.lock().gathers, None);
        assert_eq!(inbox.filled(), 3);
    }

    #[test]
    fn gathering_ends_when_none_comes_or_the_engine_closes() {
        let pause = Duration::from_millis(1);
        let inbox = Inbox::new(8);
        assert_eq!(inbox.gather(3, PATIENCE, 4), None, "there is nothing to begin with");
        put(&inbox);
        assert_eq!(inbox.gather(1, PATIENCE, 4), None, "there is enough");
        (1..8).for_each(|_| put(&inbox));
        assert_eq!(inbox.gather(9, PATIENCE, 4), None, "there is no place for more");
        drop(inbox.drain(Vec::new()));
        put(&inbox);
        assert_eq!(inbox.gather(3, pause, 4), Some(0), "none came");
        std::thread::scope(|scope| {
            let gathering = scope.spawn(|| inbox.gather(3, PATIENCE, 4));
            until(|| inbox.lock().gathers.is_some());
            inbox.start_closing();
            assert_eq!(gathering.join().unwrap(), Some(0));
        });
        assert_eq!(inbox.gather(3, PATIENCE, 4), None, "it closes");
    }
}

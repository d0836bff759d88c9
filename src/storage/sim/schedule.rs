//! Threads under the simulator's schedule: only one of them runs at a time, and whenever it calls the storage the seed
//! decides who goes on. So what threads do beside each other is the same again for the same seed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use crate::ids::SeededEntropy;

/// The number of a thread of a schedule, in the order in which they were started.
type Actor = u64;

/// Decides which of several threads goes on. The thread that makes it is the first of them; an engine that is opened with
/// [`Options::schedule`](crate::Options::schedule) adds its own. Clones are the same schedule.
///
/// Threads change over only where they call a [storage](super::SimulatedDisk::scheduled_process) of this schedule, or wait
/// for one another: nothing else may make one of them wait for another.
#[derive(Clone)]
pub struct Schedule(Arc<Inner>);

struct Inner {
    turns: Mutex<Turns>,
    changed: Condvar,
}

struct Turns {
    entropy: SeededEntropy,
    /// At one call in so many another thread may go on.
    steadiness: u64,
    running: Actor,
    /// Those that could go on.
    ready: BTreeSet<Actor>,
    ended: BTreeSet<Actor>,
    /// Who waits for the end of whom.
    joining: BTreeMap<Actor, Actor>,
    next_actor: Actor,
    changes: u64,
}

thread_local! {
    /// The schedules that this thread is of, and which of their threads it is.
    static HERE: RefCell<Vec<(Weak<Inner>, Actor)>> = const { RefCell::new(Vec::new()) };
}

/// A thread of a schedule.
pub(crate) struct ScheduledThread {
    schedule: Schedule,
    actor: Actor,
    thread: std::thread::JoinHandle<()>,
}

impl Schedule {
    /// A schedule with the calling thread in it.
    pub fn new(seed: u64) -> Schedule {
        let entropy = SeededEntropy::new(seed);
        let turns = Turns {
            // Some schedules change over all the time, some let a thread run far.
            steadiness: [1, 2, 4, 16][usize::try_from(entropy.below(4)).unwrap_or(0)],
            entropy,
            running: 0,
            ready: BTreeSet::new(),
            ended: BTreeSet::new(),
            joining: BTreeMap::new(),
            next_actor: 1,
            changes: 0,
        };
        let schedule = Schedule(Arc::new(Inner { turns: Mutex::new(turns), changed: Condvar::new() }));
        schedule.enter(0);
        schedule
    }

    /// How often another thread went on.
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    fn enter(&self, actor: Actor) {
        HERE.with_borrow_mut(|here| {
            here.retain(|(schedule, _)| schedule.strong_count() > 0);
            here.push((Arc::downgrade(&self.0), actor));
        });
    }

    fn here(&self) -> Option<Actor> {
        let of_this = |(schedule, _): &&(Weak<Inner>, Actor)| schedule.as_ptr() == Arc::as_ptr(&self.0);
        HERE.with_borrow(|here| here.iter().rev().find(of_this).map(|(_, actor)| *actor))
    }

    /// Starts a thread, which goes on when it is let.
    pub(crate) fn spawn(
        &self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<ScheduledThread> {
        let actor = {
            let mut turns = self.lock();
            turns.next_actor += 1;
            turns.next_actor - 1
        };
        let schedule = self.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            schedule.enter(actor);
            let turn = schedule.wait_for_turn(schedule.lock(), actor);
            drop(turn);
            let _ended = EndsHere { schedule: &schedule, actor };
            work();
        })?;
        self.lock().ready.insert(actor);
        Ok(ScheduledThread { schedule: self.clone(), actor, thread })
    }

    /// A point at which another thread may go on.
    pub(crate) fn pass(&self) {
        let Some(actor) = self.here() else { return };
        let mut turns = self.lock();
        if turns.ready.is_empty() || turns.entropy.below(turns.steadiness) > 0 {
            return;
        }
        turns.ready.insert(actor);
        self.change_over(&mut turns);
        drop(self.wait_for_turn(turns, actor));
    }

    /// Lets any of those go on that can.
    fn change_over(&self, turns: &mut Turns) {
        let chosen = turns.entropy.below(turns.ready.len() as u64);
        let chosen = usize::try_from(chosen).ok().and_then(|index| turns.ready.iter().nth(index).copied());
        if let Some(chosen) = chosen {
            turns.ready.remove(&chosen);
            turns.changes += u64::from(turns.running != chosen);
            turns.running = chosen;
            self.0.changed.notify_all();
        }
    }

    fn wait_for_turn<'a>(&'a self, mut turns: MutexGuard<'a, Turns>, actor: Actor) -> MutexGuard<'a, Turns> {
        while turns.running != actor {
            turns = self.0.changed.wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
        turns
    }

    fn end(&self, actor: Actor) {
        let mut turns = self.lock();
        turns.ended.insert(actor);
        if let Some(waits) = turns.joining.remove(&actor) {
            turns.ready.insert(waits);
        }
        self.change_over(&mut turns);
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.0.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the thread's part in the schedule, also when it panics.
struct EndsHere<'a> {
    schedule: &'a Schedule,
    actor: Actor,
}

impl Drop for EndsHere<'_> {
    fn drop(&mut self) {
        self.schedule.end(self.actor);
    }
}

impl ScheduledThread {
    /// Lets others go on until this one has ended.
    pub(crate) fn join(self) {
        let schedule = &self.schedule;
        if let Some(actor) = schedule.here() {
            let mut turns = schedule.lock();
            if !turns.ended.contains(&self.actor) {
                turns.joining.insert(self.actor, actor);
                schedule.change_over(&mut turns);
                turns = schedule.wait_for_turn(turns, actor);
            }
            drop(turns);
        }
        // What it panicked with was reported where it happened.
        let _ = self.thread.join();
    }

    /// Whether it is the calling thread.
    pub(crate) fn is_here(&self) -> bool {
        self.schedule.here() == Some(self.actor)
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turns = self.lock();
        write!(f, "Schedule(thread {} of {})", turns.running, turns.next_actor)
    }
}

impl fmt::Debug for ScheduledThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScheduledThread({})", self.actor)
    }
}

//! Maintenance: a thread for what has to be done now and then, and may never delay the writer. What that is, is the
//! task's own affair.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::background::{Background, BackgroundThread};

/// What is done at each request.
type Task = Box<dyn Fn(&Stop) + Send + Sync>;

/// Tells a task that it has to end at its next step, because the journal is given up.
#[derive(Debug, Default)]
pub(super) struct Stop(AtomicBool);

impl Stop {
    /// Whether nothing more may be written.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Does a task whenever it is asked to, one at a time, on a thread that ends when nothing more is asked for. The task may
/// not wait for whoever ends the maintenance.
#[derive(Debug)]
pub(super) struct Maintenance {
    work: Arc<Work>,
    /// The last thread that was started.
    thread: Mutex<Option<BackgroundThread>>,
    background: Background,
}

struct Work {
    task: Task,
    stop: Stop,
    orders: Mutex<Orders>,
}

#[derive(Debug, Default)]
struct Orders {
    /// Asked for since the task was begun last.
    is_requested: bool,
    /// The task is under way.
    is_busy: bool,
    /// A thread is there that looks for what is asked for.
    has_thread: bool,
    /// Nothing more is taken on.
    is_ending: bool,
}

impl Maintenance {
    /// Inline there is no thread: whoever asks does it.
    pub(super) fn new(task: Task, background: &Background) -> Maintenance {
        let work = Work { task, stop: Stop::default(), orders: Mutex::default() };
        Maintenance { work: Arc::new(work), thread: Mutex::default(), background: background.clone() }
    }

    /// One that has nothing to do.
    pub(super) fn none() -> Maintenance {
        Maintenance::new(Box::new(|_| ()), &Background::Threads)
    }

    /// Asks for the task to be done from its beginning, and does not wait for it. What is asked for while it is under
    /// way is done once more, however often that was.
    pub(super) fn request(&self) {
        let mut orders = self.work.lock();
        if orders.is_ending {
            return;
        }
        orders.is_requested = true;
        let needs_thread = !std::mem::replace(&mut orders.has_thread, true);
        drop(orders);
        if !needs_thread {
            return;
        }
        if self.background.is_inline() {
            self.work.run();
        } else {
            self.start();
        }
    }

    /// Waits until what was asked for is done, and takes on nothing more.
    pub(super) fn finish(&self) {
        self.end();
        // Where no thread could be started it is done here after all.
        self.work.run();
    }

    /// Has the task end at its next step, and waits for that: from then on it writes nothing. What was asked for and is
    /// not begun is not done.
    pub(super) fn abandon(&self) {
        self.begin_abandoning();
        self.end();
    }

    /// The same without waiting for a task that is under way. Whether none is, so that nothing is written from now on.
    pub(super) fn begin_abandoning(&self) -> bool {
        self.work.stop.set();
        let mut orders = self.work.lock();
        (orders.is_requested, orders.is_ending) = (false, true);
        !orders.is_busy || self.background.is_scheduled()
    }

    /// Starts a thread. Without any, the next request tries again.
    fn start(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let work = Arc::clone(&self.work);
        let run = move || {
            IS_HERE.set(true);
            work.run();
        };
        match self.background.spawn("tallybook-maintenance", run) {
            Ok(started) => *thread = Some(started),
            Err(error) => {
                self.work.lock().has_thread = false;
                tracing::warn!(%error, "the thread for maintenance was not started");
            }
        }
    }

    fn end(&self) {
        self.work.lock().is_ending = true;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread.filter(|thread| !thread.is_here()) {
            thread.join();
        }
    }
}

impl Drop for Maintenance {
    /// Whoever lets go of it gives up the journal: nobody may write there any more.
    fn drop(&mut self) {
        self.abandon();
    }
}

thread_local! {
    static IS_HERE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is a thread of some engine's maintenance: a hook of the host runs on it, and may call the engine.
pub(super) fn is_maintenance_thread() -> bool {
    IS_HERE.get()
}

impl Work {
    /// Does what is asked for, until that is all.
    fn run(&self) {
        loop {
            let mut orders = self.lock();
            orders.is_busy = std::mem::take(&mut orders.is_requested);
            if !orders.is_busy {
                orders.has_thread = false;
                return;
            }
            drop(orders);
            if catch_unwind(AssertUnwindSafe(|| (self.task)(&self.stop))).is_err() {
                tracing::error!("the maintenance of the journal panicked");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("orders", &self.orders).field("stop", &self.stop).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread::ThreadId;
    use std::time::Duration;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// A task that tells that it was begun, and goes on once it is let.
    fn gated() -> (Task, Receiver<ThreadId>, Sender<()>) {
        let (begun, begins) = channel();
        let (go, gate) = channel::<()>();
        let gate = Mutex::new(gate);
        let task = move |_: &Stop| {
            begun.send(std::thread::current().id()).unwrap();
            gate.lock().unwrap().recv().unwrap();
        };
        (Box::new(task), begins, go)
    }

    #[test]
    fn requests_do_not_wait_and_those_that_come_meanwhile_are_one() {
        let (task, begins, go) = gated();
        let maintenance = Maintenance::new(task, &Background::Threads);
        maintenance.request();
        let first = begins.recv_timeout(PATIENCE).unwrap();
        assert_ne!(first, std::thread::current().id());
        for _ in 0..100 {
            maintenance.request();
        }
        go.send(()).unwrap();
        assert_eq!(begins.recv_timeout(PATIENCE).unwrap(), first, "the same thread");
        go.send(()).unwrap();
        maintenance.finish();
        assert!(begins.try_recv().is_err(), "once for all that came while it was under way");
    }

    #[test]
    fn finishing_waits_for_what_was_asked_for_and_takes_on_nothing_more() {
        let (task, begins, go) = gated();
        let maintenance = Arc::new(Maintenance::new(task, &Background::Threads));
        maintenance.request();
        begins.recv_timeout(PATIENCE).unwrap();
        maintenance.request();
        let finishing = Arc::clone(&maintenance);
        let finisher = std::thread::spawn(move || finishing.finish());
        go.send(()).unwrap();
        begins.recv_timeout(PATIENCE).unwrap();
        assert!(!finisher.is_finished());
        go.send(()).unwrap();
        finisher.join().unwrap();
        maintenance.request();
        maintenance.finish();
        assert!(begins.try_recv().is_err());
    }

    #[test]
    fn without_a_request_there_is_no_thread_and_nothing_to_wait_for() {
        let maintenance = Maintenance::new(Box::new(|_| panic!("nobody asked for it")), &Background::Threads);
        assert!(maintenance.thread.lock().unwrap().is_none());
        maintenance.finish();
    }

    #[test]
    fn abandoning_stops_the_task_and_waits_for_its_end() {
        let (begun, begins) = channel();
        let ended = Arc::new(AtomicBool::new(false));
        let has_ended = Arc::clone(&ended);
        let task = move |stop: &Stop| {
            begun.send(()).unwrap();
            while !stop.is_set() {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(20));
            has_ended.store(true, Ordering::SeqCst);
        };
        let maintenance = Maintenance::new(Box::new(task), &Background::Threads);
        maintenance.request();
        begins.recv_timeout(PATIENCE).unwrap();
        maintenance.request();
        maintenance.abandon();
        assert!(ended.load(Ordering::SeqCst));
        assert!(begins.try_recv().is_err(), "what was not begun is not done");
        maintenance.request();
        drop(maintenance);
        assert!(begins.try_recv().is_err(), "nor what is asked for later");
    }

    #[test]
    fn dropping_abandons() {
        let (task, begins, go) = gated();
        let maintenance = Maintenance::new(task, &Background::Threads);
        maintenance.request();
        begins.recv_timeout(PATIENCE).unwrap();
        let dropper = std::thread::spawn(move || drop(maintenance));
        assert!(!dropper.is_finished());
        go.send(()).unwrap();
        dropper.join().unwrap();
    }

    #[test]
    fn after_a_panic_the_next_request_is_done_all_the_same() {
        for background in [Background::Threads, Background::Inline] {
            let (done, receives) = channel();
            let calls = Mutex::new(0..);
            let task = move |_: &Stop| {
                let call = calls.lock().unwrap().next().unwrap();
                done.send(call).unwrap();
                assert_ne!(call, 0, "the first time it goes wrong");
            };
            let maintenance = Maintenance::new(Box::new(task), &background);
            maintenance.request();
            assert_eq!(receives.recv_timeout(PATIENCE), Ok(0));
            maintenance.request();
            maintenance.finish();
            assert_eq!(receives.try_iter().collect::<Vec<_>>(), [1]);
        }
    }

    #[test]
    fn inline_it_is_done_by_whoever_asks() {
        let (done, receives) = channel();
        let task = move |_: &Stop| done.send(std::thread::current().id()).unwrap();
        let maintenance = Maintenance::new(Box::new(task), &Background::Inline);
        maintenance.request();
        assert_eq!(receives.try_recv(), Ok(std::thread::current().id()));
        maintenance.finish();
        maintenance.request();
        assert!(receives.try_recv().is_err());
    }
}

//! An archive of the host's own that takes its time, or calls the engine: neither keeps anybody waiting who need not, and
//! nothing keeps the engine from closing.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test")]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tallybook::storage::SimulatedDisk;
use tallybook::{
    Archive, ArchiveError, ArchivedSegment, Blocking, CommandError, Durability, ErrorKind, NewGoal, Options,
    Retention, Turn,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Tells that it was called, and does what it is told to before it goes on.
struct Hook<F>(Mutex<Sender<()>>, F);

impl<F: Fn() + Send + Sync + 'static> Archive for Hook<F> {
    fn archive(&self, _: &ArchivedSegment<'_>) -> Result<(), ArchiveError> {
        // The test may be over.
        let _ = self.0.lock().unwrap().send(());
        (self.1)();
        Ok(())
    }
}

fn hooked(hook: impl Fn() + Send + Sync + 'static) -> (Options, Receiver<()>) {
    let (called, calls) = channel();
    let options = Options::new()
        .segment_bytes(4_096)
        .retention(Retention::new().segments(0))
        .archive(Hook(Mutex::new(called), hook));
    (options, calls)
}

/// Fills segments until the hook is called.
fn call_hook(engine: &Blocking, calls: &Receiver<()>) {
    let goal = engine.create_goal(NewGoal::new("ship 2.0")).unwrap().id;
    let begun = Instant::now();
    while calls.try_recv().is_err() {
        engine.record_turn(goal, Turn::tokens(1)).unwrap();
        assert!(begun.elapsed() < PATIENCE, "nothing was archived");
    }
}

/// A gate that is shut until something is sent.
fn gate() -> (Sender<()>, impl Fn() + Send + Sync) {
    let (open, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    // Once it is open it stays so: the sender is gone then.
    (open, move || _ = gate.lock().unwrap().recv_timeout(PATIENCE))
}

fn in_time<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = channel();
    std::thread::spawn(move || done.send(work()));
    result.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{what}: it waits for ever"))
}

#[test]
fn a_hook_that_calls_a_closing_engine_is_refused_and_the_engine_closes() {
    let shared: Arc<Mutex<Option<Blocking>>> = Arc::default();
    let (open, wait) = gate();
    let (answered, answers) = channel();
    let answered = Mutex::new(answered);
    let in_hook = Arc::clone(&shared);
    let (options, calls) = hooked(move || {
        wait();
        let Some(engine) = in_hook.lock().unwrap().clone() else { return };
        let _ =
            answered.lock().unwrap().send(engine.create_goal(NewGoal::new("from the hook").scope("hook")));
        assert!(engine.settled_view().is_err());
    });
    let engine = options.open_storage(SimulatedDisk::new(1).process()).unwrap().blocking();
    *shared.lock().unwrap() = Some(engine.clone());
    call_hook(&engine, &calls);
    let closing = engine.clone();
    let error = in_time("a short deadline", move || closing.shutdown(Duration::from_millis(50)).unwrap_err());
    assert_eq!(*error.kind(), ErrorKind::DeadlinePassed);

    // Nobody else waits for the hook either.
    let late = engine.clone();
    let refused =
        in_time("a command while it closes", move || late.create_goal(NewGoal::new("late").scope("late")));
    assert!(
        matches!(&refused, Err(CommandError::Engine(error)) if *error.kind() == ErrorKind::Closed),
        "{refused:?}"
    );
    drop(open);
    let closing = engine.clone();
    in_time("closing", move || closing.shutdown(PATIENCE)).unwrap();
    let from_hook = answers.recv_timeout(PATIENCE).unwrap();
    assert!(
        matches!(&from_hook, Err(CommandError::Engine(error)) if *error.kind() == ErrorKind::Closed),
        "{from_hook:?}"
    );
}

#[test]
fn a_hook_that_drops_the_last_handle_closes_the_engine() {
    let shared: Arc<Mutex<Option<Blocking>>> = Arc::default();
    let (open, wait) = gate();
    let in_hook = Arc::clone(&shared);
    let (options, calls) = hooked(move || {
        wait();
        drop(in_hook.lock().unwrap().take());
    });
    let disk = SimulatedDisk::new(2);
    let storage = disk.process();
    let engine = options.open_storage(Arc::clone(&storage)).unwrap().blocking();
    call_hook(&engine, &calls);
    *shared.lock().unwrap() = Some(engine);
    drop(open);
    // It closes in the background; then the journal can be opened again.
    in_time("opening again", move || {
        loop {
            match Options::new().open_storage(Arc::clone(&storage)) {
                Ok(_) => return,
                Err(error) => assert_eq!(*error.kind(), ErrorKind::Locked, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}

#[test]
fn law_durable_closing_syncs_what_was_answered_before_it_waits_for_an_archive() {
    let (open, wait) = gate();
    let (options, calls) = hooked(wait);
    let options = options.durability(Durability::Interval(Duration::from_secs(3_600)));
    let engine = options.open_storage(SimulatedDisk::new(3).process()).unwrap().blocking();
    call_hook(&engine, &calls);
    let begun = Instant::now();
    engine.shutdown(Duration::ZERO).unwrap_err();
    while engine.health().durable_seq < engine.view().seq() {
        assert!(begun.elapsed() < PATIENCE, "{:?}", engine.health());
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(open);
}

#[test]
fn law_halt_nobody_waits_for_an_archive_when_the_engine_halts() {
    let (open, wait) = gate();
    let (options, calls) = hooked(wait);
    let disk = SimulatedDisk::new(4);
    let engine = options.open_storage(disk.process()).unwrap().blocking();
    call_hook(&engine, &calls);
    disk.kill();
    let failing = engine.clone();
    let error =
        in_time("a command that fails", move || failing.create_goal(NewGoal::new("late").scope("late")));
    assert!(
        matches!(&error, Err(CommandError::Engine(error)) if *error.kind() == ErrorKind::OutcomeUnknown),
        "{error:?}"
    );
    in_time("letting go of it", move || drop(engine));
    drop(open);
}

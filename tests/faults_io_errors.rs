//! The operating system fails a call, or the disk is full: no waiter hangs, and the engine works again when there is room. That
//! every call fails in every way is the row `calls` of the program in `faults/`.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::mpsc;
use std::time::Duration;

use common::{
    Answer, DEADLINE, SMALL_SEGMENT, Shadow, Workload, answer_of, clock, lines, must, open, options, segments,
};
use tallybook::storage::{Fault, SimulatedDisk, Survivors};
use tallybook::{
    Blocking, CommandError, EngineStatus, Error, ErrorKind, GoalQuery, JournalReader, Json, ManualClock,
    NewGoal, Options, RecordEvent, RecordTurn, Request, Turn,
};

#[test]
fn law_evidence_a_read_that_fails_is_an_io_error_and_never_the_end() {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(6), Shadow::default());
    let mut workload = Workload::new(11);
    let engine = open(&disk, options(1, &clock)).unwrap();
    while segments(&disk).len() < 4 {
        let request = workload.next(shadow.projection(), &clock);
        must(&engine, &mut shadow, &clock, request);
    }
    engine.shutdown(DEADLINE).unwrap();
    let unclean = disk.fork(1);
    unclean.restart(Survivors::Nothing);
    drop(open(&unclean, options(3, &clock)).map(|_| unclean.kill()));
    for disk in [disk, unclean] {
        let before = segments(&disk);
        let count = lines(&disk).unwrap().len();
        let reads = |act: &dyn Fn()| {
            let first = disk.reads();
            act();
            disk.reads() - first
        };
        for read in 0..reads(&|| drop(lines(&disk).unwrap())) {
            let disk = common::copy(&disk);
            disk.fail_read_at(disk.reads() + read);
            let error = lines(&disk).map(|lines| lines.len()).expect_err("a failed read, taken for the end");
            assert_eq!(*error.kind(), ErrorKind::Io, "{error}");
            assert_eq!(lines(&disk).unwrap().len(), count, "and the next time it is all there");
        }
        let opening = reads(&|| drop(open(&common::copy(&disk), options(4, &clock)).unwrap()));
        for read in 0..opening.max(30) {
            let disk = common::copy(&disk);
            let operations = disk.operations();
            disk.fail_read_at(disk.reads() + read);
            match open(&disk, options(4, &clock)) {
                Err(error) => {
                    assert_eq!(*error.kind(), ErrorKind::Io, "read {read}: {error}");
                    assert!(segments(&disk) == before, "read {read}: a segment was changed");
                    assert_eq!(disk.operations(), operations, "read {read}: something was written");
                }
                Ok(engine) => assert_eq!(engine.view().seq(), count as u64, "read {read}"),
            }
            disk.kill();
            let engine = open(&disk, options(5, &clock)).unwrap();
            assert_eq!(engine.view().seq(), count as u64);
        }
    }
}

#[test]
fn a_full_disk_refuses_commands_and_the_engine_works_again_when_there_is_room() {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(6), Shadow::default());
    let mut workload = Workload::new(12);
    let engine = open(&disk, options(1, &clock)).unwrap();
    for round in 0..3 {
        disk.set_capacity(Some(disk.used() + 3_000));
        let mut refused = 0;
        while refused < 3 {
            let request = workload.next(shadow.projection(), &clock);
            let seq = shadow.seq();
            let predicted = shadow.predict(&request, &clock);
            match answer_of(&engine.execute(request)) {
                Answer::NoSpace => {
                    shadow.take_back_to(seq);
                    refused += 1;
                }
                answer => assert!(predicted.allows(answer), "round {round}: {answer:?}"),
            }
            shadow.acknowledge(engine.view().seq());
            assert_eq!(engine.view().seq(), shadow.seq());
            assert_eq!(engine.engine().health().status, EngineStatus::Running);
        }
        assert!(engine.view().list_goals(&GoalQuery::default()).len() > round, "reads go on");
        disk.set_capacity(None);
        for _ in 0..5 {
            let request = workload.next(shadow.projection(), &clock);
            must(&engine, &mut shadow, &clock, request);
        }
    }
    disk.restart(Survivors::Nothing);
    let engine = open(&disk, options(2, &clock)).unwrap();
    shadow.check(&engine, &lines(&disk).unwrap());
}

#[test]
fn a_journal_on_a_disk_with_little_room_left_can_still_be_opened() {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(6), Shadow::default());
    let mut workload = Workload::new(11);
    let engine = open(&disk, options(1, &clock)).unwrap();
    for _ in 0..21 {
        let request = workload.next(shadow.projection(), &clock);
        must(&engine, &mut shadow, &clock, request);
    }
    engine.create_goal(NewGoal::new("last")).unwrap();
    disk.kill();
    disk.set_capacity(Some(disk.used() + 8 * 512 + 2_048));
    let engine = open(&disk, options(4, &clock)).unwrap();
    assert_eq!(engine.view().seq(), lines(&disk).unwrap().len() as u64);
    assert!(engine.view().active_goal("").is_some());
}

/// Runs on a thread of its own; a hang is a failure, not a test that never ends.
fn within_the_deadline<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    is_done.recv_timeout(DEADLINE).expect("it hangs, or it panicked")
}

/// An engine with a writer's thread, as hosts have it.
fn threaded(disk: &SimulatedDisk) -> Result<Blocking, Error> {
    let options = Options::new().clock(clock()).segment_bytes(SMALL_SEGMENT);
    options.open_storage(disk.process()).map(|engine| engine.blocking())
}

#[test]
fn law_halt_no_waiter_of_a_threaded_engine_hangs_after_a_failed_sync() {
    for fault in [Fault::Eio, Fault::SyncLost, Fault::Enospc, Fault::ShortWrite] {
        for operation in 0..12 {
            let (acknowledged, disk) = within_the_deadline(move || {
                let disk = SimulatedDisk::new(operation);
                let engine = threaded(&disk).unwrap();
                let goal = engine.create_goal(NewGoal::new("one")).unwrap();
                disk.fail_at(disk.operations() + operation, fault);
                let requests: Vec<_> =
                    (0..40).map(|_| RecordTurn::goal(goal.id, Turn::tokens(1)).into()).collect();
                let waiting = engine.engine().clone();
                let waiter = std::thread::spawn(move || waiting.blocking().wait_for(1_000).is_err());
                let mut acknowledged = 0;
                if let Ok(pending) = engine.submit_all(requests) {
                    for pending in pending {
                        match pending.wait() {
                            Ok(_) => acknowledged += 1,
                            Err(CommandError::Engine(_)) => {}
                            Err(other) => panic!("{other}"),
                        }
                    }
                }
                let _ = engine.shutdown(DEADLINE);
                assert!(waiter.join().unwrap(), "a wait for what will never come");
                (acknowledged, disk)
            });
            disk.restart(Survivors::Nothing);
            let booked = within_the_deadline(move || {
                let engine = threaded(&disk).unwrap();
                let turns = engine.view().active_goal("").unwrap().tokens_used;
                engine.shutdown(DEADLINE).unwrap();
                turns
            });
            assert!((acknowledged..=40).contains(&booked), "{acknowledged} acknowledged, {booked} there");
        }
    }
}

/// Refusals beyond those that are events are counted, and the count is journaled at the close at the latest (law
/// HONEST). When that fails the engine halts and gives its lock up, like everywhere (law HALT).
#[test]
fn law_honest_a_close_that_cannot_journal_the_suppressed_refusals_halts_and_gives_up_the_lock() {
    let run = |fault: Option<u64>| {
        within_the_deadline(move || {
            let (clock, disk) = (clock(), SimulatedDisk::new(1));
            let engine = open(&disk, options(1, &clock).segment_bytes(4_096)).unwrap();
            let goal = engine.create_goal(NewGoal::new("small").token_budget(1)).unwrap();
            engine.record_turn(goal.id, Turn::tokens(1)).unwrap();
            let mut events = 0;
            for _ in 0..20 {
                match engine.execute(NewGoal::new("under").parent(goal.id)) {
                    Err(CommandError::Refused(refusal)) => events += u64::from(refusal.seq.is_some()),
                    other => panic!("expected a refusal, found {other:?}"),
                }
            }
            assert_eq!(events, 16, "and then suppressed ones");
            let begin = disk.operations();
            if let Some(operation) = fault {
                disk.fail_at(begin + operation, Fault::Eio);
            }
            let closed = engine.shutdown(Duration::from_secs(5));
            let operations = disk.operations() - begin;
            // The handle is still there; the journal is free all the same.
            let again = open(&disk, options(2, &clock)).map(|engine| engine.view().seq());
            let last = String::from_utf8(lines(&disk).unwrap().pop().unwrap().bytes).unwrap();
            assert!(
                JournalReader::with_storage(disk.process()).unwrap().verify().unwrap().findings.is_empty()
            );
            drop(engine);
            (
                closed.map_err(|error| error.kind().clone()),
                operations,
                again.map_err(|error| error.kind().clone()),
                last,
            )
        })
    };
    let (closed, operations, again, last) = run(None);
    assert_eq!(
        (closed, again),
        (Ok(()), Ok(24)),
        "created, turn, three thresholds, exhausted, paused, refused… and the count"
    );
    assert!(last.contains("refusals_suppressed") && last.contains("\"count\":4"), "{last}");
    for operation in 0..operations {
        let (closed, _, again, _) = run(Some(operation));
        assert!(matches!(closed, Ok(()) | Err(ErrorKind::Halted)), "operation {operation}: {closed:?}");
        assert!(again.is_ok(), "operation {operation}: {again:?}");
    }
}

/// At a rotation everything before the seal is synced, and the seal is not: the page cache shows it, the disk does not
/// have it.
#[test]
fn law_evidence_a_seal_whose_sync_failed_is_not_believed() {
    let said = |number: u64| -> Request {
        RecordEvent::new("said", Json::parse(&number.to_string()).unwrap()).into()
    };
    // Every command rotates.
    let rotating = |seed, clock: &ManualClock| options(seed, clock).segment_bytes(4 << 10);
    for operation in 0..14 {
        let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(6), Shadow::default());
        let engine = open(&disk, rotating(1, &clock)).unwrap();
        must(&engine, &mut shadow, &clock, said(1));
        disk.fail_at(disk.operations() + operation, Fault::SyncLost);
        shadow.predict(&said(2), &clock);
        let _ = engine.execute(said(2));
        disk.kill();
        let engine = open(&disk, rotating(2, &clock)).unwrap();
        shadow.check(&engine, &lines(&disk).unwrap());
        shadow.expose();
        disk.restart(Survivors::Nothing);
        let engine = open(&disk, rotating(3, &clock))
            .unwrap_or_else(|error| panic!("operation {operation} failed: {error}"));
        shadow.check(&engine, &lines(&disk).unwrap());
    }
}

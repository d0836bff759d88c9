//! The operating system fails a call: any call, in any way. The engine halts where it must and lives on where it can;
//! nothing is answered, published or fed that is not durable; reopening recovers.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::mpsc;
use std::time::Duration;

use common::{
    Answer, DEADLINE, SMALL_SEGMENT, Shadow, Workload, answer_of, clock, lines, must, open, options, segments,
};
use tallybook::storage::{Fault, SimulatedDisk, Survivors};
use tallybook::{
    Blocking, CommandError, EngineStatus, Error, ErrorKind, FeedItem, GoalQuery, JournalReader, Json,
    ManualClock, NewGoal, Options, RecordEvent, RecordTurn, Request, Start, Subscription, Turn,
};

/// What a scripted session came to.
struct Session {
    disk: SimulatedDisk,
    clock: ManualClock,
    shadow: Shadow,
    /// The operations of the session.
    operations: std::ops::Range<u64>,
    is_halted: bool,
}

/// Opens a journal, carries out commands through some rotations, and closes it, with one fault on the way.
fn session(fault: Option<(u64, Fault)>) -> Session {
    let (clock, disk) = (clock(), SimulatedDisk::new(6));
    let begin = disk.operations();
    if let Some((operation, fault)) = fault {
        disk.fail_at(begin + operation, fault);
    }
    let mut session =
        Session { disk, clock, shadow: Shadow::default(), operations: begin..begin, is_halted: false };
    match open(&session.disk, options(1, &session.clock)) {
        Ok(engine) => session.run(&engine),
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::NoSpace), "{error:?}");
            session.is_halted = true;
        }
    }
    session.operations.end = session.disk.operations();
    session
}

impl Session {
    fn run(&mut self, engine: &Blocking) {
        let mut workload = Workload::new(11);
        let mut feed = engine.engine().subscribe(Start::Beginning).unwrap();
        for count in [1, 1, 3, 1, 2, 1, 4, 1, 2, 1, 3] {
            let before = (self.shadow.seq(), engine.view().seq());
            let mut all = Vec::new();
            let still = ManualClock::new(tallybook::Clock::now(&self.clock));
            for _ in 0..count {
                let clock = if all.is_empty() { &self.clock } else { &still };
                let request = workload.next(self.shadow.projection(), clock);
                let predicted = self.shadow.predict(&request, &self.clock);
                all.push((request, predicted));
            }
            let pending = engine.submit_all(all.iter().map(|(request, _)| request.clone()).collect());
            let answers: Vec<_> = match pending {
                Ok(pending) => pending.into_iter().map(|pending| answer_of(&pending.wait())).collect(),
                Err(error) => {
                    assert_eq!(*error.kind(), ErrorKind::Halted, "it halted after its last answer");
                    self.shadow.take_back_to(before.0);
                    return self.halted(engine, &mut feed, before.1);
                }
            };
            if answers.contains(&Answer::Unknown) || answers.contains(&Answer::Halted) {
                assert!(
                    answers.iter().all(|answer| !matches!(answer, Answer::Acknowledged(..))),
                    "{answers:?}"
                );
                return self.halted(engine, &mut feed, before.1);
            }
            if answers.contains(&Answer::NoSpace) {
                // Refused ones are not written; what comes after them was predicted with them. It is done again.
                self.shadow.take_back_to(before.0);
                for ((request, _), answer) in all.iter().zip(&answers) {
                    if *answer != Answer::NoSpace {
                        let again = self.shadow.predict(request, &self.clock);
                        assert!(again.allows(*answer), "{again:?}, {answer:?}");
                    }
                }
            } else {
                for ((_, predicted), answer) in all.iter().zip(&answers) {
                    assert!(predicted.allows(*answer), "{predicted:?}, {answer:?}");
                }
            }
            self.shadow.acknowledge(engine.view().seq());
            assert_eq!(engine.view().seq(), self.shadow.seq());
            assert_eq!(last_fed(&mut feed, before.0), Ok(self.shadow.seq()));
        }
        match engine.shutdown(DEADLINE) {
            Ok(()) => self.shadow.expose(),
            Err(error) => {
                assert_eq!(*error.kind(), ErrorKind::Halted, "{error}");
                self.is_halted = true;
            }
        }
    }

    /// Law HALT, and law DURABLE: nothing goes on, and nothing that is not durable can be seen.
    fn halted(&mut self, engine: &Blocking, feed: &mut Subscription, published: u64) {
        self.is_halted = true;
        let health = engine.engine().health();
        assert_eq!(health.status, EngineStatus::Halted);
        assert!(health.last_error.is_some());
        assert_eq!(engine.view().seq(), published, "the state was published ahead of what is durable");
        // What was answered last may not have been taken out of the feed yet; more than that may not be in it.
        let fed = last_fed(feed, published);
        assert_eq!(fed, Err(ErrorKind::Halted), "the feed says why it ends");
        assert_eq!(engine.view().seq(), self.shadow.acknowledged());
        let late = engine.execute(NewGoal::new("too late"));
        assert_eq!(answer_of(&late), Answer::Halted, "law HALT");
        assert_eq!(*engine.settled_view().unwrap_err().kind(), ErrorKind::Halted);
        assert_eq!(*engine.wait_for(published + 1).unwrap_err().kind(), ErrorKind::Halted);
        assert_eq!(*engine.shutdown(DEADLINE).unwrap_err().kind(), ErrorKind::Halted);
    }

    /// Opens again and looks.
    fn reopens(&self, disk: &SimulatedDisk) {
        let mut shadow = self.shadow.clone();
        let engine = open(disk, options(2, &self.clock)).unwrap();
        shadow.check(&engine, &lines(disk).unwrap());
        let request = Workload::new(77).next(shadow.projection(), &self.clock).key("after all");
        must(&engine, &mut shadow, &self.clock, request);
        engine.shutdown(DEADLINE).unwrap();
        disk.restart(Survivors::Nothing);
        shadow.expose();
        shadow.check_lines(&lines(disk).unwrap());
    }
}

/// Everything that the feed gives now, after `last`: the last `seq` then, or how it ended.
fn last_fed(feed: &mut Subscription, mut last: u64) -> Result<u64, ErrorKind> {
    loop {
        match feed.try_next() {
            Ok(Some(FeedItem::Event(event))) => {
                assert_eq!(event.event.seq, last + 1, "law ORDER, in the feed");
                last += 1;
            }
            Ok(Some(_)) => {}
            Ok(None) => return Ok(last),
            Err(error) => return Err(error.kind().clone()),
        }
    }
}

#[test]
fn law_halt_every_operation_fails_once_in_every_way() {
    let operations = session(None).operations;
    assert!(operations.end > 40, "a session worth failing");
    let (mut halted, mut lived_on) = (0, 0);
    for operation in operations {
        for fault in [Fault::Eio, Fault::Enospc, Fault::ShortWrite, Fault::Interrupted, Fault::SyncLost] {
            let session = session(Some((operation, fault)));
            halted += usize::from(session.is_halted);
            // A lack of room that was over at the next try: less was prepared then.
            let is_short_of_room = matches!(fault, Fault::Enospc | Fault::ShortWrite);
            lived_on += usize::from(is_short_of_room && !session.is_halted);
            // The next process finds the page cache as it is; after a power cut, another one finds less.
            let cut = session.disk.fork(operation);
            cut.restart(Survivors::Nothing);
            session.reopens(&cut);
            let cut = session.disk.fork(operation);
            cut.restart(Survivors::Seeded);
            session.reopens(&cut);
            session.disk.kill();
            session.reopens(&session.disk);
        }
    }
    assert!(halted > 50 && lived_on >= 3, "{halted} halted, {lived_on} lived on");
}

#[test]
fn law_evidence_a_read_that_fails_is_an_io_error_and_never_the_end() {
    let session = session(None);
    let (disk, clock) = (session.disk.clone(), &session.clock);
    let unclean = disk.fork(1);
    unclean.restart(Survivors::Nothing);
    drop(open(&unclean, options(3, clock)).map(|_| unclean.kill()));
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
        let opening = reads(&|| drop(open(&common::copy(&disk), options(4, clock)).unwrap()));
        for read in 0..opening.max(30) {
            let disk = common::copy(&disk);
            let operations = disk.operations();
            disk.fail_read_at(disk.reads() + read);
            match open(&disk, options(4, clock)) {
                Err(error) => {
                    assert_eq!(*error.kind(), ErrorKind::Io, "read {read}: {error}");
                    assert!(segments(&disk) == before, "read {read}: a segment was changed");
                    assert_eq!(disk.operations(), operations, "read {read}: something was written");
                }
                Ok(engine) => assert_eq!(engine.view().seq(), count as u64, "read {read}"),
            }
            disk.kill();
            let engine = open(&disk, options(5, clock)).unwrap();
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
    let session = session(None);
    let disk = session.disk.clone();
    drop(
        open(&disk, options(3, &session.clock))
            .unwrap()
            .create_goal(NewGoal::new("last"))
            .map(|_| disk.kill()),
    );
    disk.set_capacity(Some(disk.used() + 8 * 512 + 2_048));
    let engine = open(&disk, options(4, &session.clock)).unwrap();
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

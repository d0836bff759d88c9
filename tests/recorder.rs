//! The recorder of host events: it never holds up its caller, counts what it drops, and confirms when asked to.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "common/threads.rs"]
mod threads;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tallybook::storage::{Fault, SimulatedDisk};
use tallybook::{
    Blocking, CommandError, EngineStatus, ErrorKind, EventId, HostEvent, JournalReader, Json, JsonError,
    KeyWindow, ManualClock, Options, Payload, RecordEvent, Recorder, RejectionKind, Rules, Timestamp,
};
use threads::{GatedClock, PATIENCE, eventually, in_time};

/// An event that counts how often it is asked what it says.
#[derive(Debug, Default)]
struct Counted {
    asked: AtomicUsize,
}

impl HostEvent for Counted {
    fn name(&self) -> &str {
        "counted"
    }

    fn data(&self) -> Result<Json, JsonError> {
        Json::of(&self.asked.fetch_add(1, Ordering::Relaxed))
    }
}

/// An event that is only of the moment, and may be asked nothing else.
struct Ephemeral;

impl HostEvent for Ephemeral {
    fn is_durable(&self) -> bool {
        false
    }

    fn name(&self) -> &str {
        panic!("it was asked for its name")
    }

    fn session_id(&self) -> Option<&str> {
        panic!("it was asked for its session")
    }

    fn event_id(&self) -> Option<EventId> {
        panic!("it was asked for its id")
    }

    fn data(&self) -> Result<Json, JsonError> {
        panic!("it was asked for its data")
    }
}

/// An event with a session of its own.
struct OfSession(Option<&'static str>);

impl HostEvent for OfSession {
    fn name(&self) -> &str {
        "of_session"
    }

    fn session_id(&self) -> Option<&str> {
        self.0
    }

    fn data(&self) -> Result<Json, JsonError> {
        Ok(Json::default())
    }
}

/// An event whose data cannot be had.
struct Broken {
    panics: bool,
}

impl HostEvent for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn data(&self) -> Result<Json, JsonError> {
        assert!(!self.panics, "it cannot be written");
        Json::parse("{")
    }
}

fn event(number: usize) -> RecordEvent {
    RecordEvent::new("numbered", Json::of(&number).unwrap())
}

fn dropped(engine: &Blocking) -> u64 {
    engine.health().dropped_events
}

/// An engine that does everything on the caller's thread.
fn inline(disk: &SimulatedDisk) -> Blocking {
    Options::new().inline().open_storage(disk.process()).unwrap().blocking()
}

/// Session and data of every event of a host in the journal.
fn journaled(reader: &JournalReader) -> Vec<(Option<String>, String)> {
    let mut events = reader.events(1).unwrap();
    let mut found = Vec::new();
    while let Some(journaled) = events.next().unwrap() {
        let event = tallybook::event::decode_event(journaled.line).unwrap();
        if let Payload::EventRecorded(recorded) = event.payload {
            found.push((event.session_id.map(|id| id.to_string()), recorded.data.to_string()));
        }
    }
    found
}

#[test]
fn a_full_inbox_drops_and_counts_and_never_holds_up_its_caller() {
    let dir = tempfile::tempdir().unwrap();
    let clock = GatedClock::default();
    let gate = clock.gate.clone();
    let engine = Options::new().clock(clock).inbox_capacity(8).open_blocking(dir.path()).unwrap();
    gate.close();
    let recorder = engine.recorder();
    let (recorded, asked) = in_time("recording while the writer stands still", move || {
        let event = Counted::default();
        (0..1_000).for_each(|_| recorder.record(&event));
        (1_000, event.asked.into_inner())
    });
    let dropped_then = dropped(&engine);
    assert!(dropped_then > 900, "the inbox holds 8, and perhaps 8 more were taken out: {dropped_then}");
    gate.open();
    let view = engine.settled_view().unwrap();
    assert_eq!((view.seq() + dropped_then, dropped(&engine)), (recorded, dropped_then));
    assert_eq!(asked as u64, view.seq(), "what is dropped for want of room is not even serialised");
    assert_eq!(engine.health().inbox_depth, 0);
}

#[test]
fn what_is_not_durable_is_asked_nothing_else_and_is_no_drop() {
    let engine = Options::new().open_in_memory().unwrap();
    let recorder = engine.recorder();
    recorder.record(&Ephemeral);
    recorder.record_in("s", &Ephemeral);
    assert_eq!(pollster::block_on(recorder.record_confirmed(&Ephemeral)).unwrap(), None);
    assert_eq!(recorder.record_blocking(&Ephemeral).unwrap(), None);
    assert_eq!((engine.settled_view().unwrap().seq(), dropped(&engine)), (0, 0));
    engine.shutdown(PATIENCE).unwrap();
    recorder.record(&Ephemeral);
    assert_eq!(dropped(&engine), 0, "not by an ended engine either");
    assert_eq!(recorder.record_blocking(&Ephemeral).unwrap(), None);
}

#[test]
fn the_session_of_the_caller_goes_before_the_events_own() {
    let disk = SimulatedDisk::new(1);
    let engine = inline(&disk);
    let recorder = engine.recorder();
    let mut expected = Vec::new();
    for own in [None, Some("own")] {
        let event = OfSession(own);
        recorder.record(&event);
        recorder.record_in("caller", &event);
        pollster::block_on(recorder.record_confirmed(&event)).unwrap();
        pollster::block_on(recorder.record_confirmed_in("caller", &event)).unwrap();
        recorder.record_blocking(&event).unwrap();
        recorder.record_blocking_in("caller", &event).unwrap();
        expected.extend([own, Some("caller")].repeat(3));
    }
    let sessions: Vec<_> = journaled(&JournalReader::with_storage(disk.process()).unwrap())
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(sessions, expected.into_iter().map(|id| id.map(str::to_owned)).collect::<Vec<_>>());
}

#[test]
fn what_one_thread_records_comes_in_its_order_and_nothing_is_lost_that_has_room() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Options::new().inbox_capacity(8_000).open_blocking(dir.path()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let recorder = engine.recorder();
            let record = move || (0..2_000).for_each(|n| recorder.record_in(&format!("{thread}"), &event(n)));
            scope.spawn(record);
        }
    });
    let recorder: Recorder = engine.recorder().clone();
    assert_eq!(recorder.record_blocking(&event(0)).unwrap().unwrap().seq, 8_001);
    assert_eq!(dropped(&engine), 0);
    let all = journaled(&JournalReader::open(dir.path()).unwrap());
    for thread in 0..4 {
        let of_thread = all.iter().filter(|(id, _)| *id == Some(thread.to_string()));
        assert!(of_thread.map(|(_, data)| data.parse::<usize>().unwrap()).eq(0..2_000), "of thread {thread}");
    }
}

#[test]
fn events_of_any_type_can_be_recorded_by_reference() {
    let engine = Options::new().open_in_memory().unwrap();
    let recorder = engine.recorder();
    let events: [Box<dyn HostEvent + Sync>; 2] = [Box::new(event(1)), Box::new(OfSession(None))];
    events.iter().for_each(|event| recorder.record(&**event));
    let confirmed = recorder.record_confirmed(&*events[0]);
    fn is_send<T: Send>(future: T) -> T {
        future
    }
    assert_eq!(pollster::block_on(is_send(confirmed)).unwrap().unwrap().seq, 3);
}

#[test]
fn law_exact_a_confirmed_event_survives_and_is_recorded_once() {
    let dir = tempfile::tempdir().unwrap();
    let first = {
        let engine = Blocking::open(dir.path()).unwrap();
        let recorder = engine.recorder();
        recorder.record(&event(7).id("fire-and-forget"));
        let first = recorder.record_blocking_in("s", &event(1).id("e")).unwrap().unwrap();
        assert_eq!((first.seq, first.retried), (2, false));
        assert_eq!(
            JournalReader::open(dir.path()).unwrap().statistics().unwrap().last_seq,
            2,
            "it is on disk"
        );
        let again =
            pollster::block_on(recorder.record_confirmed_in("t", &event(1).id("e"))).unwrap().unwrap();
        assert_eq!((again.seq, again.retried), (2, true));
        first
    };
    let engine = Blocking::open(dir.path()).unwrap();
    let recorder = engine.recorder();
    let again = recorder.record_blocking(&event(1).id("e")).unwrap().unwrap();
    assert_eq!((again.seq, again.retried), (first.seq, true));
    let again = engine.record_event(event(7).id("fire-and-forget")).unwrap();
    assert_eq!((again.seq, again.retried), (1, true), "confirmed afterwards");
    let again = pollster::block_on(engine.engine().record_event(event(1).id("e"))).unwrap();
    assert_eq!((again.seq, again.retried), (2, true));
    let Err(CommandError::Rejected(conflict)) = recorder.record_blocking(&event(2).id("e")) else {
        panic!("not rejected")
    };
    assert_eq!(conflict.kind, RejectionKind::Conflict);
    recorder.record(&event(1).id("e"));
    assert_eq!(engine.settled_view().unwrap().seq(), 2);
    assert_eq!(dropped(&engine), 0, "a retry is no drop: it is there");
    recorder.record(&event(2).id("e"));
    engine.settled_view().unwrap();
    assert_eq!(dropped(&engine), 1, "a conflict is one");
}

#[test]
fn an_id_older_than_the_window_is_refused_rather_than_recorded_twice() {
    let start = Timestamp::parse("2026-11-21T09:00:00Z").unwrap();
    let clock = ManualClock::new(start);
    let window = KeyWindow { max_age_ms: 60_000, max_count: 10 };
    let engine = Options::new().clock(clock.clone()).key_window(window).open_in_memory().unwrap();
    let millis = u64::try_from(start.as_micros() / 1_000).unwrap();
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid().to_string();
    let seq = engine.record_event(event(1).id(id.clone())).unwrap().seq;
    clock.advance(Duration::from_secs(60));
    assert_eq!(engine.record_event(event(1).id(id.clone())).unwrap().seq, seq);
    clock.advance(Duration::from_secs(1));
    engine.record_event(event(2)).unwrap();
    let Err(CommandError::Rejected(old)) = engine.record_event(event(1).id(id)) else {
        panic!("not rejected")
    };
    assert_eq!(old.kind, RejectionKind::KeyExpired);
}

#[test]
fn what_cannot_be_recorded_is_counted_and_gives_its_place_back() {
    let disk = SimulatedDisk::new(2);
    let rules = Rules { max_event_bytes: 4, ..Rules::default() };
    let options = Options::new().inline().inbox_capacity(1).rules(rules);
    let engine = options.open_storage(disk.process()).unwrap().blocking();
    let recorder = engine.recorder();
    recorder.record(&event(99_999));
    recorder.record(&RecordEvent::new("", Json::default()));
    recorder.record_in(&"x".repeat(201), &event(1));
    recorder.record(&Broken { panics: false });
    assert_eq!(dropped(&engine), 4);
    let panicked = catch_unwind(AssertUnwindSafe(|| recorder.record(&Broken { panics: true })));
    assert!(panicked.is_err(), "the panic is the host's own");
    assert_eq!((dropped(&engine), engine.health().inbox_depth), (5, 0));
    recorder.record(&event(1));
    assert_eq!((dropped(&engine), engine.view().seq()), (5, 1));
    for (event, field) in
        [(&event(99_999) as &dyn HostEvent, "data: "), (&Broken { panics: false }, "data: ")]
    {
        let Err(CommandError::Rejected(rejection)) = recorder.record_blocking(event) else {
            panic!("not rejected")
        };
        assert!(
            rejection.kind == RejectionKind::Invalid && rejection.message.starts_with(field),
            "{rejection:?}"
        );
    }
    assert_eq!(dropped(&engine), 5, "who is told can count for itself");
}

#[test]
fn an_event_for_which_the_disk_has_no_room_is_counted_and_the_engine_lives_on() {
    let disk = SimulatedDisk::new(3);
    let engine = inline(&disk);
    let recorder = engine.recorder();
    recorder.record(&event(0));
    disk.set_capacity(Some(disk.used()));
    let mut recorded = 1;
    while dropped(&engine) == 0 {
        recorder.record(&event(recorded));
        recorded += 1;
    }
    let Err(CommandError::Engine(error)) = recorder.record_blocking(&event(0)) else {
        panic!("there was room")
    };
    assert_eq!(*error.kind(), ErrorKind::NoSpace);
    disk.set_capacity(None);
    recorder.record(&event(recorded));
    assert_eq!((engine.view().seq(), dropped(&engine)), (recorded as u64, 1));
}

#[test]
fn law_halt_what_was_under_way_and_what_comes_later_is_counted() {
    let disk = SimulatedDisk::new(4);
    let engine = inline(&disk);
    let recorder = engine.recorder();
    let first = recorder.record_blocking(&event(0).id("e")).unwrap().unwrap();
    disk.fail_at(disk.operations() + 1, Fault::Eio);
    recorder.record(&event(1).id("f"));
    assert_eq!((engine.health().status, dropped(&engine)), (EngineStatus::Halted, 1));
    recorder.record(&event(2));
    assert_eq!(dropped(&engine), 2);
    let Err(CommandError::Engine(error)) = recorder.record_blocking(&event(3).id("g")) else {
        panic!("recorded")
    };
    assert_eq!((error.kind(), dropped(&engine)), (&ErrorKind::Halted, 2));
    drop((engine, recorder));

    let engine = inline(&disk);
    assert_eq!(engine.record_event(event(0).id("e")).unwrap().seq, first.seq);
    let unknown = engine.record_event(event(1).id("f")).unwrap();
    assert_eq!(unknown.seq, 2, "whether it was there or not");
    assert!(!engine.record_event(event(3).id("g")).unwrap().retried);
}

#[test]
fn an_outcome_that_is_unknown_is_told_and_a_retry_records_it_once() {
    for operation in 1..4 {
        let disk = SimulatedDisk::new(operation);
        let engine = inline(&disk);
        engine.record_event(event(0)).unwrap();
        disk.fail_at(disk.operations() + operation, Fault::Eio);
        let answer = engine.recorder().record_blocking(&event(1).id("e"));
        if let Err(CommandError::Engine(error)) = &answer {
            assert_eq!(*error.kind(), ErrorKind::OutcomeUnknown, "{error}");
        }
        drop(engine);
        let engine = inline(&disk);
        let again = engine.record_event(event(1).id("e")).unwrap();
        assert_eq!(again.seq, 2);
        assert!(again.retried || answer.is_err(), "an answer means that it is durable");
        assert_eq!(engine.view().seq(), 2);
    }
}

#[test]
fn what_waits_when_the_engine_ends_is_recorded_and_what_comes_later_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Blocking::open(dir.path()).unwrap();
    let recorder = engine.recorder();
    (0..100).for_each(|n| recorder.record(&event(n)));
    engine.shutdown(PATIENCE).unwrap();
    assert_eq!((engine.view().seq(), dropped(&engine)), (100, 0));
    recorder.record(&event(100));
    assert_eq!(dropped(&engine), 1);
    let Err(CommandError::Engine(error)) = recorder.record_blocking(&event(100)) else { panic!("recorded") };
    assert_eq!(*error.kind(), ErrorKind::Closed);
}

#[test]
fn whatever_happens_at_the_end_every_event_is_there_or_counted() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let engine = Options::new().inbox_capacity(16).open_blocking(dir.path()).unwrap();
        let recorders: Vec<_> = (0..3).map(|_| engine.recorder()).collect();
        let threads: Vec<_> = recorders
            .into_iter()
            .map(|recorder| std::thread::spawn(move || (0..500).for_each(|n| recorder.record(&event(n)))))
            .collect();
        engine.shutdown(PATIENCE).unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(engine.view().seq() + dropped(&engine), 1_500);
        assert_eq!(journaled(&JournalReader::open(dir.path()).unwrap()).len() as u64, engine.view().seq());
    }
}

#[test]
fn a_recorder_is_a_handle_that_keeps_the_engine_open() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Blocking::open(dir.path()).unwrap().recorder();
    assert_eq!(recorder.record_blocking(&event(0)).unwrap().unwrap().seq, 1);
    assert_eq!(*Blocking::open(dir.path()).unwrap_err().kind(), ErrorKind::Locked);
    recorder.record(&event(1));
    drop(recorder);
    let engine = eventually("the lock is given up", || Blocking::open(dir.path()).ok());
    assert_eq!(engine.view().seq(), 2);
}

//! Where the JSONL change feeds that hosts write today fail, and what is so here instead.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use tallybook::storage::{Fault, SimulatedDisk, Storage, Survivors};
use tallybook::{
    Blocking, CommandError, Cursor, ErrorKind, EventFilter, FeedItem, JournalReader, NewGoal, Options,
    ResetCause, Retention, Start, Subscription, Turn,
};

fn open(disk: &SimulatedDisk) -> Result<Blocking, tallybook::Error> {
    Ok(Options::new().inline().open_storage(disk.process())?.blocking())
}

/// The `seq`s that the feed gives without waiting.
fn given(feed: &mut Subscription) -> Vec<u64> {
    let mut seqs = Vec::new();
    while let Ok(Some(item)) = feed.try_next() {
        if let FeedItem::Event(event) = item {
            seqs.push(event.event.seq);
        }
    }
    seqs
}

/// There: an append error is logged, and the event is broadcast all the same.
#[test]
fn law_durable_an_event_whose_append_failed_is_never_fed_nor_published() {
    for fault in [Fault::Eio, Fault::Enospc, Fault::ShortWrite, Fault::SyncLost] {
        // The write, and the sync behind it.
        for step in 0..2 {
            let disk = SimulatedDisk::new(3);
            let engine = open(&disk).unwrap();
            let goal = engine.create_goal(NewGoal::new("one")).unwrap();
            let mut feed = engine.engine().subscribe(Start::Beginning).unwrap();
            assert_eq!(given(&mut feed), [1]);
            disk.fail_at(disk.operations() + step, fault);
            let error = engine.record_turn(goal.id, Turn::tokens(5)).unwrap_err();
            let CommandError::Engine(error) = error else { panic!("{fault:?}: {error}") };
            assert_eq!(*error.kind(), ErrorKind::OutcomeUnknown, "{fault:?} at step {step}");
            assert_eq!(given(&mut feed), [] as [u64; 0], "{fault:?} at step {step}");
            assert_eq!(engine.view().seq(), 1);
            let later = engine.record_turn(goal.id, Turn::tokens(5)).unwrap_err();
            assert!(
                matches!(&later, CommandError::Engine(error) if *error.kind() == ErrorKind::Halted),
                "{later}"
            );
        }
    }
}

/// There: a newest file with only a torn line restarts the numbers at 1.
#[test]
fn law_order_a_newest_segment_with_only_torn_bytes_does_not_restart_the_numbers() {
    let disk = SimulatedDisk::new(4);
    let engine = open(&disk).unwrap();
    for n in 0..3 {
        engine.create_goal(NewGoal::new(format!("goal {n}")).scope(format!("{n}"))).unwrap();
    }
    disk.kill();
    // The recovery hands over to a new segment, the next one finds nothing to hand over; then only a torn frame reaches
    // the file.
    for _ in 0..2 {
        let engine = open(&disk).unwrap();
        disk.kill();
        drop(engine);
    }
    let newest = disk.names().into_iter().filter(|name| name.ends_with(".seg")).max().unwrap();
    let mut bytes = disk.contents(&newest).unwrap();
    bytes.extend_from_slice(b"\x1eTBFE torn before its end");
    disk.put(&newest, &bytes);
    let engine = open(&disk).unwrap();
    assert_eq!(engine.view().seq(), 3);
    assert_eq!(engine.execute(NewGoal::new("goal 3").scope("3")).unwrap().first_seq, Some(4));
    // Nor on the disk.
    disk.kill();
    assert_eq!(open(&disk).unwrap().view().seq(), 4);
}

/// There: unreadable lines are skipped in silence.
#[test]
fn law_evidence_an_unreadable_event_is_refused_with_file_offset_and_seq() {
    let disk = SimulatedDisk::new(5);
    let engine = open(&disk).unwrap();
    for n in 0..5 {
        engine.create_goal(NewGoal::new(format!("goal {n}")).scope(format!("{n}"))).unwrap();
    }
    drop(engine);
    let reader = JournalReader::with_storage(disk.process()).unwrap();
    let place = reader.events(3).unwrap().next().unwrap().unwrap().location().clone();
    disk.corrupt(&place.file, place.offset + 60, 0x20).unwrap();
    let error = open(&disk).unwrap_err();
    let damage = error.damage().unwrap();
    assert_eq!((&damage.file, damage.offset, damage.seq), (&place.file, place.offset, Some(3)));
    for part in [place.file.as_str(), &format!("offset {}", place.offset), "seq 3"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

/// There: a lagging client lost terminal events.
#[test]
fn law_order_a_subscriber_that_lags_by_any_number_of_events_misses_none() {
    let disk = SimulatedDisk::new(6);
    let engine = Options::new()
        .inline()
        .segment_bytes(8_192)
        .live_events(64)
        .open_storage(disk.process())
        .unwrap()
        .blocking();
    let mut feed = engine.engine().subscribe(Start::Beginning).unwrap();
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    for _ in 0..500 {
        engine.record_turn(goal.id, Turn::tokens(5)).unwrap();
    }
    let last =
        engine.execute(tallybook::TransitionGoal::new(goal.id, tallybook::GoalStatus::Completed)).unwrap();
    assert!(disk.names().len() > 10, "it lags by many segments");
    assert_eq!(given(&mut feed), (1..=last.last_seq.unwrap()).collect::<Vec<_>>());
}

/// There: each confirmed append reopens and rescans the file.
#[test]
fn a_durable_command_reads_nothing_and_writes_and_syncs_once() {
    let disk = SimulatedDisk::new(7);
    let engine = open(&disk).unwrap();
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    let (reads, operations) = (disk.reads(), disk.operations());
    for _ in 0..100 {
        engine.record_turn(goal.id, Turn::tokens(5)).unwrap();
    }
    assert_eq!((disk.reads() - reads, disk.operations() - operations), (0, 200));
}

/// There: a client that resumes by number takes another history for the one it knew.
#[test]
fn a_cursor_of_a_future_that_a_crash_unmade_begins_anew_with_the_state_of_now() {
    let disk = SimulatedDisk::new(8);
    let interval = tallybook::Durability::Interval(std::time::Duration::from_secs(3_600));
    let options = || Options::new().inline().durability(interval);
    let engine = options().open_storage(disk.process()).unwrap().blocking();
    engine.create_goal(NewGoal::new("one")).unwrap();
    let cursor = engine.view().cursor().unwrap();
    disk.restart(Survivors::Nothing);
    drop(engine);
    let storage: Arc<dyn Storage> = disk.process();
    let engine = options().open_storage(storage).unwrap().blocking();
    assert_eq!(engine.view().seq(), 0, "the interval was not over");
    let mut ahead = engine.subscribe(Start::After(cursor)).unwrap();
    engine.create_goal(NewGoal::new("another one")).unwrap();
    let mut beside = engine.subscribe(Start::After(cursor)).unwrap();
    for (feed, seq) in [(&mut ahead, 0), (&mut beside, 1)] {
        let Some(FeedItem::Reset(reset)) = feed.try_next().unwrap() else {
            panic!("it goes on as if nothing")
        };
        assert_eq!((reset.cause, reset.view.seq()), (ResetCause::UnmadeFuture, seq));
        assert_eq!(given(feed), (seq + 1..=1).collect::<Vec<_>>());
    }
}

/// There: pruning happens at start only, so that a process that lives long fills the disk; and a client below what is kept
/// is told to start over, from nothing.
#[test]
fn law_retain_pruning_goes_on_while_it_runs_and_who_is_below_gets_the_state() {
    let disk = SimulatedDisk::new(12);
    let options = Options::new().inline().segment_bytes(8_192).retention(Retention::new().segments(2));
    let engine = options.live_events(1).open_storage(disk.process()).unwrap().blocking();
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    let first = engine.view().cursor().unwrap();
    let mut lagging = engine.subscribe(Start::After(first)).unwrap();
    let mut most = 0;
    for _ in 0..1_000 {
        engine.record_turn(goal.id, Turn::tokens(5)).unwrap();
        most = most.max(disk.names().iter().filter(|name| name.ends_with(".seg")).count());
    }
    assert!(most <= 4, "{most} segments at once");
    assert_eq!(
        lagging.try_next().unwrap().and_then(|item| item.cursor()),
        Some(first),
        "caught up with that"
    );
    let Some(FeedItem::Reset(reset)) = lagging.try_next().unwrap() else {
        panic!("it lost events unnoticed")
    };
    assert_eq!(reset.cause, ResetCause::BelowRetention);
    assert_eq!(reset.view.head(), engine.view().head());
    assert_eq!(reset.view.goal(goal.id).unwrap().tokens_used, 5_000);
    engine.record_turn(goal.id, Turn::tokens(5)).unwrap();
    assert_eq!(given(&mut lagging), [reset.view.seq() + 1]);
}

/// Where the feed says that it is caught up.
fn caught_up(item: Option<FeedItem>) -> Option<Cursor> {
    match item {
        Some(FeedItem::CaughtUp(cursor)) => cursor,
        other => panic!("expected to be caught up, found {other:?}"),
    }
}

/// There: a client that has a number and no events yet has nothing that it can resume from safely.
#[test]
fn a_feed_that_begins_with_the_next_event_tells_the_cursor_to_keep() {
    let disk = SimulatedDisk::new(9);
    let engine = open(&disk).unwrap();
    let reader = JournalReader::with_storage(disk.process()).unwrap();
    let caught_up_from = |seq| {
        let mut feed = engine.subscribe(Start::From(seq)).unwrap();
        let mut follower = reader.follow(Start::From(seq), EventFilter::new()).unwrap();
        let cursor = caught_up(feed.try_next().unwrap());
        assert_eq!(caught_up(follower.try_next().unwrap()), cursor);
        cursor
    };
    assert_eq!(caught_up_from(1), None, "there is no event");
    engine.create_goal(NewGoal::new("one")).unwrap();
    assert_eq!(caught_up_from(2), engine.view().cursor());
    assert_eq!(caught_up_from(3), None, "seq 2 is yet to come");
    let mut feed = engine.subscribe(Start::From(2)).unwrap();
    let kept = engine.view().cursor();
    engine.create_goal(NewGoal::new("two").scope("2")).unwrap();
    assert_eq!(caught_up(feed.try_next().unwrap()), kept, "that of the event before, not of the last");
    assert_eq!(given(&mut feed), [2]);
}

/// There: a client without a position gets whatever comes next, and has to read the table besides.
#[test]
fn a_client_without_a_cursor_begins_with_the_state_of_now() {
    let disk = SimulatedDisk::new(10);
    let engine = open(&disk).unwrap();
    engine.create_goal(NewGoal::new("one")).unwrap();
    let mut feed = engine.subscribe(Start::after_or_now(None).unwrap()).unwrap();
    assert_eq!(feed.snapshot().map(|view| view.seq()), Some(1));
    let kept = caught_up(feed.try_next().unwrap()).unwrap().to_string();
    engine.create_goal(NewGoal::new("two").scope("2")).unwrap();
    let start = Start::after_or_now(Some(&kept)).unwrap();
    assert_eq!(start, Start::after(&kept).unwrap());
    assert_eq!(given(&mut engine.subscribe(start).unwrap()), [2]);
    let error = Start::after_or_now(Some("2")).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::InvalidArgument);
}

/// There: a reader of the file cannot tell a file that it cannot read from one that says nothing more.
#[test]
fn a_follower_that_failed_is_over_and_says_so() {
    let disk = SimulatedDisk::new(11);
    let engine = open(&disk).unwrap();
    engine.create_goal(NewGoal::new("one")).unwrap();
    let reader = JournalReader::with_storage(disk.process()).unwrap();
    let mut follower = reader.follow(Start::Beginning, EventFilter::new()).unwrap();
    assert!(matches!(follower.next_blocking(), Some(Ok(FeedItem::Event(event))) if event.event.seq == 1));
    assert!(matches!(follower.next_blocking(), Some(Ok(FeedItem::CaughtUp(Some(_))))));
    assert!(!follower.is_over());
    disk.kill();
    assert!(matches!(follower.next_blocking(), Some(Err(_))));
    assert!(follower.is_over() && follower.next_blocking().is_none());
}

/// There: whatever a restart does to the file makes a client begin anew.
#[test]
fn a_cursor_of_what_a_recovery_handed_over_is_gone_on_after() {
    let disk = SimulatedDisk::new(13);
    let engine = open(&disk).unwrap();
    engine.create_goal(NewGoal::new("one")).unwrap();
    let cursor = engine.view().cursor().unwrap();
    disk.kill();
    drop(engine);
    let engine = open(&disk).unwrap();
    let mut feed = engine.subscribe(Start::After(cursor)).unwrap();
    assert_eq!(caught_up(feed.try_next().unwrap()), Some(cursor));
    engine.create_goal(NewGoal::new("two").scope("2")).unwrap();
    assert_eq!(given(&mut feed), [2]);
}

/// There: two histories with the same numbers cannot be told apart. A backup that was put back has a second one.
#[test]
fn a_cursor_of_another_history_with_the_same_numbers_begins_anew() {
    let disk = SimulatedDisk::new(14);
    let engine = open(&disk).unwrap();
    engine.create_goal(NewGoal::new("one")).unwrap();
    engine.shutdown(std::time::Duration::from_secs(20)).unwrap();
    disk.kill();
    let backup = disk.fork(1);
    backup.restart(Survivors::Everything);
    let goes_on = |disk: &SimulatedDisk, text: &str| {
        let engine = open(disk).unwrap();
        engine.create_goal(NewGoal::new(text).scope("2")).unwrap();
        engine
    };
    let cursor = goes_on(&disk, "two").view().cursor().unwrap();
    let engine = goes_on(&backup, "another two");
    let here = engine.view().cursor().unwrap();
    assert_eq!((cursor.seq, cursor.epoch.counter), (here.seq, here.epoch.counter), "the same numbers");
    let mut feed = engine.subscribe(Start::After(cursor)).unwrap();
    let Some(FeedItem::Reset(reset)) = feed.try_next().unwrap() else { panic!("it goes on as if nothing") };
    assert_eq!(reset.cause, ResetCause::UnmadeFuture);
}

//! What a feed gives, in which order, and how it can be waited for.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_core::Stream;
use tallybook::storage::SimulatedDisk;
use tallybook::{
    Blocking, Cursor, EventFilter, FeedItem, Follower, JournalReader, ManualClock, NewBudget, NewGoal,
    Options, ResetCause, Retention, Spend, Start, Subscription, Timestamp, Turn,
};

fn open(disk: &SimulatedDisk, options: Options) -> Blocking {
    options.inline().open_storage(disk.process()).unwrap().blocking()
}

/// Everything that there is: `seq`s of events, and what stands between them.
fn story(feed: &mut Subscription) -> Vec<String> {
    std::iter::from_fn(|| feed.try_next().unwrap()).map(|item| told(&item)).collect()
}

fn story_beside(feed: &mut Follower) -> Vec<String> {
    std::iter::from_fn(|| feed.try_next().unwrap()).map(|item| told(&item)).collect()
}

fn told(item: &FeedItem) -> String {
    let seq_of = |cursor: &Option<Cursor>| cursor.map_or(0, |cursor| cursor.seq);
    assert_eq!(
        item.cursor().map(|cursor| cursor.seq).unwrap_or(0),
        match item {
            FeedItem::Event(event) => event.event.seq,
            FeedItem::CaughtUp(cursor) => seq_of(cursor),
            FeedItem::Bookmark(cursor) => cursor.seq,
            FeedItem::Reset(reset) => reset.view.seq(),
            other => panic!("{other:?}"),
        }
    );
    match item {
        FeedItem::Event(event) => event.event.seq.to_string(),
        FeedItem::CaughtUp(cursor) => format!("caught up with {}", seq_of(cursor)),
        FeedItem::Bookmark(cursor) => format!("bookmark {}", cursor.seq),
        FeedItem::Reset(reset) => format!("{} to {}", reset.cause, reset.view.seq()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_feed_replays_says_that_it_is_caught_up_and_goes_on_live() {
    let disk = SimulatedDisk::new(1);
    let engine = open(&disk, Options::new());
    let mut empty = engine.subscribe(Start::Beginning).unwrap();
    assert_eq!(story(&mut empty), ["caught up with 0"]);
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    engine.record_turn(goal.id, Turn::tokens(1)).unwrap();
    assert_eq!(story(&mut empty), ["1", "2"]);
    let beside = || JournalReader::with_storage(disk.process()).unwrap();
    let cursor = engine.view().cursor().unwrap();
    for (start, expected) in [
        (Start::Beginning, &["1", "2", "caught up with 2"][..]),
        (Start::From(0), &["1", "2", "caught up with 2"]),
        (Start::From(2), &["2", "caught up with 2"]),
        (Start::From(4), &["caught up with 0"]),
        (Start::After(Cursor { seq: 1, ..cursor }), &["2", "caught up with 2"]),
        (Start::After(cursor), &["caught up with 2"]),
        (Start::after_view(&engine.view()), &["caught up with 2"]),
        (Start::Now, &["caught up with 2"]),
    ] {
        assert_eq!(story(&mut engine.subscribe(start).unwrap()), expected, "{start:?}");
        let mut follower = beside().follow(start, EventFilter::new()).unwrap();
        assert_eq!(story_beside(&mut follower), expected, "beside: {start:?}");
        assert_eq!(story_beside(&mut follower), [] as [String; 0]);
    }
    // One that is yet to come is waited for, and what comes before it is not given.
    let mut later = engine.subscribe(Start::From(4)).unwrap();
    for _ in 3..=5 {
        engine.record_turn(goal.id, Turn::tokens(1)).unwrap();
    }
    assert_eq!(story(&mut later), ["caught up with 3", "4", "5"]);
}

#[test]
fn from_now_begins_with_the_state_of_now_and_lets_go_of_it() {
    let disk = SimulatedDisk::new(1);
    let engine = open(&disk, Options::new());
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    let reader = JournalReader::with_storage(disk.process()).unwrap();
    let mut feed = engine.subscribe(Start::Now).unwrap();
    let mut follower = reader.follow(Start::Now, EventFilter::new()).unwrap();
    for snapshot in [feed.snapshot().unwrap(), follower.snapshot().unwrap()] {
        assert_eq!(snapshot.head().state_hash, engine.view().head().state_hash);
        assert_eq!(snapshot.cursor(), engine.view().cursor());
    }
    engine.record_turn(goal.id, Turn::tokens(1)).unwrap();
    assert_eq!(told(&feed.try_next().unwrap().unwrap()), "caught up with 1");
    assert_eq!(feed.snapshot().unwrap().seq(), 1, "nothing has come after it yet");
    assert_eq!(story(&mut feed), ["2"]);
    assert_eq!(story_beside(&mut follower), ["caught up with 1", "2"]);
    assert!(feed.snapshot().is_none() && follower.snapshot().is_none());
    assert!(engine.subscribe(Start::Beginning).unwrap().snapshot().is_none());
}

#[test]
fn a_filter_keeps_back_and_bookmarks_tell_how_far_it_came() {
    let disk = SimulatedDisk::new(1);
    let engine = open(&disk, Options::new());
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    for _ in 2..=3_000 {
        engine.record_turn(goal.id, Turn::tokens(1)).unwrap();
    }
    let filter = || EventFilter::new().kind("goal_created").unwrap();
    let mut feed = engine.subscribe_to(Start::Beginning, filter()).unwrap();
    let reader = JournalReader::with_storage(disk.process()).unwrap();
    let mut follower = reader.follow(Start::Beginning, filter()).unwrap();
    let expected = ["1", "bookmark 1025", "bookmark 2049", "caught up with 3000"];
    assert_eq!(story(&mut feed), expected);
    assert_eq!(story_beside(&mut follower), expected);
    engine.record_turn(goal.id, Turn::tokens(1)).unwrap();
    engine.record_turn(goal.id, Turn::tokens(1)).unwrap();
    assert_eq!(story(&mut feed), ["bookmark 3002"], "where it would wait");
    assert_eq!(story_beside(&mut follower), ["bookmark 3002"]);
    engine.create_goal(NewGoal::new("two").scope("2")).unwrap();
    assert_eq!(story(&mut feed), ["3003"], "an event tells how far it came, too");
    // At the end what no item has told is told.
    engine.record_turn(goal.id, Turn::tokens(1)).unwrap();
    engine.shutdown(Duration::from_secs(20)).unwrap();
    assert_eq!(story(&mut feed), ["bookmark 3004"]);
    assert!(feed.is_over());
}

#[test]
fn every_cause_of_a_reset_comes_with_the_state_to_begin_with() {
    let disk = SimulatedDisk::new(1);
    let small = || Options::new().segment_bytes(4_096).retention(Retention::new().segments(1)).live_events(1);
    let engine = open(&disk, small());
    let mut lagging = engine.subscribe(Start::Beginning).unwrap();
    let reader = JournalReader::with_storage(disk.process()).unwrap();
    let mut lagging_beside = reader.follow(Start::Beginning, EventFilter::new()).unwrap();
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    let first = engine.view().cursor().unwrap();
    while reader.oldest_seq().unwrap() < 40 {
        engine.record_turn(goal.id, Turn::tokens(1)).unwrap();
    }
    let (floor, seq, cursor) =
        (reader.oldest_seq().unwrap(), engine.view().seq(), engine.view().cursor().unwrap());
    let foreign = tallybook::JournalId(uuid::Uuid::from_u128(7));
    let below = |to| format!("below_retention to {to}");
    let caught_up = format!("caught up with {seq}");
    let retained: Vec<String> = (floor..=seq).map(|seq| seq.to_string()).collect();
    let all_retained = |first: &[String]| [first, &retained[..], std::slice::from_ref(&caught_up)].concat();
    for (start, expected) in [
        (Start::Beginning, all_retained(&[below(floor - 1)])),
        (Start::From(floor - 1), all_retained(&[below(floor - 1)])),
        (Start::From(floor), all_retained(&[])),
        (Start::From(0), all_retained(&[])),
        (Start::After(first), vec![below(seq), caught_up.clone()]),
        // Everything after it is there.
        (Start::After(Cursor { seq: floor - 1, ..cursor }), all_retained(&[])),
        (Start::After(Cursor { seq: floor - 2, ..cursor }), vec![below(seq), caught_up.clone()]),
        (
            Start::After(Cursor { seq: floor - 1, epoch: tallybook::Epoch { counter: 9, tag: 9 }, ..cursor }),
            vec![format!("unmade_future to {seq}"), caught_up.clone()],
        ),
        (
            Start::After(Cursor { seq: seq + 1, ..cursor }),
            vec![format!("unmade_future to {seq}"), caught_up.clone()],
        ),
        (
            Start::After(Cursor { journal_id: foreign, ..first }),
            vec![format!("foreign_journal to {seq}"), caught_up.clone()],
        ),
        (
            Start::After(Cursor { seq: u64::MAX, ..cursor }),
            vec![format!("unmade_future to {seq}"), caught_up.clone()],
        ),
    ] {
        assert_eq!(story(&mut engine.subscribe(start).unwrap()), expected, "{start:?}");
        let mut follower = reader.follow(start, EventFilter::new()).unwrap();
        assert_eq!(story_beside(&mut follower), expected, "beside: {start:?}");
    }
    // Those that pruning has overtaken.
    assert_eq!(story(&mut lagging), ["caught up with 0".to_owned(), below(seq), caught_up.clone()]);
    assert_eq!(story_beside(&mut lagging_beside), ["caught up with 0".to_owned(), below(seq), caught_up]);
    let first_item = engine.subscribe(Start::After(first)).unwrap().try_next().unwrap();
    let Some(FeedItem::Reset(reset)) = first_item else { panic!("{first_item:?}") };
    assert_eq!((reset.cause, reset.cursor()), (ResetCause::BelowRetention, Some(cursor)));
    assert_eq!(reset.view.head().state_hash, engine.view().head().state_hash);
    // It is a place to go on from.
    assert_eq!(story(&mut engine.subscribe(Start::after_view(&reset.view)).unwrap()).len(), 1);
}

#[test]
fn a_goals_scope_is_known_even_when_it_was_forgotten() {
    let clock = ManualClock::new(Timestamp::parse("2026-11-21T01:00:00Z").unwrap());
    let disk = SimulatedDisk::new(1);
    let key_window = tallybook::KeyWindow { max_age_ms: 1_000, max_count: 10 };
    let options = Options::new().clock(clock.clone()).key_window(key_window);
    let engine = open(&disk, options.forget_after(Duration::from_secs(60)));
    let [old, other] = ["a", "b"].map(|scope| engine.create_goal(NewGoal::new("old").scope(scope)).unwrap());
    let before = engine.view().cursor().unwrap();
    for goal in [&old, &other] {
        engine.record_turn(goal.id, Turn::tokens(1)).unwrap();
        engine.complete_goal(goal.id).unwrap();
    }
    let ended = engine.view().seq();
    clock.advance(Duration::from_secs(3_600));
    engine.allocate(NewBudget::new("money").limit(100)).unwrap();
    clock.advance(Duration::from_secs(3_600));
    engine.record_spend("money", Spend::of(1)).unwrap();
    engine.settled_view().unwrap();
    let view = engine.view();
    assert!(view.goal(old.id).is_none() && view.goal(other.id).is_none(), "both are forgotten");
    let new = engine.create_goal(NewGoal::new("new").scope("a")).unwrap();
    engine.record_turn(new.id, Turn::tokens(1)).unwrap();
    let last = engine.view().seq();

    let reader = JournalReader::with_storage(disk.process()).unwrap();
    let seqs_of = |start: Start, scope: &str| {
        let seqs =
            |story: Vec<String>| story.iter().filter_map(|told| told.parse().ok()).collect::<Vec<u64>>();
        let filter = || EventFilter::new().scope(scope);
        let inside = seqs(story(&mut engine.subscribe_to(start, filter()).unwrap()));
        let beside = seqs(story_beside(&mut reader.follow(start, filter()).unwrap()));
        assert_eq!(inside, beside);
        inside
    };
    let of_a: Vec<u64> = seqs_of(Start::Beginning, "a");
    let created = old_created(&reader, "a");
    assert_eq!(of_a[0], created);
    assert!(of_a.contains(&last) && of_a.contains(&(last - 1)), "{of_a:?}");
    let (after_a, after_b) = (seqs_of(Start::After(before), "a"), seqs_of(Start::After(before), "b"));
    assert_eq!(after_a[..], of_a[1..]);
    assert_eq!(after_a[..2], [before.seq + 1, before.seq + 2], "of a goal that only the past knows");
    assert_eq!(after_b[..2], [before.seq + 3, ended]);
    assert!(!after_b.contains(&last));
    assert_eq!(seqs_of(Start::Beginning, "c"), [] as [u64; 0]);
    let mut events = reader.events(0).unwrap().filter(EventFilter::new().scope("a"));
    let mut read = Vec::new();
    while let Some(event) = events.next().unwrap() {
        read.push(event.seq);
    }
    assert_eq!(read, of_a, "reading once and following are the same");
}

/// The `seq` at which the first goal of a scope was created.
fn old_created(reader: &JournalReader, scope: &str) -> u64 {
    let mut events = reader.events(0).unwrap().filter(EventFilter::new().scope(scope));
    events.next().unwrap().unwrap().seq
}

struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn as_a_stream_it_needs_no_runtime_and_wakes_when_there_is_more() {
    let disk = SimulatedDisk::new(1);
    let engine = open(&disk, Options::new());
    let mut feed = engine.subscribe(Start::Beginning).unwrap();
    let woken = Arc::new(Woken(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&woken));
    let poll = |feed: &mut Subscription| Pin::new(feed).poll_next(&mut Context::from_waker(&waker));
    assert!(matches!(poll(&mut feed), Poll::Ready(Some(Ok(FeedItem::CaughtUp(None))))));
    assert!(poll(&mut feed).is_pending() && poll(&mut feed).is_pending());
    assert_eq!(woken.0.load(Ordering::SeqCst), 0);
    engine.create_goal(NewGoal::new("one")).unwrap();
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!(matches!(poll(&mut feed), Poll::Ready(Some(Ok(FeedItem::Event(_))))));
    assert!(poll(&mut feed).is_pending());
    engine.shutdown(Duration::from_secs(20)).unwrap();
    assert_eq!(woken.0.load(Ordering::SeqCst), 2, "the end wakes");
    assert!(matches!(poll(&mut feed), Poll::Ready(None)) && matches!(poll(&mut feed), Poll::Ready(None)));
}

#[test]
fn a_thread_waits_for_a_while_or_until_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Blocking::open(dir.path()).unwrap();
    let mut feed = engine.subscribe(Start::Beginning).unwrap();
    let short = Duration::from_millis(30);
    assert_eq!(told(&feed.next_timeout(short).unwrap().unwrap()), "caught up with 0");
    assert!(feed.next_timeout(short).unwrap().is_none() && !feed.is_over());
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    assert_eq!(feed.iter_timeout(short).map(|item| told(&item.unwrap())).collect::<Vec<_>>(), ["1"]);
    let waiting =
        std::thread::spawn(move || feed.iter().map(|item| told(&item.unwrap())).collect::<Vec<_>>());
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(5));
        engine.record_turn(goal.id, Turn::tokens(1)).unwrap();
    }
    let mut follower =
        JournalReader::open(dir.path()).unwrap().follow(Start::From(3), EventFilter::new()).unwrap();
    let beside = std::thread::spawn(move || {
        follower.by_ref().take(3).map(|item| told(&item.unwrap())).collect::<Vec<_>>()
    });
    let beside = beside.join().unwrap();
    assert!(beside.contains(&"3".to_owned()) && beside.contains(&"4".to_owned()), "{beside:?}");
    engine.shutdown(Duration::from_secs(20)).unwrap();
    assert_eq!(waiting.join().unwrap(), ["2", "3", "4"]);
}

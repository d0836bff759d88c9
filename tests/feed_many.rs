//! Thousands of subscriptions at once, what they cost, and threads that come and go while the writer works.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tallybook::ids::SeededEntropy;
use tallybook::storage::SimulatedDisk;
use tallybook::{Blocking, EventFilter, FeedItem, GoalId, NewGoal, Options, Start, Subscription, Turn};

fn seqs(feed: &mut Subscription) -> Vec<u64> {
    let items = std::iter::from_fn(|| feed.try_next().unwrap());
    items
        .filter_map(|item| if let FeedItem::Event(event) = item { Some(event.event.seq) } else { None })
        .collect()
}

/// How many files this process has open.
#[expect(clippy::disallowed_methods, reason = "what the operating system says about this process")]
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn turns(engine: &Blocking, goal: GoalId, count: u64) {
    for _ in 0..count {
        engine.record_turn(goal, Turn::tokens(1)).unwrap();
    }
}

#[test]
fn thousands_of_subscriptions_see_every_event_and_hold_no_files() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Options::new().segment_bytes(16 << 10).open_blocking(dir.path()).unwrap();
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    turns(&engine, goal.id, 500);
    let before = open_files();
    let mut feeds: Vec<Subscription> = (0..5_000)
        .map(|number| match number % 3 {
            0 => engine.subscribe(Start::Now).unwrap(),
            1 => engine.subscribe(Start::after_view(&engine.view())).unwrap(),
            _ => engine.subscribe_to(Start::Now, EventFilter::new().goal(goal.id)).unwrap(),
        })
        .collect();
    turns(&engine, goal.id, 20);
    let last = engine.view().seq();
    let shared = feeds.iter_mut().map(|feed| {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|event: &Arc<tallybook::FeedEvent>| event.event.seq < last) {
            match feed.next_blocking().unwrap().unwrap() {
                FeedItem::Event(event) => seen.push(event),
                FeedItem::CaughtUp(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(
            seen.iter().map(|event| event.event.seq).collect::<Vec<_>>(),
            (last - 19..=last).collect::<Vec<_>>()
        );
        seen.pop().unwrap()
    });
    let shared: Vec<_> = shared.collect();
    assert!(shared.iter().all(|event| Arc::ptr_eq(event, &shared[0])), "they share the events");
    assert!(open_files() < before + 50, "{} files were open before, now {}", before, open_files());
    assert!(size_of::<Subscription>() <= 512, "{} bytes each", size_of::<Subscription>());
    // One that lags reads the journal, and lets go of it when it is in the ring again.
    let mut late = engine.subscribe(Start::Beginning).unwrap();
    let before = open_files();
    assert_eq!(seqs(&mut late), (1..=last).collect::<Vec<_>>());
    assert_eq!(open_files(), before);
}

#[test]
fn subscriptions_that_stall_cost_the_writer_nothing() {
    // What the writer asks of the disk, with so many subscriptions that nobody takes anything from.
    let cost = |subscriptions: usize| {
        let disk = SimulatedDisk::new(1);
        let options =
            Options::new().inline().entropy(SeededEntropy::new(1)).segment_bytes(8_192).live_events(16);
        let engine = options.open_storage(disk.process()).unwrap().blocking();
        let goal = engine.create_goal(NewGoal::new("one")).unwrap();
        let mut stalled: Vec<_> =
            (0..subscriptions).map(|_| engine.subscribe(Start::Beginning).unwrap()).collect();
        let before = (disk.reads(), disk.operations());
        turns(&engine, goal.id, 300);
        let cost = (disk.reads() - before.0, disk.operations() - before.1);
        for feed in &mut stalled {
            assert_eq!(seqs(feed), (1..=301).collect::<Vec<_>>(), "and none of them misses anything");
        }
        cost
    };
    let alone = cost(0);
    assert_eq!(cost(1), alone);
    assert_eq!(cost(50), alone);
}

/// Law ORDER, while subscriptions come, go, lag and wait on threads of their own, and the writer has one, too.
#[test]
fn law_order_holds_while_subscriptions_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Options::new().segment_bytes(32 << 10).live_events(32).open_blocking(dir.path()).unwrap();
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..6_u64 {
            let (engine, is_done) = (&engine, &is_done);
            scope.spawn(move || {
                let mut rounds = 0;
                while !is_done.load(Ordering::SeqCst) || rounds == 0 {
                    rounds += 1;
                    come_and_go(engine, number * 7 + rounds);
                }
            });
        }
        let mut whole = engine.subscribe(Start::Beginning).unwrap();
        let whole = scope.spawn(move || {
            let items = whole.iter().map(Result::unwrap);
            items
                .filter_map(
                    |item| if let FeedItem::Event(event) = item { Some(event.event.seq) } else { None },
                )
                .collect::<Vec<_>>()
        });
        for batch in 0..60 {
            let requests = (0..20).map(|_| tallybook::RecordTurn::goal(goal.id, Turn::tokens(1)).into());
            engine
                .submit_all(requests.collect::<Vec<_>>())
                .unwrap()
                .into_iter()
                .for_each(|pending| drop(pending.wait().unwrap()));
            if batch % 10 == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        is_done.store(true, Ordering::SeqCst);
        engine.shutdown(Duration::from_secs(60)).unwrap();
        assert_eq!(whole.join().unwrap(), (1..=1_201).collect::<Vec<_>>());
    });
}

/// One subscription, from somewhere, for some events.
fn come_and_go(engine: &Blocking, number: u64) {
    let seq = engine.view().seq();
    let start = match number % 4 {
        0 => Start::Now,
        1 => Start::From(seq.saturating_sub(number % 100).max(1)),
        2 => Start::after_view(&engine.view()),
        _ => Start::From(seq + 1),
    };
    let Ok(mut feed) = engine.subscribe(start) else { panic!("it opens") };
    let mut last = None;
    for _ in 0..number % 150 {
        match feed.next_timeout(Duration::from_millis(20)).unwrap() {
            Some(FeedItem::Event(event)) => {
                assert!(last.is_none_or(|last: u64| last + 1 == event.event.seq), "a gap after {last:?}");
                assert_eq!(event.cursor.seq, event.event.seq);
                last = Some(event.event.seq);
            }
            Some(FeedItem::CaughtUp(_)) => {}
            Some(other) => panic!("{other:?}"),
            None => break,
        }
    }
}

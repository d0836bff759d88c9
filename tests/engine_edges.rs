//! The engine where hosts push it: cancelled openings, full inboxes, many tasks, ends.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "it waits for threads, no longer than for so long")]

use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use tallybook::storage::SimulatedDisk;
use tallybook::{
    Blocking, CommandError, Durability, Engine, EngineStatus, ErrorKind, FeedItem, GoalId, JournalReader,
    NewGoal, Options, RecordTurn, Request, Start, Turn,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for a condition, not for a time.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        std::thread::yield_now();
    }
}

#[test]
fn an_opening_that_is_cancelled_closes_what_it_opened() {
    for polls in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let mut opening = Box::pin(Engine::open(dir.path()));
        for _ in 0..polls {
            let _ = opening.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        drop(opening);
        let engine = eventually("the lock is given up", || Blocking::open(dir.path()).ok());
        engine.create_goal(NewGoal::new("one")).unwrap();
        drop(engine);
        // The cancelled opening may have been so slow that it came after this engine: it closes what it opens, too.
        let report = eventually("the journal is closed cleanly", || {
            let report = JournalReader::verify_dir(dir.path()).unwrap();
            assert!(report.findings.is_empty(), "{report:?}");
            (report.is_clean && !report.is_live).then_some(report)
        });
        assert_eq!(report.segments, 1, "nothing had to be recovered");
    }
}

#[test]
fn turns_add_up_while_the_inbox_is_full_and_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Options::new().inbox_capacity(1).open_blocking(dir.path()).unwrap();
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    let (mut tokens, turns) = (0, 5_000);
    for n in 0..turns {
        engine.account_turn(goal.id, Turn::tokens(n).seconds(1));
        tokens += n;
    }
    let view = engine.flush_turns().unwrap();
    let goal = view.goal(goal.id).unwrap();
    assert_eq!(
        (goal.tokens_used, u128::from(goal.turns_used), u128::from(goal.seconds_used)),
        (tokens, turns, turns)
    );
    assert!(engine.pending_turns().is_empty());
    assert!(u128::from(view.seq()) < turns, "some events stand for many turns, found {} events", view.seq());
    assert_eq!(engine.health().dropped_turns, 0);
}

#[test]
fn a_turn_that_cannot_be_booked_is_counted_and_never_fails_its_caller() {
    let engine = Options::new().inline().open_storage(SimulatedDisk::new(1).process()).unwrap();
    let unknown: GoalId = "019a9f3c-5b1c-7000-8000-000000000001".parse().unwrap();
    engine.account_turn(unknown, Turn::tokens(5).turns(3));
    assert_eq!(engine.health().dropped_turns, 3);
    assert_eq!(engine.view().seq(), 0);
}

#[test]
fn turns_that_find_no_room_on_the_disk_wait_and_are_booked_once_there_is() {
    let disk = SimulatedDisk::new(2);
    let engine = Options::new().inline().open_storage(disk.process()).unwrap();
    let goal = engine.blocking().create_goal(NewGoal::new("one")).unwrap();
    disk.set_capacity(Some(disk.used()));
    let mut booked = 0;
    while engine.pending_turns().is_empty() {
        engine.account_turn(goal.id, Turn::tokens(1));
        booked += 1;
    }
    engine.account_turn(goal.id, Turn::tokens(1));
    let error = engine.blocking().flush_turns().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NoSpace);
    assert_eq!(engine.pending_turns()[&goal.id].turns, 2);
    disk.set_capacity(None);
    let view = engine.blocking().flush_turns().unwrap();
    assert_eq!(view.goal(goal.id).unwrap().turns_used, booked + 1);
    assert_eq!(engine.health().dropped_turns, 0);
}

#[test]
fn the_next_segment_is_tried_once_for_a_batch_that_finds_no_room() {
    let disk = SimulatedDisk::new(3);
    let options = Options::new().inline().segment_bytes(16 << 10);
    let engine = options.open_storage(disk.process()).unwrap().blocking();
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    disk.set_capacity(Some(disk.used()));
    let turn = |tokens: u128| Request::from(RecordTurn::goal(goal.id, Turn::tokens(tokens)));
    let answers_to = |count: u128| {
        let before = disk.operations();
        let pending = engine.submit_all((0..count).map(turn).collect()).unwrap();
        let is_without_room = |error: &CommandError| matches!(error, CommandError::Engine(error) if *error.kind() == ErrorKind::NoSpace);
        let refused = pending.into_iter().map(|pending| pending.wait().unwrap_err());
        assert!(refused.collect::<Vec<_>>().iter().all(is_without_room));
        disk.operations() - before
    };
    while engine.execute(turn(1)).is_ok() {}
    assert_eq!(answers_to(100), answers_to(1), "a hundred refusals cost the disk what one does");
    disk.set_capacity(None);
    assert!(engine.execute(turn(1)).is_ok(), "and the next batch tries again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_are_answered_each_and_their_sums_are_exact() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Options::new().inbox_capacity(16).open(dir.path()).await.unwrap();
    let goal = engine.create_goal(NewGoal::new("one").token_budget(3_000)).await.unwrap();
    let mut feed = engine.subscribe(Start::Beginning).unwrap();
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let engine = engine.clone();
            tokio::spawn(async move {
                for n in 0..8 {
                    let request =
                        Request::from(RecordTurn::goal(goal.id, Turn::tokens(10))).key(format!("{task}-{n}"));
                    let first = engine.execute(request.clone()).await.unwrap();
                    assert!(engine.view().seq() >= first.last_seq.unwrap(), "one's own write is seen");
                    let again = engine.execute(request).await.unwrap();
                    assert_eq!((again.first_seq, again.retried), (first.first_seq, true), "law EXACT");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let used = engine.view().goal(goal.id).unwrap();
    assert_eq!((used.tokens_used, used.turns_used), (64 * 8 * 10, 64 * 8));
    let last = engine.view().seq();
    engine.shutdown(PATIENCE).await.unwrap();
    let mut seqs = Vec::new();
    while let Some(item) = feed.next().await {
        if let FeedItem::Event(event) = item.unwrap() {
            seqs.push(event.event.seq);
        }
    }
    assert_eq!(seqs, (1..=last).collect::<Vec<_>>(), "law ORDER");
}

#[test]
fn at_interval_durability_everything_is_synced_before_long_and_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let interval = Durability::Interval(Duration::from_millis(5));
    let engine = Options::new().durability(interval).open_blocking(dir.path()).unwrap();
    for n in 0..20 {
        engine.create_goal(NewGoal::new("one").scope(format!("{n}"))).unwrap();
    }
    eventually("the sync of the interval", || (engine.health().durable_seq == 20).then_some(()));
    engine.create_goal(NewGoal::new("one more")).unwrap();
    engine.shutdown(PATIENCE).unwrap();
    let health = engine.health();
    assert_eq!((health.status, health.durable_seq), (EngineStatus::Closed, 21));
}

#[test]
fn a_closed_engine_says_so_and_its_state_stays_readable() {
    let engine = Options::new().inline().open_storage(SimulatedDisk::new(3).process()).unwrap().blocking();
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    engine.shutdown(PATIENCE).unwrap();
    engine.shutdown(PATIENCE).unwrap();
    let Err(CommandError::Engine(error)) = engine.create_goal(NewGoal::new("two")) else {
        panic!("not closed")
    };
    assert_eq!(*error.kind(), ErrorKind::Closed);
    assert_eq!(*engine.wait_for(2).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(engine.wait_for(1).unwrap().goal(goal.id).unwrap().id, goal.id);
    engine.account_turn(goal.id, Turn::tokens(1));
    assert_eq!(engine.health().dropped_turns, 1);
}

#[test]
fn options_out_of_range_make_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let book = dir.path().join("book");
    let window = tallybook::KeyWindow { max_age_ms: 0, max_count: 1 };
    for options in
        [Options::new().segment_bytes(1), Options::new().inbox_capacity(0), Options::new().key_window(window)]
    {
        let error = options.open_blocking(&book).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(!book.exists());
    }
}

#[test]
fn law_honest_no_host_can_make_up_a_count_of_suppressed_refusals() {
    let engine = Options::new().open_in_memory().unwrap();
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    let made_up = tallybook::event::RefusalsSuppressed {
        budget_id: tallybook::BudgetId::Goal(goal.id),
        refusal: tallybook::RefusalKind::BudgetExceeded,
        count: 1_000,
        minute: tallybook::Timestamp::UNIX_EPOCH,
    };
    let Err(CommandError::Rejected(rejection)) = engine.execute(made_up) else { panic!("not rejected") };
    assert_eq!(rejection.kind, tallybook::RejectionKind::Invalid);
    assert_eq!(engine.view().seq(), 1);
}

#[test]
fn queries_and_rejected_commands_write_nothing_to_the_disk() {
    let disk = SimulatedDisk::new(4);
    let engine = Options::new().inline().open_storage(disk.process()).unwrap().blocking();
    let operations = disk.operations();
    engine.settled_view().unwrap();
    engine.create_goal(NewGoal::new(" ")).unwrap_err();
    assert_eq!(disk.operations(), operations);
}

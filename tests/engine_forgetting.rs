//! Goals that ended and budgets that closed leave the engine's memory after a while, and stay in history.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "common/threads.rs"]
mod threads;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tallybook::domain::Forget;
use tallybook::storage::{SimulatedDisk, Storage};
use tallybook::{
    Blocking, CloseBudget, CommandError, Durability, ErrorKind, Goal, GoalId, JournalReader, KeyWindow,
    ManualClock, NewBudget, NewGoal, Options, Payload, RejectionKind, Request, Spend, SpendQuery, StateAt,
    Timestamp, Turn,
};
use threads::eventually;

const HOUR: Duration = Duration::from_secs(60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

fn clock() -> ManualClock {
    ManualClock::new(Timestamp::parse("2026-01-05T09:00:00Z").unwrap())
}

/// Keys are remembered for an hour, and what ended for a week.
fn options(clock: &ManualClock) -> Options {
    let window = KeyWindow { max_age_ms: 3_600_000, ..KeyWindow::DEFAULT };
    Options::new().clock(clock.clone()).key_window(window).forget_after(WEEK)
}

/// An engine without a thread.
fn inline(disk: &SimulatedDisk, clock: &ManualClock) -> Blocking {
    options(clock).inline().open_storage(disk.process()).unwrap().blocking()
}

fn reader(disk: &SimulatedDisk) -> JournalReader {
    let storage: Arc<dyn Storage> = disk.process();
    JournalReader::with_storage(storage).unwrap()
}

fn kinds(disk: &SimulatedDisk) -> BTreeMap<String, u64> {
    reader(disk).statistics().unwrap().events_by_kind
}

/// A goal in a scope of its own that has ended.
fn ended(engine: &Blocking, number: usize) -> Goal {
    let goal = engine.create_goal(NewGoal::new("t").scope(format!("scope {number}"))).unwrap();
    engine.complete_goal(goal.id).unwrap()
}

fn kind_of<T: std::fmt::Debug>(answer: Result<T, CommandError>) -> RejectionKind {
    match answer {
        Err(CommandError::Rejected(rejection)) => rejection.kind,
        answer => panic!("expected a rejection, found {answer:?}"),
    }
}

#[test]
fn what_ended_is_forgotten_by_a_tick_and_stays_in_history() {
    let (disk, clock) = (SimulatedDisk::new(1), clock());
    let engine = inline(&disk, &clock);
    engine.allocate(NewBudget::new("money").limit(100)).unwrap();
    engine.record_spend("money", Spend::of(7).id("s")).unwrap();
    engine.close_budget(CloseBudget::new("money")).unwrap();
    let goal = ended(&engine, 1);
    let open = engine.create_goal(NewGoal::new("stays")).unwrap();
    clock.advance(WEEK);
    engine.settled_view().unwrap();
    assert_eq!(engine.view().goal_count(), 2, "not yet");
    let before = engine.view().seq();
    clock.advance(Duration::from_secs(1));
    engine.settled_view().unwrap();
    let view = engine.settled_view().unwrap();
    assert_eq!((view.goal_count(), view.budgets().count()), (1, 1));
    assert_eq!(view.seq(), before + 1, "one event for both");
    assert_eq!(view.goal(open.id).unwrap().id, open.id);
    assert_eq!(kind_of(engine.record_turn(goal.id, Turn::tokens(1))), RejectionKind::Forgotten);
    assert_eq!(kind_of(engine.burn_rate(goal.id, None)), RejectionKind::Forgotten);
    assert_eq!(kind_of(engine.check(goal.id, 1)), RejectionKind::Forgotten);
    assert_eq!(kind_of(engine.check("money", 1)), RejectionKind::NotFound);
    let entries = SpendQuery { budget_id: Some("money".into()), ..SpendQuery::default() };
    assert_eq!(engine.list_spends(&entries).unwrap()[0].amount, 7, "its entries are in the journal");
    let head = engine.view().head();
    engine.shutdown(HOUR).unwrap();

    let then = reader(&disk).state(StateAt::Seq(before)).unwrap();
    assert_eq!(then.goal(goal.id).unwrap(), goal, "as of then it is there");
    assert_eq!(kinds(&disk)["ended_forgotten"], 1);
    let again = inline(&disk, &clock);
    assert_eq!(again.view().head().state_hash, head.state_hash);
    assert!(again.view().is_goal_forgotten(goal.id));
}

#[test]
fn unless_it_is_asked_for_nothing_is_ever_forgotten() {
    let (disk, clock) = (SimulatedDisk::new(1), clock());
    let engine =
        Options::new().inline().clock(clock.clone()).open_storage(disk.process()).unwrap().blocking();
    let goal = ended(&engine, 1);
    clock.advance(100 * WEEK);
    engine.settled_view().unwrap();
    assert!(engine.settled_view().unwrap().goal(goal.id).is_some());
    drop(engine);
    // By an engine that does it is, at its opening.
    let engine = options(&clock).open_storage(disk.process()).unwrap().blocking();
    eventually("the forgetting", || engine.view().goal(goal.id).is_none().then_some(()));
}

#[test]
fn many_are_forgotten_in_frames_of_a_bounded_size() {
    let (disk, clock) = (SimulatedDisk::new(1), clock());
    let engine = inline(&disk, &clock);
    for number in 0..600 {
        ended(&engine, number);
    }
    clock.advance(2 * WEEK);
    let mut sizes = Vec::new();
    for _ in 0..5 {
        let before = engine.view().goal_count();
        engine.settled_view().unwrap();
        sizes.push(before - engine.view().goal_count());
    }
    assert_eq!(sizes, [256, 256, 88, 0, 0]);
    let mut events = reader(&disk).events(1).unwrap();
    let mut forgotten = Vec::new();
    while let Some(event) = events.next().unwrap() {
        if let Payload::EndedForgotten(ended) = event.decode().unwrap().payload {
            forgotten.push(ended.goals.len());
        }
    }
    assert_eq!(forgotten, [256, 256, 88]);
}

#[test]
fn what_ends_one_after_the_other_is_forgotten_together() {
    let (disk, clock) = (SimulatedDisk::new(1), clock());
    let engine = inline(&disk, &clock);
    let mut frames = 0;
    for number in 0..100 {
        ended(&engine, number);
        clock.advance(Duration::from_millis(20));
    }
    clock.advance(WEEK - Duration::from_secs(2));
    for _ in 0..400 {
        clock.advance(Duration::from_millis(10));
        let seq = engine.view().seq();
        engine.settled_view().unwrap();
        frames += engine.view().seq() - seq;
    }
    assert_eq!(engine.view().goal_count(), 0);
    assert!(frames <= 4, "{frames} frames in 4 seconds");
}

#[test]
fn the_writer_sees_to_it_by_itself() {
    let clock = clock();
    let engine = options(&clock).open_in_memory().unwrap();
    let goal = ended(&engine, 1);
    clock.advance(WEEK + HOUR);
    // Any call lets it look at the clock; without one it does so now and then.
    engine.settled_view().unwrap();
    eventually("the forgetting", || engine.view().goal(goal.id).is_none().then_some(()));
}

#[test]
fn it_comes_with_the_time_of_the_system() {
    let window = KeyWindow { max_age_ms: 1, ..KeyWindow::DEFAULT };
    let options = Options::new().key_window(window).forget_after(Duration::from_millis(1));
    let engine = options.open_in_memory().unwrap();
    let goal = ended(&engine, 1);
    eventually("the forgetting, though nobody asks", || engine.view().goal(goal.id).is_none().then_some(()));
}

#[test]
fn a_late_turn_for_which_nobody_waits_is_counted_when_its_goal_is_gone() {
    let (disk, clock) = (SimulatedDisk::new(1), clock());
    let engine = inline(&disk, &clock);
    engine.create_goal(NewGoal::new("t")).unwrap();
    let turn = engine.begin_turn("").unwrap();
    engine.complete_goal(turn.goal_id()).unwrap();
    clock.advance(2 * WEEK);
    engine.settled_view().unwrap();
    turn.account(Turn::tokens(5));
    engine.flush_turns().unwrap();
    assert_eq!(engine.health().dropped_turns, 1);
}

#[test]
fn a_key_that_is_remembered_answers_as_long_as_it_is() {
    let (disk, clock) = (SimulatedDisk::new(1), clock());
    let engine = options(&clock).forget_after(HOUR).inline().open_storage(disk.process()).unwrap().blocking();
    let goal = ended(&engine, 1);
    clock.advance(HOUR / 2);
    // A late turn puts it off, and its key with it.
    let late = || Request::new(tallybook::RecordTurn::goal(goal.id, Turn::tokens(5))).key("late");
    engine.execute(late()).unwrap();
    clock.advance(HOUR);
    let retried = engine.execute(late()).unwrap();
    assert!(retried.retried && retried.result.into_goal().is_some());
    clock.advance(Duration::from_secs(1));
    engine.settled_view().unwrap();
    assert_eq!(kind_of(engine.execute(late())), RejectionKind::Forgotten);
    assert_eq!(engine.view().remembered_key_count(), 0);
}

#[test]
fn suppressed_refusals_of_a_budget_that_is_forgotten_meanwhile_are_still_told() {
    let (disk, clock) = (SimulatedDisk::new(1), clock());
    let engine = inline(&disk, &clock);
    engine.allocate(NewBudget::new("shut").limit(5)).unwrap();
    engine.close_budget(CloseBudget::new("shut")).unwrap();
    clock.advance(WEEK);
    for _ in 0..20 {
        engine.record_spend("shut", Spend::of(1)).unwrap_err();
    }
    clock.advance(Duration::from_secs(2));
    engine.settled_view().unwrap();
    assert_eq!(engine.view().budgets().count(), 0);
    clock.advance(HOUR);
    engine.settled_view().unwrap();
    let kinds = kinds(&disk);
    assert_eq!((kinds["command_refused"], kinds["refusals_suppressed"]), (16, 1));
}

#[test]
fn a_full_disk_puts_it_off_and_halts_nobody() {
    let (disk, clock) = (SimulatedDisk::new(1), clock());
    let engine =
        options(&clock).segment_bytes(8_192).inline().open_storage(disk.process()).unwrap().blocking();
    for number in 0..300 {
        ended(&engine, number);
    }
    clock.advance(2 * WEEK);
    disk.set_capacity(Some(0));
    for _ in 0..3 {
        engine.settled_view().unwrap();
    }
    assert!(engine.view().goal_count() > 0, "there is room for no frame of that size");
    disk.set_capacity(None);
    for _ in 0..3 {
        engine.settled_view().unwrap();
    }
    assert_eq!(engine.view().goal_count(), 0);
}

#[test]
fn at_interval_durability_it_is_the_same() {
    let (disk, clock) = (SimulatedDisk::new(1), clock());
    let durability = Durability::Interval(Duration::from_millis(5));
    let engine = options(&clock).durability(durability).open_storage(disk.process()).unwrap().blocking();
    let goal = ended(&engine, 1);
    clock.advance(2 * WEEK);
    engine.settled_view().unwrap();
    eventually("the forgetting", || engine.view().goal(goal.id).is_none().then_some(()));
    engine.shutdown(HOUR).unwrap();
    assert_eq!(kinds(&disk)["ended_forgotten"], 1);
}

#[test]
fn an_age_of_nothing_is_out_of_range_and_one_for_ever_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let book = dir.path().join("book");
    for age in [Duration::ZERO, Duration::from_micros(999)] {
        let error = Options::new().forget_after(age).open_blocking(&book).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(!book.exists());
    }
    let (disk, clock) = (SimulatedDisk::new(1), ManualClock::new(Timestamp::MIN));
    let engine =
        options(&clock).forget_after(Duration::MAX).inline().open_storage(disk.process()).unwrap().blocking();
    ended(&engine, 1);
    clock.set(Timestamp::MAX);
    engine.settled_view().unwrap();
    assert_eq!(engine.settled_view().unwrap().goal_count(), 1);
}

/// By the latest time that there is, nothing is due for ever and never done.
#[test]
fn the_end_of_time_is_no_reason_to_hurry() {
    let (disk, clock) = (SimulatedDisk::new(1), ManualClock::new(Timestamp::MAX));
    let engine = options(&clock).open_storage(disk.process()).unwrap().blocking();
    let goal = ended(&engine, 1);
    engine.settled_view().unwrap();
    assert!(engine.settled_view().unwrap().goal(goal.id).is_some());
    engine.shutdown(HOUR).unwrap();
    assert_eq!(kinds(&disk).get("ended_forgotten"), None);
}

#[test]
fn law_honest_no_host_can_have_anything_forgotten() {
    let engine = Options::new().open_in_memory().unwrap();
    ended(&engine, 1);
    let forget = Forget { age: Duration::ZERO, max_entities: 1 };
    assert_eq!(kind_of(engine.execute(forget)), RejectionKind::Invalid);
}

#[test]
fn a_tree_under_load_is_forgotten_whole() {
    let clock = clock();
    let engine = options(&clock).open_in_memory().unwrap();
    let root = engine.create_goal(NewGoal::new("root")).unwrap();
    let children: Vec<GoalId> =
        (0..20).map(|_| engine.create_goal(NewGoal::new("child").parent(root.id)).unwrap().id).collect();
    engine.complete_goal(root.id).unwrap();
    clock.advance(2 * WEEK);
    for number in 0..50 {
        engine.create_goal(NewGoal::new("other").scope(format!("other {number}"))).unwrap();
    }
    let view = engine.settled_view().unwrap();
    assert_eq!(view.goal_count(), 50);
    assert!(children.iter().all(|id| view.is_goal_forgotten(*id)));
}

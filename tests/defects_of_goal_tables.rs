//! Where the goal tables that hosts write today fail, and what is so here instead.
#![allow(clippy::unwrap_used, reason = "a test")]

use tallybook::event::TransitionReason;
use tallybook::storage::SimulatedDisk;
use tallybook::{
    Blocking, CommandError, ErrorKind, Goal, GoalStatus, NewGoal, Options, RejectionKind, SetGoalBudget,
    TransitionGoal, Turn,
};

fn engine() -> Blocking {
    Options::new().inline().open_storage(SimulatedDisk::new(1).process()).unwrap().blocking()
}

fn refused(result: Result<Goal, CommandError>) -> tallybook::Refusal {
    match result.unwrap_err() {
        CommandError::Refused(refusal) => *refusal,
        other => panic!("expected a refusal, found {other}"),
    }
}

/// There: after the automatic pause later tokens are dropped.
#[test]
fn tokens_that_arrive_after_the_automatic_pause_are_booked_as_late() {
    let engine = engine();
    let goal = engine.create_goal(NewGoal::new("one").token_budget(100)).unwrap();
    let paused = engine.record_turn(goal.id, Turn::tokens(100)).unwrap();
    assert_eq!(
        (paused.status, paused.pause_reason),
        (GoalStatus::Paused, Some(TransitionReason::BudgetExhausted))
    );
    let late = engine.record_turn(goal.id, Turn::tokens(40)).unwrap();
    assert_eq!((late.tokens_used, late.turns_used, late.status), (140, 2, GoalStatus::Paused));
    engine.transition_goal(TransitionGoal::new(goal.id, GoalStatus::Cleared)).unwrap();
    assert_eq!(engine.record_turn(goal.id, Turn::tokens(2)).unwrap().tokens_used, 142);
}

/// There: a turn that ends after the pause finds no active goal, and its tokens are lost.
#[test]
fn a_turn_that_began_before_a_pause_is_booked_on_its_goal() {
    let engine = engine();
    let first = engine.create_goal(NewGoal::new("one")).unwrap();
    let turn = engine.engine().begin_turn("").unwrap();
    let second = engine.create_goal(NewGoal::new("two")).unwrap();
    assert_eq!(turn.goal_id(), first.id);
    turn.account(Turn::tokens(70));
    let view = engine.flush_turns().unwrap();
    assert_eq!(view.goal(first.id).unwrap().tokens_used, 70);
    assert_eq!(view.goal(second.id).unwrap().tokens_used, 0);
}

/// There: charging a turn moves the timestamp that guards transitions, so users' updates go stale.
#[test]
fn charging_turns_does_not_make_a_compare_and_set_stale() {
    let engine = engine();
    let goal = engine.create_goal(NewGoal::new("one")).unwrap();
    for _ in 0..10 {
        engine.record_turn(goal.id, Turn::tokens(5)).unwrap();
    }
    let pause = TransitionGoal::new(goal.id, GoalStatus::Paused).expected_revision(goal.revision);
    let paused = engine.transition_goal(pause.clone()).unwrap();
    assert_eq!(paused.revision, goal.revision + 1);
    engine.transition_goal(TransitionGoal::new(goal.id, GoalStatus::Active)).unwrap();
    let Err(CommandError::Rejected(stale)) = engine.transition_goal(pause) else { panic!("not stale") };
    assert_eq!((stale.kind, stale.goal.unwrap().revision), (RejectionKind::Stale, goal.revision + 2));
}

/// There: a goal over its budget can be resumed, and runs on.
#[test]
fn a_goal_over_its_budget_is_not_resumed_until_the_budget_is_raised() {
    let engine = engine();
    let goal = engine.create_goal(NewGoal::new("one").token_budget(100)).unwrap();
    engine.record_turn(goal.id, Turn::tokens(150)).unwrap();
    let refusal = refused(engine.transition_goal(TransitionGoal::new(goal.id, GoalStatus::Active)));
    assert_eq!(refusal.budget_id.to_string(), format!("goal:{}", goal.id));
    assert_eq!((refusal.limit, refusal.spent), (Some(100), 150));
    assert!(refusal.seq.is_some(), "law HONEST: the refusal is an event");
    refused(engine.set_goal_budget(SetGoalBudget::new(goal.id, Some(150)).resume()));
    assert_eq!(engine.view().goal(goal.id).unwrap().token_budget, Some(100), "refused whole");
    let resumed = engine.set_goal_budget(SetGoalBudget::new(goal.id, Some(151)).resume()).unwrap();
    assert_eq!((resumed.status, resumed.tokens_used), (GoalStatus::Active, 150), "counters kept");
}

/// There: resuming a second goal is a raw database error.
#[test]
fn resuming_a_second_goal_pauses_the_first_in_the_same_frame() {
    let engine = engine();
    let first = engine.create_goal(NewGoal::new("one")).unwrap();
    let second = engine.create_goal(NewGoal::new("two")).unwrap();
    let receipt = engine.execute(TransitionGoal::new(first.id, GoalStatus::Active)).unwrap();
    let view = engine.view();
    assert_eq!(view.active_goal("").unwrap().id, first.id);
    let superseded = view.goal(second.id).unwrap();
    assert_eq!(
        (superseded.status, superseded.pause_reason),
        (GoalStatus::Paused, Some(TransitionReason::Superseded))
    );
    assert_eq!(receipt.last_seq.unwrap() - receipt.first_seq.unwrap(), 1, "two events, one command");
}

/// There: an unknown status reads as active. Here it is not even a journal that opens.
#[test]
fn an_unknown_status_is_refused_by_name() {
    let line = br#"{"seq":9,"ts":"2026-11-21T01:15:14.000000Z","kind":"goal_transitioned","data":{"goal_id":"019a9f3c-5b1c-7000-8000-000000000001","from":"active","to":"archived","reason":"requested","revision":2,"by_goal":null,"budget_id":null,"note":null}}"#;
    let error = tallybook::event::decode_event(line).unwrap_err().to_string();
    assert!(error.contains("seq 9") && error.contains("archived"), "{error}");
}

/// There: the table and the counter beside it disagree after a crash. Here usage is one number, of the goal's budget.
#[test]
fn a_goals_usage_is_its_budgets_spent() {
    let engine = engine();
    let parent = engine.create_goal(NewGoal::new("one").token_budget(1_000)).unwrap();
    let child = engine.create_goal(NewGoal::new("two").parent(parent.id)).unwrap();
    engine.record_turn(child.id, Turn::tokens(300)).unwrap();
    engine.record_turn(parent.id, Turn::tokens(11)).unwrap();
    let view = engine.view();
    let (used, own) = view.goal(parent.id).map(|goal| (goal.tokens_used, goal.tokens_own)).unwrap();
    let budget = format!("goal:{}", parent.id).parse().unwrap();
    assert_eq!((used, own, view.budget(&budget).unwrap().spent), (311, 11, 311));
}

/// There: two windows of a host write the same table. Here the second writer is told who the first is.
#[test]
fn a_second_writer_is_told_who_holds_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Blocking::open(dir.path()).unwrap();
    let error = Blocking::open(dir.path()).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains(&format!("\"pid\":{}", std::process::id())), "{error}");
}

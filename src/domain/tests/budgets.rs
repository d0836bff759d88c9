//! Limits: exhaustion, what it pauses, and how it is lifted.

use super::harness::{ACTIVE, Answer, Book, child, goal, goal_budget, id, paused};
use crate::domain::{RecordTurn, RejectionKind, SetGoalBudget, TransitionGoal, Turn, UNIT_TOKENS};
use crate::event::{GoalStatus, Payload, TransitionReason};

const EXHAUSTED: TransitionReason = TransitionReason::BudgetExhausted;

#[test]
fn the_usage_of_a_goal_is_a_budget_that_hangs_under_its_parents() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.create(child(2, 1));
    book.turn(1, 30);
    book.turn(2, 12);
    let (top, sub) = (book.budget(1), book.budget(2));
    assert_eq!((top.spent, top.remaining(), top.overage()), (42, Some(58), 0));
    assert_eq!((sub.spent, sub.limit(), sub.parent.clone()), (12, None, Some(goal_budget(1))));
    assert_eq!(&*sub.unit, UNIT_TOKENS);
    let goal = book.goal(1);
    assert_eq!((goal.tokens_used, goal.tokens_own, goal.token_budget), (42, 30, Some(100)));
}

#[test]
fn reaching_the_limit_exactly_exhausts_the_budget_and_pauses_the_goal_in_the_same_frame() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.turn(1, 99);
    assert_eq!(book.status(1), ACTIVE);
    book.turn(1, 1);
    let expected = ["1 turn 1", "budget 1 exhausted", "1 paused budget_exhausted by budget 1"];
    assert_eq!(book.last_frame(), expected);
    assert_eq!(book.status(1), paused(EXHAUSTED));
}

#[test]
fn a_turn_past_the_limit_is_booked_in_full_and_what_passes_is_typed_as_overage() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.turn(1, 130);
    assert_eq!(book.last_overage(), [(goal_budget(1), 30)]);
    book.turn(1, 5);
    assert_eq!(book.last_frame(), ["1 turn 5 late"], "a threshold crossed is told once");
    assert_eq!(book.last_overage(), [(goal_budget(1), 5)]);
    let budget = book.budget(1);
    assert_eq!((budget.spent, budget.overage(), budget.remaining()), (135, 35, Some(0)));
}

#[test]
fn exhaustion_pauses_every_active_goal_below_in_that_frame_lowest_first() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.create(child(2, 1));
    book.create(child(3, 2));
    book.create(child(4, 1));
    book.transition(4, GoalStatus::Paused);
    book.turn(3, 100);
    let by = "paused budget_exhausted by budget 1";
    let expected = [
        "3 turn 100".to_owned(),
        "budget 1 exhausted".to_owned(),
        format!("3 {by}"),
        format!("2 {by}"),
        format!("1 {by}"),
    ];
    assert_eq!(book.last_frame(), expected);
    assert_eq!(book.status(4), paused(TransitionReason::Requested), "what is paused already is left alone");
}

#[test]
fn one_turn_can_exhaust_several_budgets_its_own_first() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(50));
    book.create(child(2, 1).token_budget(20));
    book.create(child(3, 1));
    book.turn(2, 60);
    let expected = [
        "2 turn 60",
        "budget 2 exhausted",
        "2 paused budget_exhausted by budget 2",
        "budget 1 exhausted",
        "3 paused budget_exhausted by budget 1",
        "1 paused budget_exhausted by budget 1",
    ];
    assert_eq!(book.last_frame(), expected);
    assert_eq!(book.last_overage(), [(goal_budget(2), 40), (goal_budget(1), 10)]);
}

#[test]
fn a_child_over_its_own_limit_leaves_its_parent_active() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.create(child(2, 1).token_budget(10));
    book.turn(2, 10);
    assert_eq!((book.status(1), book.status(2)), (ACTIVE, paused(EXHAUSTED)));
}

#[test]
fn a_goal_over_its_budget_cannot_be_resumed_and_the_refusal_has_the_figures() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.turn(1, 130);
    let refusal = book.refused(TransitionGoal::new(id(1), GoalStatus::Active));
    assert_eq!(refusal.budget_id, goal_budget(1));
    assert_eq!((refusal.limit, refusal.spent, refusal.reserved, refusal.amount), (Some(100), 130, 0, 0));
    assert_eq!(refusal.seq, Some(book.seq));
    assert_eq!(book.last_frame(), ["transition_goal refused by budget 1"]);
    assert_eq!(book.status(1), paused(EXHAUSTED));
}

#[test]
fn creating_or_resuming_under_an_exhausted_budget_is_refused_with_that_budget() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.create(child(2, 1));
    book.turn(2, 100);
    assert_eq!(book.refused(child(3, 2)).budget_id, goal_budget(1));
    assert_eq!(book.refused(TransitionGoal::new(id(2), GoalStatus::Active)).budget_id, goal_budget(1));
    let Some(Payload::CommandRefused(refused)) = book.events.last().map(|event| event.payload.clone()) else {
        panic!("expected a refusal");
    };
    assert_eq!((&*refused.op, refused.goal_id), ("transition_goal", Some(id(2))));
}

#[test]
fn raising_the_limit_and_resuming_is_one_command_and_keeps_the_counters() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.turn(1, 130);
    book.done(SetGoalBudget::new(id(1), Some(500)).resume());
    assert_eq!(book.last_frame(), ["1 budget set", "1 active requested"]);
    let goal = book.goal(1);
    assert_eq!((goal.status, goal.tokens_used, goal.token_budget), (GoalStatus::Active, 130, Some(500)));
    assert!(!book.budget(1).is_exhausted());
}

#[test]
fn a_raise_that_is_not_enough_to_resume_changes_nothing_but_the_refusal() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.turn(1, 130);
    let refusal = book.refused(SetGoalBudget::new(id(1), Some(130)).resume());
    assert_eq!((refusal.limit, refusal.spent), (Some(130), 130));
    assert_eq!(book.budget(1).limit(), Some(100));
    assert_eq!(book.last_frame(), ["set_goal_budget refused by budget 1"]);
}

#[test]
fn raising_a_child_under_an_exhausted_parent_and_resuming_it_is_refused_by_the_parents_budget() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.create(child(2, 1).token_budget(100));
    book.turn(2, 100);
    assert_eq!(book.refused(SetGoalBudget::new(id(2), None).resume()).budget_id, goal_budget(1));
    assert_eq!(book.budget(2).limit(), Some(100));
}

#[test]
fn resuming_by_budget_under_a_paused_parent_is_an_invalid_transition() {
    let mut book = Book::new();
    book.create(goal(1));
    book.create(child(2, 1).token_budget(10));
    book.transition(1, GoalStatus::Paused);
    let rejection = book.rejected(SetGoalBudget::new(id(2), Some(20)).resume());
    assert_eq!(rejection.kind, RejectionKind::InvalidTransition);
    assert_eq!(book.budget(2).limit(), Some(10));
}

#[test]
fn resume_of_an_active_goal_only_sets_the_limit() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(10));
    book.done(SetGoalBudget::new(id(1), Some(20)).resume());
    assert_eq!(book.last_frame(), ["1 budget set"]);
}

#[test]
fn lowering_the_limit_to_what_is_spent_exhausts_it_and_pauses_all_below() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.create(child(2, 1));
    book.turn(1, 40);
    book.set_budget(1, 40);
    let expected = [
        "1 budget set",
        "budget 1 exhausted",
        "2 paused budget_exhausted by budget 1",
        "1 paused budget_exhausted by budget 1",
    ];
    assert_eq!(book.last_frame(), expected);
    book.set_budget(1, 30);
    assert_eq!(book.last_frame(), ["1 budget set"], "it was exhausted before");
    book.set_budget(1, 41);
    assert_eq!(book.status(1), paused(EXHAUSTED), "a raise alone resumes nothing");
    book.turn(1, 1);
    assert_eq!(book.last_frame(), ["1 turn 1 late", "budget 1 exhausted"], "a raise arms it again");
}

#[test]
fn a_removed_limit_only_counts() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(10));
    book.turn(1, 10);
    book.done(SetGoalBudget::new(id(1), None).resume());
    book.turn(1, 1_000_000);
    let budget = book.budget(1);
    assert_eq!((budget.spent, budget.remaining(), budget.overage()), (1_000_010, None, 0));
    assert_eq!(book.status(1), ACTIVE);
}

#[test]
fn a_limit_of_zero_is_invalid_and_an_ended_goal_has_none_to_set() {
    let mut book = Book::new();
    assert_eq!(book.rejected(goal(1).token_budget(0)).kind, RejectionKind::Invalid);
    book.create(goal(1));
    assert_eq!(book.rejected(SetGoalBudget::new(id(1), Some(0))).kind, RejectionKind::Invalid);
    assert_eq!(book.rejected(SetGoalBudget::new(id(2), Some(1))).kind, RejectionKind::NotFound);
    book.transition(1, GoalStatus::Cleared);
    assert_eq!(book.rejected(SetGoalBudget::new(id(1), Some(1))).kind, RejectionKind::InvalidTransition);
}

#[test]
fn figures_are_exact_up_to_the_largest_amount() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(u128::MAX));
    book.create(child(2, 1));
    book.turn(2, u128::MAX - 1);
    assert_eq!((book.budget(1).remaining(), book.status(1)), (Some(1), ACTIVE));
    book.turn(1, 1);
    assert_eq!((book.budget(1).overage(), book.status(1)), (0, paused(EXHAUSTED)));
    let rejection = book.rejected(RecordTurn::goal(id(2), Turn::tokens(1)));
    assert_eq!(
        rejection.kind,
        RejectionKind::Invalid,
        "law EXACT: a sum is checked at every budget of the path"
    );
    assert!(rejection.message.contains(&goal_budget(1).to_string()), "{}", rejection.message);
    assert!(matches!(book.apply(RecordTurn::goal(id(2), Turn::tokens(0))), Answer::Done(_)));
}

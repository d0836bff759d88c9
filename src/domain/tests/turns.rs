//! Booking turns.

use super::harness::{Answer, Book, child, goal, goal_budget, id};
use crate::domain::{Outcome, RecordTurn, RejectionKind, Turn};
use crate::event::{GoalStatus, Payload};
use crate::ids::BudgetId;

#[test]
fn turns_seconds_and_own_tokens_are_the_goals_own_and_tokens_used_includes_those_below() {
    let mut book = Book::new();
    book.create(goal(1));
    book.create(child(2, 1));
    book.create(child(3, 2));
    book.done(RecordTurn::goal(id(1), Turn::tokens(1).seconds(10)));
    book.done(RecordTurn::goal(id(2), Turn::tokens(20).seconds(5)));
    book.done(RecordTurn::goal(id(3), Turn::tokens(300).seconds(2).turns(4)));
    let figures = [1, 2, 3].map(|number| {
        let goal = book.goal(number);
        (goal.tokens_used, goal.tokens_own, goal.turns_used, goal.seconds_used)
    });
    assert_eq!(figures, [(321, 1, 1, 10), (320, 20, 1, 5), (300, 300, 4, 2)]);
}

#[test]
fn a_turn_of_a_scope_is_booked_on_its_active_goal() {
    let mut book = Book::new();
    book.create(goal(1).scope("s"));
    let booked = book.done(RecordTurn::scope("s", Turn::tokens(7)));
    assert_eq!((booked, book.goal(1).tokens_used), (id(1), 7));
}

#[test]
fn without_an_active_goal_nothing_is_written() {
    let mut book = Book::new();
    book.create(goal(1).scope("s"));
    book.transition(1, GoalStatus::Paused);
    let events = book.events.len();
    assert_eq!(book.apply(RecordTurn::scope("s", Turn::tokens(7))), Answer::Unchanged(Outcome::Nothing));
    assert_eq!(book.events.len(), events);
}

#[test]
fn usage_after_the_pause_or_the_end_is_booked_as_late_and_never_dropped() {
    let mut book = Book::new();
    book.create(goal(1));
    book.create(child(2, 1).token_budget(10));
    book.turn(2, 10);
    book.turn(2, 3);
    assert_eq!(book.last_frame(), ["2 turn 3 late"]);
    book.transition(1, GoalStatus::Completed);
    book.turn(2, 4);
    assert_eq!(book.last_frame(), ["2 turn 4 late"]);
    assert_eq!((book.goal(1).tokens_used, book.goal(2).tokens_used), (17, 17));
}

#[test]
fn a_late_turn_can_exhaust_the_budgets_above() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.create(child(2, 1));
    book.create(child(3, 1));
    book.transition(2, GoalStatus::Completed);
    book.turn(2, 100);
    let expected = [
        "2 turn 100 late",
        "budget 1 exhausted",
        "3 paused budget_exhausted by budget 1",
        "1 paused budget_exhausted by budget 1",
    ];
    assert_eq!(book.last_frame(), expected);
}

#[test]
fn the_budget_of_an_ended_goal_still_tells_of_its_exhaustion() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(10));
    book.transition(1, GoalStatus::Cleared);
    book.turn(1, 11);
    assert_eq!(book.last_frame(), ["1 turn 11 late", "budget 1 exhausted"]);
}

#[test]
fn a_turn_of_no_tokens_is_a_turn() {
    let mut book = Book::new();
    book.create(goal(1));
    book.turn(1, 0);
    assert_eq!((book.goal(1).turns_used, book.goal(1).tokens_used), (1, 0));
}

#[test]
fn a_turn_on_no_goal_and_a_turn_of_no_turns_are_rejected() {
    let mut book = Book::new();
    assert_eq!(book.rejected(RecordTurn::goal(id(1), Turn::tokens(1))).kind, RejectionKind::NotFound);
    book.create(goal(1));
    assert_eq!(book.rejected(RecordTurn::goal(id(1), Turn::tokens(1).turns(0))).kind, RejectionKind::Invalid);
}

#[test]
fn counters_are_checked_before_they_pass_their_bounds() {
    let mut book = Book::new();
    book.create(goal(1));
    book.done(RecordTurn::goal(id(1), Turn::tokens(0).turns(u64::MAX).seconds(u64::MAX - 1)));
    let turns = book.rejected(RecordTurn::goal(id(1), Turn::tokens(0)));
    assert!(turns.kind == RejectionKind::Invalid && turns.message.contains("turns"), "{}", turns.message);
    book.create(goal(2));
    book.done(RecordTurn::goal(id(2), Turn::tokens(0).seconds(u64::MAX)));
    let seconds = book.rejected(RecordTurn::goal(id(2), Turn::tokens(0).seconds(1)));
    assert!(seconds.kind == RejectionKind::Invalid && seconds.message.contains("seconds"));
}

#[test]
fn a_charge_names_a_budget_that_exists_and_is_not_a_goals() {
    let mut book = Book::new();
    book.create(goal(1));
    let charge = |budget| RecordTurn::goal(id(1), Turn::tokens(1).charge(budget, 5));
    assert_eq!(book.rejected(charge(BudgetId::Named("money".into()))).kind, RejectionKind::NotFound);
    assert_eq!(book.rejected(charge(goal_budget(1))).kind, RejectionKind::Invalid);
}

#[test]
fn the_event_of_a_turn_says_all_that_was_decided() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(10));
    book.done(RecordTurn::goal(id(1), Turn::tokens(12).seconds(3).turns(2)));
    let Payload::TurnRecorded(turn) = &book.events[1].payload else { panic!("expected a turn") };
    assert_eq!((turn.tokens, turn.turns, turn.seconds, turn.late), (12, 2, 3, false));
    let exhausted = book.last_payloads().find_map(|payload| match payload {
        Payload::BudgetExhausted(exhausted) => Some(exhausted),
        _ => None,
    });
    let exhausted = exhausted.expect("exhaustion");
    assert_eq!((exhausted.limit, exhausted.spent, exhausted.overage), (10, 12, 2));
}

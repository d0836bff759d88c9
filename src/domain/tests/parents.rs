//! Goals under goals: what a pause, a resumption or an end does to those below.

use super::harness::{ACTIVE, Answer, Book, child, goal, id, paused};
use crate::domain::{RejectionKind, TransitionGoal};
use crate::event::{GoalStatus, TransitionReason};

/// 1 over 2 over 3, and 4 beside 2.
fn family() -> Book {
    let mut book = Book::new();
    book.create(goal(1));
    book.create(child(2, 1));
    book.create(child(3, 2));
    book.create(child(4, 1));
    book
}

#[test]
fn pausing_a_parent_pauses_the_active_goals_below_it_lowest_first() {
    let mut book = family();
    book.transition(4, GoalStatus::Paused);
    book.transition(1, GoalStatus::Paused);
    assert_eq!(book.last_frame(), ["3 paused parent by 2", "2 paused parent by 1", "1 paused requested"]);
    assert_eq!(book.status(4), paused(TransitionReason::Requested));
}

#[test]
fn resuming_a_parent_resumes_what_was_paused_with_it_and_nothing_else() {
    let mut book = family();
    book.transition(4, GoalStatus::Paused);
    book.transition(1, GoalStatus::Paused);
    book.transition(1, GoalStatus::Active);
    assert_eq!(book.last_frame(), ["1 active requested", "2 active parent by 1", "3 active parent by 2"]);
    assert_eq!(book.status(4), paused(TransitionReason::Requested));
}

#[test]
fn a_child_whose_scope_has_another_active_goal_stays_paused_with_all_below_it() {
    let mut book = family();
    book.transition(1, GoalStatus::Paused);
    book.create(goal(5).scope("scope 2"));
    book.transition(1, GoalStatus::Active);
    assert_eq!(book.last_frame(), ["1 active requested", "4 active parent by 1"]);
    assert_eq!((book.status(2), book.status(5)), (paused(TransitionReason::Parent), ACTIVE));
    assert_eq!(book.status(3), paused(TransitionReason::Parent));
}

#[test]
fn a_child_whose_budget_is_exhausted_by_late_turns_stays_paused() {
    let mut book = Book::new();
    book.create(goal(1));
    book.create(child(2, 1).token_budget(10));
    book.create(child(3, 2));
    book.transition(1, GoalStatus::Paused);
    book.turn(3, 10);
    book.transition(1, GoalStatus::Active);
    assert_eq!(book.last_frame(), ["1 active requested"]);
}

#[test]
fn superseding_frees_the_scopes_below_for_what_is_resumed() {
    let mut book = Book::new();
    book.create(goal(1).scope("s"));
    book.create(child(2, 1).scope("shared"));
    book.create(goal(3).scope("s"));
    book.create(child(4, 3).scope("shared"));
    book.transition(1, GoalStatus::Active);
    let expected =
        ["4 paused parent by 3", "3 paused superseded by 1", "1 active requested", "2 active parent by 1"];
    assert_eq!(book.last_frame(), expected);
}

#[test]
fn of_two_in_one_scope_that_were_paused_with_it_the_one_that_comes_first_is_resumed() {
    let mut book = Book::new();
    book.create(goal(1));
    book.create(child(2, 1));
    book.create(child(3, 1));
    book.create(child(4, 2).scope("shared"));
    book.transition(2, GoalStatus::Paused);
    book.create(child(5, 3).scope("shared"));
    // 4 finds its scope taken, and goes on being paused with its parent.
    book.transition(2, GoalStatus::Active);
    book.transition(1, GoalStatus::Paused);
    book.transition(1, GoalStatus::Active);
    let expected =
        ["1 active requested", "2 active parent by 1", "3 active parent by 1", "4 active parent by 2"];
    assert_eq!(book.last_frame(), expected);
    assert_eq!(book.status(5), paused(TransitionReason::Parent));
}

#[test]
fn ending_a_parent_clears_the_open_goals_below_it_first() {
    let mut book = family();
    book.transition(2, GoalStatus::Paused);
    book.transition(4, GoalStatus::Completed);
    book.transition(1, GoalStatus::Completed);
    assert_eq!(
        book.last_frame(),
        ["3 cleared parent by 2", "2 cleared parent by 1", "1 completed requested"]
    );
    assert_eq!(book.goal(3).completed_at, Some(book.now));
    assert_eq!(book.goal(4).status, GoalStatus::Completed);
}

#[test]
fn nothing_becomes_active_under_a_goal_that_is_not() {
    let mut book = family();
    book.transition(1, GoalStatus::Paused);
    for rejection in [
        book.rejected(child(5, 1)),
        book.rejected(TransitionGoal::new(id(2), GoalStatus::Active)),
        book.rejected(TransitionGoal::new(id(3), GoalStatus::Active)),
    ] {
        assert_eq!(rejection.kind, RejectionKind::InvalidTransition);
        assert!(rejection.message.contains("is paused"), "{}", rejection.message);
    }
    book.transition(1, GoalStatus::Cleared);
    assert!(book.rejected(child(5, 1)).message.contains("is cleared"));
}

#[test]
fn a_parent_that_is_not_there_is_not_found() {
    let mut book = Book::new();
    assert_eq!(book.rejected(child(2, 1)).kind, RejectionKind::NotFound);
}

#[test]
fn a_goal_cannot_supersede_one_that_it_works_for() {
    let mut book = family();
    let create = book.rejected(child(5, 3).scope("scope 1"));
    assert_eq!(create.kind, RejectionKind::InvalidTransition);
    assert!(create.message.contains("would supersede"), "{}", create.message);
    // 5 has its parent's scope: it got there while its parent was superseded.
    book.create(goal(6).scope("s"));
    book.create(child(5, 6).scope("t"));
    book.create(goal(7).scope("t"));
    assert_eq!(book.status(5), paused(TransitionReason::Superseded));
    assert!(matches!(book.apply(TransitionGoal::new(id(5), GoalStatus::Active)), Answer::Done(_)));
}

#[test]
fn siblings_of_one_scope_supersede_each_other() {
    let mut book = Book::new();
    book.create(goal(1));
    book.create(child(2, 1).scope("workers"));
    book.create(child(3, 1).scope("workers"));
    assert_eq!(book.last_frame(), ["2 paused superseded by 3", "3 created"]);
}

//! Creating, pausing, resuming and ending goals.

use super::harness::{ACTIVE, Book, child, goal, id, paused};
use crate::domain::{NewGoal, RejectionKind, SetGoalBudget, TransitionGoal};
use crate::event::{GoalStatus, TransitionReason};

#[test]
fn creating_a_second_goal_in_a_scope_pauses_the_first_in_the_same_frame_as_superseded() {
    let mut book = Book::new();
    book.create(goal(1).scope("s"));
    book.create(child(2, 1));
    book.create(goal(3).scope("s"));
    assert_eq!(book.last_frame(), ["2 paused parent by 1", "1 paused superseded by 3", "3 created"]);
    assert_eq!(book.status(1), paused(TransitionReason::Superseded));
    assert_eq!(book.state.active_goal_id("s"), Some(id(3)));
}

#[test]
fn resuming_a_second_goal_pauses_the_first_and_is_no_error() {
    let mut book = Book::new();
    book.create(goal(1).scope("s"));
    book.create(goal(2).scope("s"));
    book.transition(1, GoalStatus::Active);
    assert_eq!(book.last_frame(), ["2 paused superseded by 1", "1 active requested"]);
    assert_eq!((book.status(1), book.status(2)), (ACTIVE, paused(TransitionReason::Superseded)));
}

#[test]
fn goals_of_different_scopes_are_active_side_by_side() {
    let mut book = Book::new();
    book.create(goal(1));
    book.create(goal(2));
    assert_eq!((book.status(1), book.status(2)), (ACTIVE, ACTIVE));
}

#[test]
fn a_paused_goal_carries_its_reason_and_its_event_the_note() {
    let mut book = Book::new();
    book.create(goal(1));
    book.done(TransitionGoal::new(id(1), GoalStatus::Paused).blocked().note("waiting for a review"));
    assert_eq!(book.last_frame(), ["1 paused blocked: waiting for a review"]);
    assert_eq!(book.status(1), paused(TransitionReason::Blocked));
    book.transition(1, GoalStatus::Active);
    book.transition(1, GoalStatus::Paused);
    assert_eq!(book.status(1), paused(TransitionReason::Requested));
}

#[test]
fn every_pair_of_statuses_is_legal_or_an_invalid_transition() {
    use GoalStatus::{Active, Cleared, Completed, Paused};
    let legal = [
        (Active, Paused),
        (Active, Completed),
        (Active, Cleared),
        (Paused, Active),
        (Paused, Completed),
        (Paused, Cleared),
    ];
    for from in [Active, Paused, Completed, Cleared] {
        for to in [Active, Paused, Completed, Cleared] {
            let mut book = Book::new();
            book.create(goal(1));
            if from != Active {
                book.transition(1, from);
            }
            if legal.contains(&(from, to)) {
                book.transition(1, to);
                assert_eq!(book.goal(1).status, to);
            } else {
                let rejection = book.rejected(TransitionGoal::new(id(1), to));
                assert_eq!(rejection.kind, RejectionKind::InvalidTransition, "{from:?} to {to:?}");
                assert!(rejection.message.contains(from.name()), "{}", rejection.message);
            }
        }
    }
}

#[test]
fn a_terminal_goal_stays_and_keeps_when_it_ended() {
    let mut book = Book::new();
    book.create(goal(1));
    book.transition(1, GoalStatus::Completed);
    let ended_at = book.now;
    book.wait_secs(60);
    book.turn(1, 5);
    assert_eq!(book.goal(1).completed_at, Some(ended_at));
    assert_eq!(book.goal(1).updated_at, book.now);
    assert_eq!(book.state.active_goal_id("scope 1"), None);
}

#[test]
fn only_lifecycle_changes_move_the_revision_so_that_charging_never_breaks_a_cas() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(1_000));
    book.wait_secs(1);
    book.turn(1, 10);
    book.set_budget(1, 2_000);
    assert_eq!(book.goal(1).revision, 1);
    book.done(TransitionGoal::new(id(1), GoalStatus::Paused).expected_revision(1));
    assert_eq!(book.goal(1).revision, 2);
}

#[test]
fn a_stale_expectation_is_answered_with_the_current_goal() {
    let mut book = Book::new();
    book.create(goal(1));
    book.transition(1, GoalStatus::Paused);
    let stale = book.rejected(TransitionGoal::new(id(1), GoalStatus::Active).expected_revision(1));
    assert_eq!(stale.kind, RejectionKind::Stale);
    assert_eq!(stale.goal.as_deref(), Some(&book.goal(1)));
    let stale = book.rejected(SetGoalBudget::new(id(1), Some(1)).expected_revision(1));
    assert_eq!((stale.kind, stale.goal.as_deref()), (RejectionKind::Stale, Some(&book.goal(1))));
}

#[test]
fn not_found_comes_before_invalid_transition_before_stale_before_refused() {
    let mut book = Book::new();
    let resume = |number| TransitionGoal::new(id(number), GoalStatus::Active).expected_revision(99);
    assert_eq!(book.rejected(resume(1)).kind, RejectionKind::NotFound);
    book.create(goal(1).token_budget(10));
    assert_eq!(book.rejected(resume(1)).kind, RejectionKind::InvalidTransition);
    book.turn(1, 10);
    assert_eq!(book.rejected(resume(1)).kind, RejectionKind::Stale);
    assert_eq!(book.refused(TransitionGoal::new(id(1), GoalStatus::Active)).budget_id, book.budget(1).id);
}

#[test]
fn a_goal_without_a_scope_lives_in_the_empty_one_and_a_child_in_its_own() {
    let mut book = Book::new();
    book.create(NewGoal::new("top").id(id(1)));
    book.create(NewGoal::new("sub").id(id(2)).parent(id(1)));
    assert_eq!(&*book.goal(1).scope, "");
    assert_eq!(*book.goal(2).scope, id(2).to_string());
    assert_eq!((book.status(1), book.status(2)), (ACTIVE, ACTIVE));
}

#[test]
fn an_id_is_given_once_and_made_where_none_is_given() {
    let mut book = Book::new();
    book.create(goal(1));
    assert_eq!(book.rejected(goal(1)).kind, RejectionKind::Exists);
    let made = book.create(NewGoal::new("no id"));
    assert!(book.state.goal(made).is_some_and(|goal| &*goal.text == "no id"));
}

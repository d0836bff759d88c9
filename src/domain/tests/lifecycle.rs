//! Creating, pausing, resuming and ending goals.

use super::harness::{Book, child, goal, id};
use crate::domain::{NewGoal, RejectionKind, TransitionGoal};
use crate::event::{GoalStatus, TransitionReason};

const ACTIVE: (GoalStatus, Option<TransitionReason>) = (GoalStatus::Active, None);

fn paused(reason: TransitionReason) -> (GoalStatus, Option<TransitionReason>) {
    (GoalStatus::Paused, Some(reason))
}

#[test]
fn creating_a_second_goal_in_a_scope_pauses_the_first_in_the_same_frame_as_superseded() {
    let mut book = Book::new();
    book.create(goal(1).scope("s"));
    book.create(child(2, 1));
    book.create(goal(3).scope("s"));
    assert_eq!(book.last_frame(), ["2 paused parent by 1", "1 paused superseded by 3", "3 created"]);
    assert_eq!(book.status(1), paused(TransitionReason::Superseded));
    assert_eq!(book.projection.state.active_goal_id("s"), Some(id(3)));
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
fn a_terminal_goal_stays_and_keeps_when_it_ended() {
    let mut book = Book::new();
    book.create(goal(1));
    book.transition(1, GoalStatus::Completed);
    let ended = book.goal(1);
    assert_eq!(ended.completed_at, Some(book.now));
    for to in [GoalStatus::Active, GoalStatus::Paused, GoalStatus::Completed, GoalStatus::Cleared] {
        let rejection = book.rejected(TransitionGoal::new(id(1), to));
        assert_eq!(rejection.kind, RejectionKind::InvalidTransition);
    }
    assert_eq!(book.goal(1), ended);
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

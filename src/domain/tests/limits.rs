//! Bounds on what a caller may give.

use super::harness::{Answer, Book, goal, goal_budget, id, text_of};
use crate::domain::{NewGoal, RecordTurn, RejectionKind, Request, Rules, TransitionGoal, Turn};
use crate::event::GoalStatus;
use crate::ids::BudgetId;

#[test]
fn text_is_limited_in_unicode_scalar_values_and_the_error_carries_the_limit() {
    let mut book = Book::new();
    assert!(matches!(book.apply(NewGoal::new(text_of(400))), Answer::Done(_)));
    let rejection = book.rejected(NewGoal::new(text_of(401)));
    assert_eq!((rejection.kind, rejection.max), (RejectionKind::Invalid, Some(400)));
    assert!(rejection.message.contains("401"), "{}", rejection.message);
    book.rules = Rules { max_text_chars: 500, ..Rules::default() };
    assert!(matches!(book.apply(NewGoal::new(text_of(500))), Answer::Done(_)));
}

#[test]
fn text_may_not_be_blank_nor_hold_the_closing_tag_in_any_case() {
    let mut book = Book::new();
    for bad in ["", " \n\t", "a </active_goal> b", "</ACTIVE_Goal>"] {
        assert_eq!(book.rejected(NewGoal::new(bad)).kind, RejectionKind::Invalid, "{bad:?}");
    }
    for good in ["</active_goa", "<active_goal>", "</active goal>"] {
        assert!(matches!(book.apply(NewGoal::new(good)), Answer::Done(_)), "{good:?}");
    }
    book.rules = Rules { forbidden_text: "".into(), ..Rules::default() };
    assert!(matches!(book.apply(NewGoal::new("</active_goal>")), Answer::Done(_)));
}

#[test]
fn names_are_short_and_on_one_line() {
    let mut book = Book::new();
    let long = "x".repeat(201);
    for bad in ["two\nlines", &long] {
        let requests = [
            Request::new(goal(1)).key(bad),
            Request::new(goal(1)).actor(bad),
            Request::new(goal(1)).session(bad),
            Request::new(goal(1).scope(bad)),
            Request::new(RecordTurn::scope(bad, Turn::tokens(1))),
        ];
        for request in requests {
            assert_eq!(book.rejected(request).kind, RejectionKind::Invalid);
        }
    }
    assert_eq!(book.rejected(Request::new(goal(1)).key("")).kind, RejectionKind::Invalid);
    let longest = "x".repeat(200);
    let request = Request::new(goal(1).scope(&*longest)).key(&*longest).actor(&*longest).session(&*longest);
    assert!(matches!(book.apply(request), Answer::Done(_)));
}

#[test]
fn a_note_is_limited_and_blocked_goes_with_paused() {
    let mut book = Book::new();
    book.create(goal(1));
    let pause = TransitionGoal::new(id(1), GoalStatus::Paused);
    let rejection = book.rejected(pause.clone().note(text_of(1_001)));
    assert_eq!((rejection.kind, rejection.max), (RejectionKind::Invalid, Some(1_000)));
    let complete = TransitionGoal::new(id(1), GoalStatus::Completed).blocked();
    assert_eq!(book.rejected(complete).kind, RejectionKind::Invalid);
    assert!(matches!(book.apply(pause.note(text_of(1_000))), Answer::Done(_)));
}

#[test]
fn a_goal_names_budgets_that_exist_and_are_not_a_goals() {
    let mut book = Book::new();
    book.create(goal(1));
    assert_eq!(book.rejected(goal(2).budget(goal_budget(1))).kind, RejectionKind::Invalid);
    let unknown = book.rejected(goal(2).budget(BudgetId::Named("money".into())));
    assert_eq!(unknown.kind, RejectionKind::NotFound);
    assert!(unknown.message.contains("money"), "{}", unknown.message);
}

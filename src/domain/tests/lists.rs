//! Lists of goals.

use super::harness::{Book, goal, id};
use crate::domain::{GoalQuery, NewGoal};
use crate::event::GoalStatus;

fn numbers(book: &Book, query: &GoalQuery) -> Vec<u128> {
    book.state.list_goals(query).iter().map(|goal| goal.id.0.as_u128()).collect()
}

fn book() -> Book {
    let mut book = Book::new();
    // Ids that do not sort by their creation.
    for number in [3, 1, 4, 2, 5] {
        book.create(goal(number).scope(if number % 2 == 0 { "even" } else { "odd" }));
    }
    book
}

#[test]
fn newest_first_by_creation_not_by_id() {
    assert_eq!(numbers(&book(), &GoalQuery::default()), [5, 2, 4, 1, 3]);
}

#[test]
fn before_goes_on_where_a_page_ended() {
    let book = book();
    let page = GoalQuery { limit: 2, ..GoalQuery::default() };
    assert_eq!(numbers(&book, &page), [5, 2]);
    let page = GoalQuery { before: Some(id(2)), ..page };
    assert_eq!(numbers(&book, &page), [4, 1]);
    let page = GoalQuery { before: Some(id(3)), ..page };
    assert!(numbers(&book, &page).is_empty());
    let page = GoalQuery { before: Some(id(99)), ..page };
    assert!(numbers(&book, &page).is_empty(), "an unknown id finds nothing");
}

#[test]
fn filters_by_scope_and_status_apply_before_the_limit() {
    let book = book();
    let odd = GoalQuery { scope: Some("odd".into()), limit: 2, ..GoalQuery::default() };
    assert_eq!(numbers(&book, &odd), [5, 1]);
    let active = GoalQuery { status: Some(GoalStatus::Active), ..GoalQuery::default() };
    assert_eq!(numbers(&book, &active), [5, 2]);
}

#[test]
fn a_state_that_was_copied_stays_as_it_was() {
    let mut book = book();
    let before = book.state.clone();
    let hash = before.state_hash();
    book.turn(5, 10);
    book.create(NewGoal::new("one more").id(id(6)));
    assert_eq!(before.goal(id(5)).map(|goal| goal.tokens_used), Some(0));
    assert_eq!((before.goal_count(), before.state_hash()), (5, hash));
    assert_ne!(book.state.state_hash(), hash);
}

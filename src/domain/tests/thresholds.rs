//! Thresholds: told once, at the threshold, and armed again by a new limit or a new window.

use super::harness::{Book, goal};
use crate::domain::{AdjustBudget, NewBudget, RecordSpend, ReverseSpend, SetGoalBudget, Spend};
use crate::event::Fraction;

fn book() -> Book {
    let mut book = Book::new();
    book.ok(NewBudget::new("task").limit(100));
    book
}

fn spend(amount: u128) -> RecordSpend {
    RecordSpend::new("task", Spend::of(amount))
}

fn fraction(ppm: u32) -> Fraction {
    Fraction::from_ppm(ppm).unwrap()
}

#[test]
fn a_threshold_is_told_once_when_it_is_reached() {
    let mut book = book();
    book.ok(spend(49));
    assert_eq!(book.whole_last_frame(), ["budget task spent 49"]);
    book.ok(spend(1));
    assert_eq!(book.whole_last_frame(), ["budget task spent 1", "budget task at 0.5"]);
    book.ok(spend(1));
    assert_eq!(book.whole_last_frame(), ["budget task spent 1"]);
    assert_eq!(book.named("task").crossed_thresholds(), [fraction(500_000)]);
}

#[test]
fn one_spend_can_reach_them_all_and_the_limit() {
    let mut book = book();
    book.ok(spend(100));
    let expected = [
        "budget task spent 100",
        "budget task at 0.5",
        "budget task at 0.8",
        "budget task at 0.95",
        "budget task exhausted",
    ];
    assert_eq!(book.whole_last_frame(), expected);
}

#[test]
fn thresholds_between_two_amounts_are_reached_by_the_upper_one() {
    let mut book = Book::new();
    book.ok(NewBudget::new("task").limit(3).thresholds([fraction(500_000)]));
    book.ok(spend(1));
    assert_eq!(book.whole_last_frame(), ["budget task spent 1"], "1 of 3 is less than a half");
    book.ok(spend(1));
    assert_eq!(book.whole_last_frame(), ["budget task spent 1", "budget task at 0.5"]);
}

#[test]
fn a_reversal_does_not_arm_them_again() {
    let mut book = book();
    book.ok(RecordSpend::new("task", Spend::of(50).id("s")));
    book.ok(ReverseSpend::whole("s"));
    book.ok(spend(60));
    assert_eq!(book.whole_last_frame(), ["budget task spent 60"]);
}

#[test]
fn a_new_limit_arms_them_again() {
    let mut book = book();
    book.ok(spend(50));
    book.ok(AdjustBudget::new("task").limit(200));
    assert_eq!(book.whole_last_frame(), ["budget task adjusted"]);
    assert_eq!(book.named("task").crossed, 0);
    book.ok(spend(50));
    assert_eq!(book.whole_last_frame(), ["budget task spent 50", "budget task at 0.5"]);
    book.ok(AdjustBudget::new("task").limit(120));
    assert_eq!(book.whole_last_frame(), ["budget task adjusted", "budget task at 0.5", "budget task at 0.8"]);
    book.ok(AdjustBudget::new("task").hard(false));
    assert_eq!(book.whole_last_frame(), ["budget task adjusted"], "only a new limit or new thresholds do");
}

#[test]
fn without_a_limit_there_is_nothing_to_reach() {
    let mut book = Book::new();
    book.ok(NewBudget::new("task").unlimited());
    book.ok(spend(u128::MAX));
    assert_eq!(book.whole_last_frame(), [format!("budget task spent {}", u128::MAX)]);
}

#[test]
fn the_tokens_of_a_goal_have_thresholds_too() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(10));
    book.turn(1, 8);
    assert_eq!(book.whole_last_frame(), ["1 turn 8", "budget 1 at 0.5", "budget 1 at 0.8"]);
    book.done(SetGoalBudget::new(super::harness::id(1), Some(16)));
    assert_eq!(book.whole_last_frame(), ["1 budget set", "budget 1 at 0.5"]);
}

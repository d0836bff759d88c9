//! Windows: what a roll resets, and what it carries over.

use super::harness::Book;
use crate::domain::{
    AdjustBudget, BudgetStatus, NewBudget, NewReservation, RecordSpend, RejectionKind, ReverseSpend, Settle,
    Spend,
};
use crate::event::Window;

fn window(every: &str) -> Window {
    Window { every: every.into(), anchor: None, tz: None }
}

/// A budget of 100 a day, at 01:15:13 of the first day.
fn book() -> Book {
    let mut book = Book::new();
    book.ok(NewBudget::new("day").limit(100).window(window("day")));
    book
}

fn spend(amount: u128) -> RecordSpend {
    RecordSpend::new("day", Spend::of(amount))
}

#[test]
fn a_window_begins_with_its_start_and_ends_before_its_end() {
    let mut book = book();
    book.ok(spend(100));
    book.at("2026-11-21T23:59:59.999999Z");
    assert_eq!(book.named("day").status(), BudgetStatus::Exhausted);
    book.at("2026-11-22T00:00:00Z");
    assert_eq!(book.last_frame(), ["budget day rolled 100"]);
    assert_eq!(book.named("day").status(), BudgetStatus::Active, "a roll clears exhausted");
    assert_eq!((book.named("day").spent, book.named("day").spent_total), (0, 100));
    let span = book.named("day").span.unwrap();
    assert_eq!(span.start.to_string(), "2026-11-22T00:00:00.000000Z");
    assert_eq!(span.end.to_string(), "2026-11-23T00:00:00.000000Z");
}

#[test]
fn windows_in_which_nothing_happened_are_one_roll() {
    let mut book = book();
    book.ok(spend(1));
    let events = book.events.len();
    book.at("2026-12-31T12:00:00Z");
    assert_eq!(book.events.len(), events + 1);
    assert_eq!(book.named("day").span.unwrap().start.to_string(), "2026-12-31T00:00:00.000000Z");
}

#[test]
fn open_reservations_carry_over_and_are_settled_in_the_window_of_then() {
    let mut book = book();
    book.ok(NewReservation::new("day", 60).id("r"));
    book.at("2026-11-22T00:00:00Z");
    assert_eq!(book.figures("day"), (0, 60, Some(40), 0));
    book.ok(Settle { reservation_id: "r".into(), spend: Spend::of(50) });
    assert_eq!(book.figures("day"), (50, 0, Some(50), 0));
}

#[test]
fn a_reversal_of_a_spend_of_an_earlier_window_changes_totals_only() {
    let mut book = book();
    book.ok(RecordSpend::new("day", Spend::of(30).id("s")));
    book.at("2026-11-22T00:00:00Z");
    book.ok(spend(10));
    book.ok(ReverseSpend::whole("s"));
    assert_eq!((book.named("day").spent, book.named("day").spent_total), (10, 10));
}

#[test]
fn thresholds_and_exhaustion_are_told_once_a_window() {
    let mut book = book();
    book.ok(spend(100));
    let first = book.whole_last_frame();
    book.at("2026-11-22T00:00:00Z");
    book.ok(spend(100));
    assert_eq!(book.whole_last_frame(), first);
    assert_eq!(first.len(), 5);
}

#[test]
fn a_parent_without_windows_goes_on_counting() {
    let mut book = Book::new();
    book.ok(NewBudget::new("life").limit(150));
    book.ok(NewBudget::new("day").limit(100).window(window("day")).parent("life"));
    book.ok(RecordSpend::new("day", Spend::of(100).id("s")));
    book.at("2026-11-22T00:00:00Z");
    let refusal = book.refused(spend(51));
    assert_eq!((refusal.budget_id, refusal.spent), ("life".into(), 100));
    book.ok(ReverseSpend::part("s", 40));
    assert_eq!((book.named("day").spent, book.named("life").spent), (0, 60));
}

#[test]
fn another_window_counts_on_what_is_spent_until_it_ends() {
    let mut book = book();
    book.ok(spend(70));
    book.ok(AdjustBudget::new("day").window(Some(window("hour"))));
    assert_eq!(book.figures("day"), (70, 0, Some(30), 0));
    book.at("2026-11-21T02:00:00Z");
    assert_eq!(book.figures("day"), (0, 0, Some(100), 0));
    book.ok(AdjustBudget::new("day").window(None));
    book.ok(spend(5));
    book.at("2027-11-21T02:00:00Z");
    assert_eq!((book.named("day").spent, book.named("day").span), (5, None), "no roll any more");
}

#[test]
fn the_window_at_the_end_of_time_never_ends() {
    let mut book = book();
    book.at("9999-12-31T23:59:59.999999Z");
    book.ok(spend(100));
    assert_eq!(book.state.next_deadline(), None);
    book.ok(NewBudget::new("late").limit(1).window(window("day")));
    assert_eq!(book.named("late").span.unwrap().start.to_string(), "9999-12-31T00:00:00.000000Z");
}

#[test]
fn what_is_no_window_is_rejected() {
    let mut book = book();
    let new = |window| NewBudget::new("new").limit(1).window(window);
    for every in ["", "fortnight", "P0D", "-P1D", "PT0.5S"] {
        assert_eq!(book.rejected(new(window(every))).kind, RejectionKind::Invalid, "{every}");
    }
    let elsewhere = Window { tz: Some("Europe/Nowhere".into()), ..window("day") };
    assert_eq!(book.rejected(new(elsewhere)).kind, RejectionKind::Invalid);
}

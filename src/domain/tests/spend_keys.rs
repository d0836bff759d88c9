//! Ids of spends and reservations are keys, too (law EXACT).

use super::harness::{Answer, Book, goal};
use crate::domain::{
    CloseBudget, KeyWindow, NewBudget, NewReservation, RecordSpend, RejectionKind, RememberedOutcome,
    Request, Spend,
};
use crate::event::RefusalKind;

fn book() -> Book {
    let mut book = Book::new();
    book.ok(NewBudget::new("task").limit(100));
    book
}

fn spend(amount: u128) -> RecordSpend {
    RecordSpend::new("task", Spend::of(amount).id("s"))
}

#[test]
fn the_same_spend_again_is_a_retry_with_the_original_seqs() {
    let mut book = book();
    book.ok(spend(60));
    let Answer::Retried(remembered) = book.apply(spend(60)) else { panic!() };
    assert_eq!((remembered.first_seq, remembered.last_seq), (2, 3), "the spend and its alert");
    assert_eq!(book.named("task").spent, 60);
    assert_eq!(book.rejected(spend(61)).kind, RejectionKind::Conflict);
    assert_eq!(
        book.rejected(RecordSpend::incurred("task", Spend::of(60).id("s"))).kind,
        RejectionKind::Conflict
    );
}

#[test]
fn a_spend_id_outlives_the_close_of_its_budget() {
    let mut book = book();
    book.ok(spend(60));
    book.ok(CloseBudget::new("task"));
    assert!(matches!(book.apply(spend(60)), Answer::Retried(_)));
}

#[test]
fn a_refused_spend_is_remembered_for_its_key_but_does_not_use_up_its_id() {
    let mut book = book();
    let request = |key: &str| Request::from(spend(101)).key(key.to_owned());
    let refusal = book.refused(request("k"));
    let Answer::Retried(remembered) = book.apply(request("k")) else { panic!() };
    assert_eq!(remembered.outcome, RememberedOutcome::Refused(Box::new(refusal)));
    book.ok(crate::domain::AdjustBudget::new("task").limit(200));
    assert!(matches!(book.apply(request("k")), Answer::Retried(_)), "the key stays refused");
    book.ok(request("l"));
    assert_eq!(book.named("task").spent, 101);
}

#[test]
fn the_same_reservation_again_is_a_retry_and_another_one_of_that_id_exists() {
    let mut book = book();
    let reserve = |amount| NewReservation::new("task", amount).id("r");
    assert_eq!(book.refused(reserve(101)).kind, RefusalKind::BudgetExceeded);
    book.ok(reserve(40));
    let Answer::Retried(remembered) = book.apply(reserve(40)) else { panic!() };
    assert_eq!((remembered.first_seq, remembered.last_seq), (3, 3));
    assert_eq!(book.rejected(reserve(41)).kind, RejectionKind::Exists);
    assert_eq!(book.named("task").reserved, 40);
}

#[test]
fn an_id_that_says_itself_that_it_is_older_than_what_is_remembered_is_expired() {
    let mut book = book();
    // Of 2020-01-01, long before the test's time.
    let old = "016f5e66-e800-7000-8000-000000000001";
    let kind = |book: &mut Book, request: Request| book.rejected(request).kind;
    let spend = RecordSpend::new("task", Spend::of(1).id(old));
    assert_eq!(kind(&mut book, spend.into()), RejectionKind::KeyExpired);
    assert_eq!(kind(&mut book, NewReservation::new("task", 1).id(old).into()), RejectionKind::KeyExpired);
}

#[test]
fn spends_are_forgotten_with_the_keys_and_their_figures_stay() {
    let mut book = book();
    book.ok(KeyWindow { max_age_ms: 60_000, max_count: 100 });
    book.ok(spend(60));
    book.wait_secs(61);
    book.ok(NewBudget::new("other").limit(1));
    assert_eq!(book.state.spend(&"s".into()), None);
    assert_eq!((book.named("task").spent, book.named("task").entry_count), (60, 1));
}

#[test]
fn turns_push_no_spend_id_out_of_memory() {
    let mut book = book();
    book.ok(KeyWindow { max_age_ms: 60_000, max_count: 2 });
    book.create(goal(1));
    book.ok(spend(60));
    for _ in 0..5 {
        book.turn(1, 1);
    }
    assert!(matches!(book.apply(spend(60)), Answer::Retried(_)));
    assert_eq!(book.named("task").spent, 60);
}

/// The clock of whoever made the id was ahead of the engine's.
#[test]
fn an_id_from_the_future_is_not_booked_twice_once_it_is_forgotten() {
    let mut book = book();
    book.ok(KeyWindow { max_age_ms: 60_000, max_count: 100 });
    // 30 seconds after the test's time.
    let made_at = u64::try_from(book.now.as_millis()).unwrap() + 30_000;
    let id = uuid::Builder::from_unix_timestamp_millis(made_at, &[7; 10]).into_uuid().to_string();
    let spend = || RecordSpend::new("task", Spend::of(1).id(id.as_str()));
    book.ok(Request::from(spend()).key(id.as_str()));
    book.wait_secs(65);
    book.ok(NewBudget::new("other").limit(1));
    assert_eq!(book.rejected(spend()).kind, RejectionKind::KeyExpired);
    let keyed = Request::from(NewBudget::new("more").limit(1)).key(id.as_str());
    assert_eq!(book.rejected(keyed).kind, RejectionKind::KeyExpired);
}

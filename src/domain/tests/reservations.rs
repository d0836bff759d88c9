//! Reservations: set aside, settled, given back, expired, unknown.

use super::harness::{Answer, Book};
use crate::domain::{
    CloseBudget, KeyWindow, MarkUnknown, NewBudget, NewReservation, Outcome, RecordSpend, RejectionKind,
    Release, Reservation, ReservationStatus, Settle, Spend, Ttl,
};
use crate::event::RefusalKind;

fn book() -> Book {
    let mut book = Book::new();
    book.ok(NewBudget::new("root").limit(150));
    book.ok(NewBudget::new("task").limit(100).parent("root"));
    book
}

fn hold(amount: u128) -> NewReservation {
    NewReservation::new("task", amount).id("r").ttl(Ttl::secs(60)).owner("agent")
}

fn settle(amount: u128) -> Settle {
    Settle { reservation_id: "r".into(), spend: Spend::of(amount) }
}

fn release() -> Release {
    Release { reservation_id: "r".into() }
}

fn mark_unknown() -> MarkUnknown {
    MarkUnknown { reservation_id: "r".into() }
}

fn reservation(book: &Book) -> &Reservation {
    book.state.reservation(&"r".into()).unwrap()
}

#[test]
fn a_reservation_is_set_aside_on_the_whole_path_and_exhausts_nothing() {
    let mut book = book();
    book.ok(hold(100));
    assert_eq!((book.figures("task"), book.figures("root")), ((0, 100, Some(0), 0), (0, 100, Some(50), 0)));
    assert!(!book.named("task").is_exhausted());
    let refusal = book.refused(RecordSpend::new("task", Spend::of(1)));
    assert_eq!((refusal.kind, refusal.spent, refusal.reserved), (RefusalKind::BudgetExceeded, 0, 100));
}

#[test]
fn settling_for_less_returns_the_rest() {
    let mut book = book();
    book.ok(hold(100));
    book.ok(settle(40));
    assert_eq!(book.last_frame(), ["budget task spent 40"]);
    assert_eq!(book.figures("task"), (40, 0, Some(60), 0));
    assert_eq!(reservation(&book).status, ReservationStatus::Settled);
}

#[test]
fn a_reservation_does_not_count_against_its_own_settlement() {
    let mut book = book();
    book.ok(hold(100));
    book.ok(settle(100));
    assert_eq!(book.figures("task"), (100, 0, Some(0), 0));
    assert_eq!(book.last_overage_of_spend(), []);
}

#[test]
fn settling_for_more_is_booked_in_full_and_what_passes_the_limit_is_overage() {
    let mut book = book();
    book.ok(hold(100));
    book.ok(settle(130));
    assert_eq!(book.figures("task"), (130, 0, Some(0), 30));
    assert_eq!(book.last_overage_of_spend(), [("task".into(), 30)]);
}

#[test]
fn the_same_settlement_again_is_a_retry_and_another_amount_a_conflict() {
    let mut book = book();
    book.ok(hold(100));
    book.ok(settle(100));
    let seq = book.seq;
    let Answer::Retried(remembered) = book.apply(settle(100)) else { panic!() };
    assert_eq!((remembered.first_seq, remembered.last_seq), (4, seq), "with the alerts and the exhaustion");
    assert_eq!(book.rejected(settle(99)).kind, RejectionKind::Conflict);
    assert_eq!(book.seq, seq);
}

#[test]
fn a_settlement_after_the_release_is_booked_late() {
    let mut book = book();
    book.ok(hold(50));
    book.ok(release());
    assert_eq!(book.last_frame(), ["r released requested"]);
    assert_eq!(book.figures("task"), (0, 0, Some(100), 0));
    book.ok(settle(20));
    assert_eq!(book.last_frame(), ["budget task spent 20 late"]);
    assert_eq!(book.figures("task"), (20, 0, Some(80), 0));
}

#[test]
fn a_reservation_that_ended_is_gone() {
    let mut book = book();
    book.ok(hold(50));
    book.ok(release());
    let refusal = book.refused(release());
    assert_eq!((refusal.kind, &refusal.budget_id), (RefusalKind::ReservationGone, &"task".into()));
    assert_eq!(refusal.reservation_id, Some("r".into()));
    assert_eq!(book.refused(mark_unknown()).kind, RefusalKind::ReservationGone);
    assert_eq!(book.rejected(Release { reservation_id: "s".into() }).kind, RejectionKind::NotFound);
}

#[test]
fn a_reservation_expires_when_its_time_is_over_and_not_before() {
    let mut book = book();
    book.ok(hold(50));
    book.at("2026-11-21T01:16:12.999999Z");
    assert_eq!(reservation(&book).status, ReservationStatus::Open);
    book.at("2026-11-21T01:16:13Z");
    assert_eq!(book.last_frame(), ["r expired"]);
    assert_eq!(reservation(&book).status, ReservationStatus::Expired);
    assert_eq!(book.figures("root"), (0, 0, Some(150), 0));
    book.ok(settle(70));
    assert_eq!(book.last_frame(), ["budget task spent 70 late"]);
}

#[test]
fn one_whose_outcome_is_unknown_outlives_its_time_until_it_is_reconciled() {
    let mut book = book();
    book.ok(hold(50));
    book.ok(mark_unknown());
    book.wait_secs(3_600);
    book.elapse();
    assert_eq!((reservation(&book).status, book.named("root").reserved), (ReservationStatus::Unknown, 50));
    assert_eq!(book.apply(mark_unknown()), Answer::Unchanged(Outcome::Reservation("r".into())));
    book.ok(settle(10));
    assert_eq!(book.last_frame(), ["budget task spent 10"], "in time: nobody had given it back");
    assert_eq!(book.figures("root"), (10, 0, Some(140), 0));
}

#[test]
fn closing_releases_what_is_open_and_a_settlement_after_it_is_late() {
    let mut book = book();
    book.ok(hold(50));
    book.ok(CloseBudget::new("task"));
    book.ok(settle(30));
    assert_eq!(book.last_frame(), ["budget task spent 30 late"]);
    assert_eq!((book.figures("task"), book.figures("root")), ((30, 0, Some(70), 0), (30, 0, Some(120), 0)));
}

#[test]
fn nothing_at_all_can_be_spent_of_a_reservation_but_not_reserved() {
    let mut book = book();
    assert_eq!(book.rejected(hold(0)).kind, RejectionKind::Invalid);
    assert_eq!(book.rejected(hold(1).ttl(Ttl::millis(0))).kind, RejectionKind::Invalid);
    book.ok(hold(1));
    book.ok(settle(0));
    assert_eq!(book.figures("task"), (0, 0, Some(100), 0));
}

#[test]
fn no_reservation_takes_all_the_numbers_from_what_really_happens() {
    let mut book = Book::new();
    book.ok(NewBudget::new("task").unlimited());
    assert_eq!(book.rejected(hold((1 << 127) + 1)).kind, RejectionKind::Invalid);
    book.ok(hold(1 << 127));
    assert_eq!(book.rejected(NewReservation::new("task", 1)).kind, RejectionKind::Invalid);
    book.ok(RecordSpend::incurred("task", Spend::of((1 << 127) - 1)));
    book.ok(settle(1 << 127));
    assert_eq!((book.named("task").spent, book.named("task").reserved), (u128::MAX, 0));
}

#[test]
fn at_the_end_of_time_nothing_expires() {
    let mut book = book();
    book.at("9999-12-31T23:59:59.999999Z");
    book.ok(hold(10));
    assert_eq!((reservation(&book).expires_at, book.state.next_deadline()), (None, None));
}

#[test]
fn the_same_settlement_again_is_known_by_its_spend_when_the_reservation_is_forgotten() {
    let mut book = book();
    book.ok(KeyWindow { max_age_ms: 3_600_000, max_count: 100 });
    book.ok(hold(50));
    book.wait_secs(60);
    book.elapse();
    book.wait_secs(3_500);
    let late = || Settle { reservation_id: "r".into(), spend: Spend::of(7).id("s") };
    book.ok(late());
    book.wait_secs(200);
    book.ok(NewBudget::new("other").limit(1));
    assert_eq!(book.state.reservation(&"r".into()), None);
    assert!(matches!(book.apply(late()), Answer::Retried(_)));
}

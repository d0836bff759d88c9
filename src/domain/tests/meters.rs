//! External meters: totals and increases, bound to a budget or free.

use super::harness::{Answer, Book};
use crate::domain::{CloseBudget, NewBudget, ObserveMeter, Outcome, RejectionKind, ResetMeter};

fn book() -> Book {
    let mut book = Book::new();
    book.ok(NewBudget::new("chain").unit("wei").limit(100));
    book
}

fn total(book: &Book, id: &str) -> (u128, u128) {
    let meter = book.state.meter(&id.into()).unwrap();
    (meter.total, meter.booked)
}

#[test]
fn a_total_is_booked_as_what_it_has_grown_by() {
    let mut book = book();
    book.ok(ObserveMeter::cumulative("m", 40).budget("chain"));
    assert_eq!(book.last_frame(), ["m at 40", "budget chain spent 40"]);
    book.ok(ObserveMeter::cumulative("m", 70));
    assert_eq!(book.last_frame(), ["m at 70", "budget chain spent 30"]);
    assert_eq!((book.named("chain").spent, total(&book, "m")), (70, (70, 70)));
    assert_eq!(book.apply(ObserveMeter::cumulative("m", 70)), Answer::Unchanged(Outcome::Meter("m".into())));
}

#[test]
fn increases_add_up_and_pass_the_limit_as_overage() {
    let mut book = book();
    book.ok(ObserveMeter::delta("m", 60).budget("chain"));
    book.ok(ObserveMeter::delta("m", 60).budget("chain"));
    assert_eq!(book.figures("chain"), (120, 0, Some(0), 20));
    assert_eq!(total(&book, "m"), (120, 120));
}

#[test]
fn a_total_that_falls_is_rejected_unless_the_meter_is_reset() {
    let mut book = book();
    book.ok(ObserveMeter::cumulative("m", 40).budget("chain"));
    assert_eq!(book.rejected(ObserveMeter::cumulative("m", 39)).kind, RejectionKind::Invalid);
    book.ok(ResetMeter { meter_id: "m".into(), baseline: 5 });
    assert_eq!(book.last_frame(), ["m reset to 5"]);
    assert_eq!((book.named("chain").spent, total(&book, "m")), (40, (5, 40)), "nothing is booked by a reset");
    book.ok(ObserveMeter::cumulative("m", 15));
    assert_eq!((book.named("chain").spent, total(&book, "m")), (50, (15, 50)));
}

#[test]
fn a_meter_stays_what_it_was_at_its_first_observation() {
    let mut book = book();
    book.ok(NewBudget::new("other").unit("wei").limit(100));
    book.ok(ObserveMeter::cumulative("m", 1).budget("chain"));
    book.ok(ObserveMeter::delta("free", 1));
    let conflicts = [
        ObserveMeter::delta("m", 1),
        ObserveMeter::cumulative("free", 1),
        ObserveMeter::cumulative("m", 2).budget("other"),
        ObserveMeter::delta("free", 1).budget("chain"),
    ];
    for observe in conflicts {
        assert_eq!(book.rejected(observe.clone()).kind, RejectionKind::Conflict, "{observe:?}");
    }
    assert_eq!(book.rejected(ObserveMeter::delta("new", 1).budget("nobody")).kind, RejectionKind::NotFound);
}

#[test]
fn what_a_free_meter_measures_is_booked_nowhere() {
    let mut book = book();
    book.ok(ObserveMeter::delta("free", u128::MAX));
    assert_eq!(book.last_frame(), [format!("free at {}", u128::MAX)]);
    assert_eq!(book.rejected(ObserveMeter::delta("free", 1)).kind, RejectionKind::Invalid);
}

#[test]
fn what_is_measured_after_the_close_is_late() {
    let mut book = book();
    book.ok(ObserveMeter::delta("m", 1).budget("chain"));
    book.ok(CloseBudget::new("chain"));
    book.ok(ObserveMeter::delta("m", 2));
    assert_eq!(book.last_frame(), ["m at 3", "budget chain spent 2 late"]);
}

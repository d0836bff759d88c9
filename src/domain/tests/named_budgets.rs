//! Budgets that a host names: making, spending, taking back, adjusting, closing.

use super::harness::{Answer, Book, goal_budget};
use crate::domain::{
    AdjustBudget, BudgetStatus, CheckError, CloseBudget, NewBudget, NewReservation, Outcome, RecordSpend,
    RejectionKind, ReverseSpend, SetProgress, Spend, check,
};
use crate::event::{Fraction, RefusalKind};

fn spend(amount: u128) -> RecordSpend {
    RecordSpend::new("task", Spend::of(amount))
}

/// `root` of 100, `team` of 80 below it, `task` of 60 below that.
fn tree() -> Book {
    let mut book = Book::new();
    book.ok(NewBudget::new("root").limit(100));
    book.ok(NewBudget::new("team").limit(80).parent("root"));
    book.ok(NewBudget::new("task").limit(60).parent("team"));
    book
}

#[test]
fn a_new_budget_is_hard_counts_units_and_alerts_at_the_default_thresholds() {
    let mut book = Book::new();
    book.ok(NewBudget::new("task").limit(100));
    let budget = book.named("task");
    assert_eq!((&*budget.unit, budget.terms.hard, budget.status()), ("units", true, BudgetStatus::Active));
    let thresholds: Vec<_> = budget.terms.thresholds.iter().map(ToString::to_string).collect();
    assert_eq!(thresholds, ["0.5", "0.8", "0.95"]);
    assert_eq!(book.figures("task"), (0, 0, Some(100), 0));
}

#[test]
fn a_limit_that_is_not_told_is_the_default_or_has_to_be_told() {
    let mut book = Book::new();
    assert_eq!(book.rejected(NewBudget::new("task")).kind, RejectionKind::Invalid);
    assert_eq!(book.rejected(NewBudget::new("task").limit(0)).kind, RejectionKind::Invalid);
    book.rules.default_limit = Some(70);
    book.ok(NewBudget::new("task"));
    book.ok(NewBudget::new("zero").limit(0));
    book.ok(NewBudget::new("free").unlimited());
    let limits = ["task", "zero", "free"].map(|id| book.named(id).limit());
    assert_eq!(limits, [Some(70), Some(70), None]);
}

#[test]
fn what_cannot_be_a_budget_is_rejected() {
    let mut book = tree();
    let kind = |book: &mut Book, new: NewBudget| book.rejected(new.limit(1)).kind;
    assert_eq!(kind(&mut book, NewBudget::new("task")), RejectionKind::Exists);
    assert_eq!(kind(&mut book, NewBudget::new("")), RejectionKind::Invalid);
    assert_eq!(kind(&mut book, NewBudget::new("goal:mine")), RejectionKind::Invalid);
    assert_eq!(kind(&mut book, NewBudget::new(goal_budget(1))), RejectionKind::Invalid);
    assert_eq!(kind(&mut book, NewBudget::new("a").parent("a")), RejectionKind::Invalid);
    assert_eq!(kind(&mut book, NewBudget::new("a").parent("b")), RejectionKind::NotFound);
    assert_eq!(kind(&mut book, NewBudget::new("a").parent(goal_budget(1))), RejectionKind::Invalid);
    assert_eq!(kind(&mut book, NewBudget::new("a").parent("root").unit("usd")), RejectionKind::Invalid);
    assert_eq!(kind(&mut book, NewBudget::new("a").thresholds([Fraction::ZERO])), RejectionKind::Invalid);
}

#[test]
fn a_spend_is_booked_at_every_budget_on_the_path() {
    let mut book = tree();
    book.ok(spend(25));
    assert_eq!(book.last_frame(), ["budget task spent 25"]);
    assert_eq!(["task", "team", "root"].map(|id| book.named(id).spent), [25, 25, 25]);
    assert_eq!(["task", "team", "root"].map(|id| book.named(id).entry_count), [1, 0, 0]);
    assert_eq!(book.state.available(&"task".into()), Some(35));
}

#[test]
fn a_hard_limit_anywhere_on_the_path_refuses_with_its_figures_and_books_nothing() {
    let mut book = tree();
    book.ok(RecordSpend::new("team", Spend::of(30)));
    let refusal = book.refused(spend(51));
    assert_eq!(refusal.kind, RefusalKind::BudgetExceeded);
    assert_eq!((&refusal.budget_id, refusal.limit), (&"team".into(), Some(80)));
    assert_eq!((refusal.spent, refusal.reserved, refusal.amount), (30, 0, 51));
    assert_eq!(book.figures("task"), (0, 0, Some(60), 0));
    book.ok(spend(50));
    assert_eq!(book.named("team").status(), BudgetStatus::Exhausted);
}

#[test]
fn a_soft_limit_lets_pass_and_says_so() {
    let mut book = Book::new();
    book.ok(NewBudget::new("task").limit(10).soft());
    let allowance = check(&book.state, &"task".into(), 11, None).unwrap();
    assert_eq!((allowance.remaining, allowance.exceeds), (Some(10), Some("task".into())));
    book.ok(spend(11));
    assert_eq!(book.last_frame(), ["budget task spent 11", "budget task exhausted"]);
    assert_eq!(book.figures("task"), (11, 0, Some(0), 1));
}

#[test]
fn what_was_incurred_is_booked_whatever_the_limit_and_what_passes_is_typed() {
    let mut book = tree();
    book.ok(RecordSpend::incurred("task", Spend::of(90).id("s")));
    let record = book.state.spend(&"s".into()).unwrap();
    let overage: Vec<_> =
        record.overage.iter().map(|charge| (charge.budget_id.to_string(), charge.amount)).collect();
    assert_eq!(overage, [("task".to_owned(), 30), ("team".to_owned(), 10)]);
    assert_eq!((book.figures("task"), book.figures("root")), ((90, 0, Some(0), 30), (90, 0, Some(10), 0)));
    assert_eq!((book.named("task").overage_total, book.named("team").overage_total), (30, 10));
    book.ok(AdjustBudget::new("task").limit(200));
    assert_eq!((book.named("task").overage(), book.named("task").overage_total), (0, 30), "for life");
}

#[test]
fn nothing_and_too_much_are_no_amounts() {
    let mut book = Book::new();
    book.ok(NewBudget::new("task").unlimited());
    assert_eq!(book.rejected(spend(0)).kind, RejectionKind::Invalid);
    book.ok(spend(u128::MAX));
    assert_eq!(book.rejected(spend(1)).kind, RejectionKind::Invalid);
    assert_eq!(book.rejected(RecordSpend::incurred("task", Spend::of(1))).kind, RejectionKind::Invalid);
    assert_eq!(book.named("task").spent, u128::MAX);
}

#[test]
fn a_check_changes_nothing_and_its_refusal_has_no_seq() {
    let book = tree();
    assert!(check(&book.state, &"task".into(), 60, None).is_ok());
    let Err(CheckError::Refused(refusal)) = check(&book.state, &"task".into(), 61, None) else { panic!() };
    assert_eq!((refusal.seq, refusal.suppressed, refusal.amount), (None, false, 61));
    let rejected = |id: &str, amount| match check(&book.state, &id.into(), amount, None) {
        Err(CheckError::Rejected(rejection)) => rejection.kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(rejected("task", 0), RejectionKind::Invalid);
    assert_eq!(rejected("nobody", 1), RejectionKind::NotFound);
}

#[test]
fn a_veto_of_the_risk_assessor_is_a_refusal_with_its_reason() {
    let book = tree();
    let veto = Some(&"looks odd".into());
    let Err(CheckError::Refused(refusal)) = check(&book.state, &"task".into(), 1, veto) else { panic!() };
    assert_eq!((refusal.kind, refusal.reason.as_deref()), (RefusalKind::Risk, Some("looks odd")));
}

#[test]
fn a_spend_is_reversed_whole_or_in_part_but_never_more_than_was_spent() {
    let mut book = tree();
    book.ok(RecordSpend::new("task", Spend::of(60).id("s")));
    assert_eq!(book.named("task").status(), BudgetStatus::Exhausted);
    book.ok(ReverseSpend::part("s", 20).reason("refund"));
    assert_eq!(book.last_frame(), ["budget task reversed 20"]);
    assert_eq!(book.named("task").status(), BudgetStatus::Active, "a reversal clears exhausted");
    assert_eq!(["task", "team", "root"].map(|id| book.named(id).spent), [40; 3]);
    assert_eq!(book.rejected(ReverseSpend::part("s", 41)).kind, RejectionKind::Invalid);
    assert_eq!(book.rejected(ReverseSpend::part("s", 0)).kind, RejectionKind::Invalid);
    book.ok(ReverseSpend::whole("s"));
    assert_eq!(book.state.spend(&"s".into()).unwrap().reversed, 60);
    assert_eq!(book.rejected(ReverseSpend::whole("s")).kind, RejectionKind::Invalid);
    assert_eq!(book.rejected(ReverseSpend::whole("t")).kind, RejectionKind::NotFound);
    assert_eq!((book.named("root").spent, book.named("root").spent_total), (0, 0));
}

#[test]
fn a_lowered_limit_exhausts_and_a_raised_one_clears() {
    let mut book = tree();
    book.ok(spend(30));
    book.ok(AdjustBudget::new("task").limit(20));
    assert_eq!(book.last_frame(), ["budget task adjusted", "budget task exhausted"]);
    assert_eq!(book.figures("task"), (30, 0, Some(0), 10));
    book.ok(AdjustBudget::new("task").limit(31));
    assert_eq!(book.last_frame(), ["budget task adjusted"]);
    assert_eq!(book.named("task").status(), BudgetStatus::Active);
    assert_eq!(
        book.apply(AdjustBudget::new("task").limit(31)),
        Answer::Unchanged(Outcome::Budget("task".into()))
    );
}

#[test]
fn a_budget_with_open_ones_below_is_closed_along_with_them_or_not_at_all() {
    let mut book = tree();
    book.ok(NewReservation::new("task", 5).id("r"));
    book.ok(NewReservation::new("root", 7).id("q"));
    assert_eq!(book.rejected(CloseBudget::new("root")).kind, RejectionKind::InvalidTransition);
    assert_eq!(book.ok(CloseBudget::new("root").with_children()), Outcome::Closed("root".into()));
    let expected = [
        "r released budget_closed",
        "budget task closed",
        "budget team closed",
        "q released budget_closed",
        "budget root closed",
    ];
    assert_eq!(book.last_frame(), expected);
    let closing = book.named("root").closing.as_ref().unwrap();
    assert_eq!(*closing.released, ["r".into(), "q".into()]);
    assert_eq!(["task", "team", "root"].map(|id| book.named(id).reserved), [0; 3]);
    assert_eq!(book.refused(CloseBudget::new("root")).kind, RefusalKind::BudgetClosed);
}

#[test]
fn nothing_is_admitted_by_a_closed_budget_but_what_was_incurred_is_booked_late() {
    let mut book = tree();
    book.ok(CloseBudget::new("task"));
    assert_eq!(book.refused(spend(1)).kind, RefusalKind::BudgetClosed);
    assert_eq!(book.refused(NewReservation::new("task", 1)).kind, RefusalKind::BudgetClosed);
    assert_eq!(book.refused(AdjustBudget::new("task").limit(1)).kind, RefusalKind::BudgetClosed);
    assert_eq!(book.refused(NewBudget::new("new").limit(1).parent("task")).kind, RefusalKind::BudgetClosed);
    book.ok(RecordSpend::incurred("task", Spend::of(3)));
    assert_eq!(book.last_frame(), ["budget task spent 3 late"]);
    assert_eq!(["task", "team", "root"].map(|id| book.named(id).spent), [3; 3]);
}

#[test]
fn progress_is_kept() {
    let mut book = tree();
    let progress = Fraction::from_ppm(250_000).unwrap();
    book.ok(SetProgress { budget_id: "task".into(), progress });
    assert_eq!(book.named("task").progress, Some(progress));
}

#[test]
fn a_mistake_that_was_taken_back_keeps_nothing_from_being_booked() {
    let mut book = Book::new();
    book.ok(NewBudget::new("task").limit(100));
    book.ok(RecordSpend::incurred("task", Spend::of(u128::MAX).id("mistake")));
    book.ok(ReverseSpend::whole("mistake"));
    book.ok(RecordSpend::incurred("task", Spend::of(200)));
    assert_eq!((book.named("task").spent, book.named("task").overage_total), (200, u128::MAX));
}

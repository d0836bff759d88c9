//! Caps that an agent cannot change: who may widen a budget.

use super::harness::{Book, goal, id};
use crate::domain::{
    AdjustBudget, NewBudget, ObserveMeter, RecordSpend, Request, ResetMeter, ReverseSpend, SetGoalBudget,
    Spend,
};
use crate::event::{Fraction, RefusalKind, Window};

fn book() -> Book {
    let mut book = Book::new();
    book.ok(NewBudget::new("cap").limit(100).thresholds(fractions(&[500_000, 900_000])).widen_by(["owner"]));
    book
}

fn fractions(ppm: &[u32]) -> Vec<Fraction> {
    ppm.iter().map(|&ppm| Fraction::from_ppm(ppm).unwrap()).collect()
}

fn adjust() -> AdjustBudget {
    AdjustBudget::new("cap")
}

fn by(actor: &str, adjust: AdjustBudget) -> Request {
    Request::from(adjust).actor(actor)
}

fn window(every: &str) -> Option<Window> {
    Some(Window { every: every.into(), anchor: None, tz: None })
}

#[test]
fn whatever_widens_is_refused_to_others_and_the_refusal_is_an_event() {
    let mut book = book();
    let widening = [
        adjust().limit(101),
        adjust().unlimited(),
        adjust().hard(false),
        adjust().thresholds(fractions(&[600_000, 900_000])),
        adjust().thresholds(fractions(&[500_000])),
        adjust().window(window("day")),
        adjust().limit(50).hard(false),
    ];
    for adjust in widening {
        let before = book.named("cap").clone();
        let refusal = book.refused(by("agent", adjust.clone()));
        assert_eq!((refusal.kind, refusal.seq), (RefusalKind::Forbidden, Some(book.seq)), "{adjust:?}");
        assert!(refusal.reason.unwrap().contains("\"agent\" may not"), "{adjust:?}");
        assert_eq!(book.refused(adjust).kind, RefusalKind::Forbidden, "nor may one without a name");
        assert_eq!(*book.named("cap"), before);
        book.wait_secs(60);
    }
}

#[test]
fn whoever_is_named_may_widen() {
    let mut book = book();
    book.ok(by("owner", adjust().unlimited().hard(false).thresholds([])));
    assert_eq!(book.named("cap").limit(), None);
}

#[test]
fn everyone_may_tighten() {
    let mut book = book();
    book.ok(by("agent", adjust().limit(99).thresholds(fractions(&[400_000, 500_000, 900_000]))));
    assert_eq!(book.named("cap").limit(), Some(99));
    assert_eq!(
        book.refused(by("agent", adjust().limit(100))).kind,
        RefusalKind::Forbidden,
        "and not back again"
    );
}

#[test]
fn without_names_everyone_may_and_with_an_empty_list_nobody() {
    let mut book = Book::new();
    book.ok(NewBudget::new("open").limit(1));
    book.ok(NewBudget::new("fixed").limit(1).widen_by([""; 0]));
    book.ok(AdjustBudget::new("open").limit(2));
    assert_eq!(book.refused(by("owner", AdjustBudget::new("fixed").limit(2))).kind, RefusalKind::Forbidden);
}

#[test]
fn the_tokens_of_a_goal_can_be_capped_for_good() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(10).widen_by(["owner"]));
    book.turn(1, 10);
    let raise = || Request::from(SetGoalBudget::new(id(1), Some(20)).resume());
    let refusal = book.refused(raise().actor("agent"));
    assert_eq!((refusal.kind, refusal.amount), (RefusalKind::Forbidden, 20));
    book.done(raise().actor("owner"));
    assert_eq!(book.goal(1).token_budget, Some(20));
}

#[test]
fn taking_back_what_was_spent_gives_room_as_widening_does() {
    let mut book = book();
    book.ok(NewBudget::new("task").limit(100).parent("cap"));
    book.ok(RecordSpend::new("task", Spend::of(100).id("s")));
    let reverse = || Request::from(ReverseSpend::whole("s"));
    let refusal = book.refused(reverse().actor("agent"));
    assert_eq!(
        (refusal.kind, refusal.budget_id, refusal.amount),
        (RefusalKind::Forbidden, "cap".into(), 100)
    );
    assert_eq!(book.refused(reverse()).kind, RefusalKind::Forbidden);
    book.ok(reverse().actor("owner"));
    assert_eq!(book.named("cap").spent, 0);
}

#[test]
fn setting_a_meter_forward_hides_what_it_would_book() {
    let mut book = book();
    book.ok(ObserveMeter::cumulative("m", 10).budget("cap"));
    let reset = |baseline| Request::from(ResetMeter { meter_id: "m".into(), baseline }).actor("agent");
    assert_eq!(book.refused(reset(11)).kind, RefusalKind::Forbidden);
    book.ok(reset(0));
    book.ok(reset(5).actor("owner"));
}

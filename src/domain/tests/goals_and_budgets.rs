//! Goals that name budgets: charges on turns, and exhaustion anywhere up the path.

use super::harness::{ACTIVE, Book, child, goal, goal_budget, id, paused};
use crate::domain::{
    AdjustBudget, CloseBudget, NewBudget, NewReservation, Outcome, RecordSpend, RecordTurn, RejectionKind,
    ReverseSpend, SetGoalBudget, Settle, Spend, TransitionGoal, Turn,
};
use crate::event::{GoalStatus, RefusalKind, TransitionReason};

const EXHAUSTED: TransitionReason = TransitionReason::BudgetExhausted;

/// `account` of 100 with `money` of 60 below it; goal 1 names `money`, goal 2 works for goal 1.
fn book() -> Book {
    let mut book = Book::new();
    book.ok(NewBudget::new("account").unit("usd").limit(100));
    book.ok(NewBudget::new("money").unit("usd").limit(60).parent("account"));
    book.create(goal(1).budget("money"));
    book.create(child(2, 1));
    book
}

fn resume(number: u128) -> TransitionGoal {
    TransitionGoal::new(id(number), GoalStatus::Active)
}

#[test]
fn one_frame_holds_the_turn_its_charges_the_alerts_and_the_pauses() {
    let mut book = book();
    book.ok(RecordTurn::goal(id(2), Turn::tokens(7).charge("money", 60)));
    let expected = [
        "2 turn 7",
        "budget money spent 60",
        "budget money at 0.5",
        "budget money at 0.8",
        "budget money at 0.95",
        "budget money exhausted",
        "2 paused budget_exhausted by budget money",
        "1 paused budget_exhausted by budget money",
        "budget account at 0.5",
    ];
    assert_eq!(book.whole_last_frame(), expected);
    assert_eq!((book.goal(2).tokens_own, book.named("account").spent), (7, 60));
}

#[test]
fn a_spend_from_elsewhere_that_exhausts_a_budget_above_a_named_one_pauses_every_goal_below() {
    let mut book = book();
    book.create(goal(3));
    book.ok(RecordSpend::new("account", Spend::of(100)));
    assert_eq!((book.status(1), book.status(2)), (paused(EXHAUSTED), paused(EXHAUSTED)));
    assert_eq!(book.status(3), ACTIVE, "it names no budget");
    let refusal = book.refused(resume(1));
    assert_eq!((refusal.kind, &refusal.budget_id), (RefusalKind::BudgetExceeded, &"account".into()));
    assert_eq!((refusal.limit, refusal.spent), (Some(100), 100));
    let refusal = book.refused(goal(4).budget("money"));
    assert_eq!(refusal.budget_id, "account".into());
    let refusal = book.refused(child(5, 2));
    assert_eq!(refusal.budget_id, "account".into());
}

#[test]
fn once_the_limit_is_raised_the_goals_can_be_resumed() {
    let mut book = book();
    book.ok(RecordSpend::new("money", Spend::of(60)));
    book.ok(AdjustBudget::new("money").limit(61));
    assert_eq!(book.status(1), paused(EXHAUSTED), "nothing resumes by itself");
    book.done(resume(1));
    assert_eq!((book.status(1), book.status(2)), (ACTIVE, paused(EXHAUSTED)));
    book.done(resume(2));
}

#[test]
fn a_soft_budget_pauses_no_goal_until_it_is_made_hard() {
    let mut book = Book::new();
    book.ok(NewBudget::new("money").limit(10).soft());
    book.create(goal(1).budget("money"));
    book.ok(RecordTurn::goal(id(1), Turn::tokens(0).charge("money", 11)));
    assert_eq!(book.status(1), ACTIVE);
    book.ok(AdjustBudget::new("money").hard(true));
    let expected =
        ["budget money adjusted", "budget money exhausted", "1 paused budget_exhausted by budget money"];
    assert_eq!(book.last_frame(), expected);
}

#[test]
fn charges_of_one_turn_add_up_at_what_they_have_in_common() {
    let mut book = book();
    book.ok(NewBudget::new("more").unit("usd").limit(60).parent("account"));
    book.ok(RecordTurn::goal(id(1), Turn::tokens(0).charge("money", 50).charge("more", 50)));
    assert!(book.last_frame().contains(&"budget account exhausted".to_owned()));
    assert_eq!(["money", "more", "account"].map(|id| book.named(id).spent), [50, 50, 100]);
}

#[test]
fn charges_after_the_goals_end_are_late() {
    let mut book = book();
    book.transition(1, GoalStatus::Completed);
    book.ok(RecordTurn::goal(id(1), Turn::tokens(1).charge("money", 2)));
    assert_eq!(book.last_frame(), ["1 turn 1 late", "budget money spent 2 late"]);
    book.ok(RecordSpend::new("money", Spend::of(58)));
    assert_eq!(
        book.last_frame(),
        ["budget money spent 58", "budget money exhausted"],
        "an ended goal is not paused"
    );
}

#[test]
fn budgets_of_goals_cannot_be_named_charged_closed_or_given_windows() {
    let mut book = book();
    let own = goal_budget(1);
    assert_eq!(book.rejected(goal(3).budget(own.clone())).kind, RejectionKind::Invalid);
    let turn = Turn::tokens(1).charge(own.clone(), 1);
    assert_eq!(book.rejected(RecordTurn::goal(id(1), turn)).kind, RejectionKind::Invalid);
    assert_eq!(book.rejected(CloseBudget::new(own.clone())).kind, RejectionKind::Invalid);
    let window = crate::event::Window { every: "day".into(), anchor: None, tz: None };
    assert_eq!(book.rejected(AdjustBudget::new(own).window(Some(window))).kind, RejectionKind::Invalid);
    assert_eq!(book.rejected(goal(3).budget("nobody")).kind, RejectionKind::NotFound);
    let turn = Turn::tokens(1).charge("money", 0);
    assert_eq!(book.rejected(RecordTurn::goal(id(1), turn)).kind, RejectionKind::Invalid);
}

#[test]
fn tokens_can_be_reserved_and_spent_directly_and_count_as_the_goals_own() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.ok(NewReservation::new(goal_budget(1), 80).id("r"));
    assert_eq!(book.refused(NewReservation::new(goal_budget(1), 21)).budget_id, goal_budget(1));
    book.ok(Settle { reservation_id: "r".into(), spend: Spend::of(70).id("s") });
    assert_eq!((book.goal(1).tokens_used, book.goal(1).tokens_own), (70, 70));
    book.ok(ReverseSpend::part("s", 20));
    assert_eq!((book.goal(1).tokens_used, book.goal(1).tokens_own), (50, 50));
    book.ok(RecordSpend::new(goal_budget(1), Spend::of(50)));
    assert_eq!(book.status(1), paused(EXHAUSTED));
}

#[test]
fn the_end_of_a_goal_closes_its_budget_and_releases_what_is_reserved_there() {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.ok(NewReservation::new(goal_budget(1), 80).id("r"));
    book.transition(1, GoalStatus::Completed);
    assert_eq!(book.last_frame(), ["r released goal_ended", "1 completed requested"]);
    assert!(book.budget(1).is_closed());
    assert_eq!(book.refused(RecordSpend::new(goal_budget(1), Spend::of(1))).kind, RefusalKind::BudgetClosed);
    book.turn(1, 5);
    assert_eq!(book.last_frame(), ["1 turn 5 late"]);
}

#[test]
fn a_goal_cannot_name_a_closed_budget() {
    let mut book = book();
    book.ok(CloseBudget::new("money"));
    assert_eq!(book.refused(goal(3).budget("money")).kind, RefusalKind::BudgetClosed);
    assert_eq!(book.status(1), ACTIVE, "closing pauses nobody: charges are booked late");
}

#[test]
fn closing_an_exhausted_budget_frees_no_goal_of_it() {
    let mut book = book();
    book.ok(RecordSpend::new("money", Spend::of(60)));
    book.ok(CloseBudget::new("money"));
    assert_eq!(book.refused(resume(1)).budget_id, "money".into());
}

#[test]
fn raising_the_tokens_and_resuming_is_refused_while_a_named_budget_holds() {
    let mut book = book();
    book.ok(RecordSpend::new("money", Spend::of(60)));
    let refusal = book.refused(SetGoalBudget::new(id(1), Some(10)).resume());
    assert_eq!((refusal.budget_id, book.goal(1).token_budget), ("money".into(), None));
    book.ok(AdjustBudget::new("money").unlimited());
    assert_eq!(book.ok(SetGoalBudget::new(id(1), Some(10)).resume()), Outcome::Goal(id(1)));
    assert_eq!(book.status(1), ACTIVE);
}

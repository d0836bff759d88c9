//! Folding hand-written events about budgets, spends, reservations and meters: what each does to the figures.

use super::fold_ledger::*;
use super::harness::{goal_budget, id};
use crate::domain::{BudgetStatus, ReservationStatus};
use crate::event::{
    BudgetAdjusted, BudgetExhausted, GoalBudgetSet, GoalStatus, MeterObserved, MeterReset, Payload,
    ProgressSet, Reading, ReleaseReason, SpendRecorded, TransitionReason, TurnRecorded,
};
use crate::event::{BudgetTerms, Fraction};

#[test]
fn a_spend_is_booked_at_the_budget_and_every_one_above_it() {
    let mut ledger = Ledger::tree();
    ledger.fold(spent("s", "task", 30));
    assert_eq!((ledger.figures("task"), ledger.figures("root")), ((30, 30, 0, 0), (30, 30, 0, 0)));
    assert_eq!((ledger.budget("task").entry_count, ledger.budget("root").entry_count), (1, 0));
    ledger.check_replay();
}

#[test]
fn overage_is_totalled_at_each_budget_whose_limit_is_passed() {
    let mut ledger = Ledger::tree();
    let first = SpendRecorded { overage: vec![over("task", 20)], ..spend("a", "task", 120) };
    ledger.fold(Payload::SpendRecorded(first.into()));
    let both = vec![over("task", 900), over("root", 20)];
    ledger.fold(Payload::SpendRecorded(SpendRecorded { overage: both, ..spend("b", "task", 900) }.into()));
    assert_eq!((ledger.budget("task").overage_total, ledger.budget("root").overage_total), (920, 20));
}

#[test]
fn a_reversal_takes_back_at_every_budget_and_leaves_the_total_overage() {
    let mut ledger = Ledger::tree();
    let first = SpendRecorded { overage: vec![over("task", 20)], ..spend("s", "task", 120) };
    ledger.fold(Payload::SpendRecorded(first.into()));
    ledger.fold(reversed("s", "task", 100));
    assert_eq!((ledger.figures("task"), ledger.figures("root")), ((20, 20, 0, 20), (20, 20, 0, 0)));
    assert_eq!(ledger.state.spend(&"s".into()).unwrap().reversed, 100);
    assert_eq!(ledger.budget("task").entry_count, 1);
    ledger.check_replay();
}

#[test]
fn a_spend_from_before_a_roll_is_taken_from_the_totals_only_where_it_rolled() {
    let mut ledger = Ledger::new();
    ledger.fold(allocated("root", 1_000, None));
    ledger.fold(windowed("task", Some("root")));
    ledger.fold(spent("s", "task", 30));
    ledger.wait_secs(60);
    ledger.fold(Payload::WindowRolled(rolled("task", 1_000, 30, 1_060)));
    ledger.fold(spent("t", "task", 5));
    ledger.fold(reversed("s", "task", 30));
    assert_eq!((ledger.figures("task"), ledger.figures("root")), ((5, 5, 0, 0), (5, 5, 0, 0)));
}

#[test]
fn a_roll_begins_anew_with_what_is_spent_and_arms_the_thresholds_but_keeps_what_is_reserved() {
    let mut ledger = Ledger::new();
    ledger.fold(windowed("task", None));
    ledger.fold(reserved("r", "task", 7));
    ledger.fold(spent("s", "task", 50));
    ledger.fold(crossed("task", 500_000, 100, 50));
    ledger.wait_secs(200);
    ledger.fold(Payload::WindowRolled(rolled("task", 1_000, 50, 1_180)));
    assert_eq!(ledger.figures("task"), (0, 50, 7, 0));
    assert_eq!((ledger.budget("task").crossed, ledger.budget("task").span), (0, Some(minute_from(1_180))));
    assert_eq!(ledger.state.next_deadline(), Some(second(1_240)));
    ledger.check_replay();
}

#[test]
fn a_reservation_is_set_aside_on_the_path_and_its_settlement_books_instead() {
    let mut ledger = Ledger::tree();
    ledger.fold(reserved("r", "task", 40));
    assert_eq!((ledger.figures("task"), ledger.figures("root")), ((0, 0, 40, 0), (0, 0, 40, 0)));
    ledger.fold(Payload::SpendRecorded(settled("s", "task", 25, "r").into()));
    assert_eq!((ledger.figures("task"), ledger.figures("root")), ((25, 25, 0, 0), (25, 25, 0, 0)));
    let reservation = ledger.state.reservation(&"r".into()).unwrap();
    assert_eq!((reservation.status, &reservation.spend_id), (ReservationStatus::Settled, &Some("s".into())));
    ledger.check_replay();
}

#[test]
fn a_released_and_an_expired_reservation_are_given_back_on_the_path() {
    let mut ledger = Ledger::tree();
    ledger.fold(reserved("a", "task", 40));
    ledger.fold(reserved_until("b", "task", 50, 1_001));
    ledger.fold(released("a", "task", 40, ReleaseReason::Requested));
    ledger.wait_secs(1);
    ledger.fold(expired("b", "task", 50));
    assert_eq!((ledger.figures("task"), ledger.figures("root")), ((0, 0, 0, 0), (0, 0, 0, 0)));
    let status = |id: &str| ledger.state.reservation(&id.into()).unwrap().status;
    assert_eq!((status("a"), status("b")), (ReservationStatus::Released, ReservationStatus::Expired));
    ledger.check_replay();
}

#[test]
fn a_late_settlement_is_booked_and_does_not_move_the_end() {
    let mut ledger = Ledger::tree();
    ledger.fold(reserved("r", "task", 40));
    ledger.fold(released("r", "task", 40, ReleaseReason::Requested));
    let end = ledger.now;
    ledger.wait_secs(5);
    let late = SpendRecorded { late: true, ..settled("s", "task", 40, "r") };
    ledger.fold(Payload::SpendRecorded(late.into()));
    assert_eq!(ledger.figures("task"), (40, 40, 0, 0));
    let reservation = ledger.state.reservation(&"r".into()).unwrap();
    assert_eq!((reservation.status, reservation.ended_at), (ReservationStatus::Settled, Some(end)));
    ledger.check_replay();
}

#[test]
fn what_is_due_is_the_expiry_of_open_reservations_and_the_roll_of_open_budgets() {
    let mut ledger = Ledger::new();
    ledger.fold(windowed("task", None));
    ledger.fold(reserved_until("a", "task", 1, 1_010));
    ledger.fold(reserved_until("b", "task", 1, 1_020));
    ledger.fold(reserved_until("c", "task", 1, 1_030));
    ledger.fold(reserved_until("d", "task", 1, 1_040));
    assert_eq!(ledger.state.next_deadline(), Some(second(1_010)));
    ledger.fold(marked_unknown("a", "task", 1));
    assert_eq!(ledger.state.next_deadline(), Some(second(1_020)));
    ledger.fold(released("b", "task", 1, ReleaseReason::Requested));
    assert_eq!(ledger.state.next_deadline(), Some(second(1_030)));
    ledger.fold(Payload::SpendRecorded(settled("s", "task", 1, "c").into()));
    assert_eq!(ledger.state.next_deadline(), Some(second(1_040)));
    ledger.wait_secs(40);
    ledger.fold(expired("d", "task", 1));
    assert_eq!(ledger.state.next_deadline(), Some(second(1_060)));
    ledger.fold(released("a", "task", 1, ReleaseReason::BudgetClosed));
    ledger.fold(closed("task", None, &["a"]));
    assert_eq!(ledger.state.next_deadline(), None);
}

#[test]
fn a_window_that_is_given_or_taken_moves_what_is_due_and_what_is_spent_counts_on() {
    let mut ledger = Ledger::new();
    ledger.fold(allocated("task", 100, None));
    ledger.fold(spent("s", "task", 30));
    let given = BudgetAdjusted {
        budget_id: "task".into(),
        previous: terms(100),
        terms: every_minute(),
        span: Some(minute_from(1_000)),
    };
    ledger.fold(Payload::BudgetAdjusted(given));
    assert_eq!((ledger.state.next_deadline(), ledger.figures("task").0), (Some(second(1_060)), 30));
    ledger.fold(adjusted("task", every_minute(), terms(100)));
    assert_eq!((ledger.state.next_deadline(), ledger.figures("task").0), (None, 30));
}

#[test]
fn other_limits_and_other_thresholds_arm_again_and_other_terms_do_not() {
    let mut ledger = Ledger::new();
    ledger.fold(allocated("task", 100, None));
    ledger.fold(spent("s", "task", 60));
    ledger.fold(crossed("task", 500_000, 100, 60));
    let soft = BudgetTerms { hard: false, ..terms(100) };
    ledger.fold(adjusted("task", terms(100), soft.clone()));
    assert_eq!(ledger.budget("task").crossed, 1);
    ledger.fold(adjusted("task", soft, terms(110)));
    assert_eq!(ledger.budget("task").crossed, 0);
    ledger.fold(crossed("task", 500_000, 110, 60));
    let other = BudgetTerms { thresholds: [Fraction::ONE].into(), ..terms(110) };
    ledger.fold(adjusted("task", terms(110), other));
    assert_eq!(ledger.budget("task").crossed, 0);
    ledger.check_replay();
}

#[test]
fn a_closed_budget_names_what_was_released_below_it_too() {
    let mut ledger = Ledger::tree();
    ledger.fold(reserved("a", "task", 1));
    ledger.fold(reserved("b", "root", 2));
    ledger.fold(released("a", "task", 1, ReleaseReason::BudgetClosed));
    ledger.fold(closed("task", Some("root"), &["a"]));
    ledger.fold(released("b", "root", 2, ReleaseReason::BudgetClosed));
    ledger.fold(closed("root", None, &["b", "a"]));
    let released = &ledger.budget("root").closing.as_ref().unwrap().released;
    assert_eq!(**released, ["b".into(), "a".into()]);
    assert_eq!(ledger.budget("task").status(), BudgetStatus::Closed);
    assert!(ledger.state.releasing.is_empty());
    ledger.check_replay();
}

#[test]
fn what_was_incurred_on_a_closed_budget_is_booked_late() {
    let mut ledger = Ledger::tree();
    ledger.fold(closed("task", None, &[]));
    ledger.fold(Payload::SpendRecorded(
        SpendRecorded { late: true, incurred: true, ..spend("s", "task", 3) }.into(),
    ));
    assert_eq!((ledger.figures("task").0, ledger.figures("root").0), (3, 3));
}

#[test]
fn progress_is_kept() {
    let mut ledger = Ledger::tree();
    let progress = Fraction::from_ppm(250_000).unwrap();
    ledger.fold(Payload::ProgressSet(ProgressSet { budget_id: "task".into(), progress }));
    assert_eq!(ledger.budget("task").progress, Some(progress));
}

#[test]
fn the_budget_of_a_goal_ends_with_it_and_names_what_was_released() {
    let mut ledger = Ledger::new();
    ledger.fold(goal_created(1, None, &[]));
    let budget = goal_budget(1).to_string();
    ledger.fold(reserved("r", &budget, 5));
    ledger.fold(released("r", &budget, 5, ReleaseReason::GoalEnded));
    ledger.fold(goal_moved(1, GoalStatus::Completed, TransitionReason::Requested));
    let closing = ledger.budget(&budget).closing.clone().unwrap();
    assert_eq!((closing.at, &*closing.released), (ledger.now, &["r".into()][..]));
    ledger.check_replay();
}

#[test]
fn a_goal_is_found_by_the_budgets_it_names_until_it_ends() {
    let mut ledger = Ledger::tree();
    ledger.fold(goal_created(1, None, &["task"]));
    let naming =
        |ledger: &Ledger| ledger.state.naming(&"task".into()).map(|goal| goal.id()).collect::<Vec<_>>();
    assert_eq!(naming(&ledger), [id(1)]);
    ledger.fold(goal_moved(1, GoalStatus::Cleared, TransitionReason::Requested));
    assert!(naming(&ledger).is_empty());
}

#[test]
fn what_is_booked_on_a_goals_budget_is_the_goals_own_usage() {
    let mut ledger = Ledger::new();
    ledger.fold(goal_created(1, None, &[]));
    ledger.fold(goal_created(2, Some(1), &[]));
    let budget = goal_budget(2).to_string();
    ledger.fold(spent("s", &budget, 30));
    ledger.fold(reversed("s", &budget, 10));
    let own = |number| ledger.state.goal(id(number)).map(|goal| (goal.tokens_own, goal.tokens_used)).unwrap();
    assert_eq!((own(1), own(2)), ((0, 20), (20, 20)));
}

#[test]
fn a_turn_is_booked_like_a_spend_but_is_no_entry() {
    let mut ledger = Ledger::new();
    ledger.fold(goal_created(1, None, &[]));
    let budget = goal_budget(1).to_string();
    let turn = TurnRecorded { overage: vec![over(&budget, 20)], ..turn(1, 120) };
    ledger.fold(Payload::TurnRecorded(turn));
    assert_eq!((ledger.figures(&budget), ledger.budget(&budget).entry_count), ((120, 120, 0, 20), 0));
}

#[test]
fn a_turn_of_before_the_first_release_did_not_say_what_passed_a_limit() {
    let mut ledger = Ledger::new();
    ledger.fold(goal_created(1, None, &[]));
    ledger.fold(Payload::TurnRecorded(turn(1, 120)));
    assert_eq!(ledger.figures(&goal_budget(1).to_string()).3, 20);
}

#[test]
fn another_limit_of_a_goals_tokens_arms_its_thresholds_again() {
    let mut ledger = Ledger::new();
    ledger.fold(goal_created(1, None, &[]));
    ledger.fold(Payload::TurnRecorded(turn(1, 60)));
    let budget = goal_budget(1).to_string();
    ledger.fold(crossed(&budget, 500_000, 100, 60));
    let set = |previous, token_budget| {
        Payload::GoalBudgetSet(GoalBudgetSet { goal_id: id(1), previous, token_budget })
    };
    ledger.fold(set(Some(100), Some(100)));
    assert_eq!(ledger.budget(&budget).crossed, 1, "the same limit is no change");
    ledger.fold(set(Some(100), Some(200)));
    assert_eq!(ledger.budget(&budget).crossed, 0);
}

#[test]
fn a_spend_reaches_to_the_last_event_that_follows_from_it() {
    let mut ledger = Ledger::tree();
    let ended = |ledger: &Ledger| ledger.state.spend(&"s".into()).unwrap().last_seq;
    ledger.fold(goal_created(1, None, &["task"]));
    ledger.fold(spent("s", "task", 100));
    for ppm in [500_000, 800_000, 950_000] {
        ledger.fold(crossed("task", ppm, 100, 100));
    }
    let exhausted =
        BudgetExhausted { budget_id: "task".into(), limit: 100, spent: 100, overage: 0, hard: true };
    ledger.fold(Payload::BudgetExhausted(exhausted));
    ledger.fold(goal_moved(1, GoalStatus::Paused, TransitionReason::BudgetExhausted));
    let last = ledger.seq();
    assert_eq!(ended(&ledger), last);
    // What follows from an adjustment is not the spend's.
    ledger.fold(adjusted("task", terms(100), terms(110)));
    ledger.fold(crossed("task", 500_000, 110, 100));
    assert_eq!(ended(&ledger), last);
    ledger.check_replay();
}

#[test]
fn a_meter_counts_over_its_readings_and_resets() {
    let mut ledger = Ledger::tree();
    let observed = |increase, total| {
        Payload::MeterObserved(MeterObserved {
            meter_id: "m".into(),
            budget_id: Some("task".into()),
            reading: Reading::Cumulative(total),
            increase,
            total,
        })
    };
    ledger.fold(observed(10, 10));
    ledger.fold(observed(5, 15));
    ledger.fold(Payload::MeterReset(MeterReset { meter_id: "m".into(), previous: 15, baseline: 2 }));
    ledger.fold(observed(1, 3));
    let meter = ledger.state.meter(&"m".into()).unwrap();
    assert_eq!((meter.total, meter.booked), (3, 16));
    ledger.check_replay();
}

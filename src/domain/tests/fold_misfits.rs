//! Events that do not fit what came before them: no engine decided them, so they are errors, never panics.

use super::fold_ledger::*;
use super::harness::{goal_budget, id};
use crate::event::{
    BudgetAllocated, BudgetExhausted, BudgetTerms, Fraction, GoalStatus, MeterObserved, MeterReset, Payload,
    ProgressSet, Reading, ReleaseReason, SpendRecorded, TransitionReason, TurnRecorded, WindowRolled,
};

/// Each does not fit, for a reason that holds those words.
#[track_caller]
fn check(ledger: &Ledger, misfits: impl IntoIterator<Item = (Payload, &'static str)>) {
    for (payload, reason) in misfits {
        let kind = payload.kind();
        let message = ledger.misfit(payload);
        assert!(message.contains(reason), "{kind}: expected {reason:?} in {message:?}");
    }
}

fn ppm(ppm: u32) -> Fraction {
    Fraction::from_ppm(ppm).unwrap()
}

#[test]
fn allocations_that_do_not_fit() {
    let mut ledger = Ledger::tree();
    ledger.fold(allocated("shut", 1, None));
    ledger.fold(closed("shut", None, &[]));
    ledger.fold(goal_created(1, None, &[]));
    let goals = goal_budget(1).to_string();
    let with = |change: fn(&mut BudgetAllocated)| {
        let mut made = made("new", 1, None);
        change(&mut made);
        Payload::BudgetAllocated(made)
    };
    check(
        &ledger,
        [
            (allocated("task", 1, None), "exists"),
            (allocated("new", 1, Some("nowhere")), "budget nowhere to exist"),
            (allocated("new", 1, Some("new")), "budget new to exist"),
            (allocated("new", 1, Some("shut")), "found it closed"),
            (allocated("new", 1, Some(&goals)), "no budget of a goal"),
            (allocated(&goal_budget(9).to_string(), 1, None), "no budget of a goal"),
            (
                with(|made| {
                    made.unit = "wei".into();
                    made.parent = Some("root".into());
                }),
                "the unit",
            ),
            (with(|made| made.terms.thresholds = [ppm(5), ppm(5)].into()), "ascending"),
            (with(|made| made.terms.thresholds = [Fraction::ZERO].into()), "above 0"),
            (with(|made| made.terms = every_minute()), "the window"),
            (with(|made| made.span = Some(minute_from(1_000))), "the window"),
            (
                with(|made| {
                    made.terms = every_minute();
                    made.span = Some(minute_from(1_001));
                }),
                "the window",
            ),
        ],
    );
}

#[test]
fn adjustments_that_do_not_fit() {
    let mut ledger = Ledger::tree();
    ledger.fold(allocated("shut", 1, None));
    ledger.fold(closed("shut", None, &[]));
    ledger.fold(goal_created(1, None, &[]));
    let goals = goal_budget(1).to_string();
    let progress = ProgressSet { budget_id: "nowhere".into(), progress: Fraction::ONE };
    check(
        &ledger,
        [
            (adjusted("nowhere", terms(1), terms(2)), "to exist"),
            (adjusted("task", terms(99), terms(2)), "the previous terms"),
            (adjusted("task", terms(100), every_minute()), "the window"),
            (adjusted("shut", terms(1), terms(2)), "found it closed"),
            (adjusted(&goals, terms(100), every_minute()), "no window"),
            (
                adjusted(
                    "task",
                    terms(100),
                    BudgetTerms { thresholds: [ppm(2), ppm(1)].into(), ..terms(100) },
                ),
                "ascending",
            ),
            (Payload::ProgressSet(progress), "to exist"),
        ],
    );
}

#[test]
fn spends_that_do_not_fit() {
    let mut ledger = Ledger::tree();
    ledger.fold(spent("s", "task", 60));
    ledger.fold(reserved("r", "root", 1));
    ledger.fold(reserved("t", "task", 1));
    ledger.fold(Payload::SpendRecorded(settled("u", "task", 1, "t").into()));
    let with = |change: &dyn Fn(&mut SpendRecorded)| {
        let mut new = spend("new", "task", 10);
        change(&mut new);
        Payload::SpendRecorded(new.into())
    };
    check(
        &ledger,
        [
            (spent("s", "task", 1), "is remembered from seq 3"),
            (spent("new", "nowhere", 1), "to exist"),
            (spent("new", "task", 60), "an overage of 21 at budget task, found None"),
            (with(&|new| new.overage = vec![over("task", 1)]), "no overage at budget task"),
            (
                with(&|new| {
                    new.amount = 60;
                    new.overage = vec![over("task", 20)];
                }),
                "an overage of 21",
            ),
            (
                with(&|new| {
                    new.amount = u128::MAX;
                    new.overage = vec![over("task", u128::MAX)];
                }),
                "would pass",
            ),
            (with(&|new| new.late = true), "late"),
            (with(&|new| new.reservation_id = Some("nowhere".into())), "to be remembered"),
            (with(&|new| new.reservation_id = Some("r".into())), "the budget of reservation r"),
            (with(&|new| new.reservation_id = Some("t".into())), "found spend u"),
            (with(&|new| new.goal_id = Some(id(9))), "goal"),
            (with(&|new| new.meter_id = Some("m".into())), "the budget of meter m"),
        ],
    );
}

#[test]
fn a_settlement_after_the_end_that_is_not_late_does_not_fit() {
    let mut ledger = Ledger::tree();
    ledger.fold(reserved("r", "task", 1));
    ledger.fold(released("r", "task", 1, ReleaseReason::Requested));
    check(&ledger, [(Payload::SpendRecorded(settled("s", "task", 1, "r").into()), "late")]);
}

#[test]
fn reversals_that_do_not_fit() {
    let mut ledger = Ledger::tree();
    ledger.fold(spent("s", "task", 60));
    ledger.fold(reversed("s", "task", 50));
    check(
        &ledger,
        [
            (reversed("nowhere", "task", 1), "to be remembered"),
            (reversed("s", "root", 1), "the budget of spend s"),
            (reversed("s", "task", 0), "1 to 10"),
            (reversed("s", "task", 11), "1 to 10"),
        ],
    );
}

#[test]
fn reservations_that_do_not_fit() {
    let mut ledger = Ledger::tree();
    ledger.fold(allocated("shut", 1, None));
    ledger.fold(closed("shut", None, &[]));
    ledger.fold(reserved("r", "task", 5));
    ledger.fold(spent("s", "task", 5));
    check(
        &ledger,
        [
            (reserved("r", "task", 5), "is remembered"),
            (reserved("new", "nowhere", 5), "to exist"),
            (reserved("new", "shut", 1), "found it closed"),
            (reserved("new", "task", u128::MAX), "would pass"),
            (reserved("new", "task", u128::MAX - 9), "what is spent and reserved"),
            (reserved_until("new", "task", 5, 1_000), "to expire after"),
        ],
    );
}

#[test]
fn ends_of_reservations_that_do_not_fit() {
    let mut ledger = Ledger::tree();
    ledger.fold(reserved_until("r", "task", 5, 1_060));
    ledger.fold(reserved_until("unknown", "task", 5, 1_001));
    ledger.fold(marked_unknown("unknown", "task", 5));
    ledger.fold(reserved("gone", "task", 5));
    ledger.fold(released("gone", "task", 5, ReleaseReason::Requested));
    ledger.wait_secs(2);
    let requested = ReleaseReason::Requested;
    check(
        &ledger,
        [
            (released("nowhere", "task", 5, requested), "to be remembered"),
            (released("gone", "task", 5, requested), "to be held, found it released"),
            (released("r", "root", 5, requested), "the budget of reservation r"),
            (released("r", "task", 4, requested), "the amount of reservation r"),
            (released("r", "task", 5, ReleaseReason::GoalEnded), "another reason"),
            (expired("r", "task", 5), "to be open and due"),
            (expired("unknown", "task", 5), "to be open and due"),
            (expired("gone", "task", 5), "to be held"),
            (marked_unknown("unknown", "task", 5), "to be open, found it unknown"),
            (marked_unknown("gone", "task", 5), "to be held"),
        ],
    );
}

#[test]
fn closings_that_do_not_fit() {
    let mut ledger = Ledger::tree();
    ledger.fold(allocated("holding", 10, None));
    ledger.fold(reserved("r", "holding", 1));
    ledger.fold(allocated("released", 10, None));
    ledger.fold(reserved("q", "released", 1));
    ledger.fold(released("q", "released", 1, ReleaseReason::BudgetClosed));
    ledger.fold(allocated("shut", 1, None));
    ledger.fold(closed("shut", None, &[]));
    ledger.fold(goal_created(1, None, &[]));
    check(
        &ledger,
        [
            (closed("nowhere", None, &[]), "to exist"),
            (closed("shut", None, &[]), "found it closed"),
            (closed("root", None, &[]), "found task open"),
            (closed("holding", None, &[]), "found reservation r"),
            (closed("released", None, &[]), "to name what was released"),
            (closed("task", None, &["r"]), "to name what was released"),
            (closed("task", Some("holding"), &[]), "above budget task"),
            (closed("task", Some("task"), &[]), "above budget task"),
            (closed(&goal_budget(1).to_string(), None, &[]), "end with its goal"),
        ],
    );
}

#[test]
fn a_goal_does_not_end_with_something_set_aside() {
    let mut ledger = Ledger::new();
    ledger.fold(goal_created(1, None, &[]));
    ledger.fold(reserved("r", &goal_budget(1).to_string(), 1));
    let ended = goal_moved(1, GoalStatus::Completed, TransitionReason::Requested);
    check(&ledger, [(ended, "found reservation r")]);
}

#[test]
fn goals_that_do_not_fit() {
    let mut ledger = Ledger::new();
    ledger.fold(goal_created(1, None, &[]));
    let late = TurnRecorded { late: true, ..turn(1, 1) };
    let passed = TurnRecorded { overage: vec![over("task", 1)], ..turn(1, 1) };
    check(
        &ledger,
        [
            (goal_created(2, None, &["nowhere"]), "to exist"),
            (Payload::TurnRecorded(late), "late"),
            (Payload::TurnRecorded(passed), "no overage at budget task"),
        ],
    );
}

#[test]
fn rolls_that_do_not_fit() {
    let mut ledger = Ledger::tree();
    ledger.fold(windowed("minute", None));
    ledger.fold(spent("s", "minute", 5));
    let early = ledger.misfit(Payload::WindowRolled(rolled("minute", 1_000, 5, 1_060)));
    assert!(early.contains("after"), "{early}");
    ledger.wait_secs(60);
    let fits = rolled("minute", 1_000, 5, 1_060);
    let shut = {
        let mut ledger = ledger.clone();
        ledger.fold(closed("minute", None, &[]));
        ledger
    };
    check(&shut, [(Payload::WindowRolled(fits.clone()), "found it closed")]);
    check(
        &ledger,
        [
            (Payload::WindowRolled(rolled("task", 1_000, 0, 1_060)), "the window of budget task"),
            (Payload::WindowRolled(rolled("minute", 999, 5, 1_060)), "the window of budget minute"),
            (Payload::WindowRolled(rolled("minute", 1_000, 4, 1_060)), "what is spent"),
            (Payload::WindowRolled(WindowRolled { span: minute_from(1_030), ..fits.clone() }), "after"),
            (
                Payload::WindowRolled(WindowRolled { span: minute_from(1_061), ..fits.clone() }),
                "the window of",
            ),
        ],
    );
    ledger.fold(Payload::WindowRolled(fits));
}

#[test]
fn alerts_that_do_not_fit() {
    let mut ledger = Ledger::tree();
    ledger.fold(spent("s", "task", 60));
    let exhausted = |limit, spent| {
        Payload::BudgetExhausted(BudgetExhausted {
            budget_id: "task".into(),
            limit,
            spent,
            overage: 0,
            hard: true,
        })
    };
    check(
        &ledger,
        [
            (crossed("nowhere", 500_000, 100, 60), "to exist"),
            (crossed("task", 500_000, 99, 60), "the limit"),
            (crossed("task", 500_000, 100, 61), "what is spent"),
            (crossed("task", 800_000, 100, 60), "the next threshold"),
            (exhausted(100, 60), "to have spent"),
            (exhausted(100, 100), "to have spent"),
        ],
    );
    ledger.fold(crossed("task", 500_000, 100, 60));
    check(
        &ledger,
        [
            (crossed("task", 500_000, 100, 60), "the next threshold"),
            (crossed("task", 800_000, 100, 60), "to have reached 0.8 of 100"),
        ],
    );
    ledger.fold(spent("t", "task", 40));
    let told = BudgetExhausted { budget_id: "task".into(), limit: 100, spent: 100, overage: 0, hard: true };
    check(
        &ledger,
        [
            (Payload::BudgetExhausted(BudgetExhausted { overage: 1, ..told.clone() }), "the overage"),
            (Payload::BudgetExhausted(BudgetExhausted { hard: false, ..told }), "`hard`"),
        ],
    );
}

#[test]
fn readings_that_do_not_fit() {
    let mut ledger = Ledger::tree();
    let observed = |budget: Option<&str>, reading, increase, total| {
        let (meter_id, budget_id) = ("m".into(), budget.map(Into::into));
        Payload::MeterObserved(MeterObserved { meter_id, budget_id, reading, increase, total })
    };
    ledger.fold(observed(Some("task"), Reading::Cumulative(10), 10, 10));
    let total = Reading::Cumulative;
    check(
        &ledger,
        [
            (observed(Some("nowhere"), total(11), 1, 11), "to exist"),
            (observed(Some("root"), total(11), 1, 11), "the budget of meter m"),
            (observed(None, total(11), 1, 11), "the budget of meter m"),
            (observed(Some("task"), Reading::Delta(1), 1, 11), "the kind of meter m"),
            (observed(Some("task"), total(11), 1, 12), "where meter m stands"),
            (observed(Some("task"), total(11), 2, 11), "the increase of meter m"),
            (observed(Some("task"), total(9), 0, 9), "the increase of meter m"),
            (
                Payload::MeterReset(MeterReset { meter_id: "m".into(), previous: 9, baseline: 0 }),
                "where meter m stood",
            ),
        ],
    );
}

//! The fold and its hash (law FOLD), and events that do not fit.

use super::fold_ledger::*;
use super::harness::{Book, child, goal, id, replay};
use crate::domain::{RecordTurn, Request, State, TransitionGoal, Turn, evolve};
use crate::event::{
    BudgetExhausted, ChangeEvent, EndedForgotten, EventRecorded, GoalBudgetSet, GoalCreated, GoalStatus,
    GoalTransitioned, Json, MeterReset, Payload, ReleaseReason, TransitionReason, TurnRecorded,
};
use crate::ids::BudgetId;

fn book() -> Book {
    let mut book = Book::new();
    book.create(goal(1).token_budget(100));
    book.create(child(2, 1));
    book.apply(Request::new(RecordTurn::goal(id(2), Turn::tokens(100).seconds(3))).key("k"));
    book.refused(Request::new(TransitionGoal::new(id(2), GoalStatus::Active)).key("r"));
    book.transition(2, GoalStatus::Completed);
    book
}

#[test]
fn replay_gives_the_hash_of_the_live_state() {
    let book = book();
    let replayed = replay(&book.events);
    assert_eq!(replayed.state_hash(), book.state.state_hash());
    assert!(replayed.goals().eq(book.state.goals()) && replayed.budgets().eq(book.state.budgets()));
}

#[test]
fn a_hash_asked_between_events_does_not_change_the_later_one() {
    let book = book();
    let mut asked = State::default();
    for event in &book.events {
        evolve(&mut asked, event).unwrap();
        asked.state_hash();
    }
    assert_eq!(asked.state_hash(), book.state.state_hash());
}

/// One with something of every kind in it.
fn full_ledger() -> Ledger {
    let mut ledger = Ledger::tree();
    ledger.fold(windowed("minute", Some("root")));
    ledger.fold(goal_created(1, None, &["task"]));
    ledger.fold(Payload::TurnRecorded(turn(1, 7)));
    ledger.fold(reserved_until("held", "task", 5, 2_000));
    ledger.fold(reserved("released", "minute", 5));
    ledger.fold(released("released", "minute", 5, ReleaseReason::Requested));
    ledger.fold(spent("s", "task", 50));
    ledger.fold(crossed("task", 500_000, 100, 50));
    ledger.fold(reversed("s", "task", 20));
    ledger.fold(Payload::MeterReset(MeterReset { meter_id: "m".into(), previous: 0, baseline: 9 }));
    ledger.fold(Payload::EventRecorded(EventRecorded {
        name: "n".into(),
        event_id: Some("e".into()),
        body: Some(7),
        data: Json::default(),
    }));
    ledger.wait_secs(60);
    ledger.fold(Payload::WindowRolled(rolled("minute", 1_000, 0, 1_060)));
    ledger.fold(closed("minute", None, &[]));
    ledger
}

/// One that has forgotten a goal and a budget.
fn forgetful_ledger() -> Ledger {
    let mut ledger = full_ledger();
    ledger.fold(goal_created(2, None, &[]));
    ledger.fold(goal_moved(2, GoalStatus::Completed, TransitionReason::Requested));
    ledger.wait_secs(24 * 60 * 60 + 1);
    let (goals, budgets) = (vec![id(2)], vec!["minute".into()]);
    ledger.fold(Payload::EndedForgotten(EndedForgotten { goals, budgets }));
    ledger
}

#[test]
fn the_hash_is_the_same_on_any_machine_for_ever() {
    let states = [
        State::default(),
        book().state.clone(),
        full_ledger().state.clone(),
        forgetful_ledger().state.clone(),
    ];
    let hashes = states.map(|state| state.state_hash().to_string());
    assert_eq!(
        hashes,
        [
            "4-0b7940640f7569d849b58fc63665f451cc6b2ef3f3973780672e0c06274ed6f3",
            "4-489e8ec98dec59e806cc6b7bcf26432171b136943d919e65fd47a0a11a90056b",
            "4-ddedf3ed5c1bf8058c7874bfc1706b06e8f30584c2ac9f447a76d571dfd23b9b",
            "4-c6f05951f1170e733ec7cb181b7b9500bfb64f990eea7e89ee7fd6804b80a328",
        ]
    );
}

#[test]
fn whatever_changes_changes_the_hash() {
    let book = book();
    let mut seen = std::collections::HashSet::new();
    let mut state = State::default();
    for event in &book.events {
        evolve(&mut state, event).unwrap();
        // What is told by figures that an event before it set: no change of its own.
        if event.payload.kind() != "budget_exhausted" {
            assert!(seen.insert(state.state_hash()), "{event:?}");
        }
    }
}

#[test]
fn an_event_that_does_not_fit_is_an_error_that_says_why() {
    let transition = |number, from, to, revision| {
        Payload::GoalTransitioned(GoalTransitioned {
            goal_id: id(number),
            from,
            to,
            reason: TransitionReason::Requested,
            revision,
            by_goal: None,
            budget_id: None,
            note: None,
        })
    };
    let created = |number, parent_goal, scope: &str| {
        Payload::GoalCreated(GoalCreated {
            goal_id: id(number),
            scope: scope.into(),
            text: "t".into(),
            token_budget: None,
            parent_goal,
            budgets: Vec::new(),
            widen_by: None,
        })
    };
    let turn = |number, tokens| {
        Payload::TurnRecorded(TurnRecorded {
            goal_id: id(number),
            tokens,
            turns: 1,
            seconds: 0,
            late: false,
            overage: Vec::new(),
        })
    };
    let budget_set = GoalBudgetSet { goal_id: id(1), previous: Some(7), token_budget: None };
    let exhausted =
        BudgetExhausted { budget_id: BudgetId::Goal(id(1)), limit: 100, spent: 99, overage: 0, hard: true };
    let misfits = [
        (created(1, None, "new"), "exists"),
        (created(9, Some(id(8)), "new"), "its parent"),
        (created(9, None, "scope 1"), "no active goal in scope"),
        (transition(9, GoalStatus::Active, GoalStatus::Paused, 2), "to exist"),
        (transition(1, GoalStatus::Paused, GoalStatus::Active, 2), "which is active"),
        (transition(1, GoalStatus::Active, GoalStatus::Active, 2), "legal change"),
        (transition(1, GoalStatus::Active, GoalStatus::Paused, 7), "revision after 1"),
        (turn(9, 1), "to exist"),
        (turn(1, u128::MAX), "would pass"),
        (Payload::GoalBudgetSet(budget_set), "previous limit"),
        (Payload::BudgetExhausted(exhausted), "to have spent"),
    ];
    let mut book = Book::new();
    book.create(goal(1));
    book.turn(1, 1);
    for (payload, reason) in misfits {
        let event = ChangeEvent { seq: 3, payload, ..book.events[1].clone() };
        let error = evolve(&mut book.state.clone(), &event).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.to_string().contains("seq 3"), "{error}");
    }
}

#[test]
fn a_key_that_begins_twice_does_not_fit() {
    let mut book = Book::new();
    book.create(goal(1));
    book.apply(Request::new(RecordTurn::goal(id(1), Turn::tokens(1))).key("k"));
    let again = ChangeEvent { seq: 3, ..book.events[1].clone() };
    assert!(evolve(&mut book.state, &again).unwrap_err().to_string().contains("remembered from seq 2"));
}

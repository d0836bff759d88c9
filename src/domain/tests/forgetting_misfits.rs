//! Forgettings that no engine decided: each is refused, and nothing of it is folded in.

use super::fold_ledger::*;
use super::harness::{goal_budget, id};
use crate::domain::evolve;
use crate::event::{ChangeEvent, EndedForgotten, GoalStatus, Payload, TransitionReason};
use crate::ids::BudgetId;

fn forgotten(goals: &[u128], budgets: &[&str]) -> Payload {
    let budgets = budgets.iter().map(|&id| BudgetId::from(id)).collect();
    Payload::EndedForgotten(EndedForgotten {
        goals: goals.iter().map(|&number| id(number)).collect(),
        budgets,
    })
}

fn ended(number: u128) -> Payload {
    goal_moved(number, GoalStatus::Completed, TransitionReason::Requested)
}

/// Goal 1 with goal 2 below it and goal 3 that names `task`, all ended; `task` closed under `root`, which is open.
fn ledger() -> Ledger {
    let mut ledger = Ledger::tree();
    ledger.fold(allocated("lone", 1, None));
    ledger.fold(goal_created(1, None, &[]));
    ledger.fold(goal_created(2, Some(1), &[]));
    ledger.fold(goal_created(3, None, &["task"]));
    ledger.fold(goal_created(4, None, &[]));
    for number in [2, 1, 3] {
        ledger.fold(ended(number));
    }
    ledger.fold(closed("task", None, &[]));
    ledger.fold(closed("lone", None, &[]));
    ledger
}

const DAY_SECS: u64 = 24 * 60 * 60;

#[test]
fn forgettings_that_do_not_fit() {
    let mut ledger = ledger();
    ledger.wait_secs(DAY_SECS);
    let too_early = ledger.misfit(forgotten(&[2], &[]));
    assert!(too_early.contains("no change of budget goal:"), "{too_early}");
    ledger.wait_secs(1);
    let goals = goal_budget(2).to_string();
    let misfits: [(&[u128], &[&str], &str); 12] = [
        (&[], &[], "found none"),
        (&[9], &[], "goal 00000000-0000-0000-0000-000000000009 to exist"),
        (&[4], &[], "to have ended, found it active"),
        (&[1], &[], "nothing to need budget goal:"),
        (&[1, 2], &[], "nothing to need budget goal:"),
        (&[2, 2], &[], "to exist"),
        (&[], &["task"], "nothing to need budget task, found 1"),
        (&[], &["root"], "to be closed, found it open"),
        (&[], &["nowhere"], "budget nowhere to exist"),
        (&[], &["lone", "lone"], "budget lone to exist"),
        (&[], &[&goals], "to go with its goal"),
        (&[2, 1, 3], &["task", "root"], "found it open"),
    ];
    for (goals, budgets, reason) in misfits {
        let message = ledger.misfit(forgotten(goals, budgets));
        assert!(message.contains(reason), "{goals:?}, {budgets:?}: expected {reason:?} in {message:?}");
    }
    ledger.fold(forgotten(&[2, 3, 1], &["lone", "task"]));
    let left: Vec<_> = ledger.state.budgets().map(|budget| budget.id.clone()).collect();
    assert_eq!(left, [goal_budget(4), "root".into()]);
    ledger.check_replay();
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let mut ledger = ledger();
    ledger.wait_secs(DAY_SECS + 1);
    let (mut state, before) = (ledger.state.clone(), ledger.state.state_hash());
    let event = |payload| ChangeEvent {
        seq: ledger.seq() + 1,
        ts: ledger.now,
        session_id: None,
        actor: None,
        key: None,
        meta: None,
        payload,
    };
    evolve(&mut state, &event(forgotten(&[2, 1, 3], &["lone", "root"]))).unwrap_err();
    assert_eq!((state.state_hash(), &state.endings), (before, &ledger.state.endings));
    evolve(&mut state, &event(forgotten(&[2, 1, 3], &["lone", "task"]))).unwrap();
}

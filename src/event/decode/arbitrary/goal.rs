//! What happens to goals.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{actors, amount, budget_id, charges, goal_id, number, text};
use crate::event::{
    GoalBudgetSet, GoalCreated, GoalStatus, GoalTransitioned, Payload, TransitionReason, TurnRecorded,
};

pub(super) fn payload() -> BoxedStrategy<Payload> {
    prop_oneof![
        goal_created().prop_map(Payload::GoalCreated),
        goal_transitioned().prop_map(Payload::GoalTransitioned),
        goal_budget_set().prop_map(Payload::GoalBudgetSet),
        turn_recorded().prop_map(Payload::TurnRecorded),
    ]
    .boxed()
}

fn goal_created() -> impl Strategy<Value = GoalCreated> {
    let budgets = (option::of(amount()), vec(budget_id(), 0..3), actors());
    (goal_id(), text(), text(), option::of(goal_id()), budgets).prop_map(
        |(goal_id, scope, text, parent_goal, (token_budget, budgets, widen_by))| GoalCreated {
            goal_id,
            scope,
            text,
            token_budget,
            parent_goal,
            budgets,
            widen_by,
        },
    )
}

fn goal_transitioned() -> impl Strategy<Value = GoalTransitioned> {
    let cause = (option::of(goal_id()), option::of(budget_id()), option::of(text()));
    (goal_id(), status(), status(), reason(), number(), cause).prop_map(
        |(goal_id, from, to, reason, revision, (by_goal, budget_id, note))| GoalTransitioned {
            goal_id,
            from,
            to,
            reason,
            revision,
            by_goal,
            budget_id,
            note,
        },
    )
}

fn goal_budget_set() -> impl Strategy<Value = GoalBudgetSet> {
    (goal_id(), option::of(amount()), option::of(amount()))
        .prop_map(|(goal_id, previous, token_budget)| GoalBudgetSet { goal_id, previous, token_budget })
}

fn turn_recorded() -> impl Strategy<Value = TurnRecorded> {
    (goal_id(), amount(), number(), number(), any::<bool>(), charges()).prop_map(
        |(goal_id, tokens, turns, seconds, late, overage)| TurnRecorded {
            goal_id,
            tokens,
            turns,
            seconds,
            late,
            overage,
        },
    )
}

fn status() -> impl Strategy<Value = GoalStatus> {
    select(vec![GoalStatus::Active, GoalStatus::Paused, GoalStatus::Completed, GoalStatus::Cleared])
}

fn reason() -> impl Strategy<Value = TransitionReason> {
    select(vec![
        TransitionReason::Requested,
        TransitionReason::Superseded,
        TransitionReason::BudgetExhausted,
        TransitionReason::Blocked,
        TransitionReason::Parent,
    ])
}

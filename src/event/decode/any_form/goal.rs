//! What happens to goals.

use std::sync::Arc;

use serde::Deserialize;

use crate::event::decode::fields;
use crate::event::{
    Charge, GoalBudgetSet, GoalCreated, GoalStatus, GoalTransitioned, TransitionReason, TurnRecorded,
};
use crate::ids::{BudgetId, GoalId};

#[derive(Deserialize)]
#[serde(remote = "GoalCreated", deny_unknown_fields)]
pub(super) struct GoalCreatedForm {
    #[serde(deserialize_with = "fields::id")]
    goal_id: GoalId,
    scope: Arc<str>,
    text: Arc<str>,
    #[serde(deserialize_with = "fields::nullable_amount")]
    token_budget: Option<u128>,
    #[serde(deserialize_with = "fields::nullable_id")]
    parent_goal: Option<GoalId>,
    #[serde(deserialize_with = "fields::ids")]
    budgets: Vec<BudgetId>,
    #[serde(deserialize_with = "fields::nullable")]
    widen_by: Option<Arc<[Arc<str>]>>,
}

#[derive(Deserialize)]
#[serde(remote = "GoalTransitioned", deny_unknown_fields)]
pub(super) struct GoalTransitionedForm {
    #[serde(deserialize_with = "fields::id")]
    goal_id: GoalId,
    #[serde(deserialize_with = "fields::goal_status")]
    from: GoalStatus,
    #[serde(deserialize_with = "fields::goal_status")]
    to: GoalStatus,
    #[serde(deserialize_with = "fields::transition_reason")]
    reason: TransitionReason,
    revision: u64,
    #[serde(deserialize_with = "fields::nullable_id")]
    by_goal: Option<GoalId>,
    #[serde(deserialize_with = "fields::nullable_id")]
    budget_id: Option<BudgetId>,
    #[serde(deserialize_with = "fields::nullable")]
    note: Option<Arc<str>>,
}

#[derive(Deserialize)]
#[serde(remote = "GoalBudgetSet", deny_unknown_fields)]
pub(super) struct GoalBudgetSetForm {
    #[serde(deserialize_with = "fields::id")]
    goal_id: GoalId,
    #[serde(deserialize_with = "fields::nullable_amount")]
    previous: Option<u128>,
    #[serde(deserialize_with = "fields::nullable_amount")]
    token_budget: Option<u128>,
}

#[derive(Deserialize)]
#[serde(remote = "TurnRecorded", deny_unknown_fields)]
pub(super) struct TurnRecordedForm {
    #[serde(deserialize_with = "fields::id")]
    goal_id: GoalId,
    #[serde(deserialize_with = "fields::amount")]
    tokens: u128,
    turns: u64,
    seconds: u64,
    late: bool,
    #[serde(deserialize_with = "fields::charges")]
    overage: Vec<Charge>,
}

//! What happens to budgets as such.

use std::sync::Arc;

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::event::decode::fields;
use crate::event::{
    BudgetAdjusted, BudgetAllocated, BudgetClosed, BudgetExhausted, BudgetTerms, Charge, EndedForgotten,
    Fraction, ProgressSet, Span, ThresholdCrossed, Window, WindowRolled,
};
use crate::ids::{BudgetId, GoalId, ReservationId};

#[derive(Deserialize)]
#[serde(remote = "Charge", deny_unknown_fields)]
pub(in crate::event::decode) struct ChargeForm {
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(deserialize_with = "fields::amount")]
    amount: u128,
}

#[derive(Deserialize)]
#[serde(remote = "BudgetExhausted", deny_unknown_fields)]
pub(super) struct BudgetExhaustedForm {
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(deserialize_with = "fields::amount")]
    limit: u128,
    #[serde(deserialize_with = "fields::amount")]
    spent: u128,
    #[serde(deserialize_with = "fields::amount")]
    overage: u128,
    hard: bool,
}

#[derive(Deserialize)]
#[serde(remote = "ThresholdCrossed", deny_unknown_fields)]
pub(super) struct ThresholdCrossedForm {
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(rename = "threshold_ppm", deserialize_with = "fields::fraction")]
    threshold: Fraction,
    #[serde(deserialize_with = "fields::amount")]
    limit: u128,
    #[serde(deserialize_with = "fields::amount")]
    spent: u128,
}

#[derive(Deserialize)]
#[serde(remote = "BudgetAllocated", deny_unknown_fields)]
pub(super) struct BudgetAllocatedForm {
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    unit: Arc<str>,
    #[serde(deserialize_with = "fields::nullable_id")]
    parent: Option<BudgetId>,
    #[serde(deserialize_with = "fields::terms")]
    terms: BudgetTerms,
    #[serde(deserialize_with = "fields::nullable_span")]
    span: Option<Span>,
    #[serde(deserialize_with = "fields::nullable")]
    widen_by: Option<Arc<[Arc<str>]>>,
}

#[derive(Deserialize)]
#[serde(remote = "BudgetAdjusted", deny_unknown_fields)]
pub(super) struct BudgetAdjustedForm {
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(deserialize_with = "fields::terms")]
    previous: BudgetTerms,
    #[serde(deserialize_with = "fields::terms")]
    terms: BudgetTerms,
    #[serde(deserialize_with = "fields::nullable_span")]
    span: Option<Span>,
}

#[derive(Deserialize)]
#[serde(remote = "ProgressSet", deny_unknown_fields)]
pub(super) struct ProgressSetForm {
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(rename = "progress_ppm", deserialize_with = "fields::fraction")]
    progress: Fraction,
}

#[derive(Deserialize)]
#[serde(remote = "BudgetClosed", deny_unknown_fields)]
pub(super) struct BudgetClosedForm {
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(deserialize_with = "fields::nullable_id")]
    by_budget: Option<BudgetId>,
    #[serde(deserialize_with = "fields::ids")]
    released: Vec<ReservationId>,
}

#[derive(Deserialize)]
#[serde(remote = "WindowRolled", deny_unknown_fields)]
pub(super) struct WindowRolledForm {
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(deserialize_with = "fields::span")]
    ended: Span,
    #[serde(deserialize_with = "fields::amount")]
    spent: u128,
    #[serde(deserialize_with = "fields::span")]
    span: Span,
}

#[derive(Deserialize)]
#[serde(remote = "EndedForgotten", deny_unknown_fields)]
pub(super) struct EndedForgottenForm {
    #[serde(deserialize_with = "fields::ids")]
    goals: Vec<GoalId>,
    #[serde(deserialize_with = "fields::ids")]
    budgets: Vec<BudgetId>,
}

#[derive(Deserialize)]
#[serde(remote = "BudgetTerms", deny_unknown_fields)]
pub(in crate::event::decode) struct BudgetTermsForm {
    #[serde(deserialize_with = "fields::nullable_amount")]
    limit: Option<u128>,
    hard: bool,
    #[serde(rename = "thresholds_ppm", deserialize_with = "fields::fractions")]
    thresholds: Arc<[Fraction]>,
    #[serde(deserialize_with = "fields::nullable_window")]
    window: Option<Arc<Window>>,
}

#[derive(Deserialize)]
#[serde(remote = "Window", deny_unknown_fields)]
pub(in crate::event::decode) struct WindowForm {
    every: Arc<str>,
    #[serde(deserialize_with = "fields::nullable_timestamp")]
    anchor: Option<Timestamp>,
    #[serde(deserialize_with = "fields::nullable")]
    tz: Option<Arc<str>>,
}

#[derive(Deserialize)]
#[serde(remote = "Span", deny_unknown_fields)]
pub(in crate::event::decode) struct SpanForm {
    #[serde(deserialize_with = "fields::timestamp")]
    start: Timestamp,
    #[serde(deserialize_with = "fields::timestamp")]
    end: Timestamp,
}

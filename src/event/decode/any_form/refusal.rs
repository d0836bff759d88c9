//! What was refused.

use std::sync::Arc;

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::event::decode::fields;
use crate::event::{CommandRefused, RefusalKind, RefusalsSuppressed};
use crate::ids::{BudgetId, GoalId, ReservationId};

#[derive(Deserialize)]
#[serde(remote = "CommandRefused", deny_unknown_fields)]
pub(super) struct CommandRefusedForm {
    op: Arc<str>,
    #[serde(deserialize_with = "fields::refusal_kind")]
    refusal: RefusalKind,
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(deserialize_with = "fields::nullable_id")]
    goal_id: Option<GoalId>,
    #[serde(deserialize_with = "fields::nullable_id")]
    reservation_id: Option<ReservationId>,
    #[serde(deserialize_with = "fields::nullable_amount")]
    limit: Option<u128>,
    #[serde(deserialize_with = "fields::amount")]
    spent: u128,
    #[serde(deserialize_with = "fields::amount")]
    reserved: u128,
    #[serde(deserialize_with = "fields::amount")]
    amount: u128,
    #[serde(deserialize_with = "fields::nullable")]
    reason: Option<Arc<str>>,
}

#[derive(Deserialize)]
#[serde(remote = "RefusalsSuppressed", deny_unknown_fields)]
pub(super) struct RefusalsSuppressedForm {
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(deserialize_with = "fields::refusal_kind")]
    refusal: RefusalKind,
    count: u64,
    #[serde(deserialize_with = "fields::timestamp")]
    minute: Timestamp,
}

//! What is spent, set aside and measured.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::Error;

use crate::clock::Timestamp;
use crate::event::decode::fields;
use crate::event::{
    Charge, MeterObserved, MeterReset, Quantity, ReleaseReason, ReservationExpired, ReservationMade,
    ReservationMarkedUnknown, ReservationReleased, SpendDetails, SpendRecorded, SpendReversed,
};
use crate::ids::{BudgetId, GoalId, MeterId, ReservationId, SpendId};

/// What a spend says. All but the first three fields may be left out; then they are null, empty or false.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpendRecordedForm {
    #[serde(deserialize_with = "fields::id")]
    spend_id: SpendId,
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(deserialize_with = "fields::amount")]
    amount: u128,
    #[serde(default)]
    incurred: bool,
    #[serde(default)]
    late: bool,
    #[serde(default, deserialize_with = "fields::charges")]
    overage: Vec<Charge>,
    #[serde(default, deserialize_with = "fields::nullable_id")]
    reservation_id: Option<ReservationId>,
    #[serde(default, deserialize_with = "fields::nullable_id")]
    goal_id: Option<GoalId>,
    #[serde(default, deserialize_with = "fields::nullable_id")]
    meter_id: Option<MeterId>,
    #[serde(default, deserialize_with = "fields::nullable_fingerprint")]
    body: Option<u64>,
    peer: Option<Arc<str>>,
    tool: Option<Arc<str>>,
    reason: Option<Arc<str>>,
    #[serde(default, deserialize_with = "fields::quantities")]
    quantities: Vec<Quantity>,
    #[serde(default, deserialize_with = "fields::nullable_timestamp")]
    occurred_at: Option<Timestamp>,
}

impl From<SpendRecordedForm> for SpendRecorded {
    fn from(form: SpendRecordedForm) -> SpendRecorded {
        SpendRecorded {
            spend_id: form.spend_id,
            budget_id: form.budget_id,
            amount: form.amount,
            incurred: form.incurred,
            late: form.late,
            overage: form.overage,
            reservation_id: form.reservation_id,
            goal_id: form.goal_id,
            meter_id: form.meter_id,
            body: form.body,
            details: SpendDetails {
                peer: form.peer,
                tool: form.tool,
                reason: form.reason,
                quantities: form.quantities,
                occurred_at: form.occurred_at,
            },
        }
    }
}

#[derive(Deserialize)]
#[serde(remote = "Quantity", deny_unknown_fields)]
pub(in crate::event::decode) struct QuantityForm {
    name: Arc<str>,
    #[serde(deserialize_with = "fields::amount")]
    amount: u128,
}

#[derive(Deserialize)]
#[serde(remote = "SpendReversed", deny_unknown_fields)]
pub(super) struct SpendReversedForm {
    #[serde(deserialize_with = "fields::id")]
    spend_id: SpendId,
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(deserialize_with = "fields::amount")]
    amount: u128,
    #[serde(deserialize_with = "fields::nullable")]
    reason: Option<Arc<str>>,
}

/// All but the first three fields may be left out; then they are null.
#[derive(Deserialize)]
#[serde(remote = "ReservationMade", deny_unknown_fields)]
pub(super) struct ReservationMadeForm {
    #[serde(deserialize_with = "fields::id")]
    reservation_id: ReservationId,
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(deserialize_with = "fields::amount")]
    amount: u128,
    owner: Option<Arc<str>>,
    #[serde(default, deserialize_with = "fields::nullable_timestamp")]
    expires_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "fields::nullable_fingerprint")]
    body: Option<u64>,
}

#[derive(Deserialize)]
#[serde(remote = "ReservationReleased", deny_unknown_fields)]
pub(super) struct ReservationReleasedForm {
    #[serde(deserialize_with = "fields::id")]
    reservation_id: ReservationId,
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(deserialize_with = "fields::amount")]
    amount: u128,
    #[serde(deserialize_with = "fields::release_reason")]
    reason: ReleaseReason,
}

#[derive(Deserialize)]
#[serde(remote = "ReservationExpired", deny_unknown_fields)]
pub(super) struct ReservationExpiredForm {
    #[serde(deserialize_with = "fields::id")]
    reservation_id: ReservationId,
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(deserialize_with = "fields::amount")]
    amount: u128,
}

#[derive(Deserialize)]
#[serde(remote = "ReservationMarkedUnknown", deny_unknown_fields)]
pub(super) struct ReservationMarkedUnknownForm {
    #[serde(deserialize_with = "fields::id")]
    reservation_id: ReservationId,
    #[serde(deserialize_with = "fields::id")]
    budget_id: BudgetId,
    #[serde(deserialize_with = "fields::amount")]
    amount: u128,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MeterObservedForm {
    #[serde(deserialize_with = "fields::id")]
    meter_id: MeterId,
    #[serde(deserialize_with = "fields::nullable_id")]
    budget_id: Option<BudgetId>,
    #[serde(deserialize_with = "fields::nullable_amount")]
    delta: Option<u128>,
    #[serde(deserialize_with = "fields::nullable_amount")]
    cumulative: Option<u128>,
    #[serde(deserialize_with = "fields::amount")]
    increase: u128,
    #[serde(deserialize_with = "fields::amount")]
    total: u128,
}

impl TryFrom<MeterObservedForm> for MeterObserved {
    type Error = serde_json::Error;

    fn try_from(form: MeterObservedForm) -> serde_json::Result<MeterObserved> {
        let MeterObservedForm { meter_id, budget_id, delta, cumulative, increase, total } = form;
        let reading = fields::read_reading(delta, cumulative).ok_or_else(|| {
            let found = if delta.is_some() { "both" } else { "neither" };
            serde_json::Error::custom(format_args!("expected one of `delta` and `cumulative`, found {found}"))
        })?;
        Ok(MeterObserved { meter_id, budget_id, reading, increase, total })
    }
}

#[derive(Deserialize)]
#[serde(remote = "MeterReset", deny_unknown_fields)]
pub(super) struct MeterResetForm {
    #[serde(deserialize_with = "fields::id")]
    meter_id: MeterId,
    #[serde(deserialize_with = "fields::amount")]
    previous: u128,
    #[serde(deserialize_with = "fields::amount")]
    baseline: u128,
}

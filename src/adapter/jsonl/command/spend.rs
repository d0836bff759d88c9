//! Spends and reservations.

use super::super::fields::{Fields, Value};
use super::super::op::Asked;
use crate::domain::{
    MarkUnknown, NewReservation, RecordSpend, Rejection, Release, ReverseSpend, Settle, Spend, Ttl,
};
use crate::event::{Quantity, SpendDetails};
use crate::ids::ReservationId;

pub(in super::super) fn record_spend(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let record = RecordSpend {
        budget_id: fields.budget_id()?,
        spend: spend(fields)?,
        incurred: fields.get("incurred").map(|value| value.boolean()).transpose()?.unwrap_or(false),
    };
    Ok(Asked::Command(record.into()))
}

pub(in super::super) fn reserve(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let reservation = NewReservation {
        budget_id: fields.budget_id()?,
        amount: fields.amount()?,
        reservation_id: fields.get("reservation_id").map(|value| value.parse()).transpose()?,
        ttl: fields.get("ttl_ms").map(|value| value.positive_count()).transpose()?.map(Ttl::millis),
        owner: fields.get("owner").map(Value::shared_string).transpose()?,
    };
    Ok(Asked::Command(reservation.into()))
}

pub(in super::super) fn settle(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let settle = Settle { reservation_id: reservation_id(fields)?, spend: spend(fields)? };
    Ok(Asked::Command(settle.into()))
}

pub(in super::super) fn release(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    Ok(Asked::Command(Release { reservation_id: reservation_id(fields)? }.into()))
}

pub(in super::super) fn mark_unknown(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    Ok(Asked::Command(MarkUnknown { reservation_id: reservation_id(fields)? }.into()))
}

pub(in super::super) fn reverse_spend(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let reverse = ReverseSpend {
        spend_id: fields.require("spend_id", "a spend id")?.parse()?,
        amount: fields.get("amount").map(|value| value.amount()).transpose()?,
        reason: fields.get("reason").map(Value::shared_string).transpose()?,
    };
    Ok(Asked::Command(reverse.into()))
}

/// What a spend takes, without where it is booked.
fn spend(fields: &Fields<'_>) -> Result<Spend, Rejection> {
    let text = |name| fields.get(name).map(Value::shared_string).transpose();
    let quantities = fields.get("quantities").map(|value| value.entries()).transpose()?.unwrap_or_default();
    Ok(Spend {
        amount: fields.amount()?,
        spend_id: fields.get("spend_id").map(|value| value.parse()).transpose()?,
        details: SpendDetails {
            peer: text("peer")?,
            tool: text("tool")?,
            reason: text("reason")?,
            quantities: quantities
                .into_iter()
                .map(|(name, amount)| Ok(Quantity { name: name.into(), amount: amount.amount()? }))
                .collect::<Result<_, Rejection>>()?,
            occurred_at: fields.get("occurred_at").map(|value| value.parse_timestamp()).transpose()?,
        },
    })
}

fn reservation_id(fields: &Fields<'_>) -> Result<ReservationId, Rejection> {
    fields.require("reservation_id", "a reservation id")?.parse()
}

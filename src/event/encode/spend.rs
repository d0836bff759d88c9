//! What is spent, set aside and measured.
//!
//! Spends and reservations are frequent, and most of what can be said of one is not said: what is null, empty or false
//! is left out of these two kinds.

use crate::event::{
    MeterObserved, MeterReset, Quantity, Reading, ReservationExpired, ReservationMade,
    ReservationMarkedUnknown, ReservationReleased, SpendDetails, SpendRecorded, SpendReversed, text,
};
use crate::ids::{BudgetId, ReservationId};

use super::values::{
    put, put_amount, put_budget_id, put_charge, put_fingerprint, put_given, put_goal_id, put_list, put_name,
    put_option, put_timestamp,
};

pub(super) fn put_spend_recorded(out: &mut Vec<u8>, data: &SpendRecorded) {
    put(out, br#""spend_recorded","data":{"spend_id":"#);
    text::put(out, &data.spend_id.0);
    put(out, br#","budget_id":"#);
    put_budget_id(out, &data.budget_id);
    put(out, br#","amount":"#);
    put_amount(out, data.amount);
    if data.incurred {
        put(out, br#","incurred":true"#);
    }
    if data.late {
        put(out, br#","late":true"#);
    }
    if !data.overage.is_empty() {
        put(out, br#","overage":"#);
        put_list(out, &data.overage, put_charge);
    }
    put_given(out, br#","reservation_id":"#, data.reservation_id.as_ref().map(|id| &*id.0), text::put);
    put_given(out, br#","goal_id":"#, data.goal_id, put_goal_id);
    put_given(out, br#","meter_id":"#, data.meter_id.as_ref().map(|id| &*id.0), text::put);
    put_given(out, br#","body":"#, data.body, put_fingerprint);
    put_details(out, &data.details);
}

fn put_details(out: &mut Vec<u8>, details: &SpendDetails) {
    put_given(out, br#","peer":"#, details.peer.as_deref(), text::put);
    put_given(out, br#","tool":"#, details.tool.as_deref(), text::put);
    put_given(out, br#","reason":"#, details.reason.as_deref(), text::put);
    if !details.quantities.is_empty() {
        put(out, br#","quantities":"#);
        put_list(out, &details.quantities, put_quantity);
    }
    put_given(out, br#","occurred_at":"#, details.occurred_at, put_timestamp);
}

fn put_quantity(out: &mut Vec<u8>, quantity: &Quantity) {
    put(out, br#"{"name":"#);
    text::put(out, &quantity.name);
    put(out, br#","amount":"#);
    put_amount(out, quantity.amount);
    put(out, b"}");
}

pub(super) fn put_spend_reversed(out: &mut Vec<u8>, data: &SpendReversed) {
    put(out, br#""spend_reversed","data":{"spend_id":"#);
    text::put(out, &data.spend_id.0);
    put(out, br#","budget_id":"#);
    put_budget_id(out, &data.budget_id);
    put(out, br#","amount":"#);
    put_amount(out, data.amount);
    put(out, br#","reason":"#);
    put_option(out, data.reason.as_deref(), text::put);
}

pub(super) fn put_reservation_made(out: &mut Vec<u8>, data: &ReservationMade) {
    put(out, br#""reservation_made","data":"#);
    put_reservation(out, &data.reservation_id, &data.budget_id, data.amount);
    put_given(out, br#","owner":"#, data.owner.as_deref(), text::put);
    put_given(out, br#","expires_at":"#, data.expires_at, put_timestamp);
    put_given(out, br#","body":"#, data.body, put_fingerprint);
}

pub(super) fn put_reservation_released(out: &mut Vec<u8>, data: &ReservationReleased) {
    put(out, br#""reservation_released","data":"#);
    put_reservation(out, &data.reservation_id, &data.budget_id, data.amount);
    put(out, br#","reason":"#);
    put_name(out, data.reason.name());
}

pub(super) fn put_reservation_expired(out: &mut Vec<u8>, data: &ReservationExpired) {
    put(out, br#""reservation_expired","data":"#);
    put_reservation(out, &data.reservation_id, &data.budget_id, data.amount);
}

pub(super) fn put_reservation_marked_unknown(out: &mut Vec<u8>, data: &ReservationMarkedUnknown) {
    put(out, br#""reservation_marked_unknown","data":"#);
    put_reservation(out, &data.reservation_id, &data.budget_id, data.amount);
}

/// What every event of a reservation begins with.
fn put_reservation(out: &mut Vec<u8>, id: &ReservationId, budget_id: &BudgetId, amount: u128) {
    put(out, br#"{"reservation_id":"#);
    text::put(out, &id.0);
    put(out, br#","budget_id":"#);
    put_budget_id(out, budget_id);
    put(out, br#","amount":"#);
    put_amount(out, amount);
}

pub(super) fn put_meter_observed(out: &mut Vec<u8>, data: &MeterObserved) {
    let (delta, cumulative) = match data.reading {
        Reading::Delta(delta) => (Some(delta), None),
        Reading::Cumulative(total) => (None, Some(total)),
    };
    put(out, br#""meter_observed","data":{"meter_id":"#);
    text::put(out, &data.meter_id.0);
    put(out, br#","budget_id":"#);
    put_option(out, data.budget_id.as_ref(), put_budget_id);
    put(out, br#","delta":"#);
    put_option(out, delta, put_amount);
    put(out, br#","cumulative":"#);
    put_option(out, cumulative, put_amount);
    put(out, br#","increase":"#);
    put_amount(out, data.increase);
    put(out, br#","total":"#);
    put_amount(out, data.total);
}

pub(super) fn put_meter_reset(out: &mut Vec<u8>, data: &MeterReset) {
    put(out, br#""meter_reset","data":{"meter_id":"#);
    text::put(out, &data.meter_id.0);
    put(out, br#","previous":"#);
    put_amount(out, data.previous);
    put(out, br#","baseline":"#);
    put_amount(out, data.baseline);
}

//! Reservations, spends and bookings.

use crate::domain::entries::{Booking, Entry};
use crate::domain::{Reservation, SpendRecord};
use crate::event::value::{
    put, put_amount, put_budget_id, put_charge, put_fingerprint, put_given, put_goal_id, put_list, put_name,
    put_text, put_timestamp, put_u64,
};
use crate::event::{Quantity, SpendDetails};

use super::put_meta;

/// A reservation, and the `seq` of the event that ended it.
pub(super) fn put_reservation(out: &mut Vec<u8>, reservation: &Reservation, ended_seq: Option<u64>) {
    put(out, br#"{"part":"reservation","reservation_id":"#);
    put_text(out, &reservation.id.0);
    put(out, br#","budget_id":"#);
    put_budget_id(out, &reservation.budget_id);
    put(out, br#","amount":"#);
    put_amount(out, reservation.amount);
    put_given(out, br#","owner":"#, reservation.owner.as_deref(), put_text);
    put(out, br#","status":"#);
    put_name(out, reservation.status.name());
    put_given(out, br#","expires_at":"#, reservation.expires_at, put_timestamp);
    put(out, br#","created_at":"#);
    put_timestamp(out, reservation.created_at);
    put(out, br#","made_seq":"#);
    put_u64(out, reservation.made_seq);
    put_given(out, br#","ended_at":"#, reservation.ended_at, put_timestamp);
    put_given(out, br#","ended_seq":"#, ended_seq, put_u64);
    put_given(out, br#","spend_id":"#, reservation.spend_id.as_ref().map(|id| &*id.0), put_text);
    put_given(out, br#","body":"#, reservation.body, put_fingerprint);
    put_meta(out, reservation.meta.as_ref());
    put(out, b"}");
}

pub(super) fn put_spend(out: &mut Vec<u8>, spend: &SpendRecord) {
    put(out, br#"{"part":"spend","spend_id":"#);
    put_text(out, &spend.spend_id.0);
    put(out, br#","seq":"#);
    put_u64(out, spend.seq);
    put(out, br#","last_seq":"#);
    put_u64(out, spend.last_seq);
    put(out, br#","at":"#);
    put_timestamp(out, spend.at);
    put(out, br#","budget_id":"#);
    put_budget_id(out, &spend.budget_id);
    put(out, br#","amount":"#);
    put_amount(out, spend.amount);
    put(out, br#","reversed":"#);
    put_amount(out, spend.reversed);
    if spend.incurred {
        put(out, br#","incurred":true"#);
    }
    if spend.late {
        put(out, br#","late":true"#);
    }
    let overage = Some(&*spend.overage).filter(|overage| !overage.is_empty());
    put_given(out, br#","overage":"#, overage, |out, overage| put_list(out, overage, put_charge));
    put_given(out, br#","reservation_id":"#, spend.reservation_id.as_ref().map(|id| &*id.0), put_text);
    put_given(out, br#","goal_id":"#, spend.goal_id, put_goal_id);
    put_given(out, br#","meter_id":"#, spend.meter_id.as_ref().map(|id| &*id.0), put_text);
    put_given(out, br#","body":"#, spend.body, put_fingerprint);
    put_details(out, &spend.details);
    put_meta(out, spend.meta.as_ref());
    put(out, b"}");
}

fn put_details(out: &mut Vec<u8>, details: &SpendDetails) {
    put_given(out, br#","peer":"#, details.peer.as_deref(), put_text);
    put_given(out, br#","tool":"#, details.tool.as_deref(), put_text);
    put_given(out, br#","reason":"#, details.reason.as_deref(), put_text);
    let quantities = Some(&*details.quantities).filter(|quantities| !quantities.is_empty());
    put_given(out, br#","quantities":"#, quantities, |out, quantities| {
        put_list(out, quantities, put_quantity);
    });
    put_given(out, br#","occurred_at":"#, details.occurred_at, put_timestamp);
}

fn put_quantity(out: &mut Vec<u8>, quantity: &Quantity) {
    put(out, br#"{"name":"#);
    put_text(out, &quantity.name);
    put(out, br#","amount":"#);
    put_amount(out, quantity.amount);
    put(out, b"}");
}

pub(super) fn put_booking(out: &mut Vec<u8>, entry: &Entry<Booking>) {
    put(out, br#"{"part":"booking","seq":"#);
    put_u64(out, entry.seq);
    put(out, br#","at":"#);
    put_timestamp(out, entry.at);
    put(out, br#","budget_id":"#);
    put_budget_id(out, entry.what.budget_id());
    put(out, br#","amount":"#);
    put_amount(out, entry.what.amount());
    if entry.what.is_reversal() {
        put(out, br#","reversal":true"#);
    }
    put(out, b"}");
}

//! What is remembered, and what is counted.

use crate::domain::keys::RememberedKey;
use crate::domain::{Outcome, Refusal, RememberedOutcome, State};
use crate::event::RefusalKind;
use crate::event::value::{
    put, put_amount, put_budget_id, put_fingerprint, put_given, put_goal_id, put_list, put_name, put_option,
    put_text, put_timestamp, put_u64,
};
use crate::ids::{BudgetId, ReservationId};

/// The window of all that is remembered, and up to when was used what no longer is.
pub(super) fn put_memory(out: &mut Vec<u8>, state: &State) {
    let window = state.keys.window();
    put(out, br#"{"part":"memory","max_age_ms":"#);
    put_u64(out, window.max_age_ms);
    put(out, br#","max_count":"#);
    put_u64(out, window.max_count);
    put(out, br#","keys_forgotten_through":"#);
    put_option(out, state.keys.forgotten_through(), put_timestamp);
    put(out, br#","spends_forgotten_through":"#);
    put_option(out, state.spends.forgotten_through(), put_timestamp);
    put(out, br#","bookings_forgotten_through":"#);
    put_option(out, state.bookings.forgotten_through(), put_timestamp);
    put_given(out, br#","bookings_from":"#, state.bookings.first().map(|first| first.seq), put_u64);
    put(out, br#","reservations_forgotten_through":"#);
    put_option(out, state.ended.forgotten_through(), put_timestamp);
    put(out, br#","event_ids_forgotten_through":"#);
    put_option(out, state.event_ids.forgotten_through(), put_timestamp);
    put(out, br#","goals_forgotten_through":"#);
    put_option(out, state.endings.goals_forgotten_through(), put_timestamp);
    put(out, br#","refusals_minute":"#);
    put_timestamp(out, state.refusals.minute());
    put(out, b"}");
}

pub(super) fn put_key(out: &mut Vec<u8>, entry: &RememberedKey) {
    put(out, br#"{"part":"key","key":"#);
    entry.key.with(|key| put_text(out, key));
    put(out, br#","body":"#);
    put_fingerprint(out, entry.fingerprint);
    put(out, br#","at":"#);
    put_timestamp(out, entry.at);
    put(out, br#","first_seq":"#);
    put_u64(out, entry.remembered.first_seq);
    put(out, br#","last_seq":"#);
    put_u64(out, entry.remembered.last_seq);
    put(out, br#","outcome":"#);
    put_outcome(out, &entry.remembered.outcome);
    put(out, b"}");
}

fn put_outcome(out: &mut Vec<u8>, outcome: &RememberedOutcome) {
    let mut put_about = |name: &[u8], put_id: &dyn Fn(&mut Vec<u8>)| {
        put(out, name);
        put_id(out);
        put(out, b"}");
    };
    match outcome {
        RememberedOutcome::Done(Outcome::Nothing) => put(out, br#""nothing""#),
        RememberedOutcome::Done(Outcome::Goal(id)) => put_about(br#"{"goal":"#, &|out| put_goal_id(out, *id)),
        RememberedOutcome::Done(Outcome::Budget(id)) => {
            put_about(br#"{"budget":"#, &|out| put_budget_id(out, id));
        }
        RememberedOutcome::Done(Outcome::Closed(id)) => {
            put_about(br#"{"closed":"#, &|out| put_budget_id(out, id));
        }
        RememberedOutcome::Done(Outcome::Spend(id)) => {
            put_about(br#"{"spend":"#, &|out| put_text(out, &id.0));
        }
        RememberedOutcome::Done(Outcome::Reservation(id)) => {
            put_about(br#"{"reservation":"#, &|out| put_text(out, &id.0));
        }
        RememberedOutcome::Done(Outcome::Meter(id)) => {
            put_about(br#"{"meter":"#, &|out| put_text(out, &id.0));
        }
        RememberedOutcome::Refused(refusal) => {
            put_about(br#"{"refused":"#, &|out| put_refusal(out, refusal));
        }
    }
}

fn put_refusal(out: &mut Vec<u8>, refusal: &Refusal) {
    put(out, br#"{"refusal":"#);
    put_name(out, refusal.kind.name());
    put(out, br#","seq":"#);
    put_option(out, refusal.seq, put_u64);
    put(out, br#","budget_id":"#);
    put_budget_id(out, &refusal.budget_id);
    put(out, br#","limit":"#);
    put_option(out, refusal.limit, put_amount);
    put(out, br#","spent":"#);
    put_amount(out, refusal.spent);
    put(out, br#","reserved":"#);
    put_amount(out, refusal.reserved);
    put(out, br#","amount":"#);
    put_amount(out, refusal.amount);
    put_given(out, br#","reservation_id":"#, refusal.reservation_id.as_ref().map(|id| &*id.0), put_text);
    put_given(out, br#","reason":"#, refusal.reason.as_deref(), put_text);
    put(out, b"}");
}

/// Its command wrote no event but its own.
pub(super) fn put_event_id(out: &mut Vec<u8>, entry: &RememberedKey) {
    put(out, br#"{"part":"event_id","event_id":"#);
    entry.key.with(|id| put_text(out, id));
    put(out, br#","body":"#);
    put_fingerprint(out, entry.fingerprint);
    put(out, br#","at":"#);
    put_timestamp(out, entry.at);
    put(out, br#","seq":"#);
    put_u64(out, entry.remembered.first_seq);
    put(out, b"}");
}

pub(super) fn put_releasing(out: &mut Vec<u8>, budget_id: &BudgetId, released: &[ReservationId]) {
    put(out, br#"{"part":"releasing","budget_id":"#);
    put_budget_id(out, budget_id);
    put(out, br#","released":"#);
    put_list(out, released, |out, id| put_text(out, &id.0));
    put(out, b"}");
}

pub(super) fn put_refusals(out: &mut Vec<u8>, budget_id: &BudgetId, kind: RefusalKind, count: u64) {
    put(out, br#"{"part":"refusals","budget_id":"#);
    put_budget_id(out, budget_id);
    put(out, br#","refusal":"#);
    put_name(out, kind.name());
    put(out, br#","count":"#);
    put_u64(out, count);
    put(out, b"}");
}

//! The canonical JSON of an event, written by hand: one object on one line, no white space, keys in a fixed order.
//!
//! The byte strings below are the form as it stands in the journal (`journal-format.md`); the reader in
//! `decode/canonical/` expects exactly them. Changing one means a new version of the kind and a step in
//! `upcast.rs`.

mod budget;
mod event;
mod goal;
mod refusal;
mod spend;
pub(super) mod values;

use crate::clock::Timestamp;
use crate::event::{ChangeEvent, EventKey, KeyWindowSet, Payload, number, text};

use budget::{
    put_budget_adjusted, put_budget_allocated, put_budget_closed, put_budget_exhausted, put_ended_forgotten,
    put_progress_set, put_threshold_crossed, put_window_rolled,
};
use event::put_event_recorded;
use goal::{put_goal_budget_set, put_goal_created, put_goal_transitioned, put_turn_recorded};
use refusal::{put_command_refused, put_refusals_suppressed};
use spend::{
    put_meter_observed, put_meter_reset, put_reservation_expired, put_reservation_made,
    put_reservation_marked_unknown, put_reservation_released, put_spend_recorded, put_spend_reversed,
};
use values::{put, put_fingerprint};

/// Appends the canonical JSON of `event` to `out`: one line, without the newline.
///
/// ```
/// use tallybook::event::{ChangeEvent, KeyWindowSet, Payload, encode_event};
/// let event = ChangeEvent {
///     seq: 7,
///     ts: tallybook::Timestamp::UNIX_EPOCH,
///     session_id: None,
///     actor: Some("ops".into()),
///     key: None,
///     meta: None,
///     payload: Payload::KeyWindowSet(KeyWindowSet { max_age_ms: 60_000, max_count: 100 }),
/// };
/// let mut line = Vec::new();
/// encode_event(&event, &mut line);
/// assert_eq!(
///     String::from_utf8(line).unwrap(),
///     r#"{"seq":7,"ts":"1970-01-01T00:00:00.000000Z","kind":"key_window_set","data":{"max_age_ms":60000,"max_count":100},"actor":"ops"}"#
/// );
/// ```
pub fn encode_event(event: &ChangeEvent, out: &mut Vec<u8>) {
    Encoder::at(event.ts).encode(event, out);
}

/// Writes events one after the other. Those of one time share its text: a batch is mostly of one.
#[derive(Debug)]
pub(crate) struct Encoder {
    ts: Timestamp,
    /// What stands between `seq` and the kind.
    ts_field: [u8; Encoder::TS_FIELD.len()],
}

impl Encoder {
    const TS_FIELD: [u8; 43] = *br#","ts":"0000-00-00T00:00:00.000000Z","kind":"#;
    /// Where the time stands in it.
    const TS_AT: usize = 7;

    pub(crate) fn at(ts: Timestamp) -> Encoder {
        let mut ts_field = Self::TS_FIELD;
        let text = ts.to_ascii();
        ts_field[Self::TS_AT..Self::TS_AT + text.len()].copy_from_slice(&text);
        Encoder { ts, ts_field }
    }

    /// The same as [`encode_event`].
    pub(crate) fn encode(&mut self, event: &ChangeEvent, out: &mut Vec<u8>) {
        if self.ts != event.ts {
            *self = Encoder::at(event.ts);
        }
        put(out, br#"{"seq":"#);
        number::put_u64(out, event.seq);
        put(out, &self.ts_field);
        put_payload(out, &event.payload);
        put(out, b"}");
        put_context(out, event);
        put(out, b"}");
    }
}

/// The kind, and the data without their end.
fn put_payload(out: &mut Vec<u8>, payload: &Payload) {
    match payload {
        Payload::GoalCreated(data) => put_goal_created(out, data),
        Payload::GoalTransitioned(data) => put_goal_transitioned(out, data),
        Payload::GoalBudgetSet(data) => put_goal_budget_set(out, data),
        Payload::TurnRecorded(data) => put_turn_recorded(out, data),
        Payload::BudgetExhausted(data) => put_budget_exhausted(out, data),
        Payload::ThresholdCrossed(data) => put_threshold_crossed(out, data),
        Payload::BudgetAllocated(data) => put_budget_allocated(out, data),
        Payload::BudgetAdjusted(data) => put_budget_adjusted(out, data),
        Payload::ProgressSet(data) => put_progress_set(out, data),
        Payload::BudgetClosed(data) => put_budget_closed(out, data),
        Payload::WindowRolled(data) => put_window_rolled(out, data),
        Payload::EndedForgotten(data) => put_ended_forgotten(out, data),
        Payload::SpendRecorded(data) => put_spend_recorded(out, data),
        Payload::SpendReversed(data) => put_spend_reversed(out, data),
        Payload::ReservationMade(data) => put_reservation_made(out, data),
        Payload::ReservationReleased(data) => put_reservation_released(out, data),
        Payload::ReservationExpired(data) => put_reservation_expired(out, data),
        Payload::ReservationMarkedUnknown(data) => put_reservation_marked_unknown(out, data),
        Payload::MeterObserved(data) => put_meter_observed(out, data),
        Payload::MeterReset(data) => put_meter_reset(out, data),
        Payload::EventRecorded(data) => put_event_recorded(out, data),
        Payload::CommandRefused(data) => put_command_refused(out, data),
        Payload::RefusalsSuppressed(data) => put_refusals_suppressed(out, data),
        Payload::KeyWindowSet(data) => put_key_window_set(out, data),
    }
}

/// What the host said about the command; what it left out is left out here.
fn put_context(out: &mut Vec<u8>, event: &ChangeEvent) {
    if let Some(session_id) = &event.session_id {
        put(out, br#","session_id":"#);
        text::put(out, session_id);
    }
    if let Some(actor) = &event.actor {
        put(out, br#","actor":"#);
        text::put(out, actor);
    }
    if let Some(EventKey { key, fingerprint }) = &event.key {
        put(out, br#","key":"#);
        text::put(out, key);
        if let Some(fingerprint) = fingerprint {
            put(out, br#","key_body":"#);
            put_fingerprint(out, *fingerprint);
        }
    }
    if let Some(meta) = &event.meta {
        put(out, br#","meta":"#);
        put(out, meta.as_str().as_bytes());
    }
}

fn put_key_window_set(out: &mut Vec<u8>, data: &KeyWindowSet) {
    put(out, br#""key_window_set","data":{"max_age_ms":"#);
    number::put_u64(out, data.max_age_ms);
    put(out, br#","max_count":"#);
    number::put_u64(out, data.max_count);
}

//! The canonical JSON of an event, written by hand: one object on one line, no white space, keys in a fixed order.
//!
//! The byte strings below are the form as it stands in the journal (`journal-format.md`); the reader in
//! `decode/canonical.rs` expects exactly them. Changing one means a new version of the kind and a step in
//! `upcast.rs`.

use crate::clock::Timestamp;
use crate::event::{
    BudgetExhausted, ChangeEvent, Charge, CommandRefused, EventKey, GoalBudgetSet, GoalCreated,
    GoalTransitioned, KeyWindowSet, Payload, RefusalsSuppressed, TurnRecorded, number, text,
};
use crate::ids::{BudgetId, GoalId};

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
    put(out, br#"{"seq":"#);
    number::put_u64(out, event.seq);
    put(out, br#","ts":"#);
    put_timestamp(out, event.ts);
    put(out, br#","kind":"#);
    match &event.payload {
        Payload::GoalCreated(data) => put_goal_created(out, data),
        Payload::GoalTransitioned(data) => put_goal_transitioned(out, data),
        Payload::GoalBudgetSet(data) => put_goal_budget_set(out, data),
        Payload::TurnRecorded(data) => put_turn_recorded(out, data),
        Payload::BudgetExhausted(data) => put_budget_exhausted(out, data),
        Payload::CommandRefused(data) => put_command_refused(out, data),
        Payload::RefusalsSuppressed(data) => put_refusals_suppressed(out, data),
        Payload::KeyWindowSet(data) => put_key_window_set(out, data),
        other => unreachable!("{} is not encoded yet", other.kind()),
    }
    put(out, b"}");
    put_context(out, event);
    put(out, b"}");
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

fn put_goal_created(out: &mut Vec<u8>, data: &GoalCreated) {
    put(out, br#""goal_created","data":{"goal_id":"#);
    put_goal_id(out, data.goal_id);
    put(out, br#","scope":"#);
    text::put(out, &data.scope);
    put(out, br#","text":"#);
    text::put(out, &data.text);
    put(out, br#","token_budget":"#);
    put_option(out, data.token_budget, put_amount);
    put(out, br#","parent_goal":"#);
    put_option(out, data.parent_goal, put_goal_id);
    put(out, br#","budgets":"#);
    put_list(out, &data.budgets, put_budget_id);
}

fn put_goal_transitioned(out: &mut Vec<u8>, data: &GoalTransitioned) {
    put(out, br#""goal_transitioned","data":{"goal_id":"#);
    put_goal_id(out, data.goal_id);
    put(out, br#","from":"#);
    put_name(out, data.from.name());
    put(out, br#","to":"#);
    put_name(out, data.to.name());
    put(out, br#","reason":"#);
    put_name(out, data.reason.name());
    put(out, br#","revision":"#);
    number::put_u64(out, data.revision);
    put(out, br#","by_goal":"#);
    put_option(out, data.by_goal, put_goal_id);
    put(out, br#","budget_id":"#);
    put_option(out, data.budget_id.as_ref(), put_budget_id);
    put(out, br#","note":"#);
    put_option(out, data.note.as_deref(), text::put);
}

fn put_goal_budget_set(out: &mut Vec<u8>, data: &GoalBudgetSet) {
    put(out, br#""goal_budget_set","data":{"goal_id":"#);
    put_goal_id(out, data.goal_id);
    put(out, br#","previous":"#);
    put_option(out, data.previous, put_amount);
    put(out, br#","token_budget":"#);
    put_option(out, data.token_budget, put_amount);
}

fn put_turn_recorded(out: &mut Vec<u8>, data: &TurnRecorded) {
    put(out, br#""turn_recorded","v":2,"data":{"goal_id":"#);
    put_goal_id(out, data.goal_id);
    put(out, br#","tokens":"#);
    put_amount(out, data.tokens);
    put(out, br#","turns":"#);
    number::put_u64(out, data.turns);
    put(out, br#","seconds":"#);
    number::put_u64(out, data.seconds);
    put(out, br#","late":"#);
    put(out, if data.late { b"true" } else { b"false" });
    put(out, br#","overage":"#);
    put_list(out, &data.overage, put_charge);
}

fn put_budget_exhausted(out: &mut Vec<u8>, data: &BudgetExhausted) {
    put(out, br#""budget_exhausted","data":{"budget_id":"#);
    put_budget_id(out, &data.budget_id);
    put(out, br#","limit":"#);
    put_amount(out, data.limit);
    put(out, br#","spent":"#);
    put_amount(out, data.spent);
    put(out, br#","overage":"#);
    put_amount(out, data.overage);
}

fn put_command_refused(out: &mut Vec<u8>, data: &CommandRefused) {
    put(out, br#""command_refused","data":{"op":"#);
    text::put(out, &data.op);
    put(out, br#","refusal":"#);
    put_name(out, data.refusal.name());
    put(out, br#","budget_id":"#);
    put_budget_id(out, &data.budget_id);
    put(out, br#","goal_id":"#);
    put_option(out, data.goal_id, put_goal_id);
    put(out, br#","limit":"#);
    put_option(out, data.limit, put_amount);
    put(out, br#","spent":"#);
    put_amount(out, data.spent);
    put(out, br#","reserved":"#);
    put_amount(out, data.reserved);
    put(out, br#","amount":"#);
    put_amount(out, data.amount);
}

fn put_refusals_suppressed(out: &mut Vec<u8>, data: &RefusalsSuppressed) {
    put(out, br#""refusals_suppressed","data":{"budget_id":"#);
    put_budget_id(out, &data.budget_id);
    put(out, br#","refusal":"#);
    put_name(out, data.refusal.name());
    put(out, br#","count":"#);
    number::put_u64(out, data.count);
    put(out, br#","minute":"#);
    put_timestamp(out, data.minute);
}

fn put_key_window_set(out: &mut Vec<u8>, data: &KeyWindowSet) {
    put(out, br#""key_window_set","data":{"max_age_ms":"#);
    number::put_u64(out, data.max_age_ms);
    put(out, br#","max_count":"#);
    number::put_u64(out, data.max_count);
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
}

/// A name of ours: nothing in it needs escaping.
fn put_name(out: &mut Vec<u8>, name: &str) {
    put(out, b"\"");
    put(out, name.as_bytes());
    put(out, b"\"");
}

fn put_timestamp(out: &mut Vec<u8>, at: Timestamp) {
    let mut quoted = [b'"'; 29];
    quoted[1..28].copy_from_slice(&at.to_ascii());
    put(out, &quoted);
}

fn put_goal_id(out: &mut Vec<u8>, id: GoalId) {
    let mut quoted = [b'"'; 38];
    id.0.hyphenated().encode_lower(&mut quoted[1..37]);
    put(out, &quoted);
}

fn put_budget_id(out: &mut Vec<u8>, id: &BudgetId) {
    match id {
        BudgetId::Goal(goal) => {
            const PREFIX: usize = BudgetId::GOAL_PREFIX.len();
            let mut quoted = [b'"'; 38 + PREFIX];
            quoted[1..=PREFIX].copy_from_slice(BudgetId::GOAL_PREFIX.as_bytes());
            goal.0.hyphenated().encode_lower(&mut quoted[1 + PREFIX..37 + PREFIX]);
            put(out, &quoted);
        }
        BudgetId::Named(name) => text::put(out, name),
    }
}

/// A string, because many readers of JSON keep numbers as `f64`, which is exact only up to 2^53 (law EXACT).
fn put_amount(out: &mut Vec<u8>, amount: u128) {
    put(out, b"\"");
    number::put_u128(out, amount);
    put(out, b"\"");
}

fn put_fingerprint(out: &mut Vec<u8>, fingerprint: u64) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    let mut quoted = [b'"'; 18];
    for (pair, byte) in quoted[1..17].chunks_exact_mut(2).zip(fingerprint.to_be_bytes()) {
        pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    put(out, &quoted);
}

fn put_charge(out: &mut Vec<u8>, charge: &Charge) {
    put(out, br#"{"budget_id":"#);
    put_budget_id(out, &charge.budget_id);
    put(out, br#","amount":"#);
    put_amount(out, charge.amount);
    put(out, b"}");
}

fn put_option<T>(out: &mut Vec<u8>, value: Option<T>, put_value: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        Some(value) => put_value(out, value),
        None => put(out, b"null"),
    }
}

fn put_list<T>(out: &mut Vec<u8>, items: &[T], put_item: impl Fn(&mut Vec<u8>, &T)) {
    put(out, b"[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            put(out, b",");
        }
        put_item(out, item);
    }
    put(out, b"]");
}

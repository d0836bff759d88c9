//! How single values stand in canonical JSON.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::event::{Charge, Fraction, number, text};
use crate::ids::{BudgetId, GoalId};

pub(crate) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
}

/// A name of ours: nothing in it needs escaping.
pub(crate) fn put_name(out: &mut Vec<u8>, name: &str) {
    put(out, b"\"");
    put(out, name.as_bytes());
    put(out, b"\"");
}

pub(crate) fn put_timestamp(out: &mut Vec<u8>, at: Timestamp) {
    let mut quoted = [b'"'; 29];
    quoted[1..28].copy_from_slice(&at.to_ascii());
    put(out, &quoted);
}

pub(crate) fn put_boolean(out: &mut Vec<u8>, value: bool) {
    put(out, if value { b"true" } else { b"false" });
}

pub(crate) fn put_goal_id(out: &mut Vec<u8>, id: GoalId) {
    let mut quoted = [b'"'; 38];
    id.0.hyphenated().encode_lower(&mut quoted[1..37]);
    put(out, &quoted);
}

pub(crate) fn put_budget_id(out: &mut Vec<u8>, id: &BudgetId) {
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

/// In whole parts per million: an integer, so that nothing is rounded.
pub(crate) fn put_fraction(out: &mut Vec<u8>, fraction: Fraction) {
    number::put_u64(out, u64::from(fraction.ppm()));
}

/// Who may widen a budget.
pub(crate) fn put_actors(out: &mut Vec<u8>, actors: &[Arc<str>]) {
    put_list(out, actors, |out, actor| text::put(out, actor));
}

/// A string, because many readers of JSON keep numbers as `f64`, which is exact only up to 2^53 (law EXACT).
pub(crate) fn put_amount(out: &mut Vec<u8>, amount: u128) {
    put(out, b"\"");
    number::put_u128(out, amount);
    put(out, b"\"");
}

pub(crate) fn put_fingerprint(out: &mut Vec<u8>, fingerprint: u64) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    let mut quoted = [b'"'; 18];
    for (pair, byte) in quoted[1..17].chunks_exact_mut(2).zip(fingerprint.to_be_bytes()) {
        pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    put(out, &quoted);
}

pub(crate) fn put_charge(out: &mut Vec<u8>, charge: &Charge) {
    put(out, br#"{"budget_id":"#);
    put_budget_id(out, &charge.budget_id);
    put(out, br#","amount":"#);
    put_amount(out, charge.amount);
    put(out, b"}");
}

pub(crate) fn put_option<T>(out: &mut Vec<u8>, value: Option<T>, put_value: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        Some(value) => put_value(out, value),
        None => put(out, b"null"),
    }
}

/// A field that is left out where there is nothing to say.
pub(crate) fn put_given<T>(
    out: &mut Vec<u8>,
    field: &[u8],
    value: Option<T>,
    put_value: impl FnOnce(&mut Vec<u8>, T),
) {
    if let Some(value) = value {
        put(out, field);
        put_value(out, value);
    }
}

pub(crate) fn put_list<T>(out: &mut Vec<u8>, items: &[T], put_item: impl Fn(&mut Vec<u8>, &T)) {
    put(out, b"[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            put(out, b",");
        }
        put_item(out, item);
    }
    put(out, b"]");
}

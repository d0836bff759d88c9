//! What was refused.

use crate::event::{CommandRefused, RefusalsSuppressed, number, text};

use super::values::{put, put_amount, put_budget_id, put_goal_id, put_name, put_option, put_timestamp};

pub(super) fn put_command_refused(out: &mut Vec<u8>, data: &CommandRefused) {
    put(out, br#""command_refused","v":2,"data":{"op":"#);
    text::put(out, &data.op);
    put(out, br#","refusal":"#);
    put_name(out, data.refusal.name());
    put(out, br#","budget_id":"#);
    put_budget_id(out, &data.budget_id);
    put(out, br#","goal_id":"#);
    put_option(out, data.goal_id, put_goal_id);
    put(out, br#","reservation_id":"#);
    put_option(out, data.reservation_id.as_ref().map(|id| &*id.0), text::put);
    put(out, br#","limit":"#);
    put_option(out, data.limit, put_amount);
    put(out, br#","spent":"#);
    put_amount(out, data.spent);
    put(out, br#","reserved":"#);
    put_amount(out, data.reserved);
    put(out, br#","amount":"#);
    put_amount(out, data.amount);
    put(out, br#","reason":"#);
    put_option(out, data.reason.as_deref(), text::put);
}

pub(super) fn put_refusals_suppressed(out: &mut Vec<u8>, data: &RefusalsSuppressed) {
    put(out, br#""refusals_suppressed","data":{"budget_id":"#);
    put_budget_id(out, &data.budget_id);
    put(out, br#","refusal":"#);
    put_name(out, data.refusal.name());
    put(out, br#","count":"#);
    number::put_u64(out, data.count);
    put(out, br#","minute":"#);
    put_timestamp(out, data.minute);
}

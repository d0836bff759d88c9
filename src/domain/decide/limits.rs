//! Bounds on the lengths and contents of what a caller may give.

use std::sync::Arc;

use crate::domain::{Rejection, Request, Rules, Spend};
use crate::event::value::is_printable;
use crate::event::{Fraction, Json};
use crate::ids::{BudgetId, is_name};

/// The longest idempotency key, actor, session id and scope, in bytes.
const MAX_NAME_BYTES: usize = 200;
/// The longest note or reason, in Unicode scalar values.
const MAX_NOTE_CHARS: usize = 1_000;
/// The most thresholds of a budget, actors that may widen it, and quantities of a spend.
const MAX_LIST_LEN: usize = 64;

/// What every command may carry.
pub(super) fn check_envelope(request: &Request) -> Result<(), Rejection> {
    if request.key.as_deref() == Some("") {
        return Err(Rejection::invalid("key: expected 1 to 200 bytes, found none"));
    }
    check_name("key", request.key.as_ref())?;
    check_name("actor", request.actor.as_ref())?;
    check_name("session_id", request.session_id.as_ref())
}

/// A short name on one line.
#[inline]
pub(super) fn check_name(field: &str, name: Option<&Arc<str>>) -> Result<(), Rejection> {
    let Some(name) = name else { return Ok(()) };
    if name.len() > MAX_NAME_BYTES {
        let message = format!("{field}: expected at most {MAX_NAME_BYTES} bytes, found {}", name.len());
        return Err(Rejection::too_long(MAX_NAME_BYTES, message));
    }
    if is_printable(name.as_bytes()) {
        return Ok(());
    }
    match name.chars().find(|char| char.is_control()) {
        Some(control) => Err(Rejection::invalid(format!(
            "{field}: expected no control characters, found U+{:04X}",
            u32::from(control)
        ))),
        None => Ok(()),
    }
}

/// A note of whatever contents.
pub(super) fn check_note(note: Option<&Arc<str>>) -> Result<(), Rejection> {
    note.map_or(Ok(()), |note| check_chars("note", note, MAX_NOTE_CHARS))
}

/// The text of a goal.
pub(super) fn check_text(text: &str, rules: &Rules) -> Result<(), Rejection> {
    if text.trim().is_empty() {
        return Err(Rejection::invalid("text: expected some text, found none"));
    }
    check_chars("text", text, rules.max_text_chars)?;
    if holds(text, &rules.forbidden_text) {
        let message = format!("text: expected it without {:?}, in whatever case", rules.forbidden_text);
        return Err(Rejection::invalid(message));
    }
    Ok(())
}

fn check_chars(field: &str, text: &str, max: usize) -> Result<(), Rejection> {
    // No text has more characters than bytes: only one that may be too long is counted.
    if text.len() <= max {
        return Ok(());
    }
    match text.chars().count() {
        found if found > max => Err(Rejection::too_long(
            max,
            format!("{field}: expected at most {max} characters, found {found}"),
        )),
        _ => Ok(()),
    }
}

fn holds(text: &str, forbidden: &str) -> bool {
    let (text, forbidden) = (text.as_bytes(), forbidden.as_bytes());
    !forbidden.is_empty() && text.windows(forbidden.len()).any(|part| part.eq_ignore_ascii_case(forbidden))
}

/// A limit of tokens, if any.
pub(super) fn check_token_budget(limit: Option<u128>) -> Result<(), Rejection> {
    match limit {
        Some(0) => {
            Err(Rejection::invalid("token_budget: expected more than 0, or null for no limit, found 0"))
        }
        _ => Ok(()),
    }
}

/// An amount that is asked for.
pub(super) fn check_amount(field: &str, amount: u128) -> Result<(), Rejection> {
    match amount {
        0 => Err(Rejection::invalid(format!("{field}: expected more than 0, found 0"))),
        _ => Ok(()),
    }
}

/// An id, or another name that has to be there.
pub(super) fn check_id(field: &str, id: &str) -> Result<(), Rejection> {
    if is_name(id) {
        return Ok(());
    }
    let max = BudgetId::MAX_LEN;
    let message =
        format!("{field}: expected 1 to {max} bytes without control characters, found {} bytes", id.len());
    Err(if id.len() > max { Rejection::too_long(max, message) } else { Rejection::invalid(message) })
}

/// The id of a budget, a goal's or another.
pub(super) fn check_budget_id(field: &str, id: &BudgetId) -> Result<(), Rejection> {
    let BudgetId::Named(name) = id else { return Ok(()) };
    if name.starts_with(BudgetId::GOAL_PREFIX) {
        return Err(Rejection::invalid(format!(
            "{field}: expected a goal's UUID after the reserved prefix `goal:`, found {name}"
        )));
    }
    check_id(field, name)
}

/// The id of a budget that is not a goal's.
pub(super) fn check_budget_name(field: &str, id: &BudgetId) -> Result<(), Rejection> {
    match id {
        BudgetId::Goal(_) => Err(Rejection::invalid(format!(
            "{field}: expected a budget that is not a goal's, since those live and end with their goals; found {id}"
        ))),
        BudgetId::Named(_) => check_budget_id(field, id),
    }
}

/// Thresholds, in ascending order and each once.
pub(super) fn check_thresholds(thresholds: &[Fraction]) -> Result<Arc<[Fraction]>, Rejection> {
    check_len("thresholds", thresholds.len())?;
    if thresholds.contains(&Fraction::ZERO) {
        return Err(Rejection::invalid("thresholds: expected fractions above 0, found 0"));
    }
    let mut thresholds = thresholds.to_vec();
    thresholds.sort_unstable();
    thresholds.dedup();
    Ok(thresholds.into())
}

/// Who may widen a budget, each once.
pub(super) fn check_actors(actors: Option<&[Arc<str>]>) -> Result<Option<Arc<[Arc<str>]>>, Rejection> {
    let Some(actors) = actors else { return Ok(None) };
    check_len("widen_by", actors.len())?;
    actors.iter().try_for_each(|actor| check_id("widen_by", actor))?;
    let mut actors = actors.to_vec();
    actors.sort_unstable();
    actors.dedup();
    Ok(Some(actors.into()))
}

/// What a caller says about a spend.
pub(super) fn check_spend(spend: &Spend) -> Result<(), Rejection> {
    spend.spend_id.as_ref().map_or(Ok(()), |id| check_id("spend_id", &id.0))?;
    check_name("peer", spend.details.peer.as_ref())?;
    check_name("tool", spend.details.tool.as_ref())?;
    check_reason(spend.details.reason.as_ref())?;
    check_len("quantities", spend.details.quantities.len())?;
    spend.details.quantities.iter().try_for_each(|quantity| check_id("quantities", &quantity.name))
}

/// What a host says about an event of its own.
pub(super) fn check_event_data(data: &Json, rules: &Rules) -> Result<(), Rejection> {
    let (max, len) = (rules.max_event_bytes, data.as_str().len());
    if len <= max {
        return Ok(());
    }
    let message = format!("data: expected at most {max} bytes without white space, found {len}");
    Err(Rejection::too_long(max, message))
}

/// A reason of whatever contents.
pub(super) fn check_reason(reason: Option<&Arc<str>>) -> Result<(), Rejection> {
    reason.map_or(Ok(()), |reason| check_chars("reason", reason, MAX_NOTE_CHARS))
}

pub(super) fn check_len(field: &str, len: usize) -> Result<(), Rejection> {
    if len <= MAX_LIST_LEN {
        return Ok(());
    }
    let message = format!("{field}: expected at most {MAX_LIST_LEN}, found {len}");
    Err(Rejection::too_long(MAX_LIST_LEN, message))
}

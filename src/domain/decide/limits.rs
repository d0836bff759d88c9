//! Bounds on the lengths and contents of what a caller may give.

use std::sync::Arc;

use crate::domain::{Rejection, Request, Rules};

/// The longest idempotency key, actor, session id and scope, in bytes.
const MAX_NAME_BYTES: usize = 200;
/// The longest note, in Unicode scalar values.
const MAX_NOTE_CHARS: usize = 1_000;

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
pub(super) fn check_name(field: &str, name: Option<&Arc<str>>) -> Result<(), Rejection> {
    let Some(name) = name else { return Ok(()) };
    if name.len() > MAX_NAME_BYTES {
        let message = format!("{field}: expected at most {MAX_NAME_BYTES} bytes, found {}", name.len());
        return Err(Rejection::too_long(MAX_NAME_BYTES, message));
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

//! Commands about no goal: the key window, and the count of suppressed refusals.

use crate::domain::{Decision, KeyWindow, Outcome, Rejection, State, minute_of};
use crate::event::{KeyWindowSet, Payload, RefusalsSuppressed};

pub(super) fn set_key_window(state: &State, window: KeyWindow) -> Result<Decision, Rejection> {
    if window.max_age_ms == 0 || window.max_count == 0 {
        return Err(Rejection::invalid(format!(
            "key window: expected at least 1 ms and 1 key, found {} ms and {} keys",
            window.max_age_ms, window.max_count
        )));
    }
    if state.key_window() == window {
        return Ok(Decision::Unchanged(Outcome::Nothing));
    }
    let KeyWindow { max_age_ms, max_count } = window;
    Ok(Decision::Events(vec![Payload::KeyWindowSet(KeyWindowSet { max_age_ms, max_count })]))
}

pub(super) fn report_suppressed(report: &RefusalsSuppressed) -> Result<Decision, Rejection> {
    if minute_of(report.minute) != report.minute {
        let found = report.minute;
        return Err(Rejection::invalid(format!("minute: expected the start of a minute, found {found}")));
    }
    // The budget may have been forgotten since: they were refused all the same.
    if report.count == 0 {
        return Ok(Decision::Unchanged(Outcome::Nothing));
    }
    Ok(Decision::Events(vec![Payload::RefusalsSuppressed(report.clone())]))
}

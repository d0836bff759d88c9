//! Recording what hosts have to say.

use crate::domain::decide::limits;
use crate::domain::{Context, Decision, RecordEvent, Rejection, RejectionKind, Request, State, fingerprint};
use crate::event::{EventRecorded, Payload};

pub(super) fn decide(
    state: &State,
    request: &Request,
    record: &RecordEvent,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    let RecordEvent { name, data, event_id } = record;
    // Before the rules, which may have become narrower since.
    if let Some(retry) = known_event(state, request, record, context)? {
        return Ok(retry);
    }
    limits::check_id("name", name)?;
    limits::check_event_data(data, context.rules)?;
    Ok(Decision::Events(vec![Payload::EventRecorded(EventRecorded {
        name: name.clone(),
        event_id: event_id.clone(),
        body: event_id.as_ref().map(|_| fingerprint(request)),
        data: data.clone(),
    })]))
}

/// An event id that was used: for the same event it is a retry, for another a conflict (law EXACT).
fn known_event(
    state: &State,
    request: &Request,
    record: &RecordEvent,
    context: &Context<'_>,
) -> Result<Option<Decision>, Rejection> {
    let Some(id) = &record.event_id else { return Ok(None) };
    limits::check_id("event_id", &id.0)?;
    match state.event_ids.get(&id.0) {
        Some(known) if known.fingerprint == fingerprint(request) => {
            Ok(Some(Decision::Retried(known.remembered.clone())))
        }
        Some(known) => Err(Rejection::new(
            RejectionKind::Conflict,
            format!(
                "event id {id} was used at seq {} for another event; give this one an id of its own",
                known.remembered.first_seq
            ),
        )),
        None if state.event_ids.is_expired(&id.0, context.now) => Err(Rejection::new(
            RejectionKind::KeyExpired,
            format!(
                "event id {id} is older than what is remembered: whether it was used before cannot be told"
            ),
        )),
        None => Ok(None),
    }
}

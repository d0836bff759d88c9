//! Events of hosts: nothing but their ids is remembered (law EXACT).

use crate::domain::keys::{KeyText, RememberedKey};
use crate::domain::{Remembered, State};
use crate::event::{ChangeEvent, EventRecorded};

pub(super) fn recorded(
    state: &mut State,
    event: &ChangeEvent,
    recorded: &EventRecorded,
) -> Result<(), String> {
    let (id, fingerprint) = match (&recorded.event_id, recorded.body) {
        (Some(id), Some(fingerprint)) => (id, fingerprint),
        (None, None) => return Ok(()),
        (Some(id), None) => return Err(format!("expected `body` beside event id {id}, found none")),
        (None, Some(_)) => return Err("expected `event_id` beside `body`, found none".to_owned()),
    };
    if let Some(known) = state.event_ids.get(&id.0) {
        let first_seq = known.remembered.first_seq;
        return Err(format!("expected a new event id, but {id} is remembered from seq {first_seq}"));
    }
    let remembered = Remembered::nothing_at(event.seq);
    let entry = RememberedKey { key: KeyText::new(&id.0), fingerprint, at: event.ts, remembered };
    state.event_ids.remember(&id.0, entry);
    Ok(())
}

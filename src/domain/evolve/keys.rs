//! Which command an event belongs to: the keys of commands, and the spend ids that are keys, too (law EXACT).

use crate::domain::decision::subject;
use crate::domain::keys::{KeyText, RememberedKey};
use crate::domain::{Outcome, Refusal, Remembered, RememberedOutcome, State};
use crate::event::{ChangeEvent, CommandRefused, Payload};
use crate::planted::{Bug, planted};

/// Remembers the key that an event carries.
pub(super) fn remember(state: &mut State, event: &ChangeEvent) -> Result<(), String> {
    let Some(event_key) = &event.key else { return Ok(()) };
    let key = &event_key.key;
    let outcome = own_outcome(event);
    let Some(fingerprint) = event_key.fingerprint else {
        state.keys.extend(key, event.seq, outcome);
        return Ok(());
    };
    if let Some(known) = state.keys.get(key)
        && !planted(Bug::RetriedKeyBookedTwice)
    {
        let first_seq = known.remembered.first_seq;
        return Err(format!("expected a new key, but {key:?} is remembered from seq {first_seq}"));
    }
    let remembered = Remembered {
        first_seq: event.seq,
        last_seq: event.seq,
        outcome: outcome.unwrap_or(RememberedOutcome::Done(Outcome::Nothing)),
    };
    let entry = RememberedKey { key: KeyText::new(key), fingerprint, at: event.ts, remembered };
    state.keys.remember(key, entry);
    Ok(())
}

/// How the event's command ended, if this event can tell.
fn own_outcome(event: &ChangeEvent) -> Option<RememberedOutcome> {
    match &event.payload {
        Payload::CommandRefused(refused) => {
            Some(RememberedOutcome::Refused(Box::new(refusal(refused, Some(event.seq)))))
        }
        payload => subject(payload).map(RememberedOutcome::Done),
    }
}

/// The refusal that an event tells of.
pub(in crate::domain) fn refusal(refused: &CommandRefused, seq: Option<u64>) -> Refusal {
    Refusal {
        kind: refused.refusal,
        seq,
        suppressed: false,
        budget_id: refused.budget_id.clone(),
        limit: refused.limit,
        spent: refused.spent,
        reserved: refused.reserved,
        amount: refused.amount,
        reservation_id: refused.reservation_id.clone(),
        reason: refused.reason.clone(),
    }
}

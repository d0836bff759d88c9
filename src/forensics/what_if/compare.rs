//! What followed from a command, beside what would have followed.

use std::sync::Arc;

use std::collections::BTreeSet;

use super::divergence::{Difference, Effect};
use crate::event::{ChangeEvent, Payload};

/// How what follows from a command would be other, if it would.
pub(super) fn difference(events: &[ChangeEvent], payloads: &[Payload]) -> Option<Difference> {
    let then = effects(events.iter().map(|event| &event.payload));
    let otherwise = effects(payloads);
    if then == otherwise {
        return None;
    }
    let lost = then.difference(&otherwise).cloned().collect();
    let gained = otherwise.difference(&then).cloned().collect();
    Some(Difference::Otherwise { lost, gained })
}

/// What follows by these events.
pub(super) fn effects<'a>(payloads: impl IntoIterator<Item = &'a Payload>) -> BTreeSet<Effect> {
    let effect = |payload: &Payload| match payload {
        Payload::BudgetExhausted(exhausted) => Some(Effect::Exhausted(exhausted.budget_id.clone())),
        Payload::ThresholdCrossed(crossed) => {
            Some(Effect::Crossed(crossed.budget_id.clone(), crossed.threshold))
        }
        Payload::GoalTransitioned(change) => {
            Some(Effect::Moved { goal_id: change.goal_id, to: change.to, reason: change.reason })
        }
        _ => None,
    };
    payloads.into_iter().filter_map(effect).collect()
}

/// What a command decided besides limits stays as it was: the ids that were made, the fingerprints of the callers' commands,
/// the bounds of windows, and when reservations expire.
pub(super) fn keep_facts(payloads: &mut [Payload], events: &[ChangeEvent]) {
    let mut spends = events.iter().filter_map(|event| match &event.payload {
        Payload::SpendRecorded(spend) => Some(spend),
        _ => None,
    });
    for payload in payloads.iter_mut() {
        match payload {
            Payload::SpendRecorded(spend) => {
                let Some(was) = spends.next() else { continue };
                let spend = Arc::make_mut(spend);
                (spend.spend_id, spend.body) = (was.spend_id.clone(), was.body);
            }
            payload => events.iter().for_each(|event| keep(payload, &event.payload)),
        }
    }
}

fn keep(payload: &mut Payload, was: &Payload) {
    match (payload, was) {
        (Payload::ReservationMade(made), Payload::ReservationMade(was)) => {
            made.reservation_id = was.reservation_id.clone();
            (made.body, made.expires_at) = (was.body, was.expires_at);
        }
        (Payload::EventRecorded(recorded), Payload::EventRecorded(was)) => recorded.body = was.body,
        (Payload::BudgetAllocated(made), Payload::BudgetAllocated(was)) => {
            made.terms.window = was.terms.window.clone();
            made.span = was.span;
        }
        (Payload::BudgetAdjusted(adjusted), Payload::BudgetAdjusted(was))
            if adjusted.terms.window == was.terms.window =>
        {
            adjusted.span = was.span;
        }
        _ => {}
    }
}

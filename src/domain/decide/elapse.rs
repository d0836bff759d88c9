//! What happens by itself, because time has passed (law HONEST: time acts on the state only through events).

use crate::domain::state::Due;
use crate::domain::window::span_at;
use crate::domain::{Context, Decision, Elapse, Outcome, Rejection, State};
use crate::event::{Payload, ReservationExpired, Span, WindowRolled};
use crate::ids::{BudgetId, ReservationId};
use crate::planted::{Bug, planted};

pub(super) fn decide(state: &State, elapse: Elapse, context: &Context<'_>) -> Result<Decision, Rejection> {
    let due = state.deadlines.iter().take_while(|(at, _)| *at <= context.now);
    let events: Vec<Payload> = due
        .filter_map(|(_, due)| match due {
            Due::Expiry(id) => expired(state, id),
            Due::Roll(_) if planted(Bug::WindowRollsWithoutEvent) => None,
            Due::Roll(id) => rolled(state, id, context),
        })
        .take(elapse.max_events)
        .collect();
    Ok(if events.is_empty() { Decision::Unchanged(Outcome::Nothing) } else { Decision::Events(events) })
}

fn expired(state: &State, id: &ReservationId) -> Option<Payload> {
    let reservation = state.reservation(id)?;
    Some(Payload::ReservationExpired(ReservationExpired {
        reservation_id: id.clone(),
        budget_id: reservation.budget_id.clone(),
        amount: reservation.amount,
    }))
}

/// The roll to the window that is now; `None` where it cannot be computed any more, because the zone is gone from the
/// data of this machine: then the old window stays.
fn rolled(state: &State, id: &BudgetId, context: &Context<'_>) -> Option<Payload> {
    let budget = state.budget(id)?;
    let (window, ended) = (budget.terms.window.as_ref()?, budget.span?);
    let span = span_at(window, context.now).ok()?;
    // Where the zone's rules have changed in between, windows may not join: none begins before the last has ended.
    let span = Span { start: span.start.max(ended.end), end: span.end };
    Some(Payload::WindowRolled(WindowRolled { budget_id: id.clone(), ended, spent: budget.spent, span }))
}

//! Closing a budget, and those below it.

use crate::domain::decide::reservation::released;
use crate::domain::decide::{admission, find_budget, limits, refuse};
use crate::domain::{Budget, CloseBudget, Context, Decision, Rejection, RejectionKind, State};
use crate::event::{BudgetClosed, Payload, RefusalKind, ReleaseReason};
use crate::ids::ReservationId;

pub(super) fn decide(
    state: &State,
    close: &CloseBudget,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    let id = &close.budget_id;
    limits::check_budget_name("budget_id", id)?;
    let budget = find_budget(state, id)?;
    if budget.is_closed() {
        let refused = admission::about("close_budget", RefusalKind::BudgetClosed, budget, 0);
        return Ok(refuse(state, context, refused));
    }
    let open = open_subtree(state, budget);
    if open.len() > 1 && !close.with_children {
        return Err(Rejection::new(
            RejectionKind::InvalidTransition,
            format!(
                "budget {id} has open budgets below it, {} of them; close those first, or along with it",
                open.len() - 1
            ),
        ));
    }
    let mut events = Vec::new();
    let mut all_released = Vec::new();
    for below in open.into_iter().rev() {
        let mut own: Vec<ReservationId> = Vec::new();
        for reservation in state.held_on(&below.id) {
            events.push(released(reservation, ReleaseReason::BudgetClosed));
            own.push(reservation.id.clone());
        }
        let is_top = below.id == *id;
        all_released.extend_from_slice(&own);
        events.push(Payload::BudgetClosed(BudgetClosed {
            budget_id: below.id.clone(),
            by_budget: (!is_top).then(|| id.clone()),
            released: if is_top { std::mem::take(&mut all_released) } else { own },
        }));
    }
    Ok(Decision::Events(events))
}

/// A budget and the open ones below it, each before those below it.
fn open_subtree<'a>(state: &'a State, top: &'a Budget) -> Vec<&'a Budget> {
    let mut found = vec![top];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        found.extend(state.budgets_below(&parent.id).filter(|below| !below.is_closed()));
    }
    found
}

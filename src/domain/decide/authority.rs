//! Caps that an agent cannot change: who may give room back to a budget that names who may widen it.

use crate::domain::decide::admission;
use crate::domain::{Budget, Request, State};
use crate::event::{CommandRefused, RefusalKind};
use crate::ids::BudgetId;

/// Whether whoever asks may widen a budget.
pub(super) fn may_widen(request: &Request, budget: &Budget) -> bool {
    match (&budget.widen_by, &request.actor) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(named), Some(actor)) => named.contains(actor),
    }
}

/// Why something that gives room back on a path, as widening does, is not allowed, if it is not.
pub(super) fn refused(
    state: &State,
    request: &Request,
    from: &BudgetId,
    amount: u128,
    what: &str,
) -> Option<CommandRefused> {
    let guarded = state.path(from).find(|budget| !may_widen(request, budget))?;
    Some(forbidden(request, guarded, amount, what))
}

/// The refusal of whoever may not do something to a budget.
pub(super) fn forbidden(request: &Request, budget: &Budget, amount: u128, what: &str) -> CommandRefused {
    let who =
        request.actor.as_ref().map_or("a caller without a name".to_owned(), |actor| format!("{actor:?}"));
    CommandRefused {
        reason: Some(format!("{who} may not {what} budget {}", budget.id).into()),
        ..admission::about(request.command.op(), RefusalKind::Forbidden, budget, amount)
    }
}

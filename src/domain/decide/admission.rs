//! Admission: whether a spend or a reservation may pass, by every budget on its path (law EXACT).

use std::sync::Arc;

use crate::domain::decide::{find_slot, limits};
use crate::domain::evolve::refusal;
use crate::domain::slots::Slot;
use crate::domain::{Budget, Refusal, Rejection, State};
use crate::event::{CommandRefused, RefusalKind};
use crate::ids::BudgetId;
use crate::planted::{Bug, planted};

/// What a check found: the amount would pass.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allowance {
    /// What is left within the budget's limit; `None`: there is none.
    pub remaining: Option<u128>,
    /// The least that is left on the path to the root; `None`: no budget on it has a limit.
    pub available: Option<u128>,
    /// The nearest budget with a soft limit that would be passed.
    pub exceeds: Option<BudgetId>,
}

/// Why an amount would not pass, or could not be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckError {
    /// It would be refused.
    Refused(Box<Refusal>),
    /// It makes no sense as it is.
    Rejected(Rejection),
}

/// Whether an amount would be admitted now. Nothing changes by it, and nothing is journaled: the refusal has no `seq`.
///
/// # Errors
/// When it would be refused, or there is no such budget, or the amount is 0.
pub fn check(
    state: &State,
    budget_id: &BudgetId,
    amount: u128,
    veto: Option<&Arc<str>>,
) -> Result<Allowance, CheckError> {
    if let Some(allowance) = allowed(state, budget_id, amount).filter(|_| veto.is_none()) {
        return Ok(allowance);
    }
    let (slot, budget) = limits::check_budget_id("budget_id", budget_id)
        .and_then(|()| limits::check_amount("amount", amount))
        .and_then(|()| find_slot(state, budget_id))
        .map_err(CheckError::Rejected)?;
    let path = || state.budgets.path(Some(slot));
    match refused(state, "check", slot, budget, amount, veto) {
        Some(refused) => Err(CheckError::Refused(Box::new(refusal(&refused, None)))),
        None => Ok(Allowance {
            remaining: budget.remaining(),
            available: path().filter_map(Budget::remaining).min(),
            exceeds: path().find(|above| passes(above, amount)).map(|above| above.id.clone()),
        }),
    }
}

/// That an amount is admitted, found on one walk up the path; `None`: something may be said against it.
fn allowed(state: &State, budget_id: &BudgetId, amount: u128) -> Option<Allowance> {
    let mut path = state.budgets.path_of(budget_id);
    let mut next = path.next().filter(|_| amount > 0);
    let mut allowance = Allowance { remaining: next?.remaining(), available: None, exceeds: None };
    while let Some(above) = next {
        if above.is_closed() {
            return None;
        }
        if let Some(remaining) = above.remaining() {
            allowance.available = Some(allowance.available.map_or(remaining, |least| least.min(remaining)));
            if passes(above, amount) {
                if above.terms.hard {
                    return None;
                }
                allowance.exceeds.get_or_insert_with(|| above.id.clone());
            }
        }
        next = path.next();
    }
    Some(allowance)
}

/// Why an amount is not admitted, if it is not: the nearest closed budget, the veto of the risk assessor, the nearest
/// hard limit that would be passed.
pub(super) fn refused(
    state: &State,
    op: &str,
    slot: Slot,
    budget: &Budget,
    amount: u128,
    veto: Option<&Arc<str>>,
) -> Option<CommandRefused> {
    let is_asked = |above: &Budget| !planted(Bug::LimitCheckedAtTheLeafOnly) || std::ptr::eq(above, budget);
    let mut blocking = None;
    for above in state.budgets.path(Some(slot)) {
        if above.is_closed() {
            return Some(about(op, RefusalKind::BudgetClosed, above, amount));
        }
        if blocking.is_none() && above.terms.hard && passes(above, amount) && is_asked(above) {
            blocking = Some(above);
        }
    }
    if let Some(reason) = veto {
        return Some(CommandRefused {
            reason: Some(Arc::clone(reason)),
            ..about(op, RefusalKind::Risk, budget, amount)
        });
    }
    blocking.map(|blocking| about(op, RefusalKind::BudgetExceeded, blocking, amount))
}

/// A refusal with the figures of the budget that blocked.
pub(super) fn about(op: &str, refusal: RefusalKind, budget: &Budget, amount: u128) -> CommandRefused {
    CommandRefused {
        op: op.into(),
        refusal,
        budget_id: budget.id.clone(),
        goal_id: None,
        reservation_id: None,
        limit: budget.terms.limit,
        spent: budget.spent,
        reserved: budget.reserved,
        amount,
        reason: None,
    }
}

/// Whether an amount would pass the budget's limit.
fn passes(budget: &Budget, amount: u128) -> bool {
    let not_counted = if planted(Bug::HoldsNotCounted) { budget.reserved } else { 0 };
    budget.remaining().is_some_and(|remaining| amount > remaining.saturating_add(not_counted))
}

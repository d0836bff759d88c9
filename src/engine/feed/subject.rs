//! What an event is about: the goals and budgets that a filter by them has to let it pass for.

use crate::event::{Charge, Payload};
use crate::ids::{BudgetId, GoalId};

/// The goals that an event is about: its own, that of its token budget, those charged on its turns, and the one that
/// brought it about.
pub(crate) fn goals_of(payload: &Payload) -> impl Iterator<Item = GoalId> + '_ {
    let of_budget = match budget_of(payload) {
        Some(BudgetId::Goal(goal_id)) => Some(*goal_id),
        _ => None,
    };
    let (of_event, brought_about_by) = match payload {
        Payload::GoalCreated(created) => (Some(created.goal_id), None),
        Payload::GoalTransitioned(change) => (Some(change.goal_id), change.by_goal),
        Payload::GoalBudgetSet(set) => (Some(set.goal_id), None),
        Payload::TurnRecorded(turn) => (Some(turn.goal_id), None),
        Payload::SpendRecorded(spend) => (spend.goal_id, None),
        Payload::CommandRefused(refused) => (refused.goal_id, None),
        _ => (None, None),
    };
    let forgotten = match payload {
        Payload::EndedForgotten(ended) => &ended.goals[..],
        _ => &[],
    };
    [of_budget, of_event, brought_about_by].into_iter().flatten().chain(forgotten.iter().copied())
}

/// Whether an event is about a budget: its spends and reservations, what passes its limit, and what it brought about.
pub(crate) fn is_of_budget(payload: &Payload, budget: &BudgetId) -> bool {
    let is_of = |goal: GoalId| *budget == BudgetId::Goal(goal);
    let passes_it = |overage: &[Charge]| overage.iter().any(|charge| charge.budget_id == *budget);
    budget_of(payload) == Some(budget)
        || match payload {
            Payload::GoalCreated(created) => is_of(created.goal_id) || created.budgets.contains(budget),
            // The budget of a goal ends with it.
            Payload::GoalTransitioned(change) => {
                change.budget_id.as_ref() == Some(budget) || change.to.is_terminal() && is_of(change.goal_id)
            }
            Payload::GoalBudgetSet(set) => is_of(set.goal_id),
            Payload::TurnRecorded(turn) => is_of(turn.goal_id) || passes_it(&turn.overage),
            Payload::SpendRecorded(spend) => passes_it(&spend.overage),
            Payload::BudgetClosed(closed) => closed.by_budget.as_ref() == Some(budget),
            // The budget of a goal goes with it.
            Payload::EndedForgotten(ended) => {
                ended.budgets.contains(budget) || ended.goals.iter().any(|goal| is_of(*goal))
            }
            _ => false,
        }
}

/// The budget that an event is about, where it is about one first of all.
pub(crate) fn budget_of(payload: &Payload) -> Option<&BudgetId> {
    match payload {
        Payload::BudgetExhausted(exhausted) => Some(&exhausted.budget_id),
        Payload::ThresholdCrossed(crossed) => Some(&crossed.budget_id),
        Payload::BudgetAllocated(allocated) => Some(&allocated.budget_id),
        Payload::BudgetAdjusted(adjusted) => Some(&adjusted.budget_id),
        Payload::ProgressSet(set) => Some(&set.budget_id),
        Payload::BudgetClosed(closed) => Some(&closed.budget_id),
        Payload::WindowRolled(rolled) => Some(&rolled.budget_id),
        Payload::SpendRecorded(spend) => Some(&spend.budget_id),
        Payload::SpendReversed(reversed) => Some(&reversed.budget_id),
        Payload::ReservationMade(made) => Some(&made.budget_id),
        Payload::ReservationReleased(released) => Some(&released.budget_id),
        Payload::ReservationExpired(expired) => Some(&expired.budget_id),
        Payload::ReservationMarkedUnknown(marked) => Some(&marked.budget_id),
        Payload::MeterObserved(observed) => observed.budget_id.as_ref(),
        Payload::CommandRefused(refused) => Some(&refused.budget_id),
        Payload::RefusalsSuppressed(suppressed) => Some(&suppressed.budget_id),
        // These are about goals, about several, or about none.
        Payload::GoalCreated(_)
        | Payload::GoalTransitioned(_)
        | Payload::GoalBudgetSet(_)
        | Payload::TurnRecorded(_)
        | Payload::MeterReset(_)
        | Payload::EndedForgotten(_)
        | Payload::EventRecorded(_)
        | Payload::KeyWindowSet(_) => None,
    }
}

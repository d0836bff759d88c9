//! Setting the limit of a goal's tokens.

use crate::domain::budget::is_exhausted;
use crate::domain::decide::draft::{Cause, Draft, exhausted};
use crate::domain::decide::transition_goal::check_standing;
use crate::domain::decide::{check_revision, find, invalid_transition, limits, refuse_exhausted};
use crate::domain::{Budget, Context, Decision, Rejection, SetGoalBudget, State};
use crate::event::{GoalBudgetSet, GoalStatus, Payload, TransitionReason};
use crate::ids::BudgetId;

pub(super) fn decide(
    state: &State,
    set: &SetGoalBudget,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    limits::check_token_budget(set.token_budget)?;
    let goal = find(state, set.goal_id)?;
    let budget_id = BudgetId::Goal(set.goal_id);
    let Some(budget) = state.budget(&budget_id) else {
        return Err(Rejection::invalid(format!(
            "expected goal {} to have a budget, found none",
            set.goal_id
        )));
    };
    if goal.status.is_terminal() {
        let (id, status) = (goal.id(), goal.status.name());
        return Err(invalid_transition(format!("goal {id} is {status}: its budget ended with it")));
    }
    let blocked_by = if set.resume { still_exhausted(state, budget, set.token_budget) } else { None };
    let resumes = set.resume && goal.status == GoalStatus::Paused;
    if resumes && blocked_by.is_none() {
        check_standing(state, goal)?;
    }
    check_revision(state, goal, set.expected_revision)?;
    if let Some(blocking) = blocked_by {
        return Ok(refuse_exhausted(state, context, "set_goal_budget", goal.id(), &blocking));
    }
    let mut draft = Draft::new(state);
    draft.push(Payload::GoalBudgetSet(GoalBudgetSet {
        goal_id: set.goal_id,
        previous: budget.terms.limit,
        token_budget: set.token_budget,
    }));
    match set.token_budget {
        Some(limit) if limit <= budget.spent && !budget.is_exhausted() => {
            draft.exhaust(goal, exhausted(budget_id, limit, budget.spent));
        }
        _ if resumes => draft.resume(goal, Cause::of(TransitionReason::Requested)),
        _ => {}
    }
    Ok(draft.finish())
}

/// The nearest budget that would still be exhausted if this one had the new limit, as it would then be.
fn still_exhausted(state: &State, budget: &Budget, limit: Option<u128>) -> Option<Budget> {
    if is_exhausted(limit, budget.spent) {
        let mut then = budget.clone();
        then.terms.limit = limit;
        return Some(then);
    }
    state.path(&budget.id).skip(1).find(|above| above.is_exhausted()).cloned()
}

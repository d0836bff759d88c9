//! Setting the limit of a goal's tokens.

use crate::domain::decide::adjust_budget::{draft_consequences, forbidden};
use crate::domain::decide::draft::{Cause, Draft};
use crate::domain::decide::transition_goal::check_standing;
use crate::domain::decide::{
    blocking_named, check_revision, find, invalid_transition, limits, refuse, refuse_exhausted,
};
use crate::domain::goal::GoalRecord;
use crate::domain::{Budget, Context, Decision, Rejection, Request, SetGoalBudget, State};
use crate::event::{BudgetTerms, CommandRefused, GoalBudgetSet, GoalStatus, Payload, TransitionReason};
use crate::ids::BudgetId;

pub(super) fn decide(
    state: &State,
    request: &Request,
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
    let blocked_by = if set.resume { still_blocking(state, goal, budget, set.token_budget) } else { None };
    let resumes = set.resume && goal.status == GoalStatus::Paused;
    if resumes && blocked_by.is_none() {
        check_standing(state, goal)?;
    }
    check_revision(state, goal, set.expected_revision)?;
    if let Some(blocking) = blocked_by {
        return Ok(refuse_exhausted(state, context, "set_goal_budget", goal.id(), &blocking));
    }
    let terms = BudgetTerms { limit: set.token_budget, ..budget.terms.clone() };
    if let Some(refused) = forbidden(request, budget, &terms) {
        return Ok(refuse(state, context, CommandRefused { goal_id: Some(goal.id()), ..refused }));
    }
    let mut draft = Draft::new(state);
    draft.push(Payload::GoalBudgetSet(GoalBudgetSet {
        goal_id: set.goal_id,
        previous: budget.terms.limit,
        token_budget: set.token_budget,
    }));
    draft_consequences(&mut draft, budget, &terms);
    if resumes {
        draft.resume(goal, Cause::of(TransitionReason::Requested));
    }
    Ok(draft.finish())
}

/// The nearest budget under which the goal could still not be active if this one, its own, had the new limit: as it
/// would then be.
fn still_blocking(state: &State, goal: &GoalRecord, budget: &Budget, limit: Option<u128>) -> Option<Budget> {
    let mut then = budget.clone();
    then.facts_mut().terms.limit = limit;
    if then.is_blocking() {
        return Some(then);
    }
    let named = || {
        std::iter::once(goal)
            .chain(state.ancestors(goal))
            .find_map(|goal| blocking_named(state, &goal.facts.budgets))
    };
    state.path(&budget.id).skip(1).find(|above| above.is_blocking()).or_else(named).cloned()
}

//! Creating a goal.

use std::sync::Arc;

use crate::domain::decide::draft::Draft;
use crate::domain::decide::{
    admission, blocking, blocking_named, check_supersedes_no_ancestor, find, limits, parent_not_active,
    refuse, refuse_exhausted,
};
use crate::domain::goal::GoalRecord;
use crate::domain::{Context, Decision, NewGoal, Rejection, RejectionKind, State};
use crate::event::{CommandRefused, GoalCreated, GoalStatus, Payload, RefusalKind};
use crate::ids::{BudgetId, GoalId};

pub(super) fn decide(state: &State, new: &NewGoal, context: &Context<'_>) -> Result<Decision, Rejection> {
    limits::check_text(&new.text, context.rules)?;
    limits::check_name("scope", new.scope.as_ref())?;
    limits::check_token_budget(new.token_budget)?;
    let widen_by = limits::check_actors(new.widen_by.as_deref())?;
    limits::check_len("budgets", new.budgets.len())?;
    check_budgets(state, &new.budgets)?;
    let parent = new.parent_goal.map(|id| find(state, id)).transpose()?;
    let id = new.goal_id.unwrap_or(GoalId(context.new_id));
    if state.record(id).is_some() {
        return Err(Rejection::new(RejectionKind::Exists, format!("there is a goal {id} already")));
    }
    // An id that the engine makes is new.
    if new.goal_id.is_some() && state.is_goal_forgotten(id) {
        return Err(state.no_goal(id));
    }
    let scope = scope(new, id);
    if let Some(parent) = parent {
        if parent.status.is_terminal() {
            return Err(parent_not_active(id, parent));
        }
        // Before the parent's own status, so that a parent paused by its budget is answered with the figures.
        if let Some(budget) = blocking(state, parent) {
            return Ok(refuse_exhausted(state, context, "create_goal", parent.id(), budget));
        }
        check_under(state, parent, id, &scope)?;
    }
    if let Some(refused) = held_by_named(state, new) {
        return Ok(refuse(state, context, refused));
    }
    let mut draft = Draft::new(state);
    draft.supersede(&scope, id);
    draft.push(Payload::GoalCreated(GoalCreated {
        goal_id: id,
        scope,
        text: new.text.clone(),
        token_budget: new.token_budget,
        parent_goal: new.parent_goal,
        budgets: new.budgets.clone(),
        widen_by,
    }));
    Ok(draft.finish())
}

/// A goal that names a closed budget, or one that is exhausted, could not be active.
fn held_by_named(state: &State, new: &NewGoal) -> Option<CommandRefused> {
    let named = || new.budgets.iter().filter_map(|id| state.budget(id));
    let about = |kind, budget| CommandRefused {
        goal_id: new.parent_goal,
        ..admission::about("create_goal", kind, budget, 0)
    };
    if let Some(closed) = named().find(|budget| budget.is_closed()) {
        return Some(about(RefusalKind::BudgetClosed, closed));
    }
    blocking_named(state, &new.budgets).map(|budget| about(RefusalKind::BudgetExceeded, budget))
}

/// A goal under another has a scope of its own unless told otherwise.
fn scope(new: &NewGoal, id: GoalId) -> Arc<str> {
    match (&new.scope, new.parent_goal) {
        (Some(scope), _) => scope.clone(),
        (None, Some(_)) => id.to_string().into(),
        (None, None) => "".into(),
    }
}

fn check_under(state: &State, parent: &GoalRecord, id: GoalId, scope: &str) -> Result<(), Rejection> {
    if parent.status != GoalStatus::Active {
        return Err(parent_not_active(id, parent));
    }
    let ancestors = std::iter::once(parent).chain(state.ancestors(parent)).map(GoalRecord::id);
    check_supersedes_no_ancestor(scope, id, state.active_goal_id(scope), ancestors)
}

/// The budgets that a goal names must exist, and the budgets of goals are not for naming.
pub(super) fn check_budgets<'a>(
    state: &State,
    named: impl IntoIterator<Item = &'a BudgetId> + Clone,
) -> Result<(), Rejection> {
    if let Some(reserved) = named.clone().into_iter().find(|id| matches!(id, BudgetId::Goal(_))) {
        return Err(Rejection::invalid(format!(
            "budgets: expected ids without the reserved prefix `goal:`, found {reserved}"
        )));
    }
    named.clone().into_iter().try_for_each(|id| limits::check_budget_id("budgets", id))?;
    match named.into_iter().find(|id| state.budget(id).is_none()) {
        Some(id) => Err(Rejection::new(RejectionKind::NotFound, format!("there is no budget {id}"))),
        None => Ok(()),
    }
}

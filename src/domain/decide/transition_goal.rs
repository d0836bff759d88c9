//! Moving a goal to another status.

use crate::domain::decide::draft::{Cause, Draft};
use crate::domain::decide::{
    blocking, check_parent, check_revision, check_supersedes_no_ancestor, find, invalid_transition, limits,
    refuse_exhausted,
};
use crate::domain::goal::{GoalRecord, is_legal};
use crate::domain::{Budget, Context, Decision, Rejection, State, TransitionGoal};
use crate::event::{GoalStatus, TransitionReason};
use crate::planted::{Bug, planted};

pub(super) fn decide(
    state: &State,
    change: &TransitionGoal,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    limits::check_note(change.note.as_ref())?;
    if change.blocked && change.to != GoalStatus::Paused {
        let to = change.to.name();
        return Err(Rejection::invalid(format!("reason: `blocked` goes with `to` paused, found {to}")));
    }
    let goal = find(state, change.goal_id)?;
    let (from, to) = (goal.status, change.to);
    if !is_legal(from, to) {
        let (id, from, to) = (goal.id(), from.name(), to.name());
        return Err(invalid_transition(format!("goal {id} is {from}, from where it cannot become {to}")));
    }
    let blocked_by = if to == GoalStatus::Active { check_resume(state, goal)? } else { None };
    check_revision(state, goal, change.expected_revision)?;
    if let Some(budget) = blocked_by {
        return Ok(refuse_exhausted(state, context, "transition_goal", goal.id(), budget));
    }
    let reason = if change.blocked { TransitionReason::Blocked } else { TransitionReason::Requested };
    let cause = Cause { note: change.note.clone(), ..Cause::of(reason) };
    let mut draft = Draft::new(state);
    match to {
        GoalStatus::Active => draft.resume(goal, cause),
        GoalStatus::Paused => draft.pause(goal, cause),
        GoalStatus::Completed | GoalStatus::Cleared => draft.end(goal, to, cause),
    }
    Ok(draft.finish())
}

/// Whether a paused goal can be active: yes, or no because of a budget, or not where it stands.
fn check_resume<'a>(state: &'a State, goal: &'a GoalRecord) -> Result<Option<&'a Budget>, Rejection> {
    // Before the parent's status, so that a parent paused by its budget is answered with the figures.
    if let Some(budget) = blocking(state, goal)
        && !planted(Bug::ResumedThoughExhausted)
    {
        return Ok(Some(budget));
    }
    check_standing(state, goal)?;
    Ok(None)
}

/// Whether a goal can be active where it stands, budgets aside.
pub(super) fn check_standing(state: &State, goal: &GoalRecord) -> Result<(), Rejection> {
    check_parent(state, goal)?;
    let scope = &goal.facts.scope;
    let ancestors = state.ancestors(goal).map(GoalRecord::id);
    check_supersedes_no_ancestor(scope, goal.id(), state.active_goal_id(scope), ancestors)
}

//! Goals: their lifecycle, their turns, and the limits of their tokens.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::entries::Booking;
use crate::domain::evolve::paths::{self, Booked};
use crate::domain::evolve::{agree, budgets, change_goal, find_goal, need_budget, spends, touch_budget};
use crate::domain::goal::{GoalFacts, GoalRecord, is_legal};
use crate::domain::leaf::Leaf;
use crate::domain::{Budget, BudgetExtras, BudgetFacts, Closing, DEFAULT_THRESHOLDS, State};
use crate::event::{
    BudgetTerms, ChangeEvent, GoalBudgetSet, GoalCreated, GoalStatus, GoalTransitioned, TransitionReason,
    TurnRecorded,
};
use crate::ids::{BudgetId, GoalId};
use crate::planted::{Bug, planted};

pub(super) fn created(state: &mut State, event: &ChangeEvent, created: &GoalCreated) -> Result<(), String> {
    let (id, ts) = (created.goal_id, event.ts);
    if state.record(id).is_some() {
        return Err(format!("expected a new goal, but goal {id} exists"));
    }
    if let Some(parent) = created.parent_goal {
        if state.record(parent).is_none() {
            return Err(format!("expected its parent, goal {parent}, to exist"));
        }
        state.open_children.insert((parent, id));
    }
    for budget_id in &created.budgets {
        need_budget(state, budget_id)?;
        state.named_by.insert((budget_id.clone(), id));
    }
    activate(state, &created.scope, id)?;
    let ordinal = state.goals.last().map_or(0, |(_, last)| last.facts.ordinal + 1);
    let slot = budgets::insert(state, token_budget(event, created))?;
    let facts = GoalFacts {
        id,
        ordinal,
        scope: created.scope.clone(),
        text: created.text.clone(),
        parent_goal: created.parent_goal,
        budgets: created.budgets.as_slice().into(),
        created_at: ts,
        meta: event.meta.clone(),
    };
    let record = GoalRecord {
        facts: Arc::new(facts),
        status: GoalStatus::Active,
        pause_reason: None,
        tokens_own: 0,
        turns_used: 0,
        seconds_used: 0,
        revision: 1,
        updated_at: ts,
        completed_at: None,
    };
    state.goals.insert(slot, Leaf::own(record));
    Ok(())
}

/// A goal's token usage is a budget, which hangs under that of its parent.
fn token_budget(event: &ChangeEvent, created: &GoalCreated) -> BudgetFacts {
    let terms = BudgetTerms {
        limit: created.token_budget,
        hard: true,
        thresholds: DEFAULT_THRESHOLDS.clone(),
        window: None,
    };
    // The metadata are those of the goal.
    let extras = BudgetExtras { widen_by: created.widen_by.clone(), ..BudgetExtras::default() };
    BudgetFacts {
        parent: created.parent_goal.map(BudgetId::Goal),
        extras: extras.shared(),
        ..budgets::facts(event, BudgetId::Goal(created.goal_id), Budget::tokens(), terms)
    }
}

/// Makes a goal the active one of its scope, of which there is at most one.
fn activate(state: &mut State, scope: &Arc<str>, id: GoalId) -> Result<(), String> {
    match state.active.insert(scope.clone(), id) {
        None => Ok(()),
        Some(_) if planted(Bug::TwoActiveInAScope) => Ok(()),
        Some(other) => Err(format!("expected no active goal in scope {scope:?}, found goal {other}")),
    }
}

pub(super) fn transitioned(
    state: &mut State,
    event: &ChangeEvent,
    change: &GoalTransitioned,
) -> Result<(), String> {
    let slot = find_goal(state, change.goal_id)?;
    let facts = move_to(change_goal(state, slot)?, event.ts, change)?;
    if change.from == GoalStatus::Active {
        state.active.remove(&facts.scope);
    }
    match change.to {
        GoalStatus::Active => activate(state, &facts.scope, facts.id)?,
        GoalStatus::Paused => {}
        GoalStatus::Completed | GoalStatus::Cleared => ended(state, event.ts, &facts)?,
    }
    if change.reason == TransitionReason::BudgetExhausted {
        spends::followed(state, event);
    }
    Ok(())
}

fn move_to(
    goal: &mut GoalRecord,
    ts: Timestamp,
    change: &GoalTransitioned,
) -> Result<Arc<GoalFacts>, String> {
    let (id, from, to) = (change.goal_id, change.from, change.to);
    if goal.status != from || !is_legal(from, to) {
        let (found, from, to) = (goal.status.name(), from.name(), to.name());
        return Err(format!("expected a legal change of goal {id}, which is {found}, found {from} to {to}"));
    }
    if goal.revision.checked_add(1) != Some(change.revision) {
        let (found, revision) = (change.revision, goal.revision);
        return Err(format!("expected the revision after {revision} of goal {id}, found {found}"));
    }
    goal.status = to;
    goal.pause_reason = (to == GoalStatus::Paused).then_some(change.reason);
    goal.revision = change.revision;
    goal.updated_at = ts;
    goal.completed_at = to.is_terminal().then_some(ts);
    Ok(goal.facts.clone())
}

/// A goal's budget ends with it; what was set aside there has been released before.
fn ended(state: &mut State, ts: Timestamp, facts: &GoalFacts) -> Result<(), String> {
    if let Some(parent) = facts.parent_goal {
        state.open_children.remove(&(parent, facts.id));
    }
    for budget_id in facts.budgets.iter() {
        state.named_by.remove(&(budget_id.clone(), facts.id));
    }
    let budget_id = BudgetId::Goal(facts.id);
    budgets::check_nothing_held(state, &budget_id)?;
    let released = state.releasing.remove(&budget_id).unwrap_or_default();
    budgets::close(state, &budget_id, Closing { at: ts, released: released.into() })
}

pub(super) fn budget_set(state: &mut State, ts: Timestamp, set: &GoalBudgetSet) -> Result<(), String> {
    let budget = touch_budget(state, &BudgetId::Goal(set.goal_id), ts)?;
    agree(format_args!("the previous limit of goal {}", set.goal_id), &set.previous, &budget.terms.limit)?;
    let terms = BudgetTerms { limit: set.token_budget, ..budget.terms.clone() };
    budgets::set_terms(budget, terms);
    Ok(())
}

pub(super) fn turn_recorded(
    state: &mut State,
    event: &ChangeEvent,
    turn: &TurnRecorded,
) -> Result<(), String> {
    let passes = |what: &str| format!("expected sums within bounds, but {what} would pass them");
    // A goal has the slot of its budget.
    let slot = find_goal(state, turn.goal_id)?;
    let goal = change_goal(state, slot)?;
    agree(format_args!("`late`"), &turn.late, &(goal.status != GoalStatus::Active))?;
    goal.tokens_own =
        goal.tokens_own.checked_add(turn.tokens).ok_or_else(|| passes("the goal's own tokens"))?;
    goal.turns_used = goal.turns_used.checked_add(turn.turns).ok_or_else(|| passes("the goal's turns"))?;
    goal.seconds_used =
        goal.seconds_used.checked_add(turn.seconds).ok_or_else(|| passes("the goal's seconds"))?;
    goal.updated_at = event.ts;
    goal.revision += u64::from(planted(Bug::ChargingMovesTheRevision));
    let booked = Booked {
        at: event.ts,
        amount: turn.tokens,
        freed: 0,
        is_entry: false,
        // The first version of the event did not say what passed a limit.
        overage: (!turn.overage.is_empty()).then_some(&*turn.overage),
    };
    paths::book(state, slot, &booked)?;
    if turn.tokens > 0 {
        let booking = Booking::new(BudgetId::Goal(turn.goal_id), turn.tokens, false);
        spends::remember_booking(state, event, booking);
    }
    Ok(())
}

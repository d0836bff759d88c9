//! Goals that ended and budgets that closed long ago: what leaves memory, and only that which nothing remembered needs.

use crate::clock::Timestamp;
use crate::domain::evolve::{find_budget, find_slot, no_budget, reservations, spends};
use crate::domain::keys::forgotten_through;
use crate::domain::slots::Slot;
use crate::domain::{Budget, State};
use crate::event::EndedForgotten;
use crate::ids::{BudgetId, GoalId};

/// Takes all of it out of memory, or nothing.
pub(super) fn forgotten(state: &mut State, ts: Timestamp, ended: &EndedForgotten) -> Result<(), String> {
    if ended.goals.is_empty() && ended.budgets.is_empty() {
        return Err("expected goals or budgets to be forgotten, found none".to_owned());
    }
    let mut after = state.clone();
    // What is spent or set aside may need a budget until this very moment.
    spends::forget(&mut after, ts);
    reservations::forget(&mut after, ts);
    ended.goals.iter().try_for_each(|id| forget_goal(&mut after, ts, *id))?;
    ended.budgets.iter().try_for_each(|id| forget_named(&mut after, ts, id))?;
    *state = after;
    Ok(())
}

fn forget_goal(state: &mut State, ts: Timestamp, id: GoalId) -> Result<(), String> {
    let goal = state.record(id).ok_or_else(|| format!("expected goal {id} to exist, found none"))?;
    let facts = goal.facts.clone();
    if !goal.status.is_terminal() {
        return Err(format!("expected goal {id} to have ended, found it {}", goal.status.name()));
    }
    let (_, slot) = take_out(state, ts, &BudgetId::Goal(id))?;
    state.goals.remove(slot);
    for named in facts.budgets.iter() {
        need_no_more(state, named)?;
    }
    // When its id was first used.
    state.endings.forgot_goal(forgotten_through(&id.to_string(), facts.created_at, ts));
    Ok(())
}

fn forget_named(state: &mut State, ts: Timestamp, id: &BudgetId) -> Result<(), String> {
    if let BudgetId::Goal(goal) = id {
        return Err(format!("expected the budget of goal {goal} to go with its goal, found it by itself"));
    }
    let (budget, slot) = take_out(state, ts, id)?;
    if let Some(above) = budget.parent.as_ref().and_then(|parent| state.budgets.slot(parent)) {
        state.budgets_below.remove(&(above, slot));
    }
    Ok(())
}

/// Takes a closed budget out of memory that nothing needs, and that has not changed for so long that nothing of what
/// was spent or set aside of it is remembered. The budget, and the slot that it had.
fn take_out(state: &mut State, ts: Timestamp, id: &BudgetId) -> Result<(Budget, Slot), String> {
    let slot = find_slot(state, id)?;
    let budget = find_budget(state, id)?;
    if !budget.is_closed() {
        return Err(format!("expected budget {id} to be closed, found it open"));
    }
    if !state.keys.window().is_too_old(budget.updated_at, ts) {
        let (window, found) = (state.keys.window().max_age_ms, budget.updated_at);
        return Err(format!(
            "expected no change of budget {id} in the last {window} ms, found one at {found}"
        ));
    }
    match state.endings.needs(id) {
        0 => {}
        needs => return Err(format!("expected nothing to need budget {id}, found {needs} that do")),
    }
    let budget = state.budgets.remove(slot).ok_or_else(|| no_budget(id))?;
    state.endings.forgot(&budget);
    state.refusals.forget(id);
    if let Some(parent) = &budget.parent {
        need_no_more(state, parent)?;
    }
    Ok((budget, slot))
}

fn need_no_more(state: &mut State, id: &BudgetId) -> Result<(), String> {
    let budget = state.budgets.get(id).ok_or_else(|| no_budget(id))?;
    state.endings.need_no_more(budget);
    Ok(())
}

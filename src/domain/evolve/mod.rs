//! The fold: one event into the state (law FOLD). Each group of kinds has a file; here is what they have in common.

mod budgets;
mod events;
mod forgotten;
mod goals;
mod keys;
mod meters;
mod paths;
mod reservations;
mod spends;

pub(super) use budgets::{check_thresholds, move_roll};
pub(super) use keys::refusal;

use std::fmt;

use crate::clock::Timestamp;
use crate::domain::goal::GoalRecord;
use crate::domain::leaf::Leaf;
use crate::domain::slots::Slot;
use crate::domain::{Budget, KeyWindow, State};
use crate::event::{ChangeEvent, Payload};
use crate::ids::{BudgetId, GoalId};

/// An event that does not fit the state before it: the journal holds a history that no engine could have decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event with seq {seq} ({kind}) does not fit the state before it: {message}")]
pub struct EvolveError {
    /// The event's position.
    pub seq: u64,
    /// The event's kind.
    pub kind: &'static str,
    /// What was expected, and what was found.
    pub message: String,
}

impl EvolveError {
    /// An error about that event.
    pub(crate) fn new(event: &ChangeEvent, message: impl Into<String>) -> EvolveError {
        EvolveError { seq: event.seq, kind: event.payload.kind(), message: message.into() }
    }
}

/// Takes one event into the state.
///
/// # Errors
/// When the event does not fit the state: nothing that this crate decided, then. The state is not to be used any
/// more, since part of the event may be in it.
pub fn evolve(state: &mut State, event: &ChangeEvent) -> Result<(), EvolveError> {
    state.keys.forget_outside(event.ts);
    state.event_ids.forget_outside(event.ts);
    fold(state, event).map_err(|message| EvolveError::new(event, message))?;
    // Only now: a reversal, or a late settlement, may be about what grows too old at this very moment.
    spends::forget(state, event.ts);
    reservations::forget(state, event.ts);
    Ok(())
}

fn fold(state: &mut State, event: &ChangeEvent) -> Result<(), String> {
    let ts = event.ts;
    match &event.payload {
        Payload::GoalCreated(created) => goals::created(state, event, created)?,
        Payload::GoalTransitioned(change) => goals::transitioned(state, event, change)?,
        Payload::GoalBudgetSet(set) => goals::budget_set(state, ts, set)?,
        Payload::TurnRecorded(turn) => goals::turn_recorded(state, event, turn)?,
        Payload::BudgetExhausted(exhausted) => budgets::exhausted(state, event, exhausted)?,
        Payload::ThresholdCrossed(crossed) => budgets::threshold_crossed(state, event, crossed)?,
        Payload::BudgetAllocated(made) => budgets::allocated(state, event, made)?,
        Payload::BudgetAdjusted(adjusted) => budgets::adjusted(state, ts, adjusted)?,
        Payload::ProgressSet(set) => budgets::progress_set(state, ts, set)?,
        Payload::BudgetClosed(closed) => budgets::closed(state, ts, closed)?,
        Payload::WindowRolled(rolled) => budgets::rolled(state, event, rolled)?,
        Payload::EndedForgotten(ended) => forgotten::forgotten(state, ts, ended)?,
        Payload::SpendRecorded(spend) => spends::recorded(state, event, spend)?,
        Payload::SpendReversed(reversed) => spends::reversed(state, event, reversed)?,
        Payload::ReservationMade(made) => reservations::made(state, event, made)?,
        Payload::ReservationReleased(released) => reservations::released(state, event, released)?,
        Payload::ReservationExpired(expired) => reservations::expired(state, event, expired)?,
        Payload::ReservationMarkedUnknown(marked) => reservations::marked_unknown(state, marked)?,
        Payload::MeterObserved(observed) => meters::observed(state, event, observed)?,
        Payload::MeterReset(reset) => meters::reset(state, event, reset)?,
        Payload::EventRecorded(recorded) => events::recorded(state, event, recorded)?,
        Payload::CommandRefused(refused) => state.refusals.count(&refused.budget_id, refused.refusal, ts),
        Payload::RefusalsSuppressed(_) => {}
        Payload::KeyWindowSet(set) => {
            let window = KeyWindow { max_age_ms: set.max_age_ms, max_count: set.max_count };
            state.keys.set_window(window, ts);
            state.event_ids.set_window(window, ts);
        }
    }
    keys::remember(state, event)
}

/// The slot of a goal, which is that of its budget.
fn find_goal(state: &State, id: GoalId) -> Result<Slot, String> {
    let slot = state.goal_slot(id).filter(|slot| state.goals.get(*slot).is_some());
    slot.ok_or_else(|| format!("expected goal {id} to exist, found none"))
}

fn change_goal(state: &mut State, slot: Slot) -> Result<&mut GoalRecord, String> {
    state.goals.get_mut(slot).map(Leaf::change_own).ok_or_else(|| nothing_in(slot))
}

/// The slot of a budget.
fn find_slot(state: &State, id: &BudgetId) -> Result<Slot, String> {
    state.budgets.slot(id).ok_or_else(|| no_budget(id))
}

fn find_budget<'a>(state: &'a State, id: &BudgetId) -> Result<&'a Budget, String> {
    state.budget(id).ok_or_else(|| no_budget(id))
}

fn change_budget<'a>(state: &'a mut State, id: &BudgetId) -> Result<&'a mut Budget, String> {
    let slot = find_slot(state, id)?;
    state.budgets.change(slot).map(|(budget, _)| budget).ok_or_else(|| no_budget(id))
}

/// A budget that changes at that time. What is closed is forgotten by the time of its last change.
fn touch_budget<'a>(state: &'a mut State, id: &BudgetId, at: Timestamp) -> Result<&'a mut Budget, String> {
    let slot = find_slot(state, id)?;
    touch(state, slot, at).map(|(budget, _)| budget)
}

/// The budget in a slot, which changes at that time, and the slot of the one above it.
#[inline]
fn touch(state: &mut State, slot: Slot, at: Timestamp) -> Result<(&mut Budget, Option<Slot>), String> {
    let (budget, above) = state.budgets.change(slot).ok_or_else(|| nothing_in(slot))?;
    state.endings.changes(budget, at);
    budget.updated_at = at;
    Ok((budget, above))
}

/// Takes note that something remembered needs a budget.
fn need_budget(state: &mut State, id: &BudgetId) -> Result<(), String> {
    let budget = state.budgets.get(id).ok_or_else(|| no_budget(id))?;
    state.endings.need(budget);
    Ok(())
}

fn nothing_in(slot: Slot) -> String {
    format!("expected something in slot {}, found nothing", slot.number())
}

fn no_budget(id: &BudgetId) -> String {
    format!("expected budget {id} to exist, found none")
}

/// What is found must be what the event says.
fn agree<T: PartialEq + fmt::Debug>(what: fmt::Arguments<'_>, said: &T, found: &T) -> Result<(), String> {
    if said == found { Ok(()) } else { Err(format!("expected {what} to be {said:?}, found {found:?}")) }
}

//! Spends: booked, taken back, and after a while forgotten.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::entries::{Booking, Entry};
use crate::domain::evolve::paths::{self, Booked};
use crate::domain::evolve::{agree, change_goal, find_slot, no_budget, reservations};
use crate::domain::keys::forgotten_through;
use crate::domain::slots::Slot;
use crate::domain::{SpendRecord, State};
use crate::event::{ChangeEvent, GoalStatus, SpendRecorded, SpendReversed};
use crate::ids::BudgetId;
use crate::planted::{Bug, planted};

pub(super) fn recorded(
    state: &mut State,
    event: &ChangeEvent,
    spend: &Arc<SpendRecorded>,
) -> Result<(), String> {
    if let Some(known) = state.spend(&spend.spend_id)
        && !planted(Bug::RetriedSpendBookedTwice)
    {
        return Err(format!(
            "expected a new spend, but spend {} is remembered from seq {}",
            known.spend_id, known.seq
        ));
    }
    let found = state.budgets.find(&spend.budget_id);
    let (slot, mut late) =
        found.map(|(slot, budget)| (slot, budget.is_closed())).ok_or_else(|| no_budget(&spend.budget_id))?;
    let mut freed = 0;
    if let Some(id) = &spend.reservation_id {
        let held = reservations::settled(state, event, spend, id)?;
        late |= held.is_none();
        freed = held.unwrap_or(0);
    }
    late |= is_late_for_goal(state, spend)?;
    agree(format_args!("`late`"), &spend.late, &late)?;
    check_meter(state, spend)?;
    let booked =
        Booked { at: event.ts, amount: spend.amount, freed, is_entry: true, overage: Some(&spend.overage) };
    paths::book(state, slot, &booked)?;
    if let BudgetId::Goal(_) = spend.budget_id {
        change_tokens_own(state, slot, |tokens| tokens.checked_add(spend.amount))?;
    }
    remember(state, event, spend);
    Ok(())
}

/// A charge of a turn comes late when the turn did.
fn is_late_for_goal(state: &State, spend: &SpendRecorded) -> Result<bool, String> {
    let Some(id) = spend.goal_id else { return Ok(false) };
    match state.record(id) {
        Some(goal) => Ok(goal.status != GoalStatus::Active),
        None => Err(format!("expected goal {id} to exist, found none")),
    }
}

/// What a meter measured is booked at the budget that it is bound to.
fn check_meter(state: &State, spend: &SpendRecorded) -> Result<(), String> {
    let Some(id) = &spend.meter_id else { return Ok(()) };
    let bound = state.meter(id).and_then(|meter| meter.budget_id.as_ref());
    agree(format_args!("the budget of meter {id}"), &Some(&spend.budget_id), &bound)
}

/// What is booked on a goal's budget itself is the goal's own usage.
fn change_tokens_own(
    state: &mut State,
    slot: Slot,
    change: impl FnOnce(u128) -> Option<u128>,
) -> Result<(), String> {
    let goal = change_goal(state, slot)?;
    goal.tokens_own = change(goal.tokens_own).ok_or_else(|| {
        format!("expected sums within bounds, but the own tokens of goal {} would pass them", goal.id())
    })?;
    Ok(())
}

fn remember(state: &mut State, event: &ChangeEvent, spend: &Arc<SpendRecorded>) {
    state.spends.push(&spend.spend_id.0, SpendRecord::new(event, spend));
    if spend.amount > 0 {
        remember_booking(state, event, Booking::Spent(Arc::clone(spend)));
    }
}

/// Remembers what an event booked or took back.
pub(super) fn remember_booking(state: &mut State, event: &ChangeEvent, booking: Booking) {
    state.bookings.push(Entry { seq: event.seq, at: event.ts, what: booking });
}

/// Takes note of an event that follows from the spend right before it: it belongs to the same command.
pub(super) fn followed(state: &mut State, event: &ChangeEvent) {
    let follows = |last: &SpendRecord| last.last_seq.checked_add(1) == Some(event.seq);
    if let Some(spend) = state.spends.change_last(follows) {
        spend.last_seq = event.seq;
    }
}

pub(super) fn reversed(
    state: &mut State,
    event: &ChangeEvent,
    reversed: &SpendReversed,
) -> Result<(), String> {
    let SpendReversed { spend_id: id, budget_id, amount, .. } = reversed;
    let spend = state.spends.change(&id.0);
    let spend = spend.ok_or_else(|| format!("expected spend {id} to be remembered, found none"))?;
    agree(format_args!("the budget of spend {id}"), budget_id, &spend.budget_id)?;
    let left = spend.amount.saturating_sub(spend.reversed);
    if (*amount == 0 || *amount > left) && !planted(Bug::MoreReversedThanSpent) {
        return Err(format!("expected a reversal of 1 to {left} of spend {id}, found {amount}"));
    }
    spend.reversed = spend.amount - left + amount;
    let booked_seq = spend.seq;
    let slot = find_slot(state, budget_id)?;
    paths::take_back(state, slot, event.ts, booked_seq, *amount)?;
    if let BudgetId::Goal(_) = budget_id {
        change_tokens_own(state, slot, |tokens| tokens.checked_sub(*amount))?;
    }
    let booking = Booking::new(budget_id.clone(), *amount, true);
    remember_booking(state, event, booking);
    Ok(())
}

/// Forgets the spends that are too old or too many, and the bookings.
pub(super) fn forget(state: &mut State, now: Timestamp) {
    let window = state.keys.window();
    let through = |spend: &SpendRecord| forgotten_through(&spend.spend_id.0, spend.at, now);
    state.spends.forget_outside(window, now, through);
    state.bookings.forget_outside(window, now, |booking| booking.at);
}

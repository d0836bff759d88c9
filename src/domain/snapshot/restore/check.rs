//! What holds in every state that events can lead to, and so in every one that is restored.
//!
//! Nothing is asked here that a fold does not ensure by itself, whatever the events: no state that was ever reached
//! must be refused.

use std::collections::HashMap;

use crate::domain::entries::Booking;
use crate::domain::evolve::check_thresholds;
use crate::domain::goal::GoalRecord;
use crate::domain::slots::Slot;
use crate::domain::{Budget, Reservation, ReservationStatus, SpendRecord, State, UNIT_TOKENS};
use crate::event::GoalStatus;
use crate::hashing::Hashing;
use crate::ids::{BudgetId, GoalId};

type Check = Result<(), String>;

/// A budget that stands before.
pub(super) fn known<'a>(state: &'a State, id: &BudgetId) -> Result<&'a Budget, String> {
    state.budget(id).ok_or_else(|| format!("expected budget {id} before it, found none"))
}

/// What is said by something has to be what follows from something else.
fn agree(what: &str, said: bool, found: bool) -> Check {
    match said == found {
        true => Ok(()),
        false => Err(format!("expected {what}, found otherwise")),
    }
}

pub(super) fn budget(state: &State, budget: &Budget) -> Check {
    let last = state.budgets.last().map(|last| last.made_seq);
    if let Some(last) = last.filter(|last| *last >= budget.made_seq) {
        let seq = budget.made_seq;
        return Err(format!("expected it in the order of `made_seq`, found {seq} after {last}"));
    }
    parent(state, budget)?;
    terms(budget)?;
    figures(budget)
}

/// What a budget hangs under is of its kind and of its unit, and not closed before it.
fn parent(state: &State, budget: &Budget) -> Check {
    let Some(parent) = &budget.parent else { return Ok(()) };
    let is_goals = |id: &BudgetId| matches!(id, BudgetId::Goal(_));
    if is_goals(&budget.id) != is_goals(parent) {
        return Err(format!("expected budgets of goals under those of goals, found it under {parent}"));
    }
    let above = known(state, parent)?;
    if above.unit != budget.unit {
        return Err(format!(
            "expected the unit {:?} of budget {parent}, found {:?}",
            above.unit, budget.unit
        ));
    }
    if !is_goals(parent) && above.is_closed() && !budget.is_closed() {
        return Err(format!("expected it closed under budget {parent}, which is; found it open"));
    }
    Ok(())
}

fn terms(budget: &Budget) -> Check {
    let terms = &budget.terms;
    check_thresholds(&terms.thresholds)?;
    if budget.crossed > terms.thresholds.len() {
        let (all, crossed) = (terms.thresholds.len(), budget.crossed);
        return Err(format!("expected at most {all} thresholds crossed, found {crossed}"));
    }
    agree("`span` where there are windows", budget.span.is_some(), terms.window.is_some())?;
    match &budget.id {
        BudgetId::Goal(_) if terms.window.is_some() => {
            Err("expected no window for a budget of a goal, found one".to_owned())
        }
        BudgetId::Goal(_) if *budget.unit != *UNIT_TOKENS => {
            Err(format!("expected the unit {UNIT_TOKENS:?} for a budget of a goal, found {:?}", budget.unit))
        }
        _ => Ok(()),
    }
}

fn figures(budget: &Budget) -> Check {
    let Budget { spent, spent_total, reserved, .. } = budget;
    if spent > spent_total || (budget.rolled_seq == 0 && spent != spent_total) {
        return Err(format!("expected `spent` within `spent_total`, found {spent} of {spent_total}"));
    }
    match spent.checked_add(*reserved) {
        Some(_) => Ok(()),
        None => Err(format!("expected sums within bounds, found {spent} spent and {reserved} reserved")),
    }
}

/// The slot of a goal, which is that of its budget.
pub(super) fn goal(state: &State, goal: &GoalRecord) -> Result<Slot, String> {
    let facts = &*goal.facts;
    let last = state.goals.last();
    if let Some(last) = last.map(|(_, last)| last.facts.ordinal).filter(|last| *last >= facts.ordinal) {
        let ordinal = facts.ordinal;
        return Err(format!("expected it in the order of `ordinal`, found {ordinal} after {last}"));
    }
    if let Some(parent) = facts.parent_goal.filter(|parent| state.record(*parent).is_none()) {
        return Err(format!("expected its parent, goal {parent}, before it, found none"));
    }
    facts.budgets.iter().try_for_each(|id| known(state, id).map(|_| ()))?;
    agree(
        "`pause_reason` where it is paused",
        goal.pause_reason.is_some(),
        goal.status == GoalStatus::Paused,
    )?;
    agree("`completed_at` where it has ended", goal.completed_at.is_some(), goal.status.is_terminal())?;
    let own = known(state, &BudgetId::Goal(facts.id))?;
    let slot = state.goal_slot(facts.id).ok_or("expected its budget in a slot, found none")?;
    if let Some((_, last)) = last.filter(|(last, _)| *last > slot) {
        return Err(format!(
            "expected goals in the order of their budgets, found it after goal {}, whose budget stands behind",
            last.id()
        ));
    }
    if own.parent != facts.parent_goal.map(BudgetId::Goal) {
        return Err(format!("expected its budget under that of its parent, found it under {:?}", own.parent));
    }
    let closed_at = own.closing.as_ref().map(|closing| closing.at);
    match closed_at == goal.completed_at {
        true => Ok(slot),
        false => Err(format!(
            "expected its budget to have ended with it at {:?}, found {closed_at:?}",
            goal.completed_at
        )),
    }
}

pub(super) fn reservation(state: &State, reservation: &Reservation, ended_seq: Option<u64>) -> Check {
    let budget = known(state, &reservation.budget_id)?;
    let (status, is_held) = (reservation.status, reservation.status.is_held());
    agree("`ended_at` where it has ended", reservation.ended_at.is_some(), !is_held)?;
    agree("`ended_seq` where it has ended", ended_seq.is_some(), !is_held)?;
    let is_settled = status == ReservationStatus::Settled;
    agree("`spend_id` where it is settled", reservation.spend_id.is_some(), is_settled)?;
    if is_held && budget.is_closed() {
        return Err(format!("expected nothing set aside on budget {}, which is closed", budget.id));
    }
    Ok(())
}

pub(super) fn spend(state: &State, spend: &SpendRecord) -> Check {
    known(state, &spend.budget_id)?;
    if spend.reversed > spend.amount {
        let (amount, reversed) = (spend.amount, spend.reversed);
        return Err(format!("expected at most {amount} to be reversed, found {reversed}"));
    }
    if spend.last_seq < spend.seq {
        return Err(format!("expected `last_seq` from {} on, found {}", spend.seq, spend.last_seq));
    }
    let Some(meter_id) = &spend.meter_id else { return Ok(()) };
    match state.meter(meter_id) {
        Some(meter) if meter.budget_id.as_ref() == Some(&spend.budget_id) => Ok(()),
        _ => Err(format!("expected meter {meter_id} before it, on budget {}, found none", spend.budget_id)),
    }
}

/// Where nothing was spent, nothing was booked.
pub(super) fn no_spend_of_nothing(state: &State, seq: u64) -> Check {
    match state.spends.at(seq) {
        Some(spend) if spend.amount == 0 => {
            Err(format!("expected no booking of spend {}, which is of 0, found one", spend.spend_id))
        }
        _ => Ok(()),
    }
}

/// The bookings of spends, from the first booking that is remembered on: they follow from the spends, or are all there.
pub(super) fn bookings(state: &State, from: Option<u64>) -> Check {
    let first = state.bookings.first().map(|first| first.seq);
    match (from, first) {
        (None, Some(first)) => bookings_of_spends(state, first),
        (None, None) => match state.spends.iter().find(|spend| spend.amount > 0) {
            None => Ok(()),
            Some(spend) => Err(format!("expected a booking of spend {}, found none at all", spend.spend_id)),
        },
        (Some(from), first) if first != Some(from) => Err(format!(
            "expected the first booking with seq {from}, as `bookings_from` says, found {first:?}"
        )),
        _ => Ok(()),
    }
}

fn bookings_of_spends(state: &State, first: u64) -> Check {
    let mut bookings = state.bookings.iter().peekable();
    for spend in state.spends.iter().filter(|spend| spend.amount > 0 && spend.seq >= first) {
        while bookings.next_if(|booking| booking.seq < spend.seq).is_some() {}
        let is_its = |booking: &Booking| {
            !booking.is_reversal()
                && booking.amount() == spend.amount
                && *booking.budget_id() == spend.budget_id
        };
        match bookings.peek() {
            Some(booking) if booking.seq == spend.seq && booking.at == spend.at && is_its(&booking.what) => {}
            _ => {
                return Err(format!(
                    "expected a booking of spend {} with seq {}, found none",
                    spend.spend_id, spend.seq
                ));
            }
        }
    }
    Ok(())
}

/// Nothing in a state is younger than the last event in it: what is remembered next has to come behind what is there.
pub(super) fn through(state: &State, last: u64) -> Check {
    let newest = [
        ("budget", state.budgets.last().map(|budget| budget.made_seq)),
        ("rolled window", state.budgets.iter().map(|budget| budget.rolled_seq).max()),
        ("reservation", state.reservations_made.get_max().map(|(seq, _)| *seq)),
        ("ended reservation", state.ended.last().map(|ended| ended.seq)),
        ("spend", state.spends.iter().map(|spend| spend.last_seq).max()),
        ("booking", state.bookings.last().map(|booking| booking.seq)),
        ("key", state.keys.iter().map(|key| key.remembered.last_seq).max()),
        ("event id", state.event_ids.iter().map(|id| id.remembered.last_seq).max()),
    ];
    match newest.into_iter().find(|(_, seq)| seq.is_some_and(|seq| seq > last)) {
        None => Ok(()),
        Some((what, seq)) => {
            let seq = seq.unwrap_or(last);
            Err(format!(
                "expected nothing after seq {last}, the last event in it, found a {what} of seq {seq}"
            ))
        }
    }
}

/// What can be told of a state only when it is whole.
pub(super) fn whole(state: &State) -> Check {
    let goals_of = |id: &BudgetId| if let BudgetId::Goal(goal) = id { Some(*goal) } else { None };
    let is_missing = |goal: &GoalId| state.record(*goal).is_none();
    if let Some(goal) = state.budgets.iter().filter_map(|budget| goals_of(&budget.id)).find(is_missing) {
        return Err(format!("expected goal {goal}, whose budget there is, found none"));
    }
    remembered(state)?;
    sums(state)
}

/// No more is remembered than the window says.
fn remembered(state: &State) -> Check {
    let window = state.keys.window();
    let counts = [
        ("keys", state.keys.len()),
        ("event ids", state.event_ids.len()),
        ("spends", state.spends.len()),
        ("bookings", state.bookings.len()),
        ("ended reservations", state.ended.len()),
    ];
    match counts.into_iter().find(|(_, count)| window.is_too_many(*count)) {
        None => Ok(()),
        Some((what, count)) => {
            Err(format!("expected at most {} remembered {what}, found {count}", window.max_count))
        }
    }
}

/// What stands below a budget and on it, added up.
#[derive(Default)]
struct Sums {
    spent_total: u128,
    reserved: u128,
    entries: u64,
}

impl Sums {
    fn add(&mut self, spent_total: u128, reserved: u128, entries: u64) -> Option<()> {
        self.spent_total = self.spent_total.checked_add(spent_total)?;
        self.reserved = self.reserved.checked_add(reserved)?;
        self.entries = self.entries.checked_add(entries)?;
        Some(())
    }
}

/// What is spent below a budget is spent there, too, and no more is set aside there than on it and below.
fn sums(state: &State) -> Check {
    let mut sums: HashMap<&BudgetId, Sums, Hashing> =
        HashMap::with_capacity_and_hasher(state.budgets.len(), Hashing::default());
    let mut add = |id, spent_total, reserved, entries| {
        let sum = sums.entry(id).or_default();
        sum.add(spent_total, reserved, entries)
            .ok_or_else(|| format!("expected sums within bounds, but those below budget {id} pass them"))
    };
    for budget in state.budgets.iter() {
        if let Some(parent) = &budget.parent {
            add(parent, budget.spent_total, budget.reserved, 0)?;
        }
    }
    state.held_reservations().try_for_each(|held| add(&held.budget_id, 0, held.amount, 0))?;
    state.spends.iter().try_for_each(|spend| add(&spend.budget_id, 0, 0, 1))?;
    for (slot, goal) in state.goals.iter() {
        if let Some(budget) = state.budgets.at(slot) {
            add(&budget.id, goal.tokens_own, 0, 0)?;
        }
    }
    let nothing = Sums::default();
    state.budgets.iter().try_for_each(|budget| sum(budget, sums.get(&budget.id).unwrap_or(&nothing)))
}

fn sum(budget: &Budget, sums: &Sums) -> Check {
    let (Budget { spent_total, reserved, entry_count, .. }, id) = (budget, &budget.id);
    if sums.spent_total > *spent_total {
        let sum = sums.spent_total;
        return Err(format!("expected budget {id} to have spent at least {sum}, found {spent_total}"));
    }
    if sums.reserved != *reserved {
        let sum = sums.reserved;
        return Err(format!("expected budget {id} to have {sum} reserved, found {reserved}"));
    }
    if sums.entries > *entry_count {
        let sum = sums.entries;
        return Err(format!("expected budget {id} to have at least {sum} entries, found {entry_count}"));
    }
    Ok(())
}

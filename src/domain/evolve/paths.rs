//! The figures of a budget and of every one above it: what is booked or set aside at one is so at all of them, or the
//! event does not fit (law EXACT).

use crate::clock::Timestamp;
use crate::domain::budget::overage;
use crate::domain::evolve::touch;
use crate::domain::slots::Slot;
use crate::domain::{Budget, State};
use crate::event::Charge;
use crate::planted::{Bug, planted};

/// What is booked on a path.
pub(super) struct Booked<'a> {
    pub(super) at: Timestamp,
    pub(super) amount: u128,
    /// What of the reserved it takes the place of.
    pub(super) freed: u128,
    /// Whether it is one of the entries of the budget that it is booked at.
    pub(super) is_entry: bool,
    /// What of it passes the limit of each budget, as the event says; `None`: it does not say.
    pub(super) overage: Option<&'a [Charge]>,
}

/// Books an amount at a budget and at every one above it.
pub(super) fn book(state: &mut State, from: Slot, booked: &Booked<'_>) -> Result<(), String> {
    let mut said = booked.overage.unwrap_or_default().iter();
    let mut is_entry = booked.is_entry;
    each_on_path(state, from, booked.at, |budget| {
        if std::mem::take(&mut is_entry) {
            budget.entry_count = within(budget.entry_count.checked_add(1), "the entries", budget)?;
        }
        let over = book_at(budget, booked.amount, booked.freed)?;
        if over == 0 || booked.overage.is_none() || planted(Bug::OverageNotTyped) {
            return Ok(());
        }
        match said.next() {
            Some(charge) if charge.amount == over && charge.budget_id == budget.id => Ok(()),
            found => Err(format!("expected an overage of {over} at budget {}, found {found:?}", budget.id)),
        }
    })?;
    match said.next() {
        None => Ok(()),
        Some(charge) => {
            Err(format!("expected no overage at budget {}, found {}", charge.budget_id, charge.amount))
        }
    }
}

/// Books at one budget. What of the amount passes its limit.
fn book_at(budget: &mut Budget, amount: u128, freed: u128) -> Result<u128, String> {
    let limit = budget.terms.limit;
    let spent = within(budget.spent.checked_add(amount), "what is spent", budget)?;
    let over = overage(limit, spent).saturating_sub(overage(limit, budget.spent));
    budget.spent = spent;
    budget.spent_total = within(budget.spent_total.checked_add(amount), "what was spent for life", budget)?;
    if over > 0 {
        let extras = budget.extras_mut();
        extras.overage_total = extras.overage_total.saturating_add(over);
    }
    budget.reserved = within(budget.reserved.checked_sub(freed), "what is reserved", budget)?;
    check_used(budget)?;
    Ok(over)
}

/// Takes back what the event with that `seq` booked: where the window has rolled since, from the totals only.
pub(super) fn take_back(
    state: &mut State,
    from: Slot,
    at: Timestamp,
    booked_seq: u64,
    amount: u128,
) -> Result<(), String> {
    each_on_path(state, from, at, |budget| {
        if booked_seq >= budget.rolled_seq {
            budget.spent = within(budget.spent.checked_sub(amount), "what is spent", budget)?;
        }
        let spent_total = budget.spent_total.checked_sub(amount);
        budget.spent_total = within(spent_total, "what was spent for life", budget)?;
        Ok(())
    })
}

/// Sets an amount aside.
pub(super) fn hold(state: &mut State, from: Slot, at: Timestamp, amount: u128) -> Result<(), String> {
    each_on_path(state, from, at, |budget| {
        budget.reserved = within(budget.reserved.checked_add(amount), "what is reserved", budget)?;
        check_used(budget)
    })
}

/// Gives back an amount that was set aside.
pub(super) fn free(state: &mut State, from: Slot, at: Timestamp, amount: u128) -> Result<(), String> {
    each_on_path(state, from, at, |budget| {
        budget.reserved = within(budget.reserved.checked_sub(amount), "what is reserved", budget)?;
        Ok(())
    })
}

fn each_on_path(
    state: &mut State,
    from: Slot,
    at: Timestamp,
    mut change: impl FnMut(&mut Budget) -> Result<(), String>,
) -> Result<(), String> {
    let mut next = Some(from);
    while let Some(slot) = next {
        let (budget, above) = touch(state, slot, at)?;
        if planted(Bug::WindowRollsWithoutEvent) && budget.span.is_some_and(|span| span.end <= at) {
            budget.spent = 0;
        }
        change(budget)?;
        next = above.filter(|_| !planted(Bug::ParentNotBooked));
    }
    Ok(())
}

/// `limit + overage = spent + reserved + remaining` holds only where the sum is a number.
fn check_used(budget: &Budget) -> Result<(), String> {
    within(budget.spent.checked_add(budget.reserved), "what is spent and reserved", budget).map(|_| ())
}

fn within<T>(sum: Option<T>, what: &str, budget: &Budget) -> Result<T, String> {
    sum.ok_or_else(|| {
        format!("expected sums within bounds, but {what} of budget {} would pass them", budget.id)
    })
}

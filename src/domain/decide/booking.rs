//! Booking: what the amounts of one command do to the budgets on their paths, and what follows from it.

use crate::domain::budget::{is_exhausted, is_reached, overage};
use crate::domain::decide::draft::Draft;
use crate::domain::slots::Slot;
use crate::domain::{Budget, BudgetFacts, Rejection, State};
use crate::event::{BudgetExhausted, BudgetTerms, Charge, Payload, ThresholdCrossed};
use crate::ids::BudgetId;
use crate::planted::{Bug, planted};

/// The bookings of one command. They are made first, all of them, then their consequences are drafted.
pub(super) struct Bookings<'a> {
    state: &'a State,
    /// The booking, while there is one: its path is walked again for the consequences, and nothing is gathered.
    only: Option<Booked<'a>>,
    /// Where there are several, in the order in which they were first booked at.
    touched: Vec<Touched<'a>>,
}

struct Booked<'a> {
    from: Slot,
    /// The budget there, if there is none above it.
    alone: Option<&'a Budget>,
    amount: u128,
    freed: u128,
}

/// A budget, and its figures after the bookings so far.
struct Touched<'a> {
    budget: &'a Budget,
    spent: u128,
    spent_total: u128,
}

impl<'a> Bookings<'a> {
    pub(super) fn new(state: &'a State) -> Bookings<'a> {
        Bookings { state, only: None, touched: Vec::new() }
    }

    /// Books an amount at a budget and at every one above it (law EXACT: or at none, if a sum would pass its bounds).
    /// `freed` is what the same command gives back of what was reserved. What of the amount passes the limit of each.
    pub(super) fn book(&mut self, from: Slot, amount: u128, freed: u128) -> Result<Vec<Charge>, Rejection> {
        let mut passed = Vec::new();
        let mut add = |touched: &mut Touched<'a>| {
            let over = touched.add(amount, freed)?;
            if over > 0 && !planted(Bug::OverageNotTyped) {
                passed.push(Charge { budget_id: touched.budget.id.clone(), amount: over });
            }
            Ok(())
        };
        if self.only.is_none() && self.touched.is_empty() {
            let mut alone = None;
            for (depth, budget) in path(self.state, from).enumerate() {
                add(&mut Touched::new(budget))?;
                alone = Some(budget).filter(|_| depth == 0);
            }
            self.only = Some(Booked { from, alone, amount, freed });
            return Ok(passed);
        }
        self.gather()?;
        for budget in path(self.state, from) {
            let known = self.touched.iter().position(|touched| std::ptr::eq(touched.budget, budget));
            let index = known.unwrap_or_else(|| {
                self.touched.push(Touched::new(budget));
                self.touched.len() - 1
            });
            add(&mut self.touched[index])?;
        }
        Ok(passed)
    }

    /// Gathers what the first booking touched, since there is another.
    fn gather(&mut self) -> Result<(), Rejection> {
        let Some(Booked { from, amount, freed, .. }) = self.only.take() else { return Ok(()) };
        for budget in path(self.state, from) {
            let mut touched = Touched::new(budget);
            touched.add(amount, freed)?;
            self.touched.push(touched);
        }
        Ok(())
    }

    /// Drafts what follows: thresholds crossed, limits reached, goals paused by that.
    pub(super) fn draft_consequences(self, draft: &mut Draft<'a>) {
        match self.only {
            Some(Booked { alone: Some(budget), amount, .. }) => {
                draft_consequence(draft, budget, budget.spent.saturating_add(amount));
            }
            Some(Booked { from, amount, .. }) => {
                for budget in path(self.state, from) {
                    draft_consequence(draft, budget, budget.spent.saturating_add(amount));
                }
            }
            None => {}
        }
        for Touched { budget, spent, .. } in self.touched {
            draft_consequence(draft, budget, spent);
        }
    }
}

/// A budget and those above it: where something is booked.
fn path(state: &State, from: Slot) -> impl Iterator<Item = &Budget> {
    state.budgets.path(Some(from)).take(if planted(Bug::ParentNotBooked) { 1 } else { usize::MAX })
}

/// Drafts what follows from what is spent of a budget now.
fn draft_consequence<'a>(draft: &mut Draft<'a>, budget: &'a Budget, spent: u128) {
    draft_crossings(draft, &budget.id, &budget.terms, budget.crossed, spent);
    if !budget.is_exhausted() {
        draft_exhaustion(draft, budget, &budget.terms, spent);
    }
}

impl<'a> Touched<'a> {
    fn new(budget: &'a Budget) -> Touched<'a> {
        Touched { budget, spent: budget.spent, spent_total: budget.spent_total }
    }
}

impl Touched<'_> {
    /// What of the amount passes the limit.
    fn add(&mut self, amount: u128, freed: u128) -> Result<u128, Rejection> {
        let Budget { reserved, .. } = self.budget;
        let BudgetFacts { id, terms, .. } = &*self.budget.facts;
        let passes = |what: &str, now: u128| {
            Rejection::invalid(format!("{what} of budget {id}, {now} now, would pass 2^128 - 1"))
        };
        let spent = self.spent.checked_add(amount).ok_or_else(|| passes("what is spent", self.spent))?;
        spent
            .checked_add(reserved.saturating_sub(freed))
            .ok_or_else(|| passes("what is spent and reserved", self.spent))?;
        let spent_total = self.spent_total.checked_add(amount);
        let spent_total = spent_total.ok_or_else(|| passes("what was spent for life", self.spent_total))?;
        let over = overage(terms.limit, spent) - overage(terms.limit, self.spent);
        (self.spent, self.spent_total) = (spent, spent_total);
        Ok(over)
    }
}

/// Drafts the thresholds that what is spent has reached, beyond those that were crossed before.
pub(super) fn draft_crossings(
    draft: &mut Draft<'_>,
    budget_id: &BudgetId,
    terms: &BudgetTerms,
    crossed: usize,
    spent: u128,
) {
    let Some(limit) = terms.limit else { return };
    let left = terms.thresholds.get(crossed..).unwrap_or_default();
    for &threshold in left.iter().take_while(|threshold| is_reached(**threshold, limit, spent)) {
        let budget_id = budget_id.clone();
        draft.push(Payload::ThresholdCrossed(ThresholdCrossed { budget_id, threshold, limit, spent }));
    }
}

/// Drafts that the limit is reached, if it is; where it is a hard one, every goal below is paused.
pub(super) fn draft_exhaustion<'a>(
    draft: &mut Draft<'a>,
    budget: &'a Budget,
    terms: &BudgetTerms,
    spent: u128,
) {
    let Some(limit) = terms.limit.filter(|_| is_exhausted(terms.limit, spent)) else { return };
    let overage = overage(Some(limit), spent);
    draft.exhaust(BudgetExhausted { budget_id: budget.id.clone(), limit, spent, overage, hard: terms.hard });
}

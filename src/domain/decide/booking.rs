//! Booking: what the amounts of one command do to the budgets on their paths, and what follows from it.

use crate::domain::budget::{is_exhausted, overage, reached};
use crate::domain::decide::draft::Draft;
use crate::domain::{Budget, Rejection, State};
use crate::event::{BudgetExhausted, BudgetTerms, Charge, Payload, ThresholdCrossed};
use crate::ids::BudgetId;
use crate::planted::{Bug, planted};

/// The bookings of one command. They are made first, all of them, then their consequences are drafted.
pub(super) struct Bookings<'a> {
    state: &'a State,
    /// In the order in which they were first booked at.
    touched: Vec<Touched<'a>>,
}

/// A budget, and its figures after the bookings so far.
struct Touched<'a> {
    budget: &'a Budget,
    spent: u128,
    spent_total: u128,
}

impl<'a> Bookings<'a> {
    pub(super) fn new(state: &'a State) -> Bookings<'a> {
        Bookings { state, touched: Vec::new() }
    }

    /// Books an amount at a budget and at every one above it (law EXACT: or at none, if a sum would pass its bounds).
    /// `freed` is what the same command gives back of what was reserved. What of the amount passes the limit of each.
    pub(super) fn book(
        &mut self,
        from: &BudgetId,
        amount: u128,
        freed: u128,
    ) -> Result<Vec<Charge>, Rejection> {
        let mut passed = Vec::new();
        let is_first = self.touched.is_empty();
        for budget in self.state.path(from).take(if planted(Bug::ParentNotBooked) { 1 } else { usize::MAX }) {
            // Within one path no budget comes twice.
            let known = if is_first {
                None
            } else {
                self.touched.iter().position(|touched| touched.budget.id == budget.id)
            };
            let index = known.unwrap_or_else(|| {
                let Budget { spent, spent_total, .. } = *budget;
                self.touched.push(Touched { budget, spent, spent_total });
                self.touched.len() - 1
            });
            let over = self.touched[index].add(amount, freed)?;
            if over > 0 && !planted(Bug::OverageNotTyped) {
                passed.push(Charge { budget_id: budget.id.clone(), amount: over });
            }
        }
        Ok(passed)
    }

    /// Drafts what follows: thresholds crossed, limits reached, goals paused by that.
    pub(super) fn draft_consequences(self, draft: &mut Draft<'a>) {
        for Touched { budget, spent, .. } in self.touched {
            draft_crossings(draft, &budget.id, &budget.terms, budget.crossed, spent);
            if !budget.is_exhausted() {
                draft_exhaustion(draft, budget, &budget.terms, spent);
            }
        }
    }
}

impl Touched<'_> {
    /// What of the amount passes the limit.
    fn add(&mut self, amount: u128, freed: u128) -> Result<u128, Rejection> {
        let Budget { id, terms, reserved, .. } = self.budget;
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
    for &threshold in terms.thresholds.get(crossed..reached(terms, spent)).unwrap_or_default() {
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

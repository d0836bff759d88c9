//! What readers list of budgets, reservations and spends, newest first.

use std::ops::Bound;

use imbl::OrdMap;

use crate::domain::{BudgetQuery, BudgetView, Reservation, ReservationQuery, SpendQuery, SpendRecord, State};

impl State {
    /// The budgets that a query asks for, newest first, those of goals included. It looks at all of them, from the
    /// newest on, until there are enough.
    pub fn list_budgets(&self, query: &BudgetQuery) -> Vec<BudgetView> {
        let before = match query.before.as_ref().map(|id| self.budgets.slot(id)) {
            Some(None) => return Vec::new(),
            before => before.flatten(),
        };
        self.budgets
            .newest_first(before)
            .filter(|(_, budget)| query.parent.is_none() || budget.parent == query.parent)
            .filter(|(_, budget)| query.unit.as_deref().is_none_or(|unit| *budget.unit == *unit))
            .filter(|(_, budget)| query.status.is_none_or(|status| budget.status() == status))
            .map(|(slot, budget)| self.view_of(slot, budget))
            .take(query.limit)
            .collect()
    }

    /// The reservations that a query asks for, newest first: all that are held, and those that ended and are
    /// remembered.
    pub fn list_reservations(&self, query: &ReservationQuery) -> Vec<Reservation> {
        let before = match query.before.as_ref().map(|id| self.reservation(id)) {
            None => None,
            Some(Some(before)) => Some(before.made_seq),
            Some(None) => return Vec::new(),
        };
        newest_first(&self.reservations_made, before)
            .filter_map(|id| self.reservation(id))
            .filter(|reservation| query.budget_id.as_ref().is_none_or(|id| reservation.budget_id == *id))
            .filter(|reservation| query.owner.is_none() || reservation.owner == query.owner)
            .filter(|reservation| query.status.is_none_or(|status| reservation.status == status))
            .take(query.limit)
            .cloned()
            .collect()
    }

    /// The spends that a query asks for and that are remembered, newest first. Others are in the journal, as far back
    /// as that is retained.
    pub fn list_spends(&self, query: &SpendQuery) -> Vec<SpendRecord> {
        let before = match query.before.as_ref().map(|id| self.spend(id)) {
            None => u64::MAX,
            Some(Some(before)) => before.seq,
            Some(None) => return Vec::new(),
        };
        self.spends
            .before(before)
            .filter(|spend| query.budget_id.as_ref().is_none_or(|id| spend.budget_id == *id))
            .take(query.limit)
            .cloned()
            .collect()
    }
}

/// Ids by the `seq` of what they were made with, from the newest to the oldest, only those from before a `seq` if one
/// is given.
fn newest_first<T: Clone>(made: &OrdMap<u64, T>, before: Option<u64>) -> impl Iterator<Item = &T> {
    let end = before.map_or(Bound::Unbounded, Bound::Excluded);
    made.range((Bound::Unbounded, end)).rev().map(|(_, id)| id)
}

//! The typed methods about budgets, for hosts without a runtime.

use std::time::Duration;

use super::answer::CommandError;
use super::blocking::Blocking;
use super::budgets::{budget_of, closed_of, meter_of, reservation_of, spend_of};
use super::hold::BlockingHold;
use crate::domain::{
    AdjustBudget, Allowance, Budget, BudgetView, BurnRate, CloseBudget, MarkUnknown, Meter, NewBudget,
    NewReservation, ObserveMeter, RecordSpend, Release, Request, Reservation, ResetMeter, ReverseSpend,
    SetProgress, Settle, Spend, SpendQuery, SpendRecord, Ttl,
};
use crate::ids::{BudgetId, ReservationId};

impl Blocking {
    /// Makes a budget. See [`Engine::allocate`](super::Engine::allocate).
    ///
    /// # Errors
    /// See [`Engine::allocate`](super::Engine::allocate).
    pub fn allocate(&self, budget: NewBudget) -> Result<BudgetView, CommandError> {
        budget_of(self.execute(budget)?)
    }

    /// Changes the limit, its hardness, the thresholds or the window of a budget. See
    /// [`Engine::adjust_budget`](super::Engine::adjust_budget).
    ///
    /// # Errors
    /// See [`Engine::adjust_budget`](super::Engine::adjust_budget).
    pub fn adjust_budget(&self, adjust: AdjustBudget) -> Result<BudgetView, CommandError> {
        budget_of(self.execute(adjust)?)
    }

    /// Sets the progress of the work behind a budget.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn set_progress(&self, set: SetProgress) -> Result<BudgetView, CommandError> {
        budget_of(self.execute(set)?)
    }

    /// Closes a budget, for good. See [`Engine::close_budget`](super::Engine::close_budget).
    ///
    /// # Errors
    /// See [`Engine::close_budget`](super::Engine::close_budget).
    pub fn close_budget(&self, close: CloseBudget) -> Result<Budget, CommandError> {
        closed_of(self.execute(close)?)
    }

    /// Spends of a budget, if every hard limit on the path to the root allows it.
    ///
    /// # Errors
    /// See [`Engine::record_spend`](super::Engine::record_spend).
    pub fn record_spend(
        &self,
        budget_id: impl Into<BudgetId>,
        spend: Spend,
    ) -> Result<SpendRecord, CommandError> {
        spend_of(self.execute(RecordSpend::new(budget_id, spend))?)
    }

    /// Books on a budget what was spent already, whatever the limits.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn record_incurred(
        &self,
        budget_id: impl Into<BudgetId>,
        spend: Spend,
    ) -> Result<SpendRecord, CommandError> {
        spend_of(self.execute(RecordSpend::incurred(budget_id, spend))?)
    }

    /// Sets an amount aside. It is released when the hold is dropped. See [`Engine::reserve`](super::Engine::reserve).
    ///
    /// # Errors
    /// See [`Engine::record_spend`](super::Engine::record_spend).
    pub fn reserve(
        &self,
        budget_id: impl Into<BudgetId>,
        amount: u128,
        ttl: Ttl,
    ) -> Result<BlockingHold, CommandError> {
        self.reserve_with(NewReservation::new(budget_id, amount).ttl(ttl))
    }

    /// The same with all that a reservation may carry. See [`Engine::reserve_with`](super::Engine::reserve_with).
    ///
    /// # Errors
    /// See [`Engine::reserve_with`](super::Engine::reserve_with).
    pub fn reserve_with(&self, request: impl Into<Request>) -> Result<BlockingHold, CommandError> {
        let pending = pollster::block_on(self.engine().enqueue_hold(request.into()))?;
        self.engine().kick_here();
        pollster::block_on(pending.claim()).map(BlockingHold::new)
    }

    /// Settles a reservation by its id with what was really spent.
    ///
    /// # Errors
    /// See [`Engine::settle`](super::Engine::settle).
    pub fn settle(&self, settle: Settle) -> Result<SpendRecord, CommandError> {
        spend_of(self.execute(settle)?)
    }

    /// Gives a reservation back by its id.
    ///
    /// # Errors
    /// See [`Engine::release`](super::Engine::release).
    pub fn release(&self, reservation_id: impl Into<ReservationId>) -> Result<Reservation, CommandError> {
        let reservation_id = reservation_id.into();
        reservation_of(self.execute(Release { reservation_id })?)
    }

    /// Marks the outcome of a reservation as unknown.
    ///
    /// # Errors
    /// See [`Engine::mark_unknown`](super::Engine::mark_unknown).
    pub fn mark_unknown(
        &self,
        reservation_id: impl Into<ReservationId>,
    ) -> Result<Reservation, CommandError> {
        let reservation_id = reservation_id.into();
        reservation_of(self.execute(MarkUnknown { reservation_id })?)
    }

    /// Takes a spend back, whole or in part.
    ///
    /// # Errors
    /// See [`Engine::reverse_spend`](super::Engine::reverse_spend).
    pub fn reverse_spend(&self, reverse: ReverseSpend) -> Result<SpendRecord, CommandError> {
        spend_of(self.execute(reverse)?)
    }

    /// Reads an external meter, and books what it measured on the budget that it is bound to.
    ///
    /// # Errors
    /// See [`Engine::observe_meter`](super::Engine::observe_meter).
    pub fn observe_meter(&self, observe: ObserveMeter) -> Result<Meter, CommandError> {
        meter_of(self.execute(observe)?)
    }

    /// Begins an external meter anew; nothing is booked by it.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn reset_meter(&self, reset: ResetMeter) -> Result<Meter, CommandError> {
        meter_of(self.execute(reset)?)
    }

    /// Whether an amount would be admitted now. See [`Engine::check`](super::Engine::check).
    ///
    /// # Errors
    /// See [`Engine::check`](super::Engine::check).
    pub fn check(&self, budget_id: impl Into<BudgetId>, amount: u128) -> Result<Allowance, CommandError> {
        let budget_id = budget_id.into();
        let checked = self.engine().check_at_once(&budget_id, amount);
        checked.unwrap_or_else(|| pollster::block_on(self.engine().check(budget_id, amount)))
    }

    /// How fast a budget is spent. See [`Engine::burn_rate`](super::Engine::burn_rate).
    ///
    /// # Errors
    /// See [`Engine::burn_rate`](super::Engine::burn_rate).
    pub fn burn_rate(
        &self,
        budget_id: impl Into<BudgetId>,
        span: Option<Duration>,
    ) -> Result<BurnRate, CommandError> {
        pollster::block_on(self.engine().burn_rate(budget_id, span))
    }

    /// The entries of budgets, newest first. See [`Engine::list_spends`](super::Engine::list_spends).
    ///
    /// # Errors
    /// See [`Engine::list_spends`](super::Engine::list_spends).
    pub fn list_spends(&self, query: &SpendQuery) -> Result<Vec<SpendRecord>, CommandError> {
        self.engine().list_spends(query)
    }
}

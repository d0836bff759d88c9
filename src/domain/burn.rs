//! How fast budgets are spent.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::State;
use crate::ids::BudgetId;

/// What was spent of a budget in some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurnRate {
    /// How much: what was booked at the budget or below it, without what was taken back.
    pub amount: u128,
    /// In how much time: less than was asked about where the budget is younger, or not so much is remembered.
    pub elapsed: Duration,
}

impl BurnRate {
    /// How much a minute, rounded down: `⌊amount × 60,000 / elapsed milliseconds⌋`; 0 if no time has passed. What
    /// would be 2^128 or more is 2^128 − 1.
    pub fn per_minute(&self) -> u128 {
        const MINUTE_MS: u128 = 60_000;
        let elapsed_ms = self.elapsed.as_millis();
        if elapsed_ms == 0 {
            return 0;
        }
        // Quotient and rest apart, so that nothing overflows that does not have to.
        let (whole, rest) = (self.amount / elapsed_ms, self.amount % elapsed_ms);
        whole.saturating_mul(MINUTE_MS).saturating_add(rest.saturating_mul(MINUTE_MS) / elapsed_ms)
    }
}

impl State {
    /// How fast a budget is spent, here and below: since its making, or since then if a time is given. `None`: there
    /// is no such budget.
    ///
    /// A time before the budget's making gives the rate since that moment, which is exact whatever was forgotten; one
    /// before what is [remembered](State::remembered_since) gives the rate since then. What was taken back counts when
    /// it was taken back; never below 0.
    pub fn burn(&self, id: &BudgetId, since: Option<Timestamp>, now: Timestamp) -> Option<BurnRate> {
        let budget = self.budget(id)?;
        let Some(since) = since.filter(|since| *since > budget.created_at) else {
            let elapsed = now.saturating_since(budget.created_at);
            return Some(BurnRate { amount: budget.spent_total, elapsed });
        };
        let forgotten = self.bookings.forgotten_through();
        let since = since.max(forgotten.unwrap_or(Timestamp::MIN));
        let (mut spent, mut taken_back) = (0_u128, 0_u128);
        let mut is_below = BTreeMap::new();
        // Of the very moment of what was forgotten, others may be remembered.
        for entry in self.bookings.since(since).filter(|entry| Some(entry.at) > forgotten) {
            let booking = &entry.what;
            let below = is_below
                .entry(booking.budget_id())
                .or_insert_with(|| self.path(booking.budget_id()).any(|above| above.id == *id));
            match booking.is_reversal() {
                _ if !*below => {}
                false => spent = spent.saturating_add(booking.amount()),
                true => taken_back = taken_back.saturating_add(booking.amount()),
            }
        }
        Some(BurnRate { amount: spent.saturating_sub(taken_back), elapsed: now.saturating_since(since) })
    }

    /// Whether every spend there ever was is remembered.
    pub fn remembers_all_spends(&self) -> bool {
        self.spends.forgotten_through().is_none()
    }

    /// The first moment from which on every booking is remembered, for burn rates; `None`: every one there ever was is.
    pub fn remembered_since(&self) -> Option<Timestamp> {
        self.bookings.forgotten_through().map(|at| at.saturating_add(Duration::from_micros(1)))
    }
}

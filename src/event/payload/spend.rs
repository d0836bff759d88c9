//! What is spent, and taken back.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::event::Charge;
use crate::ids::{BudgetId, GoalId, MeterId, ReservationId, SpendId};

/// What a caller says about a spend. Tallybook keeps it and hands it back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpendDetails {
    /// Who was paid.
    pub peer: Option<Arc<str>>,
    /// What was used.
    pub tool: Option<Arc<str>>,
    /// Why.
    pub reason: Option<Arc<str>>,
    /// How much of what was bought, by name.
    pub quantities: Vec<Quantity>,
    /// When it happened, where that is not when it was booked. The window that it counts in is that of its booking.
    pub occurred_at: Option<Timestamp>,
}

impl SpendDetails {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        *self == SpendDetails::default()
    }
}

/// How much of something was bought: 1,200 input tokens, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity {
    /// Of what.
    pub name: Arc<str>,
    /// How much.
    pub amount: u128,
}

/// Something was spent, booked at the budget and at every one above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendRecorded {
    /// The spend.
    pub spend_id: SpendId,
    /// The budget.
    pub budget_id: BudgetId,
    /// How much, in the budget's unit.
    pub amount: u128,
    /// Whether no limit was asked, because it had happened already. A settlement is not: its limit was asked when it was
    /// reserved.
    pub incurred: bool,
    /// Whether it came after the budget's close, after the end of its reservation, or on a turn of a goal that was not
    /// active.
    pub late: bool,
    /// What of it passed the limit of each budget on the path, from the budget's own upwards; budgets within their
    /// limit are not named.
    pub overage: Vec<Charge>,
    /// The reservation that it settles, which ends by it.
    pub reservation_id: Option<ReservationId>,
    /// The goal on one of whose turns it was charged.
    pub goal_id: Option<GoalId>,
    /// The external meter that measured it.
    pub meter_id: Option<MeterId>,
    /// The fingerprint of the command, where the caller gave the id: a spend id is a key, too.
    pub body: Option<u64>,
    /// What the caller says about it.
    pub details: SpendDetails,
}

/// A spend was taken back, whole or in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendReversed {
    /// The spend.
    pub spend_id: SpendId,
    /// Its budget.
    pub budget_id: BudgetId,
    /// How much was taken back. Budgets whose window has rolled since the spend take it from their totals only.
    pub amount: u128,
    /// Why.
    pub reason: Option<Arc<str>>,
}

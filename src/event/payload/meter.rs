//! What external meters say.

use crate::ids::{BudgetId, MeterId};

/// What an external meter said. The two are not to be mixed up: a total that is booked as an increase is booked again
/// and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reading {
    /// So much more than at the last observation.
    Delta(u128),
    /// So much altogether.
    Cumulative(u128),
}

/// An external meter was read. What it measured since the last reading is booked as incurred in the same frame, where
/// it is bound to a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterObserved {
    /// The meter.
    pub meter_id: MeterId,
    /// The budget that it is bound to.
    pub budget_id: Option<BudgetId>,
    /// What it said.
    pub reading: Reading,
    /// How much more that is.
    pub increase: u128,
    /// Where the meter stands now.
    pub total: u128,
}

/// An external meter begins anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterReset {
    /// The meter.
    pub meter_id: MeterId,
    /// Where it stood.
    pub previous: u128,
    /// Where it stands now; nothing is booked by it.
    pub baseline: u128,
}

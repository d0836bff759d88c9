//! External meters: a chain, a provider's invoice.

use crate::clock::Timestamp;
use crate::event::Meta;
use crate::ids::{BudgetId, MeterId};

/// An external meter as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meter {
    /// Its id.
    pub id: MeterId,
    /// Where it stands: the last total that it said, or its baseline and the sum of what it said.
    pub total: u128,
    /// What was booked by it for life, over all resets.
    pub booked: u128,
    /// What kind of reading it gives; `None` before the first.
    pub kind: Option<MeterKind>,
    /// The budget that it is bound to.
    pub budget_id: Option<BudgetId>,
    /// When it was read or reset last.
    pub updated_at: Timestamp,
    /// The metadata that its first observation, or its first reset, carried.
    pub meta: Option<Meta>,
}

/// What kind of reading a meter gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MeterKind {
    /// Totals.
    Cumulative,
    /// Increases.
    Delta,
}

impl MeterKind {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            MeterKind::Cumulative => "cumulative",
            MeterKind::Delta => "delta",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<MeterKind> {
        [MeterKind::Cumulative, MeterKind::Delta].into_iter().find(|kind| kind.name() == name)
    }
}

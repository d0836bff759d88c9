//! A budget in its plain form: unit, limit, spent, exhausted.

use std::sync::{Arc, LazyLock};

use crate::clock::Timestamp;
use crate::ids::BudgetId;

/// The unit of the budgets of goals.
pub const UNIT_TOKENS: &str = "tokens";

static TOKENS: LazyLock<Arc<str>> = LazyLock::new(|| UNIT_TOKENS.into());

/// A budget as of one moment. The token usage of a goal is one: `goal:<goal_id>`.
///
/// Always `limit + overage() = spent + remaining()`, where there is a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// Its id.
    pub id: BudgetId,
    /// What is counted.
    pub unit: Arc<str>,
    /// How much may be spent; `None`: it only counts.
    pub limit: Option<u128>,
    /// What is spent, here and below.
    pub spent: u128,
    /// The budget that it hangs under.
    pub parent: Option<BudgetId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

impl Budget {
    /// A new budget of tokens.
    pub(super) fn of_tokens(
        id: BudgetId,
        limit: Option<u128>,
        parent: Option<BudgetId>,
        at: Timestamp,
    ) -> Budget {
        Budget { id, unit: TOKENS.clone(), limit, spent: 0, parent, created_at: at, updated_at: at }
    }

    /// What is spent beyond the limit.
    pub fn overage(&self) -> u128 {
        overage(self.limit, self.spent)
    }

    /// What can still be spent within the limit; `None`: there is no limit.
    pub fn remaining(&self) -> Option<u128> {
        self.limit.map(|limit| limit.saturating_sub(self.spent))
    }

    /// Whether the limit is reached.
    pub fn is_exhausted(&self) -> bool {
        is_exhausted(self.limit, self.spent)
    }
}

/// `max(0, spent − limit)`.
pub(super) fn overage(limit: Option<u128>, spent: u128) -> u128 {
    limit.map_or(0, |limit| spent.saturating_sub(limit))
}

/// Exhausted ⇔ `spent ≥ limit`.
pub(super) fn is_exhausted(limit: Option<u128>, spent: u128) -> bool {
    limit.is_some_and(|limit| spent >= limit)
}

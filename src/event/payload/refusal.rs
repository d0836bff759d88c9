//! What was refused.

use std::fmt;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::ids::{BudgetId, GoalId, ReservationId};

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// A hard limit would be passed, or is reached.
    BudgetExceeded,
    /// The budget is closed.
    BudgetClosed,
    /// The reservation has ended.
    ReservationGone,
    /// The actor may not widen the budget.
    Forbidden,
    /// The host's risk assessor was against it, or did not answer.
    Risk,
}

impl RefusalKind {
    const ALL: [RefusalKind; 5] = [
        RefusalKind::BudgetExceeded,
        RefusalKind::BudgetClosed,
        RefusalKind::ReservationGone,
        RefusalKind::Forbidden,
        RefusalKind::Risk,
    ];

    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            RefusalKind::BudgetExceeded => "budget_exceeded",
            RefusalKind::BudgetClosed => "budget_closed",
            RefusalKind::ReservationGone => "reservation_gone",
            RefusalKind::Forbidden => "forbidden",
            RefusalKind::Risk => "risk",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<RefusalKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A command was refused by limit, status, authority or risk (law HONEST).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandRefused {
    /// The command's `op`.
    pub op: Arc<str>,
    /// Why.
    pub refusal: RefusalKind,
    /// The budget that blocked.
    pub budget_id: BudgetId,
    /// The goal that the command was about; for a creation, the parent.
    pub goal_id: Option<GoalId>,
    /// The reservation that the command was about.
    pub reservation_id: Option<ReservationId>,
    /// The budget's limit; `None`: unlimited.
    pub limit: Option<u128>,
    /// What is spent of it.
    pub spent: u128,
    /// What is reserved of it.
    pub reserved: u128,
    /// What the command asked for: an amount to spend or to set aside, the amount of the reservation, or the limit that
    /// the budget would have; 0 where it is none of these.
    pub amount: u128,
    /// What else explains it: the reason of a risk assessor, say.
    pub reason: Option<Arc<str>>,
}

/// How many further refusals of a refusal loop were answered without an event of their own (law HONEST).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalsSuppressed {
    /// The budget that blocked.
    pub budget_id: BudgetId,
    /// Why.
    pub refusal: RefusalKind,
    /// How many.
    pub count: u64,
    /// The start of the minute in which they were answered.
    pub minute: Timestamp,
}

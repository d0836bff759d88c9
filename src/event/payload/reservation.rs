//! What is set aside, and given back.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::ids::{BudgetId, ReservationId};

/// An amount was set aside, at the budget and at every one above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationMade {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// The budget.
    pub budget_id: BudgetId,
    /// How much, in the budget's unit.
    pub amount: u128,
    /// Who holds it.
    pub owner: Option<Arc<str>>,
    /// When it is given back by itself; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// The fingerprint of the command, where the caller gave the id: a reservation id is a key, too.
    pub body: Option<u64>,
}

/// Why a reservation was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReleaseReason {
    /// A command asked for it.
    Requested,
    /// Its budget was closed.
    BudgetClosed,
    /// The goal whose budget it was on ended.
    GoalEnded,
}

impl ReleaseReason {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            ReleaseReason::Requested => "requested",
            ReleaseReason::BudgetClosed => "budget_closed",
            ReleaseReason::GoalEnded => "goal_ended",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<ReleaseReason> {
        [ReleaseReason::Requested, ReleaseReason::BudgetClosed, ReleaseReason::GoalEnded]
            .into_iter()
            .find(|reason| reason.name() == name)
    }
}

/// A reservation was given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationReleased {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// Its budget.
    pub budget_id: BudgetId,
    /// How much was set aside.
    pub amount: u128,
    /// Why.
    pub reason: ReleaseReason,
}

/// A reservation's time to live was over, and it was given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationExpired {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// Its budget.
    pub budget_id: BudgetId,
    /// How much was set aside.
    pub amount: u128,
}

/// The outcome of what a reservation was made for is not known: it stays, whatever its time to live, until it is
/// settled or released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationMarkedUnknown {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// Its budget.
    pub budget_id: BudgetId,
    /// How much stays set aside.
    pub amount: u128,
}

//! Reservations: amounts set aside until it is known what was spent.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::event::Meta;
use crate::ids::{BudgetId, ReservationId, SpendId};

/// A reservation as of one moment. Ended ones are remembered as long as idempotency keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reservation {
    /// Its id.
    pub id: ReservationId,
    /// The budget.
    pub budget_id: BudgetId,
    /// How much is, or was, set aside.
    pub amount: u128,
    /// Who holds it.
    pub owner: Option<Arc<str>>,
    /// What became of it.
    pub status: ReservationStatus,
    /// When it is given back by itself, unless its outcome is unknown; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended; `None` while it is open or unknown. A late settlement does not move it.
    pub ended_at: Option<Timestamp>,
    /// The spend that settled it.
    pub spend_id: Option<SpendId>,
    /// The metadata that its making carried.
    pub meta: Option<Meta>,
    /// The `seq` of the event that made it.
    pub(super) made_seq: u64,
    /// The fingerprint of the command that made it, where the caller gave the id.
    pub(super) body: Option<u64>,
}

/// What became of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReservationStatus {
    /// It is set aside.
    Open,
    /// It is set aside whatever its time to live, since nobody knows what was spent.
    Unknown,
    /// It was settled.
    Settled,
    /// It was given back.
    Released,
    /// It was given back when its time to live was over.
    Expired,
}

impl ReservationStatus {
    const ALL: [ReservationStatus; 5] = [
        ReservationStatus::Open,
        ReservationStatus::Unknown,
        ReservationStatus::Settled,
        ReservationStatus::Released,
        ReservationStatus::Expired,
    ];

    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            ReservationStatus::Open => "open",
            ReservationStatus::Unknown => "unknown",
            ReservationStatus::Settled => "settled",
            ReservationStatus::Released => "released",
            ReservationStatus::Expired => "expired",
        }
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<ReservationStatus> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether the amount is still set aside.
    pub const fn is_held(self) -> bool {
        matches!(self, ReservationStatus::Open | ReservationStatus::Unknown)
    }
}

/// Which reservations to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationQuery {
    /// No more than so many.
    pub limit: usize,
    /// Only those made before this one. An id that is not known finds nothing.
    pub before: Option<ReservationId>,
    /// Only those on this budget; not those below it.
    pub budget_id: Option<BudgetId>,
    /// Only those of this owner.
    pub owner: Option<Arc<str>>,
    /// Only those with this status.
    pub status: Option<ReservationStatus>,
}

impl Default for ReservationQuery {
    /// The newest hundred.
    fn default() -> ReservationQuery {
        ReservationQuery { limit: 100, before: None, budget_id: None, owner: None, status: None }
    }
}

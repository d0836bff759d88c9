//! Commands that book, reserve, and take back.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::event::{Quantity, Reading, SpendDetails};
use crate::ids::{BudgetId, MeterId, ReservationId, SpendId};

/// What is spent, and what the caller says about it.
///
/// ```
/// use tallybook::Spend;
/// let spend = Spend::of(241_500).tool("web.search").quantity("output_tokens", 812);
/// # let _ = spend;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spend {
    /// How much, in the budget's unit; 0 only where it settles a reservation.
    pub amount: u128,
    /// Its id; `None`: the engine makes one. An id that is given is an idempotency key, too: the same command with it
    /// is a retry, another a conflict. A refusal does not use it up.
    pub spend_id: Option<SpendId>,
    /// What the caller says about it: a peer and a tool of at most 200 bytes, a reason of at most 1,000 characters, at
    /// most 64 quantities.
    pub details: SpendDetails,
}

impl Spend {
    /// So much.
    pub fn of(amount: u128) -> Spend {
        Spend { amount, spend_id: None, details: SpendDetails::default() }
    }

    /// With an id of the caller's.
    #[must_use]
    pub fn id(mut self, spend_id: impl Into<SpendId>) -> Spend {
        self.spend_id = Some(spend_id.into());
        self
    }

    /// Paid to that peer.
    #[must_use]
    pub fn peer(mut self, peer: impl Into<Arc<str>>) -> Spend {
        self.details.peer = Some(peer.into());
        self
    }

    /// For that tool.
    #[must_use]
    pub fn tool(mut self, tool: impl Into<Arc<str>>) -> Spend {
        self.details.tool = Some(tool.into());
        self
    }

    /// For that reason.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<Arc<str>>) -> Spend {
        self.details.reason = Some(reason.into());
        self
    }

    /// For so much of something.
    #[must_use]
    pub fn quantity(mut self, name: impl Into<Arc<str>>, amount: u128) -> Spend {
        self.details.quantities.push(Quantity { name: name.into(), amount });
        self
    }

    /// That happened then, not when it is booked.
    #[must_use]
    pub fn occurred_at(mut self, at: Timestamp) -> Spend {
        self.details.occurred_at = Some(at);
        self
    }
}

/// Spend of a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSpend {
    /// The budget.
    pub budget_id: BudgetId,
    /// What is spent.
    pub spend: Spend,
    /// Whether it happened already: then it is booked whatever the limit.
    pub incurred: bool,
}

impl RecordSpend {
    /// Spends, if the hard limits on the path allow it.
    pub fn new(budget_id: impl Into<BudgetId>, spend: Spend) -> RecordSpend {
        RecordSpend { budget_id: budget_id.into(), spend, incurred: false }
    }

    /// Books what happened already, whatever the limits.
    pub fn incurred(budget_id: impl Into<BudgetId>, spend: Spend) -> RecordSpend {
        RecordSpend { incurred: true, ..RecordSpend::new(budget_id, spend) }
    }
}

/// How long a reservation lives before it is given back by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ttl(pub Option<Duration>);

impl Ttl {
    /// Until it is settled or released: to be used with care, since a host that dies leaves it behind.
    pub const NEVER: Ttl = Ttl(None);

    /// So many seconds.
    pub const fn secs(secs: u64) -> Ttl {
        Ttl(Some(Duration::from_secs(secs)))
    }

    /// So many milliseconds.
    pub const fn millis(millis: u64) -> Ttl {
        Ttl(Some(Duration::from_millis(millis)))
    }
}

/// Set an amount aside, if the hard limits on the path allow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReservation {
    /// The budget.
    pub budget_id: BudgetId,
    /// How much, in the budget's unit; at least 1. No more than 2^127 is set aside of a budget at once, so that there are
    /// always numbers left for what has really happened.
    pub amount: u128,
    /// Its id; `None`: the engine makes one. An id that is given is an idempotency key, too: the same command with it
    /// is a retry, another is rejected as `Exists`. A refusal does not use it up.
    pub reservation_id: Option<ReservationId>,
    /// How long it lives; `None`: the [default](crate::domain::Rules::default_ttl) of the engine, which is for ever
    /// unless set. At least 1 ms.
    pub ttl: Option<Ttl>,
    /// Who holds it: at most 200 bytes without control characters.
    pub owner: Option<Arc<str>>,
}

impl NewReservation {
    /// Sets so much aside.
    pub fn new(budget_id: impl Into<BudgetId>, amount: u128) -> NewReservation {
        NewReservation { budget_id: budget_id.into(), amount, reservation_id: None, ttl: None, owner: None }
    }

    /// With an id of the caller's.
    #[must_use]
    pub fn id(mut self, reservation_id: impl Into<ReservationId>) -> NewReservation {
        self.reservation_id = Some(reservation_id.into());
        self
    }

    /// For so long.
    #[must_use]
    pub fn ttl(mut self, ttl: Ttl) -> NewReservation {
        self.ttl = Some(ttl);
        self
    }

    /// For that owner.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<Arc<str>>) -> NewReservation {
        self.owner = Some(owner.into());
        self
    }
}

/// Settle a reservation with what was really spent: less (the rest returns), as much, or more, whatever the limits.
/// After the reservation has expired or was released it is booked all the same, as late. Settling it again with the
/// same amount is a retry, with another a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settle {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// What was spent; 0 is allowed.
    pub spend: Spend,
}

/// Give a reservation back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The reservation.
    pub reservation_id: ReservationId,
}

/// Mark the outcome of a reservation as unknown: it outlives its time to live, until it is settled or released, or its
/// budget is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkUnknown {
    /// The reservation.
    pub reservation_id: ReservationId,
}

/// Take a spend back, whole or in part; never more than was spent, and only while the spend is
/// [remembered](crate::KeyWindow). Each part is taken back anew: give it a key, so that a retry is none. Where a budget on
/// its path names who may [widen](crate::NewBudget::widen_by) it, others are refused, since it gives room back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReverseSpend {
    /// The spend.
    pub spend_id: SpendId,
    /// How much; `None`: what is left of it.
    pub amount: Option<u128>,
    /// Why.
    pub reason: Option<Arc<str>>,
}

impl ReverseSpend {
    /// Takes back what is left of a spend.
    pub fn whole(spend_id: impl Into<SpendId>) -> ReverseSpend {
        ReverseSpend { spend_id: spend_id.into(), amount: None, reason: None }
    }

    /// Takes back a part of a spend.
    pub fn part(spend_id: impl Into<SpendId>, amount: u128) -> ReverseSpend {
        ReverseSpend { amount: Some(amount), ..ReverseSpend::whole(spend_id) }
    }

    /// For that reason.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<Arc<str>>) -> ReverseSpend {
        self.reason = Some(reason.into());
        self
    }
}

/// Read an external meter. What it measured since the last reading is booked as incurred on the budget that it is
/// bound to.
///
/// The first total counts from 0; where what was measured before is not to be booked, [reset](ResetMeter) the meter to
/// it first. The same total again books nothing; an increase is booked each time, so give it a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObserveMeter {
    /// The meter; the first observation makes it.
    pub meter_id: MeterId,
    /// What it says. A meter is cumulative or not, for ever.
    pub reading: Reading,
    /// The budget to bind it to; only at the first observation. `None`: it stays free, or as it is.
    pub budget_id: Option<BudgetId>,
}

impl ObserveMeter {
    /// It says so much altogether.
    pub fn cumulative(meter_id: impl Into<MeterId>, total: u128) -> ObserveMeter {
        ObserveMeter { meter_id: meter_id.into(), reading: Reading::Cumulative(total), budget_id: None }
    }

    /// It says so much more.
    pub fn delta(meter_id: impl Into<MeterId>, increase: u128) -> ObserveMeter {
        ObserveMeter { meter_id: meter_id.into(), reading: Reading::Delta(increase), budget_id: None }
    }

    /// Bound to that budget.
    #[must_use]
    pub fn budget(mut self, budget_id: impl Into<BudgetId>) -> ObserveMeter {
        self.budget_id = Some(budget_id.into());
        self
    }
}

/// Begin an external meter anew: it was replaced, say, or is not to be counted from 0. Nothing is booked by it. The
/// meter stays of its kind and bound as it was. Setting a bound meter forward hides what it would have booked: where a
/// budget on the path names who may [widen](crate::NewBudget::widen_by) it, others are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetMeter {
    /// The meter.
    pub meter_id: MeterId,
    /// Where it stands now.
    pub baseline: u128,
}

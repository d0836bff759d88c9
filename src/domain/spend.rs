//! Spends: the entries of budgets.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::log::Happened;
use crate::domain::register::Identified;
use crate::event::{ChangeEvent, Charge, Meta, SpendDetails, SpendRecorded};
use crate::ids::{BudgetId, GoalId, MeterId, ReservationId, SpendId};

/// A spend as of one moment. Remembered as long as idempotency keys are; its event is in the journal as far back
/// as that is retained.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpendRecord {
    /// Its id.
    pub id: SpendId,
    /// The `seq` of its event.
    pub seq: u64,
    /// When it was booked.
    pub at: Timestamp,
    /// The budget.
    pub budget_id: BudgetId,
    /// How much.
    pub amount: u128,
    /// How much of it was taken back.
    pub reversed: u128,
    /// Whether no limit was asked, because it had happened already. A settlement is not: its limit was asked when it was
    /// reserved.
    pub incurred: bool,
    /// Whether it came after the budget's close, after the end of its reservation, or on a turn of a goal that was not
    /// active.
    pub late: bool,
    /// What of it passed the limit of each budget on the path, from the budget's own upwards.
    pub overage: Vec<Charge>,
    /// The reservation that it settled.
    pub reservation_id: Option<ReservationId>,
    /// The goal on one of whose turns it was charged.
    pub goal_id: Option<GoalId>,
    /// The external meter that measured it.
    pub meter_id: Option<MeterId>,
    /// What the caller says about it.
    pub details: SpendDetails,
    /// The metadata that it carried.
    pub meta: Option<Meta>,
    /// The `seq` of the last event of its command.
    pub(super) last_seq: u64,
    /// The fingerprint of its command, where the caller gave the id.
    pub(super) body: Option<u64>,
}

impl SpendRecord {
    /// A spend as its event tells of it.
    pub(crate) fn new(event: &ChangeEvent, spend: &SpendRecorded) -> SpendRecord {
        SpendRecord {
            id: spend.spend_id.clone(),
            seq: event.seq,
            at: event.ts,
            budget_id: spend.budget_id.clone(),
            amount: spend.amount,
            reversed: 0,
            incurred: spend.incurred,
            late: spend.late,
            overage: spend.overage.clone(),
            reservation_id: spend.reservation_id.clone(),
            goal_id: spend.goal_id,
            meter_id: spend.meter_id.clone(),
            details: spend.details.clone(),
            meta: event.meta.clone(),
            last_seq: event.seq,
            body: spend.body,
        }
    }
}

impl Happened for Arc<SpendRecord> {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl Identified for Arc<SpendRecord> {
    fn is(&self, id: &str) -> bool {
        *self.id.0 == *id
    }
}

/// Which spends to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendQuery {
    /// No more than so many.
    pub limit: usize,
    /// Only those booked before this one. In a state an id that is not remembered finds nothing; an engine looks it up in
    /// the journal.
    pub before: Option<SpendId>,
    /// Only those of this budget; not those of budgets below it.
    pub budget_id: Option<BudgetId>,
}

impl Default for SpendQuery {
    /// The newest hundred.
    fn default() -> SpendQuery {
        SpendQuery { limit: 100, before: None, budget_id: None }
    }
}

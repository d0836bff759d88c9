//! Spends: the entries of budgets.

use std::ops::Deref;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::log::Happened;
use crate::domain::register::Identified;
use crate::event::{ChangeEvent, Meta, SpendRecorded};
use crate::ids::{BudgetId, SpendId};

/// A spend as of one moment. Remembered as long as idempotency keys are; its event is in the journal as far back
/// as that is retained.
///
/// What its event says ([`SpendRecorded`]) is shared with the event, and reached through it as if it were here:
/// `spend.spend_id`, `spend.budget_id`, `spend.amount`, `spend.details`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpendRecord {
    /// The `seq` of its event.
    pub seq: u64,
    /// When it was booked.
    pub at: Timestamp,
    /// How much of it was taken back.
    pub reversed: u128,
    /// The metadata that it carried.
    pub meta: Option<Meta>,
    /// What its event says.
    pub(super) booked: Arc<SpendRecorded>,
    /// The `seq` of the last event of its command.
    pub(super) last_seq: u64,
}

impl SpendRecord {
    /// A spend as its event tells of it.
    pub(crate) fn new(event: &ChangeEvent, spend: &Arc<SpendRecorded>) -> SpendRecord {
        SpendRecord {
            seq: event.seq,
            at: event.ts,
            reversed: 0,
            meta: event.meta.clone(),
            booked: Arc::clone(spend),
            last_seq: event.seq,
        }
    }
}

impl Deref for SpendRecord {
    type Target = SpendRecorded;

    fn deref(&self) -> &SpendRecorded {
        &self.booked
    }
}

impl Happened for SpendRecord {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl Identified for SpendRecord {
    fn is(&self, id: &str) -> bool {
        *self.spend_id.0 == *id
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

//! What is remembered, and what is counted.

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::domain::keys::{KeyText, RememberedKey};
use crate::domain::snapshot::intern::Interner;
use crate::domain::{KeyWindow, Outcome, Refusal, Remembered, RememberedOutcome};
use crate::event::RefusalKind;
use crate::event::value::Texts;
use crate::ids::{BudgetId, MeterId, ReservationId, SpendId};

use super::values::{Amount, At, Body, BudgetName, Goal, Name, Object, RefusedBy, Text, nullable};
use super::{First, PartName};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::domain::snapshot) struct MemoryForm {
    #[serde(rename = "part")]
    _part: PartName,
    #[serde(rename = "v")]
    _v: First,
    max_age_ms: u64,
    max_count: u64,
    #[serde(deserialize_with = "nullable")]
    keys_forgotten_through: Option<At>,
    #[serde(deserialize_with = "nullable")]
    spends_forgotten_through: Option<At>,
    #[serde(deserialize_with = "nullable")]
    bookings_forgotten_through: Option<At>,
    bookings_from: Option<u64>,
    #[serde(deserialize_with = "nullable")]
    reservations_forgotten_through: Option<At>,
    #[serde(deserialize_with = "nullable")]
    event_ids_forgotten_through: Option<At>,
    #[serde(deserialize_with = "nullable")]
    goals_forgotten_through: Option<At>,
    refusals_minute: At,
}

/// What the state says of its memory, and of its counts of refusals, as a whole.
#[derive(Debug)]
pub(in crate::domain::snapshot) struct Remembering {
    pub(in crate::domain::snapshot) window: KeyWindow,
    /// Up to when was used what is no longer remembered.
    pub(in crate::domain::snapshot) keys_forgotten_through: Option<Timestamp>,
    pub(in crate::domain::snapshot) spends_forgotten_through: Option<Timestamp>,
    pub(in crate::domain::snapshot) bookings_forgotten_through: Option<Timestamp>,
    /// The `seq` of the first booking that is remembered, where those of spends follow from them.
    pub(in crate::domain::snapshot) bookings_from: Option<u64>,
    pub(in crate::domain::snapshot) reservations_forgotten_through: Option<Timestamp>,
    pub(in crate::domain::snapshot) event_ids_forgotten_through: Option<Timestamp>,
    pub(in crate::domain::snapshot) goals_forgotten_through: Option<Timestamp>,
    pub(in crate::domain::snapshot) refusals_minute: Timestamp,
}

impl MemoryForm {
    pub(in crate::domain::snapshot) fn memory(self) -> Remembering {
        let time = |at: Option<At>| at.map(|at| at.0);
        Remembering {
            window: KeyWindow { max_age_ms: self.max_age_ms, max_count: self.max_count },
            keys_forgotten_through: time(self.keys_forgotten_through),
            spends_forgotten_through: time(self.spends_forgotten_through),
            bookings_forgotten_through: time(self.bookings_forgotten_through),
            bookings_from: self.bookings_from,
            reservations_forgotten_through: time(self.reservations_forgotten_through),
            event_ids_forgotten_through: time(self.event_ids_forgotten_through),
            goals_forgotten_through: time(self.goals_forgotten_through),
            refusals_minute: self.refusals_minute.0,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::domain::snapshot) struct KeyForm<'a> {
    #[serde(rename = "part")]
    _part: PartName,
    #[serde(rename = "v")]
    _v: First,
    #[serde(borrow)]
    key: Text<'a>,
    body: Body,
    at: At,
    first_seq: u64,
    last_seq: u64,
    outcome: OutcomeForm<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeForm<'a> {
    Nothing,
    Goal(Goal),
    #[serde(borrow)]
    Budget(BudgetName<'a>),
    Closed(BudgetName<'a>),
    Spend(Name<'a>),
    Reservation(Name<'a>),
    Meter(Name<'a>),
    Refused(Object<RefusedForm<'a>>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusedForm<'a> {
    refusal: RefusedBy,
    #[serde(deserialize_with = "nullable")]
    seq: Option<u64>,
    #[serde(borrow)]
    budget_id: BudgetName<'a>,
    #[serde(deserialize_with = "nullable")]
    limit: Option<Amount>,
    spent: Amount,
    reserved: Amount,
    amount: Amount,
    reservation_id: Option<Name<'a>>,
    reason: Option<Text<'a>>,
}

impl KeyForm<'_> {
    pub(in crate::domain::snapshot) fn key(self, names: &mut Interner) -> RememberedKey {
        let outcome = self.outcome.outcome(names);
        RememberedKey {
            key: KeyText::read(&self.key.0),
            fingerprint: self.body.0,
            at: self.at.0,
            remembered: Remembered { first_seq: self.first_seq, last_seq: self.last_seq, outcome },
        }
    }
}

impl OutcomeForm<'_> {
    fn outcome(self, names: &mut Interner) -> RememberedOutcome {
        RememberedOutcome::Done(match self {
            OutcomeForm::Nothing => Outcome::Nothing,
            OutcomeForm::Goal(id) => Outcome::Goal(id.0),
            OutcomeForm::Budget(id) => Outcome::Budget(id.id(names)),
            OutcomeForm::Closed(id) => Outcome::Closed(id.id(names)),
            OutcomeForm::Spend(id) => Outcome::Spend(SpendId(names.text(&id.0))),
            OutcomeForm::Reservation(id) => Outcome::Reservation(ReservationId(names.text(&id.0))),
            OutcomeForm::Meter(id) => Outcome::Meter(MeterId(names.text(&id.0))),
            OutcomeForm::Refused(Object(refused)) => {
                return RememberedOutcome::Refused(Box::new(refused.refusal(names)));
            }
        })
    }
}

impl RefusedForm<'_> {
    fn refusal(self, names: &mut Interner) -> Refusal {
        Refusal {
            kind: self.refusal.0,
            seq: self.seq,
            // One that is suppressed is not remembered.
            suppressed: false,
            budget_id: self.budget_id.id(names),
            limit: self.limit.map(|limit| limit.0),
            spent: self.spent.0,
            reserved: self.reserved.0,
            amount: self.amount.0,
            reservation_id: self.reservation_id.map(|id| ReservationId(names.text(&id.0))),
            reason: self.reason.map(|reason| names.text(&reason.0)),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::domain::snapshot) struct EventIdForm<'a> {
    #[serde(rename = "part")]
    _part: PartName,
    #[serde(rename = "v")]
    _v: First,
    #[serde(borrow)]
    event_id: Name<'a>,
    body: Body,
    at: At,
    seq: u64,
}

impl EventIdForm<'_> {
    pub(in crate::domain::snapshot) fn event_id(self) -> RememberedKey {
        RememberedKey {
            key: KeyText::read(&self.event_id.0),
            fingerprint: self.body.0,
            at: self.at.0,
            remembered: Remembered::nothing_at(self.seq),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::domain::snapshot) struct ReleasingForm<'a> {
    #[serde(rename = "part")]
    _part: PartName,
    #[serde(rename = "v")]
    _v: First,
    #[serde(borrow)]
    budget_id: BudgetName<'a>,
    released: Vec<Name<'a>>,
}

impl ReleasingForm<'_> {
    pub(in crate::domain::snapshot) fn releasing(
        self,
        names: &mut Interner,
    ) -> (BudgetId, Vec<ReservationId>) {
        let released = self.released.iter().map(|id| ReservationId(names.text(&id.0))).collect();
        (self.budget_id.id(names), released)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::domain::snapshot) struct RefusalsForm<'a> {
    #[serde(rename = "part")]
    _part: PartName,
    #[serde(rename = "v")]
    _v: First,
    #[serde(borrow)]
    budget_id: BudgetName<'a>,
    refusal: RefusedBy,
    count: u64,
}

impl RefusalsForm<'_> {
    pub(in crate::domain::snapshot) fn refusals(self, names: &mut Interner) -> (BudgetId, RefusalKind, u64) {
        (self.budget_id.id(names), self.refusal.0, self.count)
    }
}

//! Reservations, spends and bookings.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::entries::{Booking, Entry};
use crate::domain::snapshot::intern::Interner;
use crate::domain::{Reservation, SpendRecord};
use crate::event::value::Texts;
use crate::event::{Charge, Quantity, SpendDetails, SpendRecorded};
use crate::ids::{MeterId, ReservationId, SpendId};

use super::values::{Amount, At, Body, BudgetName, Goal, HeldStatus, Name, Object, Text};
use super::{First, PartName, read_meta};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::domain::snapshot) struct ReservationForm<'a> {
    #[serde(rename = "part")]
    _part: PartName,
    #[serde(rename = "v")]
    _v: First,
    #[serde(borrow)]
    reservation_id: Name<'a>,
    budget_id: BudgetName<'a>,
    amount: Amount,
    owner: Option<Text<'a>>,
    status: HeldStatus,
    expires_at: Option<At>,
    created_at: At,
    made_seq: u64,
    ended_at: Option<At>,
    ended_seq: Option<u64>,
    spend_id: Option<Name<'a>>,
    body: Option<Body>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
}

impl ReservationForm<'_> {
    /// The reservation, and the `seq` of the event that ended it.
    pub(in crate::domain::snapshot) fn reservation(
        self,
        names: &mut Interner,
    ) -> Result<(Reservation, Option<u64>), String> {
        let reservation = Reservation {
            id: ReservationId(names.text(&self.reservation_id.0)),
            budget_id: self.budget_id.id(names),
            amount: self.amount.0,
            owner: self.owner.map(|owner| names.text(&owner.0)),
            status: self.status.0,
            expires_at: self.expires_at.map(|at| at.0),
            created_at: self.created_at.0,
            ended_at: self.ended_at.map(|at| at.0),
            spend_id: self.spend_id.map(|id| SpendId(names.text(&id.0))),
            meta: read_meta(self.meta)?,
            made_seq: self.made_seq,
            body: self.body.map(|body| body.0),
        };
        Ok((reservation, self.ended_seq))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::domain::snapshot) struct SpendForm<'a> {
    #[serde(rename = "part")]
    _part: PartName,
    #[serde(rename = "v")]
    _v: First,
    #[serde(borrow)]
    spend_id: Name<'a>,
    seq: u64,
    last_seq: u64,
    at: At,
    budget_id: BudgetName<'a>,
    amount: Amount,
    reversed: Amount,
    #[serde(default)]
    incurred: bool,
    #[serde(default)]
    late: bool,
    #[serde(borrow, default)]
    overage: Vec<Object<ChargeForm<'a>>>,
    reservation_id: Option<Name<'a>>,
    goal_id: Option<Goal>,
    meter_id: Option<Name<'a>>,
    body: Option<Body>,
    peer: Option<Text<'a>>,
    tool: Option<Text<'a>>,
    reason: Option<Text<'a>>,
    #[serde(default)]
    quantities: Vec<Object<QuantityForm<'a>>>,
    occurred_at: Option<At>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
}

impl SpendForm<'_> {
    pub(in crate::domain::snapshot) fn spend(self, names: &mut Interner) -> Result<SpendRecord, String> {
        let charge = |Object(charge): Object<ChargeForm<'_>>, names: &mut Interner| Charge {
            budget_id: charge.budget_id.id(names),
            amount: charge.amount.0,
        };
        let quantity = |Object(quantity): Object<QuantityForm<'_>>, names: &mut Interner| Quantity {
            name: names.text(&quantity.name.0),
            amount: quantity.amount.0,
        };
        let meta = read_meta(self.meta)?;
        let booked = SpendRecorded {
            spend_id: SpendId(names.own_id(&self.spend_id.0)),
            budget_id: self.budget_id.id(names),
            amount: self.amount.0,
            incurred: self.incurred,
            late: self.late,
            overage: self.overage.into_iter().map(|form| charge(form, names)).collect(),
            reservation_id: self.reservation_id.map(|id| ReservationId(names.text(&id.0))),
            goal_id: self.goal_id.map(|id| id.0),
            meter_id: self.meter_id.map(|id| MeterId(names.text(&id.0))),
            body: self.body.map(|body| body.0),
            details: SpendDetails {
                peer: self.peer.map(|peer| names.text(&peer.0)),
                tool: self.tool.map(|tool| names.text(&tool.0)),
                reason: self.reason.map(|reason| names.text(&reason.0)),
                quantities: self.quantities.into_iter().map(|form| quantity(form, names)).collect(),
                occurred_at: self.occurred_at.map(|at| at.0),
            },
        };
        Ok(SpendRecord {
            seq: self.seq,
            at: self.at.0,
            reversed: self.reversed.0,
            meta,
            booked: Arc::new(booked),
            last_seq: self.last_seq,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChargeForm<'a> {
    #[serde(borrow)]
    budget_id: BudgetName<'a>,
    amount: Amount,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuantityForm<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    amount: Amount,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::domain::snapshot) struct BookingForm<'a> {
    #[serde(rename = "part")]
    _part: PartName,
    #[serde(rename = "v")]
    _v: First,
    seq: u64,
    at: At,
    #[serde(borrow)]
    budget_id: BudgetName<'a>,
    amount: Amount,
    #[serde(default)]
    reversal: bool,
}

impl BookingForm<'_> {
    pub(in crate::domain::snapshot) fn booking(self, names: &mut Interner) -> Entry<Booking> {
        let budget_id = self.budget_id.id(names);
        let what = Booking::new(budget_id, self.amount.0, self.reversal);
        Entry { seq: self.seq, at: self.at.0, what }
    }
}

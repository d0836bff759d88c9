//! What is spent, set aside and measured.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{amount, budget_id, charges, goal_id, name, text, timestamp};
use crate::event::{
    MeterObserved, MeterReset, Payload, Quantity, Reading, ReleaseReason, ReservationExpired,
    ReservationMade, ReservationMarkedUnknown, ReservationReleased, SpendDetails, SpendRecorded,
    SpendReversed,
};
use crate::ids::{BudgetId, MeterId, ReservationId, SpendId};

pub(super) fn payload() -> BoxedStrategy<Payload> {
    prop_oneof![
        4 => spend_recorded().prop_map(|spend| Payload::SpendRecorded(spend.into())),
        1 => spend_reversed().prop_map(Payload::SpendReversed),
        2 => reservation_made().prop_map(Payload::ReservationMade),
        3 => reservation_ended(),
        1 => meter_observed().prop_map(Payload::MeterObserved),
        1 => (meter_id(), amount(), amount()).prop_map(|(meter_id, previous, baseline)| {
            Payload::MeterReset(MeterReset { meter_id, previous, baseline })
        }),
    ]
    .boxed()
}

fn spend_recorded() -> impl Strategy<Value = SpendRecorded> {
    let how = (any::<bool>(), any::<bool>(), charges(), option::of(any::<u64>()));
    let from = (option::of(reservation_id()), option::of(goal_id()), option::of(meter_id()));
    (spend_id(), budget_id(), amount(), how, from, details()).prop_map(
        |(spend_id, budget_id, amount, how, (reservation_id, goal_id, meter_id), details)| {
            let (incurred, late, overage, body) = how;
            SpendRecorded {
                spend_id,
                budget_id,
                amount,
                incurred,
                late,
                overage,
                reservation_id,
                goal_id,
                meter_id,
                body,
                details,
            }
        },
    )
}

fn details() -> impl Strategy<Value = SpendDetails> {
    let quantity = (text(), amount()).prop_map(|(name, amount)| Quantity { name, amount });
    let said = (option::of(text()), option::of(text()), option::of(text()));
    (said, vec(quantity, 0..3), option::of(timestamp())).prop_map(
        |((peer, tool, reason), quantities, occurred_at)| SpendDetails {
            peer,
            tool,
            reason,
            quantities,
            occurred_at,
        },
    )
}

fn spend_reversed() -> impl Strategy<Value = SpendReversed> {
    (spend_id(), budget_id(), amount(), option::of(text())).prop_map(
        |(spend_id, budget_id, amount, reason)| SpendReversed { spend_id, budget_id, amount, reason },
    )
}

fn reservation_made() -> impl Strategy<Value = ReservationMade> {
    let terms = (option::of(text()), option::of(timestamp()), option::of(any::<u64>()));
    (reservation(), terms).prop_map(|((reservation_id, budget_id, amount), (owner, expires_at, body))| {
        ReservationMade { reservation_id, budget_id, amount, owner, expires_at, body }
    })
}

fn reservation_ended() -> impl Strategy<Value = Payload> {
    let reasons = vec![ReleaseReason::Requested, ReleaseReason::BudgetClosed, ReleaseReason::GoalEnded];
    prop_oneof![
        (reservation(), select(reasons)).prop_map(|((reservation_id, budget_id, amount), reason)| {
            let released = ReservationReleased { reservation_id, budget_id, amount, reason };
            Payload::ReservationReleased(released)
        }),
        reservation().prop_map(|(reservation_id, budget_id, amount)| {
            Payload::ReservationExpired(ReservationExpired { reservation_id, budget_id, amount })
        }),
        reservation().prop_map(|(reservation_id, budget_id, amount)| {
            let unknown = ReservationMarkedUnknown { reservation_id, budget_id, amount };
            Payload::ReservationMarkedUnknown(unknown)
        }),
    ]
}

fn reservation() -> impl Strategy<Value = (ReservationId, BudgetId, u128)> {
    (reservation_id(), budget_id(), amount())
}

fn meter_observed() -> impl Strategy<Value = MeterObserved> {
    let reading = prop_oneof![amount().prop_map(Reading::Delta), amount().prop_map(Reading::Cumulative)];
    (meter_id(), option::of(budget_id()), reading, amount(), amount()).prop_map(
        |(meter_id, budget_id, reading, increase, total)| MeterObserved {
            meter_id,
            budget_id,
            reading,
            increase,
            total,
        },
    )
}

fn spend_id() -> impl Strategy<Value = SpendId> {
    name().prop_map(SpendId)
}

fn reservation_id() -> impl Strategy<Value = ReservationId> {
    name().prop_map(ReservationId)
}

fn meter_id() -> impl Strategy<Value = MeterId> {
    name().prop_map(MeterId)
}

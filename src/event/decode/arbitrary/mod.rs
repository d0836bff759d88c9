//! Events drawn at random, with everything in them that is hard to write.

mod budget;
mod goal;
mod spend;

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::event::{
    ChangeEvent, Charge, CommandRefused, EventKey, EventRecorded, Json, KeyWindowSet, Meta, Payload,
    RefusalKind, RefusalsSuppressed,
};
use crate::ids::{BudgetId, EventId, GoalId, ReservationId, is_name};

/// Any event.
pub(super) fn event() -> impl Strategy<Value = ChangeEvent> {
    let context = (option::of(text()), option::of(text()), option::of(event_key()), option::of(meta()));
    (number(), timestamp(), context, payload()).prop_map(
        |(seq, ts, (session_id, actor, key, meta), payload)| ChangeEvent {
            seq,
            ts,
            session_id,
            actor,
            key,
            meta,
            payload,
        },
    )
}

/// Boxed, as the groups of kinds are: otherwise the strategy is too large for the stack of a test.
fn payload() -> BoxedStrategy<Payload> {
    prop_oneof![
        3 => goal::payload(),
        6 => budget::payload(),
        7 => spend::payload(),
        1 => event_recorded().prop_map(Payload::EventRecorded),
        1 => command_refused().prop_map(Payload::CommandRefused),
        1 => (budget_id(), refusal(), number(), timestamp()).prop_map(
            |(budget_id, refusal, count, minute)| {
                Payload::RefusalsSuppressed(RefusalsSuppressed { budget_id, refusal, count, minute })
            }
        ),
        1 => (number(), number()).prop_map(|(max_age_ms, max_count)| {
            Payload::KeyWindowSet(KeyWindowSet { max_age_ms, max_count })
        }),
    ]
    .boxed()
}

fn command_refused() -> impl Strategy<Value = CommandRefused> {
    let about = (budget_id(), option::of(goal_id()), option::of(name().prop_map(ReservationId)));
    let figures = (option::of(amount()), [amount(), amount(), amount()]);
    (text(), refusal(), about, figures, option::of(text())).prop_map(
        |(op, refusal, (budget_id, goal_id, reservation_id), (limit, [spent, reserved, amount]), reason)| {
            CommandRefused {
                op,
                refusal,
                budget_id,
                goal_id,
                reservation_id,
                limit,
                spent,
                reserved,
                amount,
                reason,
            }
        },
    )
}

fn refusal() -> impl Strategy<Value = RefusalKind> {
    select(vec![
        RefusalKind::BudgetExceeded,
        RefusalKind::BudgetClosed,
        RefusalKind::ReservationGone,
        RefusalKind::Forbidden,
        RefusalKind::Risk,
    ])
}

fn charges() -> impl Strategy<Value = Vec<Charge>> {
    vec((budget_id(), amount()).prop_map(|(budget_id, amount)| Charge { budget_id, amount }), 0..3)
}

fn actors() -> impl Strategy<Value = Option<Arc<[Arc<str>]>>> {
    option::of(vec(text(), 0..3).prop_map(Arc::from))
}

/// Numbers of every length, and the largest.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![(any::<u64>(), 0..64u32).prop_map(|(value, shift)| value >> shift), Just(u64::MAX)]
}

/// Amounts of every length, and the largest.
fn amount() -> BoxedStrategy<u128> {
    prop_oneof![
        (any::<u128>(), 0..128u32).prop_map(|(value, shift)| value >> shift),
        Just(u128::MAX),
        Just(0)
    ]
    .boxed()
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let micros = Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros();
    prop_oneof![
        micros.prop_map(Timestamp::from_micros),
        select(vec![Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH]),
    ]
}

fn goal_id() -> impl Strategy<Value = GoalId> {
    any::<[u8; 16]>().prop_map(|bytes| GoalId(uuid::Uuid::from_bytes(bytes)))
}

fn budget_id() -> impl Strategy<Value = BudgetId> {
    prop_oneof![
        goal_id().prop_map(BudgetId::Goal),
        name().prop_filter_map("a prefix is reserved", |name| name.parse().ok()),
        Just(BudgetId::Named("money".into())),
    ]
}

/// A text that can be an id.
fn name() -> impl Strategy<Value = Arc<str>> {
    text().prop_filter("ids have rules", |text| is_name(text))
}

fn event_key() -> impl Strategy<Value = EventKey> {
    (text(), option::of(any::<u64>())).prop_map(|(key, fingerprint)| EventKey { key, fingerprint })
}

/// Plain words, or any characters at all: controls, quotes, backslashes, beyond the basic plane.
pub(in crate::event) fn text() -> impl Strategy<Value = Arc<str>> {
    let plain = vec(select("abcdefghij klmnop-0123456789é€".chars().collect::<Vec<_>>()), 0..40);
    let control = (0..0x20u8).prop_map(char::from);
    let any = vec(
        prop_oneof![4 => any::<char>(), 1 => control, 1 => select(vec!['"', '\\', '/', '\u{7f}'])],
        0..40,
    );
    prop_oneof![plain, any].prop_map(|chars| chars.into_iter().collect::<String>().into())
}

fn event_recorded() -> impl Strategy<Value = EventRecorded> {
    (text(), option::of(name().prop_map(EventId)), option::of(any::<u64>()), json())
        .prop_map(|(name, event_id, body, data)| EventRecorded { name, event_id, body, data })
}

/// Any JSON value, with every kind of number and text.
pub(in crate::event) fn json() -> impl Strategy<Value = Json> {
    value().prop_map(|value| Json::of(&value).unwrap())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        text().prop_map(|text| Value::from(&*text)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let entry = (text(), inner.clone()).prop_map(|(key, value)| (key.to_string(), value));
        prop_oneof![
            vec(inner, 0..4).prop_map(Value::from),
            vec(entry, 0..4).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn meta() -> impl Strategy<Value = Meta> {
    vec((text(), value()), 0..3).prop_filter_map("metadata have a largest length", |entries| {
        let object = entries.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
        Meta::parse(&Value::Object(object).to_string()).ok()
    })
}

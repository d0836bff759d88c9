//! Events drawn at random, with everything in them that is hard to write.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::event::{
    BudgetExhausted, ChangeEvent, Charge, CommandRefused, EventKey, GoalBudgetSet, GoalCreated, GoalStatus,
    GoalTransitioned, KeyWindowSet, Meta, Payload, RefusalKind, RefusalsSuppressed, TransitionReason,
    TurnRecorded,
};
use crate::ids::{BudgetId, GoalId};

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

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        goal_created().prop_map(Payload::GoalCreated),
        goal_transitioned().prop_map(Payload::GoalTransitioned),
        (goal_id(), option::of(amount()), option::of(amount())).prop_map(
            |(goal_id, previous, token_budget)| {
                Payload::GoalBudgetSet(GoalBudgetSet { goal_id, previous, token_budget })
            }
        ),
        turn_recorded().prop_map(Payload::TurnRecorded),
        (budget_id(), amount(), amount(), amount()).prop_map(|(budget_id, limit, spent, overage)| {
            Payload::BudgetExhausted(BudgetExhausted { budget_id, limit, spent, overage })
        }),
        command_refused().prop_map(Payload::CommandRefused),
        (budget_id(), number(), timestamp()).prop_map(|(budget_id, count, minute)| {
            let refusal = RefusalKind::BudgetExceeded;
            Payload::RefusalsSuppressed(RefusalsSuppressed { budget_id, refusal, count, minute })
        }),
        (number(), number()).prop_map(|(max_age_ms, max_count)| {
            Payload::KeyWindowSet(KeyWindowSet { max_age_ms, max_count })
        }),
    ]
}

fn goal_created() -> impl Strategy<Value = GoalCreated> {
    (goal_id(), text(), text(), option::of(amount()), option::of(goal_id()), vec(budget_id(), 0..3)).prop_map(
        |(goal_id, scope, text, token_budget, parent_goal, budgets)| GoalCreated {
            goal_id,
            scope,
            text,
            token_budget,
            parent_goal,
            budgets,
        },
    )
}

fn goal_transitioned() -> impl Strategy<Value = GoalTransitioned> {
    let cause = (option::of(goal_id()), option::of(budget_id()), option::of(text()));
    (goal_id(), status(), status(), reason(), number(), cause).prop_map(
        |(goal_id, from, to, reason, revision, (by_goal, budget_id, note))| GoalTransitioned {
            goal_id,
            from,
            to,
            reason,
            revision,
            by_goal,
            budget_id,
            note,
        },
    )
}

fn turn_recorded() -> impl Strategy<Value = TurnRecorded> {
    let charge = (budget_id(), amount()).prop_map(|(budget_id, amount)| Charge { budget_id, amount });
    (goal_id(), amount(), number(), number(), any::<bool>(), vec(charge, 0..3)).prop_map(
        |(goal_id, tokens, turns, seconds, late, overage)| TurnRecorded {
            goal_id,
            tokens,
            turns,
            seconds,
            late,
            overage,
        },
    )
}

fn command_refused() -> impl Strategy<Value = CommandRefused> {
    (text(), budget_id(), option::of(goal_id()), [amount(), amount(), amount(), amount()]).prop_map(
        |(op, budget_id, goal_id, [limit, spent, reserved, amount])| CommandRefused {
            op,
            refusal: RefusalKind::BudgetExceeded,
            budget_id,
            goal_id,
            limit,
            spent,
            reserved,
            amount,
        },
    )
}

fn status() -> impl Strategy<Value = GoalStatus> {
    select(vec![GoalStatus::Active, GoalStatus::Paused, GoalStatus::Completed, GoalStatus::Cleared])
}

fn reason() -> impl Strategy<Value = TransitionReason> {
    select(vec![
        TransitionReason::Requested,
        TransitionReason::Superseded,
        TransitionReason::BudgetExhausted,
        TransitionReason::Blocked,
        TransitionReason::Parent,
    ])
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
        text().prop_filter_map("the names of budgets have rules", |name| {
            name.parse().ok().filter(|id| matches!(id, BudgetId::Named(_)))
        }),
        Just(BudgetId::Named("money".into())),
    ]
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

fn meta() -> impl Strategy<Value = Meta> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        text().prop_map(|text| Value::from(&*text)),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        let entry = (text(), inner.clone()).prop_map(|(key, value)| (key.to_string(), value));
        prop_oneof![
            vec(inner, 0..4).prop_map(Value::from),
            vec(entry, 0..4).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    });
    vec((text(), value), 0..3).prop_filter_map("metadata have a largest length", |entries| {
        let object = entries.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
        Meta::parse(&Value::Object(object).to_string()).ok()
    })
}

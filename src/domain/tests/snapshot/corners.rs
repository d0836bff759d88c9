//! The ends of what the values of each part can be.

use std::sync::Arc;

use uuid::Uuid;

use super::same::assert_same;
use super::{check_round_trip, lines, restore};
use crate::clock::Timestamp;
use crate::domain::entries::{Booking, Entry};
use crate::domain::tests::fold_ledger::*;
use crate::domain::tests::harness::id;
use crate::domain::{Budget, DEFAULT_THRESHOLDS, State, evolve};
use crate::event::{
    BudgetAllocated, BudgetTerms, ChangeEvent, Charge, CommandRefused, EventKey, EventRecorded, GoalCreated,
    Json, KeyWindowSet, Meta, MeterReset, Payload, Quantity, RefusalKind, ReleaseReason, ReservationMade,
    Span, SpendDetails, SpendRecorded, TurnRecorded, Window,
};
use crate::ids::{BudgetId, GoalId};

/// The lines of that part.
fn of_part(state: &State, part: &str) -> Vec<String> {
    let start = format!(r#"{{"part":"{part}""#);
    lines(state).into_iter().filter(|line| line.starts_with(&start)).collect()
}

#[test]
fn an_empty_state_is_one_line() {
    let state = State::default();
    check_round_trip(&state);
    let empty = r#"{"part":"memory","max_age_ms":86400000,"max_count":65536,"keys_forgotten_through":null,"spends_forgotten_through":null,"bookings_forgotten_through":null,"reservations_forgotten_through":null,"event_ids_forgotten_through":null,"goals_forgotten_through":null,"refusals_minute":"1970-01-01T00:00:00.000000Z"}"#;
    assert_eq!(lines(&state), [empty]);
}

#[test]
fn the_greatest_amounts_are_kept() {
    let mut ledger = Ledger::new();
    ledger.fold(allocated("root", u128::MAX, None));
    ledger.fold(allocated("task", None, Some("root")));
    ledger.fold(reserved("r", "task", 1));
    ledger.fold(spent("s", "task", u128::MAX - 1));
    ledger.fold(reversed("s", "task", u128::MAX - 1));
    ledger.fold(Payload::SpendRecorded(settled("t", "task", u128::MAX, "r").into()));
    ledger.fold(goal_created(1, None, &["task", "root", "task"]));
    let overage = vec![Charge { budget_id: BudgetId::Goal(id(1)), amount: u128::MAX - 100 }];
    let all = TurnRecorded { tokens: u128::MAX, turns: u64::MAX, seconds: u64::MAX, overage, ..turn(1, 0) };
    ledger.fold(Payload::TurnRecorded(all));
    ledger.check_replay();
    assert!(of_part(&ledger.state, "goal")[0].contains(
        r#""tokens_own":"340282366920938463463374607431768211455","turns_used":18446744073709551615,"#
    ));
    assert!(
        of_part(&ledger.state, "booking")[0]
            .ends_with(r#""amount":"340282366920938463463374607431768211454","reversal":true}"#)
    );
}

#[test]
fn the_first_and_the_last_moment_are_kept() {
    let forever = |id: &str, start, end| {
        let window = Window { every: "P100Y".into(), anchor: Some(Timestamp::MAX), tz: Some("UTC".into()) };
        let terms = BudgetTerms { window: Some(window.into()), ..terms(None) };
        let span = Some(Span { start, end });
        Payload::BudgetAllocated(BudgetAllocated { terms, span, ..made(id, None, None) })
    };
    let mut ledger = Ledger::new();
    ledger.now = Timestamp::MIN;
    ledger.fold(forever("first", Timestamp::MIN, second(0)));
    let expires_at = Some(Timestamp::MAX);
    ledger.fold(Payload::ReservationMade(ReservationMade { expires_at, ..reserve("r", "first", 1) }));
    ledger.now = Timestamp::MAX;
    ledger.fold(forever("last", second(0), Timestamp::MAX));
    ledger.fold(reserved("never", "last", 1));
    ledger.check_replay();
    assert_eq!(ledger.state.next_deadline(), Some(second(0)), "a window that never ends is never due");
}

/// Every event with a key and with metadata.
fn tell(state: &mut State, events: &mut Vec<ChangeEvent>, text: &str, payload: Payload) {
    let seq = events.len() as u64 + 1;
    let key = Some(EventKey { key: format!("{text}{seq}").into(), fingerprint: Some(seq << 56) });
    let meta = Some(Meta::parse(META).unwrap());
    let event = ChangeEvent { seq, ts: second(1_000), session_id: None, actor: None, key, meta, payload };
    evolve(state, &event).unwrap();
    events.push(event);
}

/// Only white space is taken from it.
const META: &str = r#"{"v":2,"n":0.10,"e":"\u00e9\"\\ 🦀","part":{"a":[1e2,null]},"n":1}"#;

fn texts(text: &str) -> Vec<Payload> {
    let name = format!("b \"é\\ 🦀{}", text.len());
    let budget_id = BudgetId::from(name.as_str());
    let text = || -> Arc<str> { text.into() };
    let window = Window { every: text(), anchor: None, tz: Some(text()) };
    let budget = BudgetAllocated {
        unit: text(),
        terms: BudgetTerms { window: Some(window.into()), thresholds: [].into(), ..terms(None) },
        span: Some(minute_from(1_000)),
        widen_by: Some([text(), "".into()].into()),
        ..made(&name, None, None)
    };
    let details = SpendDetails {
        peer: Some(text()),
        tool: Some(text()),
        reason: Some(text()),
        quantities: vec![Quantity { name: text(), amount: 0 }, Quantity { name: text(), amount: u128::MAX }],
        occurred_at: Some(Timestamp::MIN),
    };
    let goal = GoalCreated {
        goal_id: GoalId(Uuid::from_u128(u128::MAX - text().len() as u128)),
        scope: text(),
        text: text(),
        token_budget: None,
        parent_goal: None,
        budgets: vec![budget_id.clone()],
        widen_by: Some([].into()),
    };
    let refused = CommandRefused {
        op: text(),
        refusal: RefusalKind::Risk,
        budget_id: budget_id.clone(),
        goal_id: None,
        reservation_id: None,
        limit: None,
        spent: 0,
        reserved: 0,
        amount: 0,
        reason: Some(text()),
    };
    vec![
        Payload::BudgetAllocated(budget),
        Payload::GoalCreated(goal),
        Payload::ReservationMade(ReservationMade {
            owner: Some(text()),
            body: Some(0),
            ..reserve(&name, &name, 0)
        }),
        Payload::SpendRecorded(
            SpendRecorded { body: Some(u64::MAX), details, ..spend(&name, &name, 0) }.into(),
        ),
        Payload::MeterReset(MeterReset { meter_id: name.as_str().into(), previous: 0, baseline: 7 }),
        Payload::CommandRefused(refused),
        Payload::EventRecorded(EventRecorded {
            name: text(),
            event_id: Some(name.as_str().into()),
            body: Some(1 << 60),
            data: Json::default(),
        }),
        released(&name, &name, 0, ReleaseReason::Requested),
        closed(&name, None, &[]),
        Payload::KeyWindowSet(KeyWindowSet { max_age_ms: u64::MAX, max_count: u64::MAX }),
    ]
}

#[test]
fn any_text_and_every_outcome_is_kept() {
    let (mut state, mut events) = (State::default(), Vec::new());
    for text in [
        "",
        "\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}",
        "日本語 🦀 \u{202e}\u{feff}\u{2028}",
        r#"{"part":"memory","v":2}"#,
    ] {
        texts(text).into_iter().for_each(|payload| tell(&mut state, &mut events, text, payload));
    }
    super::check_at_every_seq(&events);
    let keys = of_part(&state, "key").join("\n");
    for outcome in ["\"nothing\"", "goal", "budget", "closed", "spend", "reservation", "meter", "refused"] {
        let count = keys.matches(&format!(r#""outcome":{{"{outcome}":"#)).count();
        let nothing = keys.matches(&format!(r#""outcome":{outcome}"#)).count();
        let is_twice = ["reservation", "\"nothing\""].contains(&outcome);
        assert_eq!(count + nothing, if is_twice { 8 } else { 4 }, "{outcome}");
    }
    assert_eq!(of_part(&state, "event_id").len(), 4);
    for part in ["reservation", "spend", "meter"] {
        let lines = of_part(&state, part);
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.ends_with(&format!(r#","meta":{META}}}"#))), "{lines:?}");
    }
}

#[test]
fn what_is_alike_is_kept_once() {
    let (mut state, mut events) = (State::default(), Vec::new());
    texts("alike").into_iter().for_each(|payload| tell(&mut state, &mut events, "a", payload));
    let restored = check_round_trip(&state);
    let budget = restored.budgets().last().unwrap();
    let BudgetId::Named(name) = &budget.id else { panic!("expected a budget with a name: {budget:?}") };
    let spend = restored.spends.iter().next().unwrap();
    let reservation = restored.reservations.values().next().unwrap();
    for id in [&spend.budget_id, &reservation.budget_id] {
        assert!(matches!(id, BudgetId::Named(other) if Arc::ptr_eq(other, name)));
    }
    let goal = restored.goals().next().unwrap();
    let alike = [&budget.unit, spend.details.tool.as_ref().unwrap(), reservation.owner.as_ref().unwrap()];
    assert!(alike.into_iter().all(|text| Arc::ptr_eq(text, &goal.scope)));
    let of_goals = restored.budget(&BudgetId::Goal(goal.id)).unwrap();
    assert!(Arc::ptr_eq(&of_goals.terms.thresholds, &DEFAULT_THRESHOLDS));
    assert!(Arc::ptr_eq(&of_goals.unit, &Budget::tokens()));
}

/// Spends that are remembered longer than their bookings, and bookings that are remembered longer than their spends; turns
/// and reversals between them.
fn mixed() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.fold(Payload::KeyWindowSet(KeyWindowSet { max_age_ms: 86_400_000, max_count: 8 }));
    ledger.fold(allocated("task", None, None));
    ledger.fold(goal_created(1, None, &[]));
    for number in 0..12 {
        ledger.fold(spent(&format!("s{number}"), "task", 5));
        match number % 3 {
            0 => ledger.fold(Payload::TurnRecorded(turn(1, 7))),
            1 => ledger.fold(reversed(&format!("s{number}"), "task", 2)),
            _ => {}
        }
    }
    ledger
}

#[test]
fn a_booking_is_not_written_twice() {
    let mut ledger = mixed();
    ledger.check_replay();
    let spends = of_part(&ledger.state, "spend").len();
    assert_eq!((spends, of_part(&ledger.state, "booking").len(), ledger.state.bookings.len()), (8, 3, 8));
    for number in 0..12 {
        ledger.fold(spent(&format!("t{number}"), "task", 0));
    }
    ledger.check_replay();
    assert_eq!(of_part(&ledger.state, "booking").len(), 8, "their spends are forgotten");
}

/// Drafts before the first release wrote a line for every booking.
#[test]
fn lines_with_every_booking_are_read_as_well() {
    let state = mixed().state;
    let told = |entry: &Entry<Booking>| {
        let Entry { seq, at, what } = entry;
        let reversal = if what.is_reversal() { r#","reversal":true"# } else { "" };
        let (budget_id, amount) = (what.budget_id(), what.amount());
        format!(
            r#"{{"part":"booking","seq":{seq},"at":"{at}","budget_id":"{budget_id}","amount":"{amount}"{reversal}}}"#
        )
    };
    let mut old = lines(&state);
    let from = format!(r#""bookings_from":{},"#, state.bookings.first().unwrap().seq);
    assert!(old[0].contains(&from));
    old[0] = old[0].replace(&from, "");
    old.retain(|line| !line.starts_with(r#"{"part":"booking""#));
    old.extend(state.bookings.iter().map(told));
    let restored = restore(&old).unwrap();
    assert_same(&restored, &state);
    assert_eq!(restored.state_hash(), state.state_hash());
}

//! Events of hosts: kept as they were given, and exactly once by their ids (law EXACT).

use std::collections::VecDeque;

use proptest::prelude::*;

use super::harness::{Answer, Book, goal, replay};
use super::snapshot;
use crate::clock::Timestamp;
use crate::domain::{
    KeyWindow, NewBudget, Outcome, RecordEvent, RecordSpend, Rejection, RejectionKind, Remembered,
    RememberedOutcome, Request, Rules, Spend, fingerprint,
};
use crate::event::{EventRecorded, Json, Payload};

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn event(data: &str) -> RecordEvent {
    RecordEvent::new("tool_finished", json(data))
}

/// A UUID of version 7 made at that time.
fn dated(at: Timestamp) -> String {
    let millis = u64::try_from(at.as_millis()).unwrap();
    uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid().to_string()
}

#[track_caller]
fn expect_retried(book: &mut Book, request: impl Into<Request>, seq: u64) {
    let remembered =
        Remembered { first_seq: seq, last_seq: seq, outcome: RememberedOutcome::Done(Outcome::Nothing) };
    assert_eq!(book.apply(request), Answer::Retried(remembered));
}

#[test]
fn an_event_is_kept_as_it_was_given_and_changes_nothing() {
    let mut book = Book::new();
    book.create(goal(1));
    let before = book.state.state_hash();
    let request = Request::from(event(r#"{"b": 1.50, "a": "x"}"#)).session("s").actor("host");
    assert_eq!(book.ok(request), Outcome::Nothing);
    let expected = EventRecorded {
        name: "tool_finished".into(),
        event_id: None,
        body: None,
        data: json(r#"{"b":1.50,"a":"x"}"#),
    };
    assert_eq!(book.events.last().unwrap().payload, Payload::EventRecorded(expected));
    assert_eq!(book.events.last().unwrap().session_id.as_deref(), Some("s"));
    assert_eq!(book.state.state_hash(), before);
    assert_eq!(book.ok(event("null")), Outcome::Nothing, "without an id each is another");
}

#[test]
fn the_same_event_again_is_a_retry_with_the_original_seq() {
    let mut book = Book::new();
    let first = event("[1, 2]").id("e");
    book.ok(Request::from(first.clone()).session("s"));
    expect_retried(&mut book, Request::from(event("[1,2]").id("e")).session("t"), 1);
    let Payload::EventRecorded(recorded) = &book.events[0].payload else { panic!() };
    assert_eq!(recorded.body, Some(fingerprint(&first.into())));
    assert_eq!((book.seq, book.state.remembered_event_id_count()), (1, 1));
    for other in [event("[2,1]").id("e"), RecordEvent::new("tool_started", json("[1,2]")).id("e")] {
        let conflict = book.rejected(other);
        assert_eq!(conflict.kind, RejectionKind::Conflict);
        assert!(conflict.message.contains("seq 1"), "{}", conflict.message);
    }
    assert_eq!(replay(&book.events).state_hash(), book.state.state_hash(), "law FOLD");
}

#[test]
fn the_key_of_the_command_comes_first() {
    let mut book = Book::new();
    book.ok(Request::from(event("1").id("e")).key("k"));
    expect_retried(&mut book, Request::from(event("1").id("e")).key("k"), 1);
    assert_eq!(book.rejected(Request::from(event("1").id("f")).key("k")).kind, RejectionKind::Conflict);
    // A retry by its id uses no key up.
    expect_retried(&mut book, Request::from(event("1").id("e")).key("l"), 1);
    book.ok(Request::from(event("2").id("f")).key("l"));
}

#[test]
fn an_id_of_an_event_is_no_key_and_no_id_of_a_spend() {
    let mut book = Book::new();
    book.ok(NewBudget::new("task").limit(100));
    book.ok(event("1").id("x"));
    book.ok(Request::from(RecordSpend::new("task", Spend::of(1).id("x"))).key("x"));
    expect_retried(&mut book, event("1").id("x"), 2);
}

#[test]
fn ids_are_forgotten_by_age_and_number_of_events_in_a_memory_of_their_own() {
    let mut book = Book::new();
    book.ok(KeyWindow { max_age_ms: 60_000, max_count: 2 });
    book.ok(event("1").id("a"));
    for key in ["k", "l", "m"] {
        book.ok(Request::from(event("0")).key(key));
    }
    expect_retried(&mut book, event("1").id("a"), 2);
    book.ok(event("1").id("b"));
    book.ok(event("1").id("c"));
    book.ok(event("2").id("a"));
    assert_eq!(book.state.remembered_event_id_count(), 2);
    book.wait_secs(60);
    book.ok(event("0"));
    expect_retried(&mut book, event("2").id("a"), 8);
    book.wait_secs(1);
    expect_retried(&mut book, event("2").id("a"), 8);
    book.ok(event("0"));
    assert_eq!(book.state.remembered_event_id_count(), 0, "time acts only through events");
    assert_eq!(replay(&book.events).state_hash(), book.state.state_hash(), "law FOLD");
}

#[test]
fn an_id_from_before_what_is_remembered_says_so_itself() {
    let mut book = Book::new();
    book.ok(KeyWindow { max_age_ms: 60_000, max_count: 1 });
    let (early, late) = (dated(book.now), "no date");
    book.wait_secs(1);
    let used = dated(book.now);
    book.ok(event("1").id(used.clone()));
    book.ok(event("1").id(late));
    for id in [early, used] {
        assert_eq!(book.rejected(event("1").id(id)).kind, RejectionKind::KeyExpired);
    }
    let before = book.state.state_hash();
    book.wait_secs(1);
    let new = dated(book.now);
    book.wait_secs(61);
    assert_eq!(book.rejected(event("1").id(new)).kind, RejectionKind::KeyExpired, "too old by the clock");
    assert_eq!(book.state.state_hash(), before);
    book.ok(event("1").id(dated(book.now)));
}

#[test]
fn the_hash_tells_what_is_remembered_and_up_to_when_it_was_forgotten() {
    let after = |first: RecordEvent, second: RecordEvent| {
        let mut book = Book::new();
        book.ok(KeyWindow { max_count: 1, ..KeyWindow::DEFAULT });
        book.ok(first);
        book.ok(second);
        book.state.state_hash()
    };
    let forgot_none = after(event("1"), event("1").id("a"));
    assert_ne!(after(event("1"), event("1").id("b")), forgot_none, "which");
    assert_ne!(after(event("1"), event("2").id("a")), forgot_none, "for what");
    assert_ne!(after(event("1").id("b"), event("1").id("a")), forgot_none, "what came before it");
}

#[test]
fn names_ids_and_lengths_have_their_bounds() {
    let mut book = Book::new();
    book.rules = Rules { max_event_bytes: 10, ..Rules::default() };
    book.ok(event("[1, 2, 3,  4]"));
    let expect = |book: &mut Book, event: RecordEvent, field: &str, max: Option<u64>| {
        let Rejection { kind, message, max: found, .. } = book.rejected(event);
        assert_eq!((kind, found), (RejectionKind::Invalid, max), "{message}");
        assert!(message.starts_with(field), "{message}");
    };
    expect(&mut book, event("[1,2,3,4,5]"), "data: expected at most 10 bytes", Some(10));
    for (text, max) in [("", None), ("a\nb", None), ("a\u{85}b", None), (&*"x".repeat(201), Some(200))] {
        expect(&mut book, RecordEvent::new(text, json("1")), "name: expected 1 to 200 bytes", max);
        expect(&mut book, event("1").id(text), "event_id: expected 1 to 200 bytes", max);
    }
    book.ok(RecordEvent::new("é".repeat(100), json("1")).id("x".repeat(200)));
    assert_eq!(Rules::default().max_event_bytes, 65_536);
}

#[test]
fn a_retry_is_recognised_although_the_rules_became_narrower() {
    let mut book = Book::new();
    book.ok(event("[1,2,3]").id("e"));
    book.rules = Rules { max_event_bytes: 1, ..Rules::default() };
    expect_retried(&mut book, event("[1,2,3]").id("e"), 1);
}

#[test]
fn an_event_that_no_engine_has_decided_does_not_fit() {
    use super::fold_ledger::Ledger;
    let payload = |event_id: Option<&str>, body| {
        let (name, event_id) = ("n".into(), event_id.map(Into::into));
        Payload::EventRecorded(EventRecorded { name, event_id, body, data: Json::default() })
    };
    let mut ledger = Ledger::new();
    ledger.fold(payload(Some("e"), Some(1)));
    for (misfit, reason) in [
        (payload(Some("e"), Some(1)), "e is remembered from seq 1"),
        (payload(Some("f"), None), "expected `body` beside event id f"),
        (payload(None, Some(1)), "expected `event_id` beside `body`"),
    ] {
        let message = ledger.misfit(misfit);
        assert!(message.contains(reason), "{message}");
    }
}

proptest! {
    /// Against a list that is searched: who is a retry, who a conflict, who is new.
    #[test]
    fn law_exact_an_id_within_the_window_is_recorded_once(
        steps in proptest::collection::vec((0..6_u8, 0..2_u8, 0..25_u64), 1..60),
        max_count in 1..5_u64,
    ) {
        let mut book = Book::new();
        let window = KeyWindow { max_age_ms: 60_000, max_count };
        book.ok(window);
        let mut known: VecDeque<(String, u8, u64, Timestamp)> = VecDeque::new();
        for (id, data, wait) in steps {
            book.wait_secs(wait);
            let id = format!("e{id}");
            let expected = known.iter().find(|(known, ..)| *known == id).cloned();
            match (expected, book.apply(event(&data.to_string()).id(id.clone()))) {
                (Some((_, same, seq, _)), Answer::Retried(found)) => {
                    prop_assert_eq!((same, seq), (data, found.first_seq));
                }
                (Some((_, other, ..)), Answer::Rejected(rejection)) => {
                    prop_assert!(other != data && rejection.kind == RejectionKind::Conflict);
                }
                (None, Answer::Done(Outcome::Nothing)) => {
                    known.retain(|(.., at)| book.now.saturating_since(*at).as_millis() <= 60_000);
                    known.push_back((id, data, book.seq, book.now));
                    while known.len() as u64 > max_count {
                        known.pop_front();
                    }
                }
                (expected, answer) => prop_assert!(false, "expected {expected:?}, found {answer:?}"),
            }
            prop_assert_eq!(book.state.remembered_event_id_count(), known.len());
        }
        prop_assert_eq!(replay(&book.events).state_hash(), book.state.state_hash());
        snapshot::check_at_every_seq(&book.events);
        snapshot::check_goes_on(&book.events, book.events.len() / 2);
    }
}

//! A journal that holds old versions of a kind reads as if they had been written today.

use tallybook::event::{ChangeEvent, DecodeError, Payload, TurnRecorded, decode_event, encode_event};

/// What drafts before the first release wrote: `turn_recorded` in v 1 (with and without saying so), and one line of
/// v 2 among them, as a journal looks that an upgraded engine went on with.
const OLD: &str = include_str!("fixtures/events-v1.jsonl");

fn events() -> Vec<ChangeEvent> {
    let read = |line: &str| decode_event(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
    OLD.lines().map(read).collect()
}

fn turn(event: &ChangeEvent) -> &TurnRecorded {
    match &event.payload {
        Payload::TurnRecorded(turn) => turn,
        other => panic!("expected a turn, found {other:?}"),
    }
}

#[test]
fn turns_of_version_1_say_what_they_implied_then() {
    let events = events();
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let facts = |event| {
        let turn = turn(event);
        (turn.tokens, turn.turns, turn.seconds, turn.late, turn.overage.len())
    };
    let found: Vec<_> = events[1..].iter().map(facts).collect();
    let expected = [
        (1200, 1, 4, false, 0),
        (u128::from(u64::MAX), 1, 0, true, 0),
        (0, 3, 7, true, 0),
        (0, 1, 1, false, 0),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_envelope_of_an_old_event_is_kept() {
    let old = &events()[2];
    assert_eq!(old.ts.to_string(), "2026-02-03T09:01:10.000001Z");
    assert_eq!(old.session_id.as_deref(), Some("s-9"));
    assert_eq!(old.meta.as_ref().map(|meta| meta.as_str()), Some(r#"{"model":"m \"1\""}"#));
    let key = old.key.as_ref().unwrap();
    assert_eq!((&*key.key, key.fingerprint), ("turn-2", Some(0x0f1e_2d3c_4b5a_6978)));
}

#[test]
fn an_old_event_is_written_in_the_present_version_and_reads_the_same() {
    for event in events() {
        let mut line = Vec::new();
        encode_event(&event, &mut line);
        let text = std::str::from_utf8(&line).unwrap();
        let is_turn = matches!(event.payload, Payload::TurnRecorded(_));
        assert_eq!(text.contains(r#""kind":"turn_recorded","v":2,"data""#), is_turn, "{text}");
        assert_eq!(decode_event(&line), Ok(event));
    }
}

/// Law EXACT: an old amount that JSON readers would round is refused, not rounded.
#[test]
fn an_old_turn_is_held_to_the_form_of_its_own_version() {
    let old = OLD.lines().nth(1).unwrap();
    for (find, put, expected) in [
        ("1200", "18446744073709551616", "an integer below 2^64"),
        ("1200", "12.5", "an integer below 2^64, found 12.5"),
        ("1200", "\"1200\"", "an integer below 2^64"),
        ("1200", "-1", "an integer below 2^64"),
        ("\"tokens\":1200,", "", "missing field `tokens`"),
        ("\"seconds\":4,", "", "missing field `seconds`"),
        ("\"late\"", "\"turns\":1,\"late\"", "unknown field `turns`"),
        ("\"late\"", "\"overage\":[],\"late\"", "unknown field `overage`"),
        ("\"late\"", "\"hours\":1,\"late\"", "unknown field `hours`"),
    ] {
        let bent = old.replacen(find, put, 1);
        assert_ne!(bent, old, "nothing was bent: {find}");
        let error = decode_event(bent.as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::Invalid { seq: Some(2), .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains("turn_recorded v 1") && message.contains(expected), "{message}");
    }
}

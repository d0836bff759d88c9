//! A journal that holds old versions of a kind reads as if they had been written today.

use tallybook::event::{ChangeEvent, DecodeError, Payload, TurnRecorded, decode_event, encode_event};

/// What drafts before the first release wrote: kinds in v 1 (with and without saying so), and one turn of v 2 among
/// them, as a journal looks that an upgraded engine went on with.
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
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
    let facts = |event| {
        let turn = turn(event);
        (turn.tokens, turn.turns, turn.seconds, turn.late, turn.overage.len())
    };
    let found: Vec<_> = events[1..5].iter().map(facts).collect();
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
fn goals_of_version_1_were_widened_by_everyone() {
    for (index, budgets) in [(0, 0), (7, 1)] {
        let event = &events()[index];
        let Payload::GoalCreated(created) = &event.payload else {
            panic!("expected a goal, found {event:?}")
        };
        assert_eq!((created.widen_by.as_deref(), created.budgets.len()), (None, budgets));
    }
}

#[test]
fn limits_of_version_1_were_hard() {
    let event = &events()[5];
    let Payload::BudgetExhausted(exhausted) = &event.payload else { panic!("found {event:?}") };
    assert!(exhausted.hard);
    assert_eq!((exhausted.limit, exhausted.spent, exhausted.overage), (5_000, 5_200, 200));
}

#[test]
fn refusals_of_version_1_were_explained_by_their_limit() {
    let event = &events()[6];
    let Payload::CommandRefused(refused) = &event.payload else { panic!("found {event:?}") };
    assert_eq!((refused.reservation_id.as_ref(), refused.reason.as_deref()), (None, None));
    let figures = (refused.limit, refused.spent, refused.reserved, refused.amount);
    assert_eq!(figures, (Some(5_000), 5_200, 0, 0));
    assert_eq!(event.key.as_ref().unwrap().fingerprint, Some(0xff));
}

#[test]
fn an_old_event_is_written_in_the_present_version_and_reads_the_same() {
    for event in events() {
        let mut line = Vec::new();
        encode_event(&event, &mut line);
        let text = std::str::from_utf8(&line).unwrap();
        let present = format!(r#""kind":"{}","v":2,"data""#, event.payload.kind());
        assert!(text.contains(&present), "{text}");
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
        ("\"late\"", "\"tokens\":1200,\"late\"", "duplicate field `tokens`"),
    ] {
        let bent = old.replacen(find, put, 1);
        assert_ne!(bent, old, "nothing was bent: {find}");
        let error = decode_event(bent.as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::Invalid { seq: Some(2), .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains("turn_recorded v 1") && message.contains(expected), "{message}");
    }
}

#[test]
fn an_old_event_may_not_have_what_its_version_did_not() {
    for (seq, kind, find, put, expected) in [
        (1, "goal_created", "\"budgets\"", "\"widen_by\":null,\"budgets\"", "unknown field `widen_by`"),
        (6, "budget_exhausted", "\"limit\"", "\"hard\":false,\"limit\"", "unknown field `hard`"),
        (7, "command_refused", "\"limit\"", "\"reason\":null,\"limit\"", "unknown field `reason`"),
        (7, "command_refused", "\"limit\":\"5000\"", "\"limit\":null", "expected `limit` as an amount"),
        (7, "command_refused", "\"limit\":\"5000\",", "", "missing field `limit`"),
    ] {
        let old = OLD.lines().nth(seq - 1).unwrap();
        let bent = old.replacen(find, put, 1);
        assert_ne!(bent, old, "nothing was bent: {find}");
        let message = decode_event(bent.as_bytes()).unwrap_err().to_string();
        for part in [format!("seq {seq}"), format!("{kind} v 1"), expected.to_owned()] {
            assert!(message.contains(&part), "{message}");
        }
    }
}

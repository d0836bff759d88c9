//! What both readers promise, for any event and any damage.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::arbitrary::event;
use super::names::Names;
use super::{DecodeError, Decoder, any_form, canonical, decode_event};
use crate::event::{ChangeEvent, Json, Payload, encode_event};

fn encoded(event: &ChangeEvent) -> Vec<u8> {
    let mut line = Vec::new();
    encode_event(event, &mut line);
    line
}

/// The same object with its keys sorted, white space between its parts, and escapes where none are needed.
fn in_another_form(line: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(line).unwrap();
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    let mut text = String::new();
    for char in pretty.chars() {
        match char {
            '/' => text.push_str("\\/"),
            char if char.is_ascii() => text.push(char),
            char => {
                let units = char
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .map(|unit| format!("\\u{unit:04X}"))
                    .collect::<String>();
                text.push_str(&units);
            }
        }
    }
    text
}

/// One way in which a line may be damaged.
#[derive(Debug, Clone)]
enum Damage {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    CutAfter(Index),
    Repeat(Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let byte = || prop_oneof![proptest::sample::select(b"{}[]\",:0129-+.eE\\ \nntu".to_vec()), any::<u8>()];
    prop_oneof![
        (any::<Index>(), byte()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (any::<Index>(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<Index>().prop_map(Damage::Remove),
        any::<Index>().prop_map(Damage::CutAfter),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}

fn damaged(mut line: Vec<u8>, damage: &[Damage]) -> Vec<u8> {
    for one in damage {
        if line.is_empty() {
            break;
        }
        match *one {
            Damage::Replace(at, byte) => *at.get_mut(&mut line) = byte,
            Damage::Insert(at, byte) => line.insert(at.index(line.len()), byte),
            Damage::Remove(at) => drop(line.remove(at.index(line.len()))),
            Damage::CutAfter(at) => line.truncate(at.index(line.len())),
            Damage::Repeat(from, to) => {
                let (from, to) = (from.index(line.len()), to.index(line.len()));
                let piece = line[from.min(to)..from.max(to)].to_vec();
                line.splice(to..to, piece);
            }
        }
    }
    line
}

/// Whether a field is left out where it says nothing: in the most frequent kinds only.
fn may_be_left_out(kind: &str, field: &str) -> bool {
    let always: &[&str] = match kind {
        "spend_recorded" => &["spend_id", "budget_id", "amount"],
        "reservation_made" => &["reservation_id", "budget_id", "amount"],
        "event_recorded" => &["name", "data"],
        _ => return false,
    };
    !always.contains(&field)
}

proptest! {
    /// Law FOLD: what is read back is what was decided.
    #[test]
    fn an_event_reads_as_it_was_written(event in event()) {
        let line = encoded(&event);
        prop_assert_eq!(decode_event(&line), Ok(event));
    }

    #[test]
    fn an_event_is_one_line_of_json_without_white_space_outside_strings(event in event()) {
        let line = encoded(&event);
        prop_assert!(line.iter().all(|&byte| byte >= 0x20));
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        prop_assert_eq!(value["seq"].as_u64(), Some(event.seq));
        prop_assert_eq!(value["kind"].as_str(), Some(event.payload.kind()));
    }

    #[test]
    fn both_readers_read_the_same(event in event()) {
        let line = encoded(&event);
        if !line.contains(&b'\\') {
            prop_assert_eq!(canonical::read_with(&line, &mut Names::default()), Some(event.clone()));
        }
        prop_assert_eq!(any_form::read(&line), Ok(event));
    }

    #[test]
    fn any_form_of_the_same_object_reads_the_same(mut event in event()) {
        // What is the host's is kept byte for byte, so another form of it would be another value.
        event.meta = None;
        if let Payload::EventRecorded(recorded) = &mut event.payload {
            recorded.data = Json::default();
        }
        let other = in_another_form(&encoded(&event));
        prop_assert_eq!(decode_event(other.as_bytes()), Ok(event));
    }

    /// Whatever the fast path takes, the general path takes as the same event: damage too is judged by one rule.
    #[test]
    fn damage_never_panics_and_both_readers_agree(event in event(), damage in vec(damage(), 1..4)) {
        let line = damaged(encoded(&event), &damage);
        let general = any_form::read(&line);
        if let Some(read) = canonical::read_with(&line, &mut Names::default()) {
            prop_assert_eq!(&general, &Ok(read));
        }
        prop_assert_eq!(decode_event(&line), general);
    }

    /// Nothing of one event gets into another: each is read as if it were alone, however often it comes and after what.
    #[test]
    fn events_in_a_row_are_read_as_if_each_were_alone(
        lines in vec((event(), vec(damage(), 0..2)), 1..8),
        order in vec(any::<Index>(), 0..100),
    ) {
        let lines: Vec<Vec<u8>> =
            lines.into_iter().map(|(event, damage)| damaged(encoded(&event), &damage)).collect();
        let mut decoder = Decoder::default();
        for line in order.iter().map(|index| index.get(&lines)) {
            prop_assert_eq!(decoder.decode(line), any_form::read(line));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..64)) {
        prop_assert!(decode_event(&bytes).is_err());
    }

    #[test]
    fn no_field_may_be_missing_doubled_or_added(event in event(), field in any::<Index>()) {
        let line = encoded(&event);
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let names: Vec<&String> = value["data"].as_object().unwrap().keys().collect();
        let name = field.get(&names);

        let mut without = value.clone();
        without["data"].as_object_mut().unwrap().remove(*name);
        let read = decode_event(without.to_string().as_bytes());
        if may_be_left_out(event.payload.kind(), name) {
            prop_assert!(read.is_ok_and(|read| read != event), "{} was not looked at", name);
        } else {
            let error = read.unwrap_err();
            prop_assert!(error.to_string().contains(&format!("missing field `{name}`")), "{}", error);
        }

        let mut added = value.clone();
        added["data"]["extra"] = 1.into();
        let error = decode_event(added.to_string().as_bytes()).unwrap_err();
        prop_assert!(error.to_string().contains("unknown field `extra`"), "{}", error);

        let doubled = format!("\"data\":{{\"{name}\":{},", value["data"][name.as_str()]);
        let doubled = String::from_utf8(line).unwrap().replacen("\"data\":{", &doubled, 1);
        let error = decode_event(doubled.as_bytes()).unwrap_err();
        prop_assert!(error.to_string().contains(&format!("duplicate field `{name}`")), "{}", error);
    }
}

/// A legal event; each test bends one thing about it.
const LINE: &str = r#"{"seq":7,"ts":"2026-11-21T01:15:13.123456Z","kind":"turn_recorded","v":2,"data":{"goal_id":"0193d0a0-0000-7000-8000-000000000001","tokens":"1500","turns":1,"seconds":3,"late":false,"overage":[{"budget_id":"goal:0193d0a0-0000-7000-8000-000000000001","amount":"500"}]},"key":"k","key_body":"00000000000000ff"}"#;

fn error_of(find: &str, put: &str) -> DecodeError {
    let line = LINE.replacen(find, put, 1);
    assert_ne!(line, LINE, "nothing was bent: {find}");
    decode_event(line.as_bytes()).expect_err(&line)
}

#[test]
fn the_line_that_the_tests_bend_is_legal() {
    let event = decode_event(LINE.as_bytes()).unwrap();
    assert_eq!(encoded(&event), LINE.as_bytes());
}

#[test]
fn an_unknown_kind_is_named_with_seq_version_and_who_may_know_it() {
    let error = error_of("turn_recorded\",\"v\":2", "hold_settled\",\"v\":3");
    assert_eq!(error, DecodeError::UnknownKind { seq: 7, kind: "hold_settled".to_owned(), version: 3 });
    let message = error.to_string();
    for part in ["seq 7", "`hold_settled`", "v 3", env!("CARGO_PKG_VERSION"), "newer release"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_newer_version_of_a_kind_is_unsupported_not_invalid() {
    let error = error_of("\"v\":2", "\"v\":3");
    assert_eq!(error, DecodeError::UnsupportedVersion { seq: 7, kind: "turn_recorded", found: 3, known: 2 });
    let message = error.to_string();
    for part in ["seq 7", "`turn_recorded`", "v 3", "up to v 2", "newer release"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_newer_kind_or_version_is_named_even_where_the_envelope_is_newer_too() {
    let kind = error_of("\"kind\":\"turn_recorded\"", "\"host\":1,\"kind\":\"hold_settled\"");
    assert!(matches!(kind, DecodeError::UnknownKind { seq: 7, .. }), "{kind}");
    let version = error_of("\"v\":2", "\"host\":1,\"v\":9");
    assert!(matches!(version, DecodeError::UnsupportedVersion { found: 9, .. }), "{version}");
}

#[test]
fn an_unknown_field_is_named_with_seq_kind_and_version() {
    for (find, put) in [
        ("\"seconds\":3", "\"seconds\":3,\"hours\":1"),
        ("\"key\":\"k\"", "\"hours\":1,\"key\":\"k\""),
        ("\"amount\":\"500\"", "\"amount\":\"500\",\"hours\":1"),
    ] {
        let error = error_of(find, put);
        assert_eq!(error.seq(), Some(7));
        let message = error.to_string();
        for part in ["seq 7", "turn_recorded", "v 2", "unknown field `hours`"] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn a_field_of_the_wrong_form_is_refused_with_what_was_expected_and_found() {
    for (find, put, expected) in [
        ("\"1500\"", "1500", "invalid type: integer `1500`, expected a string"),
        ("\"1500\"", "\"01500\"", "expected an amount below 2^128 as a string"),
        (
            "\"1500\"",
            "\"340282366920938463463374607431768211456\"",
            "340282366920938463463374607431768211456",
        ),
        ("\"turns\":1", "\"turns\":1.0", "expected u64"),
        ("\"turns\":1", "\"turns\":-1", "expected u64"),
        ("\"turns\":1", "\"turns\":18446744073709551616", "expected u64"),
        ("false", "null", "expected a boolean"),
        ("{\"budget_id\"", "[{\"budget_id\"", "expected `,` or `]`"),
        ("goal:0193", "goal:", "expected a goal's UUID after the reserved prefix `goal:`"),
        (":{\"goal_id\":\"0193d0a0-0000", ":{\"goal_id\":\"0193d0a00000", "expected a UUID of 36 characters"),
        ("2026-11-21T01:15:13.123456Z", "2026-11-21T02:15:13.123456+01:00", "expected a time in UTC like"),
        ("2026-11-21T01:15:13.123456Z", "2026-11-21T01:15:13Z", "expected a time in UTC like"),
        ("2026-11-21T01:15:13.123456Z", "2026-02-29T01:15:13.123456Z", "expected a time in UTC like"),
        ("00000000000000ff", "00000000000000FF", "16 lower-case hexadecimal digits"),
        ("00000000000000ff", "+0000000000000ff", "16 lower-case hexadecimal digits"),
        ("\"key\":\"k\",", "", "expected `key` beside `key_body`"),
        ("\"v\":2", "\"v\":0", "expected turn_recorded in a version from 1 to 2, found v 0"),
    ] {
        let error = error_of(find, put);
        let message = error.to_string();
        assert!(matches!(error, DecodeError::Invalid { .. }), "{message}");
        assert!(message.contains(expected), "{put}: {message}");
        assert!(message.contains("seq 7") || message.contains("not an event"), "{message}");
    }
}

#[test]
fn arrays_of_values_do_not_pass_for_objects() {
    let charge = r#"{"budget_id":"goal:0193d0a0-0000-7000-8000-000000000001","amount":"500"}"#;
    let error = error_of(charge, r#"["goal:0193d0a0-0000-7000-8000-000000000001","500"]"#);
    assert!(error.to_string().contains("expected an object, found an array"), "{error}");
    let line = r#"{"seq":1,"ts":"2026-11-21T01:15:13.123456Z","kind":"key_window_set","data":[1,2]}"#;
    let error = decode_event(line.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("expected an object, found an array"), "{error}");
    let line = r#"[1,"2026-11-21T01:15:13.123456Z","key_window_set",1,{"max_age_ms":1,"max_count":2}]"#;
    assert!(decode_event(line.as_bytes()).is_err());
}

/// A line of that kind; `data` without the braces.
fn line_of(kind: &str, data: &str) -> String {
    format!(r#"{{"seq":7,"ts":"2026-11-21T01:15:13.123456Z","kind":"{kind}","data":{{{data}}}}}"#)
}

#[test]
fn a_spend_is_written_without_what_it_does_not_say_and_read_with_it() {
    let short = line_of("spend_recorded", r#""spend_id":"s","budget_id":"b","amount":"1""#);
    let long = r#""spend_id":"s","budget_id":"b","amount":"1","incurred":false,"late":false,"overage":[],"reservation_id":null,"goal_id":null,"meter_id":null,"body":null,"peer":null,"tool":null,"reason":null,"quantities":[],"occurred_at":null"#;
    let event = decode_event(short.as_bytes()).unwrap();
    assert_eq!(encoded(&event), short.as_bytes());
    assert_eq!(decode_event(line_of("spend_recorded", long).as_bytes()), Ok(event));

    let short = line_of("reservation_made", r#""reservation_id":"r","budget_id":"b","amount":"1""#);
    let long =
        r#""reservation_id":"r","budget_id":"b","amount":"1","owner":null,"expires_at":null,"body":null"#;
    let event = decode_event(short.as_bytes()).unwrap();
    assert_eq!(encoded(&event), short.as_bytes());
    assert_eq!(decode_event(line_of("reservation_made", long).as_bytes()), Ok(event));
}

#[test]
fn the_data_of_a_host_is_kept_byte_for_byte_but_for_white_space() {
    let kept = r#"{"b":[1.0,-0,1e2,"\u00e9 }],"],"a":null,"a":[{}]}"#;
    let short = line_of("event_recorded", &format!(r#""name":"n","data":{kept}"#));
    let event = decode_event(short.as_bytes()).unwrap();
    assert_eq!(
        canonical::read_with(short.as_bytes(), &mut Names::default()).as_ref(),
        Some(&event),
        "escapes in it are no surprise"
    );
    assert_eq!(encoded(&event), short.as_bytes());
    let loose = r#"{ "b" : [1.0, -0 , 1e2 ,"\u00e9 }],"]	, "a":null,"a":[ {}]}"#;
    let long = format!(r#""data": {loose} ,"body":null,"event_id":null,"name":"n""#);
    assert_eq!(decode_event(line_of("event_recorded", &long).as_bytes()), Ok(event));
}

#[test]
fn the_data_of_a_host_are_held_to_their_rules() {
    let deep = "[".repeat(65) + &"]".repeat(65);
    for (data, expected) in [
        (deep.as_str(), "nested deeper than 64 levels"),
        ("1e999", "number out of range"),
        (r#""\ud800""#, "hex escape"),
        ("{]", "key must be a string"),
    ] {
        let line = line_of("event_recorded", &format!(r#""name":"n","data":{data}"#));
        let message = decode_event(line.as_bytes()).unwrap_err().to_string();
        assert!(message.contains(expected), "{data}: {message}");
    }
}

/// A total that passes for an increase would be booked again and again (law EXACT).
#[test]
fn a_meter_says_one_thing() {
    for (delta, cumulative, found) in [(r#""1""#, r#""2""#, "both"), ("null", "null", "neither")] {
        let data = format!(
            r#""meter_id":"m","budget_id":null,"delta":{delta},"cumulative":{cumulative},"increase":"1","total":"1""#
        );
        let message = decode_event(line_of("meter_observed", &data).as_bytes()).unwrap_err().to_string();
        let expected = format!("expected one of `delta` and `cumulative`, found {found}");
        assert!(message.contains(&expected), "{message}");
    }
}

#[test]
fn what_is_nested_in_the_terms_of_a_budget_is_held_to_its_form() {
    let data = r#""budget_id":"b","unit":"u","parent":null,"terms":{"limit":"9","hard":true,"thresholds_ppm":[500000],"window":{"every":"day","anchor":null,"tz":null}},"span":{"start":"2026-11-21T00:00:00.000000Z","end":"2026-11-22T00:00:00.000000Z"},"widen_by":["dana"]"#;
    let legal = line_of("budget_allocated", data);
    assert_eq!(encoded(&decode_event(legal.as_bytes()).unwrap()), legal.as_bytes());
    for (find, put, expected) in [
        ("500000", "1000001", "expected parts per million from 0 to 1000000, found 1000001"),
        ("500000", "0.5", "expected u64"),
        ("\"hard\":true,", "", "missing field `hard`"),
        ("\"tz\":null", "\"tz\":null,\"zone\":1", "unknown field `zone`"),
        (",\"tz\":null", "", "missing field `tz`"),
        (r#"{"every":"day","anchor":null,"tz":null}"#, r#"["day",null,null]"#, "found an array"),
        ("22T00:00:00.000000Z", "22T00:00:00Z", "expected a time in UTC like"),
        (",\"widen_by\":[\"dana\"]", "", "missing field `widen_by`"),
        ("\"parent\":null", "\"parent\":\"\"", "expected a budget id of 1 to 200 bytes"),
    ] {
        let bent = legal.replacen(find, put, 1);
        assert_ne!(bent, legal, "nothing was bent: {find}");
        let message = decode_event(bent.as_bytes()).unwrap_err().to_string();
        assert!(message.contains("budget_allocated v 1") && message.contains(expected), "{put}: {message}");
    }
}

#[test]
fn what_is_not_json_is_named_with_its_seq_where_it_begins_like_an_event() {
    for (line, seq) in
        [(&LINE[..200], Some(7)), ("{\"seq\":7", None), ("", None), ("null", None), ("7", None)]
    {
        let error = decode_event(line.as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::Invalid { .. }), "{error}");
        assert_eq!(error.seq(), seq, "{line}");
    }
    let not_utf8 = [LINE.as_bytes(), b"\xff"].concat();
    assert_eq!(decode_event(&not_utf8).unwrap_err().seq(), Some(7));
}

#[test]
fn white_space_around_an_event_is_no_part_of_it() {
    let event = decode_event(LINE.as_bytes()).unwrap();
    assert_eq!(decode_event(format!(" \t{LINE}\r\n").as_bytes()), Ok(event));
    assert!(decode_event(format!("{LINE}{LINE}").as_bytes()).is_err());
}

#[test]
fn metadata_in_an_event_are_held_to_their_rules() {
    let with_meta = |meta: &str| LINE.replacen("\"key\":\"k\"", &format!("\"meta\":{meta},\"key\":\"k\""), 1);
    let event = decode_event(with_meta("{ \"a\" : 1.50 }").as_bytes()).unwrap();
    assert_eq!(event.meta.unwrap().as_str(), "{\"a\":1.50}");
    let too_long = format!("{{\"a\":\"{}\"}}", "x".repeat(4096));
    for (meta, expected) in [("[]", "found an array"), (too_long.as_str(), "at most 4096 bytes")] {
        let error = decode_event(with_meta(meta).as_bytes()).unwrap_err();
        assert_eq!(error.seq(), Some(7));
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn every_kind_is_drawn_by_the_tests_above() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let drawn = |runner: &mut _| event().new_tree(runner).unwrap().current().payload.kind();
    let kinds: std::collections::BTreeSet<_> = (0..400).map(|_| drawn(&mut runner)).collect();
    assert_eq!(kinds, Payload::KINDS.into_iter().collect());
}

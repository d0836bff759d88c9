//! Events of the host's own: what is taken, and how what is not taken is named.

use super::super::*;
use super::{command, message, read};
use crate::domain::RecordEvent;
use crate::event::Json;

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

#[test]
fn any_json_is_taken_and_kept_as_it_was_given() {
    let kept = r#"{"b":[1.50,-0,1e2],"a":"\u00e9 é","b":null}"#;
    let line = format!(
        r#"{{"op":"record_event","name":"tool_finished","data": {},"event_id":"e-1"}}"#,
        kept.replace(',', " , ")
    );
    assert_eq!(command(&line), RecordEvent::new("tool_finished", json(kept)).id("e-1").into());
    for scalar in ["null", "false", "0", "-1.50e+3", "\"\"", "[]", "{}", "[[{}]]"] {
        for id in ["", r#","event_id":null"#] {
            let line = format!(r#"{{"op":"record_event","data":{scalar},"name":"n"{id}}}"#);
            assert_eq!(command(&line), RecordEvent::new("n", json(scalar)).into(), "{line}");
        }
    }
}

#[test]
fn an_event_carries_what_every_command_may_carry() {
    let line =
        r#"{"op":"record_event","name":"n","data":1,"session_id":"s","key":"k","actor":"a","meta":{}}"#;
    let expected = Request::from(RecordEvent::new("n", json("1"))).session("s").key("k").actor("a");
    assert_eq!(read(line).unwrap(), Operation::Command(Box::new(expected.meta(Meta::parse("{}").unwrap()))));
}

#[test]
fn what_will_not_do_is_named() {
    let deep = "[".repeat(65) + &"]".repeat(65);
    let long = "x".repeat(201);
    for (fields, expected) in [
        (r#""data":1"#.to_owned(), "name: expected the name of an event, found no such field"),
        (r#""name":"n""#.to_owned(), "data: expected a JSON value, found no such field"),
        (r#""name":null,"data":1"#.to_owned(), "name: expected a string, found null"),
        (r#""name":5,"data":1"#.to_owned(), "name: expected a string, found 5"),
        (format!(r#""name":"n","data":{deep}"#), "data: expected valid JSON: nested deeper than 64 levels"),
        (r#""name":"n","data":1e999"#.to_owned(), "data: expected valid JSON: number out of range"),
        (
            r#""name":"n","data":"\ud800""#.to_owned(),
            "data: expected valid JSON: unexpected end of hex escape",
        ),
        (r#""name":"n","data":1,"event_id":5"#.to_owned(), "event_id: expected a string, found 5"),
        (
            r#""name":"n","data":1,"event_id":"""#.to_owned(),
            "event_id: expected an event id of 1 to 200 bytes",
        ),
        (
            format!(r#""name":"n","data":1,"event_id":"{long}""#),
            "event_id: expected an event id of 1 to 200 bytes",
        ),
        (r#""name":"n","data":1,"data":1"#.to_owned(), "data: expected once, found twice"),
        (
            r#""name":"n","data":1,"id":"x""#.to_owned(),
            "unknown field \"id\"; record_event takes name, data, event_id",
        ),
        (r#""name":"n","data":{a:1}"#.to_owned(), "expected a JSON object, found malformed JSON"),
    ] {
        let message = message(&format!(r#"{{"op":"record_event",{fields}}}"#));
        assert!(message.starts_with(expected), "{fields}: {message}");
    }
}

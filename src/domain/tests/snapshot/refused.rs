//! Lines that are no state, and why.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::page::{examples, fields, part};
use super::{refusal, restore};
use crate::domain::{RestoreError, StateRestorer};

/// The fields of a line, in their order, as they stand.
fn split(line: &str) -> Vec<(String, String)> {
    let raw: BTreeMap<String, Box<RawValue>> = serde_json::from_str(line).unwrap();
    let mut fields: Vec<_> = raw.into_iter().map(|(key, value)| (key, value.get().to_owned())).collect();
    fields.sort_by_key(|(key, value)| line.find(&format!(r#""{key}":{value}"#)).unwrap());
    fields
}

fn join(fields: &[(String, String)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(key, value)| format!(r#""{key}":{value}"#)).collect();
    format!("{{{}}}", fields.join(","))
}

/// The state of the page with one line changed.
fn with(index: usize, line: &str) -> Vec<String> {
    let mut lines: Vec<String> = examples().into_iter().map(str::to_owned).collect();
    line.clone_into(&mut lines[index]);
    lines
}

/// The refusal of a changed line says which one, of what part, and which field.
#[track_caller]
fn check_named(index: usize, line: &str, name: &str, says: &str) {
    let message = refusal(&with(index, line));
    let place = format!("in line {} of the state: {name}: ", index + 1);
    assert!(message.starts_with(&place) && message.contains(says), "{line}\n{message}");
}

#[test]
fn a_field_that_is_missing_is_named_unless_it_may_be_left_out() {
    for (index, line) in examples().into_iter().enumerate() {
        for (field, may_be_left_out) in fields(part(line)) {
            let mut rest = split(line);
            rest.retain(|(key, _)| key != field);
            match (may_be_left_out, restore(&with(index, &join(&rest)))) {
                (false, _) => {
                    check_named(index, &join(&rest), part(line), &format!("missing field `{field}`"));
                }
                (true, Err(RestoreError::Invalid(message))) => {
                    assert!(!message.contains("missing field"), "{message}");
                }
                (true, other) => assert!(other.is_ok(), "{other:?}"),
            }
        }
    }
}

#[test]
fn a_field_that_is_unknown_doubled_or_of_another_type_is_named() {
    for (index, line) in examples().into_iter().enumerate() {
        let (name, all) = (part(line), split(line));
        let mut unknown = all.clone();
        unknown.push(("surprise".to_owned(), "1".to_owned()));
        check_named(index, &join(&unknown), name, "unknown field `surprise`");
        for place in 1..all.len() {
            let field = &all[place].0;
            let mut doubled = all.clone();
            doubled.push(all[place].clone());
            check_named(index, &join(&doubled), name, &format!("duplicate field `{field}`"));
            for value in ["[[]]", "-1", "1.5", r#"[{"at":1}]"#] {
                let mut other = all.clone();
                value.clone_into(&mut other[place].1);
                check_named(index, &join(&other), name, field);
            }
        }
    }
}

#[test]
fn a_text_that_is_no_such_value_is_named() {
    for (find, replace, says) in [
        (
            r#""spent":"741500""#,
            r#""spent":"0741500""#,
            r#"in field `spent`: expected an amount below 2^128"#,
        ),
        (
            r#""spent":"741500""#,
            r#""spent":"340282366920938463463374607431768211456""#,
            "in field `spent`: expected an",
        ),
        (
            r#""at":"2026-11-21T01:15:23.000000Z","first"#,
            r#""at":"2026-11-21T01:15:23Z","first"#,
            "in field `at`: expected a time in UTC",
        ),
        (
            r#""key":"bill-9","body":"9f"#,
            r#""key":"bill-9","body":"9F"#,
            "in field `body`: expected 16 lower-case hexadecimal",
        ),
        (
            r#""goal_id":"019a9f3c-5b1c"#,
            r#""goal_id":"019a9f3c-5b1d-5b1c"#,
            "in field `goal_id`: expected a goal's UUID",
        ),
        (
            r#""budget_id":"goal:019a"#,
            r#""budget_id":"goal:"#,
            "in field `budget_id`: expected a goal's UUID after the reserved prefix",
        ),
        (
            r#""budget_id":"team","unit""#,
            r#""budget_id":"","unit""#,
            "in field `budget_id`: expected a budget id of 1 to 200",
        ),
        (
            r#""reservation_id":"call-17""#,
            r#""reservation_id":"call\n17""#,
            "in field `reservation_id`: expected an id of 1 to 200",
        ),
        (
            r#""status":"paused""#,
            r#""status":"asleep""#,
            r#"in field `status`: expected the status active, paused, completed or cleared, found "asleep""#,
        ),
        (
            r#""pause_reason":"blocked""#,
            r#""pause_reason":"tired""#,
            "in field `pause_reason`: expected the reason requested,",
        ),
        (r#""status":"open""#, r#""status":"shut""#, "in field `status`: expected the status open, unknown,"),
        (
            r#""kind":"cumulative""#,
            r#""kind":"total""#,
            "in field `kind`: expected the kind cumulative or delta",
        ),
        (
            r#""task-7","refusal":"budget_exceeded""#,
            r#""task-7","refusal":"mood""#,
            "in field `refusal`: expected the refusal budget_exceeded,",
        ),
        (
            r#""progress_ppm":250000"#,
            r#""progress_ppm":1000001"#,
            "in field `progress_ppm`: expected parts per million from 0 to 1000000, found 1000001",
        ),
        (
            r#"{"spend":"invoice-9"}"#,
            r#"{"spree":"invoice-9"}"#,
            "key: in field `outcome`: unknown variant `spree`",
        ),
        (r#""limit":null,"#, "", "budget: in field `terms`: missing field `limit`"),
        (r#""hard":true,"#, r#""hard":true,"soft":true,"#, "budget: in field `terms`: unknown field `soft`"),
        (r#"{"ticket":"OPS-7"}"#, r#"{"ticket":1e999}"#, "expected meta to be valid JSON"),
    ] {
        let message = refusal(&changed(find, replace));
        assert!(message.contains(says), "{replace}\n{message}");
    }
}

#[test]
fn null_is_no_value_but_where_the_page_says_so() {
    for (index, line) in examples().into_iter().enumerate() {
        let all = split(line);
        let may_be_null = |field: &str| field.ends_with("forgotten_through");
        for (field, _) in fields(part(line)).into_iter().filter(|(_, may_be_left_out)| !may_be_left_out) {
            let mut null = all.clone();
            let place = null.iter().position(|(key, _)| key == field).unwrap();
            "null".clone_into(&mut null[place].1);
            if !may_be_null(field) {
                check_named(index, &join(&null), part(line), &format!("in field `{field}`: "));
            }
        }
    }
}

#[test]
fn an_array_of_the_fields_values_is_no_object() {
    for (find, replace) in [
        (
            r#""closed":{"at":"2026-11-21T01:15:25.000000Z","released":["call-16"]}"#,
            r#""closed":["2026-11-21T01:15:25.000000Z",["call-16"]]"#,
        ),
        (r#"[{"name":"tokens_in","amount":"1200"}]"#, r#"[["tokens_in","1200"]]"#),
    ] {
        let message = refusal(&changed(find, replace));
        assert!(message.contains("expected an object"), "{message}");
    }
    let message = refusal(&[r#"["memory",1]"#]);
    assert!(message.starts_with("in line 1 of the state: "), "{message}");
}

/// The state of the page with one thing changed.
#[track_caller]
pub(super) fn changed(find: &str, replace: &str) -> Vec<String> {
    let lines = examples().join("\n");
    assert!(lines.contains(find), "{find}");
    lines.replacen(find, replace, 1).lines().map(str::to_owned).collect()
}

fn error(line: &str) -> RestoreError {
    StateRestorer::after(u64::MAX).line(line.as_bytes()).unwrap_err()
}

#[test]
fn a_part_or_version_that_is_not_known_is_unsupported() {
    let unsupported =
        |part: &str, version| RestoreError::Unsupported { line: 1, part: part.to_owned(), version };
    assert_eq!(error(r#"{"part":"swarm","bees":7}"#), unsupported("swarm", 1));
    assert_eq!(error(r#"{ "bees" : 7, "v" : 3, "part" : "swarm" }"#), unsupported("swarm", 3));
    assert_eq!(error(r#"{"part":"memory","v":2,"max_age_ms":{}}"#), unsupported("memory", 2));
    assert_eq!(error(r#"{"max_age_ms":{},"\u0076":2,"part":"memor\u0079"}"#), unsupported("memory", 2));
    let message = unsupported("memory", 2).to_string();
    assert!(
        message.starts_with("line 1 of the state is of part `memory` (v 2), which tallybook "),
        "{message}"
    );
    for (line, says) in [
        (r#"{"part":"memory","v":0}"#, "in line 1 of the state: expected memory from v 1 on, found v 0"),
        (r#"{"v":1}"#, "missing field `part`"),
        (r#"{"part":7}"#, "in field `part`"),
        (r#"{"part":"memory","v":"1"}"#, "in field `v`"),
        (r#"{"part":"memory""#, "in line 1 of the state: "),
        ("", "in line 1 of the state: "),
        ("null", "in line 1 of the state: "),
    ] {
        let message = refusal(&[line]);
        assert!(message.contains(says), "{line}\n{message}");
    }
    assert!(StateRestorer::after(u64::MAX).line(b"{\"part\":\"\xff\"}").is_err());
}

/// What comes next has to come behind all that is there.
#[test]
fn nothing_in_a_state_is_younger_than_the_last_event_in_it() {
    let restore_after = |seq| {
        let mut restorer = StateRestorer::after(seq);
        examples().iter().for_each(|line| restorer.line(line.as_bytes()).unwrap());
        restorer.finish()
    };
    let youngest = (0..10_000).find(|&seq| restore_after(seq).is_ok()).unwrap();
    assert!(youngest > 0);
    for seq in 0..youngest {
        let message = restore_after(seq).unwrap_err().to_string();
        assert!(message.contains(&format!("expected nothing after seq {seq}")), "{message}");
    }
}

/// Any JSON of the same object is the same line.
#[test]
fn another_text_of_the_same_object_is_taken() {
    let lines: Vec<String> = examples()
        .into_iter()
        .map(|line| {
            let mut fields = split(line);
            fields.push(("v".to_owned(), "1".to_owned()));
            fields.reverse();
            format!(" {} ", join(&fields).replace("\":", "\" : ").replace("part", "p\\u0061rt"))
        })
        .collect();
    let state = restore(&lines).unwrap();
    assert_eq!(super::lines(&state), examples());
}

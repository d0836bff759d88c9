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
fn changed(find: &str, replace: &str) -> Vec<String> {
    let lines = examples().join("\n");
    assert!(lines.contains(find), "{find}");
    lines.replacen(find, replace, 1).lines().map(str::to_owned).collect()
}

const GOAL_1: &str = "019a9f3c-5b1c-7000-8000-000000000001";
const GOAL_2: &str = "019a9f3c-5b1c-7000-8000-000000000002";

#[test]
fn what_refers_to_nothing_is_named() {
    for (find, replace, says) in [
        (r#""parent":"team""#, r#""parent":"crew""#, "budget: task-7: expected budget crew before it"),
        (
            r#""budget_id":"task-7","updated_at""#,
            r#""budget_id":"crew","updated_at""#,
            "meter: provider-a: expected budget crew before it",
        ),
        (
            r#""budgets":["team"]"#,
            r#""budgets":["team","crew"]"#,
            &format!("goal: {GOAL_1}: expected budget crew before it"),
        ),
        (
            &format!(r#""parent_goal":"{GOAL_1}""#),
            r#""parent_goal":"019a9f3c-5b1c-7000-8000-000000000009""#,
            &format!("goal: {GOAL_2}: expected its parent, goal 019a9f3c-5b1c-7000-8000-000000000009,"),
        ),
        (
            r#""budget_id":"team","amount":"250000","owner""#,
            r#""budget_id":"crew","amount":"250000","owner""#,
            "reservation: call-17: expected budget crew before it",
        ),
        (
            r#""budget_id":"task-7","amount":"300000","reversed""#,
            r#""budget_id":"crew","amount":"300000","reversed""#,
            "spend: invoice-9: expected budget crew before it",
        ),
        (
            r#""meter_id":"provider-a","body""#,
            r#""meter_id":"provider-b","body""#,
            "spend: invoice-9: expected meter provider-b before it",
        ),
        (
            r#""budget_id":"task-7","amount":"300000"}"#,
            r#""budget_id":"crew","amount":"300000"}"#,
            "booking: seq 14: expected budget crew before it",
        ),
        (
            r#"{"part":"releasing","budget_id":"team""#,
            r#"{"part":"releasing","budget_id":"crew""#,
            "releasing: expected budget crew before it",
        ),
    ] {
        let message = refusal(&changed(find, replace));
        assert!(message.contains(says), "{replace}\n{message}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (find, replace, says) in [
        (
            r#""made_seq":2,"#,
            r#""made_seq":1,"#,
            "budget: task-7: expected it in the order of `made_seq`, found 1 after 1",
        ),
        (
            r#""unit":"usd-micro","parent""#,
            r#""unit":"wei","parent""#,
            r#"task-7: expected the unit "usd-micro" of budget team, found "wei""#,
        ),
        (r#""parent":"team""#, r#""parent":"task-7""#, "task-7: expected budget task-7 before it"),
        (
            &format!(r#""unit":"tokens","parent":"goal:{GOAL_1}""#),
            r#""unit":"tokens","parent":"team""#,
            "expected budgets of goals under those of goals",
        ),
        (
            &format!(r#""unit":"tokens","parent":"goal:{GOAL_1}","#),
            r#""unit":"tokens","#,
            "expected its budget under that of its parent",
        ),
        (
            r#""unit":"tokens","terms""#,
            r#""unit":"wei","terms""#,
            r#"expected the unit "tokens" for a budget of a goal, found "wei""#,
        ),
        (r#""crossed":2"#, r#""crossed":3"#, "expected at most 2 thresholds crossed, found 3"),
        (r#"[500000,950000]"#, r#"[950000,500000]"#, "expected thresholds above 0, ascending"),
        (
            r#""rolled_seq":9"#,
            r#""rolled_seq":0"#,
            "expected `spent` within `spent_total`, found 541500 of 741500",
        ),
        (r#""spent":"541500""#, r#""spent":"741501""#, "expected `spent` within `spent_total`"),
        (
            r#""span":{"start":"2026-11-20T06:00:00.000000Z","end":"2026-11-21T06:00:00.000000Z"},"#,
            "",
            "expected `span` where there are windows",
        ),
        (
            r#""spent":"741500","spent_total":"741500","reserved":"250000""#,
            r#""spent":"741500","spent_total":"741500","reserved":"340282366920938463463374607431768211455""#,
            "team: expected sums within bounds",
        ),
        (r#""ordinal":1"#, r#""ordinal":0"#, "expected it in the order of `ordinal`, found 0 after 0"),
        (
            r#""status":"paused","pause_reason":"blocked""#,
            r#""status":"paused""#,
            "expected `pause_reason` where it is paused",
        ),
        (
            r#""status":"paused","pause_reason""#,
            r#""status":"active","pause_reason""#,
            "expected `pause_reason` where it is paused",
        ),
        (
            r#","completed_at":"2026-11-21T01:15:21.500000Z""#,
            "",
            "expected `completed_at` where it has ended",
        ),
        (
            r#""completed_at":"2026-11-21T01:15:21.500000Z""#,
            r#""completed_at":"2026-11-21T01:15:21.000000Z""#,
            "expected its budget to have ended with it",
        ),
        (r#""status":"open""#, r#""status":"expired""#, "call-17: expected `ended_at` where it has ended"),
        (r#","ended_seq":14"#, "", "expected `ended_seq` where it has ended"),
        (r#""status":"settled""#, r#""status":"released""#, "expected `spend_id` where it is settled"),
        (
            r#""budget_id":"team","amount":"250000","owner""#,
            r#""budget_id":"task-7","amount":"250000","owner""#,
            "call-17: expected nothing set aside on budget task-7, which is closed",
        ),
        (
            r#""made_seq":12"#,
            r#""made_seq":16"#,
            "expected no other to be made by seq 16, found reservation call-17",
        ),
        (
            r#""reversed":"0""#,
            r#""reversed":"300001""#,
            "expected at most 300000 to be reversed, found 300001",
        ),
        (r#""last_seq":15,"at""#, r#""last_seq":13,"at""#, "expected `last_seq` from 14 on, found 13"),
        (
            r#""seq":17"#,
            r#""seq":14"#,
            "booking: seq 14: expected it in the order of events, found seq 14 after seq 14",
        ),
        (
            r#"{"part":"releasing""#,
            r#"{"part":"event_id","event_id":"e","body":"9f86d081884c7d65","at":"2026-11-21T01:15:27.000000Z","seq":19}
{"part":"releasing""#,
            "event_id: e: expected it in the order of events, found seq 19 after seq 19",
        ),
        (
            r#""first_seq":18"#,
            r#""first_seq":13"#,
            "expected it in the order of events, found seq 13 after seq 14",
        ),
        (r#""last_seq":18"#, r#""last_seq":17"#, "expected `last_seq` from 18 on, found 17"),
        (r#""key":"réserve 2""#, r#""key":"bill-9""#, r#"key: "bill-9": expected it once"#),
        (
            r#""refusals_minute":"2026-11-21T01:15:00"#,
            r#""refusals_minute":"2026-11-21T01:15:01"#,
            "expected the start of a minute, found 2026-11-21T01:15:01.000000Z",
        ),
        (
            r#""max_count":65536"#,
            r#""max_count":1"#,
            "in the state as a whole: expected at most 1 remembered keys, found 2",
        ),
        (
            r#""spent":"741500","spent_total":"741500","reserved":"250000""#,
            r#""spent":"741499","spent_total":"741499","reserved":"250000""#,
            "in the state as a whole: expected budget team to have spent at least 741500, found 741499",
        ),
        (
            r#""tokens_own":"3000""#,
            r#""tokens_own":"3001""#,
            &format!("expected budget goal:{GOAL_1} to have spent at least 4101, found 4100"),
        ),
        (
            r#""amount":"250000","owner""#,
            r#""amount":"250001","owner""#,
            "expected budget team to have 250001 reserved, found 250000",
        ),
        (
            r#""entry_count":3"#,
            r#""entry_count":0"#,
            "expected budget task-7 to have at least 1 entries, found 0",
        ),
        (
            r#""tokens_own":"1100""#,
            r#""tokens_own":"340282366920938463463374607431768211455""#,
            "to have spent at least 340282366920938463463374607431768211455, found 1100",
        ),
    ] {
        let message = refusal(&changed(find, replace));
        assert!(message.contains(says), "{replace}\n{message}");
    }
}

#[test]
fn a_line_comes_once_and_in_its_order() {
    let examples = examples();
    for (index, line) in examples.iter().enumerate() {
        let mut doubled = examples.clone();
        doubled.insert(index + 1, line);
        let message = refusal(&doubled);
        assert!(
            message.starts_with(&format!("in line {} of the state: {}: ", index + 2, part(line))),
            "{message}"
        );
    }
    let without = |name: &str| examples.iter().copied().filter(|line| part(line) != name).collect::<Vec<_>>();
    let message = refusal(&without("memory"));
    assert_eq!(message, "in line 1 of the state: budget: expected the part `memory` first, and once");
    let message = refusal(&without("goal"));
    assert_eq!(
        message,
        format!("in the state as a whole: expected goal {GOAL_1}, whose budget there is, found none")
    );
    assert_eq!(refusal::<&str>(&[]), "expected the lines of a state, found none");
}

/// Two that are active in one scope; one that is doubled under another number.
#[test]
fn a_scope_has_one_active_goal() {
    let active = |line: &str| {
        line.replace(r#""status":"paused","pause_reason":"blocked""#, r#""status":"active""#)
            .replace(r#""status":"completed""#, r#""status":"active""#)
            .replace(r#","completed_at":"2026-11-21T01:15:21.500000Z""#, "")
            .replace(r#","closed":{"at":"2026-11-21T01:15:21.500000Z","released":[]}"#, "")
            .replace(&format!(r#""scope":"{GOAL_2}""#), r#""scope":"thread-7""#)
    };
    let lines: Vec<String> = examples().into_iter().map(active).collect();
    let message = refusal(&lines);
    let says =
        format!(r#"goal: {GOAL_2}: expected one active goal in scope "thread-7", found goal {GOAL_1}, too"#);
    assert!(message.contains(&says), "{message}");
}

fn error(line: &str) -> RestoreError {
    StateRestorer::default().line(line.as_bytes()).unwrap_err()
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
    assert!(StateRestorer::default().line(b"{\"part\":\"\xff\"}").is_err());
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

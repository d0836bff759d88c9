//! Reading lines: what is taken, and how what is not taken is named.

use super::super::*;
use super::{GOAL, command, message, query, read};
use crate::domain::{NewGoal, RecordTurn, SetGoalBudget, TransitionGoal, Turn};
use crate::event::GoalStatus;
use crate::ids::GoalId;

fn goal_id() -> GoalId {
    GOAL.parse().unwrap()
}

#[test]
fn a_goal_is_created_with_all_it_may_have() {
    let line = r#" {"op":"create_goal","text":"a \"b\" \u00e9","goal_id":"GOAL","scope":"s","token_budget":"340282366920938463463374607431768211455","parent_goal":"GOAL","budgets":["money"],"widen_by":["ada",""]} "#;
    let expected = NewGoal::new("a \"b\" é")
        .id(goal_id())
        .scope("s")
        .token_budget(u128::MAX)
        .parent(goal_id())
        .budget("money")
        .widen_by(["ada", ""]);
    assert_eq!(command(line), expected.into());
    assert_eq!(command(r#"{"text":"a","op":"create_goal"}"#), NewGoal::new("a").into());
}

#[test]
fn what_may_be_left_out_may_be_null() {
    let line = r#"{"op":"create_goal","text":"a","goal_id":null,"scope":null,"token_budget":null,"parent_goal":null,"budgets":null,"widen_by":null,"key":null,"actor":null,"session_id":null,"meta":null}"#;
    assert_eq!(read(line).unwrap(), Operation::Command(Box::new(NewGoal::new("a").into())));
    assert!(message(r#"{"op":"create_goal","text":null}"#).contains("text: expected a string, found null"));
}

#[test]
fn a_goal_is_moved_and_its_budget_set() {
    let expected =
        TransitionGoal::new(goal_id(), GoalStatus::Paused).expected_revision(3).blocked().note("n");
    assert_eq!(
        command(
            r#"{"op":"transition_goal","goal_id":"GOAL","to":"paused","expected_revision":3,"reason":"blocked","note":"n"}"#
        ),
        expected.into()
    );
    assert_eq!(
        command(
            r#"{"op":"set_goal_budget","goal_id":"GOAL","token_budget":7,"resume":true,"expected_revision":0}"#
        ),
        SetGoalBudget::new(goal_id(), Some(7)).resume().expected_revision(0).into()
    );
    assert_eq!(
        command(r#"{"op":"set_goal_budget","goal_id":"GOAL","token_budget":null}"#),
        SetGoalBudget::new(goal_id(), None).into()
    );
    assert!(
        message(r#"{"op":"set_goal_budget","goal_id":"GOAL"}"#)
            .contains("token_budget: expected an amount, or null")
    );
}

#[test]
fn a_turn_is_booked_on_a_goal_or_on_a_scope() {
    let turn = Turn::tokens(18_446_744_073_709_551_615).seconds(2).charge("money", 5);
    assert_eq!(
        command(
            r#"{"op":"record_turn","tokens":18446744073709551615,"goal_id":"GOAL","seconds":2,"charges":[{"amount":"5","budget_id":"money"}]}"#
        ),
        RecordTurn::goal(goal_id(), turn).into()
    );
    assert_eq!(
        command(r#"{"op":"record_turn","tokens":"0"}"#),
        RecordTurn::scope("", Turn::tokens(0)).into()
    );
    assert_eq!(
        command(r#"{"op":"record_turn","tokens":1,"scope":"s"}"#),
        RecordTurn::scope("s", Turn::tokens(1)).into()
    );
    let both = message(r#"{"op":"record_turn","tokens":1,"scope":"s","goal_id":"GOAL"}"#);
    assert_eq!(both, "expected goal_id or scope, found both");
}

#[test]
fn the_envelope_is_kept() {
    let line =
        r#"{"op":"record_turn","tokens":1,"key":"k","actor":"a","session_id":"s","meta":{ "n": 1.0 }}"#;
    let Ok(Operation::Command(request)) = read(line) else { panic!("{:?}", read(line)) };
    assert_eq!((request.key.as_deref(), request.actor.as_deref()), (Some("k"), Some("a")));
    assert_eq!(request.session_id.as_deref(), Some("s"));
    assert_eq!(request.meta.unwrap().as_str(), r#"{"n":1.0}"#);
}

#[test]
fn queries_are_read() {
    assert_eq!(query(r#"{"op":"get_goal","goal_id":"GOAL"}"#), Query::Goal(goal_id()));
    assert_eq!(query(r#"{"op":"active_goal"}"#), Query::ActiveGoal("".into()));
    assert_eq!(query(r#"{"op":"head","key":"ignored"}"#), Query::Head);
    assert_eq!(query(r#"{"op":"list_goals"}"#), Query::Goals(crate::domain::GoalQuery::default()));
    let Query::Goals(goals) =
        query(r#"{"op":"list_goals","limit":2,"before":"GOAL","scope":"s","status":"active"}"#)
    else {
        panic!()
    };
    assert_eq!((goals.limit, goals.before), (2, Some(goal_id())));
    assert_eq!((goals.scope.as_deref(), goals.status), (Some("s"), Some(GoalStatus::Active)));
}

#[test]
fn now_is_only_for_a_manual_clock() {
    let line = br#"{"op":"head","now":"2026-01-02T03:04:05+01:00"}"#;
    let now = parse_line(line, true).unwrap().now.unwrap();
    assert_eq!(now.to_string(), "2026-01-02T02:04:05.000000Z");
    let rejection = parse_line(line, false).unwrap_err();
    assert_eq!(
        rejection.message,
        "now: expected only with a manual clock, found \"2026-01-02T03:04:05+01:00\""
    );
    assert!(
        parse_line(br#"{"op":"head","now":5}"#, true).unwrap_err().message.contains("now: expected a string")
    );
    assert!(parse_line(br#"{"op":"head","now":"noon"}"#, true).unwrap_err().message.contains("RFC 3339"));
}

#[test]
fn what_is_no_json_object_is_named() {
    for (line, expected) in [
        ("", "malformed JSON: EOF while parsing a value"),
        ("{\"op\":", "malformed JSON: EOF while parsing a value at column 6"),
        ("{\"op\":\"head\"} {}", "malformed JSON: trailing characters at column 15"),
        ("{'op':'head'}", "malformed JSON: key must be a string at column 2"),
        ("[1]", "expected a JSON object, found [1]"),
        (" null ", "expected a JSON object, found null"),
        ("\"head\"", "expected a JSON object, found \"head\""),
        ("{\"op\":\"create_goal\",\"text\":\"\\ud800\"}", "text: expected a string, found"),
    ] {
        assert!(message(line).contains(expected), "{line}: {}", message(line));
    }
    let rejection = parse_line(b"{\"op\":\"h\xffd\"}", false).unwrap_err();
    assert_eq!(rejection.message, "expected UTF-8, found the byte 0xff at offset 8 of the line");
    assert!(read(&"[".repeat(100_000)).is_err(), "nesting must not overflow the stack");
}

#[test]
fn unknown_operations_and_fields_are_refused() {
    for op in ["allocate_budget", "Reserve", "", "HEAD"] {
        assert!(message(&format!(r#"{{"op":"{op}"}}"#)).starts_with("unknown op "), "{op}");
    }
    assert!(message("{}").starts_with("op: expected the name of an operation, found no such field"));
    assert!(message(r#"{"op":1}"#).contains("op: expected a string, found 1"));
    let unknown = message(r#"{"op":"get_goal","goal_id":"GOAL","nothing":1}"#);
    assert_eq!(unknown, "unknown field \"nothing\"; get_goal takes goal_id");
    let nested = message(r#"{"op":"record_turn","tokens":1,"charges":[{"budget_id":"m","amount":1,"x":2}]}"#);
    assert_eq!(nested, "unknown field \"charges[0].x\"; it takes budget_id, amount");
}

#[test]
fn a_field_given_twice_is_refused() {
    let twice = message(r#"{"op":"record_turn","tokens":1,"tokens":1}"#);
    assert_eq!(twice, "tokens: expected once, found twice");
    let escaped = message(r#"{"op":"record_turn","tokens":1,"t\u006fkens":2}"#);
    assert_eq!(escaped, "tokens: expected once, found twice");
    let nested =
        message(r#"{"op":"record_turn","tokens":1,"charges":[{"budget_id":"m","amount":1,"amount":2}]}"#);
    assert_eq!(nested, "charges[0].amount: expected once, found twice");
}

#[test]
fn amounts_are_exact_or_refused() {
    for bad in [
        "-1",
        "1.0",
        "1e3",
        "-0",
        "18446744073709551616",
        "true",
        "[]",
        "{}",
        "null",
        "\"\"",
        "\"01\"",
        "\"+1\"",
        "\"-1\"",
        "\"1.5\"",
        "\" 1\"",
        "\"0x10\"",
        "\"340282366920938463463374607431768211456\"",
        "\"١\"",
    ] {
        let message = message(&format!(r#"{{"op":"record_turn","tokens":{bad}}}"#));
        assert!(message.starts_with("tokens: expected an amount"), "{bad}: {message}");
        assert!(message.ends_with(&format!("found {bad}")), "{bad}: {message}");
    }
}

#[test]
fn other_types_are_refused_by_name() {
    for (fields, expected) in [
        (r#""op":"create_goal","text":5"#, "text: expected a string, found 5"),
        (r#""op":"create_goal","text":"a","scope":{}"#, "scope: expected a string, found {}"),
        (
            r#""op":"create_goal","text":"a","goal_id":"abc""#,
            "goal_id: expected a UUID of 36 characters, found \"abc\"",
        ),
        (r#""op":"create_goal","text":"a","parent_goal":1"#, "parent_goal: expected a string, found 1"),
        (r#""op":"create_goal","text":"a","budgets":"m""#, "budgets: expected an array, found \"m\""),
        (r#""op":"create_goal","text":"a","budgets":["m",2]"#, "budgets[1]: expected a string, found 2"),
        (r#""op":"create_goal","text":"a","budgets":["goal:x"]"#, "budgets[0]: expected a goal's UUID after"),
        (r#""op":"create_goal","text":"a","widen_by":"ada""#, "widen_by: expected an array, found \"ada\""),
        (r#""op":"create_goal","text":"a","key":7"#, "key: expected a string, found 7"),
        (
            r#""op":"create_goal","text":"a","meta":[1]"#,
            "meta: expected meta to be a JSON object, found an array",
        ),
        (r#""op":"transition_goal","goal_id":"GOAL","to":"done""#, "to: expected \"active\", \"paused\""),
        (
            r#""op":"transition_goal","goal_id":"GOAL","to":"paused","reason":"tired""#,
            "reason: expected \"blocked\", found \"tired\"",
        ),
        (
            r#""op":"transition_goal","goal_id":"GOAL","to":"paused","expected_revision":"1""#,
            "expected_revision: expected an integer",
        ),
        (
            r#""op":"transition_goal","goal_id":"GOAL","to":"paused","expected_revision":1.0"#,
            "expected_revision: expected an integer",
        ),
        (
            r#""op":"set_goal_budget","goal_id":"GOAL","token_budget":1,"resume":"yes""#,
            "resume: expected true or false, found \"yes\"",
        ),
        (
            r#""op":"record_turn","tokens":1,"seconds":-1"#,
            "seconds: expected an integer from 0 to 18446744073709551615, found -1",
        ),
        (r#""op":"record_turn","tokens":1,"charges":[3]"#, "charges[0]: expected an object, found 3"),
        (
            r#""op":"record_turn","tokens":1,"charges":[{"budget_id":"m"}]"#,
            "charges[0].amount: expected an amount, found no such field",
        ),
        (r#""op":"list_goals","limit":true"#, "limit: expected an integer"),
        (r#""op":"head","actor":[]"#, "actor: expected a string, found []"),
    ] {
        let message = message(&format!("{{{fields}}}"));
        assert!(message.starts_with(expected), "{fields}: {message}");
    }
}

#[test]
fn long_values_are_cut_in_messages() {
    let long = "x".repeat(10_000);
    for line in [
        format!(r#"{{"op":"{long}"}}"#),
        format!(r#"{{"op":"head","{long}":1}}"#),
        format!(r#"{{"op":"record_turn","tokens":"{long}"}}"#),
        format!(r#"{{"op":"get_goal","goal_id":"{long}"}}"#),
        format!(r#"["{long}"]"#),
    ] {
        assert!(message(&line).len() < 500, "{}", message(&line));
    }
}

#[test]
fn metadata_beyond_its_limit_says_so() {
    let meta = format!(r#"{{"op":"head","meta":{{"a":"{}"}}}}"#, "x".repeat(5_000));
    assert_eq!(read(&meta).unwrap_err().max, Some(4_096));
}

#[test]
fn a_line_beyond_its_limit_is_refused_with_the_limit() {
    let mut line = br#"{"op":"head"}"#.to_vec();
    line.resize(MAX_LINE_LEN, b' ');
    assert!(parse_line(&line, false).is_ok());
    line.push(b' ');
    assert_eq!(parse_line(&line, false), Err(line_too_long()));
    assert_eq!(line_too_long().max, Some(1_048_576));
}

#[test]
fn a_line_of_very_many_fields_is_refused_quickly() {
    let line = format!("{{{}\"op\":\"head\"}}", "\"a\":1,".repeat(150_000));
    assert!(message(&line).starts_with("unknown field \"a\""));
    let line = format!("{{{}\"op\":\"head\"}}", "\"op\":1,".repeat(140_000));
    assert!(message(&line).starts_with("op: expected"), "{}", message(&line));
}

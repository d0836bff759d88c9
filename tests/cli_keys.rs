//! Idempotency keys: a retry is recognised, never carried out twice (law EXACT).
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;

use cli::Book;

const A: &str = "00000000-0000-7000-8000-00000000000a";
const B: &str = "00000000-0000-7000-8000-00000000000b";

fn create(goal_id: &str, more: &str) -> String {
    format!(r#"{{"op":"create_goal","goal_id":"{goal_id}","text":"ship 2.0"{more}}}"#)
}

fn turn(tokens: u64, key: &str) -> String {
    format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":{tokens},"key":"{key}"}}"#)
}

#[test]
fn a_retry_answers_the_original_seqs_with_current_figures() {
    let book = Book::new();
    let by_engine = r#"{"op":"create_goal","text":"made","scope":"made","key":"made"}"#.to_owned();
    let supersede = create(B, r#","key":"second""#);
    let lines = [
        create(A, r#","key":"first""#),
        turn(5, "t"),
        turn(5, "t"),
        turn(7, "u"),
        turn(5, "t"),
        supersede.clone(),
        supersede,
        by_engine.clone(),
        by_engine,
        create(A, r#","key":"first""#),
    ];
    let answers = book.apply(&[], &lines);
    let ok = |index: usize| &answers[index]["ok"];
    assert_eq!(ok(1)["retried"], Value::Null, "only a retry says so");
    for retry in [2, 4] {
        assert_eq!(ok(retry)["retried"], true);
        assert_eq!((&ok(retry)["first_seq"], &ok(retry)["last_seq"]), (&json!(2), &json!(2)));
    }
    assert_eq!(ok(2)["result"], ok(1)["result"]);
    assert_eq!(ok(4)["result"]["tokens_used"], "12", "current figures: {}", ok(4));
    let mut first = ok(5).clone();
    first["retried"] = json!(true);
    assert_eq!(*ok(6), first);
    assert_eq!(ok(8)["result"]["goal_id"], ok(7)["result"]["goal_id"], "the ids that were made then");
    assert_eq!(ok(9)["first_seq"], 1);
    assert_eq!(ok(9)["result"]["pause_reason"], "superseded", "current figures: {}", ok(9));
    let events = book.events(&[]);
    cli::expect_gapless(&events);
    assert_eq!(events.len(), 6);
}

#[test]
fn a_refused_command_is_remembered_as_refused() {
    let book = Book::new();
    let resume =
        |key: &str| format!(r#"{{"op":"transition_goal","goal_id":"{A}","to":"active","key":"{key}"}}"#);
    let answers = book.apply(
        &[],
        &[create(A, r#","token_budget":10"#), turn(10, "t"), resume("r"), resume("r"), resume("s")],
    );
    assert_eq!(answers[2]["refused"]["kind"], "budget_exceeded");
    assert_eq!(answers[2]["refused"]["seq"], 8);
    for name in ["kind", "seq", "budget_id", "limit", "spent", "reserved", "amount"] {
        assert_eq!(answers[3]["refused"][name], answers[2]["refused"][name], "{name}");
    }
    assert_eq!(answers[4]["refused"]["seq"], 9, "another key is another command");
    assert_eq!(book.events(&["--kind", "command_refused"]).len(), 2);

    // It is still the answer once the command would be carried out, and after a restart.
    let raise =
        format!(r#"{{"op":"set_goal_budget","goal_id":"{A}","token_budget":1000,"resume":true,"key":"v"}}"#);
    let answers = book.apply(&[], &[raise, resume("r")]);
    assert_eq!(answers[0]["ok"]["result"]["status"], "active");
    assert_eq!(answers[1]["refused"]["seq"], 8);
}

#[test]
fn a_key_with_another_body_is_a_conflict() {
    let book = Book::new();
    let answers = book.apply(
        &[],
        &[
            create(A, r#","key":"k""#),
            create(B, r#","key":"k""#),
            create(A, r#","scope":"other","key":"k""#),
            turn(1, "k"),
            turn(1, "t"),
            turn(2, "t"),
            r#"{"op":"record_turn","scope":"","tokens":1,"key":"t"}"#.to_owned(),
            // The same body, in other words.
            format!(r#"{{"key":"t","tokens":"1","seconds":0,"goal_id":"{A}","op":"record_turn"}}"#),
            create(A, r#","key":"k""#),
        ],
    );
    for index in [1, 2, 3, 5, 6] {
        assert_eq!(answers[index]["error"]["kind"], "conflict", "{}", answers[index]);
    }
    for index in [7, 8] {
        assert_eq!(answers[index]["ok"]["retried"], true, "{}", answers[index]);
    }
    assert_eq!(book.events(&[]).len(), 2, "a conflict writes nothing");
}

#[test]
fn errors_are_not_remembered() {
    let book = Book::new();
    let answers = book.apply(&[], &[turn(5, "t"), create(A, ""), turn(5, "t"), turn(5, "t")]);
    assert_eq!(answers[0]["error"]["kind"], "not_found");
    assert_eq!((&answers[2]["ok"]["first_seq"], &answers[2]["ok"]["retried"]), (&json!(2), &Value::Null));
    assert_eq!(answers[3]["ok"]["retried"], true);
}

#[test]
fn keys_outlive_restarts_clean_or_not() {
    let book = Book::new();
    let first = book.apply(&[], &[create(A, r#","key":"k""#), turn(5, "t")]);
    let again = book.apply(&[], &[create(A, r#","key":"k""#), turn(5, "t"), turn(6, "t")]);
    assert_eq!(again[0]["ok"]["first_seq"], first[0]["ok"]["first_seq"]);
    assert_eq!(again[1]["ok"]["retried"], true);
    assert_eq!(again[2]["error"]["kind"], "conflict");

    let mut writer = book.writer(&[]);
    assert_eq!(writer.ask(&turn(7, "u"))["ok"]["first_seq"], 3);
    writer.kill();
    let answers = book.apply(&[], &[turn(7, "u"), turn(5, "t")]);
    assert_eq!((&answers[0]["ok"]["retried"], &answers[0]["ok"]["first_seq"]), (&json!(true), &json!(3)));
    assert_eq!(answers[1]["ok"]["result"]["tokens_used"], "12");
    assert_eq!(book.events(&["--kind", "turn_recorded"]).len(), 2);
}

#[test]
fn a_retry_in_flight_beside_its_original_is_recognised() {
    let book = Book::new();
    let mut lines = vec![create(A, "")];
    for number in 0..100 {
        lines.extend([turn(number, &format!("t{number}")), turn(number, &format!("t{number}"))]);
    }
    let answers = book.apply(&["--window", "256"], &lines);
    for pair in answers[1..].chunks(2) {
        assert_eq!(pair[0]["ok"]["retried"], Value::Null);
        assert_eq!(pair[1]["ok"]["retried"], true);
        assert_eq!(pair[0]["ok"]["first_seq"], pair[1]["ok"]["first_seq"]);
    }
    assert_eq!(book.state(&[])["goals"][0]["tokens_used"], (0..100u64).sum::<u64>().to_string());
}

#[test]
fn keys_are_remembered_as_long_as_the_window_says() {
    let book = Book::new();
    let flags = ["--manual-clock", "--key-window", "1h"];
    let at = |time: &str, line: &str| line.replacen('{', &format!(r#"{{"now":"{time}","#), 1);
    // UUIDs of version 7 begin with their time, in milliseconds: 2026-01-05T09:00:00Z.
    let dated = "019b8d62-7a80-7000-8000-000000000001";
    let answers = book.apply(
        &flags,
        &[
            at("2026-01-05T09:00:00Z", &create(A, "")),
            turn(1, "plain"),
            turn(2, dated),
            at("2026-01-05T09:59:00Z", &turn(1, "plain")),
            turn(2, dated),
            at("2026-01-05T10:00:01Z", &turn(4, "between")),
            at("2026-01-05T10:05:00Z", &turn(1, "plain")),
            turn(2, dated),
        ],
    );
    for index in [3, 4] {
        assert_eq!(answers[index]["ok"]["retried"], true, "{}", answers[index]);
    }
    assert_eq!(answers[6]["ok"]["retried"], Value::Null, "a forgotten key without a date is a new one");
    // One that says how old it is cannot be mistaken for a new one.
    assert_eq!(answers[7]["error"]["kind"], "key_expired", "{}", answers[7]);
    assert_eq!(book.state(&[])["goals"][0]["tokens_used"], "8");
    let window = book.events(&["--kind", "key_window_set"]);
    assert_eq!(window.len(), 1, "the window is recorded");
    assert_eq!(window[0]["data"]["max_age_ms"], 3_600_000);
}

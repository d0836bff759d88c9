//! Events of hosts, through `apply`: kept as they were given, exactly once by their ids, read back by session and kind.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;

use cli::Book;

fn record(name: &str, data: &str, more: &str) -> String {
    format!(r#"{{"op":"record_event","name":"{name}","data":{data}{more}}}"#)
}

fn with_id(data: &str, id: &str) -> String {
    record("tool_finished", data, &format!(r#","event_id":"{id}""#))
}

#[test]
fn an_event_is_answered_with_null_and_journaled_as_it_was_given() {
    let book = Book::new();
    let data = r#"{ "b" : [ 1.50, -0 , 1e2 ],  "a b" : " \u00e9 é\t{ } ", "b":null }"#;
    let kept = r#"{"b":[1.50,-0,1e2],"a b":" \u00e9 é\t{ } ","b":null}"#;
    let more = r#","session_id":"s","actor":"host","meta":{"n":1.0},"key":"k""#;
    let answers = book.apply(&["--manual-clock"], &[record("tool_finished", data, more)]);
    assert_eq!(answers[0], json!({"line": 1, "ok": {"first_seq": 1, "last_seq": 1, "result": null}}));
    let line = book.run("events", &[], b"").expect_code(0).stdout;
    let body = serde_json::from_str::<Value>(&line).unwrap()["key_body"].as_str().unwrap().to_owned();
    let expected = format!(
        r#"{{"seq":1,"ts":"1970-01-01T00:00:00.000000Z","kind":"event_recorded","data":{{"name":"tool_finished","data":{kept}}},"session_id":"s","actor":"host","key":"k","key_body":"{body}","meta":{{"n":1.0}}}}"#
    );
    assert_eq!(line, expected + "\n");
}

#[test]
fn any_json_value_is_data() {
    let book = Book::new();
    let deep = "[".repeat(64) + &"]".repeat(64);
    let values = ["null", "true", "0", "-1.5e-3", "\"\"", "[]", "{}", "18446744073709551616", deep.as_str()];
    let lines: Vec<String> = values.iter().map(|value| record("n", value, "")).collect();
    for answer in book.apply(&[], &lines) {
        assert_eq!(answer["ok"]["result"], Value::Null, "{answer}");
    }
    let printed = book.run("events", &[], b"").expect_code(0).stdout;
    for (line, value) in printed.lines().zip(values) {
        assert!(line.ends_with(&format!(r#""data":{{"name":"n","data":{value}}}}}"#)), "{line}");
    }
    assert_eq!(book.verify()["clean"], true);
}

#[test]
fn events_are_read_back_by_session_and_kind_in_order_with_everything_else() {
    let book = Book::new();
    let goal = r#"{"op":"create_goal","text":"ship 2.0","session_id":"s"}"#;
    book.apply(
        &[],
        &[
            record("started", "1", r#","session_id":"s""#),
            goal.to_owned(),
            record("started", "2", r#","session_id":"t""#),
            record("ended", "3", r#","session_id":"s""#),
            record("ended", "4", ""),
        ],
    );
    let seqs = |flags: &[&str]| -> Vec<u64> {
        book.events(flags).iter().map(|event| event["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(seqs(&["--session", "s"]), [1, 2, 4]);
    assert_eq!(seqs(&["--kind", "event_recorded"]), [1, 3, 4, 5]);
    assert_eq!(seqs(&["--kind", "event_recorded", "--session", "t"]), [3]);
    assert_eq!(book.stat()["events_by_kind"]["event_recorded"], 4);
}

/// Law EXACT.
#[test]
fn an_event_with_an_id_is_recorded_once_across_restarts() {
    let book = Book::new();
    let first = book.apply(&[], &[with_id("[1,2]", "e"), with_id("[1, 2]", "e")]);
    assert_eq!(first[0]["ok"], json!({"first_seq": 1, "last_seq": 1, "result": null}));
    let retried = json!({"first_seq": 1, "last_seq": 1, "result": null, "retried": true});
    assert_eq!(first[1]["ok"], retried);
    let lines = [
        with_id("[1,2]", "e"),
        // Session, actor and metadata are not compared.
        record("tool_finished", "[1,2]", r#","event_id":"e","session_id":"s","actor":"a","meta":{"m":1}"#),
        with_id("[2,1]", "e"),
        record("tool_started", "[1,2]", r#","event_id":"e""#),
        with_id("[2,1]", "f"),
    ];
    let again = book.apply(&[], &lines);
    assert_eq!((&again[0]["ok"], &again[1]["ok"]), (&retried, &retried));
    for conflict in &again[2..4] {
        assert_eq!(conflict["error"]["kind"], "conflict", "{conflict}");
        assert!(conflict["error"]["message"].as_str().unwrap().contains("seq 1"), "{conflict}");
    }
    assert_eq!(again[4]["ok"]["first_seq"], 2);
    assert_eq!(book.events(&[]).len(), 2);
    assert_eq!(book.head()["state_hash"], book.state(&[])["state_hash"], "law FOLD");
}

#[test]
fn the_key_of_the_command_comes_before_the_id_of_the_event() {
    let book = Book::new();
    let keyed = |data: &str, id: &str| record("n", data, &format!(r#","event_id":"{id}","key":"k""#));
    let answers = book.apply(&[], &[keyed("1", "e"), keyed("1", "e"), keyed("1", "f"), with_id("1", "e")]);
    assert_eq!(answers[1]["ok"]["retried"], true);
    assert_eq!(answers[2]["error"]["kind"], "conflict");
    assert!(answers[2]["error"]["message"].as_str().unwrap().starts_with("key \"k\""), "{}", answers[2]);
    assert_eq!(answers[3]["error"]["kind"], "conflict", "another name under the same id");
}

#[test]
fn an_id_is_forgotten_after_the_key_window_and_an_old_one_that_tells_its_age_is_refused() {
    let book = Book::new();
    let at = |line: String, now: &str| line.replacen('{', &format!(r#"{{"now":"{now}","#), 1);
    // A UUID of version 7 from 2026-11-21T09:00:00Z.
    let dated = "01a1fd55-7a80-7000-8000-000000000001";
    let lines = [
        at(with_id("1", "e"), "2026-11-21T09:00:00Z"),
        at(with_id("1", dated), "2026-11-21T09:00:00Z"),
        at(with_id("1", "e"), "2026-11-21T10:00:00Z"),
        at(record("n", "1", ""), "2026-11-21T10:00:01Z"),
        with_id("2", "e"),
        with_id("1", dated),
    ];
    let answers = book.apply(&["--manual-clock", "--key-window", "1h"], &lines);
    assert_eq!(answers[2]["ok"]["retried"], true, "{}", answers[2]);
    assert_eq!(answers[4]["ok"]["retried"], Value::Null, "it is another event now: {}", answers[4]);
    assert_eq!(answers[5]["error"]["kind"], "key_expired", "{}", answers[5]);
}

#[test]
fn data_has_a_largest_length_that_the_error_tells() {
    let book = Book::new();
    let of_len = |len: usize| format!(r#"[ "{}" ]"#, "x".repeat(len - 4));
    let answers = book.apply(&[], &[record("n", &of_len(65_536), ""), record("n", &of_len(65_537), "")]);
    assert_eq!(answers[0]["ok"]["first_seq"], 1);
    let error = &answers[1]["error"];
    assert_eq!((&error["kind"], &error["max"]), (&json!("invalid"), &json!(65_536)), "{error}");
    assert!(error["message"].as_str().unwrap().contains("found 65537"), "{error}");
    let name = record(&"n".repeat(201), "1", "");
    let answers = book.apply(&[], &[name, record("n", "1", r#","event_id":"""#), record("", "1", "")]);
    assert_eq!(answers[0]["error"]["max"], 200);
    assert!(answers.iter().all(|answer| answer["error"]["kind"] == "invalid"), "{answers:?}");
    assert_eq!(book.events(&[]).len(), 1);
}

#[test]
fn what_is_no_event_is_refused_and_writes_nothing() {
    let book = Book::new();
    let deep = "[".repeat(65) + &"]".repeat(65);
    let lines = [
        r#"{"op":"record_event"}"#.to_owned(),
        r#"{"op":"record_event","name":"n"}"#.to_owned(),
        r#"{"op":"record_event","data":1}"#.to_owned(),
        record("a\\nb", "1", ""),
        record("n", &deep, ""),
        record("n", r#""\ud800""#, ""),
        record("n", "1e999", ""),
        record("n", "NaN", ""),
        record("n", "1", r#","budget_id":"b""#),
        record("n", "1", r#","event_id":7"#),
    ];
    for answer in book.apply(&[], &lines) {
        assert_eq!(answer["error"]["kind"], "invalid", "{answer}");
    }
    assert!(book.events(&[]).is_empty());
}

#[test]
fn events_are_read_back_by_name() {
    let book = Book::new();
    let lines = [record("started", "1", ""), record("finished", "2", ""), record("left", r#""started""#, "")];
    book.apply(&[], &lines);
    let seqs = |options: &[&str]| -> Vec<u64> {
        book.events(options).iter().map(|event| event["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(seqs(&["--event", "started"]), [1]);
    assert_eq!(seqs(&["--event", "started", "--event", "left"]), [1, 3]);
    assert_eq!(seqs(&["--event", "started", "--kind", "goal_created"]), [] as [u64; 0]);
    assert_eq!(seqs(&["--event", "Started"]), [] as [u64; 0]);
}

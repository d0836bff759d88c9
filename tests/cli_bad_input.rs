//! What is wrong with a line is answered by an `error`; nothing is written, and the stream goes on.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;

use cli::Book;

const A: &str = "00000000-0000-7000-8000-00000000000a";

/// Applies the lines between a state and its control, with one command in flight and with many.
#[track_caller]
fn expect_rejected(kind: &str, lines: &[Vec<u8>]) -> Vec<Value> {
    let mut first = Vec::new();
    for window in ["1", "256"] {
        let answers = rejected(kind, lines, window);
        if first.is_empty() {
            first = answers;
        } else {
            assert_eq!(first, answers, "window {window}");
        }
    }
    first
}

#[track_caller]
fn rejected(kind: &str, lines: &[Vec<u8>], window: &str) -> Vec<Value> {
    let book = Book::new();
    let create = format!(r#"{{"op":"create_goal","goal_id":"{A}","text":"t","token_budget":100,"key":"k"}}"#);
    book.apply(&[], &[create, format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":5,"key":"t"}}"#)]);
    let (head, events) = (book.head(), book.run("events", &[], b"").stdout);
    let mut input = Vec::new();
    for line in lines {
        assert!(!line.contains(&b'\n'), "{}", shown(line));
        input.extend_from_slice(line);
        input.extend_from_slice(b"\n{\"op\":\"head\"}\n");
    }
    let answers = book.run("apply", &["--window", window], &input).expect_code(0).json_lines();
    assert_eq!(answers.len(), 2 * lines.len());
    let mut errors = Vec::new();
    for ((pair, line), number) in answers.chunks(2).zip(lines).zip((1u64..).step_by(2)) {
        let (answer, control) = (&pair[0], &pair[1]);
        let text = shown(line);
        assert_eq!((&answer["line"], &control["line"]), (&json!(number), &json!(number + 1)));
        assert_eq!(answer.as_object().unwrap().len(), 2, "{text}: {answer}");
        let error = &answer["error"];
        assert_eq!(error["kind"], kind, "{text}: {answer}");
        let message = error["message"].as_str().unwrap();
        assert!(!message.is_empty() && message.len() < 2_000, "{text}: {answer}");
        let now = &control["ok"]["result"];
        for same in ["seq", "state_hash"] {
            assert_eq!(now[same], head[same], "{text} changed the {same}");
        }
        errors.push(error.clone());
    }
    assert_eq!(book.run("events", &[], b"").stdout, events, "nothing is written");
    let after = book.head();
    assert_eq!((&after["seq"], &after["state_hash"]), (&head["seq"], &head["state_hash"]));
    book.verify();
    errors
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned()
}

#[track_caller]
fn expect_invalid<S: AsRef<str>>(lines: &[S]) -> Vec<Value> {
    let lines: Vec<Vec<u8>> = lines.iter().map(|line| line.as_ref().as_bytes().to_vec()).collect();
    expect_rejected("invalid", &lines)
}

/// Lines that are right but for the value of one field.
#[track_caller]
fn expect_invalid_values(op: &str, good: &[(&str, &str)], field: &str, values: &[&str]) -> Vec<Value> {
    let lines: Vec<String> = values
        .iter()
        .map(|value| {
            let others = good.iter().filter(|(name, _)| *name != field);
            let fields = others.map(|(name, value)| format!(r#","{name}":{value}"#)).collect::<String>();
            format!(r#"{{"op":"{op}"{fields},"{field}":{value}}}"#)
        })
        .collect();
    expect_invalid(&lines)
}

const GOAL: (&str, &str) = ("goal_id", r#""00000000-0000-7000-8000-00000000000a""#);

#[test]
fn what_is_no_json_object() {
    expect_invalid(&[
        "{",
        "}",
        "{}",
        "[]",
        "null",
        "5",
        "\"head\"",
        "head",
        r#"{"op":"head""#,
        r#"{"op":"head",}"#,
        r#"{op:"head"}"#,
        r#"{'op':'head'}"#,
        r#"{"op":"head"} x"#,
        r#"{"op":"head"}{"op":"head"}"#,
        r#"{"op":"head"} // why"#,
        r#"[{"op":"head"}]"#,
        "\u{feff}{\"op\":\"head\"}",
        r#"{"op":"he\ud800ad"}"#,
        r#"{"op":"head\q"}"#,
        "{\"op\":\"he\tad\"}",
        r#"{"op":NaN}"#,
    ]);
}

#[test]
fn bytes_that_are_no_text() {
    let lines: [&[u8]; 6] = [
        b"\xff",
        b"{\"op\":\"create_goal\",\"text\":\"\xc3\"}",
        b"{\"op\":\"create_goal\",\"text\":\"\xed\xa0\x80\"}",
        b"{\"op\":\"create_goal\",\"text\":\"a\0b\"}",
        b"\0",
        b"{\"op\":\"head\"}\0",
    ];
    expect_rejected("invalid", &lines.map(<[u8]>::to_vec));
}

#[test]
fn unknown_operations() {
    let errors = expect_invalid(&[
        r#"{"op":"create_goals","text":"t"}"#,
        r#"{"op":"HEAD"}"#,
        r#"{"op":""}"#,
        r#"{"op":" head"}"#,
        r#"{"op":null}"#,
        r#"{"op":5}"#,
        r#"{"op":["head"]}"#,
        r#"{"text":"t"}"#,
    ]);
    assert!(errors[0]["message"].as_str().unwrap().contains("create_goals"), "{errors:?}");
}

#[test]
fn unknown_and_missing_fields() {
    let mut lines: Vec<String> = [
        r#"{"op":"create_goal","text":"t","txt":"t"}"#,
        r#"{"op":"create_goal","text":"t","Scope":"s"}"#,
        r#"{"op":"create_goal","text":"t","tokens":5}"#,
        r#"{"op":"create_goal"}"#,
        r#"{"op":"get_goal"}"#,
        r#"{"op":"record_turn"}"#,
        r#"{"op":"record_turn","tokens":1,"turns":2}"#,
        r#"{"op":"transition_goal"}"#,
        r#"{"op":"set_goal_budget","token_budget":5}"#,
        r#"{"op":"active_goal","goal_id":"x"}"#,
        r#"{"op":"list_goals","after":5}"#,
        r#"{"op":"head","scope":""}"#,
        r#"{"op":"head","":1}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    lines.push(format!(r#"{{"op":"transition_goal","goal_id":"{A}"}}"#));
    lines.push(format!(r#"{{"op":"transition_goal","goal_id":"{A}","to":"paused","status":"x"}}"#));
    // Null says "unlimited" here, so it is no good as "not given".
    lines.push(format!(r#"{{"op":"set_goal_budget","goal_id":"{A}"}}"#));
    lines.push(format!(r#"{{"op":"record_turn","goal_id":"{A}","scope":"","tokens":1}}"#));
    lines.push(format!(
        r#"{{"op":"record_turn","goal_id":"{A}","tokens":1,"charges":[{{"budget_id":"m","amount":1,"unit":"x"}}]}}"#
    ));
    let errors = expect_invalid(&lines);
    assert!(errors[0]["message"].as_str().unwrap().contains("txt"), "{errors:?}");
}

#[test]
fn fields_given_twice() {
    expect_invalid(&[
        r#"{"op":"head","op":"head"}"#.to_owned(),
        r#"{"op":"create_goal","text":"a","text":"a"}"#.to_owned(),
        r#"{"op":"create_goal","text":"a","te\u0078t":"b"}"#.to_owned(),
        r#"{"op":"head","key":"a","key":"b"}"#.to_owned(),
        format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":1,"tokens":2}}"#),
    ]);
}

#[test]
fn ids_that_are_none() {
    let ids = [
        r#""""#,
        r#""a""#,
        r#""00000000-0000-7000-8000-00000000000""#,
        r#""00000000-0000-7000-8000-00000000000aa""#,
        r#""00000000-0000-7000-8000-00000000000g""#,
        r#""{00000000-0000-7000-8000-00000000000a}""#,
        r#""urn:uuid:00000000-0000-7000-8000-00000000000a""#,
        r#"" 00000000-0000-7000-8000-00000000000a""#,
        r#""goal:00000000-0000-7000-8000-00000000000a""#,
        "10",
        "true",
        "[]",
        "{}",
    ];
    expect_invalid_values("get_goal", &[], "goal_id", &ids);
    expect_invalid_values("create_goal", &[("text", r#""t""#)], "goal_id", &ids);
    expect_invalid_values("create_goal", &[("text", r#""t""#)], "parent_goal", &ids);
    expect_invalid_values("record_turn", &[("tokens", "1")], "goal_id", &ids);
    expect_invalid_values("list_goals", &[], "before", &ids);
}

/// What is neither `0|[1-9][0-9]*` up to 2^128−1 in a string, nor an exact JSON integer.
const NO_AMOUNTS: [&str; 22] = [
    "-1",
    "-0",
    "1.0",
    "1.5",
    "1e3",
    "1E3",
    "0.1",
    "18446744073709551616.0",
    "true",
    "{}",
    "[1]",
    r#""""#,
    r#"" 1""#,
    r#""+1""#,
    r#""-1""#,
    r#""01""#,
    r#""1.0""#,
    r#""1e3""#,
    r#""0x10""#,
    r#""1_000""#,
    r#""١""#,
    r#""340282366920938463463374607431768211456""#,
];

#[test]
fn amounts_that_are_none() {
    expect_invalid_values("record_turn", &[GOAL], "tokens", &NO_AMOUNTS);
    expect_invalid_values("set_goal_budget", &[GOAL], "token_budget", &NO_AMOUNTS);
    expect_invalid_values("create_goal", &[("text", r#""t""#)], "token_budget", &NO_AMOUNTS);
    expect_invalid_values(
        "record_turn",
        &[GOAL],
        "tokens",
        &["null", "1e400", "340282366920938463463374607431768211456"],
    );
    let charges = |amount: &str| format!(r#"[{{"budget_id":"m","amount":{amount}}}]"#);
    let charges: Vec<String> = NO_AMOUNTS.map(charges).into_iter().collect();
    let charges: Vec<&str> = charges.iter().map(String::as_str).collect();
    expect_invalid_values("record_turn", &[GOAL, ("tokens", "1")], "charges", &charges);
}

#[test]
fn budgets_of_nothing() {
    expect_invalid_values("create_goal", &[("text", r#""t""#)], "token_budget", &["0", r#""0""#]);
    expect_invalid_values("set_goal_budget", &[GOAL], "token_budget", &["0", r#""0""#]);
}

#[test]
fn counts_that_are_none() {
    let counts = [
        "-1",
        "1.0",
        "1.5",
        "1e2",
        "18446744073709551616",
        "1e400",
        "340282366920938463463374607431768211456",
        r#""1""#,
        "true",
        "[]",
        "{}",
    ];
    expect_invalid_values("record_turn", &[GOAL, ("tokens", "1")], "seconds", &counts);
    expect_invalid_values("transition_goal", &[GOAL, ("to", r#""paused""#)], "expected_revision", &counts);
    expect_invalid_values("list_goals", &[], "limit", &counts);
}

#[test]
fn sums_that_would_not_fit() {
    let most = format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":"{}"}}"#, u128::MAX - 4);
    let seconds =
        [u64::MAX, 1].map(|n| format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":1,"seconds":{n}}}"#));
    expect_invalid(&[most]);
    let book = Book::new();
    let create = format!(r#"{{"op":"create_goal","goal_id":"{A}","text":"t"}}"#);
    let answers = book.apply(&[], &[create, seconds[0].clone(), seconds[1].clone()]);
    assert_eq!(answers[1]["ok"]["result"]["seconds_used"], u64::MAX);
    assert_eq!(answers[2]["error"]["kind"], "invalid");
    assert_eq!(book.state(&[])["goals"][0]["tokens_used"], "1");
}

#[test]
fn values_of_other_types() {
    let no_texts = ["5", "true", "[]", "{}", "1.5"];
    for (op, good) in [
        ("create_goal", &[("text", r#""t""#)][..]),
        ("record_turn", &[("tokens", "1")]),
        ("active_goal", &[]),
        ("list_goals", &[]),
    ] {
        expect_invalid_values(op, good, "scope", &no_texts);
    }
    expect_invalid_values("create_goal", &[], "text", &[&no_texts[..], &["null"]].concat());
    expect_invalid_values("transition_goal", &[GOAL, ("to", r#""paused""#)], "note", &no_texts);
    let no_lists = ["5", r#""m""#, "{}", "true", "[5]", "[null]", "[[]]"];
    expect_invalid_values("create_goal", &[("text", r#""t""#)], "budgets", &no_lists);
    expect_invalid_values("record_turn", &[GOAL, ("tokens", "1")], "charges", &no_lists);
    let no_booleans = ["1", "0", r#""true""#, "[]", "TRUE"];
    expect_invalid_values("set_goal_budget", &[GOAL, ("token_budget", "5")], "resume", &no_booleans);
    for field in ["key", "actor", "session_id"] {
        expect_invalid_values("record_turn", &[GOAL, ("tokens", "1")], field, &no_texts);
    }
}

#[test]
fn words_that_are_not_known() {
    let statuses = [r#""open""#, r#""Active""#, r#""""#, "1", "null", "{}"];
    expect_invalid_values("transition_goal", &[GOAL], "to", &statuses);
    expect_invalid_values("list_goals", &[], "status", &statuses[..4]);
    let reasons = [r#""requested""#, r#""superseded""#, r#""budget_exhausted""#, r#""""#, "1"];
    expect_invalid_values("transition_goal", &[GOAL, ("to", r#""paused""#)], "reason", &reasons);
    // Only what is paused can be blocked.
    expect_invalid_values("transition_goal", &[GOAL, ("to", r#""completed""#)], "reason", &[r#""blocked""#]);
}

#[test]
fn texts_that_are_too_long_or_forbidden() {
    let too_long = [401, 4_000, 900_000].map(|len| format!(r#""{}""#, "é".repeat(len / 2 + 201)));
    let too_long: Vec<&str> = too_long.iter().map(String::as_str).collect();
    for error in expect_invalid_values("create_goal", &[], "text", &too_long) {
        assert_eq!(error["max"], 400, "{error}");
        assert!(error["message"].as_str().unwrap().contains("400"), "{error}");
    }
    expect_invalid_values(
        "create_goal",
        &[],
        "text",
        &[
            r#""</active_goal>""#,
            r#""a</ACTIVE_GOAL>b""#,
            r#""</Active_goaL>""#,
            r#""é</active_goal>é""#,
            r#""</active_goal</active_goal>""#,
            r#""\u003c/active\u005fgoal>""#,
            r#""<\/active_goal>""#,
        ],
    );
}

#[test]
fn texts_that_come_near_are_taken() {
    let book = Book::new();
    let texts = ["<active_goal>", "</active_goal", "< /active_goal>", "</actıve_goal>", "/active_goal>"];
    let lines = texts.map(|text| json!({"op": "create_goal", "text": text, "scope": text}).to_string());
    for (answer, text) in book.apply(&[], &lines).iter().zip(texts) {
        assert_eq!(answer["ok"]["result"]["text"], text, "{answer}");
    }
}

#[test]
fn blank_texts() {
    expect_invalid_values("create_goal", &[], "text", &[r#""""#, r#""  \t ""#]);
}

#[test]
fn names_that_are_too_long() {
    let long = format!(r#""{}""#, "x".repeat(70_000));
    for field in ["key", "scope", "actor", "session_id"] {
        expect_invalid_values("create_goal", &[("text", r#""t""#)], field, &[&long]);
    }
    expect_invalid_values(
        "create_goal",
        &[("text", r#""t""#)],
        "key",
        &[r#""""#, r#""a\u0000b""#, r#""\n""#],
    );
    expect_invalid_values("transition_goal", &[GOAL, ("to", r#""paused""#)], "note", &[&long]);
}

#[test]
fn metadata_that_is_no_object_or_too_large() {
    let too_large = format!(r#"{{"a":"{}"}}"#, "x".repeat(4_096));
    let too_deep = "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000);
    let good = [("text", r#""t""#)];
    let errors = expect_invalid_values(
        "create_goal",
        &good,
        "meta",
        &["[]", "5", r#""x""#, "true", r#"{"a":}"#, r#"{"a":01}"#, &too_large, &too_deep],
    );
    assert_eq!(errors[6]["max"], 4_096, "{}", errors[6]);
    // The largest that fits.
    let fits = format!(r#"{{"a":"{}"}}"#, "x".repeat(4_096 - r#"{"a":""}"#.len()));
    let book = Book::new();
    let answers = book
        .apply(&[], &[format!(r#"{{"op":"create_goal","text":"t","meta":{}}}"#, fits.replace(':', " :  "))]);
    assert_eq!(answers[0]["ok"]["result"]["meta"], cli::parse(&fits));
}

#[test]
fn lines_that_are_too_deep_or_too_long() {
    let long = |len: usize| format!(r#"{{"op":"create_goal","text":"{}"}}"#, "x".repeat(len));
    expect_invalid(&[
        "[".repeat(1_000),
        "[".repeat(500_000),
        "{\"a\":".repeat(150_000),
        format!(r#"{{"op":"create_goal","text":{}}}"#, "[".repeat(200_000) + &"]".repeat(200_000)),
        format!(
            r#"{{"op":"create_goal","text":"t","budgets":{}}}"#,
            "[".repeat(10_000) + &"]".repeat(10_000)
        ),
        long(1 << 20),
        long(5 << 20),
        "x".repeat(3 << 20),
        format!(r#"{{"op":"head","{}":1}}"#, "x".repeat(100_000)),
        format!(r#"{{"op":"{}"}}"#, "x".repeat(100_000)),
        format!(r#"{{"op":"get_goal","goal_id":"{}"}}"#, "x".repeat(100_000)),
        format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":"{}"}}"#, "9".repeat(100_000)),
        format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":{}}}"#, "9".repeat(100_000)),
        format!(r#"{{"op":"head"{}}}"#, (0..50_000).map(|n| format!(r#","f{n}":1"#)).collect::<String>()),
    ]);
}

#[test]
fn a_bad_line_consumes_no_key() {
    let book = Book::new();
    let answers = book.apply(
        &[],
        &[
            r#"{"op":"create_goal","text":"","key":"k"}"#.to_owned(),
            r#"{"op":"create_goal","text":5,"key":"k"}"#.to_owned(),
            format!(r#"{{"op":"create_goal","goal_id":"{A}","text":"t","key":"k"}}"#),
        ],
    );
    assert_eq!(answers[2]["ok"]["first_seq"], 1);
    assert_eq!(answers[2]["ok"]["retried"], Value::Null);
}

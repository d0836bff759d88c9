//! What is wrong with a line about budgets is answered by an `error`; nothing is written, and the stream goes on.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/budgets.rs"]
mod budgets;
#[path = "common/cli.rs"]
mod cli;

use budgets::{allocate, expect_conserved, progress, release, reserve, settle, spend};
use cli::Book;

/// Applies the lines between a state and its control, with one command in flight and with many.
#[track_caller]
fn expect_error<S: AsRef<str>>(kind: &str, lines: &[S]) {
    let book = Book::new();
    let begin = [
        allocate("b", 100, ""),
        spend("b", 10, r#","spend_id":"s""#),
        reserve("b", 20, "r", ""),
        r#"{"op":"observe_meter","meter_id":"m","cumulative":5}"#.to_owned(),
    ];
    book.apply(&[], &begin);
    let (head, events) = (book.head(), book.run("events", &[], b"").stdout);
    for window in ["1", "256"] {
        let mut input = Vec::new();
        for line in lines {
            input.extend([line.as_ref().to_owned(), budgets::HEAD.to_owned()]);
        }
        let answers = book.apply(&["--window", window], &input);
        for (pair, line) in answers.chunks(2).zip(lines) {
            let (answer, text) = (&pair[0], line.as_ref().chars().take(200).collect::<String>());
            assert_eq!(answer["error"]["kind"], kind, "{text}: {answer}");
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(!message.is_empty() && message.len() < 2_000, "{text}: {answer}");
            for same in ["seq", "state_hash"] {
                assert_eq!(pair[1]["ok"]["result"][same], head[same], "{text} changed the {same}");
            }
        }
    }
    assert_eq!(book.run("events", &[], b"").stdout, events, "nothing is written");
    expect_conserved(&book);
}

/// Every op with fields that make it good.
fn good() -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    let (budget, amount, hold) =
        (("budget_id", r#""b""#), ("amount", r#""5""#), ("reservation_id", r#""r""#));
    vec![
        ("allocate", vec![("budget_id", r#""new""#), ("limit", r#""5""#)]),
        ("check", vec![budget, amount]),
        ("record_spend", vec![budget, amount]),
        ("reserve", vec![budget, amount]),
        ("settle", vec![hold, amount]),
        ("release", vec![hold]),
        ("mark_unknown", vec![hold]),
        ("reverse_spend", vec![("spend_id", r#""s""#)]),
        ("adjust_budget", vec![budget, ("limit", r#""50""#)]),
        ("set_progress", vec![budget, ("progress", "0.5")]),
        ("close_budget", vec![budget]),
        ("get_budget", vec![budget]),
        ("list_budgets", vec![]),
        ("list_reservations", vec![]),
        ("list_spends", vec![budget]),
        ("burn_rate", vec![budget]),
        ("observe_meter", vec![("meter_id", r#""m""#), ("cumulative", "6")]),
        ("reset_meter", vec![("meter_id", r#""m""#)]),
        ("get_meter", vec![("meter_id", r#""m""#)]),
    ]
}

fn line(op: &str, fields: &[(&str, &str)]) -> String {
    let fields: String = fields.iter().map(|(name, value)| format!(r#","{name}":{value}"#)).collect();
    format!(r#"{{"op":"{op}"{fields}}}"#)
}

/// The good line of an op, but for the value of one field.
fn with_value(op: &str, field: &str, value: &str) -> String {
    let good = good();
    let (_, fields) = good.iter().find(|(name, _)| *name == op).unwrap();
    let mut fields: Vec<(&str, &str)> = fields.iter().copied().filter(|(name, _)| *name != field).collect();
    fields.push((field, value));
    line(op, &fields)
}

fn with_values(op: &str, field: &str, values: &[&str]) -> Vec<String> {
    values.iter().map(|value| with_value(op, field, value)).collect()
}

#[test]
fn the_good_lines_are_good() {
    for (op, fields) in good() {
        let book = Book::new();
        let mut lines =
            vec![allocate("b", 100, ""), spend("b", 10, r#","spend_id":"s""#), reserve("b", 20, "r", "")];
        lines.push(line(op, &fields));
        let answers = book.apply(&[], &lines);
        assert!(answers[3]["ok"].is_object(), "{op}: {}", answers[3]);
    }
}

/// What is neither `0|[1-9][0-9]*` up to 2^128−1 in a string, nor an exact JSON integer.
const NO_AMOUNTS: [&str; 26] = [
    "-1",
    "-0",
    "1.0",
    "1.5",
    "1e3",
    "1E3",
    "0.1",
    "1e400",
    "NaN",
    "Infinity",
    "18446744073709551616.0",
    "340282366920938463463374607431768211456",
    "true",
    "{}",
    "[1]",
    r#""""#,
    r#"" 1""#,
    r#""1 ""#,
    r#""+1""#,
    r#""-1""#,
    r#""01""#,
    r#""1.0""#,
    r#""1e3""#,
    r#""NaN""#,
    r#""0x10""#,
    r#""340282366920938463463374607431768211456""#,
];

#[test]
fn amounts_that_are_none() {
    let mut lines = Vec::new();
    for (op, field) in [
        ("check", "amount"),
        ("record_spend", "amount"),
        ("reserve", "amount"),
        ("settle", "amount"),
        ("reverse_spend", "amount"),
        ("allocate", "limit"),
        ("adjust_budget", "limit"),
        ("observe_meter", "cumulative"),
        ("reset_meter", "baseline"),
    ] {
        lines.extend(with_values(op, field, &NO_AMOUNTS));
    }
    lines.extend(
        NO_AMOUNTS.map(|amount| with_value("record_spend", "quantities", &format!(r#"{{"n":{amount}}}"#))),
    );
    for op in ["check", "record_spend", "reserve", "settle"] {
        lines.push(with_value(op, "amount", "null"));
    }
    expect_error("invalid", &lines);
}

#[test]
fn amounts_of_nothing() {
    let mut lines = Vec::new();
    for op in ["check", "record_spend", "reserve", "reverse_spend"] {
        lines.extend(with_values(op, "amount", &["0", r#""0""#]));
    }
    // Without a default limit there is none to fall back on.
    lines.extend(with_values("allocate", "limit", &["0", r#""0""#]));
    lines.push(line("allocate", &[("budget_id", r#""new""#)]));
    expect_error("invalid", &lines);
}

#[test]
fn unknown_and_missing_fields() {
    let mut lines = Vec::new();
    for (op, fields) in good() {
        let mut more = fields.clone();
        more.push(("budgetid", r#""b""#));
        lines.push(line(op, &more));
        // A budget without a limit may have a default; what is left out of a list is no filter.
        let required = fields.iter().filter(|(name, _)| *name != "limit" && !op.starts_with("list_"));
        for (missing, _) in required {
            let rest: Vec<_> = fields.iter().copied().filter(|(name, _)| name != missing).collect();
            lines.push(line(op, &rest));
        }
        if let Some(&(name, value)) = fields.first() {
            let mut twice = fields.clone();
            twice.push((name, value));
            lines.push(line(op, &twice));
        }
    }
    lines.push(with_value("release", "amount", "5"));
    lines.push(with_value("check", "spend_id", r#""x""#));
    expect_error("invalid", &lines);
}

#[test]
fn ids_that_are_none() {
    let long = format!(r#""{}""#, "x".repeat(201));
    let huge = format!(r#""{}""#, "x".repeat(70_000));
    let ids = [r#""""#, r#""a\u0000b""#, r#""a\nb""#, "5", "true", "[]", "{}", "null", &long, &huge];
    let mut lines = Vec::new();
    for (op, field) in [
        ("allocate", "budget_id"),
        ("check", "budget_id"),
        ("record_spend", "budget_id"),
        ("reserve", "budget_id"),
        ("adjust_budget", "budget_id"),
        ("set_progress", "budget_id"),
        ("close_budget", "budget_id"),
        ("get_budget", "budget_id"),
        ("burn_rate", "budget_id"),
        ("settle", "reservation_id"),
        ("release", "reservation_id"),
        ("mark_unknown", "reservation_id"),
        ("reverse_spend", "spend_id"),
        ("observe_meter", "meter_id"),
        ("reset_meter", "meter_id"),
    ] {
        lines.extend(with_values(op, field, &ids));
    }
    // What may be left out may be null.
    for (op, field) in [
        ("record_spend", "spend_id"),
        ("reserve", "reservation_id"),
        ("allocate", "parent"),
        ("reserve", "owner"),
    ] {
        lines.extend(
            ids.iter()
                .filter(|id| **id != "null" && !(field == "owner" && **id == r#""""#))
                .map(|id| with_value(op, field, id)),
        );
    }
    // A cycle.
    lines.push(with_value("allocate", "parent", r#""new""#));
    lines.extend(with_values("get_budget", "budget_id", &[r#""goal:x""#, r#""goal:""#]));
    expect_error("invalid", &lines);
}

#[test]
fn ids_that_nobody_has() {
    let mut lines = Vec::new();
    for op in [
        "check",
        "record_spend",
        "reserve",
        "adjust_budget",
        "set_progress",
        "close_budget",
        "get_budget",
        "burn_rate",
    ] {
        let goal = r#""goal:00000000-0000-7000-8000-00000000000f""#;
        lines.extend(with_values(op, "budget_id", &[r#""nobody""#, r#""B""#]));
        if op != "close_budget" {
            lines.push(with_value(op, "budget_id", goal));
        }
    }
    for op in ["settle", "release", "mark_unknown"] {
        lines.extend(with_values(op, "reservation_id", &[r#""nothing""#, r#""s""#]));
    }
    lines.extend(with_values("reverse_spend", "spend_id", &[r#""nothing""#, r#""r""#]));
    lines.push(with_value("allocate", "parent", r#""nobody""#));
    lines.push(r#"{"op":"observe_meter","meter_id":"n","delta":5,"budget_id":"nobody"}"#.to_owned());
    expect_error("not_found", &lines);
}

#[test]
fn values_of_other_types() {
    let mut lines = Vec::new();
    for op in ["allocate", "adjust_budget"] {
        lines.extend(with_values(op, "hard", &["1", r#""true""#, "[]", "TRUE"]));
        lines.extend(with_values(op, "thresholds", &["0.5", r#""0.5""#, "{}", "true"]));
        lines.extend(with_values(op, "window", &["5", r#""day""#, "[]", "true", "{}"]));
    }
    lines.extend(with_values("allocate", "unit", &["5", "[]", "{}", "true", r#""""#, r#""a\u0000""#]));
    lines.extend(with_values("allocate", "widen_by", &[r#""dana""#, "5", "{}", "[5]", "[null]", "[[]]"]));
    lines.extend(with_values("record_spend", "incurred", &["1", r#""true""#, "[]"]));
    for field in ["peer", "tool", "reason"] {
        lines.extend(with_values("record_spend", field, &["5", "true", "[]", "{}"]));
    }
    lines.extend(with_values("record_spend", "quantities", &["5", "[]", r#""x""#, "[1]", r#"{"n":null}"#]));
    lines.extend(with_values(
        "record_spend",
        "occurred_at",
        &["5", r#""soon""#, r#""2026-13-01T00:00:00Z""#],
    ));
    lines.extend(with_values(
        "reserve",
        "ttl_ms",
        &["-1", "0", "1.5", "1e3", r#""1000""#, "true", "18446744073709551616"],
    ));
    lines.extend(with_values("close_budget", "children", &[r#""yes""#, "true", "1", r#""""#]));
    lines.extend(with_values("burn_rate", "span_ms", &["-1", "0", "1.5", r#""1""#]));
    lines.extend(with_values("list_reservations", "status", &[r#""held""#, "1", r#""Open""#]));
    lines.extend(with_values("list_budgets", "status", &[r#""full""#, "1", "{}"]));
    lines.extend(with_values("list_budgets", "limit", &["-1", "1.5", r#""5""#]));
    expect_error("invalid", &lines);
}

#[test]
fn progress_that_is_none() {
    let values = [
        "NaN", r#""NaN""#, "-0.1", "1.1", "1.000001", "2", "-1", "1e400", "-1e400", "Infinity", "null",
        r#""0.5""#, "[]", "true", "-1e-300",
    ];
    let lines: Vec<String> = values.iter().map(|value| progress("b", value)).collect();
    expect_error("invalid", &lines);
}

#[test]
fn thresholds_that_are_none() {
    let values = [
        "[0]",
        "[-0.5]",
        "[1.1]",
        "[NaN]",
        r#"["0.5"]"#,
        "[null]",
        "[1e400]",
        "[0.5,2]",
        "[[0.5]]",
        "[1e-9]",
    ];
    let mut lines = with_values("allocate", "thresholds", &values);
    lines.extend(with_values("adjust_budget", "thresholds", &values));
    expect_error("invalid", &lines);
}

#[test]
fn windows_that_are_none() {
    let every = [
        r#""""#,
        r#""year""#,
        r#""Day""#,
        r#""days""#,
        "5",
        "null",
        r#""1D""#,
        r#""P""#,
        r#""PT""#,
        r#""P0D""#,
        r#""PT0S""#,
        r#""-P1D""#,
        r#""P-1D""#,
        r#""P1""#,
        r#""P1X""#,
        r#""PT1D""#,
        r#""P1DT""#,
        r#"" P1D""#,
        r#""P99999999999999999999Y""#,
        r#""p1d""#,
        r#""PT1M1H""#,
    ];
    let mut windows: Vec<String> = every.iter().map(|every| format!(r#"{{"every":{every}}}"#)).collect();
    for tz in [r#""""#, r#""Berlin""#, r#""Europe/berlin ""#, r#""Mars/Olympus""#, r#""+25:00""#, "5", "[]"] {
        windows.push(format!(r#"{{"every":"day","tz":{tz}}}"#));
    }
    for anchor in [r#""""#, r#""2026-01-01""#, r#""2026-02-30T00:00:00Z""#, r#""soon""#, "5", "{}"] {
        windows.push(format!(r#"{{"every":"day","anchor":{anchor}}}"#));
    }
    windows.push(r#"{"every":"day","zone":"UTC"}"#.to_owned());
    windows.push(r#"{"anchor":"2026-01-01T00:00:00Z"}"#.to_owned());
    let windows: Vec<&str> = windows.iter().map(String::as_str).collect();
    let mut lines = with_values("allocate", "window", &windows);
    lines.extend(with_values("adjust_budget", "window", &windows));
    expect_error("invalid", &lines);
}

#[test]
fn texts_that_are_too_long() {
    let long = format!(r#""{}""#, "x".repeat(70_000));
    let mut lines = Vec::new();
    for field in ["peer", "tool", "reason"] {
        lines.push(with_value("record_spend", field, &long));
        lines.push(with_value("settle", field, &long));
    }
    lines.push(with_value("reverse_spend", "reason", &long));
    lines.push(with_value("reserve", "owner", &long));
    lines.push(with_value("allocate", "unit", &long));
    lines.push(with_value("allocate", "widen_by", &format!("[{long}]")));
    let actors: Vec<String> = (0..100_000).map(|number| format!(r#""{number}""#)).collect();
    lines.push(with_value("allocate", "widen_by", &format!("[{}]", actors.join(","))));
    let quantities: Vec<String> = (0..50_000).map(|number| format!(r#""q{number}":1"#)).collect();
    lines.push(with_value("record_spend", "quantities", &format!("{{{}}}", quantities.join(","))));
    let thresholds: Vec<String> =
        (1..100_000).map(|number| format!("{:.6}", f64::from(number) / 100_000.0)).collect();
    lines.push(with_value("allocate", "thresholds", &format!("[{}]", thresholds.join(","))));
    lines.push(with_value("allocate", "window", r#"{"every":"day","tz":"Europe/Berlin/Europe/Berlin"}"#));
    expect_error("invalid", &lines);
}

#[test]
fn conflicts_write_nothing() {
    expect_error("exists", &[allocate("b", 100, ""), allocate("b", 7, ""), reserve("b", 21, "r", "")]);
    expect_error(
        "conflict",
        &[
            spend("b", 11, r#","spend_id":"s""#),
            settle("r", 5, r#","spend_id":"s""#),
            r#"{"op":"observe_meter","meter_id":"m","delta":5}"#.to_owned(),
        ],
    );
}

/// Refused, not an error: it is an event, and changes nothing else.
#[test]
fn a_double_release_is_refused() {
    let book = Book::new();
    let lines =
        [allocate("b", 100, ""), reserve("b", 20, "r", ""), release("r"), release("r"), settle("r", 5, "")];
    let answers = book.apply(&[], &lines);
    let refused = json!({
        "kind": "reservation_gone", "seq": 4, "budget_id": "b", "amount": "20", "reservation_id": "r",
    });
    budgets::expect_fields(&answers[3]["refused"], &refused);
    assert_eq!(answers[4]["ok"]["result"]["late"], true);
    let state = expect_conserved(&book);
    assert_eq!((&state["budgets"][0]["reserved"], &state["budgets"][0]["spent"]), (&json!("0"), &json!("5")));
    assert_eq!(state["reservations"].as_array().map(Vec::len), Some(0), "{state}");
    let _: &Value = &state["meters"];
}

//! Reading the operations on budgets: what is not taken, and how it is named.

use super::super::*;
use super::{message, read};

/// The fields that an operation has to have.
fn needed(op: &str) -> &'static str {
    match op {
        "record_spend" | "reserve" | "check" => r#""budget_id":"b","amount":1"#,
        "settle" => r#""reservation_id":"r","amount":1"#,
        "release" | "mark_unknown" => r#""reservation_id":"r""#,
        "reverse_spend" => r#""spend_id":"s""#,
        "set_progress" => r#""budget_id":"b","progress":0"#,
        "observe_meter" => r#""meter_id":"m","delta":1"#,
        "reset_meter" | "get_meter" => r#""meter_id":"m""#,
        "list_budgets" | "list_reservations" | "list_spends" => "",
        _ => r#""budget_id":"b""#,
    }
}

/// A line with what its operation has to have, but for the field that is given a value.
fn line(op: &str, field: &str, value: &str) -> String {
    let needed = needed(op).split(',').filter(|pair| !pair.is_empty());
    let others: Vec<String> = needed
        .filter(|pair| !pair.starts_with(&format!("\"{field}\":")))
        .map(|pair| format!("{pair},"))
        .collect();
    format!(r#"{{"op":"{op}",{}"{field}":{value}}}"#, others.concat())
}

#[track_caller]
fn expect_unexpected(op: &str, field: &str, value: &str, expected: &str) {
    let message = message(&line(op, field, value));
    assert!(message.starts_with(&format!("{field}: expected {expected}")), "{op} {value}: {message}");
    assert!(message.ends_with(&format!("found {value}")), "{op} {value}: {message}");
}

#[test]
fn what_an_operation_has_to_have_is_asked_for() {
    let is_of_others = |op: &str| op.contains("goal") || op == "record_turn" || op == "record_event";
    for op in op::OPS.iter().map(|op| op.name).filter(|op| !is_of_others(op)) {
        let pairs: Vec<&str> =
            needed(op).split(',').filter(|pair| !pair.is_empty() && op != "head").collect();
        for left_out in &pairs {
            let rest: String =
                pairs.iter().filter(|pair| pair != &left_out).map(|pair| format!(",{pair}")).collect();
            let message = message(&format!(r#"{{"op":"{op}"{rest}}}"#));
            if left_out.starts_with("\"delta\"") {
                assert_eq!(message, "expected delta or cumulative, found neither");
            } else {
                let field = left_out.split('"').nth(1).unwrap();
                assert!(message.starts_with(&format!("{field}: expected ")), "{op}: {message}");
                assert!(message.ends_with("found no such field"), "{op}: {message}");
                expect_null_is_refused(op, field);
            }
        }
        if op != "head" {
            let all = pairs.iter().map(|pair| format!(",{pair}")).collect::<String>();
            assert!(read(&format!(r#"{{"op":"{op}"{all}}}"#)).is_ok(), "{op}");
        }
    }
}

fn expect_null_is_refused(op: &str, field: &str) {
    let message = message(&line(op, field, "null"));
    assert!(message.starts_with(&format!("{field}: expected ")), "{op}: {message}");
    assert!(message.ends_with("found null"), "{op}: {message}");
}

#[test]
fn amounts_are_exact_or_refused() {
    let beyond = "\"340282366920938463463374607431768211456\"";
    let bad = [
        "-1",
        "1.0",
        "0.5",
        "1e3",
        "1E3",
        "-0",
        "18446744073709551616",
        "true",
        "[]",
        "{}",
        "\"\"",
        "\"01\"",
        "\"+1\"",
        "\"-1\"",
        "\"1.5\"",
        "\"1e3\"",
        "\" 1\"",
        "\"1 \"",
        "\"0x10\"",
        "\"1_000\"",
        "\"NaN\"",
        "\"Infinity\"",
        beyond,
        "\"١\"",
    ];
    let places = [
        ("allocate", "limit"),
        ("check", "amount"),
        ("record_spend", "amount"),
        ("reserve", "amount"),
        ("settle", "amount"),
        ("reverse_spend", "amount"),
        ("adjust_budget", "limit"),
        ("observe_meter", "delta"),
        ("reset_meter", "baseline"),
    ];
    for (op, field) in places {
        for value in bad {
            expect_unexpected(op, field, value, "an amount");
        }
    }
    for value in bad {
        let cumulative = message(&format!(r#"{{"op":"observe_meter","meter_id":"m","cumulative":{value}}}"#));
        assert!(cumulative.starts_with("cumulative: expected an amount"), "{cumulative}");
        let quantities =
            format!(r#"{{"op":"settle","reservation_id":"r","amount":1,"quantities":{{"a b":{value}}}}}"#);
        assert!(message(&quantities).starts_with("quantities[\"a b\"]: expected an amount"), "{quantities}");
    }
    for not_json in ["NaN", "Infinity", "-Infinity", "01", "+1", "1.", ".5", "0x1"] {
        let line = line("record_spend", "amount", not_json);
        assert!(message(&line).starts_with("expected a JSON object, found malformed JSON"), "{line}");
    }
}

#[test]
fn fractions_lie_where_they_can() {
    for bad in ["-0.1", "1.0000001", "2", "1e400", "-1e400", "\"0.5\"", "\"NaN\"", "true", "[]", "{}"] {
        expect_unexpected("set_progress", "progress", bad, "a number from 0 to 1");
    }
    for bad in ["0", "0.0", "-0.0", "0.0000001", "-0.5", "1.0000001", "1e400", "\"0.5\"", "null", "[0.5]"] {
        let message = message(&line("allocate", "thresholds", &format!("[0.5,{bad}]")));
        let expected = "thresholds[1]: expected a fraction of the limit, a number from 0.000001 to 1";
        assert_eq!(message, format!("{expected}, found {bad}"));
        assert!(read(&line("adjust_budget", "thresholds", &format!("[{bad}]"))).is_err(), "{bad}");
    }
    for op in ["allocate", "adjust_budget"] {
        for bad in ["0.5", "\"0.5\"", "{}", "true"] {
            expect_unexpected(op, "thresholds", bad, "an array");
        }
    }
}

#[test]
fn other_types_are_refused_by_name() {
    for (op, field, values, expected) in [
        ("allocate", "unit", &["5", "[]"][..], "a string"),
        ("allocate", "hard", &["1", "\"true\"", "0"], "true or false"),
        ("allocate", "window", &["\"day\"", "[]", "5"], "an object"),
        ("allocate", "widen_by", &["\"ada\"", "{}"], "an array"),
        ("allocate", "parent", &["5"], "a string"),
        ("adjust_budget", "hard", &["\"no\""], "true or false"),
        ("adjust_budget", "window", &["\"day\"", "false"], "an object"),
        ("record_spend", "incurred", &["1", "\"true\""], "true or false"),
        ("record_spend", "quantities", &["[]", "5", "\"a\""], "an object"),
        ("record_spend", "spend_id", &["5", "true"], "a string"),
        ("record_spend", "peer", &["5"], "a string"),
        ("settle", "tool", &["{}"], "a string"),
        ("settle", "reason", &["[]"], "a string"),
        ("settle", "occurred_at", &["0", "1700000000"], "a string"),
        (
            "reserve",
            "ttl_ms",
            &["0", "-1", "1.5", "1e3", "\"60000\"", "true", "18446744073709551616"],
            "an integer from 1",
        ),
        ("reserve", "owner", &["5"], "a string"),
        ("reserve", "reservation_id", &["5"], "a string"),
        ("burn_rate", "span_ms", &["0", "-1", "0.5", "\"1\""], "an integer from 1"),
        ("close_budget", "children", &["\"all\"", "\"\""], "\"refuse\" or \"close\""),
        ("close_budget", "children", &["true"], "a string"),
        ("list_budgets", "status", &["\"open\"", "\"Active\""], "\"active\", \"exhausted\" or \"closed\""),
        ("list_budgets", "limit", &["-1", "\"5\""], "an integer from 0"),
        ("list_budgets", "before", &["5"], "a string"),
        (
            "list_reservations",
            "status",
            &["\"active\""],
            "\"open\", \"unknown\", \"settled\", \"released\" or \"expired\"",
        ),
        ("list_reservations", "owner", &["5"], "a string"),
        ("list_spends", "limit", &["1.0"], "an integer from 0"),
    ] {
        for value in values {
            expect_unexpected(op, field, value, expected);
        }
    }
}

#[test]
fn ids_that_are_none_are_refused() {
    let long = format!("\"{}\"", "x".repeat(201));
    for (op, field, expected) in [
        ("allocate", "budget_id", "a budget id"),
        ("allocate", "parent", "a budget id"),
        ("get_budget", "budget_id", "a budget id"),
        ("list_budgets", "before", "a budget id"),
        ("list_spends", "budget_id", "a budget id"),
        ("observe_meter", "budget_id", "a budget id"),
        ("record_spend", "spend_id", "a spend id"),
        ("reverse_spend", "spend_id", "a spend id"),
        ("list_spends", "before", "a spend id"),
        ("reserve", "reservation_id", "a reservation id"),
        ("settle", "reservation_id", "a reservation id"),
        ("release", "reservation_id", "a reservation id"),
        ("mark_unknown", "reservation_id", "a reservation id"),
        ("list_reservations", "before", "a reservation id"),
        ("observe_meter", "meter_id", "a meter id"),
        ("reset_meter", "meter_id", "a meter id"),
        ("get_meter", "meter_id", "a meter id"),
    ] {
        for bad in ["\"\"", "\"a\\nb\"", "\"\\u0000\"", &long] {
            let message = message(&line(op, field, bad));
            let expected =
                format!("{field}: expected {expected} of 1 to 200 bytes without control characters");
            assert!(message.starts_with(&expected), "{op} {bad}: {message}");
            assert!(message.len() < 400, "{message}");
        }
    }
    let goal = message(&line("get_budget", "budget_id", "\"goal:mine\""));
    assert!(
        goal.starts_with("budget_id: expected a goal's UUID after the reserved prefix `goal:`"),
        "{goal}"
    );
}

#[test]
fn parts_of_a_value_are_named() {
    for (op, fields, expected) in [
        (
            "allocate",
            r#""window":{}"#,
            "window.every: expected hour, day, week, month or an ISO 8601 duration",
        ),
        ("allocate", r#""window":{"every":5}"#, "window.every: expected a string, found 5"),
        ("allocate", r#""window":{"every":null}"#, "window.every: expected a string, found null"),
        (
            "allocate",
            r#""window":{"every":"day","anchor":"noon"}"#,
            "window.anchor: expected a time as RFC 3339",
        ),
        ("allocate", r#""window":{"every":"day","tz":5}"#, "window.tz: expected a string, found 5"),
        (
            "adjust_budget",
            r#""window":{"every":"day","start":1}"#,
            "unknown field \"window.start\"; it takes every, anchor, tz",
        ),
        (
            "adjust_budget",
            r#""window":{"every":"day","every":"day"}"#,
            "window.every: expected once, found twice",
        ),
        ("allocate", r#""widen_by":["ada",5]"#, "widen_by[1]: expected a string, found 5"),
        (
            "record_spend",
            r#""quantities":{"a":1,"\u0061":2}"#,
            "quantities[\"a\"]: expected once, found twice",
        ),
        ("record_spend", r#""quantities":{"a":null}"#, "quantities[\"a\"]: expected an amount"),
        (
            "record_spend",
            r#""occurred_at":"2026-13-01T00:00:00Z""#,
            "occurred_at: expected a time as RFC 3339",
        ),
    ] {
        let message = message(&format!(r#"{{"op":"{op}",{},{fields}}}"#, needed(op)));
        assert!(message.starts_with(expected), "{fields}: {message}");
    }
    let both = message(r#"{"op":"observe_meter","meter_id":"m","delta":1,"cumulative":1}"#);
    assert_eq!(both, "expected delta or cumulative, found both");
}

#[test]
fn fields_of_other_operations_are_refused() {
    for (op, field) in [
        ("allocate", "amount"),
        ("adjust_budget", "widen_by"),
        ("adjust_budget", "unit"),
        ("reserve", "spend_id"),
        ("settle", "incurred"),
        ("settle", "budget_id"),
        ("release", "amount"),
        ("reverse_spend", "budget_id"),
        ("observe_meter", "baseline"),
        ("list_spends", "status"),
        ("list_budgets", "budget_id"),
    ] {
        let message = message(&line(op, field, "1"));
        assert!(message.starts_with(&format!("unknown field \"{field}\"; {op} takes ")), "{message}");
    }
}

#[test]
fn very_many_quantities_are_read_quickly_and_long_names_cut() {
    let many: Vec<String> = (0..100_000).map(|n| format!("\"{n}\":1")).collect();
    let of = |quantities: &str| {
        format!(r#"{{"op":"record_spend","budget_id":"b","amount":1,"quantities":{{{quantities}}}}}"#)
    };
    assert!(read(&of(&many[..70_000].join(","))).is_ok());
    let twice = message(&of(&format!("{},\"7\":1", many[..70_000].join(","))));
    assert_eq!(twice, "quantities[\"7\"]: expected once, found twice");
    let long = message(&of(&format!("\"{}\":-1", "x".repeat(10_000))));
    assert!(long.len() < 400, "{long}");
}

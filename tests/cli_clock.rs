//! `--manual-clock`: time stands still but for the `now` of commands; and what depends on time, the refusal loop.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;

use cli::Book;

const A: &str = "00000000-0000-7000-8000-00000000000a";
const MANUAL: [&str; 1] = ["--manual-clock"];

fn create(goal_id: &str, more: &str) -> String {
    format!(r#"{{"op":"create_goal","goal_id":"{goal_id}","text":"ship 2.0"{more}}}"#)
}

fn turn(tokens: u64, more: &str) -> String {
    format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":{tokens}{more}}}"#)
}

fn resume(more: &str) -> String {
    format!(r#"{{"op":"transition_goal","goal_id":"{A}","to":"active"{more}}}"#)
}

fn times(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["ts"].as_str().unwrap()).collect()
}

#[test]
fn time_stands_still_but_for_now() {
    let book = Book::new();
    let answers = book.apply(
        &MANUAL,
        &[
            create(A, r#","now":"2026-01-05T09:00:00Z""#),
            turn(1, ""),
            turn(1, r#","now":"2026-01-05T10:30:00.25+01:00""#),
            turn(1, r#","now":"2026-01-05T09:30:00.250Z""#),
            turn(1, r#","now":"2026-01-05T09:30:00.249999Z""#),
            turn(1, ""),
            r#"{"op":"head","now":"2026-01-05T11:00:00Z"}"#.to_owned(),
            turn(1, ""),
        ],
    );
    assert_eq!(answers[4]["error"]["kind"], "invalid", "never backwards: {}", answers[4]);
    assert_eq!(answers[5]["ok"]["result"]["tokens_used"], "4", "a refused `now` does nothing else either");
    let (first, second) = ("2026-01-05T09:00:00.000000Z", "2026-01-05T09:30:00.250000Z");
    let expected = [first, first, second, second, second, "2026-01-05T11:00:00.000000Z"];
    assert_eq!(times(&book.events(&[])), expected);
}

#[test]
fn time_never_goes_back_over_a_restart() {
    let book = Book::new();
    book.apply(&MANUAL, &[create(A, r#","now":"2026-01-05T09:00:00Z""#)]);
    let answers = book.apply(
        &MANUAL,
        &[
            turn(1, ""),
            turn(1, r#","now":"2025-01-01T00:00:00Z""#),
            turn(1, r#","now":"2026-01-06T09:00:00Z""#),
        ],
    );
    assert_eq!(answers[1]["error"]["kind"], "invalid");
    let (first, second) = ("2026-01-05T09:00:00.000000Z", "2026-01-06T09:00:00.000000Z");
    assert_eq!(times(&book.events(&[])), [first, first, second]);
}

#[test]
fn a_clock_that_was_set_back_does_not_show() {
    // The journal is of a time that the machine's clock has not reached.
    let book = Book::new();
    book.apply(&MANUAL, &[create(A, r#","now":"2999-01-01T00:00:00Z""#)]);
    book.apply(&[], &[turn(1, "")]);
    assert_eq!(times(&book.events(&[])), ["2999-01-01T00:00:00.000000Z"; 2], "never decreasing (law ORDER)");
}

#[test]
fn now_needs_the_manual_clock_and_a_time() {
    let book = Book::new();
    let answers = book.apply(&[], &[create(A, r#","now":"2026-01-05T09:00:00Z""#)]);
    assert_eq!(answers[0]["error"]["kind"], "invalid");
    let wrong = [r#""soon""#, "5", r#""2026-01-05""#, r#""2026-13-05T09:00:00Z""#, "{}"];
    let lines = wrong.map(|now| create(A, &format!(r#","now":{now}"#)));
    for answer in book.apply(&MANUAL, &lines) {
        assert_eq!(answer["error"]["kind"], "invalid", "{answer}");
    }
    assert_eq!(book.head()["seq"], 0);
}

/// Law HONEST: every refusal is an event, bounded under a refusal loop.
#[test]
fn a_refusal_loop_is_bounded_and_counted() {
    for window in ["1", "256"] {
        let book = Book::new();
        let mut lines = vec![create(A, r#","token_budget":10,"now":"2026-01-05T09:00:00Z""#), turn(25, "")];
        let begun = lines.len();
        lines.extend((0..40).map(|number| resume(&format!(r#","key":"r{number}""#))));
        // The first and the last of the loop once more: one is remembered, the other consumed no key.
        lines.extend([resume(r#","key":"r0""#), resume(r#","key":"r39""#)]);
        // The next minute.
        lines.push(resume(r#","now":"2026-01-05T09:01:00Z","key":"r40""#));
        lines.push(r#"{"op":"head"}"#.to_owned());
        let answers = book.apply(&["--manual-clock", "--window", window], &lines);
        let refused = |index: usize| &answers[begun + index]["refused"];
        for index in 0..40 {
            let expected = match index {
                // After the goal, the turn, three thresholds, the exhaustion and the pause.
                0..16 => json!({"seq": 8 + index}),
                _ => json!({"seq": null, "suppressed": true}),
            };
            let mut found = refused(index).clone();
            let figures = found.as_object_mut().unwrap();
            for (name, value) in [
                ("kind", json!("budget_exceeded")),
                ("budget_id", json!(format!("goal:{A}"))),
                ("limit", json!("10")),
                ("spent", json!("25")),
                ("reserved", json!("0")),
            ] {
                assert_eq!(figures.remove(name), Some(value), "{name} of refusal {index}");
            }
            assert!(figures.remove("amount").is_some_and(|amount| amount.is_string()));
            assert_eq!(found, expected, "refusal {index}");
        }
        assert_eq!(refused(40)["seq"], 8);
        assert_eq!(*refused(41), json!(refused(39)), "a suppressed one consumes no key");
        assert!(refused(42)["seq"].is_u64(), "a new minute: {}", refused(42));

        let summaries = book.events(&["--kind", "refusals_suppressed"]);
        assert_eq!(summaries.len(), 1, "{summaries:?}");
        let data = json!({
            "budget_id": format!("goal:{A}"), "refusal": "budget_exceeded", "count": 25,
            "minute": "2026-01-05T09:00:00.000000Z",
        });
        assert_eq!(summaries[0]["data"], data);
        let events = book.events(&[]);
        cli::expect_gapless(&events);
        let refusals = book.events(&["--kind", "command_refused"]);
        assert_eq!(refusals.len(), 17);
        assert_eq!(refusals[0]["data"]["op"], "transition_goal");
        assert_eq!(refusals[0]["data"]["goal_id"], A);
    }
}

#[test]
fn suppressed_refusals_are_counted_at_the_latest_at_the_end() {
    let book = Book::new();
    let mut lines = vec![create(A, r#","token_budget":10,"now":"2026-01-05T09:00:00Z""#), turn(25, "")];
    lines.extend((0..20).map(|_| resume("")));
    book.apply(&MANUAL, &lines);
    let summaries = book.events(&["--kind", "refusals_suppressed"]);
    assert_eq!(summaries.len(), 1, "{summaries:?}");
    assert_eq!(summaries[0]["data"]["count"], 4);
    // The counters of the minute outlive the restart, by what the events say.
    let answers = book.apply(&MANUAL, &[resume("")]);
    assert_eq!(answers[0]["refused"]["suppressed"], true);
    let counts: u64 = book
        .events(&["--kind", "refusals_suppressed"])
        .iter()
        .map(|event| event["data"]["count"].as_u64().unwrap())
        .sum();
    assert_eq!(counts, 5);
}

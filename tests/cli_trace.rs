//! `tallybook apply` on a whole trace of requests: the sums are those of an independent computation.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::print_stdout, reason = "which trace it was")]

use std::path::Path;

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;
#[path = "common/trace.rs"]
mod trace;

use cli::{Book, amount, joined};
use trace::{ExpectedGoal, Trace};

#[test]
fn the_sums_of_a_trace_are_those_of_an_independent_computation() {
    let trace = Trace::load(env!("CARGO_MANIFEST_DIR"));
    // Which of the two it is should be seen: the sample is the lesser test.
    println!("the trace is {}: {} commands", trace.source.display(), trace.commands.len());
    let book = Book::new();
    let lines: Vec<String> = trace.commands.iter().map(trace::TraceCommand::to_json).collect();
    let file = book.put_beside("trace.jsonl", joined(&lines).as_bytes());
    let ran = book.run("apply", &[file.to_str().unwrap(), "--segment-bytes", "1000000"], b"").expect_code(0);

    let answers = ran.json_lines();
    check_answers(&answers, &trace);
    let head = book.head();
    let state = book.state(&[]);
    check_state(&state, &trace);
    assert_eq!((&state["seq"], &state["state_hash"]), (&head["seq"], &head["state_hash"]), "law FOLD");
    assert_eq!(book.head()["state_hash"], head["state_hash"], "reopened once more");
    check_events(&book.events(&[]), &head, &trace);
    let verified = book.verify();
    assert_eq!((&verified["clean"], &verified["findings"]), (&json!(true), &json!([])));

    // Everything that left an event once more: nothing is booked twice (law EXACT).
    let left_event = |answer: &Value| answer["ok"]["first_seq"].is_u64() || answer["refused"]["seq"].is_u64();
    let journaled = answers.iter().zip(&lines).filter(|(answer, _)| left_event(answer));
    let journaled: Vec<&String> = journaled.map(|(_, line)| line).collect();
    for (again, line) in book.apply(&["--window", "256"], &journaled).iter().zip(&journaled) {
        assert!(again["ok"]["retried"] == true || again["refused"]["seq"].is_u64(), "{line}: {again}");
    }
    assert_eq!(book.head()["state_hash"], head["state_hash"]);
}

fn check_answers(answers: &[Value], trace: &Trace) {
    assert_eq!(answers.len(), trace.commands.len());
    let (mut next_seq, mut refused, mut without_goal) = (1, 0, 0);
    for (answer, line) in answers.iter().zip(1u64..) {
        assert_eq!(answer["line"], line);
        if let Some(seq) = answer["refused"]["seq"].as_u64() {
            assert_eq!(seq, next_seq, "{answer}");
            refused += 1;
            next_seq += 1;
        } else if answer["refused"]["suppressed"] == true {
            refused += 1;
        } else if answer["ok"]["result"].is_null() {
            assert!(answer["ok"].is_object() && answer["ok"]["first_seq"].is_null(), "{answer}");
            without_goal += 1;
        } else {
            assert_eq!(answer["ok"]["first_seq"], next_seq, "seqs without a gap: {answer}");
            next_seq = answer["ok"]["last_seq"].as_u64().unwrap() + 1;
        }
    }
    assert_eq!((refused, without_goal), (trace.expected.refused, trace.expected.turns_without_goal));
}

fn check_state(state: &Value, trace: &Trace) {
    let goals = state["goals"].as_array().unwrap();
    assert_eq!(goals.len(), trace.expected.goals.len());
    let (mut tokens, mut turns) = (0, 0);
    for goal in goals {
        let id = goal["goal_id"].as_str().unwrap();
        let ExpectedGoal {
            status,
            pause_reason,
            token_budget,
            tokens_used,
            tokens_own,
            turns_used,
            seconds_used,
        } = &trace.expected.goals[id];
        let expected = json!({
            "status": status, "pause_reason": pause_reason,
            "token_budget": token_budget.map(|limit| limit.to_string()),
            "tokens_used": tokens_used.to_string(), "tokens_own": tokens_own.to_string(),
            "turns_used": turns_used, "seconds_used": seconds_used,
        });
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(goal[name], *value, "{name} of {goal}");
        }
        tokens += amount(&goal["tokens_own"]);
        turns += goal["turns_used"].as_u64().unwrap();
    }
    assert_eq!((tokens, turns), (trace.expected.tokens, trace.expected.turns));
}

fn check_events(events: &[Value], head: &Value, trace: &Trace) {
    cli::expect_gapless(events);
    assert_eq!(head["seq"], events.len());
    let turns: Vec<&Value> =
        events.iter().filter(|event| event["kind"] == "turn_recorded").map(|event| &event["data"]).collect();
    let tokens: u128 = turns.iter().map(|turn| amount(&turn["tokens"])).sum();
    assert_eq!((tokens, turns.len() as u64), (trace.expected.tokens, trace.expected.turns));
}

#[test]
fn a_turn_of_each_request_sums_to_the_file_itself() {
    // The plainest account of all: one goal, and the columns of the file added up.
    let tokens = tokens_of_requests(&Trace::load(env!("CARGO_MANIFEST_DIR")).source);
    let book = Book::new();
    let mut lines = vec![r#"{"op":"create_goal","text":"answer requests"}"#.to_owned()];
    lines.extend(tokens.iter().map(|tokens| format!(r#"{{"op":"record_turn","tokens":{tokens}}}"#)));
    book.apply(&["--window", "256"], &lines);
    let total: u64 = tokens.iter().sum();
    let goal = &book.state(&[])["goals"][0];
    assert_eq!(
        (&goal["tokens_used"], &goal["turns_used"]),
        (&json!(total.to_string()), &json!(tokens.len()))
    );
    let booked = book.events(&["--kind", "turn_recorded"]);
    let sum: u128 = booked.iter().map(|event| amount(&event["data"]["tokens"])).sum();
    assert_eq!(sum, u128::from(total));
}

/// Context and generated tokens of each line, added.
#[expect(clippy::disallowed_methods, reason = "the trace is a file of the repository, or beside it")]
fn tokens_of_requests(path: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("20"));
    rows.map(|row| row.split(',').skip(1).map(|tokens| tokens.trim().parse::<u64>().unwrap()).sum()).collect()
}

//! The binary, end to end: commands in, answers out, and the journal read back.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const GOAL: &str = "0190b5a8-7b1c-7000-8000-000000000001";

const COMMANDS: &str = r#"{"op":"create_goal","goal_id":"GOAL","text":"ship 2.0","token_budget":"1000"}

{"op":"record_turn","tokens":600,"key":"turn-1","session_id":"night"}
{"op":"record_turn","tokens":600,"key":"turn-1"}
{"op":"record_turn","tokens":"600"}
{"op":"transition_goal","goal_id":"GOAL","to":"active"}
{"op":"unheard_of","name":"n","data":{}}
{"op":"set_goal_budget","goal_id":"GOAL","token_budget":5000,"resume":true}
{"op":"active_goal"}
{"op":"head"}"#;

fn tallybook(arguments: &[&str], dir: &Path, input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tallybook"));
    let (name, options) = arguments.split_first().unwrap();
    let mut child = command
        .arg(name)
        .arg(dir)
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.replace("GOAL", GOAL).as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn json_lines(output: &Output) -> Vec<Value> {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_window_gives_the_same_answers() {
    for window in ["1", "2", "256"] {
        let scratch = tempfile::tempdir().unwrap();
        let answers =
            json_lines(&tallybook(&["apply", "--window", window], &scratch.path().join("book"), COMMANDS));
        let lines: Vec<u64> = answers.iter().map(|answer| answer["line"].as_u64().unwrap()).collect();
        assert_eq!(lines, [1, 3, 4, 5, 6, 7, 8, 9, 10], "the blank line is counted, but not answered");

        assert_eq!(answers[1]["ok"]["first_seq"], 2);
        assert_eq!(answers[2]["ok"]["retried"], true);
        assert_eq!(answers[2]["ok"]["result"]["tokens_used"], "600");
        assert_eq!(answers[3]["ok"]["result"]["pause_reason"], "budget_exhausted");
        assert_eq!(answers[4]["refused"]["budget_id"], format!("goal:{GOAL}"));
        assert_eq!(answers[5]["error"]["kind"], "invalid");
        assert_eq!(answers[7]["ok"]["result"]["tokens_used"], "1200");
        assert_eq!(answers[8]["ok"]["result"]["seq"], answers[6]["ok"]["last_seq"]);
    }
}

#[test]
fn what_was_applied_is_read_back() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("book");
    let answers = json_lines(&tallybook(&["apply"], &dir, COMMANDS));
    let head = &answers.last().unwrap()["ok"]["result"];

    let events = json_lines(&tallybook(&["events"], &dir, ""));
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=head["seq"].as_u64().unwrap()).collect::<Vec<_>>(), "gapless (law ORDER)");

    let raw = json_lines(&tallybook(&["events", "--raw", "--session", "night"], &dir, ""));
    assert_eq!(raw.len(), 2, "the turn, and the threshold that it crossed");
    assert_eq!(raw[0]["crc"].as_str().unwrap().len(), 8);
    let cursor = raw[0]["cursor"].as_str().unwrap();
    let after = json_lines(&tallybook(&["events", "--after", cursor, "--to", "4"], &dir, ""));
    assert_eq!(after.iter().map(|event| &event["seq"]).collect::<Vec<_>>(), [3, 4]);

    let state = &json_lines(&tallybook(&["state", "--json"], &dir, ""))[0];
    assert_eq!(
        state["state_hash"], head["state_hash"],
        "replay gives the state of the live engine (law FOLD)"
    );
    assert_eq!(state["budgets"][0]["remaining"], "3800");
    let early = &json_lines(&tallybook(&["state", "--json", "--at", "1"], &dir, ""))[0];
    assert_eq!(early["goals"][0]["tokens_used"], "0");

    let verify = &json_lines(&tallybook(&["verify", "--json"], &dir, ""))[0];
    assert_eq!((&verify["last_good_seq"], &verify["clean"]), (&head["seq"], &true.into()));
    let stat = &json_lines(&tallybook(&["stat", "--json"], &dir, ""))[0];
    assert_eq!(stat["events_by_kind"]["turn_recorded"], 2);
}

#[test]
fn wrong_usage_is_told_from_what_is_not_there() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("book");
    for arguments in [
        &["apply", "--salvage"][..],
        &["apply", "--window", "0"],
        &["apply", "--durability", "never"],
        &["apply", "--key-window", "soon"],
        &["apply", "--segment-bytes", "1"],
        &["apply", "--default-limit", "0"],
        &["apply", "--default-limit", "1.5"],
        &["apply", "--default-ttl", "60"],
        &["events", "--kind", "unheard_of"],
        &["events", "--after", "nowhere"],
        &["state", "--at", "yesterday"],
        &["unheard_of"],
    ] {
        let output = tallybook(arguments, &dir, "");
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
    for command in ["events", "follow", "state", "stat", "verify"] {
        let output = tallybook(&[command], &dir, "");
        assert_eq!(output.status.code(), Some(4), "{command}");
    }
    assert!(!dir.exists(), "nothing that reads, and no wrong usage, makes a journal");
}

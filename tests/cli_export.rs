//! Tables made of a journal: events, and the balances of budgets over time.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;

use cli::Book;

const GOAL: &str = "00000000-0000-7000-8000-00000000000a";

fn told() -> Book {
    let book = Book::new();
    let lines = [
        r#"{"op":"allocate","budget_id":"team","unit":"cents","limit":null,"now":"2026-01-05T09:10:00Z"}"#.to_owned(),
        r#"{"op":"allocate","budget_id":"task","unit":"cents","limit":100,"parent":"team","thresholds":[]}"#.into(),
        r#"{"op":"record_spend","budget_id":"task","amount":30,"spend_id":"a","tool":"web, \"search\"","reason":"look\nup","actor":"ann","session_id":"s1","key":"k1","now":"2026-01-05T09:20:00Z"}"#.into(),
        r#"{"op":"reserve","budget_id":"task","amount":50,"reservation_id":"h","now":"2026-01-05T11:59:59Z"}"#.into(),
        r#"{"op":"record_spend","budget_id":"task","amount":21}"#.into(),
        r#"{"op":"settle","reservation_id":"h","amount":70,"spend_id":"b","now":"2026-01-05T12:00:00Z"}"#.into(),
        format!(r#"{{"op":"create_goal","goal_id":"{GOAL}","text":"ship"}}"#),
    ];
    book.apply(&["--manual-clock"], &lines);
    book
}

#[track_caller]
fn export(book: &Book, flags: &[&str]) -> String {
    book.run("export", flags, b"").expect_code(0).stdout
}

#[test]
fn events_as_json_lines_are_the_events() {
    let book = told();
    assert_eq!(export(&book, &["--format", "jsonl"]), book.run("events", &[], b"").stdout);
    let flags = ["--budget", "task", "--from", "3"];
    let expected = book.run("events", &flags, b"").stdout;
    assert_eq!(export(&book, &["--format", "jsonl", "--budget", "task", "--from", "3"]), expected);
}

#[test]
fn events_as_csv_quote_what_has_to_be_quoted() {
    let book = told();
    let csv = export(&book, &["--format", "csv", "--from", "3", "--to", "3"]);
    let event = book.run("events", &["--from", "3", "--to", "3"], b"").stdout;
    let quoted = event.trim_end().replace('"', "\"\"");
    let expected = format!(
        "seq,ts,kind,session_id,actor,key,budget_id,goal_id,reservation_id,spend_id,amount,limit,tool,peer,reason,event\r\n\
         3,2026-01-05T09:20:00.000000Z,spend_recorded,s1,ann,k1,task,,,a,30,,\"web, \"\"search\"\"\",,\"look\nup\",\"{quoted}\"\r\n"
    );
    assert_eq!(csv, expected);
    let all = export(&book, &["--format", "csv"]);
    let refused = ",command_refused,,,,task,,,,21,100,,,budget_exceeded,";
    assert!(all.contains(refused) && all.contains(&format!(",goal_created,,,,goal:{GOAL},{GOAL},")), "{all}");
}

#[test]
fn every_change_of_a_budget_is_a_balance() {
    let book = told();
    let csv = export(&book, &["--format", "csv", "--what", "balances", "--budget", "task"]);
    let expected = "ts,seq,budget_id,unit,spent,spent_total,reserved,limit,remaining,status\r\n\
                    2026-01-05T09:10:00.000000Z,2,task,cents,0,0,0,100,100,active\r\n\
                    2026-01-05T09:20:00.000000Z,3,task,cents,30,30,0,100,70,active\r\n\
                    2026-01-05T11:59:59.000000Z,4,task,cents,30,30,50,100,20,active\r\n\
                    2026-01-05T12:00:00.000000Z,6,task,cents,100,100,0,100,0,exhausted\r\n";
    assert_eq!(csv, expected);
    let all = export(&book, &["--format", "jsonl", "--what", "balances"]);
    let rows: Vec<Value> = all.lines().map(cli::parse).collect();
    let places: Vec<_> =
        rows.iter().map(|row| (row["seq"].as_u64().unwrap(), row["budget_id"].clone())).collect();
    let goal = format!("goal:{GOAL}");
    let expected = [
        (1, "team"),
        (2, "task"),
        (3, "team"),
        (3, "task"),
        (4, "team"),
        (4, "task"),
        (6, "team"),
        (6, "task"),
        (8, goal.as_str()),
    ];
    assert_eq!(places, expected.map(|(seq, id)| (seq, json!(id))));
    let last = json!({"ts":"2026-01-05T12:00:00.000000Z","seq":8,"budget_id":goal,"unit":"tokens","spent":"0",
        "spent_total":"0","reserved":"0","limit":null,"remaining":null,"status":"active"});
    assert_eq!(rows.last().unwrap(), &last);
}

#[test]
fn an_interval_has_a_balance_for_what_changed_in_it() {
    let book = told();
    let csv = export(&book, &["--format", "csv", "--what", "balances", "--every", "1h", "--budget", "task"]);
    let expected = "ts,seq,budget_id,unit,spent,spent_total,reserved,limit,remaining,status\r\n\
                    2026-01-05T10:00:00.000000Z,3,task,cents,30,30,0,100,70,active\r\n\
                    2026-01-05T12:00:00.000000Z,5,task,cents,30,30,50,100,20,active\r\n\
                    2026-01-05T13:00:00.000000Z,8,task,cents,100,100,0,100,0,exhausted\r\n";
    assert_eq!(csv, expected);
}

#[test]
fn a_part_of_the_history_is_chosen_by_seq_or_by_time() {
    let book = told();
    let seqs = |flags: &[&str]| -> Vec<u64> {
        let flags: Vec<&str> = ["--format", "jsonl"].into_iter().chain(flags.iter().copied()).collect();
        export(&book, &flags).lines().map(|line| cli::parse(line)["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(seqs(&["--since", "2026-01-05T09:20:00Z", "--until", "2026-01-05T11:59:59Z"]), [3, 4, 5]);
    assert_eq!(seqs(&["--from", "7"]), [7, 8]);
    assert_eq!(seqs(&["--since", "-1h"]), [] as [u64; 0]);
    let balances = ["--what", "balances", "--budget", "task"];
    let with = |more: &[&'static str]| {
        seqs(&balances.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>())
    };
    assert_eq!(with(&["--since", "2026-01-05T09:20:00Z", "--until", "2026-01-05T11:59:59Z"]), [3, 4]);
    // The state before it is known: what is told is what changes.
    assert_eq!(with(&["--from", "4", "--to", "4"]), [4]);
}

#[test]
fn what_does_not_go_together_is_wrong_usage() {
    let book = told();
    for flags in [
        &["--what", "balances"][..],
        &["--format", "xml"],
        &["--format", "csv", "--every", "1h"],
        &["--format", "csv", "--what", "balances", "--every", "0s"],
        &["--format", "csv", "--what", "balances", "--kind", "spend_recorded"],
        &["--format", "csv", "--since", "yesterday"],
    ] {
        let ran = book.run("export", flags, b"").expect_code(64);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{ran:?}");
    }
}

#[test]
fn what_was_pruned_is_exported_from_the_archive() {
    let book = Book::new();
    let archive = book.beside("archive");
    let spend = |number: u32| {
        format!(r#"{{"op":"record_spend","budget_id":"task","amount":1,"spend_id":"s{number}"}}"#)
    };
    let lines: Vec<String> =
        std::iter::once(r#"{"op":"allocate","budget_id":"task","limit":null}"#.to_owned())
            .chain((0..150).map(spend))
            .collect();
    let flags = ["--segment-bytes", "4096", "--retain-segments", "1", "--archive", archive.to_str().unwrap()];
    book.apply(&flags, &lines);
    let events = |flags: &[&str]| export(&book, flags).lines().count();
    assert!(events(&["--format", "jsonl"]) < 151, "something was pruned");
    let archived = ["--format", "jsonl", "--archive", archive.to_str().unwrap()];
    assert_eq!(events(&archived), 151);
    let balances: Vec<&str> = archived.into_iter().chain(["--what", "balances"]).collect();
    assert_eq!(events(&balances), 151);
    let replayed =
        book.run("replay", &["--json", "--archive", archive.to_str().unwrap()], b"").expect_code(0);
    assert_eq!(replayed.json()["report"]["commands"], 151);
    let replayed = book.run("replay", &["--json"], b"").expect_code(0).json();
    assert_eq!(replayed["report"]["state_hash_then"], replayed["report"]["state_hash_otherwise"]);
}

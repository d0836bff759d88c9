//! `apply --forget-after`: what ended long ago leaves memory by an event, and stays in history.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/budgets.rs"]
mod budgets;
#[path = "common/cli.rs"]
mod cli;

use budgets::{Bank, allocate, close, get, goal, reserve, settle, spend, transition, turn, under};
use cli::Book;

/// UUIDs of version 7 begin with their time, in milliseconds: 2026-01-05T09:00:00Z, and a second later.
const PARENT: &str = "019b8d62-7a80-7000-8000-000000000001";
const CHILD: &str = "019b8d62-7e68-7000-8000-000000000002";
/// Of that time, too, and never used.
const NEVER: &str = "019b8d62-7a80-7000-8000-000000000009";
/// Of an hour later.
const LATER: &str = "019b8d99-6900-7000-8000-000000000003";
const FLAGS: [&str; 4] = ["--key-window", "1h", "--forget-after", "2d"];

fn child(goal_id: &str, parent: &str) -> String {
    goal(goal_id, &format!(r#","parent_goal":"{parent}""#))
}

fn get_goal(goal_id: &str) -> String {
    format!(r#"{{"op":"get_goal","goal_id":"{goal_id}"}}"#)
}

/// A finished goal with one below it, a closed team with a task, and things that stay.
fn bank() -> Bank {
    let mut bank = Bank::open_with(&FLAGS);
    bank.ok(&allocate("team", 1_000, ""));
    bank.ok(&allocate("task", 500, &under("team")));
    bank.ok(&allocate("open", 500, ""));
    bank.ok(&goal(PARENT, r#","token_budget":"1000","budgets":["task"]"#));
    bank.ok(&child(CHILD, PARENT));
    bank.ok(&turn(CHILD, 30, r#","charges":[{"budget_id":"task","amount":7}]"#));
    bank.ok(&spend("task", 60, r#","spend_id":"s","key":"k""#));
    bank.ok(&reserve("task", 9, "r", ""));
    bank.ok(&settle("r", 8, ""));
    bank.ok(&transition(PARENT, "completed"));
    bank.ok(&close("team", r#","children":"close""#));
    bank.at("2026-01-05T10:00:00Z");
    bank.ok(&goal(LATER, r#","scope":"later""#));
    bank
}

/// Lets what is due be forgotten: it happens while nobody waits.
fn forget(bank: &mut Bank, now: &str) {
    bank.at(now);
    bank.head();
}

fn forgotten(book: &Book) -> Vec<Value> {
    book.events(&["--kind", "ended_forgotten"])
}

#[test]
fn what_is_forgotten_within_an_interval_is_exported_at_its_end() {
    let mut bank = bank();
    forget(&mut bank, "2026-01-07T09:00:01Z");
    assert_eq!(forgotten(&bank.book).len(), 1);
    let flags =
        ["--format", "csv", "--what", "balances", "--every", "7d", "--budget", "task", "--budget", "open"];
    let csv = bank.book.run("export", &flags, b"").expect_code(0).stdout;
    let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|row| row.split(',').collect()).collect();
    let places: Vec<_> = rows.iter().map(|row| (row[0], row[2], row[4], row[9])).collect();
    let ends_at = "2026-01-08T00:00:00.000000Z";
    assert_eq!(places, [(ends_at, "open", "0", "active"), (ends_at, "task", "75", "closed")]);
}

#[test]
fn what_ended_leaves_memory_from_below_and_stays_in_history() {
    let mut bank = bank();
    forget(&mut bank, "2026-01-07T09:00:00Z");
    assert!(forgotten(&bank.book).is_empty(), "not a moment too early");
    let before = bank.book.state(&[]);
    forget(&mut bank, "2026-01-07T09:00:01Z");
    let events = forgotten(&bank.book);
    assert_eq!(events.len(), 1, "in one event");
    assert_eq!(events[0]["data"], json!({"goals": [CHILD, PARENT], "budgets": ["task", "team"]}));
    assert_eq!(events[0].get("actor"), None);

    let state = bank.book.state(&[]);
    let ids = |list: &Value, name: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|of| of[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&state["goals"], "goal_id"), [LATER]);
    assert!(ids(&state["budgets"], "budget_id").iter().all(|id| id == "open" || id.ends_with(LATER)));
    assert_eq!(bank.head()["state_hash"], state["state_hash"]);
    let seq = events[0]["seq"].as_u64().unwrap();
    assert_eq!(bank.book.state(&["--at", &(seq - 1).to_string()]), before, "as of then it is all there");
    let story = bank.book.events(&["--goal", CHILD]);
    assert_eq!(story.last().unwrap()["kind"], "ended_forgotten", "it is part of its story");
    for budget in ["team".to_owned(), "task".to_owned(), format!("goal:{PARENT}")] {
        let of_it = bank.book.events(&["--budget", &budget]);
        assert_eq!(of_it.last().unwrap()["seq"], seq, "{budget}");
    }
    let entries = bank.ok(r#"{"op":"list_spends","budget_id":"task"}"#);
    assert_eq!(entries.as_array().unwrap().len(), 3, "entries are in the journal");
    bank.finish();
}

#[test]
fn a_forgotten_goal_is_said_to_be_and_a_forgotten_budget_makes_room() {
    let mut bank = bank();
    forget(&mut bank, "2026-01-08T00:00:00Z");
    for _ in 0..2 {
        for id in [PARENT, CHILD, NEVER] {
            let budget = format!("goal:{id}");
            for line in [
                get_goal(id),
                turn(id, 5, ""),
                transition(id, "active"),
                goal(id, ""),
                child("00000000-0000-7000-8000-00000000000a", id),
                format!(r#"{{"op":"set_goal_budget","goal_id":"{id}","token_budget":"5"}}"#),
                format!(r#"{{"op":"list_goals","before":"{id}"}}"#),
                get(&budget),
                spend(&budget, 5, ""),
                budgets::check(&budget, 5),
                budgets::incur(&budget, 5, ""),
                format!(r#"{{"op":"list_budgets","before":"{budget}"}}"#),
                format!(r#"{{"op":"burn_rate","budget_id":"{budget}"}}"#),
            ] {
                bank.error("forgotten", &line);
            }
        }
        for line in [
            get("task"),
            spend("task", 5, ""),
            close("task", ""),
            r#"{"op":"list_budgets","before":"task"}"#.to_owned(),
            get_goal("00000000-0000-4000-8000-00000000000a"),
            // Of a time from which nothing was forgotten.
            get_goal("019bffff-0000-7000-8000-000000000003"),
            settle("r", 8, ""),
            budgets::reverse("s", ""),
        ] {
            bank.error("not_found", &line);
        }
        bank.reopen();
    }
    bank.ok(&allocate("task", 70, ""));
    bank.expect("task", 0, 0, 70);
    // Its key was forgotten before the budget was.
    bank.ok(&spend("task", 60, r#","spend_id":"s","key":"k""#));
    bank.expect("task", 60, 0, 10);
    bank.finish();
}

#[test]
fn late_usage_puts_it_off_and_so_does_what_is_still_open() {
    let mut bank = bank();
    bank.at("2026-01-07T08:00:00Z");
    bank.ok(&turn(CHILD, 1, ""));
    bank.ok(&goal("00000000-0000-7000-8000-00000000000d", r#","budgets":["open"]"#));
    bank.ok(&close("open", ""));
    forget(&mut bank, "2026-01-07T09:30:00Z");
    assert!(forgotten(&bank.book).is_empty(), "the parent has its usage, too, and it names the task");
    forget(&mut bank, "2026-01-09T08:00:01Z");
    let events = forgotten(&bank.book);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["data"]["goals"], json!([CHILD, PARENT]));
    forget(&mut bank, "2026-02-01T00:00:00Z");
    assert_eq!(bank.budget("open")["status"], "closed", "a goal that is open names it");
    bank.ok(&transition("00000000-0000-7000-8000-00000000000d", "cleared"));
    forget(&mut bank, "2026-02-03T00:00:01Z");
    let events = forgotten(&bank.book);
    let last = &events.last().unwrap()["data"];
    assert_eq!(last, &json!({"goals": ["00000000-0000-7000-8000-00000000000d"], "budgets": ["open"]}));
    bank.finish();
}

#[test]
fn nothing_is_forgotten_by_who_is_not_told_to_and_at_an_opening_by_who_is() {
    let book = Book::new();
    let at = |now: &str, line: &str| budgets::with(line, &format!(r#""now":"{now}""#));
    let lines = [
        at("2026-01-05T09:00:00Z", &goal(PARENT, "")),
        transition(PARENT, "completed"),
        at("2027-01-05T09:00:00Z", &goal(LATER, "")),
        get_goal(PARENT),
    ];
    let answers = book.apply(&["--manual-clock"], &lines);
    assert_eq!(answers[3]["ok"]["result"]["status"], "completed");
    assert!(forgotten(&book).is_empty());
    let mut writer = book.writer(&["--manual-clock", "--forget-after", "365d"]);
    assert_eq!(writer.ask(&get_goal(LATER))["ok"]["result"]["status"], "active");
    writer.end().expect_code(0);
    assert!(forgotten(&book).is_empty(), "a year is not longer than a year");
    let mut writer = book.writer(&["--manual-clock", "--forget-after", "364d"]);
    assert_eq!(writer.ask(&get_goal(LATER))["ok"]["result"]["status"], "active");
    assert_eq!(writer.ask(&get_goal(PARENT))["error"]["kind"], "forgotten");
    writer.end().expect_code(0);
    assert_eq!(forgotten(&book).len(), 1);
}

#[test]
fn thousands_of_goals_are_forgotten_beside_a_stream_of_commands() {
    let book = Book::new();
    let id = |number: u32| format!("019b8d62-7a80-7000-8000-{number:012x}");
    let mut lines: Vec<String> = Vec::new();
    for number in 0..5_000 {
        let scope = format!(r#","scope":"s{number}""#);
        lines.push(goal(&id(number), &scope));
        lines.push(transition(&id(number), "completed"));
    }
    lines[0] = budgets::with(&lines[0], r#""now":"2026-01-05T09:00:00Z""#);
    lines.push(budgets::with(&goal(LATER, ""), r#""now":"2026-02-05T09:00:00Z""#));
    lines.extend((0..2_000).map(|number| turn(LATER, number, "")));
    let flags = ["--manual-clock", "--window", "64", "--forget-after", "1d"];
    let answers = book.apply(&flags, &lines);
    assert!(answers.iter().all(|answer| answer["ok"].is_object()));
    // What is left to do is done by whoever comes next.
    book.apply(&flags, &[budgets::HEAD; 40].map(str::to_owned));
    assert_eq!(book.state(&[])["goals"].as_array().unwrap().len(), 1);
    let sizes = forgotten(&book)
        .iter()
        .map(|event| event["data"]["goals"].as_array().unwrap().len())
        .collect::<Vec<_>>();
    assert_eq!((sizes.iter().sum::<usize>(), sizes.iter().max()), (5_000, Some(&256)));
    budgets::expect_conserved(&book);
}

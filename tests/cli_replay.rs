//! What if: a history decided again under other limits or prices, as the command line tells it.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;

use cli::Book;

const GOAL: &str = "00000000-0000-7000-8000-00000000000a";

/// A team's money, of which a task has a part, and a goal that uses tokens.
fn story() -> Vec<String> {
    let spend = |amount: u64, more: &str| {
        format!(r#"{{"op":"record_spend","budget_id":"task","amount":{amount}{more}}}"#)
    };
    vec![
        // 1, 2
        r#"{"op":"allocate","budget_id":"team","unit":"cents","limit":1000,"thresholds":[],"now":"2026-01-05T09:00:00Z"}"#.into(),
        r#"{"op":"allocate","budget_id":"task","unit":"cents","limit":400,"parent":"team","thresholds":[]}"#.into(),
        // 3
        spend(100, r#","spend_id":"a","tool":"opus","quantities":{"tokens":1001},"actor":"ann","session_id":"s1","now":"2026-01-05T09:01:00Z""#),
        // 4, 5
        r#"{"op":"reserve","budget_id":"task","amount":150,"reservation_id":"hold"}"#.into(),
        r#"{"op":"settle","reservation_id":"hold","amount":120,"spend_id":"b","now":"2026-01-05T09:02:00Z"}"#.into(),
        // 6: refused, since 220 are spent of 400
        spend(200, r#","spend_id":"c","key":"k""#),
        // 7
        r#"{"op":"reverse_spend","spend_id":"b","amount":20}"#.into(),
        // 8
        format!(r#"{{"op":"create_goal","goal_id":"{GOAL}","text":"ship","token_budget":1000}}"#),
        // 9, then 10: half of it is used
        format!(r#"{{"op":"record_turn","goal_id":"{GOAL}","tokens":500}}"#),
        // 11
        format!(r#"{{"op":"record_turn","goal_id":"{GOAL}","tokens":100,"charges":[{{"budget_id":"team","amount":7}}]}}"#),
    ]
}

fn told() -> Book {
    let book = Book::new();
    book.apply(&["--manual-clock"], &story());
    book
}

/// What `replay --json` prints: the divergences, and the report.
#[track_caller]
fn replay(book: &Book, flags: &[&str]) -> (Vec<Value>, Value) {
    let flags: Vec<&str> = ["--json"].into_iter().chain(flags.iter().copied()).collect();
    let mut lines = book.run("replay", &flags, b"").expect_code(0).json_lines();
    let report = lines.pop().unwrap()["report"].clone();
    (lines, report)
}

fn in_short(divergences: &[Value]) -> Vec<(u64, &str, &str)> {
    let text =
        |value: &'_ Value| -> &'static str { Box::leak(value.as_str().unwrap().to_owned().into_boxed_str()) };
    divergences
        .iter()
        .map(|found| (found["seq"].as_u64().unwrap(), text(&found["op"]), text(&found["difference"])))
        .collect()
}

#[test]
fn with_nothing_set_every_command_comes_out_as_it_did() {
    let book = told();
    let before = book.files();
    let (divergences, report) = replay(&book, &[]);
    assert_eq!(divergences, [] as [Value; 0]);
    assert_eq!(report["state_hash_then"], report["state_hash_otherwise"]);
    assert_eq!(report["state_hash_then"], book.state(&[])["state_hash"]);
    assert_eq!((&report["from_seq"], &report["to_seq"]), (&json!(1), &book.state(&[])["seq"]));
    assert_eq!((&report["first"], &report["budgets"]), (&Value::Null, &json!([])));
    let text = book.run("replay", &[], b"").expect_code(0).stdout;
    assert!(text.starts_with("nothing was changed, and every command comes out as it did\n"), "{text}");
    assert_eq!(book.files(), before, "nothing is written into the directory");
}

#[test]
fn a_tighter_limit_stops_work_and_what_follows_from_it_is_impossible() {
    let book = told();
    let (divergences, report) = replay(&book, &["--set", "task.limit=200"]);
    let expected =
        [(4, "reserve", "refused"), (5, "settle", "impossible"), (7, "reverse_spend", "impossible")];
    assert_eq!(in_short(&divergences), expected);
    assert_eq!(divergences[0]["refusal"]["limit"], "200");
    assert_eq!(divergences[0]["refusal"]["spent"], "100");
    assert_eq!(divergences[1]["because"], "reservation hold would not have been made");
    assert_eq!(report["first_stop"]["seq"], 4);
    let budget = |id: &str| {
        let budgets = report["budgets"].as_array().unwrap();
        budgets.iter().find(|budget| budget["budget_id"] == id).cloned().unwrap()
    };
    assert_eq!(
        (&budget("task")["spent_then"], &budget("task")["spent_otherwise"]),
        (&json!("200"), &json!("100"))
    );
    assert_eq!(
        (&budget("team")["spent_then"], &budget("team")["spent_otherwise"]),
        (&json!("207"), &json!("107"))
    );
    assert_eq!(
        (&budget("task")["limit_then"], &budget("task")["limit_otherwise"]),
        (&json!("400"), &json!("200"))
    );

    let text = book.run("replay", &["--set", "task.limit=200"], b"").expect_code(0).stdout;
    let sentence = "it would have stopped work at seq 4, 2026-01-05T09:01:00.000000Z: reserve of 150 on task would \
                    have been refused: budget_exceeded of budget task (limit 200, spent 100, reserved 0, amount 150)";
    assert!(text.contains(sentence), "{text}");
}

#[test]
fn a_wider_limit_lets_pass_what_was_refused() {
    let book = told();
    let (divergences, report) = replay(&book, &["--set", "task.limit=none"]);
    assert_eq!(in_short(&divergences), [(6, "record_spend", "passed")]);
    assert_eq!(divergences[0]["counted"], true);
    assert_eq!(report["first_stop"], Value::Null);
    let (_, soft) = replay(&book, &["--set", "task.hard=false"]);
    for report in [&report, &soft] {
        assert_eq!(report["budgets"][0]["spent_otherwise"], "400");
    }
}

#[test]
fn a_goal_that_would_have_been_paused_goes_on_no_more() {
    let book = told();
    let (divergences, report) = replay(&book, &["--set", &format!("goal:{GOAL}.limit=500")]);
    assert_eq!(in_short(&divergences), [(9, "record_turn", "otherwise"), (11, "record_turn", "stopped")]);
    let gained: Vec<&str> = divergences[0]["gained"]
        .as_array()
        .unwrap()
        .iter()
        .map(|effect| effect["effect"].as_str().unwrap())
        .collect();
    assert_eq!(gained, ["exhausted", "crossed", "crossed", "moved"]);
    assert_eq!(report["first_stop"]["seq"], 9);
    let goal = &report["budgets"][0];
    assert_eq!((&goal["spent_then"], &goal["spent_otherwise"]), (&json!("600"), &json!("500")));
}

#[test]
fn prices_give_spends_with_quantities_another_amount() {
    let book = told();
    let csv = book
        .put_beside("prices.csv", b"quantity,price,per,tool\r\ntokens,1,1000,\r\ntokens,75,1000,opus\r\n");
    let json = book.put_beside(
        "prices.json",
        br#"{"prices":[{"quantity":"tokens","price":"75","per":1000,"tool":"opus"}]}"#,
    );
    for prices in [csv, json] {
        let (divergences, report) = replay(&book, &["--prices", prices.to_str().unwrap()]);
        // 76 instead of 100: 204 are left, which is enough for the 200 that were refused.
        assert_eq!(in_short(&divergences), [(6, "record_spend", "passed")]);
        assert_eq!((&report["repriced"], &report["unpriced"]), (&json!(1), &json!(0)));
        assert_eq!(report["budgets"][0]["spent_otherwise"], "376");
    }
    let dear = book.put_beside("dear.csv", b"quantity,price\ntokens,1\n");
    let (divergences, _) = replay(&book, &["--prices", dear.to_str().unwrap()]);
    // What is not spent then leaves room for what was refused.
    assert_eq!(in_short(&divergences), [(3, "record_spend", "refused"), (6, "record_spend", "passed")]);
    let wrong = book.put_beside("wrong.csv", b"quantity,cost\n");
    let ran = book.run("replay", &["--prices", wrong.to_str().unwrap()], b"").expect_code(64);
    assert!(ran.stderr.contains("cost"), "{}", ran.stderr);
    book.run("replay", &["--prices", "/nowhere/prices.csv"], b"").expect_code(4);
}

#[test]
fn a_change_holds_from_a_seq_on() {
    let book = told();
    let (divergences, report) = replay(&book, &["--from", "5", "--set", "task.limit=150"]);
    // The hold was made before: its settlement is booked, and there is less than nothing left.
    assert_eq!(in_short(&divergences), [(5, "settle", "otherwise")]);
    assert_eq!(report["budgets"][0]["overage_otherwise"], "70");
    let (_, part) = replay(&book, &["--to", "4", "--set", "task.limit=200"]);
    assert_eq!((&part["to_seq"], &part["refused"], &part["impossible"]), (&json!(4), &json!(1), &json!(0)));
    // In the middle of a command: what is left of it is as it was.
    let (divergences, report) = replay(&book, &["--from", "10"]);
    assert_eq!((divergences.len(), &report["commands"]), (0, &json!(1)));
    // A limit that is passed already: that itself is told.
    let (divergences, _) = replay(&book, &["--from", "6", "--set", "task.limit=100"]);
    assert_eq!(in_short(&divergences)[0], (6, "what_if", "otherwise"));
}

#[test]
fn a_default_limit_is_for_every_budget_that_is_not_named() {
    let book = told();
    let (_, report) = replay(&book, &["--set", "default-limit=90", "--set", "team.limit=none"]);
    assert_eq!(report["first"]["seq"], 3);
    assert_eq!(report["budgets"][0]["limit_otherwise"], "90");
    assert_eq!(report["budgets"][1]["limit_otherwise"], Value::Null);
}

#[test]
fn what_cannot_be_changed_is_wrong_usage() {
    let book = told();
    for (flags, said) in [
        (["--set", "nobody.limit=5"], "there is no budget nobody"),
        (["--set", "task.limit=5.5"], "BUDGET.limit=AMOUNT"),
        (["--set", "task"], "BUDGET.limit=AMOUNT"),
        (["--from", "99"], "seq 98 is not in the journal"),
    ] {
        let ran = book.run("replay", &flags, b"").expect_code(64);
        assert!(ran.stderr.contains(said) && ran.stdout.is_empty(), "{ran:?}");
    }
}

#[test]
fn it_is_safe_beside_a_live_writer() {
    let book = told();
    let mut writer = book.writer(&["--manual-clock"]);
    for amount in 1..20 {
        writer.ask(&format!(
            r#"{{"op":"record_spend","budget_id":"team","amount":{amount},"now":"2026-01-05T10:00:00Z"}}"#
        ));
        assert_eq!(replay(&book, &[]).0, [] as [Value; 0]);
    }
    writer.end().expect_code(0);
}

//! What is kept of budgets, and for how long, through `apply`: entries that memory forgot are read from the journal;
//! time goes on though nobody asks, and far.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/budgets.rs"]
mod budgets;
#[path = "common/cli.rs"]
mod cli;

use budgets::{
    Bank, allocate, expect_conserved, expect_fields, kinds, reserve, reverse, settle, spend, under,
};
use cli::{Book, poll_until};

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|spend| spend["spend_id"].as_str().unwrap()).collect()
}

#[test]
fn entries_that_memory_forgot_are_read_from_the_journal() {
    let mut bank = Bank::open_with(&["--key-window", "1h"]);
    bank.ok(&allocate("team", 10_000, ""));
    bank.ok(&allocate("task", 10_000, &under("team")));
    bank.ok(&spend("task", 600, r#","spend_id":"old","tool":"t","meta":{"n":1}"#));
    bank.ok(&reverse("old", r#","amount":100"#));
    bank.ok(&spend("team", 5, r#","spend_id":"other""#));
    bank.ok(&reserve("task", 7, "r", ""));
    bank.ok(&settle("r", 7, r#","spend_id":"settled""#));
    bank.at("2026-01-05T11:00:00Z");
    bank.ok(&spend("task", 60, r#","spend_id":"mid""#));
    bank.at("2026-01-05T13:00:00Z");
    bank.ok(&spend("task", 6, r#","spend_id":"new""#));
    bank.error("not_found", &reverse("old", ""));
    for _ in 0..2 {
        let mut list = |fields: &str| bank.ok(&format!(r#"{{"op":"list_spends"{fields}}}"#));
        let all = list(r#","budget_id":"task""#);
        assert_eq!(ids(&all), ["new", "mid", "settled", "old"]);
        let old = json!({
            "amount": "600", "reversed": "100", "tool": "t", "meta": {"n": 1}, "budget_id": "task", "late": false,
            "created_at": "2026-01-05T09:00:00.000000Z",
        });
        expect_fields(&all[3], &old);
        assert_eq!(all[2]["reservation_id"], "r");
        assert_eq!(ids(&list(r#","budget_id":"task","limit":2,"before":"mid""#)), ["settled", "old"]);
        assert_eq!(ids(&list(r#","budget_id":"task","before":"settled""#)), ["old"]);
        assert_eq!(ids(&list("")), ["new", "mid", "settled", "other", "old"]);
        bank.reopen();
    }
    // The figures never needed the entries.
    bank.expect("task", 573, 0, 9_427);
    bank.finish();
}

#[test]
fn the_rate_of_a_whole_life_needs_no_entries() {
    let mut bank = Bank::open_with(&["--key-window", "1h"]);
    bank.ok(&allocate("team", 10_000, ""));
    bank.ok(&spend("team", 600, ""));
    bank.at("2026-01-05T12:00:00Z");
    bank.ok(&spend("team", 60, ""));
    let mut rate = |span: &str| bank.ok(&format!(r#"{{"op":"burn_rate","budget_id":"team"{span}}}"#));
    let life = rate("");
    expect_fields(&life, &json!({"per_minute": "3", "amount": "660", "span_ms": 10_800_000}));
    for span in [10_800_000, 86_400_000] {
        assert_eq!(rate(&format!(r#","span_ms":{span}"#)), life, "a span that is as long as its life");
    }
    // What is forgotten is left out of a shorter span, and the span says so.
    let short = rate(r#","span_ms":9000000"#);
    assert_eq!(short["amount"], "60");
    assert!(short["span_ms"].as_u64().unwrap() <= 9_000_000, "{short}");
    bank.finish();
}

#[test]
fn an_alert_of_a_turn_with_two_charges_comes_once() {
    let mut bank = Bank::open();
    bank.ok(&allocate("money", 100, ""));
    bank.ok(&budgets::goal(budgets::A, ""));
    let charge = r#"{"budget_id":"money","amount":60}"#;
    let frame = bank.frame(&budgets::turn(budgets::A, 1, &format!(r#","charges":[{charge},{charge}]"#)));
    let alerts = ["threshold_crossed", "threshold_crossed", "threshold_crossed", "budget_exhausted"];
    assert_eq!(kinds(&frame)[3..], alerts, "for all that the turn spent");
    bank.finish();
}

#[test]
fn a_hold_expires_though_nobody_asks() {
    let book = Book::new();
    let mut writer = book.writer(&[]);
    assert!(writer.ask(&allocate("team", 100, ""))["ok"].is_object());
    assert!(writer.ask(&reserve("team", 100, "r", r#","ttl_ms":200"#))["ok"].is_object());
    assert!(
        poll_until(|| book.events(&["--kind", "reservation_expired"]).len() == 1),
        "by the writer's clock"
    );
    assert!(writer.ask(&spend("team", 100, ""))["ok"].is_object());
    writer.end().expect_code(0);
    expect_conserved(&book);
}

#[test]
fn many_holds_and_windows_end_at_once() {
    let mut lines = vec![with_now(&allocate("team", 100_000, ""), "2026-01-05T09:00:00Z")];
    lines.extend((0..3_000).map(|number| reserve("team", 2, &format!("r{number}"), r#","ttl_ms":1000"#)));
    lines.extend((0..300).map(|number| allocate(&format!("b{number}"), 10, r#","window":{"every":"hour"}"#)));
    lines.push(with_now(&budgets::get("team"), "2026-01-05T10:00:00Z"));
    lines.push(budgets::get("b299"));
    let book = Book::new();
    let answers = book.apply(&["--manual-clock", "--window", "256"], &lines);
    let last = lines.len() - 2;
    expect_fields(&answers[last]["ok"]["result"], &json!({"reserved": "0", "remaining": "100000"}));
    assert_eq!(answers[last + 1]["ok"]["result"]["window"]["start"], "2026-01-05T10:00:00.000000Z");
    assert_eq!(book.events(&["--kind", "reservation_expired"]).len(), 3_000);
    assert_eq!(book.events(&["--kind", "window_rolled"]).len(), 300);
    expect_conserved(&book);
}

fn with_now(line: &str, now: &str) -> String {
    budgets::with(line, &format!(r#""now":"{now}""#))
}

/// No command may halt the engine, not even by the latest time that there is.
#[test]
fn the_end_of_time_halts_nobody() {
    let mut bank = Bank::open();
    for (number, every) in ["hour", "day", "week", "month", "PT1S", "P100Y"].iter().enumerate() {
        bank.ok(&allocate(&format!("b{number}"), 100, &format!(r#","window":{{"every":"{every}"}}"#)));
    }
    bank.ok(&reserve("b0", 5, "r", r#","ttl_ms":18446744073709551615"#));
    for now in ["9999-12-31T22:59:59.999999Z", "9999-12-31T23:00:00Z", "9999-12-31T23:59:59.999999Z"] {
        bank.at(now);
        bank.ok(&spend("b0", 1, ""));
    }
    bank.ok(&allocate("last", 100, r#","window":{"every":"hour"}"#));
    bank.finish();
}

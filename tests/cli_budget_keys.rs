//! Keys of the commands about budgets, through `apply`: a retry is never booked twice, whichever of its names it comes
//! by (law EXACT).
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/budgets.rs"]
mod budgets;
#[path = "common/cli.rs"]
mod cli;

use budgets::{
    Bank, adjust, allocate, check, close, expect_fields, incur, progress, release, reserve, reverse, settle,
    spend, with,
};

/// `2026-01-05T09:00:00Z`, in the milliseconds with which a UUID of version 7 begins.
const DATED: &str = "019b8d62-7a80-7000-8000-000000000001";

fn bank() -> Bank {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 1_000, ""));
    bank
}

fn keyed(line: &str, key: &str) -> String {
    with(line, &format!(r#""key":"{key}""#))
}

#[track_caller]
fn expect_retried(bank: &mut Bank, line: &str, first: &Value) -> Value {
    let before = bank.head();
    let mut again = bank.done(line);
    assert_eq!(again["retried"], true, "{line}: {again}");
    for seq in ["first_seq", "last_seq"] {
        assert_eq!(again[seq], first[seq], "{line}");
    }
    assert_eq!(bank.head(), before, "a retry changes nothing");
    again["result"].take()
}

#[test]
fn every_command_can_be_retried_by_its_key() {
    let mut bank = bank();
    bank.ok(&reserve("team", 10, "r1", ""));
    bank.ok(&reserve("team", 10, "r2", ""));
    bank.ok(&reserve("team", 10, "r3", ""));
    bank.ok(&spend("team", 50, r#","spend_id":"s""#));
    bank.ok(&allocate("other", 5, ""));
    let made_by_engine = r#"{"op":"reserve","budget_id":"team","amount":"10"}"#;
    let lines: Vec<String> = [
        allocate("made", 100, ""),
        spend("team", 20, ""),
        incur("team", 30, r#","tool":"t""#),
        made_by_engine.to_owned(),
        settle("r1", 5, ""),
        release("r2"),
        budgets::mark_unknown("r3"),
        reverse("s", r#","amount":10"#),
        adjust("team", r#""limit":2000"#),
        progress("team", "0.5"),
        close("other", ""),
    ]
    .iter()
    .zip(1..)
    .map(|(line, number)| keyed(line, &format!("k{number}")))
    .collect();
    let first: Vec<Value> = lines.iter().map(|line| bank.done(line)).collect();
    for round in 0..2 {
        for (line, first) in lines.iter().zip(&first) {
            let result = expect_retried(&mut bank, line, first);
            for id in ["budget_id", "spend_id", "reservation_id"] {
                assert_eq!(result[id], first["result"][id], "the ids that were made then");
            }
        }
        if round == 0 {
            bank.reopen();
        }
    }
    // Current figures, not those of then.
    bank.ok(&spend("made", 7, ""));
    assert_eq!(expect_retried(&mut bank, &lines[0], &first[0])["spent"], "7");
    for (line, other) in [
        (&lines[0], allocate("made", 101, "")),
        (&lines[1], spend("team", 21, "")),
        (&lines[4], settle("r1", 6, "")),
        (&lines[7], reverse("s", "")),
        (&lines[8], adjust("team", r#""limit":2001"#)),
    ] {
        let key = line.rsplit('"').nth(1).unwrap().to_owned();
        bank.error("conflict", &keyed(&other, &key));
    }
    bank.finish();
}

#[test]
fn a_spend_id_is_a_key() {
    let mut bank = bank();
    let line = spend("team", 30, r#","spend_id":"s","tool":"t""#);
    let first = bank.done(&line);
    let result = expect_retried(&mut bank, &line, &first);
    assert_eq!(result, first["result"]);
    // Whatever the order of its fields, and whatever the envelope says.
    let same = r#"{"tool":"t","amount":30,"spend_id":"s","op":"record_spend","budget_id":"team","actor":"a","meta":{"x":1}}"#;
    expect_retried(&mut bank, same, &first);
    // Under a key of its own, too.
    expect_retried(&mut bank, &keyed(&line, "k"), &first);
    bank.ok(&allocate("other", 100, ""));
    for other in [
        spend("team", 31, r#","spend_id":"s","tool":"t""#),
        spend("other", 30, r#","spend_id":"s","tool":"t""#),
        spend("team", 30, r#","spend_id":"s""#),
        incur("team", 30, r#","spend_id":"s","tool":"t""#),
    ] {
        bank.error("conflict", &other);
    }
    bank.ok(&reserve("team", 10, "r", ""));
    bank.error("conflict", &settle("r", 10, r#","spend_id":"s""#));
    bank.reopen();
    expect_retried(&mut bank, &line, &first);
    bank.ok(&reverse("s", ""));
    assert_eq!(expect_retried(&mut bank, &line, &first)["reversed"], "30", "current figures");
    bank.expect("team", 0, 10, 990);
    bank.finish();
}

#[test]
fn a_refused_spend_does_not_consume_its_id_but_its_key() {
    let mut bank = bank();
    bank.ok(&spend("team", 990, ""));
    let line = spend("team", 20, r#","spend_id":"s""#);
    let refused = bank.refused("budget_exceeded", &keyed(&line, "k"));
    bank.refused("budget_exceeded", &line);
    bank.refused("budget_exceeded", &reserve("team", 20, "r", ""));
    bank.ok(&adjust("team", r#""limit":2000"#));
    let again = bank.refused("budget_exceeded", &keyed(&line, "k"));
    for same in ["seq", "limit", "spent", "reserved", "amount", "budget_id"] {
        assert_eq!(again[same], refused[same], "remembered as refused: {same}");
    }
    bank.reopen();
    assert_eq!(bank.refused("budget_exceeded", &keyed(&line, "k"))["seq"], refused["seq"]);
    assert_eq!(bank.done(&line).get("retried"), None, "it is a new one");
    assert_eq!(bank.done(&line)["retried"], true);
    assert_eq!(bank.ok(&reserve("team", 20, "r", ""))["status"], "open");
    bank.expect("team", 1_010, 20, 970);
    bank.finish();
}

#[test]
fn a_reservation_id_is_a_key() {
    let mut bank = bank();
    let line = reserve("team", 30, "r", r#","ttl_ms":60000,"owner":"o""#);
    let first = bank.done(&line);
    expect_retried(&mut bank, &line, &first);
    for other in [
        reserve("team", 31, "r", r#","ttl_ms":60000,"owner":"o""#),
        reserve("team", 30, "r", r#","ttl_ms":60001,"owner":"o""#),
        reserve("team", 30, "r", r#","ttl_ms":60000"#),
    ] {
        bank.error("exists", &other);
    }
    bank.reopen();
    // The clock goes on; it is the same command all the same.
    bank.at("2026-01-05T09:00:30Z");
    assert_eq!(expect_retried(&mut bank, &line, &first)["expires_at"], "2026-01-05T09:01:00.000000Z");
    bank.at("2026-01-05T09:01:00Z");
    assert_eq!(expect_retried(&mut bank, &line, &first)["status"], "expired", "it is not held again");
    bank.expect("team", 0, 0, 1_000);
    bank.ok(&settle("r", 5, ""));
    expect_retried(&mut bank, &line, &first);
    bank.finish();
}

#[test]
fn keys_outlive_the_close_of_the_budget() {
    let mut bank = bank();
    let lines = [
        spend("team", 30, r#","spend_id":"s""#),
        keyed(&spend("team", 5, ""), "k"),
        reserve("team", 10, "r", ""),
        keyed(&close("team", ""), "c"),
    ];
    let first: Vec<Value> = lines.iter().map(|line| bank.done(line)).collect();
    bank.reopen();
    for (line, first) in lines.iter().zip(&first) {
        expect_retried(&mut bank, line, first);
    }
    expect_fields(
        &expect_retried(&mut bank, &lines[3], &first[3]),
        &json!({"spent": "35", "released": ["r"]}),
    );
    bank.refused("budget_closed", &close("team", ""));
    bank.finish();
}

#[test]
fn errors_and_checks_are_not_remembered() {
    let mut bank = bank();
    bank.error("not_found", &keyed(&spend("later", 5, ""), "k"));
    bank.ok(&allocate("later", 100, ""));
    assert_eq!(bank.done(&keyed(&spend("later", 5, ""), "k")).get("retried"), None);
    bank.error("invalid", &keyed(&spend("later", 0, ""), "l"));
    assert_eq!(bank.done(&keyed(&spend("later", 5, ""), "l")).get("retried"), None);
    bank.unchanged(&keyed(&adjust("later", r#""limit":100"#), "m"));
    assert_eq!(bank.done(&keyed(&adjust("later", r#""limit":200"#), "m")).get("retried"), None);
    bank.unchanged(&check("later", 1));
    bank.finish();
}

#[test]
fn ids_are_remembered_as_long_as_the_window_says() {
    let mut bank = Bank::open_with(&["--key-window", "1h"]);
    bank.ok(&allocate("team", 1_000, ""));
    let dated = spend("team", 10, &format!(r#","spend_id":"{DATED}""#));
    let plain = spend("team", 10, r#","spend_id":"plain""#);
    let held = reserve("team", 10, "held", "");
    let ended = reserve("team", 10, "ended", "");
    for line in [&dated, &plain, &held, &ended] {
        bank.ok(line);
    }
    bank.ok(&release("ended"));
    bank.at("2026-01-05T09:59:00Z");
    for line in [&dated, &plain, &held, &ended] {
        assert_eq!(bank.done(line)["retried"], true, "{line}");
    }
    bank.at("2026-01-05T10:05:00Z");
    bank.ok(&spend("team", 1, ""));
    // One that says how old it is cannot be mistaken for a new one.
    bank.error("key_expired", &dated);
    bank.error("key_expired", &keyed(&spend("team", 1, ""), DATED));
    bank.error("not_found", &reverse(DATED, ""));
    assert_eq!(bank.done(&plain).get("retried"), None, "a forgotten id without a date is a new one");
    assert_eq!(bank.done(&held)["retried"], true, "what is held is never forgotten");
    bank.error("not_found", &settle("ended", 5, ""));
    bank.reopen();
    bank.error("key_expired", &dated);
    bank.ok(&settle("held", 10, ""));
    // 10 + 10, 1, 10 anew, 10 settled.
    bank.expect("team", 41, 0, 959);
    bank.finish();
}

#[test]
fn retries_in_flight_beside_their_originals_are_recognised() {
    let mut lines = vec![allocate("team", 10_000, "")];
    for number in 0..60u128 {
        let ids = format!(r#","spend_id":"s{number}""#);
        let hold = format!("r{number}");
        for line in [spend("team", number + 1, &ids), reserve("team", 3, &hold, ""), settle(&hold, 2, "")] {
            lines.extend([line.clone(), line]);
        }
    }
    let book = cli::Book::new();
    let answers = book.apply(&["--window", "256"], &lines);
    for pair in answers[1..].chunks(2) {
        assert_eq!(pair[0]["ok"].get("retried"), None, "{}", pair[0]);
        assert_eq!(pair[1]["ok"]["retried"], true, "{}", pair[1]);
        assert_eq!(pair[0]["ok"]["first_seq"], pair[1]["ok"]["first_seq"]);
    }
    let state = budgets::expect_conserved(&book);
    assert_eq!(state["budgets"][0]["spent"], (60 * 61 / 2 + 60 * 2).to_string());
}

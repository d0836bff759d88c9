//! What a roll of a window does, through `apply` under `--manual-clock`: what begins anew, what carries over.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::json;

#[path = "common/budgets.rs"]
mod budgets;
#[path = "common/cli.rs"]
mod cli;

use budgets::{
    A, Bank, allocate, close, data, expect_fields, goal, incur, kinds, reserve, reverse, settle, spend,
    transition, turn, under,
};

const HOURLY: &str = r#","window":{"every":"hour"}"#;
const TEN: &str = "2026-01-05T10:00:00Z";
const ELEVEN: &str = "2026-01-05T11:00:00Z";

fn bank() -> Bank {
    let mut bank = Bank::open();
    bank.ok(&allocate("b", 100, HOURLY));
    bank
}

#[test]
fn open_holds_carry_over_and_settle_in_the_window_of_then() {
    let mut bank = bank();
    bank.ok(&spend("b", 50, ""));
    bank.ok(&reserve("b", 40, "r", ""));
    bank.ok(&reserve("b", 10, "late", r#","ttl_ms":1000"#));
    bank.at(TEN);
    bank.expect("b", 0, 40, 60);
    bank.refused("budget_exceeded", &spend("b", 61, ""));
    assert_eq!(bank.ok(&settle("r", 35, ""))["late"], false);
    bank.expect("b", 35, 0, 65);
    assert_eq!(bank.ok(&settle("late", 5, ""))["late"], true);
    bank.expect("b", 40, 0, 60);
    assert_eq!(bank.budget("b")["spent_total"], "90");
    bank.finish();
}

#[test]
fn a_reversal_of_a_spend_of_an_earlier_window_changes_the_totals_only() {
    let mut bank = bank();
    bank.ok(&spend("b", 60, r#","spend_id":"old""#));
    bank.at(TEN);
    bank.ok(&spend("b", 30, r#","spend_id":"new""#));
    bank.ok(&reverse("old", r#","amount":20"#));
    expect_fields(&bank.budget("b"), &json!({"spent": "30", "spent_total": "70", "remaining": "70"}));
    bank.ok(&reverse("new", r#","amount":10"#));
    expect_fields(&bank.budget("b"), &json!({"spent": "20", "spent_total": "60", "remaining": "80"}));
    bank.reopen();
    bank.ok(&reverse("old", ""));
    expect_fields(&bank.budget("b"), &json!({"spent": "20", "spent_total": "20"}));
    bank.finish();
}

#[test]
fn each_budget_of_a_path_takes_a_reversal_by_its_own_window() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 1_000, ""));
    bank.ok(&allocate("daily", 500, r#","window":{"every":"day"},"parent":"root""#));
    bank.ok(&allocate("hourly", 100, r#","window":{"every":"hour"},"parent":"daily""#));
    bank.ok(&spend("hourly", 60, r#","spend_id":"s""#));
    bank.at(TEN);
    assert_eq!(bank.book.events(&["--kind", "window_rolled"]).len(), 1, "the hour only");
    bank.ok(&reverse("s", r#","amount":25"#));
    bank.expect("hourly", 0, 0, 100);
    bank.expect("daily", 35, 0, 465);
    bank.expect("root", 35, 0, 965);
    bank.at("2026-01-06T00:00:00Z");
    bank.ok(&reverse("s", ""));
    bank.expect("daily", 0, 0, 500);
    bank.expect("root", 0, 0, 1_000);
    bank.finish();
}

#[test]
fn thresholds_and_exhaustion_are_said_again_in_every_window() {
    let mut bank = bank();
    let alerts =
        ["spend_recorded", "threshold_crossed", "threshold_crossed", "threshold_crossed", "budget_exhausted"];
    assert_eq!(kinds(&bank.frame(&spend("b", 100, ""))), alerts);
    bank.refused("budget_exceeded", &spend("b", 1, ""));
    bank.at(TEN);
    expect_fields(&bank.budget("b"), &json!({"status": "active", "spent": "0"}));
    assert_eq!(kinds(&bank.frame(&spend("b", 60, ""))), alerts[..2]);
    assert_eq!(kinds(&bank.frame(&spend("b", 40, ""))).len(), 4);
    bank.at(ELEVEN);
    assert_eq!(kinds(&bank.frame(&spend("b", 100, ""))), alerts);
    bank.finish();
}

#[test]
fn overage_is_of_the_window_its_total_of_life() {
    let mut bank = bank();
    bank.ok(&incur("b", 130, ""));
    bank.at(TEN);
    expect_fields(&bank.budget("b"), &json!({"overage": "0", "overage_total": "30", "spent": "0"}));
    let frame = bank.frame(&incur("b", 105, ""));
    assert_eq!(frame[0]["data"]["overage"], json!([{"budget_id": "b", "amount": "5"}]));
    expect_fields(&bank.budget("b"), &json!({"overage": "5", "overage_total": "35", "spent_total": "235"}));
    bank.finish();
}

#[test]
fn many_idle_windows_are_one_roll() {
    let mut bank = bank();
    bank.ok(&spend("b", 60, ""));
    bank.at("2026-03-01T17:30:00Z");
    let rolls = bank.book.events(&["--kind", "window_rolled"]);
    assert_eq!(rolls.len(), 1);
    let expected = json!({
        "budget_id": "b", "spent": "60",
        "ended": {"start": "2026-01-05T09:00:00.000000Z", "end": "2026-01-05T10:00:00.000000Z"},
        "span": {"start": "2026-03-01T17:00:00.000000Z", "end": "2026-03-01T18:00:00.000000Z"},
    });
    assert_eq!(rolls[0]["data"], expected);
    assert_eq!(rolls[0]["ts"], "2026-03-01T17:30:00.000000Z");
    bank.expect("b", 0, 0, 100);
    bank.finish();
}

#[test]
fn a_window_rolls_that_ended_while_nobody_ran() {
    let mut bank = bank();
    bank.ok(&spend("b", 100, ""));
    bank.reopen();
    bank.refused("budget_exceeded", &spend("b", 1, ""));
    let done = bank.done(&spend("b", 1, &format!(r#","now":"{TEN}""#)));
    assert_eq!(done["result"]["amount"], "1");
    bank.reopen();
    bank.expect("b", 1, 0, 99);
    bank.finish();
}

#[test]
fn late_cost_is_of_the_window_in_which_it_is_booked() {
    let mut bank = bank();
    bank.at(TEN);
    bank.ok(&incur("b", 40, r#","occurred_at":"2026-01-05T09:30:00Z""#));
    bank.expect("b", 40, 0, 60);
    bank.finish();
}

#[test]
fn budgets_roll_each_by_itself() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 1_000, HOURLY));
    bank.ok(&allocate("child", 100, r#","window":{"every":"PT20M"},"parent":"root""#));
    bank.ok(&allocate("free", 100, &under("root")));
    bank.ok(&spend("child", 50, ""));
    bank.ok(&spend("free", 5, ""));
    bank.at("2026-01-05T09:20:00Z");
    bank.expect("child", 0, 0, 100);
    bank.expect("root", 55, 0, 945);
    bank.ok(&spend("child", 100, ""));
    bank.at(TEN);
    bank.expect("child", 0, 0, 100);
    bank.expect("root", 0, 0, 1_000);
    bank.expect("free", 5, 0, 95);
    let rolls = bank.book.events(&["--kind", "window_rolled"]);
    assert_eq!(data(&rolls, "window_rolled", "spent").len(), 3);
    expect_fields(&bank.budget("root"), &json!({"spent_total": "155"}));
    bank.finish();
}

#[test]
fn a_roll_clears_what_blocks_but_resumes_nobody() {
    let mut bank = bank();
    bank.ok(&goal(A, r#","budgets":["b"]"#));
    bank.ok(&turn(A, 5, r#","charges":[{"budget_id":"b","amount":100}]"#));
    expect_fields(&bank.goal(A), &json!({"status": "paused", "pause_reason": "budget_exhausted"}));
    bank.refused("budget_exceeded", &transition(A, "active"));
    bank.at(TEN);
    expect_fields(&bank.goal(A), &json!({"status": "paused", "pause_reason": "budget_exhausted"}));
    assert_eq!(bank.ok(&transition(A, "active"))["status"], "active");
    bank.finish();
}

#[test]
fn a_closed_budget_rolls_no_more() {
    let mut bank = bank();
    bank.ok(&spend("b", 30, ""));
    bank.ok(&close("b", ""));
    bank.at("2026-01-06T10:00:00Z");
    assert!(bank.book.events(&["--kind", "window_rolled"]).is_empty(), "nothing is left to begin anew");
    expect_fields(&bank.budget("b"), &json!({"status": "closed", "spent": "30", "spent_total": "30"}));
    assert_eq!(bank.ok(&incur("b", 7, ""))["late"], true);
    assert_eq!(bank.budget("b")["spent_total"], "37");
    bank.finish();
}

#[test]
fn expiries_and_rolls_come_in_the_order_of_their_moments() {
    let mut bank = bank();
    bank.ok(&reserve("b", 10, "before", r#","ttl_ms":600000"#));
    bank.ok(&reserve("b", 10, "after", r#","ttl_ms":4200000"#));
    bank.at("2026-01-05T10:30:00Z");
    let events = bank.book.events(&["--from", "4"]);
    assert_eq!(kinds(&events), ["reservation_expired", "window_rolled", "reservation_expired"]);
    bank.expect("b", 0, 0, 100);
    bank.finish();
}

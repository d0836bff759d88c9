//! External meters, through `apply`: totals and increases are two types, and a total is never booked as an increase.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/budgets.rs"]
mod budgets;
#[path = "common/cli.rs"]
mod cli;

use budgets::{A, Bank, allocate, close, data, expect_data, expect_fields, goal, kinds, observe, under};

const BOUND: &str = r#","budget_id":"chain""#;

fn bank() -> Bank {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 1_000, r#","unit":"wei","thresholds":[]"#));
    bank.ok(&allocate("chain", 500, &format!(r#","unit":"wei","thresholds":[]{}"#, under("root"))));
    bank
}

fn cumulative(total: u128, more: &str) -> String {
    observe("m", &format!(r#""cumulative":"{total}"{more}"#))
}

fn delta(increase: u128, more: &str) -> String {
    observe("m", &format!(r#""delta":"{increase}"{more}"#))
}

fn reset(more: &str) -> String {
    format!(r#"{{"op":"reset_meter","meter_id":"m"{more}}}"#)
}

fn total(bank: &mut Bank) -> String {
    bank.unchanged(r#"{"op":"get_meter","meter_id":"m"}"#)["total"].as_str().unwrap().to_owned()
}

#[test]
fn totals_are_booked_by_what_they_rose() {
    let mut bank = bank();
    let done = bank.done(&cumulative(100, BOUND));
    expect_fields(&done["result"], &json!({"meter_id": "m", "total": "100", "budget_id": "chain"}));
    let frame = bank.events_of(&done);
    assert_eq!(kinds(&frame), ["meter_observed", "spend_recorded"]);
    let booked = json!({"budget_id": "chain", "amount": "100", "incurred": true, "meter_id": "m"});
    expect_data(&frame[1], &booked);
    for (reading, spent) in [(250, 250), (251, 251), (300, 300)] {
        bank.ok(&cumulative(reading, ""));
        bank.expect("chain", spent, 0, 500 - spent);
        bank.expect("root", spent, 0, 1_000 - spent);
    }
    bank.unchanged(&cumulative(300, ""));
    bank.unchanged(&cumulative(300, BOUND));
    assert_eq!(total(&mut bank), "300");
    bank.finish();
}

#[test]
fn increases_are_booked_as_they_are() {
    let mut bank = bank();
    for (increase, spent) in [(100, 100), (100, 200), (50, 250)] {
        let meter = bank.ok(&delta(increase, if spent == 100 { BOUND } else { "" }));
        assert_eq!(meter["total"], spent.to_string());
        bank.expect("chain", spent, 0, 500 - spent);
    }
    bank.unchanged(&delta(0, ""));
    bank.finish();
}

#[test]
fn the_two_are_not_to_be_mixed_up() {
    for (first, other) in [(cumulative(10, BOUND), delta(10, "")), (delta(10, BOUND), cumulative(20, ""))] {
        let mut bank = bank();
        bank.ok(&first);
        bank.error("conflict", &other);
        bank.expect("chain", 10, 0, 490);
        bank.reopen();
        bank.error("conflict", &other);
        bank.finish();
    }
}

#[test]
fn a_total_that_falls_is_refused_until_the_meter_is_reset() {
    let mut bank = bank();
    bank.ok(&cumulative(100, BOUND));
    let error = bank.error("invalid", &cumulative(99, ""));
    assert!(error["message"].as_str().unwrap().contains("reset_meter"), "what to do: {error}");
    bank.expect("chain", 100, 0, 400);
    let done = bank.done(&reset(""));
    expect_fields(&done["result"], &json!({"meter_id": "m", "total": "0", "budget_id": "chain"}));
    let event = &bank.events_of(&done)[0];
    assert_eq!(event["kind"], "meter_reset");
    expect_data(event, &json!({"meter_id": "m", "previous": "100", "baseline": "0"}));
    bank.expect("chain", 100, 0, 400);
    bank.ok(&cumulative(30, ""));
    bank.expect("chain", 130, 0, 370);
    bank.ok(&reset(r#","baseline":"1000""#));
    bank.error("invalid", &cumulative(999, ""));
    bank.ok(&cumulative(1_005, ""));
    bank.expect("chain", 135, 0, 365);
    bank.reopen();
    bank.ok(&cumulative(1_006, ""));
    bank.expect("chain", 136, 0, 364);
    bank.finish();
}

#[test]
fn a_baseline_may_be_given_before_the_first_reading() {
    let mut bank = bank();
    assert_eq!(bank.ok(&reset(r#","baseline":"1000000""#))["total"], "1000000");
    bank.ok(&cumulative(1_000_020, BOUND));
    bank.expect("chain", 20, 0, 480);
    bank.finish();
}

#[test]
fn a_meter_is_bound_at_its_first_observation_or_never() {
    let mut bank = bank();
    let free = bank.ok(&cumulative(100, ""));
    expect_fields(&free, &json!({"total": "100", "budget_id": null}));
    bank.error("conflict", &cumulative(200, BOUND));
    assert_eq!(kinds(&bank.frame(&cumulative(200, ""))), ["meter_observed"]);
    bank.expect("chain", 0, 0, 500);

    let bound = bank.ok(&observe("n", r#""delta":"5","budget_id":"chain""#));
    assert_eq!(bound["budget_id"], "chain");
    bank.error("conflict", &observe("n", r#""delta":"5","budget_id":"root""#));
    bank.ok(&observe("n", r#""delta":"5","budget_id":"chain""#));
    bank.expect("chain", 10, 0, 490);
    bank.error("not_found", &observe("o", r#""delta":"5","budget_id":"nobody""#));
    let unknown = bank.unchanged(r#"{"op":"get_meter","meter_id":"o"}"#);
    expect_fields(&unknown, &json!({"meter_id": "o", "total": "0", "budget_id": null}));
    bank.finish();
}

#[test]
fn what_a_meter_says_is_booked_whatever_the_limit_and_pauses_goals() {
    let mut bank = bank();
    bank.ok(&goal(A, r#","budgets":["chain"]"#));
    let frame = bank.frame(&cumulative(600, BOUND));
    let expected = ["meter_observed", "spend_recorded", "budget_exhausted", "goal_transitioned"];
    assert_eq!(kinds(&frame), expected);
    assert_eq!(
        data(&frame, "spend_recorded", "overage"),
        [&json!([{"budget_id": "chain", "amount": "100"}])]
    );
    bank.ok(&close("chain", ""));
    let frame = bank.frame(&cumulative(650, ""));
    assert_eq!(data(&frame, "spend_recorded", "late"), [true]);
    bank.expect("root", 650, 0, 350);
    let entries = bank.ok(r#"{"op":"list_spends","budget_id":"chain"}"#);
    assert_eq!(entries.as_array().unwrap().len(), 2);
    bank.finish();
}

#[test]
fn a_retried_observation_is_booked_once() {
    let mut bank = bank();
    let line = delta(40, r#","budget_id":"chain","key":"k1""#);
    let first = bank.done(&line);
    let again = bank.done(&line);
    assert_eq!((&again["retried"], &again["first_seq"]), (&json!(true), &first["first_seq"]));
    bank.reopen();
    assert_eq!(bank.done(&line)["retried"], true);
    bank.expect("chain", 40, 0, 460);
    bank.finish();
}

#[test]
fn totals_up_to_the_largest() {
    let mut bank = Bank::open();
    bank.ok(&observe("m", &format!(r#""cumulative":"{}""#, u128::MAX)));
    bank.unchanged(&cumulative(u128::MAX, ""));
    bank.ok(&reset(""));
    bank.ok(&observe("d", &format!(r#""delta":"{}""#, u128::MAX)));
    bank.error("invalid", &observe("d", r#""delta":1"#));
    let meters = bank.book.state(&[])["meters"].clone();
    assert_eq!(meters.as_array().map(Vec::len), Some(2), "{meters}");
    bank.finish();
}

#[test]
fn an_observation_says_exactly_one_thing() {
    let mut bank = bank();
    for fields in [
        r#""delta":1,"cumulative":1"#,
        r#""budget_id":"chain""#,
        r#""delta":null"#,
        r#""delta":-1"#,
        r#""cumulative":"01""#,
        r#""cumulative":1.0"#,
        r#""delta":1,"baseline":0"#,
    ] {
        bank.error("invalid", &observe("m", fields));
    }
    for fields in [r#","baseline":-1"#, r#","baseline":null,"delta":1"#, r#","budget_id":"chain""#] {
        bank.error("invalid", &reset(fields));
    }
    for id in [String::new(), "x".repeat(201), "a\\nb".to_owned()] {
        bank.error("invalid", &observe(&id, r#""delta":1"#));
    }
    let none: Vec<Value> = bank.book.events(&["--kind", "meter_observed"]);
    assert!(none.is_empty());
    bank.finish();
}

//! Who may widen a budget, through `apply`: caps that an agent cannot change.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/budgets.rs"]
mod budgets;
#[path = "common/cli.rs"]
mod cli;

use budgets::{
    A, Bank, adjust, allocate, close, data, expect_data, expect_fields, goal, progress, spend, with,
};

const DANA: &str = r#""actor":"dana""#;
const AGENT: &str = r#""actor":"agent""#;
const WINDOW: &str = r#""window":{"every":"day"}"#;

/// A budget that only dana and the operator may widen: 100, of which 10 are spent, anew every day.
fn bank() -> Bank {
    let mut bank = Bank::open();
    let terms = format!(r#","widen_by":["operator","dana"],"thresholds":[0.5,0.8],{WINDOW}"#);
    bank.ok(&allocate("cap", 100, &terms));
    bank.ok(&spend("cap", 10, ""));
    bank
}

/// Everything that widens `cap`.
fn widenings() -> [String; 9] {
    [
        r#""limit":101"#,
        r#""limit":null"#,
        r#""hard":false"#,
        r#""thresholds":[0.5,0.9]"#,
        r#""thresholds":[0.8]"#,
        r#""thresholds":[]"#,
        r#""window":{"every":"hour"}"#,
        r#""window":null"#,
        // One that also tightens is a widening all the same.
        r#""limit":101,"thresholds":[0.1,0.2]"#,
    ]
    .map(|fields| adjust("cap", fields))
}

#[test]
fn who_is_not_named_widens_nothing_and_the_refusal_is_an_event() {
    let mut bank = bank();
    let before = bank.budget("cap");
    for (line, minute) in widenings().iter().zip(10..) {
        // A minute of its own, for the refusals of a loop are suppressed.
        bank.at(&format!("2026-01-05T09:{minute}:00Z"));
        for line in [with(line, AGENT), line.clone(), with(line, r#""actor":"Dana""#)] {
            let refused = bank.refused("forbidden", &line);
            assert_eq!(refused["budget_id"], "cap");
            let seq = refused["seq"].as_u64().unwrap();
            let event = &bank.book.events(&["--from", &seq.to_string()])[0];
            assert_eq!(event["kind"], "command_refused");
            let said = json!({"op": "adjust_budget", "refusal": "forbidden", "budget_id": "cap"});
            expect_data(event, &said);
            assert_eq!(event["actor"].is_null(), !line.contains("actor"));
        }
    }
    assert_eq!(bank.budget("cap"), before);
    bank.finish();
}

#[test]
fn who_is_named_widens() {
    for line in widenings() {
        for actor in ["dana", "operator"] {
            let mut bank = bank();
            let done = bank.done(&with(&line, &format!(r#""actor":"{actor}""#)));
            let event = &bank.events_of(&done)[0];
            assert_eq!(
                (&event["kind"], &event["actor"]),
                (&json!("budget_adjusted"), &json!(actor)),
                "{line}"
            );
        }
    }
}

#[test]
fn everyone_may_tighten() {
    let mut bank = bank();
    for fields in [
        r#""limit":99"#,
        r#""thresholds":[0.4,0.5,0.8]"#,
        r#""thresholds":[0.1,0.2,0.8]"#,
        r#""thresholds":[0.1,0.2,0.3,1]"#,
        r#""limit":50,"thresholds":[0.1,0.2,0.25,0.9]"#,
        r#""limit":0"#,
    ] {
        bank.ok(&with(&adjust("cap", fields), AGENT));
    }
    bank.unchanged(&with(&adjust("cap", r#""limit":0"#), AGENT));
    bank.unchanged(&adjust("cap", &format!("{WINDOW},\"hard\":true")));
    bank.refused("forbidden", &with(&adjust("cap", r#""limit":1"#), AGENT));
    bank.ok(&with(&adjust("cap", r#""limit":5000"#), DANA));

    let mut soft = Bank::open();
    soft.ok(&allocate("soft", 100, r#","hard":false,"widen_by":["dana"]"#));
    soft.ok(&with(&adjust("soft", r#""hard":true"#), AGENT));
    soft.refused("forbidden", &with(&adjust("soft", r#""hard":false"#), AGENT));
    soft.ok(&allocate("open", 100, r#","widen_by":["dana"],"thresholds":[]"#));
    soft.ok(&with(&adjust("open", r#""thresholds":[1]"#), AGENT));
    // A window that was not there lets what is spent begin anew.
    soft.refused("forbidden", &with(&adjust("open", WINDOW), AGENT));
    soft.finish();
    bank.finish();
}

#[test]
fn the_other_commands_need_no_name() {
    let mut bank = bank();
    bank.ok(&with(&progress("cap", "0.5"), AGENT));
    bank.ok(&with(&spend("cap", 1, ""), AGENT));
    bank.ok(&with(&close("cap", ""), AGENT));
    bank.finish();
}

#[test]
fn an_empty_list_names_nobody_and_none_names_everyone() {
    let mut bank = Bank::open();
    bank.ok(&allocate("nobody", 100, r#","widen_by":[]"#));
    for actor in [AGENT, DANA, r#""actor":"""#] {
        let answer = bank.ask(&with(&adjust("nobody", r#""limit":101"#), actor));
        assert!(answer["ok"].is_null(), "{answer}");
    }
    bank.ok(&allocate("everyone", 100, ""));
    bank.ok(&adjust("everyone", r#""limit":101"#));
    bank.ok(&with(&adjust("everyone", r#""limit":null"#), AGENT));
    bank.finish();
}

#[test]
fn who_may_widen_outlives_a_restart() {
    let mut bank = bank();
    bank.reopen();
    bank.refused("forbidden", &with(&adjust("cap", r#""limit":101"#), AGENT));
    bank.ok(&with(&adjust("cap", r#""limit":101"#), DANA));
    bank.finish();
}

#[test]
fn the_token_budget_of_a_goal_may_name_who_widens_it() {
    let mut bank = Bank::open();
    bank.ok(&goal(A, r#","token_budget":100,"widen_by":["dana"]"#));
    let set = |limit: &str, actor: &str| {
        format!(r#"{{"op":"set_goal_budget","goal_id":"{A}","token_budget":{limit},{actor}}}"#)
    };
    let own = format!("goal:{A}");
    for line in [
        set("101", AGENT),
        set("null", AGENT),
        with(&adjust(&own, r#""limit":101"#), AGENT),
        with(&adjust(&own, r#""hard":false"#), AGENT),
    ] {
        assert_eq!(bank.refused("forbidden", &line)["budget_id"], own);
    }
    assert_eq!(bank.ok(&set("90", AGENT))["token_budget"], "90");
    assert_eq!(bank.ok(&set("1000", DANA))["token_budget"], "1000");
    bank.finish();
}

/// Law HONEST: every refusal is an event, bounded under a refusal loop, for each budget and kind by itself.
#[test]
fn a_loop_of_forbidden_widenings_is_bounded_and_counted() {
    let mut bank = bank();
    let raise = with(&adjust("cap", r#""limit":1000"#), AGENT);
    for index in 0..30 {
        let refused = bank.refused("forbidden", &raise);
        expect_fields(&refused, &json!({"budget_id": "cap", "limit": "100", "amount": "1000"}));
        if index < 16 {
            assert!(refused["seq"].is_u64() && refused.get("suppressed").is_none(), "{index}: {refused}");
        } else {
            expect_fields(&refused, &json!({"seq": null, "suppressed": true}));
        }
    }
    // Another kind of refusal, and one of another budget, are no part of this loop.
    assert!(bank.refused("budget_exceeded", &spend("cap", 91, ""))["seq"].is_u64());
    bank.ok(&allocate("other", 100, r#","widen_by":["dana"]"#));
    assert!(bank.refused("forbidden", &adjust("other", r#""limit":1000"#))["seq"].is_u64());
    // A suppressed one consumes no key.
    let keyed = with(&raise, r#""key":"k""#);
    assert_eq!(bank.refused("forbidden", &keyed)["seq"], Value::Null);
    bank.at("2026-01-05T09:01:00Z");
    let refused = bank.refused("forbidden", &keyed);
    assert!(refused["seq"].is_u64(), "a new minute: {refused}");
    assert_eq!(bank.refused("forbidden", &keyed)["seq"], refused["seq"]);
    let summaries = bank.book.events(&["--kind", "refusals_suppressed"]);
    assert_eq!(data(&summaries, "refusals_suppressed", "count"), [15]);
    expect_data(&summaries[0], &json!({"budget_id": "cap", "refusal": "forbidden"}));
    bank.finish();
}

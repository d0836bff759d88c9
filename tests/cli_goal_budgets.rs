//! Budgets that goals name, charges on turns, and the token budgets of goals as budgets, through `apply`.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/budgets.rs"]
mod budgets;
#[path = "common/cli.rs"]
mod cli;

use budgets::{
    A, B, Bank, C, D, adjust, allocate, close, data, expect_data, expect_fields, goal, incur, kinds, release,
    reserve, reverse, settle, spend, transition, turn, under,
};

fn charges(list: &[(&str, u128)]) -> String {
    let list: Vec<String> =
        list.iter().map(|(id, amount)| format!(r#"{{"budget_id":"{id}","amount":"{amount}"}}"#)).collect();
    format!(r#","charges":[{}]"#, list.join(","))
}

fn naming(budgets: &str, scope: &str) -> String {
    format!(r#","budgets":["{budgets}"],"scope":"{scope}""#)
}

/// The goals that these events pause, and the budget that each says did it.
fn pauses(events: &[Value]) -> Vec<(&str, &str)> {
    let paused = events.iter().filter(|event| event["kind"] == "goal_transitioned");
    paused
        .map(|event| {
            expect_data(event, &json!({"to": "paused", "reason": "budget_exhausted"}));
            (event["data"]["goal_id"].as_str().unwrap(), event["data"]["budget_id"].as_str().unwrap())
        })
        .collect()
}

#[test]
fn a_turn_may_carry_charges_and_all_is_one_step() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 1_000, r#","unit":"usd-nano","thresholds":[]"#));
    bank.ok(&allocate("money", 100, r#","unit":"usd-nano","parent":"root""#));
    bank.ok(&allocate("calls", 10, ""));
    let made = bank.ok(&goal(A, r#","budgets":["money"],"token_budget":"1000""#));
    assert_eq!(made["budgets"], json!(["money"]));
    // What is charged need not be named.
    let done = bank.done(&turn(A, 100, &charges(&[("money", 60), ("calls", 1), ("money", 5)])));
    expect_fields(&done["result"], &json!({"goal_id": A, "tokens_used": "100", "turns_used": 1}));
    let frame = bank.events_of(&done);
    let expected =
        ["turn_recorded", "spend_recorded", "spend_recorded", "spend_recorded", "threshold_crossed"];
    assert_eq!(kinds(&frame), expected);
    for charged in &frame[1..4] {
        expect_data(charged, &json!({"goal_id": A, "incurred": true, "late": false}));
    }
    assert_eq!(data(&frame, "spend_recorded", "budget_id"), ["money", "calls", "money"]);
    bank.expect("money", 65, 0, 35);
    bank.expect("root", 65, 0, 935);
    bank.expect("calls", 1, 0, 9);
    let entries = bank.ok(r#"{"op":"list_spends","budget_id":"money"}"#);
    assert_eq!((entries.as_array().unwrap().len(), &entries[0]["amount"]), (2, &json!("5")));
    bank.finish();
}

#[test]
fn a_charge_that_cannot_be_books_nothing_of_its_turn() {
    let mut bank = Bank::open();
    bank.ok(&allocate("money", 100, ""));
    bank.ok(&goal(A, ""));
    bank.ok(&goal(B, r#","scope":"b""#));
    bank.error("not_found", &turn(A, 5, &charges(&[("money", 5), ("nobody", 5)])));
    bank.error("invalid", &turn(A, 5, &charges(&[("money", 0)])));
    bank.error("invalid", &turn(A, 5, &charges(&[(&format!("goal:{B}"), 5)])));
    bank.error("invalid", &goal(C, &naming(&format!("goal:{A}"), "c")));
    bank.error("not_found", &goal(C, &naming("nobody", "c")));
    bank.expect("money", 0, 0, 100);
    assert_eq!(bank.goal(A)["turns_used"], 0);
    bank.finish();
}

#[test]
fn an_exhausted_named_budget_pauses_the_goal_in_the_same_step() {
    let mut bank = Bank::open();
    bank.ok(&allocate("money", 100, r#","thresholds":[]"#));
    bank.ok(&goal(A, r#","budgets":["money"]"#));
    let frame = bank.frame(&turn(A, 10, &charges(&[("money", 130)])));
    assert_eq!(kinds(&frame), ["turn_recorded", "spend_recorded", "budget_exhausted", "goal_transitioned"]);
    assert_eq!(
        frame[1]["data"]["overage"],
        json!([{"budget_id": "money", "amount": "30"}]),
        "incurred is booked"
    );
    assert_eq!(pauses(&frame), [(A, "money")]);
    expect_fields(
        &bank.goal(A),
        &json!({"status": "paused", "pause_reason": "budget_exhausted", "tokens_used": "10"}),
    );

    let refused = bank.refused("budget_exceeded", &transition(A, "active"));
    expect_fields(&refused, &json!({"budget_id": "money", "limit": "100", "spent": "130", "reserved": "0"}));
    bank.refused("budget_exceeded", &goal(B, &naming("money", "b")));
    bank.error("not_found", &format!(r#"{{"op":"get_goal","goal_id":"{B}"}}"#));
    bank.ok(&adjust("money", r#""limit":130"#));
    bank.refused("budget_exceeded", &transition(A, "active"));
    bank.ok(&adjust("money", r#""limit":131"#));
    assert_eq!(bank.goal(A)["status"], "paused", "a raise does not resume");
    let resumed = bank.ok(&transition(A, "active"));
    expect_fields(
        &resumed,
        &json!({"status": "active", "pause_reason": null, "tokens_used": "10", "turns_used": 1}),
    );
    bank.finish();
}

#[test]
fn exhaustion_anywhere_up_the_path_pauses_every_goal_below() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 100, r#","thresholds":[]"#));
    for id in ["left", "right"] {
        bank.ok(&allocate(id, 1_000, &format!(r#","thresholds":[]{}"#, under("root"))));
    }
    bank.ok(&allocate("elsewhere", 100, ""));
    bank.ok(&goal(A, &naming("left", "a")));
    bank.ok(&goal(B, &naming("right", "b")));
    bank.ok(&goal(C, &naming("elsewhere", "c")));
    bank.ok(&goal(D, &format!(r#","parent_goal":"{A}""#)));
    // By nobody's turn: a plain spend beside them.
    let frame = bank.frame(&spend("right", 100, ""));
    assert_eq!(kinds(&frame)[..2], ["spend_recorded", "budget_exhausted"]);
    assert_eq!(data(&frame, "budget_exhausted", "budget_id"), ["root"]);
    let mut paused = pauses(&frame);
    paused.sort_unstable();
    assert_eq!(paused, [(A, "root"), (B, "root"), (D, "root")]);
    assert_eq!(bank.goal(C)["status"], "active");
    for id in [A, B, D] {
        assert_eq!(bank.refused("budget_exceeded", &transition(id, "active"))["budget_id"], "root");
    }
    bank.refused("budget_exceeded", &goal("00000000-0000-7000-8000-00000000000e", &naming("left", "e")));
    bank.ok(&adjust("root", r#""limit":200"#));
    assert_eq!(bank.ok(&transition(A, "active"))["status"], "active");
    assert_eq!(bank.ok(&transition(B, "active"))["status"], "active");
    bank.finish();
}

#[test]
fn a_lowered_limit_pauses_too() {
    let mut bank = Bank::open();
    bank.ok(&allocate("money", 100, r#","thresholds":[]"#));
    bank.ok(&goal(A, r#","budgets":["money"]"#));
    bank.ok(&spend("money", 50, ""));
    let frame = bank.frame(&adjust("money", r#""limit":50"#));
    assert_eq!(kinds(&frame), ["budget_adjusted", "budget_exhausted", "goal_transitioned"]);
    assert_eq!(pauses(&frame), [(A, "money")]);
    bank.ok(&adjust("money", r#""limit":null"#));
    bank.ok(&transition(A, "active"));
    bank.finish();
}

#[test]
fn a_soft_limit_that_becomes_hard_pauses() {
    let mut bank = Bank::open();
    bank.ok(&allocate("money", 100, r#","thresholds":[],"hard":false"#));
    bank.ok(&goal(A, r#","budgets":["money"]"#));
    let frame = bank.frame(&turn(A, 1, &charges(&[("money", 500)])));
    assert_eq!(kinds(&frame), ["turn_recorded", "spend_recorded", "budget_exhausted"], "soft pauses nobody");
    assert_eq!(bank.goal(A)["status"], "active");
    assert_eq!(pauses(&bank.frame(&adjust("money", r#""hard":true"#))), [(A, "money")]);
    bank.refused("budget_exceeded", &transition(A, "active"));
    bank.ok(&adjust("money", r#""hard":false"#));
    bank.ok(&transition(A, "active"));
    bank.finish();
}

#[test]
fn what_a_parent_names_binds_its_children() {
    let mut bank = Bank::open();
    bank.ok(&allocate("money", 100, r#","thresholds":[]"#));
    bank.ok(&goal(A, r#","budgets":["money"]"#));
    bank.ok(&goal(B, &format!(r#","parent_goal":"{A}""#)));
    bank.ok(&goal(C, &format!(r#","parent_goal":"{B}""#)));
    let frame = bank.frame(&turn(C, 1, &charges(&[("money", 100)])));
    let mut paused = pauses(&frame);
    paused.sort_unstable();
    assert_eq!(paused, [(A, "money"), (B, "money"), (C, "money")]);
    assert_eq!(bank.refused("budget_exceeded", &transition(C, "active"))["budget_id"], "money");
    bank.finish();
}

#[test]
fn charges_that_arrive_late_are_booked_and_typed() {
    let mut bank = Bank::open();
    bank.ok(&allocate("money", 1_000, ""));
    bank.ok(&goal(A, r#","budgets":["money"]"#));
    for to in ["paused", "completed"] {
        bank.ok(&transition(A, to));
        let frame = bank.frame(&turn(A, 1, &charges(&[("money", 10)])));
        assert_eq!(data(&frame, "turn_recorded", "late"), [true]);
        assert_eq!(data(&frame, "spend_recorded", "late"), [true]);
    }
    bank.ok(&goal(B, ""));
    bank.ok(&close("money", ""));
    let frame = bank.frame(&turn(B, 1, &charges(&[("money", 10)])));
    assert_eq!(
        (data(&frame, "turn_recorded", "late"), data(&frame, "spend_recorded", "late")),
        (vec![&json!(false)], vec![&json!(true)])
    );
    assert_eq!(bank.budget("money")["spent"], "30");
    bank.finish();
}

#[test]
fn the_token_budget_of_a_goal_is_a_budget() {
    let mut bank = Bank::open();
    bank.ok(&goal(A, r#","token_budget":"100""#));
    bank.ok(&goal(B, &format!(r#","parent_goal":"{A}","token_budget":"80""#)));
    let (above, below) = (format!("goal:{A}"), format!("goal:{B}"));
    let budget = bank.budget(&below);
    let figures = json!({
        "budget_id": below, "unit": "tokens", "limit": "80", "parent": above, "available": "80", "hard": true,
        "status": "active", "window": null,
    });
    expect_fields(&budget, &figures);
    bank.ok(&reserve(&below, 60, "r", ""));
    bank.expect(&above, 0, 60, 40);
    assert_eq!(bank.goal(A)["tokens_used"], "0", "holds use nothing");
    let refused = bank.refused("budget_exceeded", &reserve(&below, 41, "r2", ""));
    assert_eq!(refused["budget_id"], below);
    bank.ok(&settle("r", 30, ""));
    expect_fields(&bank.goal(B), &json!({"tokens_used": "30", "tokens_own": "30", "turns_used": 0}));
    expect_fields(&bank.goal(A), &json!({"tokens_used": "30", "tokens_own": "0"}));
    bank.ok(&spend(&above, 5, r#","spend_id":"s""#));
    expect_fields(&bank.goal(A), &json!({"tokens_used": "35", "tokens_own": "5"}));
    bank.ok(&reverse("s", r#","amount":2"#));
    expect_fields(&bank.goal(A), &json!({"tokens_used": "33", "tokens_own": "3"}));

    // Exhausted by a direct spend, as by a turn.
    let frame = bank.frame(&incur(&below, 50, ""));
    assert_eq!(pauses(&frame), [(B, below.as_str())]);
    assert_eq!(bank.goal(A)["status"], "active");
    let raised = bank.ok(&adjust(&below, r#""limit":"90""#));
    expect_fields(&raised, &json!({"limit": "90", "remaining": "10", "budget_id": below}));
    assert_eq!(bank.goal(B)["token_budget"], "90");
    bank.ok(&transition(B, "active"));
    let resumed =
        bank.ok(&format!(r#"{{"op":"set_goal_budget","goal_id":"{A}","token_budget":null,"resume":false}}"#));
    assert_eq!(resumed["token_budget"], Value::Null);
    assert_eq!(bank.budget(&above)["limit"], Value::Null);
    bank.error("invalid", &adjust(&below, r#""limit":0"#));
    bank.error("invalid", &adjust(&below, r#""window":{"every":"hour"}"#));
    bank.ok(&format!(r#"{{"op":"set_progress","budget_id":"{below}","progress":0.5}}"#));
    bank.finish();
}

#[test]
fn tokens_of_a_goal_alert_at_thresholds() {
    let mut bank = Bank::open();
    bank.ok(&goal(A, r#","token_budget":"100""#));
    let own = format!("goal:{A}");
    assert_eq!(kinds(&bank.frame(&turn(A, 50, ""))), ["turn_recorded", "threshold_crossed"]);
    let frame = bank.frame(&turn(A, 49, ""));
    assert_eq!(kinds(&frame), ["turn_recorded", "threshold_crossed", "threshold_crossed"]);
    assert_eq!(data(&frame, "threshold_crossed", "budget_id"), [&own, &own]);
    let raise = format!(r#"{{"op":"set_goal_budget","goal_id":"{A}","token_budget":"198"}}"#);
    assert_eq!(
        kinds(&bank.frame(&raise)),
        ["goal_budget_set", "threshold_crossed"],
        "armed again, and reached"
    );
    assert_eq!(budgets::fractions(&bank.budget(&own)["thresholds"]), [0.5, 0.8, 0.95]);
    bank.ok(&adjust(&own, r#""thresholds":[0.75]"#));
    assert_eq!(kinds(&bank.frame(&turn(A, 50, ""))), ["turn_recorded", "threshold_crossed"]);
    bank.finish();
}

#[test]
fn a_goals_holds_end_with_it() {
    let mut bank = Bank::open();
    bank.ok(&goal(A, r#","token_budget":"100""#));
    bank.ok(&goal(B, &format!(r#","parent_goal":"{A}""#)));
    let (above, below) = (format!("goal:{A}"), format!("goal:{B}"));
    bank.ok(&reserve(&below, 30, "below", ""));
    bank.ok(&reserve(&above, 20, "above", ""));
    let frame = bank.frame(&transition(A, "completed"));
    let released = data(&frame, "reservation_released", "reason");
    assert_eq!(released, ["goal_ended", "goal_ended"]);
    for (id, status) in [(A, "completed"), (B, "cleared")] {
        assert_eq!(bank.goal(id)["status"], status);
        let budget = bank.budget(&format!("goal:{id}"));
        expect_fields(&budget, &json!({"status": "closed", "reserved": "0"}));
    }
    bank.refused("budget_closed", &reserve(&above, 1, "again", ""));
    bank.refused("budget_closed", &spend(&below, 1, ""));
    bank.refused("reservation_gone", &release("below"));
    assert_eq!(bank.ok(&settle("below", 25, ""))["late"], true);
    expect_fields(&bank.goal(A), &json!({"tokens_used": "25", "tokens_own": "0"}));
    bank.finish();
}

#[test]
fn raising_and_resuming_is_one_command_but_not_past_another_budget() {
    let mut bank = Bank::open();
    bank.ok(&allocate("money", 100, r#","thresholds":[]"#));
    bank.ok(&goal(A, r#","budgets":["money"],"token_budget":"10""#));
    bank.ok(&turn(A, 10, &charges(&[("money", 100)])));
    let raise = format!(r#"{{"op":"set_goal_budget","goal_id":"{A}","token_budget":"1000","resume":true}}"#);
    let refused = bank.refused("budget_exceeded", &raise);
    expect_fields(&refused, &json!({"budget_id": "money", "limit": "100", "spent": "100"}));
    assert_eq!(bank.goal(A)["token_budget"], "10", "refused whole");
    bank.ok(&adjust("money", r#""limit":200"#));
    expect_fields(&bank.ok(&raise), &json!({"status": "active", "token_budget": "1000"}));
    bank.finish();
}

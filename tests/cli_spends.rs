//! Spends, through `apply`: admission, what was incurred, limits, thresholds, overage, reversals and burn rates.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/budgets.rs"]
mod budgets;
#[path = "common/cli.rs"]
mod cli;

use budgets::{
    Bank, T0, adjust, allocate, close, count, data, expect_data, expect_fields, incur, kinds, reserve,
    reverse, spend, under,
};

/// The fractions of the thresholds that these events say were crossed.
fn crossed(events: &[Value]) -> Vec<f64> {
    let crossed = data(events, "threshold_crossed", "threshold_ppm");
    crossed.iter().map(|ppm| ppm.as_f64().unwrap() / 1e6).collect()
}

#[test]
fn a_spend_is_booked_on_the_whole_path_with_what_was_said_about_it() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 1_000, r#","unit":"usd-nano""#));
    bank.ok(&allocate("team", 500, r#","unit":"usd-nano","parent":"root""#));
    bank.ok(&allocate("task", 100, r#","unit":"usd-nano","parent":"team""#));
    let said = r#","spend_id":"s-1","peer":"acme","tool":"web.search","reason":"why not","quantities":{"input_tokens":"1200","output_tokens":812},"occurred_at":"2026-01-05T08:00:00Z","meta":{"n":1}"#;
    let done = bank.done(&spend("task", 30, said));
    assert_eq!((&done["first_seq"], &done["last_seq"]), (&json!(4), &json!(4)));
    let expected = json!({
        "spend_id": "s-1", "budget_id": "task", "amount": "30", "reversed": "0", "late": false, "incurred": false,
        "peer": "acme", "tool": "web.search", "reason": "why not",
        "quantities": {"input_tokens": "1200", "output_tokens": "812"},
        "occurred_at": "2026-01-05T08:00:00.000000Z", "meta": {"n": 1},
    });
    expect_fields(&done["result"], &expected);
    bank.expect("task", 30, 0, 70);
    bank.expect("team", 30, 0, 470);
    bank.expect("root", 30, 0, 970);
    let counts = ["task", "team", "root"].map(|id| bank.budget(id)["entry_count"].clone());
    assert_eq!(counts, [1, 0, 0], "entries are own");
    assert_eq!(bank.budget("root")["updated_at"], T0);

    let made = bank.ok(&spend("task", 1, ""))["spend_id"].as_str().unwrap().to_owned();
    assert_eq!((made.len(), &made[14..15]), (36, "7"), "a UUIDv7: {made}");
    bank.finish();
}

#[test]
fn the_nearest_full_budget_refuses_and_books_nothing_anywhere() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 100, ""));
    bank.ok(&allocate("team", 90, &under("root")));
    bank.ok(&allocate("task", 50, &under("team")));
    bank.ok(&spend("root", 20, ""));
    bank.ok(&reserve("team", 35, "r", ""));
    for (amount, blocker, limit, spent, reserved) in
        [(51, "task", "50", "0", "0"), (46, "root", "100", "20", "35"), (200, "task", "50", "0", "0")]
    {
        let refused = bank.refused("budget_exceeded", &spend("task", amount, ""));
        let figures = json!({
            "budget_id": blocker, "limit": limit, "spent": spent, "reserved": reserved, "amount": amount.to_string(),
        });
        expect_fields(&refused, &figures);
        let seq = refused["seq"].as_u64().unwrap();
        assert_eq!(seq, bank.head()["seq"], "a refusal is an event (law HONEST)");
        let event = &bank.book.events(&["--from", &seq.to_string()])[0];
        assert_eq!(
            (&event["kind"], &event["data"]["op"]),
            (&json!("command_refused"), &json!("record_spend"))
        );
        expect_data(event, &figures);
    }
    bank.expect("task", 0, 0, 50);
    bank.expect("root", 20, 35, 45);
    bank.ok(&spend("task", 45, ""));
    bank.expect("root", 65, 35, 0);
    // All is spent or held; the rest of the task's own limit is not available.
    assert_eq!(bank.budget("task")["available"], "0");
    bank.finish();
}

#[test]
fn a_soft_limit_lets_pass_and_says_so() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 1_000, ""));
    bank.ok(&allocate("soft", 100, r#","hard":false,"thresholds":[],"parent":"root""#));
    bank.ok(&allocate("task", 500, &under("soft")));
    let frame = bank.frame(&spend("task", 130, ""));
    assert_eq!(kinds(&frame), ["spend_recorded", "budget_exhausted"]);
    assert_eq!(frame[0]["data"]["overage"], json!([{"budget_id": "soft", "amount": "30"}]));
    let said = json!({"budget_id": "soft", "limit": "100", "spent": "130", "overage": "30", "hard": false});
    assert_eq!(frame[1]["data"], said);
    bank.ok(&reserve("soft", 20, "r", ""));
    let soft = bank.budget("soft");
    expect_fields(
        &soft,
        &json!({"status": "exhausted", "overage": "50", "overage_total": "30", "remaining": "0"}),
    );
    let frame = bank.frame(&spend("task", 10, ""));
    assert_eq!(kinds(&frame), ["spend_recorded"], "exhaustion is said once");
    // The hard root above a soft budget still counts.
    assert_eq!(bank.refused("budget_exceeded", &spend("soft", 841, ""))["budget_id"], "root");
    bank.finish();
}

#[test]
fn what_was_incurred_is_booked_whatever_the_limit() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 120, r#","thresholds":[]"#));
    bank.ok(&allocate("team", 100, r#","thresholds":[],"parent":"root""#));
    let frame = bank.frame(&incur("team", 130, ""));
    assert_eq!(kinds(&frame), ["spend_recorded", "budget_exhausted", "budget_exhausted"]);
    assert_eq!(data(&frame, "budget_exhausted", "budget_id"), ["team", "root"], "the nearest first");
    let passed = json!([{"budget_id": "team", "amount": "30"}, {"budget_id": "root", "amount": "10"}]);
    assert_eq!(frame[0]["data"]["overage"], passed);
    assert_eq!(frame[0]["data"]["incurred"], true);
    let spent = bank.ok(&incur("team", 5, r#","spend_id":"s""#));
    expect_fields(&spent, &json!({"incurred": true, "late": false, "amount": "5"}));
    let team = bank.budget("team");
    expect_fields(&team, &json!({"spent": "135", "overage": "35", "overage_total": "35", "remaining": "0"}));
    bank.refused("budget_exceeded", &spend("team", 1, ""));
    bank.finish();
}

#[test]
fn thresholds_alert_once_each_at_the_exact_amount() {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 100, ""));
    let mut alerts = Vec::new();
    for amount in [49, 1, 29, 1, 14, 1, 4, 1] {
        let frame = bank.frame(&spend("team", amount, ""));
        assert_eq!(frame[0]["kind"], "spend_recorded");
        alerts.push((crossed(&frame), frame.last().unwrap()["kind"] == "budget_exhausted"));
    }
    let none = || (vec![], false);
    let one = |threshold| (vec![threshold], false);
    assert_eq!(alerts, [none(), one(0.5), none(), one(0.8), none(), one(0.95), none(), (vec![], true)]);

    assert_eq!(budgets::fractions(&bank.budget("team")["crossed"]), [0.5, 0.8, 0.95]);

    // Several at once come in ascending order, before the exhaustion; a limit that does not divide is rounded up.
    bank.ok(&allocate("odd", 3, r#","thresholds":[0.5,1,0.9,0.000001,0.5]"#));
    assert_eq!(
        budgets::fractions(&bank.budget("odd")["thresholds"]),
        [0.000_001, 0.5, 0.9, 1.0],
        "in order, each once"
    );
    assert_eq!(crossed(&bank.frame(&spend("odd", 1, ""))), [0.000_001]);
    assert_eq!(crossed(&bank.frame(&spend("odd", 1, ""))), [0.5]);
    let frame = bank.frame(&spend("odd", 1, ""));
    assert_eq!(
        kinds(&frame),
        ["spend_recorded", "threshold_crossed", "threshold_crossed", "budget_exhausted"]
    );
    assert_eq!(crossed(&frame), [0.9, 1.0]);
    expect_data(&frame[1], &json!({"budget_id": "odd", "limit": "3", "spent": "3"}));

    // Reservations alert nobody, and what only counts has nothing to alert about.
    bank.ok(&allocate("held", 100, ""));
    assert_eq!(kinds(&bank.frame(&reserve("held", 100, "r", ""))), ["reservation_made"]);
    bank.ok(&count("all", ""));
    assert_eq!(kinds(&bank.frame(&spend("all", 1 << 100, ""))), ["spend_recorded"]);
    bank.finish();
}

#[test]
fn thresholds_of_every_budget_on_the_path_alert_nearest_first() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 200, r#","thresholds":[0.25]"#));
    bank.ok(&allocate("team", 100, r#","thresholds":[0.5,0.6],"parent":"root""#));
    let frame = bank.frame(&spend("team", 100, ""));
    let expected =
        ["spend_recorded", "threshold_crossed", "threshold_crossed", "budget_exhausted", "threshold_crossed"];
    assert_eq!(kinds(&frame), expected);
    let budgets: Vec<&Value> = frame[1..].iter().map(|event| &event["data"]["budget_id"]).collect();
    assert_eq!(budgets, ["team", "team", "team", "root"]);
    bank.finish();
}

#[test]
fn a_changed_limit_arms_the_thresholds_again_a_reversal_does_not() {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 100, r#","thresholds":[0.5,0.9]"#));
    assert_eq!(crossed(&bank.frame(&spend("team", 50, r#","spend_id":"s""#))), [0.5]);
    bank.ok(&reverse("s", ""));
    assert_eq!(crossed(&bank.frame(&spend("team", 60, ""))), [0.0; 0], "a reversal arms nothing");
    // 60 of 200: below. 60 of 100: reached again, and said again.
    assert_eq!(crossed(&bank.frame(&adjust("team", r#""limit":200"#))), [0.0; 0]);
    assert_eq!(crossed(&bank.frame(&spend("team", 40, ""))), [0.5]);
    assert_eq!(crossed(&bank.frame(&adjust("team", r#""limit":110"#))), [0.5, 0.9]);
    assert_eq!(crossed(&bank.frame(&adjust("team", r#""thresholds":[0.7,1]"#))), [0.7]);
    let frame = bank.frame(&spend("team", 10, ""));
    assert_eq!((crossed(&frame), kinds(&frame).last().copied()), (vec![1.0], Some("budget_exhausted")));
    bank.finish();
}

#[test]
fn exhausted_clears_with_a_raise_or_a_reversal() {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 100, r#","thresholds":[]"#));
    let status = |bank: &mut Bank| bank.budget("team")["status"].as_str().unwrap().to_owned();
    assert_eq!(
        kinds(&bank.frame(&spend("team", 100, r#","spend_id":"s""#))),
        ["spend_recorded", "budget_exhausted"]
    );
    assert_eq!(status(&mut bank), "exhausted");
    bank.ok(&adjust("team", r#""limit":101"#));
    assert_eq!(status(&mut bank), "active");
    assert_eq!(kinds(&bank.frame(&spend("team", 1, ""))), ["spend_recorded", "budget_exhausted"]);
    bank.ok(&reverse("s", r#","amount":1"#));
    assert_eq!(status(&mut bank), "active");
    assert_eq!(
        kinds(&bank.frame(&spend("team", 1, ""))),
        ["spend_recorded", "budget_exhausted"],
        "said per crossing"
    );
    bank.finish();
}

#[test]
fn overage_is_totalled_for_life() {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 100, r#","thresholds":[]"#));
    let figures = |bank: &mut Bank| {
        let budget = bank.budget("team");
        ["spent", "overage", "overage_total"].map(|name| cli::amount(&budget[name]))
    };
    bank.ok(&incur("team", 130, r#","spend_id":"s""#));
    assert_eq!(figures(&mut bank), [130, 30, 30]);
    bank.ok(&reverse("s", r#","amount":50"#));
    assert_eq!(figures(&mut bank), [80, 0, 30], "what passed the limit has passed it");
    bank.ok(&incur("team", 40, ""));
    assert_eq!(figures(&mut bank), [120, 20, 50]);
    bank.ok(&incur("team", 1, ""));
    assert_eq!(figures(&mut bank), [121, 21, 51]);
    bank.ok(&adjust("team", r#""limit":500"#));
    assert_eq!(figures(&mut bank), [121, 0, 51]);
    bank.finish();
}

#[test]
fn reversals_take_back_whole_or_in_part_and_never_more() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 1_000, ""));
    bank.ok(&allocate("team", 100, &under("root")));
    bank.ok(&spend("team", 60, r#","spend_id":"s","tool":"t""#));
    bank.ok(&spend("team", 30, r#","spend_id":"other""#));
    let part = bank.done(&reverse("s", r#","amount":"25","reason":"refund""#));
    expect_fields(&part["result"], &json!({"spend_id": "s", "amount": "60", "reversed": "25", "tool": "t"}));
    let event = &bank.events_of(&part)[0];
    let said = json!({"spend_id": "s", "budget_id": "team", "amount": "25", "reason": "refund"});
    expect_data(event, &said);
    bank.expect("team", 65, 0, 35);
    bank.expect("root", 65, 0, 935);
    for amount in ["36", "60", "340282366920938463463374607431768211455", "0"] {
        bank.error("invalid", &reverse("s", &format!(r#","amount":"{amount}""#)));
    }
    assert_eq!(bank.ok(&reverse("s", ""))["reversed"], "60", "all that is left of it");
    for again in ["", r#","amount":1"#] {
        bank.error("invalid", &reverse("s", again));
    }
    bank.expect("team", 30, 0, 70);
    assert_eq!(bank.budget("team")["entry_count"], 2, "the entry stays one");
    bank.error("not_found", &reverse("nothing", ""));
    bank.finish();
}

#[test]
fn entries_are_listed_newest_first() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 1_000, ""));
    bank.ok(&allocate("team", 500, &under("root")));
    for number in 0..8 {
        let budget = if number % 4 == 3 { "root" } else { "team" };
        bank.ok(&spend(budget, 1 + number, &format!(r#","spend_id":"s{number}""#)));
    }
    bank.ok(&reverse("s4", r#","amount":2"#));
    let mut list = |fields: &str| -> Vec<String> {
        let spends = bank.ok(&format!(r#"{{"op":"list_spends"{fields}}}"#));
        let spends = spends.as_array().unwrap();
        spends.iter().map(|spend| spend["spend_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list(r#","budget_id":"team""#), ["s6", "s5", "s4", "s2", "s1", "s0"]);
    assert_eq!(list(r#","budget_id":"root""#), ["s7", "s3"], "a budget's own");
    assert_eq!(list(r#","budget_id":"team","limit":2"#), ["s6", "s5"]);
    assert_eq!(list(r#","budget_id":"team","limit":2,"before":"s4""#), ["s2", "s1"]);
    assert_eq!(list(r#","limit":3"#), ["s7", "s6", "s5"]);
    let spends = bank.ok(r#"{"op":"list_spends","budget_id":"team","limit":1,"before":"s5"}"#);
    expect_fields(
        &spends[0],
        &json!({"spend_id": "s4", "amount": "5", "reversed": "2", "budget_id": "team"}),
    );
    bank.finish();
}

#[test]
fn burn_rates_are_per_minute_of_life_or_of_late() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 100_000, ""));
    bank.ok(&allocate("team", 50_000, &under("root")));
    let rate = |bank: &mut Bank, id: &str, span: &str| {
        let burn = bank.unchanged(&format!(r#"{{"op":"burn_rate","budget_id":"{id}"{span}}}"#));
        cli::amount(&burn["per_minute"])
    };
    assert_eq!(rate(&mut bank, "team", ""), 0, "no time, no rate");
    bank.at("2026-01-05T09:01:00Z");
    bank.ok(&spend("team", 100, r#","spend_id":"s""#));
    assert_eq!(rate(&mut bank, "team", ""), 100);
    bank.at("2026-01-05T09:09:00Z");
    bank.ok(&spend("team", 50, ""));
    bank.ok(&spend("root", 1_000, ""));
    bank.at("2026-01-05T09:10:00Z");
    assert_eq!(rate(&mut bank, "team", ""), 15);
    assert_eq!(rate(&mut bank, "team", r#","span_ms":300000"#), 10);
    assert_eq!(rate(&mut bank, "root", r#","span_ms":120000"#), 525, "with all below it");
    assert_eq!(rate(&mut bank, "team", r#","span_ms":30000"#), 0);
    assert_eq!(rate(&mut bank, "team", r#","span_ms":86400000"#), 15, "no further back than its making");
    bank.ok(&reverse("s", r#","amount":40"#));
    assert_eq!(rate(&mut bank, "team", ""), 11);
    bank.error("not_found", r#"{"op":"burn_rate","budget_id":"nobody"}"#);
    bank.error("invalid", r#"{"op":"burn_rate","budget_id":"team","span_ms":0}"#);
    bank.finish();
}

#[test]
fn sums_that_would_not_fit_are_errors_and_book_nothing() {
    let mut bank = Bank::open();
    let most = u128::MAX;
    bank.ok(&count("root", ""));
    bank.ok(&count("team", &under("root")));
    bank.ok(&spend("root", most - 10, ""));
    bank.ok(&spend("team", 5, r#","spend_id":"s""#));
    for line in [spend("team", 6, ""), incur("team", 6, ""), incur("root", most, "")] {
        bank.error("invalid", &line);
    }
    bank.ok(&reserve("team", 5, "r", ""));
    bank.error("invalid", &reserve("team", most, "r2", ""));
    assert_eq!(bank.budget("root")["spent"], (most - 5).to_string());
    bank.ok(&allocate("limited", most, ""));
    bank.ok(&spend("limited", most - 1, ""));
    assert_eq!(bank.refused("budget_exceeded", &spend("limited", most, ""))["amount"], most.to_string());
    bank.finish();
}

#[test]
fn late_cost_of_a_closed_budget_is_booked_on_its_parents_too() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 100, r#","thresholds":[]"#));
    bank.ok(&allocate("team", 100, r#","thresholds":[],"parent":"root""#));
    bank.ok(&close("team", ""));
    bank.refused("budget_closed", &spend("team", 1, ""));
    let frame = bank.frame(&incur("team", 100, ""));
    assert_eq!(frame[0]["data"]["late"], true);
    assert!(kinds(&frame).contains(&"budget_exhausted"), "the open root is exhausted by it: {frame:?}");
    assert_eq!(bank.budget("root")["status"], "exhausted");
    assert_eq!(bank.budget("team")["status"], "closed");
    bank.finish();
}

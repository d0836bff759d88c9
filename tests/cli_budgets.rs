//! Budgets as a whole, through `apply`: how they are made, changed, listed and closed.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/budgets.rs"]
mod budgets;
#[path = "common/cli.rs"]
mod cli;

use budgets::{
    A, Bank, T0, adjust, allocate, check, close, count, data, expect_fields, fractions, get, goal, incur,
    kinds, progress, release, reserve, reverse, settle, spend, under,
};

#[test]
fn a_budget_has_what_it_was_given_and_defaults_for_the_rest() {
    let mut bank = Bank::open();
    let line = allocate("task-7", 10_000_000, r#","meta":{"ticket":"OPS-7"}"#);
    let made = bank.done(&line);
    let expected = json!({
        "budget_id": "task-7", "unit": "units", "limit": "10000000", "spent": "0", "spent_total": "0",
        "reserved": "0", "remaining": "10000000", "available": "10000000", "overage": "0", "overage_total": "0",
        "status": "active", "hard": true, "parent": null, "entry_count": 0, "window": null, "created_at": T0,
        "updated_at": T0, "meta": {"ticket": "OPS-7"},
    });
    expect_fields(&made["result"], &expected);
    assert_eq!((&made["first_seq"], &made["last_seq"]), (&json!(1), &json!(1)));
    assert_eq!(fractions(&made["result"]["thresholds"]), [0.5, 0.8, 0.95]);
    assert_eq!(bank.budget("task-7"), made["result"]);

    let given = r#","unit":"usd-nano","parent":null,"hard":false,"thresholds":[0.25,1],"widen_by":["dana"]"#;
    let made = bank.ok(&allocate("money", u128::MAX, given));
    let expected = json!({
        "unit": "usd-nano", "limit": u128::MAX.to_string(), "remaining": u128::MAX.to_string(), "hard": false,
        "parent": null, "meta": null,
    });
    expect_fields(&made, &expected);
    assert_eq!(fractions(&made["thresholds"]), [0.25, 1.0]);

    let made = bank.ok(&count("all", r#","thresholds":[]"#));
    expect_fields(&made, &json!({"limit": null, "remaining": null, "available": null, "thresholds": []}));
    bank.error("exists", &line);
    bank.error("exists", &allocate("task-7", 5, ""));
    bank.error("not_found", &get("task-8"));
    bank.finish();
}

#[test]
fn without_a_limit_the_default_counts_and_null_is_unlimited() {
    let lines = ["", r#","limit":0"#, r#","limit":"0""#]
        .iter()
        .zip(["a", "b", "c"])
        .map(|(limit, id)| format!(r#"{{"op":"allocate","budget_id":"{id}"{limit}}}"#));
    let mut bank = Bank::open();
    for line in lines.clone() {
        bank.error("invalid", &line);
    }
    bank.finish();
    let mut bank = Bank::open_with(&["--default-limit", "1234"]);
    for line in lines {
        assert_eq!(bank.ok(&line)["limit"], "1234", "{line}");
    }
    assert_eq!(bank.ok(&count("d", ""))["limit"], Value::Null);
    assert_eq!(bank.ok(&allocate("e", 5, ""))["limit"], "5");
    // The limit is a fact in the event: another default changes nothing about budgets that are there.
    bank.finish();
}

#[test]
fn budgets_hang_under_budgets_of_the_same_unit_that_are_there() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 100, r#","unit":"tokens""#));
    bank.error("not_found", &allocate("child", 50, r#","unit":"tokens","parent":"nobody""#));
    // A cycle would need a parent that is not there yet.
    bank.error("invalid", &allocate("self", 50, r#","unit":"tokens","parent":"self""#));
    bank.error("invalid", &allocate("root", 50, r#","unit":"tokens","parent":"root""#));
    bank.error("invalid", &allocate("child", 50, r#","unit":"usd-nano","parent":"root""#));
    let child = bank.ok(&allocate("child", 500, r#","unit":"tokens","parent":"root""#));
    // A child's limit is a cap, not a transfer: siblings may overcommit their parent.
    let expected = json!({"parent": "root", "limit": "500", "remaining": "500", "available": "100"});
    expect_fields(&child, &expected);
    bank.ok(&allocate("other", 500, r#","unit":"tokens","parent":"root""#));
    bank.error("invalid", &allocate("grandchild", 5, r#","unit":"tokens ","parent":"child""#));
    bank.finish();
}

#[test]
fn a_deep_tree_is_one_path() {
    let mut bank = Bank::open();
    bank.ok(&allocate("b0", 1_000, ""));
    for depth in 1..64 {
        bank.ok(&allocate(&format!("b{depth}"), 1_000 + depth, &under(&format!("b{}", depth - 1))));
    }
    bank.ok(&spend("b63", 400, ""));
    bank.ok(&reserve("b63", 600, "r", ""));
    for depth in [0, 31, 63] {
        bank.expect(&format!("b{depth}"), 400, 600, depth);
    }
    assert_eq!(bank.refused("budget_exceeded", &spend("b63", 1, ""))["budget_id"], "b0", "the root is full");
    bank.ok(&settle("r", 100, ""));
    bank.expect("b0", 500, 0, 500);
    bank.finish();
}

#[test]
fn names_of_goals_budgets_are_reserved() {
    let mut bank = Bank::open();
    bank.ok(&goal(A, ""));
    let own = format!("goal:{A}");
    bank.error("invalid", &allocate("goal:mine", 5, ""));
    bank.error("invalid", &allocate("goal:", 5, ""));
    bank.error("invalid", &allocate("goal:00000000-0000-7000-8000-00000000000f", 5, r#","unit":"tokens""#));
    bank.error("invalid", &allocate("child", 5, &format!(r#","unit":"tokens","parent":"{own}""#)));
    bank.error("invalid", &close(&own, ""));
    bank.ok(&allocate("Goal:mine", 5, ""));
    bank.finish();
}

#[test]
fn a_check_tells_what_is_left_and_writes_nothing() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 100, ""));
    bank.ok(&allocate("child", 80, &under("root")));
    bank.ok(&spend("root", 40, ""));
    let allowed = bank.unchanged(&check("child", 60));
    expect_fields(&allowed, &json!({"allowed": true, "remaining": "80", "available": "60"}));
    for (amount, blocker, limit, spent) in [(61, "root", "100", "40"), (81, "child", "80", "0")] {
        let head = bank.head();
        let refused = bank.refused("budget_exceeded", &check("child", amount));
        let figures = json!({
            "budget_id": blocker, "limit": limit, "spent": spent, "reserved": "0", "amount": amount.to_string(),
        });
        expect_fields(&refused, &figures);
        assert_eq!(refused.get("seq"), None, "a check has no seq: {refused}");
        assert_eq!(bank.head(), head);
    }
    bank.ok(&count("all", ""));
    let allowed = bank.unchanged(&check("all", u128::MAX));
    expect_fields(&allowed, &json!({"allowed": true, "remaining": null, "available": null}));
    bank.error("not_found", &check("nobody", 1));
    bank.ok(&close("all", ""));
    bank.refused("budget_closed", &check("all", 1));
    bank.finish();
}

#[test]
fn a_limit_is_raised_lowered_and_lifted() {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 100, ""));
    bank.ok(&spend("team", 60, ""));
    let frame = bank.frame(&adjust("team", r#""limit":"1000""#));
    assert_eq!(kinds(&frame), ["budget_adjusted"]);
    bank.expect("team", 60, 0, 940);
    bank.unchanged(&adjust("team", r#""limit":1000"#));
    bank.unchanged(&adjust(
        "team",
        r#""limit":"1000","hard":true,"thresholds":[0.5,0.8,0.95],"window":null"#,
    ));

    // What is spent reaches the new limit: that is said, in the same frame.
    let frame = bank.frame(&adjust("team", r#""limit":"60""#));
    assert_eq!(
        kinds(&frame),
        [
            "budget_adjusted",
            "threshold_crossed",
            "threshold_crossed",
            "threshold_crossed",
            "budget_exhausted"
        ]
    );
    assert_eq!(bank.budget("team")["status"], "exhausted");
    let frame = bank.frame(&adjust("team", r#""limit":"50""#));
    assert_eq!(frame[0]["kind"], "budget_adjusted");
    let lowered = bank.budget("team");
    let figures = json!({"remaining": "0", "overage": "10", "overage_total": "0", "status": "exhausted"});
    expect_fields(&lowered, &figures);

    let lifted = bank.ok(&adjust("team", r#""limit":null"#));
    expect_fields(&lifted, &json!({"limit": null, "remaining": null, "overage": "0", "status": "active"}));
    bank.ok(&spend("team", 1_000_000, ""));
    // Frozen.
    let frozen = bank.ok(&adjust("team", r#""limit":0"#));
    expect_fields(
        &frozen,
        &json!({"limit": "0", "status": "exhausted", "remaining": "0", "overage": "1000060"}),
    );
    bank.refused("budget_exceeded", &spend("team", 1, ""));
    bank.error("not_found", &adjust("nobody", r#""limit":5"#));
    bank.finish();
}

#[test]
fn hard_becomes_soft_and_hard_again() {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 100, ""));
    bank.refused("budget_exceeded", &spend("team", 101, ""));
    assert_eq!(bank.ok(&adjust("team", r#""hard":false"#))["hard"], false);
    bank.ok(&spend("team", 101, ""));
    assert_eq!(bank.ok(&adjust("team", r#""hard":true"#))["hard"], true);
    bank.refused("budget_exceeded", &spend("team", 1, ""));
    expect_fields(&bank.budget("team"), &json!({"spent": "101", "overage": "1", "overage_total": "1"}));
    bank.finish();
}

#[test]
fn progress_is_kept_to_the_millionth() {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 100, ""));
    for (given, expected) in
        [("0.25", 0.25), ("1", 1.0), ("0", 0.0), ("0.333333", 0.333_333), ("1e-6", 0.000_001)]
    {
        assert_eq!(bank.ok(&progress("team", given))["progress"].as_f64(), Some(expected), "{given}");
    }
    bank.error("not_found", &progress("nobody", "0.5"));
    bank.reopen();
    assert_eq!(bank.budget("team")["progress"].as_f64(), Some(0.000_001));
    bank.finish();
}

#[test]
fn lists_are_newest_first_and_can_be_narrowed_and_paged() {
    let mut bank = Bank::open();
    for number in 0..10 {
        let parent = if number < 2 { String::new() } else { under(&format!("b{}", number % 2)) };
        let unit = if number % 2 == 0 { "tokens" } else { "wei" };
        bank.ok(&allocate(&format!("b{number}"), 100, &format!(r#","unit":"{unit}"{parent}"#)));
    }
    bank.ok(&spend("b8", 100, ""));
    bank.ok(&close("b7", ""));
    let mut list = |fields: &str| -> Vec<String> {
        let budgets = bank.ok(&format!(r#"{{"op":"list_budgets"{fields}}}"#));
        let budgets = budgets.as_array().unwrap();
        budgets.iter().map(|budget| budget["budget_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list(""), ["b9", "b8", "b7", "b6", "b5", "b4", "b3", "b2", "b1", "b0"]);
    assert_eq!(list(r#","limit":2"#), ["b9", "b8"]);
    assert_eq!(list(r#","limit":2,"before":"b8""#), ["b7", "b6"]);
    assert_eq!(list(r#","parent":"b1""#), ["b9", "b7", "b5", "b3"]);
    assert_eq!(list(r#","unit":"wei","limit":3"#), ["b9", "b7", "b5"]);
    assert_eq!(list(r#","status":"closed""#), ["b7"]);
    assert_eq!(list(r#","status":"exhausted""#), ["b8", "b0"]);
    assert_eq!(list(r#","status":"active","parent":"b0","before":"b6""#), ["b4", "b2"]);
    assert!(list(r#","parent":"nobody""#).is_empty());
    let whole = bank.ok(r#"{"op":"list_budgets","limit":1}"#);
    assert_eq!(whole[0], bank.budget("b9"), "the items are whole budgets");
    bank.finish();
}

#[test]
fn closing_reports_and_releases_what_is_held() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 1_000, ""));
    bank.ok(&allocate("team", 100, &under("root")));
    bank.ok(&spend("team", 30, r#","spend_id":"s1""#));
    bank.ok(&reserve("team", 20, "open", ""));
    bank.ok(&reserve("team", 10, "unknown", ""));
    bank.ok(&format!(r#"{{"op":"mark_unknown","reservation_id":"{}"}}"#, "unknown"));
    bank.ok(&reserve("root", 5, "elsewhere", ""));
    bank.at("2026-01-05T09:00:02.500Z");
    let done = bank.done(&close("team", ""));
    let report = json!({
        "budget_id": "team", "limit": "100", "spent": "30", "entry_count": 1, "duration_ms": 2_500,
        "status": "closed", "released": ["open", "unknown"],
    });
    expect_fields(&done["result"], &report);
    let frame = bank.events_of(&done);
    assert_eq!(kinds(&frame), ["reservation_released", "reservation_released", "budget_closed"]);
    assert_eq!(data(&frame, "reservation_released", "reason"), ["budget_closed", "budget_closed"]);
    bank.expect("root", 30, 5, 965);
    let closed = bank.budget("team");
    expect_fields(&closed, &json!({"status": "closed", "spent": "30", "reserved": "0"}));

    for line in [
        spend("team", 1, ""),
        reserve("team", 1, "late", ""),
        adjust("team", r#""limit":"200""#),
        adjust("team", r#""limit":"20""#),
        close("team", ""),
    ] {
        assert_eq!(bank.refused("budget_closed", &line)["budget_id"], "team", "{line}");
    }
    assert_eq!(bank.refused("reservation_gone", &release("open"))["budget_id"], "team");
    bank.refused("budget_closed", &allocate("under", 5, &under("team")));

    // What really happened is booked all the same, and is typed.
    assert_eq!(bank.ok(&incur("team", 7, ""))["late"], true);
    let late = bank.ok(&settle("open", 9, ""));
    expect_fields(&late, &json!({"late": true, "amount": "9", "budget_id": "team"}));
    bank.ok(&reverse("s1", ""));
    expect_fields(&bank.budget("team"), &json!({"status": "closed", "spent": "16", "reserved": "0"}));
    bank.expect("root", 16, 5, 979);
    bank.finish();
}

#[test]
fn a_parent_closes_with_its_children_or_not_at_all() {
    let mut bank = Bank::open();
    for (id, parent) in [("root", ""), ("a", "root"), ("b", "root"), ("b1", "b"), ("gone", "root")] {
        let parent = if parent.is_empty() { String::new() } else { under(parent) };
        bank.ok(&allocate(id, 100, &parent));
    }
    bank.ok(&close("gone", ""));
    bank.ok(&reserve("b1", 10, "deep", ""));
    bank.ok(&reserve("root", 20, "high", ""));
    for line in [close("root", ""), close("root", r#","children":"refuse""#)] {
        let error = bank.error("invalid_transition", &line);
        assert!(error["message"].as_str().unwrap().contains('3'), "how many are open: {error}");
    }
    let done = bank.done(&close("root", r#","children":"close""#));
    let mut released = done["result"]["released"].as_array().unwrap().clone();
    released.sort_by_key(ToString::to_string);
    assert_eq!(released, [json!("deep"), json!("high")]);
    let frame = bank.events_of(&done);
    let closed = data(&frame, "budget_closed", "budget_id");
    assert_eq!((closed.len(), closed[3]), (4, &json!("root")), "the one that was meant is the last");
    let place = |id: &str| closed.iter().position(|closed| *closed == id);
    assert!(place("b1") < place("b"), "each after what is below it: {closed:?}");
    assert_eq!(
        data(&frame, "budget_closed", "by_budget"),
        [&json!("root"), &json!("root"), &json!("root"), &Value::Null]
    );
    for id in ["root", "a", "b", "b1", "gone"] {
        assert_eq!(bank.budget(id)["status"], "closed");
    }
    // Once its children are closed, a parent closes without them.
    bank.ok(&allocate("p", 5, ""));
    bank.ok(&allocate("c", 5, &under("p")));
    bank.ok(&close("c", ""));
    assert_eq!(bank.ok(&close("p", ""))["released"], json!([]));
    bank.error("not_found", &close("nobody", ""));
    bank.finish();
}

//! Reservations, through `apply`: every way in which one can end, and what is left of it afterwards.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/budgets.rs"]
mod budgets;
#[path = "common/cli.rs"]
mod cli;

use budgets::{
    Bank, allocate, check, close, count, expect_data, expect_fields, kinds, mark_unknown, release, reserve,
    reverse, settle, spend, under,
};

const ONE_MINUTE: &str = r#","ttl_ms":60000"#;

/// A root of 1,000, and a team of 100 under it.
fn bank() -> Bank {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 1_000, ""));
    bank.ok(&allocate("team", 100, &under("root")));
    bank
}

#[test]
fn a_hold_is_set_aside_on_the_whole_path() {
    let mut bank = bank();
    let done = bank.done(&reserve("team", 40, "r1", r#","ttl_ms":60000,"owner":"agent-3","meta":{"n":1}"#));
    assert_eq!((&done["first_seq"], &done["last_seq"]), (&json!(3), &json!(3)));
    let expected = json!({
        "reservation_id": "r1", "budget_id": "team", "amount": "40", "owner": "agent-3", "status": "open",
        "expires_at": "2026-01-05T09:01:00.000000Z", "meta": {"n": 1},
    });
    expect_fields(&done["result"], &expected);
    bank.expect("team", 0, 40, 60);
    bank.expect("root", 0, 40, 960);
    let refused = bank.refused("budget_exceeded", &reserve("team", 61, "r2", ""));
    let figures =
        json!({"budget_id": "team", "limit": "100", "spent": "0", "reserved": "40", "amount": "61"});
    expect_fields(&refused, &figures);
    bank.refused("budget_exceeded", &spend("team", 61, ""));
    bank.refused("budget_exceeded", &check("team", 61));
    let made = bank.ok(r#"{"op":"reserve","budget_id":"team","amount":60}"#);
    let id = made["reservation_id"].as_str().unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "7"), "a UUIDv7: {id}");
    bank.finish();
}

#[test]
fn settling_for_less_as_much_or_more() {
    let mut bank = bank();
    for (id, held) in [("less", 30), ("equal", 30), ("more", 30), ("nothing", 10)] {
        bank.ok(&reserve("team", held, id, ""));
    }
    bank.expect("team", 0, 100, 0);
    let spent = bank.ok(&settle("less", 20, r#","tool":"web.search","spend_id":"s-less""#));
    let expected = json!({
        "spend_id": "s-less", "budget_id": "team", "amount": "20", "late": false, "tool": "web.search",
        "reversed": "0",
    });
    expect_fields(&spent, &expected);
    bank.expect("team", 20, 70, 10);
    bank.ok(&settle("equal", 30, ""));
    bank.expect("team", 50, 40, 10);
    bank.ok(&settle("nothing", 0, ""));
    bank.expect("team", 50, 30, 20);
    let done = bank.done(&settle("more", 70, ""));
    let frame = bank.events_of(&done);
    assert_eq!(frame[0]["kind"], "spend_recorded", "one event ends the hold and books the spend");
    expect_data(&frame[0], &json!({"reservation_id": "more", "amount": "70", "late": false}));
    assert_eq!(frame[0]["data"]["overage"], json!([{"budget_id": "team", "amount": "20"}]));
    assert_eq!(kinds(&frame).last(), Some(&"budget_exhausted"));
    let team = bank.budget("team");
    expect_fields(&team, &json!({"spent": "120", "reserved": "0", "overage": "20", "overage_total": "20"}));
    bank.expect("root", 120, 0, 880);
    let listed = bank.ok(r#"{"op":"list_reservations","budget_id":"team","status":"settled"}"#);
    assert_eq!(listed.as_array().unwrap().len(), 4);
    bank.finish();
}

#[test]
fn a_hold_is_not_counted_against_its_own_settlement() {
    let mut bank = bank();
    bank.ok(&reserve("team", 100, "all", ""));
    bank.expect("team", 0, 100, 0);
    let frame = bank.frame(&settle("all", 100, ""));
    expect_data(&frame[0], &json!({"overage": []}));
    let team = bank.budget("team");
    expect_fields(&team, &json!({"spent": "100", "reserved": "0", "overage": "0", "overage_total": "0"}));
    bank.finish();
}

#[test]
fn holds_do_not_exhaust() {
    let mut bank = bank();
    assert_eq!(kinds(&bank.frame(&reserve("team", 100, "all", ""))), ["reservation_made"]);
    expect_fields(&bank.budget("team"), &json!({"status": "active", "remaining": "0", "available": "0"}));
    let refused = bank.refused("budget_exceeded", &spend("team", 1, ""));
    expect_fields(&refused, &json!({"spent": "0", "reserved": "100"}));
    bank.ok(&release("all"));
    bank.ok(&spend("team", 1, ""));
    bank.finish();
}

#[test]
fn a_release_gives_everything_back_once() {
    let mut bank = bank();
    bank.ok(&reserve("team", 40, "r", ""));
    let done = bank.done(&release("r"));
    expect_fields(&done["result"], &json!({"reservation_id": "r", "status": "released", "amount": "40"}));
    let event = &bank.events_of(&done)[0];
    assert_eq!(event["kind"], "reservation_released");
    let said = json!({"reservation_id": "r", "budget_id": "team", "amount": "40", "reason": "requested"});
    assert_eq!(event["data"], said);
    bank.expect("team", 0, 0, 100);
    for line in [release("r"), mark_unknown("r"), release("r")] {
        let refused = bank.refused("reservation_gone", &line);
        expect_fields(&refused, &json!({"budget_id": "team", "amount": "40"}));
        assert!(refused["seq"].is_u64(), "a refusal is an event: {refused}");
    }
    bank.expect("team", 0, 0, 100);
    bank.expect("root", 0, 0, 1_000);
    bank.ok(&reserve("team", 30, "s", ""));
    bank.ok(&settle("s", 10, ""));
    for line in [release("s"), mark_unknown("s")] {
        bank.refused("reservation_gone", &line);
    }
    bank.expect("team", 10, 0, 90);
    for line in [release("x"), mark_unknown("x"), settle("x", 5, "")] {
        bank.error("not_found", &line);
    }
    bank.finish();
}

#[test]
fn a_hold_expires_by_an_event_at_its_very_moment() {
    let mut bank = bank();
    bank.ok(&reserve("team", 60, "r1", ONE_MINUTE));
    bank.ok(&reserve("team", 10, "r2", r#","ttl_ms":60001"#));
    bank.at("2026-01-05T09:00:59.999999Z");
    bank.expect("team", 0, 70, 30);
    assert_eq!(bank.head()["seq"], 4);
    bank.at("2026-01-05T09:01:00Z");
    assert_eq!(bank.head()["seq"], 5, "a query sees what is due");
    let event = &bank.book.events(&["--from", "5"])[0];
    assert_eq!(event["kind"], "reservation_expired");
    assert_eq!(event["data"], json!({"reservation_id": "r1", "budget_id": "team", "amount": "60"}));
    bank.expect("team", 0, 10, 90);
    bank.expect("root", 0, 10, 990);
    // The command that comes later sees it, too, without a query in between.
    let line = reserve("team", 100, "r3", r#","now":"2026-01-05T09:01:00.001Z""#);
    assert_eq!(bank.ok(&line)["status"], "open");
    bank.refused("reservation_gone", &release("r1"));
    let expired = bank.ok(r#"{"op":"list_reservations","status":"expired"}"#);
    let ids: Vec<&str> =
        expired.as_array().unwrap().iter().map(|one| one["reservation_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["r2", "r1"], "newest first");
    bank.finish();
}

#[test]
fn many_expire_in_the_order_of_their_moments() {
    let mut bank = bank();
    for number in 0..50u64 {
        let ttl = format!(r#","ttl_ms":{}"#, 1_000 + (number * 37) % 50);
        bank.ok(&reserve("team", 1, &format!("r{number:02}"), &ttl));
    }
    bank.at("2026-01-06T09:00:00Z");
    bank.expect("team", 0, 0, 100);
    let events = bank.book.events(&["--kind", "reservation_expired"]);
    let mut expected: Vec<u64> = (0..50).collect();
    expected.sort_by_key(|number| (number * 37) % 50);
    let ids: Vec<&Value> = events.iter().map(|event| &event["data"]["reservation_id"]).collect();
    assert_eq!(
        ids,
        expected
            .iter()
            .map(|number| json!(format!("r{number:02}")))
            .collect::<Vec<_>>()
            .iter()
            .collect::<Vec<_>>()
    );
    bank.finish();
}

#[test]
fn expiry_catches_up_after_a_restart() {
    let mut bank = bank();
    bank.ok(&reserve("team", 60, "r", ONE_MINUTE));
    bank.reopen();
    bank.expect("team", 0, 60, 40);
    bank.at("2026-01-05T10:00:00Z");
    bank.expect("team", 0, 0, 100);
    assert_eq!(bank.book.events(&["--kind", "reservation_expired"]).len(), 1);
    bank.finish();
}

#[test]
fn a_late_settlement_is_booked_and_typed() {
    let mut bank = bank();
    bank.ok(&allocate("closing", 50, &under("root")));
    bank.ok(&reserve("team", 40, "expired", ONE_MINUTE));
    bank.ok(&reserve("team", 10, "released", ""));
    bank.ok(&reserve("closing", 20, "closed", ""));
    bank.at("2026-01-05T09:05:00Z");
    bank.ok(&release("released"));
    bank.ok(&close("closing", ""));
    bank.ok(&spend("team", 95, ""));
    for (id, amount, spent) in [("expired", 45, 140), ("released", 5, 145)] {
        let done = bank.done(&settle(id, amount, ""));
        expect_fields(
            &done["result"],
            &json!({"late": true, "amount": amount.to_string(), "budget_id": "team"}),
        );
        expect_data(&bank.events_of(&done)[0], &json!({"late": true, "reservation_id": id}));
        bank.expect("team", spent, 0, 0);
    }
    assert_eq!(bank.ok(&settle("closed", 20, ""))["late"], true);
    expect_fields(&bank.budget("closing"), &json!({"spent": "20", "status": "closed"}));
    bank.expect("root", 165, 0, 835);
    // It is final, like any other settlement.
    assert_eq!(bank.done(&settle("expired", 45, ""))["retried"], true);
    bank.error("conflict", &settle("expired", 44, ""));
    bank.finish();
}

#[test]
fn the_same_settlement_again_is_a_retry_another_amount_a_conflict() {
    let mut bank = bank();
    bank.ok(&reserve("team", 60, "r", ""));
    let first = bank.done(&settle("r", 50, r#","spend_id":"s""#));
    bank.ok(&spend("team", 7, ""));
    for line in [settle("r", 50, r#","spend_id":"s""#), settle("r", 50, "")] {
        let again = bank.done(&line);
        assert_eq!(again["retried"], true, "{again}");
        for same in ["first_seq", "last_seq", "result"] {
            assert_eq!(again[same], first[same], "{same}");
        }
    }
    for line in
        [settle("r", 51, ""), settle("r", 49, r#","spend_id":"s""#), settle("r", 50, r#","spend_id":"t""#)]
    {
        bank.error("conflict", &line);
    }
    bank.reopen();
    assert_eq!(bank.done(&settle("r", 50, ""))["first_seq"], first["first_seq"]);
    bank.error("conflict", &settle("r", 51, ""));
    bank.expect("team", 57, 0, 43);
    // A settlement is a spend: it can be taken back.
    assert_eq!(bank.ok(&reverse("s", ""))["reversed"], "50");
    bank.expect("team", 7, 0, 93);
    bank.finish();
}

#[test]
fn what_is_marked_unknown_outlives_its_time_and_is_reconciled() {
    let mut bank = bank();
    bank.ok(&reserve("team", 40, "lost", ONE_MINUTE));
    bank.ok(&reserve("team", 30, "never-ran", ONE_MINUTE));
    for id in ["lost", "never-ran"] {
        expect_fields(&bank.ok(&mark_unknown(id)), &json!({"status": "unknown", "reservation_id": id}));
    }
    bank.unchanged(&mark_unknown("lost"));
    bank.at("2026-01-06T09:00:00Z");
    bank.reopen();
    bank.expect("team", 0, 70, 30);
    assert!(bank.book.events(&["--kind", "reservation_expired"]).is_empty());
    let listed = bank.ok(r#"{"op":"list_reservations","status":"unknown"}"#);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(bank.ok(&settle("lost", 35, ""))["late"], false);
    assert_eq!(bank.ok(&release("never-ran"))["status"], "released");
    bank.expect("team", 35, 0, 65);
    bank.finish();
}

#[test]
fn an_ended_hold_cannot_be_marked_unknown() {
    let mut bank = bank();
    bank.ok(&reserve("team", 40, "r", ONE_MINUTE));
    bank.at("2026-01-05T09:01:00Z");
    assert_eq!(bank.refused("reservation_gone", &mark_unknown("r"))["budget_id"], "team");
    bank.expect("team", 0, 0, 100);
    bank.finish();
}

#[test]
fn an_ancestor_that_is_full_of_holds_refuses() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 100, ""));
    bank.ok(&count("middle", &under("root")));
    for id in ["a", "b"] {
        bank.ok(&allocate(id, 80, &under("middle")));
    }
    bank.ok(&reserve("a", 80, "ra", ""));
    let refused = bank.refused("budget_exceeded", &reserve("b", 21, "rb", ""));
    expect_fields(&refused, &json!({"budget_id": "root", "limit": "100", "reserved": "80", "amount": "21"}));
    bank.ok(&reserve("b", 20, "rb", ""));
    expect_fields(&bank.budget("middle"), &json!({"reserved": "100", "remaining": null, "available": "0"}));
    bank.ok(&settle("ra", 10, ""));
    bank.ok(&reserve("b", 60, "rb2", ""));
    bank.finish();
}

#[test]
fn a_soft_budget_holds_beyond_its_limit() {
    let mut bank = Bank::open();
    bank.ok(&allocate("soft", 100, r#","hard":false"#));
    bank.ok(&reserve("soft", 150, "r", ""));
    let soft = bank.budget("soft");
    let figures = json!({"reserved": "150", "overage": "50", "overage_total": "0", "status": "active", "remaining": "0"});
    expect_fields(&soft, &figures);
    bank.finish();
}

#[test]
fn holds_are_listed_newest_first_and_can_be_narrowed() {
    let mut bank = bank();
    for number in 0..6 {
        let budget = if number == 5 { "root" } else { "team" };
        bank.ok(&reserve(budget, 1, &format!("r{number}"), &format!(r#","owner":"o{}""#, number % 2)));
    }
    bank.ok(&settle("r1", 1, ""));
    bank.ok(&mark_unknown("r2"));
    let mut list = |fields: &str| -> Vec<String> {
        let found = bank.ok(&format!(r#"{{"op":"list_reservations"{fields}}}"#));
        let found = found.as_array().unwrap();
        found.iter().map(|one| one["reservation_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list(r#","budget_id":"team","status":"open""#), ["r4", "r3", "r0"]);
    assert_eq!(list(r#","budget_id":"root""#), ["r5"], "a budget's own");
    assert_eq!(list(r#","owner":"o0","status":"open""#), ["r4", "r0"]);
    assert_eq!(list(r#","status":"open","limit":2"#), ["r5", "r4"]);
    assert_eq!(list(r#","status":"open","limit":2,"before":"r4""#), ["r3", "r0"]);
    assert_eq!(list(r#","status":"settled""#), ["r1"]);
    assert_eq!(list(r#","status":"unknown""#), ["r2"]);
    bank.finish();
}

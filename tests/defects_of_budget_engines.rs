//! Where the in-memory budget engines that hosts write today fail, and what is so here instead.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tallybook::storage::SimulatedDisk;
use tallybook::{
    CommandError, NewBudget, Options, RecordSpend, Refusal, RefusalKind, RiskAssessor, RiskCase, Spend, Ttl,
    Verdict,
};

#[path = "common/budgets.rs"]
mod budgets;
#[path = "common/cli.rs"]
mod cli;

use budgets::{
    Bank, allocate, close, data, expect_conserved, expect_data, expect_fields, kinds, observe, progress,
    release, reserve, settle, spend,
};
use cli::Book;

/// There: everything is lost at exit.
#[test]
fn everything_outlives_the_exit_of_its_process_killed_or_not() {
    let book = Book::new();
    let mut writer = book.writer(&[]);
    for line in
        [allocate("team", 1_000, r#","meta":{"n":1}"#), spend("team", 30, ""), reserve("team", 20, "r", "")]
    {
        assert!(writer.ask(&line)["ok"].is_object());
    }
    writer.kill();
    let answers = book.apply(&[], &[budgets::get("team"), settle("r", 5, "")]);
    let kept =
        json!({"limit": "1000", "spent": "30", "reserved": "20", "remaining": "950", "meta": {"n": 1}});
    expect_fields(&answers[0]["ok"]["result"], &kept);
    assert!(answers[1]["ok"].is_object(), "{}", answers[1]);
    let answers = book.apply(&[], &[budgets::get("team")]);
    expect_fields(&answers[0]["ok"]["result"], &json!({"spent": "35", "reserved": "0"}));
    expect_conserved(&book);
}

/// There: a check, and then a spend; what came in between races past the limit. Here a spend is its own check.
#[test]
fn concurrent_spends_do_not_race_past_the_limit() {
    let book = Book::new();
    let mut lines = vec![allocate("root", 100, "")];
    lines.extend((0..8).map(|agent| allocate(&format!("a{agent}"), 100, &budgets::under("root"))));
    let begun = lines.len();
    lines.extend((0..400).map(|number| {
        let agent = format!("a{}", number % 8);
        let key = format!(r#","actor":"{agent}""#);
        if number % 2 == 0 { spend(&agent, 3, &key) } else { reserve(&agent, 3, &format!("r{number}"), &key) }
    }));
    let answers = book.apply(&["--window", "256"], &lines);
    let granted = answers[begun..].iter().filter(|answer| answer["ok"].is_object()).count();
    assert_eq!(granted, 33, "as many as fit, and no more");
    assert!(answers[begun..].iter().all(|answer| answer["error"].is_null()));
    let state = expect_conserved(&book);
    let root =
        state["budgets"].as_array().unwrap().iter().find(|budget| budget["budget_id"] == "root").unwrap();
    assert_eq!(cli::amount(&root["spent"]) + cli::amount(&root["reserved"]), 99);
    assert_eq!(root["overage_total"], "0");
}

/// There: a hold counts against its own spend, so that what was reserved cannot be spent.
#[test]
fn a_hold_does_not_count_against_its_own_spend() {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 100, ""));
    bank.ok(&reserve("team", 100, "r", ""));
    let frame = bank.frame(&settle("r", 100, ""));
    expect_data(&frame[0], &json!({"overage": []}));
    bank.expect("team", 100, 0, 0);
    bank.finish();
}

/// There: holds have no id, so that nobody can tell whose is whose.
#[test]
fn a_hold_has_an_id_and_an_owner() {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 100, ""));
    let made = bank.ok(r#"{"op":"reserve","budget_id":"team","amount":40,"owner":"agent-3"}"#);
    let id = made["reservation_id"].as_str().unwrap().to_owned();
    bank.ok(&reserve("team", 40, "mine", ""));
    let listed = bank.ok(r#"{"op":"list_reservations","owner":"agent-3"}"#);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["reservation_id"]), (1, &json!(id)));
    bank.ok(&release(&id));
    bank.expect("team", 0, 40, 60);
    bank.finish();
}

/// There: holds have no expiry, and those of a host that died are there for ever.
#[test]
fn a_hold_whose_host_died_expires() {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 100, ""));
    bank.ok(&reserve("team", 100, "r", r#","ttl_ms":30000"#));
    bank.reopen();
    bank.refused("budget_exceeded", &spend("team", 1, ""));
    bank.at("2026-01-05T09:00:30Z");
    bank.ok(&spend("team", 100, ""));
    assert_eq!(bank.book.events(&["--kind", "reservation_expired"]).len(), 1, "by an event");
    bank.finish();
}

/// There: holds have no settlement: one is released, then something is spent, and in between another takes it.
#[test]
fn a_settlement_gives_the_hold_back_and_spends_in_one_step() {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 100, r#","thresholds":[]"#));
    bank.ok(&reserve("team", 100, "r", ""));
    let done = bank.done(&settle("r", 70, ""));
    assert_eq!(kinds(&bank.events_of(&done)), ["spend_recorded"], "one event does both");
    bank.expect("team", 70, 0, 30);
    bank.finish();
}

/// There: ids are never de-duplicated; a retry is booked twice.
#[test]
fn a_retry_is_booked_once() {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 100, ""));
    for line in [
        spend("team", 10, r#","spend_id":"s""#),
        spend("team", 10, r#","key":"k""#),
        reserve("team", 10, "r", ""),
        settle("r", 10, ""),
    ] {
        let first = bank.done(&line);
        bank.reopen();
        let again = bank.done(&line);
        assert_eq!((&again["retried"], &again["first_seq"]), (&json!(true), &first["first_seq"]), "{line}");
    }
    bank.expect("team", 30, 0, 70);
    bank.finish();
}

/// There: the on-chain tracker's callback hands over totals, which are booked as if each were an increase.
#[test]
fn a_total_is_not_booked_as_an_increase() {
    let mut bank = Bank::open();
    bank.ok(&allocate("chain", 1_000, ""));
    for total in [100, 150, 150, 175] {
        bank.ok(&observe("tracker", &format!(r#""cumulative":{total},"budget_id":"chain""#)));
    }
    bank.expect("chain", 175, 0, 825);
    bank.error("conflict", &observe("tracker", r#""delta":25"#));
    bank.error("invalid", &observe("tracker", r#""cumulative":174"#));
    bank.finish();
}

/// There: the exhausted event is declared, documented, and never raised.
#[test]
fn exhaustion_is_said_once_per_crossing() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 100, r#","thresholds":[]"#));
    bank.ok(&allocate("team", 1_000, r#","thresholds":[],"parent":"root""#));
    bank.ok(&spend("team", 99, ""));
    assert!(bank.book.events(&["--kind", "budget_exhausted"]).is_empty());
    let frame = bank.frame(&spend("team", 1, ""));
    assert_eq!(kinds(&frame), ["spend_recorded", "budget_exhausted"]);
    assert_eq!(data(&frame, "budget_exhausted", "budget_id"), ["root"]);
    bank.finish();
}

/// The risk assessor of these tests: it notes whom it is asked about, and is against everything above 50. What it is
/// asked about for "stuck" it never answers, and "broken" is too much for it.
struct Assessor(Arc<Mutex<Vec<(&'static str, u128)>>>);

impl RiskAssessor for Assessor {
    fn assess(&self, case: &RiskCase) -> Verdict {
        self.0.lock().unwrap().push((case.op, case.amount));
        match case.budget_id.to_string().as_str() {
            "stuck" => std::thread::sleep(Duration::from_secs(8)),
            "broken" => panic!("a case that nobody thought of"),
            _ => {}
        }
        if case.amount > 50 { Verdict::veto("too much at once") } else { Verdict::Allow }
    }
}

#[track_caller]
fn expect_risk<T: Debug>(answer: Result<T, CommandError>) -> Refusal {
    match answer.unwrap_err() {
        CommandError::Refused(refusal) if refusal.kind == RefusalKind::Risk => *refusal,
        other => panic!("expected a veto, found {other}"),
    }
}

/// There: the risk assessor can be set, and is never called.
#[test]
fn the_risk_assessor_is_asked_and_its_veto_counts() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let options = Options::new().risk_assessor(Assessor(asked.clone()), Duration::from_secs(2));
    let engine = options.open_storage(SimulatedDisk::new(1).process()).unwrap().blocking();
    for id in ["team", "stuck", "broken"] {
        engine.allocate(NewBudget::new(id).limit(1_000)).unwrap();
    }
    engine.check("team", 1).unwrap();
    engine.record_spend("team", Spend::of(2)).unwrap();
    engine.reserve("team", 3, Ttl::secs(60)).unwrap().settle(Spend::of(70)).unwrap();
    assert_eq!(*asked.lock().unwrap(), [("check", 1), ("record_spend", 2), ("reserve", 3)]);

    let refusal = expect_risk(engine.record_spend("team", Spend::of(51)));
    assert_eq!((refusal.budget_id.to_string().as_str(), refusal.amount), ("team", 51));
    assert!(refusal.seq.is_some(), "law HONEST: the veto is an event");
    assert_eq!(refusal.reason.as_deref(), Some("too much at once"));
    expect_risk(engine.reserve("team", 51, Ttl::secs(60)));
    assert_eq!(expect_risk(engine.check("team", 51)).seq, None, "a check writes nothing");
    // What has happened has happened.
    engine.execute(RecordSpend::incurred("team", Spend::of(100))).unwrap();
    let view = engine.view();
    let team = view.budget(&"team".into()).unwrap();
    assert_eq!((team.spent, team.reserved), (172, 0));

    // Whoever does not answer, or cannot, is against it.
    for id in ["stuck", "broken"] {
        let refusal = expect_risk(engine.record_spend(id, Spend::of(1)));
        assert!(refusal.reason.is_some(), "{refusal}");
        assert_eq!(engine.view().budget(&id.into()).unwrap().spent, 0);
    }
}

/// There: NaN passes as progress, since it is neither below 0 nor above 1.
#[test]
fn nan_is_no_progress() {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 100, ""));
    bank.ok(&progress("team", "0.5"));
    for none in ["NaN", r#""NaN""#, "nan", "-0.01", "1.01", "1e999", "null"] {
        bank.error("invalid", &progress("team", none));
    }
    assert_eq!(bank.budget("team")["progress"].as_f64(), Some(0.5));
    bank.finish();
}

/// There: closing ignores open holds, which are neither released nor reported.
#[test]
fn closing_releases_open_holds_and_says_so() {
    let mut bank = Bank::open();
    bank.ok(&allocate("root", 100, ""));
    bank.ok(&allocate("team", 100, &budgets::under("root")));
    bank.ok(&reserve("team", 60, "r", ""));
    let done = bank.done(&close("team", ""));
    assert_eq!(done["result"]["released"], json!(["r"]));
    assert_eq!(kinds(&bank.events_of(&done)), ["reservation_released", "budget_closed"]);
    bank.expect("root", 0, 0, 100);
    bank.finish();
}

/// There: a hold released twice gives back twice.
#[test]
fn a_second_release_gives_nothing_back() {
    let mut bank = Bank::open();
    bank.ok(&allocate("team", 100, ""));
    bank.ok(&reserve("team", 30, "one", ""));
    bank.ok(&reserve("team", 30, "two", ""));
    bank.ok(&release("one"));
    bank.refused("reservation_gone", &release("one"));
    bank.expect("team", 0, 30, 70);
    bank.finish();
}

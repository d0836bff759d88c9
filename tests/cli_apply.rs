//! `tallybook apply`: every operation with its fields, and the exact shape of every answer.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;

use cli::{Book, amount, parse};

const A: &str = "00000000-0000-7000-8000-00000000000a";
const B: &str = "00000000-0000-7000-8000-00000000000b";
const C: &str = "00000000-0000-7000-8000-00000000000c";
const T0: &str = "2026-01-05T09:00:00.000000Z";
const T1: &str = "2026-01-05T09:00:01.500000Z";
const MANUAL: [&str; 1] = ["--manual-clock"];

/// A goal as answers show it: as it was created at `T0`, but for these fields.
fn goal(changes: Value) -> Value {
    let mut goal = json!({
        "goal_id": A, "scope": "", "text": "ship 2.0", "status": "active", "pause_reason": null,
        "token_budget": null, "tokens_used": "0", "tokens_own": "0", "turns_used": 0, "seconds_used": 0,
        "parent_goal": null, "budgets": [], "revision": 1, "created_at": T0, "updated_at": T0,
        "completed_at": null, "meta": null,
    });
    let fields = goal.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        assert!(fields.insert(name.clone(), value.clone()).is_some(), "a goal has no {name}");
    }
    goal
}

fn create(goal_id: &str, more: &str) -> String {
    format!(r#"{{"op":"create_goal","goal_id":"{goal_id}","text":"ship 2.0","now":"{T0}"{more}}}"#)
}

fn turn(goal_id: &str, tokens: u64) -> String {
    format!(r#"{{"op":"record_turn","goal_id":"{goal_id}","tokens":{tokens}}}"#)
}

fn transition(goal_id: &str, to: &str, more: &str) -> String {
    format!(r#"{{"op":"transition_goal","goal_id":"{goal_id}","to":"{to}"{more}}}"#)
}

fn set_budget(goal_id: &str, limit: &str, more: &str) -> String {
    format!(r#"{{"op":"set_goal_budget","goal_id":"{goal_id}","token_budget":{limit}{more}}}"#)
}

fn get(goal_id: &str) -> String {
    format!(r#"{{"op":"get_goal","goal_id":"{goal_id}"}}"#)
}

/// Kind and data of each event.
fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

#[track_caller]
fn expect_error<'a>(answer: &'a Value, kind: &str) -> &'a Value {
    let error = &answer["error"];
    assert_eq!(error["kind"], kind, "{answer}");
    assert!(!error["message"].as_str().unwrap().is_empty(), "{answer}");
    assert_eq!(answer.as_object().unwrap().len(), 2, "`line` and exactly one of the three: {answer}");
    error
}

#[test]
fn create_goal_takes_all_its_fields_and_answers_the_goal() {
    let book = Book::new();
    let line = format!(
        r#"{{"op":"create_goal","text":"ship 2.0","goal_id":"{A}","scope":"thread-7","token_budget":"100000","parent_goal":null,"budgets":[],"key":"k-1","actor":"dana","session_id":"s-1","meta":{{"ticket": "OPS-7", "n":1.50}},"now":"{T0}"}}"#
    );
    let answers = book.apply(&MANUAL, &[line]);
    let expected = goal(json!({
        "scope": "thread-7", "token_budget": "100000", "meta": {"ticket": "OPS-7", "n": 1.5},
    }));
    assert_eq!(answers, [json!({"line": 1, "ok": {"first_seq": 1, "last_seq": 1, "result": expected}})]);

    let events = book.events(&[]);
    let mut event = events[0].clone();
    let fingerprint = event.as_object_mut().unwrap().remove("key_body");
    assert!(fingerprint.is_some_and(|body| body.as_str().unwrap().len() == 16));
    assert_eq!(
        event,
        json!({
            "seq": 1, "ts": T0, "kind": "goal_created", "v": 2,
            "data": {
                "goal_id": A, "scope": "thread-7", "text": "ship 2.0", "token_budget": "100000",
                "parent_goal": null, "budgets": [], "widen_by": null,
            },
            "session_id": "s-1", "actor": "dana", "key": "k-1", "meta": {"ticket": "OPS-7", "n": 1.5},
        })
    );
    let printed = book.run("events", &[], b"").stdout;
    assert!(
        printed.contains(r#""meta":{"ticket":"OPS-7","n":1.50}"#),
        "metadata is kept as given: {printed}"
    );
}

#[test]
fn what_create_goal_is_not_given_is_made() {
    let book = Book::new();
    let answers = book.apply(
        &MANUAL,
        &[
            format!(r#"{{"op":"create_goal","text":"one","now":"{T0}"}}"#),
            create(A, r#","scope":"other""#),
            create(B, &format!(r#","parent_goal":"{A}""#)),
            create(C, &format!(r#","parent_goal":"{A}","scope":"own""#)),
        ],
    );
    let made = &answers[0]["ok"]["result"];
    let id = made["goal_id"].as_str().unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "7"), "a UUIDv7: {id}");
    assert_eq!(made["scope"], "");
    assert_eq!(answers[2]["ok"]["result"], goal(json!({"goal_id": B, "scope": B, "parent_goal": A})));
    assert_eq!(answers[3]["ok"]["result"], goal(json!({"goal_id": C, "scope": "own", "parent_goal": A})));
}

#[test]
fn ids_are_taken_in_any_case_and_written_in_lower_case() {
    let book = Book::new();
    let answers =
        book.apply(&MANUAL, &[create(&A.to_uppercase(), ""), get(A), get(&A.to_uppercase()), create(A, "")]);
    assert_eq!(answers[0]["ok"]["result"]["goal_id"], A);
    assert_eq!(answers[1]["ok"]["result"], answers[2]["ok"]["result"]);
    expect_error(&answers[3], "exists");
}

#[test]
fn amounts_are_exact_up_to_the_largest() {
    let book = Book::new();
    let largest = u128::MAX.to_string();
    let answers = book.apply(
        &MANUAL,
        &[
            create(A, &format!(r#","token_budget":"{largest}""#)),
            create(B, &format!(r#","scope":"b","token_budget":{}"#, u64::MAX)),
            create(C, r#","scope":"c","token_budget":9007199254740993"#),
            format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":"{}"}}"#, u128::MAX - 1),
            turn(A, 2),
            turn(A, 1),
            turn(A, 0),
        ],
    );
    assert_eq!(answers[0]["ok"]["result"]["token_budget"], largest);
    assert_eq!(answers[1]["ok"]["result"]["token_budget"], u64::MAX.to_string());
    assert_eq!(answers[2]["ok"]["result"]["token_budget"], "9007199254740993");
    assert_eq!(amount(&answers[3]["ok"]["result"]["tokens_used"]), u128::MAX - 1);
    // What no longer fits is an error: never a wrong sum (law EXACT).
    expect_error(&answers[4], "invalid");
    assert_eq!(amount(&answers[5]["ok"]["result"]["tokens_used"]), u128::MAX);
    assert_eq!(answers[5]["ok"]["result"]["pause_reason"], "budget_exhausted");
    assert_eq!(answers[6]["ok"]["result"]["turns_used"], 3);
}

#[test]
fn a_second_goal_of_a_scope_pauses_the_first_in_the_same_step() {
    let book = Book::new();
    let answers = book.apply(
        &MANUAL,
        &[
            create(A, ""),
            create(B, ""),
            get(A),
            transition(A, "active", ""),
            get(B),
            r#"{"op":"active_goal"}"#.to_owned(),
        ],
    );
    assert_eq!(answers[1]["ok"]["first_seq"], 2);
    assert_eq!(answers[1]["ok"]["last_seq"], 3);
    assert_eq!(answers[1]["ok"]["result"], goal(json!({"goal_id": B})));
    let superseded = json!({"status": "paused", "pause_reason": "superseded", "revision": 2});
    assert_eq!(answers[2], json!({"line": 3, "ok": {"result": goal(superseded)}}));
    assert_eq!(answers[3]["ok"]["result"], goal(json!({"revision": 3})));
    assert_eq!(answers[4]["ok"]["result"]["pause_reason"], "superseded");
    assert_eq!(answers[5]["ok"]["result"]["goal_id"], A);
    let events = book.events(&["--kind", "goal_transitioned"]);
    assert_eq!(events[0]["data"]["by_goal"], B);
    assert_eq!(events[0]["data"]["reason"], "superseded");
}

#[test]
fn transitions_keep_to_the_lifecycle() {
    let book = Book::new();
    let answers = book.apply(
        &MANUAL,
        &[
            create(A, ""),
            transition(A, "paused", r#","note":"lunch""#),
            transition(A, "paused", ""),
            transition(A, "active", ""),
            transition(A, "paused", r#","reason":"blocked","note":"review""#),
            transition(A, "completed", &format!(r#","now":"{T1}""#)),
            transition(A, "active", ""),
            transition(A, "cleared", ""),
            create(B, "").replace(T0, T1),
            transition(B, "cleared", ""),
            transition(C, "paused", ""),
        ],
    );
    let result = |index: usize| &answers[index]["ok"]["result"];
    assert_eq!(*result(1), goal(json!({"status": "paused", "pause_reason": "requested", "revision": 2})));
    expect_error(&answers[2], "invalid_transition");
    assert_eq!(*result(3), goal(json!({"revision": 3})));
    assert_eq!(*result(4), goal(json!({"status": "paused", "pause_reason": "blocked", "revision": 4})));
    let ended = json!({
        "status": "completed", "revision": 5, "completed_at": T1, "updated_at": T1,
    });
    assert_eq!(*result(5), goal(ended));
    expect_error(&answers[6], "invalid_transition");
    expect_error(&answers[7], "invalid_transition");
    assert_eq!(result(9)["status"], "cleared");
    assert_eq!(result(9)["completed_at"], T1, "the clock stands where it was set");
    expect_error(&answers[10], "not_found");

    let events = book.events(&["--kind", "goal_transitioned", "--goal", A]);
    assert_eq!(events[0]["data"]["note"], "lunch");
    assert_eq!(events[0]["data"]["reason"], "requested");
    assert_eq!(events[2]["data"]["note"], "review");
    assert_eq!(events[2]["data"]["reason"], "blocked");
}

#[test]
fn a_revision_moves_with_the_lifecycle_only_and_guards_it() {
    let book = Book::new();
    let answers = book.apply(
        &MANUAL,
        &[
            create(A, r#","token_budget":1000"#),
            turn(A, 10),
            set_budget(A, "2000", r#","expected_revision":1"#),
            transition(A, "paused", r#","expected_revision":1"#),
            transition(A, "active", r#","expected_revision":1"#),
            set_budget(A, "3000", r#","expected_revision":1"#),
            transition(A, "paused", r#","expected_revision":1"#),
            transition(B, "paused", r#","expected_revision":1"#),
        ],
    );
    assert_eq!(answers[1]["ok"]["result"]["revision"], 1);
    assert_eq!(answers[2]["ok"]["result"]["revision"], 1);
    let now = goal(json!({
        "status": "paused", "pause_reason": "requested", "revision": 2, "token_budget": "2000",
        "tokens_used": "10", "tokens_own": "10", "turns_used": 1,
    }));
    assert_eq!(answers[3]["ok"]["result"], now);
    for stale in [&answers[4], &answers[5]] {
        assert_eq!(expect_error(stale, "stale")["goal"], now, "with the goal as it is");
    }
    // Where several apply: not_found, then invalid_transition, then stale.
    expect_error(&answers[6], "invalid_transition");
    expect_error(&answers[7], "not_found");
}

#[test]
fn a_turn_is_booked_on_the_goal_and_on_all_above_it() {
    let book = Book::new();
    let answers = book.apply(
        &MANUAL,
        &[
            create(A, ""),
            create(B, &format!(r#","parent_goal":"{A}""#)),
            create(C, &format!(r#","parent_goal":"{B}""#)),
            format!(
                r#"{{"op":"record_turn","goal_id":"{C}","tokens":"70","seconds":3,"charges":[],"now":"{T1}"}}"#
            ),
            format!(r#"{{"op":"record_turn","scope":"{B}","tokens":20,"seconds":2}}"#),
            r#"{"op":"record_turn","tokens":9}"#.to_owned(),
            get(A),
            get(B),
            get(C),
        ],
    );
    let booked = json!({
        "goal_id": C, "scope": C, "parent_goal": B, "tokens_used": "70", "tokens_own": "70", "turns_used": 1,
        "seconds_used": 3, "updated_at": T1,
    });
    let expected = json!({"line": 4, "ok": {"first_seq": 4, "last_seq": 4, "result": goal(booked)}});
    assert_eq!(answers[3], expected);
    let figures = |index: usize| {
        let goal = &answers[index]["ok"]["result"];
        let counts = (goal["turns_used"].as_u64().unwrap(), goal["seconds_used"].as_u64().unwrap());
        (amount(&goal["tokens_used"]), amount(&goal["tokens_own"]), counts)
    };
    assert_eq!(figures(6), (99, 9, (1, 0)), "turns and seconds are own, tokens include descendants");
    assert_eq!(figures(7), (90, 20, (1, 2)));
    assert_eq!(figures(8), (70, 70, (1, 3)));
}

#[test]
fn a_turn_without_an_active_goal_writes_nothing() {
    let book = Book::new();
    let answers = book.apply(
        &MANUAL,
        &[
            r#"{"op":"record_turn","tokens":5}"#.to_owned(),
            r#"{"op":"record_turn","tokens":5,"scope":"nowhere","key":"k"}"#.to_owned(),
            create(A, r#","scope":"nowhere""#),
            r#"{"op":"record_turn","tokens":5,"scope":"nowhere","key":"k"}"#.to_owned(),
        ],
    );
    assert_eq!(answers[0], json!({"line": 1, "ok": {"result": null}}));
    assert_eq!(answers[1], json!({"line": 2, "ok": {"result": null}}));
    assert_eq!(answers[3]["ok"]["result"]["tokens_own"], "5", "what changed nothing consumed no key");
    assert_eq!(answers[3]["ok"]["retried"], Value::Null);
    assert_eq!(kinds(&book.events(&[])), ["goal_created", "turn_recorded"]);
}

#[test]
fn usage_that_arrives_late_is_booked_and_typed() {
    let book = Book::new();
    let answers = book.apply(
        &MANUAL,
        &[
            create(A, ""),
            turn(A, 1),
            transition(A, "paused", ""),
            turn(A, 2),
            transition(A, "completed", ""),
            turn(A, 4),
        ],
    );
    let last = &answers[5]["ok"]["result"];
    assert_eq!((&last["tokens_used"], &last["status"]), (&json!("7"), &json!("completed")));
    let late: Vec<Value> =
        book.events(&["--kind", "turn_recorded"]).iter().map(|event| event["data"]["late"].clone()).collect();
    assert_eq!(late, [false, true, true]);
}

#[test]
fn exhaustion_pauses_everything_below_in_the_same_step_and_refuses_what_comes_after() {
    let book = Book::new();
    let answers = book.apply(
        &MANUAL,
        &[
            create(A, r#","token_budget":"100""#),
            create(B, &format!(r#","parent_goal":"{A}""#)),
            turn(B, 99),
            turn(B, 51),
            get(A),
            transition(B, "active", ""),
            transition(A, "active", ""),
            create(C, &format!(r#","parent_goal":"{A}""#)),
            set_budget(A, "150", r#","resume":true"#),
            set_budget(A, "\"151\"", r#","resume":true"#),
            get(B),
        ],
    );
    assert_eq!(answers[2]["ok"]["result"]["status"], "active");
    let frame = (answers[3]["ok"]["first_seq"].clone(), answers[3]["ok"]["last_seq"].clone());
    // At 99 tokens all thresholds were crossed already.
    assert_eq!(frame, (json!(7), json!(10)), "the turn, the exhaustion and two pauses are one step");
    let paused = json!({
        "status": "paused", "pause_reason": "budget_exhausted", "revision": 2, "token_budget": "100",
        "tokens_used": "150",
    });
    assert_eq!(answers[4]["ok"]["result"], goal(paused));

    let blocked = |line: u64, seq: u64| {
        json!({"line": line, "refused": {
            "kind": "budget_exceeded", "seq": seq, "budget_id": format!("goal:{A}"), "limit": "100",
            "spent": "150", "reserved": "0", "amount": "0",
        }})
    };
    for (index, seq) in [(5, 11), (6, 12), (7, 13), (8, 14)] {
        let mut found = answers[index].clone();
        // What an operation asks for is its own affair; that it is an amount is not.
        amount(&found["refused"]["amount"]);
        found["refused"]["amount"] = json!("0");
        let mut expected = blocked(index as u64 + 1, seq);
        expected["refused"]["limit"] = found["refused"]["limit"].clone();
        assert_eq!(found, expected);
    }
    assert_eq!(answers[5]["refused"]["limit"], "100");

    let raised = &answers[9]["ok"]["result"];
    assert_eq!((&raised["status"], &raised["token_budget"]), (&json!("active"), &json!("151")));
    assert_eq!(raised["tokens_used"], "150", "counters are kept");
    let events = book.events(&[]);
    assert_eq!(
        kinds(&events[6..10]),
        ["turn_recorded", "budget_exhausted", "goal_transitioned", "goal_transitioned"]
    );
    assert_eq!(events[6]["data"]["overage"], json!([{"budget_id": format!("goal:{A}"), "amount": "50"}]));
    let exhausted = json!({"budget_id": format!("goal:{A}"), "limit": "100", "spent": "150", "overage": "50", "hard": true});
    assert_eq!(events[7]["data"], exhausted);
    assert_eq!(kinds(&events[10..14]), ["command_refused"; 4]);
    cli::expect_gapless(&events);
}

#[test]
fn a_budget_is_raised_lowered_and_lifted() {
    let book = Book::new();
    let answers = book.apply(
        &MANUAL,
        &[
            create(A, r#","token_budget":"100""#),
            set_budget(A, "\"200\"", r#","resume":false"#),
            turn(A, 150),
            set_budget(A, "null", ""),
            set_budget(A, "150", ""),
            set_budget(A, "null", ""),
            transition(A, "active", ""),
            transition(A, "completed", ""),
            set_budget(A, "1000", ""),
            set_budget(B, "1000", ""),
        ],
    );
    let budget = |index: usize| answers[index]["ok"]["result"]["token_budget"].clone();
    let status = |index: usize| answers[index]["ok"]["result"]["status"].clone();
    assert_eq!(
        [budget(0), budget(1), budget(3), budget(4)],
        [json!("100"), json!("200"), json!(null), json!("150")]
    );
    // Exhausted is spent >= limit, however that came about.
    assert_eq!((status(3), status(4)), (json!("active"), json!("paused")));
    assert_eq!(answers[4]["ok"]["result"]["pause_reason"], "budget_exhausted");
    assert_eq!((status(5), status(6)), (json!("paused"), json!("active")));
    expect_error(&answers[8], "invalid_transition");
    expect_error(&answers[9], "not_found");
}

#[test]
fn ending_a_parent_clears_its_open_descendants() {
    let book = Book::new();
    let answers = book.apply(
        &MANUAL,
        &[
            create(A, ""),
            create(B, &format!(r#","parent_goal":"{A}""#)),
            create(C, &format!(r#","parent_goal":"{B}""#)),
            transition(A, "paused", ""),
            get(C),
            transition(A, "active", ""),
            get(C),
            transition(A, "completed", ""),
            get(B),
            get(C),
            create("00000000-0000-7000-8000-00000000000d", &format!(r#","parent_goal":"{A}""#)),
        ],
    );
    let result = |index: usize| &answers[index]["ok"]["result"];
    assert_eq!((&result(4)["status"], &result(4)["pause_reason"]), (&json!("paused"), &json!("parent")));
    assert_eq!(result(6)["status"], "active");
    assert_eq!(result(7)["status"], "completed");
    assert_eq!((&result(8)["status"], &result(9)["status"]), (&json!("cleared"), &json!("cleared")));
    expect_error(&answers[10], "invalid_transition");
}

#[test]
fn what_is_named_has_to_be_there() {
    let book = Book::new();
    let charge = |budget: &str| {
        format!(
            r#"{{"op":"record_turn","goal_id":"{A}","tokens":1,"charges":[{{"budget_id":"{budget}","amount":"5"}}]}}"#
        )
    };
    let answers = book.apply(
        &MANUAL,
        &[
            create(A, ""),
            charge("money"),
            turn(B, 1),
            create(B, &format!(r#","scope":"b","parent_goal":"{C}""#)),
            create(B, r#","scope":"b","budgets":["money"]"#),
            get(B),
            r#"{"op":"active_goal","scope":"b"}"#.to_owned(),
        ],
    );
    for missing in &answers[1..6] {
        expect_error(missing, "not_found");
    }
    assert_eq!(answers[6], json!({"line": 7, "ok": {"result": null}}));
    assert_eq!(book.events(&[]).len(), 1);
}

#[test]
fn lists_are_newest_first_and_can_be_narrowed_and_paged() {
    let book = Book::new();
    let id = |number: u32| format!("00000000-0000-7000-8000-{:012x}", 0xffff - number);
    let mut lines: Vec<String> =
        (0..130).map(|number| create(&id(number), &format!(r#","scope":"s{}""#, number % 10))).collect();
    let created = lines.len();
    lines.extend([
        r#"{"op":"list_goals"}"#.to_owned(),
        r#"{"op":"list_goals","limit":3}"#.to_owned(),
        format!(r#"{{"op":"list_goals","limit":2,"before":"{}"}}"#, id(127)),
        r#"{"op":"list_goals","scope":"s4","status":"active"}"#.to_owned(),
        format!(r#"{{"op":"list_goals","scope":"s4","status":"paused","limit":1,"before":"{}"}}"#, id(114)),
        r#"{"op":"list_goals","scope":"nowhere"}"#.to_owned(),
        format!(r#"{{"op":"list_goals","limit":{}}}"#, u64::MAX),
        r#"{"op":"list_goals","status":"completed"}"#.to_owned(),
    ]);
    let answers = book.apply(&MANUAL, &lines);
    let listed = |index: usize| -> Vec<&str> {
        let goals = answers[created + index]["ok"]["result"].as_array().unwrap();
        goals.iter().map(|goal| goal["goal_id"].as_str().unwrap()).collect()
    };
    let newest_first: Vec<String> = (0..130).rev().map(id).collect();
    assert!(!listed(0).is_empty());
    assert_eq!(listed(0), newest_first[..listed(0).len()]);
    assert_eq!(listed(1), newest_first[..3]);
    assert_eq!(listed(2), [id(126), id(125)]);
    assert_eq!(listed(3), [id(124)]);
    assert_eq!(listed(4), [id(104)]);
    assert!(listed(5).is_empty() && listed(7).is_empty());
    assert_eq!(listed(6), newest_first);
    let first = &answers[created + 1]["ok"]["result"][0];
    assert_eq!(*first, goal(json!({"goal_id": id(129), "scope": "s9"})), "the items are whole goals");
}

#[test]
fn what_a_budget_and_a_hold_are_not_told_is_the_default() {
    let book = Book::new();
    let flags = ["--manual-clock", "--default-limit", "50", "--default-ttl", "90s"];
    let answers = book.apply(
        &flags,
        &[
            &format!(r#"{{"op":"allocate","budget_id":"b","now":"{T0}"}}"#),
            r#"{"op":"reserve","budget_id":"b","amount":1}"#,
            r#"{"op":"reserve","budget_id":"b","amount":1,"ttl_ms":1}"#,
        ],
    );
    assert_eq!(answers[0]["ok"]["result"]["limit"], "50");
    assert_eq!(answers[1]["ok"]["result"]["expires_at"], "2026-01-05T09:01:30.000000Z");
    assert_eq!(answers[2]["ok"]["result"]["expires_at"], "2026-01-05T09:00:00.001000Z");
    let answers = book.apply(&["--manual-clock"], &[r#"{"op":"reserve","budget_id":"b","amount":1}"#]);
    assert_eq!(answers[0]["ok"]["result"]["expires_at"], Value::Null, "unless told, it does not expire");
}

#[test]
fn head_tells_where_the_journal_stands() {
    let book = Book::new();
    let head = r#"{"op":"head"}"#.to_owned();
    let answers = book.apply(&MANUAL, &[head.clone(), create(A, ""), head.clone(), turn(A, 1), get(A), head]);
    let result = |index: usize| &answers[index]["ok"]["result"];
    let names: Vec<&String> = result(0).as_object().unwrap().keys().collect();
    assert_eq!(names, ["epoch", "journal_id", "seq", "state_hash"]);
    assert_eq!([&result(0)["seq"], &result(2)["seq"], &result(5)["seq"]], [0, 1, 2]);
    assert_ne!(result(0)["state_hash"], result(2)["state_hash"]);
    assert_ne!(result(2)["state_hash"], result(5)["state_hash"]);
    let again = book.head();
    assert_eq!(again["seq"], 2);
    for same in ["journal_id", "state_hash"] {
        assert_eq!(again[same], result(5)[same], "{same} outlives a restart");
    }
    assert_ne!(again["epoch"], result(5)["epoch"], "every opening is an epoch of its own");
}

#[test]
fn each_answer_names_its_line() {
    let book = Book::new();
    let input = format!("\n{}\n   \nnot json\n\r\n{}", create(A, ""), r#"{"op":"head"}"#);
    let answers = book.run("apply", &MANUAL, input.as_bytes()).expect_code(0).json_lines();
    let lines: Vec<&Value> = answers.iter().map(|answer| &answer["line"]).collect();
    assert_eq!(lines, [2, 4, 6], "a last line needs no end");
    assert_eq!(answers[2]["ok"]["result"]["seq"], 1);
}

#[test]
fn texts_come_back_as_they_were_given() {
    let book = Book::new();
    let text = "quote \" backslash \\ tab \t é 日本 \u{1f980} \u{7f} <b>&amp;</b>";
    let line = json!({"op": "create_goal", "goal_id": A, "text": text, "scope": "s / \" é"}).to_string();
    let escaped = r#"{"op":"create_goal","goal_id":"00000000-0000-7000-8000-00000000000b","text":"\u00e9\ud83e\udd80\/","scope":"2"}"#;
    let answers = book.apply(&[], &[line.as_str(), escaped]);
    assert_eq!(answers[0]["ok"]["result"]["text"], text);
    assert_eq!(answers[0]["ok"]["result"]["scope"], "s / \" é");
    assert_eq!(answers[1]["ok"]["result"]["text"], "é\u{1f980}/");
    assert_eq!(book.events(&[])[0]["data"]["text"], text);
    assert_eq!(book.state(&[])["goals"][0]["text"], text);
}

#[test]
fn the_longest_text_is_counted_in_characters() {
    let book = Book::new();
    let text = "é".repeat(400);
    let answers = book.apply(&[], &[json!({"op": "create_goal", "text": text}).to_string()]);
    assert_eq!(answers[0]["ok"]["result"]["text"], text);
    let line = json!({"op": "create_goal", "text": text + "é"}).to_string();
    let error = &book.apply(&[], &[line])[0]["error"];
    assert_eq!((&error["kind"], &error["max"]), (&json!("invalid"), &json!(400)));
}

#[test]
fn events_are_the_journal_line_for_line() {
    let book = Book::new();
    book.apply(&[], &[create(A, "").replace(&format!(r#","now":"{T0}""#), ""), turn(A, 5)]);
    let printed = book.run("events", &[], b"").expect_code(0).stdout;
    let (_, segment) = book.segments().remove(0);
    for line in printed.lines() {
        let at = segment.windows(line.len()).position(|bytes| bytes == line.as_bytes());
        assert!(at.is_some(), "exactly as journaled: {line}");
        parse(line);
    }
    assert_eq!(printed.lines().count(), 2);
}

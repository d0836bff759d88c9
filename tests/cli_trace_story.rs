//! `tallybook trace`, from outside: who did what to one thing, when and why, with the balance at each step.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;
#[path = "common/pruning.rs"]
mod pruning;

use cli::Book;

const GOAL: &str = "00000000-0000-7000-8000-000000000001";
const CHILD: &str = "00000000-0000-7000-8000-000000000002";

fn book() -> Book {
    let book = Book::new();
    let commands = [
        r#"{"op":"allocate","budget_id":"team","limit":"1000","thresholds":[0.5],"actor":"boss","now":"2026-01-01T10:00:00Z"}"#,
        r#"{"op":"allocate","budget_id":"member","parent":"team","limit":null,"now":"2026-01-01T10:00:10Z"}"#,
        r#"{"op":"allocate","budget_id":"other","limit":"5","now":"2026-01-01T10:01:00Z"}"#,
        r#"{"op":"reserve","budget_id":"member","reservation_id":"hold","amount":"300","owner":"bot","now":"2026-01-01T12:00:00Z"}"#,
        r#"{"op":"record_spend","budget_id":"other","amount":"2","spend_id":"elsewhere","session_id":"night"}"#,
        r#"{"op":"settle","reservation_id":"hold","amount":"250","spend_id":"paid","tool":"web.search","reason":"looking it up","session_id":"night","key":"k1","meta":{"run":7}}"#,
        r#"{"op":"record_spend","budget_id":"team","amount":"700","spend_id":"big","incurred":true,"now":"2026-01-02T11:00:00Z"}"#,
        r#"{"op":"record_spend","budget_id":"member","amount":"100","spend_id":"no","actor":"bot"}"#,
        r#"{"op":"reverse_spend","spend_id":"paid","amount":"50","reason":"refund"}"#,
        r#"{"op":"record_event","name":"noted","data":1,"event_id":"team"}"#,
    ];
    book.apply(&["--manual-clock"], &commands);
    book
}

fn trace(book: &Book, flags: &[&str]) -> Value {
    book.run("trace", &[flags, &["--json"]].concat(), b"").expect_code(0).json()
}

/// What matters of each step: kind, and spent, reserved and remaining after it.
fn steps(trace: &Value) -> Vec<Value> {
    let step = |step: &Value| {
        let balance = &step["balance"];
        json!([step["kind"], balance["spent"], balance["reserved"], balance["remaining"]])
    };
    trace["steps"].as_array().unwrap().iter().map(step).collect()
}

fn seqs(trace: &Value) -> Vec<u64> {
    trace["steps"].as_array().unwrap().iter().map(|step| step["seq"].as_u64().unwrap()).collect()
}

#[test]
fn a_budget_tells_of_itself_and_of_what_is_booked_below_with_its_balance() {
    let trace = trace(&book(), &["team", "--as", "budget"]);
    let expected = [
        json!(["budget_allocated", "0", "0", "1000"]),
        json!(["budget_allocated", "0", "0", "1000"]),
        json!(["reservation_made", "0", "300", "700"]),
        json!(["spend_recorded", "250", "0", "750"]),
        json!(["spend_recorded", "950", "0", "50"]),
        json!(["threshold_crossed", "950", "0", "50"]),
        json!(["command_refused", "950", "0", "50"]),
        json!(["spend_reversed", "900", "0", "100"]),
    ];
    assert_eq!(steps(&trace), expected);
    let all = trace["steps"].as_array().unwrap();
    assert_eq!(all[5]["cause"], json!({"seq": all[4]["seq"], "kind": "spend_recorded"}));
    assert_eq!((&all[6]["actor"], &all[6]["reason"]), (&json!("bot"), &json!("budget_exceeded")));
    assert_eq!((&all[7]["amount"], &all[7]["reason"]), (&json!("50"), &json!("refund")));
    assert_eq!((&all[0]["after_ms"], &all[1]["after_ms"]), (&Value::Null, &json!(10_000)));
    assert_eq!(
        (&all[3]["session_id"], &all[3]["key"], &all[3]["meta"]),
        (&json!("night"), &json!("k1"), &json!({"run": 7}))
    );
    assert_eq!(trace["found_as"], json!({"budget": 8}));
    assert_eq!((&trace["first_seq"], &trace["last_seq"]), (&json!(1), &json!(11)));
}

#[test]
fn each_kind_of_id_is_found() {
    let book = book();
    for (id, kind, expected) in [
        ("hold", "reservation", vec![4, 6]),
        ("paid", "spend", vec![6, 10]),
        // With what followed from it.
        ("big", "spend", vec![7, 8]),
        ("k1", "key", vec![6]),
        ("night", "session", vec![5, 6]),
        ("boss", "actor", vec![1]),
        ("bot", "actor", vec![9]),
    ] {
        let told = trace(&book, &[id]);
        assert_eq!(seqs(&told), expected, "{id}");
        assert_eq!(told["found_as"].as_object().unwrap().keys().collect::<Vec<_>>(), [kind], "{id}");
        assert_eq!(seqs(&trace(&book, &[id, "--as", kind])), expected, "{id}");
    }
    assert_eq!(
        steps(&trace(&book, &["hold"]))[1],
        json!(["spend_recorded", "250", "0", null]),
        "of its own budget"
    );
}

#[test]
fn an_id_of_several_things_is_told_as_all_of_them_unless_narrowed() {
    let book = book();
    let told = trace(&book, &["team"]);
    assert_eq!(told["found_as"], json!({"budget": 8, "event": 1}));
    assert_eq!(told["steps"][8]["as"], json!(["event"]));
    assert_eq!(seqs(&trace(&book, &["team", "--as", "event"])), [11]);
    let ran = book.run("trace", &["team"], b"").expect_code(0);
    assert!(
        ran.stdout.contains("team is several things") && ran.stdout.contains("event (events: 1)"),
        "{ran:?}"
    );
}

#[test]
fn a_goal_tells_of_turns_below_and_of_why_it_paused() {
    let book = Book::new();
    let commands = [
        format!(r#"{{"op":"create_goal","goal_id":"{GOAL}","text":"say \"ship\"","token_budget":100}}"#),
        format!(r#"{{"op":"create_goal","goal_id":"{CHILD}","text":"part","parent_goal":"{GOAL}"}}"#),
        format!(r#"{{"op":"record_turn","goal_id":"{CHILD}","tokens":120}}"#),
    ];
    book.apply(&[], &commands);
    let told = trace(&book, &[GOAL]);
    let all = told["steps"].as_array().unwrap();
    assert_eq!(seqs(&told), (1..=book.events(&[]).len() as u64).collect::<Vec<_>>());
    let turn = all.iter().find(|step| step["kind"] == "turn_recorded").unwrap();
    assert_eq!((&turn["amount"], &turn["balance"]["spent"]), (&json!("120"), &json!("120")));
    assert_eq!(turn["balance"]["budget_id"], format!("goal:{GOAL}"));
    let paused = all.iter().find(|step| step["kind"] == "goal_transitioned").unwrap();
    assert_eq!(paused["reason"], "budget_exhausted");
    assert_eq!(paused["cause"]["kind"], "turn_recorded");
    assert!(
        paused["what"].as_str().unwrap().contains(&format!("as budget goal:{GOAL} is exhausted")),
        "{paused}"
    );
    assert_eq!(seqs(&trace(&book, &[&format!("goal:{GOAL}")])), seqs(&told), "its budget has the same story");
}

#[test]
fn people_read_a_story() {
    let ran = book().run("trace", &["paid"], b"").expect_code(0);
    let expected = "seq 6  2026-01-01T12:00:00.000000Z
  250 was spent of member as paid, settling hold, for web.search
  member: 250 spent, 0 reserved, units without a limit
  in session night, key k1, reason: looking it up, meta {\"run\":7}

seq 10  2026-01-02T11:00:00.000000Z  +23h 0m
  50 of paid was taken back to member
  member: 200 spent, 0 reserved, units without a limit
  reason: refund

paid is a spend (events: 2), from seq 1 to 11
";
    assert_eq!(ran.stdout, expected);
}

#[test]
fn what_nobody_knows_is_said_and_what_cannot_be_is_refused() {
    let book = book();
    let ran = book.run("trace", &["nobody"], b"").expect_code(0);
    assert_eq!(ran.stdout, "no event from seq 1 to 11 tells of nobody\n");
    assert_eq!(trace(&book, &["nobody"])["steps"], json!([]));
    for flags in [&["team", "--as", "goal"][..], &["team", "--as", "cat"], &[""], &[]] {
        assert_eq!(book.run("trace", flags, b"").expect_code(64).stdout, "");
    }
}

/// Each step of a pruned journal with its archive is that of its twin; without it, the story begins at the floor.
#[test]
fn balances_are_those_of_the_state_at_each_seq_with_an_archive_too() {
    let (book, twin) = (Book::new(), Book::new());
    let archive = book.beside("archive");
    let commands = [pruning::history(7), pruning::use_of_the_beginning()].concat();
    for run in commands.chunks(25) {
        book.apply(&pruning::archived(&["--retain-segments", "2"], &archive), run);
        twin.apply(&pruning::TWIN, run);
    }
    let archive = archive.to_str().unwrap();
    for id in ["team", "member", "daily", "kept", "first", pruning::ROOT, pruning::CHILD, "chain", "night"] {
        let told = trace(&twin, &[id]);
        assert!(!seqs(&told).is_empty(), "{id}");
        assert_eq!(trace(&book, &[id, "--archive", archive]), told, "{id}");
        let floor = pruning::floor(&book);
        let retained: Vec<u64> = seqs(&told).into_iter().filter(|seq| *seq >= floor).collect();
        assert_eq!(seqs(&trace(&book, &[id])), retained, "{id}");
        for step in told["steps"].as_array().unwrap() {
            if step["balance"].is_null() {
                assert!(id == "chain" || id == "night" || step["kind"] == "budget_closed", "{id}: {step}");
                continue;
            }
            let state = twin.state(&["--at", &step["seq"].to_string()]);
            let budgets = state["budgets"].as_array().unwrap().iter();
            let found = budgets.clone().find(|budget| budget["budget_id"] == step["balance"]["budget_id"]);
            for field in ["spent", "reserved", "limit", "remaining"] {
                assert_eq!(found.unwrap()[field], step["balance"][field], "{id}: {step}");
            }
        }
    }
}

#[test]
fn ids_with_quotes_and_of_other_alphabets_are_found() {
    let book = Book::new();
    let ids = ["a\"b\\c", "Übung", "\"\""];
    for id in ids {
        let allocate = json!({"op": "allocate", "budget_id": id, "limit": "10"});
        let below =
            json!({"op": "allocate", "budget_id": format!("{id}/below"), "parent": id, "limit": "10"});
        let spend = json!({"op": "record_spend", "budget_id": format!("{id}/below"), "amount": "3"});
        book.apply(&[], &[allocate.to_string(), below.to_string(), spend.to_string()]);
    }
    for id in ids {
        let told = trace(&book, &[id]);
        let spent: Vec<Value> = steps(&told).iter().map(|step| step[1].clone()).collect();
        assert_eq!(spent, ["0", "0", "3"], "{told}");
    }
}

//! `tallybook diff`, from outside: what changed between two points, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;

use cli::Book;

const GOAL: &str = "00000000-0000-7000-8000-000000000001";

/// Nine events, ten minutes between the commands.
fn book() -> Book {
    let book = Book::new();
    let commands = [
        format!(r#"{{"op":"create_goal","goal_id":"{GOAL}","text":"ship","token_budget":1000,"now":"2026-01-01T10:00:00Z"}}"#),
        r#"{"op":"allocate","budget_id":"team","limit":"1000","now":"2026-01-01T10:10:00Z"}"#.to_owned(),
        r#"{"op":"allocate","budget_id":"member","parent":"team","now":"2026-01-01T10:20:00Z","limit":null}"#.to_owned(),
        r#"{"op":"reserve","budget_id":"member","reservation_id":"hold","amount":"200","now":"2026-01-01T10:30:00Z"}"#.to_owned(),
        r#"{"op":"observe_meter","meter_id":"chain","delta":"7","now":"2026-01-01T10:40:00Z"}"#.to_owned(),
        r#"{"op":"settle","reservation_id":"hold","amount":"150","spend_id":"s","now":"2026-01-01T10:50:00Z"}"#.to_owned(),
        format!(r#"{{"op":"transition_goal","goal_id":"{GOAL}","to":"paused","now":"2026-01-01T11:00:00Z"}}"#),
        r#"{"op":"adjust_budget","budget_id":"team","limit":null,"now":"2026-01-01T11:10:00Z"}"#.to_owned(),
        r#"{"op":"record_event","name":"noted","data":1,"now":"2026-01-01T11:20:00Z"}"#.to_owned(),
    ];
    for answer in book.apply(&["--manual-clock"], &commands) {
        assert!(answer["ok"].is_object(), "{answer}");
    }
    assert_eq!(book.events(&[]).len(), 9);
    book
}

fn diff(book: &Book, before: &str, after: &str) -> Value {
    book.run("diff", &[before, after, "--json"], b"").expect_code(0).json()
}

/// What changed of one, as `field: [before, after]`.
fn fields(diff: &Value, of: &str, id: &str) -> Value {
    let changes = diff[of].as_array().unwrap();
    let change = changes.iter().find(|change| change["id"] == id).unwrap_or(&Value::Null);
    let fields = change["fields"].as_object().into_iter().flatten();
    fields.map(|(name, values)| (name.clone(), json!([values["before"], values["after"]]))).collect()
}

#[test]
fn every_kind_of_thing_is_compared_field_by_field() {
    let book = book();
    let changed = diff(&book, "4", "9");
    assert_eq!(changed["from"]["seq"], 4);
    assert_eq!(changed["to"]["state_hash"], book.state(&[])["state_hash"]);
    assert_eq!(changed["from"]["ts"], "2026-01-01T10:30:00.000000Z");
    let spent = json!({"spent": ["0", "150"], "spent_total": ["0", "150"], "reserved": ["200", "0"], "entry_count": [0, 1]});
    assert_eq!(fields(&changed, "budgets", "member"), spent);
    let team = json!({"limit": ["1000", null], "spent": ["0", "150"], "spent_total": ["0", "150"],
        "reserved": ["200", "0"], "remaining": ["800", null]});
    assert_eq!(fields(&changed, "budgets", "team"), team);
    let goal =
        json!({"status": ["active", "paused"], "pause_reason": [null, "requested"], "revision": [1, 2]});
    assert_eq!(fields(&changed, "goals", GOAL), goal);
    let hold = json!({"status": ["open", "settled"], "spend_id": [null, "s"], "ended_at": [null, "2026-01-01T10:50:00.000000Z"]});
    assert_eq!(fields(&changed, "reservations", "hold"), hold);
    assert_eq!(changed["meters"][0]["change"], "added");
    assert_eq!(
        fields(&changed, "meters", "chain"),
        json!({"total": [null, "7"], "booked": [null, "0"], "kind": [null, "delta"]})
    );
}

#[test]
fn what_was_made_in_between_is_added_and_the_later_point_does_not_go_first() {
    let book = book();
    let changed = diff(&book, "1", "3");
    let budgets = changed["budgets"].as_array().unwrap().iter();
    let added: Vec<&Value> =
        budgets.filter(|found| found["change"] == "added").map(|found| &found["id"]).collect();
    assert_eq!(added, ["member", "team"]);
    assert_eq!(fields(&changed, "budgets", "team")["limit"], json!([null, "1000"]));
    for flags in [["3", "1"], ["end", "2026-01-01T10:15:00Z"]] {
        let ran = book.run("diff", &flags, b"").expect_code(64);
        assert_eq!(ran.stdout, "");
        assert!(ran.stderr.contains("the earlier goes first"), "{}", ran.stderr);
    }
}

#[test]
fn points_are_seqs_times_or_the_end() {
    let book = book();
    let by_seq = diff(&book, "2", "6");
    assert_eq!(diff(&book, "2026-01-01T10:15:00Z", "2026-01-01T10:50:00Z"), by_seq);
    assert_eq!(
        diff(&book, "0", "end")["from"],
        json!({"seq": 0, "ts": null, "state_hash": by_seq_hash(&book)})
    );
    // Long after the last event.
    assert_eq!(diff(&book, "2", "-1s"), diff(&book, "2", "9"));
    for (flags, code) in
        [(&["3"][..], 64), (&["3", "yesterday"], 64), (&["3", "100"], 64), (&["-5", "3"], 64)]
    {
        let ran = book.run("diff", flags, b"").expect_code(code);
        assert_eq!(ran.stdout, "");
    }
}

fn by_seq_hash(book: &Book) -> Value {
    book.state(&["--at", "0"])["state_hash"].clone()
}

#[test]
fn where_nothing_changed_it_says_so() {
    let book = book();
    let unchanged = diff(&book, "8", "9");
    for of in ["goals", "budgets", "reservations", "meters"] {
        assert_eq!(unchanged[of], json!([]), "an event of the host's own changes nothing");
    }
    let ran = book.run("diff", &["8", "9"], b"").expect_code(0);
    assert_eq!(
        ran.stdout,
        "from seq 8 (2026-01-01T11:10:00.000000Z) to seq 9 (2026-01-01T11:20:00.000000Z)\n\nnothing changed\n"
    );
}

#[test]
fn people_read_before_and_after() {
    let ran = book().run("diff", &["6", "8"], b"").expect_code(0);
    let expected = format!(
        "from seq 6 (2026-01-01T10:50:00.000000Z) to seq 8 (2026-01-01T11:10:00.000000Z)

goal {GOAL}: changed
  status        active → paused
  pause_reason  none → requested
  revision      1 → 2

budget team: changed
  limit      1000 → none
  remaining  850 → none
"
    );
    assert_eq!(ran.stdout, expected);
}

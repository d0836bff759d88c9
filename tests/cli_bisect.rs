//! `tallybook bisect`, from outside: the first seq after which a condition on the state holds.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;
#[path = "common/pruning.rs"]
mod pruning;

use cli::Book;
use pruning::{CHILD, ROOT, TWIN, archived, history};

fn book() -> Book {
    let book = Book::new();
    book.apply(&TWIN, &[history(9), pruning::use_of_the_beginning()].concat());
    book
}

fn bisect(book: &Book, condition: &str, flags: &[&str]) -> Value {
    book.run("bisect", &[&["--when", condition, "--json"], flags].concat(), b"").expect_code(0).json()
}

fn states(book: &Book) -> Vec<Value> {
    let last = book.state(&[])["seq"].as_u64().unwrap();
    (0..=last).map(|seq| book.state(&["--at", &seq.to_string()])).collect()
}

fn of<'a>(state: &'a Value, things: &str, id_name: &str, id: &str) -> &'a Value {
    state[things].as_array().unwrap().iter().find(|thing| thing[id_name] == id).unwrap_or(&Value::Null)
}

fn number(value: &Value) -> Option<u128> {
    value.as_str().and_then(|text| text.parse().ok())
}

/// A condition, and the same of a state as `state --json` prints it.
type Case = (String, Box<dyn Fn(&Value) -> bool>);

fn case(condition: &str, holds: impl Fn(&Value) -> bool + 'static) -> Case {
    (condition.to_owned(), Box::new(holds))
}

fn cases() -> Vec<Case> {
    let budget = |state: &Value, id: &str| of(state, "budgets", "budget_id", id).clone();
    let goal = |state: &Value, id: &str| of(state, "goals", "goal_id", id).clone();
    vec![
        case(r#"budget("member").spent >= 300"#, move |state| {
            number(&budget(state, "member")["spent"]) >= Some(300)
        }),
        case(r#"spent("daily") == 270 or spent("daily") > 1_000"#, move |state| {
            matches!(number(&budget(state, "daily")["spent"]), Some(270 | 1_001..))
        }),
        case(&format!(r#"goal("{CHILD}").status == paused"#), move |state| {
            goal(state, CHILD)["status"] == "paused"
        }),
        case(
            &format!(r#"goal("{ROOT}").tokens_used > 500 and goal("{CHILD}").status != paused"#),
            move |state| {
                number(&goal(state, ROOT)["tokens_used"]) > Some(500)
                    && goal(state, CHILD)["status"] == "active"
            },
        ),
        case(r#"reservation("short").status == open"#, |state| {
            !of(state, "reservations", "reservation_id", "short").is_null()
        }),
        case(r#"reservation("kept").exists and not (reservation("kept").status == open)"#, |state| {
            state["seq"].as_u64() > Some(20) && of(state, "reservations", "reservation_id", "kept").is_null()
        }),
        case(r#"budgets.count > 3 and reservations.count == 2"#, |state| {
            state["budgets"].as_array().unwrap().len() > 3
                && state["reservations"].as_array().unwrap().len() == 2
        }),
        case(r#"meter("chain").total >= 120"#, |state| {
            number(&of(state, "meters", "meter_id", "chain")["total"]) >= Some(120)
        }),
        case(r#"budget("daily").window.start >= "2026-01-02T00:00:00Z""#, move |state| {
            budget(state, "daily")["window"]["start"].as_str() >= Some("2026-01-02T00:00:00")
        }),
        case(r#"budget("team").status == closed"#, move |state| budget(state, "team")["status"] == "closed"),
        case(r#"budget("team").limit == null"#, move |state| {
            !budget(state, "team").is_null() && budget(state, "team")["limit"].is_null()
        }),
        case(r#"meter("nobody's").total == 0"#, |_| false),
    ]
}

#[test]
fn it_finds_what_looking_at_every_state_finds() {
    let book = book();
    let states = states(&book);
    let mut never = 0;
    for (condition, holds) in cases() {
        let expected =
            states.iter().find(|state| holds(state)).map_or(Value::Null, |state| state["seq"].clone());
        let found = bisect(&book, &condition, &[]);
        assert_eq!(found["seq"], expected, "{condition}");
        never += usize::from(expected.is_null());
        if let Some(seq) = expected.as_u64() {
            assert_eq!(
                found["event"],
                book.events(&["--from", &seq.to_string(), "--to", &seq.to_string()])[0]
            );
            // From there on, and up to right before.
            assert_eq!(bisect(&book, &condition, &["--from", &(seq + 1).to_string()])["already"], true);
            let before = (seq - 1).to_string();
            assert_eq!(bisect(&book, &condition, &["--to", &before])["seq"], Value::Null, "{condition}");
        }
    }
    assert!((1..=3).contains(&never), "{never}");
}

#[test]
fn it_tells_the_event_and_the_values_before_and_after() {
    let book = Book::new();
    let commands = [
        r#"{"op":"allocate","budget_id":"b","limit":"100","now":"2026-01-01T00:00:00Z"}"#,
        r#"{"op":"record_event","name":"noise","data":0}"#,
        r#"{"op":"record_spend","budget_id":"b","amount":"30","spend_id":"s","key":"k"}"#,
    ];
    book.apply(&["--manual-clock"], &commands);
    let found = bisect(&book, r#"spent("b") > 20 and goals.count == 0"#, &[]);
    assert_eq!(
        (&found["seq"], &found["already"], &found["event"]),
        (&json!(3), &json!(false), &book.events(&[])[2])
    );
    let terms = json!([
        {"term": "budget(\"b\").spent", "before": "0", "after": "30"},
        {"term": "goals.count", "before": 0, "after": 0},
    ]);
    assert_eq!(found["terms"], terms);
    assert_eq!((&found["from_seq"], &found["to_seq"]), (&json!(0), &json!(3)));
    let ran = book.run("bisect", &["--when", "spent(\"b\") > 20"], b"").expect_code(0);
    assert!(ran.stdout.starts_with("it holds first after seq 3  2026-01-01T00:00:00.000000Z\n"), "{ran:?}");
    assert!(ran.stdout.ends_with("BEFORE  AFTER\nbudget(\"b\").spent       0     30\n"), "{ran:?}");
    let ran = book.run("bisect", &["--when", "spent(\"b\") > 30"], b"").expect_code(0);
    assert!(ran.stdout.starts_with("it never holds, from after seq 0 to after seq 3\n"), "{ran:?}");
    let ran = book.run("bisect", &["--when", "budgets.count == 0"], b"").expect_code(0);
    assert!(ran.stdout.starts_with("it holds already after seq 0"), "{ran:?}");
}

#[test]
fn what_is_no_condition_is_refused_where_it_is_wrong() {
    let book = book();
    for (condition, column, said) in [
        (r#"budget("team").spend > 1"#, "column 16", "spent_total"),
        ("budgets.count >", "column 16", "a whole number"),
        ("", "column 1", "a term"),
    ] {
        let ran = book.run("bisect", &["--when", condition], b"").expect_code(64);
        assert!(ran.stderr.contains(column) && ran.stderr.contains(said), "{ran:?}");
    }
    for flags in [&[][..], &["--when", "budgets.count > 1", "--from", "0"]] {
        book.run("bisect", flags, b"").expect_code(64);
    }
    for (from, to) in [("20", "5"), ("1", "100000"), ("100000", "end"), ("20", "2026-01-01T00:00:00Z")] {
        let flags = ["--when", "budgets.count > 100", "--from", from, "--to", to];
        let ran = book.run("bisect", &flags, b"").expect_code(64);
        assert_eq!(ran.stdout, "", "{from} {to}");
    }
}

#[test]
fn with_an_archive_or_by_halves_it_finds_the_same() {
    let (book, twin) = (Book::new(), Book::new());
    let archive = book.beside("archive");
    let commands = history(30);
    for run in commands.chunks(40) {
        book.apply(&archived(&["--retain-segments", "12"], &archive), run);
        twin.apply(&TWIN, run);
    }
    let archive = archive.to_str().unwrap();
    assert!(book.stat()["snapshots"].as_array().unwrap().len() > 1, "there is something to halve");
    let last = twin.state(&[])["seq"].as_u64().unwrap();
    let floor = pruning::floor(&book);
    for spent in (0..=5_000).step_by(250) {
        let condition = format!(r#"budget("member").spent_total > {spent}"#);
        let expected = bisect(&twin, &condition, &[]);
        assert_eq!(bisect(&book, &condition, &["--archive", archive]), expected);
        assert_eq!(bisect(&book, &condition, &["--archive", archive, "--monotone"]), expected);
        let seq = expected["seq"].as_u64();
        let retained = bisect(&book, &condition, &["--monotone"]);
        assert_eq!(retained["seq"].as_u64(), seq.map(|seq| seq.max(floor - 1)), "from the oldest state on");
        assert_eq!(retained["already"], seq.is_some_and(|seq| seq < floor), "{last}");
    }
    let below = ["--when", "budgets.count > 100", "--from", "3"];
    let ran = book.run("bisect", &below, b"").expect_code(4);
    assert!(ran.stderr.contains("--archive"), "{ran:?}");
    let below = ["--when", "budgets.count > 100", "--to", "3"];
    let ran = book.run("bisect", &below, b"").expect_code(4);
    assert!(ran.stderr.contains("--archive"), "{ran:?}");
    let (from, to) = (floor.to_string(), (floor - 1).to_string());
    let turned = ["--when", "budgets.count > 100", "--from", &last.to_string(), "--to", &to];
    book.run("bisect", &turned, b"").expect_code(64);
    let fits = ["--when", "budgets.count > 100", "--from", &from, "--to", &from];
    book.run("bisect", &fits, b"").expect_code(0);
}

//! `kill -9` of a running `tallybook apply` while many clients spend and reserve over one tree, whose limits only a
//! part of them fit into: no grant that was acknowledged is lost, nothing is overspent, nothing is booked twice
//! (laws ATOMIC, DURABLE, EXACT).
//!
//! `TALLYBOOK_SEED` repeats a run as far as the machine lets it, `TALLYBOOK_ROUNDS` makes it longer.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::print_stdout, reason = "the seed, and how each round ended")]

use std::collections::BTreeMap;

use serde_json::Value;

#[path = "common/budgets.rs"]
mod budgets;
#[path = "common/cli.rs"]
mod cli;
#[path = "common/killing.rs"]
mod killing;

use budgets::{allocate, expect_conserved, release, reserve, settle, spend, under};
use cli::{Book, amount, parse};
use killing::{Dice, live_and_die};

const ROUNDS: u64 = 12;
const CLIENTS: u64 = 16;
/// Commands of a client, one after the other, before it is another's turn to begin anew.
const STEPS: u64 = 8;
const ROOT_LIMIT: u128 = 6_000;
const TEAM_LIMIT: u128 = 1_600;

fn team(client: u64) -> String {
    format!("team-{}", client % 4)
}

fn task(client: u64) -> String {
    format!("task-{client}")
}

/// The tree: a root, four teams, a task for every client.
fn tree() -> Vec<String> {
    let mut lines = vec![allocate("root", ROOT_LIMIT, "")];
    lines.extend((0..4).map(|number| allocate(&team(number), TEAM_LIMIT, &under("root"))));
    lines.extend((0..CLIENTS).map(|client| allocate(&task(client), 2_000, &under(&team(client)))));
    lines
}

/// The command of that number. The clients take turns; each holds, settles for less, as much or more, spends, and lets
/// go. Every third is given twice, by its id.
fn command(number: u64) -> String {
    let (client, turn) = (number % CLIENTS, number / CLIENTS);
    let (round, step) = (turn / STEPS, turn % STEPS);
    let (task, hold) = (task(client), |name: &str| format!("{name}-{client}-{round}"));
    let held = 10 + u128::from(client + round) % 7;
    match step {
        0 => reserve(&task, held, &hold("a"), ""),
        1 => spend(&task, 1 + u128::from(number % 5), &format!(r#","spend_id":"s-{number}""#)),
        2 => settle(&hold("a"), held - u128::from(number % 3), ""),
        3 => reserve(&task, 12, &hold("b"), r#","ttl_ms":3600000"#),
        4 => spend(&task, 3, &format!(r#","key":"k-{number}""#)),
        5 if client % 2 == 0 => release(&hold("b")),
        5 => settle(&hold("b"), 12, ""),
        6 => reserve(&task, 5, &hold("c"), r#","owner":"c""#),
        // As step 4: a retry, which is booked no second time.
        _ => spend(&task, 3, &format!(r#","key":"k-{}""#, number - 3 * CLIENTS)),
    }
}

/// Grants that were acknowledged, by their seq: what the event there has to be, on which budget, for how much.
#[derive(Default)]
struct Witness {
    answered: u64,
    granted: BTreeMap<u64, (&'static str, String, String)>,
    refused: u64,
}

impl Witness {
    fn note(&mut self, lines: &[String]) {
        for line in lines {
            self.note_answer(&parse(&command(self.answered))["op"], &parse(line));
            self.answered += 1;
        }
    }

    fn note_answer(&mut self, op: &Value, answer: &Value) {
        self.refused += u64::from(answer["refused"].is_object());
        // Settling or releasing what was never held is an error, which is no grant.
        let error = answer["error"]["kind"].as_str();
        assert!(matches!(error, None | Some("not_found")), "{answer}");
        let Some(seq) = answer["ok"]["first_seq"].as_u64() else { return };
        let kind = match op.as_str().unwrap() {
            "reserve" => "reservation_made",
            "release" => "reservation_released",
            _ => "spend_recorded",
        };
        let text = |name: &str| answer["ok"]["result"][name].as_str().unwrap().to_owned();
        self.granted.insert(seq, (kind, text("budget_id"), text("amount")));
    }

    /// Holds the journal to everything that was acknowledged, and the tree to its limits.
    fn check(&self, book: &Book) {
        let events = book.events(&[]);
        for (seq, (kind, budget_id, amount)) in &self.granted {
            let event = usize::try_from(*seq - 1).ok().and_then(|index| events.get(index));
            let event = event.unwrap_or_else(|| panic!("the grant of seq {seq} is lost"));
            let found = (
                event["kind"].as_str(),
                event["data"]["budget_id"].as_str(),
                event["data"]["amount"].as_str(),
            );
            assert_eq!(found, (Some(*kind), Some(budget_id.as_str()), Some(amount.as_str())), "seq {seq}");
        }
        let mut ids: Vec<&str> = events
            .iter()
            .filter(|event| event["kind"] == "spend_recorded")
            .map(|event| event["data"]["spend_id"].as_str().unwrap())
            .collect();
        let booked = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), booked, "nothing is booked twice");
        expect_within_limits(&expect_conserved(book));
    }
}

/// Every limit is hard, and no settlement is for more than was held.
fn expect_within_limits(state: &Value) {
    let mut totals: BTreeMap<&str, u128> = BTreeMap::new();
    let budgets = state["budgets"].as_array().unwrap();
    for budget in budgets {
        let used = amount(&budget["spent"]) + amount(&budget["reserved"]);
        assert!(used <= amount(&budget["limit"]), "overspent: {budget}");
        assert_eq!(
            (&budget["overage"], &budget["overage_total"]),
            (&Value::from("0"), &Value::from("0")),
            "{budget}"
        );
        if let Some(parent) = budget["parent"].as_str() {
            *totals.entry(parent).or_default() += used;
        }
    }
    for budget in budgets {
        if let Some(children) = totals.get(budget["budget_id"].as_str().unwrap()) {
            let used = amount(&budget["spent"]) + amount(&budget["reserved"]);
            assert_eq!(used, *children, "children sum to {budget}");
        }
    }
}

#[test]
fn clients_of_one_tree_killed_at_random_moments() {
    let (mut dice, rounds) = killing::begin("cli_budget_kill", ROUNDS);
    for begin in (0..rounds).step_by(12) {
        kill_and_continue(begin..rounds.min(begin + 12), &mut dice);
    }
}

fn kill_and_continue(rounds: std::ops::Range<u64>, dice: &mut Dice) {
    let book = Book::new();
    let mut witness = Witness::default();
    for answer in book.apply(&[], &tree()) {
        assert!(answer["ok"].is_object(), "{answer}");
    }
    for round in rounds {
        let mut flags = vec!["--window", ["1", "16", "256"][usize::try_from(dice.below(3)).unwrap()]];
        if round % 4 == 1 {
            flags.extend(["--durability", "interval:20"]);
        }
        if round % 3 == 2 {
            flags.extend(["--segment-bytes", "16384"]);
        }
        // What was under way is given again: whether it was carried out is not known.
        let begin = witness.answered;
        let answers = live_and_die(&book, &flags, command, begin, dice);
        println!("round {round}: {flags:?}, {} answers from command {begin} on", answers.len());
        witness.note(&answers);
        witness.check(&book);
    }
    // In peace, until the limits are reached.
    let end = (witness.answered + CLIENTS * STEPS).max(3_000);
    let rest: Vec<String> = (witness.answered..end).map(command).collect();
    let answers = book.run("apply", &["--window", "64"], cli::joined(&rest).as_bytes()).expect_code(0).stdout;
    witness.note(&answers.lines().map(str::to_owned).collect::<Vec<_>>());
    witness.check(&book);
    assert!(!witness.granted.is_empty() && witness.refused > 0, "only a part fits in");
    assert_eq!(book.verify()["clean"], true);
}

/// Commands on budgets with windows of a second, holds that live for milliseconds among them.
fn passing(number: u64) -> String {
    let budget = ["hasty", "hasty", "steady"][usize::try_from(number % 3).unwrap()];
    match number % 5 {
        0 => reserve(budget, 5, &format!("h-{number}"), &format!(r#","ttl_ms":{}"#, 1 + number % 40)),
        1 => spend(budget, 1, &format!(r#","spend_id":"s-{number}""#)),
        2 => reserve(budget, 2, &format!("h-{number}"), ""),
        3 => settle(&format!("h-{}", number - 1), 1, ""),
        // In time, or late.
        _ => settle(&format!("h-{}", number - 4), 4, ""),
    }
}

/// Expiries and rolls are events like others: a kill in their midst loses none, and doubles none.
#[test]
fn time_that_passes_while_the_process_is_killed() {
    let (mut dice, rounds) = killing::begin("cli_budget_kill", 8);
    let book = Book::new();
    let window = |every: &str| format!(r#","parent":"steady","window":{{"every":"{every}"}}"#);
    book.apply(&[], &[allocate("steady", 1 << 100, ""), allocate("hasty", 1 << 90, &window("PT1S"))]);
    let mut answered = 0;
    for round in 0..rounds {
        let flags = ["--window", ["1", "64"][usize::try_from(dice.below(2)).unwrap()]];
        let answers = live_and_die(&book, &flags, passing, answered, &mut dice);
        println!("round {round}: {flags:?}, {} answers from command {answered} on", answers.len());
        for line in &answers {
            assert!(parse(line)["ok"].is_object(), "{line}");
        }
        answered += answers.len() as u64;
        expect_conserved(&book);
    }
    let last: Vec<String> = (0..answered).map(passing).collect();
    let before = book.head();
    for (answer, line) in book.apply(&["--window", "256"], &last).iter().zip(&last) {
        assert_eq!(answer["ok"]["retried"], true, "{line}: {answer}");
    }
    let state = expect_conserved(&book);
    let waiting =
        state["reservations"].as_array().unwrap().iter().filter(|hold| !hold["expires_at"].is_null());
    let expired = book.events(&["--kind", "reservation_expired"]);
    let ids: std::collections::BTreeSet<&str> =
        expired.iter().map(|event| event["data"]["reservation_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), expired.len(), "none expires twice");
    println!("{} expired, {} wait, from {}", expired.len(), waiting.count(), before["seq"]);
}

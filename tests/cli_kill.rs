//! `kill -9` of a running `tallybook apply`, again and again: no answer is taken back, nothing is booked twice
//! (laws ORDER, ATOMIC, DURABLE, EVIDENCE, EXACT).
//!
//! `TALLYBOOK_SEED` repeats a run as far as the machine lets it, `TALLYBOOK_ROUNDS` makes it longer.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::cast_possible_truncation, reason = "offsets and seqs of a test are small")]
#![allow(clippy::print_stdout, reason = "the seed, and how each round ended")]

use std::collections::HashMap;
use std::ops::Range;

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;
#[path = "common/killing.rs"]
mod killing;

use cli::{Book, amount, parse};
use killing::{Dice, live_and_die};

const ROUNDS: u64 = 20;
/// Commands come in groups, each about one goal.
const GROUP_LEN: u64 = 10;

fn goal_id(group: u64) -> String {
    format!("00000000-0000-7000-8000-{group:012x}")
}

fn tokens(command: u64) -> u64 {
    20 + command * 7 % 13
}

/// The command of that number, with a key, so that one whose outcome is unknown can be given again. Groups of even
/// numbers use up their budget and are refused in the end; the others hang under goal 0 and are paused in the end.
fn command(number: u64) -> String {
    let (group, step) = (number / GROUP_LEN, number % GROUP_LEN);
    let id = goal_id(group);
    let body = match step {
        0 if group == 0 => format!(r#""op":"create_goal","goal_id":"{id}","text":"root""#),
        0 if group % 2 == 0 => {
            format!(r#""op":"create_goal","goal_id":"{id}","text":"g","scope":"{id}","token_budget":100"#)
        }
        0 => format!(r#""op":"create_goal","goal_id":"{id}","text":"g","parent_goal":"{}""#, goal_id(0)),
        9 if group == 0 => format!(r#""op":"record_turn","goal_id":"{id}","tokens":{}"#, tokens(number)),
        9 if group % 2 == 0 => format!(r#""op":"transition_goal","goal_id":"{id}","to":"active""#),
        9 => format!(r#""op":"transition_goal","goal_id":"{id}","to":"paused""#),
        _ => format!(r#""op":"record_turn","goal_id":"{id}","tokens":{}"#, tokens(number)),
    };
    format!(r#"{{{body},"key":"k{number}"}}"#)
}

/// The kind of the event that a command comes down to.
fn principal_kind(number: u64) -> &'static str {
    match (number / GROUP_LEN, number % GROUP_LEN) {
        (_, 0) => "goal_created",
        (0, 9) => "turn_recorded",
        (group, 9) if group % 2 == 0 => "command_refused",
        (_, 9) => "goal_transitioned",
        _ => "turn_recorded",
    }
}

/// The seqs that an answer gave to a command: first and last.
fn seqs(answer: &Value) -> (u64, u64) {
    if let Some(seq) = answer["refused"]["seq"].as_u64() {
        return (seq, seq);
    }
    let ok = &answer["ok"];
    (
        ok["first_seq"].as_u64().unwrap_or_else(|| panic!("expected seqs: {answer}")),
        ok["last_seq"].as_u64().unwrap(),
    )
}

/// What is known outside of the journal.
#[derive(Default)]
struct Witness {
    /// The seqs of every command that was answered, by its number.
    answered: Vec<(u64, u64)>,
    /// Every event that a reader has seen.
    seen: Vec<String>,
}

impl Witness {
    fn next_command(&self) -> u64 {
        self.answered.len() as u64
    }

    fn note(&mut self, lines: &[String]) {
        for (line, number) in lines.iter().zip(1u64..) {
            let answer = parse(line);
            assert_eq!(answer["line"], number);
            self.answered.push(seqs(&answer));
        }
    }

    /// Holds the journal to everything that is known of it.
    fn check(&mut self, book: &Book) {
        let printed = book.run("events", &[], b"").expect_code(0).stdout;
        let lines: Vec<String> = printed.lines().map(str::to_owned).collect();
        let seen = self.seen.len();
        assert!(lines.len() >= seen, "{} events of {seen} that were seen", lines.len());
        assert_eq!(lines[..seen], self.seen, "an event that was seen is altered");
        let events: Vec<Value> = lines.iter().map(|line| parse(line)).collect();
        cli::expect_gapless(&events);
        for (&(first, last), number) in self.answered.iter().zip(0u64..) {
            let of_command = events
                .get(first as usize - 1..last as usize)
                .unwrap_or_else(|| panic!("command {number} was answered with seqs {first} to {last}"));
            check_command(number, of_command);
        }
        check_keys(&events);
        self.seen = lines;
    }
}

fn check_command(number: u64, events: &[Value]) {
    let key = format!("k{number}");
    assert!(events.iter().all(|event| event["key"] == *key), "command {number}: {events:?}");
    let kind = principal_kind(number);
    let principal = events.iter().find(|event| event["kind"] == kind);
    let data = &principal.unwrap_or_else(|| panic!("command {number}: no {kind} in {events:?}"))["data"];
    assert_eq!(data["goal_id"], goal_id(number / GROUP_LEN));
    if kind == "turn_recorded" {
        assert_eq!(data["tokens"], tokens(number).to_string());
    }
}

/// No command is booked twice, and none is left out: keys come in the order of their commands, each in one piece.
fn check_keys(events: &[Value]) {
    let mut keys: Vec<&str> = events.iter().map(|event| event["key"].as_str().unwrap()).collect();
    keys.dedup();
    for (key, number) in keys.iter().zip(0u64..) {
        assert_eq!(*key, format!("k{number}"));
    }
}

fn has_begun(book: &Book) -> bool {
    book.dir().exists() && !book.segments().is_empty()
}

fn expect_undamaged(book: &Book) {
    for command in ["verify", "stat"] {
        let ran = book.run(command, &["--json"], b"");
        assert!(matches!(ran.code, Some(0 | 1)), "{command} after a kill: {ran:?}");
    }
}

#[test]
fn killed_at_random_moments_and_continued() {
    let (mut dice, rounds) = killing::begin("cli_kill", ROUNDS);
    // A journal of its own for so many rounds, so that long runs do not spend their time on reading old events.
    for begin in (0..rounds).step_by(ROUNDS as usize) {
        kill_and_continue(begin..rounds.min(begin + ROUNDS), &mut dice);
    }
}

fn kill_and_continue(rounds: Range<u64>, dice: &mut Dice) {
    let book = Book::new();
    let mut witness = Witness::default();
    for round in rounds {
        let mut flags = vec!["--window", ["1", "16", "256"][dice.below(3) as usize]];
        if round % 4 == 1 {
            flags.extend(["--durability", "interval:20"]);
        }
        if round % 3 == 2 {
            flags.extend(["--segment-bytes", "16384"]);
        }
        let begin = witness.next_command();
        let answers = live_and_die(&book, &flags, command, begin, dice);
        println!("round {round}: {flags:?}, {} answers from command {begin} on", answers.len());
        witness.note(&answers);
        if has_begun(&book) {
            expect_undamaged(&book);
            witness.check(&book);
        } else {
            assert!(witness.answered.is_empty(), "what was answered is gone");
        }
    }
    finish(&book, &mut witness);
}

/// Ends the last group in peace, and gives every command once more.
fn finish(book: &Book, witness: &mut Witness) {
    // One that was carried out and not answered may be of a later group.
    let carried_out = witness.seen.last().map_or(0, |event| {
        let key = parse(event)["key"].as_str().unwrap().to_owned();
        key[1..].parse::<u64>().unwrap() + 1
    });
    let begin = witness.next_command();
    let end = (carried_out.max(begin) / GROUP_LEN + 2) * GROUP_LEN;
    let lines: Vec<String> = (begin..end).map(command).collect();
    let answers =
        book.run("apply", &["--window", "64"], cli::joined(&lines).as_bytes()).expect_code(0).stdout;
    witness.note(&answers.lines().map(str::to_owned).collect::<Vec<_>>());
    witness.check(book);
    assert_eq!(witness.next_command(), end);
    let verified = book.verify();
    assert_eq!((&verified["clean"], &verified["findings"]), (&json!(true), &json!([])));
    check_sums(&book.state(&[]), end);

    let all: Vec<String> = (0..end).map(command).collect();
    for (answer, expected) in book.apply(&["--window", "256"], &all).iter().zip(&witness.answered) {
        assert_eq!(seqs(answer), *expected, "a retry answers the original seqs: {answer}");
        assert!(answer["ok"]["retried"] == true || answer["refused"].is_object(), "{answer}");
    }
    assert_eq!(book.head()["seq"], witness.seen.len());
}

fn check_sums(state: &Value, commands: u64) {
    let mut own: HashMap<String, u64> = HashMap::new();
    let mut under_root = 0;
    for number in (0..commands).filter(|&number| principal_kind(number) == "turn_recorded") {
        let group = number / GROUP_LEN;
        *own.entry(goal_id(group)).or_default() += tokens(number);
        if group == 0 || group % 2 == 1 {
            under_root += tokens(number);
        }
    }
    let goals = state["goals"].as_array().unwrap();
    assert_eq!(goals.len(), own.len());
    for goal in goals {
        let id = goal["goal_id"].as_str().unwrap();
        assert_eq!(amount(&goal["tokens_own"]), u128::from(own[id]), "{goal}");
        let used = if id == goal_id(0) { under_root } else { own[id] };
        assert_eq!(amount(&goal["tokens_used"]), u128::from(used), "{goal}");
    }
}

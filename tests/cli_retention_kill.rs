//! `kill -9` of a running `tallybook apply` while it rotates, makes snapshots, archives and prunes, again and again: with the
//! archive the history is whole, and no answer is taken back (laws RETAIN, ORDER, DURABLE, FOLD).
//!
//! `TALLYBOOK_SEED` repeats a run as far as the machine lets it, `TALLYBOOK_ROUNDS` makes it longer.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::print_stdout, reason = "the seed, and how each round ended")]

use std::collections::HashMap;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;
#[allow(dead_code, reason = "lives of another length")]
#[path = "common/killing.rs"]
mod killing;
#[path = "common/pruning.rs"]
mod pruning;

use cli::{Book, parse};
use killing::Dice;
use pruning::{archived, booted, closed, copy, expect_gapless_from, names, stated_floor, whole};

const ROUNDS: u64 = 20;
/// The rounds of one journal. Its segments are many, and each check reads them all.
const ROUNDS_OF_JOURNAL: u64 = 4;
/// The latest moment of a kill, after the start.
const LONGEST_RUN_US: u64 = 250_000;
/// So many answers at most come before a kill that waits for them.
const ANSWERS_MAX: u64 = 16;

/// The command of that number. The first opens a budget, the others spend from it; a key makes it safe to give one again.
fn command(number: u64) -> String {
    if number == 0 {
        return r#"{"op":"allocate","budget_id":"b","limit":null,"key":"k0"}"#.to_owned();
    }
    format!(
        r#"{{"op":"record_spend","budget_id":"b","amount":"{number}","spend_id":"s{number}","key":"k{number}"}}"#
    )
}

/// One life of a writer, with commands from this one on; the answers that it gave.
fn live_and_die(book: &Book, flags: &[&str], begin: u64, dice: &mut Dice) -> Vec<String> {
    let mut writer = book.writer(flags);
    let mut input = writer.take_input();
    let feeder = std::thread::spawn(move || {
        let mut commands = begin..;
        // Until nobody reads any more.
        while writeln!(input, "{}", command(commands.next().unwrap())).is_ok() {}
    });
    let mut answers = Vec::new();
    if dice.below(2) == 0 {
        std::thread::sleep(Duration::from_micros(dice.below(LONGEST_RUN_US)));
    } else {
        answers.extend((0..dice.below(ANSWERS_MAX)).map_while(|_| writer.next_line()));
        std::thread::sleep(Duration::from_micros(dice.below(20_000)));
    }
    answers.extend(writer.kill());
    feeder.join().unwrap();
    answers
}

/// What is known outside of the journal.
#[derive(Default)]
struct Witness {
    /// The seq of every command that was answered, by its number.
    answered: Vec<u64>,
    /// Every event that a reader has seen.
    seen: Vec<String>,
    /// The highest floor that was seen.
    floor: u64,
}

impl Witness {
    fn note(&mut self, lines: &[String]) {
        for (line, number) in lines.iter().zip(1u64..) {
            let answer = parse(line);
            assert_eq!(answer["line"], number);
            self.answered.push(answer["ok"]["first_seq"].as_u64().unwrap_or_else(|| panic!("{answer}")));
        }
    }

    /// Holds what a kill left to everything that is known.
    fn check(&mut self, book: &Book, archive: &Path) {
        let at_floor = stated_floor(book);
        assert!(at_floor >= self.floor, "the floor went from {} to {at_floor}", self.floor);
        self.floor = at_floor;
        let ran = book.run("verify", &["--json"], b"");
        assert!(matches!(ran.code, Some(0 | 1)), "verify after a kill: {ran:?}");

        let whole = whole(archive, book);
        let told = whole.run("events", &[], b"").expect_code(0).stdout;
        let lines: Vec<String> = told.lines().map(str::to_owned).collect();
        assert!(
            lines.len() >= self.seen.len(),
            "{} events of {} that were seen",
            lines.len(),
            self.seen.len()
        );
        assert_eq!(lines[..self.seen.len()], self.seen, "an event that was seen is altered");
        let events: Vec<Value> = lines.iter().map(|line| parse(line)).collect();
        self.check_events(&events);
        self.seen = lines;

        let state = book.state(&[]);
        assert_eq!(state, whole.state(&[]), "the state is that of the whole history");
        assert_eq!(state["seq"], events.len());
        if at_floor > 1 {
            let before = (at_floor - 1).to_string();
            assert_eq!(book.state(&["--at", &before]), whole.state(&["--at", &before]));
        }
    }

    fn check_events(&self, events: &[Value]) {
        expect_gapless_from(events, 1);
        let seqs: HashMap<&str, u64> = events
            .iter()
            .map(|event| (event["key"].as_str().unwrap(), event["seq"].as_u64().unwrap()))
            .collect();
        assert_eq!(seqs.len(), events.len(), "every command once");
        for (seq, number) in self.answered.iter().zip(0u64..) {
            assert_eq!(seqs.get(format!("k{number}").as_str()), Some(seq), "command {number}");
        }
    }
}

fn rules(round: u64, dice: &mut Dice) -> Vec<&'static str> {
    let mut rules = match dice.below(3) {
        0 => vec!["--retain-segments", "0"],
        1 => vec!["--retain-segments", "2"],
        _ => vec!["--retain-bytes", "14000"],
    };
    rules.extend(["--window", ["1", "16"][usize::from(round.is_multiple_of(2))]]);
    if round % 4 == 1 {
        rules.extend(["--durability", "interval:20"]);
    }
    rules
}

#[test]
fn killed_while_pruning_and_continued() {
    let (mut dice, rounds) = killing::begin("cli_retention_kill", ROUNDS);
    for journal in 0..rounds.div_ceil(ROUNDS_OF_JOURNAL) {
        let begin = journal * ROUNDS_OF_JOURNAL;
        kill_and_continue(begin..rounds.min(begin + ROUNDS_OF_JOURNAL), &mut dice);
    }
}

fn kill_and_continue(rounds: Range<u64>, dice: &mut Dice) {
    let book = Book::new();
    let archive = book.beside("archive");
    let mut witness = Witness::default();
    for round in rounds {
        let rules = rules(round, dice);
        let begin = u64::try_from(witness.answered.len()).unwrap();
        let answers = live_and_die(&book, &archived(&rules, &archive), begin, dice);
        println!("round {round}: {rules:?}, {} answers from command {begin} on", answers.len());
        witness.note(&answers);
        if names(book.dir(), ".seg").is_empty() {
            assert!(witness.answered.is_empty(), "what was answered is gone");
        } else {
            witness.check(&book, &archive);
        }
    }
    finish(&book, &archive, &mut witness);
}

/// Ends in peace: the bound holds, nothing is left over, and every command that was ever answered is known.
fn finish(book: &Book, archive: &Path, witness: &mut Witness) {
    let begin = u64::try_from(witness.answered.len()).unwrap();
    let lines: Vec<String> = (begin..begin + 10).map(command).collect();
    let ran =
        book.run("apply", &archived(&["--retain-segments", "2"], archive), cli::joined(&lines).as_bytes());
    witness.note(&ran.expect_code(0).stdout.lines().map(str::to_owned).collect::<Vec<_>>());
    witness.check(book, archive);
    assert_eq!(closed(book), 2);
    assert_eq!(names(book.dir(), ".tmp"), Vec::<String>::new());
    assert_eq!(book.verify()["findings"], json!([]));

    let last = u64::try_from(witness.answered.len()).unwrap();
    let budget = book.state(&[])["budgets"][0].clone();
    assert_eq!(cli::amount(&budget["spent"]), u128::from(last * (last - 1) / 2));
    assert_eq!(budget["entry_count"], last - 1);

    let all: Vec<String> = (0..last).map(command).collect();
    for (answer, seq) in
        book.apply(&archived(&["--retain-segments", "2"], archive), &all).iter().zip(&witness.answered)
    {
        assert_eq!(
            (&answer["ok"]["first_seq"], &answer["ok"]["retried"]),
            (&json!(seq), &json!(true)),
            "{answer}"
        );
    }
    // The replay of all there ever was, against the snapshots.
    let replayed = whole(archive, book);
    assert_eq!(booted(&replayed), booted(book));
    copy(book.dir(), ".base", replayed.dir());
    assert_eq!(booted(&replayed), booted(book), "below a floor all that is left over is passed over");
}

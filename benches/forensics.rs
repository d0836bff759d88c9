//! Looking back: what questions about a long history cost.
//!
//! `cargo bench --bench forensics [-- --full] [-- --events N] [-- --rounds N]`: writes a journal of a million events
//! (`--full`: 10 million), kept whole, with the snapshots that an engine makes by default. Then, in interleaved rounds, each with
//! a journal that is opened anew: the state in the middle and near the end, by `seq` and by time; the difference of two
//! states; the story of a spend, of a budget with a thousandth of the events, and of an actor with ten; and since when a
//! condition holds that comes true in the middle, by one pass and by halves. It prints milliseconds, the median of the rounds and
//! the least and the greatest.
//!
//! The history: spends on a thousand budgets under one, each with an id that the caller gives.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own"
)]

mod common;

use std::path::Path;
use std::time::Instant;

use common::spread::Spread;
use common::{argument, directory, flag, interval, submit};
use tallybook::forensics::{BisectOptions, Trace, TraceKind, bisect, diff};
use tallybook::{JournalReader, NewBudget, RecordSpend, Request, Retention, Spend, StateAt, Timestamp};

const BUDGETS: u64 = 1_000;

/// A question, and the milliseconds of each round.
struct Question {
    name: &'static str,
    ask: Box<dyn Fn(&JournalReader)>,
    took: Vec<f64>,
}

fn main() {
    let default = if flag("--full") { 10_000_000 } else { 1_000_000 };
    let events = argument("--events").unwrap_or(default).max(20 * BUDGETS);
    let rounds = argument("--rounds").unwrap_or(3).max(1);
    let dir = directory();
    let book = dir.path().join("book");
    let start = Instant::now();
    fill(&book, events);
    let reader = JournalReader::open(&book).unwrap();
    let snapshots = reader.statistics().unwrap().snapshots.len();
    println!("{events} events, {snapshots} snapshots, written and looked at in {:.1?}", start.elapsed());

    let mut questions = questions(&reader, events);
    for _ in 0..rounds {
        for question in &mut questions {
            let start = Instant::now();
            (question.ask)(&JournalReader::open(&book).unwrap());
            question.took.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    println!("\n{:<44} ms, median (least .. greatest)", "question");
    for question in questions {
        println!("{:<44} {:.1}", question.name, Spread::of(question.took));
    }
}

fn fill(book: &Path, events: u64) {
    let engine = interval().retention(Retention::keep_all()).open_blocking(book).unwrap();
    let child = |n| NewBudget::new(format!("budget-{n}")).unlimited().parent("all").into();
    let allocate = std::iter::once(NewBudget::new("all").unlimited().into()).chain((1..BUDGETS).map(child));
    submit(&engine, allocate);
    let spend = |n: u64| {
        let spend = Spend::of(u128::from(1 + n % 100)).id(format!("call-{n}")).tool("web.search");
        let of = format!("budget-{}", 1 + n % (BUDGETS - 1));
        let request = Request::from(RecordSpend::new(of.as_str(), spend));
        if n % (events / 10) == events / 20 { request.actor("auditor") } else { request }
    };
    submit(&engine, (BUDGETS..events).map(spend));
    engine.shutdown(std::time::Duration::from_secs(600)).unwrap();
}

fn questions(reader: &JournalReader, events: u64) -> Vec<Question> {
    let (middle, late) = (events / 2, events - events / 100);
    let time_of = |seq| -> Timestamp { reader.events(seq).unwrap().next().unwrap().unwrap().ts().unwrap() };
    let late_time = time_of(late);
    let middle_spent = reader.state(StateAt::Seq(middle)).unwrap().budget(&"all".into()).unwrap().spent;
    let condition = format!(r#"budget("all").spent >= {middle_spent}"#);
    let bisecting = |is_monotone| {
        let condition = condition.parse().unwrap();
        move |reader: &JournalReader| {
            let mut options = BisectOptions::default();
            options.is_monotone = is_monotone;
            let found = bisect(reader, &condition, &options).unwrap().seq.unwrap();
            assert!(found <= middle && found + 10 > middle, "{found}");
        }
    };
    let state = |at: StateAt| move |reader: &JournalReader| assert!(reader.state(at).unwrap().seq > 0);
    let story = |id: String, kind: TraceKind, steps: u64| {
        move |reader: &JournalReader| {
            let mut trace = Trace::open(reader, &id, Some(kind)).unwrap();
            let mut told = 0;
            while trace.next().unwrap().is_some() {
                told += 1;
            }
            assert!(
                told >= steps && told <= steps + 1 + steps / 100,
                "{told} steps of {id}, expected {steps}"
            );
        }
    };
    let question = |name, ask: Box<dyn Fn(&JournalReader)>| Question { name, ask, took: Vec::new() };
    vec![
        question("state --at, in the middle", Box::new(state(StateAt::Seq(middle)))),
        question("state --at, near the end", Box::new(state(StateAt::Seq(late)))),
        question("state --at a time near the end", Box::new(state(StateAt::Time(late_time)))),
        question(
            "diff of the middle and the end",
            Box::new(move |reader| {
                let (before, after) = (reader.state(StateAt::Seq(middle)), reader.state(StateAt::End));
                assert!(!diff(&before.unwrap(), &after.unwrap()).is_empty());
            }),
        ),
        question(
            "events --since, near the end: the first",
            Box::new(move |reader| {
                let seq = reader.seq_since(late_time).unwrap();
                assert!(reader.events(seq).unwrap().next().unwrap().is_some());
            }),
        ),
        question("trace of a spend", Box::new(story(format!("call-{middle}"), TraceKind::Spend, 1))),
        question(
            "trace of an actor of 10 events",
            Box::new(story("auditor".to_owned(), TraceKind::Actor, 10)),
        ),
        question(
            "trace of a budget of a thousandth",
            Box::new(story("budget-7".to_owned(), TraceKind::Budget, (events - BUDGETS) / (BUDGETS - 1))),
        ),
        question("bisect, true from the middle on, one pass", Box::new(bisecting(false))),
        question("bisect, the same, by halves", Box::new(bisecting(true))),
    ]
}

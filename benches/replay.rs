//! Replay: opening an engine on a long history, and reading it from outside.
//!
//! `cargo bench --bench replay [-- --events N] [-- --rounds N]`: writes a journal of `N` turns (a million unless told
//! otherwise), then in interleaved rounds: a scan of the same bytes with `crc32fast` alone, the frames with every CRC
//! and without reading the events, the same events as a host keeps them that has no engine (a plain file of the same lines,
//! each parsed by serde into a type of the host's own and added to sums in a map), the whole state by replay, and the
//! opening of the engine. Median, least and greatest, in millions of events a second, and the median of the ratios to the
//! plain file in the same round.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own"
)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tallybook::{Durability, JournalReader, NewGoal, Options, RecordTurn, Request, Retention, StateAt, Turn};

fn main() {
    let events = argument("--events").unwrap_or(1_000_000);
    let rounds = argument("--rounds").unwrap_or(5);
    let dir =
        tempfile::tempdir_in(std::env::var_os("TALLYBOOK_BENCH_DIR").unwrap_or_else(|| ".".into())).unwrap();
    let book = dir.path().join("book");
    let start = Instant::now();
    fill(&book, events);
    let bytes = segments(&book).iter().map(Vec::len).sum::<usize>();
    println!("{events} events, {bytes} bytes, written in {:.2?} at interval durability", start.elapsed());
    copy_lines(&book);
    let works: [(&str, Work); 5] = [
        ("bytes: CRC-32 alone", crc),
        ("events as lines, every CRC", walk),
        (PLAIN, plain),
        ("state by replay", state),
        ("opening the engine", open),
    ];
    let mut rates = vec![Vec::new(); works.len()];
    for _ in 0..rounds {
        for (index, (_, work)) in works.iter().enumerate() {
            let start = Instant::now();
            work(&book, events);
            rates[index].push(millions(events, start.elapsed()));
        }
    }
    let of_plain = rates[works.iter().position(|(name, _)| *name == PLAIN).unwrap()].clone();
    println!("{:<28} {:>12} {:>18} {:>8}", "work", "M events/s", "least .. greatest", "ratio");
    for ((name, _), rates) in works.iter().zip(&mut rates) {
        let mut ratios: Vec<f64> = rates.iter().zip(&of_plain).map(|(rate, plain)| rate / plain).collect();
        rates.sort_by(f64::total_cmp);
        ratios.sort_by(f64::total_cmp);
        println!(
            "{name:<28} {:>12.2} {:>9.2} .. {:>5.2} {:>8.2}",
            rates[rates.len() / 2],
            rates[0],
            rates[rates.len() - 1],
            ratios[ratios.len() / 2]
        );
    }
}

/// The row that the others are held against.
const PLAIN: &str = "typed lines of a plain file";

type Work = fn(&Path, u64);

fn argument(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).and_then(|value| value.parse().ok())
}

fn fill(book: &Path, events: u64) {
    let engine = Options::new()
        .durability(Durability::Interval(Duration::from_millis(100)))
        .retention(Retention::keep_all())
        // Replay is what is measured: no state is to be restored.
        .snapshot_bytes(u64::MAX)
        .open_blocking(book)
        .unwrap();
    let create =
        |n| Request::from(NewGoal::new("find the failing test and mend it").scope(format!("session-{n}")));
    let pending = engine.submit_all((0..1_000).map(create).collect()).unwrap();
    let goals: Vec<_> =
        pending.into_iter().map(|pending| pending.wait().unwrap().result.into_goal().unwrap().id).collect();
    let mut left = events.saturating_sub(1_000);
    while left > 0 {
        let count = left.min(4_096);
        let turns = (0..count).map(|n| {
            RecordTurn::goal(
                goals[usize::try_from((left - n) % 1_000).unwrap()],
                Turn::tokens(1_500).seconds(3),
            )
        });
        for pending in engine.submit_all(turns.map(Request::from).collect()).unwrap() {
            pending.wait().unwrap();
        }
        left -= count;
    }
    engine.shutdown(Duration::from_secs(60)).unwrap();
}

fn segments(book: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = std::fs::read_dir(book).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn crc(book: &Path, _: u64) {
    for bytes in segments(book) {
        std::hint::black_box(crc32fast::hash(&bytes));
    }
}

fn walk(book: &Path, events: u64) {
    let mut walk = JournalReader::open(book).unwrap().events(1).unwrap();
    let mut count = 0;
    while let Some(event) = walk.next().unwrap() {
        std::hint::black_box(event.line);
        count += 1;
    }
    assert_eq!(count, events);
}

fn plain_file(book: &Path) -> PathBuf {
    book.with_extension("jsonl")
}

/// The lines of the journal, as a plain file.
fn copy_lines(book: &Path) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(plain_file(book)).unwrap());
    let mut events = JournalReader::open(book).unwrap().events(1).unwrap();
    while let Some(event) = events.next().unwrap() {
        file.write_all(event.line).unwrap();
        file.write_all(b"\n").unwrap();
    }
    file.flush().unwrap();
}

/// What a host knows of an event.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "a host reads all of it, and folds some")]
struct HostEvent {
    seq: u64,
    ts: String,
    kind: String,
    data: HostData,
    session_id: Option<String>,
    actor: Option<String>,
}

#[derive(serde::Deserialize)]
struct HostData {
    goal_id: String,
    tokens: Option<String>,
    #[serde(default)]
    turns: u64,
    #[serde(default)]
    seconds: u64,
}

/// The same events from the plain file: read line by line, parsed, added up.
fn plain(book: &Path, events: u64) {
    let mut file = BufReader::with_capacity(1 << 16, std::fs::File::open(plain_file(book)).unwrap());
    let mut sums: HashMap<String, (u128, u64, u64)> = HashMap::new();
    let (mut line, mut last) = (String::new(), 0);
    while file.read_line(&mut line).unwrap() > 0 {
        let event: HostEvent = serde_json::from_str(&line).unwrap();
        let tokens = event.data.tokens.map_or(0, |tokens| tokens.parse().unwrap());
        let sum = sums.entry(event.data.goal_id).or_default();
        *sum = (sum.0 + tokens, sum.1 + event.data.turns, sum.2 + event.data.seconds);
        last = event.seq;
        line.clear();
    }
    assert_eq!((last, sums.len()), (events, 1_000));
}

fn state(book: &Path, events: u64) {
    assert_eq!(JournalReader::open(book).unwrap().state(StateAt::End).unwrap().seq, events);
}

fn open(book: &Path, events: u64) {
    let options = Options::new().retention(Retention::keep_all()).snapshot_bytes(u64::MAX);
    assert_eq!(options.open_blocking(book).unwrap().view().seq(), events);
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn millions(events: u64, took: Duration) -> f64 {
    events as f64 / took.as_secs_f64() / 1e6
}

//! Replay: opening an engine on a long history, and reading it from outside.
//!
//! `cargo bench --bench replay [-- --events N] [-- --rounds N]`: writes a journal of `N` turns (a million unless told
//! otherwise), then in interleaved rounds: a scan of the same bytes with `crc32fast` alone, the frames with every CRC
//! and without reading the events, the whole state by replay, and the opening of the engine. Median, least and
//! greatest, in millions of events a second.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own"
)]

use std::path::Path;
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
    let works: [(&str, Work); 4] = [
        ("bytes: CRC-32 alone", crc),
        ("events as lines, every CRC", walk),
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
    println!("{:<28} {:>12} {:>18}", "work", "M events/s", "least .. greatest");
    for ((name, _), rates) in works.iter().zip(&mut rates) {
        rates.sort_by(f64::total_cmp);
        println!(
            "{name:<28} {:>12.2} {:>9.2} .. {:>5.2}",
            rates[rates.len() / 2],
            rates[0],
            rates[rates.len() - 1]
        );
    }
}

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

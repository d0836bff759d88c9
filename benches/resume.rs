//! Resuming at a `seq` in the middle: how long it takes to the first event, and for a thousand, with the journal open.
//!
//! `cargo bench --bench resume [-- --events N] [-- --resumes N] [-- --segment-bytes N]`: an engine with a journal of so
//! many events (1,000,000 unless told otherwise), and, interleaved, at random places of it: a subscription of the engine
//! (typed events), a subscription after a cursor, the events of a [`JournalReader`] that is kept open (lines as
//! journaled), and the same of a reader that keeps nothing, so that it scans the segment from its beginning. Every place
//! is tried once before it is measured, as the first reader of a segment has to read it. It prints, in microseconds, the
//! median, the 10th and the 90th percentile of the first event and of a thousand.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own"
)]

#[path = "../tests/common/forgetful.rs"]
mod forgetful;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forgetful::Forgetful;
use tallybook::storage::Files;
use tallybook::{
    Blocking, Cursor, Durability, FeedItem, JournalReader, NewBudget, Options, RecordSpend, Request,
    Retention, Spend, Start, Subscription,
};

/// How many events are read after each resuming.
const EVENTS: usize = 1_000;

/// What was measured of one way to resume: the first event, and all of them, in microseconds.
struct Work {
    name: &'static str,
    first: Vec<f64>,
    all: Vec<f64>,
}

fn main() {
    let events = argument("--events").unwrap_or(1_000_000);
    let resumes = argument("--resumes").unwrap_or(2_000);
    let dir =
        tempfile::tempdir_in(std::env::var_os("TALLYBOOK_BENCH_DIR").unwrap_or_else(|| ".".into())).unwrap();
    let engine = journal(&dir.path().join("book"), events);
    let open = JournalReader::open(dir.path().join("book")).unwrap();
    let forgetful =
        JournalReader::with_storage(Arc::new(Forgetful(Files::open(&dir.path().join("book")).unwrap())))
            .unwrap();
    // The feed's thread is there once anybody has subscribed.
    let _first = engine.subscribe(Start::Now).unwrap();
    let names = ["engine, from a seq", "engine, after a cursor", "reader, lines", "reader, a plain scan"];
    let mut works = names.map(|name| Work { name, first: Vec::new(), all: Vec::new() });
    let mut random = 1_u64;
    for resume in 0..resumes {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let seq = 1 + (random >> 33) % (events - 2 * EVENTS as u64);
        let cursor = cursor_of(&open, seq - 1);
        works[0].add(|| subscribed(&engine, Start::From(seq), seq));
        if let Some(cursor) = cursor {
            works[1].add(|| subscribed(&engine, Start::After(cursor), seq));
        }
        works[2].add(|| read(&open, seq));
        // It takes its time.
        if resume % 20 == 0 {
            works[3].add(|| read(&forgetful, seq));
        }
    }
    println!("{events} events, {resumes} resumes");
    println!("{:<26} {:>30} {:>34}", "", "first event: p10 median p90", "1000 events: p10 median p90");
    for work in &mut works {
        let of = |times: &mut Vec<f64>| {
            times.sort_by(f64::total_cmp);
            [10, 50, 90].map(|percent| times[(times.len() - 1) * percent / 100])
        };
        let ([a, b, c], [d, e, f]) = (of(&mut work.first), of(&mut work.all));
        println!("{:<26} {a:>10.2} {b:>9.2} {c:>9.2} {d:>14.1} {e:>9.1} {f:>9.1}", work.name);
    }
}

impl Work {
    fn add(&mut self, mut resume: impl FnMut() -> (Duration, Duration)) {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        resume();
        let (first, all) = resume();
        self.first.push(micros(first));
        self.all.push(micros(all));
    }
}

fn subscribed(engine: &Blocking, start: Start, seq: u64) -> (Duration, Duration) {
    let begun = Instant::now();
    let mut feed = engine.subscribe(start).unwrap();
    assert_eq!(next_seq(&mut feed), seq);
    let first = begun.elapsed();
    for _ in 1..EVENTS {
        black_box(next_seq(&mut feed));
    }
    (first, begun.elapsed())
}

fn next_seq(feed: &mut Subscription) -> u64 {
    loop {
        if let FeedItem::Event(event) = feed.try_next().unwrap().unwrap() {
            return event.event.seq;
        }
    }
}

fn read(reader: &JournalReader, seq: u64) -> (Duration, Duration) {
    let begun = Instant::now();
    let mut events = reader.events(seq).unwrap();
    assert_eq!(events.next().unwrap().unwrap().seq, seq);
    let first = begun.elapsed();
    for _ in 1..EVENTS {
        black_box(events.next().unwrap().unwrap().line);
    }
    (first, begun.elapsed())
}

fn cursor_of(reader: &JournalReader, seq: u64) -> Option<Cursor> {
    let mut events = reader.events(seq.max(1)).unwrap();
    events.next().unwrap().filter(|event| event.seq == seq).map(|event| event.cursor())
}

fn argument(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).and_then(|value| value.parse().ok())
}

/// An engine with a journal of so many events, spends of a thousand budgets.
fn journal(book: &Path, events: u64) -> Blocking {
    const BUDGETS: u64 = 1_000;
    const BATCH: usize = 4_096;
    let options = Options::new()
        .durability(Durability::Interval(Duration::from_millis(100)))
        .retention(Retention::keep_all())
        .snapshot_bytes(u64::MAX);
    let options = argument("--segment-bytes").into_iter().fold(options, Options::segment_bytes);
    let engine = options.open_blocking(book).unwrap();
    let request = |n: u64| match n {
        n if n < BUDGETS => Request::from(NewBudget::new(format!("budget-{n}")).unlimited()),
        n => {
            let id = format!("budget-{}", n % BUDGETS);
            Request::from(RecordSpend::new(id.as_str(), Spend::of(1).tool("web.search")))
        }
    };
    let mut n = 0;
    while engine.view().seq() < events {
        let some: Vec<Request> = (n..).take(BATCH).map(request).collect();
        n += BATCH as u64;
        engine.submit_all(some).unwrap().into_iter().for_each(|pending| drop(pending.wait().unwrap()));
    }
    engine
}

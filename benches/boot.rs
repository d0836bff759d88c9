//! Boot: what opening a journal costs after short and long histories, in time and memory.
//!
//! `cargo bench --bench boot [-- --full] [-- --rounds N]`: writes journals of 10 thousand and a million events
//! (`--full`: 10 million, too), each with the default retention, and one of each kept whole without snapshots. Then, in
//! interleaved rounds, a new process opens each: how long that takes, and the most memory that the process had. It
//! prints the median of the rounds, the least and the greatest, and the ratio to the shortest history in the same round.
//! Memory is read from `/proc/self/status`, so on Linux only.
//!
//! The history: spends on a thousand budgets, each with an id that the caller gives, so that as many spends are
//! remembered as the key window allows; what is remembered is a part of every state, however long the history.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tallybook::{Blocking, Durability, NewBudget, Options, RecordSpend, Request, Retention, Spend};

const BUDGETS: u64 = 1_000;

struct Subject {
    name: String,
    book: PathBuf,
    events: u64,
    /// Milliseconds, and kilobytes, of each round.
    boots: Vec<(f64, f64)>,
}

fn main() {
    if let Some(book) = text_argument("--open") {
        return open(Path::new(&book));
    }
    let rounds = text_argument("--rounds").and_then(|value| value.parse().ok()).unwrap_or(5);
    let mut lengths = vec![10_000, 1_000_000];
    if std::env::args().any(|argument| argument == "--full") {
        lengths.push(10_000_000);
    }
    let dir =
        tempfile::tempdir_in(std::env::var_os("TALLYBOOK_BENCH_DIR").unwrap_or_else(|| ".".into())).unwrap();
    let mut subjects = Vec::new();
    for &events in &lengths {
        for (kind, retention, snapshot_bytes) in [
            ("default", Retention::new(), Options::DEFAULT_SNAPSHOT_BYTES),
            ("whole, no snapshots", Retention::keep_all(), u64::MAX),
        ] {
            let book = dir.path().join(format!("{events}-{snapshot_bytes}"));
            let options = Options::new().retention(retention).snapshot_bytes(snapshot_bytes);
            let start = Instant::now();
            fill(options, &book, events);
            println!("{events} events, {kind}: {}, written in {:.1?}", contents(&book), start.elapsed());
            subjects.push(Subject { name: format!("{events}, {kind}"), book, events, boots: Vec::new() });
        }
    }
    for _ in 0..rounds {
        for subject in &mut subjects {
            subject.boots.push(boot(subject));
        }
    }
    print(&subjects);
}

fn text_argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

fn fill(options: Options, book: &Path, events: u64) {
    let options = options.durability(Durability::Interval(Duration::from_millis(100)));
    let engine = options.open_blocking(book).unwrap();
    let allocate = |n| Request::from(NewBudget::new(format!("budget-{n}")).unlimited());
    submit(&engine, (0..BUDGETS).map(allocate));
    let mut next = BUDGETS;
    while next < events {
        let end = events.min(next + 4_096);
        let spend = |n: u64| {
            let spend = Spend::of(u128::from(n)).id(format!("call-{n}")).tool("web.search");
            Request::from(RecordSpend::new(format!("budget-{}", n % BUDGETS).as_str(), spend))
        };
        submit(&engine, (next..end).map(spend));
        next = end;
    }
    engine.shutdown(Duration::from_secs(600)).unwrap();
}

fn submit(engine: &Blocking, requests: impl Iterator<Item = Request>) {
    for pending in engine.submit_all(requests.collect()).unwrap() {
        pending.wait().unwrap();
    }
}

fn contents(book: &Path) -> String {
    let (mut segments, mut snapshots, mut bytes) = (0, 0, 0);
    for entry in std::fs::read_dir(book).unwrap().map(Result::unwrap) {
        bytes += entry.metadata().unwrap().len();
        let path = entry.path();
        let extension = path.extension().unwrap_or_default();
        segments += usize::from(extension == "seg");
        snapshots += usize::from(extension == "snap" || extension == "base");
    }
    format!("{segments} segments, {snapshots} snapshots, {} MB", bytes / 1_000_000)
}

/// A new process opens the book: milliseconds, and kilobytes.
fn boot(subject: &Subject) -> (f64, f64) {
    let output =
        Command::new(std::env::current_exe().unwrap()).arg("--open").arg(&subject.book).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut fields = text.split_whitespace().map(|field| field.parse::<f64>().unwrap());
    let (seq, took, memory) = (fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap());
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let expected = subject.events as f64;
    assert!((seq - expected).abs() < 0.5, "expected {expected} events, found {seq}");
    (took, memory)
}

fn open(book: &Path) {
    let start = Instant::now();
    let engine = Options::new().retention(Retention::keep_all()).snapshot_bytes(u64::MAX).open_blocking(book);
    let engine = engine.unwrap();
    let took = start.elapsed().as_secs_f64() * 1e3;
    println!("{} {took:.3} {}", engine.view().seq(), peak_memory().unwrap_or(0));
}

/// The most memory that this process ever had, in kilobytes.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn print(subjects: &[Subject]) {
    println!("\n{:<32} {:>10} {:>22} {:>8} {:>10}", "history", "ms", "least .. greatest", "ratio", "peak MB");
    for subject in subjects {
        let ratios = subject.boots.iter().zip(&subjects[0].boots).map(|(this, first)| this.0 / first.0);
        let (median, least, greatest) = spread(subject.boots.iter().map(|boot| boot.0));
        println!(
            "{:<32} {median:>10.1} {:>22} {:>8.2} {:>10.1}",
            subject.name,
            format!("{least:.1} .. {greatest:.1}"),
            spread(ratios).0,
            spread(subject.boots.iter().map(|boot| boot.1)).0 / 1e3
        );
    }
}

/// Median, least and greatest.
fn spread(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}

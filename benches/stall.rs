//! Stalls: how long a durable command takes at worst while the journal rotates, is snapshotted and pruned.
//!
//! `cargo bench --bench stall [-- --seconds N] [-- --rounds N] [-- --budgets N] [-- --segment-bytes N]`: in interleaved
//! rounds, one blocking caller, one command in flight, each synced: beside a probe (`pwrite` of 256 bytes and `fdatasync`
//! on a file of zeros), an engine that never rotates, and one that rotates, snapshots and prunes all the time. It prints
//! the median, the 99th and 99.9th percentile and the worst latency in microseconds over all rounds, how often the
//! journal was rotated, and the ratio of each worst to the probe's 99th percentile.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own"
)]

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use tallybook::{Blocking, NewBudget, Options, RecordSpend, Request, Retention, Spend};

struct Work {
    name: &'static str,
    latencies: Vec<f64>,
    /// What happened meanwhile.
    segments: u64,
}

fn main() {
    let seconds = argument("--seconds").unwrap_or(5);
    let rounds = argument("--rounds").unwrap_or(3);
    let budgets = argument("--budgets").unwrap_or(10_000);
    let segment_bytes = argument("--segment-bytes").unwrap_or(1 << 20);
    let dir =
        tempfile::tempdir_in(std::env::var_os("TALLYBOOK_BENCH_DIR").unwrap_or_else(|| ".".into())).unwrap();
    let quiet =
        Options::new().segment_bytes(1 << 30).retention(Retention::keep_all()).snapshot_bytes(u64::MAX);
    let busy = Options::new()
        .segment_bytes(segment_bytes)
        .retention(Retention::new().segments(4))
        .snapshot_bytes(segment_bytes);
    let quiet = open(quiet, &dir.path().join("quiet"), budgets);
    let busy = open(busy, &dir.path().join("busy"), budgets);
    let mut works = ["probe", "quiet", "rotating, snapshotting, pruning"].map(|name| Work {
        name,
        latencies: Vec::new(),
        segments: 0,
    });
    for _ in 0..rounds {
        let time = Duration::from_secs(seconds);
        works[0].latencies.extend(probe(&dir.path().join("probe"), time.min(Duration::from_secs(1))));
        for (work, engine, book) in [(1, &quiet, "quiet"), (2, &busy, "busy")] {
            let before = newest_segment(&dir.path().join(book));
            works[work].latencies.extend(spend(engine, budgets, time));
            works[work].segments += newest_segment(&dir.path().join(book)) - before;
        }
    }
    println!("{budgets} budgets, segments of {segment_bytes} bytes, {rounds} rounds of {seconds} s");
    println!("health: {:?}", busy.health());
    print(&mut works);
}

fn argument(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).and_then(|value| value.parse().ok())
}

fn open(options: Options, book: &Path, budgets: u64) -> Blocking {
    let engine = options.open_blocking(book).unwrap();
    let allocate = |n| Request::from(NewBudget::new(format!("budget-{n}")).unlimited());
    for start in (0..budgets).step_by(4_096) {
        let some = (start..budgets.min(start + 4_096)).map(allocate).collect();
        engine.submit_all(some).unwrap().into_iter().for_each(|pending| drop(pending.wait().unwrap()));
    }
    engine
}

fn probe(file: &Path, time: Duration) -> Vec<f64> {
    const LEN: u64 = 8 << 20;
    let file = std::fs::File::create(file).unwrap();
    file.write_all_at(&vec![0; usize::try_from(LEN).unwrap()], 0).unwrap();
    file.sync_all().unwrap();
    let (start, mut at, mut latencies) = (Instant::now(), 0, Vec::new());
    while start.elapsed() < time {
        let begun = Instant::now();
        file.write_all_at(&[7; 256], at % LEN).unwrap();
        file.sync_data().unwrap();
        latencies.push(begun.elapsed().as_secs_f64() * 1e6);
        at += 256;
    }
    latencies
}

fn spend(engine: &Blocking, budgets: u64, time: Duration) -> Vec<f64> {
    let (start, mut n, mut latencies) = (Instant::now(), 0, Vec::new());
    while start.elapsed() < time {
        let request =
            RecordSpend::new(format!("budget-{}", n % budgets).as_str(), Spend::of(1).tool("web.search"));
        let begun = Instant::now();
        engine.execute(request).unwrap();
        latencies.push(begun.elapsed().as_secs_f64() * 1e6);
        n += 1;
    }
    latencies
}

fn newest_segment(book: &Path) -> u64 {
    let names =
        std::fs::read_dir(book).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let numbers = names.filter(|name| name.ends_with(".seg")).map(|name| name[..10].parse().unwrap());
    numbers.max().unwrap_or(0)
}

fn print(works: &mut [Work]) {
    println!(
        "{:<34} {:>9} {:>9} {:>8} {:>8} {:>8} {:>9} {:>16}",
        "work", "commands", "rotations", "median", "p99", "p99.9", "worst", "worst ÷ p99 probe"
    );
    let mut probe = 0.0;
    for work in works {
        work.latencies.sort_by(f64::total_cmp);
        let at = |permille: usize| work.latencies[(work.latencies.len() - 1) * permille / 1_000];
        let worst = at(1_000);
        if work.name == "probe" {
            probe = at(990);
        }
        println!(
            "{:<34} {:>9} {:>9} {:>8.0} {:>8.0} {:>8.0} {worst:>9.0} {:>16.1}",
            work.name,
            work.latencies.len(),
            work.segments,
            at(500),
            at(990),
            at(999),
            worst / probe
        );
    }
}

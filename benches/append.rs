//! Durable commands per second, beside a probe of the disk in the same run.
//!
//! `cargo bench --bench append [-- --rounds N] [-- --millis M]`: in interleaved rounds, a probe (256 bytes written and
//! `fdatasync`ed, again and again, in a file that was filled with zeros before), then full commands (typed, decided,
//! journaled, folded, answered) with so many in flight. It prints the median of the rounds, the least and the
//! greatest, and the ratio to the probe of the same round.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own"
)]

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tallybook::{Blocking, Durability, Engine, GoalId, NewGoal, Options, RecordTurn, Request, Turn};

const GOALS: usize = 1_000;

fn main() {
    let rounds = argument("--rounds").unwrap_or(7);
    let slice = Duration::from_millis(argument("--millis").unwrap_or(300));
    let dir =
        tempfile::tempdir_in(std::env::var_os("TALLYBOOK_BENCH_DIR").unwrap_or_else(|| ".".into())).unwrap();
    let works: [(&str, Work); 8] = [
        ("blocking, 1 in flight", one_blocking),
        ("async, 1 in flight", |engine, goals, slice| tasks(engine, goals, slice, 1)),
        ("async, 8 in flight", |engine, goals, slice| tasks(engine, goals, slice, 8)),
        ("async, 64 in flight", |engine, goals, slice| tasks(engine, goals, slice, 64)),
        ("async, 256 in flight", |engine, goals, slice| tasks(engine, goals, slice, 256)),
        ("vectors of 64", |engine, goals, slice| vectors(engine, goals, slice, 64)),
        ("vectors of 256", |engine, goals, slice| vectors(engine, goals, slice, 256)),
        ("vectors of 1024", |engine, goals, slice| vectors(engine, goals, slice, 1_024)),
    ];
    let mut probes = Vec::new();
    let mut rates = vec![Vec::new(); works.len() + 1];
    for round in 0..rounds {
        let probe_rate = probe(&dir.path().join("probe"), slice);
        probes.push(probe_rate);
        for (index, (_, work)) in works.iter().enumerate() {
            let (engine, goals) = open(&dir.path().join(format!("{round}-{index}")), Durability::Sync);
            rates[index].push((work(&engine, &goals, slice), probe_rate));
        }
        let interval = Durability::Interval(Duration::from_millis(50));
        let (engine, goals) = open(&dir.path().join(format!("{round}-interval")), interval);
        rates[works.len()].push((vectors(&engine, &goals, slice, 1_024), probe_rate));
    }
    println!("{:<34} {:>10} {:>21} {:>18}", "work", "per second", "least .. greatest", "ratio to probe");
    line("probe: 256 B + fdatasync", probes.iter().map(|&rate| (rate, rate)).collect());
    for ((name, _), rates) in works.iter().zip(&rates) {
        line(name, rates.clone());
    }
    line("interval 50 ms, vectors of 1024", rates.pop().unwrap());
}

type Work = fn(&Blocking, &[GoalId], Duration) -> f64;

fn argument(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).and_then(|value| value.parse().ok())
}

/// What the disk allows with one write in flight.
fn probe(path: &Path, slice: Duration) -> f64 {
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(path).unwrap();
    file.write_all_at(&vec![0; 16 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let (start, mut count) = (Instant::now(), 0_u64);
    while start.elapsed() < slice {
        file.write_all_at(&[7; 256], (count * 256) % (16 << 20)).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    rate(count, start)
}

fn open(dir: &Path, durability: Durability) -> (Blocking, Vec<GoalId>) {
    let engine = Options::new().durability(durability).open_blocking(dir).unwrap();
    let requests =
        (0..GOALS).map(|n| NewGoal::new("find the failing test and mend it").scope(format!("session-{n}")));
    let pending = engine.submit_all(requests.map(Request::from).collect()).unwrap();
    let goals =
        pending.into_iter().map(|pending| pending.wait().unwrap().result.into_goal().unwrap().id).collect();
    (engine, goals)
}

fn turn(goals: &[GoalId], count: u64) -> RecordTurn {
    let goal = goals[usize::try_from(count.wrapping_mul(0x9e37_79b9)).unwrap() % goals.len()];
    RecordTurn::goal(goal, Turn::tokens(u128::from(1_000 + count % 4_000)).seconds(3))
}

fn one_blocking(engine: &Blocking, goals: &[GoalId], slice: Duration) -> f64 {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < slice {
        engine.execute(turn(goals, count)).unwrap();
        count += 1;
    }
    rate(count, start)
}

fn tasks(engine: &Blocking, goals: &[GoalId], slice: Duration, in_flight: u64) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (engine, goals, total): (Engine, Arc<[GoalId]>, _) =
        (engine.engine().clone(), goals.into(), Arc::new(AtomicU64::new(0)));
    let start = Instant::now();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..in_flight)
            .map(|task| {
                let (engine, goals, total) = (engine.clone(), Arc::clone(&goals), Arc::clone(&total));
                tokio::spawn(async move {
                    let mut count = task;
                    while start.elapsed() < slice {
                        engine.execute(turn(&goals, count)).await.unwrap();
                        count += in_flight;
                        total.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    rate(total.load(Ordering::Relaxed), start)
}

/// Vectors of commands, the next handed over while the one before is under way.
fn vectors(engine: &Blocking, goals: &[GoalId], slice: Duration, len: u64) -> f64 {
    let (start, mut count) = (Instant::now(), 0);
    let hand_over = |count: u64| {
        let requests = (count..count + len / 2).map(|count| Request::from(turn(goals, count))).collect();
        engine.submit_all(requests).unwrap()
    };
    let mut before = Vec::new();
    while start.elapsed() < slice {
        let next = hand_over(count);
        count += len / 2;
        for pending in std::mem::replace(&mut before, next) {
            pending.wait().unwrap();
        }
    }
    for pending in before {
        pending.wait().unwrap();
    }
    rate(count, start)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn rate(count: u64, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}

fn line(name: &str, rates: Vec<(f64, f64)>) {
    let mut values: Vec<f64> = rates.iter().map(|(rate, _)| *rate).collect();
    let mut ratios: Vec<f64> = rates.iter().map(|(rate, probe)| rate / probe).collect();
    values.sort_by(f64::total_cmp);
    ratios.sort_by(f64::total_cmp);
    let median = |sorted: &[f64]| sorted[sorted.len() / 2];
    let spread = |sorted: &[f64]| (sorted[0], sorted[sorted.len() - 1]);
    let ((least, greatest), (low, high)) = (spread(&values), spread(&ratios));
    println!(
        "{name:<34} {:>10.0} {:>9.0} .. {:>8.0} {:>6.2} ({low:.2} .. {high:.2})",
        median(&values),
        least,
        greatest,
        median(&ratios)
    );
}

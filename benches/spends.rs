//! Spends per second through the whole engine, at interval durability.
//!
//! `cargo bench --bench spends [-- --rounds N] [-- --millis M] [-- --given-ids] [-- --quick]`: in interleaved rounds, a
//! yardstick of the machine (`serde_json` writing one typed event after the other, on one thread), then spends on a
//! thousand budgets in vectors, the next of which is handed over while the one before is under way, from one thread and
//! from two. Every engine has as many spends behind it as are remembered, so that forgetting is part of the time.
//! `--given-ids`: spends with an id of the caller's, which is a key as well.
//!
//! It prints the median of the rounds, the least and the greatest; how many events of the yardstick could have been
//! written in the time of one spend; how many a second it is until everything is synced, snapshots are made and what is
//! due is pruned; and the CPU time of a spend, on the thread of the writer and on all threads, the caller's included.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own"
)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::cpu::Cpu;
use common::spread::Spread;
use common::yardstick::Yardstick;
use tallybook::{Blocking, BudgetId, RecordSpend, Request, Spend};

const BUDGETS: u64 = 1_000;
/// More than are remembered.
const SPENDS_BEFORE: u64 = 70_000;

/// Vectors of so many spends from so many threads.
#[derive(Clone, Copy)]
struct Work {
    threads: u64,
    len: u64,
}

const WORKS: [Work; 4] = [
    Work { threads: 1, len: 512 },
    Work { threads: 1, len: 1_024 },
    Work { threads: 2, len: 512 },
    Work { threads: 2, len: 1_024 },
];

/// What a round found.
struct Found {
    rate: f64,
    per_yardstick: f64,
    until_closed: f64,
    writer_nanos: f64,
    all_nanos: f64,
}

fn main() {
    let is_quick = common::flag("--quick");
    let rounds = common::argument("--rounds").unwrap_or(if is_quick { 3 } else { 7 });
    let slice =
        Duration::from_millis(common::argument("--millis").unwrap_or(if is_quick { 300 } else { 1_000 }));
    let dir = common::directory();
    let mut yardsticks = Vec::new();
    let mut found: Vec<Vec<Found>> = WORKS.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        let yardstick = Yardstick::rate(slice / 4);
        yardsticks.push(yardstick);
        for (index, &work) in WORKS.iter().enumerate() {
            found[index].push(measure(&dir.path().join(format!("{round}-{index}")), work, slice, yardstick));
        }
    }
    print(yardsticks, &found);
}

fn measure(book: &Path, work: Work, slice: Duration, yardstick: f64) -> Found {
    let engine = common::interval().open_blocking(book).unwrap();
    let ids: Arc<[BudgetId]> = common::budget_ids(BUDGETS).into();
    common::submit(&engine, common::allocations(&ids));
    let spender = Spender { ids, tool: "web.search".into(), has_given_ids: common::flag("--given-ids") };
    common::submit(&engine, (0..SPENDS_BEFORE).map(|number| spender.spend(number)));
    Cpu::wait_for_calm();
    let (before, start, total) = (Cpu::now(), Instant::now(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..work.threads {
            let (engine, spender, total) = (&engine, &spender, &total);
            // Far enough apart for no id to be given twice.
            let first = SPENDS_BEFORE + (thread << 40);
            scope.spawn(move || {
                total.fetch_add(vectors(engine, spender, first, work.len, slice), Ordering::Relaxed);
            });
        }
    });
    let count = total.into_inner();
    let rate = common::rate(count, start);
    let spent = Cpu::now().since(before);
    engine.shutdown(Duration::from_secs(60)).unwrap();
    let until_closed = common::rate(count, start);
    drop(engine);
    std::fs::remove_dir_all(book).unwrap();
    Found {
        rate,
        per_yardstick: yardstick / rate,
        until_closed,
        writer_nanos: common::each(spent.writers, count),
        all_nanos: common::each(spent.all, count),
    }
}

/// Hands vectors over until the time is up, and waits for every answer. How many spends they were.
fn vectors(engine: &Blocking, spender: &Spender, first: u64, len: u64, slice: Duration) -> u64 {
    let (start, mut count, mut before) = (Instant::now(), 0, Vec::new());
    while start.elapsed() < slice {
        let requests = (first + count..first + count + len).map(|number| spender.spend(number)).collect();
        let next = engine.submit_all(requests).unwrap();
        count += len;
        for pending in std::mem::replace(&mut before, next) {
            pending.wait().unwrap();
        }
    }
    for pending in before {
        pending.wait().unwrap();
    }
    count
}

struct Spender {
    ids: Arc<[BudgetId]>,
    tool: Arc<str>,
    has_given_ids: bool,
}

impl Spender {
    fn spend(&self, number: u64) -> Request {
        let budget = &self.ids[common::scattered(number, self.ids.len())];
        let spend = Spend::of(u128::from(1_000 + number % 4_000)).tool(Arc::clone(&self.tool));
        let spend = if self.has_given_ids { spend.id(format!("call-{number:014}")) } else { spend };
        RecordSpend::new(budget, spend).into()
    }
}

fn print(yardsticks: Vec<f64>, found: &[Vec<Found>]) {
    println!("{} = {:.0} a second", Yardstick::NAME, Spread::of(yardsticks));
    println!(
        "{:<32} {:>30} {:>24} {:>12} {:>10} {:>8}",
        "spends, interval 50 ms",
        "per second",
        "events of the yardstick",
        "until closed",
        "writer, ns",
        "all, ns"
    );
    for (work, found) in WORKS.iter().zip(found) {
        let spread = |of: fn(&Found) -> f64| Spread::of(found.iter().map(of));
        let threads = if work.threads == 1 { "thread" } else { "threads" };
        println!(
            "{:<32} {:>30.0} {:>24.2} {:>12.0} {:>10.0} {:>8.0}",
            format!("{} {threads}, vectors of {}", work.threads, work.len),
            spread(|found| found.rate),
            spread(|found| found.per_yardstick),
            spread(|found| found.until_closed).median,
            spread(|found| found.writer_nanos).median,
            spread(|found| found.all_nanos).median,
        );
    }
}

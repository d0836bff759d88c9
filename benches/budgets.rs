//! What budgets cost: the time of a hold and its settlement at depths of 1, 4 and 16, and the memory of many budgets.
//!
//! `cargo bench --bench budgets [-- --rounds N] [-- --millis M] [-- --budgets N]`
//!
//! Time: in interleaved rounds, pairs of a reservation and its settlement on the lowest of so many budgets, one pair at
//! a time: in the domain alone (two commands decided and folded, no journal), through [`Blocking`] on a journal in
//! memory (a simulated disk, which has costs of its own), and through it on a disk at interval durability. The domain
//! has as many spends and ended reservations behind it as are remembered, so that forgetting is part of the time. It
//! prints the median of the rounds, the least and the greatest, and the ratio to depth 1 in the same round.
//!
//! Memory: what the resident set of this process grows by while so many named budgets under one parent are made, with
//! nothing in them, and with a spend and an open reservation each; the state of the domain alone, no journal. It is read
//! from `/proc/self/statm`, so on Linux only.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use tallybook::domain::{Context, Decision, decide, evolve};
use tallybook::{
    Blocking, BudgetId, ChangeEvent, Durability, NewBudget, NewReservation, Options, RecordSpend, Request,
    ReservationId, Rules, Settle, Spend, State, Timestamp, Ttl,
};
use uuid::Uuid;

const DEPTHS: [usize; 3] = [1, 4, 16];
/// More pairs than are remembered.
const PAIRS_BEFORE: u64 = 70_000;

fn main() {
    let rounds = argument("--rounds").unwrap_or(7);
    let slice = Duration::from_millis(argument("--millis").unwrap_or(300));
    let budgets = argument("--budgets").unwrap_or(200_000);
    // Before anything else has been taken and given back.
    memory(budgets);
    time(rounds, slice);
}

fn argument(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).and_then(|value| value.parse().ok())
}

// ---- time -------------------------------------------------------------------------------------------------------

fn time(rounds: u64, slice: Duration) {
    let dir =
        tempfile::tempdir_in(std::env::var_os("TALLYBOOK_BENCH_DIR").unwrap_or_else(|| ".".into())).unwrap();
    let mut books: Vec<Book> = DEPTHS.iter().map(|&depth| Book::with_path(depth)).collect();
    for book in &mut books {
        (0..PAIRS_BEFORE).for_each(|_| book.pair());
    }
    let mut domain = vec![Vec::new(); DEPTHS.len()];
    let mut in_memory = domain.clone();
    let mut interval = domain.clone();
    for round in 0..rounds {
        for (index, depth) in DEPTHS.into_iter().enumerate() {
            domain[index].push(domain_pairs(&mut books[index], slice));
            let engine = Options::new().open_in_memory().unwrap();
            in_memory[index].push(engine_pairs(&engine, depth, slice));
            let engine = open(&dir.path().join(format!("{round}-{depth}")));
            interval[index].push(engine_pairs(&engine, depth, slice));
        }
    }
    println!(
        "{:<34} {:>10} {:>21} {:>20}",
        "hold + settle", "µs a pair", "least .. greatest", "ratio to depth 1"
    );
    for (name, times) in [
        ("domain alone", &domain),
        ("blocking, in memory", &in_memory),
        ("blocking, interval 50 ms", &interval),
    ] {
        for (depth, of_depth) in DEPTHS.iter().zip(times) {
            line(&format!("{name}, depth {depth}"), of_depth, &times[0]);
        }
    }
}

fn open(dir: &Path) -> Blocking {
    let durability = Durability::Interval(Duration::from_millis(50));
    Options::new().durability(durability).open_blocking(dir).unwrap()
}

fn domain_pairs(book: &mut Book, slice: Duration) -> f64 {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < slice {
        // So seldom that the clock does not count.
        (0..16).for_each(|_| book.pair());
        count += 16;
    }
    micros_each(count, start)
}

fn engine_pairs(engine: &Blocking, depth: usize, slice: Duration) -> f64 {
    path(depth).for_each(|budget| drop(engine.allocate(budget).unwrap()));
    let lowest = level(depth - 1);
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < slice {
        let hold = engine.reserve(lowest.clone(), 1_000, Ttl::NEVER).unwrap();
        hold.settle(Spend::of(900)).unwrap();
        count += 1;
    }
    micros_each(count, start)
}

/// Budgets under each other, from the root down, all hard and none ever reached.
fn path(depth: usize) -> impl Iterator<Item = NewBudget> {
    (0..depth).map(|index| {
        let budget = NewBudget::new(level(index)).limit(u128::MAX >> 1);
        if index == 0 { budget } else { budget.parent(level(index - 1)) }
    })
}

fn level(index: usize) -> BudgetId {
    BudgetId::from(format!("level-{index}"))
}

/// The domain without a journal.
struct Book {
    state: State,
    seq: u64,
    rules: Rules,
    now: Timestamp,
    lowest: BudgetId,
}

impl Book {
    fn with_path(depth: usize) -> Book {
        let mut book = Book {
            state: State::default(),
            seq: 0,
            rules: Rules::default(),
            now: Timestamp::parse("2026-11-21T09:00:00Z").unwrap(),
            lowest: level(depth.saturating_sub(1)),
        };
        for budget in path(depth) {
            book.apply(budget);
        }
        book
    }

    /// Carries a command out, and gives the id that was made for it.
    fn apply(&mut self, request: impl Into<Request>) -> Uuid {
        let request = request.into();
        self.now = self.now.saturating_add(Duration::from_micros(10));
        let new_id = Uuid::from_u128(u128::from(self.seq) << 64);
        let context = Context { now: self.now, rules: &self.rules, new_id, veto: None };
        let Decision::Events(payloads) = decide(&self.state, &request, &context) else {
            panic!("expected it to be done: {request:?}")
        };
        for payload in payloads {
            self.seq += 1;
            let event = ChangeEvent {
                seq: self.seq,
                ts: self.now,
                session_id: None,
                actor: None,
                key: None,
                meta: None,
                payload,
            };
            evolve(&mut self.state, &event).unwrap();
        }
        new_id
    }

    fn pair(&mut self) {
        let id = self.apply(NewReservation::new(self.lowest.clone(), 1_000));
        let reservation_id = ReservationId::from(id.to_string());
        self.apply(Settle { reservation_id, spend: Spend::of(900) });
    }
}

#[expect(clippy::cast_precision_loss, reason = "a time for people to read")]
fn micros_each(count: u64, start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e6 / count as f64
}

fn line(name: &str, times: &[f64], of_depth_1: &[f64]) {
    let sorted = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        (values[values.len() / 2], values[0], values[values.len() - 1])
    };
    let (median, least, greatest) = sorted(times.to_vec());
    let ratios = times.iter().zip(of_depth_1).map(|(time, first)| time / first).collect();
    let (ratio, low, high) = sorted(ratios);
    println!(
        "{name:<34} {median:>10.2} {least:>9.2} .. {greatest:>8.2} {ratio:>6.2} ({low:.2} .. {high:.2})"
    );
}

// ---- memory -----------------------------------------------------------------------------------------------------

fn memory(budgets: u64) {
    let Some(before) = resident_bytes() else {
        println!("memory: only on Linux, where /proc/self/statm tells it");
        return;
    };
    let empty = many(budgets, false);
    let after_empty = resident_bytes().unwrap();
    let full = many(budgets, true);
    let after_full = resident_bytes().unwrap();
    println!(
        "{:<34} {:>12} {:>16} {:>16}",
        format!("memory of {budgets} budgets"),
        "MB grown",
        "bytes a budget",
        "budgets per GB"
    );
    growth("with nothing in them", after_empty - before, budgets);
    growth("with a spend and a hold each", after_full - after_empty, budgets);
    println!("(the last {} spends are remembered)\n", full.state.key_window().max_count);
    drop((empty, full));
}

fn many(budgets: u64, with_use: bool) -> Book {
    let mut book = Book::with_path(1);
    for number in 0..budgets {
        let id = BudgetId::from(format!("budget-{number:08}"));
        book.apply(NewBudget::new(id.clone()).limit(1_000_000).parent(level(0)));
        if with_use {
            book.apply(RecordSpend::new(id.clone(), Spend::of(1_000)));
            book.apply(NewReservation::new(id, 1_000));
        }
    }
    book
}

fn growth(name: &str, bytes: u64, budgets: u64) {
    let each = bytes / budgets.max(1);
    println!("{name:<34} {:>12} {each:>16} {:>16}", bytes / 1_000_000, 1_000_000_000 / each.max(1));
}

/// The resident set of this process; `None` where the system does not tell.
fn resident_bytes() -> Option<u64> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    let page = std::process::Command::new("getconf").arg("PAGESIZE").output().ok()?;
    let page: u64 = String::from_utf8(page.stdout).ok()?.trim().parse().ok()?;
    Some(pages * page)
}

//! What the benches have in common: arguments, a directory, spread, the CPU that threads have had, a yardstick of the
//! machine, and the domain without a journal.
#![allow(dead_code, reason = "no program needs all of it")]

pub(crate) mod book;
pub(crate) mod cpu;
pub(crate) mod spread;
pub(crate) mod yardstick;

use std::time::{Duration, Instant};

use tallybook::{Blocking, BudgetId, Durability, NewBudget, Options, Request};

/// What the command line says after `name`, where that is a number.
pub(crate) fn argument(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).and_then(|value| value.parse().ok())
}

/// Whether the command line has `name`.
pub(crate) fn flag(name: &str) -> bool {
    std::env::args().any(|argument| argument == name)
}

/// A directory that is gone at the end: in `TALLYBOOK_BENCH_DIR`, or in the working directory, whose disk is a real one
/// where that of temporary files may be memory.
pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(std::env::var_os("TALLYBOOK_BENCH_DIR").unwrap_or_else(|| ".".into())).unwrap()
}

/// Synced every 50 ms.
pub(crate) fn interval() -> Options {
    Options::new().durability(Durability::Interval(Duration::from_millis(50)))
}

/// The budgets that most programs spend of.
pub(crate) fn budget_ids(count: u64) -> Vec<BudgetId> {
    (0..count).map(|number| BudgetId::from(format!("budget-{number:07}"))).collect()
}

/// What makes them: without a parent and without a limit that could be reached.
pub(crate) fn allocations(ids: &[BudgetId]) -> impl Iterator<Item = Request> {
    ids.iter().map(|id| NewBudget::new(id.clone()).limit(u128::MAX >> 1).into())
}

/// Numbers below `bound` that go to and fro, the same ones in every run.
pub(crate) fn scattered(number: u64, bound: usize) -> usize {
    let mixed = u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) * bound as u128;
    usize::try_from(mixed >> 64).unwrap()
}

/// So many a second since then.
#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
pub(crate) fn rate(count: u64, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}

/// So much for each of so many.
#[expect(clippy::cast_precision_loss, reason = "a figure for people to read")]
pub(crate) fn each(sum: u64, count: u64) -> f64 {
    sum as f64 / count as f64
}

/// Hands commands over in vectors, and waits for every answer.
pub(crate) fn submit(engine: &Blocking, requests: impl Iterator<Item = Request>) {
    let mut requests = requests.peekable();
    while requests.peek().is_some() {
        let some = requests.by_ref().take(4_096).collect();
        engine.submit_all(some).unwrap().into_iter().for_each(|pending| drop(pending.wait().unwrap()));
    }
}

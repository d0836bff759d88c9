//! Runs cases of a row, several at once, until there are enough of them or the time is over, and says what was covered.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;

use crate::tally::Tally;

/// One row of the table of faults.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What the main figure counts.
    pub(crate) unit: &'static str,
    /// How many cases one run of the continuous integration has, unless it is told otherwise.
    pub(crate) seeds: u64,
    /// Runs the case of a seed; panics when something did not hold.
    pub(crate) case: fn(u64, &Limits, &mut Tally),
}

/// How much is to be run.
#[derive(Debug, Clone, Args)]
pub(crate) struct Limits {
    /// The seed of the first case.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many cases; without it and without a time, a small number of the row's own.
    #[arg(long)]
    seeds: Option<u64>,
    /// End after so many seconds (what is under way is finished).
    #[arg(long, default_value_t = 0)]
    seconds: u64,
    /// The same in hours.
    #[arg(long, default_value_t = 0.0)]
    hours: f64,
    /// How many cases at once.
    #[arg(long, default_value_t = 2)]
    jobs: u64,
    /// Only every N-th case, beginning with the I-th, as I/N: for several machines, or several processes.
    #[arg(long, default_value = "1/1", value_parser = parse_shard)]
    shard: (u64, u64),
    /// How many crashes in a row: within the recovery from a crash, within that from the second …
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=5))]
    pub(crate) depth: u32,
    /// Pass over what this machine does not allow (to mount a disk, say) instead of failing; it is counted.
    #[arg(long)]
    pub(crate) may_skip: bool,
}

fn parse_shard(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((i, n)) if (1..=n).contains(&i) => Ok((i, n)),
        _ => Err(format!("expected a shard like 1/4, found {text:?}")),
    }
}

impl Limits {
    /// What a test runs of a case.
    #[cfg(test)]
    pub(crate) fn of_a_test() -> Limits {
        Limits {
            seed: 1,
            seeds: None,
            seconds: 0,
            hours: 0.0,
            jobs: 1,
            shard: (1, 1),
            depth: 2,
            may_skip: false,
        }
    }

    fn time(&self) -> Option<Duration> {
        let time = Duration::from_secs(self.seconds) + Duration::from_secs_f64(self.hours * 3_600.0);
        (!time.is_zero()).then_some(time)
    }

    /// How many cases there are at most.
    fn cases(&self, row: &Row) -> u64 {
        self.seeds.unwrap_or(if self.time().is_some() { u64::MAX } else { row.seeds })
    }
}

/// Runs the cases of a row. Whether all held.
pub(crate) fn run(row: &Row, limits: &Limits) -> bool {
    let run = Run {
        row,
        limits,
        begun: now(),
        next: AtomicU64::new(limits.shard.0 - 1),
        has_failed: AtomicBool::new(false),
        tally: Mutex::default(),
        failures: Mutex::default(),
    };
    println!("{}: from seed {}, shard {}/{}", row.name, limits.seed, limits.shard.0, limits.shard.1);
    quiet_panics();
    std::thread::scope(|scope| {
        let jobs: Vec<_> = (0..limits.jobs.max(1)).map(|_| scope.spawn(|| run.work())).collect();
        run.report_while(|| jobs.iter().any(|job| !job.is_finished()));
    });
    run.finish()
}

struct Run<'a> {
    row: &'a Row,
    limits: &'a Limits,
    begun: Instant,
    next: AtomicU64,
    has_failed: AtomicBool,
    tally: Mutex<Tally>,
    failures: Mutex<Vec<String>>,
}

impl Run<'_> {
    fn work(&self) {
        let cases = self.limits.cases(self.row);
        let is_over = || self.limits.time().is_some_and(|time| self.begun.elapsed() >= time);
        while !is_over() && !self.has_failed.load(Ordering::Relaxed) {
            let case = self.next.fetch_add(self.limits.shard.1, Ordering::Relaxed);
            if case >= cases {
                return;
            }
            let seed = self.limits.seed.wrapping_add(case);
            let mut tally = Tally::default();
            let result = catch_unwind(AssertUnwindSafe(|| (self.row.case)(seed, self.limits, &mut tally)));
            if result.is_err() {
                self.has_failed.store(true, Ordering::Relaxed);
                self.note_failure(seed);
            }
            tally.count("cases");
            self.tally.lock().unwrap_or_else(PoisonError::into_inner).merge(&tally);
        }
    }

    fn note_failure(&self, seed: u64) {
        let (name, depth) = (self.row.name, self.limits.depth);
        let failure = format!(
            "FAILED {name} with seed {seed}: {}\nto see it again: cargo run --profile faults --example faults -- {name} --seed {seed} --seeds 1 --depth {depth}",
            last_panic()
        );
        eprintln!("{failure}");
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
    }

    /// A line now and then, for whoever watches a run of hours.
    fn report_while(&self, is_running: impl Fn() -> bool) {
        let (mut last, mut every) = (now(), Duration::from_secs(10));
        while is_running() {
            std::thread::sleep(Duration::from_millis(20));
            if last.elapsed() >= every {
                (last, every) = (now(), (every * 2).min(Duration::from_secs(300)));
                let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let seconds = self.begun.elapsed().as_secs_f64();
                let (done, unit) = (tally.get(self.row.unit), self.row.unit);
                println!("  {seconds:>8.0} s: {done} {unit}, {} cases", tally.get("cases"));
            }
        }
    }

    fn finish(self) -> bool {
        let seconds = self.begun.elapsed().as_secs_f64();
        let tally = self.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        tally.print(seconds);
        let failures = self.failures.into_inner().unwrap_or_else(PoisonError::into_inner);
        let name = self.row.name;
        match failures.first() {
            None => println!("{name}: held, in {seconds:.1} s"),
            Some(failure) => println!("{name}: {failure}"),
        }
        failures.is_empty()
    }
}

#[expect(clippy::disallowed_methods, reason = "a program that measures how long it runs")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

thread_local! {
    static LAST_PANIC: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

/// Keeps what a panic says for the report, instead of printing it at once: some are planned.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("a panic without a message");
        let place = info.location().map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()));
        LAST_PANIC.with_borrow_mut(|last| *last = format!("{message}{place}"));
    }));
}

/// What the last panic of this thread said, and where; nothing in a test, which prints it itself.
pub(crate) fn last_panic() -> String {
    LAST_PANIC.with_borrow(|message| message.chars().take(2_000).collect())
}

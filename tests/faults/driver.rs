//! Runs cases of a row, several at once, until there are enough of them or the time is over, and says what was covered.

use std::collections::BTreeMap;
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
    /// Only one in so many of the crashes, damages or failing calls of each case: a quick look at many cases (`power`,
    /// `damage`, `calls`).
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) every: u64,
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
            every: 1,
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

/// A case that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs the cases of a row. Whether all held.
pub(crate) fn run(row: &Row, limits: &Limits) -> bool {
    let run = Run {
        row,
        limits,
        begun: now(),
        next: AtomicU64::new(limits.shard.0 - 1),
        has_failed: AtomicBool::new(false),
        under_way: Mutex::default(),
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
    /// The cases under way, by seed, and since when.
    under_way: Mutex<BTreeMap<u64, Instant>>,
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
            self.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, now());
            let panics = PANICS.load(Ordering::SeqCst);
            let result = catch_unwind(AssertUnwindSafe(|| (self.row.case)(seed, self.limits, &mut tally)));
            self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&seed);
            if result.is_err() {
                self.fail(seed, &last_panic());
            } else if self.limits.jobs < 2 && PANICS.load(Ordering::SeqCst) != panics {
                self.fail(seed, &format!("a thread beside it panicked: {}", last_panic()));
            }
            tally.count("cases");
            self.tally.lock().unwrap_or_else(PoisonError::into_inner).merge(&tally);
        }
    }

    fn fail(&self, seed: u64, why: &str) {
        self.has_failed.store(true, Ordering::Relaxed);
        let (name, depth, every) = (self.row.name, self.limits.depth, self.limits.every);
        let failure = format!(
            "FAILED {name} with seed {seed}: {why}\nto see it again: cargo run --profile faults --example faults -- {name} --seed {seed} --seeds 1 --depth {depth} --every {every}"
        );
        eprintln!("{failure}");
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
    }

    /// A line now and then, for whoever watches a run of hours.
    fn report_while(&self, is_running: impl Fn() -> bool) {
        let (mut last, mut every) = (now(), Duration::from_secs(10));
        while is_running() {
            std::thread::sleep(Duration::from_millis(20));
            self.look_for_hangs();
            if last.elapsed() >= every {
                (last, every) = (now(), (every * 2).min(Duration::from_secs(300)));
                let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let seconds = self.begun.elapsed().as_secs_f64();
                let (done, unit) = (tally.get(self.row.unit), self.row.unit);
                println!("  {seconds:>8.0} s: {done} {unit}, {} cases", tally.get("cases"));
            }
        }
    }

    /// Whoever waits for ever cannot say so.
    fn look_for_hangs(&self) {
        let under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((seed, since)) = under_way.iter().find(|(_, since)| since.elapsed() > PATIENCE) {
            self.fail(*seed, &format!("it hangs since {:?}", since.elapsed()));
            std::process::exit(1);
        }
    }

    fn finish(self) -> bool {
        // Some threads of an engine catch what panics in them, and go on.
        let panics = PANICS.load(Ordering::SeqCst);
        if panics > 0 && !self.has_failed.load(Ordering::Relaxed) {
            self.fail(
                self.limits.seed,
                &format!("{panics} threads beside the cases panicked: {}", last_panic()),
            );
        }
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

/// How many panics there were that nobody planned: a planned one does not come by the hook.
static PANICS: AtomicU64 = AtomicU64::new(0);
/// What the first few of them said, whichever threads they were of.
static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps what a panic says for the report, instead of printing it at once.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("a panic without a message");
        let place = info.location().map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()));
        PANICS.fetch_add(1, Ordering::SeqCst);
        let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() < 4 {
            said.push(format!("{message}{place}").chars().take(6_000).collect());
        }
    }));
}

/// What panics said, and where; nothing in a test, which prints it itself.
pub(crate) fn last_panic() -> String {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).join("\n    then ")
}

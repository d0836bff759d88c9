//! Reads beside a busy writer: how long they take, and whether they wait for it.
//!
//! `cargo bench --bench reads [-- --seconds N] [-- --rounds N] [-- --budgets N]`: one thread reads: `view`, a budget and
//! a goal of it, the same in passing (`read`), and `check`; in interleaved rounds while the engine is quiet, and beside
//! another thread that keeps 64 durable commands in flight, so that there is a sync at nearly every moment. Each time is
//! that of a batch of 64 reads at random places, divided by 64, for the clock costs as much as a read; the thread rests
//! in between, so that the writer is not kept from its processor. It prints, in nanoseconds a read, the median, the 99th
//! percentile and the worst batch, and how long the commands beside it took, which wait for syncs.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own"
)]

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tallybook::{
    Blocking, BudgetId, Goal, NewBudget, NewGoal, Options, RecordSpend, Request, Retention, Spend,
};

/// How many reads are timed together.
const BATCH: usize = 64;
const GOALS: u64 = 1_000;

struct Work {
    name: &'static str,
    read: Box<dyn Fn(usize)>,
    quiet: Vec<f64>,
    busy: Vec<f64>,
}

fn main() {
    let seconds = argument("--seconds").unwrap_or(1);
    let rounds = argument("--rounds").unwrap_or(3);
    let budgets = argument("--budgets").unwrap_or(10_000);
    let dir =
        tempfile::tempdir_in(std::env::var_os("TALLYBOOK_BENCH_DIR").unwrap_or_else(|| ".".into())).unwrap();
    let engine = Options::new()
        .retention(Retention::keep_all())
        .snapshot_bytes(u64::MAX)
        .open_blocking(dir.path().join("book"))
        .unwrap();
    let mut works = works(&engine, budgets);
    let mut waits = Vec::new();
    for _ in 0..rounds {
        for work in &mut works {
            work.quiet.extend(measure(&work.read, Duration::from_secs(seconds)));
            let is_over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let writer = scope.spawn(|| write(&engine, budgets, &is_over));
                work.busy.extend(measure(&work.read, Duration::from_secs(seconds)));
                is_over.store(true, Ordering::Relaxed);
                waits.extend(writer.join().unwrap());
            });
        }
    }
    print(&mut works, &mut waits);
}

fn argument(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).and_then(|value| value.parse().ok())
}

/// The reads, over budgets and goals that are made for them.
fn works(engine: &Blocking, budgets: u64) -> [Work; 7] {
    let make = |n| Request::from(NewBudget::new(format!("budget-{n}")).limit(1 << 60));
    for start in (0..budgets).step_by(4_096) {
        let some = (start..budgets.min(start + 4_096)).map(make).collect();
        engine.submit_all(some).unwrap().into_iter().for_each(|pending| drop(pending.wait().unwrap()));
    }
    let new = |n| NewGoal::new("read beside a writer").scope(format!("scope-{n}"));
    let goals: Vec<Goal> = (0..GOALS).map(|n| engine.create_goal(new(n)).unwrap()).collect();
    let ids: Vec<BudgetId> = (0..budgets).map(|n| BudgetId::from(format!("budget-{n}"))).collect();
    // No two after each other are neighbours.
    let id = move |n: usize| ids[n * 7_919 % ids.len()].clone();
    let goal = move |n: usize| goals[n * 7_919 % goals.len()].id;
    let (view, a, b, c) = (engine.clone(), engine.clone(), engine.clone(), engine.clone());
    let (d, e, f) = (engine.clone(), engine.clone(), engine.clone());
    let (id_a, id_b, id_c, goal_d) = (id.clone(), id.clone(), id.clone(), goal.clone());
    [
        work("view", move |_| drop(black_box(view.view()))),
        work("view, a budget of it", move |n| {
            black_box(a.view().budget(&id_a(n)).map(|budget| budget.spent));
        }),
        work("read a budget in passing", move |n| {
            black_box(b.read(|view| view.budget(&id_b(n)).map(|budget| budget.spent)));
        }),
        work("check", move |n| drop(black_box(c.check(id_c(n), 5).unwrap()))),
        work("view, a goal of it", move |n| drop(black_box(d.view().goal(goal_d(n)).unwrap()))),
        work("read a goal in passing", move |n| drop(black_box(e.read(|view| view.goal(goal(n))).unwrap()))),
        work("nothing but a budget's id", move |n| {
            black_box(&f);
            drop(black_box(id(n)));
        }),
    ]
}

fn work(name: &'static str, read: impl Fn(usize) + 'static) -> Work {
    Work { name, read: Box::new(read), quiet: Vec::new(), busy: Vec::new() }
}

/// How long a read took in each batch, in nanoseconds.
fn measure(read: &dyn Fn(usize), time: Duration) -> Vec<f64> {
    let (start, mut n, mut times) = (Instant::now(), 0, Vec::new());
    while start.elapsed() < time {
        let begun = Instant::now();
        for at in n..n + BATCH {
            read(at);
        }
        times.push(begun.elapsed().as_secs_f64() * 1e9 / BATCH as f64);
        n += BATCH;
        std::thread::sleep(Duration::from_micros(20));
    }
    times
}

/// Keeps durable commands in flight. How long each took, in microseconds.
fn write(engine: &Blocking, budgets: u64, is_over: &AtomicBool) -> Vec<f64> {
    let (mut n, mut times) = (0, Vec::new());
    while !is_over.load(Ordering::Relaxed) {
        let spend = |n: u64| {
            let id = format!("budget-{}", n % budgets);
            Request::from(RecordSpend::new(id.as_str(), Spend::of(1).tool("web.search")))
        };
        let begun = Instant::now();
        let pending = engine.submit_all((n..n + BATCH as u64).map(spend).collect()).unwrap();
        pending.into_iter().for_each(|pending| drop(pending.wait().unwrap()));
        times.push(begun.elapsed().as_secs_f64() * 1e6);
        n += BATCH as u64;
    }
    times
}

fn print(works: &mut [Work], waits: &mut [f64]) {
    let of = |times: &mut [f64]| {
        times.sort_by(f64::total_cmp);
        [500, 990, 1_000].map(|permille| times[(times.len() - 1) * permille / 1_000])
    };
    println!(
        "{:<28} {:>28} {:>34}",
        "nanoseconds a read", "quiet: median p99 worst", "busy: median p99 worst"
    );
    for work in works {
        let ([a, b, c], [d, e, f]) = (of(&mut work.quiet), of(&mut work.busy));
        println!("{:<28} {a:>10.0} {b:>8.0} {c:>8.0} {d:>16.0} {e:>8.0} {f:>8.0}", work.name);
    }
    let [median, p99, worst] = of(waits);
    println!(
        "batches of {BATCH} durable commands beside it: median {median:.0} µs, p99 {p99:.0}, worst {worst:.0}"
    );
}

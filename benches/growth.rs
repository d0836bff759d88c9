//! Growth: how what a command costs changes with what is there already.
//!
//! `cargo bench --bench growth [-- budgets|history|depth|subscribers ...] [-- --rounds N] [-- --millis M]
//! [-- --budgets N] [-- --events N] [-- --subscribers N] [-- --quick]`: spends in vectors of 512 through the whole engine
//! at interval durability, with the default retention, in interleaved rounds for each of the groups (all of them, unless
//! some are named):
//!
//! - `budgets`: from ten thousand open ones to a million (`--budgets`), spends on any of them, and on a thousand of them
//!   that were made one after the other, or far from each other;
//! - `history`: after a hundred thousand, a million and ten million events (`--events`);
//! - `depth`: on the lowest budget of a path of 1 to 16;
//! - `subscribers`: beside none, and 1 to 10,000 (`--subscribers`), all polled by one task: idle ones, whose filter lets
//!   nothing pass, and ones that get every event, as fast as that task can.
//!
//! It prints, by command: the time in microseconds, the CPU time of the writer's thread and of all threads until nothing
//! works in the background any more, and the ratios of the first two to the first line of the group in the same round;
//! for the depth also what each further level adds to the writer's time, and for subscribers how many items they were given
//! together. Where others use the machine, the CPU time
//! of the writer is the figure to believe; it includes misses of the caches.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own"
)]

mod common;

use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use common::cpu::Cpu;
use common::spread::Spread;
use futures_core::Stream;
use tallybook::{
    Blocking, BudgetId, EventFilter, NewBudget, RecordSpend, Request, Spend, Start, Subscription,
};

const VECTOR: u64 = 512;
const DEPTHS: [u64; 5] = [1, 2, 4, 8, 16];
/// More spends than are remembered.
const SPENDS_BEFORE: u64 = 70_000;

/// What is compared with others of its group.
struct Subject {
    name: String,
    engine: Blocking,
    /// The budgets that are spent of.
    ids: Vec<BudgetId>,
    subscribers: Option<Subscribers>,
    /// For the depth of the tree.
    depth: u64,
    spends: u64,
    costs: Vec<Cost>,
}

#[derive(Clone, Copy)]
struct Subscribers {
    count: u64,
    /// Whether they get every event, or none.
    is_matching: bool,
}

/// Of a command, in microseconds.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    writer: f64,
    all: f64,
    /// How many items all subscribers together were given in a second meanwhile.
    items: f64,
}

struct Sizes {
    rounds: u64,
    slice: Duration,
    budgets: u64,
    events: u64,
    subscribers: u64,
}

fn main() {
    let is_quick = common::flag("--quick");
    let size = |name: &str, whole: u64, quick: u64| {
        common::argument(name).unwrap_or(if is_quick { quick } else { whole })
    };
    let sizes = Sizes {
        rounds: size("--rounds", 7, 3),
        slice: Duration::from_millis(size("--millis", 500, 200)),
        budgets: size("--budgets", 1_000_000, 100_000),
        events: size("--events", 10_000_000, 1_000_000),
        subscribers: size("--subscribers", 10_000, 1_000),
    };
    let groups: [(&str, Group); 4] =
        [("budgets", budgets), ("history", history), ("depth", depth), ("subscribers", subscribers)];
    let is_named = groups.iter().any(|(name, _)| common::flag(name));
    for (name, group) in groups {
        if !is_named || common::flag(name) {
            let dir = common::directory();
            let mut subjects = group(dir.path(), &sizes);
            for _ in 0..sizes.rounds {
                subjects.iter_mut().for_each(|subject| subject.measure(sizes.slice));
            }
            print(name, &subjects);
        }
    }
}

type Group = fn(&Path, &Sizes) -> Vec<Subject>;

// ---- the groups -------------------------------------------------------------------------------------------------

fn budgets(dir: &Path, sizes: &Sizes) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for count in up_to(10_000, 10, sizes.budgets) {
        let ids = common::budget_ids(count);
        let engine = open(&dir.join(count.to_string()), common::allocations(&ids));
        let some = [
            ("any of them", ids.clone()),
            ("1,000 here and there", ids.iter().step_by((ids.len() / 1_000).max(1)).cloned().collect()),
            ("1,000 made together", ids.iter().take(1_000).cloned().collect()),
        ];
        for (name, ids) in some {
            subjects.push(Subject::new(format!("{count} open, {name}"), engine.clone(), ids));
        }
    }
    subjects
}

fn history(dir: &Path, sizes: &Sizes) -> Vec<Subject> {
    let ids = common::budget_ids(1_000);
    up_to(100_000, 10, sizes.events)
        .map(|events| {
            let engine = open(&dir.join(events.to_string()), common::allocations(&ids));
            let mut subject = Subject::new(format!("after {events} events"), engine, ids.clone());
            subject.run(|spends, _| spends < events);
            subject
        })
        .collect()
}

fn depth(dir: &Path, _: &Sizes) -> Vec<Subject> {
    let level = |index: u64| BudgetId::from(format!("level-{index}"));
    let path = |depth: u64| {
        (0..depth).map(move |index| {
            let budget = NewBudget::new(level(index)).limit(u128::MAX >> 1);
            Request::from(if index == 0 { budget } else { budget.parent(level(index - 1)) })
        })
    };
    DEPTHS
        .map(|depth| {
            let engine = open(&dir.join(depth.to_string()), path(depth));
            let subject = Subject::new(format!("depth {depth}"), engine, vec![level(depth - 1)]);
            Subject { depth, ..subject }
        })
        .into()
}

fn subscribers(dir: &Path, sizes: &Sizes) -> Vec<Subject> {
    let ids = common::budget_ids(1_000);
    let engine = open(&dir.join("book"), common::allocations(&ids));
    let mut subjects = vec![Subject::new("none".into(), engine.clone(), ids.clone())];
    for (name, is_matching) in [("idle", false), ("matching", true)] {
        for count in up_to(1, 100, sizes.subscribers) {
            let subject = Subject::new(format!("{count}, {name}"), engine.clone(), ids.clone());
            subjects.push(Subject { subscribers: Some(Subscribers { count, is_matching }), ..subject });
        }
    }
    subjects
}

/// From the first on, each so many times the one before, and the last one.
fn up_to(first: u64, times: u64, last: u64) -> impl Iterator<Item = u64> {
    let before = std::iter::successors(Some(first), move |size| size.checked_mul(times));
    before.take_while(move |&size| size < last).chain([last])
}

fn open(book: &Path, budgets: impl Iterator<Item = Request>) -> Blocking {
    let engine = common::interval().open_blocking(book).unwrap();
    common::submit(&engine, budgets);
    engine
}

// ---- the measurement --------------------------------------------------------------------------------------------

impl Subject {
    fn new(name: String, engine: Blocking, ids: Vec<BudgetId>) -> Subject {
        Subject { name, engine, ids, subscribers: None, depth: 0, spends: 0, costs: Vec::new() }
    }

    fn measure(&mut self, slice: Duration) {
        // So that as much is remembered as can be; where it is already, so that caches are as they were.
        let (first, before) = (self.costs.is_empty(), self.spends);
        self.run(|spends, _| spends < if first { SPENDS_BEFORE } else { before + 8 * VECTOR });
        let audience = self.subscribers.map(|subscribers| Audience::gather(&self.engine, subscribers));
        Cpu::wait_for_calm();
        let (cpu, start, before) = (Cpu::now(), Instant::now(), self.spends);
        self.run(|_, start| start.elapsed() < slice);
        let (wall, writer, count) = (start.elapsed(), Cpu::now().since(cpu).writers, self.spends - before);
        let items = audience.map_or(0, Audience::dismiss);
        Cpu::wait_for_calm();
        self.costs.push(Cost {
            wall: wall.as_secs_f64() * 1e6 / common::each(count, 1),
            writer: common::each(writer, count) / 1e3,
            all: common::each(Cpu::now().since(cpu).all, count) / 1e3,
            items: common::each(items, 1) / wall.as_secs_f64(),
        });
    }

    /// Hands vectors over for as long as it is told, the next while the one before is under way.
    fn run(&mut self, mut goes_on: impl FnMut(u64, Instant) -> bool) {
        let (start, mut before) = (Instant::now(), Vec::new());
        while goes_on(self.spends, start) {
            let numbers = self.spends..self.spends + VECTOR;
            self.spends += VECTOR;
            let next = self.engine.submit_all(numbers.map(|number| self.spend(number)).collect()).unwrap();
            for pending in std::mem::replace(&mut before, next) {
                pending.wait().unwrap();
            }
        }
        for pending in before {
            pending.wait().unwrap();
        }
    }

    fn spend(&self, number: u64) -> Request {
        let budget = &self.ids[common::scattered(number, self.ids.len())];
        RecordSpend::new(budget, Spend::of(u128::from(1_000 + number % 4_000)).tool("web.search")).into()
    }
}

/// Subscribers, and the one task that polls them all.
struct Audience {
    runtime: tokio::runtime::Runtime,
    has_ended: Arc<AtomicBool>,
    items: Arc<AtomicU64>,
}

impl Audience {
    fn gather(engine: &Blocking, subscribers: Subscribers) -> Audience {
        let filter = || match subscribers.is_matching {
            true => EventFilter::new(),
            false => EventFilter::new().budget("of-nobody"),
        };
        let all: Vec<Subscription> =
            (0..subscribers.count).map(|_| engine.subscribe_to(Start::Now, filter()).unwrap()).collect();
        let audience = Audience {
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap(),
            has_ended: Arc::default(),
            items: Arc::default(),
        };
        audience.runtime.spawn(drain(all, Arc::clone(&audience.has_ended), Arc::clone(&audience.items)));
        audience
    }

    /// How many items they were given.
    fn dismiss(self) -> u64 {
        self.has_ended.store(true, Ordering::Relaxed);
        self.items.load(Ordering::Relaxed)
    }
}

/// Takes from each what it has, in turn, until that is nothing.
async fn drain(mut all: Vec<Subscription>, has_ended: Arc<AtomicBool>, items: Arc<AtomicU64>) {
    poll_fn(|context| {
        loop {
            let mut had_some = false;
            for subscription in &mut all {
                // So many at once, so that nobody waits for long behind one that is far behind.
                for _ in 0..256 {
                    if has_ended.load(Ordering::Relaxed) {
                        return Poll::Ready(());
                    }
                    match Pin::new(&mut *subscription).poll_next(context) {
                        Poll::Ready(item) => drop(item.expect("the engine is open").unwrap()),
                        Poll::Pending => break,
                    }
                    items.fetch_add(1, Ordering::Relaxed);
                    had_some = true;
                }
            }
            if !had_some {
                return Poll::Pending;
            }
        }
    })
    .await;
}

// ---- the table --------------------------------------------------------------------------------------------------

fn print(group: &str, subjects: &[Subject]) {
    println!(
        "{:<36} {:>9} {:>22} {:>10} {:>22} {:>8}",
        group, "µs", "ratio to first", "writer, µs", "ratio to first", "all, µs"
    );
    for (index, subject) in subjects.iter().enumerate() {
        let spread = |of: fn(&Cost) -> f64| Spread::of(subject.costs.iter().map(of));
        let ratio = |of: fn(&Cost) -> f64| {
            Spread::of(subject.costs.iter().zip(&subjects[0].costs).map(|(this, first)| of(this) / of(first)))
        };
        print!(
            "{:<36} {:>9.2} {:>22} {:>10.2} {:>22} {:>8.2}",
            subject.name,
            spread(|cost| cost.wall).median,
            ratio(|cost| cost.wall),
            spread(|cost| cost.writer).median,
            ratio(|cost| cost.writer),
            spread(|cost| cost.all).median,
        );
        if let Some(above) = index.checked_sub(1).map(|above| &subjects[above]).filter(|_| subject.depth > 0)
        {
            let levels = common::each(subject.depth - above.depth, 1);
            let added = subject.costs.iter().zip(&above.costs);
            let added = added.map(|(this, above)| (this.writer - above.writer) / levels);
            print!("   {:.3} µs a level", Spread::of(added).median);
        }
        if subject.subscribers.is_some_and(|subscribers| subscribers.is_matching) {
            print!("   {:.0} items a second", spread(|cost| cost.items).median);
        }
        println!();
    }
    println!();
}

//! One hot path at a time, the same way in every run, for counting its instructions.
//!
//! `benches/instructions` is the script that counts them, by running this program under valgrind; see there. By itself,
//! `cargo bench --bench instructions [-- PATH COUNT]` does the work of a path that many times and says how many operations
//! that were and how long one took; without a path, each of them. `--list` names them, each with a count for the script.
//!
//! Clock, ids and numbers come from seeds; there is no thread but this one, so that the work of the writer and what
//! works beside it (snapshots, retention) is part of what is counted. What is done before the first operation does not
//! depend on the count: the difference of two runs is that of their operations alone.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own"
)]

mod common;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::book::Book;
use tallybook::event::{decode_event, encode_event};
use tallybook::ids::SeededEntropy;
use tallybook::{
    Blocking, BudgetId, ChangeEvent, Durability, FeedItem, GoalId, JournalReader, KeyWindow, ManualClock,
    NewBudget, NewGoal, NewReservation, Options, RecordSpend, RecordTurn, Request, ReservationId, Retention,
    Settle, SimulatedClock, Spend, Start, StateAt, Timestamp, Turn,
};

/// How many spends and keys are remembered: fewer than by default, so that a run is short.
const WINDOW: u64 = 8_192;
const VECTOR: u64 = 512;

struct HotPath {
    name: &'static str,
    /// For the script: so often, and twice as often.
    count: u64,
    /// Does it that many times. How many operations that were.
    run: fn(u64) -> u64,
    /// What an operation is.
    what: &'static str,
}

const fn path(name: &'static str, count: u64, run: fn(u64) -> u64, what: &'static str) -> HotPath {
    HotPath { name, count, run, what }
}

const PATHS: [HotPath; 20] = [
    path("decide-spend", 4_096, |n| domain_spends(n, 1, 1_000, false), "a spend decided and folded in"),
    path("decide-spend-given-id", 4_096, |n| domain_spends(n, 1, 1_000, true), "with an id of the caller's"),
    path("decide-spend-depth-16", 4_096, |n| domain_spends(n, 16, 1_000, false), "at the foot of 16 budgets"),
    path("decide-spend-of-100k", 4_096, |n| domain_spends(n, 1, 100_000, false), "on any of 100,000 budgets"),
    path("decide-turn", 4_096, domain_turns, "a turn decided and folded in"),
    path("decide-hold", 4_096, domain_holds, "a hold and its settlement"),
    path("engine-spend", 8_192, engine_spends, "a spend in a vector of 512, interval durability"),
    path("engine-spend-given-id", 8_192, engine_spends_with_ids, "with an id of the caller's"),
    path("engine-turn", 8_192, engine_turns, "a turn in a vector of 512, interval durability"),
    path("engine-spend-alone", 256, engine_spends_alone, "a spend, one in flight, synced"),
    path("encode", 8_192, encode, "an event of a spend written as JSON"),
    path("decode", 8_192, decode, "an event of a spend read from JSON"),
    path("replay", 1, replay, "an event of a spend read from the journal and folded in"),
    path("walk", 2, walk, "an event read from the journal as a line"),
    path("restore", 1, restore, "a spend that is remembered, on opening from a snapshot"),
    path("hash", 8, hash, "a spend decided and folded in, and the hash of the whole state"),
    path("check", 65_536, check, "`check` of a budget"),
    path("view", 65_536, view, "a budget read from the published state"),
    path("resume-first", 256, |n| resume(n, 1), "a subscription from a seq in the middle to its first event"),
    path("resume-1000", 16, |n| resume(n, 1_000), "the same to its thousandth event, by subscription"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--list"] => PATHS.iter().for_each(|path| println!("{}\t{}\t{}", path.name, path.count, path.what)),
        [] => PATHS.iter().for_each(|path| report(path, path.count)),
        [name, count] => {
            let path = PATHS.iter().find(|path| path.name == name).expect("a path that --list names");
            report(path, count.parse().expect("a count"));
        }
        _ => panic!("expected PATH COUNT, --list or nothing, found {arguments:?}"),
    }
}

fn report(path: &HotPath, count: u64) {
    let start = Instant::now();
    let operations = (path.run)(count);
    println!("{}\t{operations} operations\t{:.2?} with what comes before", path.name, start.elapsed());
}

// ---- the domain -------------------------------------------------------------------------------------------------

fn domain_spends(count: u64, depth: u64, budgets: u64, has_given_ids: bool) -> u64 {
    let mut book = Book::new();
    book.apply(KeyWindow { max_count: WINDOW, ..KeyWindow::DEFAULT });
    for level in 1..depth {
        let above = NewBudget::new(format!("level-{level}")).unlimited();
        book.apply(if level == 1 { above } else { above.parent(format!("level-{}", level - 1)) });
    }
    let ids = common::budget_ids(budgets);
    for id in &ids {
        let budget = NewBudget::new(id.clone()).limit(u128::MAX >> 1);
        book.apply(if depth == 1 { budget } else { budget.parent(format!("level-{}", depth - 1)) });
    }
    for number in 0..WINDOW + VECTOR + count {
        book.apply(spend(&ids, number, has_given_ids));
    }
    black_box(book.state.state_hash());
    count
}

fn spend(ids: &[BudgetId], number: u64, has_given_ids: bool) -> RecordSpend {
    let spend = Spend::of(u128::from(1_000 + number % 4_000)).tool("web.search");
    let spend = if has_given_ids { spend.id(format!("call-{number:011}")) } else { spend };
    RecordSpend::new(&ids[common::scattered(number, ids.len())], spend)
}

fn hash(count: u64) -> u64 {
    let mut book = Book::new();
    let ids = common::budget_ids(1_000);
    for request in common::allocations(&ids) {
        book.apply(request);
    }
    for number in 0..WINDOW {
        book.apply(spend(&ids, number, false));
    }
    for number in 0..=count {
        book.apply(spend(&ids, number, false));
        black_box(book.state.state_hash());
    }
    count
}

fn domain_turns(count: u64) -> u64 {
    let mut book = Book::new();
    book.apply(KeyWindow { max_count: WINDOW, ..KeyWindow::DEFAULT });
    let goals: Vec<GoalId> = (0..1_000).map(|number| GoalId(book.apply(goal(number)))).collect();
    for number in 0..WINDOW + VECTOR + count {
        book.apply(turn(&goals, number));
    }
    black_box(book.state.state_hash());
    count
}

fn goal(number: u64) -> NewGoal {
    NewGoal::new("find the failing test and mend it").scope(format!("session-{number:04}"))
}

fn turn(goals: &[GoalId], number: u64) -> RecordTurn {
    let tokens = Turn::tokens(u128::from(1_000 + number % 4_000)).seconds(3);
    RecordTurn::goal(goals[common::scattered(number, goals.len())], tokens)
}

fn domain_holds(count: u64) -> u64 {
    let mut book = Book::new();
    book.apply(KeyWindow { max_count: WINDOW, ..KeyWindow::DEFAULT });
    let ids = common::budget_ids(1_000);
    for request in common::allocations(&ids) {
        book.apply(request);
    }
    for number in 0..WINDOW + VECTOR + count {
        let RecordSpend { budget_id, spend, .. } = spend(&ids, number, false);
        let id = book.apply(NewReservation::new(budget_id, 5_000)).to_string();
        book.apply(Settle { reservation_id: ReservationId::from(id), spend });
    }
    black_box(book.state.state_hash());
    count
}

// ---- the engine -------------------------------------------------------------------------------------------------

/// An engine without a thread, and the clock that it goes by.
struct Desk {
    engine: Blocking,
    clock: ManualClock,
    ids: Vec<BudgetId>,
}

impl Desk {
    fn open(book: &Path, options: Options) -> Desk {
        let clock = ManualClock::new(Timestamp::parse("2026-11-21T09:00:00Z").unwrap());
        let engine = Desk::options(options, &clock)
            .key_window(KeyWindow { max_count: WINDOW, ..KeyWindow::DEFAULT })
            .open_blocking(book)
            .unwrap();
        Desk { engine, clock, ids: common::budget_ids(1_000) }
    }

    fn options(options: Options, clock: &ManualClock) -> Options {
        let clock = SimulatedClock::new(clock.clone());
        options.inline().clock(clock).entropy(SeededEntropy::new(7))
    }

    /// A desk with budgets, and as many spends as are remembered.
    fn furnished(book: &Path, options: Options) -> Desk {
        let desk = Desk::open(book, options);
        desk.submit(common::allocations(&desk.ids).collect());
        desk.spends(0..WINDOW + VECTOR, false);
        desk
    }

    fn spends(&self, numbers: std::ops::Range<u64>, has_given_ids: bool) {
        for first in numbers.clone().step_by(512) {
            let some = first..numbers.end.min(first + VECTOR);
            self.submit(some.map(|number| spend(&self.ids, number, has_given_ids).into()).collect());
        }
    }

    fn submit(&self, requests: Vec<Request>) {
        self.clock.advance(Duration::from_millis(1));
        for pending in self.engine.submit_all(requests).unwrap() {
            black_box(pending.wait().unwrap());
        }
    }
}

fn engine_spends(count: u64) -> u64 {
    let dir = common::directory();
    let desk = Desk::furnished(dir.path(), common::interval());
    desk.spends(WINDOW + VECTOR..WINDOW + VECTOR + count, false);
    count
}

fn engine_spends_with_ids(count: u64) -> u64 {
    let dir = common::directory();
    let desk = Desk::open(dir.path(), common::interval());
    desk.submit(common::allocations(&desk.ids).collect());
    desk.spends(0..WINDOW + VECTOR + count, true);
    count
}

fn engine_turns(count: u64) -> u64 {
    let dir = common::directory();
    let desk = Desk::open(dir.path(), common::interval());
    let pending = desk.engine.submit_all((0..1_000).map(|number| goal(number).into()).collect()).unwrap();
    let goals: Vec<GoalId> =
        pending.into_iter().map(|pending| pending.wait().unwrap().result.into_goal().unwrap().id).collect();
    for first in (0..WINDOW + VECTOR + count).step_by(512) {
        desk.submit((first..first + VECTOR).map(|number| turn(&goals, number).into()).collect());
    }
    count
}

fn engine_spends_alone(count: u64) -> u64 {
    let dir = common::directory();
    let desk = Desk::furnished(dir.path(), Options::new().durability(Durability::Sync));
    for number in 0..count {
        desk.clock.advance(Duration::from_micros(200));
        black_box(desk.engine.execute(spend(&desk.ids, number, false)).unwrap());
    }
    count
}

// ---- events and journals ----------------------------------------------------------------------------------------

/// A book with so many spends and no snapshot, closed.
fn closed_book(book: &Path, spends: u64, segment_bytes: u64) {
    let options = common::interval().segment_bytes(segment_bytes).snapshot_bytes(u64::MAX);
    let desk = Desk::furnished(book, options.retention(Retention::keep_all()));
    desk.spends(WINDOW + VECTOR..spends, false);
    desk.engine.shutdown(Duration::from_secs(60)).unwrap();
}

/// A line, and its event, of each of so many spends.
fn sample(spends: u64) -> Vec<(Vec<u8>, ChangeEvent)> {
    let dir = common::directory();
    closed_book(dir.path(), WINDOW + 2 * VECTOR + spends, 1 << 20);
    let reader = JournalReader::open(dir.path()).unwrap();
    let mut events = reader.events(WINDOW + 2 * VECTOR).unwrap();
    let mut sample = Vec::new();
    while let Some(event) = events.next().unwrap() {
        sample.push((event.line.to_vec(), event.decode().unwrap()));
    }
    sample.truncate(usize::try_from(spends).unwrap());
    sample
}

fn encode(count: u64) -> u64 {
    let (sample, mut out) = (sample(VECTOR), Vec::with_capacity(1 << 10));
    for (_, event) in sample.iter().cycle().take(usize::try_from(count).unwrap()) {
        out.clear();
        encode_event(black_box(event), &mut out);
        black_box(&out);
    }
    count
}

fn decode(count: u64) -> u64 {
    let sample = sample(VECTOR);
    for (line, _) in sample.iter().cycle().take(usize::try_from(count).unwrap()) {
        black_box(decode_event(black_box(line)).unwrap());
    }
    count
}

fn replay(count: u64) -> u64 {
    let dir = common::directory();
    closed_book(dir.path(), 2 * WINDOW, 1 << 20);
    (0..count)
        .map(|_| black_box(JournalReader::open(dir.path()).unwrap().state(StateAt::End).unwrap()).seq)
        .sum()
}

fn walk(count: u64) -> u64 {
    let dir = common::directory();
    closed_book(dir.path(), 2 * WINDOW, 1 << 20);
    let mut lines = 0;
    for _ in 0..count {
        let reader = JournalReader::open(dir.path()).unwrap();
        let mut events = reader.events(1).unwrap();
        while let Some(event) = events.next().unwrap() {
            black_box(event.line);
            lines += 1;
        }
    }
    lines
}

fn restore(count: u64) -> u64 {
    let dir = common::directory();
    closed_book(dir.path(), 2 * WINDOW, 1 << 18);
    // What is pruned has to be in a snapshot, so that there is one which little comes after.
    reopen(dir.path(), Retention::new().segments(1));
    for _ in 0..count {
        let after_snapshot = reopen(dir.path(), Retention::keep_all());
        assert!(after_snapshot < WINDOW / 2, "{after_snapshot} events had to be replayed");
    }
    count * WINDOW
}

/// Opens a book and closes it. How many events come after its newest snapshot.
fn reopen(book: &Path, retention: Retention) -> u64 {
    let clock = ManualClock::new(Timestamp::parse("2026-11-21T10:00:00Z").unwrap());
    let options = common::interval().snapshot_bytes(u64::MAX).retention(retention);
    let engine = Desk::options(options, &clock).open_blocking(book).unwrap();
    engine.shutdown(Duration::from_secs(60)).unwrap();
    let health = engine.health();
    health.seq - health.last_snapshot_seq.unwrap_or(0)
}

// ---- reads ------------------------------------------------------------------------------------------------------

fn check(count: u64) -> u64 {
    let dir = common::directory();
    let desk = Desk::furnished(dir.path(), common::interval());
    for number in 0..count {
        black_box(desk.engine.check(&desk.ids[common::scattered(number, desk.ids.len())], 1_000).unwrap());
    }
    count
}

fn view(count: u64) -> u64 {
    let dir = common::directory();
    let desk = Desk::furnished(dir.path(), common::interval());
    for number in 0..count {
        black_box(
            desk.engine.view().available(&desk.ids[common::scattered(number, desk.ids.len())]).unwrap(),
        );
    }
    count
}

/// Subscribes at some `seq` and takes so many events, again and again.
fn resume(count: u64, events: u64) -> u64 {
    let dir = common::directory();
    let desk = Desk::furnished(dir.path(), common::interval());
    // So many that a segment is closed.
    desk.spends(WINDOW + VECTOR..4 * WINDOW, false);
    let last_start = usize::try_from(desk.engine.view().seq() - 1_000).unwrap();
    for number in 0..count {
        let seq = 1 + u64::try_from(common::scattered(number, last_start)).unwrap();
        let mut feed = desk.engine.subscribe(Start::From(seq)).unwrap();
        let mut left = events;
        while left > 0 {
            if let Some(FeedItem::Event(event)) = feed.try_next().unwrap() {
                black_box::<Arc<_>>(event);
                left -= 1;
            }
        }
    }
    count
}

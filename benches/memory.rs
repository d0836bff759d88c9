//! Memory: exactly how many bytes what is open and what is remembered takes.
//!
//! `cargo bench --bench memory [-- --budgets N] [-- --quick]`. What is asked of the allocator is counted. What a thing
//! takes is how much two states of different size differ, by thing, so that what there is only once does not count:
//! in the state of the domain, without a journal. The bytes are those asked for, with how many blocks they are in (glibc
//! adds 8 bytes to a block and makes it a multiple of 16).
//!
//! Before that, an engine with so many open budgets (`--budgets`): by how much the resident set of the process grew until it was at
//! rest, and the most that it ever was, which includes a snapshot of its state. It is read from `/proc/self/status`, so on
//! Linux only.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program of its own"
)]

mod common;

use std::ops::Range;

use common::book::Book;
use common::cpu::Cpu;
use tallybook::{
    BudgetId, Fraction, Json, KeyWindow, NewBudget, NewGoal, NewReservation, RecordEvent, RecordSpend,
    Request, ReservationId, SetProgress, Settle, Spend,
};

// ---- the state of the domain ------------------------------------------------------------------------------------

/// What makes so many of one thing.
type Fill = fn(&mut Book, Range<u64>);

/// The budgets that are there in any case have numbers from here on.
const FIRST_OF_ALL: u64 = 10_000_000;

fn main() {
    let budgets =
        common::argument("--budgets").unwrap_or(if common::flag("--quick") { 10_000 } else { 100_000 });
    println!("{:<52} {:>9} {:>9} {:>13}", "each", "bytes", "blocks", "of how many");
    // Before anything else has been taken and given back.
    engine(budgets);
    open(budgets);
    remembered();
}

/// What is open; nothing that was done is remembered, but for the last of each kind.
fn open(count: u64) {
    let row = |name, fill| row(name, 1, 0..count, fill);
    row("open budget", budgets);
    row("open budget that was spent of", |book, numbers| {
        budgets(book, numbers.clone());
        for number in numbers {
            book.apply(RecordSpend::new(budget(number), Spend::of(1_000)));
        }
    });
    row("open budget that was spent of, and a hold on it", |book, numbers| {
        budgets(book, numbers.clone());
        for number in numbers {
            book.apply(RecordSpend::new(budget(number), Spend::of(1_000)));
            book.apply(NewReservation::new(budget(number), 1_000));
        }
    });
    row("open goal, with a token budget", |book, numbers| {
        for number in numbers {
            let goal =
                NewGoal::new("find the failing test and mend it").scope(format!("session-{number:07}"));
            book.apply(goal.token_budget(100_000));
        }
    });
}

/// What is remembered.
fn remembered() {
    let row = |name, fill| row(name, KeyWindow::DEFAULT.max_count, 20_000..60_000, fill);
    row("remembered spend, id of the engine's", |book, numbers| {
        for number in numbers {
            book.apply(spend(number));
        }
    });
    row("remembered spend, id of the caller's (16 bytes)", |book, numbers| {
        for number in numbers {
            let RecordSpend { budget_id, spend, .. } = spend(number);
            book.apply(RecordSpend::new(budget_id, spend.id(format!("call-{number:011}"))));
        }
    });
    row("remembered spend, with a key (16 bytes)", |book, numbers| {
        for number in numbers {
            book.apply(Request::from(spend(number)).key(format!("call-{number:011}")));
        }
    });
    row("remembered key alone (16 bytes)", |book, numbers| {
        for number in numbers {
            book.apply(progress(number).key(format!("call-{number:011}")));
        }
    });
    row("remembered key alone (a UUID, 36 bytes)", |book, numbers| {
        for number in numbers {
            book.apply(progress(number).key(book.next_id().to_string()));
        }
    });
    row("remembered reservation that was settled, its spend", |book, numbers| {
        for number in numbers {
            let RecordSpend { budget_id, spend, .. } = spend(number);
            let id = book.apply(NewReservation::new(budget_id, 5_000)).to_string();
            book.apply(Settle { reservation_id: ReservationId::from(id), spend });
        }
    });
    row("remembered id of a host's event (16 bytes)", |book, numbers| {
        for number in numbers {
            let event = RecordEvent::new("checkpoint", Json::default());
            book.apply(event.id(format!("even-{number:011}")));
        }
    });
}

/// Measures from the first number to the last; those before it are there already.
fn row(name: &str, max_count: u64, numbers: Range<u64>, fill: Fill) {
    let mut book = Book::new();
    if max_count != KeyWindow::DEFAULT.max_count {
        book.apply(KeyWindow { max_count, ..KeyWindow::DEFAULT });
    }
    book.apply(NewBudget::new("root").unlimited());
    budgets(&mut book, FIRST_OF_ALL..FIRST_OF_ALL + 1_000);
    fill(&mut book, 0..numbers.start);
    book.publish();
    let count = numbers.end - numbers.start;
    let taken = allocation_counter::measure(|| {
        fill(&mut book, numbers);
        book.publish();
    });
    let each = |of: i64| common::each(u64::try_from(of).unwrap(), count);
    println!("{name:<52} {:>9.1} {:>9.2} {count:>13}", each(taken.bytes_current), each(taken.count_current));
}

fn budgets(book: &mut Book, numbers: Range<u64>) {
    for number in numbers {
        book.apply(below_root(number));
    }
}

fn below_root(number: u64) -> NewBudget {
    NewBudget::new(budget(number)).limit(1_000_000_000).parent("root")
}

fn budget(number: u64) -> BudgetId {
    BudgetId::from(format!("budget-{number:08}"))
}

fn spend(number: u64) -> RecordSpend {
    RecordSpend::new(budget(FIRST_OF_ALL + number % 1_000), Spend::of(1_000).tool("web.search"))
}

/// A command of which nothing is remembered but its key.
fn progress(number: u64) -> Request {
    let progress = Fraction::from_ppm(u32::try_from(number % 1_000_000).unwrap()).unwrap();
    SetProgress { budget_id: budget(FIRST_OF_ALL + number % 1_000), progress }.into()
}

// ---- an engine --------------------------------------------------------------------------------------------------

fn engine(count: u64) {
    let dir = common::directory();
    let before = resident("VmRSS:");
    // Segments so small that they are closed, and so snapshots that are made, on the way.
    let engine = common::interval().segment_bytes(1 << 20).snapshot_bytes(0).open_blocking(&dir).unwrap();
    engine.allocate(NewBudget::new("root").unlimited()).unwrap();
    common::submit(&engine, (0..count).map(|number| below_root(number).into()));
    Cpu::wait_for_calm();
    for (name, field) in [("at rest", "VmRSS:"), ("at most", "VmHWM:")] {
        let each = common::each(resident(field).saturating_sub(before), count);
        println!("{:<52} {each:>9.1} {count:>23}", format!("engine with open budgets, {name}"));
    }
}

/// A size of the resident set, in bytes.
fn resident(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

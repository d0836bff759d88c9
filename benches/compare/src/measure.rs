//! Running a contestant: durable commands from many callers at once, and a history that is filled, replayed and read.
//! What a store holds afterwards is read back and compared with what was carried out.

use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::Outcome;
use crate::order::{Ledger, Order};
use crate::store::{Blocking, Chronicle, Level, Store, Tasks};

/// How long reads of one kind go on, and how often at most.
const READING: Duration = Duration::from_millis(300);
const READS: u64 = 500;
/// Neighbouring reads begin so far apart, so that each has to find its place anew.
const READ_STEP: u64 = 7_919;

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
pub(crate) fn rate(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

/// The orders of one of the callers, one after the other.
struct Caller {
    next: u64,
    in_flight: u64,
    count: u64,
}

impl Caller {
    fn new(first: usize, in_flight: usize) -> Caller {
        Caller { next: first as u64, in_flight: in_flight as u64, count: 0 }
    }

    fn order(&self) -> Order {
        Order::numbered(self.next)
    }

    fn done(&mut self) {
        self.next += self.in_flight;
        self.count += 1;
    }
}

/// Durable commands a second, each caller a thread of its own.
pub(crate) fn by_threads<S: Blocking>(dir: &Path, in_flight: usize, slice: Duration) -> Outcome<f64> {
    let store = S::open(dir, Level::Synced)?;
    let (barrier, store_of_all) = (Barrier::new(in_flight + 1), &store);
    let work = |first: usize| {
        let mut caller = Caller::new(first, in_flight);
        barrier.wait();
        let start = Instant::now();
        while start.elapsed() < slice {
            let receipt = store_of_all.spend(caller.order())?;
            std::hint::black_box((receipt.seq, receipt.spent));
            caller.done();
        }
        Ok(caller.count)
    };
    let (start, counts) = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..in_flight).map(|first| scope.spawn(move || work(first))).collect();
        barrier.wait();
        let start = Instant::now();
        let counts = threads.into_iter().map(|thread| thread.join().map_err(|_| "a caller panicked")?);
        (start, counts.collect::<Outcome<Vec<u64>>>())
    });
    finish(store, dir, start.elapsed(), &counts?)
}

/// Durable commands a second, each caller a task of its own.
pub(crate) fn by_tasks<S: Tasks>(dir: &Path, in_flight: usize, slice: Duration) -> Outcome<f64> {
    let store = Arc::new(S::open(dir, Level::Synced)?);
    let start = Instant::now();
    let counts = Handle::current().block_on(async {
        let work = |first| {
            let (store, mut caller) = (Arc::clone(&store), Caller::new(first, in_flight));
            tokio::spawn(async move {
                while start.elapsed() < slice {
                    let receipt = store.spend(caller.order()).await?;
                    std::hint::black_box((receipt.seq, receipt.spent));
                    caller.done();
                }
                Outcome::Ok(caller.count)
            })
        };
        let tasks: Vec<_> = (0..in_flight).map(work).collect();
        let mut counts = Vec::with_capacity(in_flight);
        for task in tasks {
            counts.push(task.await??);
        }
        Outcome::Ok(counts)
    })?;
    let elapsed = start.elapsed();
    finish(Arc::into_inner(store).ok_or("a caller is still there")?, dir, elapsed, &counts)
}

/// Closes the store, and looks whether everything that was answered is in it.
fn finish<S: Store>(store: S, dir: &Path, elapsed: Duration, counts: &[u64]) -> Outcome<f64> {
    store.close()?;
    Ledger::after(counts).expect(&S::replay(dir)?)?;
    Ok(rate(counts.iter().sum(), elapsed))
}

/// What came of a history.
#[derive(Debug)]
pub(crate) struct Chronicled {
    /// Events a second.
    pub(crate) filled: f64,
    pub(crate) replayed: f64,
    /// Median seconds.
    pub(crate) first: f64,
    pub(crate) thousand: f64,
}

/// Fills a history with so many events, replays it, and reads in the middle of it.
pub(crate) fn chronicle<S: Chronicle>(dir: &Path, events: u64) -> Outcome<Chronicled> {
    let store = S::open(dir, Level::Relaxed)?;
    let start = Instant::now();
    store.fill((0..events).map(Order::numbered))?;
    let filled = rate(events, start.elapsed());
    store.close()?;
    let start = Instant::now();
    let ledger = S::replay(dir)?;
    let replayed = rate(events, start.elapsed());
    Ledger::after(&[events]).expect(&ledger)?;
    let mut store = S::open(dir, Level::Synced)?;
    let first = reads(&mut store, events, 1)?;
    let thousand = reads(&mut store, events, 1_000)?;
    store.close()?;
    Ok(Chronicled { filled, replayed, first, thousand })
}

/// The median of reads of so many events, each from another place in the middle half of the history.
fn reads<S: Chronicle>(store: &mut S, events: u64, count: u64) -> Outcome<f64> {
    let (start, mut times) = (Instant::now(), Vec::new());
    for turn in 0..READS {
        let number = events / 4 + turn * READ_STEP % (events / 2).saturating_sub(count).max(1);
        let before = Instant::now();
        let sum = store.read(number, count)?;
        times.push(before.elapsed().as_secs_f64());
        let expected: u64 = (number..number + count).map(|number| Order::numbered(number).amount).sum();
        if sum != expected {
            return Err(format!("expected {count} events of {expected} from {number} on, found {sum}").into());
        }
        if start.elapsed() > READING {
            break;
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

//! The pace of snapshots under a flood: what is put off is made when its time has come, when too much waits for it, and
//! when the engine is closed.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test, which waits for a thread")]

mod common;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use common::clock;
use tallybook::storage::{Files, LockPeek, SharedPage, SimulatedDisk, Storage, StorageFile};
use tallybook::{Blocking, Json, ManualClock, Options, RecordEvent, Retention, SimulatedClock};

const MIB: u64 = 1 << 20;

/// How long a snapshot takes.
#[derive(Debug, Clone)]
enum Takes {
    /// By a clock that stands still otherwise.
    ByTheClock(ManualClock, Duration),
    Really(Duration),
}

/// A storage on which a snapshot takes its time.
#[derive(Debug)]
struct Slow(Arc<dyn Storage>, Takes);

impl Storage for Slow {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.0.create(name)
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.0.open(name)
    }
    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.0.open_writable(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        if to.ends_with(".snap") {
            match &self.1 {
                Takes::ByTheClock(clock, time) => clock.advance(*time),
                Takes::Really(time) => std::thread::sleep(*time),
            }
        }
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }
    fn try_lock(&self, name: &str) -> io::Result<Option<Arc<SharedPage>>> {
        self.0.try_lock(name)
    }
    fn peek_lock(&self, name: &str) -> io::Result<Option<LockPeek>> {
        self.0.peek_lock(name)
    }
}

/// Everything by hand: a snapshot takes a second.
fn simulated(options: Options) -> (SimulatedDisk, ManualClock, Blocking) {
    let (disk, clock) = (SimulatedDisk::new(1), clock());
    let storage = Slow(disk.process(), Takes::ByTheClock(clock.clone(), Duration::from_secs(1)));
    let options = options.inline().clock(SimulatedClock::new(clock.clone()));
    let options = options.segment_bytes(MIB).retention(Retention::keep_all());
    let engine = options.open_storage(Arc::new(storage)).unwrap().blocking();
    (disk, clock, engine)
}

/// Events of the host that fill so many segments of one MiB, or a little less.
fn flood(engine: &Blocking, segments: u64) {
    let data = Json::parse(&format!("\"{}\"", "x".repeat(60_000))).unwrap();
    for _ in 0..segments * 17 {
        engine.execute(RecordEvent::new("flood", data.clone())).unwrap();
    }
}

/// Up to which event the newest snapshot is.
fn newest(engine: &Blocking) -> u64 {
    engine.health().last_snapshot_seq.unwrap_or(0)
}

/// Waits for what another thread does.
fn until(is_so: impl Fn() -> bool) {
    let waited = std::time::Instant::now();
    while !is_so() {
        assert!(waited.elapsed() < common::DEADLINE, "waited in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_put_off_is_made_when_its_time_has_come_though_nothing_more_is_closed() {
    let (_disk, clock, engine) = simulated(Options::new());
    flood(&engine, 14);
    let first = newest(&engine);
    assert!(first > 0, "the first waits for nothing");
    flood(&engine, 28);
    assert_eq!(newest(&engine), first, "not within nine seconds of one that took a second");
    clock.advance(Duration::from_millis(8_900));
    engine.settled_view().unwrap();
    assert_eq!(newest(&engine), first);
    clock.advance(Duration::from_millis(200));
    engine.settled_view().unwrap();
    let second = newest(&engine);
    assert!(
        second > first + 17 * 26 && second <= engine.view().seq(),
        "of all that is closed, found {second}"
    );
    clock.advance(Duration::from_secs(60));
    engine.settled_view().unwrap();
    assert_eq!(newest(&engine), second, "and once");
}

#[test]
fn no_more_than_so_much_waits_for_a_snapshot() {
    let (_disk, _clock, engine) = simulated(Options::new());
    flood(&engine, 14);
    let first = newest(&engine);
    flood(&engine, 120);
    assert_eq!(newest(&engine), first);
    flood(&engine, 14);
    assert!(newest(&engine) > first + 17 * 120, "128 MiB at most, found {}", newest(&engine));
}

#[test]
fn what_the_host_said_is_done_as_it_said() {
    let (_disk, _clock, engine) = simulated(Options::new().snapshot_bytes(Options::DEFAULT_SNAPSHOT_BYTES));
    flood(&engine, 14);
    let first = newest(&engine);
    flood(&engine, 14);
    assert!(newest(&engine) > first && first > 0);
}

#[test]
fn closing_makes_what_was_put_off() {
    let (disk, _clock, engine) = simulated(Options::new());
    flood(&engine, 42);
    let (first, seq) = (newest(&engine), engine.view().seq());
    drop(engine);
    let snapshots: Vec<String> = disk.names().into_iter().filter(|name| name.ends_with(".snap")).collect();
    assert_eq!(snapshots.len(), 2, "{snapshots:?}");
    let again = Options::new().inline().open_storage(disk.process()).unwrap().blocking();
    assert!((seq - 17 * 3..=seq).contains(&newest(&again)) && newest(&again) > first);
}

#[test]
fn the_thread_of_the_writer_has_it_done_while_nothing_happens() {
    let dir = tempfile::tempdir().unwrap();
    let files = Arc::new(Files::create(&dir.path().join("book")).unwrap());
    let storage = Slow(files, Takes::Really(Duration::from_millis(100)));
    let options = Options::new().segment_bytes(MIB).retention(Retention::keep_all());
    let engine = options.open_storage(Arc::new(storage)).unwrap().blocking();
    flood(&engine, 14);
    until(|| newest(&engine) > 0);
    let first = newest(&engine);
    flood(&engine, 14);
    until(|| newest(&engine) > first);
}

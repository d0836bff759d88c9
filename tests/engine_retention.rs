//! Retention and archives through the API: what health tells, and an archive of the host's own.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tallybook::storage::{SimulatedDisk, Storage};
use tallybook::{
    Archive, ArchiveError, ArchivedSegment, Blocking, DirectoryArchive, Health, JournalReader, ManualClock,
    NewGoal, Options, Retention, StateAt, Timestamp, Turn,
};

/// File, first and last `seq`, and the bytes.
type Kept = (String, u64, u64, Vec<u8>);

/// Keeps what it gets, unless it is broken: then it says so, or panics.
#[derive(Clone, Default)]
struct Shelf {
    kept: Arc<Mutex<Vec<Kept>>>,
    is_broken: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
}

impl Archive for Shelf {
    fn archive(&self, segment: &ArchivedSegment<'_>) -> Result<(), ArchiveError> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err("the shelf is broken".into());
        }
        assert!(!self.panics.load(Ordering::SeqCst), "the shelf fell over");
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut segment.reader(), &mut bytes)?;
        self.kept.lock().unwrap().push((segment.file.to_owned(), segment.first_seq, segment.last_seq, bytes));
        Ok(())
    }
}

fn options() -> Options {
    Options::new().inline().segment_bytes(16 << 10).retention(Retention::new().segments(1))
}

fn open(storage: Arc<dyn Storage>, options: Options) -> Blocking {
    options.open_storage(storage).unwrap().blocking()
}

/// As many turns as it takes to close so many segments.
fn close_segments(engine: &Blocking, storage: &dyn Storage, count: u64) {
    let newest = || storage.list().unwrap().into_iter().filter(|name| name.ends_with(".seg")).max().unwrap();
    let number = || newest()[..10].parse::<u64>().unwrap();
    let goal = match engine.view().active_goal("") {
        Some(goal) => goal.id,
        None => engine.create_goal(NewGoal::new("ship 2.0")).unwrap().id,
    };
    let target = number() + count;
    while number() < target {
        engine.record_turn(goal, Turn::tokens(1)).unwrap();
    }
}

fn failures(health: &Health) -> (u64, u64, Option<String>) {
    let last = health.last_upkeep_error.as_ref().map(ToString::to_string);
    (health.archive_failures, health.upkeep_failures, last)
}

#[test]
fn health_tells_the_floor_and_the_snapshots() {
    let disk = SimulatedDisk::new(1);
    let storage = disk.process();
    let engine = open(Arc::clone(&storage), options());
    let health = engine.health();
    assert_eq!((health.retention_floor, health.snapshots, health.last_snapshot_seq), (1, 0, None));
    close_segments(&engine, &*storage, 4);
    let health = engine.health();
    let reader = JournalReader::with_storage(Arc::clone(&storage)).unwrap();
    let statistics = reader.statistics().unwrap();
    let base = &statistics.snapshots[0];
    assert!(health.retention_floor > 1 && base.is_base);
    assert_eq!(health.retention_floor, statistics.retention_floor);
    assert_eq!(health.snapshots, statistics.snapshots.len());
    assert_eq!(health.last_snapshot_seq, statistics.snapshots.last().map(|newest| newest.seq));
    assert_eq!(reader.state(StateAt::Seq(base.seq)).unwrap().state_hash(), base.state_hash);
    assert_eq!(failures(&health), (0, 0, None));
    drop(engine);
    let again = open(disk.process(), options()).health();
    assert_eq!((again.retention_floor, again.snapshots), (health.retention_floor, health.snapshots));
}

#[test]
fn an_archive_gets_every_segment_that_goes_once_and_whole() {
    let disk = SimulatedDisk::new(2);
    let storage = disk.process();
    let shelf = Shelf::default();
    let engine = open(Arc::clone(&storage), options().archive(shelf.clone()));
    close_segments(&engine, &*storage, 6);
    let floor = engine.health().retention_floor;
    let kept = shelf.kept.lock().unwrap();
    let mut next = 1;
    for ((file, first_seq, last_seq, bytes), number) in kept.iter().zip(1u64..) {
        assert_eq!(*file, format!("{number:010}-{next:020}.seg"));
        assert_eq!(*first_seq, next);
        assert!((8_192..=16_384).contains(&bytes.len()) && bytes.starts_with(b"\x89TBS"), "{}", bytes.len());
        next = last_seq + 1;
    }
    assert_eq!((kept.len(), next), (5, floor));
}

#[test]
fn an_archive_that_fails_or_panics_keeps_the_segments_and_the_engine_lives_on() {
    let disk = SimulatedDisk::new(3);
    let storage = disk.process();
    let shelf = Shelf::default();
    shelf.is_broken.store(true, Ordering::SeqCst);
    let engine = open(Arc::clone(&storage), options().archive(shelf.clone()));
    close_segments(&engine, &*storage, 3);
    let (archive, upkeep, last) = failures(&engine.health());
    assert_eq!((archive, upkeep, engine.health().retention_floor), (2, 2, 1));
    assert!(last.as_ref().is_some_and(|last| last.contains("the shelf is broken")), "{last:?}");
    assert!(last.unwrap().contains("0000000001-00000000000000000001.seg"));

    shelf.is_broken.store(false, Ordering::SeqCst);
    shelf.panics.store(true, Ordering::SeqCst);
    close_segments(&engine, &*storage, 1);
    let (archive, upkeep, last) = failures(&engine.health());
    assert_eq!((archive, upkeep, engine.health().retention_floor), (3, 3, 1));
    assert!(last.unwrap().contains("panicked"));

    shelf.panics.store(false, Ordering::SeqCst);
    close_segments(&engine, &*storage, 1);
    let health = engine.health();
    assert_eq!(failures(&health), (3, 3, None), "the last went well");
    assert_eq!(shelf.kept.lock().unwrap().len(), 4);
    assert!(health.retention_floor > 1);
}

#[test]
fn an_archive_on_a_full_disk_keeps_the_segments() {
    let (disk, archive) = (SimulatedDisk::new(4), SimulatedDisk::new(5));
    let storage = disk.process();
    archive.set_capacity(Some(40_000));
    let options = options().archive(DirectoryArchive::in_storage(archive.process()));
    let engine = open(Arc::clone(&storage), options);
    close_segments(&engine, &*storage, 6);
    let health = engine.health();
    assert_eq!(archive.names().len(), 2, "{:?}", archive.names());
    assert!(health.archive_failures > 0 && health.retention_floor > 1);
    archive.set_capacity(None);
    close_segments(&engine, &*storage, 1);
    assert_eq!(archive.names().len(), 6);
    assert!(engine.health().last_upkeep_error.is_none());
}

#[test]
fn law_retain_the_base_has_the_state_of_all_that_was_pruned() {
    let disk = SimulatedDisk::new(6);
    let storage = disk.process();
    let engine = open(Arc::clone(&storage), options());
    close_segments(&engine, &*storage, 4);
    let head = engine.view().head();
    assert!(engine.health().retention_floor > 1);
    drop(engine);
    let again = open(disk.process(), options()).view().head();
    assert_eq!((again.seq, again.state_hash), (head.seq, head.state_hash));
}

/// The state at the end of a segment is snapshotted as the writer had it: nothing that lies in segments is read for it, so
/// that not even damage there keeps it from being made. Read again it is.
#[test]
fn law_retain_a_snapshot_is_made_of_the_state_at_hand_and_read_again() {
    let disk = SimulatedDisk::new(8);
    let storage = disk.process();
    let keep_all = || options().retention(Retention::keep_all()).snapshot_bytes(20 << 10);
    let engine = open(Arc::clone(&storage), keep_all());
    close_segments(&engine, &*storage, 1);
    assert_eq!(engine.health().snapshots, 0, "a segment has 16 KiB");
    let first = disk.names().into_iter().filter(|name| name.ends_with(".seg")).min().unwrap();
    let (bytes, mut bent) = (disk.contents(&first).unwrap(), disk.contents(&first).unwrap());
    bent[5_000..6_000].fill(0);
    disk.put(&first, &bent);
    close_segments(&engine, &*storage, 1);
    let health = engine.health();
    assert_eq!((health.snapshots, failures(&health).2), (1, None));
    disk.put(&first, &bytes);
    let snapshot =
        JournalReader::with_storage(disk.process()).unwrap().statistics().unwrap().snapshots[0].clone();
    let replayed = JournalReader::with_storage(disk.process()).unwrap();
    let state = replayed.state(StateAt::Seq(snapshot.seq)).unwrap();
    assert_eq!(state.state_hash(), snapshot.state_hash);
    let head = engine.view().head();
    drop(engine);
    for name in disk.names().into_iter().filter(|name| name.ends_with(".snap")) {
        disk.process().remove(&name).unwrap();
    }
    let again = open(disk.process(), keep_all());
    let (folded, health) = (again.view().head(), again.health());
    assert_eq!((folded.seq, folded.state_hash), (head.seq, head.state_hash));
    let made =
        JournalReader::with_storage(disk.process()).unwrap().statistics().unwrap().snapshots[0].clone();
    assert_eq!(
        (health.snapshots, made.state_hash),
        (1, snapshot.state_hash),
        "folded from the segments, it is the same"
    );
}

/// What is told of the time of the last event is told by the base, where no event is left.
#[test]
fn law_order_time_does_not_go_back_when_all_events_are_pruned() {
    let disk = SimulatedDisk::new(7);
    let storage = disk.process();
    let clock = ManualClock::new(Timestamp::parse("2026-11-21T09:00:00Z").unwrap());
    let pruning = || options().retention(Retention::new().segments(0)).clock(clock.clone());
    let engine = open(Arc::clone(&storage), pruning());
    close_segments(&engine, &*storage, 2);
    disk.kill();
    drop(engine);
    // As if the power had gone before the first command in the newest segment was synced.
    let newest = disk.names().into_iter().filter(|name| name.ends_with(".seg")).max().unwrap();
    let mut bytes = disk.contents(&newest).unwrap();
    bytes[4_096..].fill(0);
    disk.put(&newest, &bytes);
    clock.set(Timestamp::parse("2025-11-21T09:00:00Z").unwrap());
    let engine = open(disk.process(), pruning());
    let goal = engine.create_goal(NewGoal::new("after the clock was set back").scope("2")).unwrap();
    assert_eq!(goal.created_at.to_string(), "2026-11-21T09:00:00.000000Z");
}

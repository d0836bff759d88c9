//! Calls fail while segments are archived and pruned and snapshots made, and the disk is full: the upkeep never halts the
//! engine, which lives on and tells; the next rotation makes up for it; and pruning frees room.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/retained.rs"]
mod retained;

use common::{
    Answer, DEADLINE, Shadow, Workload, answer_of, clock, must, newest_segment, open, options, segments,
};
use retained::{Shelf, closed_count, expect_tidy, expect_true_snapshots, floor, snapshots, tear};
use tallybook::format::{SegmentName, SnapshotName};
use tallybook::storage::{Fault, SimulatedDisk, Survivors};
use tallybook::{Blocking, EngineStatus, ErrorKind, KeyWindow, ManualClock, Options, Request, Retention};

/// What goes wrong, once.
#[derive(Debug, Clone, Copy)]
enum Wrong {
    Operation(u64, Fault),
    Read(u64),
}

/// A journal in the midst of its life, with torn bytes behind the end of a segment that is about to be pruned.
struct Story {
    disk: SimulatedDisk,
    clock: ManualClock,
    shadow: Shadow,
    workload: Workload,
    torn: (String, Vec<u8>),
}

fn small(seed: u64, clock: &ManualClock) -> Options {
    options(seed, clock).retention(Retention::new().segments(2)).snapshot_bytes(9_000)
}

impl Story {
    fn begin() -> Story {
        let (clock, disk) = (clock(), SimulatedDisk::new(6));
        let mut story = Story {
            disk,
            clock,
            shadow: Shadow::default(),
            workload: Workload::new(11),
            torn: (String::new(), Vec::new()),
        };
        let engine = open(&story.disk, small(1, &story.clock)).unwrap();
        story.commands(&engine, 4);
        story.disk.kill();
        let (torn, bytes) = tear(&story.disk);
        let engine = open(&story.disk, small(2, &story.clock)).unwrap();
        let stated = retained::segment_header(&story.disk, &newest_segment(&story.disk).0).predecessor;
        assert!(stated.discarded_len >= 333, "what was torn is stated");
        let (end, len) = (stated.end, stated.discarded_len);
        let discarded = usize::try_from(end).unwrap()..usize::try_from(end + len).unwrap();
        story.torn = (torn.replace(".seg", ".torn"), bytes[discarded].to_vec());
        story.commands(&engine, 4);
        engine.shutdown(DEADLINE).unwrap();
        story.disk.restart(Survivors::Nothing);
        story
    }

    fn fork(&self) -> Story {
        let disk = common::copy(&self.disk);
        let clock = ManualClock::new(tallybook::Clock::now(&self.clock));
        let (shadow, workload) = (self.shadow.clone(), self.workload.fork(3));
        Story { disk, clock, shadow, workload, torn: self.torn.clone() }
    }

    fn commands(&mut self, engine: &Blocking, count: u64) {
        for _ in 0..count {
            let request = self.workload.next(self.shadow.projection(), &self.clock);
            must(engine, &mut self.shadow, &self.clock, request);
        }
    }

    /// Goes on until so many segments were closed, or the engine halts. Whether it still runs.
    fn close_segments(&mut self, engine: &Blocking, count: u64) -> bool {
        let number = |disk| SegmentName::parse(&newest_segment(disk).0).unwrap().number;
        let target = number(&self.disk) + count;
        while number(&self.disk) < target {
            let request = self.workload.next(self.shadow.projection(), &self.clock);
            let seq = self.shadow.seq();
            let predicted = self.shadow.predict(&request, &self.clock);
            match answer_of(&engine.execute(request)) {
                Answer::NoSpace => self.shadow.take_back_to(seq),
                Answer::Halted | Answer::Unknown => return false,
                answer => assert!(predicted.allows(answer), "{predicted:?}, {answer:?}"),
            }
            self.shadow.acknowledge(engine.engine().health().durable_seq);
            if engine.engine().health().status == EngineStatus::Halted {
                return false;
            }
        }
        true
    }

    fn check(&mut self, engine: &Blocking) {
        let (floor, lines) = retained::retained(&self.disk);
        self.shadow.check_pruned(engine, floor, &lines);
        expect_true_snapshots(&self.disk, &self.shadow.history());
    }

    /// Nothing is left of what went wrong.
    fn expect_made_up_for(&self, engine: &Blocking) {
        let health = engine.engine().health();
        assert_eq!(health.last_upkeep_error.map(|error| error.to_string()), None);
        assert!(closed_count(&self.disk) <= 2, "{:?}", self.disk.names());
        assert_eq!(health.retention_floor, floor(&self.disk).first_seq);
        expect_tidy(&self.disk);
        let (name, torn) = &self.torn;
        let kept = self.disk.contents(name).unwrap_or_default();
        assert!(kept == *torn, "law EVIDENCE: {name} has {} bytes of {}", kept.len(), torn.len());
    }
}

/// Opens and goes on through some rotations, with one thing going wrong on the way; then closes, and looks again.
fn session(begun: &Story, wrong: Option<Wrong>, shelf: Option<&Shelf>) -> (u64, u64, bool) {
    let mut story = begun.fork();
    let disk = story.disk.clone();
    let (operations, reads) = (disk.operations(), disk.reads());
    match wrong {
        Some(Wrong::Operation(number, fault)) => disk.fail_at(operations + number, fault),
        Some(Wrong::Read(number)) => disk.fail_read_at(reads + number),
        None => {}
    }
    let options = |seed| match shelf {
        Some(shelf) => small(seed, &story.clock).archive(shelf.clone()),
        None => small(seed, &story.clock),
    };
    let (first, second) = (options(3), options(4));
    let mut tells = false;
    let (operations, reads) = match open(&disk, first) {
        Ok(engine) => {
            let mut is_running = true;
            for _ in 0..3 {
                is_running = is_running && story.close_segments(&engine, 1);
                // What a failed upkeep says is said until the next one.
                tells |= engine.engine().health().last_upkeep_error.is_some();
            }
            let health = engine.engine().health();
            tells &= health.upkeep_failures > 0;
            let counts = (disk.operations() - operations, disk.reads() - reads);
            if is_running && engine.shutdown(DEADLINE).is_ok() {
                story.shadow.expose();
            }
            if let Some(error) = engine.engine().health().last_error {
                let error = error.to_string();
                let upkeep = ["snapshot", "pruned", "floor", "torn", "archiv"];
                assert!(!upkeep.iter().any(|word| error.contains(word)), "the upkeep halted it: {error}");
            }
            counts
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::NoSpace), "{error:?}");
            let error = error.to_string();
            assert!(!error.contains("floor") && !error.contains("archiv"), "the upkeep refused it: {error}");
            (0, 0)
        }
    };
    // The power goes, so that whatever was done without a sync shows.
    let number = match wrong {
        Some(Wrong::Operation(number, _) | Wrong::Read(number)) => number,
        None => 0,
    };
    let cut = disk.fork(number);
    cut.restart(if number % 3 == 0 { Survivors::Nothing } else { Survivors::Seeded });
    story.disk = cut;
    let engine = open(&story.disk, second).expect("an honest journal was refused");
    story.check(&engine);
    assert!(story.close_segments(&engine, 2));
    story.check(&engine);
    story.expect_made_up_for(&engine);
    (operations, reads, tells)
}

#[test]
fn law_retain_every_operation_fails_once_and_the_next_rotation_makes_up_for_it() {
    let begun = Story::begin();
    let (operations, _, tells) = session(&begun, None, None);
    assert!(operations > 60 && !tells, "a session worth failing: {operations} operations");
    let mut told = 0;
    // All of them in all ways, or (unless rounds are asked for) a part.
    let is_whole = std::env::var_os("TALLYBOOK_ROUNDS").is_some();
    for operation in 0..operations {
        for (fault, number) in [Fault::Eio, Fault::Enospc, Fault::ShortWrite, Fault::SyncLost].iter().zip(0..)
        {
            if is_whole || number == operation % 5 || number + operation % 2 == 0 {
                let (_, _, tells) = session(&begun, Some(Wrong::Operation(operation, *fault)), None);
                told += u64::from(tells);
            }
        }
    }
    assert!(told > operations / 6, "{told} of {operations} operations told of a failed upkeep");
}

#[test]
fn law_retain_every_read_fails_once_and_the_next_rotation_makes_up_for_it() {
    let begun = Story::begin();
    let shelf = Shelf::default();
    let (_, reads, _) = session(&begun, None, Some(&shelf));
    let mut told = 0;
    for read in (0..reads).step_by(11) {
        let (_, _, tells) = session(&begun, Some(Wrong::Read(read)), Some(&Shelf::default()));
        told += u64::from(tells);
    }
    assert!(told > reads / 30, "{told} of {reads} reads told of a failed upkeep");
}

/// Options that let every closed segment go.
fn rules(seed: u64, clock: &ManualClock) -> Options {
    small(seed, clock).retention(Retention::new().segments(0))
}

impl Story {
    /// Three closed segments that may go, and nothing else to be done: of an upkeep, only the floor has the directory synced.
    fn with_all_to_go() -> Story {
        let mut begun = Story::begin();
        // So that the torn bytes are kept already.
        open(&begun.disk, rules(1, &begun.clock)).unwrap().shutdown(DEADLINE).unwrap();
        let keep_all = small(2, &begun.clock).retention(Retention::keep_all()).snapshot_bytes(u64::MAX);
        let engine = open(&begun.disk, keep_all).unwrap();
        assert!(begun.close_segments(&engine, 3));
        engine.shutdown(DEADLINE).unwrap();
        begun.disk.restart(Survivors::Everything);
        begun
    }
}

/// A floor that was moved and whose sync failed is no floor yet: nothing is removed below it before it is durable.
#[test]
fn law_retain_nothing_goes_below_a_floor_that_was_never_synced() {
    let begun = Story::with_all_to_go();
    let mut moved = 0;
    for operation in 0..60 {
        let story = begun.fork();
        let disk = &story.disk;
        disk.fail_at(disk.operations() + operation, Fault::Eio);
        let Ok(engine) = open(disk, rules(3, &story.clock)) else { continue };
        if engine.shutdown(DEADLINE).is_err() {
            continue;
        }
        let base = snapshots(disk).into_iter().rfind(|name| name.is_base);
        if base.is_none_or(|base| disk.durable_contents(&base.to_string()).is_ok()) {
            continue;
        }
        moved += 1;
        // The next process finds the name in the cache, and removes what it covers.
        let engine = open(disk, rules(4, &story.clock)).unwrap();
        let seq = engine.view().seq();
        for seed in 0..40 {
            let cut = disk.fork(seed);
            cut.restart(Survivors::Seeded);
            let again = open(&cut, rules(5, &story.clock)).expect("an honest journal was refused");
            assert_eq!(again.view().seq(), seq);
        }
    }
    assert_eq!(moved, 1, "one operation makes the floor durable");
}

#[test]
fn an_archive_that_fails_keeps_what_it_did_not_take_and_the_engine_lives_on() {
    let mut story = Story::begin();
    let shelf = Shelf::default();
    let engine = open(&story.disk, small(3, &story.clock).archive(shelf.clone())).unwrap();
    assert!(story.close_segments(&engine, 4));
    let before = floor(&story.disk);
    assert!(before.number > 1);
    shelf.fail(u64::MAX, false);
    assert!(story.close_segments(&engine, 4));
    assert_eq!(floor(&story.disk), before, "nothing goes that is not in the archive");
    let health = engine.engine().health();
    assert_eq!(health.status, EngineStatus::Running);
    assert!(health.archive_failures >= 4 && health.last_upkeep_error.is_some(), "{health:?}");
    // One of them can be archived, the next one cannot: so much goes.
    shelf.fail(0, false);
    assert!(story.close_segments(&engine, 1));
    assert!(floor(&story.disk).number > before.number + 4);
    story.expect_made_up_for(&engine);
    story.check(&engine);
    retained::whole_history(&shelf.twin(&story.disk));
}

/// A disk that holds a few segments holds a journal that prunes for ever.
#[test]
fn law_retain_on_a_small_disk_pruning_makes_the_room_that_is_needed() {
    let mut story = Story::begin();
    // So that the state does not grow all the time, as history does.
    let window = KeyWindow { max_count: 20, ..KeyWindow::DEFAULT };
    story.shadow.predict(&Request::from(window), &story.clock);
    let engine = open(&story.disk, small(3, &story.clock).key_window(window)).unwrap();
    assert!(story.close_segments(&engine, 3));
    story.disk.set_capacity(Some(320 << 10));
    let first = floor(&story.disk);
    story.commands(&engine, 400);
    assert!(floor(&story.disk).number > first.number + 60, "{:?}", story.disk.names());
    story.check(&engine);
    story.expect_made_up_for(&engine);
}

/// A journal that kept everything has filled the disk: opened with tighter rules, it makes room without needing any.
#[test]
fn law_retain_a_full_disk_is_pruned_up_to_the_newest_snapshot_there_is() {
    let mut story = Story::begin();
    let rules = small(3, &story.clock).retention(Retention::keep_all());
    let engine = open(&story.disk, rules).unwrap();
    assert!(story.close_segments(&engine, 12));
    engine.shutdown(DEADLINE).unwrap();
    let newest = *snapshots(&story.disk).last().expect("it was time for a snapshot");
    assert_eq!(floor(&story.disk).number, 1);
    for short_of_room in [0, 512, 3_000] {
        let mut story = story.fork();
        story.disk.set_capacity(Some(story.disk.used() + short_of_room));
        let used = story.disk.used();
        let rules = small(4, &story.clock).retention(Retention::new().segments(0));
        let engine = open(&story.disk, rules).expect("it is opened, full as the disk is");
        assert_eq!(engine.view().seq(), story.shadow.seq());
        assert!(floor(&story.disk) >= newest.before, "{:?}", story.disk.names());
        assert!(story.disk.used() < used * 3 / 4, "{} of {used} bytes", story.disk.used());
        story.check(&engine);
        // There is room for commands again, and for snapshots.
        story.commands(&engine, 20);
        story.disk.set_capacity(None);
        assert!(story.close_segments(&engine, 1));
        assert_eq!(engine.engine().health().last_upkeep_error.map(|error| error.to_string()), None);
        story.check(&engine);
    }
}

/// Without a snapshot and without room for one nothing can go; the engine is there, and says why.
#[test]
fn law_retain_a_full_disk_without_a_snapshot_keeps_everything() {
    let mut story = Story::begin();
    let keep_all = |seed, clock: &ManualClock| {
        options(seed, clock).retention(Retention::keep_all()).snapshot_bytes(u64::MAX)
    };
    let engine = open(&story.disk, keep_all(3, &story.clock)).unwrap();
    assert!(story.close_segments(&engine, 8));
    engine.shutdown(DEADLINE).unwrap();
    story.disk.set_capacity(Some(story.disk.used()));
    let before = segments(&story.disk).len();
    let engine = open(&story.disk, small(4, &story.clock)).unwrap();
    let health = engine.engine().health();
    assert_eq!(health.status, EngineStatus::Running);
    let error = health.last_upkeep_error.expect("it says why nothing goes");
    assert_eq!(*error.kind(), ErrorKind::NoSpace, "{error}");
    assert_eq!(segments(&story.disk).len(), before);
    assert!(!story.disk.names().contains(&"snapshot.tmp".to_owned()), "what little room there is");
    story.check(&engine);
    story.disk.set_capacity(None);
    assert!(story.close_segments(&engine, 1));
    story.expect_made_up_for(&engine);
}

/// The power goes at every operation of an opening that prunes: whatever is on the disk by then, the state is there, and the
/// journal is an honest one.
#[test]
fn law_retain_a_cut_at_every_operation_of_pruning_leaves_the_state() {
    let mut begun = Story::begin();
    let all = small(1, &begun.clock).retention(Retention::new().segments(0));
    // Once the torn bytes are kept, nothing but the floor has the directory synced.
    open(&begun.disk, all).unwrap().shutdown(DEADLINE).unwrap();
    let keep_all = small(2, &begun.clock).retention(Retention::keep_all()).snapshot_bytes(u64::MAX);
    let engine = open(&begun.disk, keep_all).unwrap();
    assert!(begun.close_segments(&engine, 3));
    engine.shutdown(DEADLINE).unwrap();
    begun.disk.restart(Survivors::Nothing);
    let prune = |disk: &SimulatedDisk| {
        let rules = small(3, &begun.clock).retention(Retention::new().segments(1)).snapshot_bytes(u64::MAX);
        open(disk, rules).map(|engine| engine.shutdown(DEADLINE))
    };
    let whole = common::copy(&begun.disk);
    let before = whole.operations();
    prune(&whole).unwrap().unwrap();
    let operations = whole.operations() - before;
    assert!(floor(&whole) > floor(&begun.disk) && operations > 10, "it pruned");
    for operation in 0..=operations {
        let disk = common::copy(&begun.disk);
        disk.power_cut_at(disk.operations() + operation);
        let _ = prune(&disk);
        // Where the floor is not on the disk yet, chance has more to choose from.
        let is_open = |name: &SnapshotName| disk.durable_contents(&name.to_string()).is_err();
        let seeds = if snapshots(&disk).iter().any(is_open) { 40 } else { 3 };
        for seed in 0..seeds {
            let cut = disk.fork(seed);
            cut.restart(match seed {
                0 => Survivors::Nothing,
                1 => Survivors::Everything,
                _ => Survivors::Seeded,
            });
            let again = open(&cut, small(4, &begun.clock))
                .unwrap_or_else(|error| panic!("cut at {operation} of {operations}, seed {seed}: {error}"));
            let head = again.view().head();
            assert_eq!(head.state_hash, begun.shadow.projection().state.state_hash(), "law RETAIN");
        }
    }
}

#[test]
fn law_evidence_torn_bytes_are_kept_when_their_segment_goes() {
    let mut story = Story::begin();
    let engine = open(&story.disk, small(3, &story.clock)).unwrap();
    assert!(story.close_segments(&engine, 3));
    story.expect_made_up_for(&engine);
}

/// Only once they are copied may the segment go that holds them.
#[test]
fn law_evidence_torn_bytes_that_cannot_be_copied_hold_their_segment_back() {
    let begun = Story::begin();
    let (name, torn) = &begun.torn;
    let segment = name.replace(".torn", ".seg");
    let mut held_back = 0;
    for operation in 0..60 {
        let story = begun.fork();
        let disk = &story.disk;
        disk.fail_at(disk.operations() + operation, Fault::Eio);
        let rules = small(3, &story.clock).retention(Retention::new().segments(0));
        let Ok(engine) = open(disk, rules) else { continue };
        let is_copied = disk.contents(name).is_ok_and(|kept| kept == *torn);
        let is_there = disk.names().contains(&segment);
        assert!(is_copied || is_there, "law EVIDENCE: they are gone, with operation {operation} failing");
        held_back += u64::from(!is_copied && floor(disk).number > 1);
        drop(engine);
    }
    assert!(held_back > 0, "the copy failed once");
}

/// After a sync that failed nobody knows what the disk holds, and the next one may say that all is well: nothing is removed
/// below that floor before the journal is opened again.
#[test]
fn law_retain_a_floor_whose_sync_failed_is_not_gone_on_with() {
    let begun = Story::with_all_to_go();
    let mut failed = 0;
    for operation in 0..40 {
        let mut story = begun.fork();
        let before = segments(&story.disk).len();
        story.disk.fail_at(story.disk.operations() + operation, Fault::Eio);
        let Ok(engine) = open(&story.disk, rules(3, &story.clock)) else { continue };
        let base = snapshots(&story.disk).into_iter().rfind(|name| name.is_base);
        if base.is_none_or(|base| story.disk.durable_contents(&base.to_string()).is_ok()) {
            continue;
        }
        failed += 1;
        assert!(story.close_segments(&engine, 2));
        assert!(segments(&story.disk).len() >= before + 2, "{:?}", story.disk.names());
    }
    assert_eq!(failed, 1, "one operation makes the floor durable");
}

//! A crash in the middle of a write leaves a torn tail. Whatever its length, everything acknowledged is there, and
//! `seq` goes on.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Shadow, Workload, clock, copy, lines, must, newest_segment, open, options, segments};
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{Clock, ErrorKind, JournalReader, Json, ManualClock, RecordEvent, Request};

/// A journal that lost its power while its last command was being written.
struct Torn {
    /// The disk as the crash left it, had everything reached it.
    disk: SimulatedDisk,
    clock: ManualClock,
    shadow: Shadow,
    /// The newest segment: its name, its bytes.
    name: String,
    bytes: Vec<u8>,
    /// Where what was acknowledged ends in it.
    acknowledged_end: usize,
    /// Where the command that was not acknowledged ends.
    written_end: usize,
    /// The commands that nobody got an answer for.
    unknown: Vec<Request>,
}

/// Acknowledges `commands` commands, and cuts the power at the sync of the next batch of `unacknowledged`.
fn torn(segment_bytes: u64, commands: usize, unacknowledged: usize) -> Torn {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(1), Shadow::default());
    let mut workload = Workload::new(5);
    let engine = open(&disk, options(1, &clock).segment_bytes(segment_bytes)).unwrap();
    for _ in 0..commands {
        let request = workload.next(shadow.projection(), &clock);
        must(&engine, &mut shadow, &clock, request);
    }
    let end = lines(&disk).unwrap().pop().map_or(4096, |line| line.offset + line.length);
    let (name, before) = newest_segment(&disk);
    // Room for the next batch is there already: the write is the first operation, the sync the second.
    disk.power_cut_at(disk.operations() + 1);
    let mut unknown = Vec::new();
    let still = ManualClock::new(clock.now());
    while unknown.len() < unacknowledged {
        let request = workload.next(shadow.projection(), &still);
        if let common::Predicted::Events(..) = shadow.predict(&request, &clock) {
            unknown.push(request);
        }
    }
    for pending in engine.submit_all(unknown.clone()).unwrap() {
        assert_eq!(common::answer_of(&pending.wait()), common::Answer::Unknown);
    }
    assert!(disk.is_off());
    let disk = copy(&disk);
    let (newest, bytes) = newest_segment(&disk);
    assert_eq!(newest, name, "the batch is in the segment that was looked at");
    assert_eq!(bytes.len(), before.len(), "zeroed ahead");
    let written_end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    Torn {
        disk,
        clock,
        shadow,
        name,
        bytes,
        acknowledged_end: usize::try_from(end).unwrap(),
        written_end: written_end.next_multiple_of(8),
        unknown,
    }
}

impl Torn {
    /// The disk with the newest segment cut at `len`, and zeros behind or not.
    fn cut_at(&self, len: usize, zeros: bool) -> SimulatedDisk {
        let disk = copy(&self.disk);
        let mut bytes = self.bytes[..len].to_vec();
        if zeros {
            bytes.resize(self.bytes.len(), 0);
        }
        disk.put(&self.name, &bytes);
        disk
    }

    /// Opens and looks: nothing acknowledged is gone, what is there goes on. How many events there were.
    fn recovers(&self, disk: &SimulatedDisk) -> u64 {
        let mut shadow = self.shadow.clone();
        let before = segments(disk);
        let seen_before = lines(disk).unwrap();
        let engine = open(disk, options(2, &self.clock)).unwrap();
        let seen = lines(disk).unwrap();
        shadow.check(&engine, &seen);
        let bytes = |lines: &[common::Line]| lines.iter().map(|line| line.bytes.clone()).collect::<Vec<_>>();
        assert_eq!(bytes(&seen_before), bytes(&seen), "a reader saw something else before the recovery");
        let after = segments(disk);
        assert_eq!(&after[..before.len()], &before[..], "law EVIDENCE: an existing segment was edited");
        let count = shadow.seq();
        // A retry with the same key is booked exactly once (law EXACT), and `seq` goes on (law ORDER).
        for request in &self.unknown {
            must(&engine, &mut shadow, &self.clock, request.clone());
        }
        assert_eq!(shadow.seq(), self.shadow.seq());
        let report = JournalReader::with_storage(disk.process()).unwrap().verify().unwrap();
        assert_eq!(report.findings, [], "a journal in order");
        count
    }
}

#[test]
fn a_torn_tail_of_every_length_is_recovered_and_nothing_acknowledged_is_lost() {
    let torn = torn(16 << 10, 12, 1);
    for len in torn.acknowledged_end..=torn.written_end {
        for zeros in [false, true] {
            let count = torn.recovers(&torn.cut_at(len, zeros));
            let whole = torn.bytes[len..].iter().all(|&byte| byte == 0) && (zeros || len == torn.written_end);
            let expected = if whole { torn.shadow.seq() } else { torn.shadow.acknowledged() };
            assert_eq!(count, expected, "cut at {len}, zeros behind: {zeros}");
        }
    }
}

#[test]
fn a_torn_batch_keeps_its_whole_commands_and_no_part_of_one_law_atomic() {
    let torn = torn(16 << 10, 6, 4);
    let mut counts = std::collections::BTreeSet::new();
    for len in (torn.acknowledged_end..=torn.written_end).step_by(3) {
        counts.insert(torn.recovers(&torn.cut_at(len, true)));
    }
    assert!(counts.len() >= 4, "every prefix of the batch came up: {counts:?}");
}

#[test]
fn a_hole_in_an_unacknowledged_batch_is_a_torn_tail_wherever_it_is() {
    let torn = torn(16 << 10, 6, 4);
    for at in (torn.acknowledged_end..torn.written_end).step_by(8) {
        let disk = copy(&torn.disk);
        let mut bytes = torn.bytes.clone();
        let end = (at + 512).min(bytes.len());
        bytes[at..end].fill(0);
        disk.put(&torn.name, &bytes);
        torn.recovers(&disk);
    }
}

#[test]
fn law_order_a_newest_segment_with_only_torn_bytes_does_not_restart_seq() {
    // Enough commands that the next one begins a new segment.
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(1), Shadow::default());
    let mut workload = Workload::new(5);
    let engine = open(&disk, options(1, &clock)).unwrap();
    let torn = loop {
        let request = workload.next(shadow.projection(), &clock);
        let names = segments(&disk).len();
        must(&engine, &mut shadow, &clock, request);
        if segments(&disk).len() > names && names >= 2 {
            break newest_segment(&disk);
        }
    };
    let last = lines(&disk).unwrap().pop().unwrap();
    assert_eq!(last.file, torn.0, "the new segment holds the last command alone");
    let first_of_last = lines(&disk).unwrap().iter().find(|line| line.file == torn.0).unwrap().seq;
    disk.kill();
    let end = usize::try_from(last.offset + last.length).unwrap();
    // As if the last command had never been acknowledged: its frame is torn, at every length.
    for len in 4096..end {
        let disk = copy(&disk);
        let mut bytes = torn.1[..len].to_vec();
        bytes.resize(torn.1.len(), 0);
        let is_whole = bytes == torn.1;
        disk.put(&torn.0, &bytes);
        let engine = open(&disk, options(2, &clock)).unwrap();
        let seq = engine.view().seq();
        assert_eq!(seq, if is_whole { last.seq } else { first_of_last - 1 }, "cut at {len}");
        let goal = engine.create_goal(tallybook::NewGoal::new("after the crash")).unwrap();
        assert_eq!(engine.view().goal(goal.id).unwrap().text.as_ref(), "after the crash");
        let seqs: Vec<_> = lines(&disk).unwrap().iter().map(|line| line.seq).collect();
        assert_eq!(seqs, (1..=engine.view().seq()).collect::<Vec<_>>());
        assert!(engine.view().seq() > seq);
    }
}

#[test]
fn a_second_crash_at_every_operation_of_a_recovery_loses_nothing() {
    let torn = torn(16 << 10, 6, 2);
    let middle = (torn.acknowledged_end + torn.written_end) / 2;
    for len in [torn.acknowledged_end, middle, torn.written_end] {
        let crashed = torn.cut_at(len, true);
        let operations = {
            let disk = copy(&crashed);
            let before = disk.operations();
            let _engine = open(&disk, options(2, &torn.clock)).unwrap();
            disk.operations() - before
        };
        assert!(operations >= 5, "create, write, sync, rename, sync of the directory; found {operations}");
        for operation in 0..=operations {
            for survivors in [Survivors::Nothing, Survivors::Everything, Survivors::Seeded, Survivors::Seeded]
            {
                let disk = crashed.fork(operation + 100 * u64::try_from(len).unwrap());
                disk.restart(Survivors::Everything);
                disk.power_cut_at(disk.operations() + operation);
                if let Err(error) = open(&disk, options(2, &torn.clock)) {
                    assert!(disk.is_off() && *error.kind() == ErrorKind::Io, "{error}");
                }
                disk.restart(survivors);
                torn.recovers(&disk);
            }
        }
    }
}

/// A command that always leads to an event.
fn said(number: u64) -> Request {
    RecordEvent::new("said", Json::parse(&number.to_string()).unwrap()).into()
}

/// A writer dies between naming a segment and making the name durable; the recovery names the next, and then the power
/// goes. A file system that keeps the second name and not the first must not make a journal with a segment missing.
#[test]
fn a_name_that_only_the_page_cache_had_does_not_become_a_missing_segment() {
    for operation in 0..12 {
        let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(1), Shadow::default());
        // Every command rotates.
        let engine = open(&disk, options(1, &clock).segment_bytes(4 << 10)).unwrap();
        for number in 0..2 {
            must(&engine, &mut shadow, &clock, said(number));
        }
        disk.power_cut_at(disk.operations() + operation);
        let request = said(2);
        shadow.predict(&request, &clock);
        if let common::Answer::Acknowledged(..) = common::answer_of(&engine.execute(request)) {
            shadow.expose();
        }
        disk.kill();
        for depth in 0..9 {
            let disk = disk.fork(operation);
            disk.power_cut_at(disk.operations() + depth);
            let _ = open(&disk, options(2, &clock));
            // Where a name is not on the disk yet, chance has more to choose from.
            let is_open = |name: &String| disk.durable_contents(name).is_err();
            let seeds =
                if disk.names().iter().filter(|name| name.ends_with(".seg")).any(is_open) { 64 } else { 2 };
            for seed in 0..seeds {
                let disk = disk.fork(seed);
                disk.restart(Survivors::Seeded);
                let engine = open(&disk, options(3, &clock)).unwrap_or_else(|error| {
                    panic!("cut at {operation}, then at {depth}, seed {seed}: {error}")
                });
                shadow.clone().check(&engine, &lines(&disk).unwrap());
            }
        }
    }
}

/// What the header says of the most that is ever unsynced is so: else the rest of a long batch could not be told from
/// damage once its beginning is torn.
#[test]
fn a_batch_longer_than_what_may_stand_unsynced_is_no_damage_wherever_the_power_is_cut() {
    let text = "x".repeat(60 << 10);
    let long = |number: u64| Json::parse(&format!("[{number},\"{text}\"]")).unwrap();
    let batch = |count: u64| (0..count).map(|number| RecordEvent::new("said", long(number)).into());
    let mut torn = 0;
    for operation in 0..4 {
        let (clock, disk) = (clock(), SimulatedDisk::new(1));
        let engine = open(&disk, options(1, &clock).segment_bytes(4 << 20)).unwrap();
        // All of a segment that follows another is zeroed before it is named: there is room enough for the next.
        engine
            .submit_all(batch(80).collect())
            .unwrap()
            .into_iter()
            .for_each(|done| drop(done.wait().unwrap()));
        let last = lines(&disk).unwrap().pop().unwrap();
        let at = usize::try_from(last.offset + last.length).unwrap();
        disk.power_cut_at(disk.operations() + operation);
        engine.submit_all(batch(20).collect()).unwrap().into_iter().for_each(|done| drop(done.wait()));
        assert!(disk.is_off(), "it takes two writes, each with a sync");
        let (name, mut bytes) = newest_segment(&disk);
        // Only what was not synced may be torn.
        let durable = disk.durable_contents(&name).unwrap();
        if durable[at..].iter().any(|&byte| byte != 0) || bytes[at..].iter().all(|&byte| byte == 0) {
            continue;
        }
        bytes[at..at + 512].fill(0);
        let disk = copy(&disk);
        disk.put(&name, &bytes);
        let engine =
            open(&disk, options(2, &clock)).unwrap_or_else(|error| panic!("cut at {operation}: {error}"));
        assert_eq!(engine.view().seq(), last.seq);
        torn += 1;
    }
    assert!(torn > 0, "a batch that was torn");
}

/// Whatever is on the disk by then, what was there before the rotation is there, and the journal is an honest one.
#[test]
fn law_evidence_a_rotation_cut_at_every_operation_is_never_refused() {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(1), Shadow::default());
    // Every command rotates.
    let rotating = |seed, clock: &ManualClock| options(seed, clock).segment_bytes(4 << 10);
    let engine = open(&disk, rotating(1, &clock)).unwrap();
    for number in 0..2 {
        must(&engine, &mut shadow, &clock, said(number));
    }
    engine.shutdown(common::DEADLINE).unwrap();
    disk.restart(Survivors::Nothing);
    let begun = copy(&disk);
    let request = said(2);
    for operation in 0..14 {
        let (disk, mut shadow) = (copy(&begun), shadow.clone());
        let engine = open(&disk, rotating(2, &clock)).unwrap();
        disk.power_cut_at(disk.operations() + operation);
        shadow.predict(&request, &clock);
        if let common::Answer::Acknowledged(..) = common::answer_of(&engine.execute(request.clone())) {
            shadow.expose();
        }
        for seed in 0..12 {
            let disk = disk.fork(seed);
            disk.restart(if seed == 0 { Survivors::Nothing } else { Survivors::Seeded });
            let engine = open(&disk, options(3, &clock))
                .unwrap_or_else(|error| panic!("cut at {operation}, seed {seed}: {error}"));
            shadow.clone().check(&engine, &lines(&disk).unwrap());
        }
    }
}

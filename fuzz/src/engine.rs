//! Engines without a thread, so that every run does the same; and what has to hold of every journal that opened.

use std::collections::BTreeSet;
use std::sync::Arc;

use tallybook::adapter::jsonl::{Answer, Operation, parse_line};
use tallybook::ids::SeededEntropy;
use tallybook::storage::{SimulatedDisk, Storage};
use tallybook::{
    Blocking, Clock, FindingKind, JournalReader, ManualClock, Options, Projection, StateAt, Timestamp,
};

use crate::samples::Files;

/// When all engines open: 2026-11-21T12:00:00Z.
pub(crate) const NOON: Timestamp = Timestamp::from_micros(1_795_262_400_000_000);

/// The options of all engines: short segments, so that little makes many of them.
pub(crate) fn options(seed: u64, clock: &ManualClock) -> Options {
    Options::new().inline().segment_bytes(8_192).entropy(SeededEntropy::new(seed)).clock(clock.clone())
}

/// Opens an engine at noon.
pub(crate) fn open(storage: Arc<dyn Storage>, seed: u64) -> Result<Blocking, tallybook::Error> {
    Ok(options(seed, &ManualClock::new(NOON)).open_storage(storage)?.blocking())
}

/// Every file of a disk but the lock, which says only who writes or wrote.
pub(crate) fn files(disk: &SimulatedDisk) -> Files {
    let names = disk.names().into_iter().filter(|name| name != "lock");
    names.filter_map(|name| disk.contents(&name).ok().map(|bytes| (name, bytes))).collect()
}

/// A disk with these files.
pub(crate) fn disk_of(files: &Files) -> SimulatedDisk {
    let disk = SimulatedDisk::new(0);
    for (name, bytes) in files {
        disk.put(name, bytes);
    }
    disk
}

/// Answers a line as `tallybook apply --manual-clock` does, or without a clock as it does otherwise.
pub(crate) fn answer(engine: &Blocking, clock: Option<&ManualClock>, line: &[u8]) -> Answer {
    let line = match parse_line(line, clock.is_some()) {
        Ok(line) => line,
        Err(rejection) => return rejection.into(),
    };
    if let (Some(clock), Some(now)) = (clock, line.now)
        && now > clock.now()
    {
        clock.set(now);
    }
    match line.operation {
        Operation::Command(request) => engine.execute(*request).into(),
        Operation::Query(query) => Answer::to_query(&query, engine),
    }
}

/// Answers every line of a script; none may be an error.
pub(crate) fn run_script(engine: &Blocking, clock: &ManualClock, script: &str) {
    for line in script.lines() {
        let answer = answer(engine, Some(clock), line.as_bytes());
        assert!(!matches!(answer, Answer::Rejected(_) | Answer::Failed(_)), "{line}: {answer:?}");
    }
}

/// A reader beside the engine sees the same events, without a gap, and they fold to the same state (laws ORDER, FOLD).
/// Where there is damage below a snapshot, as an opening does not look there, events may end early.
pub(crate) fn check_agreement(disk: &SimulatedDisk, engine: &Blocking, is_sound: bool) {
    let view = engine.view();
    let reader = JournalReader::with_storage(disk.process()).expect("a journal that opened can be read");
    match read_events(&reader) {
        Ok(last_seq) => assert_eq!(last_seq, view.seq(), "the last event that the engine has"),
        Err(error) => assert!(!is_sound, "nothing is wrong with it, but {error}"),
    }
    let state = reader.state(StateAt::End).expect("events that were folded fold again");
    assert_eq!(state.state.state_hash(), view.state_hash(), "a snapshot and what comes after it");
}

/// The same from the first event on, where nothing was pruned: no snapshot has a part in it.
pub(crate) fn check_replay(disk: &SimulatedDisk, engine: &Blocking) {
    let reader = JournalReader::with_storage(disk.process()).expect("a journal that opened can be read");
    if reader.oldest_seq().expect("the directory can be listed") > 1 {
        return;
    }
    let (mut events, mut replayed) = (reader.events(1).expect("nothing was pruned"), Projection::default());
    while let Some(event) = events.next().expect("events that were written can be read") {
        replayed.apply(&event.decode().expect("an event of ours")).expect("events that were decided fold");
    }
    let view = engine.view();
    assert_eq!((replayed.seq, replayed.state.state_hash()), (view.seq(), view.state_hash()), "law FOLD");
}

/// Reads all events that are retained, and gives the last `seq`.
pub(crate) fn read_events(reader: &JournalReader) -> Result<u64, tallybook::Error> {
    let mut last_seq = reader.oldest_seq()?.saturating_sub(1);
    let mut events = reader.events(0)?;
    while let Some(event) = events.next()? {
        assert_eq!(event.seq, last_seq + 1, "a gap");
        last_seq = event.seq;
        if let Ok(decoded) = event.decode() {
            assert_eq!(decoded.seq, event.seq);
        }
    }
    Ok(last_seq)
}

/// The files in which `verify` finds damage.
pub(crate) fn damaged_files(report: &tallybook::VerifyReport) -> BTreeSet<String> {
    let damage = report.findings.iter().filter(|finding| finding.kind == FindingKind::Damage);
    damage.map(|finding| finding.file.clone()).collect()
}

/// Closes an engine. What is left is clean but for the damage that was there before, and opens as it was closed.
pub(crate) fn check_close(
    disk: &SimulatedDisk,
    clock: &ManualClock,
    engine: Blocking,
    damaged_before: &BTreeSet<String>,
) {
    let mut closed = engine.view().head();
    drop(engine);
    check_closed(disk, damaged_before);
    // Not the first opening, but the second: what is due by now is done when a journal is opened.
    for seed in 102..104 {
        let engine = options(seed, clock).open_storage(disk.process()).expect("what was closed opens");
        let found = engine.view().head();
        let is_changed = seed == 102 && found.seq > closed.seq;
        assert!(
            is_changed || (found.seq, found.state_hash) == (closed.seq, closed.state_hash),
            "{found:?} was closed as {closed:?}"
        );
        closed = found;
    }
    check_closed(disk, damaged_before);
}

fn check_closed(disk: &SimulatedDisk, damaged_before: &BTreeSet<String>) {
    let reader = JournalReader::with_storage(disk.process()).expect("what was closed can be read");
    let report = reader.verify().expect("what was closed can be checked");
    let new: Vec<String> = damaged_files(&report).difference(damaged_before).cloned().collect();
    assert!(new.is_empty(), "damage in {new:?} after a clean close: {report:?}");
    assert!(report.is_clean && !report.is_live, "closed: {report:?}");
    let is_torn = report.findings.iter().any(|finding| finding.kind == FindingKind::TornTail);
    assert!(!is_torn, "a torn tail after a clean close: {report:?}");
}

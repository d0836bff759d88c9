//! Opening a directory of arbitrary files: nothing panics, a refusal changes nothing, and what opens is a journal.

use std::collections::BTreeSet;

use tallybook::format::{SPINE_ENTRY_LEN, SegmentName, SnapshotName, SpineEntry, SpineHeader};
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{ErrorKind, JournalReader, ManualClock, NewGoal, StateAt};

use crate::edits::{edit, name, put};
use crate::engine::{NOON, check_agreement, check_close, damaged_files, disk_of, files, open, read_events};
use crate::input::Input;
use crate::samples::{Files, sample_journals};

/// Puts files onto a simulated disk as the input says, and opens them as a journal, for reading and for writing.
///
/// The first byte chooses: an even one, and the rest is names and bytes of files; an odd one, and the rest is damage
/// to one of the [`sample_journals`].
///
/// # Panics
/// When opening breaks a promise.
pub fn check_directory(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let made = if input.u8().is_multiple_of(2) { arbitrary(&mut input) } else { damaged(&mut input) };
    let disk = disk_of(&made);
    let verdict = check_reading(&disk);
    check_writing(&disk, &verdict);
}

fn arbitrary(input: &mut Input<'_>) -> Files {
    let mut made = Files::new();
    while !input.is_empty() {
        let name = match input.u8() % 8 {
            0 => "lock".to_owned(),
            1 => "spare.tmp".to_owned(),
            2 => "snapshot.tmp".to_owned(),
            4 => "spine".to_owned(),
            3 => "notes.txt".to_owned(),
            _ => name(input),
        };
        let len = usize::from(input.u16());
        put(&mut made, (name, input.take(len).to_vec()));
    }
    made
}

fn damaged(input: &mut Input<'_>) -> Files {
    let samples = sample_journals();
    let mut made = samples[usize::from(input.u8()) % samples.len()].clone();
    edit(&mut made, input);
    made
}

/// What a reader says of a directory.
enum Verdict {
    /// It cannot be read as a journal.
    Unreadable,
    /// It was checked: the files that are damaged.
    Checked(BTreeSet<String>),
    /// It could not be checked: a newer version wrote some of it.
    Unknown,
}

/// Reading never writes, and gives gapless events up to wherever it stops.
fn check_reading(disk: &SimulatedDisk) -> Verdict {
    let before = everything(disk);
    let mut verdict = Verdict::Unreadable;
    if let Ok(reader) = JournalReader::with_storage(disk.process()) {
        let _events_or_damage = read_events(&reader);
        verdict = Verdict::Unknown;
        if let Ok(report) = reader.verify() {
            assert!(!report.is_live, "nobody writes");
            assert!(report.findings.iter().all(|finding| finding.start <= finding.end), "{report:?}");
            verdict = Verdict::Checked(damaged_files(&report));
        }
        if let Ok(statistics) = reader.statistics() {
            let counted: u64 = statistics.events_by_kind.values().sum();
            let events: u64 = statistics.segments.iter().map(|segment| segment.events).sum();
            assert!(counted <= events, "{statistics:?}");
        }
        let _state_or_damage = reader.state(StateAt::End);
    }
    assert_eq!(everything(disk), before, "reading changed the directory");
    verdict
}

/// Opens for writing. What a refusal leaves is what was there; what opens can be written, and opened again.
fn check_writing(disk: &SimulatedDisk, verdict: &Verdict) {
    let before = files(disk);
    let engine = match open(disk.process(), 100) {
        Ok(engine) => engine,
        Err(error) => {
            let is_expected = matches!(
                error.kind(),
                ErrorKind::Damaged(_) | ErrorKind::Unsupported | ErrorKind::Io | ErrorKind::InvalidArgument
            );
            assert!(is_expected, "{error:?}");
            assert_eq!(files(disk), before, "a refusal changed the directory: {error}");
            let is_sound = matches!(verdict, Verdict::Checked(damaged) if damaged.is_empty());
            assert!(!is_sound, "nothing is wrong with it, but it is refused: {error}");
            return;
        }
    };
    check_evidence(disk, &before);
    let damaged = match verdict {
        Verdict::Checked(damaged) => damaged.clone(),
        // Nothing of it was a journal: this is a new one.
        Verdict::Unreadable => {
            assert_eq!(engine.view().seq(), 0, "what cannot be read was opened");
            // But for a spine of nothing, which stays.
            before.iter().filter(|(name, _)| name == "spine").map(|(name, _)| name.clone()).collect()
        }
        // A snapshot covers what is not known.
        Verdict::Unknown => return check_agreement(disk, &engine, false),
    };
    check_agreement(disk, &engine, damaged.is_empty());
    let seq = engine.view().seq();
    let created = engine.create_goal(NewGoal::new("one more").scope("fuzz")).is_ok();
    let head = engine.view().head();
    assert_eq!(created, head.seq > seq, "a goal is there if and only if its creation was answered");
    disk.restart(Survivors::Nothing);
    drop(engine);
    let again = open(disk.process(), 101).expect("what was acknowledged opens after a power cut");
    let found = again.view().head();
    assert_eq!((found.seq, found.state_hash), (head.seq, head.state_hash), "after a power cut");
    check_agreement(disk, &again, damaged.is_empty());
    check_close(disk, &ManualClock::new(NOON), again, &damaged);
}

/// No segment but the newest is changed by opening (law EVIDENCE), no snapshot, and nothing that is not ours. Only what
/// lies below the floor may go, and what has a temporary name.
fn check_evidence(disk: &SimulatedDisk, before: &Files) {
    let floor = before.iter().filter_map(|(name, _)| SnapshotName::parse(name)).filter(|name| name.is_base);
    let floor = floor.map(|name| name.before.number).max().unwrap_or(0);
    let newest = before.iter().filter_map(|(name, _)| SegmentName::parse(name)).max();
    for (name, bytes) in before {
        let segment = SegmentName::parse(name);
        let is_free = match (segment, SnapshotName::parse(name)) {
            (Some(segment), _) => Some(segment) == newest || segment.number < floor,
            // The series of snapshots is thinned, and a base takes the place of a snapshot.
            (None, Some(_)) => disk.contents(name).is_err(),
            // The spine goes on; what is there stays as it is.
            (None, None) if name == "spine" => is_continued(disk, bytes),
            (None, None) => {
                ["spare.tmp", "snapshot.tmp", "spine.tmp"].contains(&name.as_str()) || name.ends_with(".torn")
            }
        };
        assert!(is_free || disk.contents(name).ok().as_ref() == Some(bytes), "{name} was changed");
    }
}

/// Whether the spine begins with the whole entries that it had before.
fn is_continued(disk: &SimulatedDisk, before: &[u8]) -> bool {
    let Ok(header) = SpineHeader::from_bytes(before) else { return false };
    let is_entry =
        |at: &usize| SpineEntry::from_bytes(&before[*at..], header.journal_id, *at as u64).is_some();
    let places = (SPINE_ENTRY_LEN..before.len()).step_by(SPINE_ENTRY_LEN);
    let end = places.take_while(is_entry).last().map_or(SPINE_ENTRY_LEN, |at| at + SPINE_ENTRY_LEN);
    disk.contents("spine").is_ok_and(|bytes| bytes.starts_with(&before[..end]))
}

fn everything(disk: &SimulatedDisk) -> Files {
    disk.names().into_iter().filter_map(|name| disk.contents(&name).ok().map(|bytes| (name, bytes))).collect()
}

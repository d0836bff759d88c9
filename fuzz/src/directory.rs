//! Opening a directory of arbitrary files: nothing panics, a refusal changes nothing, and what opens is a journal.

use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{Blocking, ErrorKind, JournalReader, NewGoal, StateAt};

use crate::edits::{edit, name, put};
use crate::input::Input;
use crate::samples::{Files, files, open, sample_journals};

/// Puts files onto a simulated disk as the input says, and opens them as a journal, for reading and for writing.
///
/// The first byte chooses: an even one, and the rest is names and bytes of files; an odd one, and the rest is damage
/// to one of the [`sample_journals`].
///
/// # Panics
/// When opening breaks a promise.
pub fn check_directory(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let disk = SimulatedDisk::new(0);
    let made = if input.u8().is_multiple_of(2) { arbitrary(&mut input) } else { damaged(&mut input) };
    for (name, bytes) in made {
        disk.put(&name, &bytes);
    }
    check_reading(&disk);
    check_writing(&disk);
}

fn arbitrary(input: &mut Input<'_>) -> Files {
    let mut made = Files::new();
    while !input.is_empty() {
        let name = match input.u8() % 8 {
            0 => "lock".to_owned(),
            1 => "spare.tmp".to_owned(),
            2 => "0000000001.seg".to_owned(),
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

/// Reading never writes, and gives gapless events up to wherever it stops.
fn check_reading(disk: &SimulatedDisk) {
    let before = everything(disk);
    if let Ok(reader) = JournalReader::with_storage(disk.process()) {
        let _events_or_damage = read_events(&reader);
        if let Ok(report) = reader.verify() {
            assert!(!report.is_live, "nobody writes");
            assert!(report.findings.iter().all(|finding| finding.start <= finding.end), "{report:?}");
        }
        if let Ok(statistics) = reader.statistics() {
            let counted: u64 = statistics.events_by_kind.values().sum();
            let events: u64 = statistics.segments.iter().map(|segment| segment.events).sum();
            assert!(counted <= events, "{statistics:?}");
        }
        let _state_or_damage = reader.state(StateAt::End);
    }
    assert_eq!(everything(disk), before, "reading changed the directory");
}

/// Opens for writing. What a refusal leaves is what was there; what opens can be written, and opened again.
fn check_writing(disk: &SimulatedDisk) {
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
            return;
        }
    };
    check_closed_segments(disk, &before);
    check_agreement(disk, &engine);
    let seq = engine.view().seq();
    let created = engine.create_goal(NewGoal::new("one more").scope("fuzz")).is_ok();
    let head = engine.view().head();
    assert_eq!(created, head.seq > seq, "a goal is there if and only if its creation was answered");
    disk.restart(Survivors::Nothing);
    drop(engine);
    let again = open(disk.process(), 101).expect("what was acknowledged opens after a power cut");
    let found = again.view().head();
    assert_eq!((found.seq, found.state_hash), (head.seq, head.state_hash), "after a power cut");
    check_agreement(disk, &again);
}

/// No segment but the newest is changed by opening (law EVIDENCE).
fn check_closed_segments(disk: &SimulatedDisk, before: &Files) {
    let newest = before.iter().map(|(name, _)| name).max();
    for (name, bytes) in before.iter().filter(|(name, _)| Some(name) != newest) {
        assert_eq!(disk.contents(name).ok().as_ref(), Some(bytes), "segment {name} was changed");
    }
}

/// A reader beside the engine sees the same events, without a gap, and they fold to the same state (laws ORDER, FOLD).
fn check_agreement(disk: &SimulatedDisk, engine: &Blocking) {
    let reader = JournalReader::with_storage(disk.process()).expect("a journal that opened can be read");
    let seqs = read_events(&reader).expect("events that were folded can be read");
    assert_eq!(seqs, engine.view().seq(), "as many events as the engine has");
    let state = reader.state(StateAt::End).expect("events that were folded fold again");
    assert_eq!(state.state.state_hash(), engine.view().state_hash());
}

/// Reads all events, and gives the last `seq`.
fn read_events(reader: &JournalReader) -> Result<u64, tallybook::Error> {
    let mut events = reader.events(1)?;
    let mut last_seq = 0;
    while let Some(event) = events.next()? {
        assert_eq!(event.seq, last_seq + 1, "a gap");
        last_seq = event.seq;
        if let Ok(decoded) = event.decode() {
            assert_eq!(decoded.seq, event.seq);
        }
    }
    Ok(last_seq)
}

fn everything(disk: &SimulatedDisk) -> Files {
    disk.names().into_iter().filter_map(|name| disk.contents(&name).ok().map(|bytes| (name, bytes))).collect()
}

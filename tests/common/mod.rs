//! What the fault tests share: a disk, an engine on it, a stream of commands, and a shadow that knows what has to be
//! in the journal.
#![allow(dead_code, reason = "every test file is a crate of its own, and uses a part")]

mod shadow;
mod workload;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

#[allow(unused_imports, reason = "every test file is a crate of its own, and uses a part")]
pub(crate) use shadow::{Expected, Predicted, Shadow, refold};
use tallybook::storage::{Files, SimulatedDisk, Storage, Survivors};
use tallybook::{
    Blocking, CommandError, Error, ErrorKind, JournalReader, ManualClock, Options, Receipt, Request,
    Timestamp,
};
#[allow(unused_imports, reason = "every test file is a crate of its own, and uses a part")]
pub(crate) use workload::Workload;

use tallybook::ids::SeededEntropy;

/// Small enough that a few commands fill a segment.
pub(crate) const SMALL_SEGMENT: u64 = 6 << 10;

/// Long enough for any honest shutdown; short enough that a hang shows.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A clock that stands at a time of our own.
pub(crate) fn clock() -> ManualClock {
    ManualClock::new(Timestamp::parse("2026-11-21T01:00:00.000000Z").unwrap())
}

/// An engine on the simulated disk, which does everything on the caller's thread. Each session draws from a seed of its
/// own, as each process would.
pub(crate) fn options(seed: u64, clock: &ManualClock) -> Options {
    Options::new()
        .inline()
        .entropy(SeededEntropy::new(seed))
        .clock(clock.clone())
        .segment_bytes(SMALL_SEGMENT)
}

/// Opens the journal of a disk.
pub(crate) fn open(disk: &SimulatedDisk, options: Options) -> Result<Blocking, Error> {
    options.open_storage(disk.process()).map(|engine| engine.blocking())
}

/// The names and the bytes of all segments, as a process reads them.
pub(crate) fn segments(disk: &SimulatedDisk) -> Vec<(String, Vec<u8>)> {
    let names = disk.names().into_iter().filter(|name| name.ends_with(".seg"));
    names.map(|name| (name.clone(), disk.contents(&name).unwrap())).collect()
}

/// The name and the bytes of the segment that is being written.
pub(crate) fn newest_segment(disk: &SimulatedDisk) -> (String, Vec<u8>) {
    segments(disk).pop().expect("there is a segment")
}

/// The same disk once more, with nothing running and nothing lost.
pub(crate) fn copy(disk: &SimulatedDisk) -> SimulatedDisk {
    let copy = disk.fork(0);
    copy.restart(Survivors::Everything);
    copy
}

/// An event as it stands in the journal: its bytes, and where its frame lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) seq: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) file: String,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// All events, read from outside.
pub(crate) fn lines(disk: &SimulatedDisk) -> Result<Vec<Line>, Error> {
    let reader = JournalReader::with_storage(disk.process())?;
    let mut events = reader.events(1)?;
    let mut lines = Vec::new();
    while let Some(event) = events.next()? {
        let location = event.location();
        lines.push(Line {
            seq: event.seq,
            bytes: event.line.to_vec(),
            file: location.file.clone(),
            offset: location.offset,
            length: location.length,
        });
    }
    Ok(lines)
}

/// How a command ended, as far as its caller can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Acknowledged, with the events that it led to, if any; and whether that was said to be a retry (a refusal does
    /// not say).
    Acknowledged(Option<(u64, u64)>, Option<bool>),
    /// Not written, and the engine lives on.
    NoSpace,
    /// It may be there or not.
    Unknown,
    /// Not written, because the engine had halted.
    Halted,
}

/// Sorts an answer. Refusals and rejections are answers of the domain: acknowledged.
pub(crate) fn answer_of(answer: &Result<Receipt, CommandError>) -> Answer {
    match answer {
        Ok(receipt) => Answer::Acknowledged(receipt.first_seq.zip(receipt.last_seq), Some(receipt.retried)),
        Err(CommandError::Refused(refusal)) => Answer::Acknowledged(refusal.seq.map(|seq| (seq, seq)), None),
        Err(CommandError::Rejected(_)) => Answer::Acknowledged(None, None),
        Err(CommandError::Engine(error)) => match error.kind() {
            ErrorKind::NoSpace => Answer::NoSpace,
            ErrorKind::OutcomeUnknown => Answer::Unknown,
            ErrorKind::Halted => Answer::Halted,
            other => panic!("a command was answered {other:?}: {error}"),
        },
    }
}

/// Carries out a command that has to succeed, and notes it in the shadow.
pub(crate) fn must(engine: &Blocking, shadow: &mut Shadow, clock: &ManualClock, request: Request) {
    let predicted = shadow.predict(&request, clock);
    let answer = answer_of(&engine.execute(request));
    assert!(predicted.allows(answer), "{predicted:?}, {answer:?}: {:?}", engine.engine().health().last_error);
    shadow.acknowledge(engine.view().seq());
}

/// Puts the files of the simulated disk into a real directory, for what works on directories only.
pub(crate) fn export(disk: &SimulatedDisk, dir: &Path) {
    let files = Files::create(dir).unwrap();
    for (name, bytes) in segments(disk) {
        let file = files.create(&name).unwrap();
        file.write_all_at(&bytes, 0).unwrap();
    }
}

/// Runs a test with many seeds. `TALLYBOOK_SEED` and `TALLYBOOK_ROUNDS` choose others; a failure says how to see it
/// again.
pub(crate) fn rounds(file: &str, test: &str, default_rounds: u64, run: impl Fn(u64)) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let first = number("TALLYBOOK_SEED").unwrap_or(1);
    let rounds = number("TALLYBOOK_ROUNDS").unwrap_or(default_rounds);
    for seed in first..first.saturating_add(rounds) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed))) {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("a panic without a message");
            panic!(
                "seed {seed}: {message}\nto see it again: TALLYBOOK_SEED={seed} TALLYBOOK_ROUNDS=1 cargo test --test {file} {test}"
            );
        }
    }
}

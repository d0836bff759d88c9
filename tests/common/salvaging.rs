//! What the tests of salvage share: a journal, the frames that it holds (each with all its copies), and what has to come
//! back when some of them are gone.
#![allow(dead_code, reason = "every test file is a crate of its own, and uses a part")]

use std::collections::BTreeMap;

use tallybook::format::{FrameCodec, FrameKind, FrameRead, HEADER_LEN, SegmentHeader};
use tallybook::storage::{SimulatedDisk, Storage};
use tallybook::{Blocking, Error, Finding, JournalReader, ManualClock, SalvageReport};

use crate::common::{Line, Shadow, Workload, clock, copy, lines, must, open, options, refold, segments};

/// A journal with segments of every kind: sealed ones, one that a recovery ended, and one that was being written.
pub(crate) struct Sample {
    pub(crate) disk: SimulatedDisk,
    pub(crate) clock: ManualClock,
    pub(crate) lines: Vec<Line>,
    /// By its first `seq`: the last `seq` of each frame, and where it lies; more than once where it was handed over.
    pub(crate) frames: BTreeMap<u64, (u64, Vec<Place>)>,
    /// By file: up to where damage has to be noticed.
    pub(crate) proven: BTreeMap<String, u64>,
}

/// Where a copy of a frame lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// How many bytes further the next one is that is flipped: 1 where `TALLYBOOK_ROUNDS` asks for all.
pub(crate) fn stride() -> usize {
    if std::env::var_os("TALLYBOOK_ROUNDS").is_some() { 1 } else { 5 }
}

/// What has to come back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) copied: Vec<Vec<u8>>,
    pub(crate) orphans: Vec<Vec<u8>>,
}

impl Sample {
    /// So many commands in each session, every one of which is killed.
    pub(crate) fn new(segment_bytes: u64, sessions: &[u64]) -> Sample {
        let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(3), Shadow::default());
        let mut workload = Workload::new(8);
        for (session, commands) in (1..).zip(sessions) {
            let engine = open(&disk, options(session, &clock).segment_bytes(segment_bytes)).unwrap();
            for _ in 0..*commands {
                let request = workload.next(shadow.projection(), &clock);
                must(&engine, &mut shadow, &clock, request);
            }
            disk.kill();
        }
        Sample::of(disk, clock)
    }

    /// The journal on a disk.
    pub(crate) fn of(disk: SimulatedDisk, clock: ManualClock) -> Sample {
        let mut frames: BTreeMap<u64, (u64, Vec<Place>)> = BTreeMap::new();
        let mut proven = BTreeMap::new();
        let all = segments(&disk);
        let headers: Vec<_> =
            all.iter().map(|(_, bytes)| SegmentHeader::from_bytes(bytes).unwrap()).collect();
        for (index, (name, bytes)) in all.iter().enumerate() {
            let codec = FrameCodec::new(headers[index].journal_id, headers[index].number);
            let (mut offset, mut last) = (HEADER_LEN as u64, HEADER_LEN as u64);
            while let FrameRead::Frame(frame) = codec.read(bytes, offset) {
                if frame.header.kind == FrameKind::Events {
                    let place = Place { file: name.clone(), start: offset, end: frame.end() };
                    let last_seq = frame.header.next_seq() - 1;
                    frames.entry(frame.header.first_seq).or_insert((last_seq, Vec::new())).1.push(place);
                }
                last = offset;
                offset = frame.end();
            }
            // Every command was synced alone, so the last frame of the newest segment testifies to all before it.
            let end = headers.get(index + 1).map_or(last, |next| next.predecessor.end);
            proven.insert(name.clone(), end);
        }
        let lines = lines(&disk).unwrap();
        Sample { disk, clock, lines, frames, proven }
    }

    /// What comes back where these bytes are bad: `is_bad` is asked for every copy of every frame.
    pub(crate) fn expected(&self, is_bad: impl Fn(&Place) -> bool) -> Expected {
        let mut lost = Vec::new();
        for (&first, (last, places)) in &self.frames {
            if places.iter().all(&is_bad) {
                lost.push(first..=*last);
            }
        }
        let gap = lost.first().map_or(u64::MAX, |range| *range.start());
        let bytes = |keep: &dyn Fn(u64) -> bool| -> Vec<Vec<u8>> {
            let kept = self.lines.iter().filter(|line| keep(line.seq));
            kept.map(|line| line.bytes.clone()).collect()
        };
        Expected {
            copied: bytes(&|seq| seq < gap),
            orphans: bytes(&|seq| seq > gap && !lost.iter().any(|range| range.contains(&seq))),
        }
    }

    pub(crate) fn all(&self) -> Expected {
        self.expected(|_| false)
    }

    /// Salvages a disk, which is left as it is, and expects exactly that.
    #[track_caller]
    pub(crate) fn expect(&self, disk: &SimulatedDisk, expected: &Expected, what: &str) -> Salvaged {
        let salvaged = salvage(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
        salvaged.expect(expected, what);
        // It was verified before it was reported; to open every one of thousands would take long.
        if salvaged.report.events.is_multiple_of(3) || !what.contains(" at ") {
            salvaged.expect_opens(&self.clock, what);
        }
        salvaged
    }

    /// A copy of the disk with a few bits of one byte flipped.
    pub(crate) fn flipped(&self, file: &str, at: u64) -> SimulatedDisk {
        let disk = copy(&self.disk);
        disk.corrupt(file, at, [1, 0x80, 0xff][usize::try_from(at).unwrap() % 3]).unwrap();
        disk
    }
}

/// A new journal, and what was said of it.
pub(crate) struct Salvaged {
    pub(crate) disk: SimulatedDisk,
    pub(crate) report: SalvageReport,
}

/// Salvages into a new disk. Not one byte of the old one may change.
pub(crate) fn salvage(from: &SimulatedDisk) -> Result<Salvaged, Error> {
    salvage_from(&*from.process(), from)
}

/// The same through a storage of the caller's.
pub(crate) fn salvage_from(storage: &dyn Storage, from: &SimulatedDisk) -> Result<Salvaged, Error> {
    salvage_into(storage, from, SimulatedDisk::new(1))
}

/// The same into a disk of the caller's.
pub(crate) fn salvage_into(
    storage: &dyn Storage,
    from: &SimulatedDisk,
    disk: SimulatedDisk,
) -> Result<Salvaged, Error> {
    let operations = from.operations();
    let result = JournalReader::salvage_storage(storage, disk.process());
    assert_eq!(from.operations(), operations, "law EVIDENCE: the damaged journal was written to");
    match result {
        Ok(report) => {
            disk.restart(tallybook::storage::Survivors::Nothing);
            Ok(Salvaged { disk, report })
        }
        Err(error) => {
            let left: Vec<_> = disk.names().into_iter().filter(|name| name != "lock").collect();
            assert_eq!(left, Vec::<String>::new(), "a salvage that failed left something: {error}");
            Err(error)
        }
    }
}

impl Salvaged {
    pub(crate) fn orphans(&self) -> Vec<Vec<u8>> {
        let Ok(bytes) = self.disk.contents("orphans.jsonl") else { return Vec::new() };
        assert!(bytes.ends_with(b"\n"), "the file is there only if there are orphans, each on a line");
        bytes[..bytes.len() - 1].split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    pub(crate) fn events(&self) -> Vec<Line> {
        let mut events = JournalReader::with_storage(self.disk.process()).unwrap().events(0).unwrap();
        let mut found = Vec::new();
        while let Some(event) = events.next().unwrap() {
            let location = event.location();
            let (file, offset, length) = (location.file.clone(), location.offset, location.length);
            found.push(Line { seq: event.seq, bytes: event.line.to_vec(), file, offset, length });
        }
        found
    }

    #[track_caller]
    pub(crate) fn expect(&self, expected: &Expected, what: &str) {
        let copied: Vec<_> = self.events().into_iter().map(|line| line.bytes).collect();
        assert_eq!(copied.len(), expected.copied.len(), "{what}: copied; {:#?}", self.report);
        assert!(copied == expected.copied, "{what}: an event was altered");
        let orphans = self.orphans();
        assert_eq!(orphans.len(), expected.orphans.len(), "{what}: orphans; {:#?}", self.report);
        assert!(orphans == expected.orphans, "{what}: an orphan was altered");
        let said = (self.report.events, self.report.orphans);
        assert_eq!(said, (copied.len() as u64, orphans.len() as u64), "{what}");
        assert!(
            !self.report.findings.is_empty() || orphans.is_empty(),
            "{what}: orphans, and nothing is wrong"
        );
    }

    /// The new journal is one like any other: verified, opened, written to.
    #[track_caller]
    pub(crate) fn expect_opens(&self, clock: &ManualClock, what: &str) {
        let reader = JournalReader::with_storage(self.disk.process()).unwrap();
        let report = reader.verify().unwrap();
        assert_eq!(report.findings, Vec::<Finding>::new(), "{what}");
        assert!(report.is_clean, "{what}");
        assert_eq!(reader.journal_id(), self.report.journal_id, "{what}");
        let disk = copy(&self.disk);
        let engine: Blocking = open(&disk, options(50, clock)).unwrap();
        let head = engine.view().head();
        assert_eq!((head.seq, head.state_hash), (self.report.last_seq, self.report.state_hash), "{what}");
        if self.report.snapshot.is_none() {
            let refolded = refold(&self.events()).state_hash();
            assert_eq!(refolded, self.report.state_hash, "{what}: law FOLD");
        }
    }

    /// Whether a finding names that byte.
    pub(crate) fn finds(&self, file: &str, at: u64) -> bool {
        let is_it = |finding: &&Finding| finding.file == file && (finding.start..finding.end).contains(&at);
        self.report.findings.iter().any(|finding| is_it(&finding))
    }
}

//! What the tests of retention share: an archive in memory, the unpruned twin of a journal, and a look at its snapshots.
#![allow(dead_code, reason = "every test file is a crate of its own, and uses a part")]

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tallybook::format::{HEADER_LEN, SegmentHeader, SegmentName, SnapshotHeader, SnapshotName};
use tallybook::storage::SimulatedDisk;
use tallybook::{Archive, ArchiveError, ArchivedSegment, JournalReader};

use crate::common::{Line, lines, newest_segment, refold, segments};

/// An archive that keeps what it gets, sees to it that it gets all of it in order, and fails when it is told to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelf(Arc<Mutex<Kept>>);

#[derive(Debug, Clone, Default)]
struct Kept {
    /// By number: the bytes, and where the segment ends in them.
    segments: BTreeMap<u64, (String, Vec<u8>, usize)>,
    calls: u64,
    /// How many calls fail from now on, and how: by an error, or by a panic.
    failing: u64,
    panics: bool,
    wrong: Vec<String>,
}

impl Archive for Shelf {
    fn archive(&self, segment: &ArchivedSegment<'_>) -> Result<(), ArchiveError> {
        let mut bytes = Vec::new();
        segment.reader().read_to_end(&mut bytes)?;
        let mut kept = self.lock();
        kept.calls += 1;
        if kept.failing > 0 {
            kept.failing -= 1;
            if kept.panics {
                // Without the noise of a panic that nobody planned.
                std::panic::resume_unwind(Box::new("the archive panics, as planned"));
            }
            return Err("the archive is out of order, as planned".into());
        }
        kept.take(segment, bytes);
        Ok(())
    }
}

impl Kept {
    fn take(&mut self, segment: &ArchivedSegment<'_>, bytes: Vec<u8>) {
        let end = usize::try_from(segment.end).unwrap();
        if bytes.len() as u64 != segment.len || end > bytes.len() {
            self.wrong.push(format!("{segment:?}: it has {} bytes", bytes.len()));
            return;
        }
        let newest = self.segments.last_key_value().map_or(0, |(number, _)| *number);
        if segment.number > newest + 1 {
            self.wrong.push(format!("{} comes after segment {newest}: a gap", segment.file));
        }
        let name = SegmentName { number: segment.number, first_seq: segment.first_seq };
        if segment.file != name.to_string() {
            self.wrong.push(format!("{segment:?} is not called {name}"));
        }
        if let Some((_, before, _)) = self.segments.get(&segment.number)
            && before.get(..end) != Some(&bytes[..end])
        {
            self.wrong.push(format!("{} was another the first time", segment.file));
        }
        self.segments.insert(segment.number, (segment.file.to_owned(), bytes, end));
    }
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another one with the same in it.
    pub(crate) fn fork(&self) -> Shelf {
        Shelf(Arc::new(Mutex::new(self.lock().clone())))
    }

    /// Has the next calls fail.
    pub(crate) fn fail(&self, calls: u64, panics: bool) {
        let mut kept = self.lock();
        (kept.failing, kept.panics) = (calls, panics);
    }

    pub(crate) fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// The number of the newest archived segment.
    pub(crate) fn newest(&self) -> u64 {
        self.lock().segments.last_key_value().map_or(0, |(number, _)| *number)
    }

    /// The journal as it would be with nothing pruned: what is archived, and what is retained. Nothing of what goes may be
    /// missing here, and nothing may be here in two ways.
    pub(crate) fn twin(&self, disk: &SimulatedDisk) -> SimulatedDisk {
        let kept = self.lock();
        assert!(kept.wrong.is_empty(), "law RETAIN, the archive: {:?}", kept.wrong);
        let twin = SimulatedDisk::new(0);
        for (name, bytes, _) in kept.segments.values() {
            twin.put(name, bytes);
        }
        for (name, bytes) in segments(disk) {
            let number = SegmentName::parse(&name).unwrap().number;
            match kept.segments.get(&number) {
                Some((_, archived, end)) => {
                    assert!(archived[..*end] == bytes[..*end], "{name} is another in the archive")
                }
                None => twin.put(&name, &bytes),
            }
        }
        twin
    }
}

/// All events of a twin; it is without a finding, whatever happened to what is open.
pub(crate) fn whole_history(twin: &SimulatedDisk) -> Vec<Line> {
    let all = lines(twin).expect("archive + retained = the whole history");
    let report = JournalReader::with_storage(twin.process()).unwrap().verify().unwrap();
    assert_eq!(report.findings, Vec::new(), "archive + retained = the whole history");
    all
}

/// The first `seq` that the names state, and all events from there on.
pub(crate) fn retained(disk: &SimulatedDisk) -> (u64, Vec<Line>) {
    let reader = JournalReader::with_storage(disk.process()).unwrap();
    let mut events = reader.events(0).unwrap();
    let mut found = Vec::new();
    while let Some(event) = events.next().unwrap() {
        let location = event.location();
        found.push(Line {
            seq: event.seq,
            bytes: event.line.to_vec(),
            file: location.file.clone(),
            offset: location.offset,
            length: location.length,
        });
    }
    let floor = floor(disk).first_seq;
    assert_eq!(
        found.first().map_or(floor, |line| line.seq),
        floor,
        "law ORDER: the events begin at the floor"
    );
    (floor, found)
}

/// All snapshots, sorted by place.
pub(crate) fn snapshots(disk: &SimulatedDisk) -> Vec<SnapshotName> {
    let mut names: Vec<_> = disk.names().iter().filter_map(|name| SnapshotName::parse(name)).collect();
    names.sort_unstable();
    names
}

/// The first retained segment, as the newest base states it.
pub(crate) fn floor(disk: &SimulatedDisk) -> SegmentName {
    let base = snapshots(disk).into_iter().rfind(|name| name.is_base);
    base.map_or(SegmentName { number: 1, first_seq: 1 }, |base| base.before)
}

/// How many closed segments are retained.
pub(crate) fn closed_count(disk: &SimulatedDisk) -> usize {
    let floor = floor(disk).number;
    let numbers = segments(disk).into_iter().filter_map(|(name, _)| SegmentName::parse(&name));
    numbers.filter(|name| name.number >= floor).count().saturating_sub(1)
}

pub(crate) fn segment_header(disk: &SimulatedDisk, name: &str) -> SegmentHeader {
    SegmentHeader::from_bytes(&disk.contents(name).unwrap()).unwrap()
}

pub(crate) fn snapshot_header(disk: &SimulatedDisk, name: SnapshotName) -> SnapshotHeader {
    let bytes = disk.contents(&name.to_string()).unwrap();
    SnapshotHeader::from_bytes(&bytes[..HEADER_LEN]).unwrap()
}

/// What every snapshot says of itself is the fold of the events before it, and stands before a segment that is there: what
/// may become a base at any time has to be right at any time.
pub(crate) fn expect_true_snapshots(disk: &SimulatedDisk, history: &[Line]) {
    for name in snapshots(disk).into_iter().filter(|name| name.before >= floor(disk)) {
        let header = snapshot_header(disk, name);
        let seq = usize::try_from(header.seq()).unwrap();
        assert!(seq <= history.len(), "snapshot {name} holds what is not in the journal");
        let expected = refold(&history[..seq]).state_hash();
        assert_eq!(header.state_hash, expected.0, "law RETAIN: snapshot {name} has another state");
        let before = header.before.to_string();
        assert_eq!(segment_header(disk, &before).previous_epoch, header.epoch, "{name}: its epoch");
    }
}

/// Whether nothing is there that an upkeep that came to its end leaves behind.
pub(crate) fn expect_tidy(disk: &SimulatedDisk) {
    let floor = floor(disk);
    for name in disk.names() {
        assert_ne!(name, "snapshot.tmp", "left over");
        if let Some(segment) = SegmentName::parse(&name) {
            assert!(segment >= floor, "{name} is left over below {floor}");
        }
        if let Some(snapshot) = SnapshotName::parse(&name) {
            assert!(snapshot.before >= floor, "{name} is left over below {floor}");
            assert!(!snapshot.is_base || snapshot.before == floor, "{name} is a base too many");
        }
    }
}

/// Leaves bytes of no meaning behind the end of the newest segment. Its name and all of its bytes.
pub(crate) fn tear(disk: &SimulatedDisk) -> (String, Vec<u8>) {
    let (name, mut bytes) = newest_segment(disk);
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let end = end.next_multiple_of(8);
    let torn: Vec<u8> = (0..333).map(|number| u8::try_from(number % 251).unwrap() | 1).collect();
    bytes.resize(bytes.len().max(end + torn.len()), 0);
    bytes[end..end + torn.len()].copy_from_slice(&torn);
    disk.put(&name, &bytes);
    (name, bytes)
}

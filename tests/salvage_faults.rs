//! Salvage on disks that fail: a power cut at every operation leaves the whole new journal or none, every error is told and
//! leaves nothing, and what cannot be read is a gap, never the end (laws DURABLE, EVIDENCE).

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/salvaging.rs"]
mod salvaging;

use std::io;
use std::ops::Range;
use std::sync::Arc;

use common::{DEADLINE, Shadow, Workload, clock, copy, must, open, options, segments};
use salvaging::{Salvaged, Sample, salvage, salvage_from, salvage_into};
use tallybook::format::{SegmentName, SnapshotName};
use tallybook::storage::{
    Fault, LockPeek, Mapping, SharedPage, SimulatedDisk, Storage, StorageFile, Survivors,
};
use tallybook::{ErrorKind, FindingKind, JournalReader, ManualClock, Retention};

/// A journal with damage in the middle, so that there are orphans.
fn damaged() -> (SimulatedDisk, ManualClock) {
    let sample = Sample::new(6 << 10, &[6, 4]);
    // Of a frame that is there once: a recovery hands others over, and then one mends the other.
    let once: Vec<_> = sample.frames.values().filter(|(_, places)| places.len() == 1).collect();
    let (_, places) = once[once.len() / 2];
    (sample.flipped(&places[0].file, places[0].start + 60), sample.clock)
}

/// A pruned one, closed, with damage after its base.
fn pruned() -> (SimulatedDisk, ManualClock) {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(2), Shadow::default());
    let mut workload = Workload::new(21);
    let rules = Retention::new().segments(3);
    let engine = open(&disk, options(1, &clock).retention(rules).snapshot_bytes(9_000)).unwrap();
    for _ in 0..40 {
        let request = workload.next(shadow.projection(), &clock);
        must(&engine, &mut shadow, &clock, request);
    }
    engine.shutdown(DEADLINE).unwrap();
    disk.restart(Survivors::Nothing);
    assert!(disk.names().iter().any(|name| name.ends_with(".base")), "{:?}", disk.names());
    let all = segments(&disk);
    disk.corrupt(&all[all.len() - 2].0, 4096 + 60, 1).unwrap();
    (disk, clock)
}

#[test]
fn law_durable_a_power_cut_at_any_operation_leaves_the_whole_new_journal_or_none() {
    for (from, clock) in [damaged(), pruned()] {
        let whole = salvage(&from).unwrap();
        assert!(whole.report.events > 0 && whole.report.orphans > 0, "{:?}", whole.report);
        let counted = SimulatedDisk::new(1);
        JournalReader::salvage_storage(&*from.process(), counted.process()).unwrap();
        let (mut none, mut all) = (0, 0);
        for operation in 0..counted.operations() {
            for (seed, survivors) in [
                (1, Survivors::Nothing),
                (1, Survivors::Everything),
                (2, Survivors::Seeded),
                (3, Survivors::Seeded),
                (4, Survivors::Seeded),
                (5, Survivors::Seeded),
            ] {
                let out = SimulatedDisk::new(seed).sector([512, 4096][usize::try_from(seed % 2).unwrap()]);
                out.power_cut_at(operation);
                JournalReader::salvage_storage(&*from.process(), out.process()).unwrap_err();
                out.restart(survivors);
                let what = format!("cut at {operation}, seed {seed}, {survivors:?}: {:?}", out.names());
                match is_whole(&out, &whole, &clock, &what) {
                    true => all += 1,
                    false => none += 1,
                }
            }
        }
        assert!(none > 20 && all > 0, "{none} none, {all} all");
    }
}

/// Whether a journal is there, which then has to be the whole one, its orphans beside it.
#[track_caller]
fn is_whole(out: &SimulatedDisk, whole: &Salvaged, clock: &ManualClock, what: &str) -> bool {
    let has_segment = out.names().iter().any(|name| SegmentName::parse(name).is_some());
    let read = JournalReader::with_storage(out.process());
    let opened = open(&copy(out), options(90, clock));
    match (read, opened) {
        (Ok(reader), Ok(engine)) => {
            let head = engine.view().head();
            let expected = (whole.report.last_seq, whole.report.state_hash);
            assert_eq!((head.seq, head.state_hash), expected, "{what}");
            assert_eq!(reader.verify().unwrap().findings, Vec::new(), "{what}");
            let found = out.contents("orphans.jsonl").expect("the orphans are durable before the journal is");
            assert!(found == whole.disk.contents("orphans.jsonl").unwrap(), "{what}");
            true
        }
        (Err(_), Err(error)) => {
            assert!(matches!(error.kind(), ErrorKind::Damaged(_)), "{what}: {error}");
            false
        }
        // Nothing has its name yet: to open that is to begin a journal, and whoever salvages has been told that it failed.
        (Err(_), Ok(engine)) => {
            assert!(!has_segment && engine.view().seq() == 0, "{what}: a part was taken for a journal");
            false
        }
        (Ok(_), Err(error)) => panic!("{what}: read, and not opened: {error}"),
    }
}

#[test]
fn every_error_of_the_new_disk_is_told_and_leaves_nothing_behind() {
    for (from, clock) in [damaged(), pruned()] {
        let counted = SimulatedDisk::new(1);
        JournalReader::salvage_storage(&*from.process(), counted.process()).unwrap();
        let mut failed = 0;
        for operation in 0..counted.operations() {
            for fault in [Fault::Eio, Fault::Enospc, Fault::Interrupted, Fault::ShortWrite, Fault::SyncLost] {
                let out = SimulatedDisk::new(operation);
                out.fail_at(operation, fault);
                let what = format!("{fault:?} at {operation}");
                match salvage_into(&*from.process(), &from, out) {
                    Err(error) => {
                        failed += 1;
                        let is_told = matches!(error.kind(), ErrorKind::Io | ErrorKind::NoSpace);
                        assert!(is_told, "{what}: {error:?}");
                    }
                    // To take away what a snapshot's temporary name no longer leads to is no part of the work.
                    Ok(salvaged) => salvaged.expect_opens(&clock, &what),
                }
            }
        }
        assert!(failed >= 5 * (counted.operations() - 1), "{failed}");
        for read in 0..counted.reads() {
            let out = SimulatedDisk::new(read);
            out.fail_read_at(read);
            if let Err(error) = salvage_into(&*from.process(), &from, out).map(|_| ()) {
                assert_eq!(*error.kind(), ErrorKind::Io, "read {read}: {error}");
            }
        }
    }
}

#[test]
fn a_new_disk_that_is_full_is_told_and_left_empty() {
    let (from, _) = damaged();
    let whole = salvage(&from).unwrap().disk.used();
    for room in (0..whole).step_by(1000) {
        let out = SimulatedDisk::new(room);
        out.set_capacity(Some(room));
        let error = salvage_into(&*from.process(), &from, out).map(|_| ()).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::NoSpace, "{room} of {whole}: {error}");
    }
}

/// Each call that reads the old journal fails once: that changes nothing, or is told, and is never taken for the end.
#[test]
fn a_read_that_fails_once_is_made_again_or_told() {
    for (from, _) in [damaged(), pruned()] {
        let before = from.reads();
        let whole = salvage(&from).unwrap();
        let reads = from.reads() - before;
        for read in 0..reads {
            let from = copy(&from);
            from.fail_read_at(from.reads() + read);
            let salvaged = match salvage(&from) {
                Ok(salvaged) => salvaged,
                Err(error) => {
                    assert_eq!(*error.kind(), ErrorKind::Io, "read {read}: {error}");
                    continue;
                }
            };
            let is_told =
                salvaged.report.findings.iter().any(|finding| finding.kind == FindingKind::Unreadable);
            let same = (salvaged.report.last_seq, salvaged.report.orphans)
                == (whole.report.last_seq, whole.report.orphans);
            assert!(is_told || same, "read {read} of {reads}: {:?}", salvaged.report);
        }
    }
}

/// The old journal on a disk of which a range cannot be read, however often.
#[derive(Debug)]
struct Rotten {
    inner: Arc<dyn Storage>,
    file: String,
    range: Range<u64>,
    /// What the system says.
    errno: i32,
}

#[derive(Debug)]
struct RottenFile {
    inner: Arc<dyn StorageFile>,
    range: Range<u64>,
    errno: i32,
}

const EIO: i32 = 5;

impl Storage for Rotten {
    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let inner = self.inner.open(name)?;
        if name != self.file {
            return Ok(inner);
        }
        if self.range.is_empty() {
            return Err(io::Error::from_raw_os_error(self.errno));
        }
        Ok(Arc::new(RottenFile { inner, range: self.range.clone(), errno: self.errno }))
    }

    fn peek_lock(&self, name: &str) -> io::Result<Option<LockPeek>> {
        self.inner.peek_lock(name)
    }

    fn create(&self, _: &str) -> io::Result<Arc<dyn StorageFile>> {
        unreachable!("a salvage writes nothing here")
    }

    fn open_writable(&self, _: &str) -> io::Result<Arc<dyn StorageFile>> {
        unreachable!("a salvage writes nothing here")
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        unreachable!("a salvage writes nothing here")
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        unreachable!("a salvage writes nothing here")
    }

    fn sync_dir(&self) -> io::Result<()> {
        unreachable!("a salvage writes nothing here")
    }

    fn try_lock(&self, _: &str) -> io::Result<Option<Arc<SharedPage>>> {
        unreachable!("a salvage takes no lock here")
    }
}

impl StorageFile for RottenFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset + buffer.len() as u64;
        if offset < self.range.end && self.range.start < end {
            return Err(io::Error::from_raw_os_error(self.errno));
        }
        self.inner.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        unreachable!("a salvage writes nothing here")
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        unreachable!("a salvage writes nothing here")
    }

    fn sync(&self) -> io::Result<()> {
        unreachable!("a salvage writes nothing here")
    }

    fn map(&self, _: u64) -> io::Result<Mapping> {
        Err(io::Error::from_raw_os_error(self.errno))
    }
}

#[test]
fn a_sector_that_cannot_be_read_is_a_gap_and_told_apart_from_damage() {
    let sample = Sample::new(6 << 10, &[6, 4]);
    for (file, bytes) in segments(&sample.disk) {
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() as u64 + 1;
        for start in (0..end).step_by(512) {
            let range = start..(start + 512).min(bytes.len() as u64);
            let rotten =
                Rotten { inner: sample.disk.process(), file: file.clone(), range: range.clone(), errno: EIO };
            let what = format!("{file} from {start} on");
            let salvaged =
                salvage_from(&rotten, &sample.disk).unwrap_or_else(|error| panic!("{what}: {error}"));
            let expected = sample
                .expected(|place| place.file == file && place.start < range.end && range.start < place.end);
            salvaged.expect(&expected, &what);
            salvaged.expect_opens(&sample.clock, &what);
            assert!(salvaged.finds(&file, start), "{what}: {:?}", salvaged.report.findings);
            let worst = salvaged.report.findings.iter().map(|finding| finding.kind).max();
            assert_eq!(worst, Some(FindingKind::Unreadable), "{what}");
        }
        let rotten = Rotten { inner: sample.disk.process(), file: file.clone(), range: 0..0, errno: EIO };
        let salvaged = salvage_from(&rotten, &sample.disk).unwrap();
        let what = format!("{file} cannot be opened");
        salvaged.expect(&sample.expected(|place| place.file == file), &what);
        let told =
            |finding: &tallybook::Finding| finding.kind == FindingKind::Unreadable && finding.file == file;
        assert!(salvaged.report.findings.iter().any(told), "{what}");
    }
}

/// EPERM, ENOMEM, EACCES, ENFILE and EMFILE say nothing about the disk: what they keep from being read is not lost.
#[test]
fn an_error_that_is_not_the_disks_ends_the_salvage() {
    let (disk, _) = pruned();
    let is_read = |name: &String| name.ends_with(".seg") || name.ends_with(".base");
    for file in disk.names().into_iter().filter(is_read) {
        for errno in [1, 12, 13, 23, 24] {
            for range in [0..0, 0..1, 4200..4201] {
                let rotten = Rotten { inner: disk.process(), file: file.clone(), range, errno };
                let what = format!("errno {errno} of {:?} in {file}", rotten.range);
                let error = salvage_from(&rotten, &disk).map(|_| ()).expect_err(&what);
                assert_eq!(*error.kind(), ErrorKind::Io, "{what}: {error}");
            }
        }
    }
}

/// With the base whole the new journal begins there; with it spoiled, at the next snapshot, and what is before that is kept
/// with the orphans; with none left there is nothing to begin from.
#[test]
fn law_retain_a_pruned_journal_begins_with_the_oldest_snapshot_that_is_whole() {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(2), Shadow::default());
    let mut workload = Workload::new(21);
    let rules = Retention::new().segments(6);
    let engine = open(&disk, options(1, &clock).retention(rules).snapshot_bytes(9_000)).unwrap();
    for _ in 0..60 {
        let request = workload.next(shadow.projection(), &clock);
        must(&engine, &mut shadow, &clock, request);
    }
    engine.shutdown(DEADLINE).unwrap();
    disk.restart(Survivors::Nothing);
    let mut names: Vec<SnapshotName> =
        disk.names().iter().filter_map(|name| SnapshotName::parse(name)).collect();
    names.sort_unstable();
    let floor = names.iter().find(|name| name.is_base).unwrap().before.first_seq;
    assert!(floor > 1 && names.len() >= 2, "{names:?}");
    let last = shadow.seq();
    let hash = shadow.projection().state.state_hash();
    for (spoiled, name) in names.iter().enumerate() {
        let salvaged = salvage(&disk).unwrap();
        let first = name.before.first_seq;
        let report = &salvaged.report;
        assert_eq!(report.snapshot.as_deref(), Some(&*name.to_string()));
        assert_eq!((report.first_seq, report.last_seq, report.state_hash), (first, last, hash));
        assert_eq!((report.events, report.orphans), (last + 1 - first, first - floor));
        assert_eq!(report.findings.len(), spoiled, "{:?}", report.findings);
        salvaged.expect_opens(&clock, "pruned");
        let seqs: Vec<u64> = salvaged.orphans().iter().map(|line| seq_of(line)).collect();
        assert_eq!(seqs, (floor..first).collect::<Vec<_>>());
        disk.corrupt(&name.to_string(), 5_000, 2).unwrap();
    }
    let salvaged = salvage(&disk).unwrap();
    assert_eq!((salvaged.report.events, salvaged.report.orphans), (0, last + 1 - floor));
    assert_eq!(salvaged.report.snapshot, None);
    salvaged.expect_opens(&clock, "nothing to begin from");
}

fn seq_of(line: &[u8]) -> u64 {
    serde_json::from_slice::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap()
}

/// Payloads whose CRC is right, and which no engine has decided: the new journal would refuse to open.
#[test]
fn what_does_not_fold_is_a_gap() {
    let sample = Sample::new(64 << 10, &[6]);
    let (file, bytes) = segments(&sample.disk).remove(0);
    let header = tallybook::format::SegmentHeader::from_bytes(&bytes).unwrap();
    let codec = tallybook::format::FrameCodec::new(header.journal_id, header.number);
    for (&seq, (last, places)) in sample.frames.iter().skip(1) {
        let start = usize::try_from(places[0].start).unwrap();
        let tallybook::format::FrameRead::Frame(frame) = codec.read(&bytes, places[0].start) else {
            panic!("no frame")
        };
        for (is_json, change) in
            [(true, ("\"ts\":\"2026", "\"ts\":\"2025")), (false, ("\"seq\":", "\"sec\":"))]
        {
            let text = std::str::from_utf8(frame.payload).unwrap().replacen(change.0, change.1, 1);
            let mut forged = bytes.clone();
            let end = usize::try_from(places[0].end).unwrap();
            forged[start + 48..start + 48 + text.len()].copy_from_slice(text.as_bytes());
            codec.finish(&mut forged[start..end], places[0].start, &frame.header);
            let disk = copy(&sample.disk);
            disk.put(&file, &forged);
            let salvaged = salvage(&disk).unwrap();
            assert_eq!((salvaged.report.last_seq, salvaged.report.gap_at), (seq - 1, Some(seq)));
            assert!(salvaged.finds(&file, places[0].start), "{:?}", salvaged.report.findings);
            salvaged.expect_opens(&sample.clock, "forged");
            let first_orphan = salvaged.orphans().first().map(|line| seq_of(line));
            let expected = if is_json { Some(seq) } else { Some(last + 1) };
            assert!(first_orphan == expected || first_orphan.is_none() && !is_json, "{first_orphan:?}");
        }
    }
}

use super::*;
use crate::engine::archive::ArchiveHook;
use crate::ids::JournalId;
use crate::storage::{Fault, SimulatedDisk, Survivors};

const NAME: &str = "0000000001-00000000000000000001.seg";

/// A segment on a disk of its own: a little more than two chunks, with torn bytes and zeros behind its end.
struct Source {
    disk: SimulatedDisk,
    bytes: Vec<u8>,
}

impl Source {
    fn new() -> Source {
        let disk = SimulatedDisk::new(1);
        let mut bytes: Vec<u8> = (1..=251).cycle().take(2 * CHUNK + 100).collect();
        let len = bytes.len();
        bytes.extend([0; 1_000]);
        disk.put(NAME, &bytes);
        bytes.truncate(len);
        Source { disk, bytes }
    }

    fn archive_to(&self, archive: &DirectoryArchive) -> Result<(), Error> {
        let file = self.disk.process().open(NAME).unwrap();
        let len = u64::try_from(self.bytes.len()).unwrap();
        let journal_id = JournalId(uuid::Uuid::nil());
        let segment = ArchivedSegment::new(journal_id, NAME, 1, (1, 9), (len - 50, len), &*file);
        archive.archive(&segment).map_err(|error| *error.downcast::<Error>().unwrap())
    }
}

fn in_process(disk: &SimulatedDisk) -> DirectoryArchive {
    DirectoryArchive::in_storage(disk.process())
}

#[test]
fn a_segment_is_copied_durably_under_its_name_and_nothing_else_is_left() {
    let (source, disk) = (Source::new(), SimulatedDisk::new(2));
    source.archive_to(&in_process(&disk)).unwrap();
    disk.restart(Survivors::Nothing);
    assert_eq!(disk.names(), [NAME]);
    assert!(
        disk.contents(NAME).unwrap() == source.bytes,
        "with the torn bytes, without the zeros behind them"
    );
    let operations = disk.operations();
    source.archive_to(&in_process(&disk)).unwrap();
    assert_eq!(disk.operations() - operations, 2, "the same again: only synced, the file and the names");
}

#[test]
fn other_bytes_are_an_error_that_names_the_file_and_are_left_as_they_are() {
    let source = Source::new();
    let mut altered = source.bytes.clone();
    altered[CHUNK + 7] ^= 1;
    let (end, chunk) = (source.bytes.len() - 50, CHUNK + 7);
    for (bytes, how) in [
        (altered, format!("differ at offset {chunk};")),
        (source.bytes[..end - 1].to_vec(), format!("expected {end} bytes, found {}", end - 1)),
        (Vec::new(), "found 0".to_owned()),
    ] {
        let disk = SimulatedDisk::new(2);
        disk.put(NAME, &bytes);
        let error = source.archive_to(&in_process(&disk)).unwrap_err();
        assert!(error.to_string().contains(NAME) && error.to_string().contains(&how), "{error}");
        assert!(disk.contents(NAME).unwrap() == bytes);
    }
}

/// They were never synced, so a power cut between two tries may have changed them.
#[test]
fn what_lies_behind_the_end_may_differ_from_the_copy() {
    let source = Source::new();
    let end = source.bytes.len() - 50;
    for bytes in [source.bytes[..end].to_vec(), [&source.bytes[..end], &[9; 70]].concat()] {
        let disk = SimulatedDisk::new(2);
        disk.put(NAME, &bytes);
        source.archive_to(&in_process(&disk)).unwrap();
        assert!(disk.contents(NAME).unwrap() == bytes, "the copy stays as it is");
    }
}

#[test]
fn after_a_power_cut_at_any_moment_it_is_archived_by_the_next_try() {
    let source = Source::new();
    let whole = SimulatedDisk::new(3);
    source.archive_to(&in_process(&whole)).unwrap();
    for cut in 0..whole.operations() {
        let crashed = SimulatedDisk::new(3);
        crashed.power_cut_at(cut);
        assert!(source.archive_to(&in_process(&crashed)).is_err(), "what is cut off is not archived");
        for survivors in [Survivors::Nothing, Survivors::Seeded, Survivors::Everything] {
            let disk = crashed.fork(cut);
            disk.restart(survivors);
            source.archive_to(&in_process(&disk)).unwrap();
            disk.restart(Survivors::Nothing);
            assert_eq!(disk.names(), [NAME], "cut at {cut}, {survivors:?}");
            assert!(disk.contents(NAME).unwrap() == source.bytes, "cut at {cut}, {survivors:?}");
        }
    }
}

#[test]
fn any_fault_is_an_error_and_the_next_try_succeeds() {
    let source = Source::new();
    let whole = SimulatedDisk::new(3);
    source.archive_to(&in_process(&whole)).unwrap();
    for fault in [Fault::Eio, Fault::Enospc, Fault::ShortWrite, Fault::SyncLost] {
        // The first operation looks for half a copy, and finds none.
        for at in 1..whole.operations() {
            let disk = SimulatedDisk::new(4);
            disk.fail_at(at, fault);
            let error = source.archive_to(&in_process(&disk)).unwrap_err();
            let kind = match fault {
                Fault::Enospc | Fault::ShortWrite => ErrorKind::NoSpace,
                _ => ErrorKind::Io,
            };
            assert_eq!(*error.kind(), kind, "{fault:?} at {at}: {error}");
            assert!(disk.names().iter().all(|name| name == NAME), "{:?}", disk.names());
            source.archive_to(&in_process(&disk)).unwrap();
            disk.restart(Survivors::Nothing);
            assert!(disk.contents(NAME).unwrap() == source.bytes, "{fault:?} at {at}");
        }
    }
    for read in 0..whole.reads() {
        let disk = SimulatedDisk::new(4);
        disk.fail_read_at(read);
        source.archive_to(&in_process(&disk)).unwrap_err();
        source.archive_to(&in_process(&disk)).unwrap();
    }
    for read in 1..source.disk.reads().min(4) {
        let source = Source::new();
        source.disk.fail_read_at(read);
        source.archive_to(&in_process(&SimulatedDisk::new(4))).unwrap_err();
    }
}

#[test]
fn the_directory_of_a_journal_is_no_archive() {
    let (source, disk) = (Source::new(), SimulatedDisk::new(2));
    disk.put("lock", b"");
    let error = source.archive_to(&in_process(&disk)).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert_eq!(disk.names(), ["lock"]);
}

#[test]
fn a_directory_is_made_at_first_and_missed_later() {
    let home = tempfile::tempdir().unwrap();
    let (dir, book) = (home.path().join("a/b"), home.path().join("book"));
    let archive = DirectoryArchive::new(&dir);
    let hook = ArchiveHook::new(DirectoryArchive::new(&dir));
    let source = Source::new();
    let missing = source.archive_to(&archive).unwrap_err();
    assert!(missing.to_string().contains(dir.to_str().unwrap()), "{missing}");
    hook.prepare(&book).unwrap();
    source.archive_to(&archive).unwrap();
    source.archive_to(&archive).unwrap();
    let files = Files::open(&dir).unwrap();
    assert_eq!(files.list().unwrap(), [NAME]);
    assert!(files.open(NAME).unwrap().map(source.bytes.len() as u64).unwrap()[..] == source.bytes);
    for inside in [&dir, &home.path().join("a")] {
        assert_eq!(*hook.prepare(inside).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

use super::*;
use crate::journal::header::{Predecessor, SegmentHeader, WriterVersion};
use crate::storage::{Fault, SimulatedDisk};

fn segment(number: u64) -> SegmentName {
    SegmentName { number, first_seq: number * 10 }
}

/// Of a snapshot of nothing.
fn snapshot_header(number: u64) -> SnapshotHeader {
    SnapshotHeader {
        journal_id: JournalId(uuid::Uuid::nil()),
        before: segment(number),
        epoch: Epoch::NONE,
        last_ts: Timestamp::UNIX_EPOCH,
        fold_version: 1,
        state_hash: [0; 32],
        lines: 0,
        payload_len: 0,
        payload_crc: 0,
        created_at: Timestamp::UNIX_EPOCH,
        written_by: WriterVersion::current(),
        spine_head: [0; 32],
    }
}

/// A disk with these segments, of which nobody can tell where they end, and snapshots.
fn disk(segments: &[u64], snapshots: &[(u64, bool)]) -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    for &number in segments {
        disk.put(&segment(number).to_string(), b"bent");
    }
    for &(number, is_base) in snapshots {
        let name = SnapshotName { before: segment(number), is_base };
        disk.put(&name.to_string(), &snapshot_header(number).to_bytes());
    }
    disk
}

fn segments(disk: &SimulatedDisk) -> Vec<u64> {
    disk.names().iter().filter_map(|name| SegmentName::parse(name)).map(|name| name.number).collect()
}

#[test]
fn what_lies_below_the_floor_goes_and_nothing_else() {
    let disk = disk(&[1, 3, 4, 5, 6], &[(3, true), (5, false), (5, true), (6, false)]);
    assert_eq!(remove_leftovers(&*disk.process()).unwrap(), 3);
    assert_eq!(segments(&disk), [5, 6]);
    assert_eq!(disk.names().len(), 4, "one base, and a snapshot after it: {:?}", disk.names());
    let operations = disk.operations();
    assert_eq!(remove_leftovers(&*disk.process()).unwrap(), 0);
    assert_eq!(disk.operations(), operations, "nothing is synced for nothing");
}

#[test]
fn law_retain_whatever_is_to_go_the_floor_is_durable_first() {
    for disk in [disk(&[1, 2], &[(2, true)]), disk(&[2], &[(2, false), (2, true)])] {
        let names = disk.names();
        disk.fail_at(disk.operations(), Fault::Eio);
        let error = remove_leftovers(&*disk.process()).unwrap_err();
        assert!(error.to_string().contains("syncing the retention floor"), "{error}");
        assert_eq!(disk.names(), names);
    }
}

#[test]
fn a_segment_whose_torn_bytes_are_not_kept_stays_with_the_one_that_says_where_it_ends() {
    for (read, left) in [(0, &[1, 2, 5][..]), (1, &[2, 3, 5]), (2, &[3, 5])] {
        let disk = disk(&[1, 2, 3, 5], &[(4, true)]);
        disk.put(&segment(4).to_string(), b"bent");
        // The directory is listed, the base looked at; then of each segment the header of its successor is read.
        let reads_of = |look: &dyn Fn(&dyn Storage) -> bool, is_good| {
            let before = disk.reads();
            assert_eq!(look(&*disk.process()), is_good);
            disk.reads() - before
        };
        let base = SnapshotName { before: segment(4), is_base: true };
        let of_base = reads_of(&|storage| SnapshotFile::open(storage, base).is_ok(), true);
        let of_header = reads_of(&|storage| Segment::open(storage, segment(1)).is_ok(), false);
        disk.fail_read_at(disk.reads() + 1 + of_base + read * of_header);
        remove_leftovers(&*disk.process()).unwrap();
        let found: Vec<u64> = segments(&disk).into_iter().filter(|number| *number != 4).collect();
        assert_eq!(found, left, "read {read} failed");
    }
}

#[test]
fn whoever_goes_through_segments_that_are_gone_is_told_so() {
    let visit_between = |from, before| {
        let disk = disk(&[1, 2, 3], &[(3, true)]);
        visit_closed(&*disk.process(), segment(from), segment(before), &mut |_| Ok(()), &|| false)
            .unwrap_err()
    };
    for (from, before) in [(1, 3), (1, 2), (2, 3), (3, 4)] {
        let error = visit_between(from, before);
        assert_eq!(*error.kind(), ErrorKind::Pruned, "{from} to {before}: {error}");
    }
}

/// Segments 1 and 2, of which the first ends at 4200 with so many bytes of `torn` behind that, and a base there.
fn torn_disk(file_len: usize) -> SimulatedDisk {
    let header = |number: u64, end, discarded_len| SegmentHeader {
        journal_id: JournalId(uuid::Uuid::nil()),
        number,
        first_seq: number * 10,
        epoch: Epoch::NONE,
        previous_epoch: Epoch::NONE,
        predecessor: Predecessor { last_seq: number * 10 - 1, end, discarded_len, discarded_sha256: [0; 32] },
        birth: 4096,
        max_unsynced: 0,
        created_at: Timestamp::UNIX_EPOCH,
        written_by: WriterVersion::current(),
    };
    let disk = disk(&[], &[(2, true)]);
    disk.put(&segment(2).to_string(), &header(2, 4200, 100).to_bytes());
    let mut first = header(1, 0, 0).to_bytes().to_vec();
    first.resize(4200, 1);
    first.resize(4300, b't');
    first.resize(5000, 0);
    first.truncate(file_len);
    disk.put(&segment(1).to_string(), &first);
    disk
}

#[test]
fn law_evidence_what_is_torn_is_copied_once_as_far_as_it_is_there() {
    let copy = segment(1).torn();
    for (file_len, torn_len) in [(5000, 100), (4300, 100), (4250, 50)] {
        let disk = torn_disk(file_len);
        assert_eq!(remove_leftovers(&*disk.process()).unwrap(), 1);
        assert_eq!(disk.contents(&copy).unwrap(), vec![b't'; torn_len], "of {file_len} bytes");
    }
    for file_len in [4200, 4150] {
        let disk = torn_disk(file_len);
        assert_eq!(remove_leftovers(&*disk.process()).unwrap(), 1, "of {file_len} bytes");
        assert!(disk.contents(&copy).is_err(), "a copy of nothing");
    }
    let disk = torn_disk(5000);
    disk.put(&copy, b"kept before");
    assert_eq!(remove_leftovers(&*disk.process()).unwrap(), 1);
    assert_eq!(disk.contents(&copy).unwrap(), b"kept before");
}

/// Whoever reads begins anew when what it began with is pruned; damage would end it.
#[test]
fn a_snapshot_before_a_segment_that_was_pruned_meanwhile_is_pruned_and_not_damaged() {
    let disk = disk(&[4], &[(4, true)]);
    let fits = |number| {
        let name = SnapshotName { before: segment(number), is_base: false };
        fits_journal(&*disk.process(), name, &snapshot_header(number)).unwrap_err()
    };
    assert_eq!(*fits(3).kind(), ErrorKind::Pruned);
    assert_eq!(fits(4).damage().unwrap().file, segment(4).to_string());
    let error = fits(5);
    let of_snapshot = SnapshotName { before: segment(5), is_base: false }.to_string();
    assert_eq!(error.damage().unwrap().file, of_snapshot, "{error}");
}

#[test]
fn what_is_gone_already_is_removed_and_what_cannot_be_removed_is_an_error() {
    let disk = disk(&[], &[(1, false)]);
    let (there, gone) = (SnapshotName { before: segment(1), is_base: false }, segment(2));
    remove_snapshot(&*disk.process(), SnapshotName { before: gone, is_base: false }).unwrap();
    disk.fail_at(disk.operations(), Fault::Eio);
    let error = remove_snapshot(&*disk.process(), there).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Io);
    remove_snapshot(&*disk.process(), there).unwrap();
    assert!(disk.names().is_empty());
}

#[test]
fn law_evidence_the_newest_64_mebibytes_of_torn_bytes_are_kept() {
    const MEBIBYTE: usize = 1 << 20;
    for (newest, left) in [(24 * MEBIBYTE, 2), (24 * MEBIBYTE + 1, 1)] {
        let disk = SimulatedDisk::new(1);
        for (number, len) in [(1, 1), (2, 40 * MEBIBYTE), (3, newest)] {
            disk.put(&segment(number).torn(), &vec![1; len]);
        }
        remove_leftovers(&*disk.process()).unwrap();
        let kept: Vec<String> = (1..=3).rev().take(left).map(|number| segment(number).torn()).collect();
        assert_eq!(disk.names().into_iter().rev().collect::<Vec<_>>(), kept);
    }
}

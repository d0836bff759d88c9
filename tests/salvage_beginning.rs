//! Where a salvaged journal begins: with the first event where that is there, wherever it lies, and with a snapshot where it
//! is lost (laws EVIDENCE, FOLD).

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/salvaging.rs"]
mod salvaging;

use common::{DEADLINE, Shadow, Workload, clock, copy, must, open, options, segments};
use salvaging::{Expected, Sample};
use tallybook::format::{HEADER_LEN, RECORD_LEN, SegmentName, SnapshotHeader, SnapshotName};
use tallybook::storage::SimulatedDisk;

/// A journal with snapshots of which nothing was pruned; where `begins_empty`, nothing was journaled into its first segment.
fn with_snapshots(begins_empty: bool) -> (Sample, Vec<SnapshotName>) {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(2), Shadow::default());
    if begins_empty {
        let _engine = open(&disk, options(2, &clock)).unwrap();
        disk.kill();
    }
    let mut workload = Workload::new(21);
    let engine = open(&disk, options(1, &clock).snapshot_bytes(9_000)).unwrap();
    for _ in 0..40 {
        let request = workload.next(shadow.projection(), &clock);
        must(&engine, &mut shadow, &clock, request);
    }
    engine.shutdown(DEADLINE).unwrap();
    let mut names: Vec<_> = disk.names().iter().filter_map(|name| SnapshotName::parse(name)).collect();
    names.sort_unstable();
    assert!(names.len() >= 2 && names.iter().all(|name| !name.is_base), "{names:?}");
    (Sample::of(disk, clock), names)
}

fn seqs(lines: &[common::Line], range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    lines.iter().filter(|line| range.contains(&line.seq)).map(|line| line.bytes.clone()).collect()
}

#[test]
fn a_first_segment_that_lost_its_events_is_none_that_never_had_any() {
    let (sample, names) = with_snapshots(false);
    let all = segments(&sample.disk);
    let (file, bytes) = &all[0];
    let second = SegmentName::parse(&all[1].0).unwrap().first_seq;
    let record_end = HEADER_LEN + RECORD_LEN;
    let zeroed = [&bytes[..record_end], &vec![0; bytes.len() - record_end]].concat();
    for left in [&bytes[..HEADER_LEN], &bytes[..record_end], &zeroed] {
        let disk = copy(&sample.disk);
        disk.put(file, left);
        let first = names[0].before.first_seq;
        let expected = Expected {
            copied: seqs(&sample.lines, first..u64::MAX),
            orphans: seqs(&sample.lines, second..first),
        };
        let salvaged = sample.expect(&disk, &expected, &format!("{} bytes left", left.len()));
        assert_eq!(salvaged.report.snapshot, Some(names[0].to_string()));
        // The copies of what is before it are orphans as any other.
        let Some(name) = names.last().filter(|name| name.before.first_seq > second) else {
            panic!("{names:?}")
        };
        names
            .iter()
            .filter(|other| *other != name)
            .for_each(|other| disk.remove_file(&other.to_string()).unwrap());
        disk.put(&format!("{:010}-{:020}.seg", 99, 9_999), &all[1].1);
        let place =
            sample.frames.values().find(|(_, places)| places[0].file == all[1].0).unwrap().1[0].clone();
        disk.corrupt(&place.file, place.start + 60, 1).unwrap();
        let first = name.before.first_seq;
        let expected = Expected {
            copied: seqs(&sample.lines, first..u64::MAX),
            orphans: seqs(&sample.lines, second..first),
        };
        sample.expect(&disk, &expected, "with the second segment twice");
    }
}

#[test]
fn the_first_event_may_lie_in_the_second_segment() {
    let (sample, _) = with_snapshots(true);
    let (file, _) = segments(&sample.disk).remove(0);
    assert!(sample.frames.values().all(|(_, places)| places.iter().all(|place| place.file != file)));
    let disk = copy(&sample.disk);
    disk.remove_file(&file).unwrap();
    let salvaged = sample.expect(&disk, &sample.all(), "without the first segment");
    assert_eq!((salvaged.report.snapshot, salvaged.report.gap_at), (None, None));
}

#[test]
fn a_snapshot_before_event_0_is_damaged() {
    let (sample, names) = with_snapshots(false);
    let bytes = sample.disk.contents(&names[0].to_string()).unwrap();
    let header = SnapshotHeader::from_bytes(&bytes).unwrap();
    let disk = copy(&sample.disk);
    names.iter().for_each(|name| disk.remove_file(&name.to_string()).unwrap());
    for is_base in [false, true] {
        for (number, first_seq) in [(1, 0), (0, 0), (0, 1)] {
            let name = SnapshotName { before: SegmentName { number, first_seq }, is_base };
            let forged = SnapshotHeader { before: name.before, ..header.clone() };
            let disk = copy(&disk);
            disk.put(&name.to_string(), &[&forged.to_bytes(), &bytes[HEADER_LEN..]].concat());
            let salvaged = sample.expect(&disk, &sample.all(), &name.to_string());
            assert!(
                salvaged.report.findings.iter().any(|found| found.file == name.to_string()),
                "{name}: {:?}",
                salvaged.report.findings
            );
        }
    }
}

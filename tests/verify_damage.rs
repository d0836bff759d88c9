//! `verify` finds every way of damage, by file and byte range, in segments and in snapshots, and says nothing of bytes that
//! nothing relies on (law EVIDENCE). `TALLYBOOK_ROUNDS` asks for every byte instead of every fifth.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/salvaging.rs"]
mod salvaging;

use common::{DEADLINE, Shadow, Workload, clock, copy, must, open, options, segments};
use salvaging::{Sample, stride};
use tallybook::format::{HEADER_LEN, SegmentHeader, SnapshotName};
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{Finding, FindingKind, JournalReader, NewGoal, Retention};

/// Sealed segments, one that a recovery ended, one that is being written, and snapshots.
fn sample() -> Sample {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(3), Shadow::default());
    let mut workload = Workload::new(8);
    for (session, commands) in [(1, 14), (2, 4)] {
        let rules = options(session, &clock).retention(Retention::keep_all()).snapshot_bytes(5_000);
        let engine = open(&disk, rules).unwrap();
        for _ in 0..commands {
            let request = workload.next(shadow.projection(), &clock);
            must(&engine, &mut shadow, &clock, request);
        }
        disk.kill();
    }
    assert!(snapshots(&disk).len() >= 2, "{:?}", disk.names());
    Sample::of(disk, clock)
}

fn snapshots(disk: &SimulatedDisk) -> Vec<(String, Vec<u8>)> {
    let names = disk.names().into_iter().filter(|name| SnapshotName::parse(name).is_some());
    names.map(|name| (name.clone(), disk.contents(&name).unwrap())).collect()
}

fn findings(disk: &SimulatedDisk) -> Vec<Finding> {
    JournalReader::verify_storage(&*disk.process()).unwrap().findings
}

/// Expects damage to be found in that file, in a range that holds the byte.
#[track_caller]
fn expect_found(disk: &SimulatedDisk, file: &str, at: u64, what: &str) {
    let found = findings(disk);
    let is_it = |finding: &Finding| {
        finding.kind == FindingKind::Damage
            && finding.file == file
            && (finding.start..finding.end).contains(&at)
    };
    assert!(found.iter().any(is_it), "{what}: {found:?}");
}

#[track_caller]
fn expect_named(disk: &SimulatedDisk, file: &str, what: &str) {
    let found = findings(disk);
    let is_it = |finding: &Finding| finding.kind == FindingKind::Damage && finding.file == file;
    assert!(found.iter().any(is_it), "{what}: {found:?}");
}

/// Bytes on which something relies.
fn relied_on(sample: &Sample) -> Vec<(String, Vec<u8>, u64)> {
    let of_segments = segments(&sample.disk).into_iter().map(|(file, bytes)| {
        let end = sample.proven[&file];
        (file, bytes, end)
    });
    let of_snapshots = snapshots(&sample.disk).into_iter().map(|(file, bytes)| {
        let end = bytes.len() as u64;
        (file, bytes, end)
    });
    of_segments.chain(of_snapshots).collect()
}

#[test]
fn law_evidence_a_flipped_byte_is_found_by_file_and_range() {
    let sample = sample();
    assert_eq!(findings(&sample.disk), Vec::new());
    for (file, _, end) in relied_on(&sample) {
        let header = HEADER_LEN as u64;
        let said = (0..160).chain(header - 8..header).chain(header..end).step_by(stride());
        for at in said.chain((160..header).step_by(397)) {
            expect_found(&sample.flipped(&file, at), &file, at, &format!("{file} at {at}"));
        }
    }
}

#[test]
fn law_evidence_a_sector_zeroed_stale_or_foreign_is_found_by_file_and_range() {
    let sample = sample();
    let all = relied_on(&sample);
    for (index, (file, bytes, proven)) in all.iter().enumerate() {
        let foreign = &all[(index + 1) % all.len()].1;
        for start in (0..usize::try_from(*proven).unwrap()).step_by(512) {
            let end = (start + 512).min(usize::try_from(*proven).unwrap());
            let stale = vec![b'x'; end - start];
            let other = foreign.get(start..end).map_or(stale.clone(), <[u8]>::to_vec);
            for sector in [vec![0; end - start], stale, other] {
                let mut bent = bytes.clone();
                bent[start..end].copy_from_slice(&sector);
                let Some(at) = (start..end).find(|&at| bent[at] != bytes[at]) else { continue };
                let disk = copy(&sample.disk);
                disk.put(file, &bent);
                expect_found(&disk, file, at as u64, &format!("sector {start} of {file}"));
            }
        }
    }
}

#[test]
fn law_evidence_a_file_cut_off_is_found() {
    let sample = sample();
    // A newest segment that is cut off takes along what testifies to it.
    let (newest, _) = common::newest_segment(&sample.disk);
    for (file, bytes, proven) in relied_on(&sample).into_iter().filter(|(file, ..)| *file != newest) {
        for len in (0..usize::try_from(proven).unwrap()).step_by(173) {
            let disk = copy(&sample.disk);
            disk.put(&file, &bytes[..len]);
            expect_named(&disk, &file, &format!("{file} cut to {len}"));
        }
        if file.ends_with(".snap") {
            let disk = copy(&sample.disk);
            disk.put(&file, &[&bytes[..], b"{}\n"].concat());
            expect_named(&disk, &file, &format!("{file} with more behind it"));
        }
    }
}

/// The seal holds no events: only that it is not there tells that it was.
#[test]
fn law_evidence_a_seal_that_is_zeroed_is_found() {
    let sample = sample();
    let all = segments(&sample.disk);
    let sealed: Vec<_> = all
        .windows(2)
        .filter(|pair| SegmentHeader::from_bytes(&pair[1].1).unwrap().predecessor.discarded_len == 0)
        .map(|pair| pair[0].clone())
        .collect();
    assert!(sealed.len() > 1);
    for (file, mut bytes) in sealed {
        let end = sample.proven[&file];
        bytes[usize::try_from(end - 80).unwrap()..].fill(0);
        let disk = copy(&sample.disk);
        disk.put(&file, &bytes);
        expect_found(&disk, &file, end - 80, &file);
        assert!(open(&disk, options(9, &sample.clock)).is_ok() || findings(&disk).len() == 1);
    }
}

#[test]
fn law_evidence_files_that_are_missing_swapped_or_doubled_are_found() {
    let sample = sample();
    let all = segments(&sample.disk);
    for (index, (file, bytes)) in all.iter().enumerate() {
        let Some((next, after)) = all.get(index + 1) else { continue };
        let disk = copy(&sample.disk);
        disk.remove_file(file).unwrap();
        expect_named(&disk, next, &format!("{file} missing"));

        let disk = copy(&sample.disk);
        disk.put(file, after);
        disk.put(next, bytes);
        expect_named(&disk, file, "swapped");
        expect_named(&disk, next, "swapped");

        let disk = copy(&sample.disk);
        disk.put(next, bytes);
        expect_named(&disk, next, "doubled");
    }
    let shots = snapshots(&sample.disk);
    let (one, two) = (&shots[0], &shots[1]);
    let disk = copy(&sample.disk);
    disk.put(&one.0, &two.1);
    disk.put(&two.0, &one.1);
    expect_named(&disk, &one.0, "swapped snapshots");
    expect_named(&disk, &two.0, "swapped snapshots");
    // A snapshot that is gone is missed by nothing.
    disk.put(&two.0, &two.1);
    disk.remove_file(&one.0).unwrap();
    assert_eq!(findings(&disk), Vec::new());
}

/// A snapshot testifies to the segment that it stands before, also where no other file does.
#[test]
fn law_evidence_a_snapshot_without_its_segment_is_damage_and_no_error_of_the_disk() {
    let sample = sample();
    for (file, _) in snapshots(&sample.disk) {
        let segment = file.replace(".snap", ".seg");
        let disk = copy(&sample.disk);
        for (later, _) in segments(&sample.disk).into_iter().filter(|(name, _)| *name >= segment) {
            disk.remove_file(&later).unwrap();
        }
        expect_named(&disk, &file, &format!("{segment} and all after it are gone"));
    }
}

/// The one that strayed in is named, not those that belong here.
#[test]
fn a_segment_of_another_journal_is_named_also_where_it_comes_first() {
    let sample = sample();
    let other = SimulatedDisk::new(4);
    let engine = open(&other, options(77, &sample.clock)).unwrap();
    engine.create_goal(NewGoal::new("of another journal")).unwrap();
    other.kill();
    let (_, foreign) = common::newest_segment(&other);
    let first = segments(&sample.disk).remove(0).0;
    sample.disk.put(&first, &foreign);
    let report = JournalReader::verify_storage(&*sample.disk.process()).unwrap();
    let strangers: Vec<_> =
        report.findings.iter().filter(|finding| finding.message.contains("belongs to journal")).collect();
    assert_eq!(strangers.len(), 1, "{:?}", report.findings);
    assert_eq!((&strangers[0].file, strangers[0].start, strangers[0].end), (&first, 0, 4096));
}

/// A clean close proves everything up to the mark.
#[test]
fn law_evidence_damage_after_a_clean_close_is_found() {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(3), Shadow::default());
    let mut workload = Workload::new(8);
    let engine = open(&disk, options(1, &clock)).unwrap();
    for _ in 0..5 {
        let request = workload.next(shadow.projection(), &clock);
        must(&engine, &mut shadow, &clock, request);
    }
    engine.shutdown(DEADLINE).unwrap();
    disk.restart(Survivors::Nothing);
    let (file, bytes) = common::newest_segment(&disk);
    let mark = bytes.len() - 80;
    for at in (0..160).chain((4096..mark).step_by(3)) {
        let disk = copy(&disk);
        disk.corrupt(&file, at as u64, 0x11).unwrap();
        expect_found(&disk, &file, at as u64, &format!("{file} at {at}"));
    }
    // Bytes behind the mark, which nothing can have written.
    disk.put(&file, &[&bytes[..], &[0, 0, 7]].concat());
    expect_found(&disk, &file, bytes.len() as u64 + 2, "behind the mark");
}

//! The spine beside retention: no segment is pruned without its entry on the disk, whatever fails and wherever the power is
//! cut; and a spine that contradicts the segments is evidence.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{clock, copy, open, options, segments};
use tallybook::format::{
    SPINE_ENTRY_LEN, SegmentName, SnapshotHeader, SnapshotName, SpineEntry, SpineHeader, first_head,
};
use tallybook::storage::{Fault, SimulatedDisk, Survivors};
use tallybook::{Blocking, JournalReader, NewBudget, Options, Retention, VerifyReport};

/// Segments of one command each, of which two are kept.
fn tiny(session: u64) -> Options {
    options(session, &clock())
        .segment_bytes(Options::MIN_SEGMENT_BYTES)
        .retention(Retention::new().segments(2))
}

fn work(engine: &Blocking, session: u64, commands: u64) {
    for number in 0..commands {
        // What fails is told by the journal.
        let _ = engine.allocate(NewBudget::new(format!("b{session}-{number}")).limit(5));
    }
}

fn live(disk: &SimulatedDisk, session: u64, commands: u64) {
    if let Ok(engine) = open(disk, tiny(session)) {
        work(&engine, session, commands);
    }
}

/// The entries of the spine as far as they join, from the durable bytes or from those that a process reads.
fn entries(bytes: &[u8]) -> Vec<SpineEntry> {
    let journal_id = SpineHeader::from_bytes(bytes).unwrap().journal_id;
    let mut head = first_head(journal_id);
    let places = (SPINE_ENTRY_LEN..bytes.len()).step_by(SPINE_ENTRY_LEN);
    let read = places.map_while(|at| SpineEntry::from_bytes(&bytes[at..], journal_id, at as u64));
    let found: Vec<SpineEntry> = read.collect();
    for entry in &found {
        assert_eq!(
            *entry,
            SpineEntry::after(&head, entry.number, entry.first_seq, entry.next_seq, entry.root)
        );
        head = entry.head;
    }
    assert!(found.windows(2).all(|pair| pair[0].number + 1 == pair[1].number));
    found
}

fn floor(disk: &SimulatedDisk) -> u64 {
    let names = disk.names();
    let bases = names.iter().filter_map(|name| SnapshotName::parse(name)).filter(|name| name.is_base);
    bases.map(|name| name.before.number).max().unwrap_or(1)
}

/// Everything below the floor has an entry that a power cut cannot take.
fn expect_covered(disk: &SimulatedDisk, what: &str) {
    let floor = floor(disk);
    if floor == 1 {
        return;
    }
    let bytes = disk.durable_contents("spine").unwrap_or_else(|_| panic!("{what}: pruned without a spine"));
    let found = entries(&bytes);
    assert_eq!(found[0].number, 1, "{what}");
    assert!(
        found.last().unwrap().number + 1 >= floor,
        "{what}: pruned to {floor}, with {} entries",
        found.len()
    );
}

fn verify(disk: &SimulatedDisk) -> VerifyReport {
    JournalReader::verify_storage(&*disk.process()).unwrap()
}

#[test]
fn each_closed_segment_has_its_entry_and_snapshots_tell_the_head() {
    let disk = SimulatedDisk::new(1);
    let engine = open(&disk, tiny(1).snapshot_bytes(0)).unwrap();
    work(&engine, 1, 60);
    let newest = SegmentName::parse(&segments(&disk).pop().unwrap().0).unwrap();
    drop(engine);
    let found = entries(&disk.contents("spine").unwrap());
    assert_eq!((found[0].number, found[0].first_seq), (1, 1));
    assert_eq!(
        found.last().map(|last| (last.number + 1, last.next_seq)),
        Some((newest.number, newest.first_seq))
    );
    assert!(found.len() > 43, "more than the first block holds");
    let names = disk.names();
    let snapshots: Vec<SnapshotName> = names.iter().filter_map(|name| SnapshotName::parse(name)).collect();
    assert!(snapshots.len() > 1 && floor(&disk) > 1);
    for name in snapshots {
        let header = SnapshotHeader::from_bytes(&disk.contents(&name.to_string()).unwrap()).unwrap();
        let before = found.iter().find(|entry| entry.number + 1 == name.before.number).unwrap();
        assert_eq!(header.spine_head, before.head, "{name}");
    }
    let report = verify(&disk);
    assert!(report.findings.is_empty(), "{report:?}");
    assert_eq!(report.spine_entries, found.len());
}

#[test]
fn law_retain_nothing_is_pruned_without_its_entry_whatever_call_fails() {
    let begun = SimulatedDisk::new(1);
    live(&begun, 1, 3);
    let whole = copy(&begun);
    live(&whole, 2, 6);
    let (first, last) = (begun.operations(), whole.operations());
    assert!(last > first + 60 && floor(&whole) > 1);
    // Every operation fails in one way, and some in others.
    let ways = [(Fault::Eio, 1), (Fault::Enospc, 3), (Fault::ShortWrite, 5), (Fault::SyncLost, 4)];
    for (fault, step) in ways {
        for operation in (0..last - first).step_by(step) {
            let disk = copy(&begun);
            disk.fail_at(disk.operations() + operation, fault);
            live(&disk, 2, 6);
            let what = format!("{fault:?} at operation {operation}");
            expect_covered(&disk, &what);
            for (survivors, seed) in [(Survivors::Nothing, 0), (Survivors::Seeded, operation)] {
                let disk = disk.fork(seed);
                disk.restart(survivors);
                live(&disk, 3, 5);
                expect_covered(&disk, &what);
                let report = verify(&disk);
                assert!(!report.is_damaged(), "{what}: {report:?}");
                assert!(floor(&disk) > 3, "{what}: once nothing fails, it goes on");
            }
        }
    }
}

#[test]
fn law_retain_nothing_is_pruned_without_its_entry_wherever_the_power_is_cut() {
    let begun = SimulatedDisk::new(1);
    live(&begun, 1, 3);
    let whole = copy(&begun);
    live(&whole, 2, 6);
    for operation in 0..whole.operations() - begun.operations() {
        for seed in 0..2 {
            let disk = begun.fork(seed);
            disk.restart(Survivors::Everything);
            disk.power_cut_at(disk.operations() + operation);
            live(&disk, 2, 6);
            disk.restart(if seed == 0 { Survivors::Nothing } else { Survivors::Seeded });
            let what = format!("cut at operation {operation}, seed {seed}");
            expect_covered(&disk, &what);
            let report = verify(&disk);
            assert!(!report.is_damaged(), "{what}: {report:?}");
            live(&disk, 3, 5);
            expect_covered(&disk, &what);
            assert!(verify(&disk).findings.is_empty(), "{what}: {:?}", verify(&disk));
        }
    }
}

/// A journal with a few entries in its spine, closed.
fn closed() -> (SimulatedDisk, Vec<u8>, Vec<SpineEntry>) {
    let disk = SimulatedDisk::new(1);
    live(&disk, 1, 6);
    let bytes = disk.contents("spine").unwrap();
    let found = entries(&bytes);
    assert!(found.len() >= 5, "{}", found.len());
    (disk, bytes, found)
}

#[test]
fn law_evidence_a_spine_that_was_changed_is_never_written_over_and_nothing_is_pruned() {
    let (closed, bytes, found) = closed();
    let end = SPINE_ENTRY_LEN * (found.len() + 1);
    let journal_id = SpineHeader::from_bytes(&bytes).unwrap().journal_id;
    let last = *found.last().unwrap();
    let before = found[found.len() - 2].head;
    let other = |number, first_seq, next_seq, root| {
        let entry = SpineEntry::after(&before, number, first_seq, next_seq, root);
        let mut forged = bytes.clone();
        let at = end - SPINE_ENTRY_LEN;
        forged[at..end].copy_from_slice(&entry.to_bytes(journal_id, at as u64));
        forged
    };
    let flipped = |at: usize| {
        let mut forged = bytes.clone();
        forged[at] ^= 1;
        forged
    };
    let behind = {
        let mut forged = bytes.clone();
        forged[end + 2 * SPINE_ENTRY_LEN] = 1;
        forged
    };
    let forgeries = [
        ("a header that is bent", flipped(20)),
        ("an entry in the middle that is bent", flipped(SPINE_ENTRY_LEN * 2 + 30)),
        ("something far behind the last", behind),
        ("cut before the floor", bytes[..SPINE_ENTRY_LEN * 2].to_vec()),
        ("another number", other(last.number + 1, last.first_seq, last.next_seq, last.root)),
        ("another end", other(last.number, last.first_seq, last.next_seq + 1, last.root)),
    ];
    for (what, forged) in forgeries {
        let disk = copy(&closed);
        disk.put("spine", &forged);
        let report = verify(&disk);
        assert!(report.is_damaged(), "{what}: {report:?}");
        assert!(report.findings.iter().any(|finding| finding.file == "spine"), "{what}: {report:?}");
        let before = floor(&disk);
        let engine = open(&disk, tiny(2)).unwrap();
        work(&engine, 2, 6);
        let health = engine.engine().health();
        let told = health.last_upkeep_error.expect(what).to_string();
        assert!(told.contains("spine") && health.upkeep_failures > 0, "{what}: {told}");
        drop(engine);
        assert_eq!(floor(&disk), before, "{what}: pruned");
        assert_eq!(disk.contents("spine").unwrap(), forged, "{what}: written over");
    }
    // What no crash leaves, though the next entry is written over it once its segment is closed.
    let disk = copy(&closed);
    let mut behind = bytes.clone();
    behind[end + 7] = 1;
    disk.put("spine", &behind);
    assert!(verify(&disk).is_damaged());
    // One that is missing is not begun anew as if nothing had been.
    let disk = copy(&closed);
    disk.remove_file("spine").unwrap();
    assert!(floor(&disk) > 1);
    live(&disk, 2, 6);
    assert!(disk.contents("spine").is_err());
    let report = verify(&disk);
    assert!(report.findings.iter().any(|finding| finding.file == "spine"), "{report:?}");
    // A root that is not that of the segment is found by who makes it anew.
    let disk = copy(&closed);
    disk.put("spine", &other(last.number, last.first_seq, last.next_seq, [7; 32]));
    let report = verify(&disk);
    let found = report.findings.iter().find(|finding| finding.file == "spine").expect("it differs");
    assert_eq!((found.seq, report.is_damaged()), (Some(last.first_seq), true));
}

#[test]
fn an_entry_whose_writing_was_cut_short_is_written_anew() {
    let (closed, bytes, found) = closed();
    let end = SPINE_ENTRY_LEN * (found.len() + 1);
    for cut in 1..SPINE_ENTRY_LEN {
        let disk = copy(&closed);
        let mut torn = bytes.clone();
        torn[end - SPINE_ENTRY_LEN + cut..end].fill(0);
        disk.put("spine", &torn);
        live(&disk, 2, 0);
        let again = disk.contents("spine").unwrap();
        assert_eq!(again[..end], bytes[..end], "cut after {cut} bytes");
        assert!(verify(&disk).findings.is_empty());
    }
}

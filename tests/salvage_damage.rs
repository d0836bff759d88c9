//! Salvage, with damage of every kind at every place: exactly what is before the gap comes back, exactly what is good beyond
//! it is kept apart, and the new journal opens (laws EVIDENCE, ATOMIC, FOLD). `TALLYBOOK_ROUNDS` asks for every byte instead
//! of every fifth.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/salvaging.rs"]
mod salvaging;

use common::{copy, open, options, segments};
use salvaging::{Expected, Place, Sample, salvage, stride};
use tallybook::format::{FrameCodec, FrameHeader, FrameRead, HEADER_LEN, RECORD_LEN, SegmentHeader};
use tallybook::storage::SimulatedDisk;
use tallybook::{ErrorKind, FindingKind, JournalReader, NewGoal};

fn sample() -> Sample {
    let sample = Sample::new(6 << 10, &[7, 4, 3]);
    assert!(segments(&sample.disk).len() >= 4, "sealed, recovered and open ones");
    let handed_over = sample.frames.values().filter(|(_, places)| places.len() > 1).count();
    assert!(handed_over >= 2, "frames that a recovery handed over");
    sample
}

/// Bytes of a segment: all of its frames, and of its header what says something, and some of the rest.
fn places(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() as u64 + 1;
    let header = HEADER_LEN as u64;
    let said = (0..152).chain(header - 8..end).step_by(stride());
    said.chain((152..header - 8).step_by(397))
}

fn is_hit(file: &str, at: u64) -> impl Fn(&Place) -> bool {
    move |place| place.file == file && (place.start..place.end).contains(&at)
}

#[test]
fn law_evidence_every_byte_flipped_costs_the_frame_that_it_is_in_and_no_other() {
    let sample = Sample::new(5 << 10, &[3, 3]);
    assert!(segments(&sample.disk).len() >= 2, "a sealed one, and one that was recovered into");
    for (file, bytes) in segments(&sample.disk) {
        for at in places(&bytes) {
            let what = format!("{file} at {at}");
            let expected = sample.expected(is_hit(&file, at));
            let salvaged = sample.expect(&sample.flipped(&file, at), &expected, &what);
            if at < sample.proven[&file] {
                assert!(salvaged.finds(&file, at), "{what}: {:?}", salvaged.report.findings);
                let is_damage = |found: &tallybook::Finding| found.kind == FindingKind::Damage;
                assert!(salvaged.report.findings.iter().any(is_damage), "{what}");
            }
        }
    }
}

/// With one segment nothing else tells which journal it is: the frames do.
#[test]
fn a_header_that_is_lost_is_no_loss_of_what_comes_after_it() {
    let sample = Sample::new(64 << 10, &[6]);
    let [(file, bytes)] = &segments(&sample.disk)[..] else { panic!("one segment") };
    for at in (0..160).chain((160..4096).step_by(501)) {
        let salvaged = sample.expect(&sample.flipped(file, at), &sample.all(), &format!("at {at}"));
        assert!(salvaged.finds(file, at), "{at}: {:?}", salvaged.report.findings);
        assert_eq!(salvaged.report.salvaged_from, None, "no header says it");
    }
    let mut zeroed = bytes.clone();
    zeroed[..HEADER_LEN].fill(0);
    let disk = copy(&sample.disk);
    disk.put(file, &zeroed);
    sample.expect(&disk, &sample.all(), "zeroed");
    // And then some of its frames, too.
    for at in (4096..bytes.iter().rposition(|&byte| byte != 0).unwrap() as u64).step_by(11) {
        let disk = copy(&disk);
        disk.corrupt(file, at, 0x40).unwrap();
        sample.expect(&disk, &sample.expected(is_hit(file, at)), &format!("zeroed, and a flip at {at}"));
    }
    disk.put(file, &vec![0; bytes.len()]);
    let error = salvage(&disk).map(|_| ()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Damaged(_)), "{error}");
    assert!(error.to_string().contains("no header and no frame"), "{error}");
}

#[test]
fn sectors_that_are_zeroed_stale_or_of_another_file_cost_their_frames() {
    let sample = sample();
    let all = segments(&sample.disk);
    for (index, (file, bytes)) in all.iter().enumerate() {
        let foreign = &all[(index + 1) % all.len()].1;
        for start in (0..bytes.len().min(12 << 10)).step_by(512) {
            let end = (start + 512).min(bytes.len());
            let stale = vec![b'x'; 512];
            let other = foreign.get(start..end).map_or(stale.clone(), <[u8]>::to_vec);
            for sector in [vec![0; 512], stale, other] {
                let mut bent = bytes.clone();
                bent[start..end].copy_from_slice(&sector[..end - start]);
                let is_bent = |place: &Place| {
                    let (from, to) =
                        (usize::try_from(place.start).unwrap(), usize::try_from(place.end).unwrap());
                    place.file == *file && bent[from..to] != bytes[from..to]
                };
                let disk = copy(&sample.disk);
                disk.put(file, &bent);
                sample.expect(&disk, &sample.expected(is_bent), &format!("sector {start} of {file}"));
            }
        }
    }
}

#[test]
fn a_file_cut_anywhere_costs_what_was_behind() {
    let sample = sample();
    for (file, bytes) in segments(&sample.disk) {
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
        for len in (0..HEADER_LEN).step_by(511).chain((HEADER_LEN..end).step_by(29)) {
            let is_cut = |place: &Place| place.file == file && place.end > len as u64;
            let disk = copy(&sample.disk);
            disk.put(&file, &bytes[..len]);
            sample.expect(&disk, &sample.expected(is_cut), &format!("{file} cut to {len}"));
        }
    }
}

#[test]
fn a_segment_that_is_missing_costs_its_frames_and_one_that_is_swapped_costs_nothing() {
    let sample = sample();
    let all = segments(&sample.disk);
    for (index, (file, bytes)) in all.iter().enumerate() {
        let disk = copy(&sample.disk);
        disk.remove_file(file).unwrap();
        let expected = sample.expected(|place| place.file == *file);
        let salvaged = sample.expect(&disk, &expected, &format!("{file} missing"));
        if index + 1 < all.len() {
            let said = salvaged.report.findings.iter().any(|finding| finding.message.contains("missing"));
            assert!(said, "{:?}", salvaged.report.findings);
        }
        let Some((next, after)) = all.get(index + 1) else { continue };
        disk.put(file, after);
        disk.put(next, bytes);
        let salvaged = sample.expect(&disk, &sample.all(), &format!("{file} and {next} swapped"));
        let swapped = salvaged.report.findings.iter().filter(|finding| finding.message.contains("swapped"));
        assert_eq!(swapped.count(), 2, "{:?}", salvaged.report.findings);
    }
}

#[test]
fn of_a_segment_that_is_there_twice_one_copy_mends_the_other() {
    let sample = sample();
    let all = segments(&sample.disk);
    for (index, (file, bytes)) in all.iter().enumerate() {
        let disk = copy(&sample.disk);
        disk.put(&format!("{:010}-{:020}.seg", all.len() + 5, 9_999), bytes);
        let salvaged = sample.expect(&disk, &sample.all(), &format!("{file} doubled"));
        assert!(!salvaged.report.findings.is_empty());
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() as u64 + 1;
        for at in (0..HEADER_LEN as u64).step_by(1021).chain((HEADER_LEN as u64..end).step_by(37)) {
            let disk = copy(&disk);
            disk.corrupt(file, at, 4).unwrap();
            sample.expect(&disk, &sample.all(), &format!("{file} doubled, and a flip at {at}"));
        }
        // Under the name of the next one, which is gone.
        let Some((next, _)) = all.get(index + 1) else { continue };
        let disk = copy(&sample.disk);
        disk.put(next, bytes);
        let expected = sample.expected(|place| place.file == *next);
        sample.expect(&disk, &expected, &format!("{file} in the place of {next}"));
    }
}

#[test]
fn a_segment_of_another_journal_is_told_and_not_mixed_in() {
    let sample = sample();
    let other = SimulatedDisk::new(4);
    let engine = open(&other, options(77, &sample.clock)).unwrap();
    engine.create_goal(NewGoal::new("of another journal")).unwrap();
    other.kill();
    let (_, foreign) = common::newest_segment(&other);
    for (file, _) in segments(&sample.disk) {
        let disk = copy(&sample.disk);
        disk.put(&file, &foreign);
        let expected = sample.expected(|place| place.file == file);
        let salvaged = sample.expect(&disk, &expected, &format!("foreign {file}"));
        let told = |finding: &tallybook::Finding| {
            finding.file == file && finding.message.contains("belongs to journal")
        };
        assert!(salvaged.report.findings.iter().any(told), "{:?}", salvaged.report.findings);
    }
}

#[test]
fn a_journal_with_which_nothing_is_wrong_comes_back_whole() {
    let error = salvage(&SimulatedDisk::new(1)).map(|_| ()).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Io, "there is none: {error}");
    for sessions in [&[0][..], &[1], &[9], &[7, 4, 3]] {
        let sample = Sample::new(6 << 10, sessions);
        let salvaged = sample.expect(&sample.disk, &sample.all(), "whole");
        assert_eq!(salvaged.report.findings, Vec::new());
        assert_eq!((salvaged.report.gap_at, salvaged.report.first_seq), (None, 1));
        assert!(!salvaged.disk.names().contains(&"orphans.jsonl".to_owned()));
        // Once more: a salvaged journal is a journal.
        let again = sample.expect(&salvaged.disk, &sample.all(), "salvaged twice");
        assert_ne!(again.report.journal_id, salvaged.report.journal_id);
        assert_eq!(again.report.salvaged_from, Some(salvaged.report.journal_id));
    }
}

/// Law ATOMIC: the events of a command stay one frame, in the epoch in which they were journaled.
#[test]
fn law_atomic_frames_and_epochs_are_kept() {
    let sample = sample();
    let salvaged = sample.expect(&sample.disk, &sample.all(), "whole");
    let epochs = |disk: &SimulatedDisk| -> Vec<_> {
        let mut found = Vec::new();
        let mut events = tallybook::JournalReader::with_storage(disk.process()).unwrap().events(1).unwrap();
        while let Some(event) = events.next().unwrap() {
            found.push((event.seq, event.cursor().to_string().split('.').nth(2).unwrap().to_owned()));
        }
        found
    };
    assert_eq!(epochs(&salvaged.disk), epochs(&sample.disk));
    let lengths = |lines: &[common::Line]| -> Vec<_> { lines.iter().map(|line| line.length).collect() };
    assert_eq!(lengths(&salvaged.events()), lengths(&sample.lines));
}

/// Two places at once: the first is the gap, and what is lost at the second is missing among the orphans.
#[test]
fn what_is_damaged_twice_breaks_off_at_the_first() {
    let sample = sample();
    let places: Vec<Place> = sample
        .frames
        .values()
        .filter(|(_, places)| places.len() == 1)
        .map(|(_, places)| places[0].clone())
        .collect();
    for (a, first) in places.iter().enumerate().step_by(3) {
        for second in places.iter().skip(a + 1).step_by(2) {
            let disk = sample.flipped(&first.file, first.start + 20);
            disk.corrupt(&second.file, second.start + 60, 9).unwrap();
            let expected = sample.expected(|place| place == first || place == second);
            let salvaged = sample.expect(&disk, &expected, &format!("{first:?} and {second:?}"));
            assert_eq!(salvaged.report.gap_at.unwrap(), salvaged.report.last_seq + 1);
            let Expected { orphans, .. } = expected;
            assert!(!orphans.is_empty() || second.start > first.start);
        }
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

/// A journal of one segment, the last three frames of which are of one batch that was never synced.
fn unsynced() -> (Sample, String, Vec<Place>) {
    let sample = Sample::new(64 << 10, &[6]);
    let (file, mut bytes) = segments(&sample.disk).remove(0);
    let header = SegmentHeader::from_bytes(&bytes).unwrap();
    let codec = FrameCodec::new(header.journal_id, header.number);
    let batch: Vec<Place> =
        sample.frames.values().rev().take(3).map(|(_, places)| places[0].clone()).collect();
    let batch: Vec<Place> = batch.into_iter().rev().collect();
    for place in &batch {
        let FrameRead::Frame(frame) = codec.read(&bytes, place.start) else { panic!("no frame") };
        let header = FrameHeader { durable_through: batch[0].start, ..frame.header };
        codec.finish(&mut bytes[index(place.start)..index(place.end)], place.start, &header);
    }
    sample.disk.put(&file, &bytes);
    (sample, file, batch)
}

/// Sectors of one batch reach the disk in any order: a whole frame after one that did not is no proof of damage.
#[test]
fn law_evidence_a_whole_frame_behind_a_torn_one_of_the_same_batch_is_torn_as_well() {
    let (sample, file, batch) = unsynced();
    for (index, torn) in batch.iter().enumerate() {
        let disk = copy(&sample.disk);
        disk.corrupt(&file, torn.start + 20, 1).unwrap();
        let verified = JournalReader::with_storage(disk.process()).unwrap().verify().unwrap();
        let is_torn = |findings: &[tallybook::Finding]| matches!(findings, [found] if found.kind == FindingKind::TornTail && found.start == torn.start);
        assert!(is_torn(&verified.findings), "{:?}", verified.findings);
        let mut expected = sample.expected(|place| batch[index..].contains(place));
        assert_eq!(std::mem::take(&mut expected.orphans), Vec::<Vec<u8>>::new());
        let salvaged = sample.expect(&disk, &expected, &format!("{torn:?}"));
        assert!(is_torn(&salvaged.report.findings), "{:?}", salvaged.report.findings);
        assert_eq!(salvaged.report.gap_at, None);
    }
}

#[test]
fn frames_of_another_journal_do_not_tell_which_one_it_was() {
    let sample = Sample::new(64 << 10, &[6]);
    let other = SimulatedDisk::new(4);
    drop(open(&other, options(77, &sample.clock)).unwrap());
    let (_, foreign) = common::newest_segment(&other);
    let (file, bytes) = segments(&sample.disk).remove(0);
    // The open record is the other one's, and the first frame that is whole.
    let records = HEADER_LEN..HEADER_LEN + RECORD_LEN;
    let mut bent = bytes.clone();
    bent[..HEADER_LEN].fill(0);
    bent[records.clone()].copy_from_slice(&foreign[records.clone()]);
    let disk = copy(&sample.disk);
    disk.put(&file, &bent);
    let salvaged = sample.expect(&disk, &sample.all(), "one stray frame");
    assert!(salvaged.finds(&file, HEADER_LEN as u64), "{:?}", salvaged.report.findings);
    // With one frame of each nobody can tell.
    let (_, places) = sample.frames.values().last().unwrap();
    bent[records.end..index(places[0].start)].fill(0);
    disk.put(&file, &bent);
    let error = salvage(&disk).map(|_| ()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Damaged(_)), "{error}");
    assert!(error.to_string().contains("several journals"), "{error}");
}

/// What lies behind the end of a segment is a copy as far as the successor tells that it was handed over.
#[test]
fn behind_a_stated_end_only_what_was_handed_over_is_a_copy() {
    let sample = sample();
    let restated = |file: &str, restate: &dyn Fn(&mut SegmentHeader)| {
        let disk = copy(&sample.disk);
        let mut bytes = disk.contents(file).unwrap();
        let mut header = SegmentHeader::from_bytes(&bytes).unwrap();
        restate(&mut header);
        bytes[..HEADER_LEN].copy_from_slice(&header.to_bytes());
        disk.put(file, &bytes);
        disk
    };
    let mut handed_over = 0;
    for (&seq, (_, places)) in &sample.frames {
        let [behind, place] = &places[..] else { continue };
        handed_over += 1;
        let is_lost = |lost: &Place| lost == place || lost == behind;
        type Restate = dyn Fn(&mut SegmentHeader);
        let discarded = |header: &mut SegmentHeader| header.predecessor.discarded_len = 0;
        let born = |header: &mut SegmentHeader| header.birth = (HEADER_LEN + RECORD_LEN) as u64;
        let nothing = |_: &mut SegmentHeader| {};
        let all: [(&Restate, Expected); 3] = [
            (&nothing, sample.all()),
            (&discarded, sample.expected(is_lost)),
            (&born, sample.expected(is_lost)),
        ];
        for (restate, expected) in all {
            let disk = restated(&place.file, restate);
            disk.corrupt(&place.file, place.start + 60, 1).unwrap();
            sample.expect(&disk, &expected, &format!("{seq} in {place:?}"));
        }
    }
    assert!(handed_over >= 2);
}

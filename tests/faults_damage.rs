//! Damage to what was synced: the journal is refused, by file, offset and `seq`, and left exactly as it is (law
//! EVIDENCE); or the damage lies where it cannot matter, and nothing is lost. Every bit, length and sector is the matter of
//! the row `damage` of the program of faults.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Line, Shadow, Workload, clock, copy, export, lines, must, open, options, segments};
use tallybook::format::{FrameCodec, FrameRead, HEADER_LEN, SegmentHeader};
use tallybook::storage::SimulatedDisk;
use tallybook::{Error, ErrorKind, FindingKind, JournalReader, ManualClock, NewGoal};

/// A journal with segments of every kind: sealed ones, one that a recovery ended, and one that was being written.
struct Sample {
    disk: SimulatedDisk,
    clock: ManualClock,
    lines: Vec<Line>,
    segments: Vec<SegmentBytes>,
}

/// A segment, and how far damage to it has to be noticed.
struct SegmentBytes {
    name: String,
    bytes: Vec<u8>,
    first_seq: u64,
    /// Where frames begin, and which `seq` each has.
    frames: Vec<(usize, u64)>,
    /// Up to here something on disk proves that it was synced.
    proven_end: usize,
    /// Whether no other segment follows.
    is_newest: bool,
}

fn sample() -> Sample {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(3), Shadow::default());
    let mut workload = Workload::new(8);
    for (session, commands) in [(1, 11), (2, 8)] {
        let engine = open(&disk, options(session, &clock).segment_bytes(6 << 10)).unwrap();
        for _ in 0..commands {
            let request = workload.next(shadow.projection(), &clock);
            must(&engine, &mut shadow, &clock, request);
        }
        disk.kill();
    }
    let lines = lines(&disk).unwrap();
    let all = segments(&disk);
    let headers: Vec<_> = all.iter().map(|(_, bytes)| SegmentHeader::from_bytes(bytes).unwrap()).collect();
    let segments: Vec<_> = all
        .into_iter()
        .enumerate()
        .map(|(index, (name, bytes))| {
            let codec = FrameCodec::new(headers[index].journal_id, headers[index].number);
            let mut frames = Vec::new();
            let mut offset = HEADER_LEN as u64;
            while let FrameRead::Frame(frame) = codec.read(&bytes, offset) {
                frames.push((usize::try_from(offset).unwrap(), frame.header.first_seq));
                offset = frame.end();
            }
            let next = headers.get(index + 1);
            // Every command was synced alone, so the last frame of the open segment has to testify to all before it.
            // (Not read from its header: that it does is what is tested.)
            let last_at = frames.last().map_or(offset, |(at, _)| *at as u64);
            let proven_end = next.map_or(last_at, |next| next.predecessor.end);
            SegmentBytes {
                name,
                bytes,
                first_seq: headers[index].first_seq,
                frames,
                proven_end: usize::try_from(proven_end).unwrap(),
                is_newest: next.is_none(),
            }
        })
        .collect();
    let newest = segments.last().map_or(0, |segment| segment.frames.len());
    assert!(newest >= 2, "frames in the open segment; found {newest}");
    assert!(segments.len() >= 4, "sealed, recovered and open ones; found {}", segments.len());
    Sample { disk, clock, lines, segments }
}

impl Sample {
    /// Opens the disk; if that is refused, nothing may have been changed.
    fn open(&self, disk: &SimulatedDisk) -> Result<Vec<Line>, Error> {
        let before = segments(disk);
        let opened = open(disk, options(9, &self.clock));
        let after = segments(disk);
        assert_eq!(&after[..before.len()], &before[..], "law EVIDENCE: opening edited a segment");
        assert!(
            opened.is_ok() || after.len() == before.len(),
            "law EVIDENCE: refusing left a segment behind"
        );
        opened.map(|engine| {
            let seen = lines(disk).unwrap();
            assert_eq!(engine.view().seq(), seen.len() as u64);
            seen
        })
    }

    fn refuses(&self, disk: &SimulatedDisk, file: &str, what: &str) -> Error {
        let error = self.open(disk).expect_err(what);
        let damage = error.damage().unwrap_or_else(|| panic!("{what}: expected damage, found {error:?}"));
        assert_eq!(damage.file, file, "{what}: {error}");
        let place = format!("file {file}, offset {}, seq ", damage.offset);
        assert!(error.to_string().contains(&place), "{what}: {error}");
        error
    }
}

impl SegmentBytes {
    /// The frame (or the header) in which a byte lies, and its `seq`.
    fn frame_at(&self, at: usize) -> (usize, u64) {
        if at < HEADER_LEN {
            return (0, self.first_seq);
        }
        *self.frames.iter().rev().find(|(offset, _)| *offset <= at).expect("frames begin after the header")
    }
}

#[test]
fn a_sector_of_a_segment_zeroed_or_stale_or_of_another_file_is_refused() {
    let sample = sample();
    let foreign = &sample.segments[0].bytes;
    for segment in &sample.segments[1..] {
        for start in (0..segment.proven_end).step_by(512) {
            let stale = vec![b'x'; 512];
            let other = foreign.get(start..start + 512).map_or(stale.clone(), <[u8]>::to_vec);
            for sector in [vec![0; 512], stale, other] {
                let end = (start + 512).min(segment.proven_end);
                let mut bytes = segment.bytes.clone();
                bytes[start..end].copy_from_slice(&sector[..end - start]);
                if bytes == segment.bytes {
                    continue;
                }
                let disk = copy(&sample.disk);
                disk.put(&segment.name, &bytes);
                sample.refuses(&disk, &segment.name, &format!("sector at {start} of {}", segment.name));
            }
        }
    }
}

#[test]
fn a_closed_segment_cut_anywhere_is_refused() {
    let sample = sample();
    for segment in sample.segments.iter().filter(|segment| !segment.is_newest) {
        for len in (0..segment.proven_end).step_by(61) {
            let disk = copy(&sample.disk);
            disk.put(&segment.name, &segment.bytes[..len]);
            sample.refuses(&disk, &segment.name, &format!("{} cut to {len}", segment.name));
        }
        // What lies after the stated end is not part of the journal.
        let disk = copy(&sample.disk);
        disk.put(&segment.name, &segment.bytes[..segment.proven_end]);
        let seen = sample.open(&disk).unwrap();
        assert_eq!(seen.len(), sample.lines.len());
    }
}

#[test]
fn a_segment_missing_swapped_or_doubled_is_refused_by_name() {
    let sample = sample();
    let name = |index: usize| sample.segments[index].name.clone();
    for index in 0..sample.segments.len() - 1 {
        let disk = copy(&sample.disk);
        disk.remove_file(&name(index)).unwrap();
        sample.refuses(&disk, &name(index + 1), "missing");

        let disk = copy(&sample.disk);
        disk.put(&name(index), &sample.segments[index + 1].bytes);
        disk.put(&name(index + 1), &sample.segments[index].bytes);
        sample.refuses(&disk, &name(index), "swapped");

        let disk = copy(&sample.disk);
        disk.put(&name(index + 1), &sample.segments[index].bytes);
        sample.refuses(&disk, &name(index + 1), "doubled under the name of the next");
    }
    let newest = sample.segments.last().unwrap();
    let number = sample.segments.len() as u64 + 1;
    let next = format!("{number:010}-{:020}.seg", sample.lines.len() + 1);
    let disk = copy(&sample.disk);
    disk.put(&next, &newest.bytes);
    sample.refuses(&disk, &next, "doubled as the next");
    let disk = copy(&sample.disk);
    let again = format!("{:010}-{:020}.seg", number - 1, newest.first_seq + 1);
    disk.put(&again, &newest.bytes);
    sample.refuses(&disk, &again, "doubled under the same number");
}

#[test]
fn a_segment_of_another_journal_is_refused() {
    let sample = sample();
    let other = SimulatedDisk::new(4);
    let engine = open(&other, options(77, &sample.clock)).unwrap();
    engine.create_goal(NewGoal::new("of another journal")).unwrap();
    other.kill();
    let (name, bytes) = common::newest_segment(&other);
    assert_eq!(name, sample.segments[0].name);
    let disk = copy(&sample.disk);
    disk.put(&name, &bytes);
    let error = sample.refuses(&disk, &sample.segments[1].name, "foreign");
    assert!(error.to_string().contains("belongs to journal"), "{error}");
}

#[test]
fn a_newer_format_is_unsupported_and_never_damage() {
    let sample = sample();
    for segment in &sample.segments {
        let disk = copy(&sample.disk);
        let mut bytes = segment.bytes.clone();
        bytes[8..12].copy_from_slice(&4_u32.to_le_bytes());
        bytes[200] ^= 1; // Another layout, with fields that we do not know.
        disk.put(&segment.name, &bytes);
        let error = sample.open(&disk).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(
            error.to_string().contains(&segment.name) && error.to_string().contains("version 4"),
            "{error}"
        );
    }
}

#[test]
fn verify_finds_what_is_planted_and_goes_on_past_it() {
    let sample = sample();
    let (first, third) = (&sample.segments[0], &sample.segments[2]);
    let at = first.frames[2].0 + 60;
    for (plant, expected) in [
        (vec![(first, at)], vec![(first, at)]),
        (vec![(third, third.frames[1].0 + 50)], vec![(third, third.frames[1].0 + 50)]),
        (
            vec![(first, at), (third, third.frames[1].0 + 3)],
            vec![(first, at), (third, third.frames[1].0 + 3)],
        ),
    ] {
        let disk = copy(&sample.disk);
        for (segment, at) in plant {
            disk.corrupt(&segment.name, at as u64, 0x10).unwrap();
        }
        let report = verify(&disk);
        let damage = report.findings.iter().filter(|finding| finding.kind == FindingKind::Damage);
        let found: Vec<_> =
            damage.map(|finding| (finding.file.as_str(), finding.start, finding.end)).collect();
        assert_eq!(found.len(), expected.len(), "{:?}", report.findings);
        for ((file, start, end), (segment, at)) in found.into_iter().zip(&expected) {
            assert_eq!(file, segment.name);
            assert!((start..end).contains(&(*at as u64)), "{start}..{end} of {file}, planted at {at}");
        }
        let (segment, at) = expected[0];
        assert_eq!(report.last_good_seq, segment.frame_at(at).1 - 1);
        assert!(report.events > report.last_good_seq, "what comes after the damage was looked at");
    }
}

#[test]
fn verify_says_up_to_where_all_is_well_when_a_segment_is_missing() {
    let sample = sample();
    let missing = &sample.segments[1];
    let disk = copy(&sample.disk);
    disk.remove_file(&missing.name).unwrap();
    let report = verify(&disk);
    let files: Vec<_> = report.findings.iter().map(|finding| finding.file.as_str()).collect();
    assert_eq!(files, [sample.segments[2].name.as_str()], "{:?}", report.findings);
    assert_eq!(report.last_good_seq, missing.first_seq - 1);
}

fn verify(disk: &SimulatedDisk) -> tallybook::VerifyReport {
    let dir = tempfile::tempdir().unwrap();
    export(disk, dir.path());
    JournalReader::verify_dir(dir.path()).unwrap()
}

#[test]
fn a_newest_segment_cut_to_its_header_is_no_end_to_whoever_reads() {
    let sample = sample();
    let disk = copy(&sample.disk);
    // What a recovery hands over was synced before the segment got its name.
    drop(open(&disk, options(9, &sample.clock)).unwrap());
    disk.kill();
    let (name, bytes) = common::newest_segment(&disk);
    assert!(SegmentHeader::from_bytes(&bytes).unwrap().birth > HEADER_LEN as u64);
    disk.put(&name, &bytes[..HEADER_LEN]);
    let error = lines(&disk).unwrap_err();
    assert_eq!(error.damage().map(|damage| damage.file.as_str()), Some(name.as_str()), "{error}");
    sample.refuses(&disk, &name, "cut to its header");
}

/// A journal whose writer was killed, and where the frames in its newest segment end.
fn killed(commands: usize) -> (SimulatedDisk, ManualClock, u64) {
    let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(3), Shadow::default());
    let engine = open(&disk, options(1, &clock).segment_bytes(64 << 10)).unwrap();
    let mut workload = Workload::new(8);
    for _ in 0..commands {
        let request = workload.next(shadow.projection(), &clock);
        must(&engine, &mut shadow, &clock, request);
    }
    disk.kill();
    let last = lines(&disk).unwrap().pop().unwrap();
    (disk, clock, last.offset + last.length)
}

#[test]
fn more_behind_the_last_frame_than_its_writer_ever_left_unsynced_is_damage() {
    let (disk, clock, end) = killed(3);
    let (name, bytes) = common::newest_segment(&disk);
    let max_unsynced = usize::try_from(SegmentHeader::from_bytes(&bytes).unwrap().max_unsynced).unwrap();
    for (len, is_damage) in [(max_unsynced, false), (max_unsynced + 1, true)] {
        let disk = copy(&disk);
        let mut bytes = bytes[..usize::try_from(end).unwrap()].to_vec();
        bytes.resize(bytes.len() + len, b'x');
        disk.put(&name, &bytes);
        match open(&disk, options(2, &clock)) {
            Ok(_) => assert!(!is_damage, "{len} bytes were taken for a torn tail"),
            Err(error) => assert!(is_damage && error.damage().unwrap().offset == end, "{len} bytes: {error}"),
        }
    }
}

/// Nothing after it testifies yet: only the header does, with what was synced before the segment got its name.
#[test]
fn what_a_recovery_handed_over_is_synced_before_it_is_named_and_damage_to_it_is_refused() {
    let (disk, clock, _) = killed(3);
    let engine = open(&disk, options(2, &clock)).unwrap();
    // Before it is closed: a mark would testify.
    disk.kill();
    drop(engine);
    let (name, bytes) = common::newest_segment(&disk);
    let birth = SegmentHeader::from_bytes(&bytes).unwrap().birth;
    assert!(birth > 4_096 + 80, "something was handed over: {birth}");
    for at in (4_096..birth).step_by(7) {
        let disk = copy(&disk);
        disk.corrupt(&name, at, 0x20).unwrap();
        let error = open(&disk, options(3, &clock)).expect_err("what was synced was damaged, and was opened");
        assert_eq!(error.damage().unwrap().file, name, "at {at}: {error}");
    }
}

//! A journal that contradicts itself though every CRC is right: what a segment says of the one before it, and what lies behind
//! an end. It is refused; and what a recovery writes says what it is.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{DEADLINE, Shadow, Workload, clock, copy, must, newest_segment, open, options, segments};
use tallybook::format::{FrameCodec, FrameHeader, FrameKind, FrameRead, HEADER_LEN, SegmentHeader};
use tallybook::storage::SimulatedDisk;
use tallybook::{Blocking, ManualClock};

struct Book {
    disk: SimulatedDisk,
    clock: ManualClock,
    shadow: Shadow,
    workload: Workload,
}

impl Book {
    fn new() -> Book {
        Book {
            disk: SimulatedDisk::new(3),
            clock: clock(),
            shadow: Shadow::default(),
            workload: Workload::new(8),
        }
    }

    fn session(&mut self, seed: u64, segment_bytes: u64, commands: u64) -> Blocking {
        let engine = open(&self.disk, options(seed, &self.clock).segment_bytes(segment_bytes)).unwrap();
        for _ in 0..commands {
            let request = self.workload.next(self.shadow.projection(), &self.clock);
            must(&engine, &mut self.shadow, &self.clock, request);
        }
        engine
    }

    fn refused(&self, disk: &SimulatedDisk, file: &str) -> String {
        let error = open(disk, options(9, &self.clock)).expect_err("a journal that contradicts itself");
        let damage = error.damage().unwrap_or_else(|| panic!("expected damage, found {error:?}"));
        assert_eq!(damage.file, file, "{error}");
        error.to_string()
    }
}

/// The headers of the frames of a segment, and where each begins.
fn frames(bytes: &[u8]) -> Vec<(u64, FrameHeader)> {
    let header = SegmentHeader::from_bytes(bytes).unwrap();
    let codec = FrameCodec::new(header.journal_id, header.number);
    let (mut found, mut offset) = (Vec::new(), HEADER_LEN as u64);
    while let FrameRead::Frame(frame) = codec.read(bytes, offset) {
        found.push((offset, frame.header));
        offset = frame.end();
    }
    found
}

fn with_header(bytes: &[u8], change: impl FnOnce(&mut SegmentHeader)) -> Vec<u8> {
    let mut header = SegmentHeader::from_bytes(bytes).unwrap();
    change(&mut header);
    let mut bytes = bytes.to_vec();
    bytes[..HEADER_LEN].copy_from_slice(&header.to_bytes());
    bytes
}

#[test]
fn law_order_a_segment_that_does_not_go_on_where_the_one_before_it_ends_is_refused() {
    let mut book = Book::new();
    book.session(1, 6 << 10, 20).shutdown(DEADLINE).unwrap();
    let all = segments(&book.disk);
    assert!(all.len() >= 3, "{:?}", book.disk.names());
    for pair in all.windows(2) {
        let ((before, bytes), (name, successor)) = (&pair[0], &pair[1]);
        let last = frames(bytes).into_iter().rfind(|(_, header)| header.kind == FrameKind::Events);
        let (last_at, _) = last.expect("a segment with events");
        let disk = copy(&book.disk);
        disk.put(name, &with_header(successor, |header| header.predecessor.end = last_at));
        let error = book.refused(&disk, before);
        assert!(error.contains("the sequence has a gap"), "{error}");
        let disk = copy(&book.disk);
        disk.put(name, &with_header(successor, |header| header.previous_epoch.tag ^= 1));
        let error = book.refused(&disk, before);
        assert!(error.contains("the next segment says"), "{error}");
    }
}

#[test]
fn law_evidence_bytes_behind_the_mark_of_a_clean_close_are_refused() {
    let mut book = Book::new();
    book.session(1, 64 << 10, 3).shutdown(DEADLINE).unwrap();
    let (name, bytes) = newest_segment(&book.disk);
    for (behind, is_refused) in [(&[0, 0, 0][..], false), (&[0, 0, 1], true)] {
        let disk = copy(&book.disk);
        disk.put(&name, &[&bytes[..], behind].concat());
        if is_refused {
            let error = book.refused(&disk, &name);
            assert!(error.contains("3 bytes follow the end of the segment"), "{error}");
        } else {
            open(&disk, options(9, &book.clock)).unwrap();
        }
    }
}

#[test]
fn what_a_recovery_hands_over_says_so_and_nothing_else_does() {
    let mut book = Book::new();
    let engine = book.session(1, 64 << 10, 3);
    book.disk.kill();
    drop(engine);
    let (_, before) = newest_segment(&book.disk);
    let engine = book.session(2, 64 << 10, 2);
    book.disk.kill();
    drop(engine);
    let (_, after) = newest_segment(&book.disk);
    let written = frames(&before);
    let (old, new): (Vec<_>, Vec<_>) = frames(&after).into_iter().partition(|(_, header)| header.handed_over);
    assert!(!old.is_empty() && new.len() > 1, "{old:?}; a record of the opening, and commands: {new:?}");
    for (_, header) in old {
        let same = |first: &FrameHeader| FrameHeader { handed_over: true, durable_through: 0, ..*first };
        assert!(written.iter().any(|(_, first)| same(first) == header), "{header:?}");
    }
}

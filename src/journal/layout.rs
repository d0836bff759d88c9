//! Names and sizes: what `journal-format.md` fixes.

use std::fmt;

use super::bytes::offset_of;

/// The version of the format that this crate writes, and the newest that it reads. It reads all from 1 on.
pub const FORMAT_VERSION: u32 = 3;

/// The length of a segment's header. A whole 4 KiB block, so that no frame shares a sector with it.
pub const HEADER_LEN: usize = 4096;

/// The length of a frame's header.
pub const FRAME_HEADER_LEN: usize = 48;

/// Frames start at multiples of this.
pub const FRAME_ALIGN: usize = 8;

/// The longest payload of a frame: 64 MiB.
pub const MAX_PAYLOAD_LEN: u32 = 64 << 20;

/// The length of the payload of a record (open, close, seal).
pub const RECORD_PAYLOAD_LEN: usize = 32;

/// The length of a record's whole frame. All records are equally long, so that an open record takes exactly the
/// place of the close mark that it overwrites.
pub const RECORD_LEN: usize = FRAME_HEADER_LEN + RECORD_PAYLOAD_LEN;

/// The lock file.
pub(crate) const LOCK_NAME: &str = "lock";

/// The next segment, while it is being built.
pub(super) const SPARE_NAME: &str = "spare.tmp";

/// A snapshot, while it is being written.
pub(super) const SNAPSHOT_TMP_NAME: &str = "snapshot.tmp";

/// The spine.
pub(crate) const SPINE_NAME: &str = "spine";

/// A spine, while its first entry is being written.
pub(super) const SPINE_TMP_NAME: &str = "spine.tmp";

const SEGMENT_SUFFIX: &str = ".seg";
const SNAPSHOT_SUFFIX: &str = ".snap";
const BASE_SUFFIX: &str = ".base";
const TORN_SUFFIX: &str = ".torn";
const FLOOR_MARK_SUFFIX: &str = "/floor";
const NUMBER_DIGITS: usize = 10;
const SEQ_DIGITS: usize = 20;

/// The length of a frame with a payload of `payload_len` bytes, padding included.
pub const fn frame_len(payload_len: usize) -> usize {
    FRAME_HEADER_LEN + payload_len.next_multiple_of(FRAME_ALIGN)
}

/// The name of a segment: `0000000001-00000000000000000001.seg`, the segment's number and its first `seq`. Names
/// sort as the segments do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    /// The segment's number: 1, 2, 3 …
    pub number: u64,
    /// The `seq` of the first event that the segment holds or will hold.
    pub first_seq: u64,
}

impl SegmentName {
    /// The greatest number that a name can hold.
    pub const MAX_NUMBER: u64 = 9_999_999_999;

    /// The name, if `text` is exactly one.
    pub fn parse(text: &str) -> Option<SegmentName> {
        SegmentName::parse_stem(text.strip_suffix(SEGMENT_SUFFIX)?)
    }

    /// What the names of a segment and of its snapshots have in common.
    fn parse_stem(stem: &str) -> Option<SegmentName> {
        let (number, first_seq) = stem.split_once('-')?;
        let digits =
            |text: &str, len: usize| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(number, NUMBER_DIGITS) || !digits(first_seq, SEQ_DIGITS) {
            return None;
        }
        Some(SegmentName { number: number.parse().ok()?, first_seq: first_seq.parse().ok()? })
    }

    /// The name of the copy that is kept of the torn bytes behind the end of this segment.
    pub(super) fn torn(self) -> String {
        format!("{}{TORN_SUFFIX}", self.stem())
    }

    /// The segment of whose torn bytes `text` is the copy, if it is one.
    pub(super) fn parse_torn(text: &str) -> Option<SegmentName> {
        SegmentName::parse_stem(text.strip_suffix(TORN_SUFFIX)?)
    }

    /// What says that a journal, read with an archive, begins with this segment although no base stands there. No name of
    /// a file: a directory cannot hold it.
    pub(super) fn floor_mark(self) -> String {
        format!("{}{FLOOR_MARK_SUFFIX}", self.stem())
    }

    /// The segment that `text` says is the oldest, if it says so.
    pub(super) fn parse_floor_mark(text: &str) -> Option<SegmentName> {
        SegmentName::parse_stem(text.strip_suffix(FLOOR_MARK_SUFFIX)?)
    }

    fn stem(self) -> String {
        format!("{:010}-{:020}", self.number, self.first_seq)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{SEGMENT_SUFFIX}", self.stem())
    }
}

/// The name of a snapshot: that of the segment before which it stands, `0000000007-00000000000000001234.snap`, with
/// another ending. As a base (`.base`) it also states the retention floor: what comes before that segment is pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotName {
    /// The segment whose first event is the first that is not in the snapshot.
    pub before: SegmentName,
    /// Whether the retention floor is here.
    pub is_base: bool,
}

impl SnapshotName {
    /// The name, if `text` is exactly one.
    pub fn parse(text: &str) -> Option<SnapshotName> {
        let (stem, is_base) = match text.strip_suffix(SNAPSHOT_SUFFIX) {
            Some(stem) => (stem, false),
            None => (text.strip_suffix(BASE_SUFFIX)?, true),
        };
        Some(SnapshotName { before: SegmentName::parse_stem(stem)?, is_base })
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.before.stem(), if self.is_base { BASE_SUFFIX } else { SNAPSHOT_SUFFIX })
    }
}

/// [`HEADER_LEN`] as an offset.
pub(super) fn header_end() -> u64 {
    offset_of(HEADER_LEN)
}

/// [`RECORD_LEN`] as a length in a file.
pub(super) fn record_len() -> u64 {
    offset_of(RECORD_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_name_prints_as_it_parses_and_sorts_by_number() {
        let name = SegmentName { number: 12, first_seq: 345 };
        assert_eq!(name.to_string(), "0000000012-00000000000000000345.seg");
        assert_eq!(SegmentName::parse(&name.to_string()), Some(name));
        let next = SegmentName { number: 13, first_seq: 345 };
        assert!(name.to_string() < next.to_string());
    }

    #[test]
    fn a_snapshot_is_named_like_the_segment_that_it_comes_before() {
        let before = SegmentName { number: 7, first_seq: 1_234 };
        for (is_base, text) in
            [(false, "0000000007-00000000000000001234.snap"), (true, "0000000007-00000000000000001234.base")]
        {
            let name = SnapshotName { before, is_base };
            assert_eq!(name.to_string(), text);
            assert_eq!(SnapshotName::parse(text), Some(name));
            assert_eq!(SegmentName::parse(text), None);
        }
        assert_eq!(SnapshotName::parse(&before.to_string()), None);
        assert_eq!(SnapshotName::parse("snapshot.tmp"), None);
        assert_eq!(SegmentName::parse_torn(&before.torn()), Some(before));
    }

    #[test]
    fn what_is_no_segment_name_is_none() {
        for text in [
            "lock",
            "spare.tmp",
            "12-345.seg",
            "0000000012-00000000000000000345.seg.tmp",
            "000000001a-00000000000000000345.seg",
            "+000000012-00000000000000000345.seg",
        ] {
            assert_eq!(SegmentName::parse(text), None, "{text}");
        }
    }
}

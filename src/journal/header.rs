//! The header of a segment.

use std::fmt;

use super::bytes::{array_at, i64_at, put, u16_at, u32_at, u64_at};
use super::layout::{FORMAT_VERSION, HEADER_LEN};
use crate::clock::Timestamp;
use crate::ids::{Epoch, JournalId};
use crate::planted::{Bug, planted};

/// What every segment begins with. As in PNG, the high bit and the line ends betray a transfer that was not binary.
pub const SEGMENT_MAGIC: [u8; 8] = *b"\x89TBS\r\n\x1a\n";

pub(super) const CRC_AT: usize = HEADER_LEN - 4;

/// A version of Tallybook, as writers note it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct WriterVersion(pub [u16; 3]);

impl WriterVersion {
    /// The version of this crate.
    pub fn current() -> WriterVersion {
        let part = |text: &str| text.parse().unwrap_or(0);
        WriterVersion([
            part(env!("CARGO_PKG_VERSION_MAJOR")),
            part(env!("CARGO_PKG_VERSION_MINOR")),
            part(env!("CARGO_PKG_VERSION_PATCH")),
        ])
    }

    pub(super) fn at(bytes: &[u8], at: usize) -> WriterVersion {
        WriterVersion([u16_at(bytes, at), u16_at(bytes, at + 2), u16_at(bytes, at + 4)])
    }

    pub(super) fn put(self, bytes: &mut [u8], at: usize) {
        for (index, part) in self.0.iter().enumerate() {
            put(bytes, at + 2 * index, &part.to_le_bytes());
        }
    }
}

impl fmt::Display for WriterVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// How the segment before this one ended, in truth: a recovery states it here and leaves the old file alone (law
/// EVIDENCE).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Predecessor {
    /// The last `seq` before this segment; 0 when there is none.
    pub last_seq: u64,
    /// Where the predecessor ends; 0 when there is none. What lies after it there is not part of the journal.
    pub end: u64,
    /// How many bytes lie after its end, up to the last that is not zero.
    pub discarded_len: u64,
    /// The SHA-256 of those bytes; zeros when there are none.
    pub discarded_sha256: [u8; 32],
}

/// The header of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The journal that the segment belongs to.
    pub journal_id: JournalId,
    /// The segment's number.
    pub number: u64,
    /// The `seq` of the first event that it holds or will hold.
    pub first_seq: u64,
    /// The epoch of the writer that made the segment.
    pub epoch: Epoch,
    /// The epoch of the event before `first_seq`; [`Epoch::NONE`] when there is none.
    pub previous_epoch: Epoch,
    /// How the segment before this one ended.
    pub predecessor: Predecessor,
    /// How many bytes were synced before the file got its name: damage below is always refused.
    pub birth: u64,
    /// How many bytes the writer lets stand unsynced at most.
    pub max_unsynced: u64,
    /// When the segment was made.
    pub created_at: Timestamp,
    /// The version of Tallybook that made it.
    pub written_by: WriterVersion,
}

/// Why the first block of a file is no header that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderError {
    /// It is of a newer format.
    Unsupported {
        /// The version of that format.
        found: u32,
    },
    /// It is damaged, or no header at all.
    Bad(&'static str),
}

impl SegmentHeader {
    /// The 4096 bytes of the header.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        put(&mut out, 0, &SEGMENT_MAGIC);
        put(&mut out, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut out, 12, &u32::try_from(HEADER_LEN).unwrap_or(0).to_le_bytes());
        put(&mut out, 16, self.journal_id.0.as_bytes());
        put(&mut out, 32, &self.number.to_le_bytes());
        put(&mut out, 40, &self.first_seq.to_le_bytes());
        put(&mut out, 48, &self.epoch.counter.to_le_bytes());
        put(&mut out, 52, &self.epoch.tag.to_le_bytes());
        put(&mut out, 56, &self.previous_epoch.counter.to_le_bytes());
        put(&mut out, 60, &self.previous_epoch.tag.to_le_bytes());
        put(&mut out, 64, &self.predecessor.last_seq.to_le_bytes());
        put(&mut out, 72, &self.predecessor.end.to_le_bytes());
        put(&mut out, 80, &self.predecessor.discarded_len.to_le_bytes());
        put(&mut out, 88, &self.predecessor.discarded_sha256);
        put(&mut out, 120, &self.birth.to_le_bytes());
        put(&mut out, 128, &self.max_unsynced.to_le_bytes());
        put(&mut out, 136, &self.created_at.as_micros().to_le_bytes());
        self.written_by.put(&mut out, 144);
        let crc = crc32fast::hash(&out[..CRC_AT]);
        put(&mut out, CRC_AT, &crc.to_le_bytes());
        out
    }

    /// Reads a header. The version is looked at before the CRC: a newer format may have another layout, and is
    /// unsupported, never damaged.
    ///
    /// # Errors
    /// See [`HeaderError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<SegmentHeader, HeaderError> {
        let Some(block) = bytes.get(..HEADER_LEN) else {
            return Err(HeaderError::Bad("the segment's header is cut off"));
        };
        if block[..8] != SEGMENT_MAGIC {
            return Err(HeaderError::Bad("the file does not begin like a segment"));
        }
        let version = u32_at(block, 8);
        let crc_matches = crc32fast::hash(&block[..CRC_AT]) == u32_at(block, CRC_AT);
        // A flipped bit in the version of a header of ours is damage: with the version put right, the CRC matches.
        let is_newer = version > FORMAT_VERSION && !is_ours_with_a_bent_version(block);
        if is_newer && !planted(Bug::NewerVersionIsCorruption) {
            return Err(HeaderError::Unsupported { found: version });
        }
        if !crc_matches && !planted(Bug::SegmentHeaderCrcUnchecked) {
            return Err(HeaderError::Bad("the CRC of the segment's header does not match"));
        }
        Ok(SegmentHeader {
            journal_id: JournalId(uuid::Uuid::from_bytes(array_at(block, 16))),
            number: u64_at(block, 32),
            first_seq: u64_at(block, 40),
            epoch: Epoch { counter: u32_at(block, 48), tag: u32_at(block, 52) },
            previous_epoch: Epoch { counter: u32_at(block, 56), tag: u32_at(block, 60) },
            predecessor: Predecessor {
                last_seq: u64_at(block, 64),
                end: u64_at(block, 72),
                discarded_len: u64_at(block, 80),
                discarded_sha256: array_at(block, 88),
            },
            birth: u64_at(block, 120),
            max_unsynced: u64_at(block, 128),
            created_at: Timestamp::from_micros(i64_at(block, 136)),
            written_by: WriterVersion::at(block, 144),
        })
    }
}

fn is_ours_with_a_bent_version(block: &[u8]) -> bool {
    let mut mended = [0; HEADER_LEN];
    mended.copy_from_slice(block);
    (1..=FORMAT_VERSION).any(|version| {
        put(&mut mended, 8, &version.to_le_bytes());
        crc32fast::hash(&mended[..CRC_AT]) == u32_at(block, CRC_AT)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::journal) fn sample() -> SegmentHeader {
        SegmentHeader {
            journal_id: JournalId(uuid::Uuid::from_u128(0x0f0e_0d0c)),
            number: 3,
            first_seq: 1_000,
            epoch: Epoch { counter: 5, tag: 0xaabb_ccdd },
            previous_epoch: Epoch { counter: 4, tag: 0x1122_3344 },
            predecessor: Predecessor {
                last_seq: 999,
                end: 8_192,
                discarded_len: 17,
                discarded_sha256: [7; 32],
            },
            birth: 4_176,
            max_unsynced: 1 << 20,
            created_at: Timestamp::from_micros(1_700_000_000_000_000),
            written_by: WriterVersion([0, 1, 0]),
        }
    }

    #[test]
    fn a_header_reads_as_it_was_written() {
        assert_eq!(SegmentHeader::from_bytes(&sample().to_bytes()), Ok(sample()));
    }

    #[test]
    fn every_flipped_bit_is_damage_never_a_newer_version() {
        let bytes = sample().to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes;
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(SegmentHeader::from_bytes(&bent), Err(HeaderError::Bad(_))), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_format_is_unsupported_whatever_its_layout() {
        let mut newer = [0xab; HEADER_LEN];
        put(&mut newer, 0, &SEGMENT_MAGIC);
        put(&mut newer, 8, &(FORMAT_VERSION + 1).to_le_bytes());
        assert_eq!(
            SegmentHeader::from_bytes(&newer),
            Err(HeaderError::Unsupported { found: FORMAT_VERSION + 1 })
        );
    }

    #[test]
    fn the_header_of_an_older_version_reads_alike() {
        let mut older = sample().to_bytes();
        put(&mut older, 8, &1_u32.to_le_bytes());
        let crc = crc32fast::hash(&older[..CRC_AT]);
        put(&mut older, CRC_AT, &crc.to_le_bytes());
        assert_eq!(SegmentHeader::from_bytes(&older), Ok(sample()));
    }
}

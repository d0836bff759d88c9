//! The header of a snapshot.

use crate::clock::Timestamp;
use crate::ids::{Epoch, JournalId};
use crate::journal::bytes::{array_at, i64_at, put, u32_at, u64_at};
use crate::journal::header::{CRC_AT, HeaderError, WriterVersion};
use crate::journal::layout::{FORMAT_VERSION, HEADER_LEN, SegmentName};
use crate::planted::{Bug, planted};

/// What every snapshot begins with.
pub const SNAPSHOT_MAGIC: [u8; 8] = *b"\x89TBP\r\n\x1a\n";

/// The header of a snapshot: of which state, and how to tell that it is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotHeader {
    /// The journal that the state is of.
    pub journal_id: JournalId,
    /// The segment before which the snapshot stands: its last event is the one before that segment's first.
    pub before: SegmentName,
    /// The epoch of that event; [`Epoch::NONE`] when there is none.
    pub epoch: Epoch,
    /// When that event was decided.
    pub last_ts: Timestamp,
    /// The version of the fold that the state hash is of.
    pub fold_version: u32,
    /// The state hash.
    pub state_hash: [u8; 32],
    /// How many lines the state has.
    pub lines: u64,
    /// How many bytes.
    pub payload_len: u64,
    /// The CRC-32 of those bytes.
    pub payload_crc: u32,
    /// When the snapshot was made.
    pub created_at: Timestamp,
    /// The version of Tallybook that made it.
    pub written_by: WriterVersion,
    /// The head of the spine before that segment; zeros where the snapshot does not tell it, as those of version 2.
    pub spine_head: [u8; 32],
}

impl SnapshotHeader {
    /// The `seq` of the last event that is in the state.
    pub fn seq(&self) -> u64 {
        self.before.first_seq.saturating_sub(1)
    }

    /// The 4096 bytes of the header.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        put(&mut out, 0, &SNAPSHOT_MAGIC);
        put(&mut out, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut out, 12, &u32::try_from(HEADER_LEN).unwrap_or(0).to_le_bytes());
        put(&mut out, 16, self.journal_id.0.as_bytes());
        put(&mut out, 32, &self.before.number.to_le_bytes());
        put(&mut out, 40, &self.before.first_seq.to_le_bytes());
        put(&mut out, 48, &self.epoch.counter.to_le_bytes());
        put(&mut out, 52, &self.epoch.tag.to_le_bytes());
        put(&mut out, 56, &self.last_ts.as_micros().to_le_bytes());
        put(&mut out, 64, &self.fold_version.to_le_bytes());
        put(&mut out, 68, &self.payload_crc.to_le_bytes());
        put(&mut out, 72, &self.payload_len.to_le_bytes());
        put(&mut out, 80, &self.lines.to_le_bytes());
        put(&mut out, 88, &self.state_hash);
        put(&mut out, 120, &self.created_at.as_micros().to_le_bytes());
        self.written_by.put(&mut out, 128);
        put(&mut out, 134, &self.spine_head);
        let crc = crc32fast::hash(&out[..CRC_AT]);
        put(&mut out, CRC_AT, &crc.to_le_bytes());
        out
    }

    /// Reads a header. As in a segment's, the version is looked at before the CRC.
    ///
    /// # Errors
    /// See [`HeaderError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<SnapshotHeader, HeaderError> {
        let Some(block) = bytes.get(..HEADER_LEN) else {
            return Err(HeaderError::Bad("the snapshot's header is cut off"));
        };
        if block[..8] != SNAPSHOT_MAGIC {
            return Err(HeaderError::Bad("the file does not begin like a snapshot"));
        }
        let version = u32_at(block, 8);
        let crc_matches = crc32fast::hash(&block[..CRC_AT]) == u32_at(block, CRC_AT);
        if version > FORMAT_VERSION && !is_bent(block) && !planted(Bug::NewerSnapshotIsCorruption) {
            return Err(HeaderError::Unsupported { found: version });
        }
        if !crc_matches && !planted(Bug::SnapshotHeaderCrcUnchecked) {
            return Err(HeaderError::Bad("the CRC of the snapshot's header does not match"));
        }
        Ok(SnapshotHeader {
            journal_id: JournalId(uuid::Uuid::from_bytes(array_at(block, 16))),
            before: SegmentName { number: u64_at(block, 32), first_seq: u64_at(block, 40) },
            epoch: Epoch { counter: u32_at(block, 48), tag: u32_at(block, 52) },
            last_ts: Timestamp::from_micros(i64_at(block, 56)),
            fold_version: u32_at(block, 64),
            payload_crc: u32_at(block, 68),
            payload_len: u64_at(block, 72),
            lines: u64_at(block, 80),
            state_hash: array_at(block, 88),
            created_at: Timestamp::from_micros(i64_at(block, 120)),
            written_by: WriterVersion::at(block, 128),
            spine_head: array_at(block, 134),
        })
    }
}

/// Whether it is a header of a version that we know, of which only the version is bent. Snapshots came with version 2.
fn is_bent(block: &[u8]) -> bool {
    let mut mended = [0; HEADER_LEN];
    mended.copy_from_slice(block);
    (2..=FORMAT_VERSION).any(|version| {
        put(&mut mended, 8, &version.to_le_bytes());
        crc32fast::hash(&mended[..CRC_AT]) == u32_at(block, CRC_AT)
    })
}

#[cfg(test)]
pub(in crate::journal) mod tests {
    use super::*;

    pub(in crate::journal) fn sample() -> SnapshotHeader {
        SnapshotHeader {
            journal_id: JournalId(uuid::Uuid::from_u128(0x0f0e_0d0c)),
            before: SegmentName { number: 7, first_seq: 1_234 },
            epoch: Epoch { counter: 5, tag: 0xaabb_ccdd },
            last_ts: Timestamp::from_micros(1_700_000_000_000_000),
            fold_version: 3,
            state_hash: [9; 32],
            lines: 12,
            payload_len: 345,
            payload_crc: 0xdead_beef,
            created_at: Timestamp::from_micros(1_700_000_001_000_000),
            written_by: WriterVersion([0, 1, 0]),
            spine_head: [5; 32],
        }
    }

    #[test]
    fn a_header_reads_as_it_was_written() {
        assert_eq!(SnapshotHeader::from_bytes(&sample().to_bytes()), Ok(sample()));
        assert_eq!(sample().seq(), 1_233);
    }

    #[test]
    fn every_flipped_bit_is_damage_never_a_newer_version() {
        let bytes = sample().to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes;
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(SnapshotHeader::from_bytes(&bent), Err(HeaderError::Bad(_))), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_format_is_unsupported_whatever_its_layout() {
        let mut newer = [0xab; HEADER_LEN];
        put(&mut newer, 0, &SNAPSHOT_MAGIC);
        put(&mut newer, 8, &(FORMAT_VERSION + 1).to_le_bytes());
        let found = FORMAT_VERSION + 1;
        assert_eq!(SnapshotHeader::from_bytes(&newer), Err(HeaderError::Unsupported { found }));
    }
}

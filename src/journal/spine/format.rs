//! The bytes of the spine: a header, then entries, all of the same length.

use sha2::{Digest, Sha256};

use crate::ids::JournalId;
use crate::journal::bytes::{array_at, put, u32_at, u64_at};
use crate::journal::header::HeaderError;
use crate::journal::layout::FORMAT_VERSION;
use crate::merkle::Hash;
use crate::planted::{Bug, planted};

/// What every spine begins with.
pub const SPINE_MAGIC: [u8; 8] = *b"\x89TBH\r\n\x1a\n";

/// The length of a spine's header, in bytes.
pub const SPINE_HEADER_LEN: usize = 96;

/// The length of an entry, in bytes.
pub const SPINE_ENTRY_LEN: usize = 96;

/// Where the CRC stands, in the header as in an entry.
const CRC_AT: usize = 92;

/// The version of the format that had the first spines.
const FIRST_VERSION: u32 = 3;

/// The head before the first entry of a spine: SHA-256 of `tallybook spine v1` and the journal's id.
pub fn first_head(journal_id: JournalId) -> Hash {
    let named = Sha256::new_with_prefix(b"tallybook spine v1");
    named.chain_update(journal_id.0.as_bytes()).finalize().into()
}

/// The head after events `first_seq` up to the one before `next_seq`, whose Merkle root is `root`: SHA-256 of 0x02, the head
/// before, both `seq` as eight big-endian bytes, and the root.
pub fn chained_head(previous: &Hash, first_seq: u64, next_seq: u64, root: &Hash) -> Hash {
    let mut hash = Sha256::new_with_prefix([2]);
    if !planted(Bug::ChainWithoutPreviousHead) {
        hash.update(previous);
    }
    hash.update(first_seq.to_be_bytes());
    hash.update(next_seq.to_be_bytes());
    hash.update(root);
    hash.finalize().into()
}

/// The header of a spine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpineHeader {
    /// The journal.
    pub journal_id: JournalId,
}

impl SpineHeader {
    /// The bytes of the header.
    pub fn to_bytes(&self) -> [u8; SPINE_HEADER_LEN] {
        let mut out = [0; SPINE_HEADER_LEN];
        put(&mut out, 0, &SPINE_MAGIC);
        put(&mut out, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut out, 12, &u32::try_from(SPINE_HEADER_LEN).unwrap_or(0).to_le_bytes());
        put(&mut out, 16, self.journal_id.0.as_bytes());
        let crc = crc32fast::hash(&out[..CRC_AT]);
        put(&mut out, CRC_AT, &crc.to_le_bytes());
        out
    }

    /// Reads a header. As in a segment's, the version is looked at before the CRC.
    ///
    /// # Errors
    /// See [`HeaderError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<SpineHeader, HeaderError> {
        let Some(block) = bytes.get(..SPINE_HEADER_LEN) else {
            return Err(HeaderError::Bad("the spine's header is cut off"));
        };
        if block[..8] != SPINE_MAGIC {
            return Err(HeaderError::Bad("the file does not begin like a spine"));
        }
        let version = u32_at(block, 8);
        if version > FORMAT_VERSION && !is_bent(block) {
            return Err(HeaderError::Unsupported { found: version });
        }
        if crc32fast::hash(&block[..CRC_AT]) != u32_at(block, CRC_AT) {
            return Err(HeaderError::Bad("the CRC of the spine's header does not match"));
        }
        Ok(SpineHeader { journal_id: JournalId(uuid::Uuid::from_bytes(array_at(block, 16))) })
    }
}

/// Whether it is a header of a version that we know, of which only the version is bent.
fn is_bent(block: &[u8]) -> bool {
    let mut mended = [0; SPINE_HEADER_LEN];
    mended.copy_from_slice(block);
    (FIRST_VERSION..=FORMAT_VERSION).any(|version| {
        put(&mut mended, 8, &version.to_le_bytes());
        crc32fast::hash(&mended[..CRC_AT]) == u32_at(block, CRC_AT)
    })
}

/// What the spine says of a closed segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpineEntry {
    /// The segment's number.
    pub number: u64,
    /// Its first `seq`.
    pub first_seq: u64,
    /// The first `seq` after it; the same where it holds no event.
    pub next_seq: u64,
    /// The Merkle root over its events.
    pub root: Hash,
    /// The head of the chain after it.
    pub head: Hash,
}

impl SpineEntry {
    /// The entry of a segment that goes on after the head `previous`.
    pub fn after(previous: &Hash, number: u64, first_seq: u64, next_seq: u64, root: Hash) -> SpineEntry {
        let head = chained_head(previous, first_seq, next_seq, &root);
        SpineEntry { number, first_seq, next_seq, root, head }
    }

    /// The bytes of the entry. The CRC begins with the journal's id and the offset at which the entry stands.
    pub fn to_bytes(&self, journal_id: JournalId, offset: u64) -> [u8; SPINE_ENTRY_LEN] {
        let mut out = [0; SPINE_ENTRY_LEN];
        put(&mut out, 0, &self.number.to_le_bytes());
        put(&mut out, 8, &self.first_seq.to_le_bytes());
        put(&mut out, 16, &self.next_seq.to_le_bytes());
        put(&mut out, 24, &self.root);
        put(&mut out, 56, &self.head);
        let crc = crc_of(&out, journal_id, offset);
        put(&mut out, CRC_AT, &crc.to_le_bytes());
        out
    }

    /// Reads an entry; `None` where its CRC does not match.
    pub fn from_bytes(bytes: &[u8], journal_id: JournalId, offset: u64) -> Option<SpineEntry> {
        let block = bytes.get(..SPINE_ENTRY_LEN)?;
        let is_whole = crc_of(block, journal_id, offset) == u32_at(block, CRC_AT);
        is_whole.then(|| SpineEntry {
            number: u64_at(block, 0),
            first_seq: u64_at(block, 8),
            next_seq: u64_at(block, 16),
            root: array_at(block, 24),
            head: array_at(block, 56),
        })
    }
}

fn crc_of(block: &[u8], journal_id: JournalId, offset: u64) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(journal_id.0.as_bytes());
    crc.update(&offset.to_le_bytes());
    crc.update(&block[..CRC_AT]);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> JournalId {
        JournalId(uuid::Uuid::from_u128(0x0f0e_0d0c))
    }

    #[test]
    fn a_spine_reads_as_it_was_written() {
        let header = SpineHeader { journal_id: journal() };
        assert_eq!(SpineHeader::from_bytes(&header.to_bytes()), Ok(header));
        let entry = SpineEntry::after(&first_head(journal()), 7, 100, 164, [9; 32]);
        assert_eq!(SpineEntry::from_bytes(&entry.to_bytes(journal(), 96), journal(), 96), Some(entry));
    }

    #[test]
    fn every_flipped_bit_is_damage_and_so_is_an_entry_of_elsewhere() {
        let header = SpineHeader { journal_id: journal() }.to_bytes();
        for bit in 0..header.len() * 8 {
            let mut bent = header;
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(SpineHeader::from_bytes(&bent), Err(HeaderError::Bad(_))), "bit {bit}");
        }
        let entry = SpineEntry::after(&first_head(journal()), 7, 100, 164, [9; 32]).to_bytes(journal(), 96);
        for bit in 0..entry.len() * 8 {
            let mut bent = entry;
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SpineEntry::from_bytes(&bent, journal(), 96), None, "bit {bit}");
        }
        assert_eq!(SpineEntry::from_bytes(&entry, journal(), 192), None);
        assert_eq!(SpineEntry::from_bytes(&entry, JournalId(uuid::Uuid::nil()), 96), None);
    }

    #[test]
    fn a_newer_format_is_unsupported_whatever_its_layout() {
        let mut newer = [0xab; SPINE_HEADER_LEN];
        put(&mut newer, 0, &SPINE_MAGIC);
        put(&mut newer, 8, &(FORMAT_VERSION + 1).to_le_bytes());
        let found = FORMAT_VERSION + 1;
        assert_eq!(SpineHeader::from_bytes(&newer), Err(HeaderError::Unsupported { found }));
    }

    #[test]
    fn a_head_depends_on_all_that_it_is_made_of() {
        let head =
            |previous: u8, first, next, root: u8| chained_head(&[previous; 32], first, next, &[root; 32]);
        let base = head(1, 2, 3, 4);
        for other in [head(0, 2, 3, 4), head(1, 1, 3, 4), head(1, 2, 4, 4), head(1, 2, 3, 5)] {
            assert_ne!(other, base);
        }
        assert_ne!(first_head(journal()), first_head(JournalId(uuid::Uuid::nil())));
    }
}

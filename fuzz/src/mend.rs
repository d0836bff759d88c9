//! Checksums and lengths, set to what they have to be: what is behind them is reached only so.

use std::ops::Range;

use tallybook::format::{HEADER_LEN, SNAPSHOT_MAGIC};

/// Where the CRC of a header stands, of a segment and of a snapshot alike.
const CRC_AT: usize = HEADER_LEN - 4;
const PAYLOAD_CRC: Range<usize> = 68..72;
const PAYLOAD_LEN: Range<usize> = 72..80;
const LINES: Range<usize> = 80..88;
const STATE_HASH: Range<usize> = 88..120;

/// A file that begins with a header: its CRC; of a snapshot also what its header says about its lines.
pub(crate) fn mend(bytes: &mut [u8]) {
    if bytes.len() < HEADER_LEN {
        return;
    }
    if bytes.starts_with(&SNAPSHOT_MAGIC) {
        let (header, payload) = bytes.split_at_mut(HEADER_LEN);
        let lines = payload.iter().filter(|&&byte| byte == b'\n').count();
        header[PAYLOAD_CRC].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
        header[PAYLOAD_LEN].copy_from_slice(&(payload.len() as u64).to_le_bytes());
        header[LINES].copy_from_slice(&(lines as u64).to_le_bytes());
    }
    let crc = crc32fast::hash(&bytes[..CRC_AT]);
    bytes[CRC_AT..HEADER_LEN].copy_from_slice(&crc.to_le_bytes());
}

/// The state hash of a snapshot, and all that `mend` mends.
pub(crate) fn mend_state_hash(bytes: &mut [u8], hash: &[u8; 32]) {
    bytes[STATE_HASH].copy_from_slice(hash);
    mend(bytes);
}

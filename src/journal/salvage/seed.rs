//! Telling the journal of a frame from the frame.
//!
//! With the header of the only segment gone, so is the id of the journal, with which both CRCs of each frame begin. What
//! of it is in them comes down to 32 bits, though, and those follow from the CRC of a frame's header. The CRC of the
//! payload, which begins with the same 32 bits, then tells whether that is so.

use std::ops::Range;

use super::super::bytes::{index_of, offset_of, u32_at};
use super::super::frame::{FRAME_MAGIC, FrameCodec, FrameRead};
use super::super::layout::{FRAME_ALIGN, FRAME_HEADER_LEN, header_end};

/// Where the CRC of a frame's header stands in it.
const HEADER_CRC_AT: usize = 44;

/// The CRC of the journal id that the first frame proves which is whole.
pub(super) fn prove(bytes: &[u8], segment: u64) -> Option<u32> {
    let places = (index_of(header_end())..bytes.len()).step_by(FRAME_ALIGN);
    places.filter(|&at| bytes[at..].starts_with(&FRAME_MAGIC)).find_map(|at| {
        let head = bytes.get(at..at + FRAME_HEADER_LEN)?;
        let seed = crc_of_id(head, segment, offset_of(at));
        let read = FrameCodec::with_crc_of_id(seed, segment).read(bytes, offset_of(at));
        matches!(read, FrameRead::Frame(frame) if !frame.payload.is_empty()).then_some(seed)
    })
}

/// The CRC that the journal id must have had for the CRC of this header to be right.
fn crc_of_id(head: &[u8], segment: u64, offset: u64) -> u32 {
    let mut covered = Vec::with_capacity(16 + HEADER_CRC_AT);
    covered.extend_from_slice(&segment.to_le_bytes());
    covered.extend_from_slice(&offset.to_le_bytes());
    covered.extend_from_slice(&head[..HEADER_CRC_AT]);
    let table = table();
    let mut state = !u32_at(head, HEADER_CRC_AT);
    for &byte in covered.iter().rev() {
        // Forward: state = table[(state ^ byte) & 0xff] ^ (state >> 8). The upper byte is that of the table alone.
        let index = (0..=0xff_u8).find(|&index| table[usize::from(index)] >> 24 == state >> 24).unwrap_or(0);
        state = (state ^ table[usize::from(index)]) << 8 | u32::from(index ^ byte);
    }
    !state
}

/// The table of CRC-32, reflected: what each byte does.
fn table() -> [u32; 256] {
    const BITS: Range<u32> = 0..8;
    let mut table = [0; 256];
    for (entry, byte) in table.iter_mut().zip(0_u32..) {
        *entry = BITS.fold(byte, |crc, _| if crc & 1 == 1 { 0xEDB8_8320 ^ crc >> 1 } else { crc >> 1 });
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::super::frame::{FrameHeader, FrameKind};
    use super::*;
    use crate::ids::{Epoch, JournalId};

    #[test]
    fn a_frame_proves_the_crc_of_the_journals_id() {
        let id = JournalId(uuid::Uuid::from_u128(0x0123_4567_89ab_cdef_0011_2233_4455_6677));
        let payload = b"{\"seq\":7}\n";
        let header = FrameHeader {
            kind: FrameKind::Events,
            handed_over: false,
            payload_len: 10,
            event_count: 1,
            first_seq: 7,
            durable_through: 0,
            epoch: Epoch { counter: 2, tag: 9 },
        };
        let mut bytes = vec![0; index_of(header_end())];
        FrameCodec::new(id, 3).append(&mut bytes, header_end(), &header, payload);
        assert_eq!(prove(&bytes, 3), Some(crc32fast::hash(id.0.as_bytes())));
        // Of another segment, or with a payload that is bent, it proves nothing, or something that no other frame confirms.
        assert_ne!(prove(&bytes, 4), Some(crc32fast::hash(id.0.as_bytes())));
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(prove(&bytes, 3), None);
    }
}

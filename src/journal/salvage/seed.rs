//! Telling the journal of a frame from the frame.
//!
//! With the header of the only segment gone, so is the id of the journal, with which both CRCs of each frame begin. What
//! of it is in them comes down to 32 bits, though, and those follow from the CRC of a frame's header. The CRC of the
//! payload, which begins with the same 32 bits, then tells that the frame is whole. It does not tell that it is in its
//! place: for a frame of another journal, or one that was moved, other 32 bits come out. So all frames are asked, and what
//! most of them say is believed.

use super::super::bytes::{index_of, offset_of, u16_at, u32_at};
use super::super::frame::{FRAME_MAGIC, FrameCodec, FrameKind, FrameRead};
use super::super::layout::{FRAME_ALIGN, FRAME_HEADER_LEN, MAX_PAYLOAD_LEN, header_end};

/// Where the CRC of a frame's header stands in it.
const HEADER_CRC_AT: usize = 44;

/// What each byte does to a CRC-32, reflected.
const TABLE: [u32; 256] = table();
/// Which byte it was, from the upper byte of what it does.
const BACK: [u8; 256] = back();

/// What the frames say of the journal's id.
#[derive(Debug, Default)]
pub(super) struct Votes(Vec<(u32, u64)>);

impl Votes {
    /// Asks each frame of a segment that is whole.
    pub(super) fn count(&mut self, bytes: &[u8], segment: u64) {
        for at in (index_of(header_end())..bytes.len()).step_by(FRAME_ALIGN) {
            let Some(crc) = vote(bytes, at, segment) else { continue };
            match self.0.iter_mut().find(|(known, _)| *known == crc) {
                Some((_, count)) => *count += 1,
                None => self.0.push((crc, 1)),
            }
        }
    }

    /// The CRC of the journal's id that most say, or why there is none.
    pub(super) fn elected(&self) -> Result<u32, &'static str> {
        let most = self.0.iter().map(|(_, count)| *count).max();
        let mut elected = self.0.iter().filter(|(_, count)| Some(*count) == most);
        match (elected.next(), elected.next()) {
            (None, _) => Err("no header and no frame is left that proves what journal it was"),
            (Some((crc, _)), None) => Ok(*crc),
            (Some(_), Some(_)) => {
                Err("no header is left, and the frames are of several journals, equally many of each")
            }
        }
    }
}

/// The CRC of the journal's id that a frame at this place proves, if there is one that is whole.
fn vote(bytes: &[u8], at: usize, segment: u64) -> Option<u32> {
    let head = bytes.get(at..at + FRAME_HEADER_LEN)?;
    let payload_len = u32_at(head, 8);
    // An empty payload would prove nothing.
    let is_likely = head.starts_with(&FRAME_MAGIC)
        && FrameKind::from_byte(head[4]).is_some()
        && u16_at(head, 6) == 0
        && (1..=MAX_PAYLOAD_LEN).contains(&payload_len)
        && index_of(u64::from(payload_len)) <= bytes.len() - at - FRAME_HEADER_LEN;
    if !is_likely {
        return None;
    }
    let crc = crc_of_id(head, segment, offset_of(at));
    let read = FrameCodec::with_crc_of_id(crc, segment).read(bytes, offset_of(at));
    matches!(read, FrameRead::Frame(_)).then_some(crc)
}

/// The CRC that the journal id must have had for the CRC of this header to be right.
fn crc_of_id(head: &[u8], segment: u64, offset: u64) -> u32 {
    let mut covered = Vec::with_capacity(16 + HEADER_CRC_AT);
    covered.extend_from_slice(&segment.to_le_bytes());
    covered.extend_from_slice(&offset.to_le_bytes());
    covered.extend_from_slice(&head[..HEADER_CRC_AT]);
    let mut state = !u32_at(head, HEADER_CRC_AT);
    for &byte in covered.iter().rev() {
        // Forward: state = TABLE[(state ^ byte) & 0xff] ^ (state >> 8). The upper byte is that of the table alone.
        let [upper, ..] = state.to_be_bytes();
        let index = BACK[usize::from(upper)];
        state = (state ^ TABLE[usize::from(index)]) << 8 | u32::from(index ^ byte);
    }
    !state
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let (mut at, mut byte) = (0, 0_u32);
    while at < table.len() {
        let (mut crc, mut bit) = (byte, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xEDB8_8320 ^ crc >> 1 } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
        byte += 1;
    }
    table
}

const fn back() -> [u8; 256] {
    let mut back = [0; 256];
    let (mut at, mut byte) = (0, 0_u8);
    while at < TABLE.len() {
        let [upper, ..] = TABLE[at].to_be_bytes();
        back[upper as usize] = byte;
        at += 1;
        byte = byte.wrapping_add(1);
    }
    back
}

#[cfg(test)]
mod tests {
    use super::super::super::frame::{FrameHeader, FrameKind};
    use super::*;
    use crate::ids::{Epoch, JournalId};

    fn said(bytes: &[u8], segment: u64) -> Option<u32> {
        let mut votes = Votes::default();
        votes.count(bytes, segment);
        votes.elected().ok()
    }

    fn frame_of(id: JournalId, offset: u64) -> Vec<u8> {
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
        let mut bytes = Vec::new();
        FrameCodec::new(id, 3).append(&mut bytes, offset, &header, payload);
        bytes
    }

    #[test]
    fn a_frame_proves_the_crc_of_the_journals_id() {
        let id = JournalId(uuid::Uuid::from_u128(0x0123_4567_89ab_cdef_0011_2233_4455_6677));
        let mut bytes = vec![0; index_of(header_end())];
        bytes.extend(frame_of(id, header_end()));
        assert_eq!(said(&bytes, 3), Some(crc32fast::hash(id.0.as_bytes())));
        // Of another segment, or with a payload that is bent, it proves nothing, or something that no other frame confirms.
        assert_ne!(said(&bytes, 4), Some(crc32fast::hash(id.0.as_bytes())));
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(said(&bytes, 3), None);
    }

    /// One that strayed in is whole as well, wherever it lies.
    #[test]
    fn of_frames_that_say_different_things_most_are_believed_and_of_equally_many_none() {
        let [id, other] = [7, 8].map(|id| JournalId(uuid::Uuid::from_u128(id)));
        let mut bytes = vec![0; index_of(header_end())];
        for (is_own, expected) in [(false, Some(other)), (true, None), (true, Some(id)), (false, None)] {
            let at = offset_of(bytes.len());
            bytes.extend(frame_of(if is_own { id } else { other }, at));
            assert_eq!(said(&bytes, 3), expected.map(|id| crc32fast::hash(id.0.as_bytes())), "{at}");
        }
    }
}

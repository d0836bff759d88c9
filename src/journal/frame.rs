//! A frame: the events of one command (law ATOMIC), or one record of housekeeping.

use crc32fast::Hasher;

use super::bytes::{index_of, offset_of, put, u16_at, u32_at, u64_at};
use super::layout::{FRAME_ALIGN, FRAME_HEADER_LEN, MAX_PAYLOAD_LEN, frame_len};
use crate::ids::{Epoch, JournalId};
use crate::planted::{Bug, planted};

/// What every frame begins with. JSON cannot hold the first byte raw, so no payload can pretend to be a frame and
/// looking ahead is linear.
pub const FRAME_MAGIC: [u8; 4] = [0x1e, b'T', b'B', b'F'];

const FLAG_HANDED_OVER: u8 = 1;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// The events of one command.
    Events = b'E',
    /// The record that a writer opened the journal.
    Open = b'O',
    /// The mark of a clean close.
    Close = b'C',
    /// The seal at the end of a segment that was rotated.
    Seal = b'S',
}

impl FrameKind {
    pub(super) fn from_byte(byte: u8) -> Option<FrameKind> {
        Some(match byte {
            b'E' => FrameKind::Events,
            b'O' => FrameKind::Open,
            b'C' => FrameKind::Close,
            b'S' => FrameKind::Seal,
            _ => return None,
        })
    }
}

/// The header of a frame. It has a CRC of its own, so that it still testifies when its payload is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the frame holds.
    pub kind: FrameKind,
    /// Whether a recovery rewrote it into this segment.
    pub handed_over: bool,
    /// The length of the payload, without padding.
    pub payload_len: u32,
    /// How many events the payload holds; 0 for a record.
    pub event_count: u32,
    /// The `seq` of the first event; of a record, the `seq` that the next event will have.
    pub first_seq: u64,
    /// The highest offset of this segment that was known to be synced when the frame was written.
    pub durable_through: u64,
    /// The epoch in which the frame was first written.
    pub epoch: Epoch,
}

impl FrameHeader {
    /// The `seq` that follows this frame.
    pub fn next_seq(&self) -> u64 {
        self.first_seq.saturating_add(u64::from(self.event_count))
    }
}

/// A frame as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Its header.
    pub header: FrameHeader,
    /// Where it starts in its segment.
    pub offset: u64,
    /// Its length, header and padding included.
    pub length: u64,
    /// The CRC of its payload.
    pub payload_crc: u32,
    /// The payload, without padding.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// Where the next frame starts.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// The place of an events frame, with its payload: what readers are given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FramePlace<'a> {
    /// The segment file's name.
    pub(crate) file: &'a str,
    /// The frame.
    pub(crate) frame: Frame<'a>,
    /// The version of Tallybook that wrote this part of the segment.
    pub(crate) written_by: super::header::WriterVersion,
}

/// What stands at an offset.
#[derive(Debug, Clone, Copy)]
pub enum FrameRead<'a> {
    /// A valid frame.
    Frame(Frame<'a>),
    /// Nothing: the end of the bytes, or zeros where a header would be.
    Blank,
    /// Bytes that are no valid frame, and what is wrong with them.
    Bad(&'static str),
}

/// Reads and writes the frames of one segment. Both CRCs of a frame also cover the journal id, the segment number
/// and the frame's offset: bytes that were misplaced, duplicated, swapped or left over from another file fail.
#[derive(Debug, Clone)]
pub struct FrameCodec {
    seed: Hasher,
}

impl FrameCodec {
    /// The codec for that segment of that journal.
    pub fn new(journal_id: JournalId, segment: u64) -> FrameCodec {
        let mut seed = Hasher::new();
        if !planted(Bug::JournalIdNotInTheCrc) {
            seed.update(journal_id.0.as_bytes());
        }
        if !planted(Bug::SegmentNumberNotInTheCrc) {
            seed.update(&segment.to_le_bytes());
        }
        FrameCodec { seed }
    }

    /// The same for a journal of whose id only the CRC is known: all that the CRCs of its frames hold of it.
    pub(super) fn with_crc_of_id(crc: u32, segment: u64) -> FrameCodec {
        let mut seed = Hasher::new_with_initial(crc);
        seed.update(&segment.to_le_bytes());
        FrameCodec { seed }
    }

    #[inline]
    fn hasher_at(&self, offset: u64) -> Hasher {
        let mut hasher = self.seed.clone();
        if !planted(Bug::OffsetNotInTheCrc) {
            hasher.update(&offset.to_le_bytes());
        }
        hasher
    }

    /// Completes a frame that stands in memory as room for the header (48 bytes), the payload, and zeros as
    /// padding, and will be written at `offset`.
    pub fn finish(&self, frame: &mut [u8], offset: u64, header: &FrameHeader) {
        let hasher = self.hasher_at(offset);
        let (head, body) = frame.split_at_mut(FRAME_HEADER_LEN);
        let payload_crc = crc_of(&hasher, body);
        put(head, 0, &FRAME_MAGIC);
        head[4] = header.kind as u8;
        head[5] = if header.handed_over { FLAG_HANDED_OVER } else { 0 };
        put(head, 6, &[0, 0]);
        put(head, 8, &header.payload_len.to_le_bytes());
        put(head, 12, &header.event_count.to_le_bytes());
        put(head, 16, &header.first_seq.to_le_bytes());
        put(head, 24, &header.durable_through.to_le_bytes());
        put(head, 32, &header.epoch.counter.to_le_bytes());
        put(head, 36, &header.epoch.tag.to_le_bytes());
        put(head, 40, &payload_crc.to_le_bytes());
        let header_crc = crc_of(&hasher, &head[..44]);
        put(head, 44, &header_crc.to_le_bytes());
    }

    /// Appends a whole frame to `out`, which will be written so that the frame lies at `offset`.
    pub fn append(&self, out: &mut Vec<u8>, offset: u64, header: &FrameHeader, payload: &[u8]) {
        let start = out.len();
        out.resize(start + FRAME_HEADER_LEN, 0);
        out.extend_from_slice(payload);
        out.resize(start + frame_len(payload.len()), 0);
        self.finish(&mut out[start..], offset, header);
    }

    /// The header at `offset`, if the bytes there hold a valid one; its payload is not looked at.
    pub fn read_header(&self, bytes: &[u8], offset: u64) -> Option<FrameHeader> {
        let start = index_of(offset);
        let head = bytes.get(start..start.checked_add(FRAME_HEADER_LEN)?)?;
        parse_header(head, &self.hasher_at(offset)).ok().map(|(header, _)| header)
    }

    /// The same, where `bytes` start there.
    pub(super) fn read_header_at(&self, bytes: &[u8], offset: u64) -> Option<FrameHeader> {
        parse_header(bytes.get(..FRAME_HEADER_LEN)?, &self.hasher_at(offset)).ok().map(|(header, _)| header)
    }

    /// Reads the frame at `offset` of a segment whose first bytes are `bytes`.
    pub fn read<'a>(&self, bytes: &'a [u8], offset: u64) -> FrameRead<'a> {
        self.read_at(bytes.get(index_of(offset)..).unwrap_or_default(), offset)
    }

    /// Reads the frame at `offset` of a segment; `bytes` start there.
    #[inline]
    pub fn read_at<'a>(&self, bytes: &'a [u8], offset: u64) -> FrameRead<'a> {
        let Some(head) = bytes.get(..FRAME_HEADER_LEN) else {
            let blank = bytes.iter().all(|&byte| byte == 0);
            return if blank { FrameRead::Blank } else { FrameRead::Bad("the frame's header is cut off") };
        };
        let hasher = self.hasher_at(offset);
        let (header, payload_crc) = match parse_header(head, &hasher) {
            Ok(parsed) => parsed,
            Err(_) if head.iter().all(|&byte| byte == 0) => return FrameRead::Blank,
            Err(wrong) => return FrameRead::Bad(wrong),
        };
        let length = frame_len(index_of(u64::from(header.payload_len)));
        let Some(body) = bytes.get(FRAME_HEADER_LEN..length) else {
            return FrameRead::Bad("the frame's payload is cut off");
        };
        let matches = crc_of(&hasher, body) == payload_crc;
        if !matches && !planted(Bug::FramePayloadCrcUnchecked) {
            return FrameRead::Bad("the CRC of the frame's payload does not match");
        }
        let payload = &body[..index_of(u64::from(header.payload_len))];
        FrameRead::Frame(Frame { header, offset, length: offset_of(length), payload_crc, payload })
    }

    /// The first valid frame header at or after `from`, at the places where a frame can start.
    pub fn find_header(
        &self,
        bytes: &[u8],
        from: u64,
        wanted: impl Fn(&FrameHeader) -> bool,
    ) -> Option<(u64, FrameHeader)> {
        let mut offset = index_of(from).next_multiple_of(FRAME_ALIGN);
        while let Some(head) = bytes.get(offset..offset + FRAME_HEADER_LEN) {
            if head[..4] == FRAME_MAGIC {
                let at = offset_of(offset);
                if let Some(header) = self.read_header(bytes, at).filter(&wanted) {
                    return Some((at, header));
                }
            }
            offset += FRAME_ALIGN;
        }
        None
    }
}

/// How long the frame that `bytes` begin with says it is; a header's length when they begin with none.
pub(super) fn stated_len(bytes: &[u8]) -> u64 {
    if bytes.len() < FRAME_HEADER_LEN {
        return offset_of(FRAME_HEADER_LEN);
    }
    let payload_len = u32_at(bytes, 8).min(MAX_PAYLOAD_LEN);
    offset_of(frame_len(index_of(u64::from(payload_len))))
}

/// The header of a frame, and the CRC of the payload; `hasher` is that of the frame's place.
#[inline]
fn parse_header(head: &[u8], hasher: &Hasher) -> Result<(FrameHeader, u32), &'static str> {
    if head[..4] != FRAME_MAGIC {
        return Err("no frame begins here");
    }
    let matches = crc_of(hasher, &head[..44]) == u32_at(head, 44);
    if !matches && !planted(Bug::FrameHeaderCrcUnchecked) {
        return Err("the CRC of the frame's header does not match");
    }
    let kind = FrameKind::from_byte(head[4]).ok_or("the frame is of an unknown kind")?;
    let payload_len = u32_at(head, 8);
    if head[5] > FLAG_HANDED_OVER || u16_at(head, 6) != 0 || payload_len > MAX_PAYLOAD_LEN {
        return Err("the frame's header is not of this format");
    }
    let header = FrameHeader {
        kind,
        handed_over: head[5] == FLAG_HANDED_OVER,
        payload_len,
        event_count: u32_at(head, 12),
        first_seq: u64_at(head, 16),
        durable_through: u64_at(head, 24),
        epoch: Epoch { counter: u32_at(head, 32), tag: u32_at(head, 36) },
    };
    let end = header.first_seq.checked_add(u64::from(header.event_count));
    if header.first_seq == 0 || end.is_none_or(|end| end == u64::MAX) {
        return Err("the frame's header counts beyond the numbers of events");
    }
    Ok((header, u32_at(head, 40)))
}

#[inline]
fn crc_of(start: &Hasher, bytes: &[u8]) -> u32 {
    let mut hasher = start.clone();
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec(segment: u64) -> FrameCodec {
        FrameCodec::new(JournalId(uuid::Uuid::from_u128(7)), segment)
    }

    fn header(payload: &[u8]) -> FrameHeader {
        FrameHeader {
            kind: FrameKind::Events,
            handed_over: false,
            payload_len: u32::try_from(payload.len()).unwrap(),
            event_count: 1,
            first_seq: 42,
            durable_through: 4096,
            epoch: Epoch { counter: 2, tag: 9 },
        }
    }

    fn written(payload: &[u8], offset: u64) -> Vec<u8> {
        let mut out = Vec::new();
        codec(1).append(&mut out, offset, &header(payload), payload);
        out
    }

    #[test]
    fn a_frame_reads_as_it_was_written() {
        let payload = b"{\"seq\":42}\n";
        let bytes = written(payload, 4096);
        let FrameRead::Frame(frame) = codec(1).read_at(&bytes, 4096) else { panic!("no frame") };
        assert_eq!(frame.header, header(payload));
        assert_eq!(frame.payload, payload);
        assert_eq!(frame.length, offset_of(bytes.len()));
    }

    #[test]
    fn every_flipped_bit_is_noticed_padding_included() {
        let bytes = written(b"{\"seq\":42}\n", 4096);
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(codec(1).read_at(&bent, 4096), FrameRead::Bad(_)), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_is_noticed() {
        let bytes = written(b"{\"seq\":42}\n", 4096);
        for len in 1..bytes.len() {
            assert!(matches!(codec(1).read_at(&bytes[..len], 4096), FrameRead::Bad(_)), "cut to {len}");
        }
        assert!(matches!(codec(1).read_at(&[], 4096), FrameRead::Blank));
    }

    /// A header at 4096 whose bytes were changed before its CRC was made.
    fn forged(header: &FrameHeader, change: impl Fn(&mut [u8])) -> Option<FrameHeader> {
        let mut bytes = vec![0; 4096 + FRAME_HEADER_LEN];
        codec(1).finish(&mut bytes[4096..], 4096, header);
        change(&mut bytes[4096..]);
        let crc = crc_of(&codec(1).hasher_at(4096), &bytes[4096..4096 + 44]);
        put(&mut bytes, 4096 + 44, &crc.to_le_bytes());
        codec(1).read_header(&bytes, 4096)
    }

    #[test]
    fn a_header_testifies_without_its_payload_if_it_is_of_this_format() {
        let plain = header(b"{}\n");
        for good in [
            plain,
            FrameHeader { handed_over: true, ..plain },
            FrameHeader { payload_len: MAX_PAYLOAD_LEN, ..plain },
            FrameHeader { first_seq: u64::MAX - 2, ..plain },
        ] {
            assert_eq!(forged(&good, |_| {}), Some(good));
        }
        for (bad, what) in [
            (FrameHeader { payload_len: MAX_PAYLOAD_LEN + 1, ..plain }, "longer than any"),
            (FrameHeader { first_seq: 0, ..plain }, "seq 0"),
            (FrameHeader { first_seq: u64::MAX - 1, ..plain }, "the last of all numbers"),
            (FrameHeader { first_seq: u64::MAX, ..plain }, "beyond all numbers"),
        ] {
            assert_eq!(forged(&bad, |_| {}), None, "{what}");
        }
        for (at, byte) in [(4, b'X'), (5, 2), (6, 1), (7, 1)] {
            assert_eq!(forged(&plain, |head| head[at] = byte), None, "byte {at}");
        }
    }

    #[test]
    fn looking_ahead_finds_the_first_header_that_is_wanted_wherever_a_frame_can_start() {
        let mut bytes = vec![0xff; 4096 + 24];
        let first = offset_of(bytes.len());
        bytes.extend(written(b"{\"seq\":42}\n", first));
        let second = offset_of(bytes.len());
        bytes.extend(&written(b"{\"seq\":43}\n", second)[..FRAME_HEADER_LEN]);
        let found = |from, wanted: fn(&FrameHeader) -> bool| {
            codec(1).find_header(&bytes, from, wanted).map(|(at, _)| at)
        };
        for from in [4096, first - 7, first] {
            assert_eq!(found(from, |_| true), Some(first), "from {from}");
        }
        assert_eq!(found(first + 1, |_| true), Some(second), "cut off behind its header");
        assert_eq!(found(second + 1, |_| true), None);
        assert_eq!(found(4096, |_| false), None);
    }

    #[test]
    fn zeros_are_blank_and_nothing_else_is() {
        for len in [0, 1, FRAME_HEADER_LEN - 1, FRAME_HEADER_LEN, 512] {
            assert!(matches!(codec(1).read_at(&vec![0; len], 4096), FrameRead::Blank), "{len} zeros");
            for at in 0..len {
                let mut bytes = vec![0; len];
                bytes[at] = 1;
                let is_blank = matches!(codec(1).read_at(&bytes, 4096), FrameRead::Blank);
                assert_eq!(is_blank, at >= FRAME_HEADER_LEN, "byte {at} of {len}");
            }
        }
        assert!(matches!(codec(1).read_at(&[0xff; 512], 4096), FrameRead::Bad(_)));
    }

    #[test]
    fn a_frame_of_another_place_segment_or_journal_is_bad() {
        let bytes = written(b"{}\n", 4096);
        assert!(matches!(codec(1).read_at(&bytes, 4104), FrameRead::Bad(_)));
        assert!(matches!(codec(2).read_at(&bytes, 4096), FrameRead::Bad(_)));
        let other = FrameCodec::new(JournalId(uuid::Uuid::from_u128(8)), 1);
        assert!(matches!(other.read_at(&bytes, 4096), FrameRead::Bad(_)), "of another journal");
    }
}

//! Further copies of frames, and how far a segment counts: what lies behind that is a copy, too.

use super::super::bytes::offset_of;
use super::super::frame::{Frame, FrameHeader, FramePlace};
use super::super::header::{SegmentHeader, WriterVersion};
use super::super::layout::{FRAME_HEADER_LEN, header_end, record_len};
use super::wreck::Part;

/// A frame with bytes of its own.
pub(super) struct Copied {
    file: String,
    pub(super) header: FrameHeader,
    offset: u64,
    length: u64,
    payload_crc: u32,
    payload: Vec<u8>,
    written_by: WriterVersion,
}

impl Copied {
    pub(super) fn of(place: &FramePlace<'_>) -> Copied {
        let Frame { header, offset, length, payload_crc, payload } = place.frame;
        let (file, written_by) = (place.file.to_owned(), place.written_by);
        Copied { file, header, offset, length, payload_crc, payload: payload.to_vec(), written_by }
    }

    pub(super) fn place(&self) -> FramePlace<'_> {
        let Copied { header, offset, length, payload_crc, payload, .. } = self;
        let frame =
            Frame { header: *header, offset: *offset, length: *length, payload_crc: *payload_crc, payload };
        FramePlace { file: &self.file, frame, written_by: self.written_by }
    }
}

/// How far a segment counts.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Up to this offset, where the next segment tells.
    pub(super) end: Option<u64>,
    /// Up to the first event of the next one.
    pub(super) seq: u64,
    /// What was handed over to the next one.
    pub(super) handed_over: HandedOver,
}

/// Which frames behind a segment's end were handed over, as far as its successor tells: they lie in what was discarded, and
/// are all that was in the successor when it was born, but for its header and its open record.
#[derive(Clone, Copy)]
pub(super) struct HandedOver {
    /// Where what was discarded ends, zeros not counted.
    end: u64,
    /// How many bytes of frames there are still to come.
    left: u64,
}

impl HandedOver {
    pub(super) const NOTHING: HandedOver = HandedOver { end: 0, left: 0 };
    /// Where no successor tells.
    const UNKNOWN: HandedOver = HandedOver { end: u64::MAX, left: u64::MAX };

    fn to(successor: &SegmentHeader) -> HandedOver {
        let stated = successor.predecessor;
        HandedOver {
            end: stated.end.saturating_add(stated.discarded_len),
            left: successor.birth.saturating_sub(header_end() + record_len()),
        }
    }

    /// Whether this frame of events, the next one, was handed over.
    pub(super) fn take(&mut self, frame: &Frame<'_>) -> bool {
        let end_of_payload = frame.offset + offset_of(FRAME_HEADER_LEN + frame.payload.len());
        match self.left.checked_sub(frame.length) {
            Some(left) if end_of_payload <= self.end => self.left = left,
            _ => *self = HandedOver::NOTHING,
        }
        self.end > 0
    }
}

impl Limits {
    pub(super) fn before(part: &Part, next: Option<&Part>) -> Limits {
        let direct = next.filter(|next| next.place.number == part.place.number + 1);
        let successor = direct.and_then(|next| next.header.as_ref());
        let stated = successor.map(|header| header.predecessor.end);
        let handed_over = successor.map_or(HandedOver::UNKNOWN, HandedOver::to);
        // A name alone is believed where it can be true.
        let is_likely = |next: &&Part| next.header.is_some() || next.place.first_seq >= part.place.first_seq;
        let seq = next.filter(is_likely).map_or(u64::MAX, |next| next.place.first_seq);
        Limits { end: stated, seq, handed_over }
    }

    pub(super) fn hold(&self, frame: &Frame<'_>) -> bool {
        frame.header.first_seq < self.seq && self.end.is_none_or(|end| frame.offset < end)
    }
}

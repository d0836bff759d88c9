//! Further copies of frames, and how far a segment counts: what lies behind that is a copy, too.

use super::super::frame::{Frame, FrameHeader, FramePlace};
use super::super::header::WriterVersion;
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
}

impl Limits {
    pub(super) fn before(part: &Part, next: Option<&Part>) -> Limits {
        let direct = next.filter(|next| next.place.number == part.place.number + 1);
        let stated = direct.and_then(|next| next.header.as_ref()).map(|header| header.predecessor.end);
        // A name alone is believed where it can be true.
        let is_likely = |next: &&Part| next.header.is_some() || next.place.first_seq >= part.place.first_seq;
        let seq = next.filter(is_likely).map_or(u64::MAX, |next| next.place.first_seq);
        Limits { end: stated, seq }
    }

    pub(super) fn hold(&self, frame: &Frame<'_>) -> bool {
        frame.header.first_seq < self.seq && self.end.is_none_or(|end| frame.offset < end)
    }
}

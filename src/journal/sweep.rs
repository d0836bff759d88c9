//! Going through all frames of a segment, past damage too.

use super::chain::Segment;
use super::frame::{Frame, FrameRead};
use super::header::WriterVersion;
use super::scan::{Scan, Step};
use crate::error::Error;

/// What a sweep comes across.
pub(super) enum Swept<'a> {
    /// A valid frame that stands where it can stand, and the version that wrote it.
    Good(Frame<'a>, WriterVersion),
    /// Bytes that are none.
    Bad(Bad<'a>),
}

/// A range of bytes with which something is wrong.
pub(super) struct Bad<'a> {
    /// Where it begins: where a frame should.
    pub(super) start: u64,
    /// Where it ends: where the next frame begins that has a valid header, or the sweep ends.
    pub(super) end: u64,
    /// The `seq` that an event here should have.
    pub(super) seq: u64,
    /// What is wrong.
    pub(super) wrong: String,
    /// A frame that is valid by itself, and cannot stand where it does.
    pub(super) misplaced: Option<(Frame<'a>, WriterVersion)>,
}

/// Goes through all that lies before `end`. Where the pass came to, and whether everything was good.
pub(super) fn sweep<'s>(
    segment: &'s Segment,
    bytes: &'s [u8],
    end: u64,
    take: &mut dyn FnMut(Swept<'s>) -> Result<(), Error>,
) -> Result<(Scan<'s>, bool), Error> {
    let mut scan = Scan::new(segment, bytes);
    let mut is_whole = true;
    while scan.offset < end {
        let (start, seq) = (scan.offset, scan.next_seq);
        let wrong = match scan.step() {
            Ok(Step::Frame(frame)) => {
                take(Swept::Good(frame, scan.written_by))?;
                continue;
            }
            Ok(Step::Stop(wrong)) => wrong.to_owned(),
            Err(error) if error.damage().is_some() => error.to_string(),
            Err(error) => return Err(error),
        };
        is_whole = false;
        let misplaced = match segment.codec.read(bytes, start) {
            FrameRead::Frame(frame) => Some((frame, scan.written_by)),
            FrameRead::Blank | FrameRead::Bad(_) => None,
        };
        let next = segment.codec.find_header(bytes, start + 8, |_| true).filter(|(at, _)| *at < end);
        let bad = Bad { start, end: next.as_ref().map_or(end, |(at, _)| *at), seq, wrong, misplaced };
        take(Swept::Bad(bad))?;
        match next {
            Some((at, header)) => scan.resume_at(at, &header),
            None => break,
        }
    }
    Ok((scan, is_whole))
}

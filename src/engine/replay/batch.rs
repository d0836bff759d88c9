//! Frames that were copied, to be read on another thread.

use std::ops::Range;

use super::Fold;
use crate::engine::frames::decode_frame;
use crate::error::Error;
use crate::event::{ChangeEvent, Decoder};
use crate::journal::FramePlace;
use crate::journal::format::{FRAME_HEADER_LEN, Frame, FrameHeader, WriterVersion};

/// Frames, in order, and what was read of them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The files that they are of, in order.
    files: Vec<String>,
    frames: Vec<CopiedFrame>,
    payloads: Vec<u8>,
    events: Vec<ChangeEvent>,
    /// What is wrong with the last frame of which events were read.
    wrong: Option<Error>,
}

#[derive(Debug)]
struct CopiedFrame {
    /// Which of the files it is of.
    file: usize,
    header: FrameHeader,
    offset: u64,
    length: u64,
    payload_crc: u32,
    written_by: WriterVersion,
    payload: Range<usize>,
    /// Where its events end.
    events_end: usize,
}

impl Batch {
    /// How many bytes of frames are in it.
    pub(super) fn len(&self) -> usize {
        self.payloads.len() + self.frames.len() * FRAME_HEADER_LEN
    }

    pub(super) fn push(&mut self, place: &FramePlace<'_>) {
        if self.files.last().is_none_or(|last| last != place.file) {
            self.files.push(place.file.to_owned());
        }
        let begin = self.payloads.len();
        self.payloads.extend_from_slice(place.frame.payload);
        let Frame { header, offset, length, payload_crc, .. } = place.frame;
        self.frames.push(CopiedFrame {
            file: self.files.len() - 1,
            header,
            offset,
            length,
            payload_crc,
            written_by: place.written_by,
            payload: begin..self.payloads.len(),
            events_end: 0,
        });
    }

    /// Makes it empty. Its events go when it is read again, on the thread that made them, which is where their memory
    /// belongs.
    pub(super) fn clear(&mut self) {
        self.files.clear();
        self.frames.clear();
        self.payloads.clear();
        self.wrong = None;
    }

    /// Reads the events, without those before `from`, up to the first frame with which something is wrong.
    pub(super) fn read(&mut self, from: u64, decoder: &mut Decoder) {
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        for index in 0..self.frames.len() {
            let read = decode_frame(&self.place(index), from, decoder, &mut events);
            self.frames[index].events_end = events.len();
            if let Err(wrong) = read {
                self.wrong = Some(wrong);
                self.frames.truncate(index + 1);
                break;
            }
        }
        self.events = events;
    }

    /// Folds what was read.
    pub(super) fn fold_into(&mut self, fold: &mut Fold<'_>) -> Result<(), Error> {
        let mut begin = 0;
        let mut wrong = self.wrong.take();
        for (index, frame) in self.frames.iter().enumerate() {
            if fold.is_reached {
                return Ok(());
            }
            let is_last = index + 1 == self.frames.len();
            let wrong = if is_last { wrong.take() } else { None };
            fold.frame(&self.place(index), &self.events[begin..frame.events_end], wrong)?;
            begin = frame.events_end;
        }
        Ok(())
    }

    fn place(&self, index: usize) -> FramePlace<'_> {
        let copied = &self.frames[index];
        FramePlace {
            file: &self.files[copied.file],
            frame: Frame {
                header: copied.header,
                offset: copied.offset,
                length: copied.length,
                payload_crc: copied.payload_crc,
                payload: &self.payloads[copied.payload.clone()],
            },
            written_by: copied.written_by,
        }
    }
}

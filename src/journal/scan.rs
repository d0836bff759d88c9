//! One pass over the frames of a segment, checking each against the one before.

use super::chain::Segment;
use super::frame::{Frame, FrameHeader, FrameKind, FrameRead};
use super::header::WriterVersion;
use super::layout::header_end;
use super::record::{EndRecord, OpenRecord};
use crate::error::Error;
use crate::ids::Epoch;
use crate::planted::{Bug, planted};

/// A pass over the frames of one segment.
pub(super) struct Scan<'a> {
    segment: &'a Segment,
    bytes: &'a [u8],
    /// Where the next frame starts.
    pub(super) offset: u64,
    /// The `seq` that the next event has.
    pub(super) next_seq: u64,
    /// The epoch of the last event; of the one before the segment as long as there is none.
    pub(super) last_epoch: Epoch,
    /// The newest epoch that any frame or header showed.
    pub(super) newest_epoch: Epoch,
    /// How many bytes the writer at this point lets stand unsynced at most.
    pub(super) max_unsynced: u64,
    /// The version that wrote what comes next.
    pub(super) written_by: WriterVersion,
    /// Frames of events so far.
    pub(super) frames: u64,
    /// Events so far.
    pub(super) events: u64,
    /// The seal or mark that ended the segment, if one did.
    pub(super) ended: Option<FrameKind>,
    /// What the last frame states to be synced, or the header, if that is more.
    pub(super) durable_through: u64,
    /// Whether damage was passed over, so that the counts are not to be compared.
    has_gaps: bool,
}

/// What a step found.
pub(super) enum Step<'a> {
    /// A valid frame.
    Frame(Frame<'a>),
    /// No valid frame, and why.
    Stop(&'static str),
}

impl<'a> Scan<'a> {
    /// A pass over a segment, whose first bytes are `bytes`.
    pub(super) fn new(segment: &'a Segment, bytes: &'a [u8]) -> Scan<'a> {
        let header = &segment.header;
        Scan {
            segment,
            bytes,
            offset: header_end(),
            next_seq: header.first_seq,
            last_epoch: header.previous_epoch,
            newest_epoch: header.epoch,
            max_unsynced: header.max_unsynced,
            written_by: header.written_by,
            frames: 0,
            events: 0,
            ended: None,
            durable_through: if planted(Bug::BirthNotChecked) { header_end() } else { header.birth },
            has_gaps: false,
        }
    }

    /// The next frame. A frame that is valid, but cannot stand where it does, is damage.
    pub(super) fn step(&mut self) -> Result<Step<'a>, Error> {
        let frame = match self.segment.codec.read(self.bytes, self.offset) {
            FrameRead::Frame(frame) => frame,
            FrameRead::Blank => return Ok(Step::Stop("there are no more frames")),
            FrameRead::Bad(wrong) => return Ok(Step::Stop(wrong)),
        };
        self.check(&frame).map_err(|found| self.segment.damaged(self.offset, self.next_seq, found))?;
        self.take(&frame).map_err(|found| self.segment.damaged(self.offset, self.next_seq, found))?;
        Ok(Step::Frame(frame))
    }

    fn check(&self, frame: &Frame<'_>) -> Result<(), String> {
        let header = &frame.header;
        if header.first_seq != self.next_seq {
            return Err(format!(
                "the sequence has a gap: expected seq {}, found {}",
                self.next_seq, header.first_seq
            ));
        }
        if header.durable_through > frame.offset {
            return Err(format!(
                "the frame states that {} bytes were synced before it was written",
                header.durable_through
            ));
        }
        if self.ended.is_some() {
            return Err("a frame follows the end of the segment".to_owned());
        }
        if header.kind == FrameKind::Events && header.event_count == 0 {
            return Err("a frame of events holds none".to_owned());
        }
        if header.kind != FrameKind::Events && header.event_count != 0 {
            return Err("a record claims to hold events".to_owned());
        }
        if header.epoch.counter < self.last_epoch.counter {
            return Err(format!("epoch {} follows epoch {}", header.epoch, self.last_epoch));
        }
        Ok(())
    }

    fn take(&mut self, frame: &Frame<'_>) -> Result<(), &'static str> {
        let header = &frame.header;
        match header.kind {
            FrameKind::Events => {
                self.last_epoch = header.epoch;
                self.frames += 1;
                self.events += u64::from(header.event_count);
            }
            FrameKind::Open => {
                let record =
                    OpenRecord::from_payload(frame.payload).ok_or("the open record has a wrong length")?;
                self.max_unsynced = record.max_unsynced;
                self.written_by = record.written_by;
            }
            FrameKind::Close | FrameKind::Seal => {
                let record =
                    EndRecord::from_payload(frame.payload).ok_or("the end record has a wrong length")?;
                let counted = (self.next_seq - 1, self.frames, self.events);
                if !self.has_gaps && (record.last_seq, record.frames, record.events) != counted {
                    return Err("the end record counts other frames and events than the segment holds");
                }
                self.ended = Some(header.kind);
            }
        }
        self.newest_epoch = self.newest_epoch.max(header.epoch);
        self.durable_through = self.durable_through.max(header.durable_through);
        self.next_seq = header.next_seq();
        self.offset = frame.end();
        Ok(())
    }

    /// Goes on at a later frame, past damage: what it says of itself is taken as it is.
    pub(super) fn resume_at(&mut self, offset: u64, header: &FrameHeader) {
        self.offset = offset;
        self.next_seq = header.first_seq;
        self.last_epoch = header.epoch;
        self.ended = None;
        self.has_gaps = true;
    }
}

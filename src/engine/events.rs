//! The events of a journal, one after the other, as they stand there.

use std::ops::Range;
use std::sync::Arc;

use super::cursor::Cursor;
use super::feed::{EventFilter, FeedEvent, Knowledge, Matcher};
use super::frames::{check_count, decode_at, decode_with, is_one_line, lines};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::event::{ChangeEvent, Decoder};
use crate::ids::{Epoch, JournalId};
use crate::journal::format::WriterVersion;
use crate::journal::{FramePlace, Location, Walk, WalkSource};
use crate::storage::Storage;

/// Events of a journal, one after the other.
#[derive(Debug)]
pub struct Events {
    storage: Arc<dyn Storage>,
    source: WalkSource,
    walk: Walk,
    matcher: Option<Box<Matcher>>,
    until: Option<Timestamp>,
    up_to: Option<u64>,
    frame: Option<LoadedFrame>,
}

/// A frame whose events are being given: that which the walk gave last, which holds its bytes.
#[derive(Debug)]
struct LoadedFrame {
    /// The line of the event that was given last; nothing before the first.
    line: Range<usize>,
    /// Where the line after that begins, and where the frame ends.
    next_at: usize,
    end: usize,
    /// Whether it holds one line only.
    is_one_line: bool,
    next_seq: u64,
    epoch: Epoch,
    location: Location,
    written_by: WriterVersion,
}

/// An event as it stands in the journal.
#[derive(Debug, Clone, Copy)]
pub struct JournaledEvent<'a> {
    /// Its position.
    pub seq: u64,
    /// The epoch in which it was first written.
    pub epoch: Epoch,
    /// Its JSON, exactly as journaled, without the line end.
    pub line: &'a [u8],
    journal_id: JournalId,
    location: &'a Location,
    written_by: WriterVersion,
    begins_its_command: bool,
    ends_its_command: bool,
}

impl LoadedFrame {
    fn empty(place: &FramePlace<'_>) -> LoadedFrame {
        LoadedFrame {
            line: 0..0,
            next_at: 0,
            end: 0,
            is_one_line: false,
            next_seq: 0,
            epoch: Epoch::NONE,
            location: Location { file: String::new(), offset: 0, length: 0, crc: 0 },
            written_by: place.written_by,
        }
    }
}

impl Events {
    /// From `from` on; 0: from the oldest that is retained.
    pub(super) fn open(storage: &Arc<dyn Storage>, source: &WalkSource, from: u64) -> Result<Events, Error> {
        let walk = match from {
            0 => Walk::from_floor(Arc::clone(storage), source.clone())?,
            from => Walk::open(Arc::clone(storage), source.clone(), from)?,
        };
        let (storage, source) = (Arc::clone(storage), source.clone());
        Ok(Events { storage, source, walk, matcher: None, until: None, up_to: None, frame: None })
    }

    /// Only those that the filter lets pass. To be said before the first is taken.
    #[must_use]
    pub fn filter(mut self, filter: EventFilter) -> Events {
        self.matcher = Matcher::new(filter, self.walk.next_seq() - 1);
        self
    }

    /// Only those decided at or before that time. To be said before the first is taken.
    #[must_use]
    pub fn until(mut self, time: Timestamp) -> Events {
        self.until = Some(time);
        self
    }

    /// None after that one: then no more is read, whether the filter lets it pass or not. To be said before the first is taken.
    #[must_use]
    pub fn up_to(mut self, seq: u64) -> Events {
        self.up_to = Some(seq);
        self
    }

    /// The next event; `None` when there is none yet. Beside a live writer it can be asked again later: the walk goes
    /// on across rotations, crashes and restarts of the writer.
    ///
    /// # Errors
    /// `Pruned` when it is not in the journal any more; `Io` and `Damaged` when the journal cannot be read; with a filter
    /// also `Unsupported`, when a newer version wrote what the filter has to know.
    #[expect(clippy::should_implement_trait, reason = "it lends what it gives, and may go on after `None`")]
    pub fn next(&mut self) -> Result<Option<JournaledEvent<'_>>, Error> {
        while !self.is_past()? && !self.is_last() && self.advance()? {
            if self.is_past()? {
                break;
            }
            if self.matcher.is_none() || self.is_wanted()? {
                return Ok(self.current());
            }
        }
        Ok(None)
    }

    /// Whether the event that was looked at last is later than what is wanted: then so are all that come.
    fn is_past(&self) -> Result<bool, Error> {
        if self.up_to.is_some_and(|up_to| self.current().is_some_and(|event| event.seq > up_to)) {
            return Ok(true);
        }
        let Some(until) = self.until else { return Ok(false) };
        self.current().map_or(Ok(false), |event| Ok(event.ts()? > until))
    }

    /// Whether the event that was looked at last is the last that is wanted.
    fn is_last(&self) -> bool {
        self.up_to.is_some_and(|up_to| self.current().is_some_and(|event| event.seq >= up_to))
    }

    fn is_wanted(&mut self) -> Result<bool, Error> {
        let Some(mut matcher) = self.matcher.take() else { return Ok(true) };
        let is_wanted = match self.current() {
            Some(event) if matcher.may_want(event.line) => event.decode().and_then(|event| {
                let (storage, source) = (&self.storage, &self.source);
                matcher.wants(&event, || Knowledge { now: None, storage, source })
            }),
            _ => Ok(false),
        };
        self.matcher = Some(matcher);
        is_wanted
    }

    /// See [`Walk::overran`].
    pub(super) fn overran(&mut self) -> bool {
        self.walk.overran()
    }

    /// The event that was given last.
    pub(super) fn current(&self) -> Option<JournaledEvent<'_>> {
        let frame = self.frame.as_ref().filter(|frame| !frame.line.is_empty())?;
        Some(JournaledEvent {
            seq: frame.next_seq - 1,
            epoch: frame.epoch,
            line: self.walk.given()?.frame.payload.get(frame.line.clone())?,
            journal_id: self.walk.journal_id(),
            location: &frame.location,
            written_by: frame.written_by,
            begins_its_command: frame.line.start == 0,
            ends_its_command: frame.next_at >= frame.end,
        })
    }

    /// Goes on to the next event, filtered or not; `false` when there is none yet.
    pub(super) fn advance(&mut self) -> Result<bool, Error> {
        let is_used_up = self.frame.as_ref().is_none_or(|frame| frame.next_at >= frame.end);
        if is_used_up && !self.load()? {
            return Ok(false);
        }
        let Some(frame) = &mut self.frame else { return Ok(false) };
        let line_end = if frame.is_one_line {
            frame.end - 1
        } else {
            let payload = self.walk.given().map_or(&[][..], |place| place.frame.payload);
            let rest = payload.get(frame.next_at..).unwrap_or_default();
            memchr::memchr(b'\n', rest).map_or(frame.end, |len| frame.next_at + len)
        };
        frame.line = frame.next_at..line_end;
        frame.next_at = line_end + 1;
        frame.next_seq += 1;
        Ok(true)
    }

    /// Loads the next frame and goes to the event that is wanted in it.
    fn load(&mut self) -> Result<bool, Error> {
        if let Some(frame) = &mut self.frame {
            // Its bytes may be gone now.
            (frame.line, frame.next_at, frame.end) = (0..0, 0, 0);
        }
        let wanted = self.walk.next_seq();
        if !self.walk.advance()? {
            return Ok(false);
        }
        let Some(place) = self.walk.given() else { return Ok(false) };
        let is_one_line = is_one_line(&place);
        if !is_one_line {
            check_count(&place)?;
        }
        let header = &place.frame.header;
        let next_at = match header.first_seq {
            first if first >= wanted => 0,
            _ => lines(&place).take_while(|&(seq, _)| seq < wanted).map(|(_, line)| line.len() + 1).sum(),
        };
        let frame = self.frame.get_or_insert_with(|| LoadedFrame::empty(&place));
        (frame.next_at, frame.end, frame.is_one_line) = (next_at, place.frame.payload.len(), is_one_line);
        frame.next_seq = header.first_seq.max(wanted);
        frame.epoch = header.epoch;
        frame.written_by = place.written_by;
        let location = &mut frame.location;
        if location.file != place.file {
            place.file.clone_into(&mut location.file);
        }
        (location.offset, location.length) = (place.frame.offset, place.frame.length);
        location.crc = place.frame.payload_crc;
        Ok(true)
    }
}

impl JournaledEvent<'_> {
    /// Reads the event.
    ///
    /// # Errors
    /// `Unsupported` for a kind that this version does not know, `Damaged` for what is no event.
    pub fn decode(&self) -> Result<ChangeEvent, Error> {
        decode_at(&self.location.file, self.location.offset, self.written_by, self.seq, self.line)
    }

    /// The same, as feeds give it, with what the events before it had in common.
    pub(super) fn decode_with(&self, decoder: &mut Decoder) -> Result<Arc<FeedEvent>, Error> {
        let Location { file, offset, .. } = self.location;
        let event = decode_with(decoder, file, *offset, self.written_by, self.seq, self.line)?;
        Ok(Arc::new(FeedEvent { event, cursor: self.cursor() }))
    }

    /// Whether it is the first event of its command (law ATOMIC: the events of one command are one frame).
    pub fn begins_its_command(&self) -> bool {
        self.begins_its_command
    }

    /// Whether it is the last event of its command.
    pub fn ends_its_command(&self) -> bool {
        self.ends_its_command
    }

    /// When it was decided: what [`decode`](Self::decode) says, for less where the line is in the canonical form.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn ts(&self) -> Result<Timestamp, Error> {
        match canonical_ts(self.line) {
            Some(ts) => Ok(ts),
            None => Ok(self.decode()?.ts),
        }
    }

    /// Where its frame lies on disk.
    pub fn location(&self) -> &Location {
        self.location
    }

    /// Its position, to go on after it.
    pub fn cursor(&self) -> Cursor {
        Cursor { journal_id: self.journal_id, epoch: self.epoch, seq: self.seq }
    }
}

/// The time in a line that begins as the canonical form does.
fn canonical_ts(line: &[u8]) -> Option<Timestamp> {
    let rest = line.strip_prefix(br#"{"seq":"#)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = rest[digits..].strip_prefix(br#","ts":""#)?;
    let (text, rest) = rest.split_first_chunk::<27>()?;
    Timestamp::from_ascii(text).filter(|_| rest.first() == Some(&b'"'))
}

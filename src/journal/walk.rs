//! Walking the frames from a `seq` on: without a lock, beside a live writer too, across its rotations, crashes and
//! restarts. A walk never runs ahead of what the writer published (law DURABLE), and always finds its place again by
//! `seq`: that lives in the highest-numbered segment whose first `seq` is not above it.

use std::sync::Arc;

use super::bytes::{index_of, offset_of, u32_at};
use super::chain::{Segment, pruned, read_range};
use super::directory::Directory;
use super::frame::{Frame, FrameHeader, FrameKind, FramePlace, FrameRead};
use super::header::WriterVersion;
use super::layout::{FRAME_HEADER_LEN, MAX_PAYLOAD_LEN, SegmentName, frame_len, header_end};
use super::lock::{Published, PublishedCell, peek};
use super::record::OpenRecord;
use super::retention::testifies_to_missing;
use super::tail::read_tail;
use crate::error::{Error, ErrorKind};
use crate::ids::JournalId;
use crate::storage::{Mapping, Storage};

/// How often a walk from the oldest event begins anew when that is pruned meanwhile.
const TRIES: usize = 20;

/// How much of the open segment is read at once.
const CHUNK: u64 = 256 << 10;

/// Where the walk learns how far it may read.
#[derive(Debug, Clone)]
pub(crate) enum WalkSource {
    /// From the lock file, looked at from outside.
    Outside,
    /// From the writer in this process.
    Inside(Arc<PublishedCell>),
}

/// A walk over the frames of events.
#[derive(Debug)]
pub(crate) struct Walk {
    storage: Arc<dyn Storage>,
    source: WalkSource,
    journal_id: JournalId,
    /// The next event's `seq`.
    next_seq: u64,
    at: Option<At>,
    overran: bool,
    /// The segments as they were listed last, in order.
    known: Vec<SegmentName>,
    /// Whether it is to begin with the oldest event, whichever that is by then.
    follows_floor: bool,
}

/// A place in a segment.
#[derive(Debug)]
struct At {
    segment: Segment,
    offset: u64,
    written_by: WriterVersion,
    limit: Limit,
    /// All its bytes, once a successor states where it ends.
    closed: Option<Mapping>,
    /// Bytes of an open segment, and where they start.
    chunk: Vec<u8>,
    chunk_at: u64,
    /// Where the frames were found to end honestly, of a file that long, so that it is not looked into again and again.
    honest_end: Option<(u64, u64)>,
}

/// How far a segment may be read.
#[derive(Debug, Clone, Copy)]
struct Limit {
    end: u64,
    /// Closed, or published by a live writer: everything up to `end` has to be valid. Otherwise nobody holds the
    /// lock, and valid frames count as far as they go.
    is_sure: bool,
}

impl Walk {
    /// A walk from the event `next_seq` on.
    pub(crate) fn open(storage: Arc<dyn Storage>, source: WalkSource, next_seq: u64) -> Result<Walk, Error> {
        let directory = Directory::read(&*storage)?;
        let next_seq = next_seq.max(1);
        let oldest = directory.begins_with().first_seq;
        if next_seq < oldest {
            return Err(below_floor(next_seq, oldest));
        }
        // The oldest may be pruned while we look.
        let first = directory
            .segments
            .iter()
            .map(|name| Segment::open(&*storage, *name))
            .find(|opened| !matches!(opened, Err(error) if *error.kind() == ErrorKind::Pruned));
        let none = || Error::new(ErrorKind::Io, "there is no journal in this directory");
        let journal_id = first.ok_or_else(none)??.header.journal_id;
        let known = directory.segments;
        Ok(Walk {
            storage,
            source,
            journal_id,
            next_seq,
            at: None,
            overran: false,
            known,
            follows_floor: false,
        })
    }

    /// A walk from the oldest event that is retained.
    pub(crate) fn from_floor(storage: Arc<dyn Storage>, source: WalkSource) -> Result<Walk, Error> {
        for _ in 1..TRIES {
            let first = Directory::read(&*storage)?.begins_with().first_seq;
            match Walk::open(Arc::clone(&storage), source.clone(), first) {
                Err(error) if *error.kind() == ErrorKind::Pruned => {}
                walk => return walk.map(|walk| Walk { follows_floor: true, ..walk }),
            }
        }
        let first = Directory::read(&*storage)?.begins_with().first_seq;
        Walk::open(storage, source, first)
    }

    pub(crate) fn journal_id(&self) -> JournalId {
        self.journal_id
    }

    /// The `seq` of the event that comes next.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Whether, since this was last asked, more of a segment was given than its successor says is part of the journal: a
    /// recovery has handed those events over, or a power cut has unmade them.
    pub(crate) fn overran(&mut self) -> bool {
        std::mem::take(&mut self.overran)
    }

    /// The frame that holds the next event (and maybe events before it); `None` when there is none yet. It can be
    /// asked again later.
    pub(crate) fn next(&mut self) -> Result<Option<FramePlace<'_>>, Error> {
        let Some(found) = self.find()? else { return Ok(None) };
        self.next_seq = found.header.next_seq();
        let Some(at) = &mut self.at else { return Ok(None) };
        let offset = at.offset;
        at.offset += found.length;
        let Found { header, length, payload_crc } = found;
        let payload = at.payload(offset, &header);
        let frame = Frame { header, offset, length, payload_crc, payload };
        Ok(Some(FramePlace { file: &at.segment.file_name, frame, written_by: at.written_by }))
    }

    /// Goes on to the next frame of events and leaves it loaded at `self.at`.
    fn find(&mut self) -> Result<Option<Found>, Error> {
        for _ in 1..TRIES {
            match self.try_find() {
                Err(error) if self.follows_floor && *error.kind() == ErrorKind::Pruned => {
                    self.at = None;
                    self.next_seq = Directory::read(&*self.storage)?.begins_with().first_seq;
                }
                found => {
                    self.follows_floor &= matches!(found, Ok(None));
                    return found;
                }
            }
        }
        self.try_find()
    }

    fn try_find(&mut self) -> Result<Option<Found>, Error> {
        loop {
            let mut at = match self.at.take() {
                Some(at) => at,
                None => self.locate()?,
            };
            if at.offset >= at.limit.end {
                at.limit = self.limit_of(&mut at)?;
                if at.offset >= at.limit.end {
                    let (is_closed, is_sure) = (at.closed.is_some(), at.limit.is_sure);
                    self.overran |= is_closed && at.offset > at.limit.end;
                    self.at = Some(if is_closed { self.successor_to(&at)? } else { at });
                    if is_closed {
                        continue;
                    }
                    if !is_sure {
                        // A file that ends here may have been cut off.
                        self.check_end()?;
                    }
                    return Ok(None);
                }
            }
            if at.load()? && !at.limit.is_sure && self.published()?.is_some() {
                // A writer has come since we looked: what we just read may be ahead of what it published.
                at.forget_limit();
                self.at = Some(at);
                continue;
            }
            let found = at.look(self.next_seq);
            self.at = Some(at);
            match found? {
                Look::Found(found) => return Ok(Some(found)),
                Look::Skipped => {}
                Look::NoMore => {
                    self.check_end()?;
                    return Ok(None);
                }
            }
        }
    }

    /// Where the frames end in a segment that nobody writes: an honest end, or damage to what was synced, which must
    /// never be taken for the end.
    fn check_end(&mut self) -> Result<(), Error> {
        let Some(at) = &self.at else { return Ok(()) };
        let is_damaged =
            |wrong: &Result<_, Error>| wrong.as_ref().is_err_and(|wrong| wrong.damage().is_some());
        let len = at.segment.file_len()?;
        if at.honest_end == Some((at.offset, len)) {
            return Ok(());
        }
        let look = || {
            let bytes = read_range(&*at.segment.file, &at.segment.file_name, 0, at.segment.file_len()?)?;
            read_tail(&at.segment, &bytes, &mut |_, _| Ok(())).map(|_| ())
        };
        let mut end = look();
        if is_damaged(&end) {
            // A writer that has come since tears what is read beside it; when it is gone again, the second look shows.
            end = look();
        }
        if is_damaged(&end) && self.published()?.is_some() {
            return Ok(());
        }
        end?;
        self.check_testimony(at.segment.name)?;
        if let Some(at) = &mut self.at {
            at.honest_end = Some((at.offset, len));
        }
        Ok(())
    }

    /// A snapshot behind the end says that more was there.
    fn check_testimony(&self, newest: SegmentName) -> Result<(), Error> {
        let snapshots = Directory::list(&*self.storage)?.snapshots;
        for name in snapshots.into_iter().filter(|name| name.before.number > newest.number) {
            if testifies_to_missing(&*self.storage, name)? {
                let found = format!("segment {}, before which it stands, is missing", name.before);
                return Err(Error::damaged(&name.to_string(), 0, Some(self.next_seq), found));
            }
        }
        Ok(())
    }

    /// The segment that holds the next event, or will.
    fn locate(&mut self) -> Result<At, Error> {
        let directory = Directory::read(&*self.storage)?;
        let name = directory.segments.iter().rev().find(|name| name.first_seq <= self.next_seq).copied();
        let name = name.ok_or_else(|| below_floor(self.next_seq, directory.begins_with().first_seq))?;
        self.known = directory.segments;
        self.enter(name)
    }

    fn enter(&self, name: SegmentName) -> Result<At, Error> {
        let segment = Segment::open(&*self.storage, name)?;
        segment.check_journal(self.journal_id)?;
        let written_by = segment.header.written_by;
        let limit = Limit { end: 0, is_sure: true };
        Ok(At {
            segment,
            offset: header_end(),
            written_by,
            limit,
            closed: None,
            chunk: Vec::new(),
            chunk_at: 0,
            honest_end: None,
        })
    }

    fn published(&self) -> Result<Option<Published>, Error> {
        match &self.source {
            WalkSource::Outside => peek(&*self.storage),
            WalkSource::Inside(cell) => Ok(cell.read()),
        }
    }

    /// How far a segment may be read now.
    fn limit_of(&mut self, at: &mut At) -> Result<Limit, Error> {
        if at.closed.is_some() {
            return Ok(at.limit);
        }
        let number = at.segment.name.number;
        match self.published()? {
            Some(published) if published.segment == number => {
                return Ok(Limit { end: published.published, is_sure: true });
            }
            // It has its name already, and the writer is about to publish it.
            Some(published) if published.segment < number => return Ok(Limit { end: 0, is_sure: true }),
            _ => {}
        }
        let Some(successor) = self.successor_of(at.segment.name)? else {
            // Nobody writes. What is valid is what a recovery would hand over.
            return Ok(Limit { end: at.segment.file_len()?, is_sure: false });
        };
        let end = Segment::open(&*self.storage, successor)?.header.predecessor.end;
        at.closed = Some(at.segment.map_to(end)?);
        at.chunk = Vec::new();
        Ok(Limit { end, is_sure: true })
    }

    /// The segment after that one, if it is there; `Pruned` when the floor has moved past it.
    fn successor_of(&mut self, name: SegmentName) -> Result<Option<SegmentName>, Error> {
        let after = |known: &[SegmentName]| {
            let at = known.binary_search_by_key(&(name.number + 1), |known| known.number);
            at.ok().map(|at| known[at])
        };
        // What is named once never has another name, so that most segments are found without listing all.
        if let Some(successor) = after(&self.known) {
            return Ok(Some(successor));
        }
        let directory = Directory::list(&*self.storage)?;
        if directory.is_pruned(name) {
            return Err(pruned(name));
        }
        self.known = directory.segments;
        Ok(after(&self.known))
    }

    /// The place at the beginning of the segment after the one at hand, which is closed.
    fn successor_to(&mut self, at: &At) -> Result<At, Error> {
        let name = at.segment.name;
        let Some(successor) = self.successor_of(name)? else {
            let found = "the segment after it has gone missing";
            return Err(Error::damaged(&name.to_string(), 0, Some(self.next_seq), found));
        };
        if successor.first_seq > self.next_seq {
            let found = format!(
                "the sequence has a gap: expected seq {}, found {}",
                self.next_seq, successor.first_seq
            );
            return Err(Error::damaged(&successor.to_string(), 0, Some(self.next_seq), found));
        }
        self.enter(successor)
    }
}

fn below_floor(seq: u64, oldest: u64) -> Error {
    let found = format!("seq {seq} is below the retention floor: the oldest event here is seq {oldest}");
    Error::new(ErrorKind::Pruned, found)
}

fn check_place(segment: &Segment, frame: &Frame<'_>, expected: u64) -> Result<(), Error> {
    if frame.header.first_seq <= expected {
        return Ok(());
    }
    let found = format!("the sequence has a gap: expected seq {expected}, found {}", frame.header.first_seq);
    Err(segment.damaged(frame.offset, expected, found))
}

/// A frame that was read, CRCs and all, without its payload.
struct Found {
    header: FrameHeader,
    length: u64,
    payload_crc: u32,
}

/// What stands at a place.
enum Look {
    /// The frame that was looked for.
    Found(Found),
    /// Something else; the place is the one after it.
    Skipped,
    /// Nothing yet.
    NoMore,
}

impl At {
    fn forget_limit(&mut self) {
        self.limit = Limit { end: 0, is_sure: true };
        self.chunk.clear();
    }

    /// Looks at the frame at `self.offset`, which is loaded, for the event `wanted`.
    fn look(&mut self, wanted: u64) -> Result<Look, Error> {
        let wrong = match self.frame(self.offset) {
            FrameRead::Frame(frame) => {
                let Frame { header, length, payload_crc, .. } = frame;
                let kind = header.kind;
                if kind == FrameKind::Events && header.next_seq() > wanted {
                    check_place(&self.segment, &frame, wanted)?;
                    return Ok(Look::Found(Found { header, length, payload_crc }));
                }
                if let Some(record) =
                    OpenRecord::from_payload(frame.payload).filter(|_| kind == FrameKind::Open)
                {
                    self.written_by = record.written_by;
                }
                self.offset += length;
                return Ok(Look::Skipped);
            }
            FrameRead::Bad(wrong) => wrong,
            FrameRead::Blank => "there is no frame here, though more were written",
        };
        if self.limit.is_sure {
            return Err(self.segment.damaged(self.offset, wanted, wrong));
        }
        self.forget_limit();
        Ok(Look::NoMore)
    }

    /// The frame at `offset`, from what is loaded.
    fn frame(&self, offset: u64) -> FrameRead<'_> {
        self.segment.codec.read_at(self.loaded(offset), offset)
    }

    /// The payload of a frame at `offset` that was read before: it is not read once more.
    fn payload(&self, offset: u64, header: &FrameHeader) -> &[u8] {
        let behind_header = self.loaded(offset).get(FRAME_HEADER_LEN..).unwrap_or_default();
        behind_header.get(..index_of(u64::from(header.payload_len))).unwrap_or_default()
    }

    /// What is loaded from `offset` on.
    fn loaded(&self, offset: u64) -> &[u8] {
        if let Some(bytes) = &self.closed {
            return bytes.get(index_of(offset)..).unwrap_or_default();
        }
        let skipped = offset.checked_sub(self.chunk_at).map_or(usize::MAX, index_of);
        self.chunk.get(skipped..).unwrap_or_default()
    }

    /// Loads a chunk of an open segment that holds the frame at `self.offset` whole, as far as the limit allows.
    /// Whether anything was read.
    fn load(&mut self) -> Result<bool, Error> {
        if self.closed.is_some() {
            return Ok(false);
        }
        let loaded_to = self.chunk_at + offset_of(self.chunk.len());
        if self.offset >= self.chunk_at && self.offset + offset_of(FRAME_HEADER_LEN) <= loaded_to {
            let head = &self.chunk[index_of(self.offset - self.chunk_at)..];
            if self.offset + stated_len(head) <= loaded_to {
                return Ok(false);
            }
        }
        let left = self.limit.end - self.offset;
        self.load_chunk(CHUNK.min(left))?;
        let needed = stated_len(&self.chunk).min(left);
        if needed > offset_of(self.chunk.len()) {
            self.load_chunk(needed)?;
        }
        Ok(true)
    }

    fn load_chunk(&mut self, len: u64) -> Result<(), Error> {
        self.chunk = read_range(&*self.segment.file, &self.segment.file_name, self.offset, len)?;
        self.chunk_at = self.offset;
        Ok(())
    }
}

/// How long the frame that `bytes` begin with says it is; a header's length when they begin with none.
fn stated_len(bytes: &[u8]) -> u64 {
    if bytes.len() < FRAME_HEADER_LEN {
        return offset_of(FRAME_HEADER_LEN);
    }
    let payload_len = u32_at(bytes, 8).min(MAX_PAYLOAD_LEN);
    offset_of(frame_len(index_of(u64::from(payload_len))))
}

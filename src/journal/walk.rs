//! Walking the frames from a `seq` on: without a lock, beside a live writer too, across its rotations, crashes and
//! restarts. A walk never runs ahead of what the writer published (law DURABLE), and always finds its place again by
//! `seq`: that lives in the highest-numbered segment whose first `seq` is not above it.

use std::sync::Arc;

use super::bytes::{index_of, offset_of};
use super::chain::{Segment, pruned, read_into, read_range};
use super::directory::Directory;
use super::frame::{Frame, FrameHeader, FrameKind, FramePlace, FrameRead, stated_len};
use super::header::WriterVersion;
use super::kept::{KeptPlace, KeptSegment, KeptSegments, Listing};
use super::layout::{FRAME_HEADER_LEN, SegmentName, frame_len, header_end};
use super::lock::{Published, PublishedCell, peek};
use super::record::OpenRecord;
use super::retention::testifies_to_missing;
use super::tail::read_tail;
use crate::error::{Error, ErrorKind};
use crate::ids::JournalId;
use crate::storage::{Mapping, Storage};

/// How often a walk from the oldest event begins anew when that is pruned meanwhile.
const TRIES: usize = 20;

/// How much of the open segment is read at once: little at first, since whoever looks for one event may want no more, and
/// then twice as much each time.
pub(super) const FIRST_CHUNK: u64 = 8 << 10;
pub(super) const MAX_CHUNK: u64 = 256 << 10;

/// Where the walk learns how far it may read, and what readers of this journal keep.
#[derive(Debug, Clone)]
pub(crate) enum WalkSource {
    /// From the lock file, looked at from outside.
    Outside(Arc<KeptSegments>),
    /// From the writer in this process.
    Inside(Arc<PublishedCell>, Arc<KeptSegments>),
}

impl WalkSource {
    /// From outside, with nothing kept yet.
    pub(crate) fn outside() -> WalkSource {
        WalkSource::Outside(Arc::default())
    }

    fn kept(&self) -> &KeptSegments {
        match self {
            WalkSource::Outside(kept) | WalkSource::Inside(_, kept) => kept,
        }
    }

    /// The `seq` of the oldest event that is retained.
    pub(crate) fn oldest_seq(&self, storage: &dyn Storage) -> Result<u64, Error> {
        Ok(self.kept().list(storage)?.directory.begins_with().first_seq)
    }

    /// The first `seq` of each retained segment, in order; of one that holds no event, that of the next.
    pub(crate) fn segment_starts(&self, storage: &dyn Storage) -> Result<Vec<u64>, Error> {
        Ok(self.kept().list(storage)?.directory.segments.iter().map(|name| name.first_seq).collect())
    }

    /// The journal.
    pub(crate) fn journal_id(&self, storage: &dyn Storage) -> Result<JournalId, Error> {
        self.kept().list(storage)?.journal_id(storage)
    }
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
    /// What was listed last.
    known: Arc<Listing>,
    /// Whether it is to begin with the oldest event, whichever that is by then.
    follows_floor: bool,
}

/// A place in a segment.
#[derive(Debug)]
struct At {
    segment: Arc<Segment>,
    offset: u64,
    written_by: WriterVersion,
    limit: Limit,
    /// All its bytes, once it is closed: a successor states where it ends. An open one is read instead, so that a device
    /// that fails is an error there.
    mapped: Option<Arc<Mapping>>,
    /// Up to here all frames were checked already.
    checked_to: u64,
    /// Bytes of an open segment, where they start, and how many are read the next time.
    chunk: Vec<u8>,
    chunk_at: u64,
    chunk_len: u64,
    /// The frame that was found last.
    given: Option<Given>,
    /// Where the frames were found to end honestly, of a file that long, so that it is not looked into again and again.
    honest_end: Option<(u64, u64)>,
}

/// A frame that was read and checked, and lies in what is loaded.
#[derive(Debug, Clone, Copy)]
struct Given {
    offset: u64,
    header: FrameHeader,
    payload_crc: u32,
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
        let known = source.kept().list(&*storage)?;
        let next_seq = next_seq.max(1);
        let oldest = known.directory.begins_with().first_seq;
        if next_seq < oldest {
            return Err(below_floor(next_seq, oldest));
        }
        let journal_id = known.journal_id(&*storage)?;
        let mut walk = Walk {
            storage,
            source,
            journal_id,
            next_seq,
            at: None,
            overran: false,
            known,
            follows_floor: false,
        };
        walk.at = walk.place_kept()?;
        Ok(walk)
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
        Ok(if self.advance()? { self.given() } else { None })
    }

    /// Goes on to that frame, reads and checks it, and leaves it loaded. Whether there is one.
    #[inline]
    pub(crate) fn advance(&mut self) -> Result<bool, Error> {
        // What is there already, without more ado.
        while let Some(at) = &mut self.at {
            at.given = None;
            if !at.is_ready() {
                break;
            }
            match at.look(self.next_seq) {
                Ok(Look::Found(next_seq)) => {
                    self.next_seq = next_seq;
                    self.follows_floor = false;
                    return Ok(true);
                }
                Ok(Look::Skipped) => {}
                Ok(Look::NoMore) => break,
                Err(error) => {
                    self.follows_floor = false;
                    return Err(error);
                }
            }
        }
        self.find()
    }

    /// The frame that was gone on to last; `None` once more was asked for and is not there.
    #[inline]
    pub(crate) fn given(&self) -> Option<FramePlace<'_>> {
        self.at.as_ref().and_then(At::given)
    }

    /// The same, where something has to be found out or loaded first.
    fn find(&mut self) -> Result<bool, Error> {
        for _ in 1..TRIES {
            match self.try_find() {
                Err(error) if self.follows_floor && *error.kind() == ErrorKind::Pruned => {
                    self.at = None;
                    self.next_seq = Directory::read(&*self.storage)?.begins_with().first_seq;
                }
                found => {
                    self.follows_floor &= matches!(found, Ok(false));
                    return found;
                }
            }
        }
        self.try_find()
    }

    fn try_find(&mut self) -> Result<bool, Error> {
        loop {
            let mut at = match self.at.take() {
                Some(at) => at,
                None => self.locate()?,
            };
            if at.offset >= at.limit.end {
                at.limit = self.limit_of(&mut at)?;
                if at.offset >= at.limit.end {
                    let (is_closed, is_sure) = (at.is_closed(), at.limit.is_sure);
                    self.overran |= is_closed && at.offset > at.limit.end;
                    self.at = Some(if is_closed { self.successor_to(&at)? } else { at });
                    if is_closed {
                        continue;
                    }
                    if !is_sure {
                        // A file that ends here may have been cut off.
                        self.check_end()?;
                    }
                    return Ok(false);
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
                Look::Found(next_seq) => {
                    self.next_seq = next_seq;
                    return Ok(true);
                }
                Look::Skipped => {}
                Look::NoMore => {
                    self.check_end()?;
                    return Ok(false);
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

    /// The segment that holds the next event, or will, at its beginning, or nearer where that is known.
    fn locate(&mut self) -> Result<At, Error> {
        self.known = self.source.kept().list(&*self.storage)?;
        let name = self.known.segment_of(self.next_seq);
        let oldest = || self.known.directory.begins_with().first_seq;
        let name = name.ok_or_else(|| below_floor(self.next_seq, oldest()))?;
        if name.first_seq == self.next_seq || !self.known.can_keep {
            return self.enter(name);
        }
        match self.place_kept()? {
            Some(at) => Ok(at),
            None => self.enter_kept(name),
        }
    }

    /// The place of the next event in a segment that is kept, if it is in the middle of one.
    fn place_kept(&self) -> Result<Option<At>, Error> {
        let name = self.known.segment_of(self.next_seq);
        let Some(name) = name.filter(|name| self.known.can_keep && name.first_seq < self.next_seq) else {
            return Ok(None);
        };
        let is_last = self.known.successor_of(name).is_none();
        let Some(place) = self.source.kept().place(name, self.next_seq, is_last) else { return Ok(None) };
        place.kept.segment.check_journal(self.journal_id)?;
        Ok(Some(At::kept(&place)))
    }

    /// Enters a segment in the middle, and keeps it.
    fn enter_kept(&mut self, name: SegmentName) -> Result<At, Error> {
        let mut at = self.enter(name)?;
        at.limit = self.limit_of(&mut at)?;
        if !at.limit.is_sure || at.limit.end <= header_end() {
            return Ok(at);
        }
        let kept = self.source.kept().keep(&at.segment, at.mapped.as_ref(), at.limit.end);
        Ok(At::kept(&KeptSegment::place(&kept, self.next_seq)))
    }

    fn enter(&self, name: SegmentName) -> Result<At, Error> {
        let segment = Segment::open(&*self.storage, name)?;
        segment.check_journal(self.journal_id)?;
        Ok(At::new(Arc::new(segment)))
    }

    fn published(&self) -> Result<Option<Published>, Error> {
        match &self.source {
            WalkSource::Outside(_) => peek(&*self.storage),
            WalkSource::Inside(cell, _) => Ok(cell.read()),
        }
    }

    /// How far a segment may be read now.
    fn limit_of(&mut self, at: &mut At) -> Result<Limit, Error> {
        if at.is_closed() {
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
        at.mapped = Some(Arc::new(at.segment.map_to(end)?));
        at.chunk = Vec::new();
        Ok(Limit { end, is_sure: true })
    }

    /// The segment after that one, if it is there; `Pruned` when the floor has moved past it.
    fn successor_of(&mut self, name: SegmentName) -> Result<Option<SegmentName>, Error> {
        // What is named once never has another name, so that most segments are found without listing all.
        if let Some(successor) = self.known.successor_of(name) {
            return Ok(Some(successor));
        }
        let directory = Directory::list(&*self.storage)?;
        if directory.is_pruned(name) {
            return Err(pruned(name));
        }
        self.known = Arc::new(Listing::of(directory));
        Ok(self.known.successor_of(name))
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

/// What stands at a place.
enum Look {
    /// The frame that was looked for, before that `seq`; it is given, and the place is the one after it.
    Found(u64),
    /// Something else; the place is the one after it.
    Skipped,
    /// Nothing yet.
    NoMore,
}

impl At {
    /// At the first frame of a segment.
    fn new(segment: Arc<Segment>) -> At {
        At {
            offset: header_end(),
            written_by: segment.header.written_by,
            segment,
            limit: Limit { end: 0, is_sure: true },
            mapped: None,
            checked_to: 0,
            chunk: Vec::new(),
            chunk_at: 0,
            chunk_len: FIRST_CHUNK,
            given: None,
            honest_end: None,
        }
    }

    /// At a place in a segment that is kept.
    fn kept(place: &KeptPlace) -> At {
        let kept = &place.kept;
        At {
            offset: place.offset,
            written_by: place.written_by,
            limit: Limit { end: kept.end, is_sure: true },
            mapped: kept.bytes.clone(),
            checked_to: place.checked_to,
            ..At::new(Arc::clone(&kept.segment))
        }
    }

    fn forget_limit(&mut self) {
        self.limit = Limit { end: 0, is_sure: true };
        self.chunk.clear();
    }

    /// Looks at the frame at `self.offset`, which is loaded, for the event `wanted`.
    fn look(&mut self, wanted: u64) -> Result<Look, Error> {
        if self.passes_checked(wanted) {
            return Ok(Look::Skipped);
        }
        let wrong = match self.frame(self.offset) {
            FrameRead::Frame(frame) => {
                let (length, kind) = (frame.length, frame.header.kind);
                if kind == FrameKind::Events && frame.header.next_seq() > wanted {
                    check_place(&self.segment, &frame, wanted)?;
                    let Frame { offset, header, payload_crc, .. } = frame;
                    self.given = Some(Given { offset, header, payload_crc });
                    self.offset += length;
                    return Ok(Look::Found(header.next_seq()));
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

    /// The frame that was found last.
    #[inline]
    fn given(&self) -> Option<FramePlace<'_>> {
        let Given { offset, header, payload_crc } = self.given?;
        let payload = self.bytes_from(offset).get(FRAME_HEADER_LEN..)?;
        let payload = payload.get(..index_of(u64::from(header.payload_len)))?;
        let frame = Frame { header, offset, length: frame_length(&header), payload_crc, payload };
        Some(FramePlace { file: &self.segment.file_name, frame, written_by: self.written_by })
    }

    /// Whether a successor states where the segment ends.
    fn is_closed(&self) -> bool {
        self.mapped.is_some()
    }

    /// Whether the next frame is to be found in what is loaded.
    #[inline]
    fn is_ready(&self) -> bool {
        self.offset < self.limit.end && self.limit.is_sure && self.is_loaded()
    }

    /// Passes over a frame that lies before the event `wanted` and was checked before; its header is checked again.
    fn passes_checked(&mut self, wanted: u64) -> bool {
        if self.offset >= self.checked_to {
            return false;
        }
        let header = self.segment.codec.read_header_at(self.bytes_from(self.offset), self.offset);
        let passed = header.filter(|header| header.kind == FrameKind::Events && header.next_seq() <= wanted);
        self.offset += passed.as_ref().map_or(0, frame_length);
        passed.is_some()
    }

    /// The frame at `offset`, from what is loaded.
    fn frame(&self, offset: u64) -> FrameRead<'_> {
        self.segment.codec.read_at(self.bytes_from(offset), offset)
    }

    /// What is loaded from `offset` on.
    fn bytes_from(&self, offset: u64) -> &[u8] {
        let (bytes, skipped) = match &self.mapped {
            Some(bytes) => (&bytes[..], Some(offset)),
            None => (&self.chunk[..], offset.checked_sub(self.chunk_at)),
        };
        skipped.and_then(|skipped| bytes.get(index_of(skipped)..)).unwrap_or_default()
    }

    /// Whether the frame at `self.offset` is loaded as a whole; of a closed segment everything is.
    #[inline]
    fn is_loaded(&self) -> bool {
        self.is_closed() || {
            let bytes = self.bytes_from(self.offset);
            bytes.len() >= FRAME_HEADER_LEN && stated_len(bytes) <= offset_of(bytes.len())
        }
    }

    /// Loads a chunk of an open segment that holds the frame at `self.offset` whole, as far as the limit allows.
    /// Whether anything was read.
    fn load(&mut self) -> Result<bool, Error> {
        if self.is_loaded() {
            return Ok(false);
        }
        let left = self.limit.end - self.offset;
        self.load_chunk(self.chunk_len.min(left))?;
        self.chunk_len = MAX_CHUNK.min(2 * self.chunk_len);
        let needed = stated_len(&self.chunk).min(left);
        if needed > offset_of(self.chunk.len()) {
            self.load_chunk(needed)?;
        }
        Ok(true)
    }

    fn load_chunk(&mut self, len: u64) -> Result<(), Error> {
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.resize(index_of(len), 0);
        read_into(&*self.segment.file, &self.segment.file_name, self.offset, &mut chunk)?;
        (self.chunk, self.chunk_at) = (chunk, self.offset);
        Ok(())
    }
}

fn frame_length(header: &FrameHeader) -> u64 {
    offset_of(frame_len(index_of(u64::from(header.payload_len))))
}

//! What readers of a journal keep from one read to the next: the names in its directory, and segments, opened, with an
//! index of where frames lie in them. So whoever resumes in the middle finds his place without listing the directory,
//! opening files, or reading a segment from its beginning.
//!
//! Nothing is kept of a storage that cannot tell whether its names have changed. What is kept of a segment never changes
//! again: it is closed, and mapped, or it is the beginning of an open one, as far as its writer had published it, which is
//! read from its file whenever it is wanted. The index says where to look and nothing else: whatever is handed out is read
//! and checked as if there were none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::bytes::index_of;
use super::chain::{Segment, read_range};
use super::directory::Directory;
use super::frame::{FrameKind, FrameRead, stated_len};
use super::header::WriterVersion;
use super::layout::{SegmentName, header_end};
use super::record::OpenRecord;
use super::walk::{FIRST_CHUNK, MAX_CHUNK};
use crate::error::{Error, ErrorKind};
use crate::ids::JournalId;
use crate::storage::{Mapping, NamesMark, Storage};

/// Each so many frames of events have a place in the index.
const INDEX_EVERY: u64 = 16;

/// How many segments are kept, and how many bytes of them are mapped: that of the address space, not of memory, which
/// the operating system can take back. The index adds less than one in a hundred.
const MAX_SEGMENTS: usize = 64;
const MAX_BYTES: u64 = if cfg!(target_pointer_width = "64") { 1 << 30 } else { 64 << 20 };

/// The names in a journal's directory, as they were listed.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) directory: Directory,
    /// Whether segments may be kept.
    pub(super) can_keep: bool,
    journal_id: OnceLock<JournalId>,
}

impl Listing {
    /// What is known from a listing of the directory, of which nothing is to be kept.
    pub(super) fn of(directory: Directory) -> Listing {
        Listing { directory, can_keep: false, journal_id: OnceLock::new() }
    }

    fn read(storage: &dyn Storage, can_keep: bool) -> Result<Listing, Error> {
        Ok(Listing { can_keep, ..Listing::of(Directory::read(storage)?) })
    }

    /// The journal that the segments are of.
    pub(super) fn journal_id(&self, storage: &dyn Storage) -> Result<JournalId, Error> {
        if let Some(known) = self.journal_id.get() {
            return Ok(*known);
        }
        // The oldest may be pruned while we look.
        let first = self
            .directory
            .segments
            .iter()
            .map(|name| Segment::open(storage, *name))
            .find(|opened| !matches!(opened, Err(error) if *error.kind() == ErrorKind::Pruned));
        let none = || Error::new(ErrorKind::Io, "there is no journal in this directory");
        let found = first.ok_or_else(none)??.header.journal_id;
        Ok(*self.journal_id.get_or_init(|| found))
    }

    /// The segment that holds that event, or will.
    pub(super) fn segment_of(&self, seq: u64) -> Option<SegmentName> {
        let segments = &self.directory.segments;
        let after = segments.partition_point(|name| name.first_seq <= seq);
        after.checked_sub(1).map(|at| segments[at])
    }

    /// The segment after that one, if it is there.
    pub(super) fn successor_of(&self, name: SegmentName) -> Option<SegmentName> {
        let segments = &self.directory.segments;
        let at = segments.binary_search_by_key(&(name.number + 1), |known| known.number);
        at.ok().map(|at| segments[at])
    }
}

/// What readers of one journal share.
#[derive(Debug, Default)]
pub(crate) struct KeptSegments {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    listed: Option<(NamesMark, Arc<Listing>)>,
    /// The directory that the segments are of.
    directory: Option<(u64, u64)>,
    /// By their numbers, each with when it was used last.
    segments: BTreeMap<u64, (Arc<KeptSegment>, u64)>,
    /// Counts the uses.
    uses: u64,
}

/// A segment, or the beginning of one that is open.
#[derive(Debug)]
pub(super) struct KeptSegment {
    pub(super) segment: Arc<Segment>,
    /// Its bytes, where it is closed.
    pub(super) bytes: Option<Arc<Mapping>>,
    /// How far it may be read.
    pub(super) end: u64,
    index: Arc<Mutex<Index>>,
}

/// Where frames lie in a segment. It grows as far as somebody wants to read, each frame checked as the walk would.
#[derive(Debug)]
struct Index {
    /// Every so many frames of events: the first `seq`, counted from that of the segment, and the offset.
    places: Vec<(u32, u32)>,
    /// From which offset on another version wrote.
    openings: Vec<(u64, WriterVersion)>,
    /// How far the frames were looked at, and what comes next.
    end: u64,
    next_seq: u64,
    frames: u64,
}

/// A place in a kept segment, at or before the frame that is wanted.
#[derive(Debug)]
pub(super) struct KeptPlace {
    pub(super) kept: Arc<KeptSegment>,
    pub(super) offset: u64,
    pub(super) written_by: WriterVersion,
    /// Up to here all frames were checked already.
    pub(super) checked_to: u64,
    /// Whether the event lies before that.
    has_event: bool,
}

impl KeptSegments {
    /// The names in the directory, listed now unless nothing has changed there since they were listed last.
    pub(super) fn list(&self, storage: &dyn Storage) -> Result<Arc<Listing>, Error> {
        // Before the listing: what changes in between shows as another mark the next time.
        let mark =
            storage.names_mark().map_err(|error| Error::io("looking at the journal's directory", error))?;
        let Some(mark) = mark else { return Listing::read(storage, false).map(Arc::new) };
        if let Some((_, listing)) = self.lock().listed.as_ref().filter(|(known, _)| *known == mark) {
            return Ok(Arc::clone(listing));
        }
        let listing = Arc::new(Listing::read(storage, true)?);
        let mut state = self.lock();
        if state.directory.replace(mark.directory) != Some(mark.directory) {
            state.segments.clear();
        }
        // What was pruned takes up room on the disk as long as it is mapped.
        let names = &listing.directory.segments;
        state.segments.retain(|_, (kept, _)| names.binary_search(&kept.segment.name).is_ok());
        state.listed = mark.is_settled.then(|| (mark, Arc::clone(&listing)));
        Ok(listing)
    }

    /// Lets go of the segments before that one, which are pruned.
    pub(crate) fn forget_before(&self, floor: SegmentName) {
        let mut state = self.lock();
        state.segments = state.segments.split_off(&floor.number);
        state.listed = None;
    }

    /// Where to begin to look for an event in a segment that is kept. `None` where it is not, or not so far. `is_last`:
    /// whether the segment has no successor. One that has may end before what was once published of it.
    pub(super) fn place(&self, name: SegmentName, seq: u64, is_last: bool) -> Option<KeptPlace> {
        let mut state = self.lock();
        state.uses += 1;
        let uses = state.uses;
        let (kept, used) = state.segments.get_mut(&name.number)?;
        if kept.segment.name != name || !kept.is_closed() && !is_last {
            return None;
        }
        *used = uses;
        let kept = Arc::clone(kept);
        drop(state);
        let place = KeptSegment::place(&kept, seq);
        // Of an open one there may be more by now.
        (kept.is_closed() || place.has_event).then_some(place)
    }

    /// Keeps a segment, which may be read up to `end`, in place of what was kept of it before. `bytes`: all of it, where it
    /// is closed.
    pub(super) fn keep(
        &self,
        segment: &Arc<Segment>,
        bytes: Option<&Arc<Mapping>>,
        end: u64,
    ) -> Arc<KeptSegment> {
        let mut state = self.lock();
        state.uses += 1;
        let (number, uses) = (segment.name.number, state.uses);
        let before = state.segments.remove(&number).map(|(kept, _)| kept);
        let same = before.filter(|kept| kept.segment.header == segment.header);
        let index =
            same.map_or_else(|| Arc::new(Mutex::new(Index::new(segment))), |kept| Arc::clone(&kept.index));
        let kept = KeptSegment { segment: Arc::clone(segment), bytes: bytes.cloned(), end, index };
        let kept = Arc::new(kept);
        // One that was pruned meanwhile would take up room on the disk until a name changes again.
        let is_there = |(_, listing): &(NamesMark, Arc<Listing>)| {
            listing.directory.segments.binary_search(&segment.name).is_ok()
        };
        if state.listed.as_ref().is_none_or(is_there) {
            state.segments.insert(number, (Arc::clone(&kept), uses));
            state.make_room();
        }
        kept
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Lets go of those that were not used for longest.
    fn make_room(&mut self) {
        let bytes = |state: &State| -> u64 {
            state.segments.values().map(|(kept, _)| kept.bytes.as_ref().map_or(0, |_| kept.end)).sum()
        };
        while self.segments.len() > 1 && (self.segments.len() > MAX_SEGMENTS || bytes(self) > MAX_BYTES) {
            let oldest = self.segments.iter().min_by_key(|(_, (_, used))| *used).map(|(number, _)| *number);
            oldest.and_then(|number| self.segments.remove(&number));
        }
    }
}

impl KeptSegment {
    /// Whether a successor states where it ends.
    fn is_closed(&self) -> bool {
        self.bytes.is_some()
    }

    /// Where to begin to look for an event: at the nearest place before it that is known.
    pub(super) fn place(kept: &Arc<KeptSegment>, seq: u64) -> KeptPlace {
        let mut index = kept.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.extend(kept, seq);
        let (offset, written_by) = index.place(&kept.segment, seq);
        let (checked_to, has_event) = (index.end, index.next_seq > seq);
        drop(index);
        KeptPlace { kept: Arc::clone(kept), offset, written_by, checked_to, has_event }
    }
}

impl Index {
    fn new(segment: &Segment) -> Index {
        let openings = vec![(0, segment.header.written_by)];
        Index {
            places: Vec::new(),
            openings,
            end: header_end(),
            next_seq: segment.header.first_seq,
            frames: 0,
        }
    }

    /// Looks at the frames up to that of an event, or to the end. What is wrong is left to the walk: there it stops.
    fn extend(&mut self, kept: &KeptSegment, seq: u64) {
        if let Some(bytes) = &kept.bytes {
            return self.extend_over(&kept.segment, bytes.get(index_of(self.end)..).unwrap_or_default(), seq);
        }
        let Segment { file, file_name, .. } = &*kept.segment;
        let mut len = FIRST_CHUNK;
        while self.next_seq <= seq && self.end < kept.end {
            let (begin, left) = (self.end, kept.end - self.end);
            let Ok(chunk) = read_range(&**file, file_name, begin, len.min(left)) else { return };
            self.extend_over(&kept.segment, &chunk, seq);
            let is_longer = stated_len(&chunk) > len && len < left;
            len = match self.end == begin {
                false => MAX_CHUNK.min(2 * len),
                true if is_longer => stated_len(&chunk),
                true => return,
            };
        }
    }

    /// The same in `bytes`, which begin where the index ends.
    fn extend_over(&mut self, segment: &Segment, bytes: &[u8], seq: u64) {
        let begin = self.end;
        while self.next_seq <= seq {
            let rest = bytes.get(index_of(self.end - begin)..).unwrap_or_default();
            let FrameRead::Frame(frame) = segment.codec.read_at(rest, self.end) else { return };
            if frame.header.first_seq != self.next_seq {
                return;
            }
            match frame.header.kind {
                FrameKind::Events => {
                    let since = u32::try_from(self.next_seq - segment.header.first_seq);
                    // Beyond 4 GiB there are no more places; what lies there is found from the last.
                    if self.frames.is_multiple_of(INDEX_EVERY)
                        && let (Ok(since), Ok(offset)) = (since, u32::try_from(self.end))
                    {
                        self.places.push((since, offset));
                    }
                    self.frames += 1;
                }
                FrameKind::Open => {
                    let Some(record) = OpenRecord::from_payload(frame.payload) else { return };
                    self.openings.push((self.end, record.written_by));
                }
                FrameKind::Close | FrameKind::Seal => {}
            }
            self.next_seq = frame.header.next_seq();
            self.end = frame.end();
        }
    }

    fn place(&self, segment: &Segment, seq: u64) -> (u64, WriterVersion) {
        let since = seq.saturating_sub(segment.header.first_seq);
        let after = self.places.partition_point(|(first, _)| u64::from(*first) <= since);
        let offset = after.checked_sub(1).map_or_else(header_end, |at| u64::from(self.places[at].1));
        let opened = self.openings.iter().rfind(|(from, _)| *from < offset);
        (offset, opened.map_or(segment.header.written_by, |(_, version)| *version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::ids::Epoch;
    use crate::journal::bytes::offset_of;
    use crate::journal::frame::FrameHeader;
    use crate::journal::header::{Predecessor, SegmentHeader};
    use crate::storage::SimulatedDisk;

    const FIRST_SEQ: u64 = 100;

    fn segment(disk: &SimulatedDisk, number: u64) -> Arc<Segment> {
        let name = SegmentName { number, first_seq: FIRST_SEQ };
        let header = SegmentHeader {
            journal_id: JournalId(uuid::Uuid::nil()),
            number,
            first_seq: FIRST_SEQ,
            epoch: Epoch::NONE,
            previous_epoch: Epoch::NONE,
            predecessor: Predecessor { last_seq: FIRST_SEQ - 1, ..Predecessor::default() },
            birth: header_end(),
            max_unsynced: 1,
            created_at: Timestamp::UNIX_EPOCH,
            written_by: WriterVersion::current(),
        };
        disk.put(&name.to_string(), &header.to_bytes());
        Arc::new(Segment::open(&*disk.process(), name).unwrap())
    }

    /// The same segment with those bytes.
    fn rewritten(disk: &SimulatedDisk, segment: &Segment, bytes: &[u8]) -> Arc<Segment> {
        disk.put(&segment.file_name, bytes);
        Arc::new(Segment::open(&*disk.process(), segment.name).unwrap())
    }

    fn mapped(bytes: &[u8]) -> Arc<Mapping> {
        Arc::new(Mapping::from_heap(bytes.into()))
    }

    /// A frame longer than any chunk, in an open segment: it is read as a whole.
    #[test]
    fn a_long_frame_of_an_open_segment_has_a_place() {
        let disk = SimulatedDisk::new(1);
        let segment = segment(&disk, 1);
        let (mut bytes, places) = frames(&segment, 40);
        let last = places[39].0;
        let (seq, offset) = (last + 1, offset_of(bytes.len()));
        let payload = vec![b' '; 3 * usize::try_from(MAX_CHUNK).unwrap()];
        let header = FrameHeader {
            kind: FrameKind::Events,
            handed_over: false,
            payload_len: u32::try_from(payload.len()).unwrap(),
            event_count: 1,
            first_seq: seq,
            durable_through: 0,
            epoch: Epoch::NONE,
        };
        segment.codec.append(&mut bytes, offset, &header, &payload);
        let segment = rewritten(&disk, &segment, &bytes);
        let end = offset_of(bytes.len());
        let place = KeptSegment::place(&KeptSegments::default().keep(&segment, None, end), seq);
        assert_eq!((place.checked_to, place.has_event), (end, true));
        let cut = KeptSegment::place(&KeptSegments::default().keep(&segment, None, end - 8), seq);
        assert_eq!((cut.checked_to, cut.has_event), (offset, false));
    }

    /// A segment of so many frames with one to three events each; and where each begins, with its first `seq`.
    fn frames(segment: &Segment, count: u64) -> (Vec<u8>, Vec<(u64, u64)>) {
        let mut bytes = segment.header.to_bytes().to_vec();
        let (mut seq, mut places) = (FIRST_SEQ, Vec::new());
        for n in 0..count {
            let offset = offset_of(bytes.len());
            let header = FrameHeader {
                kind: FrameKind::Events,
                handed_over: false,
                payload_len: 4,
                event_count: 1 + u32::try_from(n % 3).unwrap(),
                first_seq: seq,
                durable_through: 0,
                epoch: Epoch::NONE,
            };
            segment.codec.append(&mut bytes, offset, &header, b"{}\n\n");
            places.push((seq, offset));
            seq = header.next_seq();
        }
        (bytes, places)
    }

    #[test]
    fn a_place_is_at_most_a_few_frames_before_the_event_that_is_wanted() {
        let disk = SimulatedDisk::new(1);
        let segment = segment(&disk, 1);
        let (bytes, places) = frames(&segment, 100);
        let kept = KeptSegments::default();
        // One that is open is read from its file.
        let segment = rewritten(&disk, &segment, &bytes);
        let end = offset_of(bytes.len());
        let open = kept.keep(&segment, None, end);
        let closed = KeptSegments::default().keep(&segment, Some(&mapped(&bytes)), end);
        let last = places[99].0;
        for entry in [open, closed] {
            // From both ends, so that the index grows in between.
            for seq in (FIRST_SEQ..=last).flat_map(|seq| [FIRST_SEQ + last - seq, seq]) {
                let wanted = places.partition_point(|(first, _)| *first <= seq) - 1;
                let place = KeptSegment::place(&entry, seq);
                let found = places.iter().position(|(_, offset)| *offset == place.offset).unwrap();
                assert!(found <= wanted && wanted - found < 16, "{found} for frame {wanted}");
                assert!(place.has_event && place.checked_to > places[wanted].1);
            }
            assert!(!KeptSegment::place(&entry, last + 1).has_event);
        }
    }

    #[test]
    fn the_index_ends_before_what_is_wrong() {
        let disk = SimulatedDisk::new(1);
        let segment = segment(&disk, 1);
        let (mut bytes, places) = frames(&segment, 60);
        let (seq, offset) = places[40];
        bytes[usize::try_from(offset).unwrap() + 49] ^= 1;
        let segment = rewritten(&disk, &segment, &bytes);
        let end = offset_of(bytes.len());
        for bytes in [Some(&mapped(&bytes)), None] {
            let entry = KeptSegments::default().keep(&segment, bytes, end);
            assert!(KeptSegment::place(&entry, seq - 1).has_event);
            let place = KeptSegment::place(&entry, places[50].0);
            assert_eq!((place.offset, place.checked_to, place.has_event), (places[32].1, offset, false));
        }
    }

    #[test]
    fn of_an_open_segment_only_what_was_published_is_kept_and_nothing_once_it_has_a_successor() {
        let disk = SimulatedDisk::new(1);
        let segment = segment(&disk, 1);
        let (bytes, places) = frames(&segment, 60);
        let kept = KeptSegments::default();
        let segment = rewritten(&disk, &segment, &bytes);
        kept.keep(&segment, None, places[30].1);
        let has = |frame: usize, is_last| kept.place(segment.name, places[frame].0, is_last).is_some();
        assert!(has(29, true) && !has(30, true) && !has(29, false));
        kept.keep(&segment, Some(&mapped(&bytes)), offset_of(bytes.len()));
        assert!(has(30, true) && has(59, false));
    }

    #[test]
    fn those_used_last_are_kept_and_none_that_is_pruned() {
        let disk = SimulatedDisk::new(1);
        let kept = KeptSegments::default();
        let bytes = mapped(&[]);
        let has =
            |number| kept.place(SegmentName { number, first_seq: FIRST_SEQ }, FIRST_SEQ, true).is_some();
        for number in 1..=100 {
            kept.keep(&segment(&disk, number), Some(&bytes), 0);
            assert!(has(1), "it is used all the time");
        }
        let left: Vec<u64> = (1..=100).filter(|&number| has(number)).collect();
        assert_eq!((left.len(), left[0], left[1]), (64, 1, 38));
        kept.forget_before(SegmentName { number: 90, first_seq: FIRST_SEQ });
        assert!(!has(1) && !has(89) && has(90));
    }
}

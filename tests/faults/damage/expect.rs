//! What has to come of damage, told from what was written and from nothing that the journal's own code says of it.
//!
//! Nothing relies on: the lock file, what lies below the floor, copies of torn bytes, temporary files, a snapshot beside a
//! base of the same place, and what lies in a closed segment behind the end that its successor states. In an open segment
//! nothing testifies to what was written last: what is erased there from some place on (cut off, zeroed, or as it was
//! before) was never written, as far as anybody can tell; and that a newest segment was there, only a snapshot before it
//! can tell. All other damage is refused, or passed over without any loss: a snapshot where another way to the state is
//! there, and frames before the newest snapshot, which an opening does not read, but every reader of events does.

use std::sync::Arc;

use tallybook::format::{
    FRAME_HEADER_LEN, FrameKind, HEADER_LEN, RECORD_LEN, SegmentHeader, SegmentName, SnapshotName,
};

use super::book::{Book, Contents, TrueSegment, stated_floor};

/// What has to come of an opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    /// It is refused. Where that is known, the file, the offset and the `seq` that it names.
    Refused(Option<Place>),
    /// It is opened, and this is the last event.
    Opened {
        seq: u64,
        /// The first retained event.
        floor: u64,
        /// Whether refusing it is right, too: it has become what no crash leaves, in a place where nothing is proven.
        may_be_refused: bool,
    },
}

/// A place that an error has to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) offset: u64,
    pub(super) seq: Option<u64>,
}

/// The files of a directory that count.
struct Counting {
    segments: Vec<SegmentName>,
    snapshots: Vec<SnapshotName>,
    floor: Option<SegmentName>,
}

impl Counting {
    fn of(files: &Contents) -> Counting {
        let floor = stated_floor(files.keys());
        let first = floor.map_or(0, |floor| floor.number);
        let segments = files.keys().filter_map(|name| SegmentName::parse(name));
        let segments = segments.filter(|name| name.number >= first).collect();
        let snapshots: Vec<_> = files.keys().filter_map(|name| SnapshotName::parse(name)).collect();
        let is_beside_base = |name: &SnapshotName| {
            !name.is_base && snapshots.iter().any(|other| other.is_base && other.before == name.before)
        };
        let counts = |name: &SnapshotName| name.before.number >= first && !is_beside_base(name);
        let mut snapshots: Vec<_> = snapshots.iter().copied().filter(counts).collect();
        snapshots.sort_unstable();
        Counting { segments, snapshots, floor }
    }

    /// Whether the segments are one after another, from the floor on.
    fn is_in_order(&self) -> bool {
        let first = self.floor.unwrap_or(SegmentName { number: 1, first_seq: 1 });
        let follows = |pair: &[SegmentName]| {
            pair[1].number == pair[0].number + 1 && pair[1].first_seq >= pair[0].first_seq
        };
        self.segments.first() == Some(&first) && self.segments.windows(2).all(follows)
    }
}

impl Book {
    /// What has to come of opening these files.
    pub(super) fn expect(&self, files: &Contents) -> Expected {
        let counting = Counting::of(files);
        if !counting.is_in_order() {
            return Expected::Refused(None);
        }
        if let Some(bent) = counting.segments.iter().find(|name| !self.has_true_header(files, **name)) {
            // With the header of another journal it may be another file that is taken for foreign.
            let is_other = SegmentHeader::from_bytes(&files[&bent.to_string()]).is_ok();
            let place = Place { file: bent.to_string(), offset: 0, seq: Some(bent.first_seq) };
            return Expected::Refused((!is_other).then_some(place));
        }
        let usable = |name: &&SnapshotName| self.is_true_snapshot(files, **name);
        let newest = counting.snapshots.iter().rev().find(usable);
        let first = match newest {
            // It was made when the segment after it was there.
            Some(snapshot) if !counting.segments.contains(&snapshot.before) => {
                return Expected::Refused(None);
            }
            Some(snapshot) => snapshot.before,
            None if counting.floor.is_some() => return Expected::Refused(None),
            None => counting.segments[0],
        };
        let (newest, closed) = counting.segments.split_last().expect("it is in order, so there is one");
        let floor = counting.floor.map_or(1, |floor| floor.first_seq);
        match closed.iter().find_map(|name| self.wrong_in_closed(files, *name, first)) {
            Some(place) => Expected::Refused(Some(place)),
            None => self.expect_of_newest(&newest.to_string(), &files[&newest.to_string()], floor),
        }
    }

    fn has_true_header(&self, files: &Contents, name: SegmentName) -> bool {
        let name = name.to_string();
        self.files.get(&name).is_some_and(|honest| files[&name].get(..HEADER_LEN) == honest.get(..HEADER_LEN))
    }

    /// Whether a snapshot is one of this journal, at its place.
    fn is_true_snapshot(&self, files: &Contents, name: SnapshotName) -> bool {
        [true, false].into_iter().any(|is_base| {
            let honest = self.files.get(&SnapshotName { is_base, ..name }.to_string());
            honest.is_some_and(|honest| *honest == files[&name.to_string()])
        })
    }

    fn wrong_in_closed(&self, files: &Contents, name: SegmentName, first: SegmentName) -> Option<Place> {
        let file = name.to_string();
        let (honest, found, segment) = (&self.files[&file], &files[&file], &self.segments[&file]);
        let end = segment.stated_end.expect("its successor is there, with the header that it had");
        if Arc::ptr_eq(honest, found) {
            return None;
        }
        if found.len() < end {
            return Some(Place { file, offset: found.len() as u64, seq: None });
        }
        let at = first_difference(honest, found).filter(|at| *at < end && name >= first)?;
        let frame = segment.frames.iter().find(|frame| at < frame.end)?;
        let (offset, seq) = (frame.start as u64, Some(frame.first_seq));
        Some(Place { file, offset, seq })
    }

    /// What comes of the newest segment when it holds these bytes.
    fn expect_of_newest(&self, name: &str, found: &[u8], floor: u64) -> Expected {
        let segment = &self.segments[name];
        let Some(tear) = segment.tear(&self.files[name], found) else {
            let seq = segment.next_seq_at(segment.end()) - 1;
            // After a mark or a seal nothing follows.
            let is_ended = segment.frames.last().is_some_and(|frame| is_end(frame.kind));
            let has_more = end_of_nonzero(found) > segment.end();
            return Expected::Opened { seq, floor, may_be_refused: is_ended && has_more };
        };
        if tear.is_proven {
            let (file, offset) = (name.to_owned(), tear.at as u64);
            return Expected::Refused(Some(Place { file, offset, seq: Some(tear.seq) }));
        }
        let may_be_refused = self.is_former_mark(name, found, tear.at);
        Expected::Opened { seq: tear.seq - 1, floor, may_be_refused }
    }

    /// Whether a mark stands there that did so before, and was overwritten. It ends the segment, and nothing may follow.
    fn is_former_mark(&self, name: &str, found: &[u8], at: usize) -> bool {
        let is_there = |former: &Arc<[u8]>| {
            let mark = former.get(at..at + RECORD_LEN).filter(|mark| mark[4] == FrameKind::Close as u8);
            mark.is_some() && found.get(at..at + RECORD_LEN) == mark
        };
        self.former.get(name).into_iter().flatten().any(is_there)
    }

    /// The byte that a finding has to touch, when one file holds something else; `None` where nothing relies on it, or it
    /// tells nobody that it was ever written.
    pub(super) fn expect_finding(&self, files: &Contents, file: &str) -> Option<u64> {
        let counting = Counting::of(files);
        let (honest, found) = (&self.files[file], &files[file]);
        let at = first_difference(honest, found)?;
        if SnapshotName::parse(file).is_some_and(|name| counting.snapshots.contains(&name)) {
            return Some(at as u64);
        }
        let name = SegmentName::parse(file).filter(|name| counting.segments.contains(name))?;
        let segment = &self.segments[file];
        if at < HEADER_LEN {
            return Some(at as u64);
        }
        if counting.segments.last() != Some(&name) {
            return (at < segment.stated_end?).then_some(at as u64);
        }
        let end = end_of_nonzero(found);
        match segment.tear(honest, found) {
            Some(tear) if tear.is_proven => Some(at.min(end.max(tear.at)) as u64),
            Some(tear) if self.is_former_mark(file, found, tear.at) => None,
            Some(tear) => (end > tear.at).then_some(at.min(end) as u64),
            None => (end > segment.end()).then_some(at.min(end) as u64),
        }
    }
}

/// Where the frames of an open segment are not any more what they were.
struct Tear {
    at: usize,
    /// The `seq` of the event that stood there.
    seq: u64,
    /// Whether anything still there proves that this was synced.
    is_proven: bool,
}

impl TrueSegment {
    fn tear(&self, honest: &[u8], found: &[u8]) -> Option<Tear> {
        let is_intact = |start: usize, end: usize| found.get(start..end) == Some(&honest[start..end]);
        let torn = self.frames.iter().find(|frame| !is_intact(frame.start, frame.end))?;
        let proves =
            |&(at, synced): &(usize, usize)| synced > torn.start && is_intact(at, at + FRAME_HEADER_LEN);
        let is_in_birth = torn.start < usize::try_from(self.header.birth).unwrap_or(usize::MAX);
        let is_proven = is_in_birth || self.proofs.iter().any(proves);
        Some(Tear { at: torn.start, seq: torn.first_seq, is_proven })
    }
}

fn is_end(kind: FrameKind) -> bool {
    matches!(kind, FrameKind::Close | FrameKind::Seal)
}

/// The first byte that is another, or is there in one of them only.
pub(super) fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let common = a.iter().zip(b).position(|(a, b)| a != b);
    common.or_else(|| (a.len() != b.len()).then(|| a.len().min(b.len())))
}

/// The offset just past the last byte that is not zero.
pub(super) fn end_of_nonzero(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)
}

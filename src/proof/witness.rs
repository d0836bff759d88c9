//! What a pass over all events shows: the roots of segments, that of a part, and the state at one point.

use std::collections::BTreeMap;

use crate::domain::StateHash;
use crate::merkle::{CompactRange, Hash, leaf_hash};
use crate::projection::Projection;

/// Looks on while a journal is verified.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// By file.
    segments: BTreeMap<String, Part>,
    /// The events that an anchor covers after the last closed segment of its time.
    part: Option<Part>,
    /// Of which `seq` the state is wanted.
    wanted_state: Option<u64>,
    /// Its hash, if the pass came by.
    pub(crate) state: Option<StateHash>,
}

/// Events in a row.
#[derive(Debug)]
struct Part {
    first_seq: u64,
    last_seq: u64,
    range: CompactRange,
    /// Whether none was missing in between.
    is_whole: bool,
}

impl Part {
    /// Of the events from `first_seq` to `last_seq`.
    fn new(first_seq: u64, last_seq: u64) -> Part {
        Part { first_seq, last_seq, range: CompactRange::new(), is_whole: true }
    }

    fn take(&mut self, seq: u64, leaf: Hash) {
        if !(self.first_seq..=self.last_seq).contains(&seq) {
            return;
        }
        self.is_whole &= seq == self.next_seq();
        self.range.push(leaf);
    }

    fn next_seq(&self) -> u64 {
        self.first_seq.saturating_add(self.range.leaves())
    }

    /// The leaves, if all were there.
    fn complete(&self) -> Option<&CompactRange> {
        let is_complete = self.is_whole && self.next_seq().checked_sub(1) == Some(self.last_seq);
        is_complete.then_some(&self.range)
    }
}

impl Witness {
    /// One that also looks for the events from `first_seq` to `last_seq` and the state after them.
    pub(crate) fn of_part(first_seq: u64, last_seq: u64) -> Witness {
        Witness {
            part: Some(Part::new(first_seq, last_seq)),
            wanted_state: Some(last_seq),
            ..Witness::default()
        }
    }

    /// The leaves of that part, if all were there.
    pub(crate) fn part(&self) -> Option<&CompactRange> {
        self.part.as_ref().and_then(Part::complete)
    }

    /// An event, and the file in which it lies.
    pub(crate) fn event(&mut self, file: &str, seq: u64, line: &[u8]) {
        let leaf = leaf_hash(seq, line);
        match self.segments.get_mut(file) {
            Some(segment) => segment.take(seq, leaf),
            None => {
                let mut segment = Part::new(seq, u64::MAX);
                segment.take(seq, leaf);
                self.segments.insert(file.to_owned(), segment);
            }
        }
        if let Some(part) = &mut self.part {
            part.take(seq, leaf);
        }
    }

    /// A state that the pass came by.
    pub(crate) fn state(&mut self, projection: &Projection) {
        if self.wanted_state == Some(projection.seq) {
            self.state = Some(projection.state_hash());
        }
    }

    /// The root over the events of a segment, which goes from `first_seq` to before `next_seq`; `None` where others were there.
    pub(crate) fn root_of(&self, file: &str, first_seq: u64, next_seq: u64) -> Option<Hash> {
        let Some(found) = self.segments.get(file) else {
            return (first_seq == next_seq).then(|| CompactRange::new().root());
        };
        let fits = found.is_whole && found.first_seq == first_seq && found.next_seq() == next_seq;
        fits.then(|| found.range.root())
    }
}

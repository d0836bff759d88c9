//! The chain of heads: what the spine states, and what follows from the segments that have no entry there yet.

use crate::engine::root_of_closed;
use crate::error::{Error, ErrorKind};
use crate::ids::JournalId;
use crate::journal::format::{SpineEntry, first_head};
use crate::journal::{Inventory, Spine, inventory};
use crate::merkle::Hash;
use crate::storage::Storage;

/// How often it is begun anew when something changes meanwhile.
const TRIES: usize = 4;

/// Does something beside a writer that may be live: what looks like damage, or is gone, may be the writer at work between two
/// looks. So it is told only when it is still so after everything was looked at anew.
pub(super) fn anew<T>(attempt: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 1..TRIES {
        match attempt() {
            Err(error)
                if matches!(error.kind(), ErrorKind::Damaged(_) | ErrorKind::Pruned | ErrorKind::Io) => {}
            made => return made,
        }
        std::thread::yield_now();
    }
    attempt()
}

/// The heads after closed segments, from where the spine begins.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    journal_id: JournalId,
    /// The first `seq` that is in it.
    first_seq: u64,
    entries: Vec<SpineEntry>,
}

impl Chain {
    /// A chain that begins with that `seq`.
    pub(crate) fn new(journal_id: JournalId, first_seq: u64, entries: Vec<SpineEntry>) -> Chain {
        Chain { journal_id, first_seq, entries }
    }

    /// The chain up to before the segment `active`, all of whose predecessors are closed.
    ///
    /// # Errors
    /// `Damaged` when the spine contradicts itself or the segments; `InvalidArgument` when there is none though something
    /// was pruned; `Io`.
    pub(crate) fn read(storage: &dyn Storage, active: u64) -> Result<(Chain, Inventory), Error> {
        let spine = Spine::read(storage)?.map(|spine| spine.before(active));
        // After the spine: whatever has an entry has a successor.
        let found = inventory(storage, active)?;
        let mut chain = match spine {
            Some(Spine { wrong: Some(wrong), .. }) => return Err(wrong),
            Some(spine) => {
                spine.check(&found)?;
                let first_seq = spine.entries.first().map_or(1, |first| first.first_seq);
                Chain::new(found.journal_id, first_seq, spine.entries)
            }
            None if found.oldest().number == 1 => Chain::new(found.journal_id, 1, Vec::new()),
            None => {
                let found = "the journal has no spine yet, and something was pruned from it: an opening by an engine makes it";
                return Err(Error::new(ErrorKind::InvalidArgument, found));
            }
        };
        let known = chain.entries.last().map_or(0, |last| last.number);
        for (index, segment) in
            found.closed.iter().enumerate().filter(|(_, closed)| closed.name.number > known)
        {
            let next = found.closed.get(index + 1).map_or(found.active, |next| next.name);
            let stopped = || Error::new(ErrorKind::Closed, "stopped");
            let root = root_of_closed(storage, segment.name, next, &|| false)?.ok_or_else(stopped)?;
            chain.push(segment.name.number, next.first_seq, root);
        }
        Ok((chain, found))
    }

    /// Adds a segment.
    pub(crate) fn push(&mut self, number: u64, next_seq: u64, root: Hash) {
        let entry = SpineEntry::after(&self.head(), number, self.next_seq(), next_seq, root);
        self.entries.push(entry);
    }

    /// The entries.
    pub(crate) fn entries(&self) -> &[SpineEntry] {
        &self.entries
    }

    /// The head after the last entry.
    pub(crate) fn head(&self) -> Hash {
        self.entries.last().map_or_else(|| first_head(self.journal_id), |last| last.head)
    }

    /// The first `seq` after the last entry.
    pub(crate) fn next_seq(&self) -> u64 {
        self.entries.last().map_or(self.first_seq, |last| last.next_seq)
    }

    /// The first `seq` that is in it.
    pub(crate) fn first_seq(&self) -> u64 {
        self.first_seq
    }

    /// The head before an entry.
    pub(crate) fn head_before(&self, index: usize) -> Hash {
        index.checked_sub(1).map_or_else(|| first_head(self.journal_id), |before| self.entries[before].head)
    }

    /// The head before a segment; `None` where it is not in the chain.
    pub(crate) fn head_before_segment(&self, number: u64) -> Option<Hash> {
        if self.entries.last().is_some_and(|last| last.number + 1 == number) {
            return Some(self.head());
        }
        let index = self.entries.iter().position(|entry| entry.number == number)?;
        Some(self.head_before(index))
    }

    /// All heads after that `seq`, each with how many entries lead there. Segments without events leave several.
    pub(crate) fn heads_after(&self, seq: u64) -> impl Iterator<Item = (usize, Hash)> {
        let begin = (seq.checked_add(1) == Some(self.first_seq)).then(|| (0, first_head(self.journal_id)));
        let ends = self
            .entries
            .iter()
            .enumerate()
            .filter(move |(_, entry)| seq.checked_add(1) == Some(entry.next_seq));
        begin.into_iter().chain(ends.map(|(index, entry)| (index + 1, entry.head)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::SimulatedDisk;
    use crate::{NewBudget, Options, Retention};

    #[test]
    fn what_a_live_writer_added_to_the_spine_meanwhile_is_left_out() {
        let disk = SimulatedDisk::new(1);
        let rules = Options::new().inline().segment_bytes(Options::MIN_SEGMENT_BYTES);
        let engine = rules.retention(Retention::keep_all()).open_storage(disk.process()).unwrap().blocking();
        for number in 0..6 {
            engine.allocate(NewBudget::new(format!("b{number}")).limit(5)).unwrap();
        }
        let storage = disk.process();
        let known = Spine::read(&*storage).unwrap().unwrap().next_number().unwrap();
        assert!(known > 4, "{known}");
        let (whole, _) = Chain::read(&*storage, known).unwrap();
        // As if it had been looked which segment is being written before that one was closed.
        for active in 2..known {
            let (chain, found) = Chain::read(&*storage, active).unwrap();
            assert_eq!(found.active.number, active);
            assert_eq!(chain.entries(), &whole.entries()[..chain.entries().len()]);
            assert_eq!(chain.next_seq(), found.active.first_seq);
        }
    }

    #[test]
    fn damage_is_told_when_it_is_there_at_every_look() {
        let looks = std::cell::Cell::new(0);
        let look = |good_from: usize| {
            looks.set(looks.get() + 1);
            match looks.get() < good_from {
                true => Err(Error::damaged("spine", 0, None, "bent")),
                false => Ok(looks.get()),
            }
        };
        assert_eq!(anew(|| look(3)).unwrap(), 3);
        looks.set(0);
        assert!(anew(|| look(9)).unwrap_err().damage().is_some());
        assert_eq!(looks.get(), TRIES);
    }
}

//! What is remembered, in the order of its events: taken in behind, forgotten in front.
//!
//! It is kept in chunks that the copies of a state share: a copy costs the same however much there is, a batch of new
//! entries copies one chunk, and a digest is computed and kept for a chunk, not for an entry. Where a chunk begins
//! follows from the `seq` of its first entry and from nothing else, so that logs that hold the same have the same
//! chunks, however they came to hold it: one that was restored, and one that forgot its way there.

use std::fmt;
use std::sync::{Arc, OnceLock};

use imbl::Vector;

use crate::clock::Timestamp;
use crate::domain::leaf::Digest;

/// Something that happened.
pub(super) trait Happened: Clone {
    /// The `seq` of its event.
    fn seq(&self) -> u64;
    /// The time of its event.
    fn at(&self) -> Timestamp;
}

/// Entries, each of a greater `seq` than the one before it.
#[derive(Clone)]
pub(super) struct Log<T> {
    /// All chunks but the newest; none of them is empty.
    older: Vector<Arc<Chunk<T>>>,
    newest: Arc<Chunk<T>>,
    /// How many entries at the start of the first chunk are forgotten. They leave memory with the rest of it.
    forgotten: usize,
    /// How many entries the first chunk has, those included.
    first_len: usize,
    /// When the oldest happened, as long as there is one.
    begins_at: Timestamp,
    len: usize,
}

struct Chunk<T> {
    entries: Vec<T>,
    digest: OnceLock<Digest>,
}

/// How many entries a chunk has on average.
const CHUNK_LEN: usize = 64;

/// Whether the entry with that `seq` begins a chunk: one in 64 does, without a pattern. Part of the fold version, since
/// the state hash depends on it.
fn begins_chunk(seq: u64) -> bool {
    // The finalizer of SplitMix64.
    let mixed = (seq ^ (seq >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) >> 58 == 0
}

impl<T> Log<T> {
    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        (0..=self.older.len()).flat_map(|number| self.chunk(number))
    }

    /// What is remembered of a chunk.
    fn chunk(&self, number: usize) -> &[T] {
        let chunk = self.older.get(number).unwrap_or(&self.newest);
        &chunk.entries[if number == 0 { self.forgotten } else { 0 }..]
    }
}

impl<T: Happened> Log<T> {
    /// Takes in the newest entry.
    pub(super) fn push(&mut self, entry: T) {
        if self.len == 0 {
            self.begins_at = entry.at();
        }
        self.len += 1;
        if self.newest.entries.is_empty() || !begins_chunk(entry.seq()) {
            let newest = Arc::make_mut(&mut self.newest);
            newest.digest.take();
            newest.entries.push(entry);
            if self.older.is_empty() {
                self.first_len = newest.entries.len();
            }
            return;
        }
        let mut full = std::mem::replace(&mut self.newest, Arc::new(Chunk::beginning_with(entry)));
        if let Some(chunk) = Arc::get_mut(&mut full) {
            chunk.entries.shrink_to_fit();
        }
        self.older.push_back(full);
    }

    /// Forgets the oldest, if there is one.
    pub(super) fn drop_front(&mut self) {
        if self.len == 0 {
            return;
        }
        self.len -= 1;
        self.forgotten += 1;
        if self.forgotten >= self.first_len {
            self.forgotten = 0;
            if self.older.pop_front().is_none() {
                self.newest = Arc::default();
            }
            self.first_len = self.chunk(0).len();
        }
        self.begins_at = self.front().map_or(Timestamp::MIN, T::at);
    }

    /// When the oldest happened.
    #[inline]
    pub(super) fn begins_at(&self) -> Option<Timestamp> {
        (self.len > 0).then_some(self.begins_at)
    }

    /// The oldest.
    pub(super) fn front(&self) -> Option<&T> {
        self.chunk(0).first()
    }

    /// The newest.
    pub(super) fn back(&self) -> Option<&T> {
        self.newest.entries.last()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The entry with that `seq`.
    pub(super) fn get(&self, seq: u64) -> Option<&T> {
        let chunk = self.chunk(self.chunk_of(seq));
        chunk.binary_search_by_key(&seq, T::seq).ok().map(|place| &chunk[place])
    }

    /// The entry with that `seq`, to be changed: its chunk is copied first if another log shares it.
    pub(super) fn change(&mut self, seq: u64) -> Option<&mut T> {
        let number = self.chunk_of(seq);
        let forgotten = if number == 0 { self.forgotten } else { 0 };
        let place = self.chunk(number).binary_search_by_key(&seq, T::seq).ok()? + forgotten;
        let chunk = if number < self.older.len() { self.older.get_mut(number)? } else { &mut self.newest };
        let chunk = Arc::make_mut(chunk);
        chunk.digest.take();
        chunk.entries.get_mut(place)
    }

    /// Those from before that `seq`, the oldest first.
    pub(super) fn before(&self, seq: u64) -> impl DoubleEndedIterator<Item = &T> {
        let last = self.chunk_of(seq);
        (0..=last).flat_map(move |number| {
            let chunk = self.chunk(number);
            let end =
                if number == last { chunk.partition_point(|entry| entry.seq() < seq) } else { chunk.len() };
            &chunk[..end]
        })
    }

    /// Hands over the digest of each chunk: what `compute` says of its entries the first time it is asked after a
    /// change. That of the first is computed again as long as it loses entries.
    pub(super) fn digests(&self, compute: impl Fn(&[T]) -> Digest, mut each: impl FnMut(&Digest)) {
        let newest = std::iter::once(&self.newest).filter(|newest| !newest.entries.is_empty());
        for (number, chunk) in self.older.iter().chain(newest).enumerate() {
            if number == 0 && self.forgotten > 0 {
                each(&compute(self.chunk(0)));
            } else {
                each(chunk.digest.get_or_init(|| compute(&chunk.entries)));
            }
        }
    }

    /// The number of the chunk that the entry with that `seq` is in, if there is one.
    fn chunk_of(&self, seq: u64) -> usize {
        if self.newest.entries.first().is_none_or(|first| first.seq() <= seq) {
            return self.older.len();
        }
        let first_of = |chunk: &Arc<Chunk<T>>| chunk.entries.first().map_or(0, T::seq);
        match self.older.binary_search_by_key(&seq, first_of) {
            Ok(number) => number,
            Err(next) => next.saturating_sub(1),
        }
    }
}

impl<T> Default for Log<T> {
    fn default() -> Log<T> {
        Log {
            older: Vector::new(),
            newest: Arc::default(),
            forgotten: 0,
            first_len: 0,
            begins_at: Timestamp::MIN,
            len: 0,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Log<T> {
    /// Its entries, however it came to hold them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T> Chunk<T> {
    fn beginning_with(entry: T) -> Chunk<T> {
        let mut entries = Vec::with_capacity(CHUNK_LEN);
        entries.push(entry);
        Chunk { entries, digest: OnceLock::new() }
    }
}

impl<T> Default for Chunk<T> {
    fn default() -> Chunk<T> {
        Chunk { entries: Vec::new(), digest: OnceLock::new() }
    }
}

impl<T: Clone> Clone for Chunk<T> {
    /// Copied in order to be changed, so the digest stays behind, and there is room for more.
    fn clone(&self) -> Chunk<T> {
        let mut entries = Vec::with_capacity((self.entries.len() + 1).max(CHUNK_LEN));
        entries.extend_from_slice(&self.entries);
        Chunk { entries, digest: OnceLock::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    impl Happened for (u64, u8) {
        fn seq(&self) -> u64 {
            self.0
        }

        fn at(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    /// The digests of the chunks: the `seq` and what it was of their first entries, how many there are, and a sum.
    fn digests(log: &Log<(u64, u8)>) -> Vec<Digest> {
        let compute = |entries: &[(u64, u8)]| {
            let mut digest = Digest::default();
            let sum = entries.iter().fold(0_u64, |sum, (seq, what)| {
                sum.wrapping_mul(31).wrapping_add(*seq).wrapping_mul(31).wrapping_add(u64::from(*what))
            });
            digest[..8].copy_from_slice(&entries[0].0.to_le_bytes());
            digest[8..16].copy_from_slice(&(entries.len() as u64).to_le_bytes());
            digest[16..24].copy_from_slice(&sum.to_le_bytes());
            digest
        };
        let mut found = Vec::new();
        log.digests(compute, |digest| found.push(*digest));
        found
    }

    fn check(log: &Log<(u64, u8)>, model: &VecDeque<(u64, u8)>) {
        assert_eq!((log.len(), log.front(), log.back()), (model.len(), model.front(), model.back()));
        assert!(log.iter().eq(model) && log.iter().rev().eq(model.iter().rev()));
        let mut anew = Log::default();
        model.iter().for_each(|entry| anew.push(*entry));
        assert_eq!(digests(log), digests(&anew), "they depend on what is in it only");
    }

    proptest! {
        #[test]
        fn it_holds_what_a_deque_holds(
            steps in proptest::collection::vec((0_u8..8, 1_u64..40, any::<u8>()), 0..600),
            long in 0_u64..500,
        ) {
            let (mut log, mut model, mut next) = (Log::default(), VecDeque::new(), 1);
            for seq in 0..long {
                log.push((next + seq, 0));
                model.push_back((next + seq, 0));
            }
            next += long;
            let mut kept = Vec::new();
            for (step, number, what) in steps {
                match step {
                    0..4 => {
                        next += number % 3;
                        log.push((next, what));
                        model.push_back((next, what));
                        next += 1;
                    }
                    4..6 => (0..number % 9).for_each(|_| {
                        assert_eq!(log.front(), model.front());
                        log.drop_front();
                        model.pop_front();
                    }),
                    6 => {
                        let seq = next.saturating_sub(number * 7);
                        let entry = model.iter_mut().find(|entry| entry.0 == seq);
                        assert_eq!(log.get(seq), entry.as_deref());
                        let changed = log.change(seq).map(|entry| entry.1 = what);
                        assert_eq!(changed, entry.map(|entry| entry.1 = what));
                    }
                    _ => kept.push((log.clone(), model.clone(), digests(&log))),
                }
                let seq = next.saturating_sub(number * 11);
                assert!(log.before(seq).eq(model.iter().filter(|entry| entry.0 < seq)), "before {seq}");
            }
            check(&log, &model);
            for (log, model, before) in kept {
                check(&log, &model);
                assert_eq!(digests(&log), before, "a copy stays as it was");
            }
        }
    }

    #[test]
    fn chunks_are_of_a_size_however_far_apart_the_entries_lie() {
        for stride in [1, 2, 3, 64, 89, 610, 4_096, 1 << 32] {
            let mut log = Log::default();
            (1..=65_536).for_each(|number| log.push((number * stride, 0)));
            let (chunks, longest) =
                (log.older.len() + 1, log.older.iter().map(|chunk| chunk.entries.len()).max());
            assert!((900..1_150).contains(&chunks), "{stride}: {chunks} chunks");
            assert!(longest < Some(1_000), "{stride}: {longest:?}");
        }
    }
}

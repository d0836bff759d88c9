//! Where an id is remembered: from the hash of a text to the `seq` of its entry in a log.
//!
//! Places are gathered as they come, and merged into sorted runs, each a few times as long as the next: looking one up
//! asks a handful of runs, and taking one in costs no lookup at all. What is forgotten is left out by the next merge.
//! Several texts may have one hash, and a place may be out of date: whoever asks compares the text.

use std::hash::BuildHasher;
use std::sync::Arc;

use crate::hashing::Hashing;

/// The places of ids. Copies share it until they change.
#[derive(Debug, Clone, Default)]
pub(super) struct Index(Arc<Runs>);

#[derive(Debug, Clone, Default)]
struct Runs {
    /// The newest, as they came.
    fresh: Vec<Place>,
    /// The others, the longest run first.
    sorted: Vec<Arc<[Place]>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    hash: u64,
    seq: u64,
}

/// So many places are gathered before they are sorted.
const FRESH_LEN: usize = 64;
/// A run is at least so many times as long as the one after it.
const GROWTH: usize = 4;

impl Index {
    /// Takes in the `seq` of an id. What lies before `oldest_seq` is forgotten; `remembered` is how many are not.
    pub(super) fn insert(&mut self, id: &str, seq: u64, oldest_seq: u64, remembered: usize) {
        let runs = Arc::make_mut(&mut self.0);
        runs.fresh.reserve(FRESH_LEN.saturating_sub(runs.fresh.len()));
        runs.fresh.push(Place { hash: hash(id), seq });
        if runs.fresh.len() >= FRESH_LEN {
            runs.merge(oldest_seq, remembered);
        }
    }

    /// Every `seq` at which the id may be, and perhaps some at which it is not.
    pub(super) fn seqs(&self, id: &str) -> impl Iterator<Item = u64> {
        let hash = if self.is_empty() { 0 } else { hash(id) };
        let fresh = self.0.fresh.iter().rev().filter(move |place| place.hash == hash);
        let sorted = self.0.sorted.iter().rev().flat_map(move |run| {
            let start = run.partition_point(|place| place.hash < hash);
            run[start..].iter().take_while(move |place| place.hash == hash)
        });
        fresh.chain(sorted).map(|place| place.seq)
    }

    fn is_empty(&self) -> bool {
        self.0.fresh.is_empty() && self.0.sorted.is_empty()
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        if !self.is_empty() {
            self.0 = Arc::default();
        }
    }
}

impl Runs {
    fn merge(&mut self, oldest_seq: u64, remembered: usize) {
        let mut run = std::mem::take(&mut self.fresh);
        let places: usize = self.sorted.iter().map(|run| run.len()).sum();
        // After a flood: what is forgotten would stay in a run that nothing grows up to any more.
        let is_mostly_forgotten = places > remembered.saturating_mul(GROWTH).saturating_add(FRESH_LEN);
        let mut merged = Vec::new();
        let mut len = run.len();
        while let Some(longer) =
            self.sorted.pop_if(|longer| is_mostly_forgotten || longer.len() < len * GROWTH)
        {
            len += longer.len();
            merged.push(longer);
        }
        if !merged.is_empty() {
            let still = |place: &&Place| place.seq >= oldest_seq;
            let mut all = Vec::with_capacity(len);
            merged.iter().rev().for_each(|longer| all.extend(longer.iter().filter(still)));
            all.append(&mut run);
            run = all;
        }
        // All but what is fresh is in runs that are sorted: the sort finds that out and merges.
        run.sort();
        self.sorted.push(run.into());
    }
}

fn hash(id: &str) -> u64 {
    Hashing::of_process().hash_one(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_and_what_is_forgotten_goes() {
        let mut index = Index::default();
        let remembered = 3_000;
        for seq in 1..=100_000_u64 {
            let oldest_seq = seq.saturating_sub(remembered);
            index.insert(&format!("key-{seq}"), seq, oldest_seq, 3_000);
        }
        for seq in 97_000..=100_000 {
            assert!(index.seqs(&format!("key-{seq}")).any(|found| found == seq), "{seq}");
        }
        assert_eq!(index.seqs("key-0").next(), None);
        let places: usize = index.0.sorted.iter().map(|run| run.len()).sum();
        assert!(places < 6_000, "{places} places for 3,000 ids");
        assert!(index.0.sorted.len() <= 5, "{} runs", index.0.sorted.len());
        index.clear();
        assert_eq!(index.seqs("key-100000").next(), None);
    }

    #[test]
    fn after_a_flood_only_what_is_remembered_takes_room() {
        let mut index = Index::default();
        (1..=50_000).for_each(|seq| index.insert(&format!("key-{seq}"), seq, 0, 50_000));
        for seq in 50_001..=50_128_u64 {
            index.insert(&format!("key-{seq}"), seq, seq - 100, 100);
        }
        assert!((50_030..=50_128).all(|seq| index.seqs(&format!("key-{seq}")).any(|found| found == seq)));
        let places: usize = index.0.sorted.iter().map(|run| run.len()).sum();
        assert!(places < 1_000, "{places} places for 100 ids");
    }

    #[test]
    fn a_copy_stays_as_it_was_and_one_id_may_have_several_places() {
        let mut index = Index::default();
        index.insert("a", 1, 0, 1);
        let copy = index.clone();
        (2..200).for_each(|seq| index.insert("a", seq, 0, 200));
        assert!(copy.seqs("a").eq([1]));
        let mut seqs: Vec<u64> = index.seqs("a").collect();
        seqs.sort_unstable();
        assert!(seqs.into_iter().eq(1..200));
    }
}

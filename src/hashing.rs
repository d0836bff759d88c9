//! A hash for tables in memory that are asked all the time: that of the standard library took a seventh of a
//! restoration. Nothing that is kept or compared depends on it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

/// Begins each hash at a random number, so that nobody can make ids that are slow to restore.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hashing(u64);

impl Hashing {
    /// The one of this process: what is shared between copies has to be found by each of them.
    pub(crate) fn of_process() -> Hashing {
        static OF_PROCESS: LazyLock<Hashing> = LazyLock::new(Hashing::default);
        *OF_PROCESS
    }
}

impl Default for Hashing {
    fn default() -> Hashing {
        Hashing(RandomState::new().hash_one(0_u64))
    }
}

impl BuildHasher for Hashing {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        Folding(self.0)
    }
}

/// Multiplies eight bytes at a time, and folds the two halves of the product into one ("folded multiply", as in wyhash).
#[derive(Debug)]
pub(crate) struct Folding(u64);

impl Folding {
    /// Begins at a number that is known, where there is nothing to gain from texts that are slow.
    pub(crate) fn beginning_at(number: u64) -> Folding {
        Folding(number)
    }
}

/// The fraction of the golden ratio: odd, and without a pattern.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for Folding {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        let (low, high) = (self.0 ^ word).carrying_mul(GOLDEN, word);
        self.0 = low ^ high;
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        let (low, high) = self.0.carrying_mul(GOLDEN, 0);
        low ^ high
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Ids that differ in a digit, in their length, or in their order: no two alike, and no part of the hash is idle.
    #[test]
    fn ids_that_are_much_alike_have_hashes_that_are_not() {
        let hashing = Hashing::default();
        let ids = (0..10_000).flat_map(|number| {
            [
                format!("{number}"),
                format!("task-{number:012}"),
                format!("{number:08}-5b1c-7000-8000-000000000001"),
            ]
        });
        let hashes: HashSet<u64> = ids.map(|id| hashing.hash_one(id.as_str())).collect();
        assert_eq!(hashes.len(), 30_000);
        for (part, shift) in [("the low bits", 0), ("the high bits", 52)] {
            let places: HashSet<u64> = hashes.iter().map(|hash| (hash >> shift) & 0xfff).collect();
            assert!(places.len() > 4_000, "{part}: {}", places.len());
        }
        assert_ne!(hashing.hash_one("a"), Hashing::default().hash_one("a"));
    }
}

//! Merkle trees over events, as Certificate Transparency has them (RFC 6962, section 2.1), with SHA-256: a leaf begins with
//! 0x00 and a node with 0x01, so that neither can be taken for the other; the left subtree is the largest complete one.
//!
//! Nothing here needs the whole tree: a [`CompactRange`] takes leaf after leaf and keeps one hash for each bit of their
//! number (the "compact range" of trillian and of RFC 9162's implementers), and an [`InclusionPath`] keeps that for each
//! step of one path.

use sha2::{Digest, Sha256};

use crate::planted::{Bug, planted};

/// A SHA-256.
pub type Hash = [u8; 32];

/// The hash of the leaf of an event: 0x00, its `seq` as eight big-endian bytes, and its line as journaled, without the
/// line's end.
///
/// ```
/// use tallybook::proof::leaf_hash;
/// assert_ne!(leaf_hash(1, b"{}"), leaf_hash(2, b"{}"), "an event cannot be moved");
/// ```
pub fn leaf_hash(seq: u64, line: &[u8]) -> Hash {
    if planted(Bug::LeafWithoutSeq) {
        return hash_leaf(&[line]);
    }
    hash_leaf(&[&seq.to_be_bytes(), line])
}

/// The hash of a leaf with that content.
fn hash_leaf(content: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new_with_prefix([0]);
    content.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// The hash of the node above two.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new_with_prefix([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The hash of a tree without leaves: that of nothing.
fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The leaves from the first on, as far as they were given: enough to tell the root over them, and to go on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactRange {
    leaves: u64,
    /// The roots of the complete subtrees that they fall into, the largest first: one for each bit of their number.
    peaks: Vec<Hash>,
}

impl CompactRange {
    /// Without leaves.
    pub fn new() -> CompactRange {
        CompactRange::default()
    }

    /// The range of so many leaves, from the roots of its complete subtrees, the largest first. `None` where there are
    /// more or fewer of them than that many leaves have.
    pub fn of_peaks(leaves: u64, peaks: Vec<Hash>) -> Option<CompactRange> {
        let fits = u32::try_from(peaks.len()) == Ok(leaves.count_ones());
        fits.then_some(CompactRange { leaves, peaks })
    }

    /// How many leaves there are.
    pub fn leaves(&self) -> u64 {
        self.leaves
    }

    /// Adds the hash of the next leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // As many subtrees become one as the number has ones at its end.
        for _ in 0..self.leaves.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.leaves += 1;
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(smallest) = peaks.next() else { return empty_root() };
        peaks.fold(*smallest, |right, left| node_hash(left, &right))
    }
}

/// A sibling of a path: the leaves under it, and on which side of the path it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sibling {
    begin: u64,
    end: u64,
    is_left: bool,
}

/// The siblings on the way from a leaf to the root of a tree, from the leaf on.
fn siblings(index: u64, leaves: u64) -> Vec<Sibling> {
    let (mut begin, mut end) = (0, leaves);
    let mut found = Vec::new();
    while end - begin > 1 {
        // The largest power of two below the number of leaves.
        let middle = begin + (1 << (63 - (end - begin - 1).leading_zeros()));
        if index < middle {
            found.push(Sibling { begin: middle, end, is_left: false });
            end = middle;
        } else {
            found.push(Sibling { begin, end: middle, is_left: true });
            begin = middle;
        }
    }
    found.reverse();
    found
}

/// Makes the path of one leaf, from all leaves of the tree in order.
#[derive(Debug)]
pub struct InclusionPath {
    siblings: Vec<(Sibling, CompactRange)>,
    next: u64,
    leaves: u64,
}

impl InclusionPath {
    /// The path of the leaf `index` (from 0 on) in a tree of so many leaves. `None` where it has no such leaf.
    pub fn new(index: u64, leaves: u64) -> Option<InclusionPath> {
        let siblings = (index < leaves).then(|| siblings(index, leaves))?;
        let siblings = siblings.into_iter().map(|sibling| (sibling, CompactRange::new())).collect();
        Some(InclusionPath { siblings, next: 0, leaves })
    }

    /// Takes the hash of the next leaf.
    pub fn push(&mut self, leaf: Hash) {
        let at = self.next;
        self.next += 1;
        // Only the leaf itself is under none.
        if let Some((_, range)) =
            self.siblings.iter_mut().find(|(sibling, _)| (sibling.begin..sibling.end).contains(&at))
        {
            range.push(leaf);
        }
    }

    /// The hashes of the siblings, from the leaf on. `None` unless all leaves were given.
    pub fn finish(self) -> Option<Vec<Hash>> {
        let is_complete = self.next == self.leaves;
        is_complete.then(|| self.siblings.iter().map(|(_, range)| range.root()).collect())
    }
}

/// The root that follows from a leaf and its path (RFC 6962, section 2.1.1). `None` where a path in such a tree has
/// another length.
pub fn root_of_path(index: u64, leaves: u64, leaf: Hash, path: &[Hash]) -> Option<Hash> {
    let siblings = (index < leaves).then(|| siblings(index, leaves))?;
    if siblings.len() != path.len() {
        return None;
    }
    let climb = |node: Hash, (sibling, hash): (&Sibling, &Hash)| match sibling.is_left {
        true => node_hash(hash, &node),
        false => node_hash(&node, hash),
    };
    Some(siblings.iter().zip(path).fold(leaf, climb))
}

/// What a path tells of the leaves before its own: they are the siblings on its left. `None` where a path in such a tree
/// has another length.
pub fn range_before(index: u64, leaves: u64, path: &[Hash]) -> Option<CompactRange> {
    let siblings = (index < leaves).then(|| siblings(index, leaves))?;
    if siblings.len() != path.len() {
        return None;
    }
    let lefts = siblings.iter().zip(path).rev().filter(|(sibling, _)| sibling.is_left);
    CompactRange::of_peaks(index, lefts.map(|(_, hash)| *hash).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proof::hex;

    /// The leaves of the tests of Certificate Transparency, and the roots over the first one, two … of them.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    /// Paths of the same tests: the leaf's index, the number of leaves, the siblings.
    const PATHS: [(u64, u64, &[&str]); 3] = [
        (
            0,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    ];

    fn leaves() -> Vec<Hash> {
        LEAVES.iter().map(|content| hash_leaf(&[content])).collect()
    }

    /// The definition of RFC 6962, word for word.
    fn root_by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let mut middle = 1;
                while middle * 2 < leaves.len() {
                    middle *= 2;
                }
                node_hash(&root_by_definition(&leaves[..middle]), &root_by_definition(&leaves[middle..]))
            }
        }
    }

    fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        let mut path = InclusionPath::new(index as u64, leaves.len() as u64).unwrap();
        leaves.iter().for_each(|leaf| path.push(*leaf));
        path.finish().unwrap()
    }

    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let mut range = CompactRange::new();
        for (leaf, root) in leaves().into_iter().zip(ROOTS) {
            assert_eq!(hex::encode(&range.root()), root);
            range.push(leaf);
        }
        assert_eq!(hex::encode(&range.root()), ROOTS[8]);
    }

    #[test]
    fn paths_are_those_of_certificate_transparency() {
        for (index, count, expected) in PATHS {
            let leaves = &leaves()[..usize::try_from(count).unwrap()];
            let at = usize::try_from(index).unwrap();
            let found = path(at, leaves);
            assert_eq!(found.iter().map(|hash| hex::encode(hash)).collect::<Vec<_>>(), expected);
            let root = root_of_path(index, count, leaves[at], &found);
            assert_eq!(root.map(|root| hex::encode(&root)).as_deref(), Some(ROOTS[leaves.len()]));
        }
    }

    #[test]
    fn a_leaf_is_bound_to_its_seq_and_neither_to_a_node() {
        assert_ne!(leaf_hash(1, b"{}"), leaf_hash(2, b"{}"));
        let (left, right) = (leaf_hash(1, b"a"), leaf_hash(2, b"b"));
        assert_ne!(node_hash(&left, &right), node_hash(&right, &left));
        assert_ne!(hash_leaf(&[&left, &right]), node_hash(&left, &right));
        assert_eq!(leaf_hash(1, b"a"), hash_leaf(&[b"\0\0\0\0\0\0\0\x01a"]));
    }

    #[test]
    fn what_has_no_path_has_none() {
        assert!(InclusionPath::new(0, 0).is_none() && InclusionPath::new(3, 3).is_none());
        let leaves = leaves();
        let found = path(5, &leaves);
        assert_eq!(root_of_path(8, 8, leaves[5], &found), None);
        assert_eq!(root_of_path(5, 8, leaves[5], &found[1..]), None);
        assert_eq!(range_before(5, 8, &found[1..]), None);
        assert_eq!(CompactRange::of_peaks(5, vec![[0; 32]]), None);
        assert!(InclusionPath::new(u64::MAX - 1, u64::MAX).is_some(), "no overflow");
        let mut unfinished = InclusionPath::new(0, 2).unwrap();
        unfinished.push(leaves[0]);
        assert_eq!(unfinished.finish(), None);
    }

    proptest! {
        /// Every root, every path, and what a path tells of the leaves before it.
        #[test]
        fn any_tree_is_as_defined(count in 1usize..70, at in any::<prop::sample::Index>()) {
            let leaves: Vec<Hash> = (0..count as u64).map(|seq| leaf_hash(seq, b"x")).collect();
            let mut range = CompactRange::new();
            leaves.iter().for_each(|leaf| range.push(*leaf));
            let root = root_by_definition(&leaves);
            prop_assert_eq!(range.root(), root);
            prop_assert_eq!(range.leaves(), count as u64);

            let index = at.index(count);
            let path = path(index, &leaves);
            prop_assert_eq!(root_of_path(index as u64, count as u64, leaves[index], &path), Some(root));
            let mut bent = leaves[index];
            bent[0] ^= 1;
            prop_assert_ne!(root_of_path(index as u64, count as u64, bent, &path), Some(root));

            let mut before = range_before(index as u64, count as u64, &path).unwrap();
            for end in index..count {
                prop_assert_eq!(before.root(), root_by_definition(&leaves[..end]));
                before.push(leaves[end]);
            }
            prop_assert_eq!(before.root(), root);
        }
    }
}

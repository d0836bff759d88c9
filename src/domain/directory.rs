//! From the id of a budget to its slot.
//!
//! A tree by the hash of the id, whose copies share what they have in common. It holds no ids: a leaf tells the slots at
//! which an id of that hash may be, and whoever asks looks there.

use std::array;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use crate::domain::hashing::Hashing;
use crate::domain::slots::Slot;
use crate::ids::BudgetId;

/// The slots of budgets. Copies share it until they change.
#[derive(Debug, Clone, Default)]
pub(super) struct Directory {
    root: Node,
}

#[derive(Debug, Clone)]
enum Node {
    Leaf(Arc<[Entry]>),
    Branch(Arc<[Node; BRANCH_LEN]>),
}

impl Default for Node {
    fn default() -> Node {
        Node::Leaf(Arc::default())
    }
}

/// A part of the hash of an id, above the slot of its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry(u64);

const BRANCH_BITS: u32 = 4;
const BRANCH_LEN: usize = 1 << BRANCH_BITS;
/// A leaf of more entries becomes a branch.
const LEAF_LEN: usize = 16;
/// How many bits of a hash are kept.
const TAG_BITS: u32 = u64::BITS - Slot::BITS;

/// What is kept of the hash of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tag(u64);

impl Tag {
    #[inline]
    fn of(id: &BudgetId) -> Tag {
        let mut hasher = Hashing::of_process().build_hasher();
        match id {
            BudgetId::Named(name) => hasher.write(name.as_bytes()),
            BudgetId::Goal(goal) => hasher.write(goal.0.as_bytes()),
        }
        Tag(hasher.finish() >> Slot::BITS)
    }

    /// Which child of a branch at that depth it belongs to.
    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits are asked for")]
    fn child(self, depth: u32) -> usize {
        (self.0 >> (depth * BRANCH_BITS)) as usize & (BRANCH_LEN - 1)
    }
}

impl Entry {
    fn new(tag: Tag, slot: Slot) -> Entry {
        Entry((tag.0 << Slot::BITS) | slot.number())
    }

    fn tag(self) -> Tag {
        Tag(self.0 >> Slot::BITS)
    }

    fn slot(self) -> Slot {
        Slot::new(self.0 & Slot::LAST.number())
    }
}

impl Directory {
    /// The slot of an id, where `is_it` says of a slot whether it is the one.
    #[inline]
    pub(super) fn find(&self, id: &BudgetId, mut is_it: impl FnMut(Slot) -> bool) -> Option<Slot> {
        let tag = Tag::of(id);
        let mut node = &self.root;
        let mut depth = 0;
        loop {
            match node {
                Node::Branch(children) => node = &children[tag.child(depth)],
                Node::Leaf(entries) => {
                    let mut alike = entries.iter().filter(|entry| entry.tag() == tag);
                    return alike.find(|entry| is_it(entry.slot())).map(|entry| entry.slot());
                }
            }
            depth += 1;
        }
    }

    /// Takes in the slot of an id that is not in it.
    pub(super) fn insert(&mut self, id: &BudgetId, slot: Slot) {
        let entry = Entry::new(Tag::of(id), slot);
        let mut node = &mut self.root;
        let mut depth = 0;
        loop {
            if let Node::Leaf(entries) = node
                && entries.len() >= LEAF_LEN
                && depth < TAG_BITS / BRANCH_BITS
            {
                *node = split(entries, depth);
            }
            match node {
                Node::Branch(children) => node = &mut Arc::make_mut(children)[entry.tag().child(depth)],
                Node::Leaf(entries) => {
                    *entries = entries.iter().copied().chain([entry]).collect();
                    return;
                }
            }
            depth += 1;
        }
    }

    /// Takes out the slot of an id.
    pub(super) fn remove(&mut self, id: &BudgetId, slot: Slot) {
        let entry = Entry::new(Tag::of(id), slot);
        let mut node = &mut self.root;
        let mut depth = 0;
        while let Node::Branch(children) = node {
            node = &mut Arc::make_mut(children)[entry.tag().child(depth)];
            depth += 1;
        }
        if let Node::Leaf(entries) = node {
            *entries = entries.iter().copied().filter(|other| *other != entry).collect();
        }
    }
}

fn split(entries: &[Entry], depth: u32) -> Node {
    Node::Branch(Arc::new(array::from_fn(|child| {
        let of_child = |entry: &&Entry| entry.tag().child(depth) == child;
        Node::Leaf(entries.iter().filter(of_child).copied().collect())
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> BudgetId {
        BudgetId::from(format!("budget-{number}"))
    }

    fn find(directory: &Directory, number: u64) -> Option<u64> {
        directory.find(&id(number), |slot| slot.number() == number).map(Slot::number)
    }

    #[test]
    fn every_id_is_found_until_it_is_taken_out_and_a_copy_stays_as_it_was() {
        let mut directory = Directory::default();
        (1..20_000).for_each(|number| directory.insert(&id(number), Slot::new(number)));
        let copy = directory.clone();
        (3..20_000).step_by(3).for_each(|number| directory.remove(&id(number), Slot::new(number)));
        for number in 1..20_000 {
            assert_eq!(find(&copy, number), Some(number));
            assert_eq!(find(&directory, number), (number % 3 != 0).then_some(number));
        }
        assert_eq!(find(&copy, 20_000), None);
    }

    /// However many ids have one hash: all of them are found. The lowest leaves are never split.
    #[test]
    fn ids_with_one_hash_are_told_apart_by_whoever_asks() {
        let mut directory = Directory::default();
        (1..=100).for_each(|number| directory.insert(&id(7), Slot::new(number)));
        for number in 1..=100 {
            let found = directory.find(&id(7), |slot| slot.number() == number);
            assert_eq!(found, Some(Slot::new(number)));
        }
        directory.remove(&id(7), Slot::new(50));
        assert_eq!(directory.find(&id(7), |slot| slot.number() == 50), None);
        assert!(directory.find(&id(7), |slot| slot.number() == 51).is_some());
    }

    #[test]
    fn many_ids_are_spread_over_the_leaves() {
        let mut directory = Directory::default();
        (1..=50_000).for_each(|number| directory.insert(&id(number), Slot::new(number)));
        let (mut leaves, mut deepest) = (0, 0);
        let mut nodes = vec![(&directory.root, 0)];
        while let Some((node, depth)) = nodes.pop() {
            match node {
                Node::Leaf(_) => (leaves, deepest) = (leaves + 1, deepest.max(depth)),
                Node::Branch(children) => nodes.extend(children.iter().map(|child| (child, depth + 1))),
            }
        }
        assert!((50_000 / LEAF_LEN..50_000).contains(&leaves), "{leaves}");
        assert!(deepest <= 5, "{deepest}");
    }
}

//! Values by number, in the order of their numbers: what is made gets the next number, and keeps it.
//!
//! A tree of small nodes that the copies of a state share: a copy costs the same however much there is, and a change
//! copies the nodes on the way to its value, once until the next copy. Nodes without a value are let go, so that what is
//! forgotten leaves nothing behind, and numbers need not be used again.

use std::array;
use std::num::NonZeroU64;
use std::sync::Arc;

/// The number of a value, from 1 on: less than that of everything that was made after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(NonZeroU64);

impl Slot {
    /// The first.
    pub(super) const FIRST: Slot = Slot(NonZeroU64::MIN);
    /// What no slot lies behind: a directory keeps them in 40 bits, which last for three centuries of a hundred budgets a
    /// second.
    pub(super) const LAST: Slot = Slot(NonZeroU64::MIN.saturating_add((1 << Slot::BITS) - 2));
    /// How many bits a slot takes.
    pub(super) const BITS: u32 = 40;

    /// The slot of that number, or the nearest.
    #[inline]
    pub(super) fn new(number: u64) -> Slot {
        NonZeroU64::new(number).map_or(Slot::FIRST, |number| Slot(number).min(Slot::LAST))
    }

    #[inline]
    pub(super) fn number(self) -> u64 {
        self.0.get()
    }

    /// The one after it.
    fn next(self) -> Option<Slot> {
        (self < Slot::LAST).then(|| Slot::new(self.number() + 1))
    }
}

/// So many values lie side by side. Few: a change copies all of them.
const LEAF_BITS: u32 = 2;
/// So many nodes hang under one.
const BRANCH_BITS: u32 = 4;

const LEAF_LEN: usize = 1 << LEAF_BITS;
const BRANCH_LEN: usize = 1 << BRANCH_BITS;

#[derive(Debug)]
enum Node<T> {
    Leaf(Arc<[Option<T>; LEAF_LEN]>),
    Branch(Arc<[Option<Node<T>>; BRANCH_LEN]>),
}

impl<T> Clone for Node<T> {
    fn clone(&self) -> Node<T> {
        match self {
            Node::Leaf(values) => Node::Leaf(Arc::clone(values)),
            Node::Branch(children) => Node::Branch(Arc::clone(children)),
        }
    }
}

/// Values by slot. Copies share what they have in common.
#[derive(Debug)]
pub(super) struct Slots<T> {
    root: Option<Node<T>>,
    /// How many bits of a number the children of the root are picked after; 0: the root is a leaf.
    shift: u32,
    /// The greatest number that the tree has room for.
    greatest: u64,
    len: usize,
}

impl<T> Clone for Slots<T> {
    fn clone(&self) -> Slots<T> {
        Slots { root: self.root.clone(), ..*self }
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots { root: None, shift: 0, greatest: greatest(0), len: 0 }
    }
}

impl<T> Slots<T> {
    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<&T> {
        if slot.number() > self.greatest {
            return None;
        }
        let mut node = self.root.as_ref()?;
        let mut shift = self.shift;
        loop {
            match node {
                Node::Leaf(values) => return values[leaf_index(slot.number())].as_ref(),
                Node::Branch(children) => {
                    node = children[branch_index(slot.number(), shift)].as_ref()?;
                    // Whether a leaf comes next is for the node to say.
                    shift = shift.saturating_sub(BRANCH_BITS);
                }
            }
        }
    }

    /// The first value that is not before a slot, and its slot.
    pub(super) fn first_from(&self, slot: Slot) -> Option<(Slot, &T)> {
        if slot.number() > self.greatest {
            return None;
        }
        first_from(self.root.as_ref()?, self.shift, slot.number())
    }

    /// The last value before a slot, and its slot.
    pub(super) fn last_before(&self, slot: Slot) -> Option<(Slot, &T)> {
        let last = slot.number().saturating_sub(1).min(self.greatest);
        last_through(self.root.as_ref()?, self.shift, last)
    }

    /// The last value, and its slot.
    pub(super) fn last(&self) -> Option<(Slot, &T)> {
        last_through(self.root.as_ref()?, self.shift, self.greatest)
    }

    /// All values, from the first to the last.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        let mut next = Some(Slot::FIRST);
        std::iter::from_fn(move || {
            let (slot, value) = self.first_from(next?)?;
            next = slot.next();
            Some((slot, value))
        })
    }

    /// The values before a slot, or all of them, from the last to the first.
    pub(super) fn newest_first(&self, before: Option<Slot>) -> impl Iterator<Item = (Slot, &T)> {
        let mut found = match before {
            None => self.last(),
            Some(slot) => self.last_before(slot),
        };
        std::iter::from_fn(move || {
            let (slot, value) = found?;
            found = self.last_before(slot);
            Some((slot, value))
        })
    }
}

impl<T: Clone> Slots<T> {
    /// The value, to be changed.
    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        if slot.number() > self.greatest {
            return None;
        }
        let mut node = self.root.as_mut()?;
        let mut shift = self.shift;
        loop {
            match node {
                Node::Leaf(values) => return Arc::make_mut(values)[leaf_index(slot.number())].as_mut(),
                Node::Branch(children) => {
                    node = Arc::make_mut(children)[branch_index(slot.number(), shift)].as_mut()?;
                    shift = shift.saturating_sub(BRANCH_BITS);
                }
            }
        }
    }

    /// Puts a value in its slot. The value that was there.
    pub(super) fn insert(&mut self, slot: Slot, value: T) -> Option<T> {
        while slot.number() > self.greatest {
            let shift = if self.shift == 0 { LEAF_BITS } else { self.shift + BRANCH_BITS };
            if let Some(root) = self.root.take() {
                let mut children = array::from_fn(|_| None);
                children[0] = Some(root);
                self.root = Some(Node::Branch(Arc::new(children)));
            }
            self.shift = shift;
            self.greatest = greatest(shift);
        }
        let mut place = &mut self.root;
        let mut shift = self.shift;
        let values = loop {
            match place.get_or_insert_with(|| Node::empty(shift)) {
                Node::Leaf(values) => break values,
                Node::Branch(children) => {
                    place = &mut Arc::make_mut(children)[branch_index(slot.number(), shift)];
                    shift = below(shift);
                }
            }
        };
        let before = Arc::make_mut(values)[leaf_index(slot.number())].replace(value);
        self.len += usize::from(before.is_none());
        before
    }

    /// Takes a value out.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<T> {
        self.get(slot)?;
        let value = take_out(&mut self.root, self.shift, slot.number());
        self.len -= usize::from(value.is_some());
        value
    }
}

impl<T> Node<T> {
    fn empty(shift: u32) -> Node<T> {
        match shift {
            0 => Node::Leaf(Arc::new(array::from_fn(|_| None))),
            _ => Node::Branch(Arc::new(array::from_fn(|_| None))),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lowest bits are asked for")]
fn leaf_index(number: u64) -> usize {
    number as usize & (LEAF_LEN - 1)
}

#[expect(clippy::cast_possible_truncation, reason = "the lowest bits are asked for")]
fn branch_index(number: u64, shift: u32) -> usize {
    (number >> shift) as usize & (BRANCH_LEN - 1)
}

/// The greatest number that a tree has room for whose root is of that shift.
fn greatest(shift: u32) -> u64 {
    let bits = if shift == 0 { LEAF_BITS } else { shift + BRANCH_BITS };
    u64::MAX.checked_shr(u64::BITS.saturating_sub(bits)).unwrap_or(0)
}

/// The shift of the nodes below those of that shift.
fn below(shift: u32) -> u32 {
    if shift <= LEAF_BITS { 0 } else { shift - BRANCH_BITS }
}

/// Takes a value out of a node, and the node out of its place when it was the last one.
fn take_out<T: Clone>(place: &mut Option<Node<T>>, shift: u32, number: u64) -> Option<T> {
    let (value, is_empty) = match place.as_mut()? {
        Node::Leaf(values) => {
            let values = Arc::make_mut(values);
            (values[leaf_index(number)].take(), values.iter().all(Option::is_none))
        }
        Node::Branch(children) => {
            let children = Arc::make_mut(children);
            let value = take_out(&mut children[branch_index(number, shift)], below(shift), number);
            (value, children.iter().all(Option::is_none))
        }
    };
    if is_empty {
        *place = None;
    }
    value
}

fn first_from<T>(node: &Node<T>, shift: u32, from: u64) -> Option<(Slot, &T)> {
    match node {
        Node::Leaf(values) => {
            let base = from - leaf_index(from) as u64;
            (leaf_index(from)..LEAF_LEN)
                .find_map(|index| Some((Slot::new(base + index as u64), values[index].as_ref()?)))
        }
        Node::Branch(children) => {
            let first = branch_index(from, shift);
            (first..BRANCH_LEN).find_map(|index| {
                let begin = ((from >> shift) + (index - first) as u64) << shift;
                first_from(children[index].as_ref()?, below(shift), begin.max(from))
            })
        }
    }
}

fn last_through<T>(node: &Node<T>, shift: u32, last: u64) -> Option<(Slot, &T)> {
    match node {
        Node::Leaf(values) => {
            let base = last - leaf_index(last) as u64;
            (0..=leaf_index(last))
                .rev()
                .find_map(|index| Some((Slot::new(base + index as u64), values[index].as_ref()?)))
        }
        Node::Branch(children) => {
            let greatest = branch_index(last, shift);
            (0..=greatest).rev().find_map(|index| {
                let end = (((last >> shift) - (greatest - index) as u64 + 1) << shift) - 1;
                last_through(children[index].as_ref()?, below(shift), end.min(last))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn check(slots: &Slots<u32>, model: &BTreeMap<u64, u32>) {
        let entries: Vec<(u64, u32)> = slots.iter().map(|(slot, &value)| (slot.number(), value)).collect();
        assert!(entries.iter().copied().eq(model.iter().map(|(&number, &value)| (number, value))));
        let backwards: Vec<u64> = slots.newest_first(None).map(|(slot, _)| slot.number()).collect();
        assert!(backwards.iter().eq(model.keys().rev()));
        assert_eq!(slots.len(), model.len());
        assert_eq!(slots.last().map(|(slot, _)| slot.number()), model.keys().last().copied());
    }

    proptest! {
        /// Against a map of the standard library; a copy stays as it was.
        #[test]
        fn they_are_a_map_whose_copies_stay_as_they_were(
            steps in proptest::collection::vec((0..4_u8, prop_oneof![1..40_u64, 1..5_000_u64, 1..(1_u64 << 39)]), 1..120),
        ) {
            let (mut slots, mut model) = (Slots::default(), BTreeMap::new());
            let mut copies = Vec::new();
            for (value, (step, number)) in (0_u32..).zip(steps) {
                let slot = Slot::new(number);
                match step {
                    0 => copies.push((slots.clone(), model.clone())),
                    1 => prop_assert_eq!(slots.remove(slot), model.remove(&number)),
                    _ => prop_assert_eq!(slots.insert(slot, value), model.insert(number, value)),
                }
                prop_assert_eq!(slots.get(slot), model.get(&number));
                if let Some(found) = slots.get_mut(slot) {
                    *found += 1_000;
                    *model.get_mut(&number).unwrap() += 1_000;
                }
                let after = slots.first_from(slot).map(|(slot, _)| slot.number());
                prop_assert_eq!(after, model.range(number..).next().map(|(&number, _)| number));
                let before = slots.newest_first(Some(slot)).next().map(|(slot, _)| slot.number());
                prop_assert_eq!(before, model.range(..number).next_back().map(|(&number, _)| number));
            }
            copies.push((slots, model));
            copies.iter().for_each(|(slots, model)| check(slots, model));
        }
    }

    #[test]
    fn what_is_taken_out_leaves_nothing_behind() {
        let mut slots = Slots::default();
        for number in 1..=10_000 {
            slots.insert(Slot::new(number), number);
            if number > 10 {
                slots.remove(Slot::new(number - 10));
            }
        }
        assert_eq!(slots.len(), 10);
        assert!(nodes(slots.root.as_ref().unwrap()) < 30);
        for number in 9_991..=10_000 {
            slots.remove(Slot::new(number));
        }
        assert!(slots.root.is_none());
    }

    fn nodes<T>(node: &Node<T>) -> usize {
        match node {
            Node::Leaf(_) => 1,
            Node::Branch(children) => 1 + children.iter().flatten().map(nodes).sum::<usize>(),
        }
    }
}

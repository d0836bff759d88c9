//! The budgets of a state: found by their ids, kept in the order of their making, each with the way to the one above it.

use std::sync::OnceLock;

use crate::domain::Budget;
use crate::domain::directory::Directory;
use crate::domain::leaf::Digest;
use crate::domain::slots::{Slot, Slots};
use crate::ids::BudgetId;

/// Budgets. Copies share what they have in common.
#[derive(Debug, Clone, Default)]
pub(super) struct Budgets {
    directory: Directory,
    slots: Slots<Entry>,
    /// How many were ever made: the number of the last slot that was given.
    made: u64,
}

/// A budget, where it hangs, and its digest, which is computed when asked and dropped when it changes.
#[derive(Debug)]
struct Entry {
    budget: Budget,
    above: Option<Slot>,
    digest: OnceLock<Digest>,
}

impl Clone for Entry {
    /// One of a few that are copied when one of them changes: the digests of the others stay good.
    fn clone(&self) -> Entry {
        Entry { budget: self.budget.clone(), above: self.above, digest: self.digest.clone() }
    }
}

impl Budgets {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The slot of a budget.
    pub(super) fn slot(&self, id: &BudgetId) -> Option<Slot> {
        self.entry(id).map(|(slot, _)| slot)
    }

    /// A budget and its slot.
    pub(super) fn find(&self, id: &BudgetId) -> Option<(Slot, &Budget)> {
        self.entry(id).map(|(slot, entry)| (slot, &entry.budget))
    }

    pub(super) fn get(&self, id: &BudgetId) -> Option<&Budget> {
        self.entry(id).map(|(_, entry)| &entry.budget)
    }

    #[inline]
    fn entry(&self, id: &BudgetId) -> Option<(Slot, &Entry)> {
        self.directory.find(id, |slot| {
            let entry = self.slots.get(slot)?;
            (entry.budget.id == *id).then_some((slot, entry))
        })
    }

    #[inline]
    pub(super) fn at(&self, slot: Slot) -> Option<&Budget> {
        self.slots.get(slot).map(|entry| &entry.budget)
    }

    /// A budget and those above it, up to the root, each of them looked for once; nothing where it is not known.
    #[inline]
    pub(super) fn path_of(&self, id: &BudgetId) -> impl Iterator<Item = &Budget> + use<'_> {
        let mut next = self.entry(id).map(|(_, entry)| entry);
        std::iter::from_fn(move || {
            let entry = next?;
            next = entry.above.and_then(|above| self.slots.get(above));
            Some(&entry.budget)
        })
    }

    /// The same from a slot on.
    #[inline]
    pub(super) fn path(&self, from: Option<Slot>) -> impl Iterator<Item = &Budget> + use<'_> {
        let mut next = from;
        std::iter::from_fn(move || {
            let entry = self.slots.get(next?)?;
            next = entry.above;
            Some(&entry.budget)
        })
    }

    /// A budget, to be changed, and the slot of the one above it.
    #[inline]
    pub(super) fn change(&mut self, slot: Slot) -> Option<(&mut Budget, Option<Slot>)> {
        let entry = self.slots.get_mut(slot)?;
        entry.digest.take();
        Some((&mut entry.budget, entry.above))
    }

    /// Takes in a new budget. Its slot; `None`: there is one of that id, or no slot is left.
    pub(super) fn insert(&mut self, budget: Budget) -> Option<Slot> {
        if self.slot(&budget.id).is_some() || self.made >= Slot::LAST.number() {
            return None;
        }
        self.made += 1;
        let slot = Slot::new(self.made);
        self.directory.insert(&budget.id, slot);
        let above = budget.parent.as_ref().and_then(|parent| self.slot(parent));
        self.slots.insert(slot, Entry { budget, above, digest: OnceLock::new() });
        Some(slot)
    }

    /// Takes a budget out.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<Budget> {
        let entry = self.slots.remove(slot)?;
        self.directory.remove(&entry.budget.id, slot);
        Some(entry.budget)
    }

    /// The budget that was made last.
    pub(super) fn last(&self) -> Option<&Budget> {
        self.slots.last().map(|(_, entry)| &entry.budget)
    }

    /// All budgets, in the order of their making.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Budget> {
        self.slots.iter().map(|(_, entry)| &entry.budget)
    }

    /// The budgets that were made before one, or all of them, the newest first.
    pub(super) fn newest_first(&self, before: Option<Slot>) -> impl Iterator<Item = (Slot, &Budget)> {
        self.slots.newest_first(before).map(|(slot, entry)| (slot, &entry.budget))
    }

    /// The digests of all budgets, in the order of their making: each what `compute` says of the budget the first time
    /// it is asked after a change.
    pub(super) fn digests(&self, compute: impl Fn(&Budget) -> Digest) -> impl Iterator<Item = &Digest> {
        self.slots.iter().map(move |(_, entry)| entry.digest.get_or_init(|| compute(&entry.budget)))
    }
}

//! The names of the simulated files: as processes see them, as they are on the disk, and the changes in between.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::Survivors;
use crate::ids::SeededEntropy;

/// The number of a file, whatever its name.
pub(super) type InodeId = u64;

#[derive(Debug, Clone, Default)]
pub(super) struct Directory {
    cached: BTreeMap<String, InodeId>,
    durable: BTreeMap<String, InodeId>,
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Add { name: String, inode: InodeId },
    Rename { from: String, to: String, inode: InodeId },
    Remove { name: String },
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, InodeId>) {
        match self {
            Change::Add { name, inode } => {
                names.insert(name.clone(), *inode);
            }
            Change::Rename { from, to, inode } => {
                names.remove(from);
                // A file keeps one name also where a rename before this one did not get to the disk.
                names.retain(|_, other| other != inode);
                names.insert(to.clone(), *inode);
            }
            Change::Remove { name } => {
                names.remove(name);
            }
        }
    }
}

impl Directory {
    pub(super) fn names(&self) -> Vec<String> {
        self.cached.keys().cloned().collect()
    }

    pub(super) fn find(&self, name: &str) -> io::Result<InodeId> {
        self.cached.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn find_durable(&self, name: &str) -> io::Result<InodeId> {
        self.durable.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn add(&mut self, name: &str, inode: InodeId) -> io::Result<()> {
        if self.cached.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.change(Change::Add { name: name.to_owned(), inode });
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let inode = self.find(from)?;
        if from != to {
            self.change(Change::Rename { from: from.to_owned(), to: to.to_owned(), inode });
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.find(name)?;
        self.change(Change::Remove { name: name.to_owned() });
        Ok(())
    }

    /// Gives a name to another file, whether it has been taken or not.
    pub(super) fn replace(&mut self, name: &str, inode: InodeId) {
        self.change(Change::Add { name: name.to_owned(), inode });
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.cached);
        self.unsynced.push(change);
    }

    pub(super) fn sync(&mut self) {
        self.durable.clone_from(&self.cached);
        self.unsynced.clear();
    }

    /// The power is cut: each change that was not synced is on the disk or is not.
    pub(super) fn survive(&mut self, survivors: Survivors, entropy: &SeededEntropy) {
        let changes = std::mem::take(&mut self.unsynced);
        let fate = match survivors {
            Survivors::Nothing => Fate::First(0),
            Survivors::Everything => Fate::First(changes.len() as u64),
            Survivors::Seeded => match entropy.below(4) {
                0 => Fate::First(0),
                1 => Fate::First(changes.len() as u64),
                2 => Fate::First(entropy.below(changes.len() as u64 + 1)),
                _ => Fate::Any,
            },
        };
        for (change, position) in changes.iter().zip(0..) {
            let is_kept = match fate {
                Fate::First(count) => position < count,
                Fate::Any => entropy.below(2) == 0,
            };
            if is_kept {
                change.apply(&mut self.durable);
            }
        }
        self.cached.clone_from(&self.durable);
    }

    /// The files that have a name.
    pub(super) fn inodes(&self) -> impl Iterator<Item = InodeId> {
        self.cached.values().copied()
    }

    /// The files that have a name, or may have one again after a power cut.
    pub(super) fn reachable(&self) -> BTreeSet<InodeId> {
        let changed = self.unsynced.iter().filter_map(|change| match change {
            Change::Add { inode, .. } | Change::Rename { inode, .. } => Some(*inode),
            Change::Remove { .. } => None,
        });
        self.cached.values().chain(self.durable.values()).copied().chain(changed).collect()
    }
}

/// Which of the changes of names a power cut leaves: those up to some moment, as on a file system that journals them
/// in order, or any, as POSIX allows.
#[derive(Clone, Copy)]
enum Fate {
    First(u64),
    Any,
}

//! A whole journal against an anchor: all that verification does, and whether its history is the one that was covered.

use std::path::Path;

use super::checkpoint::{Checkpoint, head_after};
use super::witness::Witness;
use crate::domain::FOLD_VERSION;
use crate::engine::{JournalReader, Sealed, VerifyReport, verify_witnessed};
use crate::error::Error;
use crate::storage::{Files, Storage};

/// What [`verify`] found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AnchorReport {
    /// What is wrong with the journal by itself.
    pub journal: VerifyReport,
    /// Where it is not what the anchor covered.
    pub mismatches: Vec<Mismatch>,
    /// The events that are what the anchor covered, as the first and the last `seq` of each run: they were read, and come
    /// to the anchor's head.
    pub proved: Vec<(u64, u64)>,
    /// The events that the anchor covers and that could not be looked at: pruned, damaged, or from before the spine.
    pub unseen: Vec<(u64, u64)>,
    /// Whether the chain of closed segments leads to the anchor's `sealed` head.
    pub is_chained: bool,
    /// The state that the anchor states.
    pub state: StateCheck,
}

/// A place where a journal is not what an anchor covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The first `seq` of the range in which the difference lies.
    pub first_seq: u64,
    /// The last.
    pub last_seq: u64,
    /// What differs.
    pub message: String,
}

/// What became of the state hash in an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateCheck {
    /// The events come to that state.
    Matches,
    /// They come to another.
    Differs,
    /// The state as of then cannot be had: what leads there is pruned or damaged.
    Unavailable,
    /// It was made by another version of the fold: hashes compare only within one.
    OtherFold,
}

impl AnchorReport {
    /// Whether nothing contradicts the anchor, and the journal is not damaged. What could not be looked at is not proved all the same: see
    /// [`unseen`](Self::unseen).
    pub fn holds(&self) -> bool {
        self.mismatches.is_empty() && !self.journal.is_damaged()
    }
}

/// Checks everything that [`JournalReader::verify`] checks, and the history against an anchor, whose signature is for the caller to
/// check.
///
/// # Errors
/// See [`JournalReader::verify`].
pub fn verify(reader: &JournalReader, anchor: &Checkpoint) -> Result<AnchorReport, Error> {
    verify_storage(&**reader.storage(), anchor)
}

/// [`verify`] without opening the journal first: also for one that is too damaged to be opened.
///
/// # Errors
/// See [`JournalReader::verify`].
pub fn verify_dir(dir: impl AsRef<Path>, anchor: &Checkpoint) -> Result<AnchorReport, Error> {
    let dir = dir.as_ref();
    let files = Files::open(dir);
    let files =
        files.map_err(|error| Error::io(format!("opening the directory {}", dir.display()), error))?;
    verify_storage(&files, anchor)
}

/// [`verify_dir`] in any storage.
///
/// # Errors
/// See [`JournalReader::verify`].
pub fn verify_storage(storage: &dyn Storage, anchor: &Checkpoint) -> Result<AnchorReport, Error> {
    let witness = Witness::of_part(anchor.sealed_size.saturating_add(1), anchor.size);
    let (journal, sealed, witness) = verify_witnessed(storage, witness)?;
    let mut report = AnchorReport {
        journal,
        mismatches: Vec::new(),
        proved: Vec::new(),
        unseen: Vec::new(),
        is_chained: false,
        state: StateCheck::Unavailable,
    };
    report.compare(anchor, &sealed, &witness);
    Ok(report)
}

impl AnchorReport {
    fn differ(&mut self, first_seq: u64, last_seq: u64, message: impl Into<String>) {
        self.mismatches.push(Mismatch { first_seq, last_seq, message: message.into() });
    }

    fn compare(&mut self, anchor: &Checkpoint, sealed: &Sealed, witness: &Witness) {
        let size = anchor.size;
        if self.journal.journal_id != anchor.journal_id {
            let found = format!(
                "the anchor is of journal {}, and this is {}",
                anchor.journal_id, self.journal.journal_id
            );
            self.differ(1, size, found);
            self.unseen.push((1, size));
            return;
        }
        if anchor.sealed_size > size || anchor.sealed_size == size && anchor.sealed_head != anchor.head {
            self.differ(1, size, "the anchor contradicts itself: its sealed head is not before its head");
        }
        let last = self.journal.last_seq;
        if last < size && !self.journal.is_damaged() {
            let found = format!("the journal ends with seq {last}, and the anchor covers up to seq {size}");
            self.differ(last.saturating_add(1), size, found);
        }
        self.is_chained = self.compare_chain(anchor, sealed);
        for &(first_seq, next_seq) in &sealed.differing {
            if first_seq <= anchor.sealed_size {
                let found = "the events come to another root than the spine states";
                self.differ(first_seq, next_seq.saturating_sub(1), found);
            }
        }
        if self.is_chained {
            let covered = sealed
                .confirmed
                .iter()
                .filter(|(first, next)| first < next && *next - 1 <= anchor.sealed_size);
            self.proved = covered.map(|(first, next)| (*first, next - 1)).collect();
        }
        self.compare_part(anchor, witness);
        self.compare_state(anchor, witness);
        self.tidy(size);
    }

    /// Whether the chain of closed segments leads to the anchor.
    fn compare_chain(&mut self, anchor: &Checkpoint, sealed: &Sealed) -> bool {
        let target = anchor.sealed_size;
        let is_damaged = self.journal.is_damaged();
        let Some(chain) = &sealed.chain else {
            if !is_damaged {
                self.differ(
                    1,
                    target,
                    "there is no spine, and something was pruned: an anchor is made only where there is one",
                );
            }
            return false;
        };
        if target.saturating_add(1) < chain.first_seq() {
            let found = format!(
                "the spine begins with seq {}, after what the anchor says was closed",
                chain.first_seq()
            );
            self.differ(1, target, found);
            return false;
        }
        let mut heads = chain.heads_after(target).peekable();
        let is_there = heads.peek().is_some();
        let end = heads.find(|(_, head)| *head == anchor.sealed_head);
        drop(heads);
        if let Some((end, _)) = end {
            // The anchor's last part, if it was closed as it was then: also where its events are pruned.
            let part =
                chain.entries().get(end).filter(|entry| entry.next_seq.checked_sub(1) == Some(anchor.size));
            if part.is_some_and(|entry| anchor.size > target && entry.head != anchor.head) {
                let found =
                    format!("the chain has another head after seq {} than the anchor says", anchor.size);
                self.differ(target.saturating_add(1), anchor.size, found);
            }
            return true;
        }
        let first = chain.first_seq().min(target);
        if is_there {
            let found = format!("the chain has another head after seq {target} than the anchor says");
            self.differ(first, target, found);
        } else if chain.next_seq() > target.saturating_add(1) {
            self.differ(
                first,
                target,
                format!("no segment ends with seq {target}, as one did when the anchor was made"),
            );
        } else if !is_damaged && self.journal.last_seq >= anchor.size {
            let found = format!(
                "the segments that were closed end with seq {}, and the anchor says with {target}",
                chain.next_seq() - 1
            );
            self.differ(chain.next_seq(), target, found);
        }
        false
    }

    /// The events after the last closed segment of then, wherever they lie now.
    fn compare_part(&mut self, anchor: &Checkpoint, witness: &Witness) {
        if anchor.size <= anchor.sealed_size || !self.is_chained {
            return;
        }
        let (first_seq, last_seq) = (anchor.sealed_size + 1, anchor.size);
        let Some(range) = witness.part() else { return };
        if head_after(&anchor.sealed_head, anchor.sealed_size, anchor.size, range) == anchor.head {
            self.proved.push((first_seq, last_seq));
        } else {
            self.differ(first_seq, last_seq, "the events come to another head than the anchor says");
        }
    }

    fn compare_state(&mut self, anchor: &Checkpoint, witness: &Witness) {
        self.state = match witness.state {
            _ if anchor.fold_version != FOLD_VERSION => StateCheck::OtherFold,
            None => StateCheck::Unavailable,
            Some(found) if found == anchor.state_hash => StateCheck::Matches,
            Some(_) => StateCheck::Differs,
        };
        if self.state == StateCheck::Differs {
            let found = format!("the state after seq {} has another hash than the anchor says", anchor.size);
            self.differ(anchor.size, anchor.size, found);
        }
    }

    /// Joins runs, and says what is in none.
    fn tidy(&mut self, size: u64) {
        self.proved.sort_unstable();
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for &(first, last) in &self.proved {
            match runs.last_mut() {
                Some(run) if first <= run.1.saturating_add(1) => run.1 = run.1.max(last),
                _ => runs.push((first, last)),
            }
        }
        self.proved = runs;
        let mut next = 1;
        for &(first, last) in &self.proved {
            if next < first {
                self.unseen.push((next, first - 1));
            }
            next = last.saturating_add(1);
        }
        if next <= size {
            self.unseen.push((next, size));
        }
        self.mismatches.sort_by_key(|found| (found.first_seq, found.last_seq));
        self.mismatches.dedup();
    }
}

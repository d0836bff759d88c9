//! The bounded memory of what was booked, and of what ended: the newest of each, within the window of idempotency keys.

use imbl::Vector;

use crate::clock::Timestamp;
use crate::domain::KeyWindow;
use crate::ids::BudgetId;

/// What happened in the order of events, the oldest first; forgotten by the time and number of events (law FOLD).
#[derive(Debug, Clone)]
pub(super) struct Memory<T: Clone> {
    entries: Vector<Entry<T>>,
    forgotten_through: Option<Timestamp>,
}

/// One of it.
#[derive(Debug, Clone)]
pub(super) struct Entry<T> {
    /// The `seq` of its event.
    pub(super) seq: u64,
    /// The time of its event.
    pub(super) at: Timestamp,
    /// What it was.
    pub(super) what: T,
}

/// An amount that was booked at a budget and at every one above it, or taken back there.
#[derive(Debug, Clone)]
pub(super) struct Booking {
    pub(super) budget_id: BudgetId,
    pub(super) amount: u128,
    /// Whether it was taken back.
    pub(super) is_reversal: bool,
}

impl<T: Clone> Memory<T> {
    /// Remembers something that just happened.
    pub(super) fn push(&mut self, seq: u64, at: Timestamp, what: T) {
        self.entries.push_back(Entry { seq, at, what });
    }

    /// The memory of a snapshot, before anything is taken in.
    pub(super) fn restored(forgotten_through: Option<Timestamp>) -> Memory<T> {
        Memory { entries: Vector::new(), forgotten_through }
    }

    /// Takes in one of a snapshot, which has to come after those before it.
    pub(super) fn restore(&mut self, seq: u64, at: Timestamp, what: T) -> Result<(), String> {
        match self.entries.back() {
            Some(last) if last.seq >= seq => {
                Err(format!("expected it in the order of events, found seq {seq} after seq {}", last.seq))
            }
            _ => {
                self.push(seq, at, what);
                Ok(())
            }
        }
    }

    /// Takes out the oldest, if it is too old or there are too many: when it happened, and what it was.
    pub(super) fn pop_outside(&mut self, window: KeyWindow, now: Timestamp) -> Option<(Timestamp, T)> {
        let oldest = self.entries.front()?;
        if !window.is_too_old(oldest.at, now) && !window.is_too_many(self.entries.len()) {
            return None;
        }
        self.entries.pop_front().map(|entry| (entry.at, entry.what))
    }

    /// Takes note that something from that time is no longer remembered.
    pub(super) fn forgot(&mut self, at: Timestamp) {
        self.forgotten_through = self.forgotten_through.max(Some(at));
    }

    /// The time of the youngest that was ever forgotten: up to here, what is not known may have been.
    pub(super) fn forgotten_through(&self) -> Option<Timestamp> {
        self.forgotten_through
    }

    /// The newest.
    pub(super) fn last(&self) -> Option<&T> {
        self.entries.back().map(|entry| &entry.what)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry<T>> {
        self.entries.iter()
    }

    /// Those from before that event, the newest first.
    pub(super) fn before(&self, seq: u64) -> impl Iterator<Item = &Entry<T>> {
        let end = self.entries.binary_search_by_key(&seq, |entry| entry.seq).unwrap_or_else(|end| end);
        self.entries.focus().narrow(..end).into_iter().rev()
    }

    /// Those from that time on, the newest first.
    pub(super) fn since(&self, at: Timestamp) -> impl Iterator<Item = &Entry<T>> {
        self.entries.iter().rev().take_while(move |entry| entry.at >= at)
    }
}

impl<T: Clone> Default for Memory<T> {
    fn default() -> Memory<T> {
        Memory { entries: Vector::new(), forgotten_through: None }
    }
}

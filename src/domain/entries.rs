//! The bounded memory of what was booked, and of what ended: the newest of each, within the window of idempotency keys.

use std::fmt;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::KeyWindow;
use crate::domain::leaf::Digest;
use crate::domain::log::{Happened, Log};
use crate::event::SpendRecorded;
use crate::ids::BudgetId;

/// What happened in the order of events, the oldest first; forgotten by the time and number of events (law FOLD).
#[derive(Debug, Clone)]
pub(super) struct Memory<T> {
    log: Log<T>,
    forgotten_through: Option<Timestamp>,
}

/// One of it that does not say itself when it happened.
#[derive(Debug, Clone)]
pub(super) struct Entry<T> {
    /// The `seq` of its event.
    pub(super) seq: u64,
    /// The time of its event.
    pub(super) at: Timestamp,
    /// What it was.
    pub(super) what: T,
}

impl<T: Clone> Happened for Entry<T> {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

/// An amount that was booked at a budget and at every one above it, or taken back there.
#[derive(Clone)]
pub(super) enum Booking {
    /// By a spend, which says where and how much.
    Spent(Arc<SpendRecorded>),
    /// In another way.
    Other(Arc<OtherBooking>),
}

/// What was booked by a turn, or was taken back.
pub(super) struct OtherBooking {
    budget_id: BudgetId,
    amount: u128,
    is_reversal: bool,
}

impl Booking {
    pub(super) fn new(budget_id: BudgetId, amount: u128, is_reversal: bool) -> Booking {
        Booking::Other(Arc::new(OtherBooking { budget_id, amount, is_reversal }))
    }

    pub(super) fn budget_id(&self) -> &BudgetId {
        match self {
            Booking::Spent(spend) => &spend.budget_id,
            Booking::Other(other) => &other.budget_id,
        }
    }

    pub(super) fn amount(&self) -> u128 {
        match self {
            Booking::Spent(spend) => spend.amount,
            Booking::Other(other) => other.amount,
        }
    }

    /// Whether it was taken back.
    pub(super) fn is_reversal(&self) -> bool {
        matches!(self, Booking::Other(other) if other.is_reversal)
    }
}

impl fmt::Debug for Booking {
    /// What it says, wherever that is kept.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Booking")
            .field("budget_id", self.budget_id())
            .field("amount", &self.amount())
            .field("is_reversal", &self.is_reversal())
            .finish()
    }
}

impl<T: Happened> Memory<T> {
    /// Remembers something that just happened.
    pub(super) fn push(&mut self, entry: T) {
        self.log.push(entry);
    }

    /// The memory of a snapshot, before anything is taken in.
    pub(super) fn restored(forgotten_through: Option<Timestamp>) -> Memory<T> {
        Memory { log: Log::default(), forgotten_through }
    }

    /// Takes in one of a snapshot, which has to come after those before it.
    pub(super) fn restore(&mut self, entry: T) -> Result<(), String> {
        match self.log.back() {
            Some(last) if last.seq() >= entry.seq() => {
                let (seq, last) = (entry.seq(), last.seq());
                Err(format!("expected it in the order of events, found seq {seq} after seq {last}"))
            }
            _ => {
                self.log.push(entry);
                Ok(())
            }
        }
    }

    /// The oldest, if it is too old or there are too many.
    #[inline]
    fn outside(&self, window: KeyWindow, now: Timestamp) -> Option<&T> {
        let begins_at = self.log.begins_at()?;
        let is_outside = window.is_too_many(self.log.len()) || window.is_too_old(begins_at, now);
        if is_outside { self.log.front() } else { None }
    }

    /// Takes out the oldest, if it is too old or there are too many.
    pub(super) fn pop_outside(&mut self, window: KeyWindow, now: Timestamp) -> Option<T> {
        let oldest = self.outside(window, now)?.clone();
        self.log.drop_front();
        Some(oldest)
    }

    /// Forgets what is too old, and the oldest as long as there are too many; of each, `through` says up to when
    /// something is then forgotten.
    pub(super) fn forget_outside(
        &mut self,
        window: KeyWindow,
        now: Timestamp,
        through: impl Fn(&T) -> Timestamp,
    ) {
        while let Some(through) = self.outside(window, now).map(&through) {
            self.log.drop_front();
            self.forgot(through);
        }
    }

    /// Takes note that something from that time is no longer remembered.
    pub(super) fn forgot(&mut self, at: Timestamp) {
        self.forgotten_through = self.forgotten_through.max(Some(at));
    }

    /// The time of the youngest that was ever forgotten: up to here, what is not known may have been.
    pub(super) fn forgotten_through(&self) -> Option<Timestamp> {
        self.forgotten_through
    }

    /// The oldest.
    pub(super) fn first(&self) -> Option<&T> {
        self.log.front()
    }

    /// The newest.
    pub(super) fn last(&self) -> Option<&T> {
        self.log.back()
    }

    /// The one of that event.
    pub(super) fn get(&self, seq: u64) -> Option<&T> {
        self.log.get(seq)
    }

    /// The one of that event, to be changed.
    pub(super) fn change(&mut self, seq: u64) -> Option<&mut T> {
        self.log.change(seq)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.log.len()
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.log.iter()
    }

    /// Those from before that event, the newest first.
    pub(super) fn before(&self, seq: u64) -> impl Iterator<Item = &T> {
        self.log.before(seq).rev()
    }

    /// Those from that time on, the newest first.
    pub(super) fn since(&self, at: Timestamp) -> impl Iterator<Item = &T> {
        self.log.iter().rev().take_while(move |entry| entry.at() >= at)
    }

    /// Hands over the digests of all of them, by chunks.
    pub(super) fn digests(&self, compute: impl Fn(&[T]) -> Digest, each: impl FnMut(&Digest)) {
        self.log.digests(compute, each);
    }
}

impl<T> Default for Memory<T> {
    fn default() -> Memory<T> {
        Memory { log: Log::default(), forgotten_through: None }
    }
}

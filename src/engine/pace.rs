//! Whether a batch is worth waiting for.
//!
//! Callers that were just answered mostly come back with the next command at once, one after the other. A writer that begins
//! the next batch with the first of them makes all others wait for two syncs: the one that it begins, and the next. So where
//! several commands are under way, it waits for as many as were, as long as they keep coming and that costs little
//! beside a sync. One caller alone is never made to wait. Where waiting turns out to be in vain (callers that think before
//! they come back), it is tried ever more seldom.

use std::time::Duration;

/// Syncs that are faster than this are not worth waiting for.
const WORTH_IT: Duration = Duration::from_micros(150);
/// How long to wait for the next to come, beside a sync: threads are not woken faster than the least of this.
const PAUSES_PER_SYNC: u32 = 8;
const PAUSE: (Duration, Duration) = (Duration::from_micros(50), Duration::from_micros(250));
/// How often to wait so long, as long as they keep coming: no longer than half a sync.
const PAUSES: u32 = PAUSES_PER_SYNC / 2;
/// After so many times in vain it is not tried more seldom any more: every 2^6 batches.
const MOST_IN_VAIN: u32 = 6;

/// How commands come, as the last batches told.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How many were under way when the last batch ended: those that it answered, and those that had come meanwhile.
    under_way: usize,
    /// How long a sync takes; zero where none is waited for.
    sync: Duration,
    /// How often waiting was in vain since it last was not.
    in_vain: u32,
    /// For how many batches nothing is waited for.
    passed_over: u32,
}

/// What to wait for before a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gathering {
    /// How many commands.
    pub(super) wanted: usize,
    /// How long for the next to come.
    pub(super) pause: Duration,
    /// How often.
    pub(super) pauses: u32,
}

impl Pace {
    /// What to wait for now that a batch could begin; `None`: for nothing.
    pub(super) fn gathering(&mut self) -> Option<Gathering> {
        if self.under_way < 2 || self.sync < WORTH_IT {
            return None;
        }
        if self.passed_over > 0 {
            self.passed_over -= 1;
            return None;
        }
        let pause = (self.sync / PAUSES_PER_SYNC).clamp(PAUSE.0, PAUSE.1);
        Some(Gathering { wanted: self.under_way, pause, pauses: PAUSES })
    }

    /// So many more came while it was waited for them.
    pub(super) fn gathered(&mut self, more: usize) {
        self.in_vain = if more > 0 { 0 } else { (self.in_vain + 1).min(MOST_IN_VAIN) };
        self.passed_over = (1 << self.in_vain) - 1;
    }

    /// A sync took so long. One that took very much longer than others says little about the next.
    pub(super) fn synced(&mut self, took: Duration) {
        self.sync = if self.sync.is_zero() { took } else { (self.sync * 3 + took.min(self.sync * 4)) / 4 };
    }

    /// A batch has ended: so many were answered, and so many more have come meanwhile.
    pub(super) fn ended(&mut self, answered: usize, waiting: usize) {
        self.under_way = answered.saturating_add(waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: Duration = Duration::from_micros(800);

    fn pace(answered: usize, waiting: usize) -> Pace {
        let mut pace = Pace::default();
        pace.synced(SYNC);
        pace.ended(answered, waiting);
        pace
    }

    #[test]
    fn a_caller_alone_is_never_made_to_wait() {
        assert_eq!(pace(1, 0).gathering(), None);
        assert_eq!(pace(0, 1).gathering(), None);
        assert_eq!(pace(0, 0).gathering(), None);
    }

    #[test]
    fn as_many_are_waited_for_as_were_under_way() {
        let expected = Gathering { wanted: 64, pause: SYNC / 8, pauses: 4 };
        assert_eq!(pace(1, 63).gathering(), Some(expected));
        assert_eq!(pace(64, 0).gathering(), Some(expected));
    }

    #[test]
    fn without_a_sync_to_wait_for_or_with_a_fast_one_nothing_is_waited_for() {
        let mut pace = Pace::default();
        pace.ended(64, 64);
        assert_eq!(pace.gathering(), None);
        pace.synced(Duration::from_micros(20));
        assert_eq!(pace.gathering(), None);
    }

    #[test]
    fn what_was_in_vain_is_tried_ever_more_seldom_until_somebody_comes() {
        let mut pace = pace(8, 8);
        let mut tried = Vec::new();
        for batch in 0..300 {
            if pace.gathering().is_some() {
                tried.push(batch);
                pace.gathered(0);
            }
        }
        assert_eq!(tried, [0, 2, 6, 14, 30, 62, 126, 190, 254]);
        while pace.gathering().is_none() {}
        pace.gathered(1);
        assert!(pace.gathering().is_some(), "at once again");
    }

    #[test]
    fn one_slow_sync_does_not_make_everybody_wait_for_long() {
        let mut pace = pace(8, 0);
        pace.synced(Duration::from_secs(10));
        assert_eq!(pace.sync, SYNC * 7 / 4);
    }
}

//! Retention: which closed segments are kept, by rules of the host. Only the choice; what follows from it is done
//! elsewhere.

use std::time::Duration;

use crate::clock::Timestamp;

/// How much history a journal keeps. See [`Options::retention`](super::Options::retention).
///
/// Rules count the closed segments, not the one that is being written. A segment goes when any rule says so. No rule
/// makes an engine forget anything: pruning takes events away, not the state that they led to.
///
/// ```
/// use std::time::Duration;
/// use tallybook::Retention;
///
/// // At most a gigabyte, and nothing that is older than 90 days.
/// let retention = Retention::new().bytes(1 << 30).age(Duration::from_secs(90 * 86_400));
/// # drop(retention);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    bytes: Option<u64>,
    segments: Option<u64>,
    age: Option<Duration>,
    keeps_all: bool,
}

impl Retention {
    /// How many bytes of closed segments are kept where no rule is given: 512 MiB.
    pub const DEFAULT_BYTES: u64 = 512 << 20;

    /// [`DEFAULT_BYTES`](Self::DEFAULT_BYTES), as long as no other rule is added.
    pub fn new() -> Retention {
        Retention::default()
    }

    /// Nothing is ever pruned.
    pub fn keep_all() -> Retention {
        Retention { keeps_all: true, ..Retention::default() }
    }

    /// Keeps at most this many bytes of closed segments; 0: no closed segment.
    #[must_use]
    pub fn bytes(self, bytes: u64) -> Retention {
        Retention { bytes: Some(bytes), keeps_all: false, ..self }
    }

    /// Keeps at most this many closed segments. Each opening after an unclean stop closes one: after a series of
    /// crashes they may be short.
    #[must_use]
    pub fn segments(self, segments: u64) -> Retention {
        Retention { segments: Some(segments), keeps_all: false, ..self }
    }

    /// Keeps no closed segment whose newest event is older than this.
    #[must_use]
    pub fn age(self, age: Duration) -> Retention {
        Retention { age: Some(age), keeps_all: false, ..self }
    }

    /// The rule of bytes, where there is one.
    fn bytes_rule(&self) -> Option<u64> {
        let is_told = self.keeps_all || self.segments.is_some() || self.age.is_some();
        self.bytes.or_else(|| (!is_told).then_some(Self::DEFAULT_BYTES))
    }
}

/// What the rules need to know of a closed segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClosedSegment {
    pub(super) number: u64,
    /// The length of the file.
    pub(super) len: u64,
    /// The time of its newest event; `None` when it holds none.
    pub(super) newest: Option<Timestamp>,
}

/// The number of the segment that is to be the oldest retained one; `None` when nothing is to be pruned. `closed` are
/// all closed segments that are there, oldest first.
pub(super) fn wished_floor(closed: &[ClosedSegment], rules: &Retention, now: Timestamp) -> Option<u64> {
    let by_count = rules.segments.map_or(0, |keep| {
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        closed.len().saturating_sub(keep)
    });
    let by_bytes = rules.bytes_rule().map_or(0, |keep| closed.len() - fitting(closed, keep));
    let by_age = rules.age.map_or(0, |keep| {
        let is_old = |segment: &ClosedSegment| {
            segment.newest.is_some_and(|newest| now.saturating_since(newest) > keep)
        };
        closed.iter().rposition(is_old).map_or(0, |last| last + 1)
    });
    let pruned = by_count.max(by_bytes).max(by_age);
    closed[..pruned].last().map(|last| last.number + 1)
}

/// How many of the newest segments have no more than `keep` bytes together.
fn fitting(closed: &[ClosedSegment], keep: u64) -> usize {
    let mut sum = 0u64;
    let fits = |segment: &&ClosedSegment| {
        sum = sum.saturating_add(segment.len);
        sum <= keep
    };
    closed.iter().rev().take_while(fits).count()
}

/// How large a base may be that is made for any little pruning.
const SMALL_BASE: u64 = 8 << 20;

/// Whether pruning that many bytes is worth a new base of `base_len` bytes: one that is larger than what goes would
/// be written over and over, and free less than it takes.
pub(super) fn is_worth_a_base(pruned_len: u64, base_len: u64) -> bool {
    base_len <= SMALL_BASE || pruned_len >= base_len / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn ago(seconds: i64) -> Timestamp {
        Timestamp::from_micros(-seconds * 1_000_000)
    }

    /// Segments 5, 6, … of these lengths, the newest event of each a second younger than that of the one before.
    fn closed(lens: &[u64]) -> Vec<ClosedSegment> {
        let seconds = (0..lens.len()).rev().map(|index| i64::try_from(index).unwrap());
        let segments = (5..).zip(lens).zip(seconds);
        segments
            .map(|((number, &len), seconds)| ClosedSegment { number, len, newest: Some(ago(seconds)) })
            .collect()
    }

    fn floor(lens: &[u64], rules: Retention) -> Option<u64> {
        wished_floor(&closed(lens), &rules, NOW)
    }

    #[test]
    fn each_rule_prunes_what_exceeds_it() {
        let lens = [10, 20, 30, 40];
        assert_eq!(floor(&lens, Retention::new().segments(4)), None);
        assert_eq!(floor(&lens, Retention::new().segments(3)), Some(6));
        assert_eq!(floor(&lens, Retention::new().segments(0)), Some(9), "the first that is not closed");
        assert_eq!(floor(&lens, Retention::new().bytes(100)), None);
        assert_eq!(floor(&lens, Retention::new().bytes(99)), Some(6));
        assert_eq!(floor(&lens, Retention::new().bytes(70)), Some(7));
        assert_eq!(floor(&lens, Retention::new().bytes(69)), Some(8));
        assert_eq!(floor(&lens, Retention::new().bytes(0)), Some(9));
        let age = |seconds| Retention::new().age(Duration::from_secs(seconds));
        assert_eq!(floor(&lens, age(3)), None);
        assert_eq!(floor(&lens, age(2)), Some(6));
        assert_eq!(floor(&lens, age(0)), Some(8), "what is of this moment is not older than no time");
    }

    #[test]
    fn the_strictest_rule_decides() {
        let rules = Retention::new().segments(3).bytes(70).age(Duration::from_secs(30));
        assert_eq!(floor(&[10, 20, 30, 40], rules), Some(7));
        assert_eq!(floor(&[10, 20, 30, 40], rules.segments(1)), Some(8));
        assert_eq!(floor(&[10, 20, 30, 40], rules.age(Duration::ZERO)), Some(8));
    }

    #[test]
    fn without_a_rule_it_is_512_mebibytes() {
        let half = Retention::DEFAULT_BYTES / 2;
        assert_eq!(floor(&[half, half], Retention::new()), None);
        assert_eq!(floor(&[half, half, 1], Retention::new()), Some(6));
        assert_eq!(
            floor(&[half, half, 1], Retention::new().segments(3)),
            None,
            "another rule takes its place"
        );
        assert_eq!(floor(&[half, half, 1], Retention::keep_all()), None);
        assert_eq!(floor(&[half, half, 1], Retention::keep_all().segments(2)), Some(6));
        assert_eq!(floor(&[u64::MAX, u64::MAX, 1], Retention::new().bytes(u64::MAX)), None, "no overflow");
        assert_eq!(floor(&[], Retention::new().bytes(0)), None);
    }

    #[test]
    fn age_looks_past_segments_without_events_and_a_clock_that_runs_backwards_ages_nothing() {
        let rules = Retention::new().age(Duration::from_secs(10));
        let segment = |number, newest| ClosedSegment { number, len: 1, newest };
        let mut closed =
            [segment(1, None), segment(2, Some(ago(20))), segment(3, None), segment(4, Some(ago(5)))];
        assert_eq!(wished_floor(&closed, &rules, NOW), Some(3));
        assert_eq!(wished_floor(&closed, &rules, Timestamp::MIN), None);
        assert_eq!(wished_floor(&closed, &rules, Timestamp::MAX), Some(5));
        closed[1].newest = None;
        assert_eq!(wished_floor(&closed, &rules, NOW), None);
    }

    #[test]
    fn a_large_base_has_to_be_worth_it() {
        assert!(is_worth_a_base(1, SMALL_BASE));
        assert!(!is_worth_a_base(SMALL_BASE / 2 - 1, SMALL_BASE + 1));
        assert!(is_worth_a_base(SMALL_BASE / 2, SMALL_BASE + 1));
    }

    fn rules() -> impl Strategy<Value = Retention> {
        let age = prop::option::of((0u64..30).prop_map(Duration::from_secs));
        (prop::option::of(0u64..600), prop::option::of(0u64..20), age, any::<bool>())
            .prop_map(|(bytes, segments, age, keeps_all)| Retention { bytes, segments, age, keeps_all })
    }

    proptest! {
        /// What is kept satisfies every rule, and one more segment would not.
        #[test]
        fn as_much_is_kept_as_the_rules_allow(
            lens in prop::collection::vec(0u64..100, 0..15),
            rules in rules(),
        ) {
            let closed = closed(&lens);
            let keeps = |kept: &[ClosedSegment]| {
                let bytes: u64 = kept.iter().map(|segment| segment.len).sum();
                rules.bytes.is_none_or(|max| bytes <= max)
                    && rules.segments.is_none_or(|max| kept.len() as u64 <= max)
                    && rules.age.is_none_or(|max| kept.iter().all(|segment| {
                        NOW.saturating_since(segment.newest.unwrap()) <= max
                    }))
            };
            let floor = wished_floor(&closed, &rules, NOW);
            let pruned = floor.map_or(0, |floor| usize::try_from(floor - 5).unwrap());
            prop_assert!(keeps(&closed[pruned..]));
            prop_assert!(floor.is_none_or(|_| !keeps(&closed[pruned - 1..])));
        }
    }
}

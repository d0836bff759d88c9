//! Retention: which closed segments are kept, by rules of the host. Only the choice; what follows from it is done
//! elsewhere.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::Error;
use crate::journal::format::SegmentName;
use crate::journal::{ClosedSegment, Inventory};

/// How much history a journal keeps. See [`Options::retention`](super::Options::retention).
///
/// Rules count the closed segments, not the one that is being written. A segment goes when any rule says so. No rule
/// makes an engine forget anything: pruning takes events away, not the state that they led to.
///
/// For that a snapshot of the state, the base, stands for what was pruned. Where it is larger than 8 MiB another is made
/// only once what it lets go is as large: a journal may be that much over its limit. Snapshots, and copies of torn
/// bytes (up to 64 MiB), are not counted by any rule.
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

    /// Keeps at most this many bytes of files of closed segments; 0: no closed segment.
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
    ///
    /// Not a deadline: the segment being written stays whatever its age, rules are looked at only when the journal is
    /// opened, a segment is full, or the disk is, and what the state still holds (texts, metadata) stays in snapshots.
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

/// Makes `ended_at` the time of the newest event, where the rule of age needs to know: a segment that was full long after
/// its last event, because nothing happened, is as old as that event. Times ascend, so few segments have to be asked for.
pub(super) fn tell_ages(
    inventory: &mut Inventory,
    rules: &Retention,
    now: Timestamp,
    newest_event: impl Fn(&ClosedSegment, SegmentName) -> Result<Option<Timestamp>, Error>,
) {
    let Some(keep) = rules.age else { return };
    let is_old = |at: Timestamp| now.saturating_since(at) > keep;
    let mut youngest = Timestamp::MIN;
    for index in 0..inventory.closed.len() {
        let next = inventory.closed.get(index + 1).map_or(inventory.active, |next| next.name);
        let segment = &mut inventory.closed[index];
        // One that ended when it began was ended under another clock.
        let is_doubtful = !is_old(segment.ended_at) || segment.ended_at <= segment.begun_at;
        let may_be_old = is_old(segment.begun_at) && is_old(youngest);
        if is_doubtful && may_be_old {
            segment.ended_at = match newest_event(segment, next) {
                Ok(newest) => newest.unwrap_or(segment.begun_at),
                Err(error) => {
                    tracing::warn!(%error, segment = %segment.name, "a segment that does not tell its age is kept");
                    now
                }
            };
        }
        // Times ascend, whatever a clock said.
        segment.ended_at = segment.ended_at.max(youngest);
        youngest = segment.ended_at;
    }
}

/// The segment that is to be the oldest retained one; `None` when nothing is to be pruned.
pub(super) fn wished_floor(inventory: &Inventory, rules: &Retention, now: Timestamp) -> Option<SegmentName> {
    let closed = &inventory.closed;
    let by_count = rules.segments.map_or(0, |keep| {
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        closed.len().saturating_sub(keep)
    });
    let by_bytes = rules.bytes_rule().map_or(0, |keep| closed.len() - fitting(closed, keep));
    let by_age = rules.age.map_or(0, |keep| {
        let is_old = |segment: &ClosedSegment| now.saturating_since(segment.ended_at) > keep;
        closed.iter().rposition(is_old).map_or(0, |last| last + 1)
    });
    match by_count.max(by_bytes).max(by_age) {
        0 => None,
        pruned => Some(closed.get(pruned).map_or(inventory.active, |segment| segment.name)),
    }
}

/// How many of the newest segments have no more than `keep` bytes together.
fn fitting(closed: &[ClosedSegment], keep: u64) -> usize {
    let mut sum = 0u64;
    let fits = |segment: &&ClosedSegment| {
        sum = sum.saturating_add(segment.file_len);
        sum <= keep
    };
    closed.iter().rev().take_while(fits).count()
}

/// How many bytes of the journal lie before that segment, from the oldest retained one on.
pub(super) fn len_before(inventory: &Inventory, segment: SegmentName) -> u64 {
    let before = inventory.closed.iter().take_while(|closed| closed.name < segment);
    before.fold(0, |sum, closed| sum.saturating_add(closed.end))
}

/// How large a base may be that is made for any little pruning.
pub(super) const SMALL_BASE: u64 = 8 << 20;

/// Whether pruning that many bytes is worth a new base of `base_len` bytes: one that is larger than what goes would
/// be written over and over, and free less than it takes.
pub(super) fn is_worth_a_base(pruned_len: u64, base_len: u64) -> bool {
    base_len <= SMALL_BASE || pruned_len >= base_len
}

#[cfg(test)]
pub(super) mod test {
    use super::*;
    use crate::ids::{Epoch, JournalId};

    /// An inventory of closed segments 5, 6, … of these lengths, with a hundred events each.
    pub(in crate::engine) fn inventory(lens: &[u64]) -> Inventory {
        let name = |number| SegmentName { number, first_seq: (number - 1) * 100 + 1 };
        let closed = (5..).zip(lens).map(|(number, &end)| ClosedSegment {
            name: name(number),
            last_seq: number * 100,
            end,
            file_len: end,
            begun_at: Timestamp::UNIX_EPOCH,
            ended_at: Timestamp::UNIX_EPOCH,
            discarded_len: 0,
            last_epoch: Epoch::NONE,
        });
        let closed: Vec<ClosedSegment> = closed.collect();
        let active = closed.last().map_or(name(5), |last| name(last.name.number + 1));
        Inventory { journal_id: JournalId(uuid::Uuid::nil()), closed, active, snapshots: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn ago(seconds: i64) -> Timestamp {
        Timestamp::from_micros(-seconds * 1_000_000)
    }

    /// Segments 5, 6, … of these lengths, each ended a second after the one before; the newest just now.
    fn closed(lens: &[u64]) -> Inventory {
        let mut inventory = test::inventory(lens);
        for (segment, seconds) in inventory.closed.iter_mut().rev().zip(0..) {
            segment.ended_at = ago(seconds);
        }
        inventory
    }

    fn floor(lens: &[u64], rules: Retention) -> Option<u64> {
        wished_floor(&closed(lens), &rules, NOW).map(|name| name.number)
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
    fn a_rule_takes_the_place_of_keeping_all() {
        let all = Retention::keep_all;
        assert_eq!(all().bytes(5), Retention::new().bytes(5));
        assert_eq!(all().segments(5), Retention::new().segments(5));
        assert_eq!(all().age(Duration::ZERO), Retention::new().age(Duration::ZERO));
    }

    #[test]
    fn without_a_rule_it_is_512_mebibytes() {
        assert_eq!(Retention::DEFAULT_BYTES, 536_870_912);
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
    fn a_clock_that_runs_backwards_ages_nothing_and_one_that_jumps_ahead_everything() {
        let rules = Retention::new().age(Duration::from_secs(1));
        let inventory = closed(&[1; 4]);
        let floor = |now| wished_floor(&inventory, &rules, now).map(|name| name.number);
        assert_eq!(floor(NOW), Some(7));
        assert_eq!(floor(Timestamp::MIN), None);
        assert_eq!(floor(Timestamp::MAX), Some(9));
    }

    /// How many seconds ago a segment was begun and ended, and how old its newest event is, if there is one and it can be
    /// read.
    type Aged = (i64, i64, Result<Option<i64>, ()>);

    /// What the rule of ten seconds makes of segments 5, 6, …: which were asked for their newest event, with the segment
    /// after each, and when they ended then, in seconds ago.
    fn told(segments: &[Aged]) -> (Vec<(u64, u64)>, Vec<i64>) {
        let mut inventory = test::inventory(&vec![1; segments.len()]);
        for (segment, (begun, ended, _)) in inventory.closed.iter_mut().zip(segments) {
            (segment.begun_at, segment.ended_at) = (ago(*begun), ago(*ended));
        }
        let asked = std::cell::RefCell::new(Vec::new());
        tell_ages(&mut inventory, &Retention::new().age(Duration::from_secs(10)), NOW, |segment, next| {
            asked.borrow_mut().push((segment.name.number, next.number));
            let (_, _, newest) = segments[usize::try_from(segment.name.number - 5).unwrap()];
            newest.map(|newest| newest.map(ago)).map_err(|()| Error::damaged("5", 0, None, "bent"))
        });
        let ended = inventory.closed.iter().map(|segment| -segment.ended_at.as_micros() / 1_000_000);
        (asked.into_inner(), ended.collect())
    }

    #[test]
    fn a_segment_is_as_old_as_its_newest_event_and_asked_for_it_only_where_that_matters() {
        let none = Vec::new;
        assert_eq!(told(&[(30, 20, Ok(Some(25)))]), (none(), vec![20]), "old in any case");
        assert_eq!(told(&[(9, 8, Ok(Some(9)))]), (none(), vec![8]), "young in any case");
        assert_eq!(told(&[(10, 8, Ok(Some(9)))]), (none(), vec![8]), "no older than the rule says");
        assert_eq!(told(&[(30, 5, Ok(Some(25)))]), (vec![(5, 6)], vec![25]));
        assert_eq!(told(&[(30, 10, Ok(Some(25)))]), (vec![(5, 6)], vec![25]), "its end is not too old");
        assert_eq!(
            told(&[(30, 5, Ok(None))]),
            (vec![(5, 6)], vec![30]),
            "without an event, as its beginning"
        );
        assert_eq!(told(&[(30, 5, Err(()))]), (vec![(5, 6)], vec![0]), "what cannot be told is kept");
        assert_eq!(told(&[(30, 30, Ok(Some(12)))]), (vec![(5, 6)], vec![12]), "ended under another clock");
    }

    #[test]
    fn times_ascend_so_that_no_segment_after_a_young_one_is_asked_for_its_age() {
        let three = [(40, 5, Ok(Some(30))), (30, 5, Ok(Some(20))), (20, 5, Ok(Some(15)))];
        assert_eq!(told(&three), (vec![(5, 6), (6, 7), (7, 8)], vec![30, 20, 15]));
        let three = [(40, 5, Ok(Some(3))), (30, 5, Ok(Some(20))), (20, 15, Ok(Some(15)))];
        assert_eq!(told(&three), (vec![(5, 6)], vec![3, 3, 3]), "whatever a clock said");
        let mut untold = closed(&[1, 1]);
        let before = format!("{untold:?}");
        let asked = |_: &ClosedSegment, _| panic!("no rule asks for ages");
        tell_ages(&mut untold, &Retention::new().segments(1), Timestamp::MAX, asked);
        assert_eq!(format!("{untold:?}"), before);
    }

    #[test]
    fn whatever_takes_up_room_counts_but_is_no_history() {
        let mut inventory = closed(&[10, 10]);
        inventory.closed[0].file_len = 11;
        assert_eq!(len_before(&inventory, inventory.active), 20);
        assert_eq!(len_before(&inventory, inventory.closed[1].name), 10);
        let floor = wished_floor(&inventory, &Retention::new().bytes(20), NOW);
        assert_eq!(floor, Some(inventory.closed[1].name));
    }

    #[test]
    fn a_large_base_has_to_be_worth_it() {
        assert_eq!(SMALL_BASE, 8_388_608);
        assert!(is_worth_a_base(1, SMALL_BASE));
        assert!(!is_worth_a_base(SMALL_BASE, SMALL_BASE + 1));
        assert!(is_worth_a_base(SMALL_BASE + 1, SMALL_BASE + 1));
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
            let inventory = closed(&lens);
            let closed = &inventory.closed;
            let keeps = |kept: &[ClosedSegment]| {
                let bytes: u64 = kept.iter().map(|segment| segment.file_len).sum();
                rules.bytes.is_none_or(|max| bytes <= max)
                    && rules.segments.is_none_or(|max| kept.len() as u64 <= max)
                    && rules.age.is_none_or(|max| kept.iter().all(|segment| {
                        NOW.saturating_since(segment.ended_at) <= max
                    }))
            };
            let floor = wished_floor(&inventory, &rules, NOW);
            let pruned = floor.map_or(0, |floor| usize::try_from(floor.number - 5).unwrap());
            prop_assert!(keeps(&closed[pruned..]));
            prop_assert!(floor.is_none_or(|_| !keeps(&closed[pruned - 1..])));
        }
    }
}

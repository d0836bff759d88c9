//! The series of snapshots: when another one is due, and which are kept. Only the choice; files are made and removed
//! elsewhere.

use std::time::{Duration, Instant};

use super::retention::{SMALL_BASE, len_before};
use crate::journal::Inventory;
use crate::journal::format::SnapshotName;

/// When another snapshot is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Now.
    Now,
    /// It is due, but the last was made a short while ago: then, unless more is closed meanwhile.
    At(Instant),
    /// Once more is closed.
    WithMore,
}

/// What the making of a snapshot took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    pub(super) ended: Instant,
    pub(super) took: Duration,
}

/// After a snapshot nothing is snapshotted for so many times as long as it took: under a flood that fills segment after
/// segment the upkeep takes no more than a tenth of a core.
const REST: u32 = 9;

/// But once so many bytes were closed since the last, it is not put off any further: after a crash all of them are to be
/// folded. Two of the largest segments.
const MOST_PUT_OFF: u64 = 128 << 20;

/// When another snapshot is made, where the last has `last_len` bytes: for small states often enough that a boot has
/// little to replay, for large ones so seldom that they add no more than half to what is written; and where the host did
/// not say after how many bytes, so seldom that the upkeep leaves the machine to others. `rested`: the last that was made
/// by this engine, where the next may be put off.
pub(super) fn next_snapshot(
    inventory: &Inventory,
    last_len: u64,
    snapshot_bytes: u64,
    rested: Option<Made>,
    now: Instant,
) -> Next {
    let covered = inventory.snapshots.last().map_or(0, |last| len_before(inventory, last.before));
    let since = len_before(inventory, inventory.active) - covered;
    // Once something is pruned, a single damaged file must not cost the state. That is worth writing twice what was new
    // (a base, which only makes room, is worth no more than what goes).
    let is_alone = inventory.snapshots.last().is_some_and(|last| last.is_base);
    if is_alone && since > 0 && (last_len <= SMALL_BASE || since >= last_len / 2) {
        return Next::Now;
    }
    if since <= snapshot_bytes.max(last_len.saturating_mul(2)) {
        return Next::WithMore;
    }
    let until = rested.and_then(|last| last.ended.checked_add(last.took.saturating_mul(REST)));
    match until.filter(|until| *until > now && since <= MOST_PUT_OFF) {
        Some(until) => Next::At(until),
        None => Next::Now,
    }
}

/// The snapshots that can go.
///
/// The base stays, and so do the newest two: should the newest be damaged, there is another. Of those between, one can go
/// when the next is no further from the one before it than from the newest. So the distances grow with the age, their
/// number grows with the logarithm of the history, and a state of the past is never further from a snapshot than from
/// the newest one.
pub(super) fn superfluous(inventory: &Inventory) -> Vec<SnapshotName> {
    let places: Vec<(SnapshotName, u64)> = inventory
        .snapshots
        .iter()
        .filter(|name| !name.is_base)
        .map(|name| (*name, len_before(inventory, name.before)))
        .collect();
    superfluous_places(&places)
}

/// The same, of snapshots above the floor, each with the bytes before it. The state at the floor is known anyway: by a
/// base, or because it is empty.
fn superfluous_places<T: Copy>(places: &[(T, u64)]) -> Vec<T> {
    let Some((_, newest)) = places.last() else { return Vec::new() };
    let mut kept = 0;
    let mut out = Vec::new();
    // The newest two are no first of three.
    for three in places.windows(3) {
        let ((this, position), (_, next)) = (three[0], three[1]);
        if next.saturating_sub(kept) <= newest.saturating_sub(next) {
            out.push(this);
        } else {
            kept = position;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::monotonic;
    use crate::engine::retention::test;

    /// Whether one is made of an inventory, had the engine not made any before.
    fn is_snapshot_due(inventory: &Inventory, last_len: u64, snapshot_bytes: u64) -> bool {
        next_snapshot(inventory, last_len, snapshot_bytes, None, monotonic()) == Next::Now
    }

    fn places(positions: &[u64]) -> Vec<(usize, u64)> {
        positions.iter().copied().enumerate().collect()
    }

    fn thinned(mut places: Vec<(usize, u64)>) -> Vec<(usize, u64)> {
        let out = superfluous_places(&places);
        places.retain(|(index, _)| !out.contains(index));
        places
    }

    fn left(positions: &[u64]) -> Vec<u64> {
        thinned(places(positions)).into_iter().map(|(_, position)| position).collect()
    }

    #[test]
    fn a_snapshot_is_due_by_bytes_and_by_its_own_size() {
        let mut inventory = test::inventory(&[40, 25]);
        assert!(!is_snapshot_due(&inventory, 0, 65));
        assert!(is_snapshot_due(&inventory, 0, 64));
        assert!(is_snapshot_due(&inventory, 32, 64));
        assert!(!is_snapshot_due(&inventory, 33, 64));
        assert!(!is_snapshot_due(&inventory, u64::MAX, 0));
        inventory.snapshots.push(SnapshotName { before: inventory.closed[1].name, is_base: false });
        assert!(is_snapshot_due(&inventory, 12, 24));
        assert!(!is_snapshot_due(&inventory, 13, 24));
        assert!(!is_snapshot_due(&inventory, 0, 25));
        inventory.snapshots.push(SnapshotName { before: inventory.active, is_base: false });
        assert!(!is_snapshot_due(&inventory, 0, 0), "nothing was closed since");
    }

    #[test]
    fn a_base_does_not_stay_alone() {
        let large = 80 << 20;
        let mut inventory = test::inventory(&[10, large / 2 - 1, 1]);
        inventory.snapshots = vec![SnapshotName { before: inventory.closed[1].name, is_base: true }];
        assert!(is_snapshot_due(&inventory, 1 << 20, u64::MAX));
        assert!(is_snapshot_due(&inventory, large, u64::MAX));
        assert!(!is_snapshot_due(&inventory, large + 2, u64::MAX), "that would be much for little");
        inventory.snapshots[0].before = inventory.active;
        assert!(!is_snapshot_due(&inventory, 1 << 20, u64::MAX), "there is nothing after it");
    }

    #[test]
    fn after_a_snapshot_the_next_is_put_off_for_nine_times_as_long_as_it_took() {
        let inventory = test::inventory(&[40, 25]);
        let ended = monotonic();
        let took = Duration::from_millis(200);
        let next = |after: Duration, bytes| {
            next_snapshot(&inventory, 0, bytes, Some(Made { ended, took }), ended + after)
        };
        assert_eq!(next(Duration::ZERO, 64), Next::At(ended + 9 * took));
        assert_eq!(next(9 * took - Duration::from_micros(1), 64), Next::At(ended + 9 * took));
        assert_eq!(next(9 * took, 64), Next::Now);
        assert_eq!(next(Duration::ZERO, 65), Next::WithMore, "nothing is due that could be put off");
        let endless = Made { ended, took: Duration::MAX };
        assert_eq!(next_snapshot(&inventory, 0, 64, Some(endless), ended), Next::Now, "for ever is no time");
    }

    #[test]
    fn what_has_to_be_folded_after_a_crash_is_bounded_however_long_a_snapshot_takes() {
        let made = Made { ended: monotonic(), took: Duration::from_secs(60) };
        let next = |closed: &[u64]| next_snapshot(&test::inventory(closed), 0, 0, Some(made), made.ended);
        assert_eq!(next(&[64 << 20, 64 << 20]), Next::At(made.ended + Duration::from_secs(540)));
        assert_eq!(next(&[64 << 20, 64 << 20, 1]), Next::Now);
    }

    #[test]
    fn a_base_does_not_stay_alone_to_spare_the_machine() {
        let mut inventory = test::inventory(&[10, 10]);
        inventory.snapshots = vec![SnapshotName { before: inventory.closed[1].name, is_base: true }];
        let made = Made { ended: monotonic(), took: Duration::from_secs(60) };
        assert_eq!(next_snapshot(&inventory, 1 << 20, 0, Some(made), made.ended), Next::Now);
    }

    #[test]
    fn the_base_and_the_newest_two_stay_and_those_between_thin_out_with_age() {
        assert_eq!(left(&[]), [0; 0]);
        assert_eq!(left(&[1]), [1]);
        assert_eq!(left(&[1, 2, 3]), [1, 2, 3]);
        assert_eq!(left(&[1, 2, 3, 4]), [2, 3, 4]);
        assert_eq!(left(&[1, 2, 3, 4, 5, 6, 7, 8]), [4, 6, 7, 8]);
        let mut inventory = test::inventory(&[10; 8]);
        let name = |before, is_base| SnapshotName { before, is_base };
        let names: Vec<SnapshotName> =
            inventory.closed.iter().map(|segment| name(segment.name, segment.name.number == 5)).collect();
        inventory.snapshots = names.clone();
        inventory.snapshots.push(name(inventory.active, false));
        assert_eq!(superfluous(&inventory), [names[1], names[2], names[3], names[5]]);
    }

    #[test]
    fn ten_thousand_snapshots_leave_a_few() {
        let mut kept = Vec::new();
        for number in 1..=10_000 {
            kept.push((number, number as u64));
            kept = thinned(kept);
        }
        assert!(kept.len() <= 20, "{kept:?}");
    }

    /// A series that grew one by one, thinned after each: all that there were, and those that are left.
    fn series() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
        prop::collection::vec(1u64..1_000, 0..200).prop_map(|gaps| {
            let mut position = 0;
            let (mut all, mut kept) = (Vec::new(), Vec::new());
            for gap in gaps {
                position += gap;
                all.push(position);
                kept.push(position);
                kept = left(&kept);
            }
            (all, kept)
        })
    }

    /// With each second one the distance from the newest halves, down to the last two.
    fn most(newest: u64) -> usize {
        2 * (newest + 1).ilog2() as usize + 4
    }

    proptest! {
        #[test]
        fn few_are_kept_and_none_is_far((all, kept) in series()) {
            let newest = all.last().copied().unwrap_or(0);
            prop_assert!(all.ends_with(&kept[kept.len().saturating_sub(2)..]), "the newest two stay");
            prop_assert_eq!(kept.len().min(2), all.len().min(2));
            prop_assert!(kept.len() <= most(newest), "{kept:?}");
            let mut below = 0;
            for &position in &kept {
                let (gap, age) = (position - below, newest - position);
                let is_thinned = all.iter().any(|other| (below + 1..position).contains(other));
                prop_assert!(!is_thinned || gap <= age, "a gap of {gap} at the age of {age}: {kept:?}");
                below = position;
            }
            prop_assert_eq!(left(&kept), kept, "what was thinned is thin");
        }

        #[test]
        fn any_series_is_thinned_at_once(mut positions in prop::collection::vec(1u64..100_000, 0..100)) {
            positions.sort_unstable();
            positions.dedup();
            let kept = left(&positions);
            prop_assert!(kept.len() <= most(positions.last().copied().unwrap_or(0)));
            prop_assert_eq!(left(&kept), kept);
        }
    }
}

//! The series of snapshots: when another one is due, and which are kept. Only the choice; files are made and removed
//! elsewhere.

/// A snapshot that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SnapshotPlace {
    /// The segment that it comes before.
    pub(super) segment: u64,
    /// How many bytes of the journal come before it, from the oldest retained segment on; 0 for a base.
    pub(super) position: u64,
}

/// Whether another snapshot is due after `closed_since` bytes of closed segments: small states often enough that a boot
/// has little to replay, large ones so seldom that writing them adds no more than half to what is written.
pub(super) fn is_snapshot_due(closed_since: u64, last_len: u64, snapshot_bytes: u64) -> bool {
    closed_since > snapshot_bytes.max(last_len.saturating_mul(2))
}

/// The segments whose snapshots can go. `snapshots` are those above the retention floor, oldest first, without its base;
/// where there is no base, the journal begins with segment 1, and the state before it is known, too.
///
/// The newest two stay: should the newest be damaged, there is another. Of those before, one can go when the next is no
/// further from the one before it than from the newest. So the distances grow with the age, their number grows with
/// the logarithm of the history, and a state of the past is never further from a snapshot than from the newest one.
pub(super) fn superfluous(snapshots: &[SnapshotPlace]) -> Vec<u64> {
    let Some(newest) = snapshots.last().map(|newest| newest.position) else { return Vec::new() };
    let mut kept = 0;
    let mut out = Vec::new();
    // The newest two are no first of three.
    for three in snapshots.windows(3) {
        let (this, next) = (three[0], three[1]);
        if next.position.saturating_sub(kept) <= newest.saturating_sub(next.position) {
            out.push(this.segment);
        } else {
            kept = this.position;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONE: [u64; 0] = [];

    fn places(positions: &[u64]) -> Vec<SnapshotPlace> {
        (2..).zip(positions).map(|(segment, &position)| SnapshotPlace { segment, position }).collect()
    }

    fn remove_superfluous(snapshots: &mut Vec<SnapshotPlace>) {
        let out = superfluous(snapshots);
        snapshots.retain(|snapshot| !out.contains(&snapshot.segment));
    }

    #[test]
    fn a_snapshot_is_due_by_bytes_and_by_its_own_size() {
        assert!(!is_snapshot_due(64, 0, 64));
        assert!(is_snapshot_due(65, 0, 64));
        assert!(is_snapshot_due(65, 32, 64));
        assert!(!is_snapshot_due(66, 33, 64));
        assert!(is_snapshot_due(67, 33, 64));
        assert!(!is_snapshot_due(u64::MAX, u64::MAX, 0));
        assert!(is_snapshot_due(1, 0, 0));
    }

    #[test]
    fn the_newest_two_stay_and_those_between_thin_out_with_age() {
        assert_eq!(superfluous(&[]), NONE);
        assert_eq!(superfluous(&places(&[1])), NONE);
        assert_eq!(superfluous(&places(&[1, 2])), NONE);
        assert_eq!(superfluous(&places(&[1, 2, 3])), NONE);
        assert_eq!(superfluous(&places(&[1, 2, 3, 4])), [2]);
        assert_eq!(superfluous(&places(&[1, 2, 3, 4, 5, 6, 7, 8])), [2, 3, 4, 6]);
    }

    #[test]
    fn ten_thousand_snapshots_leave_a_few() {
        let mut kept = Vec::new();
        for number in 1..=10_000 {
            kept.push(SnapshotPlace { segment: number + 1, position: number });
            remove_superfluous(&mut kept);
        }
        assert!(kept.len() <= 20, "{kept:?}");
    }

    /// A series that grew one by one, thinned after each.
    fn series() -> impl Strategy<Value = (Vec<SnapshotPlace>, Vec<SnapshotPlace>)> {
        prop::collection::vec(1u64..1_000, 0..200).prop_map(|gaps| {
            let mut position = 0;
            let mut positions = Vec::new();
            for gap in gaps {
                position += gap;
                positions.push(position);
            }
            let all = places(&positions);
            let mut kept = Vec::new();
            for place in &all {
                kept.push(*place);
                remove_superfluous(&mut kept);
            }
            (all, kept)
        })
    }

    proptest! {
        #[test]
        fn few_are_kept_and_none_is_far((all, kept) in series()) {
            let newest = all.last().map_or(0, |newest| newest.position);
            prop_assert!(all.ends_with(&kept[kept.len().saturating_sub(2)..]), "the newest two stay");
            prop_assert_eq!(kept.len().min(2), all.len().min(2));
            // With each second one the distance from the newest halves, down to the last two.
            let most = 2 * (newest + 1).ilog2() as usize + 4;
            prop_assert!(kept.len() <= most, "{} of at most {most}: {kept:?}", kept.len());
            // A state of the past is no further from a snapshot than from the newest one.
            let mut below = 0;
            for place in &kept {
                let (gap, age) = (place.position - below, newest - place.position);
                let is_consecutive = all.iter().filter(|other| (below + 1..place.position).contains(&other.position)).count() == 0;
                prop_assert!(is_consecutive || gap <= age, "a gap of {gap} at the age of {age}: {kept:?}");
                below = place.position;
            }
        }

        /// What was thinned once is thin: doing it again changes nothing, and so does any base that was made since.
        #[test]
        fn thinning_again_takes_nothing_away((_, kept) in series()) {
            prop_assert_eq!(superfluous(&kept), NONE);
        }

        #[test]
        fn any_series_is_thinned_at_once(mut positions in prop::collection::vec(1u64..100_000, 0..100)) {
            positions.sort_unstable();
            positions.dedup();
            let mut kept = places(&positions);
            remove_superfluous(&mut kept);
            prop_assert_eq!(superfluous(&kept), NONE);
            let newest = positions.last().copied().unwrap_or(0);
            prop_assert!(kept.len() <= 2 * (newest + 1).ilog2() as usize + 4);
        }
    }
}

//! What lies in a journal's directory: the segments from the retention floor on, their snapshots, and leftovers.
//!
//! The floor is stated by the name of the newest base: a snapshot that was renamed once it was to stand for everything
//! before it. What lies below it, whole or with gaps, is of no meaning any more.

use super::chain::wrong_succession;
use super::layout::{SegmentName, SnapshotName};
use crate::error::Error;
use crate::planted::{Bug, planted};
use crate::storage::Storage;

/// How often a listing that makes no sense is made again: files may be renamed and removed while a reader lists them.
const TRIES: usize = 4;

/// The names in a journal's directory that count, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Directory {
    /// The retained segments.
    pub(super) segments: Vec<SegmentName>,
    /// The snapshots from the floor on; one per segment, a base rather than another.
    pub(super) snapshots: Vec<SnapshotName>,
    /// The first retained segment, as a base (or the mark of an archive) states it; `None`: nothing was ever pruned.
    pub(super) floor: Option<SegmentName>,
    /// The segments below the floor.
    pub(super) pruned: Vec<SegmentName>,
    /// The snapshots below the floor, and those that are there as bases, too.
    pub(super) superseded: Vec<SnapshotName>,
    /// The segments of whose torn bytes copies are kept.
    pub(super) torn: Vec<SegmentName>,
}

impl Directory {
    /// Lists the directory.
    pub(super) fn list(storage: &dyn Storage) -> Result<Directory, Error> {
        let names = storage.list().map_err(|error| Error::io("listing the journal's directory", error))?;
        Ok(Directory::of(&names))
    }

    /// Lists the directory, and refuses it with a segment missing or doubled.
    pub(super) fn read(storage: &dyn Storage) -> Result<Directory, Error> {
        let mut found = Directory::list(storage)?;
        for _ in 1..TRIES {
            if found.check().is_ok() {
                return Ok(found);
            }
            // Not believed before it is seen again: a listing is no moment, and names change in between.
            std::thread::yield_now();
            found = Directory::list(storage)?;
        }
        found.check().map(|()| found)
    }

    /// The segments among these names, in order.
    pub(super) fn segments_of(names: &[String]) -> Vec<SegmentName> {
        let mut segments: Vec<SegmentName> =
            names.iter().filter_map(|name| SegmentName::parse(name)).collect();
        segments.sort_unstable();
        segments
    }

    pub(super) fn of(names: &[String]) -> Directory {
        let mut found = Directory::default();
        let mut snapshots: Vec<SnapshotName> =
            names.iter().filter_map(|name| SnapshotName::parse(name)).collect();
        // Of two before the same segment the base comes last.
        snapshots.sort_unstable();
        found.torn = names.iter().filter_map(|name| SegmentName::parse_torn(name)).collect();
        found.torn.sort_unstable();
        let base = snapshots.iter().rfind(|name| name.is_base).map(|name| name.before);
        found.floor = base.or_else(|| names.iter().find_map(|name| SegmentName::parse_floor_mark(name)));
        let first = found.floor.map_or(0, |floor| floor.number);
        for name in Directory::segments_of(names) {
            if name.number < first { found.pruned.push(name) } else { found.segments.push(name) }
        }
        for (index, name) in snapshots.iter().enumerate() {
            let is_doubled = snapshots.get(index + 1).is_some_and(|next| next.before == name.before);
            if name.before.number < first || is_doubled {
                found.superseded.push(*name);
            } else {
                found.snapshots.push(*name);
            }
        }
        found
    }

    /// Where the retained segments have to begin.
    pub(super) fn begins_with(&self) -> SegmentName {
        self.floor.unwrap_or(SegmentName { number: 1, first_seq: 1 })
    }

    fn check(&self) -> Result<(), Error> {
        if planted(Bug::MissingSegmentBelieved) {
            return Ok(());
        }
        let expected = self.begins_with();
        match self.segments.first() {
            None if self.floor.is_none() && self.snapshots.is_empty() => {}
            Some(first) if *first == expected => {}
            found => {
                let file = found.copied().unwrap_or(expected).to_string();
                let missing = match self.floor {
                    None => format!("segment {}, which comes before it, is missing", expected.number),
                    Some(_) => {
                        format!("segment {expected}, which is the oldest that was not pruned, is missing")
                    }
                };
                return Err(Error::damaged(&file, 0, Some(expected.first_seq), missing));
            }
        }
        for pair in self.segments.windows(2) {
            if let Some(wrong) = wrong_succession(pair[0], pair[1]) {
                return Err(Error::damaged(&pair[1].to_string(), 0, Some(pair[1].first_seq), wrong));
            }
        }
        Ok(())
    }

    /// Whether that segment lies below the floor.
    pub(super) fn is_pruned(&self, name: SegmentName) -> bool {
        self.floor.is_some_and(|floor| name.number < floor.number)
    }
}

/// The segment after that one, if it is there.
pub(super) fn successor_of(storage: &dyn Storage, name: SegmentName) -> Result<Option<SegmentName>, Error> {
    Ok(Directory::list(storage)?.segments.into_iter().find(|other| other.number == name.number + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(names: &[&str]) -> Directory {
        Directory::of(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    const SEGMENTS: [&str; 3] = [
        "0000000001-00000000000000000001.seg",
        "0000000002-00000000000000000010.seg",
        "0000000003-00000000000000000020.seg",
    ];

    #[test]
    fn without_a_base_a_journal_begins_with_segment_1() {
        let all = directory(&SEGMENTS);
        assert_eq!((all.segments.len(), all.floor, all.check().is_ok()), (3, None, true));
        let message = directory(&SEGMENTS[1..]).check().unwrap_err().to_string();
        assert!(message.contains("segment 1, which comes before it, is missing"), "{message}");
        assert!(directory(&[]).check().is_ok(), "there may be none yet");
    }

    #[test]
    fn what_lies_below_the_newest_base_is_left_over_with_any_gaps() {
        let mut names = SEGMENTS.to_vec();
        names.remove(0);
        names.extend([
            "0000000003-00000000000000000020.base",
            "0000000002-00000000000000000010.base",
            "0000000003-00000000000000000020.snap",
        ]);
        let found = directory(&names);
        found.check().unwrap();
        assert_eq!(found.segments, [SegmentName { number: 3, first_seq: 20 }]);
        assert_eq!(found.floor, found.segments.first().copied());
        assert_eq!(found.snapshots.len(), 1);
        assert!(found.snapshots[0].is_base);
        assert_eq!(found.pruned, [SegmentName { number: 2, first_seq: 10 }]);
        let superseded: Vec<String> = found.superseded.iter().map(ToString::to_string).collect();
        assert_eq!(
            superseded,
            ["0000000002-00000000000000000010.base", "0000000003-00000000000000000020.snap"]
        );
    }

    #[test]
    fn a_base_without_its_segment_is_damage() {
        for names in [
            &["0000000004-00000000000000000030.base"][..],
            &["0000000002-00000000000000000010.base", SEGMENTS[2]],
        ] {
            let message = directory(names).check().unwrap_err().to_string();
            assert!(message.contains("the oldest that was not pruned, is missing"), "{message}");
        }
    }
}

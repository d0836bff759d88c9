//! A journal together with an archive of what was pruned from it: read as if nothing had gone that the archive keeps.
//!
//! It is a storage that can only be read. Segments below the journal's retention floor come from the archive, everything else
//! from the journal's directory; a segment that is pruned while somebody is about to read it is found in the archive, since
//! it was there before it went. The journal's base stands for nothing that is gone any more, so that it is shown as a
//! plain snapshot. Where the archive itself begins late, its oldest segment is the floor.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;

use super::chain::{Segment, wrong_succession};
use super::directory::Directory;
use super::layout::{SegmentName, SnapshotName};
use crate::error::{Error, ErrorKind};
use crate::ids::JournalId;
use crate::storage::{LockPeek, NamesMark, SharedPage, Storage, StorageFile};

/// How often what makes no sense is looked at again: a live writer rotates, archives and prunes meanwhile.
const TRIES: usize = 4;

/// A journal and an archive, as one directory.
#[derive(Debug)]
pub(crate) struct Union {
    journal: Arc<dyn Storage>,
    archive: Arc<dyn Storage>,
}

/// What an archive holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Archived {
    pub(crate) segments: usize,
    /// The first `seq`, and the last; 0 where it holds nothing.
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) bytes: u64,
}

impl Union {
    /// The journal with the archive under it.
    ///
    /// # Errors
    /// `InvalidArgument` when the archive is one of another journal, or of another course of this one; `Damaged` when
    /// segments are in neither; `Io` when one cannot be read.
    pub(crate) fn open(journal: Arc<dyn Storage>, archive: Arc<dyn Storage>) -> Result<Union, Error> {
        let union = Union { journal, archive };
        for _ in 1..TRIES {
            match union.check() {
                Ok(()) => return Ok(union),
                // Not believed before it is seen again.
                Err(_) => std::thread::yield_now(),
            }
        }
        union.check().map(|()| union)
    }

    /// The names in both. The journal's first: what goes from there meanwhile is in the archive already.
    fn names(&self) -> io::Result<(Vec<String>, Vec<String>)> {
        let own = self.journal.list()?;
        Ok((own, self.archive.list()?))
    }

    /// What of the journal is in the archive.
    pub(crate) fn archived(&self) -> Result<Archived, Error> {
        let doing = |error| Error::io("looking at the archive", error);
        let (own, archived) = self.names().map_err(doing)?;
        let segments = Directory::segments_of(&archived);
        let whole = Directory::of(&merged(own, &archived)).segments;
        let last = segments.last();
        let next = last.and_then(|last| whole.iter().find(|name| name.number == last.number + 1));
        let mut bytes = 0;
        for name in &segments {
            let file = self.archive.open(&name.to_string()).map_err(doing)?;
            bytes += file.len().map_err(doing)?;
        }
        Ok(Archived {
            segments: segments.len(),
            first_seq: segments.first().map_or(0, |name| name.first_seq),
            last_seq: next.map_or(0, |name| name.first_seq.saturating_sub(1)),
            bytes,
        })
    }

    fn check(&self) -> Result<(), Error> {
        let own = Directory::read(&*self.journal)?;
        let archived = self.archive.list().map_err(|error| Error::io("listing the archive", error))?;
        let archived = Directory::segments_of(&archived);
        let (Some(&oldest), Some(newest)) = (own.segments.first(), own.segments.last()) else {
            return Ok(());
        };
        let journal_id = Segment::open(&*self.journal, oldest)?.header.journal_id;
        // Those in between are looked at when they are read.
        for name in [archived.first(), archived.last()].into_iter().flatten() {
            let found = Segment::open(&*self.archive, *name).map_err(|error| in_archive(&error))?;
            if found.header.journal_id != journal_id {
                let found = format!("its segment {name} belongs to journal {}", found.header.journal_id);
                return Err(foreign(journal_id, &found));
            }
        }
        for name in archived.iter().filter(|name| name.number >= oldest.number) {
            if !own.segments.contains(name) {
                let found =
                    format!("it holds segment {name}, which the journal, up to {newest}, does not have");
                return Err(foreign(journal_id, &found));
            }
        }
        let older: Vec<SegmentName> = below(&archived, oldest);
        let after = older.iter().skip(1).chain([&oldest]);
        for (before, name) in older.iter().zip(after) {
            if let Some(wrong) = wrong_succession(*before, *name) {
                return Err(gap(*before, *name, &wrong));
            }
        }
        Ok(())
    }

    /// Opens a file of the archive: a snapshot under either of its names.
    fn open_archived(&self, name: &str, missing: io::Error) -> io::Result<Arc<dyn StorageFile>> {
        if SegmentName::parse(name).is_some() {
            return self.archive.open(name).map_err(|error| first_of(missing, error));
        }
        let Some(snapshot) = SnapshotName::parse(name) else { return Err(missing) };
        let other = SnapshotName { is_base: !snapshot.is_base, ..snapshot }.to_string();
        let opened = self.archive.open(name).or_else(|_| self.archive.open(&other));
        opened.map_err(|error| first_of(missing, error))
    }
}

/// That a file is nowhere is said of the journal.
fn first_of(missing: io::Error, error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound { missing } else { error }
}

fn foreign(journal_id: JournalId, found: &str) -> Error {
    let message = format!("expected an archive of journal {journal_id} as it went: {found}");
    Error::new(ErrorKind::InvalidArgument, message)
}

fn gap(before: SegmentName, name: SegmentName, wrong: &str) -> Error {
    let missing = match name.number.checked_sub(before.number + 1) {
        None | Some(0) => wrong.to_owned(),
        Some(1) => format!("segment {} is in neither", before.number + 1),
        Some(_) => format!("segments {} to {} are in neither", before.number + 1, name.number - 1),
    };
    Error::damaged(
        &name.to_string(),
        0,
        Some(name.first_seq),
        format!("archive and journal do not join: {missing}"),
    )
}

fn in_archive(error: &Error) -> Error {
    Error::new(error.kind().clone(), format!("in the archive: {error}"))
}

fn below(archived: &[SegmentName], floor: SegmentName) -> Vec<SegmentName> {
    archived.iter().copied().filter(|name| name.number < floor.number).collect()
}

/// The names that both come to.
fn merged(own: Vec<String>, archived: &[String]) -> Vec<String> {
    let directory = Directory::of(&own);
    let floor = directory.begins_with();
    let older = below(&Directory::segments_of(archived), floor);
    let Some(&oldest) = older.first() else { return own };
    let is_old = |name: SegmentName| name.number < floor.number;
    let others = own.into_iter().filter(|name| {
        let of_snapshot = SnapshotName::parse(name).is_some();
        !of_snapshot && SegmentName::parse(name).is_none_or(|name| !is_old(name))
    });
    let mut names: BTreeSet<String> = others.collect();
    names.extend(older.iter().map(ToString::to_string));
    let plain = |name: SnapshotName| SnapshotName { is_base: false, ..name };
    names.extend(directory.snapshots.iter().map(|name| plain(*name).to_string()));
    let brought: Vec<SnapshotName> = archived
        .iter()
        .filter_map(|name| SnapshotName::parse(name))
        .filter(|name| (oldest..floor).contains(&name.before))
        .map(plain)
        .collect();
    names.extend(brought.iter().map(ToString::to_string));
    if oldest.number > 1 {
        let has_base = brought.iter().any(|name| name.before == oldest);
        let base = SnapshotName { before: oldest, is_base: true }.to_string();
        names.insert(if has_base { base } else { oldest.floor_mark() });
    }
    names.into_iter().collect()
}

fn read_only<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "a journal with its archive can only be read"))
}

impl Storage for Union {
    fn list(&self) -> io::Result<Vec<String>> {
        let (own, archived) = self.names()?;
        Ok(merged(own, &archived))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        match self.journal.open(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.open_archived(name, error),
            opened => opened,
        }
    }

    fn names_mark(&self) -> io::Result<Option<NamesMark>> {
        let (Some(own), Some(archived)) = (self.journal.names_mark()?, self.archive.names_mark()?) else {
            return Ok(None);
        };
        Ok(Some(NamesMark {
            directory: both((own.directory, archived.directory)),
            changed: both((own.changed, archived.changed)),
            is_settled: own.is_settled && archived.is_settled,
        }))
    }

    fn peek_lock(&self, name: &str) -> io::Result<Option<LockPeek>> {
        self.journal.peek_lock(name)
    }

    fn create(&self, _: &str) -> io::Result<Arc<dyn StorageFile>> {
        read_only()
    }

    fn open_writable(&self, _: &str) -> io::Result<Arc<dyn StorageFile>> {
        read_only()
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        read_only()
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        read_only()
    }

    fn sync_dir(&self) -> io::Result<()> {
        // It changes nothing.
        self.journal.sync_dir()
    }

    fn try_lock(&self, _: &str) -> io::Result<Option<Arc<SharedPage>>> {
        read_only()
    }
}

/// One mark that is another as soon as one of the two is another: 128 bits of both, so that two that are alike by chance are
/// not to be expected.
fn both<T: From<Half>>(marks: impl Hash) -> (T, T) {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, &marks).hash(&mut hasher);
        Half(hasher.finish())
    };
    (T::from(half(0)), T::from(half(1)))
}

/// Half of a mark.
struct Half(u64);

impl From<Half> for u64 {
    fn from(half: Half) -> u64 {
        half.0
    }
}

impl From<Half> for i64 {
    fn from(half: Half) -> i64 {
        half.0.cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u64) -> SegmentName {
        SegmentName { number, first_seq: 10 * number - 9 }
    }

    fn segments(numbers: std::ops::Range<u64>) -> Vec<String> {
        numbers.map(|number| name(number).to_string()).collect()
    }

    fn snapshot(number: u64, is_base: bool) -> String {
        SnapshotName { before: name(number), is_base }.to_string()
    }

    fn directory(own: Vec<String>, archived: &[String]) -> Directory {
        Directory::of(&merged(own, archived))
    }

    #[test]
    fn with_all_that_was_pruned_there_is_no_floor() {
        let own = [segments(4..7), vec![snapshot(4, true), snapshot(6, false), "lock".to_owned()]].concat();
        let found = directory(own.clone(), &segments(1..6));
        assert_eq!(found.segments, (1..7).map(name).collect::<Vec<_>>());
        assert_eq!(found.floor, None);
        assert_eq!(found.snapshots.len(), 2);
        assert!(found.snapshots.iter().all(|name| !name.is_base));
        assert!(merged(own, &segments(1..4)).contains(&"lock".to_owned()));
    }

    #[test]
    fn an_archive_that_begins_late_is_the_floor() {
        let own = [segments(4..7), vec![snapshot(4, true)]].concat();
        let found = directory(own.clone(), &segments(2..5));
        assert_eq!((found.floor, found.segments[0]), (Some(name(2)), name(2)));
        assert_eq!(found.snapshots, [SnapshotName { before: name(4), is_base: false }]);
        // With a snapshot in the archive there is a state to begin with.
        for is_base in [false, true] {
            let archived = [segments(2..5), vec![snapshot(2, is_base), snapshot(1, true)]].concat();
            let found = directory(own.clone(), &archived);
            assert_eq!(found.floor, Some(name(2)));
            let bases = [
                SnapshotName { before: name(2), is_base: true },
                SnapshotName { before: name(4), is_base: false },
            ];
            assert_eq!(found.snapshots, bases);
        }
    }

    #[test]
    fn what_lies_below_the_journals_floor_is_the_archives_to_say() {
        let own = [segments(2..7), vec![snapshot(5, true), snapshot(3, true)]].concat();
        assert_eq!(
            directory(own.clone(), &segments(4..6)).segments[0],
            name(4),
            "a leftover is no more than that"
        );
        assert_eq!(
            directory(own.clone(), &[]),
            Directory::of(&own),
            "an archive that holds nothing changes nothing"
        );
        assert_eq!(
            directory(own.clone(), &segments(5..6)),
            Directory::of(&own),
            "nor one of what is retained"
        );
    }

    #[test]
    fn a_mark_is_another_when_one_of_both_is() {
        let mark = |own: (i64, i64), archived: (i64, i64)| both::<i64>((own, archived));
        assert_eq!(mark((1, 2), (3, 4)), mark((1, 2), (3, 4)));
        assert_ne!(mark((1, 2), (3, 4)), mark((3, 4), (1, 2)));
        assert_ne!(mark((1, 2), (3, 4)), mark((1, 2), (3, 5)));
    }
}

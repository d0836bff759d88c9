//! Letting go of old segments (law RETAIN): what there is, the copy of torn bytes, the new floor, and the removal; in
//! that order, each durable before the next. Which segments go, and that a snapshot covers them, is for others to see to.

use std::sync::Arc;

use super::bytes::{end_of_nonzero, offset_of};
use super::chain::{Segment, pruned, read_range};
use super::closed::read_closed;
use super::directory::Directory;
use super::layout::{SNAPSHOT_TMP_NAME, SegmentName, SnapshotName};
use super::recovery::Visit;
use super::snapshot::{SnapshotFile, SnapshotHeader, create_temporary};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::ids::{Epoch, JournalId};
use crate::planted::{Bug, planted};
use crate::storage::{Storage, StorageFile};

/// Copies of torn bytes are kept up to so many bytes altogether, the newest.
const TORN_KEPT: u64 = 64 << 20;

/// A closed segment, from outside.
#[derive(Debug, Clone)]
pub(crate) struct ClosedSegment {
    pub(crate) name: SegmentName,
    /// Its last `seq`; below the first when it holds no event.
    pub(crate) last_seq: u64,
    /// Where it ends, in truth.
    pub(crate) end: u64,
    /// The length of the file: after an unclean stop there may be much behind the end, zeros too.
    pub(crate) file_len: u64,
    /// When it was made: no event that was first written there is older.
    pub(crate) begun_at: Timestamp,
    /// When its successor was made: no event in it is newer.
    pub(crate) ended_at: Timestamp,
    /// How many bytes were discarded behind its end.
    pub(crate) discarded_len: u64,
    /// The epoch of the last event in or before it.
    pub(crate) last_epoch: Epoch,
}

/// What retention and snapshots have to do with.
#[derive(Debug, Clone)]
pub(crate) struct Inventory {
    pub(crate) journal_id: JournalId,
    /// The closed segments, oldest first.
    pub(crate) closed: Vec<ClosedSegment>,
    /// The segment after them.
    pub(crate) active: SegmentName,
    /// The snapshots before retained segments, oldest first, that of the active one included.
    pub(crate) snapshots: Vec<SnapshotName>,
}

impl Inventory {
    /// The oldest retained segment.
    pub(crate) fn oldest(&self) -> SegmentName {
        self.closed.first().map_or(self.active, |segment| segment.name)
    }
}

/// What there is before the segment with that number, which is known to be durable, its name included.
pub(crate) fn inventory(storage: &dyn Storage, active: u64) -> Result<Inventory, Error> {
    let directory = Directory::read(storage)?;
    let names: Vec<SegmentName> =
        directory.segments.iter().copied().take_while(|name| name.number <= active).collect();
    let Some((oldest, rest)) = names.split_first() else {
        return Err(Error::damaged("", 0, None, format!("segment {active} is missing")));
    };
    let mut segment = Segment::open(storage, *oldest)?;
    let journal_id = segment.header.journal_id;
    let mut closed = Vec::with_capacity(rest.len());
    for name in rest {
        let successor = Segment::open(storage, *name)?;
        successor.check_journal(journal_id)?;
        let stated = &successor.header.predecessor;
        closed.push(ClosedSegment {
            name: segment.name,
            last_seq: stated.last_seq,
            end: stated.end,
            file_len: segment.file_len()?,
            begun_at: segment.header.created_at,
            // A clock may have been set back between two openings.
            ended_at: successor.header.created_at.max(segment.header.created_at),
            discarded_len: stated.discarded_len,
            last_epoch: successor.header.previous_epoch,
        });
        segment = successor;
    }
    let active = segment.name;
    let snapshots = directory.snapshots.into_iter().filter(|name| name.before <= active).collect();
    Ok(Inventory { journal_id, closed, active, snapshots })
}

/// Whether a snapshot is one of this journal as it went: it stands before a segment that says so itself.
pub(crate) fn fits_journal(
    storage: &dyn Storage,
    name: SnapshotName,
    header: &SnapshotHeader,
) -> Result<(), Error> {
    let damaged = |found: &str| Error::damaged(&name.to_string(), 0, Some(header.seq()), found);
    let segment = match Segment::open(storage, header.before) {
        Err(error) if *error.kind() == ErrorKind::Io => {
            return match Directory::list(storage)?.segments.contains(&header.before) {
                true => Err(error),
                // No error of the system: it testifies to a segment that is gone.
                false => {
                    Err(damaged(&format!("segment {}, before which it stands, is missing", header.before)))
                }
            };
        }
        opened => opened?,
    };
    let fits =
        segment.header.journal_id == header.journal_id && segment.header.previous_epoch == header.epoch;
    if fits || planted(Bug::ForeignSnapshotBelieved) {
        return Ok(());
    }
    Err(damaged("it is of another journal, or of a history that went another way"))
}

/// Whether a snapshot of this journal stands before a segment that is gone, and was not pruned: so events are gone, too.
pub(crate) fn testifies_to_missing(storage: &dyn Storage, name: SnapshotName) -> Result<bool, Error> {
    let directory = Directory::list(storage)?;
    let Some(&oldest) = directory.segments.first() else { return Ok(false) };
    if directory.is_pruned(name.before) || directory.segments.contains(&name.before) {
        return Ok(false);
    }
    // One that is bent testifies to nothing, and one of another journal to nothing here.
    let Ok(file) = SnapshotFile::open(storage, name) else { return Ok(false) };
    Ok(Segment::open(storage, oldest)?.header.journal_id == file.header.journal_id)
}

/// Goes through the events of the closed segments from `from` up to the one before `before`. `None` when stopped.
///
/// # Errors
/// `Pruned` when they are not all there any more; `Damaged` and `Io`.
pub(crate) fn visit_closed(
    storage: &dyn Storage,
    from: SegmentName,
    before: SegmentName,
    visit: &mut Visit<'_>,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Option<()>, Error> {
    let mut names = Directory::read(storage)?.segments;
    names.retain(|name| (from..=before).contains(name));
    for (found, wanted) in [(names.first(), from), (names.last(), before)] {
        if found != Some(&wanted) {
            return Err(pruned(wanted));
        }
    }
    Ok(read_closed(storage, &names, from, visit, is_stopped)?.map(|_| ()))
}

/// The file of a segment that is about to be pruned, and how many bytes of it there are to keep: those up to its end, and
/// what was discarded behind it.
pub(crate) fn open_segment(
    storage: &dyn Storage,
    segment: &ClosedSegment,
) -> Result<(Arc<dyn StorageFile>, u64), Error> {
    let open = Segment::open(storage, segment.name)?;
    open.check_len(segment.end)?;
    let torn = torn_bytes(&open, segment.end, segment.discarded_len)?;
    Ok((open.file, segment.end + offset_of(torn.len())))
}

/// The bytes that a recovery found behind the end of a segment.
fn torn_bytes(open: &Segment, end: u64, discarded_len: u64) -> Result<Vec<u8>, Error> {
    let len = open.file_len()?;
    if discarded_len == 0 || len <= end {
        return Ok(Vec::new());
    }
    let mut torn = read_range(&*open.file, &open.file_name, end, len - end)?;
    torn.truncate(end_of_nonzero(&torn, 0));
    Ok(torn)
}

/// Keeps a copy of the bytes that a recovery found behind the end of a segment and did not believe (law EVIDENCE).
fn keep_torn(storage: &dyn Storage, name: SegmentName, successor: SegmentName) -> Result<(), Error> {
    let stated = Segment::open(storage, successor)?.header.predecessor;
    if stated.discarded_len == 0 || planted(Bug::TornBytesNotKept) {
        return Ok(());
    }
    let copy = name.torn();
    let doing = |error| Error::io(format!("keeping the torn bytes of {name} as {copy}"), error);
    let exists = storage.list().map_err(doing)?.contains(&copy);
    let torn = torn_bytes(&Segment::open(storage, name)?, stated.end, stated.discarded_len)?;
    if exists || torn.is_empty() {
        return Ok(());
    }
    let write = || -> std::io::Result<()> {
        let file = create_temporary(storage)?;
        file.write_all_at(&torn, 0)?;
        file.sync()?;
        storage.rename(SNAPSHOT_TMP_NAME, &copy)?;
        storage.sync_dir()
    };
    write().map_err(|error| {
        // What is half written only takes up room.
        let _ = storage.remove(SNAPSHOT_TMP_NAME);
        doing(error)
    })
}

/// Moves the retention floor to a snapshot, which was read again and covers everything before it. Durable when this
/// returns.
pub(crate) fn set_floor(storage: &dyn Storage, snapshot: SnapshotName) -> Result<(), Error> {
    let base = SnapshotName { is_base: true, ..snapshot };
    let doing = |error| Error::io(format!("moving the retention floor to {base}"), error);
    if !snapshot.is_base {
        storage.rename(&snapshot.to_string(), &base.to_string()).map_err(doing)?;
    }
    if planted(Bug::FloorNotSynced) {
        return Ok(());
    }
    storage.sync_dir().map_err(doing)
}

/// Removes what lies below the floor, oldest first. How many segments went. One whose torn bytes cannot be copied, for want
/// of room say, stays until they can be, and the one after it, which says where it ends.
pub(crate) fn remove_leftovers(storage: &dyn Storage) -> Result<usize, Error> {
    let directory = Directory::list(storage)?;
    let has_some = !directory.pruned.is_empty() || !directory.superseded.is_empty();
    if has_some && !planted(Bug::FloorNotSynced) {
        // A floor that was moved and never synced may be taken back by a power cut, and the removals not.
        storage.sync_dir().map_err(|error| Error::io("syncing the retention floor", error))?;
    }
    if let Some(before) = directory.floor.filter(|_| has_some) {
        // A name alone, of a copy of the base say, lets nothing go.
        SnapshotFile::open(storage, SnapshotName { before, is_base: true })?;
    }
    // What cannot be removed keeps nothing else from it.
    let mut first_error = Ok(());
    for name in &directory.superseded {
        first_error = first_error.and(remove(storage, &name.to_string()));
    }
    let (mut removed, mut is_held_back) = (0, false);
    for (index, &name) in directory.pruned.iter().enumerate() {
        let next = directory.pruned.get(index + 1).or(directory.segments.first()).copied();
        let successor = next.filter(|next| next.number == name.number + 1);
        let kept = successor.map_or(Ok(()), |successor| keep_torn(storage, name, successor));
        // Of one that is damaged nobody can tell where its torn bytes begin.
        let is_missing = matches!(&kept, Err(error) if !matches!(error.kind(), ErrorKind::Damaged(_)));
        if let Err(error) = kept {
            tracing::warn!(%error, segment = %name, "torn bytes of a pruned segment were not kept");
        }
        if !is_missing && !is_held_back || planted(Bug::TornCopyErrorIgnored) {
            match remove(storage, &name.to_string()) {
                Ok(()) => removed += 1,
                Err(error) => first_error = first_error.and(Err(error)),
            }
        }
        is_held_back = is_missing;
    }
    first_error.and(remove_old_torn(storage, &directory)).map(|()| removed)
}

/// Removes a snapshot that the series can do without.
pub(crate) fn remove_snapshot(storage: &dyn Storage, name: SnapshotName) -> Result<(), Error> {
    remove(storage, &name.to_string())
}

fn remove(storage: &dyn Storage, name: &str) -> Result<(), Error> {
    match storage.remove(name) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("removing {name}, which is pruned"), error))
        }
        _ => Ok(()),
    }
}

fn remove_old_torn(storage: &dyn Storage, directory: &Directory) -> Result<(), Error> {
    let mut kept = 0;
    for name in directory.torn.iter().rev() {
        let text = name.torn();
        let len = storage.open(&text).and_then(|file| file.len());
        kept += len.map_err(|error| Error::io(format!("looking at {text}"), error))?;
        if kept > TORN_KEPT {
            remove(storage, &text)?;
        }
    }
    Ok(())
}

/// What a reader can start from.
#[derive(Debug, Clone)]
pub(crate) struct Retained {
    /// The first `seq` that is retained, or will be.
    pub(crate) first_seq: u64,
    /// Whether anything was pruned.
    pub(crate) is_pruned: bool,
    /// After which `seq` the oldest state is that can be had.
    pub(crate) oldest_state: u64,
    /// The snapshots from there on, oldest first.
    pub(crate) snapshots: Vec<SnapshotName>,
}

/// What there is at the moment.
pub(crate) fn retained(storage: &dyn Storage) -> Result<Retained, Error> {
    let directory = Directory::read(storage)?;
    let first_seq = directory.begins_with().first_seq;
    let is_pruned = directory.floor.is_some();
    // With an archive that begins late, events may be older than any state.
    let oldest = directory.snapshots.first().filter(|_| is_pruned).map(|name| name.before.first_seq);
    Ok(Retained {
        first_seq,
        is_pruned,
        oldest_state: oldest.unwrap_or(first_seq).saturating_sub(1),
        snapshots: directory.snapshots,
    })
}

#[cfg(test)]
mod tests;

//! Snapshots of the state: from events on disk to lines on disk, and back.

use super::replay::Replay;
use crate::background::Background;
use crate::clock::Timestamp;
use crate::domain::{FOLD_VERSION, RestoreError, StateRestorer, write_state};
use crate::error::{Error, ErrorKind};
use crate::ids::{Epoch, JournalId};
use crate::journal::format::{SegmentName, SnapshotName};
use crate::journal::{
    FramePlace, SnapshotFile, SnapshotOf, SnapshotWriter, fits_journal, remove_snapshot, visit_closed,
};
use crate::merkle::Hash;
use crate::planted::{Bug, planted};
use crate::projection::Projection;
use crate::storage::Storage;

/// The state that a snapshot holds. Its hash is not computed: the CRC has told already that it is what was written.
pub(super) fn restore(file: &SnapshotFile) -> Result<Projection, Error> {
    let header = &file.header;
    if header.fold_version > FOLD_VERSION && !planted(Bug::NewerFoldBelieved) {
        let found = format!(
            "snapshot {} is of version {} of the fold, which is unsupported: this is tallybook {}, which knows versions up to {FOLD_VERSION}: upgrade",
            file.name,
            header.fold_version,
            env!("CARGO_PKG_VERSION")
        );
        return Err(Error::new(ErrorKind::Unsupported, found));
    }
    let wrong = |error: RestoreError| match error {
        RestoreError::Unsupported { .. } => Error::new(
            ErrorKind::Unsupported,
            format!("snapshot {}: {error}; it was written by tallybook {}", file.name, header.written_by),
        ),
        RestoreError::Invalid(_) => file.damaged(error),
    };
    let mut restorer = StateRestorer::after(header.seq());
    file.read(&mut |line| restorer.line(line).map_err(wrong))?;
    let state = restorer.finish().map_err(wrong)?;
    let last_ts = if planted(Bug::LastTimeLost) { Timestamp::UNIX_EPOCH } else { header.last_ts };
    Ok(Projection { state, seq: header.seq(), last_ts })
}

/// The same, with the hash computed and compared: before anything relies on it.
pub(super) fn verify(file: &SnapshotFile) -> Result<Projection, Error> {
    let projection = restore(file)?;
    // Hashes compare within one version of the fold only.
    let is_comparable = file.header.fold_version == FOLD_VERSION && !planted(Bug::StateHashNotCompared);
    if is_comparable && projection.state_hash().0 != file.header.state_hash {
        return Err(file.damaged("the state that it holds has another hash than its header says"));
    }
    Ok(projection)
}

/// Opens a snapshot, and checks that it is of this journal as it went.
pub(super) fn open(storage: &dyn Storage, name: SnapshotName) -> Result<SnapshotFile, Error> {
    let file = SnapshotFile::open(storage, name)?;
    fits_journal(storage, file.name, &file.header)?;
    Ok(file)
}

/// Where a snapshot is to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The segment before which it is to stand.
    pub(super) before: SegmentName,
    /// The oldest retained segment.
    pub(super) oldest: SegmentName,
    /// The epoch of its last event.
    pub(super) epoch: Epoch,
    /// The journal.
    pub(super) journal_id: JournalId,
    /// When it is made.
    pub(super) now: Timestamp,
    /// The spine's head before that segment; zeros where it is not known.
    pub(super) spine_head: Hash,
}

/// The state before a segment: that of an older snapshot, or nothing, and the closed segments after that. `None` when
/// stopped.
pub(super) fn fold(
    storage: &dyn Storage,
    place: &Place,
    older: &[SnapshotName],
    is_stopped: &dyn Fn() -> bool,
) -> Result<Option<Projection>, Error> {
    let (projection, from) = start(storage, place, older)?;
    // One core is enough for it: the others have more urgent work.
    let mut replay = Replay::new(projection, &Background::Inline);
    let mut take = |frame: &FramePlace<'_>| match SegmentName::parse(frame.file) {
        Some(of) if planted(Bug::SnapshotOneSegmentShort) && of.number + 1 == place.before.number => Ok(()),
        _ => replay.frame(frame),
    };
    let folded = visit_closed(storage, from, place.before, &mut take, is_stopped)?;
    Ok(folded.map(|()| replay.into_projection()))
}

/// Makes a snapshot of the state before a segment, then reads it again. Its length in bytes.
pub(super) fn make(storage: &dyn Storage, place: &Place, projection: Projection) -> Result<u64, Error> {
    let name = SnapshotName { before: place.before, is_base: false };
    if projection.seq + 1 != place.before.first_seq && !planted(Bug::SnapshotOneSegmentShort) {
        let found = format!("expected the events before it to end there, found seq {} last", projection.seq);
        return Err(Error::damaged(&place.before.to_string(), 0, Some(place.before.first_seq), found));
    }
    let mut writer = SnapshotWriter::create(storage)?;
    write_state(&projection.state, &mut |line| writer.line(line))?;
    writer.finish(&SnapshotOf {
        journal_id: place.journal_id,
        before: place.before,
        epoch: place.epoch,
        last_ts: projection.last_ts,
        fold_version: FOLD_VERSION,
        state_hash: projection.state_hash().0,
        created_at: place.now,
        spine_head: place.spine_head,
    })?;
    // Two states at once are enough.
    drop(projection);
    let read_again = open(storage, name).and_then(|file| verify(&file).map(|_| file.file_len()));
    read_again.inspect_err(|_| {
        // Whoever opens the journal next believes what the CRC says. What cannot be removed is looked at once more before
        // anything is made of it.
        let _ = remove_snapshot(storage, name);
    })
}

/// The newest of the snapshots that is of use, and the segment from which on events are to be folded.
fn start(
    storage: &dyn Storage,
    place: &Place,
    older: &[SnapshotName],
) -> Result<(Projection, SegmentName), Error> {
    let mut first_error = None;
    for &name in older.iter().rev().filter(|name| name.before < place.before) {
        // With its hash: what is wrong in it would be in the new one with a hash that fits.
        match open(storage, name).and_then(|file| verify(&file)) {
            Ok(projection) => return Ok((projection, name.before)),
            Err(error) => {
                tracing::warn!(%error, snapshot = %name, "a snapshot is of no use; an older one is tried");
                first_error.get_or_insert(error);
            }
        }
    }
    match first_error {
        Some(error) if place.oldest.first_seq > 1 => Err(error),
        _ => Ok((Projection::default(), place.oldest)),
    }
}

//! Opening a journal for writing: read everything, tell a torn tail from damage, hand over what is not believed to
//! be on disk to a new segment, and begin a new epoch. No existing segment is edited (law EVIDENCE); only the mark
//! of a clean close is overwritten, by the record of the next opening.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::bytes::{end_of_nonzero, index_of, offset_of};
use super::chain::{Segment, read_range};
use super::closed::{ClosedEnd, read_closed};
use super::directory::Directory;
use super::frame::{Frame, FrameCodec, FrameHeader, FrameKind, FramePlace, FrameRead};
use super::header::{Predecessor, SegmentHeader, WriterVersion};
use super::layout::{HEADER_LEN, RECORD_LEN, RECORD_PAYLOAD_LEN, SNAPSHOT_TMP_NAME, SPARE_NAME, SegmentName};
use super::lock::WriterLock;
use super::record::OpenRecord;
use super::retention::{fits_journal, testifies_to_missing};
use super::snapshot::SnapshotFile;
use super::tail::{Tail, read_tail};
use super::writer::{Active, JournalOptions, JournalWriter};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{Entropy, Epoch, JournalId, new_epoch_tag, new_journal_id};
use crate::planted::{Bug, planted};
use crate::storage::{Storage, StorageFile};

/// What an opening found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenReport {
    /// Whether the journal was made by this opening.
    pub(crate) is_new: bool,
    /// The segment before which the snapshot stands from which the state was restored, if there was one.
    pub(crate) restored_from: Option<SegmentName>,
    /// What was recovered, if the last writer did not close the journal.
    pub(crate) recovered: Option<Recovered>,
    /// Whether there are closed segments, or may be leftovers of pruned ones.
    pub(crate) has_closed: bool,
}

/// What was recovered after an unclean stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// The segment that was being written.
    pub(crate) file: String,
    /// How many frames were handed over to a new segment, because it was not certain that they were on disk.
    pub(crate) handed_over: usize,
    /// How many torn bytes were left where they are.
    pub(crate) torn_len: u64,
}

/// Rebuilds the state while the journal is opened.
pub(crate) trait Rebuild {
    /// Makes the state of a snapshot: of the newest, and of an older one whenever this fails.
    fn restore(&mut self, snapshot: &SnapshotFile) -> Result<(), Error>;

    /// Takes the next frame of events after that snapshot. What is wrong with it may be told later.
    fn frame(&mut self, place: &FramePlace<'_>) -> Result<(), Error>;

    /// That was the last frame: now at the latest it has to be told what is wrong with any. Nothing on disk was changed
    /// yet.
    fn end(&mut self) -> Result<(), Error>;
}

/// Gets each frame of events, in order.
pub(crate) type Visit<'v> = dyn FnMut(&FramePlace<'_>) -> Result<(), Error> + 'v;

/// What all ways of opening need.
struct Opening<'a> {
    storage: Arc<dyn Storage>,
    options: JournalOptions,
    lock: WriterLock,
    entropy: &'a dyn Entropy,
    now: Timestamp,
}

impl JournalWriter {
    /// Opens the journal in `storage` for writing, or makes one. `state` gets what is to be rebuilt of it.
    pub(crate) fn open(
        storage: Arc<dyn Storage>,
        options: JournalOptions,
        entropy: &dyn Entropy,
        now: Timestamp,
        state: &mut dyn Rebuild,
    ) -> Result<(JournalWriter, OpenReport), Error> {
        let lock = WriterLock::acquire(&*storage, now)?;
        let opening = Opening { storage, options, lock, entropy, now };
        let directory = Directory::read(&*opening.storage)?;
        let Some(oldest) = directory.segments.first() else { return opening.create() };
        let from = restore_newest(&*opening.storage, &directory, state)?;
        let first = from.unwrap_or(*oldest);
        let visit = &mut |place: &FramePlace<'_>| state.frame(place);
        let closed = read_closed(&*opening.storage, &directory.segments, first, visit, &|| false)?;
        match closed {
            Some(closed) => opening.go_on(closed, from, state),
            None => opening.create(),
        }
    }
}

/// Takes the newest snapshot that is whole, fits the journal, and can be restored. The segment before which it stands;
/// `None`: everything has to be read.
fn restore_newest(
    storage: &dyn Storage,
    directory: &Directory,
    state: &mut dyn Rebuild,
) -> Result<Option<SegmentName>, Error> {
    let mut first_error = None;
    for &name in directory.snapshots.iter().rev() {
        let restored = SnapshotFile::open(storage, name).and_then(|file| {
            fits_journal(storage, file.name, &file.header)?;
            state.restore(&file)
        });
        match restored {
            Ok(()) => return Ok(Some(name.before)),
            Err(error) if testifies_to_missing(storage, name)? => return Err(error),
            Err(error) if planted(Bug::NoOlderSnapshotTried) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, snapshot = %name, "a snapshot is of no use; an older one is tried");
                first_error.get_or_insert(error);
            }
        }
    }
    match first_error {
        // What was pruned cannot be read again: without a snapshot there is no state.
        Some(error) if directory.floor.is_some() => Err(error),
        _ => Ok(None),
    }
}

impl Opening<'_> {
    /// What has a temporary name is without a meaning once its maker is gone; we hold its lock.
    fn remove_leftovers(&self) -> Result<(), Error> {
        let names =
            self.storage.list().map_err(|error| Error::io("listing the journal's directory", error))?;
        for name in [SPARE_NAME, SNAPSHOT_TMP_NAME] {
            if names.iter().any(|found| found == name) {
                let removed = self.storage.remove(name);
                removed.map_err(|error| Error::io(format!("removing the leftover {name}"), error))?;
            }
        }
        Ok(())
    }

    fn next_epoch(&self, newest: Epoch) -> Epoch {
        let tag = if planted(Bug::EpochIsABareNumber) { 0 } else { new_epoch_tag(self.entropy) };
        Epoch { counter: newest.counter.saturating_add(1), tag }
    }

    fn create(self) -> Result<(JournalWriter, OpenReport), Error> {
        self.remove_leftovers()?;
        let epoch = self.next_epoch(Epoch::NONE);
        let plan = NewSegment {
            journal_id: new_journal_id(self.entropy),
            name: SegmentName { number: 1, first_seq: 1 },
            epoch,
            previous_epoch: Epoch::NONE,
            predecessor: Predecessor::default(),
            handed_over: Vec::new(),
            next_seq: 1,
        };
        let active = self.build(&plan)?;
        let report = OpenReport { is_new: true, recovered: None, restored_from: None, has_closed: false };
        Ok((self.into_writer(active, plan.journal_id, epoch, 1, Epoch::NONE), report))
    }

    fn go_on(
        self,
        closed: ClosedEnd,
        from: Option<SegmentName>,
        state: &mut dyn Rebuild,
    ) -> Result<(JournalWriter, OpenReport), Error> {
        let ClosedEnd { newest_epoch, next: segment } = closed;
        let bytes = read_range(&*segment.file, &segment.file_name, 0, segment.file_len()?)?;
        let tail = read_tail(&segment, &bytes, &mut |frame: &Frame<'_>, written_by: WriterVersion| {
            state.frame(&FramePlace { file: &segment.file_name, frame: *frame, written_by })
        })?;
        state.end()?;
        // Until here nothing was changed: a journal that is refused stays as it is.
        self.remove_leftovers()?;
        let epoch = self.next_epoch(tail.newest_epoch.max(newest_epoch));
        let journal_id = segment.header.journal_id;
        let (active, recovered) = if tail.is_clean {
            (self.append_open_record(&segment, &tail, offset_of(bytes.len()), epoch)?, None)
        } else {
            let recovered = Recovered {
                file: segment.file_name.to_string(),
                handed_over: tail.unbelieved.len(),
                torn_len: tail.torn_len,
            };
            (self.hand_over(&segment, &bytes, &tail, epoch)?, Some(recovered))
        };
        let report =
            OpenReport { is_new: false, has_closed: active.name.number > 1, recovered, restored_from: from };
        let is_of_now = planted(Bug::EpochChangedOnHandOver) && !tail.unbelieved.is_empty();
        let last_epoch = if is_of_now { epoch } else { tail.last_epoch };
        Ok((self.into_writer(active, journal_id, epoch, tail.next_seq, last_epoch), report))
    }

    /// After a clean close the journal goes on in the same segment: the open record takes the place of the mark.
    fn append_open_record(
        &self,
        segment: &Segment,
        tail: &Tail,
        file_len: u64,
        epoch: Epoch,
    ) -> Result<Active, Error> {
        let doing = || format!("writing the open record to segment {}", segment.file_name);
        let file =
            self.storage.open_writable(&segment.file_name).map_err(|error| Error::io(doing(), error))?;
        let mut record = Vec::with_capacity(RECORD_LEN);
        let header = self.open_record_header(tail.next_seq, epoch, tail.mark_at);
        segment.codec.append(&mut record, tail.mark_at, &header, &self.open_record());
        file.write_all_at(&record, tail.mark_at).map_err(|error| Error::io(doing(), error))?;
        file.sync().map_err(|error| Error::io(doing(), error))?;
        let end = tail.mark_at + offset_of(record.len());
        Ok(Active::new(
            segment.name,
            file,
            segment.codec.clone(),
            end,
            file_len.max(end),
            self.options.max_unsynced,
        )
        .with_counts(tail.frames, tail.events))
    }

    /// After an unclean stop every valid frame from D to X is rewritten into a new segment, whose header states
    /// that the old one ends at D.
    fn hand_over(&self, segment: &Segment, bytes: &[u8], tail: &Tail, epoch: Epoch) -> Result<Active, Error> {
        // The last writer may have died between naming this segment and making the name durable. A successor whose
        // name reaches the disk before that one would be taken for a journal with a segment missing.
        if !planted(Bug::BuiltUponAnUnsyncedName) {
            self.storage.sync_dir().map_err(|error| Error::io("syncing the journal's directory", error))?;
        }
        if planted(Bug::TornBytesOverwritten) {
            let _ = self.storage.open_writable(&segment.file_name).map(|file| file.set_len(tail.frames_end));
        }
        let discarded_end = end_of_nonzero(bytes, index_of(tail.believed.end));
        let discarded = &bytes[index_of(tail.believed.end)..discarded_end];
        let mut handed_over = Vec::with_capacity(tail.unbelieved.len());
        for &offset in &tail.unbelieved {
            let FrameRead::Frame(frame) = segment.codec.read(bytes, offset) else {
                return Err(segment.damaged(
                    offset,
                    tail.believed.next_seq,
                    "a frame that was valid is not any more",
                ));
            };
            handed_over.push(frame);
        }
        let digest = |bytes: &[u8]| if bytes.is_empty() { [0; 32] } else { Sha256::digest(bytes).into() };
        self.build(&NewSegment {
            journal_id: segment.header.journal_id,
            name: SegmentName { number: segment.name.number + 1, first_seq: tail.believed.next_seq },
            epoch,
            previous_epoch: tail.believed.last_epoch,
            predecessor: Predecessor {
                last_seq: tail.believed.next_seq - 1,
                end: tail.believed.end,
                discarded_len: offset_of(discarded.len()),
                discarded_sha256: digest(discarded),
            },
            handed_over,
            next_seq: tail.next_seq,
        })
    }

    fn open_record(&self) -> [u8; RECORD_PAYLOAD_LEN] {
        OpenRecord {
            opened_at: self.now,
            max_unsynced: self.options.max_unsynced,
            written_by: WriterVersion::current(),
            pid: std::process::id(),
        }
        .to_payload()
    }

    fn open_record_header(&self, next_seq: u64, epoch: Epoch, durable_through: u64) -> FrameHeader {
        FrameHeader {
            kind: FrameKind::Open,
            handed_over: false,
            payload_len: u32::try_from(RECORD_PAYLOAD_LEN).unwrap_or(0),
            event_count: 0,
            first_seq: next_seq,
            durable_through,
            epoch,
        }
    }

    /// Builds a segment whole under a temporary name: header, handed-over frames, open record. It needs no more room
    /// than these, so that a journal on a full disk can still be opened.
    fn build(&self, plan: &NewSegment<'_>) -> Result<Active, Error> {
        let codec = FrameCodec::new(plan.journal_id, plan.name.number);
        let mut bytes = vec![0; HEADER_LEN];
        let mut events = 0;
        for frame in &plan.handed_over {
            let mut header = FrameHeader { handed_over: true, durable_through: 0, ..frame.header };
            if planted(Bug::EpochChangedOnHandOver) {
                header.epoch = plan.epoch;
            }
            events += u64::from(header.event_count);
            let offset = offset_of(bytes.len());
            codec.append(&mut bytes, offset, &header, frame.payload);
        }
        let offset = offset_of(bytes.len());
        codec.append(
            &mut bytes,
            offset,
            &self.open_record_header(plan.next_seq, plan.epoch, 0),
            &self.open_record(),
        );
        let len = offset_of(bytes.len());
        let header = plan.header(len, self.options.max_unsynced, self.now);
        bytes[..HEADER_LEN].copy_from_slice(&header.to_bytes());
        let file = self.write_and_name(&bytes, plan.name)?;
        Ok(Active::new(plan.name, file, codec, len, len, self.options.max_unsynced)
            .with_counts(offset_of(plan.handed_over.len()), events))
    }

    /// Written, synced, renamed, and the directory synced, in that order: a name before the sync loses acknowledged
    /// data.
    fn write_and_name(&self, bytes: &[u8], name: SegmentName) -> Result<Arc<dyn StorageFile>, Error> {
        let failed = |error| Error::io(format!("building segment {name}"), error);
        let file = self.storage.create(SPARE_NAME).map_err(failed)?;
        file.write_all_at(bytes, 0).map_err(failed)?;
        if planted(Bug::RenamedBeforeSync) {
            self.storage.rename(SPARE_NAME, &name.to_string()).map_err(failed)?;
        }
        file.sync().map_err(failed)?;
        if !planted(Bug::RenamedBeforeSync) {
            self.storage.rename(SPARE_NAME, &name.to_string()).map_err(failed)?;
        }
        if !planted(Bug::DirectoryNotSyncedAtAnOpening) {
            self.storage.sync_dir().map_err(failed)?;
        }
        Ok(file)
    }

    fn into_writer(
        self,
        active: Active,
        journal_id: JournalId,
        epoch: Epoch,
        next_seq: u64,
        last_epoch: Epoch,
    ) -> JournalWriter {
        JournalWriter::new(
            self.storage,
            self.options,
            self.lock,
            journal_id,
            epoch,
            active,
            next_seq,
            last_epoch,
            self.now,
        )
    }
}

/// A segment that an opening is about to build.
struct NewSegment<'a> {
    journal_id: JournalId,
    name: SegmentName,
    epoch: Epoch,
    previous_epoch: Epoch,
    predecessor: Predecessor,
    handed_over: Vec<Frame<'a>>,
    /// The `seq` after the handed-over frames.
    next_seq: u64,
}

impl NewSegment<'_> {
    fn header(&self, birth: u64, max_unsynced: u64, now: Timestamp) -> SegmentHeader {
        SegmentHeader {
            journal_id: self.journal_id,
            number: self.name.number,
            first_seq: self.name.first_seq,
            epoch: self.epoch,
            previous_epoch: self.previous_epoch,
            predecessor: self.predecessor,
            birth,
            max_unsynced,
            created_at: now,
            written_by: WriterVersion::current(),
        }
    }
}

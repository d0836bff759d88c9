//! Writing: frames are gathered into a batch, written with one call, synced with one call.
//!
//! After a write or a sync that failed the writer is of no use any more (law HALT): what is on disk is unknown, and
//! nothing is tried again on that file. Only reopening tells.

use std::sync::Arc;

use super::bytes::offset_of;
use super::frame::{FrameCodec, FrameHeader, FrameKind};
use super::header::{Predecessor, SegmentHeader, WriterVersion};
use super::layout::{MAX_PAYLOAD_LEN, SPARE_NAME, SegmentName, frame_len, header_end, record_len};
use super::lock::{Published, PublishedCell, WriterLock};
use super::record::EndRecord;
use super::spare::{RotationSize, Sealed, Spare, write_zeros};
use crate::background::Background;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::ids::{Epoch, JournalId};
use crate::planted::{Bug, planted};
use crate::storage::{Storage, StorageFile};

/// How a journal is written.
#[derive(Debug, Clone)]
pub(crate) struct JournalOptions {
    /// When a segment is full and the next one begins, in bytes.
    pub(crate) rotation: RotationSize,
    /// How many bytes may stand written and unsynced at most.
    pub(crate) max_unsynced: u64,
    /// Whether segments are filled with zeros ahead, which makes a sync cheap.
    pub(crate) zero_ahead: bool,
    /// Whether everything is done on the caller's thread (for the simulated disk, whose faults must repeat).
    pub(crate) background: Background,
}

/// The segment that is being written.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) name: SegmentName,
    file: Arc<dyn StorageFile>,
    codec: FrameCodec,
    /// How far it is written.
    end: u64,
    /// How far it is known to be synced.
    synced: u64,
    /// The length of the file: what is zeroed ahead.
    capacity: u64,
    /// When it is full and the next one begins.
    full_at: u64,
    max_unsynced: u64,
    frames: u64,
    events: u64,
}

impl Active {
    pub(super) fn new(
        name: SegmentName,
        file: Arc<dyn StorageFile>,
        codec: FrameCodec,
        end: u64,
        capacity: u64,
        max_unsynced: u64,
    ) -> Active {
        let full_at = u64::MAX;
        Active { name, file, codec, end, synced: end, capacity, full_at, max_unsynced, frames: 0, events: 0 }
    }

    fn full_at(mut self, full_at: u64) -> Active {
        self.full_at = full_at;
        self
    }

    pub(super) fn with_counts(mut self, frames: u64, events: u64) -> Active {
        self.frames = frames;
        self.events = events;
        self
    }
}

/// How far the segment that an opening goes on in is zeroed ahead at a time: so much takes well under a millisecond, and
/// whoever writes next waits for it. Those after it are zeroed whole before they are needed, off this path.
const ZERO_STEP: u64 = 256 << 10;

/// The writer of a journal. It holds the lock.
#[derive(Debug)]
pub(crate) struct JournalWriter {
    /// Before the lock, so that its thread ends before the lock is given up.
    spare: Spare,
    storage: Arc<dyn Storage>,
    options: JournalOptions,
    lock: WriterLock,
    published: Arc<PublishedCell>,
    journal_id: JournalId,
    epoch: Epoch,
    active: Active,
    /// Frames that wait to be written at `active.end`.
    batch: Vec<u8>,
    next_seq: u64,
    /// The last `seq` that is synced.
    synced_seq: u64,
    /// The epoch of the last event.
    last_epoch: Epoch,
    /// The time of the newest frame, for seals and headers.
    now: Timestamp,
    /// Whether the last zeroing ahead found no room.
    room_is_short: bool,
    /// Why there was no room for the next segment, when that was found out for the batch under way.
    no_next: Option<Error>,
    failed: Option<Error>,
}

impl JournalWriter {
    #[expect(clippy::too_many_arguments, reason = "the one caller has just gathered them")]
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        options: JournalOptions,
        lock: WriterLock,
        journal_id: JournalId,
        epoch: Epoch,
        active: Active,
        next_seq: u64,
        last_epoch: Epoch,
        now: Timestamp,
    ) -> JournalWriter {
        let spare = Spare::new(Arc::clone(&storage), options.background.clone());
        let active = active.full_at(options.rotation.bytes());
        let writer = JournalWriter {
            storage,
            options,
            lock,
            published: Arc::default(),
            journal_id,
            epoch,
            active,
            batch: Vec::new(),
            next_seq,
            synced_seq: next_seq - 1,
            last_epoch,
            now,
            spare,
            room_is_short: false,
            no_next: None,
            failed: None,
        };
        writer.publish();
        writer
    }

    pub(crate) fn journal_id(&self) -> JournalId {
        self.journal_id
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The epoch of the last event; [`Epoch::NONE`] in an empty journal.
    pub(crate) fn last_epoch(&self) -> Epoch {
        self.last_epoch
    }

    /// What readers in this process look at.
    pub(crate) fn published(&self) -> Arc<PublishedCell> {
        Arc::clone(&self.published)
    }

    /// The last `seq` that is known to be synced.
    pub(crate) fn synced_seq(&self) -> u64 {
        self.synced_seq
    }

    /// The number of the segment that is being written. Its name is durable, and all segments before it are closed.
    pub(crate) fn active_segment(&self) -> u64 {
        self.active.name.number
    }

    /// How many bytes are written or gathered, and not synced.
    pub(crate) fn unsynced(&self) -> u64 {
        self.active.end - self.active.synced + offset_of(self.batch.len())
    }

    /// How much of the active segment the next frame testifies to be synced.
    fn known_synced(&self) -> u64 {
        if planted(Bug::SyncedOffsetStaysZero) {
            return 0;
        }
        let ahead = if planted(Bug::SyncedOffsetRunsAhead) { self.unsynced() } else { 0 };
        self.active.synced + ahead
    }

    /// Gathers one frame of `event_count` events, whose first is the next in the sequence. It may write, sync and
    /// rotate to make room.
    ///
    /// # Errors
    /// `InvalidArgument` (the payload is too long) and `NoSpace` (no room could be prepared) leave everything as it
    /// was; after any other error the writer has failed.
    pub(crate) fn append(&mut self, event_count: u32, payload: &[u8], now: Timestamp) -> Result<(), Error> {
        self.check_alive()?;
        self.now = now;
        let payload_len =
            u32::try_from(payload.len()).ok().filter(|&len| len <= MAX_PAYLOAD_LEN).ok_or_else(|| {
                let found = format!(
                    "the events of one command come to {} bytes; a frame holds at most {MAX_PAYLOAD_LEN}",
                    payload.len()
                );
                Error::new(ErrorKind::InvalidArgument, found)
            })?;
        self.make_room(offset_of(frame_len(payload.len())))?;
        let header = FrameHeader {
            kind: FrameKind::Events,
            handed_over: false,
            payload_len,
            event_count,
            first_seq: self.next_seq,
            durable_through: self.known_synced(),
            epoch: self.epoch,
        };
        let offset = self.active.end + offset_of(self.batch.len());
        self.active.codec.append(&mut self.batch, offset, &header, payload);
        self.active.frames += 1;
        self.active.events += u64::from(event_count);
        self.next_seq = header.next_seq();
        self.last_epoch = self.epoch;
        Ok(())
    }

    /// Writes what is gathered, with one call.
    pub(crate) fn write(&mut self) -> Result<(), Error> {
        self.check_alive()?;
        if self.batch.is_empty() {
            return Ok(());
        }
        let result = self.active.file.write_all_at(&self.batch, self.active.end);
        self.or_fail(result, "writing to")?;
        self.active.end += offset_of(self.batch.len());
        self.active.capacity = self.active.capacity.max(self.active.end);
        self.batch.clear();
        Ok(())
    }

    /// Writes what is gathered, and makes all that was written durable.
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        self.write()?;
        if self.active.synced == self.active.end {
            return Ok(());
        }
        let mut result = self.active.file.sync();
        if planted(Bug::FailedSyncTriedAgain) && result.is_err() {
            result = self.active.file.sync();
        }
        if !planted(Bug::FailedSyncIgnored) {
            self.or_fail(result, "syncing")?;
        }
        self.active.synced = self.active.end;
        self.synced_seq = self.next_seq - 1;
        Ok(())
    }

    /// A batch is over: there may be room for the next where there was none for this one. Within a batch the next segment
    /// is tried once, and not for each of many commands, which may cost a whole segment of zeros each time.
    pub(crate) fn look_for_room_again(&mut self) {
        self.no_next = None;
    }

    /// Lets readers read all that is written.
    pub(crate) fn publish(&self) {
        let published = Published {
            epoch: self.epoch,
            segment: self.active.name.number,
            published: self.active.end,
            synced: self.active.synced,
            seq: self.next_seq - 1,
        };
        self.lock.publish(published);
        self.published.set(Some(published));
    }

    /// Work ahead, for when nobody waits: zeros beyond the end, and the next segment, both when half is used up. That
    /// there is no room for it is no error yet.
    pub(crate) fn prepare(&mut self) -> Result<(), Error> {
        self.check_alive()?;
        let Active { end, capacity, full_at, .. } = self.active;
        if end > full_at / 2 {
            self.spare.start(self.spare_len());
        }
        if end > full_at - full_at / 4 {
            self.spare.hurry();
        }
        let is_due = capacity < full_at && capacity.saturating_sub(end) < ZERO_STEP / 4;
        if self.options.zero_ahead && is_due && !self.room_is_short {
            match self.zero_ahead(self.active.end + record_len()) {
                Err(error) if *error.kind() == ErrorKind::NoSpace => {
                    // Tried again when a frame needs it.
                    self.room_is_short = true;
                    tracing::warn!(%error, "no room to prepare for more");
                }
                result => result?,
            }
        }
        Ok(())
    }

    /// Closes the journal: everything synced, then the mark, synced and trimmed.
    pub(crate) fn close(mut self, now: Timestamp) -> Result<(), Error> {
        self.sync()?;
        let mark = self.end_record(FrameKind::Close, now);
        let result = self.active.file.write_all_at(&mark, self.active.end);
        self.or_fail(result, "writing the close mark to")?;
        let end = self.active.end + offset_of(mark.len());
        let result = self
            .active
            .file
            .sync()
            .and_then(|()| self.active.file.set_len(end))
            .and_then(|()| self.active.file.sync());
        self.or_fail(result, "closing")?;
        self.spare.discard();
        self.lock.clear();
        self.published.set(None);
        Ok(())
    }

    fn check_alive(&self) -> Result<(), Error> {
        self.failed.as_ref().map_or(Ok(()), |error| Err(error.with_kind(ErrorKind::Halted)))
    }

    /// Law HALT: the first failure is the last thing this writer did.
    fn or_fail<T>(&mut self, result: std::io::Result<T>, doing: &str) -> Result<T, Error> {
        result.map_err(|error| {
            self.fail(
                Error::io(format!("{doing} segment {}", self.active.name), error).with_kind(ErrorKind::Io),
            )
        })
    }

    fn fail(&mut self, error: Error) -> Error {
        tracing::error!(%error, "the journal failed; nothing more is written until it is reopened");
        if !planted(Bug::FailureDoesNotHalt) {
            self.failed = Some(error.clone());
        }
        error
    }

    /// Sees to it that a frame of `len` bytes fits: into what may stand unsynced, into the segment, and into what is
    /// zeroed ahead. There is always room for a seal or a mark behind it.
    fn make_room(&mut self, len: u64) -> Result<(), Error> {
        let is_too_much = self.unsynced() + len > self.active.max_unsynced && self.unsynced() > 0;
        if is_too_much && !planted(Bug::NoMaxUnsynced) {
            self.sync()?;
        }
        let end = self.active.end + offset_of(self.batch.len()) + len + record_len();
        let is_full = end > self.active.full_at && self.active.frames > 0;
        if is_full || len > self.active.max_unsynced {
            self.sync()?;
            self.rotate(len)?;
        }
        let end = self.active.end + offset_of(self.batch.len()) + len + record_len();
        if self.options.zero_ahead && end > self.active.capacity {
            match self.zero_ahead(end) {
                // Not as far as it would be good; perhaps as far as it takes.
                Err(error) if *error.kind() == ErrorKind::NoSpace => self.zero_to(end)?,
                result => result?,
            }
        }
        Ok(())
    }

    /// Fills the active segment with zeros, at least to `end`, and so far that it lasts for a while.
    fn zero_ahead(&mut self, end: u64) -> Result<(), Error> {
        let limit = self.active.full_at.max(end);
        self.zero_to(end.max(self.active.capacity + ZERO_STEP).min(limit))?;
        self.room_is_short = false;
        Ok(())
    }

    /// Fills the active segment with zeros to `target`. What is gathered is not written yet, and all that is written
    /// may be unsynced: so a failed sync fails the writer, unless it only lacked space with nothing at stake.
    fn zero_to(&mut self, target: u64) -> Result<(), Error> {
        let nothing_at_stake = self.active.synced == self.active.end;
        let file = Arc::clone(&self.active.file);
        let result =
            write_zeros(&*file, self.active.capacity.max(self.active.end), target).and_then(|()| file.sync());
        if let Err(source) = result {
            let error = Error::io(format!("preparing room in segment {}", self.active.name), source);
            if !nothing_at_stake || *error.kind() != ErrorKind::NoSpace {
                return Err(self.fail(error.with_kind(ErrorKind::Io)));
            }
            // What little room there is belongs to the next opening. If it cannot be given back, that is no worse.
            let _ = file.set_len(self.active.capacity.max(self.active.end));
            return Err(error);
        }
        self.active.capacity = target;
        self.active.synced = self.active.end;
        Ok(())
    }

    fn spare_len(&self) -> u64 {
        if self.options.zero_ahead { self.options.rotation.bytes().max(header_end()) } else { header_end() }
    }

    /// Ends the active segment with a seal and goes on in the next, which is there whole before anything in this one
    /// says so. Everything written is synced already.
    fn rotate(&mut self, frame_len: u64) -> Result<(), Error> {
        let name = SegmentName { number: self.active.name.number + 1, first_seq: self.next_seq };
        if name.number > SegmentName::MAX_NUMBER {
            return Err(Error::new(ErrorKind::NoSpace, "the journal has used up its segment numbers"));
        }
        if let Some(error) = &self.no_next {
            return Err(error.clone());
        }
        let (file, capacity) = match self.spare.take(self.spare_len()) {
            Ok(built) => built,
            Err(error) if *error.kind() == ErrorKind::NoSpace => {
                self.no_next = Some(error.clone());
                return Err(error);
            }
            Err(error) => return Err(self.fail(error)),
        };
        self.options.rotation.rotating();
        let now = self.now;
        let seal = self.end_record(FrameKind::Seal, now);
        let max_unsynced = self.options.max_unsynced.max(frame_len);
        let header = SegmentHeader {
            journal_id: self.journal_id,
            number: name.number,
            first_seq: name.first_seq,
            epoch: self.epoch,
            previous_epoch: self.last_epoch,
            predecessor: Predecessor {
                last_seq: self.next_seq - 1,
                end: self.active.end + offset_of(seal.len()),
                ..Predecessor::default()
            },
            birth: header_end(),
            max_unsynced,
            created_at: now,
            written_by: WriterVersion::current(),
        };
        let result = file.write_all_at(&header.to_bytes(), 0).and_then(|()| file.sync());
        self.or_fail(result, "writing the header of the segment after")?;
        if planted(Bug::SuccessorNamedBeforeTheSeal) {
            let result = self.name_spare(name);
            self.or_fail(result, "naming the segment after")?;
        }
        let result =
            self.active.file.write_all_at(&seal, self.active.end).and_then(|()| self.active.file.sync());
        self.or_fail(result, "sealing")?;
        if !planted(Bug::SuccessorNamedBeforeTheSeal) {
            let result = self.name_spare(name);
            self.or_fail(result, "naming the segment after")?;
        }
        self.spare.trim(Sealed {
            name: self.active.name,
            file: Arc::clone(&self.active.file),
            end: header.predecessor.end,
        });
        tracing::info!(segment = %name, "rotated");
        let codec = FrameCodec::new(self.journal_id, name.number);
        // It is as large as it was made, which the writer never has to wait for; the one after it may be larger.
        let full_at = if self.options.zero_ahead { capacity } else { self.options.rotation.bytes() };
        let next = Active::new(name, file, codec, header_end(), capacity, max_unsynced);
        self.active = next.full_at(full_at);
        self.publish();
        Ok(())
    }

    fn name_spare(&self, name: SegmentName) -> std::io::Result<()> {
        self.storage.rename(SPARE_NAME, &name.to_string())?;
        if planted(Bug::DirectoryNotSyncedAtARotation) { Ok(()) } else { self.storage.sync_dir() }
    }

    fn end_record(&self, kind: FrameKind, now: Timestamp) -> Vec<u8> {
        let record = EndRecord {
            ended_at: now,
            last_seq: self.next_seq - 1,
            frames: self.active.frames,
            events: self.active.events,
        };
        let payload = record.to_payload();
        let header = FrameHeader {
            kind,
            handed_over: false,
            payload_len: u32::try_from(payload.len()).unwrap_or(0),
            event_count: 0,
            first_seq: self.next_seq,
            durable_through: self.known_synced(),
            epoch: self.epoch,
        };
        let mut out = Vec::new();
        self.active.codec.append(&mut out, self.active.end, &header, &payload);
        out
    }
}

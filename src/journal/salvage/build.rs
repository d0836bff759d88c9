//! The new journal: built whole under temporary names, and named so that no crash leaves a part of it that looks like all.
//!
//! First everything is written and synced; then all names are given but that of the first segment, and synced; then that
//! one. A directory with the others and without it is refused by every opening, as a journal whose beginning is missing; one
//! with none of them holds no journal at all.

use std::sync::Arc;

use super::super::bytes::offset_of;
use super::super::frame::{FrameCodec, FrameHeader, FrameKind, FramePlace};
use super::super::header::{Predecessor, SegmentHeader, WriterVersion};
use super::super::layout::{
    HEADER_LEN, LOCK_NAME, RECORD_PAYLOAD_LEN, SegmentName, SnapshotName, header_end, record_len,
};
use super::super::lock::WriterLock;
use super::super::record::{EndRecord, OpenRecord};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::ids::{Entropy, Epoch, JournalId, new_epoch_tag, new_journal_id};
use crate::storage::{Storage, StorageFile};

/// The file for the events that are good, and do not join.
pub(crate) const ORPHANS_NAME: &str = "orphans.jsonl";
/// The same while it is being written.
pub(crate) const ORPHANS_TMP_NAME: &str = "orphans.jsonl.tmp";

/// What a writer of the new journal lets stand unsynced at most, until its next opening says otherwise.
const MAX_UNSYNCED: u64 = 1 << 20;

/// Where a history begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// The first segment.
    pub(crate) name: SegmentName,
    /// The epoch of the event before it.
    pub(crate) epoch: Epoch,
    /// Whether a snapshot stands for what is before it.
    pub(crate) has_base: bool,
}

impl Beginning {
    /// From the first event on.
    pub(crate) const NOTHING: Beginning =
        Beginning { name: SegmentName { number: 1, first_seq: 1 }, epoch: Epoch::NONE, has_base: false };
}

/// A journal in the making. It holds the lock.
#[derive(Debug)]
pub(crate) struct Builder {
    storage: Arc<dyn Storage>,
    _lock: WriterLock,
    journal_id: JournalId,
    beginning: Beginning,
    now: Timestamp,
    /// The segments whose bytes are written, but for headers and seals.
    closed: Vec<Plan>,
    /// The one that frames are added to.
    open: Plan,
    bytes: Vec<u8>,
    wants_cut: bool,
    next_seq: u64,
    last_epoch: Epoch,
}

/// What a segment's header and its last record are going to say.
#[derive(Debug, Clone, Copy)]
struct Plan {
    name: SegmentName,
    previous_epoch: Epoch,
    /// Where the segment before it ends.
    previous_end: u64,
    /// Where its frames of events end.
    end: u64,
    frames: u64,
    events: u64,
}

impl Plan {
    fn new(name: SegmentName, previous_epoch: Epoch, previous_end: u64) -> Plan {
        Plan { name, previous_epoch, previous_end, end: header_end(), frames: 0, events: 0 }
    }
}

fn temporary(name: SegmentName) -> String {
    format!("{name}.tmp")
}

impl Builder {
    /// Begins a journal in a directory in which there is nothing.
    pub(crate) fn begin(
        storage: Arc<dyn Storage>,
        beginning: Beginning,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<Builder, Error> {
        let lock = WriterLock::acquire(&*storage, now)?;
        let names = storage.list().map_err(|error| Error::io("listing the new directory", error))?;
        if let Some(found) = names.iter().find(|name| *name != LOCK_NAME) {
            let message = format!("expected an empty directory for the new journal, found {found} in it");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        Ok(Builder {
            storage,
            _lock: lock,
            journal_id: new_journal_id(entropy),
            beginning,
            now,
            closed: Vec::new(),
            open: Plan::new(beginning.name, beginning.epoch, 0),
            bytes: vec![0; HEADER_LEN],
            wants_cut: false,
            next_seq: beginning.name.first_seq,
            last_epoch: beginning.epoch,
        })
    }

    pub(crate) fn journal_id(&self) -> JournalId {
        self.journal_id
    }

    /// The last `seq` so far.
    pub(crate) fn last_seq(&self) -> u64 {
        self.next_seq - 1
    }

    /// The next frame goes into a new segment, unless this one is still empty.
    pub(crate) fn cut(&mut self) {
        self.wants_cut = true;
    }

    /// Adds a frame: the same payload, `seq` and epoch, in another place.
    pub(crate) fn append(&mut self, place: &FramePlace<'_>) -> Result<(), Error> {
        if std::mem::take(&mut self.wants_cut) && self.open.frames > 0 {
            self.close_segment()?;
        }
        let header = FrameHeader { handed_over: true, durable_through: 0, ..place.frame.header };
        let codec = FrameCodec::new(self.journal_id, self.open.name.number);
        let offset = offset_of(self.bytes.len());
        codec.append(&mut self.bytes, offset, &header, place.frame.payload);
        self.open.end = offset_of(self.bytes.len());
        self.open.frames += 1;
        self.open.events += u64::from(header.event_count);
        self.next_seq = header.next_seq();
        self.last_epoch = header.epoch;
        Ok(())
    }

    /// Writes the segment at hand, but for what is not known yet, and begins the next.
    fn close_segment(&mut self) -> Result<(), Error> {
        self.write_body()?;
        self.closed.push(self.open);
        let name = SegmentName { number: self.open.name.number + 1, first_seq: self.next_seq };
        self.open = Plan::new(name, self.last_epoch, self.open.end + record_len());
        self.bytes.truncate(HEADER_LEN);
        Ok(())
    }

    fn write_body(&self) -> Result<(), Error> {
        let name = temporary(self.open.name);
        let file = self.storage.create(&name).map_err(|error| building(&name, error))?;
        file.write_all_at(&self.bytes, 0).map_err(|error| building(&name, error))
    }

    /// Completes the journal: closed cleanly, by an epoch newer than all that were in the old one. `others` are further
    /// files, synced, with the names that they are to get.
    pub(crate) fn finish(
        &self,
        newest_epoch: Epoch,
        entropy: &dyn Entropy,
        others: &[(&str, &str)],
    ) -> Result<(), Error> {
        let counter = newest_epoch.counter.max(self.last_epoch.counter).saturating_add(1);
        let epoch = Epoch { counter, tag: new_epoch_tag(entropy) };
        self.write_body()?;
        for plan in &self.closed {
            let seal = self.end_record(plan, plan.end, FrameKind::Seal, epoch);
            self.complete(plan, epoch, &seal)?;
        }
        let mut tail = self.open_record(epoch);
        // The next opening overwrites the mark, so the file is born before it.
        let born = self.open.end + offset_of(tail.len());
        tail.extend(self.end_record(&self.open, born, FrameKind::Close, epoch));
        self.complete(&self.open, epoch, &tail)?;
        self.name_all(others)
    }

    /// Writes the header of a segment and what stands behind its events, and syncs it.
    fn complete(&self, plan: &Plan, epoch: Epoch, tail: &[u8]) -> Result<(), Error> {
        let name = temporary(plan.name);
        let failed = |error| building(&name, error);
        let header = SegmentHeader {
            journal_id: self.journal_id,
            number: plan.name.number,
            first_seq: plan.name.first_seq,
            epoch,
            previous_epoch: plan.previous_epoch,
            predecessor: Predecessor {
                last_seq: plan.name.first_seq - 1,
                end: plan.previous_end,
                ..Predecessor::default()
            },
            birth: plan.end + offset_of(tail.len()) - record_len(),
            max_unsynced: MAX_UNSYNCED,
            created_at: self.now,
            written_by: WriterVersion::current(),
        };
        let file: Arc<dyn StorageFile> = self.storage.open_writable(&name).map_err(failed)?;
        file.write_all_at(tail, plan.end).map_err(failed)?;
        file.write_all_at(&header.to_bytes(), 0).map_err(failed)?;
        file.sync().map_err(failed)
    }

    fn name_all(&self, others: &[(&str, &str)]) -> Result<(), Error> {
        let failed = |error| Error::io("naming the files of the new journal", error);
        for (from, to) in others {
            self.storage.rename(from, to).map_err(failed)?;
        }
        if self.beginning.has_base {
            let before = self.beginning.name;
            let name = |is_base| SnapshotName { before, is_base }.to_string();
            self.storage.rename(&name(false), &name(true)).map_err(failed)?;
        }
        let names: Vec<SegmentName> = self.closed.iter().chain([&self.open]).map(|plan| plan.name).collect();
        for name in names.iter().skip(1) {
            self.storage.rename(&temporary(*name), &name.to_string()).map_err(failed)?;
        }
        self.storage.sync_dir().map_err(failed)?;
        self.storage.rename(&temporary(names[0]), &names[0].to_string()).map_err(failed)?;
        self.storage.sync_dir().map_err(failed)
    }

    /// Takes everything away that was made, after a failure: whatever can be.
    pub(crate) fn discard(&self) {
        // The first segment first, without which nothing is a journal.
        let _ = self.storage.remove(&self.beginning.name.to_string());
        let _ = self.storage.sync_dir();
        for name in self.storage.list().unwrap_or_default() {
            if name != LOCK_NAME {
                let _ = self.storage.remove(&name);
            }
        }
    }

    fn open_record(&self, epoch: Epoch) -> Vec<u8> {
        let record = OpenRecord {
            opened_at: self.now,
            max_unsynced: MAX_UNSYNCED,
            written_by: WriterVersion::current(),
            pid: std::process::id(),
        };
        self.record(&self.open, self.open.end, FrameKind::Open, 0, epoch, &record.to_payload())
    }

    fn end_record(&self, plan: &Plan, offset: u64, kind: FrameKind, epoch: Epoch) -> Vec<u8> {
        let last_seq = plan.name.first_seq + plan.events - 1;
        let Plan { frames, events, .. } = *plan;
        let record = EndRecord { ended_at: self.now, last_seq, frames, events };
        self.record(plan, offset, kind, offset, epoch, &record.to_payload())
    }

    fn record(
        &self,
        plan: &Plan,
        offset: u64,
        kind: FrameKind,
        durable_through: u64,
        epoch: Epoch,
        payload: &[u8; RECORD_PAYLOAD_LEN],
    ) -> Vec<u8> {
        let header = FrameHeader {
            kind,
            handed_over: false,
            payload_len: u32::try_from(RECORD_PAYLOAD_LEN).unwrap_or(0),
            event_count: 0,
            first_seq: plan.name.first_seq + plan.events,
            durable_through,
            epoch,
        };
        let mut out = Vec::new();
        FrameCodec::new(self.journal_id, plan.name.number).append(&mut out, offset, &header, payload);
        out
    }
}

fn building(name: &str, error: std::io::Error) -> Error {
    Error::io(format!("building {name}"), error)
}

//! Which file of a damaged journal is what.

use std::sync::Arc;

use super::super::audit::{Finding, FindingKind};
use super::super::bytes::offset_of;
use super::super::chain::{Segment, most_frequent, unsupported};
use super::super::directory::Directory;
use super::super::frame::{FrameCodec, FrameKind};
use super::super::header::{HeaderError, Predecessor, SegmentHeader, WriterVersion};
use super::super::layout::{LOCK_NAME, SegmentName, SnapshotName, header_end};
use super::super::lock::holder;
use super::super::snapshot::{SnapshotFile, SnapshotHeader};
use super::super::sweep::{Swept, sweep};
use super::read;
use super::seed::Votes;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::ids::{Epoch, JournalId};
use crate::storage::{Storage, StorageFile};

/// A directory with what is left of a journal.
pub(crate) struct Wreck<'s> {
    storage: &'s dyn Storage,
    /// The journal, where any header still tells.
    pub(crate) journal_id: Option<JournalId>,
    /// What the frames hold of its id.
    crc_of_id: u32,
    /// The segment files, in the order of their numbers; of those with one number the one that is to be believed first.
    pub(super) parts: Vec<Part>,
    /// The first retained segment, as a base states it.
    pub(crate) floor: Option<SegmentName>,
    /// The snapshots from the floor on, oldest first.
    pub(crate) snapshots: Vec<SnapshotName>,
    /// Those below it.
    pub(crate) superseded: Vec<SnapshotName>,
    pruned: Vec<SegmentName>,
    /// What is wrong, as far as it was looked at.
    pub(crate) findings: Vec<Finding>,
}

/// A segment file.
pub(super) struct Part {
    pub(super) file_name: Arc<str>,
    named: SegmentName,
    /// Which segment it is: its header says so, or else its name.
    pub(super) place: SegmentName,
    /// The header, where it is whole.
    pub(super) header: Option<SegmentHeader>,
    pub(super) len: u64,
}

impl<'s> Wreck<'s> {
    /// Looks at the names and headers in a directory, which nobody may be writing. Nothing is changed there.
    ///
    /// # Errors
    /// `Locked`, `Unsupported`, `Io`; `Damaged` when nothing tells which journal it was.
    pub(crate) fn look(storage: &'s dyn Storage) -> Result<Wreck<'s>, Error> {
        refuse_live(storage)?;
        let directory = Directory::list(storage)?;
        let Directory { segments, snapshots, floor, pruned, superseded, .. } = directory;
        if segments.is_empty() && snapshots.is_empty() {
            return Err(Error::new(ErrorKind::Io, "there is no journal in this directory"));
        }
        let mut wreck = Wreck {
            storage,
            journal_id: None,
            crc_of_id: 0,
            parts: Vec::new(),
            floor,
            snapshots,
            superseded,
            pruned,
            findings: Vec::new(),
        };
        let opened = wreck.open_all(&segments)?;
        wreck.identify(&opened)?;
        wreck.place_all(opened);
        Ok(wreck)
    }

    /// Takes in what lies below the floor, too: for when nothing at the floor is left to begin from.
    pub(crate) fn include_pruned(&mut self) -> Result<(), Error> {
        let names = std::mem::take(&mut self.pruned);
        let opened = self.open_all(&names)?;
        self.place_all(opened);
        Ok(())
    }

    pub(crate) fn damage(
        &mut self,
        kind: FindingKind,
        file: &str,
        (start, end): (u64, u64),
        seq: Option<u64>,
        message: impl Into<String>,
    ) {
        let message = message.into();
        self.findings.push(Finding { kind, file: file.to_owned(), start, end, seq, message });
    }

    fn open_all(&mut self, names: &[SegmentName]) -> Result<Vec<Part>, Error> {
        let mut opened = Vec::with_capacity(names.len());
        for &name in names {
            let file_name: Arc<str> = name.to_string().into();
            let looked = self.storage.open(&file_name).and_then(|file| file.len().map(|len| (file, len)));
            let (file, len) = match looked {
                Ok(looked) => looked,
                Err(error) if read::is_refusal(&error) => return Err(opening(&file_name, error)),
                Err(error) => {
                    let found = format!("the file cannot be opened: {error}");
                    self.damage(FindingKind::Unreadable, &file_name, (0, 0), Some(name.first_seq), found);
                    continue;
                }
            };
            let block =
                read::read(&*file, len.min(header_end())).map_err(|error| opening(&file_name, error))?;
            let header = match header_of(&block.bytes) {
                Ok(header) => Some(header),
                Err(HeaderError::Unsupported { found }) => return Err(unsupported(&file_name, found)),
                Err(HeaderError::Bad(wrong)) => {
                    // What cannot be read is told when the rest of the file is read.
                    if block.unreadable.is_empty() {
                        let range = (0, header_end());
                        self.damage(FindingKind::Damage, &file_name, range, Some(name.first_seq), wrong);
                    }
                    None
                }
            };
            opened.push(Part { file_name, named: name, place: name, header, len });
        }
        Ok(opened)
    }

    /// Finds out which journal it is: the one that most headers name. With no header left, a frame tells that much of it
    /// that all others can be checked.
    fn identify(&mut self, parts: &[Part]) -> Result<(), Error> {
        let of_segments =
            parts.iter().filter_map(|part| part.header.as_ref()).map(|header| header.journal_id);
        let of_snapshots = self.snapshots.iter().filter_map(|&name| {
            SnapshotFile::open(self.storage, name).ok().map(|file| file.header.journal_id)
        });
        self.journal_id = most_frequent(of_segments.chain(of_snapshots));
        if let Some(journal_id) = self.journal_id {
            self.crc_of_id = crc32fast::hash(journal_id.0.as_bytes());
            return Ok(());
        }
        let mut votes = Votes::default();
        for part in parts {
            if let Ok((_, read)) = self.read(part)? {
                votes.count(&read.bytes, part.place.number);
            }
        }
        self.crc_of_id = votes.elected().map_err(|found| {
            let file = parts.first().map_or_else(String::new, |part| part.file_name.to_string());
            Error::damaged(&file, 0, None, found)
        })?;
        Ok(())
    }

    /// Puts each file where its header says that it belongs, and reports what does not belong here at all.
    fn place_all(&mut self, opened: Vec<Part>) {
        for mut part in opened {
            if let Some(header) = &part.header {
                if Some(header.journal_id) != self.journal_id {
                    let found = format!("it belongs to journal {}; it is left out", header.journal_id);
                    let seq = Some(part.named.first_seq);
                    self.damage(FindingKind::Damage, &part.file_name, (0, part.len), seq, found);
                    continue;
                }
                part.place = SegmentName { number: header.number, first_seq: header.first_seq };
            }
            if part.place != part.named {
                let found = format!("its header says that it is {}: it was renamed or swapped", part.place);
                let seq = Some(part.named.first_seq);
                self.damage(FindingKind::Damage, &part.file_name, (0, header_end()), seq, found);
            }
            self.parts.push(part);
        }
        self.parts.sort_by_key(|part| {
            let is_strange = part.header.is_none() || part.place != part.named;
            (part.place.number, is_strange, part.place.first_seq, part.named)
        });
    }

    /// Whether the history is there from its first event on. The segment that begins with it need not be the first one: one
    /// that nothing was journaled into has a successor with the same first `seq`.
    pub(crate) fn begins_with_first(&self) -> Result<bool, Error> {
        let (mut is_whole, mut found) = (false, false);
        for part in self.parts.iter().filter(|part| part.place.first_seq == 1) {
            // What cannot be read is told when it is to be copied.
            let Ok((segment, read)) = self.read(part)? else { continue };
            let mut first = None;
            let (_, is_good) = sweep(&segment, &read.bytes, read.used(), &mut |swept| {
                if let Swept::Good(frame, _) = swept
                    && frame.header.kind == FrameKind::Events
                {
                    first.get_or_insert(frame.header.first_seq);
                }
                Ok(())
            })?;
            found |= first == Some(1);
            is_whole |= first.is_none() && is_good && part.header.is_some() && read.unreadable.is_empty();
        }
        Ok(found || is_whole && !self.has_more())
    }

    /// Whether anything testifies that there were events: a segment without any may have lost them.
    fn has_more(&self) -> bool {
        let snapshots = self.snapshots.iter().chain(&self.superseded).map(|name| name.before);
        self.parts.iter().map(|part| part.place).chain(snapshots).any(|place| place.first_seq > 1)
    }

    /// Where it lies.
    pub(crate) fn storage(&self) -> &'s dyn Storage {
        self.storage
    }

    /// Opens a snapshot, and checks that it is what its name says.
    pub(crate) fn open_snapshot(&self, name: SnapshotName) -> Result<SnapshotFile, Error> {
        SnapshotFile::open(self.storage, name)
    }

    /// Whether the segment is there, whatever is left of it.
    pub(crate) fn has_segment(&self, name: SegmentName) -> bool {
        self.parts.iter().any(|part| part.place == name)
    }

    /// Whether a snapshot is of this journal as it went.
    pub(crate) fn fits(&self, header: &SnapshotHeader) -> bool {
        let after = self.parts.iter().find(|part| part.place == header.before);
        let stated = after.and_then(|part| part.header.as_ref()).map(|after| after.previous_epoch);
        Some(header.journal_id) == self.journal_id && stated.is_none_or(|epoch| epoch == header.epoch)
    }

    /// Reads a file whole, as a segment in its place; it is open no longer than that is kept, as there may be more segments
    /// than a process may open. `Ok(Err(why))`: it cannot be opened.
    pub(super) fn read(&self, part: &Part) -> Result<Result<(Segment, read::Bytes), String>, Error> {
        let file = match self.storage.open(&part.file_name) {
            Ok(file) => file,
            Err(error) if read::is_refusal(&error) => return Err(opening(&part.file_name, error)),
            Err(error) => return Ok(Err(format!("the file cannot be opened: {error}"))),
        };
        let bytes = read::read(&*file, part.len).map_err(|error| opening(&part.file_name, error))?;
        Ok(Ok((self.segment(part, file), bytes)))
    }

    fn segment(&self, part: &Part, file: Arc<dyn StorageFile>) -> Segment {
        let SegmentName { number, first_seq } = part.place;
        // Where the header is gone, one that claims nothing.
        let nothing = || SegmentHeader {
            journal_id: self.journal_id.unwrap_or(JournalId(uuid::Uuid::nil())),
            number,
            first_seq,
            epoch: Epoch::NONE,
            previous_epoch: Epoch::NONE,
            predecessor: Predecessor { last_seq: first_seq.saturating_sub(1), ..Predecessor::default() },
            birth: header_end(),
            max_unsynced: u64::MAX,
            created_at: Timestamp::UNIX_EPOCH,
            written_by: WriterVersion::current(),
        };
        Segment {
            name: part.place,
            file_name: Arc::clone(&part.file_name),
            header: part.header.clone().unwrap_or_else(nothing),
            codec: FrameCodec::with_crc_of_id(self.crc_of_id, number),
            file,
        }
    }
}

impl read::Bytes {
    /// Where the last byte lies that is not zero.
    pub(super) fn used(&self) -> u64 {
        offset_of(super::super::bytes::end_of_nonzero(&self.bytes, 0))
    }
}

/// Refuses a journal that a writer holds: it is not damaged, and what is copied beside it would be old at once.
pub(crate) fn refuse_live(storage: &dyn Storage) -> Result<(), Error> {
    let peeked = storage
        .peek_lock(LOCK_NAME)
        .map_err(|error| Error::io(format!("looking at the lock file {LOCK_NAME}"), error))?;
    if peeked.is_none_or(|peeked| !peeked.held) {
        return Ok(());
    }
    let by = holder(storage).unwrap_or_else(|| "a writer that did not say who it is".to_owned());
    Err(Error::new(ErrorKind::Locked, format!("the journal is locked by a writer: {by}: end it first")))
}

/// Whether an error is one that says nothing about the disk, and so nothing of what is lost.
pub(crate) fn is_refusal(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    source.is_some_and(read::is_refusal)
}

fn opening(file_name: &str, error: std::io::Error) -> Error {
    Error::io(format!("opening segment {file_name}"), error)
}

fn header_of(block: &[u8]) -> Result<SegmentHeader, HeaderError> {
    let header = SegmentHeader::from_bytes(block)?;
    if header.predecessor.last_seq.checked_add(1) != Some(header.first_seq) {
        return Err(HeaderError::Bad("its header contradicts itself about its first seq"));
    }
    Ok(header)
}

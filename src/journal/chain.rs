//! The segments of a directory, and how they join: every one that follows states how the one before it ended.

use std::sync::Arc;

use super::bytes::{index_of, offset_of};
use super::directory::Directory;
use super::frame::FrameCodec;
use super::header::{HeaderError, SegmentHeader};
use super::layout::{FORMAT_VERSION, HEADER_LEN, SegmentName};
use crate::error::{Error, ErrorKind};
use crate::ids::JournalId;
use crate::planted::{Bug, planted};
use crate::storage::{Storage, StorageFile};

/// A segment file with its header, read and checked.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) name: SegmentName,
    pub(super) file_name: Arc<str>,
    pub(super) header: SegmentHeader,
    pub(super) codec: FrameCodec,
    pub(super) file: Arc<dyn StorageFile>,
}

/// What is wrong about one name following another, if anything.
pub(super) fn wrong_succession(before: SegmentName, name: SegmentName) -> Option<String> {
    if name.number == before.number {
        return Some(format!("{before} has the same segment number"));
    }
    if name.number != before.number + 1 {
        return Some(format!("segment {}, which comes before it, is missing", name.number - 1));
    }
    (name.first_seq < before.first_seq).then(|| format!("its first seq is below that of {before}"))
}

impl Segment {
    /// Opens a segment for reading, and checks that it is what its name says.
    pub(super) fn open(storage: &dyn Storage, name: SegmentName) -> Result<Segment, Error> {
        let file_name = name.to_string();
        let file = storage.open(&file_name).map_err(|error| {
            let is_gone = error.kind() == std::io::ErrorKind::NotFound;
            match Directory::list(storage) {
                Ok(now) if is_gone && now.is_pruned(name) => pruned(name),
                _ => Error::io(format!("opening segment {file_name}"), error),
            }
        })?;
        Segment::with_file(name, file)
    }

    /// The same, on a file that is open already.
    pub(super) fn with_file(name: SegmentName, file: Arc<dyn StorageFile>) -> Result<Segment, Error> {
        let file_name = name.to_string();
        let len = file_len(&*file, &file_name)?;
        let block = read_range(&*file, &file_name, 0, len.min(offset_of(HEADER_LEN)))?;
        let header = SegmentHeader::from_bytes(&block).map_err(|error| match error {
            HeaderError::Unsupported { found } => unsupported(&file_name, found),
            HeaderError::Bad(wrong) => Error::damaged(&file_name, 0, Some(name.first_seq), wrong),
        })?;
        let is_as_named = header.number == name.number && header.first_seq == name.first_seq;
        if !is_as_named && !planted(Bug::SwappedSegmentBelieved) {
            let said = SegmentName { number: header.number, first_seq: header.first_seq };
            return Err(Error::damaged(
                &file_name,
                0,
                Some(name.first_seq),
                format!("its header says that it is {said}: it was renamed or swapped"),
            ));
        }
        if header.predecessor.last_seq.checked_add(1) != Some(header.first_seq) {
            return Err(Error::damaged(
                &file_name,
                0,
                Some(name.first_seq),
                "its header contradicts itself about its first seq",
            ));
        }
        let codec = FrameCodec::new(header.journal_id, header.number);
        Ok(Segment { name, file_name: file_name.into(), header, codec, file })
    }

    /// Refuses a segment of another journal.
    pub(super) fn check_journal(&self, journal_id: JournalId) -> Result<(), Error> {
        if self.header.journal_id == journal_id || planted(Bug::ForeignSegmentBelieved) {
            return Ok(());
        }
        let found = format!("it belongs to journal {}, not to {journal_id}", self.header.journal_id);
        Err(Error::damaged(&self.file_name, 0, Some(self.name.first_seq), found))
    }

    /// The length of the file.
    pub(super) fn file_len(&self) -> Result<u64, Error> {
        file_len(&*self.file, &self.file_name)
    }

    /// The bytes of the file from its start to `end`, which is stated elsewhere to be there, mapped: for reading a
    /// little here and there. A device that fails under a mapping ends the process.
    pub(super) fn map_to(&self, end: u64) -> Result<crate::storage::Mapping, Error> {
        self.check_len(end)?;
        self.file.map(end).map_err(|error| Error::io(format!("mapping segment {}", self.file_name), error))
    }

    /// The same, read: for going through all of it once, where a device that fails has to be an error.
    pub(super) fn read_to(&self, end: u64) -> Result<Vec<u8>, Error> {
        self.check_len(end)?;
        read_range(&*self.file, &self.file_name, 0, end)
    }

    pub(super) fn check_len(&self, end: u64) -> Result<(), Error> {
        let len = self.file_len()?;
        if len < end && !planted(Bug::ClosedSegmentCut) {
            return Err(Error::damaged(
                &self.file_name,
                len,
                None,
                format!("the file is cut off: it should have {end} bytes, and has {len}"),
            ));
        }
        Ok(())
    }

    /// Damage in this segment.
    pub(super) fn damaged(&self, offset: u64, seq: u64, found: impl std::fmt::Display) -> Error {
        Error::damaged(&self.file_name, offset, Some(seq), found)
    }
}

/// A segment of a format that is newer than what this version knows.
pub(super) fn unsupported(file: &str, found: u32) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "segment {file} is of format version {found}, which is unsupported: this is Tallybook {}, which knows versions up to {FORMAT_VERSION}: upgrade",
            env!("CARGO_PKG_VERSION")
        ),
    )
}

/// The journal that most of these belong to; of several the first. One file that strayed in does not make strangers of
/// the others.
pub(super) fn most_frequent(ids: impl Iterator<Item = JournalId>) -> Option<JournalId> {
    let mut counts: Vec<(JournalId, usize)> = Vec::new();
    for id in ids {
        match counts.iter_mut().find(|(known, _)| *known == id) {
            Some((_, count)) => *count += 1,
            None => counts.push((id, 1)),
        }
    }
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(id, _)| id)
}

/// What a reader is told whose segment was pruned.
pub(super) fn pruned(name: SegmentName) -> Error {
    Error::new(ErrorKind::Pruned, format!("segment {name} is below the retention floor: it was pruned"))
}

fn file_len(file: &dyn StorageFile, name: &str) -> Result<u64, Error> {
    file.len().map_err(|error| Error::io(format!("asking for the length of segment {name}"), error))
}

/// `len` bytes of a file from `offset` on. A failed read is an I/O error, never the end of the journal.
pub(super) fn read_range(
    file: &dyn StorageFile,
    name: &str,
    offset: u64,
    len: u64,
) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; index_of(len)];
    read_into(file, name, offset, &mut bytes)?;
    Ok(bytes)
}

/// The same, into room that is there.
pub(super) fn read_into(
    file: &dyn StorageFile,
    name: &str,
    offset: u64,
    bytes: &mut [u8],
) -> Result<(), Error> {
    let read = file.read_exact_at(bytes, offset);
    if planted(Bug::FailedReadIsTheEnd) {
        return Ok(());
    }
    let len = bytes.len();
    read.map_err(|error| {
        Error::io(format!("reading {len} bytes of segment {name} at offset {offset}"), error)
    })
}

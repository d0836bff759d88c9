//! Snapshots: the state before a segment, in a file of its own. This layer knows a header and lines; what the lines say
//! it does not know.
//!
//! A snapshot is written under a temporary name, synced, and only then named; whoever is to rely on it reads it again
//! first.

mod header;

use std::sync::Arc;

use crc32fast::Hasher;

use super::bytes::{index_of, offset_of};
use super::chain::{pruned, read_into, read_range};
use super::directory::Directory;
use super::header::{HeaderError, WriterVersion};
use super::layout::{FORMAT_VERSION, SNAPSHOT_TMP_NAME, SegmentName, SnapshotName, header_end};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::ids::{Epoch, JournalId};
use crate::planted::{Bug, planted};
use crate::storage::{Storage, StorageFile};

pub use header::{SNAPSHOT_MAGIC, SnapshotHeader};

/// How much is read at once.
const CHUNK: usize = 1 << 20;

/// How much is written at once, and synced: one large sync would hold up the writer's.
const PIECE: usize = 128 << 10;

/// What a snapshot's header says beside what is counted while it is written.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotOf {
    pub(crate) journal_id: JournalId,
    pub(crate) before: SegmentName,
    pub(crate) epoch: Epoch,
    pub(crate) last_ts: Timestamp,
    pub(crate) fold_version: u32,
    pub(crate) state_hash: [u8; 32],
    pub(crate) created_at: Timestamp,
    /// Zeros where it is not known.
    pub(crate) spine_head: [u8; 32],
}

/// A snapshot that is being written, under its temporary name.
pub(crate) struct SnapshotWriter<'a> {
    storage: &'a dyn Storage,
    file: Arc<dyn StorageFile>,
    buffer: Vec<u8>,
    written: u64,
    crc: Hasher,
    lines: u64,
}

/// An empty file under the temporary name, in place of what a former maker left behind there.
pub(super) fn create_temporary(storage: &dyn Storage) -> std::io::Result<Arc<dyn StorageFile>> {
    match storage.create(SNAPSHOT_TMP_NAME) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            storage.remove(SNAPSHOT_TMP_NAME).and_then(|()| storage.create(SNAPSHOT_TMP_NAME))
        }
        created => created,
    }
}

impl<'a> SnapshotWriter<'a> {
    /// Begins a snapshot. What a former one left behind under that name is removed.
    pub(crate) fn create(storage: &'a dyn Storage) -> Result<SnapshotWriter<'a>, Error> {
        let file = create_temporary(storage).map_err(|error| Error::io("making a snapshot", error))?;
        Ok(SnapshotWriter {
            storage,
            file,
            buffer: Vec::with_capacity(PIECE + (PIECE >> 3)),
            written: 0,
            crc: Hasher::new(),
            lines: 0,
        })
    }

    /// Adds a line, given without its end.
    pub(crate) fn line(&mut self, line: &[u8]) -> Result<(), Error> {
        self.buffer.extend_from_slice(line);
        self.buffer.push(b'\n');
        self.lines += 1;
        if self.buffer.len() >= PIECE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.crc.update(&self.buffer);
        let at = header_end() + self.written;
        let written = self.file.write_all_at(&self.buffer, at).and_then(|()| self.sync());
        written.map_err(|error| Error::io("writing a snapshot", error))?;
        self.written += offset_of(self.buffer.len());
        self.buffer.clear();
        Ok(())
    }

    fn sync(&self) -> std::io::Result<()> {
        if planted(Bug::SnapshotNotSynced) { Ok(()) } else { self.file.sync() }
    }

    /// Completes the snapshot, and gives it its name.
    pub(crate) fn finish(mut self, of: &SnapshotOf) -> Result<SnapshotHeader, Error> {
        self.flush()?;
        let header = SnapshotHeader {
            journal_id: of.journal_id,
            before: of.before,
            epoch: of.epoch,
            last_ts: of.last_ts,
            fold_version: of.fold_version,
            state_hash: of.state_hash,
            lines: self.lines,
            payload_len: self.written,
            payload_crc: self.crc.clone().finalize(),
            created_at: of.created_at,
            written_by: WriterVersion::current(),
            spine_head: of.spine_head,
        };
        let name = SnapshotName { before: of.before, is_base: false };
        let named = self
            .file
            .write_all_at(&header.to_bytes(), 0)
            .and_then(|()| self.sync())
            .and_then(|()| self.storage.rename(SNAPSHOT_TMP_NAME, &name.to_string()))
            .and_then(|()| self.storage.sync_dir());
        named.map_err(|error| Error::io(format!("completing snapshot {name}"), error))?;
        Ok(header)
    }
}

impl Drop for SnapshotWriter<'_> {
    /// What was not completed only takes up room; what was has another name by now. The next one removes it otherwise.
    fn drop(&mut self) {
        let _ = self.storage.remove(SNAPSHOT_TMP_NAME);
    }
}

/// A snapshot, open for reading; its header is checked.
#[derive(Debug)]
pub(crate) struct SnapshotFile {
    pub(crate) name: SnapshotName,
    pub(crate) header: SnapshotHeader,
    file: Arc<dyn StorageFile>,
}

impl SnapshotFile {
    /// Opens a snapshot and checks that it is what its name says.
    ///
    /// # Errors
    /// `Damaged`, `Unsupported`, `Io`; `Pruned` when it is below the retention floor by now.
    pub(crate) fn open(storage: &dyn Storage, name: SnapshotName) -> Result<SnapshotFile, Error> {
        let text = name.to_string();
        let file = match storage.open(&text) {
            // It may have become a base since it was listed.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !name.is_base => {
                storage.open(&SnapshotName { is_base: true, ..name }.to_string()).or(Err(error))
            }
            opened => opened,
        };
        let file = file.map_err(|error| {
            let is_gone = error.kind() == std::io::ErrorKind::NotFound;
            match Directory::list(storage) {
                Ok(now) if is_gone && now.is_pruned(name.before) => pruned(name.before),
                _ => Error::io(format!("opening snapshot {text}"), error),
            }
        })?;
        SnapshotFile::with_file(name, file)
    }

    fn with_file(name: SnapshotName, file: Arc<dyn StorageFile>) -> Result<SnapshotFile, Error> {
        let text = name.to_string();
        let seq = name.before.first_seq.checked_sub(1);
        let damaged = |offset, found: &str| Error::damaged(&text, offset, seq, found);
        let len = file.len().map_err(|error| Error::io(format!("asking for the length of {text}"), error))?;
        let block = read_range(&*file, &text, 0, len.min(header_end()))?;
        let header = SnapshotHeader::from_bytes(&block).map_err(|error| match error {
            HeaderError::Unsupported { found } => Error::new(
                ErrorKind::Unsupported,
                format!("snapshot {text} is of format version {found}, which is unsupported: this is Tallybook {}, which knows versions up to {FORMAT_VERSION}: upgrade", env!("CARGO_PKG_VERSION")),
            ),
            HeaderError::Bad(wrong) => damaged(0, wrong),
        })?;
        if header.before != name.before {
            return Err(damaged(0, "its header says that it stands elsewhere: it was renamed or swapped"));
        }
        if header.before.number == 0 || header.before.first_seq == 0 {
            return Err(damaged(0, "its header contradicts itself: segments and events are counted from 1"));
        }
        let stated = header_end().saturating_add(header.payload_len);
        if len != stated && !planted(Bug::SnapshotLengthUnchecked) {
            return Err(damaged(len.min(stated), "the file is longer or shorter than its header says"));
        }
        Ok(SnapshotFile { name, header, file })
    }

    /// Gives each line, without its end, to `take`, in order. What was given counts only when this ends well: the CRC is
    /// known at the end.
    pub(crate) fn read(&self, take: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let text = self.name.to_string();
        let (mut at, end) = (header_end(), header_end() + self.header.payload_len);
        let (mut crc, mut lines) = (Hasher::new(), 0_u64);
        // Room that is used again, and how much of it is the beginning of a line whose end was not there yet.
        let (mut bytes, mut kept) = (Vec::new(), 0);
        let mut taken = Ok(());
        while at < end {
            // Behind what is left of that line: no byte is copied but those.
            let len = index_of(offset_of(CHUNK).min(end - at));
            if bytes.len() < kept + len {
                bytes.resize(kept + len, 0);
            }
            read_into(&*self.file, &text, at, &mut bytes[kept..kept + len])?;
            crc.update(&bytes[kept..kept + len]);
            at += offset_of(len);
            let (mut begin, filled) = (0, kept + len);
            for line_end in memchr::memchr_iter(b'\n', &bytes[..filled]) {
                lines += 1;
                if taken.is_ok() {
                    taken = take(&bytes[begin..line_end]);
                }
                begin = line_end + 1;
            }
            bytes.copy_within(begin..filled, 0);
            kept = filled - begin;
        }
        let damaged = |found: &str| Error::damaged(&text, header_end(), Some(self.header.seq()), found);
        // First what is wrong with the bytes: what is wrong with the lines may be no more than that.
        if crc.finalize() != self.header.payload_crc && !planted(Bug::SnapshotCrcUnchecked) {
            return Err(damaged("the CRC of its state does not match"));
        }
        if kept > 0 || lines != self.header.lines {
            return Err(damaged("it has more or fewer lines than its header says"));
        }
        taken
    }

    /// Damage in what the lines say.
    pub(crate) fn damaged(&self, found: impl std::fmt::Display) -> Error {
        Error::damaged(&self.name.to_string(), header_end(), Some(self.header.seq()), found)
    }

    /// The length of the file, in bytes.
    pub(crate) fn file_len(&self) -> u64 {
        header_end() + self.header.payload_len
    }
}

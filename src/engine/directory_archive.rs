//! An archive that is a directory.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::{Archive, ArchiveError, ArchivedSegment};
use crate::error::{Error, ErrorKind};
use crate::journal::is_journal;
use crate::storage::{Files, Storage, is_within};

/// How much is copied and compared at once.
const CHUNK: usize = 256 << 10;

/// An [`Archive`] that copies segments into a directory: what `tallybook apply --archive` uses. Each journal needs one
/// of its own.
///
/// A copy is synced before it gets its name, and read again and compared before the archive answers for it. A file that
/// is there already is never overwritten: with the same bytes, up to the segment's end, it is taken for the copy, with others
/// it is an error.
///
/// [`JournalReader::open_with_archive`](crate::JournalReader::open_with_archive) reads both as one, beside a live writer too.
///
/// The archived segments and those of the journal, together in a new directory, are the whole journal, to be read like any
/// other. The journal's directory has to be that of a closed engine, or a copy of it; a segment that is in both says the
/// same in both. Snapshots stay behind: with a base the journal would begin where that does.
///
/// ```sh
/// mkdir whole
/// cp book/*.seg whole/
/// cp /var/backups/book/*.seg whole/
/// tallybook state whole --at 5
/// ```
///
/// ```no_run
/// # fn main() -> Result<(), tallybook::Error> {
/// use tallybook::{DirectoryArchive, Options, Retention};
/// let engine = Options::new()
///     .retention(Retention::new().bytes(64 << 20))
///     .archive(DirectoryArchive::new("/var/backups/book"))
///     .open_blocking("book")?;
/// # drop(engine); Ok(()) }
/// ```
#[derive(Debug)]
pub struct DirectoryArchive {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Directory(PathBuf),
    #[cfg(any(test, feature = "test-util"))]
    Storage(Arc<dyn Storage>),
}

impl DirectoryArchive {
    /// An archive in the directory `dir`. It is made when the journal is opened, and may not be gone later.
    pub fn new(dir: impl Into<PathBuf>) -> DirectoryArchive {
        DirectoryArchive { place: Place::Directory(dir.into()) }
    }

    /// An archive in any storage: a simulated disk, say.
    #[cfg(any(test, feature = "test-util"))]
    pub fn in_storage(storage: Arc<dyn Storage>) -> DirectoryArchive {
        DirectoryArchive { place: Place::Storage(storage) }
    }

    fn in_place(&self) -> String {
        match &self.place {
            Place::Directory(dir) => format!("in the archive {}", dir.display()),
            #[cfg(any(test, feature = "test-util"))]
            Place::Storage(_) => "in the archive".to_owned(),
        }
    }

    fn storage(&self) -> Result<Arc<dyn Storage>, Error> {
        match &self.place {
            // Anew each time: the directory may have been moved away, or another disk been mounted there.
            Place::Directory(dir) => {
                let opened = Files::open(dir);
                let files = opened.map_err(|error| self.io("opening the directory", error))?;
                Ok(Arc::new(files))
            }
            #[cfg(any(test, feature = "test-util"))]
            Place::Storage(storage) => Ok(Arc::clone(storage)),
        }
    }

    fn io(&self, doing: &str, error: std::io::Error) -> Error {
        Error::io(format!("{doing} {}", self.in_place()), error)
    }

    /// What is pruned from a journal would be gone if it were archived into the same place.
    fn refuse_journal(&self, storage: &dyn Storage) -> Result<(), Error> {
        if is_journal(storage)? {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!(
                    "expected a directory for archived segments, found that of a journal {}: archive elsewhere",
                    self.in_place()
                ),
            ));
        }
        Ok(())
    }

    fn keep(&self, storage: &dyn Storage, segment: &ArchivedSegment<'_>) -> Result<(), Error> {
        let present = match storage.open(segment.file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            opened => Some(opened.map_err(|error| self.io("opening a file", error))?),
        };
        let is_present = present.is_some();
        if let Some(file) = present {
            // Whoever put it there may not have synced it.
            file.sync().map_err(|error| self.io("syncing a file", error))?;
        } else {
            let temporary = format!("{}.{}.tmp", segment.file, segment.journal_id);
            let copied = self.copy(storage, segment, &temporary);
            if copied.is_err() {
                // Half a copy only takes up room; that it cannot be removed either adds nothing to the first error.
                let _ = storage.remove(&temporary);
            }
            copied?;
        }
        storage.sync_dir().map_err(|error| self.io("syncing the names", error))?;
        // What lies behind the end was never synced: after a power cut there may be something else.
        let through = if is_present { segment.end } else { segment.len };
        self.compare(storage, segment, through)
    }

    fn copy(
        &self,
        storage: &dyn Storage,
        segment: &ArchivedSegment<'_>,
        temporary: &str,
    ) -> Result<(), Error> {
        match storage.remove(temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(self.io("removing half a copy", error));
            }
            _ => {}
        }
        let copy = storage.create(temporary).map_err(|error| self.io("making a file", error))?;
        self.chunks(segment, |bytes, offset| {
            copy.write_all_at(bytes, offset).map_err(|error| self.io("writing a copy", error))
        })?;
        copy.sync().map_err(|error| self.io("syncing a copy", error))?;
        storage.rename(temporary, segment.file).map_err(|error| self.io("naming a copy", error))
    }

    /// Refuses a file that is not the segment, byte by byte up to `through`.
    fn compare(
        &self,
        storage: &dyn Storage,
        segment: &ArchivedSegment<'_>,
        through: u64,
    ) -> Result<(), Error> {
        let reading = |error| self.io("reading a copy again", error);
        let file = storage.open(segment.file).map_err(reading)?;
        let len = file.len().map_err(reading)?;
        if len < through || len != segment.len && through == segment.len {
            let expected = through;
            return Err(self.other(segment, format!("expected {expected} bytes, found {len}")));
        }
        let mut found = vec![0; CHUNK];
        self.chunks(segment, |bytes, offset| {
            let left = usize::try_from(through.saturating_sub(offset)).unwrap_or(usize::MAX);
            let bytes = &bytes[..bytes.len().min(left)];
            let found = &mut found[..bytes.len()];
            file.read_exact_at(found, offset).map_err(reading)?;
            match found.iter().zip(bytes).zip(offset..).find(|((found, expected), _)| found != expected) {
                None => Ok(()),
                Some((_, at)) => Err(self.other(segment, format!("they differ at offset {at}"))),
            }
        })
    }

    fn other(&self, segment: &ArchivedSegment<'_>, how: String) -> Error {
        let (file, place) = (segment.file, self.in_place());
        Error::new(
            ErrorKind::Io,
            format!(
                "{file} {place} is not the segment of that name: {how}; each journal needs an archive of its own: move that file away"
            ),
        )
    }

    /// Reads the segment piece by piece.
    fn chunks(
        &self,
        segment: &ArchivedSegment<'_>,
        mut take: impl FnMut(&[u8], u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut reader = segment.reader();
        let mut buffer = vec![0; CHUNK];
        let mut offset = 0;
        loop {
            let read = reader.read(&mut buffer);
            let len = read.map_err(|error| Error::io("reading the segment", error))?;
            if len == 0 {
                return Ok(());
            }
            take(&buffer[..len], offset)?;
            offset += u64::try_from(len).unwrap_or(u64::MAX);
        }
    }
}

impl DirectoryArchive {
    fn prepare_directory(&self, dir: &Path, journal_dir: &Path) -> Result<(), Error> {
        let looking =
            |error| Error::io(format!("looking where the archive {} is to be", dir.display()), error);
        if is_within(dir, journal_dir).map_err(looking)? {
            let message = format!(
                "expected an archive outside of the journal's directory {}, found {}",
                journal_dir.display(),
                dir.display()
            );
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        Files::create(dir).map(drop).map_err(|error| self.io("making the directory", error))
    }
}

impl Archive for DirectoryArchive {
    fn prepare(&self, journal_dir: &Path) -> Result<(), ArchiveError> {
        match &self.place {
            Place::Directory(dir) => self.prepare_directory(dir, journal_dir)?,
            #[cfg(any(test, feature = "test-util"))]
            Place::Storage(_) => {}
        }
        Ok(self.refuse_journal(&*self.storage()?)?)
    }

    fn archive(&self, segment: &ArchivedSegment<'_>) -> Result<(), ArchiveError> {
        let storage = self.storage()?;
        // Looked at each time: two ways may lead to one directory.
        self.refuse_journal(&*storage)?;
        Ok(self.keep(&*storage, segment)?)
    }
}

#[cfg(test)]
mod tests;

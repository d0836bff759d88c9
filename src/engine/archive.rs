//! The archive: what keeps a segment before retention removes it from the journal.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::ids::JournalId;
use crate::storage::StorageFile;

/// Why a segment could not be archived. Whatever the hook says of it is told in the engine's health.
pub type ArchiveError = Box<dyn std::error::Error + Send + Sync>;

/// A hook of the host that keeps what retention is about to prune. See [`Options::archive`](super::Options::archive).
///
/// A segment is removed from the journal only after it was archived. When that fails, it and all that come after it
/// stay, the engine lives on, [`Health`](super::Health) tells the error, and the same segment is handed over again when
/// the journal is next rotated or opened.
///
/// Snapshots are not archived, nor are copies of torn bytes: a segment is archived with the torn bytes behind its end.
///
/// ```
/// use std::sync::Mutex;
///
/// use tallybook::{Archive, ArchiveError, ArchivedSegment};
///
/// /// Remembers how much it was given.
/// #[derive(Default)]
/// struct Weighing(Mutex<u64>);
///
/// impl Archive for Weighing {
///     fn archive(&self, segment: &ArchivedSegment<'_>) -> Result<(), ArchiveError> {
///         let bytes = std::io::copy(&mut segment.reader(), &mut std::io::sink())?;
///         assert_eq!(bytes, segment.len);
///         *self.0.lock().map_err(|_| "another thread panicked")? += bytes;
///         Ok(())
///     }
/// }
/// ```
pub trait Archive: Send + Sync + 'static {
    /// Called before the journal in this directory is opened: an archive that cannot be used is better known then than
    /// once something has to be pruned. The directory need not be there yet.
    ///
    /// # Errors
    /// Whatever stands against it: then the journal is not opened.
    fn prepare(&self, journal_dir: &Path) -> Result<(), ArchiveError> {
        let _ = journal_dir;
        Ok(())
    }

    /// Keeps a segment, durably: once this has returned without an error, the file may be removed from the journal, at once
    /// or later.
    ///
    /// It runs on a thread of the engine's own and may block; the writer goes on meanwhile, but closing the engine waits
    /// for everything that is due: bound your own time. Segments come oldest first, one at a time. The same one may be
    /// handed over again, with the same bytes up to its [end](ArchivedSegment::end), after a crash or an error, and as long
    /// as it is not removed: that has to succeed.
    ///
    /// # Errors
    /// Whatever went wrong. A panic counts as an error.
    fn archive(&self, segment: &ArchivedSegment<'_>) -> Result<(), ArchiveError>;
}

/// A closed segment that is about to be pruned.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ArchivedSegment<'a> {
    /// The journal that it belongs to.
    pub journal_id: JournalId,
    /// The file's name in the journal's directory. Back there it is a segment again.
    pub file: &'a str,
    /// The segment's number.
    pub number: u64,
    /// The `seq` of its first event.
    pub first_seq: u64,
    /// The `seq` of its last event; below `first_seq` when it holds none.
    pub last_seq: u64,
    /// Where what belongs to the journal ends, in bytes from the start of the file. What lies behind it is what an
    /// unclean stop left there, and evidence of no more than that.
    pub end: u64,
    /// How many bytes there are to keep: those up to `end`, and behind them as far as there is something.
    pub len: u64,
    contents: &'a dyn StorageFile,
}

impl<'a> ArchivedSegment<'a> {
    pub(super) fn new(
        journal_id: JournalId,
        file: &'a str,
        number: u64,
        seqs: (u64, u64),
        (end, len): (u64, u64),
        contents: &'a dyn StorageFile,
    ) -> ArchivedSegment<'a> {
        let (first_seq, last_seq) = seqs;
        ArchivedSegment { journal_id, file, number, first_seq, last_seq, end, len, contents }
    }

    /// Reads all bytes that there are to keep, from the first on. Each call begins anew.
    pub fn reader(&self) -> SegmentReader<'a> {
        SegmentReader { contents: self.contents, offset: 0, end: self.len }
    }
}

/// Reads the bytes of an [`ArchivedSegment`]. A buffer of some size serves it better than many small reads.
#[derive(Debug, Clone)]
pub struct SegmentReader<'a> {
    contents: &'a dyn StorageFile,
    offset: u64,
    end: u64,
}

impl io::Read for SegmentReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let len = buffer.len().min(left);
        self.contents.read_exact_at(&mut buffer[..len], self.offset)?;
        self.offset += u64::try_from(len).unwrap_or(u64::MAX);
        Ok(len)
    }
}

/// The host's archive.
#[derive(Clone)]
pub(super) struct ArchiveHook(Arc<dyn Archive>);

impl ArchiveHook {
    pub(super) fn new(archive: impl Archive) -> ArchiveHook {
        ArchiveHook(Arc::new(archive))
    }

    pub(super) fn prepare(&self, journal_dir: &Path) -> Result<(), Error> {
        called(|| self.0.prepare(journal_dir), || "preparing the archive".to_owned())
    }

    pub(super) fn archive(&self, segment: &ArchivedSegment<'_>) -> Result<(), Error> {
        called(|| self.0.archive(segment), || format!("archiving segment {}", segment.file))
    }
}

/// What a hook says, as an error of ours; a panic says no.
fn called(hook: impl FnOnce() -> Result<(), ArchiveError>, doing: impl Fn() -> String) -> Result<(), Error> {
    let said = catch_unwind(AssertUnwindSafe(hook)).unwrap_or_else(|_| Err("the archive panicked".into()));
    said.map_err(|error| match error.downcast::<Error>() {
        Ok(ours) => Error::new(ours.kind().clone(), format!("{}: {ours}", doing())),
        Err(error) => match error.downcast::<io::Error>() {
            Ok(io) => Error::io(doing(), *io),
            Err(error) => Error::new(ErrorKind::Io, format!("{}: {error}", doing())),
        },
    })
}

impl fmt::Debug for ArchiveHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArchiveHook")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::storage::SimulatedDisk;

    struct Says(fn() -> Result<(), ArchiveError>);

    impl Archive for Says {
        fn archive(&self, _: &ArchivedSegment<'_>) -> Result<(), ArchiveError> {
            (self.0)()
        }
    }

    fn segment(contents: &dyn StorageFile) -> ArchivedSegment<'_> {
        ArchivedSegment::new(JournalId(uuid::Uuid::nil()), "a.seg", 1, (1, 9), (6, 8), contents)
    }

    #[test]
    fn what_there_is_to_keep_is_read_and_no_more() {
        let disk = SimulatedDisk::new(0);
        disk.put("a.seg", b"012345ab\0\0\0\0");
        let file = disk.process().open("a.seg").unwrap();
        let segment = segment(&*file);
        for _ in 0..2 {
            let mut bytes = Vec::new();
            segment.reader().read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, b"012345ab", "each reader begins anew");
        }
        let mut reader = segment.reader();
        let mut three = [0; 3];
        reader.read_exact(&mut three).unwrap();
        assert_eq!(&three, b"012");
        disk.kill();
        assert!(reader.read_exact(&mut three).is_err(), "a failed read is no end");
    }

    #[test]
    fn whatever_the_hook_says_is_an_error_that_names_the_file() {
        let disk = SimulatedDisk::new(0);
        let file = disk.process().create("a.seg").unwrap();
        let says = |hook| ArchiveHook::new(Says(hook)).archive(&segment(&*file));
        assert!(says(|| Ok(())).is_ok());
        let full = || -> Result<(), ArchiveError> { Err(io::Error::from(io::ErrorKind::StorageFull).into()) };
        for (hook, kind) in [
            (full as fn() -> Result<(), ArchiveError>, ErrorKind::NoSpace),
            (|| Err("the bucket is gone".into()), ErrorKind::Io),
            (|| Err(Error::new(ErrorKind::InvalidArgument, "not there").into()), ErrorKind::InvalidArgument),
            (|| panic!("at the archive"), ErrorKind::Io),
        ] {
            let error = says(hook).unwrap_err();
            assert_eq!(*error.kind(), kind, "{error}");
            assert!(error.to_string().starts_with("archiving segment a.seg: "), "{error}");
        }
    }
}

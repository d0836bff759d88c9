//! A journal without an engine: reading it from outside, without a lock, beside a live writer too. Nothing is ever
//! written into its directory.

use std::path::Path;
use std::sync::Arc;

use super::as_of::state_as_of_beside;
use super::cursor::Cursor;
use super::events::Events;
use super::feed::{EventFilter, Follower, Journal, ResetCause, Start};
use super::report::{Statistics, VerifyReport, statistics, verify};
use super::salvage::{SalvageReport, salvage_dir, salvage_storage};
use crate::background::Background;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::ids::JournalId;
use crate::journal::{Union, Walk, WalkSource};
use crate::projection::Projection;
use crate::storage::{Files, Storage};

/// A journal, open for reading.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use tallybook::{Blocking, JournalReader, NewGoal, StateAt};
/// Blocking::open(&dir)?.create_goal(NewGoal::new("ship 2.0"))?;
///
/// let reader = JournalReader::open(&dir)?;
/// let mut events = reader.events(1)?;
/// while let Some(event) = events.next()? {
///     assert_eq!(event.decode()?.seq, event.seq);
/// }
/// assert_eq!(reader.state(StateAt::End)?.seq, 1);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct JournalReader {
    storage: Arc<dyn Storage>,
    source: WalkSource,
    journal_id: JournalId,
    /// Whether a long replay may use another thread.
    background: Background,
    has_archive: bool,
}

/// A point in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateAt {
    /// After the last event.
    End,
    /// After the event with this `seq`.
    Seq(u64),
    /// After the last event decided at or before this time.
    Time(Timestamp),
}

impl JournalReader {
    /// Opens the journal in the directory `dir`.
    ///
    /// # Errors
    /// `Io` when there is none, `Damaged` or `Unsupported` when it cannot be read.
    pub fn open(dir: impl AsRef<Path>) -> Result<JournalReader, Error> {
        let dir = dir.as_ref();
        let files = Files::open(dir)
            .map_err(|error| Error::io(format!("opening the directory {}", dir.display()), error))?;
        let reader = JournalReader::with_storage(Arc::new(files)).map_err(|error| error.in_dir(dir))?;
        Ok(JournalReader { background: Background::Threads, ..reader })
    }

    /// Opens the journal in `dir` with the directory `archive` under it, into which segments were archived before they
    /// were pruned (see [`DirectoryArchive`](super::DirectoryArchive)): all reads go as far back as the archive does. Where it
    /// begins with the first segment, it is as if nothing had been pruned. Where it begins later, events are read from there
    /// on, and states from the journal's oldest snapshot on. A segment that is in both is read from the journal.
    ///
    /// # Errors
    /// As [`open`](Self::open); `InvalidArgument` when the archive is of another journal, `Damaged` when segments between
    /// the two are in neither.
    pub fn open_with_archive(
        dir: impl AsRef<Path>,
        archive: impl AsRef<Path>,
    ) -> Result<JournalReader, Error> {
        let (dir, archive) = (dir.as_ref(), archive.as_ref());
        let journal = Arc::new(open_dir(dir)?);
        let under = Files::open(archive)
            .map_err(|error| Error::io(format!("opening the archive {}", archive.display()), error))?;
        // Before the two are looked at together: what is wrong with the journal alone is said of it alone.
        JournalReader::with_storage(Arc::clone(&journal) as Arc<dyn Storage>)
            .map_err(|error| error.in_dir(dir))?;
        let reader = JournalReader::with_storage_and_archive(journal, Arc::new(under))
            .map_err(|error| error.in_dir(archive))?;
        Ok(JournalReader { background: Background::Threads, ..reader })
    }

    /// [`open_with_archive`](Self::open_with_archive) in any storages.
    ///
    /// # Errors
    /// See [`open_with_archive`](Self::open_with_archive).
    pub fn with_storage_and_archive(
        journal: Arc<dyn Storage>,
        archive: Arc<dyn Storage>,
    ) -> Result<JournalReader, Error> {
        let reader = JournalReader::with_storage(Arc::new(Union::open(journal, archive)?))?;
        Ok(JournalReader { has_archive: true, ..reader })
    }

    /// Opens the journal in any storage.
    ///
    /// # Errors
    /// See [`open`](Self::open).
    pub fn with_storage(storage: Arc<dyn Storage>) -> Result<JournalReader, Error> {
        let source = WalkSource::outside();
        let journal_id = Walk::from_floor(Arc::clone(&storage), source.clone())?.journal_id();
        Ok(JournalReader { storage, source, journal_id, background: Background::Inline, has_archive: false })
    }

    /// The journal.
    pub fn journal_id(&self) -> JournalId {
        self.journal_id
    }

    /// The `seq` of the oldest event that is retained, or, where there is none, of the first that will come.
    ///
    /// # Errors
    /// `Io` and `Damaged` when the journal's directory cannot be read.
    pub fn oldest_seq(&self) -> Result<u64, Error> {
        self.source.oldest_seq(&*self.storage)
    }

    /// The events from `from` on; 0: from the oldest that is retained.
    ///
    /// # Errors
    /// `Pruned` when that event lies below the retention floor; `Io`, `Damaged` and `Unsupported` when the journal cannot
    /// be read.
    pub fn events(&self, from: u64) -> Result<Events, Error> {
        Events::open(&self.storage, &self.source, from).map_err(|error| self.with_hint(error))
    }

    /// The events after a cursor.
    ///
    /// # Errors
    /// `CursorMismatch` when the cursor is of another journal, or of an event that is not in this one: a crash unmade
    /// it. `Pruned` when events after it lie below the retention floor. `Io`, `Damaged` and `Unsupported` when the journal
    /// cannot be read.
    pub fn events_after(&self, cursor: &Cursor) -> Result<Events, Error> {
        let refuse = |kind, why: &str| {
            let message = format!("the cursor {cursor} does not fit journal {}: {why}", self.journal_id);
            Err(Error::new(kind, message))
        };
        match self.journal().check(cursor)? {
            None => self.events(cursor.seq + 1),
            Some(ResetCause::ForeignJournal) => refuse(ErrorKind::CursorMismatch, "it is of another journal"),
            Some(ResetCause::UnmadeFuture) => {
                refuse(ErrorKind::CursorMismatch, "its event is not in it: a crash unmade it")
            }
            Some(ResetCause::BelowRetention) => refuse(
                ErrorKind::Pruned,
                "events after it were pruned, as they are below the retention floor",
            ),
        }
    }

    /// Follows the journal from a place on, without an engine: first what is there, then whatever a writer in another
    /// process publishes, across its rotations, pruning, crashes and restarts. The items are those of
    /// [`Engine::subscribe`](crate::Engine::subscribe).
    ///
    /// # Errors
    /// `Io` or `Damaged` when the journal cannot be read, `Unsupported` when a newer version wrote it.
    pub fn follow(&self, start: Start, filter: EventFilter) -> Result<Follower, Error> {
        Follower::open(self.journal(), start, filter)
    }

    /// Where it lies.
    pub(crate) fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// A walk over the frames from the event `from` on.
    pub(crate) fn walk(&self, from: u64) -> Result<Walk, Error> {
        let walk = Walk::open(Arc::clone(&self.storage), self.source.clone(), from);
        walk.map_err(|error| self.with_hint(error))
    }

    fn journal(&self) -> Journal {
        Journal::new(&self.storage, self.source.clone())
    }

    /// The state at a point of the history. At a [time](StateAt::Time) that is yet to come it is the state of now.
    ///
    /// # Errors
    /// `Pruned` when that point lies below the retention floor, `InvalidArgument` when a `seq` is not in the journal yet;
    /// `Io`, `Damaged` and `Unsupported` when the journal cannot be read.
    pub fn state(&self, at: StateAt) -> Result<Projection, Error> {
        let as_of = state_as_of_beside(&self.storage, &self.source, at, &self.background);
        Ok(as_of.map_err(|error| self.with_hint(error))?.projection)
    }

    /// What lies below retention may lie in an archive: whoever did not bring one is told.
    fn with_hint(&self, error: Error) -> Error {
        if self.has_archive || *error.kind() != ErrorKind::Pruned {
            return error;
        }
        let hint = "if what was pruned was archived, the archive extends it: --archive, or JournalReader::open_with_archive";
        Error::new(ErrorKind::Pruned, format!("{error}; {hint}"))
    }

    /// Checks everything: frames, joins, events, and that they fold. It goes on past damage, which is reported.
    ///
    /// # Errors
    /// `Io` when the operating system fails a call, `Unsupported` when a newer version wrote the journal.
    pub fn verify(&self) -> Result<VerifyReport, Error> {
        verify(&*self.storage)
    }

    /// Segments, sizes, epochs, and how many events there are of each kind.
    ///
    /// # Errors
    /// See [`verify`](Self::verify).
    pub fn statistics(&self) -> Result<Statistics, Error> {
        statistics(&*self.storage)
    }

    /// [`verify`](Self::verify) without opening the journal first: also for one that is too damaged to be opened.
    ///
    /// # Errors
    /// See [`verify`](Self::verify).
    pub fn verify_dir(dir: impl AsRef<Path>) -> Result<VerifyReport, Error> {
        verify(&open_dir(dir.as_ref())?)
    }

    /// [`verify_dir`](Self::verify_dir) in any storage.
    ///
    /// # Errors
    /// See [`verify`](Self::verify).
    pub fn verify_storage(storage: &dyn Storage) -> Result<VerifyReport, Error> {
        verify(storage)
    }

    /// [`statistics`](Self::statistics) without opening the journal first.
    ///
    /// # Errors
    /// See [`verify`](Self::verify).
    pub fn statistics_dir(dir: impl AsRef<Path>) -> Result<Statistics, Error> {
        statistics(&open_dir(dir.as_ref())?)
    }

    /// Copies what is provably good of the journal in `dir` into a new journal in `out`, a directory that is new or empty.
    ///
    /// Good are frames whose CRCs are right and that join in sequence, from the first event (or the base of what was
    /// pruned) up to the first gap. What is good beyond it goes to `orphans.jsonl` in `out`, one event a line as it was
    /// journaled. Events keep `seq`, time, bytes and epoch; the journal gets a new id, so that no cursor of the old one is
    /// taken for one of this. Nothing is written into `dir`. The new journal is durable and was verified when this returns;
    /// after a crash before that, no opening takes what is in `out` for a journal.
    ///
    /// A range that cannot be read is a finding and a gap, like damage; it never ends the salvage.
    ///
    /// # Errors
    /// `InvalidArgument` when `out` is not empty, or lies in `dir`; `Locked` when a writer holds the journal;
    /// `Unsupported` when a newer version wrote it; `Damaged` when nothing is left that tells what journal it was; `Io` and
    /// `NoSpace` when the new journal cannot be written, or there is none in `dir`.
    pub fn salvage_dir(dir: impl AsRef<Path>, out: impl AsRef<Path>) -> Result<SalvageReport, Error> {
        salvage_dir(dir.as_ref(), out.as_ref())
    }

    /// [`salvage_dir`](Self::salvage_dir) from any storage into any other, which has to be empty.
    ///
    /// # Errors
    /// See [`salvage_dir`](Self::salvage_dir).
    pub fn salvage_storage(from: &dyn Storage, out: Arc<dyn Storage>) -> Result<SalvageReport, Error> {
        salvage_storage(from, out)
    }
}

fn open_dir(dir: &Path) -> Result<Files, Error> {
    Files::open(dir).map_err(|error| Error::io(format!("opening the directory {}", dir.display()), error))
}

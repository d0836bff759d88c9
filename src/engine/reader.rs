//! A journal without an engine: reading it from outside, without a lock, beside a live writer too. Nothing is ever
//! written into its directory.

use std::path::Path;
use std::sync::Arc;

use super::as_of::{AsOf, go_on, state_as_of_beside};
use super::cursor::Cursor;
use super::events::Events;
use super::feed::{EventFilter, Follower, Journal, ResetCause, Start};
use super::report::{ArchiveStatistics, StateStatistics, Statistics, VerifyReport, statistics, verify};
use super::salvage::{SalvageReport, salvage_dir, salvage_storage};
use super::sift::Sift;
use super::timeline::Timeline;
use crate::background::Background;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::event::ChangeEvent;
use crate::ids::{Epoch, JournalId};
use crate::journal::{Union, Walk, WalkSource, retained};
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
    /// The storage again, where it has an archive.
    archive: Option<Arc<Union>>,
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
        let union = Arc::new(Union::open(journal, archive)?);
        let reader = JournalReader::with_storage(Arc::clone(&union) as Arc<dyn Storage>)?;
        Ok(JournalReader { archive: Some(union), ..reader })
    }

    /// Opens the journal in any storage.
    ///
    /// # Errors
    /// See [`open`](Self::open).
    pub fn with_storage(storage: Arc<dyn Storage>) -> Result<JournalReader, Error> {
        let source = WalkSource::outside();
        let journal_id = Walk::from_floor(Arc::clone(&storage), source.clone())?.journal_id();
        Ok(JournalReader { storage, source, journal_id, background: Background::Inline, archive: None })
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

    /// The `seq` of the first event that was decided at or after that time, or of the first that will come where there is
    /// none; no older one than is retained. It is found by halves, segment by segment: events are in the order of time.
    ///
    /// # Errors
    /// `Io`, `Damaged` and `Unsupported` when the journal cannot be read.
    pub fn seq_since(&self, time: Timestamp) -> Result<u64, Error> {
        let starts = self.source.segment_starts(&*self.storage)?;
        let (mut low, mut high) = (0, starts.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.is_before(starts[middle], time) {
                // Pruned meanwhile: what comes after it tells.
                Err(error) if *error.kind() == ErrorKind::Pruned => low = middle + 1,
                Ok(true) => low = middle + 1,
                Ok(false) => high = middle,
                Err(error) => return Err(error),
            }
        }
        // In the last segment that begins before that time.
        let mut events = match low.checked_sub(1) {
            None => return self.oldest_seq(),
            Some(at) => Events::open(&self.storage, &self.source, starts[at].max(self.oldest_seq()?))?,
        };
        let mut next_seq = starts[low - 1];
        while let Some(event) = events.next()? {
            if event.ts()? >= time {
                return Ok(event.seq);
            }
            next_seq = event.seq + 1;
        }
        Ok(next_seq)
    }

    /// Whether the event of that `seq` was decided before that time; not, where there is none yet.
    fn is_before(&self, seq: u64, time: Timestamp) -> Result<bool, Error> {
        let mut events = Events::open(&self.storage, &self.source, seq)?;
        let first = events.next()?;
        first.map_or(Ok(false), |event| Ok(event.ts()? < time))
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

    /// The state from one point on, to be moved along the history.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub(crate) fn timeline(&self, at: StateAt) -> Result<Timeline, Error> {
        let (storage, source) = (Arc::clone(&self.storage), self.source.clone());
        Timeline::open(storage, source, at, self.background.clone()).map_err(|error| self.with_hint(error))
    }

    /// The frames from the oldest event on, as bytes.
    ///
    /// # Errors
    /// As [`events`](Self::events).
    pub(crate) fn sift(&self) -> Result<Sift, Error> {
        Sift::open(Arc::clone(&self.storage), self.source.clone())
    }

    /// Folds the events after `from` in, up to a point of the history or until `watch`, who is shown every state with the
    /// event that led to it, has seen enough. The state then.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub(crate) fn fold_on<'w>(
        &self,
        from: Projection,
        to: StateAt,
        watch: &'w mut (dyn FnMut(&Projection, &ChangeEvent) -> bool + 'w),
    ) -> Result<Projection, Error> {
        let from = AsOf { projection: from, last_epoch: Epoch::NONE, journal_id: self.journal_id };
        let folded = go_on(&self.storage, &self.source, from, to, &self.background, Some(watch));
        Ok(folded.map_err(|error| self.with_hint(error))?.projection)
    }

    /// After which `seq` the oldest state is that can be had, and after which there are snapshots, oldest first.
    pub(crate) fn state_seqs(&self) -> Result<(u64, Vec<u64>), Error> {
        let retained = retained(&*self.storage)?;
        let seqs = retained.snapshots.iter().map(|name| name.before.first_seq.saturating_sub(1));
        Ok((retained.oldest_state, seqs.collect()))
    }

    /// What lies below retention may lie in an archive: whoever did not bring one is told.
    fn with_hint(&self, error: Error) -> Error {
        if self.archive.is_some() || *error.kind() != ErrorKind::Pruned {
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
        let archive = self.archive.as_ref().map(|union| union.archived()).transpose()?;
        // What is wrong with the journal is a finding, and there is no state then.
        let state = self.state(StateAt::End).ok().map(|projection| StateStatistics::of(&projection));
        let archive = archive.map(ArchiveStatistics::of);
        Ok(Statistics { archive, state, ..statistics(&*self.storage)? })
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
        let files: Arc<dyn Storage> = Arc::new(open_dir(dir.as_ref())?);
        match JournalReader::with_storage(Arc::clone(&files)) {
            Ok(reader) => JournalReader { background: Background::Threads, ..reader }.statistics(),
            Err(_) => statistics(&*files),
        }
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

//! A journal without an engine: reading it from outside, without a lock, beside a live writer too. Nothing is ever
//! written into its directory.

use std::path::Path;
use std::sync::Arc;

use super::as_of::state_as_of;
use super::cursor::Cursor;
use super::feed::check_cursor;
use super::frames::{check_count, decode_at, lines};
use super::report::{Statistics, VerifyReport, statistics, verify};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::event::ChangeEvent;
use crate::ids::{Epoch, JournalId};
use crate::journal::format::WriterVersion;
use crate::journal::{Location, Walk, WalkSource};
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
    journal_id: JournalId,
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
        JournalReader::with_storage(Arc::new(files)).map_err(|error| error.in_dir(dir))
    }

    /// Opens the journal in any storage.
    ///
    /// # Errors
    /// See [`open`](Self::open).
    pub fn with_storage(storage: Arc<dyn Storage>) -> Result<JournalReader, Error> {
        let journal_id = Walk::from_floor(Arc::clone(&storage), WalkSource::Outside)?.journal_id();
        Ok(JournalReader { storage, journal_id })
    }

    /// The journal.
    pub fn journal_id(&self) -> JournalId {
        self.journal_id
    }

    /// The events from `from` on; 0: from the oldest that is retained.
    ///
    /// # Errors
    /// `Pruned` when that event lies below the retention floor.
    pub fn events(&self, from: u64) -> Result<Events, Error> {
        let walk = match from {
            0 => Walk::from_floor(Arc::clone(&self.storage), WalkSource::Outside)?,
            from => self.walk(from)?,
        };
        Ok(Events { walk, frame: None })
    }

    /// The events after a cursor.
    ///
    /// # Errors
    /// `CursorMismatch` when the cursor is of another journal, or of a future that a crash unmade.
    pub fn events_after(&self, cursor: &Cursor) -> Result<Events, Error> {
        check_cursor(cursor, self.journal_id, u64::MAX - 1, &mut self.walk(cursor.seq)?)?;
        self.events(cursor.seq + 1)
    }

    /// The state at a point of the history.
    ///
    /// # Errors
    /// `Pruned` when that point lies below the retention floor, `InvalidArgument` when it is not in the journal yet.
    pub fn state(&self, at: StateAt) -> Result<Projection, Error> {
        state_as_of(&self.storage, &WalkSource::Outside, at).map(|as_of| as_of.projection)
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

    /// [`statistics`](Self::statistics) without opening the journal first.
    ///
    /// # Errors
    /// See [`verify`](Self::verify).
    pub fn statistics_dir(dir: impl AsRef<Path>) -> Result<Statistics, Error> {
        statistics(&open_dir(dir.as_ref())?)
    }

    fn walk(&self, from: u64) -> Result<Walk, Error> {
        Walk::open(Arc::clone(&self.storage), WalkSource::Outside, from)
    }
}

fn open_dir(dir: &Path) -> Result<Files, Error> {
    Files::open(dir).map_err(|error| Error::io(format!("opening the directory {}", dir.display()), error))
}

/// Events of a journal, one after the other.
#[derive(Debug)]
pub struct Events {
    walk: Walk,
    frame: Option<LoadedFrame>,
}

/// A frame's events that are not all given yet.
#[derive(Debug)]
struct LoadedFrame {
    payload: Vec<u8>,
    /// Where the next event's line begins in the payload.
    at: usize,
    next_seq: u64,
    epoch: Epoch,
    location: Location,
    written_by: WriterVersion,
}

/// An event as it stands in the journal.
#[derive(Debug, Clone, Copy)]
pub struct JournaledEvent<'a> {
    /// Its position.
    pub seq: u64,
    /// The epoch in which it was first written.
    pub epoch: Epoch,
    /// Its JSON, exactly as journaled, without the line end.
    pub line: &'a [u8],
    journal_id: JournalId,
    location: &'a Location,
    written_by: WriterVersion,
}

impl Events {
    /// The next event; `None` when there is none yet. Beside a live writer it can be asked again later: the walk goes
    /// on across rotations, crashes and restarts of the writer.
    ///
    /// # Errors
    /// `Io` and `Damaged` when the journal cannot be read.
    #[expect(clippy::should_implement_trait, reason = "it lends what it gives, and may go on after `None`")]
    pub fn next(&mut self) -> Result<Option<JournaledEvent<'_>>, Error> {
        let is_used_up = self.frame.as_ref().is_none_or(|frame| frame.at >= frame.payload.len());
        if is_used_up && !self.load()? {
            return Ok(None);
        }
        let journal_id = self.walk.journal_id();
        let Some(frame) = &mut self.frame else { return Ok(None) };
        let (start, seq) = (frame.at, frame.next_seq);
        let rest = &frame.payload[start..];
        let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        frame.at = start + len + 1;
        frame.next_seq = seq + 1;
        Ok(Some(JournaledEvent {
            seq,
            epoch: frame.epoch,
            line: &frame.payload[start..start + len],
            journal_id,
            location: &frame.location,
            written_by: frame.written_by,
        }))
    }

    /// Loads the next frame and goes to the event that is wanted in it.
    fn load(&mut self) -> Result<bool, Error> {
        let wanted = self.walk.next_seq();
        let Some(place) = self.walk.next()? else { return Ok(false) };
        check_count(&place)?;
        let header = &place.frame.header;
        let mut buffer = self.frame.take().map(|frame| frame.payload).unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(place.frame.payload);
        let at = lines(&place).take_while(|&(seq, _)| seq < wanted).map(|(_, line)| line.len() + 1).sum();
        self.frame = Some(LoadedFrame {
            payload: buffer,
            at,
            next_seq: header.first_seq.max(wanted),
            epoch: header.epoch,
            location: Location {
                file: place.file.to_owned(),
                offset: place.frame.offset,
                length: place.frame.length,
                crc: place.frame.payload_crc,
            },
            written_by: place.written_by,
        });
        Ok(true)
    }
}

impl JournaledEvent<'_> {
    /// Reads the event.
    ///
    /// # Errors
    /// `Unsupported` for a kind that this version does not know, `Damaged` for what is no event.
    pub fn decode(&self) -> Result<ChangeEvent, Error> {
        decode_at(&self.location.file, self.location.offset, self.written_by, self.seq, self.line)
    }

    /// Where its frame lies on disk.
    pub fn location(&self) -> &Location {
        self.location
    }

    /// Its position, to go on after it.
    pub fn cursor(&self) -> Cursor {
        Cursor { journal_id: self.journal_id, epoch: self.epoch, seq: self.seq }
    }
}

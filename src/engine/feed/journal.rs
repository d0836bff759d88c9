//! A feed that is read from the journal: where events lie too far back for the ring, and where there is no engine.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use super::course::{Course, Read};
use super::item::{FeedEvent, ResetCause};
use super::matcher::Knowledge;
use crate::engine::as_of::{AsOf, oldest_state, state_as_of};
use crate::engine::cursor::Cursor;
use crate::engine::events::{Events, JournaledEvent};
use crate::engine::published::View;
use crate::engine::reader::StateAt;
use crate::error::{Error, ErrorKind};
use crate::event::Decoder;
use crate::ids::{Epoch, JournalId};
use crate::journal::{Walk, WalkSource, peek};
use crate::planted::{Bug, planted};
use crate::storage::Storage;

/// How often an event is looked for before it counts as not there.
const LOOKS: u32 = 3;
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// The journal as a source of events. While nothing is read from it, it holds no file.
#[derive(Debug)]
pub(in crate::engine) struct Journal {
    storage: Arc<dyn Storage>,
    source: WalkSource,
    reading: Option<Box<Reading>>,
}

/// Events that are being read.
#[derive(Debug)]
struct Reading {
    events: Events,
    /// The event that comes next.
    next_seq: u64,
    /// Whether nothing was read yet.
    is_new: bool,
    /// Knows little: there may be thousands of feeds.
    decoder: Decoder,
}

impl Reading {
    fn decode(&mut self) -> Option<Result<Arc<FeedEvent>, Error>> {
        let event = self.events.current()?;
        Some(event.decode_with(&mut self.decoder))
    }
}

impl Journal {
    pub(in crate::engine) fn new(storage: &Arc<dyn Storage>, source: WalkSource) -> Journal {
        Journal { storage: Arc::clone(storage), source, reading: None }
    }

    /// Lets go of the files.
    pub(super) fn close(&mut self) {
        self.reading = None;
    }

    /// The event that was read last.
    pub(super) fn current(&self) -> Option<JournaledEvent<'_>> {
        self.reading.as_ref().and_then(|reading| reading.events.current())
    }

    /// The same, decoded.
    pub(super) fn decode(&mut self) -> Result<Arc<FeedEvent>, Error> {
        let none = || Err(Error::new(ErrorKind::Io, "an event was read, and is not there"));
        self.reading.as_mut().and_then(|reading| reading.decode()).unwrap_or_else(none)
    }

    /// Where a filter learns what it has to know. `now`: the state of now, where there is an engine.
    pub(super) fn knowledge(&self, now: Option<View>) -> Knowledge<'_> {
        Knowledge { now, storage: &self.storage, source: &self.source }
    }

    /// The state of now.
    pub(super) fn view(&self) -> Result<View, Error> {
        state_as_of(&self.storage, &self.source, StateAt::End).map(view_of)
    }

    /// The oldest state that is retained.
    pub(super) fn oldest_view(&self) -> Result<View, Error> {
        oldest_state(&self.storage, &self.source).map(view_of)
    }

    /// The `seq` of the oldest event that is retained.
    pub(super) fn oldest_seq(&self) -> Result<u64, Error> {
        self.source.oldest_seq(&*self.storage)
    }

    /// The `seq` that the writer of another process has published, if there is one.
    pub(super) fn published_seq(&self) -> Result<Option<u64>, Error> {
        Ok(peek(&*self.storage)?.map(|published| published.seq))
    }

    /// Why the event of a cursor is none to go on after, if it is not.
    pub(in crate::engine) fn check(&self, cursor: &Cursor) -> Result<Option<ResetCause>, Error> {
        let mut looks = 1;
        loop {
            if self.journal_id()? != cursor.journal_id {
                return Ok(Some(ResetCause::ForeignJournal));
            }
            match self.epoch_of(cursor.seq) {
                Ok(Some(epoch)) if epoch == cursor.epoch || planted(Bug::UnmadeCursorBelieved) => {
                    return Ok(None);
                }
                Ok(Some(_)) => return Ok(Some(ResetCause::UnmadeFuture)),
                // A writer that has just taken the lock leaves what the one before it said for an instant.
                Ok(None) if looks < LOOKS => {}
                Ok(None) => return Ok(Some(ResetCause::UnmadeFuture)),
                Err(error) if *error.kind() == ErrorKind::Pruned => return self.check_before_floor(cursor),
                Err(error) => return Err(error),
            }
            looks += 1;
            sleep(LOOK_INTERVAL);
        }
    }

    fn journal_id(&self) -> Result<JournalId, Error> {
        self.source.journal_id(&*self.storage)
    }

    /// The epoch of an event; `None` when it is not there.
    fn epoch_of(&self, seq: u64) -> Result<Option<Epoch>, Error> {
        let mut walk = Walk::open(Arc::clone(&self.storage), self.source.clone(), seq)?;
        Ok(walk.next()?.map(|place| place.frame.header.epoch))
    }

    /// The position of an event, if it is there; also of the last that was pruned, which the base tells.
    pub(super) fn cursor_of(&self, seq: u64) -> Result<Option<Cursor>, Error> {
        match self.epoch_of(seq) {
            Ok(None) => Ok(None),
            Ok(Some(epoch)) => Ok(Some(Cursor { journal_id: self.journal_id()?, epoch, seq })),
            Err(error) if *error.kind() == ErrorKind::Pruned => {
                Ok(self.oldest_view()?.cursor().filter(|last| last.seq == seq))
            }
            Err(error) => Err(error),
        }
    }

    /// After the last event that was pruned everything is there: it can be gone on after, if it is the one it was.
    fn check_before_floor(&self, cursor: &Cursor) -> Result<Option<ResetCause>, Error> {
        if self.oldest_seq()?.checked_sub(1) != Some(cursor.seq) {
            return Ok(Some(ResetCause::BelowRetention));
        }
        Ok(match self.oldest_view()?.cursor() {
            Some(last) if last == *cursor => None,
            Some(last) if last.seq == cursor.seq => Some(ResetCause::UnmadeFuture),
            // It was pruned in the meantime.
            _ => Some(ResetCause::BelowRetention),
        })
    }

    /// Reads the event that the course expects; it is decoded only where the filter has to know it. `now`: the state
    /// of now, where there is an engine.
    pub(super) fn read(
        &mut self,
        course: &mut Course,
        now: impl Fn() -> Option<View>,
    ) -> Result<Read<Option<Arc<FeedEvent>>>, Error> {
        let was_open = self.reading.is_some();
        let read = match self.try_read(course, &now) {
            // What was open may have been pruned, or replaced after a crash, since then.
            Err(error) if was_open && may_be_outdated(&error) => {
                self.close();
                self.try_read(course, &now)
            }
            read => read,
        };
        let read = match read {
            Err(error) if *error.kind() == ErrorKind::Pruned => Ok(Read::Lost(ResetCause::BelowRetention)),
            read => read,
        };
        if matches!(read, Ok(Read::Lost(_))) {
            self.close();
        }
        read
    }

    fn try_read(
        &mut self,
        course: &mut Course,
        now: &impl Fn() -> Option<View>,
    ) -> Result<Read<Option<Arc<FeedEvent>>>, Error> {
        let reading = self.reading_at(course.expected())?;
        let is_new = std::mem::take(&mut reading.is_new);
        let has_more = reading.events.advance();
        let overran = reading.events.overran();
        // A crash may have unmade what was passed already. Looked for after the next place was taken up, not before: then
        // every later crash is seen as overrunning.
        let may_be_unmade = matches!(self.source, WalkSource::Outside(_)) && (is_new || overran);
        if may_be_unmade && let Some(cause) = self.check_last(course)? {
            return Ok(Read::Lost(cause));
        }
        if !has_more? {
            return Ok(Read::Nothing);
        }
        if let Some(reading) = &mut self.reading {
            reading.next_seq += 1;
        }
        let Some(event) = self.current() else { return Ok(Read::Nothing) };
        let cursor = event.cursor();
        let Some(matcher) = course.matcher() else { return Ok(Read::Event(cursor, None)) };
        if !matcher.may_want(event.line) {
            return Ok(Read::Unwanted(cursor));
        }
        let event = self.decode()?;
        let Some(matcher) = course.matcher() else { return Ok(Read::Event(cursor, Some(event))) };
        let is_wanted = matcher.wants(&event.event, || self.knowledge(now()))?;
        Ok(if is_wanted { Read::Event(cursor, Some(event)) } else { Read::Unwanted(cursor) })
    }

    fn reading_at(&mut self, seq: u64) -> Result<&mut Reading, Error> {
        let reading = match self.reading.take().filter(|reading| reading.next_seq == seq) {
            Some(reading) => reading,
            None => {
                let events = Events::open(&self.storage, &self.source, seq)?;
                Box::new(Reading { events, next_seq: seq, is_new: true, decoder: Decoder::of_few() })
            }
        };
        Ok(self.reading.insert(reading))
    }

    /// Whether the event that the course passed last is still there.
    fn check_last(&self, course: &Course) -> Result<Option<ResetCause>, Error> {
        course.last().map_or(Ok(None), |cursor| self.check(cursor))
    }
}

/// A state from the journal, as an engine publishes it.
fn view_of(as_of: AsOf) -> View {
    View::new(as_of.projection, as_of.journal_id, as_of.last_epoch, as_of.last_epoch)
}

fn may_be_outdated(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Pruned | ErrorKind::Damaged(_))
}

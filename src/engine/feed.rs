//! The feed, first form: a subscription replays from the journal and goes over to live in one stream. There is one
//! source for both, the journal itself: so there is no seam at which an event could be lost or doubled (law ORDER),
//! and a slow subscriber is merely further behind. What is read never runs ahead of the published state (law DURABLE).

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use super::answer::writer_is_gone;
use super::cursor::Cursor;
use super::frames::{decode_line, lines};
use super::health::EngineStatus;
use super::published::View;
use super::shared::Shared;
use crate::error::{Error, ErrorKind};
use crate::event::ChangeEvent;
use crate::ids::JournalId;
use crate::journal::{Walk, WalkSource};

/// Where a subscription starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// With the event after those that are in [`Subscription::snapshot`].
    Now,
    /// With the first event of the journal.
    Beginning,
    /// With the event after this one.
    After(Cursor),
}

impl Start {
    /// After a cursor that was kept as text.
    ///
    /// # Errors
    /// `InvalidArgument` when it is not a cursor.
    pub fn after(cursor: &str) -> Result<Start, Error> {
        cursor.parse().map(Start::After)
    }
}

/// An event in the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEvent {
    /// The event.
    pub event: ChangeEvent,
    /// Its position: what to keep, to go on after it.
    pub cursor: Cursor,
}

/// What a subscription gives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedItem {
    /// The next event.
    Event(Box<FeedEvent>),
    /// Everything that was published when the subscription began has been given; from here on it is live. Comes once.
    CaughtUp,
}

/// A subscription: every event from its start on, once, in order.
#[derive(Debug)]
pub struct Subscription {
    shared: Arc<Shared>,
    walk: Walk,
    published: watch::Receiver<u64>,
    ready: VecDeque<FeedItem>,
    /// The state when it began.
    snapshot: View,
    /// Whether everything that is in the snapshot was given, and that was said.
    is_caught_up: bool,
    is_over: bool,
}

impl Subscription {
    pub(super) fn open(shared: &Arc<Shared>, start: Start) -> Result<Subscription, Error> {
        let published = shared.watch_seq();
        let view = shared.view();
        let source = || WalkSource::Inside(Arc::clone(&shared.journal_published));
        let next_seq = match start {
            Start::Now => view.seq() + 1,
            Start::Beginning => 1,
            Start::After(cursor) => {
                let mut walk = Walk::open(Arc::clone(&shared.storage), source(), cursor.seq)?;
                check_cursor(&cursor, view.journal_id(), view.seq(), &mut walk)?;
                cursor.seq + 1
            }
        };
        let walk = Walk::open(Arc::clone(&shared.storage), source(), next_seq)?;
        Ok(Subscription {
            shared: Arc::clone(shared),
            walk,
            published,
            ready: VecDeque::new(),
            snapshot: view,
            is_caught_up: false,
            is_over: false,
        })
    }

    /// The published state when the subscription began: what a client of [`Start::Now`] goes on from.
    pub fn snapshot(&self) -> &View {
        &self.snapshot
    }

    /// Whether it is over: the engine ended, and everything was given.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The next item; waits for it. What is in the journal already is read on the caller's thread. `None` after the
    /// engine was shut down and everything was given.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// `Io` and `Damaged` when the journal cannot be read, `Halted` after everything durable was given of an engine
    /// that halted. The subscription is over then.
    pub async fn next(&mut self) -> Option<Result<FeedItem, Error>> {
        loop {
            match self.poll_ready() {
                Ok(Some(item)) => return Some(Ok(item)),
                Ok(None) if self.is_over => return None,
                Ok(None) => {}
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
            if self.published.changed().await.is_err() {
                self.is_over = true;
                return Some(Err(writer_is_gone()));
            }
        }
    }

    /// The same on this thread, without a runtime.
    ///
    /// # Errors
    /// See [`next`](Self::next).
    pub fn next_blocking(&mut self) -> Option<Result<FeedItem, Error>> {
        pollster::block_on(self.next())
    }

    /// The next item, if there is one already; `None` also when the subscription [is over](Self::is_over).
    ///
    /// # Errors
    /// See [`next`](Self::next).
    pub fn try_next(&mut self) -> Result<Option<FeedItem>, Error> {
        self.poll_ready().inspect_err(|_| self.is_over = true)
    }

    fn poll_ready(&mut self) -> Result<Option<FeedItem>, Error> {
        if self.is_over {
            return Ok(None);
        }
        // The status before the position: what was published before the end is still given.
        let status = self.shared.status();
        let seq = *self.published.borrow_and_update();
        if !self.is_caught_up && self.ready.is_empty() && self.walk.next_seq() > self.snapshot.seq() {
            self.is_caught_up = true;
            return Ok(Some(FeedItem::CaughtUp));
        }
        if self.ready.is_empty() && self.walk.next_seq() <= seq {
            self.read_frame(seq)?;
        }
        if let Some(item) = self.ready.pop_front() {
            return Ok(Some(item));
        }
        self.is_over = status != EngineStatus::Running;
        match (status, self.shared.last_error()) {
            (EngineStatus::Halted, Some(error)) => Err(error.with_kind(ErrorKind::Halted)),
            _ => Ok(None),
        }
    }

    fn read_frame(&mut self, published: u64) -> Result<(), Error> {
        let (wanted, journal_id) = (self.walk.next_seq(), self.walk.journal_id());
        let Some(place) = self.walk.next()? else {
            let found =
                format!("seq {published} was published, but the journal holds nothing from seq {wanted} on");
            return Err(Error::new(ErrorKind::Io, found));
        };
        for (seq, line) in lines(&place).filter(|&(seq, _)| seq >= wanted) {
            let event = decode_line(&place, seq, line)?;
            let cursor = Cursor { journal_id, epoch: place.frame.header.epoch, seq };
            self.ready.push_back(FeedItem::Event(Box::new(FeedEvent { event, cursor })));
        }
        Ok(())
    }
}

/// Refuses a cursor of another journal, or of a future that a crash unmade. `walk` starts at its event.
pub(super) fn check_cursor(
    cursor: &Cursor,
    journal_id: JournalId,
    last_seq: u64,
    walk: &mut Walk,
) -> Result<(), Error> {
    let refuse = |why: String| {
        Err(Error::new(
            ErrorKind::CursorMismatch,
            format!("the cursor {cursor} does not fit this journal: {why}"),
        ))
    };
    if cursor.journal_id != journal_id {
        return refuse(format!("it is of journal {}, this is {journal_id}", cursor.journal_id));
    }
    if cursor.seq > last_seq {
        return refuse(format!("the last event here is seq {last_seq}"));
    }
    match walk.next()? {
        Some(place) if place.frame.header.epoch == cursor.epoch => Ok(()),
        Some(place) => {
            let found = place.frame.header.epoch;
            refuse(format!(
                "seq {} is of epoch {found} here: a crash unmade the event that the cursor was given for",
                cursor.seq
            ))
        }
        None => refuse(format!("the journal does not hold seq {}", cursor.seq)),
    }
}

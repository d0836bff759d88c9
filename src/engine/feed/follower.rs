//! Followers: the same feed without an engine, beside a writer of another process.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::course::{Course, Read, Source};
use super::filter::EventFilter;
use super::item::{FeedEvent, FeedItem, ResetCause, Start};
use super::journal::Journal;
use super::wait::deadline_in;
use crate::clock::monotonic;
use crate::engine::cursor::Cursor;
use crate::engine::events::JournaledEvent;
use crate::engine::published::View;
use crate::error::Error;

/// How long a follower waits before it looks again.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The feed of a journal that this process does not write; see [`JournalReader::follow`](crate::JournalReader::follow).
///
/// It gives the items of a [`Subscription`](super::Subscription), of what a writer in another process has published, or
/// of all there is where there is no writer. It looks again every 10 ms while it waits. Its writer may rotate, prune,
/// crash and start again beside it. If a crash unmade events that it has given already (at interval durability), it says
/// so with a [`Reset`](super::Reset).
///
/// As an iterator it waits on this thread for each item, and ends only after an error. There is no asynchronous form: give
/// it a thread (`spawn_blocking` of a runtime, say).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use tallybook::{EventFilter, FeedItem, JournalReader, Start};
///
/// # let engine = tallybook::Blocking::open(&dir)?; // of another process
/// # engine.create_goal(tallybook::NewGoal::new("ship 2.0"))?; let saved_cursor: Option<&str> = None;
/// let start = saved_cursor.map_or(Ok(Start::Beginning), Start::after)?;
/// let mut feed = JournalReader::open(&dir)?.follow(start, EventFilter::new())?;
/// while let Some(item) = feed.next_blocking() {
///     match item? {
///         FeedItem::Event(event) => println!("{:?}, then go on after {}", event.event.payload, event.cursor),
///         FeedItem::Reset(reset) => println!("begin anew with the state after seq {}", reset.view.seq()),
///         _ => break, // caught up; to go on live, wait for more
///     }
/// }
/// assert!(!feed.is_over());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Follower {
    journal: Journal,
    course: Course,
    snapshot: Option<View>,
    is_over: bool,
}

impl Follower {
    pub(in crate::engine) fn open(
        mut journal: Journal,
        start: Start,
        filter: EventFilter,
    ) -> Result<Follower, Error> {
        let (course, snapshot) = Course::begin(&mut journal, start, filter)?;
        Ok(Follower { journal, course, snapshot, is_over: false })
    }

    /// The state that [`Start::Now`] begins with; `None` for every other start. Let go of when the first event after it
    /// has passed.
    pub fn snapshot(&self) -> Option<&View> {
        self.snapshot.as_ref()
    }

    /// Whether it is over, because it failed.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The next item; waits for it on this thread. `None` once it [is over](Self::is_over).
    ///
    /// # Errors
    /// See [`try_next`](Self::try_next).
    pub fn next_blocking(&mut self) -> Option<Result<FeedItem, Error>> {
        self.next_until(None).transpose()
    }

    /// The next item, if there is one already.
    ///
    /// # Errors
    /// `Io` and `Damaged` when the journal cannot be read, `Unsupported` when a newer version wrote it. The follower gives
    /// nothing after that. After an `Io` error begin another one, after the cursor of the last item; the others would come
    /// again.
    pub fn try_next(&mut self) -> Result<Option<FeedItem>, Error> {
        let Some(item) = self.step()? else { return Ok(None) };
        Ok(Some(match item {
            FeedItem::Event(event) => FeedItem::Event(self.decoded(event)?),
            FeedItem::CaughtUp(cursor) => FeedItem::CaughtUp(cursor),
            FeedItem::Bookmark(cursor) => FeedItem::Bookmark(cursor),
            FeedItem::Reset(reset) => FeedItem::Reset(reset),
        }))
    }

    /// The same, with the event as it stands in the journal: not decoded unless the filter has to know it, so that
    /// kinds of a newer version can be passed on.
    ///
    /// # Errors
    /// See [`try_next`](Self::try_next).
    pub fn try_next_journaled(&mut self) -> Result<Option<FeedItem<JournaledEvent<'_>>>, Error> {
        let Some(item) = self.step()? else { return Ok(None) };
        Ok(match item {
            FeedItem::Event(_) => self.journal.current().map(FeedItem::Event),
            FeedItem::CaughtUp(cursor) => Some(FeedItem::CaughtUp(cursor)),
            FeedItem::Bookmark(cursor) => Some(FeedItem::Bookmark(cursor)),
            FeedItem::Reset(reset) => Some(FeedItem::Reset(reset)),
        })
    }

    /// The next item, if it comes within this time; `None` also once it [is over](Self::is_over).
    ///
    /// # Errors
    /// See [`try_next`](Self::try_next).
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<FeedItem>, Error> {
        self.next_until(deadline_in(timeout))
    }

    fn next_until(&mut self, deadline: Option<Instant>) -> Result<Option<FeedItem>, Error> {
        loop {
            let item = self.try_next()?;
            let left = deadline.map(|deadline| deadline.saturating_duration_since(monotonic()));
            if item.is_some() || self.is_over || left == Some(Duration::ZERO) {
                return Ok(item);
            }
            sleep(left.map_or(POLL_INTERVAL, |left| left.min(POLL_INTERVAL)));
        }
    }

    fn step(&mut self) -> Result<Option<FeedItem<Option<Arc<FeedEvent>>>>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let item = self.course.step(&mut self.journal);
        self.snapshot.take_if(|snapshot| self.course.expected() > snapshot.seq() + 1);
        item.inspect_err(|_| self.is_over = true)
    }

    fn decoded(&mut self, event: Option<Arc<FeedEvent>>) -> Result<Arc<FeedEvent>, Error> {
        event.map_or_else(|| self.journal.decode(), Ok).inspect_err(|_| self.is_over = true)
    }
}

impl Iterator for Follower {
    type Item = Result<FeedItem, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_blocking()
    }
}

impl Source for Journal {
    type Event = Option<Arc<FeedEvent>>;

    fn view(&mut self) -> Result<View, Error> {
        Journal::view(self)
    }

    fn oldest_view(&mut self) -> Result<View, Error> {
        Journal::oldest_view(self)
    }

    fn oldest_seq(&mut self) -> Result<u64, Error> {
        Journal::oldest_seq(self)
    }

    fn last_seq(&mut self) -> Result<u64, Error> {
        Ok(self.published_seq()?.unwrap_or(u64::MAX))
    }

    fn cursor_of(&mut self, seq: u64) -> Result<Option<Cursor>, Error> {
        Journal::cursor_of(self, seq)
    }

    fn check(&mut self, cursor: &Cursor) -> Result<Option<ResetCause>, Error> {
        Journal::check(self, cursor)
    }

    fn read(&mut self, course: &mut Course) -> Result<Read<Option<Arc<FeedEvent>>>, Error> {
        Journal::read(self, course, || None)
    }
}

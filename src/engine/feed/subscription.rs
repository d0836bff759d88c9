//! Subscriptions: the feed of an engine in this process.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_core::Stream;
use futures_core::stream::FusedStream;
use tokio::sync::futures::OwnedNotified;

use super::course::{Course, Read, Source};
use super::filter::EventFilter;
use super::item::{FeedEvent, FeedItem, ResetCause, Start};
use super::journal::Journal;
use super::live::Look;
use super::wait::{deadline_in, poll_until};
use crate::engine::cursor::Cursor;
use crate::engine::health::EngineStatus;
use crate::engine::published::View;
use crate::engine::shared::Shared;
use crate::error::{Error, ErrorKind};
use crate::planted::{Bug, planted};

/// A subscription: every event from its start on that the filter lets pass, once, in order; or a
/// [reset](FeedItem::Reset), never a gap.
///
/// It is a [`Stream`] that needs no particular runtime; [`next`](Self::next) does without any trait, and
/// [`iter`](Self::iter), [`next_blocking`](Self::next_blocking) and [`next_timeout`](Self::next_timeout) without a
/// runtime. There can be thousands at once, each as slow as it likes: live it holds no events of its own; while it catches
/// up, an open segment, also after that is pruned, and up to 300 kB of what it reads. What it has missed it reads from the journal, on the thread
/// that asks for it. Retention waits for no subscription.
///
/// While it catches up it is always ready, and never yields: on a runtime, from far back, yield between items, or drain it
/// on a thread of its own.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use tallybook::{Engine, FeedItem, NewGoal, Start};
///
/// let engine = Engine::open(&dir).await?;
/// engine.create_goal(NewGoal::new("ship 2.0")).await?;
/// # let saved_cursor = &engine.view().cursor().unwrap().to_string();
/// # let (client, _) = (engine.clone(), engine.create_goal(NewGoal::new("ship 2.1")).await?);
/// let mut feed = engine.subscribe(Start::after(saved_cursor)?)?;
/// # drop(engine); let closing = std::thread::spawn(move || drop(client)); let mut events = 0;
/// while let Some(item) = feed.next().await {
///     match item? {
///         FeedItem::Event(event) => println!("{:?}, then go on after {}", event.event.payload, event.cursor),
///         FeedItem::Reset(reset) => println!("begin anew with the state in {:?}", reset.view.head()),
///         _ => {} // caught up, or a bookmark
///     }
/// #   events += 1;
/// }
/// # closing.join().unwrap(); assert_eq!(events, 3);
/// # Ok(()) }) }
/// ```
#[derive(Debug)]
pub struct Subscription {
    source: LiveSource,
    course: Course,
    /// The state with which it started, as long as nothing has come after it.
    snapshot: Option<View>,
    /// While it waits.
    notified: Option<Pin<Box<OwnedNotified>>>,
    is_over: bool,
}

/// What a subscription gives, or how it failed.
type Item = Result<FeedItem, Error>;

impl Subscription {
    pub(in crate::engine) fn open(
        shared: &Arc<Shared>,
        start: Start,
        filter: EventFilter,
    ) -> Result<Subscription, Error> {
        let mut source = LiveSource::open(shared)?;
        let (course, snapshot) = Course::begin(&mut source, start, filter)?;
        Ok(Subscription { source, course, snapshot, notified: None, is_over: false })
    }

    /// The state that [`Start::Now`] begins with; `None` for every other start. Let go of when the first event after it
    /// has passed.
    pub fn snapshot(&self) -> Option<&View> {
        self.snapshot.as_ref()
    }

    /// Whether it is over: the engine ended, and everything was given; or it failed.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The next item; waits for it. What is in the journal already is read on the caller's thread. `None` after the
    /// engine was shut down and everything was given.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// `Io` and `Damaged` when the journal cannot be read, `Unsupported` when a newer version wrote some of it, `Halted`
    /// after everything durable was given of an engine that halted. The subscription is over then; after an `Io` error
    /// begin another one, after the cursor of the last item.
    pub async fn next(&mut self) -> Option<Result<FeedItem, Error>> {
        poll_fn(|context| self.poll_item(context)).await
    }

    /// The same on this thread, without a runtime.
    ///
    /// # Errors
    /// See [`next`](Self::next).
    pub fn next_blocking(&mut self) -> Option<Result<FeedItem, Error>> {
        poll_until(None, |context| self.poll_item(context)).flatten()
    }

    /// The next item, if it comes within this time; `None` also when the subscription [is over](Self::is_over).
    ///
    /// # Errors
    /// See [`next`](Self::next).
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<FeedItem>, Error> {
        self.next_until(deadline_in(timeout)).transpose()
    }

    /// The next item, if there is one already; `None` also when the subscription [is over](Self::is_over). `None` does not
    /// mean that there is nothing: the event of a command that was just answered may be on its way. To see one's own write
    /// use [`next_timeout`](Self::next_timeout), or [`Engine::view`](crate::Engine::view).
    ///
    /// # Errors
    /// See [`next`](Self::next).
    pub fn try_next(&mut self) -> Result<Option<FeedItem>, Error> {
        self.step().transpose()
    }

    /// The items, one after the other, waiting on this thread for each; it ends when the subscription is over.
    pub fn iter(&mut self) -> FeedIter<'_> {
        FeedIter { subscription: self, timeout: None }
    }

    /// The same, but it also ends when an item takes longer than `timeout` to come. It can be called again then.
    pub fn iter_timeout(&mut self, timeout: Duration) -> FeedIter<'_> {
        FeedIter { subscription: self, timeout: Some(timeout) }
    }

    fn next_until(&mut self, deadline: Option<Instant>) -> Option<Item> {
        poll_until(deadline, |context| self.poll_item(context)).flatten()
    }

    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<Item>> {
        loop {
            let item = self.step();
            if item.is_some() || self.is_over {
                self.notified = None;
                return Poll::Ready(item);
            }
            // What came before this is looked for once more; what comes after it wakes.
            let live = &self.source.shared.live;
            let Some(notified) = &mut self.notified else {
                self.notified = Some(Box::pin(live.listen()));
                continue;
            };
            if notified.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.notified = None;
        }
    }

    /// The next item, if there is one already.
    fn step(&mut self) -> Option<Item> {
        if self.is_over {
            return None;
        }
        // The status before the position: what was published before the end is still given.
        let status = self.source.shared.status();
        let item = self.course.step(&mut self.source);
        self.snapshot.take_if(|snapshot| self.course.expected() > snapshot.seq() + 1);
        match item {
            Ok(None) if status == EngineStatus::Running => None,
            Ok(None) => {
                self.is_over = true;
                let why = self.source.shared.last_error().filter(|_| status == EngineStatus::Halted)?;
                Some(Err(why.with_kind(ErrorKind::Halted)))
            }
            Ok(Some(item)) => Some(Ok(item)),
            Err(error) => {
                self.is_over = true;
                Some(Err(error))
            }
        }
    }
}

impl Stream for Subscription {
    type Item = Result<FeedItem, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_item(context)
    }
}

impl FusedStream for Subscription {
    fn is_terminated(&self) -> bool {
        self.is_over
    }
}

/// The items of a [`Subscription`], for threads that may wait. See [`Subscription::iter`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use std::time::Duration;
/// use tallybook::{Blocking, FeedItem, NewGoal, Start};
///
/// let engine = Blocking::open(&dir)?;
/// engine.create_goal(NewGoal::new("ship 2.0"))?;
/// let mut feed = engine.subscribe(Start::Beginning)?;
/// for item in feed.iter_timeout(Duration::from_millis(20)) {
///     if let FeedItem::Event(event) = item? {
///         assert_eq!(event.event.seq, 1);
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct FeedIter<'a> {
    subscription: &'a mut Subscription,
    timeout: Option<Duration>,
}

impl Iterator for FeedIter<'_> {
    type Item = Result<FeedItem, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.subscription.next_until(self.timeout.and_then(deadline_in))
    }
}

/// The published events: from the ring, and from the journal where they are not in it any more.
#[derive(Debug)]
struct LiveSource {
    shared: Arc<Shared>,
    journal: Journal,
}

impl LiveSource {
    fn open(shared: &Arc<Shared>) -> Result<LiveSource, Error> {
        shared.live.subscribe()?;
        Ok(LiveSource {
            shared: Arc::clone(shared),
            journal: Journal::new(&shared.storage, shared.journal.clone()),
        })
    }

    fn read_live(&self, course: &mut Course, event: Arc<FeedEvent>) -> Result<Read<Arc<FeedEvent>>, Error> {
        let cursor = event.cursor;
        let Some(matcher) = course.matcher() else { return Ok(Read::Event(cursor, event)) };
        let knowledge = || self.journal.knowledge(Some(self.shared.view()));
        let is_wanted = matcher.wants(&event.event, knowledge)?;
        Ok(if is_wanted { Read::Event(cursor, event) } else { Read::Unwanted(cursor) })
    }

    fn read_journal(&mut self, course: &mut Course) -> Result<Read<Arc<FeedEvent>>, Error> {
        let seq = course.expected();
        let shared = &self.shared;
        match self.journal.read(course, || Some(shared.view()))? {
            Read::Event(cursor, event) => {
                Ok(Read::Event(cursor, event.map_or_else(|| self.journal.decode(), Ok)?))
            }
            Read::Unwanted(cursor) => Ok(Read::Unwanted(cursor)),
            Read::Lost(cause) => Ok(Read::Lost(cause)),
            Read::Nothing | Read::Coming => Err(missing(seq)),
        }
    }
}

impl Source for LiveSource {
    type Event = Arc<FeedEvent>;

    fn view(&mut self) -> Result<View, Error> {
        Ok(self.shared.view())
    }

    fn oldest_view(&mut self) -> Result<View, Error> {
        self.journal.oldest_view()
    }

    fn oldest_seq(&mut self) -> Result<u64, Error> {
        self.journal.oldest_seq()
    }

    fn last_seq(&mut self) -> Result<u64, Error> {
        Ok(self.shared.with_view(View::seq))
    }

    fn cursor_of(&mut self, seq: u64) -> Result<Option<Cursor>, Error> {
        match self.shared.with_view(View::cursor).filter(|last| last.seq <= seq) {
            Some(last) => Ok((last.seq == seq).then_some(last)),
            None => self.journal.cursor_of(seq),
        }
    }

    fn check(&mut self, cursor: &Cursor) -> Result<Option<ResetCause>, Error> {
        let view = self.shared.view();
        if cursor.journal_id != view.journal_id() {
            return Ok(Some(ResetCause::ForeignJournal));
        }
        if cursor.seq > view.seq() {
            return Ok(Some(ResetCause::UnmadeFuture));
        }
        let here = match self.shared.live.look(cursor.seq) {
            Look::Here(event) => Some(event.cursor),
            _ => view.cursor().filter(|last| last.seq == cursor.seq),
        };
        match here {
            Some(_) if planted(Bug::UnmadeCursorBelieved) => Ok(None),
            Some(here) => Ok((here != *cursor).then_some(ResetCause::UnmadeFuture)),
            None => self.journal.check(cursor),
        }
    }

    fn read(&mut self, course: &mut Course) -> Result<Read<Arc<FeedEvent>>, Error> {
        let is_running = self.shared.status() == EngineStatus::Running;
        match self.shared.live.look(course.expected()) {
            Look::Here(event) => {
                self.journal.close();
                return self.read_live(course, event);
            }
            Look::Coming if is_running => return Ok(Read::Coming),
            Look::Coming | Look::Elsewhere => {}
        }
        if course.expected() > self.shared.with_view(View::seq) {
            Ok(Read::Nothing)
        } else {
            self.read_journal(course)
        }
    }
}

impl Drop for LiveSource {
    fn drop(&mut self) {
        self.shared.live.unsubscribe();
    }
}

fn missing(seq: u64) -> Error {
    Error::new(ErrorKind::Io, format!("seq {seq} was published, but the journal does not hold it"))
}

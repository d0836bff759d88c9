//! What goes into a feed and what comes out of it: where it starts, and the items that it gives.

use std::fmt;
use std::sync::Arc;

use crate::engine::cursor::Cursor;
use crate::engine::published::View;
use crate::error::Error;
use crate::event::ChangeEvent;

/// Where a subscription starts.
///
/// A client that keeps what it knows begins with a state, and goes on from the cursor that it kept:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use tallybook::{Blocking, FeedItem, NewGoal, Start};
///
/// let engine = Blocking::open(&dir)?;
/// engine.create_goal(NewGoal::new("ship 2.0"))?;
///
/// let mut feed = engine.subscribe(Start::Now)?;
/// let state = feed.snapshot().cloned();
/// assert_eq!(state.map(|view| view.seq()), Some(1));
/// let Some(FeedItem::CaughtUp(Some(kept))) = feed.try_next()? else { panic!("nothing comes before that") };
///
/// engine.create_goal(NewGoal::new("ship 2.1"))?;
/// let mut feed = engine.subscribe(Start::after(&kept.to_string())?)?;
/// assert!(matches!(feed.next_blocking(), Some(Ok(FeedItem::Event(event))) if event.event.seq == 2));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// With the event after those that are in the [snapshot](super::Subscription::snapshot) of now.
    Now,
    /// With the first event of the journal. Where that was pruned: a [`Reset`] with the oldest state that is retained,
    /// then every event that is retained.
    Beginning,
    /// With the event of this `seq`, which may be one that is yet to come. Where it was pruned: as for
    /// [`Beginning`](Start::Beginning). 0: with the oldest event that is retained, and no reset.
    From(u64),
    /// With the event after this one. Where that cannot be (see [`ResetCause`]): a [`Reset`] with the state of **now**, and
    /// what comes after it. Who wants every event that is still there subscribes again with
    /// [`Beginning`](Start::Beginning) on [`BelowRetention`](ResetCause::BelowRetention).
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

    /// The same for a client that may come without any: then from now on, with a
    /// [snapshot](super::Subscription::snapshot).
    ///
    /// # Errors
    /// See [`after`](Self::after).
    pub fn after_or_now(cursor: Option<&str>) -> Result<Start, Error> {
        cursor.map_or(Ok(Start::Now), Start::after)
    }

    /// After what is in a state: that of [`Engine::view`](crate::Engine::view), or of a [`Reset`].
    pub fn after_view(view: &View) -> Start {
        view.cursor().map_or(Start::Beginning, Start::After)
    }
}

/// An event in the feed. All subscriptions share it. [`encode_event`](crate::event::encode_event) makes its JSON, as it
/// stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEvent {
    /// The event.
    pub event: ChangeEvent,
    /// Its position: what to keep, to go on after it.
    pub cursor: Cursor,
}

/// What a feed gives. `E` is the form of its events.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FeedItem<E = Arc<FeedEvent>> {
    /// The next event that the filter lets pass.
    Event(E),
    /// Everything that was there when the feed began, or when it was reset, has been given; from here on it is live.
    /// With the position to keep; `None` where there is no event before it: in an empty journal, or where the feed started
    /// from a `seq` that is yet to come.
    CaughtUp(Option<Cursor>),
    /// The position to keep, after events that the filter kept back: a client that resumes here need not pass them
    /// again. Given when the feed comes to rest, and after every 1,024 such events.
    Bookmark(Cursor),
    /// The feed cannot go on where the client was: it has to begin anew, with the state in here, after which the
    /// events go on by themselves. After a cursor, or where pruning overtook the feed, it is the state of **now**; who wants
    /// every event that is still there subscribes again with [`Start::Beginning`] on [`ResetCause::BelowRetention`].
    Reset(Reset),
}

impl FeedItem {
    /// The position to keep after this item; `None` where no event comes before it.
    pub fn cursor(&self) -> Option<Cursor> {
        match self {
            FeedItem::Event(event) => Some(event.cursor),
            FeedItem::CaughtUp(cursor) => *cursor,
            FeedItem::Bookmark(cursor) => Some(*cursor),
            FeedItem::Reset(reset) => reset.cursor(),
        }
    }
}

/// A client has to begin anew: what it knew is too old, of another journal, or was unmade.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?; let dir = dir.path();
/// use tallybook::{Blocking, FeedItem, GoalQuery, NewGoal, Start};
///
/// # let old_cursor = Blocking::open(dir.join("old"))?;
/// # old_cursor.create_goal(NewGoal::new("ship 1.0"))?;
/// # let old_cursor = old_cursor.view().cursor().unwrap().to_string();
/// let engine = Blocking::open(dir.join("book"))?;
/// engine.create_goal(NewGoal::new("ship 2.0"))?;
/// let mut kept = None;
/// let mut goals = Vec::new(); // what the client has built up
/// let mut feed = engine.subscribe(Start::after(&old_cursor)?)?;
/// while let Some(item) = feed.try_next()? {
///     match &item {
///         FeedItem::Reset(reset) => goals = reset.view.list_goals(&GoalQuery::default()), // all of it anew
///         FeedItem::Event(_event) => {} // bring `goals` up to date
///         _ => {}
///     }
///     kept = item.cursor().or(kept); // that of the reset too
/// }
/// assert_eq!((goals.len(), kept), (1, engine.view().cursor()));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Reset {
    /// Why.
    pub cause: ResetCause,
    /// The state to begin with. The feed goes on with the event after [`View::seq`].
    pub view: View,
}

impl Reset {
    /// The position of the state; `None` where it is that before the first event.
    pub fn cursor(&self) -> Option<Cursor> {
        self.view.cursor()
    }
}

/// Why a client has to begin anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResetCause {
    /// Events that the client has not seen were pruned.
    BelowRetention,
    /// The cursor is of another journal.
    ForeignJournal,
    /// The cursor is of an event that is not in the journal: a crash unmade it, or something restored an older copy.
    UnmadeFuture,
}

impl ResetCause {
    /// Its name in JSON: `below_retention`, `foreign_journal` or `unmade_future`.
    pub const fn name(self) -> &'static str {
        match self {
            ResetCause::BelowRetention => "below_retention",
            ResetCause::ForeignJournal => "foreign_journal",
            ResetCause::UnmadeFuture => "unmade_future",
        }
    }
}

impl fmt::Display for ResetCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

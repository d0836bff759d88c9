//! What goes into a feed and what comes out of it: where it starts, and the items that it gives.

use std::fmt;
use std::sync::Arc;

use crate::engine::cursor::Cursor;
use crate::engine::published::View;
use crate::error::Error;
use crate::event::ChangeEvent;

/// Where a subscription starts.
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
    /// With the event after this one; with a [`Reset`] and what comes after it where that makes no sense here.
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

    /// After what is in a state: that of [`Engine::view`](crate::Engine::view), or of a [`Reset`].
    pub fn after_view(view: &View) -> Start {
        view.cursor().map_or(Start::Beginning, Start::After)
    }
}

/// An event in the feed. All subscriptions share it.
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
    /// With the position to keep; `None` where no event has passed.
    CaughtUp(Option<Cursor>),
    /// The position to keep, after events that the filter kept back: a client that resumes here need not pass them
    /// again. Given when the feed comes to rest, and after every 1,024 such events.
    Bookmark(Cursor),
    /// The feed cannot go on where the client was: it has to begin anew, with the state in here, after which the
    /// events go on by themselves.
    Reset(Reset),
}

impl FeedItem {
    /// The position to keep after this item; `None` in a journal without events.
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

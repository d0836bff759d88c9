//! The course of a feed, whatever it is read from: the position, what a filter keeps back, and when it is said that it
//! is caught up, how far it has come, or that it has to begin anew.

use super::filter::EventFilter;
use super::item::{FeedItem, Reset, ResetCause, Start};
use super::matcher::Matcher;
use crate::engine::cursor::Cursor;
use crate::engine::published::View;
use crate::error::{Error, ErrorKind};
use crate::planted::{Bug, planted};

/// After how many events that the filter kept back there is a bookmark.
const BOOKMARK_EVERY: u32 = 1_024;

/// Where a feed is, and what it has said.
#[derive(Debug)]
pub(super) struct Course {
    /// The next event's `seq`.
    expected: u64,
    /// The event before that, where it is known.
    last: Option<Cursor>,
    /// Up to where the items given tell the position.
    told: u64,
    /// How many events the filter has kept back since then.
    skipped: u32,
    /// With what event it is caught up; `None` once that was said.
    catches_up_with: Option<u64>,
    matcher: Option<Box<Matcher>>,
    /// A reset that comes before anything else.
    reset: Option<Reset>,
}

/// What a feed is read from.
pub(super) trait Source {
    /// What an event is given as.
    type Event;

    /// The state of now.
    fn view(&mut self) -> Result<View, Error>;

    /// The oldest state that is retained.
    fn oldest_view(&mut self) -> Result<View, Error>;

    /// The `seq` of the oldest event that is retained.
    fn oldest_seq(&mut self) -> Result<u64, Error>;

    /// The `seq` of the last event; something greater where it is not known.
    fn last_seq(&mut self) -> Result<u64, Error>;

    /// The position of an event, if it is there.
    fn cursor_of(&mut self, seq: u64) -> Result<Option<Cursor>, Error>;

    /// Why the event of a cursor is none to go on after, if it is not.
    fn check(&mut self, cursor: &Cursor) -> Result<Option<ResetCause>, Error>;

    /// The event that the course expects next.
    fn read(&mut self, course: &mut Course) -> Result<Read<Self::Event>, Error>;
}

/// What was read.
#[derive(Debug)]
pub(super) enum Read<E> {
    /// The event at that position.
    Event(Cursor, E),
    /// The event at that position, which is not wanted.
    Unwanted(Cursor),
    /// There is no more.
    Nothing,
    /// It is on its way.
    Coming,
    /// The course cannot go on where it is.
    Lost(ResetCause),
}

impl Course {
    /// A course from `start` on, and the state with which it starts, where it starts with one.
    pub(super) fn begin(
        source: &mut impl Source,
        start: Start,
        filter: EventFilter,
    ) -> Result<(Course, Option<View>), Error> {
        let mut course = Course {
            expected: 1,
            last: None,
            told: 0,
            skipped: 0,
            catches_up_with: Some(0),
            matcher: None,
            reset: None,
        };
        let snapshot = course.place(source, start)?;
        course.matcher = Matcher::new(filter, course.expected - 1);
        Ok((course, snapshot))
    }

    fn place(&mut self, source: &mut impl Source, start: Start) -> Result<Option<View>, Error> {
        match start {
            Start::Now => {
                let view = source.view()?;
                self.go_to(&view);
                return Ok(Some(view));
            }
            Start::Beginning => self.place_at(source, 1)?,
            Start::From(0) => {
                let oldest = source.oldest_seq()?;
                self.place_at(source, oldest)?;
            }
            Start::From(seq) => self.place_at(source, seq)?,
            Start::After(cursor) => match source.check(&cursor)? {
                Some(cause) => {
                    let view = source.view()?;
                    self.go_to(&view);
                    self.reset = Some(Reset { cause, view });
                }
                None => {
                    self.expected = cursor.seq + 1;
                    self.last = Some(cursor);
                    self.told = cursor.seq;
                    self.catches_up_with = Some(source.last_seq()?);
                }
            },
        }
        Ok(None)
    }

    fn place_at(&mut self, source: &mut impl Source, seq: u64) -> Result<(), Error> {
        if seq < source.oldest_seq()? {
            let view = source.oldest_view()?;
            self.go_to(&view);
            self.reset = Some(Reset { cause: ResetCause::BelowRetention, view });
        } else {
            self.expected = seq;
            self.told = seq.saturating_sub(1);
        }
        self.catches_up_with = Some(source.last_seq()?);
        Ok(())
    }

    /// Goes on after a state.
    fn go_to(&mut self, view: &View) {
        self.expected = view.seq() + 1;
        self.last = view.cursor();
        self.told = view.seq();
        self.skipped = 0;
        self.catches_up_with = Some(view.seq());
        if let Some(matcher) = &mut self.matcher {
            matcher.restart(view.seq());
        }
    }

    /// The next event's `seq`.
    pub(super) fn expected(&self) -> u64 {
        self.expected
    }

    /// The event before that, where it is known.
    pub(super) fn last(&self) -> Option<&Cursor> {
        self.last.as_ref()
    }

    /// The filter; `None` where every event is wanted.
    pub(super) fn matcher(&mut self) -> Option<&mut Matcher> {
        self.matcher.as_deref_mut()
    }

    /// The next item; `None` where the feed has to wait, or is over.
    pub(super) fn step<S: Source>(&mut self, source: &mut S) -> Result<Option<FeedItem<S::Event>>, Error> {
        if let Some(reset) = self.reset.take() {
            return Ok(Some(FeedItem::Reset(reset)));
        }
        loop {
            if self.catches_up_with.is_some_and(|seq| self.expected > seq) {
                return self.caught_up(source).map(Some);
            }
            if self.skipped >= BOOKMARK_EVERY
                && let Some(bookmark) = self.bookmark()
            {
                return Ok(Some(bookmark));
            }
            match source.read(self)? {
                Read::Event(cursor, event) => {
                    self.pass(cursor)?;
                    self.told = cursor.seq;
                    self.skipped = 0;
                    return Ok(Some(FeedItem::Event(event)));
                }
                Read::Unwanted(cursor) => {
                    self.pass(cursor)?;
                    self.skipped += 1;
                }
                Read::Nothing if self.catches_up_with.is_some() => return self.caught_up(source).map(Some),
                Read::Nothing | Read::Coming => return Ok(self.bookmark()),
                Read::Lost(cause) => {
                    let view = source.view()?;
                    self.go_to(&view);
                    return Ok(Some(FeedItem::Reset(Reset { cause, view })));
                }
            }
        }
    }

    /// Law ORDER: the next event, and no other.
    fn pass(&mut self, cursor: Cursor) -> Result<(), Error> {
        if cursor.seq != self.expected && !planted(Bug::LagSkipsEvents) {
            let message = format!(
                "the feed has a gap: expected seq {}, found {} (law ORDER)",
                self.expected, cursor.seq
            );
            return Err(Error::new(ErrorKind::Io, message));
        }
        self.expected = cursor.seq.saturating_add(1);
        self.last = Some(cursor);
        Ok(())
    }

    fn caught_up<S: Source>(&mut self, source: &mut S) -> Result<FeedItem<S::Event>, Error> {
        if self.last.is_none() && self.expected > 1 {
            // It started from a `seq`, and nothing has passed: the event before that tells the position.
            self.last = source.cursor_of(self.expected - 1)?;
        }
        self.catches_up_with = None;
        self.tell();
        Ok(FeedItem::CaughtUp(self.last))
    }

    /// A bookmark, if it tells anything new.
    fn bookmark<E>(&mut self) -> Option<FeedItem<E>> {
        let cursor = self.last.filter(|cursor| cursor.seq > self.told)?;
        self.tell();
        Some(FeedItem::Bookmark(cursor))
    }

    fn tell(&mut self) {
        self.told = self.expected - 1;
        self.skipped = 0;
    }
}

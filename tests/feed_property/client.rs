//! A client of the feed, and what it has to be told.

use tallybook::{Cursor, EventFilter, FeedItem, Follower, Reset, ResetCause, Subscription};

use crate::world::History;

/// Where a client begins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum From {
    Beginning,
    Now,
    /// After any cursor that was ever told.
    Told(u64),
    /// With any event that there is, or was.
    Seq(u64),
    /// After a cursor of another journal.
    Foreign,
    /// After a cursor beyond the end.
    Ahead(u64),
}

/// How many filters there are to choose from; the first lets everything pass.
pub(crate) const FILTERS: usize = 3;

/// A filter, and the kinds that it lets pass.
pub(crate) fn filter(number: usize) -> (EventFilter, Option<&'static [&'static str]>) {
    let kinds: &[&str] = match number {
        1 => &["turn_recorded", "goal_created"],
        2 => &["key_window_set"],
        _ => return (EventFilter::new(), None),
    };
    let filter = kinds.iter().fold(EventFilter::new(), |filter, kind| filter.kind(kind).unwrap());
    (filter, Some(kinds))
}

#[derive(Debug)]
pub(crate) enum Feed {
    Inside(Subscription),
    Beside(Follower),
}

/// Where a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// After this event; `None`: before the first.
    After(Option<Cursor>),
    /// Before the event with this `seq`, of whatever history.
    Before(u64),
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) feed: Option<Feed>,
    pub(crate) filter: usize,
    kinds: Option<&'static [&'static str]>,
    pub(crate) place: Place,
    is_caught_up: bool,
    pub(crate) resets: Vec<&'static str>,
}

impl Client {
    pub(crate) fn new(feed: Feed, filter_number: usize, place: Place) -> Client {
        let kinds = filter(filter_number).1;
        Client {
            feed: Some(feed),
            filter: filter_number,
            kinds,
            place,
            is_caught_up: false,
            resets: Vec::new(),
        }
    }

    /// Takes up to so many items. Whether it takes all that there are.
    pub(crate) fn take(&mut self, items: usize, history: &History) {
        for _ in 0..items {
            let Some(item) = self.next_item() else {
                assert!(self.feed.is_none() || self.is_caught_up, "it rests without being caught up");
                return;
            };
            self.check(&item, history);
        }
    }

    fn next_item(&mut self) -> Option<FeedItem> {
        match self.feed.as_mut()? {
            Feed::Inside(feed) => feed.try_next().unwrap(),
            Feed::Beside(feed) => feed.try_next().unwrap(),
        }
    }

    fn check(&mut self, item: &FeedItem, history: &History) {
        match item {
            FeedItem::Event(event) => {
                assert_eq!(event.event, history.at(&event.cursor).event, "it is what was journaled");
                assert!(self.wants(event.event.payload.kind()), "the filter lets it pass");
                self.check_passed(history.before(&event.cursor), history);
                self.place = Place::After(Some(event.cursor));
            }
            FeedItem::CaughtUp(cursor) => {
                assert!(!self.is_caught_up, "that is said once");
                self.is_caught_up = true;
                self.check_position(*cursor, history);
            }
            FeedItem::Bookmark(cursor) => {
                assert_ne!(self.place, Place::After(Some(*cursor)), "a bookmark tells something new");
                self.check_position(Some(*cursor), history);
            }
            FeedItem::Reset(reset) => self.check_reset(reset, history),
            other => panic!("expected an item that is known, found {other:?}"),
        }
    }

    fn wants(&self, kind: &str) -> bool {
        self.kinds.is_none_or(|kinds| kinds.contains(&kind))
    }

    /// Checks that everything after the client's place and up to that event was kept back by its filter.
    fn check_passed(&self, up_to: Option<Cursor>, history: &History) {
        let mut at = up_to;
        loop {
            match (self.place, at) {
                (Place::After(place), at) if place == at => return,
                (Place::Before(seq), at) if at.map_or(0, |at| at.seq) + 1 == seq => return,
                (place, None) => panic!("a gap or a duplicate: the client is {place:?}"),
                (place, Some(cursor)) => {
                    let passed = history.at(&cursor);
                    let kind = passed.event.payload.kind();
                    assert!(!self.wants(kind), "a gap: {cursor} was not given; the client is {place:?}");
                    at = passed.before;
                }
            }
        }
    }

    fn check_position(&mut self, cursor: Option<Cursor>, history: &History) {
        match (self.place, cursor) {
            // Nothing has passed yet.
            (Place::Before(_), None) => {}
            _ => {
                self.check_passed(cursor, history);
                self.place = Place::After(cursor);
            }
        }
    }

    fn check_reset(&mut self, reset: &Reset, history: &History) {
        let (oldest, now) = (history.oldest_seq(), history.journal_id());
        match (reset.cause, self.place) {
            (ResetCause::ForeignJournal, Place::After(Some(cursor))) => assert_ne!(cursor.journal_id, now),
            (ResetCause::BelowRetention, Place::After(cursor)) => {
                assert!(
                    cursor.map_or(0, |cursor| cursor.seq) + 1 < oldest,
                    "what comes after {cursor:?} is retained"
                );
            }
            (ResetCause::BelowRetention, Place::Before(seq)) => assert!(seq < oldest, "{seq} is retained"),
            (ResetCause::UnmadeFuture, Place::After(Some(cursor))) => {
                assert!(!history.is_made(&cursor), "{cursor} is there");
            }
            (cause, place) => panic!("{cause}, though the client is {place:?}"),
        }
        history.check_state(&reset.view);
        self.place = Place::After(reset.cursor());
        self.is_caught_up = false;
        self.resets.push(reset.cause.name());
    }

    /// Checks that it has come to the end, and was told so.
    pub(crate) fn check_end(&self, history: &History) {
        let end = history.end();
        match self.place {
            Place::After(cursor) => assert_eq!(cursor, end),
            Place::Before(seq) => assert!(seq > end.map_or(0, |end| end.seq)),
        }
    }
}

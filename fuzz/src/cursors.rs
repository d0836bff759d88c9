//! Cursors: as text, and as a place to go on after. The journal is a sample with a base, epochs and rotations; what has to
//! come is told by what is in it.

use std::sync::LazyLock;

use tallybook::storage::SimulatedDisk;
use tallybook::{
    Blocking, Cursor, Epoch, Error, ErrorKind, EventFilter, FeedItem, JournalId, JournalReader, ManualClock,
    ResetCause, Start, StateAt,
};

use crate::engine::{NOON, disk_of, options};
use crate::input::Input;
use crate::samples::snapshot_journals;

/// A journal that stays as it is.
struct Book {
    engine: Blocking,
    reader: JournalReader,
    /// The position of every retained event, and before them that of the base.
    cursors: Vec<Cursor>,
}

static BOOK: LazyLock<Book> = LazyLock::new(|| {
    let disk = disk_of(&snapshot_journals()[1]);
    // Another epoch, and a crash: another after that.
    for seed in 21..23 {
        let engine = opened(&disk, seed);
        for round in 0..4 {
            engine
                .create_goal(tallybook::NewGoal::new("more").scope(format!("{round}")))
                .expect("it is made");
        }
        disk.kill();
    }
    let engine = opened(&disk, 24);
    let reader = JournalReader::with_storage(disk.process()).expect("it opened");
    let mut feed = engine.subscribe(Start::Beginning).expect("it opened");
    let mut cursors = Vec::new();
    while let Some(item) = feed.try_next().expect("it can be read") {
        match item {
            FeedItem::Reset(reset) => cursors.extend(reset.cursor()),
            FeedItem::Event(event) => cursors.push(event.cursor),
            _ => {}
        }
    }
    assert!(cursors.len() > 10 && cursors[0].seq > 1, "events, and a base before them");
    Book { engine, reader, cursors }
});

fn opened(disk: &SimulatedDisk, seed: u64) -> Blocking {
    let options = options(seed, &ManualClock::new(NOON)).live_events(4);
    options.open_storage(disk.process()).expect("a journal of ours opens").blocking()
}

/// The cursors of the journal, as text.
pub fn cursor_texts() -> Vec<String> {
    BOOK.cursors.iter().map(ToString::to_string).collect()
}

/// Reads a cursor as text, and reads on after it; or makes one out of a real one, which then has to read as it prints.
///
/// The first byte chooses: an even one, and the rest is text; an odd one, and the rest is which cursor, and what of it is
/// another.
///
/// # Panics
/// When a cursor breaks a promise.
pub fn check_cursor(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    if input.u8().is_multiple_of(2) {
        let Ok(text) = std::str::from_utf8(input.rest()) else { return };
        check_text(text);
    } else {
        let cursor = edited(&mut input);
        let text = cursor.to_string();
        if cursor.seq == 0 {
            assert!(text.parse::<Cursor>().is_err(), "{text}: no event has the seq 0");
            return;
        }
        assert_eq!(text.parse::<Cursor>().ok(), Some(cursor), "{text}");
        check_after(&cursor);
        check_from(cursor.seq);
    }
}

/// What is no cursor is an invalid argument everywhere; what is one prints in one way, which reads as the same.
fn check_text(text: &str) {
    match text.parse::<Cursor>() {
        Ok(cursor) => {
            let printed = cursor.to_string();
            assert_eq!(printed.parse::<Cursor>().ok(), Some(cursor), "{text} prints as {printed}");
            assert_eq!(Start::after(text).ok(), Some(Start::After(cursor)));
            check_after(&cursor);
        }
        Err(error) => {
            assert_eq!(*error.kind(), ErrorKind::InvalidArgument, "{text:?}: {error:?}");
            assert!(Start::after(text).is_err() && Start::after_or_now(Some(text)).is_err());
            assert!(error.to_string().chars().count() < 1_500, "a message is no copy of what was given");
        }
    }
}

fn edited(input: &mut Input<'_>) -> Cursor {
    let cursors = &BOOK.cursors;
    let mut cursor = cursors[input.short_index(cursors.len()).unwrap_or(0)];
    while !input.is_empty() {
        match input.u8() % 8 {
            0 => cursor.journal_id = JournalId(uuid::Uuid::from_u128(input.u128())),
            1 => cursor.epoch = Epoch::from_bits(input.u64()),
            2 => cursor.epoch.counter = cursor.epoch.counter.wrapping_add(u32::from(input.u8())),
            3 => cursor.epoch.tag ^= u32::from(input.u8()),
            4 => cursor.seq = input.u64(),
            5 => cursor.seq = cursor.seq.wrapping_add(u64::from(input.u8())),
            6 => cursor.seq = cursor.seq.wrapping_sub(u64::from(input.u8())),
            _ => cursor.epoch = cursors[input.short_index(cursors.len()).unwrap_or(0)].epoch,
        }
    }
    cursor
}

/// Whether the journal can go on after a cursor, told by its events: why not, and otherwise how many come.
fn expected(cursor: &Cursor) -> Result<usize, ResetCause> {
    let cursors = &BOOK.cursors;
    let (first, last) = (cursors[0], cursors[cursors.len() - 1]);
    if cursor.journal_id != first.journal_id {
        Err(ResetCause::ForeignJournal)
    } else if cursor.seq < first.seq {
        Err(ResetCause::BelowRetention)
    } else if !cursors.contains(cursor) {
        Err(ResetCause::UnmadeFuture)
    } else {
        Ok(usize::try_from(last.seq - cursor.seq).expect("few events"))
    }
}

/// The engine, a reader and a follower agree with what the events tell.
fn check_after(cursor: &Cursor) {
    let expected = expected(cursor);
    let live = feed(BOOK.engine.subscribe(Start::After(*cursor)).map(|mut feed| move || feed.try_next()));
    assert_eq!(live.expect("a feed of a sound journal"), outline(&expected, cursor), "live, after {cursor}");
    check_reader(cursor, &expected);
}

/// The seqs of events in the order of a feed, with what else there is.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Reset(ResetCause, u64),
    Event(u64),
    CaughtUp(Option<u64>),
}

fn outline(expected: &Result<usize, ResetCause>, cursor: &Cursor) -> Vec<Seen> {
    let last = BOOK.cursors[BOOK.cursors.len() - 1].seq;
    let mut seen = match expected {
        Err(cause) => vec![Seen::Reset(*cause, last)],
        Ok(_) => (cursor.seq + 1..=last).map(Seen::Event).collect(),
    };
    seen.push(Seen::CaughtUp(Some(last)));
    seen
}

fn feed(feed: Result<impl FnMut() -> Result<Option<FeedItem>, Error>, Error>) -> Result<Vec<Seen>, Error> {
    let (mut next, mut seen) = (feed?, Vec::new());
    while let Some(item) = next()? {
        match item {
            FeedItem::Reset(reset) => seen.push(Seen::Reset(reset.cause, reset.view.seq())),
            FeedItem::Event(event) => seen.push(Seen::Event(event.cursor.seq)),
            FeedItem::CaughtUp(cursor) => seen.push(Seen::CaughtUp(cursor.map(|cursor| cursor.seq))),
            other => panic!("nothing was kept back, but there is {other:?}"),
        }
    }
    Ok(seen)
}

fn check_reader(cursor: &Cursor, expected: &Result<usize, ResetCause>) {
    // A reader looks thrice for an event that may be on its way, with pauses: an event far ahead is left to the engine.
    let last = BOOK.cursors[BOOK.cursors.len() - 1].seq;
    if cursor.seq > last.saturating_add(1) && cursor.seq < u64::MAX - 1 {
        return;
    }
    let events = BOOK.reader.events_after(cursor);
    let kind = match expected {
        Ok(count) => {
            let mut events = events.expect("it can be gone on after");
            let mut seqs = Vec::new();
            while let Some(event) = events.next().expect("a sound journal") {
                assert!(BOOK.cursors.contains(&event.cursor()));
                seqs.push(event.seq);
            }
            assert_eq!(seqs, (cursor.seq + 1..=last).collect::<Vec<_>>());
            assert_eq!(seqs.len(), *count);
            return;
        }
        Err(ResetCause::BelowRetention) => ErrorKind::Pruned,
        Err(_) => ErrorKind::CursorMismatch,
    };
    let error = events.map(drop).expect_err("it cannot be gone on after");
    assert_eq!(*error.kind(), kind, "{cursor}: {error}");
}

/// Places that are no cursors: a number is enough.
fn check_from(seq: u64) {
    let cursors = &BOOK.cursors;
    let (floor, last) = (cursors[0].seq, cursors[cursors.len() - 1].seq);
    for start in [Start::From(seq), Start::Beginning] {
        let mut feed = BOOK.engine.subscribe(start).expect("any seq will do");
        let mut next = floor + 1;
        while let Some(item) = feed.try_next().expect("a sound journal") {
            if let FeedItem::Event(event) = item {
                let first = if start == Start::Beginning { 0 } else { seq };
                assert!(event.event.seq >= first.min(last + 1));
                next = next.max(event.event.seq + 1);
            }
        }
        assert!(next == last + 1 || seq > last, "{start:?} ended before seq {next}");
    }
    let state = BOOK.reader.state(StateAt::Seq(seq));
    match state {
        Ok(state) => assert!(state.seq == seq && (floor..=last).contains(&seq)),
        Err(error) if seq < floor => assert_eq!(*error.kind(), ErrorKind::Pruned, "{error}"),
        Err(error) => assert!(seq > last && *error.kind() == ErrorKind::InvalidArgument, "{error}"),
    }
    let events = BOOK.reader.events(seq);
    assert!(events.is_ok() == (seq == 0 || seq > floor), "events from {seq}: {events:?}");
    let filtered = BOOK.engine.subscribe_to(Start::From(seq), EventFilter::new().scope("2"));
    let mut filtered = filtered.expect("any seq will do");
    while filtered.try_next().expect("a sound journal").is_some() {}
}

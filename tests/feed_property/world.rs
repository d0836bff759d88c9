//! A journal with its writer, its clients, and all that was ever in it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tallybook::ids::SeededEntropy;
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{
    Blocking, ChangeEvent, Cursor, Durability, JournalId, JournalReader, ManualClock, Projection, Retention,
    Start, View,
};

use crate::CLIENTS;
use crate::client::{Client, Feed, From, Place, filter};
use crate::common::{DEADLINE, Workload, clock, open, options};
use crate::remote::Remote;

/// An event that is, or was, in the journal.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) event: ChangeEvent,
    pub(crate) before: Option<Cursor>,
    after_it: Projection,
}

/// All events that were ever in the journal, those that a power cut unmade included.
#[derive(Debug)]
pub(crate) struct History {
    made: HashMap<Cursor, Made>,
    /// The events that are there now, the oldest first.
    line: Vec<Cursor>,
    reader: JournalReader,
}

impl History {
    pub(crate) fn at(&self, cursor: &Cursor) -> &Made {
        self.made.get(cursor).unwrap_or_else(|| panic!("{cursor} never was"))
    }

    pub(crate) fn before(&self, cursor: &Cursor) -> Option<Cursor> {
        self.at(cursor).before
    }

    pub(crate) fn end(&self) -> Option<Cursor> {
        self.line.last().copied()
    }

    pub(crate) fn is_made(&self, cursor: &Cursor) -> bool {
        self.line.contains(cursor)
    }

    pub(crate) fn oldest_seq(&self) -> u64 {
        self.reader.oldest_seq().unwrap()
    }

    pub(crate) fn journal_id(&self) -> JournalId {
        self.reader.journal_id()
    }

    /// Compares a state with the replay up to there.
    pub(crate) fn check_state(&self, view: &View) {
        let replayed = match view.cursor() {
            Some(cursor) => self.at(&cursor).after_it.clone(),
            None => Projection::default(),
        };
        assert_eq!(view.seq(), replayed.seq);
        assert_eq!(view.state_hash(), replayed.state.state_hash(), "law FOLD, at seq {}", view.seq());
    }

    /// Takes in what was appended since.
    fn read_on(&mut self) {
        let mut replayed = self.end().map_or_else(Projection::default, |end| self.at(&end).after_it.clone());
        let mut events = self.reader.events(replayed.seq + 1).unwrap();
        while let Some(journaled) = events.next().unwrap() {
            let (cursor, event) = (journaled.cursor(), journaled.decode().unwrap());
            replayed.apply(&event).unwrap();
            let made = Made { event, before: self.end(), after_it: replayed.clone() };
            assert!(self.made.insert(cursor, made).is_none(), "{cursor} is of two events");
            self.line.push(cursor);
        }
    }
}

pub(crate) struct World {
    seed: u64,
    sessions: u64,
    disk: SimulatedDisk,
    clock: ManualClock,
    workload: Workload,
    engine: Option<Blocking>,
    history: History,
    clients: Vec<Option<Client>>,
}

impl World {
    pub(crate) fn new(seed: u64) -> World {
        let (disk, clock) = (SimulatedDisk::new(seed), clock());
        let engine = open_engine(&disk, seed, &clock);
        let history = History {
            made: HashMap::new(),
            line: Vec::new(),
            reader: JournalReader::with_storage(Arc::new(Remote(disk.clone()))).unwrap(),
        };
        let clients = (0..CLIENTS).map(|_| None).collect();
        let workload = Workload::new(seed);
        World { seed, sessions: 0, disk, clock, workload, engine: Some(engine), history, clients }
    }

    fn engine(&self) -> &Blocking {
        self.engine.as_ref().expect("it is open but while it restarts")
    }

    pub(crate) fn seq(&self) -> u64 {
        self.engine().view().seq()
    }

    pub(crate) fn oldest_seq(&self) -> u64 {
        self.history.oldest_seq()
    }

    pub(crate) fn resets(&self, client: usize) -> &[&'static str] {
        &self.clients[client].as_ref().unwrap().resets
    }

    pub(crate) fn work(&mut self, commands: usize) {
        for _ in 0..commands {
            let view = self.engine().view();
            let state = Projection { state: view.state().clone(), seq: view.seq(), last_ts: view.last_ts() };
            let request = self.workload.next(&state, &self.clock);
            // Refused or not, it leads to what it leads to.
            let _ = self.engine().execute(request);
            self.history.read_on();
        }
        assert_eq!(self.history.end(), self.engine().view().cursor());
    }

    pub(crate) fn take(&mut self, client: usize, items: usize) {
        if let Some(client) = &mut self.clients[client] {
            client.take(items, &self.history);
        }
    }

    pub(crate) fn begin(&mut self, client: usize, inside: bool, from: From, filter_number: usize) {
        let (start, place) = self.start(from);
        let filter = filter(filter_number).0;
        let feed = if inside {
            Feed::Inside(self.engine().subscribe_to(start, filter).unwrap())
        } else {
            Feed::Beside(self.history.reader.follow(start, filter).unwrap())
        };
        let snapshot = match &feed {
            Feed::Inside(feed) => feed.snapshot(),
            Feed::Beside(feed) => feed.snapshot(),
        };
        assert_eq!(snapshot.is_some(), start == Start::Now);
        snapshot.into_iter().for_each(|view| {
            assert_eq!(view.cursor(), self.history.end());
            self.history.check_state(view);
        });
        self.clients[client] = Some(Client::new(feed, filter_number, place));
    }

    fn start(&self, from: From) -> (Start, Place) {
        let after = |cursor| (Start::After(cursor), Place::After(Some(cursor)));
        let end = self.history.end();
        let mut told: Vec<Cursor> = self.history.made.keys().copied().collect();
        told.sort_by_key(|cursor| (cursor.seq, cursor.epoch));
        let any =
            |number: u64| told.get(usize::try_from(number % told.len().max(1) as u64).unwrap()).copied();
        match (from, end) {
            (From::Now, end) => (Start::Now, Place::After(end)),
            (From::Beginning, _) | (_, None) => (Start::Beginning, Place::After(None)),
            (From::Seq(seq), Some(end)) => {
                let seq = seq % (end.seq + 3);
                let first = if seq == 0 { self.oldest_seq() } else { seq };
                (Start::From(seq), Place::Before(first))
            }
            (From::Told(number), Some(end)) => after(any(number).unwrap_or(end)),
            (From::Foreign, Some(end)) => {
                let journal_id = JournalId(uuid::Uuid::from_u128(self.seed.into()));
                after(Cursor { journal_id, ..end })
            }
            (From::Ahead(by), Some(end)) => after(Cursor { seq: end.seq + 1_000 + by, ..end }),
        }
    }

    pub(crate) fn restart(&mut self) {
        self.engine().shutdown(DEADLINE).unwrap();
        // What was published before the end is still given.
        for client in self.clients.iter_mut().flatten() {
            if matches!(client.feed, Some(Feed::Inside(_))) {
                client.take(usize::MAX, &self.history);
                client.check_end(&self.history);
            }
        }
        self.reopen(|_| {});
    }

    pub(crate) fn kill(&mut self) {
        self.reopen(SimulatedDisk::kill);
    }

    pub(crate) fn cut(&mut self, survivors: Survivors) {
        self.reopen(|disk| disk.restart(survivors));
    }

    fn reopen(&mut self, end: impl FnOnce(&SimulatedDisk)) {
        for client in self.clients.iter_mut().flatten() {
            if matches!(client.feed, Some(Feed::Inside(_))) {
                client.feed = None;
            }
        }
        end(&self.disk);
        self.engine = None;
        self.sessions += 1;
        let engine = open_engine(&self.disk, self.seed ^ (self.sessions << 32), &self.clock);
        let seq = usize::try_from(engine.view().seq()).unwrap();
        assert!(seq <= self.history.line.len(), "an opening makes no events");
        self.history.line.truncate(seq);
        self.history.check_state(&engine.view());
        self.engine = Some(engine);
        // Those that were in the process that ended come back with what they kept.
        for number in 0..CLIENTS {
            let Some(client) = self.clients[number].as_ref().filter(|client| client.feed.is_none()) else {
                continue;
            };
            let start = match client.place {
                Place::After(cursor) => cursor.map_or(Start::Beginning, Start::After),
                Place::Before(seq) => Start::From(seq),
            };
            let (filter_number, place, resets) = (client.filter, client.place, client.resets.clone());
            let feed = Feed::Inside(self.engine().subscribe_to(start, filter(filter_number).0).unwrap());
            let mut client = Client::new(feed, filter_number, place);
            client.resets = resets;
            self.clients[number] = Some(client);
        }
    }

    /// Everybody comes to the end.
    pub(crate) fn finish(&mut self) {
        for client in self.clients.iter_mut().flatten() {
            client.take(usize::MAX, &self.history);
            client.check_end(&self.history);
        }
    }
}

/// A writer at interval durability that keeps few segments, and few live events.
fn open_engine(disk: &SimulatedDisk, seed: u64, clock: &ManualClock) -> Blocking {
    let options = options(seed, clock)
        .entropy(SeededEntropy::new(seed))
        .durability(Durability::Interval(Duration::from_secs(3_600)))
        .segment_bytes(4_096)
        .retention(Retention::new().segments(3))
        .live_events(16);
    open(disk, options).unwrap()
}

//! One life of a journal: sessions with commands, timers and upkeep, and what a crash at each operation of them would leave.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tallybook::format::{SegmentName, SnapshotName};
use tallybook::ids::SeededEntropy;
use tallybook::storage::{Schedule, SimulatedDisk, Survivors};
use tallybook::{
    Blocking, Clock, Cursor, Durability, Engine, JournalReader, Json, ManualClock, Options, RecordEvent,
    Request, Retention, SimulatedClock, StateAt, Timestamp,
};

use crate::common::{Answer, DEADLINE, Expected, Predicted, Shadow, Workload, answer_of, clock};
use crate::retained::{self, Shelf};
use crate::tally::Tally;

/// What the power being cut at one operation leaves.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    pub(crate) operation: u64,
    pub(crate) disk: SimulatedDisk,
    pub(crate) known: Known,
    pub(crate) shelf: Option<Shelf>,
}

/// What the world outside knows at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Has to survive a power cut.
    pub(crate) acknowledged: u64,
    /// Has to survive the end of the process.
    pub(crate) answered: u64,
    /// The last `seq` that the engine was ever asked for.
    pub(crate) handed_over: u64,
    /// What was asked for and is not answered.
    pub(crate) in_flight: Arc<Vec<Request>>,
}

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The power is cut.
    Cut(Survivors),
    /// The process is killed; the page cache stays.
    Killed,
}

impl Ending {
    pub(crate) fn apply(self, disk: &SimulatedDisk) {
        match self {
            Ending::Cut(survivors) => disk.restart(survivors),
            Ending::Killed => disk.kill(),
        }
    }
}

impl Known {
    fn saw(&mut self, published: u64, is_synced: bool) {
        self.answered = self.answered.max(published);
        if is_synced {
            self.acknowledged = self.acknowledged.max(published);
        }
    }

    /// What is still known once a process ended so.
    pub(crate) fn after(mut self, ending: Ending) -> Known {
        if ending != Ending::Killed {
            // What was only in the page cache is gone.
            self.answered = self.acknowledged;
        }
        self
    }

    pub(crate) fn expected(&self, ending: Ending) -> Expected {
        let at_least = match ending {
            Ending::Cut(_) => self.acknowledged,
            Ending::Killed => self.answered,
        };
        Expected { at_least, at_most: self.handed_over }
    }
}

impl Cut {
    /// What has to be the same when the seed is.
    #[cfg(test)]
    pub(crate) fn trace(&self) -> (Files, [u64; 4]) {
        let Known { acknowledged, answered, handed_over, .. } = self.known;
        (files(&self.disk), [self.operation, acknowledged, answered, handed_over])
    }
}

/// Names and bytes.
#[cfg(test)]
pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// The names and bytes of all files but the lock, which holds the number of the real process.
#[cfg(test)]
fn files(disk: &SimulatedDisk) -> Files {
    let names = disk.names().into_iter().filter(|name| name != "lock");
    names.map(|name| (name.clone(), disk.contents(&name).unwrap())).collect()
}

pub(crate) struct Life {
    pub(crate) chance: SeededEntropy,
    disk: SimulatedDisk,
    sector: usize,
    pub(crate) clock: ManualClock,
    workload: Workload,
    pub(crate) shadow: Shadow,
    pub(crate) durability: Durability,
    keep: u64,
    shelf: Option<Shelf>,
    sessions: u64,
    changes_of_thread: u64,
    known: Arc<Mutex<Known>>,
    /// What the process that runs shows everyone.
    running: Arc<Mutex<Option<Engine>>>,
    /// How the last process ended.
    ended: Ending,
    cursors: Vec<Cursor>,
    /// Positions of events that a crash unmade.
    unmade: Vec<Cursor>,
    /// Whether the archive was told to fail.
    has_failing_archive: bool,
}

impl Life {
    pub(crate) fn new(seed: u64) -> Life {
        let chance = SeededEntropy::new(seed);
        let sector = if chance.below(2) == 0 { 512 } else { 4096 };
        let known = Known { acknowledged: 0, answered: 0, handed_over: 0, in_flight: Arc::default() };
        Life {
            disk: SimulatedDisk::new(chance.next_u64()).sector(sector),
            sector,
            clock: clock(),
            workload: Workload::new(chance.next_u64()),
            shadow: Shadow::default(),
            durability: match chance.below(4) {
                0 => Durability::Interval(Duration::from_secs(chance.below(60))),
                _ => Durability::Sync,
            },
            keep: chance.below(3),
            shelf: (chance.below(3) > 0).then(Shelf::default),
            chance,
            sessions: 0,
            changes_of_thread: 0,
            known: Arc::new(Mutex::new(known)),
            running: Arc::default(),
            ended: Ending::Killed,
            cursors: Vec::new(),
            unmade: Vec::new(),
            has_failing_archive: false,
        }
    }

    /// The options of a process that looks after nothing but commands.
    pub(crate) fn plain_options(&self, chance: &SeededEntropy) -> Options {
        Options::new()
            .inline()
            .entropy(SeededEntropy::new(chance.next_u64()))
            .clock(SimulatedClock::new(self.clock.clone()))
            .durability(self.durability)
            .segment_bytes([4 << 10, 6 << 10, 10 << 10][index(chance.below(3))])
            .retention(Retention::keep_all())
            .snapshot_bytes(u64::MAX)
    }

    /// The options of one that prunes, archives and makes snapshots.
    pub(crate) fn options(&self, chance: &SeededEntropy, shelf: Option<&Shelf>) -> Options {
        let options = self
            .plain_options(chance)
            .retention(Retention::new().segments(self.keep))
            .snapshot_bytes([0, 9_000, 40_000][index(chance.below(3))]);
        match shelf {
            Some(shelf) => options.archive(shelf.clone()),
            None => options,
        }
    }

    /// One session, from opening to its end, in which nothing goes wrong; and what a crash at each operation of it leaves.
    pub(crate) fn session(&mut self) -> Vec<Cut> {
        self.sessions += 1;
        let cuts = self.watch();
        let schedule = Schedule::new(self.chance.next_u64());
        let options = self.options(&self.chance, self.shelf.as_ref()).schedule(&schedule);
        let opened = options.open_storage(self.disk.scheduled_process(&schedule));
        let engine = opened.map(|engine| engine.blocking());
        let engine = engine.unwrap_or_else(|error| panic!("an honest journal was refused: {error}"));
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(engine.engine().clone());
        self.begin(&engine);
        for _ in 0..2 + self.chance.below(12) {
            self.step(&engine);
        }
        if self.chance.below(2) == 0 {
            engine.shutdown(DEADLINE).unwrap();
            assert_eq!(engine.view().seq(), self.shadow.seq());
            self.note(|known| (known.acknowledged, known.answered) = (known.handed_over, known.handed_over));
        } else {
            // Before it is dropped, which would close it.
            self.cut_here(&cuts);
            self.disk.kill();
        }
        self.disk.watch(None);
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
        drop(engine);
        self.changes_of_thread += schedule.changes();
        self.cut_here(&cuts);
        let mut cuts = cuts.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *cuts)
    }

    /// Keeps what a crash at each operation from now on leaves.
    fn watch(&self) -> Arc<Mutex<Vec<Cut>>> {
        let cuts = Arc::new(Mutex::new(Vec::new()));
        let (kept, known, shelf) = (Arc::clone(&cuts), Arc::clone(&self.known), self.shelf.clone());
        let (running, is_synced) = (Arc::clone(&self.running), self.durability == Durability::Sync);
        self.disk.watch(Some(Box::new(move |operation, disk| {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(engine) = &*running.lock().unwrap_or_else(PoisonError::into_inner) {
                // What is published may have been seen, also before the call that led to it has returned.
                known.saw(engine.view().seq(), is_synced);
            }
            let shelf = shelf.as_ref().map(Shelf::fork);
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(Cut { operation, disk, known, shelf });
        })));
        cuts
    }

    /// The same between two operations.
    fn cut_here(&self, cuts: &Mutex<Vec<Cut>>) {
        let operation = self.disk.operations();
        let (disk, known) = (self.disk.fork(operation), self.known());
        let shelf = self.shelf.as_ref().map(Shelf::fork);
        cuts.lock().unwrap_or_else(PoisonError::into_inner).push(Cut { operation, disk, known, shelf });
    }

    pub(crate) fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Compares what was opened with what has to be there, and has it that this stays there; then retries what nobody was
    /// told of.
    fn begin(&mut self, engine: &Blocking) {
        let expected = self.known().expected(self.ended);
        let count = self.check(&self.disk, engine, expected);
        self.shadow.take_back_to(count);
        let unanswered = self.known().in_flight;
        self.note(|known| {
            (known.acknowledged, known.answered, known.handed_over) = (count, count, count);
            known.in_flight = Arc::default();
        });
        self.check_cursors(count);
        // Law EXACT: a retry with the same key after an unknown outcome books exactly once.
        self.hand_over(engine, unanswered.to_vec(), true);
    }

    /// Compares an opened journal with what has to be there. The last `seq` that is there.
    pub(crate) fn check(&self, disk: &SimulatedDisk, engine: &Blocking, expected: Expected) -> u64 {
        let (floor, lines) = retained::retained(disk);
        let count = self.shadow.expect(expected, &engine.view().head(), floor, &lines);
        for name in retained::snapshots(disk).into_iter().filter(|name| name.before >= retained::floor(disk))
        {
            let header = retained::snapshot_header(disk, name);
            let state = self.shadow.state_hash_at(header.seq());
            let of_it = header.state_hash;
            assert_eq!(
                state.map(|hash| hash.0),
                Some(of_it),
                "law RETAIN: snapshot {name} has another state"
            );
        }
        let newest = disk.names().iter().filter_map(|name| SegmentName::parse(name)).max();
        let closed = newest.map_or(0, |newest| newest.number - 1);
        let kept = retained::closed_count(disk);
        let names = disk.names();
        assert!(
            kept >= index(self.keep.min(closed)),
            "law RETAIN: {kept} closed segments are left: {names:?}"
        );
        count
    }

    /// The state at the floor, which only the base can tell.
    pub(crate) fn check_floor(&self, disk: &SimulatedDisk) {
        let floor = retained::floor(disk).first_seq;
        let reader = JournalReader::with_storage(disk.process()).unwrap();
        let oldest = reader.state(StateAt::Seq(floor - 1)).unwrap();
        let expected = self.shadow.state_hash_at(floor - 1);
        assert_eq!(Some(oldest.state.state_hash()), expected, "law RETAIN: the state at the floor");
    }

    /// A cursor of an event that is there is taken, unless that was pruned; one of an event that a crash unmade never is,
    /// whatever has got its `seq` since (no wrong cursor).
    fn check_cursors(&mut self, count: u64) {
        let reader = JournalReader::with_storage(self.disk.process()).unwrap();
        let floor = retained::floor(&self.disk).first_seq;
        let unmade = self.cursors.extract_if(.., |cursor| cursor.seq > count);
        self.unmade.extend(unmade);
        for cursor in &self.cursors {
            let taken = reader.events_after(cursor).map(drop);
            assert!(
                taken.is_ok() || cursor.seq + 1 < floor,
                "{cursor} is of an event that is there: {taken:?}"
            );
        }
        for cursor in &self.unmade {
            assert!(reader.events_after(cursor).is_err(), "{cursor} is of an event that a crash unmade");
        }
    }

    /// One thing that happens in a session.
    fn step(&mut self, engine: &Blocking) {
        match self.chance.below(12) {
            // Nothing but time passes: timers fire, holds expire, windows roll.
            0 => {
                self.clock.advance(Duration::from_secs(self.chance.below(300)));
                self.let_time_act(engine);
            }
            // The wall clock is set back.
            1 => {
                let back = i64::try_from(self.chance.below(90)).unwrap();
                self.clock.set(Timestamp::from_micros(self.clock.now().as_micros() - 1_000_000 * back));
            }
            2 => {
                if let Some(shelf) = &self.shelf {
                    shelf.fail(1 + self.chance.below(2), self.chance.below(4) == 0);
                    self.has_failing_archive = true;
                }
            }
            _ => {
                let requests = self.commands([1, 1, 1, 2, 5][index(self.chance.below(5))]);
                self.hand_over(engine, requests, false);
            }
        }
    }

    fn commands(&mut self, count: u64) -> Vec<Request> {
        let mut requests = Vec::new();
        let mut shadow = self.shadow.clone();
        let still = ManualClock::new(self.clock.now());
        for _ in 0..count {
            let clock = if requests.is_empty() { &self.clock } else { &still };
            let request = match self.workload.below(8) {
                0 => {
                    let id = self.workload.below(u64::MAX);
                    let data = Json::parse(&format!(r#"{{"of":{id}}}"#)).unwrap();
                    let event = RecordEvent::new("seen", data).id(format!("event-{id}"));
                    Request::from(event).key(format!("seen-{id}"))
                }
                _ => self.workload.next(shadow.projection(), clock),
            };
            shadow.predict(&request, &self.clock);
            requests.push(request);
        }
        requests
    }

    fn let_time_act(&mut self, engine: &Blocking) {
        self.shadow.elapse(&self.clock);
        self.note(|known| known.handed_over = self.shadow.seq());
        engine.settled_view().unwrap();
        self.answered(engine);
    }

    /// Hands over commands at once, and compares each answer with the oracle's.
    fn hand_over(&mut self, engine: &Blocking, requests: Vec<Request>, is_retry: bool) {
        let predicted: Vec<Predicted> =
            requests.iter().map(|request| self.shadow.predict(request, &self.clock)).collect();
        self.note(|known| {
            known.handed_over = self.shadow.seq();
            known.in_flight = Arc::new(requests.clone());
        });
        let pending = engine.submit_all(requests.clone()).unwrap();
        for ((pending, predicted), request) in pending.into_iter().zip(predicted).zip(&requests) {
            let answer = answer_of(&pending.wait());
            let is_acknowledged = matches!(answer, Answer::Acknowledged(..));
            assert!(is_acknowledged && predicted.allows(answer), "{request:?}: {predicted:?}, {answer:?}");
        }
        // At interval durability a cut may unmake what is answered.
        let is_at_stake = self.durability != Durability::Sync;
        if !is_retry && (is_at_stake || self.chance.below(4) == 0) {
            self.cursors.extend(engine.view().cursor());
        }
        self.answered(engine);
    }

    /// Notes what is answered, and what of it is durable.
    fn answered(&mut self, engine: &Blocking) {
        let health = engine.engine().health();
        assert_eq!(health.seq, self.shadow.seq());
        assert_eq!(health.last_error.map(|error| error.to_string()), None);
        let failed = health.last_upkeep_error.filter(|_| !self.has_failing_archive);
        assert_eq!(failed.map(|error| error.to_string()), None, "the upkeep failed");
        let durable = if self.durability == Durability::Sync { health.seq } else { health.durable_seq };
        self.note(|known| {
            known.answered = health.seq;
            known.acknowledged = known.acknowledged.max(durable);
            known.in_flight = Arc::default();
        });
    }

    /// The life goes on from a crash.
    pub(crate) fn end_by(&mut self, crash: Option<(Cut, Ending)>) {
        let Some((cut, ending)) = crash else { return };
        self.disk = cut.disk.fork(self.chance.next_u64());
        ending.apply(&self.disk);
        self.shelf = cut.shelf;
        self.note(|known| *known = cut.known.after(ending));
        self.ended = ending;
    }

    /// The end: a clean close leaves a journal without a finding, with no more in it than is to be retained, and with all
    /// that was archived the whole history.
    pub(crate) fn finish(&mut self) {
        if let Some(shelf) = &self.shelf {
            shelf.fail(0, false);
            self.has_failing_archive = false;
        }
        let engine = self.open_inline();
        self.begin(&engine);
        for round in 0.. {
            if retained::floor(&self.disk).number > 1 {
                break;
            }
            assert!(round < 1_000, "nothing is ever pruned: {:?}", self.disk.names());
            let requests = self.commands(3);
            self.hand_over(&engine, requests, false);
        }
        engine.shutdown(DEADLINE).unwrap();
        drop(engine);
        self.disk.restart(Survivors::Nothing);
        let engine = self.open_inline();
        let everything = Expected { at_least: self.shadow.seq(), at_most: self.shadow.seq() };
        self.check(&self.disk, &engine, everything);
        let health = engine.engine().health();
        assert_eq!(health.last_upkeep_error.map(|error| error.to_string()), None);
        assert!(retained::closed_count(&self.disk) <= index(self.keep), "{:?}", self.disk.names());
        retained::expect_tidy(&self.disk);
        let reader = JournalReader::with_storage(self.disk.process()).unwrap();
        assert_eq!(reader.verify().unwrap().findings, Vec::new());
        if let Some(shelf) = &self.shelf {
            let history = retained::whole_history(&shelf.twin(&self.disk));
            self.shadow.expect(everything, &engine.view().head(), 1, &history);
        }
    }

    fn open_inline(&self) -> Blocking {
        let options = self.options(&self.chance, self.shelf.as_ref());
        options.open_storage(self.disk.process()).unwrap().blocking()
    }

    /// Counts what there was in this life.
    pub(crate) fn tally(&self, tally: &mut Tally) {
        tally.add("sessions", self.sessions);
        tally.count(if self.sector == 512 { "sectors of 512 bytes" } else { "sectors of 4096 bytes" });
        tally.add("cursors of what a crash unmade", self.unmade.len() as u64);
        tally.add("changes between writer and upkeep", self.changes_of_thread);
        tally.add("events", self.shadow.seq());
        tally.add("archived", self.shelf.as_ref().map_or(0, Shelf::newest));
        for name in self.disk.names() {
            if let Some(segment) = SegmentName::parse(&name) {
                tally.add("segments closed", u64::from(segment.number > 1));
            }
            if let Some(snapshot) = SnapshotName::parse(&name) {
                tally.count(if snapshot.is_base { "bases" } else { "snapshots made" });
            }
        }
    }

    /// The names and bytes of all files but the lock.
    #[cfg(test)]
    pub(crate) fn files(&self) -> Files {
        files(&self.disk)
    }
}

pub(crate) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

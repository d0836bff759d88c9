//! The power is cut, or the process killed, while segments are closed, snapshots made, archived and pruned, and in the recovery
//! from that: at random, and in a small history at every operation. Nothing acknowledged is lost, nothing is altered, no
//! journal is refused, and archive and journal together are the whole history.
//!
//! `TALLYBOOK_SEED` and `TALLYBOOK_ROUNDS` ask for other and for more rounds.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/retained.rs"]
mod retained;

use std::time::Duration;

use common::{Answer, DEADLINE, Predicted, Shadow, Workload, answer_of, clock, open, options, rounds};
use retained::{Shelf, closed_count, expect_tidy, expect_true_snapshots, whole_history};
use tallybook::ids::SeededEntropy;
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{
    Blocking, Clock, Durability, ErrorKind, JournalReader, Json, ManualClock, Options, RecordEvent, Request,
    Retention, StateAt,
};

/// One journal of which little is retained, through several sessions.
struct Book {
    seed: u64,
    chance: SeededEntropy,
    disk: SimulatedDisk,
    clock: ManualClock,
    workload: Workload,
    shadow: Shadow,
    durability: Durability,
    keep: u64,
    shelf: Option<Shelf>,
    sessions: u64,
    /// Commands whose outcome nobody was told.
    unknown: Vec<Request>,
    /// What a kill leaves, as long as the power stays on.
    in_cache: u64,
}

impl Book {
    fn new(seed: u64, durability: Durability) -> Book {
        let chance = SeededEntropy::new(seed);
        let sector = if chance.below(2) == 0 { 512 } else { 4096 };
        Book {
            seed,
            disk: SimulatedDisk::new(chance.next_u64()).sector(sector),
            clock: clock(),
            workload: Workload::new(chance.next_u64()),
            shadow: Shadow::default(),
            durability,
            keep: chance.below(3),
            shelf: (chance.below(3) > 0).then(Shelf::default),
            chance,
            sessions: 0,
            unknown: Vec::new(),
            in_cache: 0,
        }
    }

    /// The same book once more, on a disk of its own.
    fn fork(&self, seed: u64) -> Book {
        Book {
            seed,
            chance: SeededEntropy::new(seed),
            disk: self.disk.fork(seed),
            clock: ManualClock::new(self.clock.now()),
            workload: self.workload.fork(seed),
            shadow: self.shadow.clone(),
            shelf: self.shelf.as_ref().map(Shelf::fork),
            unknown: self.unknown.clone(),
            ..*self
        }
    }

    fn options(&mut self) -> Options {
        self.sessions += 1;
        let options = options(self.seed ^ (self.sessions << 32), &self.clock)
            .durability(self.durability)
            .segment_bytes([5 << 10, 6 << 10, 10 << 10][index(self.chance.below(3))])
            .retention(Retention::new().segments(self.keep))
            .snapshot_bytes([0, 9_000, 40_000][index(self.chance.below(3))]);
        match &self.shelf {
            Some(shelf) => options.archive(shelf.clone()),
            None => options,
        }
    }

    /// Opens, compares everything with the shadow, and has it that what is there stays there.
    fn open(&mut self) -> Option<Blocking> {
        let options = self.options();
        let engine = match open(&self.disk, options) {
            Ok(engine) => engine,
            Err(error) => {
                assert!(self.disk.is_off(), "an honest journal was refused: {error:?}");
                assert_eq!(*error.kind(), ErrorKind::Io);
                return None;
            }
        };
        if self.disk.is_off() {
            return None;
        }
        self.check(&engine);
        self.shadow.expose();
        self.retry_unknown(&engine);
        Some(engine)
    }

    fn check(&mut self, engine: &Blocking) {
        let (floor, lines) = retained::retained(&self.disk);
        let count = floor - 1 + lines.len() as u64;
        assert!(count >= self.in_cache, "a kill took something back: {count} of {}", self.in_cache);
        self.shadow.check_pruned(engine, floor, &lines);
        expect_true_snapshots(&self.disk, &self.shadow.history());
        if let Some(shelf) = &self.shelf {
            let history = whole_history(&shelf.twin(&self.disk));
            self.shadow.check(engine, &history);
        }
        let reader = JournalReader::with_storage(self.disk.process()).unwrap();
        let oldest = reader.state(StateAt::Seq(floor - 1)).unwrap();
        assert_eq!(oldest.seq, floor - 1);
    }

    /// Law EXACT: a retry with the same key after an unknown outcome books exactly once.
    fn retry_unknown(&mut self, engine: &Blocking) {
        for request in std::mem::take(&mut self.unknown) {
            let predicted = self.shadow.predict(&request, &self.clock);
            let answer = answer_of(&engine.execute(request.clone()));
            self.note(&[(request, predicted, answer)], engine);
        }
    }

    fn next(&mut self, clock: &ManualClock) -> Request {
        if self.workload.below(8) > 0 {
            return self.workload.next(self.shadow.projection(), clock);
        }
        let id = self.workload.below(u64::MAX);
        let data = Json::parse(&format!(r#"{{"of":{id}}}"#)).unwrap();
        Request::from(RecordEvent::new("seen", data).id(format!("event-{id}"))).key(format!("seen-{id}"))
    }

    /// Hands over a batch of commands. Whether the engine still runs.
    fn batch(&mut self, engine: &Blocking, count: u64) -> bool {
        let (mut requests, mut predicted) = (Vec::new(), Vec::new());
        let seq_before = self.shadow.seq();
        let still = ManualClock::new(self.clock.now());
        let clock = self.clock.clone();
        for _ in 0..count {
            let request = self.next(if requests.is_empty() { &clock } else { &still });
            predicted.push(self.shadow.predict(&request, &self.clock));
            requests.push(request);
        }
        let pending = match engine.submit_all(requests.clone()) {
            Ok(pending) => pending,
            Err(error) => {
                // It halted after its last answer, while it was preparing for more: nothing of this is written.
                assert_eq!(*error.kind(), ErrorKind::Halted);
                assert!(self.disk.is_off(), "halted with the power on: {error}");
                self.shadow.take_back_to(seq_before);
                return false;
            }
        };
        let answers = pending.into_iter().map(|pending| answer_of(&pending.wait()));
        let all: Vec<_> =
            requests.into_iter().zip(predicted).zip(answers).map(|((r, p), a)| (r, p, a)).collect();
        self.note(&all, engine)
    }

    /// Notes how commands ended. Whether the engine still runs.
    fn note(&mut self, all: &[(Request, Predicted, Answer)], engine: &Blocking) -> bool {
        let mut is_running = true;
        for (request, predicted, answer) in all {
            match answer {
                Answer::Acknowledged(..) => {
                    assert!(predicted.allows(*answer), "{request:?}: {predicted:?}, {answer:?}");
                }
                Answer::Unknown | Answer::Halted => {
                    assert!(self.disk.is_off(), "halted with the power on: {:?}", engine.engine().health());
                    self.unknown.push(request.clone());
                    is_running = false;
                }
                Answer::NoSpace => panic!("the disk is not full"),
            }
        }
        self.shadow.acknowledge(engine.engine().health().durable_seq);
        is_running
    }

    fn any_survivors(&self) -> Survivors {
        [Survivors::Seeded, Survivors::Seeded, Survivors::Seeded, Survivors::Nothing, Survivors::Everything]
            [index(self.chance.below(5))]
    }

    /// The power goes and comes again.
    fn crash(&mut self, survivors: Survivors) {
        self.in_cache = 0;
        self.disk.restart(survivors);
    }

    /// One session, from opening to its end.
    fn session(&mut self) {
        let ends_by = self.chance.below(8);
        if ends_by < 6 {
            // Often early: in the recovery, and in the upkeep after it.
            let bound = [12, 30, 90, 200][index(self.chance.below(4))];
            self.disk.power_cut_at(self.disk.operations() + self.chance.below(bound));
        }
        let Some(engine) = self.open() else {
            if self.chance.below(3) == 0 {
                // Only the process ended: names and bytes that were not synced are still there, for the next.
                return self.disk.kill();
            }
            let survivors = self.any_survivors();
            return self.crash(survivors);
        };
        let mut is_running = !self.disk.is_off();
        for _ in 0..self.chance.below(30) {
            if !is_running {
                break;
            }
            if let Some(shelf) = &self.shelf
                && self.chance.below(12) == 0
            {
                shelf.fail(1 + self.chance.below(2), self.chance.below(4) == 0);
            }
            let count = [1, 1, 2, 5][index(self.chance.below(4))];
            is_running = self.batch(&engine, count);
        }
        self.end(&engine, ends_by);
    }

    fn end(&mut self, engine: &Blocking, ends_by: u64) {
        match ends_by {
            4 | 5 if self.chance.below(2) == 0 => {
                self.in_cache = engine.view().seq();
                return self.disk.kill();
            }
            6.. => match engine.shutdown(DEADLINE) {
                Ok(()) => {
                    assert_eq!(engine.view().seq(), self.shadow.seq());
                    self.shadow.acknowledge(engine.view().seq());
                }
                Err(error) => assert!(self.disk.is_off(), "{error}"),
            },
            _ => {}
        }
        let survivors = self.any_survivors();
        self.crash(survivors);
    }

    /// The end: a clean close leaves a journal without a finding, with no more in it than is to be retained.
    fn finish(&mut self) {
        if let Some(shelf) = &self.shelf {
            shelf.fail(0, false);
        }
        let engine = self.open().expect("nothing goes wrong any more");
        while self.batch(&engine, 3) && retained::floor(&self.disk).number == 1 {}
        assert!(self.unknown.is_empty());
        engine.shutdown(DEADLINE).unwrap();
        self.shadow.expose();
        self.crash(Survivors::Nothing);
        let engine = self.open().expect("nothing goes wrong any more");
        let health = engine.engine().health();
        assert_eq!(health.last_upkeep_error.map(|error| error.to_string()), None);
        assert!(closed_count(&self.disk) <= index(self.keep), "{:?}", self.disk.names());
        expect_tidy(&self.disk);
        let reader = JournalReader::with_storage(self.disk.process()).unwrap();
        assert_eq!(reader.verify().unwrap().findings, Vec::new());
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

fn sessions(seed: u64, durability: Durability) {
    let mut book = Book::new(seed, durability);
    for _ in 0..6 {
        book.session();
    }
    book.finish();
}

#[test]
fn law_retain_power_cuts_at_any_operation_lose_nothing_of_what_is_pruned() {
    let test = "law_retain_power_cuts_at_any_operation_lose_nothing_of_what_is_pruned";
    rounds("faults_retention_power", test, 8, |seed| sessions(seed, Durability::Sync));
}

#[test]
fn law_retain_at_interval_durability_only_what_is_durable_is_pruned() {
    let test = "law_retain_at_interval_durability_only_what_is_durable_is_pruned";
    rounds("faults_retention_power", test, 5, |seed| {
        let hour = Durability::Interval(Duration::from_secs(3_600));
        sessions(seed, if seed % 4 == 0 { Durability::Interval(Duration::ZERO) } else { hour });
    });
}

/// A session in which a segment is closed, a snapshot made, what it covers archived and pruned; cut at an operation of it.
fn script(seed: u64, cut_at: Option<u64>) -> (Book, u64) {
    let interval = Durability::Interval(Duration::from_secs(3_600));
    let mut book = Book::new(seed, if seed.is_multiple_of(3) { interval } else { Durability::Sync });
    // With an archive, without one, with one that fails at first.
    book.shelf = (!seed.is_multiple_of(4)).then(Shelf::default);
    book.keep = seed % 2;
    let engine = book.open().unwrap();
    for _ in 0..4 {
        assert!(book.batch(&engine, 2));
    }
    engine.shutdown(DEADLINE).unwrap();
    book.shadow.expose();
    let begin = book.disk.operations();
    if let Some(cut_at) = cut_at {
        book.disk.power_cut_at(begin + cut_at);
    }
    if let Some(shelf) = &book.shelf {
        shelf.fail(u64::from(seed % 4 == 3), false);
    }
    let Some(engine) = book.open() else { return (book, begin) };
    // With seed and options the same, a script has the same commands.
    for _ in 0..12 {
        if !book.batch(&engine, 4) {
            return (book, begin);
        }
        if retained::floor(&book.disk).number > 1 {
            break;
        }
    }
    if engine.shutdown(DEADLINE).is_ok() {
        book.shadow.expose();
    }
    (book, begin)
}

/// What the process leaves behind is opened, and the power cut at the operation `depth` of that; then opened again. `false`
/// when the opening had no such operation.
fn recover(crashed: &Book, survivors: Option<Survivors>, depth: u64, seed: u64) -> bool {
    let mut book = crashed.fork(seed);
    match survivors {
        Some(survivors) => book.crash(survivors),
        // Only the process died: names and bytes that were not synced may still be lost later.
        None => book.disk.kill(),
    }
    book.disk.power_cut_at(book.disk.operations() + depth);
    let was_cut = book.open().is_none() || book.disk.is_off();
    book.crash(match survivors {
        Some(Survivors::Nothing) => Survivors::Nothing,
        _ => Survivors::Seeded,
    });
    drop(book.open().expect("the second recovery"));
    was_cut
}

/// Every operation of a small history, and every operation of the recovery from that (a run of a few seconds takes a sample
/// of the latter; `TALLYBOOK_ROUNDS=12` takes all of them, in all kinds of book).
#[test]
fn law_retain_the_power_is_cut_at_every_operation_of_pruning_and_of_its_recovery() {
    let test = "law_retain_the_power_is_cut_at_every_operation_of_pruning_and_of_its_recovery";
    let every = if std::env::var_os("TALLYBOOK_ROUNDS").is_some() { 1 } else { 23 };
    rounds("faults_retention_power", test, 1, |seed| {
        let (whole, begin) = script(seed, None);
        let operations = whole.disk.operations() - begin;
        assert!(retained::floor(&whole.disk).number > 1, "something is pruned: {:?}", whole.disk.names());
        assert!(operations > 40, "a session worth cutting; found {operations} operations");
        for cut_at in 0..operations {
            let (crashed, _) = script(seed, Some(cut_at));
            let kinds =
                [Some(Survivors::Seeded), Some(Survivors::Nothing), None, Some(Survivors::Everything)];
            for (survivors, number) in kinds.into_iter().zip(0..) {
                if every > 1 && (cut_at + number + seed) % 4 > 0 {
                    continue;
                }
                let mut depth = (cut_at * 5 + number) % every;
                while recover(&crashed, survivors, depth, seed ^ cut_at << 8 ^ depth << 20 ^ number << 40) {
                    depth += every;
                }
            }
        }
    });
}

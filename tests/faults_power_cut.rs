//! Random commands, and the power cut (or the process killed) at any operation: in the middle of a batch, of a
//! rotation, of a close, of a recovery, of the recovery from that. What was acknowledged is there; what was not is
//! there whole or not at all.
//!
//! `TALLYBOOK_SEED` and `TALLYBOOK_ROUNDS` ask for other and for more rounds.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::time::Duration;

use common::{
    Answer, DEADLINE, SMALL_SEGMENT, Shadow, Workload, answer_of, clock, lines, open, options, rounds,
};
use tallybook::ids::SeededEntropy;
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{Blocking, Cursor, Durability, ErrorKind, JournalReader, ManualClock, Options, Request};

/// One journal through several sessions, each of which ends badly or well.
struct Book {
    seed: u64,
    chance: SeededEntropy,
    disk: SimulatedDisk,
    clock: ManualClock,
    workload: Workload,
    shadow: Shadow,
    durability: Durability,
    sessions: u64,
    /// Commands whose outcome nobody was told.
    unknown: Vec<Request>,
    /// What a kill leaves, as long as the power stays on.
    in_cache: u64,
    /// Positions that a client has kept.
    cursors: Vec<Cursor>,
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
            chance,
            durability,
            sessions: 0,
            unknown: Vec::new(),
            in_cache: 0,
            cursors: Vec::new(),
        }
    }

    /// The same book once more, on a disk of its own.
    fn fork(&self, seed: u64) -> Book {
        Book {
            seed,
            chance: SeededEntropy::new(seed),
            disk: self.disk.fork(seed),
            clock: ManualClock::new(tallybook::Clock::now(&self.clock)),
            workload: self.workload.fork(seed),
            shadow: self.shadow.clone(),
            unknown: self.unknown.clone(),
            cursors: self.cursors.clone(),
            ..*self
        }
    }

    fn options(&mut self) -> Options {
        self.sessions += 1;
        let segment_bytes = [4 << 10, SMALL_SEGMENT, 16 << 10][index(self.chance.below(3))];
        options(self.seed ^ (self.sessions << 32), &self.clock)
            .durability(self.durability)
            .segment_bytes(segment_bytes)
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
            // The power went right after the journal was there: nothing can be looked at.
            return None;
        }
        let seen = lines(&self.disk).unwrap();
        let count = seen.len() as u64;
        assert!(count >= self.in_cache, "a kill took something back: {count} of {}", self.in_cache);
        self.shadow.check(&engine, &seen);
        self.shadow.expose();
        self.check_cursors();
        self.retry_unknown(&engine);
        Some(engine)
    }

    /// A cursor of an event that is there is taken; one of an event that a crash unmade is not (no wrong cursor).
    fn check_cursors(&mut self) {
        let reader = JournalReader::with_storage(self.disk.process()).unwrap();
        let acknowledged = self.shadow.acknowledged();
        self.cursors.retain(|cursor| {
            let is_there = reader.events_after(cursor).is_ok();
            assert!(
                is_there || cursor.seq > acknowledged,
                "{cursor} was taken back, {acknowledged} is there"
            );
            is_there
        });
    }

    /// Law EXACT: a retry with the same key after an unknown outcome books exactly once.
    fn retry_unknown(&mut self, engine: &Blocking) {
        for request in std::mem::take(&mut self.unknown) {
            let predicted = self.shadow.predict(&request, &self.clock);
            let answer = answer_of(&engine.execute(request.clone()));
            self.note(&[(request, predicted, answer)], engine);
        }
    }

    /// Hands over a batch of commands.
    fn batch(&mut self, engine: &Blocking, count: u64) -> bool {
        let (mut requests, mut predicted) = (Vec::new(), Vec::new());
        let seq_before = self.shadow.seq();
        let still = ManualClock::new(tallybook::Clock::now(&self.clock));
        for _ in 0..count {
            let clock = if requests.is_empty() { &self.clock } else { &still };
            let request = self.workload.next(self.shadow.projection(), clock);
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
    fn note(&mut self, all: &[(Request, common::Predicted, Answer)], engine: &Blocking) -> bool {
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
        let health = engine.engine().health();
        assert_eq!(health.seq, engine.view().seq());
        if is_running {
            assert_eq!(health.seq, self.shadow.seq());
            self.cursors.extend(engine.view().cursor());
        }
        self.shadow.acknowledge(health.durable_seq);
        is_running
    }

    /// The process dies; everything that was answered is there for the next one, synced or not.
    fn kill(&mut self, engine: &Blocking) {
        self.in_cache = engine.view().seq();
        self.disk.kill();
    }

    fn crash(&mut self, survivors: Survivors) {
        self.in_cache = 0;
        self.disk.restart(survivors);
    }

    fn any_survivors(&self) -> Survivors {
        [Survivors::Seeded, Survivors::Seeded, Survivors::Seeded, Survivors::Nothing, Survivors::Everything]
            [index(self.chance.below(5))]
    }

    /// One session, from opening to its end.
    fn session(&mut self) {
        let ends_by = self.chance.below(8);
        if ends_by < 6 {
            // Often early: that is in the recovery.
            let bound = [6, 12, 60, 120][index(self.chance.below(4))];
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
        for _ in 0..self.chance.below(14) {
            if !is_running {
                break;
            }
            let count = [1, 1, 1, 2, 5][index(self.chance.below(5))];
            is_running = self.batch(&engine, count);
        }
        match ends_by {
            0..=3 => {
                let survivors = self.any_survivors();
                self.crash(survivors);
            }
            4 | 5 if self.chance.below(2) == 0 || self.disk.is_off() => {
                self.kill(&engine);
            }
            _ => match engine.shutdown(DEADLINE) {
                Ok(()) => {
                    let seq = engine.view().seq();
                    assert_eq!(seq, self.shadow.seq());
                    self.shadow.acknowledge(seq);
                    // It was closed: no power cut can take anything back.
                    let survivors = self.any_survivors();
                    self.crash(survivors);
                }
                Err(error) => {
                    assert!(self.disk.is_off(), "{error}");
                    let survivors = self.any_survivors();
                    self.crash(survivors);
                }
            },
        }
        drop(engine);
    }

    /// The end: everything is there, in order, and a clean close leaves a journal without a finding.
    fn finish(&mut self) {
        let engine = self.open().expect("nothing goes wrong any more");
        self.batch(&engine, 3);
        assert!(self.unknown.is_empty());
        engine.shutdown(DEADLINE).unwrap();
        self.shadow.expose();
        self.crash(Survivors::Nothing);
        let seen = lines(&self.disk).unwrap();
        self.shadow.check_lines(&seen);
        let reader = JournalReader::with_storage(self.disk.process()).unwrap();
        let report = reader.verify().unwrap();
        assert_eq!((report.findings, report.is_clean), (Vec::new(), true));
        assert_eq!(report.last_good_seq, self.shadow.seq());
        let replayed = reader.state(tallybook::StateAt::End).unwrap();
        assert_eq!(replayed.state.state_hash(), self.shadow.projection().state.state_hash(), "law FOLD");
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

/// Laws ORDER, ATOMIC, DURABLE, FOLD, EVIDENCE, EXACT: see [`Shadow::check`] and [`Book::retry_unknown`].
#[test]
fn law_durable_power_cuts_at_any_operation_lose_nothing_acknowledged() {
    let test = "law_durable_power_cuts_at_any_operation_lose_nothing_acknowledged";
    rounds("faults_power_cut", test, 120, |seed| sessions(seed, Durability::Sync));
}

/// At interval durability the end of the process takes nothing back, and a power cut only what was not synced.
#[test]
fn at_interval_durability_what_was_synced_stays_and_a_prefix_survives() {
    let test = "at_interval_durability_what_was_synced_stays_and_a_prefix_survives";
    rounds("faults_power_cut", test, 60, |seed| {
        let hour = Durability::Interval(Duration::from_secs(3_600));
        sessions(seed, if seed % 4 == 0 { Durability::Interval(Duration::ZERO) } else { hour });
    });
}

/// A session with creations, turns, rotations and a close; then the power is cut at every single operation of it,
/// and at every single operation of the recovery from that.
#[test]
fn the_power_is_cut_at_every_operation_of_a_session_and_of_its_recovery() {
    let test = "the_power_is_cut_at_every_operation_of_a_session_and_of_its_recovery";
    rounds("faults_power_cut", test, 1, |seed| {
        let script = |cut_at: Option<u64>| {
            let mut book = Book::new(seed, Durability::Sync);
            let Some(engine) = book.open() else { return book };
            book.batch(&engine, 2);
            engine.shutdown(DEADLINE).unwrap();
            let begin = book.disk.operations();
            drop(engine);
            if let Some(cut_at) = cut_at {
                book.disk.power_cut_at(begin + cut_at);
            }
            let Some(engine) = book.open() else { return book };
            for count in [1, 3, 1, 2] {
                if !book.batch(&engine, count) {
                    return book;
                }
            }
            if engine.shutdown(DEADLINE).is_ok() {
                book.shadow.expose();
            }
            book.sessions = book.disk.operations() - begin;
            book
        };
        let operations = script(None).sessions;
        assert!(operations > 10, "a session worth cutting; found {operations} operations");
        for cut_at in 0..operations {
            let crashed = script(Some(cut_at));
            let first =
                [Some(Survivors::Nothing), Some(Survivors::Everything), Some(Survivors::Seeded), None];
            for survivors in first {
                for depth in 0..8 {
                    let mut book = crashed.fork(seed ^ cut_at << 8 ^ depth);
                    match survivors {
                        Some(survivors) => book.crash(survivors),
                        // Only the process died: names and bytes that were not synced may still be lost later.
                        None => book.disk.kill(),
                    }
                    book.disk.power_cut_at(book.disk.operations() + depth);
                    let was_cut = book.open().is_none();
                    book.crash(match survivors {
                        Some(Survivors::Nothing) => Survivors::Nothing,
                        _ => Survivors::Seeded,
                    });
                    if !was_cut {
                        // Nothing to cut so late: the recovery is over.
                        break;
                    }
                    drop(book.open().expect("the second recovery"));
                }
            }
        }
    });
}

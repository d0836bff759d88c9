//! A history many times longer than what is retained of it, beside its unpruned twin: at every boot the state is the same, what
//! was opened first is still in use, and a retry is still a retry. Also with a clock that jumps by a year, both ways.
//!
//! `TALLYBOOK_SEED` and `TALLYBOOK_ROUNDS` ask for other and for more rounds.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/household.rs"]
mod household;
#[path = "common/retained.rs"]
mod retained;

use std::time::Duration;

use common::{Answer, DEADLINE, Line, answer_of, clock, open, options, refold, rounds};
use household::Household;
use retained::{Shelf, closed_count, expect_tidy, expect_true_snapshots, floor, snapshots, whole_history};
use tallybook::ids::SeededEntropy;
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{
    Blocking, Clock, ErrorKind, JournalReader, KeyWindow, ManualClock, Options, Request, Retention, StateAt,
    Timestamp,
};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);
const HOUR: Duration = Duration::from_secs(3_600);

/// A journal of which little is retained, and all that it ever said.
struct Life {
    seed: u64,
    chance: SeededEntropy,
    disk: SimulatedDisk,
    clock: ManualClock,
    household: Household,
    shelf: Shelf,
    rules: Retention,
    /// Whether the clock jumps.
    jumps: bool,
    sessions: u64,
    /// The history, as it was read bit by bit while it was there.
    seen: Vec<Line>,
    /// The commands that led to events, in order.
    done: Vec<(Request, (u64, u64))>,
}

impl Life {
    fn new(seed: u64, rules: Retention, jumps: bool) -> Life {
        let chance = SeededEntropy::new(seed);
        Life {
            seed,
            disk: SimulatedDisk::new(chance.next_u64()),
            clock: clock(),
            household: Household::new(chance.next_u64()),
            chance,
            shelf: Shelf::default(),
            rules,
            jumps,
            sessions: 0,
            seen: Vec::new(),
            done: Vec::new(),
        }
    }

    fn options(&mut self) -> Options {
        self.sessions += 1;
        let window = KeyWindow { max_age_ms: 2 * 3_600_000, max_count: 40 };
        options(self.seed ^ (self.sessions << 32), &self.clock)
            .retention(self.rules)
            .snapshot_bytes([0, 9_000, 30_000][index(self.chance.below(3))])
            .archive(self.shelf.clone())
            .key_window(window)
            .forget_after(2 * HOUR)
    }

    /// Opens, and holds what is there against the twin.
    fn boot(&mut self) -> Blocking {
        let options = self.options();
        let engine = open(&self.disk, options).expect("an honest journal was refused");
        let twin = self.shelf.twin(&self.disk);
        let history = whole_history(&twin);
        let head = engine.view().head();
        assert_eq!(head.seq, history.len() as u64, "law ORDER: `seq` goes on");
        assert_eq!(head.state_hash, refold(&history).state_hash(), "law RETAIN: not the state of the twin");
        assert!(history.len() >= self.seen.len(), "law DURABLE");
        for (line, seen) in history.iter().zip(&self.seen) {
            assert_eq!((line.seq, &line.bytes), (seen.seq, &seen.bytes), "law ORDER, law EVIDENCE");
        }
        let times = history.iter().map(|line| tallybook::event::decode_event(&line.bytes).unwrap().ts);
        assert!(times.is_sorted(), "law ORDER: time went back, whatever the clock does");
        expect_true_snapshots(&self.disk, &history);
        self.check_the_past(&history);
        self.seen = history;
        if self.sessions > 1 {
            self.household.check(&engine);
            self.retry(&engine);
        }
        engine
    }

    /// States of the past are there from the floor on, and are what they were.
    fn check_the_past(&self, history: &[Line]) {
        let reader = JournalReader::with_storage(self.disk.process()).unwrap();
        let oldest = floor(&self.disk).first_seq - 1;
        let middle = oldest + self.chance.below(history.len() as u64 - oldest + 1);
        for seq in [oldest, middle] {
            let state = reader.state(StateAt::Seq(seq)).unwrap().state;
            let expected = refold(&history[..usize::try_from(seq).unwrap()]);
            assert_eq!(state.state_hash(), expected.state_hash(), "the state as of seq {seq}");
        }
        if oldest > 0 {
            let error = reader.state(StateAt::Seq(oldest - 1)).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Pruned, "{error}");
            let error = reader.events(oldest).map(drop).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Pruned, "{error}");
        }
    }

    /// Law EXACT: all keys that are remembered are known, and lead to what they led to.
    fn retry(&self, engine: &Blocking) {
        let count = engine.view().state().remembered_key_count();
        assert!(count > 0 && count <= self.done.len(), "{count} keys of {}", self.done.len());
        let seq = engine.settled_view().unwrap().seq();
        for (request, seqs) in &self.done[self.done.len() - count..] {
            match answer_of(&engine.execute(request.clone())) {
                Answer::Acknowledged(found, retried) => {
                    assert_eq!(found, Some(*seqs), "law EXACT: {request:?}");
                    assert_ne!(retried, Some(false), "law EXACT: {request:?}");
                }
                other => panic!("{request:?}: {other:?}"),
            }
        }
        assert_eq!(engine.view().seq(), seq, "law EXACT: a retry was carried out");
    }

    fn jump(&self) {
        if !self.jumps || self.chance.below(12) > 0 {
            return;
        }
        let now = self.clock.now();
        self.clock.set(match self.chance.below(2) {
            0 => now.saturating_add(YEAR),
            _ => Timestamp::from_micros(now.as_micros() - i64::try_from(YEAR.as_micros()).unwrap()),
        });
    }

    fn session(&mut self, commands: u64) {
        let engine = self.boot();
        let mut requests = if self.sessions == 1 { self.household.beginning() } else { Vec::new() };
        requests.reverse();
        for _ in 0..commands {
            self.clock.advance(self.household.pause());
            self.jump();
            if self.chance.below(30) == 0 {
                self.shelf.fail(1 + self.chance.below(3), self.chance.below(2) == 0);
            }
            let view = engine.view();
            let request = requests.pop().unwrap_or_else(|| self.household.next(view.state(), &self.clock));
            let answer = engine.execute(request.clone());
            if answer.is_ok() {
                self.household.note_done(&request, view.state());
            }
            match answer_of(&answer) {
                Answer::Acknowledged(Some(seqs), _) => self.done.push((request, seqs)),
                Answer::Acknowledged(None, _) => {}
                other => panic!("{request:?}: {other:?}"),
            }
        }
        let ends_by = self.chance.below(4);
        if ends_by < 2 {
            engine.shutdown(DEADLINE).unwrap();
        }
        match ends_by {
            0 | 2 => self.disk.kill(),
            _ => self.disk.restart(Survivors::Seeded),
        }
    }

    /// The end of it: nothing is left over, and an engine that never heard of retention reads the twin.
    fn finish(&mut self) -> usize {
        self.shelf.fail(0, false);
        let engine = self.boot();
        engine.shutdown(DEADLINE).unwrap();
        expect_tidy(&self.disk);
        let twin = self.shelf.twin(&self.disk);
        let unpruned = open(&twin, options(1, &self.clock).retention(Retention::keep_all())).unwrap();
        let (mine, its) = (engine.view().head(), unpruned.view().head());
        assert_eq!((mine.seq, mine.state_hash), (its.seq, its.state_hash), "law RETAIN");
        usize::try_from(self.shelf.newest()).unwrap()
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

/// Laws RETAIN and ORDER: see [`Life::boot`].
#[test]
fn law_retain_a_history_many_times_the_window_has_the_state_of_its_unpruned_twin() {
    let test = "law_retain_a_history_many_times_the_window_has_the_state_of_its_unpruned_twin";
    rounds("retention_twin", test, 2, |seed| {
        let keep = seed % 3;
        let mut life = Life::new(seed, Retention::new().segments(keep), false);
        for _ in 0..5 {
            life.session(70);
        }
        let pruned = life.finish();
        assert!(pruned > 40, "many times the window: {pruned} segments were pruned");
        assert!(closed_count(&life.disk) <= index(keep));
        assert!(life.seen.len() > 300 && snapshots(&life.disk).len() <= 8, "{:?}", life.disk.names());
    });
}

/// Law ORDER with every older segment gone, whatever ends the process: `seq` goes on where it was.
#[test]
fn law_order_seq_goes_on_when_every_closed_segment_is_pruned() {
    let (clock, disk) = (clock(), SimulatedDisk::new(3));
    let mut household = Household::new(5);
    let mut first: Vec<Request> = household.beginning();
    first.reverse();
    let mut seq = 0;
    let mut last_ts = Timestamp::MIN;
    for session in 0..40 {
        let rules = options(session, &clock).retention(Retention::new().segments(0)).segment_bytes(4_096);
        let engine = open(&disk, rules).unwrap();
        assert_eq!(engine.view().seq(), seq);
        if seq > 0 {
            assert_eq!(engine.view().last_ts(), last_ts, "time does not go back, though the clock does");
        }
        if session % 7 == 0 {
            clock.set(Timestamp::from_micros(clock.now().as_micros() - 1_000_000_000));
        }
        let (floor, lines) = retained::retained(&disk);
        assert_eq!(floor + lines.len() as u64, seq + 1);
        // Sometimes none: an empty active segment, and nothing before it.
        for _ in 0..session % 3 {
            clock.advance(household.pause());
            let request = first.pop().unwrap_or_else(|| household.next(engine.view().state(), &clock));
            if let Answer::Acknowledged(Some((first, last)), Some(false)) =
                answer_of(&engine.execute(request))
            {
                assert!(first > seq && last >= first, "seq {first} after {seq}");
            }
            seq = engine.view().seq();
            last_ts = engine.view().last_ts();
        }
        match session % 4 {
            0 => engine.shutdown(DEADLINE).unwrap(),
            1 => disk.kill(),
            2 => disk.restart(Survivors::Nothing),
            _ => disk.restart(Survivors::Seeded),
        }
    }
    assert!(floor(&disk).first_seq > seq / 2, "{:?}", disk.names());
}

/// A clock that jumps by a year, both ways, while retention and forgetting go by age, and holds and windows by time.
#[test]
fn law_retain_a_clock_that_jumps_by_a_year_changes_nothing_of_the_state() {
    let test = "law_retain_a_clock_that_jumps_by_a_year_changes_nothing_of_the_state";
    rounds("retention_twin", test, 2, |seed| {
        let rules = Retention::new().age([HOUR, 24 * HOUR, YEAR / 2][index(seed % 3)]);
        let rules = if seed % 2 == 0 { rules.segments(30) } else { rules };
        let mut life = Life::new(seed, rules, true);
        for _ in 0..6 {
            life.session(60);
        }
        // Only where time has gone on further than ever does anything become older.
        let pruned = life.finish();
        assert!(pruned > 0, "{pruned} segments were pruned");
    });
}

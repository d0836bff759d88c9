//! Every state of the past is the one that the live engine had at that `seq` (laws FOLD and RETAIN): random histories, across
//! rotation, snapshots, pruning, crashes and reopenings, read beside the live engine, with and without the archive, by
//! `seq` and by time, in no order.
//!
//! `TALLYBOOK_SEED` and `TALLYBOOK_ROUNDS` ask for other and for more rounds.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::time::Duration;

use common::{DEADLINE, Workload, clock, open, options, rounds};
use tallybook::forensics::{BisectOptions, Trace, TraceKind, bisect};
use tallybook::ids::SeededEntropy;
use tallybook::projection::Projection;
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{
    Blocking, DirectoryArchive, ErrorKind, JournalReader, KeyWindow, ManualClock, NewBudget, Options,
    RecordSpend, Request, Retention, Spend, StateAt, StateHash, Timestamp,
};

/// How many points of the past are asked for in each round.
const POINTS: u64 = 340;

/// What the live engine said of itself after a command.
#[derive(Debug, Clone, Copy)]
struct Moment {
    seq: u64,
    ts: Timestamp,
    hash: StateHash,
}

/// A journal with an archive, and all that its engine ever said of its state.
struct Life {
    chance: SeededEntropy,
    disk: SimulatedDisk,
    archive: SimulatedDisk,
    clock: ManualClock,
    workload: Workload,
    moments: Vec<Moment>,
}

impl Life {
    fn new(seed: u64) -> Life {
        let chance = SeededEntropy::new(seed);
        Life {
            disk: SimulatedDisk::new(chance.next_u64()),
            archive: SimulatedDisk::new(chance.next_u64()),
            clock: clock(),
            workload: Workload::new(chance.next_u64()),
            chance,
            moments: Vec::new(),
        }
    }

    fn open(&self) -> Blocking {
        let rules = options(self.chance.next_u64(), &self.clock)
            .retention(Retention::new().segments(1 + self.chance.below(12)))
            .snapshot_bytes([0, 10_000, 40_000][usize::try_from(self.chance.below(3)).unwrap()])
            .key_window(KeyWindow { max_age_ms: 3_600_000, max_count: 50 })
            .forget_after(Duration::from_secs(1_800))
            .archive(DirectoryArchive::in_storage(self.archive.process()));
        let engine = open(&self.disk, rules).unwrap();
        let head = engine.view().head();
        if let Some(last) = self.moments.last() {
            // Opening may bring about what became due meanwhile, and says so in events.
            assert!(head.seq > last.seq || head.state_hash == last.hash, "the state after an opening");
        }
        engine
    }

    /// Some commands, each noted.
    fn live(&mut self, engine: &Blocking) {
        for _ in 0..20 + self.chance.below(60) {
            let view = engine.view();
            let state = Projection { state: view.state().clone(), seq: view.seq(), last_ts: view.last_ts() };
            // Refused and rejected ones are part of it.
            let _ = engine.execute(self.workload.next(&state, &self.clock));
            self.note(engine);
        }
    }

    fn note(&mut self, engine: &Blocking) {
        let view = engine.view();
        let head = view.head();
        if self.moments.last().is_none_or(|last| last.seq < head.seq) {
            self.moments.push(Moment { seq: head.seq, ts: view.last_ts(), hash: head.state_hash });
        }
    }

    fn end(&self, engine: Blocking) {
        if self.chance.below(3) > 0 {
            engine.shutdown(DEADLINE).unwrap();
            return;
        }
        // All that was answered was synced.
        self.disk.restart(Survivors::Seeded);
        drop(engine);
    }

    /// Asks for points of the past, in no order.
    fn look_back(&self, points: u64) {
        let alone = JournalReader::with_storage(self.disk.process()).unwrap();
        let whole =
            JournalReader::with_storage_and_archive(self.disk.process(), self.archive.process()).unwrap();
        assert_eq!(whole.oldest_seq().unwrap(), 1, "the archive has everything from the beginning");
        let oldest_state = alone.oldest_seq().unwrap() - 1;
        for _ in 0..points {
            let at = usize::try_from(self.chance.below(self.moments.len() as u64)).unwrap();
            let Moment { seq, ts, hash } = self.moments[at];
            let found = whole.state(StateAt::Seq(seq)).unwrap();
            assert_eq!((found.seq, found.last_ts, found.state_hash()), (seq, ts, hash), "as of seq {seq}");
            match alone.state(StateAt::Seq(seq)) {
                // Cheap below the floor, and from a snapshot above it.
                Ok(found) => assert_eq!((found.seq, found.state_hash()), (seq, hash), "as of seq {seq}"),
                Err(error) => {
                    assert_eq!(*error.kind(), ErrorKind::Pruned, "{error}");
                    assert!(seq < oldest_state, "{error}: seq {seq} of a floor at {oldest_state}");
                }
            }
            if self.chance.below(3) > 0 {
                continue;
            }
            // By time: the last that was decided by then.
            let last = self.moments.partition_point(|moment| moment.ts <= ts) - 1;
            let next = self
                .moments
                .get(last + 1)
                .map_or(u64::MAX, |next| next.ts.as_micros().abs_diff(ts.as_micros()));
            let later = ts.saturating_add(Duration::from_micros(self.chance.below(next.min(3_000_000))));
            let found = whole.state(StateAt::Time(later)).unwrap();
            assert_eq!(
                found.state_hash(),
                self.moments[last].hash,
                "as of {later}, seq {}",
                self.moments[last].seq
            );
        }
    }
}

#[test]
fn every_state_of_the_past_is_the_one_that_the_engine_had() {
    rounds("as_of_property", "every_state_of_the_past_is_the_one_that_the_engine_had", 6, |seed| {
        let mut life = Life::new(seed);
        for session in 0..4 {
            let engine = life.open();
            life.note(&engine);
            life.live(&engine);
            // Beside the live engine, and after its end.
            life.look_back(if session == 3 { POINTS / 2 } else { 10 });
            life.end(engine);
        }
        life.look_back(POINTS / 2);
    });
}

/// A history that is long beside the steps that a story is told in, with snapshots on the way.
fn long_history(disk: &SimulatedDisk, archive: &SimulatedDisk, events: u64) -> Blocking {
    let options = Options::new()
        .inline()
        .segment_bytes(64 << 10)
        .snapshot_bytes(200_000)
        .retention(Retention::new().segments(45))
        .key_window(KeyWindow { max_age_ms: 60_000, max_count: 100 })
        .archive(DirectoryArchive::in_storage(archive.process()));
    let engine = open(disk, options).unwrap();
    for id in ["rare", "busy"] {
        engine.allocate(NewBudget::new(id).limit(1_000_000)).unwrap();
    }
    for number in 0..events - 2 {
        let of = if number % (events / 4) == 7 { "rare" } else { "busy" };
        let spend = Spend::of(1 + u128::from(number % 5));
        engine.execute(Request::from(RecordSpend::new(of, spend))).unwrap();
    }
    engine
}

#[test]
fn a_story_that_leaps_from_snapshot_to_snapshot_has_the_balances_of_every_step() {
    let (disk, archive) = (SimulatedDisk::new(1), SimulatedDisk::new(2));
    let engine = long_history(&disk, &archive, 24_000);
    let whole = JournalReader::with_storage_and_archive(disk.process(), archive.process()).unwrap();
    let alone = JournalReader::with_storage(disk.process()).unwrap();
    let (floor, snapshots) = (alone.oldest_seq().unwrap(), alone.statistics().unwrap().snapshots);
    // Two of the steps lie above the floor, and between them a snapshot to leap to.
    let is_between = snapshots.iter().any(|snapshot| (16_200..18_000).contains(&snapshot.seq));
    assert!((6_100..12_000).contains(&floor) && is_between, "{floor}, {snapshots:?}");
    for (reader, expected) in [(&whole, 5), (&alone, 2)] {
        let mut trace = Trace::open(reader, "rare", Some(TraceKind::Budget)).unwrap();
        let mut told = 0;
        while let Some(step) = trace.next().unwrap() {
            let state = whole.state(StateAt::Seq(step.event.seq)).unwrap();
            let balance = step.balance.unwrap();
            assert_eq!(balance.spent, state.budget(&"rare".into()).unwrap().spent, "seq {}", step.event.seq);
            told += 1;
        }
        assert_eq!(told, expected, "steps");
        assert_eq!(trace.seqs().1, engine.view().seq());
    }
    let spent = engine.view().state().budget(&"busy".into()).unwrap().spent_total;
    for share in [1, 3] {
        let condition = format!(r#"budget("busy").spent_total >= {}"#, spent * share / 4).parse().unwrap();
        let exact = bisect(&whole, &condition, &BisectOptions::default()).unwrap();
        let mut options = BisectOptions::default();
        options.is_monotone = true;
        assert_eq!(bisect(&whole, &condition, &options).unwrap(), exact);
    }
}

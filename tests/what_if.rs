//! Histories of a whole engine, decided again: unchanged, they come out as they were, whatever was restarted, pruned and
//! forgotten meanwhile, and wherever one begins.
//!
//! `TALLYBOOK_SEED` and `TALLYBOOK_ROUNDS` ask for other and for more rounds.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/household.rs"]
mod household;

use std::ops::ControlFlow;
use std::time::Duration;

use common::{clock, open, options, rounds};
use household::Household;
use tallybook::forensics::{Changes, Told, what_if};
use tallybook::storage::SimulatedDisk;
use tallybook::{Blocking, JournalReader, KeyWindow, Retention};

const HOUR: Duration = Duration::from_secs(3_600);
const COMMANDS: u64 = 400;

/// An engine that restarts now and then, and keeps little.
fn lived(seed: u64, retention: Retention) -> SimulatedDisk {
    let (disk, clock) = (SimulatedDisk::new(seed), clock());
    let mut household = Household::new(seed);
    let start = |session: u64| -> Blocking {
        let window = KeyWindow { max_age_ms: 2 * 3_600_000, max_count: 40 };
        let options = options(seed ^ (session << 32), &clock).retention(retention).key_window(window);
        open(&disk, options.forget_after(2 * HOUR)).unwrap()
    };
    let mut engine = start(0);
    for request in household.beginning() {
        engine.execute(request).unwrap();
    }
    for number in 1..=COMMANDS {
        clock.advance(household.pause());
        let request = household.next(engine.view().state(), &clock);
        // Refused or rejected: an answer, too.
        let _ = engine.execute(request);
        if number.is_multiple_of(90) {
            engine.shutdown(common::DEADLINE).unwrap();
            engine = start(number);
        }
    }
    engine.shutdown(common::DEADLINE).unwrap();
    disk
}

#[test]
fn with_nothing_changed_it_comes_out_as_it_was_from_wherever_it_begins() {
    rounds("what_if", "with_nothing_changed", 6, |seed| {
        let retention =
            if seed.is_multiple_of(2) { Retention::keep_all() } else { Retention::new().segments(12) };
        let disk = lived(seed, retention);
        let reader = JournalReader::with_storage(disk.process()).unwrap();
        let oldest = reader.oldest_seq().unwrap();
        let whole = what_if(&reader, &Changes::new(), .., &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!((whole.from_seq, whole.counts.total()), (oldest, 0), "{:?}", whole.first);
        assert_eq!(whole.state_hash_then, whole.state_hash_otherwise);
        assert!(whole.commands > 20, "{whole:?}");
        for part in 1..6 {
            let from = oldest + (whole.to_seq - oldest) * part / 6;
            let found =
                what_if(&reader, &Changes::new(), from..from + 60, &mut |_| ControlFlow::Continue(()))
                    .unwrap();
            assert_eq!(found.counts.total(), 0, "from {from}: {:?}", found.first);
            assert_eq!(found.state_hash_then, found.state_hash_otherwise, "from {from}");
        }
    });
}

/// What is spent otherwise of a hard limit is never more than that, but for what was incurred.
#[test]
fn a_limit_of_nothing_stops_everything_that_is_asked_for() {
    rounds("what_if", "a_limit_of_nothing", 4, |seed| {
        let disk = lived(seed, Retention::keep_all());
        let reader = JournalReader::with_storage(disk.process()).unwrap();
        let changes = Changes::new().limit("hourly", Some(0)).limit("daily", Some(0)).hard("daily", true);
        let mut refused = 0;
        let report = what_if(&reader, &changes, .., &mut |told| {
            if let Told::Diverged(divergence) = told {
                refused += u64::from(divergence.difference.name() == "refused");
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        let first = what_if(&reader, &changes, .., &mut |told| match told {
            Told::Diverged(_) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        assert_eq!(first.map_or(1, |report| report.counts.total()), 1, "it ends where it is broken off");
        assert!(refused > 10 && report.counts.refused == refused, "{refused}");
        let spent = |id: &str| {
            let budget = report.budgets.iter().find(|budget| budget.budget_id.to_string() == id).unwrap();
            (budget.spent_then, budget.spent_otherwise)
        };
        for id in ["hourly", "daily"] {
            let (then, otherwise) = spent(id);
            assert!(then > 0 && otherwise == 0, "{id}: {then} then, {otherwise} otherwise");
        }
    });
}

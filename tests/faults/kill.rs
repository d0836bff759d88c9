//! `kill -9` of a real process with a real engine, again and again, while it opens, recovers, rotates, makes snapshots,
//! archives and prunes; what it answered is kept outside of it (laws ORDER, ATOMIC, DURABLE, FOLD, EVIDENCE, RETAIN, EXACT).
//!
//! A case is a journal that lives through ten such ends or so, each time with other rules.

use std::path::Path;
use std::time::{Duration, Instant};

use tallybook::ids::SeededEntropy;

use crate::driver::{Limits, Row, now};
use crate::processes::{Keep, Orders, Record, Told, Victim, Witness};
use crate::tally::Tally;

pub(crate) const ROW: Row = Row { name: "kill", unit: "kills", seeds: 10, case };

/// How often the writer of a journal is killed.
const KILLS: u64 = if cfg!(test) { 3 } else { 10 };
/// The latest moment of a kill, after the start.
const LONGEST_LIFE_US: u64 = 60_000;
/// How long a kill waits for what it wants to break off.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// So many commands each client gives in peace at the end.
const IN_PEACE: u64 = 16;
/// Long enough for any honest shutdown; short enough that a hang shows.
const DEADLINE: Duration = Duration::from_secs(20);

fn case(seed: u64, _limits: &Limits, tally: &mut Tally) {
    let dice = SeededEntropy::new(seed);
    // In memory that is a file system, too, most of the time: a kill loses nothing that was written, and is soon done.
    let memory = Path::new("/dev/shm");
    let home = match dice.below(4) {
        1.. if memory.is_dir() => tempfile::tempdir_in(memory).unwrap(),
        _ => tempfile::tempdir().unwrap(),
    };
    let record = Record::new(home.path().join("book"), home.path(), dice.below(4) > 0);
    let mut witness = Witness::default();
    for _ in 0..KILLS {
        let orders = orders(&record, &witness, &dice);
        live_and_die(&orders, &record, &mut witness, &dice, tally);
        // Every third time the next one has to recover from what nobody has looked at.
        if dice.below(3) > 0 {
            witness.inspect(&record, tally);
        }
        if dice.below(5) == 0 {
            open_and_close(&orders, &record, &mut witness, tally);
        }
    }
    finish(&record, &mut witness, &dice, tally);
}

/// Rules for the next life.
fn orders(record: &Record, witness: &Witness, dice: &SeededEntropy) -> Orders {
    let keep = match dice.below(4) {
        _ if record.archive.is_none() => Keep::All,
        0 => Keep::Segments(0),
        1 => Keep::Segments(2),
        2 => Keep::Bytes(40_000),
        _ => Keep::All,
    };
    Orders {
        dir: record.dir.clone(),
        archive: record.archive.clone(),
        keep,
        interval_ms: [None, None, None, Some(1), Some(20)][index(dice, 5)],
        segment_bytes: [Some(4_096), Some(8_192), Some(20_000), Some(65_536), None][index(dice, 5)],
        snapshot_bytes: [0, 4_096, 30_000, 64 << 20][index(dice, 4)],
        window: [1, 3, 16, 64][index(dice, 4)],
        begin: witness.begin(),
        commands: None,
        patience_ms: 0,
    }
}

fn index(dice: &SeededEntropy, bound: u64) -> usize {
    usize::try_from(dice.below(bound)).unwrap()
}

/// One life of a writer, ended by SIGKILL.
fn live_and_die(
    orders: &Orders,
    record: &Record,
    witness: &mut Witness,
    dice: &SeededEntropy,
    tally: &mut Tally,
) {
    let mut victim = Victim::start(orders);
    let moment = match dice.below(5) {
        // Before it has opened the journal, or even begun to.
        0 => {
            pause(dice.below(6_000));
            "early"
        }
        1 => {
            victim.hear();
            pause(dice.below(3_000));
            "while it opens"
        }
        2 => {
            hear_for(&mut victim, Duration::from_micros(dice.below(LONGEST_LIFE_US)));
            "at some time"
        }
        3 => {
            let mut answers = 0;
            let enough = dice.below(400);
            while answers < enough && victim.hear().is_some() {
                answers += 1;
            }
            pause(dice.below(400));
            "after an answer"
        }
        _ => wait_for_upkeep(&mut victim, record, dice),
    };
    let exit = victim.kill();
    exit.expect_silent();
    tally.count("kills");
    tally.count(match moment {
        "early" => "kills: early",
        "while it opens" => "kills: while it opens",
        "at some time" => "kills: at some time",
        "after an answer" => "kills: after an answer",
        "unseen" => "kills: nothing of upkeep seen",
        _ => "kills: in the midst of upkeep",
    });
    expect_lived(&exit.told);
    if exit.told.iter().any(|told| matches!(told, Told::Opened(..))) {
        tally.count("openings by the next victim");
    }
    witness.note(&exit.told, tally);
}

/// A writer that is killed has had nothing to complain of.
fn expect_lived(told: &[Told]) {
    let is_bad =
        |told: &&Told| matches!(told, Told::Unopened(..) | Told::Failed(..) | Told::Closed | Told::Ended(..));
    let bad: Vec<_> = told.iter().filter(is_bad).collect();
    assert!(bad.is_empty(), "a writer that is to be killed: {bad:?}");
}

fn pause(micros: u64) {
    std::thread::sleep(Duration::from_micros(micros));
}

fn hear_for(victim: &mut Victim, time: Duration) {
    let until: Instant = now() + time;
    while victim.hear_until(until).is_some() {}
}

/// Waits until a file shows that something is under way: a spare segment, a snapshot, a base, a copy of torn bytes, one in
/// the archive; if that one does not come, any.
fn wait_for_upkeep(victim: &mut Victim, record: &Record, dice: &SeededEntropy) -> &'static str {
    let sign = ["spare.tmp", ".snap", ".base", "snapshot.tmp", ".seg", ".torn", ".base"][index(dice, 7)];
    let of_archive = dice.below(4) == 0 && record.archive.is_some();
    let look = || if of_archive { record.archived_names() } else { record.names() };
    let (before, begun) = (look(), now());
    let is_new = |name: &String| !before.contains(name);
    while begun.elapsed() < LONGEST_WAIT {
        let is_patient = begun.elapsed().as_micros() < u128::from(LONGEST_LIFE_US);
        if look().iter().any(|name| is_new(name) && (name.ends_with(sign) || !is_patient)) {
            pause([0, 0, dice.below(600)][index(dice, 3)]);
            return "upkeep";
        }
        victim.hear_until(now());
    }
    "unseen"
}

/// A recovery that nobody disturbs, in this process, and a clean end.
fn open_and_close(orders: &Orders, record: &Record, witness: &mut Witness, tally: &mut Tally) {
    let engine = orders.options().open_blocking(orders.dir()).unwrap();
    witness.check_opened(&engine);
    engine.shutdown(DEADLINE).unwrap();
    tally.count("openings by the driver");
    record.expect_tidy();
    if let Keep::Segments(keep) = orders.keep {
        let closed = record.closed() as u64;
        assert!(closed <= keep, "{closed} closed segments, and {keep} are to be kept");
    }
    witness.inspect(record, tally);
}

/// Ends in peace, and gives every command once more.
fn finish(record: &Record, witness: &mut Witness, dice: &SeededEntropy, tally: &mut Tally) {
    let orders = Orders { commands: Some(IN_PEACE), ..orders(record, witness, dice) };
    let exit = Victim::start(&orders).wait();
    exit.expect_orderly();
    assert_eq!(exit.told.last(), Some(&Told::Closed), "it closes: {}", exit.description);
    witness.note(&exit.told, tally);
    record.expect_tidy();
    witness.inspect(record, tally);

    let engine = orders.options().open_blocking(orders.dir()).unwrap();
    witness.check_opened(&engine);
    witness.give_all_again(&engine, tally);
    drop(engine);
    record.expect_tidy();
    witness.inspect(record, tally);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_killed_and_nothing_that_it_answered_is_gone() {
        let mut tally = Tally::default();
        case(1, &Limits::of_a_test(), &mut tally);
        assert_eq!(tally.get("kills"), KILLS);
        assert!(tally.get("answers") > 0 && tally.get("retries recognised") > 0, "{tally:?}");
    }
}

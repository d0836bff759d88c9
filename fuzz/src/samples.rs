//! Valid journals to start from, always the same ones.

use std::sync::LazyLock;
use std::time::Duration;

use tallybook::domain::Request;
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{
    Blocking, GoalStatus, Json, ManualClock, NewGoal, Options, RecordEvent, RecordTurn, Retention,
    SetGoalBudget, Timestamp, TransitionGoal, Turn,
};

use crate::engine::{NOON, files, open, options, run_script};

/// The files of a directory: names and bytes.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// Lines that leave something of every kind behind.
pub const SCRIPT: &str = include_str!("script.jsonl");

/// When the script begins.
pub(crate) const MORNING: Timestamp = Timestamp::from_micros(NOON.as_micros() - 4 * 3_600_000_000);

static SAMPLES: LazyLock<Vec<Files>> = LazyLock::new(|| {
    vec![
        closed_cleanly(),
        killed(),
        after_a_power_cut(),
        rotated(),
        killed_without_a_sync(),
        with_snapshots(),
        pruned(),
        pruned_in_part(),
    ]
});

/// Some journals as they lie on disk: closed cleanly, killed, recovered after a power cut, rotated several times, with
/// snapshots, pruned, and pruned by one that was stopped before it had removed everything.
pub fn sample_journals() -> &'static [Files] {
    &SAMPLES
}

fn closed_cleanly() -> Files {
    let disk = SimulatedDisk::new(1);
    work(&open(disk.process(), 1).expect("an empty disk opens"), 2);
    files(&disk)
}

fn killed() -> Files {
    let disk = SimulatedDisk::new(2);
    let engine = open(disk.process(), 2).expect("an empty disk opens");
    work(&engine, 2);
    disk.kill();
    drop(engine);
    files(&disk)
}

fn after_a_power_cut() -> Files {
    let disk = SimulatedDisk::new(3);
    for seed in 3..6 {
        let engine = open(disk.process(), seed).expect("a journal of ours opens");
        work(&engine, 1);
        disk.restart(Survivors::Everything);
        drop(engine);
    }
    files(&disk)
}

fn rotated() -> Files {
    let disk = SimulatedDisk::new(4);
    work(&open(disk.process(), 7).expect("an empty disk opens"), 12);
    files(&disk)
}

fn killed_without_a_sync() -> Files {
    let disk = SimulatedDisk::new(5);
    let engine = open(disk.process(), 8).expect("an empty disk opens");
    work(&engine, 1);
    // The cut meets the write or the sync of a batch: a torn tail, or one that nobody was told of.
    disk.power_cut_at(disk.operations() + 1);
    let _unknown = engine.create_goal(NewGoal::new("cut off in the middle").scope("cut"));
    disk.restart(Survivors::Seeded);
    drop(engine);
    files(&disk)
}

/// A snapshot before each of the last segments, none of them pruned.
fn with_snapshots() -> Files {
    let disk = SimulatedDisk::new(6);
    let clock = ManualClock::new(MORNING);
    let options = options(9, &clock).snapshot_bytes(0);
    let engine = options.open_storage(disk.process()).expect("an empty disk opens").blocking();
    run_script(&engine, &clock, SCRIPT);
    rotate(&disk, &engine, 3);
    drop(engine);
    files(&disk)
}

fn pruned() -> Files {
    let disk = SimulatedDisk::new(7);
    let clock = ManualClock::new(MORNING);
    let engine =
        pruning(options(10, &clock)).open_storage(disk.process()).expect("an empty disk opens").blocking();
    run_script(&engine, &clock, SCRIPT);
    rotate(&disk, &engine, 2);
    clock.advance(Duration::from_secs(60));
    work(&engine, 1);
    drop(engine);
    files(&disk)
}

/// Segments and a snapshot below the floor, and what their makers left behind under temporary names.
fn pruned_in_part() -> Files {
    let disk = SimulatedDisk::new(8);
    let clock = ManualClock::new(MORNING);
    let engine =
        options(11, &clock).snapshot_bytes(0).open_storage(disk.process()).expect("an empty disk opens");
    run_script(&engine.blocking(), &clock, SCRIPT);
    rotate(&disk, &engine.blocking(), 3);
    drop(engine);
    let before = files(&disk);
    let options = pruning(options(12, &clock));
    drop(options.open_storage(disk.process()).expect("a journal of ours opens"));
    let mut left = files(&disk);
    let is_gone = |(name, _): &(String, Vec<u8>)| left.iter().all(|(other, _)| other != name);
    let gone: Files = before.into_iter().filter(is_gone).collect();
    left.extend(gone);
    for (name, len) in [("snapshot.tmp", 300), ("spare.tmp", 5_000)] {
        let begun = left[0].1.iter().copied().take(len).collect();
        left.push((name.to_owned(), begun));
    }
    left
}

static SNAPSHOT_JOURNALS: LazyLock<Vec<Files>> = LazyLock::new(|| vec![at_its_base(), pruned()]);

/// Journals that rest on one base: with nothing after it, and with events that go on from it.
pub fn snapshot_journals() -> &'static [Files] {
    &SNAPSHOT_JOURNALS
}

fn at_its_base() -> Files {
    let disk = SimulatedDisk::new(9);
    let clock = ManualClock::new(MORNING);
    let engine =
        pruning(options(13, &clock)).open_storage(disk.process()).expect("an empty disk opens").blocking();
    run_script(&engine, &clock, SCRIPT);
    rotate(&disk, &engine, 2);
    drop(engine);
    files(&disk)
}

/// Keeps no closed segment, so that there is a base and nothing below it.
pub(crate) fn pruning(options: Options) -> Options {
    options.snapshot_bytes(0).retention(Retention::new().segments(0))
}

/// Records events of no meaning until so many segments are full.
pub(crate) fn rotate(disk: &SimulatedDisk, engine: &Blocking, times: usize) {
    for _ in 0..times {
        let newest = || disk.names().into_iter().filter(|name| name.ends_with(".seg")).max();
        let before = newest();
        while newest() == before {
            let data = Json::parse(&format!("\"{}\"", "x".repeat(3_000))).expect("it is JSON");
            engine.execute(RecordEvent::new("filler", data)).expect("an event is recorded");
        }
    }
}

/// A little of everything that makes events.
fn work(engine: &Blocking, rounds: u64) {
    for round in 0..rounds {
        let key = |what: &str| format!("{what}-{}-{round}", engine.view().seq());
        let goal = engine
            .create_goal(NewGoal::new("write the release notes").token_budget(1_000))
            .expect("a goal can be created");
        let below = engine
            .create_goal(NewGoal::new("collect what changed").parent(goal.id).token_budget(300))
            .expect("a goal can be created below an active one");
        let turn = Request::from(RecordTurn::goal(below.id, Turn::tokens(350).seconds(2)));
        engine.execute(turn.key(key("turn")).actor("agent").session("s-1")).expect("a turn is booked");
        engine
            .transition_goal(TransitionGoal::new(below.id, GoalStatus::Active))
            .expect_err("the budget is exhausted");
        engine
            .set_goal_budget(SetGoalBudget::new(below.id, Some(900)).resume())
            .expect("a raised budget resumes");
        engine.record_turn(goal.id, Turn::tokens(700)).expect("a turn is booked");
        engine
            .transition_goal(TransitionGoal::new(goal.id, GoalStatus::Completed).note("done \u{1f389}"))
            .expect("a paused goal can be completed");
    }
}

//! Valid journals to start from, always the same ones.

use std::sync::Arc;
use std::sync::LazyLock;

use tallybook::domain::Request;
use tallybook::ids::SeededEntropy;
use tallybook::storage::{SimulatedDisk, Storage, Survivors};
use tallybook::{
    Blocking, GoalStatus, ManualClock, NewGoal, Options, RecordTurn, SetGoalBudget, Timestamp,
    TransitionGoal, Turn,
};

/// The files of a directory: names and bytes.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

static SAMPLES: LazyLock<Vec<Files>> = LazyLock::new(|| {
    vec![closed_cleanly(), killed(), after_a_power_cut(), rotated(), killed_without_a_sync()]
});

/// Some journals as they lie on disk: closed cleanly, killed, recovered after a power cut, rotated several times.
pub fn sample_journals() -> &'static [Files] {
    &SAMPLES
}

/// Opens an engine without a thread, so that every run does the same.
pub(crate) fn open(storage: Arc<dyn Storage>, seed: u64) -> Result<Blocking, tallybook::Error> {
    let engine = Options::new()
        .inline()
        .segment_bytes(8_192)
        .entropy(SeededEntropy::new(seed))
        .clock(ManualClock::new(Timestamp::from_micros(1_790_000_000_000_000)))
        .open_storage(storage)?;
    Ok(engine.blocking())
}

/// Everything on a disk, but for what is not part of the journal.
pub(crate) fn files(disk: &SimulatedDisk) -> Files {
    let names = disk.names().into_iter().filter(|name| name.ends_with(".seg"));
    names.filter_map(|name| disk.contents(&name).ok().map(|bytes| (name, bytes))).collect()
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

//! A snapshot of arbitrary lines: what is restored can be folded on, and is written again as what it was read as.

use std::collections::BTreeSet;

use tallybook::domain::Request;
use tallybook::format::{HEADER_LEN, SnapshotName};
use tallybook::storage::{SimulatedDisk, Storage};
use tallybook::{
    AdjustBudget, Blocking, BudgetId, CloseBudget, CommandError, ErrorKind, GoalStatus, JournalReader,
    ManualClock, MarkUnknown, NewGoal, NewReservation, ObserveMeter, RecordSpend, RecordTurn, Release,
    ReverseSpend, Settle, Spend, SpendQuery, State, StateAt, StateHash, TransitionGoal, Turn,
};

use crate::engine::{NOON, check_agreement, check_close, disk_of, files, options};
use crate::input::Input;
use crate::json::edit_lines;
use crate::mend::{mend, mend_state_hash};
use crate::samples::{Files, pruning, rotate, snapshot_journals};

/// How many edits and commands an input makes at most.
const MAX_EDITS: u8 = 16;
const MAX_COMMANDS: usize = 12;

/// Edits the lines of a snapshot on which a whole journal rests, restores the state, gives it commands, and has it
/// written and restored again.
///
/// The first byte chooses the journal and whether to stay within forms (edits of tokens) or to replace the lines with the
/// rest of the input; the second, how many edits there are. What is left of the input chooses commands.
///
/// # Panics
/// When a snapshot breaks a promise.
pub fn check_snapshot(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let form = input.u8();
    let journals = snapshot_journals();
    let mut made: Files = journals[usize::from(form) / 2 % journals.len()].clone();
    let base = made.iter().position(|(name, _)| SnapshotName::parse(name).is_some());
    let base = base.expect("the samples have a base");
    let mut lines = made[base].1.split_off(HEADER_LEN);
    if form.is_multiple_of(2) {
        for _ in 0..input.u8().min(MAX_EDITS) {
            edit_lines(&mut lines, &mut input);
        }
    } else {
        lines = input.rest().to_vec();
    }
    made[base].1.extend(lines);
    mend(&mut made[base].1);
    let Some(hash) = restored(&disk_of(&made), &made[base].0) else { return };
    mend_state_hash(&mut made[base].1, &hash.0);
    check_restored(&disk_of(&made), hash, &mut input);
}

/// The hash of the state that a reader restores; `None` when it refuses the snapshot, or what comes after it.
fn restored(disk: &SimulatedDisk, base: &str) -> Option<StateHash> {
    let before = files(disk);
    let floor = SnapshotName::parse(base).expect("the name of the sample").before.first_seq;
    let reader = JournalReader::with_storage(disk.process()).expect("the segments are as they were");
    let restored = match reader.state(StateAt::Seq(floor - 1)) {
        Ok(restored) => restored,
        Err(error) => {
            let is_expected = matches!(error.kind(), ErrorKind::Damaged(_) | ErrorKind::Unsupported);
            assert!(is_expected, "{error:?}");
            let opened = open(disk.process());
            assert!(opened.is_err(), "a reader says {error}, and the journal opens");
            assert_eq!(files(disk), before, "a refusal changed the directory");
            return None;
        }
    };
    look_at(&restored.state);
    // What comes after it need not fit another state than the one that it came from.
    let end = reader.state(StateAt::End);
    let opened = open(disk.process());
    match (end, opened) {
        (Ok(_), Ok(_)) => Some(restored.state.state_hash()),
        (Err(_), Err(error)) => {
            assert!(matches!(error.kind(), ErrorKind::Damaged(_)), "{error:?}");
            assert_eq!(files(disk), before, "a refusal changed the directory");
            None
        }
        (end, opened) => {
            panic!("a reader and an opening disagree: {:?}, {:?}", end.err(), opened.err());
        }
    }
}

/// Asks a state whatever can be asked.
fn look_at(state: &State) {
    for goal in state.goals() {
        assert_eq!(state.goal(goal.id).as_ref(), Some(&goal));
    }
    for budget in state.budgets() {
        let view = state.budget_view(&budget.id).expect("it is there");
        let (overage, status) = (view.overage(), view.status());
        assert!(view.limit().is_some() || (overage, view.remaining()) == (0, None), "{status:?}: {view:?}");
    }
    for goal in state.list_goals(&tallybook::GoalQuery::default()) {
        assert!(state.goal(goal.id).is_some());
    }
    let _lists = (state.list_budgets(&Default::default()), state.list_reservations(&Default::default()));
    let _spends = state.list_spends(&SpendQuery::default());
}

fn open(storage: std::sync::Arc<dyn Storage>) -> Result<Blocking, tallybook::Error> {
    Ok(pruning(options(100, &ManualClock::new(NOON))).open_storage(storage)?.blocking())
}

/// A state with the hash that is stated for it: the journal is sound, whatever is in it.
fn check_restored(disk: &SimulatedDisk, hash: StateHash, input: &mut Input<'_>) {
    let reader = JournalReader::with_storage(disk.process()).expect("it could be read before");
    let report = reader.verify().expect("it could be read before");
    assert!(!report.is_damaged(), "restored with the hash {hash:?}, but {report:?}");
    let engine = open(disk.process()).expect("it opened before");
    check_agreement(disk, &engine, true);
    for _ in 0..MAX_COMMANDS {
        if input.is_empty() {
            break;
        }
        let Some(request) = command(engine.view().state(), input) else { continue };
        match engine.execute(request.clone()) {
            Ok(_) | Err(CommandError::Refused(_) | CommandError::Rejected(_)) => {}
            Err(CommandError::Engine(error)) => panic!("{request:?}: {error:?}"),
        }
        look_at(engine.view().state());
    }
    check_agreement(disk, &engine, true);
    check_written_again(disk, &engine);
    check_close(disk, &ManualClock::new(NOON), engine, &BTreeSet::new());
}

/// Makes bases one after the other, each of what the one before it was restored as. Equal states are the same bytes.
fn check_written_again(disk: &SimulatedDisk, engine: &Blocking) {
    rotate(disk, engine, 1);
    let (first_hash, first) = (engine.view().state_hash(), base_lines(disk));
    rotate(disk, engine, 1);
    let (second_hash, second) = (engine.view().state_hash(), base_lines(disk));
    assert_eq!(first_hash == second_hash, first == second, "equal states are the same bytes");
    let health = engine.health();
    assert!(health.last_upkeep_error.is_none(), "{:?}", health.last_upkeep_error);
    check_agreement(disk, engine, true);
}

/// The lines of the newest base.
fn base_lines(disk: &SimulatedDisk) -> Vec<u8> {
    let newest = disk.names().into_iter().rfind(|name| name.ends_with(".base"));
    let bytes = newest.and_then(|name| disk.contents(&name).ok()).expect("there is a base");
    bytes[HEADER_LEN..].to_vec()
}

/// A command about something that is in the state.
fn command(state: &State, input: &mut Input<'_>) -> Option<Request> {
    let op = input.u8();
    let amount = match input.u8() {
        255 => u128::MAX,
        254 => u128::from(u64::MAX),
        small => u128::from(small),
    };
    let mut chosen = |len: usize| input.short_index(len);
    let mut budget = || -> Option<BudgetId> {
        let ids: Vec<BudgetId> = state.budgets().map(|budget| budget.id.clone()).collect();
        chosen(ids.len()).map(|index| ids[index].clone())
    };
    let request: Request = match op % 14 {
        0 => RecordSpend::new(budget()?, Spend::of(amount)).into(),
        1 => RecordSpend::incurred(budget()?, Spend::of(amount)).into(),
        2 => NewReservation::new(budget()?, amount).into(),
        3 => CloseBudget::new(budget()?).into(),
        4 => AdjustBudget::new(budget()?).limit(amount).into(),
        5..=7 => {
            let held: Vec<_> = state.held_reservations().map(|held| held.id.clone()).collect();
            let id = held[chosen(held.len())?].clone();
            match op % 14 {
                5 => Settle { reservation_id: id, spend: Spend::of(amount) }.into(),
                6 => Release { reservation_id: id }.into(),
                _ => MarkUnknown { reservation_id: id }.into(),
            }
        }
        8 => {
            let spends = state.list_spends(&SpendQuery::default());
            ReverseSpend::whole(spends[chosen(spends.len())?].spend_id.clone()).into()
        }
        9 => {
            let meters: Vec<_> = state.meters().map(|meter| meter.id.clone()).collect();
            ObserveMeter::delta(meters[chosen(meters.len())?].clone(), amount).into()
        }
        _ => {
            let goals: Vec<_> = state.goals().map(|goal| goal.id).collect();
            let id = goals[chosen(goals.len())?];
            match op % 14 {
                10 => RecordTurn::goal(id, Turn::tokens(amount)).into(),
                11 => TransitionGoal::new(id, GoalStatus::Active).into(),
                12 => TransitionGoal::new(id, GoalStatus::Completed).into(),
                _ => NewGoal::new("below").parent(id).into(),
            }
        }
    };
    Some(request)
}

//! Lines of `tallybook apply`, through the adapter and an engine in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};
use tallybook::adapter::jsonl::Answer;
use tallybook::storage::SimulatedDisk;
use tallybook::{Blocking, BudgetId, KeyWindow, ManualClock, Options, State};

use crate::engine::{answer, check_agreement, check_close, check_replay, options};
use crate::input::Input;
use crate::json::edit_lines;
use crate::samples::{MORNING, SCRIPT, pruning};

/// How many edits an input makes at most, and how many lines are answered.
const MAX_EDITS: u8 = 24;
const MAX_LINES: usize = 200;

/// Answers lines. Every answer is JSON and says one thing, what was refused as an error wrote nothing, and the state stays
/// equal to its replay.
///
/// The bits of the first byte choose the options and whether the rest is lines (the lowest bit is 0) or edits of a script
/// that leaves something of every kind behind.
///
/// # Panics
/// When an answer or a state breaks a promise.
pub fn check_command_lines(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let form = input.u8();
    let lines = if form.is_multiple_of(2) {
        input.rest().to_vec()
    } else {
        let mut lines = SCRIPT.as_bytes().to_vec();
        for _ in 0..input.u8().min(MAX_EDITS) {
            edit_lines(&mut lines, &mut input);
        }
        lines
    };
    let disk = SimulatedDisk::new(0);
    let clock = ManualClock::new(MORNING);
    let engine = chosen(form, &clock).open_storage(disk.process()).expect("an empty disk opens").blocking();
    let manual = (form & 2 == 0).then_some(&clock);
    let is_line = |line: &&[u8]| !line.trim_ascii().is_empty();
    for (number, line) in (1..).zip(lines.split(|&byte| byte == b'\n').filter(is_line).take(MAX_LINES)) {
        let answer = check_line(&engine, manual, number, line);
        assert!(!matches!(answer, Answer::Failed(_)), "{}: {answer:?}", String::from_utf8_lossy(line));
    }
    check_reserved(engine.view().state());
    check_agreement(&disk, &engine, true);
    check_replay(&disk, &engine);
    check_close(&disk, &clock, engine, &BTreeSet::new());
}

fn chosen(form: u8, clock: &ManualClock) -> Options {
    let mut options = options(1, clock);
    if form & 4 != 0 {
        options = options.key_window(KeyWindow { max_age_ms: 600_000, max_count: 3 });
    }
    if form & 8 != 0 {
        options = options.forget_after(Duration::from_secs(900));
    }
    if form & 16 != 0 {
        options = pruning(options);
    }
    options
}

fn check_line(engine: &Blocking, clock: Option<&ManualClock>, number: u64, line: &[u8]) -> Answer {
    let before = engine.view().seq();
    let answer = answer(engine, clock, line);
    let after = engine.view().seq();
    let mut written = Vec::new();
    answer.write(number, &mut written).expect("memory takes everything");
    let text = written.strip_suffix(b"\n").expect("an answer is a line");
    assert!(!text.contains(&b'\n'), "an answer is one line");
    let object: Map<String, Value> = serde_json::from_slice(text).expect("an answer is an object");
    let mut fields: Vec<&str> = object.keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert!(matches!(fields[..], ["line", "ok" | "refused"] | ["error", "line"]), "{object:?}");
    assert_eq!(object["line"], number);
    match &answer {
        Answer::Done(receipt) => {
            let is_new = receipt.first_seq.is_some() && !receipt.retried;
            assert!(receipt.first_seq <= receipt.last_seq && receipt.last_seq <= Some(after), "{receipt:?}");
            assert!(!is_new || receipt.first_seq > Some(before), "{receipt:?} after seq {before}");
        }
        Answer::Refused(_) => {}
        // Where time stands still nothing comes due.
        _ => assert!(clock.is_some() || after == before, "{answer:?} wrote {} events", after - before),
    }
    answer
}

/// What is set aside on a budget is what reservations hold, on it and below it.
fn check_reserved(state: &State) {
    let mut held: BTreeMap<&BudgetId, u128> = BTreeMap::new();
    for reservation in state.held_reservations() {
        let mut at = Some(&reservation.budget_id);
        while let Some(id) = at {
            *held.entry(id).or_default() += reservation.amount;
            at = state.budget(id).and_then(|budget| budget.parent.as_ref());
        }
    }
    for budget in state.budgets() {
        assert_eq!(budget.reserved, held.get(&budget.id).copied().unwrap_or(0), "{budget:?}");
        assert!(budget.spent <= budget.spent_total, "{budget:?}");
    }
}

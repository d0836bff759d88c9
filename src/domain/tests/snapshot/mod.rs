//! The state as lines, and back.

mod contradictions;
mod corners;
mod page;
mod refused;
mod same;

use super::harness::replay;
use crate::domain::{RestoreError, State, StateRestorer, evolve, write_state};
use crate::event::ChangeEvent;

/// The lines of a state.
fn lines(state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    let mut push = |line: &[u8]| {
        lines.push(String::from_utf8(line.to_vec()).unwrap());
        Ok(())
    };
    write_state(state, &mut push).unwrap();
    lines
}

fn restore<T: AsRef<str>>(lines: &[T]) -> Result<State, RestoreError> {
    let mut restorer = StateRestorer::after(u64::MAX);
    lines.iter().try_for_each(|line| restorer.line(line.as_ref().as_bytes()))?;
    restorer.finish()
}

/// Why those lines are no state.
fn refusal<T: AsRef<str>>(lines: &[T]) -> String {
    match restore(lines) {
        Err(RestoreError::Invalid(message)) => message,
        other => panic!("expected lines that are no state, found {other:?}"),
    }
}

/// What is restored is the same in everything, and is written in the same bytes.
pub(super) fn check_round_trip(state: &State) -> State {
    let written = lines(state);
    let restored = restore(&written).unwrap_or_else(|error| panic!("{error}\n{}", written.join("\n")));
    same::assert_same(&restored, state);
    assert_eq!(restored.state_hash(), state.state_hash());
    assert_eq!(lines(&restored), written);
    restored
}

pub(super) fn check_at_every_seq(events: &[ChangeEvent]) {
    let mut state = State::default();
    check_round_trip(&state);
    for event in events {
        evolve(&mut state, event).unwrap();
        check_round_trip(&state);
    }
}

/// The restored state goes on as the state does.
pub(super) fn check_goes_on(events: &[ChangeEvent], cut: usize) {
    let (before, after) = events.split_at(cut);
    let mut live = replay(before);
    let mut restored = check_round_trip(&live);
    for event in after {
        evolve(&mut live, event).unwrap();
        evolve(&mut restored, event).unwrap_or_else(|error| panic!("{error}: {event:?}"));
    }
    same::assert_same(&restored, &live);
    assert_eq!(restored.state_hash(), live.state_hash());
}

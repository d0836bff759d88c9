//! Writing: the canonical form of each line, as events have one: no white space, fields in a fixed order, nothing
//! escaped that need not be. Equal states give equal bytes.

mod budget;
mod goal;
mod key;
mod ledger;

use crate::domain::State;
use crate::error::Error;
use crate::event::Meta;
use crate::event::value::{put, put_given};

/// Hands the lines of a state to `line`, one after the other, each without the line end. Nothing is collected.
///
/// # Errors
/// That of `line`.
pub(crate) fn write_state(
    state: &State,
    line: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut lines = Lines { buffer: Vec::with_capacity(1024), line };
    lines.put(|out| key::put_memory(out, state))?;
    for budget in state.budgets.iter() {
        lines.put(|out| budget::put_budget(out, budget))?;
    }
    for meter in state.meters() {
        lines.put(|out| budget::put_meter(out, meter))?;
    }
    for (_, goal) in state.goals.iter() {
        lines.put(|out| goal::put_goal(out, goal))?;
    }
    write_ledger(state, &mut lines)?;
    for entry in state.keys.iter() {
        lines.put(|out| key::put_key(out, entry))?;
    }
    for entry in state.event_ids.iter() {
        lines.put(|out| key::put_event_id(out, entry))?;
    }
    for (budget_id, released) in &state.releasing {
        lines.put(|out| key::put_releasing(out, budget_id, released))?;
    }
    for ((budget_id, kind), &count) in state.refusals.iter() {
        lines.put(|out| key::put_refusals(out, budget_id, *kind, count))?;
    }
    Ok(())
}

/// What is remembered stands in the order in which it will be forgotten.
fn write_ledger(state: &State, lines: &mut Lines<'_>) -> Result<(), Error> {
    let reservations = state.reservations_made.values().filter_map(|id| state.reservation(id));
    for held in reservations.filter(|reservation| reservation.status.is_held()) {
        lines.put(|out| ledger::put_reservation(out, held, None))?;
    }
    for entry in state.ended.iter() {
        if let Some(ended) = state.reservation(&entry.what) {
            lines.put(|out| ledger::put_reservation(out, ended, Some(entry.seq)))?;
        }
    }
    for spend in state.spends.iter() {
        lines.put(|out| ledger::put_spend(out, spend))?;
    }
    write_bookings(state, lines)
}

/// Those of remembered spends follow from their lines: there are many, and they are not written twice.
fn write_bookings(state: &State, lines: &mut Lines<'_>) -> Result<(), Error> {
    let mut spends = state.spends.iter().filter(|spend| spend.amount > 0).map(|spend| spend.seq).peekable();
    for booking in state.bookings.iter() {
        while spends.next_if(|seq| *seq < booking.seq).is_some() {}
        if spends.next_if_eq(&booking.seq).is_none() {
            lines.put(|out| ledger::put_booking(out, booking))?;
        }
    }
    Ok(())
}

struct Lines<'a> {
    buffer: Vec<u8>,
    line: &'a mut dyn FnMut(&[u8]) -> Result<(), Error>,
}

impl Lines<'_> {
    fn put(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> Result<(), Error> {
        self.buffer.clear();
        put(&mut self.buffer);
        (self.line)(&self.buffer)
    }
}

/// The metadata come last.
fn put_meta(out: &mut Vec<u8>, meta: Option<&Meta>) {
    put_given(out, br#","meta":"#, meta, |out, meta| put(out, meta.as_str().as_bytes()));
}

//! The state hash: one digest over the canonical bytes of everything in the state.
//!
//! The SHA-256 of: the text `tallybook state`, the fold version, then for goals and budgets (each in the order of their
//! making), reservations and meters (each in the order of their ids) how many there are and the digest of each; then for
//! spends, keys, event ids, bookings and ended reservations (each in the order of their events) up to when they were
//! forgotten, how many there are and the digests of their chunks (see `log.rs`); then what is being released, the key
//! window, the refusal counts, and up to when goals were forgotten.
//!
//! An entity's digest is the SHA-256 of its fields in the order of `leaves.rs`, a chunk's that of the fields of its entries
//! one after the other. Integers stand in seven bits a byte, the lowest first, times as eight bytes, little-endian; texts
//! and lists are preceded by their length, what is optional by one byte. What follows from the rest of the state (which goal
//! is active, what is due, what may be forgotten) is not hashed again.

mod canonical;
mod leaves;

use std::fmt;

use crate::domain::State;
use crate::domain::hash::canonical::Canonical;
use crate::domain::refusals::RefusalCounts;

/// The version of the fold: hashes compare only within one. It grows when the same events come to mean another
/// state, or the state another hash.
pub const FOLD_VERSION: u32 = 4;

/// A digest of the state. Written as the fold version and 64 hexadecimal digits: `4-9f86…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateHash(pub [u8; 32]);

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FOLD_VERSION}-")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(super) fn state_hash(state: &State) -> StateHash {
    let mut out = Canonical::new();
    out.bytes(b"tallybook state").u32(FOLD_VERSION);
    out.len(state.goals.len());
    state.goals.iter().for_each(|(_, goal)| out.raw(goal.digest(leaves::goal)));
    out.len(state.budgets.len());
    state.budgets.digests(leaves::budget).for_each(|digest| out.raw(digest));
    out.len(state.reservations.len());
    state.reservations.values().for_each(|held| out.raw(held.digest(leaves::reservation)));
    out.len(state.meters.len());
    state.meters.values().for_each(|meter| out.raw(meter.digest(leaves::meter)));
    remembered(&mut out, state);
    out.len(state.releasing.len());
    for (budget_id, released) in &state.releasing {
        out.budget_id(budget_id).list(released, |out, id| _ = out.text(&id.0));
    }
    let window = state.key_window();
    out.u64(window.max_age_ms).u64(window.max_count);
    refusal_counts(&mut out, &state.refusals);
    out.option(state.endings.goals_forgotten_through(), Canonical::time);
    StateHash(out.digest())
}

fn remembered(out: &mut Canonical, state: &State) {
    let State { spends, keys, event_ids, bookings, ended, .. } = state;
    out.option(spends.forgotten_through(), Canonical::time).len(spends.len());
    spends.digests(leaves::spends, |digest| out.raw(digest));
    for keys in [keys, event_ids] {
        out.option(keys.forgotten_through(), Canonical::time).len(keys.len());
        keys.digests(leaves::keys, |digest| out.raw(digest));
    }
    out.option(bookings.forgotten_through(), Canonical::time).len(bookings.len());
    bookings.digests(leaves::bookings, |digest| out.raw(digest));
    out.option(ended.forgotten_through(), Canonical::time).len(ended.len());
    ended.digests(leaves::ended, |digest| out.raw(digest));
}

fn refusal_counts(out: &mut Canonical, refusals: &RefusalCounts) {
    let counts = refusals.iter();
    out.time(refusals.minute()).len(counts.len());
    for ((budget_id, kind), &count) in counts {
        out.budget_id(budget_id).text(kind.name()).u64(count);
    }
}

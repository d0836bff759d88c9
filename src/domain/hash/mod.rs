//! The state hash: one digest over the canonical bytes of everything in the state.
//!
//! The SHA-256 of: the text `tallybook state`, the fold version, then for goals and budgets (each in the order of their
//! making), reservations, remembered spends, meters, remembered keys and remembered event ids (each in the order of their
//! ids) how many there are and the digest of each; then the order in which spends, bookings and ended reservations will be
//! forgotten, what is being released, the key window, up to when keys and event ids were forgotten, the refusal counts, and
//! up to when goals were forgotten.
//!
//! An entity's digest is the SHA-256 of its fields in the order of `leaves.rs`. Integers are little-endian and of fixed
//! width, texts and lists are preceded by their length, what is optional by one byte. What follows from the rest of the
//! state (which goal is active, what is due, what may be forgotten) is not hashed again.

mod canonical;
mod leaves;

use std::fmt;

use crate::domain::State;
use crate::domain::entries::{Booking, Memory};
use crate::domain::hash::canonical::Canonical;
use crate::domain::keys::Keys;
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
    out.len(state.spends.len());
    state.spends.values().for_each(|spend| out.raw(spend.digest(leaves::spend)));
    out.len(state.meters.len());
    state.meters.values().for_each(|meter| out.raw(meter.digest(leaves::meter)));
    for keys in [&state.keys, &state.event_ids] {
        out.len(keys.len());
        keys.iter().for_each(|(key, entry)| out.raw(entry.digest(|entry| leaves::key(key, entry))));
    }
    ids(&mut out, &state.spent, |id| &id.0);
    bookings(&mut out, &state.bookings);
    ids(&mut out, &state.ended, |id| &id.0);
    out.len(state.releasing.len());
    for (budget_id, released) in &state.releasing {
        out.budget_id(budget_id).list(released, |out, id| _ = out.text(&id.0));
    }
    key_window(&mut out, &state.keys);
    out.option(state.event_ids.forgotten_through(), Canonical::time);
    refusal_counts(&mut out, &state.refusals);
    out.option(state.endings.goals_forgotten_through(), Canonical::time);
    StateHash(out.digest())
}

fn bookings(out: &mut Canonical, bookings: &Memory<Booking>) {
    out.option(bookings.forgotten_through(), Canonical::time).len(bookings.len());
    for entry in bookings.iter() {
        let Booking { budget_id, amount, is_reversal } = &entry.what;
        out.u64(entry.seq).time(entry.at).budget_id(budget_id).u128(*amount).bytes(&[u8::from(*is_reversal)]);
    }
}

fn ids<T: Clone>(out: &mut Canonical, remembered: &Memory<T>, id: impl Fn(&T) -> &str) {
    out.option(remembered.forgotten_through(), Canonical::time).len(remembered.len());
    for entry in remembered.iter() {
        out.u64(entry.seq).text(id(&entry.what));
    }
}

fn key_window(out: &mut Canonical, keys: &Keys) {
    let window = keys.window();
    out.u64(window.max_age_ms).u64(window.max_count).option(keys.forgotten_through(), Canonical::time);
}

fn refusal_counts(out: &mut Canonical, refusals: &RefusalCounts) {
    let counts = refusals.iter();
    out.time(refusals.minute()).len(counts.len());
    for ((budget_id, kind), &count) in counts {
        out.budget_id(budget_id).text(kind.name()).u64(count);
    }
}

//! The state hash: one digest over the canonical bytes of everything in the state.
//!
//! The SHA-256 of: the text `tallybook state`, the fold version, then for goals, budgets and remembered keys (each in
//! the order of their ids) how many there are and the digest of each, then the key window and the refusal counts.
//! An entity's digest is the SHA-256 of its fields in the order below. Integers are little-endian and of fixed width,
//! texts and lists are preceded by their length, what is optional by one byte.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::clock::Timestamp;
use crate::domain::goal::GoalRecord;
use crate::domain::keys::{Keys, RememberedKey};
use crate::domain::leaf::Digest;
use crate::domain::refusals::RefusalCounts;
use crate::domain::{Budget, Outcome, RememberedOutcome, State};
use crate::ids::{BudgetId, GoalId};

/// The version of the fold: hashes compare only within one. It grows when the same events come to mean another
/// state, or the state another hash.
pub const FOLD_VERSION: u32 = 2;

/// A digest of the state. Written as the fold version and 64 hexadecimal digits: `1-9f86…`.
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
    state.goals.values().for_each(|goal| out.raw(goal.digest(goal_digest)));
    out.len(state.budgets.len());
    state.budgets.values().for_each(|budget| out.raw(budget.digest(budget_digest)));
    out.len(state.keys.len());
    state.keys.iter().for_each(|(key, entry)| out.raw(entry.digest(|entry| key_digest(key, entry))));
    key_window(&mut out, &state.keys);
    refusal_counts(&mut out, &state.refusals);
    StateHash(out.digest())
}

fn goal_digest(goal: &GoalRecord) -> Digest {
    let facts = &*goal.facts;
    let mut out = Canonical::new();
    out.goal_id(facts.id).u64(facts.ordinal).text(&facts.scope).text(&facts.text);
    out.option(facts.parent_goal, |out, id| out.goal_id(id));
    out.len(facts.budgets.len());
    facts.budgets.iter().for_each(|id| {
        out.budget_id(id);
    });
    out.time(facts.created_at).option(facts.meta.as_ref(), |out, meta| out.text(meta.as_str()));
    out.text(goal.status.name()).option(goal.pause_reason, |out, reason| out.text(reason.name()));
    out.u128(goal.tokens_own).u64(goal.turns_used).u64(goal.seconds_used).u64(goal.revision);
    out.time(goal.updated_at).option(goal.completed_at, Canonical::time);
    out.digest()
}

fn budget_digest(budget: &Budget) -> Digest {
    let mut out = Canonical::new();
    out.budget_id(&budget.id)
        .text(&budget.unit)
        .option(budget.terms.limit, Canonical::u128)
        .u128(budget.spent);
    out.option(budget.parent.as_ref(), Canonical::budget_id).time(budget.created_at).time(budget.updated_at);
    out.digest()
}

fn key_digest(key: &str, entry: &RememberedKey) -> Digest {
    let mut out = Canonical::new();
    out.text(key).u64(entry.fingerprint).time(entry.at);
    out.u64(entry.remembered.first_seq).u64(entry.remembered.last_seq);
    match &entry.remembered.outcome {
        RememberedOutcome::Done(Outcome::Nothing) => out.text("nothing"),
        RememberedOutcome::Done(Outcome::Goal(id)) => out.text("goal").goal_id(*id),
        RememberedOutcome::Done(Outcome::Budget(id)) => out.text("budget").budget_id(id),
        RememberedOutcome::Done(Outcome::Closed(id)) => out.text("closed").budget_id(id),
        RememberedOutcome::Done(Outcome::Spend(id)) => out.text("spend").text(&id.0),
        RememberedOutcome::Done(Outcome::Reservation(id)) => out.text("reservation").text(&id.0),
        RememberedOutcome::Done(Outcome::Meter(id)) => out.text("meter").text(&id.0),
        RememberedOutcome::Refused(refusal) => {
            out.text("refused").text(refusal.kind.name()).option(refusal.seq, Canonical::u64);
            out.budget_id(&refusal.budget_id).option(refusal.limit, Canonical::u128).u128(refusal.spent);
            out.u128(refusal.reserved).u128(refusal.amount);
            out.option(refusal.reservation_id.as_ref(), |out, id| out.text(&id.0));
            out.option(refusal.reason.as_deref(), Canonical::text)
        }
    };
    out.digest()
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

/// Writes canonical bytes into the hash function.
struct Canonical(Sha256);

impl Canonical {
    fn new() -> Canonical {
        Canonical(Sha256::new())
    }

    fn digest(self) -> Digest {
        self.0.finalize().into()
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Canonical {
        self.0.update(bytes);
        self
    }

    fn u32(&mut self, value: u32) -> &mut Canonical {
        self.bytes(&value.to_le_bytes())
    }

    fn u64(&mut self, value: u64) -> &mut Canonical {
        self.bytes(&value.to_le_bytes())
    }

    fn u128(&mut self, value: u128) -> &mut Canonical {
        self.bytes(&value.to_le_bytes())
    }

    fn len(&mut self, len: usize) -> &mut Canonical {
        self.u64(u64::try_from(len).unwrap_or(u64::MAX))
    }

    fn text(&mut self, text: &str) -> &mut Canonical {
        self.len(text.len()).bytes(text.as_bytes())
    }

    fn time(&mut self, time: Timestamp) -> &mut Canonical {
        self.bytes(&time.as_micros().to_le_bytes())
    }

    fn goal_id(&mut self, id: GoalId) -> &mut Canonical {
        self.bytes(id.0.as_bytes())
    }

    fn budget_id(&mut self, id: &BudgetId) -> &mut Canonical {
        match id {
            BudgetId::Goal(goal) => self.bytes(&[0]).goal_id(*goal),
            BudgetId::Named(name) => self.bytes(&[1]).text(name),
        }
    }

    fn option<T>(
        &mut self,
        value: Option<T>,
        write: impl FnOnce(&mut Canonical, T) -> &mut Canonical,
    ) -> &mut Canonical {
        match value {
            None => self.bytes(&[0]),
            Some(value) => write(self.bytes(&[1]), value),
        }
    }
}

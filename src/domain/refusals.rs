//! How many refusals of a kind a minute has already seen: beyond a bound they have no events of their own (law
//! HONEST, bounded under a refusal loop).

use imbl::OrdMap;

use crate::clock::Timestamp;
use crate::event::RefusalKind;
use crate::ids::BudgetId;

/// So many refusals per budget, kind and minute of the engine's clock are events of their own, restarts or not. Those
/// beyond are counted in memory, and one event gives their number when the minute is over or the engine is closed; a
/// process that is killed before loses that number.
pub const REFUSALS_PER_MINUTE: u64 = 16;

const MINUTE_MICROS: i64 = 60_000_000;

/// The start of the minute that a moment lies in.
pub fn minute_of(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros() - at.as_micros().rem_euclid(MINUTE_MICROS))
}

/// The refusals of the last minute that had any; the ones of earlier minutes are forgotten.
#[derive(Debug, Clone, Default)]
pub(super) struct RefusalCounts {
    minute: Timestamp,
    counts: OrdMap<(BudgetId, RefusalKind), u64>,
}

impl RefusalCounts {
    pub(super) fn minute(&self) -> Timestamp {
        self.minute
    }

    /// Whether a further refusal at that time is one too many.
    pub(super) fn is_loop(&self, budget_id: &BudgetId, kind: RefusalKind, at: Timestamp) -> bool {
        self.minute == minute_of(at)
            && self.counts.get(&(budget_id.clone(), kind)).is_some_and(|&count| count >= REFUSALS_PER_MINUTE)
    }

    /// Counts a refusal that is an event.
    pub(super) fn count(&mut self, budget_id: &BudgetId, kind: RefusalKind, at: Timestamp) {
        let minute = minute_of(at);
        if self.minute != minute {
            *self = RefusalCounts { minute, counts: OrdMap::new() };
        }
        *self.counts.entry((budget_id.clone(), kind)).or_default() += 1;
    }

    /// The counts of a snapshot, before any is taken in.
    pub(super) fn restored(minute: Timestamp) -> RefusalCounts {
        RefusalCounts { minute, counts: OrdMap::new() }
    }

    /// Takes in a count of a snapshot.
    pub(super) fn restore(&mut self, id: BudgetId, kind: RefusalKind, count: u64) -> Result<(), String> {
        match self.counts.insert((id, kind), count) {
            None => Ok(()),
            Some(_) => Err(format!("expected one count of {kind}, found another")),
        }
    }

    /// Forgets the counts of a budget that is forgotten: another may come to have its id.
    pub(super) fn forget(&mut self, budget_id: &BudgetId) {
        let of_it = |(of, _): &&(BudgetId, RefusalKind)| of == budget_id;
        let counted: Vec<_> = self.counts.keys().filter(of_it).cloned().collect();
        for key in &counted {
            self.counts.remove(key);
        }
    }

    /// The counts in the order of budget and kind.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&(BudgetId, RefusalKind), &u64)> {
        self.counts.iter()
    }
}

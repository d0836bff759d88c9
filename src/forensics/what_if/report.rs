//! What came of it, in figures.

use std::sync::Arc;

use super::divergence::{Difference, Divergence};
use crate::domain::StateHash;
use crate::ids::BudgetId;

/// How a history would have gone otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WhatIfReport {
    /// From where on it was decided again.
    pub from_seq: u64,
    /// The last event that was looked at; the one before `from_seq` when there was none.
    pub to_seq: u64,
    /// How many commands were decided again.
    pub commands: u64,
    /// How many of them would have come out otherwise.
    pub counts: DivergenceCounts,
    /// The first of them.
    pub first: Option<Divergence>,
    /// The first at which work would have stopped that went on.
    pub first_stop: Option<Divergence>,
    /// The budgets whose figures would be others, in the order of their ids, with those that were changed by name.
    pub budgets: Vec<BudgetComparison>,
    /// How many refusals there were of which the journal tells only their number: they were not tried again.
    pub untried_refusals: u64,
    /// How many spends had another amount by the table of prices.
    pub repriced: u64,
    /// How many spends kept their amount because a quantity of theirs has no price.
    pub unpriced: u64,
    /// The digest of the state after the last event.
    pub state_hash_then: StateHash,
    /// The digest of the state that would be there.
    pub state_hash_otherwise: StateHash,
}

/// How many commands would have come out otherwise, and how. See [`Difference`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DivergenceCounts {
    /// Refused, though they were done.
    pub refused: u64,
    /// Passed, though they were refused.
    pub passed: u64,
    /// Turns that would not have begun.
    pub stopped: u64,
    /// What could not have happened.
    pub impossible: u64,
    /// What would have been done already.
    pub needless: u64,
    /// Done all the same, with other consequences.
    pub otherwise: u64,
}

impl DivergenceCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        let DivergenceCounts { refused, passed, stopped, impossible, needless, otherwise } = self;
        refused + passed + stopped + impossible + needless + otherwise
    }
}

/// A budget at the end: as it was, and as it would be. Where it was forgotten meanwhile, as it was last.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BudgetComparison {
    /// The budget.
    pub budget_id: BudgetId,
    /// What is counted.
    pub unit: Arc<str>,
    /// Its limit; `None`: there was none.
    pub limit_then: Option<u128>,
    /// The limit that it would have.
    pub limit_otherwise: Option<u128>,
    /// What was spent of it for life, what was taken back left out.
    pub spent_then: u128,
    /// What would have been.
    pub spent_otherwise: u128,
    /// What of all that was spent for life passed its limit.
    pub overage_then: u128,
    /// What would have.
    pub overage_otherwise: u128,
}

impl BudgetComparison {
    /// Whether anything would be other.
    pub fn differs(&self) -> bool {
        self.limit_then != self.limit_otherwise
            || self.spent_then != self.spent_otherwise
            || self.overage_then != self.overage_otherwise
    }
}

/// What is counted on the way.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(super) commands: u64,
    pub(super) counts: DivergenceCounts,
    pub(super) first: Option<Divergence>,
    pub(super) first_stop: Option<Divergence>,
}

impl Tally {
    pub(super) fn count(&mut self, divergence: &Divergence) {
        let counts = &mut self.counts;
        *match divergence.difference {
            Difference::Refused(_) => &mut counts.refused,
            Difference::Passed { .. } => &mut counts.passed,
            Difference::Stopped(_) => &mut counts.stopped,
            Difference::Impossible(_) => &mut counts.impossible,
            Difference::Needless => &mut counts.needless,
            Difference::Otherwise { .. } => &mut counts.otherwise,
        } += 1;
        if self.first.is_none() {
            self.first = Some(divergence.clone());
        }
        if self.first_stop.is_none() && divergence.stops_work() {
            self.first_stop = Some(divergence.clone());
        }
    }
}

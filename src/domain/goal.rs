//! Goals: the record that the state keeps, and the [`Goal`] that readers see, put together from the record and the
//! goal's budget.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::Budget;
use crate::event::{GoalStatus, Meta, TransitionReason};
use crate::ids::{BudgetId, GoalId};

/// A goal as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Goal {
    /// Its id.
    pub id: GoalId,
    /// Where it lives: at most one goal of a scope is active.
    pub scope: Arc<str>,
    /// What is to be reached.
    pub text: Arc<str>,
    /// Its status.
    pub status: GoalStatus,
    /// Why it is paused; `None` unless it is.
    pub pause_reason: Option<TransitionReason>,
    /// The limit of its tokens; `None`: unlimited.
    pub token_budget: Option<u128>,
    /// Tokens used by it and by the goals below it: what is spent of its budget.
    pub tokens_used: u128,
    /// Tokens used by it alone.
    pub tokens_own: u128,
    /// Its own turns.
    pub turns_used: u64,
    /// The wall time of its own turns, in seconds.
    pub seconds_used: u64,
    /// The goal that it works for.
    pub parent_goal: Option<GoalId>,
    /// Further budgets that it names.
    pub budgets: Arc<[BudgetId]>,
    /// Moved by every change of status, and by nothing else: what compare-and-set compares.
    pub revision: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When anything of it changed last, usage below it included. No version: see [`revision`](Self::revision).
    pub updated_at: Timestamp,
    /// When it was completed or cleared.
    pub completed_at: Option<Timestamp>,
    /// The metadata that its creation carried.
    pub meta: Option<Meta>,
}

/// Which goals to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoalQuery {
    /// No more than so many.
    pub limit: usize,
    /// Only those created before this one. An id that is not known finds nothing.
    pub before: Option<GoalId>,
    /// Only those of this scope.
    pub scope: Option<Arc<str>>,
    /// Only those with this status.
    pub status: Option<GoalStatus>,
}

impl Default for GoalQuery {
    /// The newest hundred.
    fn default() -> GoalQuery {
        GoalQuery { limit: 100, before: None, scope: None, status: None }
    }
}

impl GoalQuery {
    /// The newest hundred, until told otherwise.
    pub fn new() -> GoalQuery {
        GoalQuery::default()
    }

    /// No more than so many.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> GoalQuery {
        self.limit = limit;
        self
    }

    /// Only those created before this one: the next page.
    #[must_use]
    pub fn before(mut self, goal_id: GoalId) -> GoalQuery {
        self.before = Some(goal_id);
        self
    }

    /// Only those of this scope.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<Arc<str>>) -> GoalQuery {
        self.scope = Some(scope.into());
        self
    }

    /// Only those with this status.
    #[must_use]
    pub fn status(mut self, status: GoalStatus) -> GoalQuery {
        self.status = Some(status);
        self
    }
}

/// What never changes of a goal; shared by all states that hold it.
#[derive(Debug)]
pub(super) struct GoalFacts {
    pub(super) id: GoalId,
    /// Greater than that of every remembered goal that was created before it: the order of listings.
    pub(super) ordinal: u64,
    pub(super) scope: Arc<str>,
    pub(super) text: Arc<str>,
    pub(super) parent_goal: Option<GoalId>,
    pub(super) budgets: Arc<[BudgetId]>,
    pub(super) created_at: Timestamp,
    pub(super) meta: Option<Meta>,
}

/// A goal without its budget.
#[derive(Debug, Clone)]
pub(super) struct GoalRecord {
    pub(super) facts: Arc<GoalFacts>,
    pub(super) status: GoalStatus,
    pub(super) pause_reason: Option<TransitionReason>,
    pub(super) tokens_own: u128,
    pub(super) turns_used: u64,
    pub(super) seconds_used: u64,
    pub(super) revision: u64,
    pub(super) updated_at: Timestamp,
    pub(super) completed_at: Option<Timestamp>,
}

impl GoalRecord {
    pub(super) fn id(&self) -> GoalId {
        self.facts.id
    }

    /// The goal as readers see it.
    pub(super) fn with_budget(&self, budget: &Budget) -> Goal {
        let facts = &*self.facts;
        Goal {
            id: facts.id,
            scope: facts.scope.clone(),
            text: facts.text.clone(),
            status: self.status,
            pause_reason: self.pause_reason,
            token_budget: budget.terms.limit,
            tokens_used: budget.spent,
            tokens_own: self.tokens_own,
            turns_used: self.turns_used,
            seconds_used: self.seconds_used,
            parent_goal: facts.parent_goal,
            budgets: facts.budgets.clone(),
            revision: self.revision,
            created_at: facts.created_at,
            updated_at: self.updated_at.max(budget.updated_at),
            completed_at: self.completed_at,
            meta: facts.meta.clone(),
        }
    }
}

/// Whether a goal may go from one status to another.
pub(super) fn is_legal(from: GoalStatus, to: GoalStatus) -> bool {
    match from {
        GoalStatus::Active => to != GoalStatus::Active,
        GoalStatus::Paused => to != GoalStatus::Paused,
        GoalStatus::Completed | GoalStatus::Cleared => false,
    }
}

//! The state: a value that is cheap to copy, with all that a decision or a reader looks at.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use uuid::Uuid;

use crate::domain::goal::GoalRecord;
use crate::domain::keys::Keys;
use crate::domain::leaf::Leaf;
use crate::domain::refusals::RefusalCounts;
use crate::domain::{Budget, Goal, GoalQuery, KeyWindow, StateHash, hash};
use crate::ids::{BudgetId, GoalId};

/// Goals, budgets and remembered keys, as of one moment. Copying it costs the same however much it holds: copies
/// share what they have in common.
///
/// It changes only by [`evolve`](crate::domain::evolve) (law FOLD).
#[derive(Clone, Default)]
pub struct State {
    pub(super) goals: OrdMap<GoalId, Arc<Leaf<GoalRecord>>>,
    pub(super) budgets: OrdMap<BudgetId, Arc<Leaf<Budget>>>,
    /// The active goal of each scope that has one.
    pub(super) active: OrdMap<Arc<str>, GoalId>,
    /// Parent and child, for every child that is not ended.
    pub(super) open_children: OrdSet<(GoalId, GoalId)>,
    /// The goals in the order of their creation.
    pub(super) created: OrdMap<u64, GoalId>,
    pub(super) keys: Keys,
    pub(super) refusals: RefusalCounts,
}

impl State {
    /// A goal.
    pub fn goal(&self, id: GoalId) -> Option<Goal> {
        self.view(self.record(id)?)
    }

    /// The active goal of a scope.
    pub fn active_goal(&self, scope: &str) -> Option<Goal> {
        self.goal(self.active_goal_id(scope)?)
    }

    /// The id of the active goal of a scope.
    pub fn active_goal_id(&self, scope: &str) -> Option<GoalId> {
        self.active.get(scope).copied()
    }

    /// The goals that a query asks for, newest first.
    pub fn list_goals(&self, query: &GoalQuery) -> Vec<Goal> {
        let end = match query.before.map(|id| self.record(id)) {
            None => Bound::Unbounded,
            Some(Some(before)) => Bound::Excluded(before.facts.ordinal),
            Some(None) => return Vec::new(),
        };
        self.created
            .range((Bound::Unbounded, end))
            .rev()
            .filter_map(|(_, &id)| self.record(id))
            .filter(|goal| query.scope.as_deref().is_none_or(|scope| *goal.facts.scope == *scope))
            .filter(|goal| query.status.is_none_or(|status| goal.status == status))
            .filter_map(|goal| self.view(goal))
            .take(query.limit)
            .collect()
    }

    /// All goals, in the order of their ids.
    pub fn goals(&self) -> impl Iterator<Item = Goal> + '_ {
        self.goals.values().filter_map(|goal| self.view(goal))
    }

    /// How many goals there are.
    pub fn goal_count(&self) -> usize {
        self.goals.len()
    }

    /// A budget.
    pub fn budget(&self, id: &BudgetId) -> Option<&Budget> {
        self.budgets.get(id).map(|leaf| &***leaf)
    }

    /// All budgets, in the order of their ids.
    pub fn budgets(&self) -> impl Iterator<Item = &Budget> + '_ {
        self.budgets.values().map(|leaf| &***leaf)
    }

    /// The window in which idempotency keys are remembered.
    pub fn key_window(&self) -> KeyWindow {
        self.keys.window()
    }

    /// How many idempotency keys are remembered.
    pub fn remembered_key_count(&self) -> usize {
        self.keys.len()
    }

    /// A digest of all that decides and all that is shown: equal states have equal hashes, on any machine. Only
    /// what changed since it was last asked is digested anew; the digests of all are then put together.
    pub fn state_hash(&self) -> StateHash {
        hash::state_hash(self)
    }

    /// A goal's record.
    pub(super) fn record(&self, id: GoalId) -> Option<&GoalRecord> {
        self.goals.get(&id).map(|leaf| &***leaf)
    }

    fn view(&self, goal: &GoalRecord) -> Option<Goal> {
        self.budget(&BudgetId::Goal(goal.id())).map(|budget| goal.with_budget(budget))
    }

    /// A budget and those above it, up to the root.
    pub(super) fn path(&self, from: &BudgetId) -> impl Iterator<Item = &Budget> {
        std::iter::successors(self.budget(from), |budget| {
            budget.parent.as_ref().and_then(|parent| self.budget(parent))
        })
    }

    /// A goal's ancestors, the nearest first.
    pub(super) fn ancestors(&self, goal: &GoalRecord) -> impl Iterator<Item = &GoalRecord> {
        let parent_of = |goal: &GoalRecord| goal.facts.parent_goal.and_then(|id| self.record(id));
        std::iter::successors(parent_of(goal), move |goal| parent_of(goal))
    }

    /// A goal's children that are not ended, in the order of their ids.
    pub(super) fn open_children(&self, parent: GoalId) -> impl Iterator<Item = &GoalRecord> {
        let all = (parent, GoalId(Uuid::nil()))..=(parent, GoalId(Uuid::max()));
        self.open_children.range(all).filter_map(|&(_, child)| self.record(child))
    }
}

impl fmt::Debug for State {
    /// Its size, not its contents: those can be listed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("goals", &self.goals.len())
            .field("budgets", &self.budgets.len())
            .field("remembered_keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

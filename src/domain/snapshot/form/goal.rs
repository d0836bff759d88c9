//! Goals.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::goal::{GoalFacts, GoalRecord};
use crate::domain::snapshot::intern::Interner;
use crate::event::value::Texts;
use crate::ids::BudgetId;

use super::values::{Amount, At, BudgetName, Goal, PauseReason, Status, Text};
use super::{First, PartName, read_meta};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::domain::snapshot) struct GoalForm<'a> {
    #[serde(rename = "part")]
    _part: PartName,
    #[serde(rename = "v")]
    _v: First,
    goal_id: Goal,
    ordinal: u64,
    #[serde(borrow)]
    scope: Text<'a>,
    text: Text<'a>,
    parent_goal: Option<Goal>,
    #[serde(borrow, default)]
    budgets: Vec<BudgetName<'a>>,
    status: Status,
    pause_reason: Option<PauseReason>,
    tokens_own: Amount,
    turns_used: u64,
    seconds_used: u64,
    revision: u64,
    created_at: At,
    updated_at: At,
    completed_at: Option<At>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
}

impl GoalForm<'_> {
    pub(in crate::domain::snapshot) fn goal(self, names: &mut Interner) -> Result<GoalRecord, String> {
        let budgets: Vec<BudgetId> = self.budgets.into_iter().map(|id| id.id(names)).collect();
        let facts = GoalFacts {
            id: self.goal_id.0,
            ordinal: self.ordinal,
            scope: names.text(&self.scope.0),
            text: (&*self.text.0).into(),
            parent_goal: self.parent_goal.map(|parent| parent.0),
            budgets: names.budgets(&budgets),
            created_at: self.created_at.0,
            meta: read_meta(self.meta)?,
        };
        Ok(GoalRecord {
            facts: Arc::new(facts),
            status: self.status.0,
            pause_reason: self.pause_reason.map(|reason| reason.0),
            tokens_own: self.tokens_own.0,
            turns_used: self.turns_used,
            seconds_used: self.seconds_used,
            revision: self.revision,
            updated_at: self.updated_at.0,
            completed_at: self.completed_at.map(|at| at.0),
        })
    }
}

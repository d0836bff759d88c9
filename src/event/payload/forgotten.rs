//! What leaves memory.

use crate::ids::{BudgetId, GoalId};

/// Goals that ended and budgets that closed long ago left memory; their events are in the journal as far back as it is
/// retained. What needs another (a goal its parent and the budgets that it names, a budget the one above it) comes before
/// it, in an event or an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedForgotten {
    /// The goals, each before its parent. The budget of a goal's tokens goes with it.
    pub goals: Vec<GoalId>,
    /// The budgets that are not a goal's, each before its parent.
    pub budgets: Vec<BudgetId>,
}

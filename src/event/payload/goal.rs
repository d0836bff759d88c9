//! What happens to goals.

use std::fmt;
use std::sync::Arc;

use crate::event::Charge;
use crate::ids::{BudgetId, GoalId};

/// A goal was created, and is active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoalCreated {
    /// The goal.
    pub goal_id: GoalId,
    /// Where it lives: at most one goal of a scope is active.
    pub scope: Arc<str>,
    /// What is to be reached.
    pub text: Arc<str>,
    /// The limit of its own token budget; `None`: unlimited.
    pub token_budget: Option<u128>,
    /// The goal that it works for, under whose budget its own hangs.
    pub parent_goal: Option<GoalId>,
    /// Further budgets that it names.
    pub budgets: Vec<BudgetId>,
    /// Who may widen its token budget; `None`: everyone.
    pub widen_by: Option<Arc<[Arc<str>]>>,
}

/// The status of a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GoalStatus {
    /// Being worked on.
    Active,
    /// Not being worked on, for now.
    Paused,
    /// Reached. Terminal.
    Completed,
    /// Given up. Terminal.
    Cleared,
}

impl GoalStatus {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            GoalStatus::Active => "active",
            GoalStatus::Paused => "paused",
            GoalStatus::Completed => "completed",
            GoalStatus::Cleared => "cleared",
        }
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<GoalStatus> {
        [GoalStatus::Active, GoalStatus::Paused, GoalStatus::Completed, GoalStatus::Cleared]
            .into_iter()
            .find(|status| status.name() == name)
    }

    /// Whether a goal stays in this status for ever.
    pub const fn is_terminal(self) -> bool {
        matches!(self, GoalStatus::Completed | GoalStatus::Cleared)
    }
}

impl fmt::Display for GoalStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a goal changed its status; of a paused goal, why it is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransitionReason {
    /// A command asked for it.
    Requested,
    /// Another goal of its scope became active.
    Superseded,
    /// A budget on its path, or one it names, is exhausted.
    BudgetExhausted,
    /// A command asked for it, because the work is blocked.
    Blocked,
    /// Its parent goal was paused, resumed or ended.
    Parent,
}

impl TransitionReason {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            TransitionReason::Requested => "requested",
            TransitionReason::Superseded => "superseded",
            TransitionReason::BudgetExhausted => "budget_exhausted",
            TransitionReason::Blocked => "blocked",
            TransitionReason::Parent => "parent",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<TransitionReason> {
        use TransitionReason::{Blocked, BudgetExhausted, Parent, Requested, Superseded};
        [Requested, Superseded, BudgetExhausted, Blocked, Parent]
            .into_iter()
            .find(|reason| reason.name() == name)
    }
}

impl fmt::Display for TransitionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A goal changed its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoalTransitioned {
    /// The goal.
    pub goal_id: GoalId,
    /// Its status before.
    pub from: GoalStatus,
    /// Its status now.
    pub to: GoalStatus,
    /// Why.
    pub reason: TransitionReason,
    /// The goal's revision now.
    pub revision: u64,
    /// The goal whose change brought this one about: the one that superseded it, or its parent.
    pub by_goal: Option<GoalId>,
    /// The exhausted budget that brought it about.
    pub budget_id: Option<BudgetId>,
    /// What the caller noted.
    pub note: Option<Arc<str>>,
}

/// The token budget of a goal was set, raised, lowered or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoalBudgetSet {
    /// The goal.
    pub goal_id: GoalId,
    /// The limit before; `None`: unlimited.
    pub previous: Option<u128>,
    /// The limit now; `None`: unlimited.
    pub token_budget: Option<u128>,
}

/// One or more turns were booked on a goal: cost that was incurred, whatever the limit (law EXACT).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnRecorded {
    /// The goal.
    pub goal_id: GoalId,
    /// Tokens used by these turns, booked at the goal's budget and at every one above it.
    pub tokens: u128,
    /// How many turns this event stands for: 1, or more where turns were added up while the inbox was full.
    pub turns: u64,
    /// Wall time used by these turns.
    pub seconds: u64,
    /// Whether the goal was no longer active.
    pub late: bool,
    /// What of these tokens passed the limit of each budget on the path, from the goal's own upwards; budgets within
    /// their limit are not named.
    pub overage: Vec<Charge>,
}

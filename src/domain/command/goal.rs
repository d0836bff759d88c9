//! Commands about goals.

use std::sync::Arc;

use crate::event::{Charge, GoalStatus};
use crate::ids::{BudgetId, GoalId};

/// Create a goal, active from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGoal {
    /// Its id; `None`: the engine makes one.
    pub goal_id: Option<GoalId>,
    /// What is to be reached.
    pub text: Arc<str>,
    /// Where it lives, at most 200 bytes without control characters; `None`: "" for a goal without a parent, the goal's own id for one with.
    pub scope: Option<Arc<str>>,
    /// The limit of its tokens; `None`: unlimited.
    pub token_budget: Option<u128>,
    /// The goal that it works for.
    pub parent_goal: Option<GoalId>,
    /// Further budgets that it names: while a hard one of them is exhausted, or one above them, it is not active. They
    /// have to exist; those of goals cannot be named.
    pub budgets: Vec<BudgetId>,
    /// Who may widen its token budget; `None`: everyone. See [`NewBudget::widen_by`](crate::NewBudget::widen_by).
    pub widen_by: Option<Vec<Arc<str>>>,
}

impl NewGoal {
    /// A goal with that text, in the scope "", without a limit.
    pub fn new(text: impl Into<Arc<str>>) -> NewGoal {
        NewGoal {
            goal_id: None,
            text: text.into(),
            scope: None,
            token_budget: None,
            parent_goal: None,
            budgets: Vec::new(),
            widen_by: None,
        }
    }

    /// With an id of the caller's.
    #[must_use]
    pub fn id(mut self, goal_id: GoalId) -> NewGoal {
        self.goal_id = Some(goal_id);
        self
    }

    /// In a scope.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<Arc<str>>) -> NewGoal {
        self.scope = Some(scope.into());
        self
    }

    /// With a limit of tokens.
    #[must_use]
    pub fn token_budget(mut self, limit: u128) -> NewGoal {
        self.token_budget = Some(limit);
        self
    }

    /// Under another goal.
    #[must_use]
    pub fn parent(mut self, parent_goal: GoalId) -> NewGoal {
        self.parent_goal = Some(parent_goal);
        self
    }

    /// Naming a further budget.
    #[must_use]
    pub fn budget(mut self, budget_id: impl Into<BudgetId>) -> NewGoal {
        self.budgets.push(budget_id.into());
        self
    }

    /// Whose token budget only these actors may widen.
    #[must_use]
    pub fn widen_by<A: Into<Arc<str>>>(mut self, actors: impl IntoIterator<Item = A>) -> NewGoal {
        self.widen_by = Some(actors.into_iter().map(Into::into).collect());
        self
    }
}

/// Move a goal to another status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionGoal {
    /// The goal.
    pub goal_id: GoalId,
    /// The status that it is to have.
    pub to: GoalStatus,
    /// Only if this is the goal's revision (compare-and-set).
    pub expected_revision: Option<u64>,
    /// Whether it is paused because the work is blocked; only together with [`GoalStatus::Paused`].
    pub blocked: bool,
    /// A note to keep with the change, of at most 1,000 characters.
    pub note: Option<Arc<str>>,
}

impl TransitionGoal {
    /// Moves the goal to that status, whatever its revision.
    pub fn new(goal_id: GoalId, to: GoalStatus) -> TransitionGoal {
        TransitionGoal { goal_id, to, expected_revision: None, blocked: false, note: None }
    }

    /// Only if this is the goal's revision.
    #[must_use]
    pub fn expected_revision(mut self, revision: u64) -> TransitionGoal {
        self.expected_revision = Some(revision);
        self
    }

    /// Because the work is blocked.
    #[must_use]
    pub fn blocked(mut self) -> TransitionGoal {
        self.blocked = true;
        self
    }

    /// With a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<Arc<str>>) -> TransitionGoal {
        self.note = Some(note.into());
        self
    }
}

/// Set, raise, lower or remove the limit of a goal's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetGoalBudget {
    /// The goal.
    pub goal_id: GoalId,
    /// The limit; `None`: unlimited.
    pub token_budget: Option<u128>,
    /// Whether a paused goal is resumed by the same command.
    pub resume: bool,
    /// Only if this is the goal's revision (compare-and-set).
    pub expected_revision: Option<u64>,
}

impl SetGoalBudget {
    /// Sets the limit, and leaves the status as it is unless the new limit is already reached.
    pub fn new(goal_id: GoalId, token_budget: Option<u128>) -> SetGoalBudget {
        SetGoalBudget { goal_id, token_budget, resume: false, expected_revision: None }
    }

    /// And resumes the goal, if it is paused.
    #[must_use]
    pub fn resume(mut self) -> SetGoalBudget {
        self.resume = true;
        self
    }

    /// Only if this is the goal's revision.
    #[must_use]
    pub fn expected_revision(mut self, revision: u64) -> SetGoalBudget {
        self.expected_revision = Some(revision);
        self
    }
}

/// Book one or more turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordTurn {
    /// Where they are booked.
    pub target: TurnTarget,
    /// What they used.
    pub turn: Turn,
}

impl RecordTurn {
    /// Books on a goal, whatever its status: what was used after its pause or end is booked as late.
    pub fn goal(goal_id: GoalId, turn: Turn) -> RecordTurn {
        RecordTurn { target: TurnTarget::Goal(goal_id), turn }
    }

    /// Books on the active goal of a scope; where none is active, nothing is written.
    pub fn scope(scope: impl Into<Arc<str>>, turn: Turn) -> RecordTurn {
        RecordTurn { target: TurnTarget::Scope(scope.into()), turn }
    }
}

/// Where a turn is booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnTarget {
    /// On that goal, whatever its status.
    Goal(GoalId),
    /// On the active goal of that scope, if there is one.
    Scope(Arc<str>),
}

/// What one or more turns of an agent used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Tokens.
    pub tokens: u128,
    /// Wall time, in seconds.
    pub seconds: u64,
    /// How many turns these figures are the sum of; at least 1.
    pub turns: u64,
    /// What was used of other budgets: cost that was incurred. They have to exist; those of goals cannot be charged by
    /// name.
    pub charges: Vec<Charge>,
}

impl Turn {
    /// One turn that used so many tokens.
    pub fn tokens(tokens: u128) -> Turn {
        Turn { tokens, seconds: 0, turns: 1, charges: Vec::new() }
    }

    /// That took so many seconds.
    #[must_use]
    pub fn seconds(mut self, seconds: u64) -> Turn {
        self.seconds = seconds;
        self
    }

    /// That are the sum of so many turns.
    #[must_use]
    pub fn turns(mut self, turns: u64) -> Turn {
        self.turns = turns;
        self
    }

    /// That also used so much of another budget.
    #[must_use]
    pub fn charge(mut self, budget_id: impl Into<BudgetId>, amount: u128) -> Turn {
        self.charges.push(Charge { budget_id: budget_id.into(), amount });
        self
    }
}

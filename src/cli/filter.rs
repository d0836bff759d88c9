//! Which events to print.

use clap::Args;
use clap::builder::PossibleValuesParser;
use tallybook::{BudgetId, ChangeEvent, GoalId, Payload};

/// Which events to print: those that every option given agrees to.
#[derive(Debug, Args)]
pub(super) struct FilterArguments {
    /// Only events of this kind.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(Payload::KINDS))]
    kind: Option<String>,
    /// Only events of this goal, of its token budget, or brought about by it.
    #[arg(long, value_name = "ID")]
    goal: Option<GoalId>,
    /// Only events of this budget; that of a goal's tokens is goal:<ID>.
    #[arg(long, value_name = "ID")]
    budget: Option<BudgetId>,
    /// Only events of commands of this session.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
}

impl FilterArguments {
    /// Whether every event is printed, so that none has to be read.
    pub(super) fn is_empty(&self) -> bool {
        let FilterArguments { kind, goal, budget, session } = self;
        kind.is_none() && goal.is_none() && budget.is_none() && session.is_none()
    }

    pub(super) fn matches(&self, event: &ChangeEvent) -> bool {
        let payload = &event.payload;
        self.kind.as_ref().is_none_or(|kind| payload.kind() == kind)
            && self.goal.is_none_or(|goal| is_of_goal(payload, goal))
            && self.budget.as_ref().is_none_or(|budget| is_of_budget(payload, budget))
            && self.session.as_ref().is_none_or(|session| event.session_id.as_deref() == Some(session))
    }
}

fn is_of_goal(payload: &Payload, goal: GoalId) -> bool {
    let is_its_budget = |budget: &BudgetId| *budget == BudgetId::Goal(goal);
    match payload {
        Payload::GoalCreated(created) => created.goal_id == goal,
        Payload::GoalTransitioned(change) => change.goal_id == goal || change.by_goal == Some(goal),
        Payload::GoalBudgetSet(set) => set.goal_id == goal,
        Payload::TurnRecorded(turn) => turn.goal_id == goal,
        Payload::BudgetExhausted(exhausted) => is_its_budget(&exhausted.budget_id),
        Payload::CommandRefused(refused) => {
            refused.goal_id == Some(goal) || is_its_budget(&refused.budget_id)
        }
        Payload::RefusalsSuppressed(suppressed) => is_its_budget(&suppressed.budget_id),
        _ => false,
    }
}

fn is_of_budget(payload: &Payload, budget: &BudgetId) -> bool {
    let is_of = |goal: GoalId| *budget == BudgetId::Goal(goal);
    match payload {
        Payload::GoalCreated(created) => is_of(created.goal_id) || created.budgets.contains(budget),
        Payload::GoalTransitioned(change) => change.budget_id.as_ref() == Some(budget),
        Payload::GoalBudgetSet(set) => is_of(set.goal_id),
        Payload::TurnRecorded(turn) => {
            is_of(turn.goal_id) || turn.overage.iter().any(|charge| charge.budget_id == *budget)
        }
        Payload::BudgetExhausted(exhausted) => exhausted.budget_id == *budget,
        Payload::CommandRefused(refused) => refused.budget_id == *budget,
        Payload::RefusalsSuppressed(suppressed) => suppressed.budget_id == *budget,
        _ => false,
    }
}

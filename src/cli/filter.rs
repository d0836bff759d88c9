//! Which events to print.

use clap::Args;
use clap::builder::PossibleValuesParser;
use tallybook::{BudgetId, Error, EventFilter, GoalId, Payload};

/// Which events to print: those that every option given agrees to. Of an option that is given more than once, any value
/// will do.
#[derive(Debug, Args)]
pub(super) struct FilterArguments {
    /// Only events of this kind.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(Payload::KINDS))]
    kind: Vec<String>,
    /// Only events of goals of this scope.
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Only events of this goal, of its token budget, charged on its turns, or brought about by it.
    #[arg(long, value_name = "ID")]
    goal: Vec<GoalId>,
    /// Only events of this budget, its spends and reservations; that of a goal's tokens is goal:<ID>.
    #[arg(long, value_name = "ID")]
    budget: Vec<BudgetId>,
    /// Only events of commands of this session.
    #[arg(long, value_name = "ID")]
    session: Vec<String>,
    /// Only events of the host's own of this name; these are of no scope, goal or budget.
    #[arg(long, value_name = "NAME")]
    event: Vec<String>,
}

impl FilterArguments {
    /// The budgets that are named, those of goals included; `None` where anything else is filtered by.
    pub(super) fn only_budgets(&self) -> Option<Vec<BudgetId>> {
        let FilterArguments { kind, scope, goal, budget, session, event } = self;
        let is_only = [kind, scope, session, event].iter().all(|values| values.is_empty());
        is_only.then(|| budget.iter().cloned().chain(goal.iter().copied().map(BudgetId::Goal)).collect())
    }

    pub(super) fn to_filter(&self) -> Result<EventFilter, Error> {
        let FilterArguments { kind, scope, goal, budget, session, event } = self;
        let filter = kind.iter().try_fold(EventFilter::new(), |filter, kind| filter.kind(kind))?;
        let filter = scope.iter().fold(filter, |filter, scope| filter.scope(scope.as_str()));
        let filter = goal.iter().fold(filter, |filter, goal| filter.goal(*goal));
        let filter = budget.iter().fold(filter, |filter, budget| filter.budget(budget.clone()));
        let filter = session.iter().fold(filter, |filter, session| filter.session(session.as_str()));
        Ok(event.iter().fold(filter, |filter, event| filter.event(event.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Options {
        #[command(flatten)]
        filter: FilterArguments,
    }

    #[test]
    fn every_option_becomes_a_part_of_the_filter() {
        let goal: GoalId = "0190b5a8-7b1c-7000-8000-000000000001".parse().unwrap();
        let id = goal.to_string();
        let options = [
            "events",
            "--kind",
            "goal_created",
            "--scope",
            "",
            "--scope",
            "s",
            "--goal",
            &id,
            "--budget",
            "b",
            "--session",
            "x",
            "--event",
            "tool_finished",
        ];
        let filter = Options::try_parse_from(options).unwrap().filter.to_filter().unwrap();
        let expected = EventFilter::new().kind("goal_created").unwrap().scope("").scope("s");
        assert_eq!(filter, expected.goal(goal).budget("b").session("x").event("tool_finished"));
        let none = Options::try_parse_from(["events"]).unwrap().filter.to_filter().unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn a_kind_that_nobody_knows_is_refused_with_those_that_are_known() {
        let error = Options::try_parse_from(["events", "--kind", "goal"]).map(drop).unwrap_err().to_string();
        assert!(error.contains("goal_created"), "{error}");
    }
}

//! Answers to queries: from the state after all commands that were handed over before, and from the journal where it
//! keeps what the state has forgotten.

use super::{Answer, Query, QueryResult, invalid};
use crate::domain::{Rejection, RejectionKind, State};
use crate::engine::{Blocking, CommandError};
use crate::ids::BudgetId;

impl Answer {
    /// Answers a query, once every command that was handed over before is decided.
    pub fn to_query(query: &Query, engine: &Blocking) -> Answer {
        match (query, find(query, engine)) {
            (_, Ok(found)) => Answer::Found(found),
            (Query::Check { .. }, Err(CommandError::Refused(refusal))) => Answer::CheckRefused(refusal),
            (_, Err(error)) => error.into(),
        }
    }
}

fn find(query: &Query, engine: &Blocking) -> Result<QueryResult, CommandError> {
    let view = engine.settled_view()?;
    Ok(match query {
        Query::Goal(id) => match view.goal(*id) {
            Some(goal) => QueryResult::Goal(Some(Box::new(goal))),
            None => return Err(none_such("goal_id", "goal", id).into()),
        },
        Query::ActiveGoal(scope) => QueryResult::Goal(view.active_goal(scope).map(Box::new)),
        Query::Goals(query) => {
            let is_there = query.before.is_none_or(|before| view.goal(before).is_some());
            expect(is_there, "before", "goal", &query.before)?;
            QueryResult::Goals(view.list_goals(query))
        }
        Query::Check { budget_id, amount } => QueryResult::Allowance(engine.check(budget_id, *amount)?),
        Query::Budget(id) => match view.budget_view(id) {
            Some(budget) => QueryResult::Budget(Box::new(budget)),
            None => return Err(none_such("budget_id", "budget", id).into()),
        },
        Query::Budgets(query) => {
            expect_budget(&view, "before", &query.before)?;
            expect_budget(&view, "parent", &query.parent)?;
            QueryResult::Budgets(view.list_budgets(query))
        }
        Query::Reservations(query) => {
            expect_budget(&view, "budget_id", &query.budget_id)?;
            let is_there = query.before.as_ref().is_none_or(|before| view.reservation(before).is_some());
            expect(is_there, "before", "reservation", &query.before)?;
            QueryResult::Reservations(view.list_reservations(query))
        }
        Query::Spends(query) => {
            expect_budget(&view, "budget_id", &query.budget_id)?;
            QueryResult::Spends(engine.list_spends(query)?)
        }
        Query::BurnRate { budget_id, span } => QueryResult::BurnRate(engine.burn_rate(budget_id, *span)?),
        Query::Meter(id) => {
            QueryResult::Meter { meter_id: id.clone(), meter: view.meter(id).cloned().map(Box::new) }
        }
        Query::Head => QueryResult::Head(view.head()),
    })
}

/// What a list is narrowed by, and the place that it goes on from, have to be there: otherwise a mistake would look like
/// an empty list, or its end.
fn expect(
    is_there: bool,
    field: &str,
    what: &str,
    id: &Option<impl std::fmt::Display>,
) -> Result<(), Rejection> {
    match id {
        Some(id) if !is_there => Err(none_such(field, what, id)),
        _ => Ok(()),
    }
}

fn expect_budget(state: &State, field: &str, id: &Option<BudgetId>) -> Result<(), Rejection> {
    expect(id.as_ref().is_none_or(|id| state.budget(id).is_some()), field, "budget", id)
}

fn none_such(field: &str, what: &str, id: &impl std::fmt::Display) -> Rejection {
    Rejection {
        kind: RejectionKind::NotFound,
        ..invalid(format!("{field}: expected the id of a {what}, found {id}, of which there is none"))
    }
}

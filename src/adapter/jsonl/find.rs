//! Answers to queries: from the state after all commands that were handed over before, and from the journal where it
//! keeps what the state has forgotten.

use std::fmt::Display;

use super::{Answer, Query, QueryResult, invalid};
use crate::domain::{Rejection, RejectionKind};
use crate::engine::{Blocking, CommandError, View};
use crate::ids::{BudgetId, GoalId};

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
            None => return Err(no_goal(&view, "goal_id", *id).into()),
        },
        Query::ActiveGoal(scope) => QueryResult::Goal(view.active_goal(scope).map(Box::new)),
        Query::Goals(query) => match query.before.filter(|before| view.goal(*before).is_none()) {
            Some(before) => return Err(no_goal(&view, "before", before).into()),
            None => QueryResult::Goals(view.list_goals(query)),
        },
        Query::Check { budget_id, amount } => QueryResult::Allowance(engine.check(budget_id, *amount)?),
        Query::Budget(id) => match view.budget_view(id) {
            Some(budget) => QueryResult::Budget(Box::new(budget)),
            None => return Err(no_budget(&view, "budget_id", id).into()),
        },
        Query::Budgets(query) => match query.before.as_ref().filter(|before| view.budget(before).is_none()) {
            Some(before) => return Err(no_budget(&view, "before", before).into()),
            None => QueryResult::Budgets(view.list_budgets(query)),
        },
        Query::Reservations(query) => {
            let is_there = query.before.as_ref().is_none_or(|before| view.reservation(before).is_some());
            expect(is_there, "reservation", &query.before)?;
            QueryResult::Reservations(view.list_reservations(query))
        }
        Query::Spends(query) => QueryResult::Spends(engine.list_spends(query)?),
        Query::BurnRate { budget_id, span } => QueryResult::BurnRate(engine.burn_rate(budget_id, *span)?),
        Query::Meter(id) => {
            QueryResult::Meter { meter_id: id.clone(), meter: view.meter(id).cloned().map(Box::new) }
        }
        Query::Head => QueryResult::Head(view.head()),
    })
}

fn no_goal(view: &View, field: &str, id: GoalId) -> Rejection {
    if view.is_goal_forgotten(id) { view.no_goal(id) } else { none_such(field, "goal", &id) }
}

fn no_budget(view: &View, field: &str, id: &BudgetId) -> Rejection {
    match id {
        BudgetId::Goal(goal) if view.is_goal_forgotten(*goal) => view.no_goal(*goal),
        _ => none_such(field, "budget", id),
    }
}

/// The place that a list goes on from has to be there: otherwise a mistake would look like its end.
fn expect(is_there: bool, what: &str, before: &Option<impl Display>) -> Result<(), Rejection> {
    match before {
        Some(before) if !is_there => Err(none_such("before", what, before)),
        _ => Ok(()),
    }
}

fn none_such(field: &str, what: &str, id: &impl Display) -> Rejection {
    Rejection {
        kind: RejectionKind::NotFound,
        ..invalid(format!("{field}: expected the id of a {what}, found {id}, of which there is none"))
    }
}

//! The operations that change nothing.

use std::sync::Arc;
use std::time::Duration;

use super::command;
use super::fields::{Fields, Value};
use super::op::Asked;
use crate::domain::{
    BudgetQuery, BudgetStatus, GoalQuery, Rejection, ReservationQuery, ReservationStatus, SpendQuery,
};
use crate::ids::{BudgetId, GoalId, MeterId};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Query {
    /// One goal.
    Goal(GoalId),
    /// The active goal of a scope.
    ActiveGoal(Arc<str>),
    /// A list of goals, newest first.
    Goals(GoalQuery),
    /// Whether so much could be spent of a budget now.
    Check {
        /// The budget.
        budget_id: BudgetId,
        /// How much.
        amount: u128,
    },
    /// One budget.
    Budget(BudgetId),
    /// A list of budgets, newest first.
    Budgets(BudgetQuery),
    /// A list of reservations, newest first.
    Reservations(ReservationQuery),
    /// A list of spends, newest first.
    Spends(SpendQuery),
    /// How fast a budget is spent.
    BurnRate {
        /// The budget.
        budget_id: BudgetId,
        /// Over how much time until now; `None`: its whole life.
        span: Option<Duration>,
    },
    /// One external meter.
    Meter(MeterId),
    /// Where the journal stands.
    Head,
}

pub(super) fn get_goal(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let goal_id = fields.require("goal_id", "a UUID")?.parse()?;
    Ok(Asked::Query(Query::Goal(goal_id)))
}

pub(super) fn active_goal(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let scope = fields.get("scope").map(Value::shared_string).transpose()?;
    Ok(Asked::Query(Query::ActiveGoal(scope.unwrap_or_default())))
}

pub(super) fn list_goals(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let query = GoalQuery {
        limit: limit(fields, GoalQuery::default().limit)?,
        before: fields.get("before").map(|value| value.parse()).transpose()?,
        scope: fields.get("scope").map(Value::shared_string).transpose()?,
        status: fields.get("status").map(|value| command::goal_status(&value)).transpose()?,
    };
    Ok(Asked::Query(Query::Goals(query)))
}

pub(super) fn check(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    Ok(Asked::Query(Query::Check { budget_id: fields.budget_id()?, amount: fields.amount()? }))
}

pub(super) fn get_budget(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    Ok(Asked::Query(Query::Budget(fields.budget_id()?)))
}

pub(super) fn list_budgets(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    const STATUSES: &str = "\"active\", \"exhausted\" or \"closed\"";
    let status = |value: Value<'_>| value.one_of(STATUSES, BudgetStatus::from_name);
    let query = BudgetQuery {
        limit: limit(fields, BudgetQuery::default().limit)?,
        before: fields.get("before").map(|value| value.parse()).transpose()?,
        parent: fields.get("parent").map(|value| value.parse()).transpose()?,
        unit: fields.get("unit").map(Value::shared_string).transpose()?,
        status: fields.get("status").map(status).transpose()?,
    };
    Ok(Asked::Query(Query::Budgets(query)))
}

pub(super) fn list_reservations(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    const STATUSES: &str = "\"open\", \"unknown\", \"settled\", \"released\" or \"expired\"";
    let status = |value: Value<'_>| value.one_of(STATUSES, ReservationStatus::from_name);
    let query = ReservationQuery {
        limit: limit(fields, ReservationQuery::default().limit)?,
        before: fields.get("before").map(|value| value.parse()).transpose()?,
        budget_id: fields.get("budget_id").map(|value| value.parse()).transpose()?,
        owner: fields.get("owner").map(Value::shared_string).transpose()?,
        status: fields.get("status").map(status).transpose()?,
    };
    Ok(Asked::Query(Query::Reservations(query)))
}

pub(super) fn list_spends(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let query = SpendQuery {
        limit: limit(fields, SpendQuery::default().limit)?,
        before: fields.get("before").map(|value| value.parse()).transpose()?,
        budget_id: fields.get("budget_id").map(|value| value.parse()).transpose()?,
    };
    Ok(Asked::Query(Query::Spends(query)))
}

pub(super) fn burn_rate(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let span_ms = fields.get("span_ms").map(|value| value.positive_count()).transpose()?;
    let budget_id = fields.budget_id()?;
    Ok(Asked::Query(Query::BurnRate { budget_id, span: span_ms.map(Duration::from_millis) }))
}

pub(super) fn get_meter(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    Ok(Asked::Query(Query::Meter(fields.meter_id()?)))
}

/// How many a list holds at most.
fn limit(fields: &Fields<'_>, default: usize) -> Result<usize, Rejection> {
    let limit = fields.get("limit").map(|value| value.count()).transpose()?;
    // A limit beyond the address space is as good as none.
    Ok(limit.map_or(default, |limit| usize::try_from(limit).unwrap_or(usize::MAX)))
}

pub(super) fn head(_: &Fields<'_>) -> Result<Asked, Rejection> {
    Ok(Asked::Query(Query::Head))
}

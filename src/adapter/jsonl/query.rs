//! The operations that change nothing.

use std::sync::Arc;

use super::fields::{Fields, Value};
use super::{Asked, command};
use crate::domain::{GoalQuery, Rejection};
use crate::ids::GoalId;

/// What is asked of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Query {
    /// One goal.
    Goal(GoalId),
    /// The active goal of a scope.
    ActiveGoal(Arc<str>),
    /// A list of goals, newest first.
    Goals(GoalQuery),
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
    let default = GoalQuery::default();
    let limit = fields.get("limit").map(|value| value.count()).transpose()?;
    let query = GoalQuery {
        // A limit beyond the address space is as good as none.
        limit: limit.map_or(default.limit, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        before: fields.get("before").map(|value| value.parse()).transpose()?,
        scope: fields.get("scope").map(Value::shared_string).transpose()?,
        status: fields.get("status").map(|value| command::status(&value)).transpose()?,
    };
    Ok(Asked::Query(Query::Goals(query)))
}

pub(super) fn head(_: &Fields<'_>) -> Result<Asked, Rejection> {
    Ok(Asked::Query(Query::Head))
}

//! The JSON of a goal.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::super::text::{MetaJson, Text};
use crate::domain::Goal;
use crate::event::TransitionReason;

/// A goal as JSON: amounts as strings, counters as integers, what is not there as null.
///
/// Only for `serde_json`: metadata are written as the bytes that they were given as.
#[derive(Debug, Clone, Copy)]
pub struct GoalJson<'a>(pub &'a Goal);

impl Serialize for GoalJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Goal {
            id,
            scope,
            text,
            status,
            pause_reason,
            token_budget,
            tokens_used,
            tokens_own,
            turns_used,
            seconds_used,
            parent_goal,
            budgets,
            revision,
            created_at,
            updated_at,
            completed_at,
            meta,
        } = self.0;
        let mut goal = serializer.serialize_struct("Goal", 17)?;
        goal.serialize_field("goal_id", &Text(id))?;
        goal.serialize_field("scope", &**scope)?;
        goal.serialize_field("text", &**text)?;
        goal.serialize_field("status", status.name())?;
        goal.serialize_field("pause_reason", &pause_reason.map(TransitionReason::name))?;
        goal.serialize_field("token_budget", &token_budget.map(Text))?;
        goal.serialize_field("tokens_used", &Text(tokens_used))?;
        goal.serialize_field("tokens_own", &Text(tokens_own))?;
        goal.serialize_field("turns_used", turns_used)?;
        goal.serialize_field("seconds_used", seconds_used)?;
        goal.serialize_field("parent_goal", &parent_goal.map(Text))?;
        goal.serialize_field("budgets", &budgets.iter().map(Text).collect::<Vec<_>>())?;
        goal.serialize_field("revision", revision)?;
        goal.serialize_field("created_at", &Text(created_at))?;
        goal.serialize_field("updated_at", &Text(updated_at))?;
        goal.serialize_field("completed_at", &completed_at.map(Text))?;
        goal.serialize_field("meta", &meta.as_ref().map(MetaJson))?;
        goal.end()
    }
}

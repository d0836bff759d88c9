//! Goals and turns.

use super::super::fields::{Fields, Value};
use super::super::invalid;
use super::super::op::Asked;
use super::widen_by;
use crate::domain::{NewGoal, RecordTurn, Rejection, SetGoalBudget, TransitionGoal, Turn, TurnTarget};
use crate::event::{Charge, GoalStatus};

pub(in super::super) fn create_goal(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let budgets = fields.get("budgets").map(|value| value.items()).transpose()?.unwrap_or_default();
    let goal = NewGoal {
        goal_id: fields.get("goal_id").map(|value| value.parse()).transpose()?,
        text: fields.require("text", "a string")?.shared_string()?,
        scope: fields.get("scope").map(Value::shared_string).transpose()?,
        token_budget: fields.get("token_budget").map(|value| value.amount()).transpose()?,
        parent_goal: fields.get("parent_goal").map(|value| value.parse()).transpose()?,
        budgets: budgets.iter().map(Value::parse).collect::<Result<_, _>>()?,
        widen_by: widen_by(fields)?,
    };
    Ok(Asked::Command(goal.into()))
}

pub(in super::super) fn transition_goal(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let blocked = |name: &str| (name == "blocked").then_some(());
    let transition = TransitionGoal {
        goal_id: fields.require("goal_id", "a UUID")?.parse()?,
        to: status(&fields.require("to", STATUSES)?)?,
        expected_revision: fields.get("expected_revision").map(|value| value.count()).transpose()?,
        blocked: fields
            .get("reason")
            .map(|value| value.one_of("\"blocked\"", blocked))
            .transpose()?
            .is_some(),
        note: fields.get("note").map(Value::shared_string).transpose()?,
    };
    Ok(Asked::Command(transition.into()))
}

pub(in super::super) fn set_goal_budget(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let set = SetGoalBudget {
        goal_id: fields.require("goal_id", "a UUID")?.parse()?,
        token_budget: fields.require("token_budget", "an amount, or null for no limit")?.amount_or_null()?,
        resume: fields.get("resume").map(|value| value.boolean()).transpose()?.unwrap_or(false),
        expected_revision: fields.get("expected_revision").map(|value| value.count()).transpose()?,
    };
    Ok(Asked::Command(set.into()))
}

pub(in super::super) fn record_turn(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let charges = fields.get("charges").map(|value| value.items()).transpose()?.unwrap_or_default();
    let turn = Turn {
        tokens: fields.require("tokens", "an amount")?.amount()?,
        seconds: fields.get("seconds").map(|value| value.count()).transpose()?.unwrap_or(0),
        turns: 1,
        charges: charges.iter().map(charge).collect::<Result<_, _>>()?,
    };
    let target = match (fields.get("goal_id"), fields.get("scope")) {
        (Some(_), Some(_)) => return Err(invalid("expected goal_id or scope, found both")),
        (Some(goal_id), None) => TurnTarget::Goal(goal_id.parse()?),
        (None, scope) => TurnTarget::Scope(scope.map(Value::shared_string).transpose()?.unwrap_or_default()),
    };
    Ok(Asked::Command(RecordTurn { target, turn }.into()))
}

fn charge(value: &Value<'_>) -> Result<Charge, Rejection> {
    let fields = value.object(&["budget_id", "amount"])?;
    Ok(Charge {
        budget_id: fields.require("budget_id", "a budget id")?.parse()?,
        amount: fields.require("amount", "an amount")?.amount()?,
    })
}

const STATUSES: &str = "\"active\", \"paused\", \"completed\" or \"cleared\"";

pub(in super::super) fn status(value: &Value<'_>) -> Result<GoalStatus, Rejection> {
    value.one_of(STATUSES, GoalStatus::from_name)
}

//! Budgets as a whole.

use super::super::fields::{Fields, Value};
use super::super::op::Asked;
use super::widen_by;
use crate::domain::{AdjustBudget, CloseBudget, Limit, NewBudget, Rejection, SetProgress};
use crate::event::{Fraction, Window};

pub(in super::super) fn allocate(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let budget = NewBudget {
        unit: match fields.get("unit") {
            Some(unit) => unit.shared_string()?,
            None => NewBudget::DEFAULT_UNIT.into(),
        },
        limit: match fields.get_or_null("limit").map(|limit| limit.amount_or_null()).transpose()? {
            None | Some(Some(0)) => Limit::Default,
            Some(None) => Limit::Unlimited,
            Some(Some(limit)) => Limit::Of(limit),
        },
        parent: fields.get("parent").map(|value| value.parse()).transpose()?,
        hard: fields.get("hard").map(|value| value.boolean()).transpose()?.unwrap_or(true),
        thresholds: thresholds(fields)?,
        window: fields.get("window").map(|value| window(&value)).transpose()?,
        widen_by: widen_by(fields)?,
        ..NewBudget::new(fields.budget_id()?)
    };
    Ok(Asked::Command(budget.into()))
}

pub(in super::super) fn adjust_budget(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let adjust = AdjustBudget {
        budget_id: fields.budget_id()?,
        limit: fields.get_or_null("limit").map(|limit| limit.amount_or_null()).transpose()?,
        hard: fields.get("hard").map(|value| value.boolean()).transpose()?,
        thresholds: thresholds(fields)?,
        window: fields.get_or_null("window").map(|value| value.or_null(window)).transpose()?,
    };
    Ok(Asked::Command(adjust.into()))
}

pub(in super::super) fn set_progress(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let expected = "a number from 0 to 1";
    let progress = fields.require("progress", expected)?;
    let set = SetProgress {
        budget_id: fields.budget_id()?,
        progress: progress
            .number()
            .and_then(Fraction::from_f64)
            .ok_or_else(|| progress.unexpected(expected))?,
    };
    Ok(Asked::Command(set.into()))
}

pub(in super::super) fn close_budget(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let with_children = |name: &str| match name {
        "refuse" => Some(false),
        "close" => Some(true),
        _ => None,
    };
    let children = fields.get("children");
    let close = CloseBudget {
        budget_id: fields.budget_id()?,
        with_children: children
            .map(|value| value.one_of("\"refuse\" or \"close\"", with_children))
            .transpose()?
            .unwrap_or(false),
    };
    Ok(Asked::Command(close.into()))
}

fn thresholds(fields: &Fields<'_>) -> Result<Option<Vec<Fraction>>, Rejection> {
    let items = fields.get("thresholds").map(|value| value.items()).transpose()?;
    items.map(|items| items.iter().map(threshold).collect()).transpose()
}

fn threshold(value: &Value<'_>) -> Result<Fraction, Rejection> {
    value
        .number()
        .and_then(Fraction::from_f64)
        .filter(|&threshold| threshold > Fraction::ZERO)
        .ok_or_else(|| value.unexpected("a fraction of the limit, a number from 0.000001 to 1"))
}

fn window(value: &Value<'_>) -> Result<Window, Rejection> {
    let fields = value.object(&["every", "anchor", "tz"])?;
    Ok(Window {
        every: fields.require("every", "hour, day, week, month or an ISO 8601 duration")?.shared_string()?,
        anchor: fields.get("anchor").map(|value| value.parse_timestamp()).transpose()?,
        tz: fields.get("tz").map(Value::shared_string).transpose()?,
    })
}

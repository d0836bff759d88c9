//! Making a budget.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::decide::{admission, find_budget, limits, refuse};
use crate::domain::window::span_at;
use crate::domain::{
    Context, DEFAULT_THRESHOLDS, Decision, Limit, NewBudget, Rejection, RejectionKind, Rules, State,
};
use crate::event::{BudgetAllocated, BudgetTerms, Payload, RefusalKind, Span, Window};
use crate::ids::BudgetId;

pub(super) fn decide(state: &State, new: &NewBudget, context: &Context<'_>) -> Result<Decision, Rejection> {
    let id = &new.budget_id;
    limits::check_budget_name("budget_id", id)?;
    limits::check_id("unit", &new.unit)?;
    let terms = BudgetTerms {
        limit: limit(new.limit, context.rules)?,
        hard: new.hard,
        thresholds: match &new.thresholds {
            Some(thresholds) => limits::check_thresholds(thresholds)?,
            None => DEFAULT_THRESHOLDS.clone(),
        },
        window: new.window.clone().map(Arc::new),
    };
    let widen_by = limits::check_actors(new.widen_by.as_deref())?;
    let span = current_span(terms.window.as_deref(), context.now)?;
    let parent = new.parent.as_ref().map(|parent| check_parent(state, new, parent)).transpose()?;
    if state.budget(id).is_some() {
        return Err(Rejection::new(RejectionKind::Exists, format!("there is a budget {id} already")));
    }
    if let Some(closed) = parent.filter(|parent| parent.is_closed()) {
        return Ok(refuse(
            state,
            context,
            admission::about("allocate", RefusalKind::BudgetClosed, closed, 0),
        ));
    }
    Ok(Decision::Events(vec![Payload::BudgetAllocated(BudgetAllocated {
        budget_id: id.clone(),
        unit: new.unit.clone(),
        parent: new.parent.clone(),
        terms,
        span,
        widen_by,
    })]))
}

fn limit(limit: Limit, rules: &Rules) -> Result<Option<u128>, Rejection> {
    match (limit, rules.default_limit) {
        (Limit::Unlimited, _) => Ok(None),
        (Limit::Of(limit), _) if limit > 0 => Ok(Some(limit)),
        (_, Some(default)) => Ok(Some(default)),
        (_, None) => Err(Rejection::invalid(
            "limit: expected more than 0, or null for no limit, since there is no default limit; found none",
        )),
    }
}

/// A budget hangs under one that was there before it, so there are no cycles; units agree along a path.
fn check_parent<'a>(
    state: &'a State,
    new: &NewBudget,
    parent: &BudgetId,
) -> Result<&'a crate::domain::Budget, Rejection> {
    limits::check_budget_name("parent", parent)?;
    if *parent == new.budget_id {
        return Err(Rejection::invalid(format!("parent: expected another budget, found {parent} itself")));
    }
    let parent = find_budget(state, parent)?;
    if parent.unit != new.unit {
        return Err(Rejection::invalid(format!(
            "unit: expected {:?}, the unit of budget {} above it, found {:?}",
            parent.unit, parent.id, new.unit
        )));
    }
    Ok(parent)
}

/// The window that a moment lies in, where there are windows.
pub(super) fn current_span(window: Option<&Window>, now: Timestamp) -> Result<Option<Span>, Rejection> {
    let span = window.map(|window| span_at(window, now)).transpose();
    span.map_err(|error| Rejection::invalid(error.to_string()))
}

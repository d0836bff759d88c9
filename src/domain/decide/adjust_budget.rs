//! Changing how a budget is limited, and who may.

use std::sync::Arc;

use crate::domain::decide::allocate::current_span;
use crate::domain::decide::authority::{self, may_widen};
use crate::domain::decide::booking::{draft_crossings, draft_exhaustion};
use crate::domain::decide::draft::Draft;
use crate::domain::decide::{admission, find_budget, limits, refuse};
use crate::domain::{
    AdjustBudget, Budget, Context, Decision, Outcome, Rejection, Request, SetProgress, State,
};
use crate::event::{
    BudgetAdjusted, BudgetTerms, CommandRefused, Fraction, Payload, ProgressSet, RefusalKind,
};
use crate::ids::BudgetId;

pub(super) fn decide(
    state: &State,
    request: &Request,
    adjust: &AdjustBudget,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    let id = &adjust.budget_id;
    limits::check_budget_id("budget_id", id)?;
    check_goals_own(adjust)?;
    let thresholds = adjust.thresholds.as_deref().map(limits::check_thresholds).transpose()?;
    if let Some(Some(window)) = &adjust.window {
        current_span(Some(window), context.now)?;
    }
    let budget = find_budget(state, id)?;
    let terms = BudgetTerms {
        limit: adjust.limit.unwrap_or(budget.terms.limit),
        hard: adjust.hard.unwrap_or(budget.terms.hard),
        thresholds: thresholds.unwrap_or_else(|| budget.terms.thresholds.clone()),
        window: match &adjust.window {
            Some(window) => window.clone().map(Arc::new),
            None => budget.terms.window.clone(),
        },
    };
    if budget.is_closed() {
        let refused = admission::about("adjust_budget", RefusalKind::BudgetClosed, budget, asked(&terms));
        return Ok(refuse(state, context, refused));
    }
    if terms == budget.terms {
        return Ok(Decision::Unchanged(Outcome::Budget(id.clone())));
    }
    if let Some(refused) = forbidden(request, budget, &terms) {
        return Ok(refuse(state, context, refused));
    }
    let span = match terms.window == budget.terms.window {
        true => budget.span,
        false => current_span(terms.window.as_deref(), context.now)?,
    };
    let mut draft = Draft::new(state);
    draft.push(Payload::BudgetAdjusted(BudgetAdjusted {
        budget_id: id.clone(),
        previous: budget.terms.clone(),
        terms: terms.clone(),
        span,
    }));
    draft_consequences(&mut draft, budget, &terms);
    Ok(draft.finish())
}

/// What would follow if a budget had other terms from now on, whoever may widen it: nothing that anybody asked for, but what
/// is looked at when a history is decided again. The window stays. Nothing where there is no such budget.
pub(crate) fn impose_terms(state: &State, id: &BudgetId, terms: BudgetTerms) -> Vec<Payload> {
    let Some(budget) = state.budget(id) else { return Vec::new() };
    let mut draft = Draft::new(state);
    draft.push(Payload::BudgetAdjusted(BudgetAdjusted {
        budget_id: id.clone(),
        previous: budget.terms.clone(),
        terms: terms.clone(),
        span: budget.span,
    }));
    draft_consequences(&mut draft, budget, &terms);
    match draft.finish() {
        Decision::Events(events) => events,
        _ => Vec::new(),
    }
}

/// What the budget of a goal cannot be: its usage is the goal's, for life, and a goal without any tokens is none.
fn check_goals_own(adjust: &AdjustBudget) -> Result<(), Rejection> {
    match (&adjust.budget_id, &adjust.window, adjust.limit) {
        (BudgetId::Goal(_), Some(Some(_)), _) => Err(Rejection::invalid(
            "window: expected none, since the budget of a goal counts for life; found one",
        )),
        (BudgetId::Goal(_), _, Some(Some(0))) => Err(Rejection::invalid(
            "limit: expected more than 0 for the budget of a goal, or null for no limit, found 0",
        )),
        _ => Ok(()),
    }
}

/// Drafts what follows from new terms: thresholds, armed again by them, that are reached already; a limit that is
/// reached now, or that has become a hard one.
pub(super) fn draft_consequences<'a>(draft: &mut Draft<'a>, budget: &'a Budget, terms: &BudgetTerms) {
    let is_armed_again = terms.limit != budget.terms.limit || terms.thresholds != budget.terms.thresholds;
    let crossed = if is_armed_again { 0 } else { budget.crossed };
    draft_crossings(draft, &budget.id, terms, crossed, budget.spent);
    if !budget.is_exhausted() || (terms.hard && !budget.terms.hard) {
        draft_exhaustion(draft, budget, terms, budget.spent);
    }
}

/// Whoever is not named may not widen a budget.
pub(super) fn forbidden(request: &Request, budget: &Budget, terms: &BudgetTerms) -> Option<CommandRefused> {
    let what = if may_widen(request, budget) { None } else { widened(&budget.terms, terms) }?;
    Some(authority::forbidden(request, budget, asked(terms), what))
}

/// What widens a budget, if anything does.
fn widened(before: &BudgetTerms, after: &BudgetTerms) -> Option<&'static str> {
    let is_raised = match (before.limit, after.limit) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(before), Some(after)) => after > before,
    };
    match () {
        () if is_raised => Some("raise the limit of"),
        () if before.hard && !after.hard => Some("soften the limit of"),
        () if alerts_later(&before.thresholds, &after.thresholds) => Some("move up the thresholds of"),
        // A shorter window gives more in the same time, a longer one more at once, none or another start both.
        () if before.window != after.window => Some("change the window of"),
        () => None,
    }
}

/// Whether up to some threshold fewer alerts are left than there were.
fn alerts_later(before: &[Fraction], after: &[Fraction]) -> bool {
    let up_to = |all: &[Fraction], threshold| all.partition_point(|&other| other <= threshold);
    before.iter().any(|&threshold| up_to(after, threshold) < up_to(before, threshold))
}

/// The limit that was asked for, as a refusal shows it.
fn asked(terms: &BudgetTerms) -> u128 {
    terms.limit.unwrap_or(0)
}

pub(super) fn set_progress(
    state: &State,
    set: &SetProgress,
    context: &Context<'_>,
) -> Result<Decision, Rejection> {
    limits::check_budget_id("budget_id", &set.budget_id)?;
    let budget = find_budget(state, &set.budget_id)?;
    if budget.is_closed() {
        let refused = admission::about("set_progress", RefusalKind::BudgetClosed, budget, 0);
        return Ok(refuse(state, context, refused));
    }
    if budget.progress == Some(set.progress) {
        return Ok(Decision::Unchanged(Outcome::Budget(set.budget_id.clone())));
    }
    let SetProgress { budget_id, progress } = set.clone();
    Ok(Decision::Events(vec![Payload::ProgressSet(ProgressSet { budget_id, progress })]))
}

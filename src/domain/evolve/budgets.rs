//! Budgets as such: their making, their terms, their windows, their end, and what is told of their figures.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::budget::overage;
use crate::domain::evolve::{
    agree, change_budget, find_budget, need_budget, no_budget, spends, touch_budget,
};
use crate::domain::slots::Slot;
use crate::domain::state::Due;
use crate::domain::{Budget, BudgetExtras, BudgetFacts, Closing, State};
use crate::event::{
    BudgetAdjusted, BudgetAllocated, BudgetClosed, BudgetExhausted, BudgetTerms, ChangeEvent, Fraction,
    ProgressSet, Span, ThresholdCrossed, WindowRolled,
};
use crate::ids::{BudgetId, ReservationId};
use crate::planted::{Bug, planted};

/// What is said of a new budget.
pub(super) fn facts(event: &ChangeEvent, id: BudgetId, unit: Arc<str>, terms: BudgetTerms) -> BudgetFacts {
    BudgetFacts {
        id,
        unit,
        parent: None,
        terms,
        created_at: event.ts,
        made_seq: event.seq,
        extras: BudgetExtras::default().shared(),
    }
}

/// Takes in a new budget. Its slot.
pub(super) fn insert(state: &mut State, facts: BudgetFacts) -> Result<Slot, String> {
    let id = facts.id.clone();
    if state.budgets.slot(&id).is_some() {
        return Err(format!("expected a new budget, but budget {id} exists"));
    }
    let mut above = None;
    if let Some(parent_id) = &facts.parent {
        let parent = find_budget(state, parent_id)?;
        if parent.is_closed() {
            return Err(format!("expected budget {parent_id} above it to be open, found it closed"));
        }
        agree(format_args!("the unit of budget {parent_id} above it"), &facts.unit, &parent.unit)?;
        need_budget(state, parent_id)?;
        above = state.budgets.slot(parent_id);
    }
    move_roll(state, &id, None, facts.span);
    let slot = state.budgets.insert(Budget::new(facts));
    let slot = slot.ok_or_else(|| format!("expected a slot for budget {id}, found none"))?;
    if let (Some(above), BudgetId::Named(_)) = (above, &id) {
        state.budgets_below.insert((above, slot));
    }
    Ok(slot)
}

pub(super) fn allocated(
    state: &mut State,
    event: &ChangeEvent,
    made: &BudgetAllocated,
) -> Result<(), String> {
    let id = &made.budget_id;
    if let Some(reserved) = [Some(id), made.parent.as_ref()].into_iter().flatten().find(|id| is_goals(id)) {
        return Err(format!("expected no budget of a goal, found {reserved}"));
    }
    check_thresholds(&made.terms.thresholds)?;
    check_span(&made.terms, made.span, event.ts)?;
    let extras = BudgetExtras {
        span: made.span,
        widen_by: made.widen_by.clone(),
        meta: event.meta.clone(),
        ..BudgetExtras::default()
    };
    let facts = BudgetFacts {
        parent: made.parent.clone(),
        extras: extras.shared(),
        ..facts(event, id.clone(), made.unit.clone(), made.terms.clone())
    };
    insert(state, facts).map(|_| ())
}

pub(super) fn adjusted(state: &mut State, ts: Timestamp, adjusted: &BudgetAdjusted) -> Result<(), String> {
    let BudgetAdjusted { budget_id: id, previous, terms, span } = adjusted;
    check_thresholds(&terms.thresholds)?;
    let budget = change_budget(state, id)?;
    check_open(budget)?;
    agree(format_args!("the previous terms of budget {id}"), previous, &budget.terms)?;
    if terms.window == previous.window {
        agree(format_args!("the window of budget {id}"), span, &budget.span)?;
    } else if is_goals(id) {
        return Err(format!("expected no window for budget {id}, found {:?}", terms.window));
    } else {
        check_span(terms, *span, ts)?;
    }
    set_terms(budget, terms.clone());
    let ended = budget.span;
    if ended != *span {
        budget.extras_mut().span = *span;
    }
    budget.updated_at = ts;
    move_roll(state, id, ended, *span);
    Ok(())
}

/// Gives a budget other terms. A change of the limit or of the thresholds arms the thresholds again.
pub(super) fn set_terms(budget: &mut Budget, terms: BudgetTerms) {
    if terms.limit != budget.terms.limit || terms.thresholds != budget.terms.thresholds {
        budget.crossed = 0;
    }
    budget.facts_mut().terms = terms;
}

pub(super) fn progress_set(state: &mut State, ts: Timestamp, set: &ProgressSet) -> Result<(), String> {
    let budget = change_budget(state, &set.budget_id)?;
    check_open(budget)?;
    budget.extras_mut().progress = Some(set.progress);
    budget.updated_at = ts;
    Ok(())
}

pub(super) fn closed(state: &mut State, ts: Timestamp, closed: &BudgetClosed) -> Result<(), String> {
    let BudgetClosed { budget_id: id, by_budget, released } = closed;
    if is_goals(id) {
        return Err(format!("expected budget {id} to end with its goal, found it closed by itself"));
    }
    check_nothing_held(state, id)?;
    check_by_budget(state, id, by_budget.as_ref())?;
    if let Some(open) = state.budgets_below(id).find(|below| !below.is_closed()) {
        return Err(format!("expected the budgets below budget {id} to be closed, found {} open", open.id));
    }
    let gone = state.releasing.remove(id).unwrap_or_default();
    if !is_same_set(released, &gone) {
        return Err(format!("expected budget {id} to name what was released, {gone:?}, found {released:?}"));
    }
    if let Some(top) = by_budget {
        state.releasing.entry(top.clone()).or_default().extend(gone);
    }
    check_open(find_budget(state, id)?)?;
    close(state, id, Closing { at: ts, released: released.as_slice().into() })
}

/// Closes a budget: it has no windows to roll any more, and may be forgotten some day.
pub(super) fn close(state: &mut State, id: &BudgetId, closing: Closing) -> Result<(), String> {
    let budget = touch_budget(state, id, closing.at)?;
    budget.extras_mut().closing = Some(Arc::new(closing));
    let span = budget.span;
    let budget = state.budgets.get(id).ok_or_else(|| no_budget(id))?;
    state.endings.closed(budget);
    move_roll(state, id, span, None);
    Ok(())
}

/// The budget whose closing closes this one stands above it, and is closed after it.
fn check_by_budget(state: &State, id: &BudgetId, by_budget: Option<&BudgetId>) -> Result<(), String> {
    let Some(top) = by_budget else { return Ok(()) };
    match state.path(id).skip(1).find(|above| above.id == *top) {
        Some(above) if !above.is_closed() => Ok(()),
        _ => Err(format!("expected budget {top} to be an open one above budget {id}, found none such")),
    }
}

fn is_same_set(left: &[ReservationId], right: &[ReservationId]) -> bool {
    let sorted = |ids: &[ReservationId]| {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids
    };
    left == right || sorted(left) == sorted(right)
}

pub(super) fn rolled(state: &mut State, event: &ChangeEvent, rolled: &WindowRolled) -> Result<(), String> {
    let WindowRolled { budget_id: id, ended, spent, span } = rolled;
    let budget = change_budget(state, id)?;
    check_open(budget)?;
    agree(format_args!("the window of budget {id}"), &Some(*ended), &budget.span)?;
    agree(format_args!("what is spent of budget {id}"), spent, &budget.spent)?;
    if event.ts < ended.end || span.start < ended.end {
        return Err(format!("expected a roll of budget {id} after {ended:?}, found one to {span:?}"));
    }
    check_span(&budget.terms, Some(*span), event.ts)?;
    budget.spent = 0;
    budget.crossed = 0;
    let extras = budget.extras_mut();
    extras.span = Some(*span);
    extras.rolled_seq = event.seq;
    budget.updated_at = event.ts;
    move_roll(state, id, Some(*ended), Some(*span));
    Ok(())
}

/// Changes nothing: a budget is exhausted when its figures say so. But the figures must say so.
pub(super) fn exhausted(
    state: &mut State,
    event: &ChangeEvent,
    exhausted: &BudgetExhausted,
) -> Result<(), String> {
    let id = &exhausted.budget_id;
    let budget = find_budget(state, id)?;
    let (limit, spent) = (budget.terms.limit, budget.spent);
    if limit != Some(exhausted.limit) || spent != exhausted.spent || !budget.is_exhausted() {
        return Err(format!(
            "expected budget {id} to have spent {} of {}, found {spent} of {limit:?}",
            exhausted.spent, exhausted.limit
        ));
    }
    agree(format_args!("the overage of budget {id}"), &exhausted.overage, &overage(limit, spent))?;
    agree(format_args!("`hard` of budget {id}"), &exhausted.hard, &budget.terms.hard)?;
    spends::followed(state, event);
    Ok(())
}

/// Thresholds are crossed in their order, each when what is spent has reached it.
pub(super) fn threshold_crossed(
    state: &mut State,
    event: &ChangeEvent,
    crossed: &ThresholdCrossed,
) -> Result<(), String> {
    let ThresholdCrossed { budget_id: id, threshold, limit, spent } = crossed;
    let budget = touch_budget(state, id, event.ts)?;
    agree(format_args!("the limit of budget {id}"), &Some(*limit), &budget.terms.limit)?;
    agree(format_args!("what is spent of budget {id}"), spent, &budget.spent)?;
    let next = budget.terms.thresholds.get(budget.crossed).copied();
    if planted(Bug::ThresholdToldTwice) {
        return Ok(());
    }
    agree(format_args!("the next threshold of budget {id}"), &Some(*threshold), &next)?;
    if *spent < threshold.of(*limit) {
        return Err(format!("expected budget {id} to have reached {threshold} of {limit}, found {spent}"));
    }
    budget.crossed += 1;
    spends::followed(state, event);
    Ok(())
}

/// Keeps what is due: open budgets with windows roll when their windows end.
pub(in crate::domain) fn move_roll(state: &mut State, id: &BudgetId, from: Option<Span>, to: Option<Span>) {
    if let Some(span) = from {
        state.deadlines.remove(&(span.end, Due::Roll(id.clone())));
    }
    if let Some(span) = to.filter(|&span| !never_ends(span)) {
        state.deadlines.insert((span.end, Due::Roll(id.clone())));
    }
}

/// A window that is cut by the end of time contains that moment, too.
fn never_ends(span: Span) -> bool {
    span.end == Timestamp::MAX
}

pub(super) fn is_goals(id: &BudgetId) -> bool {
    matches!(id, BudgetId::Goal(_))
}

pub(super) fn check_open(budget: &Budget) -> Result<(), String> {
    match budget.is_closed() {
        false => Ok(()),
        true => Err(format!("expected budget {} to be open, found it closed", budget.id)),
    }
}

/// Whatever was set aside on a budget is released before it ends.
pub(super) fn check_nothing_held(state: &State, id: &BudgetId) -> Result<(), String> {
    match state.held_on(id).next() {
        None => Ok(()),
        Some(held) => {
            Err(format!("expected nothing set aside on budget {id}, found reservation {}", held.id))
        }
    }
}

pub(in crate::domain) fn check_thresholds(thresholds: &[Fraction]) -> Result<(), String> {
    let ascend = thresholds.is_sorted_by(|left, right| left < right);
    if ascend && thresholds.first() != Some(&Fraction::ZERO) {
        return Ok(());
    }
    Err(format!("expected thresholds above 0, ascending, each once, found {thresholds:?}"))
}

/// A budget with windows is in one, and an event comes in the window that it says.
fn check_span(terms: &BudgetTerms, span: Option<Span>, ts: Timestamp) -> Result<(), String> {
    match (&terms.window, span) {
        (None, None) => Ok(()),
        (Some(_), Some(span)) if span.start <= ts && (ts < span.end || never_ends(span)) => Ok(()),
        (window, span) => Err(format!("expected the window of {ts} for {window:?}, found {span:?}")),
    }
}

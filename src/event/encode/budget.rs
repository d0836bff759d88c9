//! What happens to budgets as such.

use crate::event::{
    BudgetAdjusted, BudgetAllocated, BudgetClosed, BudgetExhausted, BudgetTerms, EndedForgotten, ProgressSet,
    Span, ThresholdCrossed, Window, WindowRolled, text,
};

use super::values::{
    put, put_actors, put_amount, put_boolean, put_budget_id, put_fraction, put_goal_id, put_list, put_option,
    put_timestamp,
};

pub(super) fn put_budget_exhausted(out: &mut Vec<u8>, data: &BudgetExhausted) {
    put(out, br#""budget_exhausted","v":2,"data":{"budget_id":"#);
    put_budget_id(out, &data.budget_id);
    put(out, br#","limit":"#);
    put_amount(out, data.limit);
    put(out, br#","spent":"#);
    put_amount(out, data.spent);
    put(out, br#","overage":"#);
    put_amount(out, data.overage);
    put(out, br#","hard":"#);
    put_boolean(out, data.hard);
}

pub(super) fn put_threshold_crossed(out: &mut Vec<u8>, data: &ThresholdCrossed) {
    put(out, br#""threshold_crossed","data":{"budget_id":"#);
    put_budget_id(out, &data.budget_id);
    put(out, br#","threshold_ppm":"#);
    put_fraction(out, data.threshold);
    put(out, br#","limit":"#);
    put_amount(out, data.limit);
    put(out, br#","spent":"#);
    put_amount(out, data.spent);
}

pub(super) fn put_budget_allocated(out: &mut Vec<u8>, data: &BudgetAllocated) {
    put(out, br#""budget_allocated","data":{"budget_id":"#);
    put_budget_id(out, &data.budget_id);
    put(out, br#","unit":"#);
    text::put(out, &data.unit);
    put(out, br#","parent":"#);
    put_option(out, data.parent.as_ref(), put_budget_id);
    put(out, br#","terms":"#);
    put_terms(out, &data.terms);
    put(out, br#","span":"#);
    put_option(out, data.span, put_span);
    put(out, br#","widen_by":"#);
    put_option(out, data.widen_by.as_deref(), put_actors);
}

pub(super) fn put_budget_adjusted(out: &mut Vec<u8>, data: &BudgetAdjusted) {
    put(out, br#""budget_adjusted","data":{"budget_id":"#);
    put_budget_id(out, &data.budget_id);
    put(out, br#","previous":"#);
    put_terms(out, &data.previous);
    put(out, br#","terms":"#);
    put_terms(out, &data.terms);
    put(out, br#","span":"#);
    put_option(out, data.span, put_span);
}

pub(super) fn put_progress_set(out: &mut Vec<u8>, data: &ProgressSet) {
    put(out, br#""progress_set","data":{"budget_id":"#);
    put_budget_id(out, &data.budget_id);
    put(out, br#","progress_ppm":"#);
    put_fraction(out, data.progress);
}

pub(super) fn put_budget_closed(out: &mut Vec<u8>, data: &BudgetClosed) {
    put(out, br#""budget_closed","data":{"budget_id":"#);
    put_budget_id(out, &data.budget_id);
    put(out, br#","by_budget":"#);
    put_option(out, data.by_budget.as_ref(), put_budget_id);
    put(out, br#","released":"#);
    put_list(out, &data.released, |out, id| text::put(out, &id.0));
}

pub(super) fn put_window_rolled(out: &mut Vec<u8>, data: &WindowRolled) {
    put(out, br#""window_rolled","data":{"budget_id":"#);
    put_budget_id(out, &data.budget_id);
    put(out, br#","ended":"#);
    put_span(out, data.ended);
    put(out, br#","spent":"#);
    put_amount(out, data.spent);
    put(out, br#","span":"#);
    put_span(out, data.span);
}

pub(super) fn put_ended_forgotten(out: &mut Vec<u8>, data: &EndedForgotten) {
    put(out, br#""ended_forgotten","data":{"goals":"#);
    put_list(out, &data.goals, |out, id| put_goal_id(out, *id));
    put(out, br#","budgets":"#);
    put_list(out, &data.budgets, put_budget_id);
}

fn put_terms(out: &mut Vec<u8>, terms: &BudgetTerms) {
    put(out, br#"{"limit":"#);
    put_option(out, terms.limit, put_amount);
    put(out, br#","hard":"#);
    put_boolean(out, terms.hard);
    put(out, br#","thresholds_ppm":"#);
    put_list(out, &terms.thresholds, |out, threshold| put_fraction(out, *threshold));
    put(out, br#","window":"#);
    put_option(out, terms.window.as_deref(), put_window);
    put(out, b"}");
}

fn put_window(out: &mut Vec<u8>, window: &Window) {
    put(out, br#"{"every":"#);
    text::put(out, &window.every);
    put(out, br#","anchor":"#);
    put_option(out, window.anchor, put_timestamp);
    put(out, br#","tz":"#);
    put_option(out, window.tz.as_deref(), text::put);
    put(out, b"}");
}

fn put_span(out: &mut Vec<u8>, span: Span) {
    put(out, br#"{"start":"#);
    put_timestamp(out, span.start);
    put(out, br#","end":"#);
    put_timestamp(out, span.end);
    put(out, b"}");
}

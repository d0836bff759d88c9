//! Budgets and meters.

use crate::domain::{Budget, Closing, Meter};
use crate::event::value::{
    put, put_actors, put_amount, put_boolean, put_budget_id, put_fraction, put_given, put_list, put_name,
    put_option, put_text, put_timestamp, put_u64,
};
use crate::event::{BudgetTerms, Span, Window};

use super::put_meta;

pub(super) fn put_budget(out: &mut Vec<u8>, budget: &Budget) {
    put(out, br#"{"part":"budget","budget_id":"#);
    put_budget_id(out, &budget.id);
    put(out, br#","unit":"#);
    put_text(out, &budget.unit);
    put_given(out, br#","parent":"#, budget.parent.as_ref(), put_budget_id);
    put(out, br#","terms":"#);
    put_terms(out, &budget.terms);
    put_given(out, br#","span":"#, budget.span, put_span);
    put(out, br#","spent":"#);
    put_amount(out, budget.spent);
    put(out, br#","spent_total":"#);
    put_amount(out, budget.spent_total);
    put(out, br#","reserved":"#);
    put_amount(out, budget.reserved);
    put(out, br#","overage_total":"#);
    put_amount(out, budget.overage_total);
    put(out, br#","crossed":"#);
    put_u64(out, budget.crossed as u64);
    put(out, br#","entry_count":"#);
    put_u64(out, budget.entry_count);
    put_given(out, br#","progress_ppm":"#, budget.progress, put_fraction);
    put_given(out, br#","widen_by":"#, budget.widen_by.as_deref(), put_actors);
    put_given(out, br#","closed":"#, budget.closing.as_deref(), put_closing);
    put(out, br#","created_at":"#);
    put_timestamp(out, budget.created_at);
    put(out, br#","updated_at":"#);
    put_timestamp(out, budget.updated_at);
    put(out, br#","made_seq":"#);
    put_u64(out, budget.made_seq);
    put(out, br#","rolled_seq":"#);
    put_u64(out, budget.rolled_seq);
    put_meta(out, budget.meta.as_ref());
    put(out, b"}");
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
    put_text(out, &window.every);
    put(out, br#","anchor":"#);
    put_option(out, window.anchor, put_timestamp);
    put(out, br#","tz":"#);
    put_option(out, window.tz.as_deref(), put_text);
    put(out, b"}");
}

fn put_span(out: &mut Vec<u8>, span: Span) {
    put(out, br#"{"start":"#);
    put_timestamp(out, span.start);
    put(out, br#","end":"#);
    put_timestamp(out, span.end);
    put(out, b"}");
}

fn put_closing(out: &mut Vec<u8>, closing: &Closing) {
    put(out, br#"{"at":"#);
    put_timestamp(out, closing.at);
    put(out, br#","released":"#);
    put_list(out, &closing.released, |out, id| put_text(out, &id.0));
    put(out, b"}");
}

pub(super) fn put_meter(out: &mut Vec<u8>, meter: &Meter) {
    put(out, br#"{"part":"meter","meter_id":"#);
    put_text(out, &meter.id.0);
    put(out, br#","total":"#);
    put_amount(out, meter.total);
    put(out, br#","booked":"#);
    put_amount(out, meter.booked);
    put_given(out, br#","kind":"#, meter.kind.map(|kind| kind.name()), put_name);
    put_given(out, br#","budget_id":"#, meter.budget_id.as_ref(), put_budget_id);
    put(out, br#","updated_at":"#);
    put_timestamp(out, meter.updated_at);
    put_meta(out, meter.meta.as_ref());
    put(out, b"}");
}

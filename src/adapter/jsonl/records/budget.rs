//! The JSON of a budget.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::super::text::{FractionJson, MetaJson, Text};
use crate::domain::{Budget, BudgetView, State};
use crate::event::{BudgetTerms, Fraction, Span, Window};

/// A budget as JSON: amounts as strings, what is not there as null.
///
/// Only for `serde_json`: metadata are written as the bytes that they were given as.
#[derive(Debug, Clone, Copy)]
pub struct BudgetJson<'a> {
    /// The budget.
    pub budget: &'a Budget,
    /// The least that remains on the path to the root; `None`: no budget on it has a limit.
    pub available: Option<u128>,
}

impl<'a> BudgetJson<'a> {
    /// A budget of that state.
    pub fn of(budget: &'a Budget, state: &State) -> BudgetJson<'a> {
        BudgetJson { budget, available: state.available(&budget.id) }
    }
}

impl<'a> From<&'a BudgetView> for BudgetJson<'a> {
    fn from(view: &'a BudgetView) -> BudgetJson<'a> {
        BudgetJson { budget: &view.budget, available: view.available }
    }
}

impl Serialize for BudgetJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let BudgetJson { budget, available } = self;
        let BudgetTerms { limit, hard, thresholds, window } = &budget.terms;
        let window = window.as_deref().map(|window| WindowJson { window, span: budget.span });
        let closed_at = budget.closing.as_ref().map(|closing| Text(closing.at));

        let mut json = serializer.serialize_struct("Budget", 23)?;
        json.serialize_field("budget_id", &Text(&budget.id))?;
        json.serialize_field("unit", &*budget.unit)?;
        json.serialize_field("limit", &limit.map(Text))?;
        json.serialize_field("spent", &Text(budget.spent))?;
        json.serialize_field("spent_total", &Text(budget.spent_total))?;
        json.serialize_field("reserved", &Text(budget.reserved))?;
        json.serialize_field("remaining", &budget.remaining().map(Text))?;
        json.serialize_field("available", &available.map(Text))?;
        json.serialize_field("overage", &Text(budget.overage()))?;
        json.serialize_field("overage_total", &Text(budget.overage_total))?;
        json.serialize_field("status", budget.status().name())?;
        json.serialize_field("hard", hard)?;
        json.serialize_field("parent", &budget.parent.as_ref().map(Text))?;
        json.serialize_field("progress", &budget.progress.map(FractionJson))?;
        json.serialize_field("entry_count", &budget.entry_count)?;
        json.serialize_field("thresholds", &fractions(thresholds))?;
        json.serialize_field("crossed", &fractions(budget.crossed_thresholds()))?;
        json.serialize_field("window", &window)?;
        json.serialize_field("widen_by", &budget.widen_by)?;
        json.serialize_field("created_at", &Text(budget.created_at))?;
        json.serialize_field("updated_at", &Text(budget.updated_at))?;
        json.serialize_field("closed_at", &closed_at)?;
        json.serialize_field("meta", &budget.meta.as_ref().map(MetaJson))?;
        json.end()
    }
}

fn fractions(fractions: &[Fraction]) -> Vec<FractionJson> {
    fractions.iter().copied().map(FractionJson).collect()
}

/// How often a budget begins anew, and the window that it is in.
struct WindowJson<'a> {
    window: &'a Window,
    span: Option<Span>,
}

impl Serialize for WindowJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Window { every, anchor, tz } = self.window;
        let mut json = serializer.serialize_struct("Window", 5)?;
        json.serialize_field("every", &**every)?;
        json.serialize_field("anchor", &anchor.map(Text))?;
        json.serialize_field("tz", tz)?;
        json.serialize_field("start", &self.span.map(|span| Text(span.start)))?;
        json.serialize_field("end", &self.span.map(|span| Text(span.end)))?;
        json.end()
    }
}

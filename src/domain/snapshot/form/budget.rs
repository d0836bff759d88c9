//! Budgets and meters.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::snapshot::intern::Interner;
use crate::domain::{Budget, BudgetExtras, BudgetFacts, Closing, Meter};
use crate::event::value::Texts;
use crate::event::{BudgetTerms, Fraction, Span, Window};
use crate::ids::{MeterId, ReservationId};

use super::values::{Amount, At, BudgetName, Kind, Name, Object, Ppm, Text, nullable};
use super::{First, PartName, read_meta};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::domain::snapshot) struct BudgetForm<'a> {
    #[serde(rename = "part")]
    _part: PartName,
    #[serde(rename = "v")]
    _v: First,
    #[serde(borrow)]
    budget_id: BudgetName<'a>,
    unit: Text<'a>,
    parent: Option<BudgetName<'a>>,
    terms: Object<TermsForm<'a>>,
    span: Option<Object<SpanForm>>,
    spent: Amount,
    spent_total: Amount,
    reserved: Amount,
    overage_total: Amount,
    crossed: usize,
    entry_count: u64,
    progress_ppm: Option<Ppm>,
    widen_by: Option<Vec<Text<'a>>>,
    closed: Option<Object<ClosedForm<'a>>>,
    created_at: At,
    updated_at: At,
    made_seq: u64,
    rolled_seq: u64,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TermsForm<'a> {
    #[serde(deserialize_with = "nullable")]
    limit: Option<Amount>,
    hard: bool,
    thresholds_ppm: Vec<Ppm>,
    #[serde(borrow, deserialize_with = "nullable")]
    window: Option<Object<WindowForm<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowForm<'a> {
    #[serde(borrow)]
    every: Text<'a>,
    #[serde(deserialize_with = "nullable")]
    anchor: Option<At>,
    #[serde(borrow, deserialize_with = "nullable")]
    tz: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpanForm {
    start: At,
    end: At,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClosedForm<'a> {
    at: At,
    #[serde(borrow)]
    released: Vec<Name<'a>>,
}

impl BudgetForm<'_> {
    pub(in crate::domain::snapshot) fn budget(self, names: &mut Interner) -> Result<Budget, String> {
        let widen_by: Option<Vec<Arc<str>>> =
            self.widen_by.map(|actors| actors.iter().map(|actor| names.text(&actor.0)).collect());
        let extras = BudgetExtras {
            span: self.span.map(|Object(span)| Span { start: span.start.0, end: span.end.0 }),
            overage_total: self.overage_total.0,
            progress: self.progress_ppm.map(|progress| progress.0),
            widen_by: widen_by.map(|actors| names.actors(actors)),
            closing: self.closed.map(|Object(closed)| Arc::new(closed.closing(names))),
            meta: read_meta(self.meta)?,
            rolled_seq: self.rolled_seq,
        };
        let facts = BudgetFacts {
            id: self.budget_id.id(names),
            unit: names.text(&self.unit.0),
            parent: self.parent.map(|parent| parent.id(names)),
            terms: self.terms.0.terms(names),
            created_at: self.created_at.0,
            made_seq: self.made_seq,
            extras: extras.shared(),
        };
        Ok(Budget {
            spent: self.spent.0,
            spent_total: self.spent_total.0,
            reserved: self.reserved.0,
            crossed: self.crossed,
            entry_count: self.entry_count,
            updated_at: self.updated_at.0,
            facts: Arc::new(facts),
        })
    }
}

impl TermsForm<'_> {
    fn terms(self, names: &mut Interner) -> BudgetTerms {
        let thresholds: Vec<Fraction> = self.thresholds_ppm.iter().map(|ppm| ppm.0).collect();
        BudgetTerms {
            limit: self.limit.map(|limit| limit.0),
            hard: self.hard,
            thresholds: names.thresholds(thresholds),
            window: self.window.map(|Object(window)| {
                let window = Window {
                    every: names.text(&window.every.0),
                    anchor: window.anchor.map(|anchor| anchor.0),
                    tz: window.tz.map(|tz| names.text(&tz.0)),
                };
                names.window(window)
            }),
        }
    }
}

impl ClosedForm<'_> {
    fn closing(self, names: &mut Interner) -> Closing {
        let released = self.released.iter().map(|id| ReservationId(names.text(&id.0)));
        Closing { at: self.at.0, released: released.collect() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::domain::snapshot) struct MeterForm<'a> {
    #[serde(rename = "part")]
    _part: PartName,
    #[serde(rename = "v")]
    _v: First,
    #[serde(borrow)]
    meter_id: Name<'a>,
    total: Amount,
    booked: Amount,
    kind: Option<Kind>,
    budget_id: Option<BudgetName<'a>>,
    updated_at: At,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
}

impl MeterForm<'_> {
    pub(in crate::domain::snapshot) fn meter(self, names: &mut Interner) -> Result<Meter, String> {
        Ok(Meter {
            id: MeterId(names.text(&self.meter_id.0)),
            total: self.total.0,
            booked: self.booked.0,
            kind: self.kind.map(|kind| kind.0),
            budget_id: self.budget_id.map(|id| id.id(names)),
            updated_at: self.updated_at.0,
            meta: read_meta(self.meta)?,
        })
    }
}

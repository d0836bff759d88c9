//! What happens to budgets as such.

use std::sync::Arc;

use crate::event::{
    BudgetAdjusted, BudgetAllocated, BudgetClosed, BudgetExhausted, BudgetTerms, EndedForgotten, ProgressSet,
    Span, ThresholdCrossed, Window, WindowRolled,
};
use crate::ids::ReservationId;

use super::Reader;

impl Reader<'_> {
    pub(super) fn budget_exhausted(&mut self) -> Option<BudgetExhausted> {
        Some(BudgetExhausted {
            budget_id: self.after(br#","v":2,"data":{"budget_id":"#)?.budget_id()?,
            limit: self.after(br#","limit":"#)?.amount()?,
            spent: self.after(br#","spent":"#)?.amount()?,
            overage: self.after(br#","overage":"#)?.amount()?,
            hard: self.after(br#","hard":"#)?.boolean()?,
        })
    }

    pub(super) fn threshold_crossed(&mut self) -> Option<ThresholdCrossed> {
        Some(ThresholdCrossed {
            budget_id: self.after(br#","data":{"budget_id":"#)?.budget_id()?,
            threshold: self.after(br#","threshold_ppm":"#)?.fraction()?,
            limit: self.after(br#","limit":"#)?.amount()?,
            spent: self.after(br#","spent":"#)?.amount()?,
        })
    }

    pub(super) fn budget_allocated(&mut self) -> Option<BudgetAllocated> {
        Some(BudgetAllocated {
            budget_id: self.after(br#","data":{"budget_id":"#)?.budget_id()?,
            unit: self.after(br#","unit":"#)?.known_text()?,
            parent: self.after(br#","parent":"#)?.nullable(Reader::budget_id)?,
            terms: self.after(br#","terms":"#)?.terms()?,
            span: self.after(br#","span":"#)?.nullable(Reader::span)?,
            widen_by: self.after(br#","widen_by":"#)?.nullable(Reader::actors)?,
        })
    }

    pub(super) fn budget_adjusted(&mut self) -> Option<BudgetAdjusted> {
        Some(BudgetAdjusted {
            budget_id: self.after(br#","data":{"budget_id":"#)?.budget_id()?,
            previous: self.after(br#","previous":"#)?.terms()?,
            terms: self.after(br#","terms":"#)?.terms()?,
            span: self.after(br#","span":"#)?.nullable(Reader::span)?,
        })
    }

    pub(super) fn progress_set(&mut self) -> Option<ProgressSet> {
        Some(ProgressSet {
            budget_id: self.after(br#","data":{"budget_id":"#)?.budget_id()?,
            progress: self.after(br#","progress_ppm":"#)?.fraction()?,
        })
    }

    pub(super) fn budget_closed(&mut self) -> Option<BudgetClosed> {
        Some(BudgetClosed {
            budget_id: self.after(br#","data":{"budget_id":"#)?.budget_id()?,
            by_budget: self.after(br#","by_budget":"#)?.nullable(Reader::budget_id)?,
            released: self
                .after(br#","released":"#)?
                .list(Reader::name)?
                .into_iter()
                .map(ReservationId)
                .collect(),
        })
    }

    pub(super) fn window_rolled(&mut self) -> Option<WindowRolled> {
        Some(WindowRolled {
            budget_id: self.after(br#","data":{"budget_id":"#)?.budget_id()?,
            ended: self.after(br#","ended":"#)?.span()?,
            spent: self.after(br#","spent":"#)?.amount()?,
            span: self.after(br#","span":"#)?.span()?,
        })
    }

    pub(super) fn ended_forgotten(&mut self) -> Option<EndedForgotten> {
        Some(EndedForgotten {
            goals: self.after(br#","data":{"goals":"#)?.list(Reader::goal_id)?,
            budgets: self.after(br#","budgets":"#)?.list(Reader::budget_id)?,
        })
    }

    fn terms(&mut self) -> Option<BudgetTerms> {
        let terms = BudgetTerms {
            limit: self.after(br#"{"limit":"#)?.nullable(Reader::amount)?,
            hard: self.after(br#","hard":"#)?.boolean()?,
            thresholds: self.after(br#","thresholds_ppm":"#)?.list(Reader::fraction)?.into(),
            window: self.after(br#","window":"#)?.nullable(Reader::window)?.map(Arc::new),
        };
        self.after(b"}")?;
        Some(terms)
    }

    fn window(&mut self) -> Option<Window> {
        let window = Window {
            every: self.after(br#"{"every":"#)?.text()?,
            anchor: self.after(br#","anchor":"#)?.nullable(Reader::timestamp)?,
            tz: self.after(br#","tz":"#)?.nullable(Reader::known_text)?,
        };
        self.after(b"}")?;
        Some(window)
    }

    fn span(&mut self) -> Option<Span> {
        let start = self.after(br#"{"start":"#)?.timestamp()?;
        let end = self.after(br#","end":"#)?.timestamp()?;
        self.after(b"}")?;
        Some(Span { start, end })
    }
}

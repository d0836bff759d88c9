//! What happens to budgets as such.

use crate::event::{
    BudgetAdjusted, BudgetAllocated, BudgetClosed, BudgetExhausted, EndedForgotten, ProgressSet,
    ThresholdCrossed, WindowRolled,
};
use crate::ids::ReservationId;

use super::{Reader, Texts};

impl<N: Texts> Reader<'_, N> {
    pub(super) fn budget_exhausted(&mut self) -> Option<BudgetExhausted> {
        Some(BudgetExhausted {
            budget_id: self.after(r#","v":2,"data":{"budget_id":"#)?.budget_id()?,
            limit: self.after(r#","limit":"#)?.amount()?,
            spent: self.after(r#","spent":"#)?.amount()?,
            overage: self.after(r#","overage":"#)?.amount()?,
            hard: self.after(r#","hard":"#)?.boolean()?,
        })
    }

    pub(super) fn threshold_crossed(&mut self) -> Option<ThresholdCrossed> {
        Some(ThresholdCrossed {
            budget_id: self.after(r#","data":{"budget_id":"#)?.budget_id()?,
            threshold: self.after(r#","threshold_ppm":"#)?.fraction()?,
            limit: self.after(r#","limit":"#)?.amount()?,
            spent: self.after(r#","spent":"#)?.amount()?,
        })
    }

    pub(super) fn budget_allocated(&mut self) -> Option<BudgetAllocated> {
        Some(BudgetAllocated {
            budget_id: self.after(r#","data":{"budget_id":"#)?.budget_id()?,
            unit: self.after(r#","unit":"#)?.known_text()?,
            parent: self.after(r#","parent":"#)?.nullable(Reader::budget_id)?,
            terms: self.after(r#","terms":"#)?.terms()?,
            span: self.after(r#","span":"#)?.nullable(Reader::span)?,
            widen_by: self.after(r#","widen_by":"#)?.nullable(Reader::actors)?,
        })
    }

    pub(super) fn budget_adjusted(&mut self) -> Option<BudgetAdjusted> {
        Some(BudgetAdjusted {
            budget_id: self.after(r#","data":{"budget_id":"#)?.budget_id()?,
            previous: self.after(r#","previous":"#)?.terms()?,
            terms: self.after(r#","terms":"#)?.terms()?,
            span: self.after(r#","span":"#)?.nullable(Reader::span)?,
        })
    }

    pub(super) fn progress_set(&mut self) -> Option<ProgressSet> {
        Some(ProgressSet {
            budget_id: self.after(r#","data":{"budget_id":"#)?.budget_id()?,
            progress: self.after(r#","progress_ppm":"#)?.fraction()?,
        })
    }

    pub(super) fn budget_closed(&mut self) -> Option<BudgetClosed> {
        Some(BudgetClosed {
            budget_id: self.after(r#","data":{"budget_id":"#)?.budget_id()?,
            by_budget: self.after(r#","by_budget":"#)?.nullable(Reader::budget_id)?,
            released: self
                .after(r#","released":"#)?
                .list(Reader::name)?
                .into_iter()
                .map(ReservationId)
                .collect(),
        })
    }

    pub(super) fn window_rolled(&mut self) -> Option<WindowRolled> {
        Some(WindowRolled {
            budget_id: self.after(r#","data":{"budget_id":"#)?.budget_id()?,
            ended: self.after(r#","ended":"#)?.span()?,
            spent: self.after(r#","spent":"#)?.amount()?,
            span: self.after(r#","span":"#)?.span()?,
        })
    }

    pub(super) fn ended_forgotten(&mut self) -> Option<EndedForgotten> {
        Some(EndedForgotten {
            goals: self.after(r#","data":{"goals":"#)?.list(Reader::goal_id)?,
            budgets: self.after(r#","budgets":"#)?.list(Reader::budget_id)?,
        })
    }
}

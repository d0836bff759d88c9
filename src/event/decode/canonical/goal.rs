//! What happens to goals.

use crate::event::{
    GoalBudgetSet, GoalCreated, GoalStatus, GoalTransitioned, TransitionReason, TurnRecorded,
};

use super::{Reader, Texts};

impl<N: Texts> Reader<'_, N> {
    pub(super) fn goal_created(&mut self) -> Option<GoalCreated> {
        Some(GoalCreated {
            goal_id: self.after(r#","v":2,"data":{"goal_id":"#)?.goal_id()?,
            scope: self.after(r#","scope":"#)?.known_text()?,
            text: self.after(r#","text":"#)?.text()?,
            token_budget: self.after(r#","token_budget":"#)?.nullable(Reader::amount)?,
            parent_goal: self.after(r#","parent_goal":"#)?.nullable(Reader::goal_id)?,
            budgets: self.after(r#","budgets":"#)?.list(Reader::budget_id)?,
            widen_by: self.after(r#","widen_by":"#)?.nullable(Reader::actors)?,
        })
    }

    pub(super) fn goal_transitioned(&mut self) -> Option<GoalTransitioned> {
        Some(GoalTransitioned {
            goal_id: self.after(r#","data":{"goal_id":"#)?.goal_id()?,
            from: self.after(r#","from":"#)?.named(GoalStatus::from_name)?,
            to: self.after(r#","to":"#)?.named(GoalStatus::from_name)?,
            reason: self.after(r#","reason":"#)?.named(TransitionReason::from_name)?,
            revision: self.after(r#","revision":"#)?.number()?,
            by_goal: self.after(r#","by_goal":"#)?.nullable(Reader::goal_id)?,
            budget_id: self.after(r#","budget_id":"#)?.nullable(Reader::budget_id)?,
            note: self.after(r#","note":"#)?.nullable(Reader::text)?,
        })
    }

    pub(super) fn goal_budget_set(&mut self) -> Option<GoalBudgetSet> {
        Some(GoalBudgetSet {
            goal_id: self.after(r#","data":{"goal_id":"#)?.goal_id()?,
            previous: self.after(r#","previous":"#)?.nullable(Reader::amount)?,
            token_budget: self.after(r#","token_budget":"#)?.nullable(Reader::amount)?,
        })
    }

    pub(super) fn turn_recorded(&mut self) -> Option<TurnRecorded> {
        Some(TurnRecorded {
            goal_id: self.after(r#","v":2,"data":{"goal_id":"#)?.goal_id()?,
            tokens: self.after(r#","tokens":"#)?.amount()?,
            turns: self.after(r#","turns":"#)?.number()?,
            seconds: self.after(r#","seconds":"#)?.number()?,
            late: self.after(r#","late":"#)?.boolean()?,
            overage: self.after(r#","overage":"#)?.list(Reader::charge)?,
        })
    }
}

//! What happens to goals.

use crate::event::{
    GoalBudgetSet, GoalCreated, GoalStatus, GoalTransitioned, TransitionReason, TurnRecorded,
};

use super::Reader;

impl Reader<'_> {
    pub(super) fn goal_created(&mut self) -> Option<GoalCreated> {
        Some(GoalCreated {
            goal_id: self.after(br#","v":2,"data":{"goal_id":"#)?.goal_id()?,
            scope: self.after(br#","scope":"#)?.known_text()?,
            text: self.after(br#","text":"#)?.text()?,
            token_budget: self.after(br#","token_budget":"#)?.nullable(Reader::amount)?,
            parent_goal: self.after(br#","parent_goal":"#)?.nullable(Reader::goal_id)?,
            budgets: self.after(br#","budgets":"#)?.list(Reader::budget_id)?,
            widen_by: self.after(br#","widen_by":"#)?.nullable(Reader::actors)?,
        })
    }

    pub(super) fn goal_transitioned(&mut self) -> Option<GoalTransitioned> {
        Some(GoalTransitioned {
            goal_id: self.after(br#","data":{"goal_id":"#)?.goal_id()?,
            from: self.after(br#","from":"#)?.named(GoalStatus::from_name)?,
            to: self.after(br#","to":"#)?.named(GoalStatus::from_name)?,
            reason: self.after(br#","reason":"#)?.named(TransitionReason::from_name)?,
            revision: self.after(br#","revision":"#)?.number()?,
            by_goal: self.after(br#","by_goal":"#)?.nullable(Reader::goal_id)?,
            budget_id: self.after(br#","budget_id":"#)?.nullable(Reader::budget_id)?,
            note: self.after(br#","note":"#)?.nullable(Reader::text)?,
        })
    }

    pub(super) fn goal_budget_set(&mut self) -> Option<GoalBudgetSet> {
        Some(GoalBudgetSet {
            goal_id: self.after(br#","data":{"goal_id":"#)?.goal_id()?,
            previous: self.after(br#","previous":"#)?.nullable(Reader::amount)?,
            token_budget: self.after(br#","token_budget":"#)?.nullable(Reader::amount)?,
        })
    }

    pub(super) fn turn_recorded(&mut self) -> Option<TurnRecorded> {
        Some(TurnRecorded {
            goal_id: self.after(br#","v":2,"data":{"goal_id":"#)?.goal_id()?,
            tokens: self.after(br#","tokens":"#)?.amount()?,
            turns: self.after(br#","turns":"#)?.number()?,
            seconds: self.after(br#","seconds":"#)?.number()?,
            late: self.after(br#","late":"#)?.boolean()?,
            overage: self.after(br#","overage":"#)?.list(Reader::charge)?,
        })
    }
}

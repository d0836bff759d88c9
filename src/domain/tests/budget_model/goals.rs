//! Goals on top of budgets. Every goal has a scope of its own, so that none supersedes another.

use super::budgets::is_raised;
use super::spends::entry;
use super::{Answer, BudgetModel, Entry, ModelGoal, rejected};
use crate::domain::{NewGoal, RecordTurn, SetGoalBudget, TransitionGoal, TurnTarget};
use crate::event::GoalStatus::{Active, Cleared, Completed, Paused};
use crate::event::{GoalStatus, RefusalKind, TransitionReason};
use crate::ids::{BudgetId, GoalId, SpendId};

impl BudgetModel {
    pub(super) fn create_goal(&mut self, new: &NewGoal) -> Answer {
        let id = new.goal_id.unwrap();
        let names_a_goals = new.budgets.iter().any(|id| matches!(id, BudgetId::Goal(_)));
        if new.token_budget == Some(0) || names_a_goals {
            return rejected("invalid");
        }
        if new.budgets.iter().any(|id| self.find(id).is_none())
            || new.parent_goal.is_some_and(|parent| self.find_goal(parent).is_none())
        {
            return rejected("not_found");
        }
        if self.find_goal(id).is_some() {
            return rejected("exists");
        }
        let parent = new.parent_goal.map(|parent| self.goal(parent).clone());
        if parent.as_ref().is_some_and(|parent| parent.status.is_terminal()) {
            return rejected("invalid_transition");
        }
        // Before the parent's own status, so that a parent paused by its budget is answered with the figures.
        if let Some(blocking) = new.parent_goal.and_then(|parent| self.blocking_goal(parent)) {
            return Err(self.refuse(RefusalKind::BudgetExceeded, &blocking, 0));
        }
        if parent.is_some_and(|parent| parent.status != Active) {
            return rejected("invalid_transition");
        }
        if let Some(closed) = new.budgets.iter().find(|id| self.budget(id).closed) {
            return Err(self.refuse(RefusalKind::BudgetClosed, closed, 0));
        }
        if let Some(blocking) = self.blocking(&[], &new.budgets) {
            return Err(self.refuse(RefusalKind::BudgetExceeded, &blocking, 0));
        }
        let above = new.parent_goal.map(BudgetId::Goal);
        self.push_goal_budget(BudgetId::Goal(id), above, new.token_budget, new.widen_by.clone());
        self.goals.push(ModelGoal {
            id,
            parent: new.parent_goal,
            budgets: new.budgets.clone(),
            status: Active,
            reason: None,
            revision: 1,
            turns: 0,
        });
        Ok(())
    }

    pub(super) fn transition_goal(&mut self, change: &TransitionGoal) -> Answer {
        let (id, to) = (change.goal_id, change.to);
        let Some(goal) = self.find_goal(id).cloned() else { return rejected("not_found") };
        if goal.status.is_terminal() || goal.status == to {
            return rejected("invalid_transition");
        }
        let blocking = self.blocking_goal(id).filter(|_| to == Active);
        if to == Active && blocking.is_none() {
            self.check_parent_is_active(&goal)?;
        }
        if change.expected_revision.is_some_and(|expected| expected != goal.revision) {
            return rejected("stale");
        }
        if let Some(blocking) = blocking {
            return Err(self.refuse(RefusalKind::BudgetExceeded, &blocking, 0));
        }
        match to {
            Active => self.resume(id),
            Paused => {
                for below in self.goals_below(id) {
                    if self.goal(below).status == Active {
                        self.set(below, Paused, TransitionReason::Parent);
                    }
                }
                self.set(id, Paused, TransitionReason::Requested);
            }
            Completed | Cleared => {
                for below in self.goals_below(id) {
                    if !self.goal(below).status.is_terminal() {
                        self.end(below, Cleared, TransitionReason::Parent);
                    }
                }
                self.end(id, to, TransitionReason::Requested);
            }
        }
        Ok(())
    }

    pub(super) fn set_goal_budget(&mut self, set: &SetGoalBudget) -> Answer {
        if set.token_budget == Some(0) {
            return rejected("invalid");
        }
        let Some(goal) = self.find_goal(set.goal_id).cloned() else { return rejected("not_found") };
        if goal.status.is_terminal() {
            return rejected("invalid_transition");
        }
        let id = BudgetId::Goal(goal.id);
        let old = self.budget(&id).clone();
        // As if it were set; the refusal of a resumption shows the new limit, too.
        self.budget_mut(&id).limit = set.token_budget;
        let answer = self.with_new_limit(&goal, set, &old);
        match answer {
            // The same limit again changes nothing.
            Ok(()) if set.token_budget == old.limit => {}
            Ok(()) => self.rearm(&id),
            Err(_) => self.budget_mut(&id).limit = old.limit,
        }
        answer?;
        if set.resume && goal.status == Paused {
            self.resume(goal.id);
        }
        Ok(())
    }

    fn with_new_limit(&mut self, goal: &ModelGoal, set: &SetGoalBudget, old: &super::ModelBudget) -> Answer {
        let blocking = self.blocking_goal(goal.id).filter(|_| set.resume);
        if set.resume && goal.status == Paused && blocking.is_none() {
            self.check_parent_is_active(goal)?;
        }
        if set.expected_revision.is_some_and(|expected| expected != goal.revision) {
            return rejected("stale");
        }
        if let Some(blocking) = blocking {
            return Err(self.refuse(RefusalKind::BudgetExceeded, &blocking, 0));
        }
        if is_raised(old.limit, set.token_budget) && !self.may_widen(old) {
            let amount = set.token_budget.unwrap_or(0);
            self.budget_mut(&old.id).limit = old.limit;
            return Err(self.refuse(RefusalKind::Forbidden, &old.id, amount));
        }
        Ok(())
    }

    pub(super) fn record_turn(&mut self, record: &RecordTurn) -> Answer {
        let TurnTarget::Goal(id) = &record.target else { unreachable!("not in this model") };
        let turn = &record.turn;
        let is_bad = |charge: &crate::event::Charge| {
            charge.amount == 0 || matches!(charge.budget_id, BudgetId::Goal(_))
        };
        if turn.turns == 0 || turn.charges.iter().any(is_bad) {
            return rejected("invalid");
        }
        if turn.charges.iter().any(|charge| self.find(&charge.budget_id).is_none()) {
            return rejected("not_found");
        }
        let Some(goal) = self.find_goal(*id).cloned() else { return rejected("not_found") };
        let (entries, budgets) = (self.entries.len(), self.budgets.clone());
        let answer = self.book_turn(&goal, record);
        if answer.is_err() {
            self.entries.truncate(entries);
            self.budgets = budgets;
        }
        answer
    }

    fn book_turn(&mut self, goal: &ModelGoal, record: &RecordTurn) -> Answer {
        let (own, turn) = (BudgetId::Goal(goal.id), &record.turn);
        let is_late = goal.status != Active;
        self.check_sums(&own, turn.tokens)?;
        self.book(Entry { incurred: true, late: is_late, goal: Some(goal.id), ..entry(&own, turn.tokens) });
        for charge in &turn.charges {
            self.check_sums(&charge.budget_id, charge.amount)?;
            let spend_id = Some(SpendId::from(self.new_id()));
            let late = is_late || self.budget(&charge.budget_id).closed;
            let charge = entry(&charge.budget_id, charge.amount);
            self.book(Entry { spend_id, incurred: true, late, goal: Some(goal.id), ..charge });
        }
        self.goal_mut(goal.id).turns += turn.turns;
        Ok(())
    }

    /// No goal is active under a blocking budget.
    pub(super) fn pause_blocked(&mut self) {
        let active = self.goals.iter().filter(|goal| goal.status == Active).map(|goal| goal.id);
        for id in active.collect::<Vec<_>>() {
            if self.blocking_goal(id).is_some() {
                self.set(id, Paused, TransitionReason::BudgetExhausted);
            }
        }
    }

    fn resume(&mut self, id: GoalId) {
        self.set(id, Active, TransitionReason::Requested);
        // Parents before children: they were made in that order.
        for below in self.goals_below(id) {
            let goal = self.goal(below).clone();
            let can_follow = goal.status == Paused
                && goal.reason == Some(TransitionReason::Parent)
                && self.goal(goal.parent.unwrap()).status == Active
                && self.blocking_goal(below).is_none();
            if can_follow {
                self.set(below, Active, TransitionReason::Parent);
            }
        }
    }

    fn end(&mut self, id: GoalId, to: GoalStatus, reason: TransitionReason) {
        self.set(id, to, reason);
        let released = self.shut(&BudgetId::Goal(id));
        self.budget_mut(&BudgetId::Goal(id)).released = released;
    }

    fn set(&mut self, id: GoalId, to: GoalStatus, reason: TransitionReason) {
        let goal = self.goal_mut(id);
        goal.status = to;
        goal.reason = (to == Paused).then_some(reason);
        goal.revision += 1;
    }

    fn check_parent_is_active(&self, goal: &ModelGoal) -> Answer {
        match goal.parent.is_none_or(|parent| self.goal(parent).status == Active) {
            true => Ok(()),
            false => rejected("invalid_transition"),
        }
    }

    /// The blocking budget that stands against a goal: on the path of its own budget first, then of the budgets that
    /// it names, then of those that the goals above it name.
    pub(in super::super) fn blocking_goal(&self, id: GoalId) -> Option<BudgetId> {
        let line = std::iter::successors(Some(id), |&goal| self.goal(goal).parent);
        let named: Vec<BudgetId> = line.flat_map(|goal| self.goal(goal).budgets.clone()).collect();
        self.blocking(&[BudgetId::Goal(id)], &named)
    }

    fn blocking(&self, own: &[BudgetId], named: &[BudgetId]) -> Option<BudgetId> {
        own.iter().chain(named).flat_map(|id| self.path(id)).find(|id| self.is_blocking(id))
    }

    fn goals_below(&self, id: GoalId) -> Vec<GoalId> {
        let is_below = |goal: &&ModelGoal| {
            std::iter::successors(goal.parent, |&goal| self.goal(goal).parent).any(|above| above == id)
        };
        self.goals.iter().filter(is_below).map(|goal| goal.id).collect()
    }

    pub(in super::super) fn tokens_own(&self, id: GoalId) -> u128 {
        let own = self.entries.iter().filter(|entry| entry.budget == BudgetId::Goal(id));
        own.map(|entry| entry.amount - entry.reversed).sum()
    }

    fn find_goal(&self, id: GoalId) -> Option<&ModelGoal> {
        self.goals.iter().find(|goal| goal.id == id)
    }

    fn goal(&self, id: GoalId) -> &ModelGoal {
        self.find_goal(id).unwrap()
    }

    fn goal_mut(&mut self, id: GoalId) -> &mut ModelGoal {
        self.goals.iter_mut().find(|goal| goal.id == id).unwrap()
    }
}

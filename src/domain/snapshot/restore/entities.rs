//! Budgets, meters and goals, and what follows from them.

use crate::domain::evolve::move_roll;
use crate::domain::goal::GoalRecord;
use crate::domain::leaf::Leaf;
use crate::domain::snapshot::form::{GoalForm, MeterForm};
use crate::domain::{Budget, State};
use crate::event::GoalStatus;
use crate::ids::BudgetId;

use super::{StateRestorer, check};

impl StateRestorer {
    pub(super) fn budget(&mut self, budget: Budget) -> Result<(), String> {
        check::budget(&self.state, &budget).map_err(|message| format!("{}: {message}", budget.id))?;
        let state = &mut self.state;
        let id = budget.id.clone();
        if !budget.is_closed() {
            move_roll(state, &id, None, budget.span);
        }
        budget.parent.iter().for_each(|parent| need(state, parent));
        state.endings.closed(&budget);
        let above = budget.parent.as_ref().and_then(|parent| state.budgets.slot(parent));
        let Some(slot) = state.budgets.insert(budget) else {
            return Err(format!("{id}: expected it once, found it again"));
        };
        if let (Some(above), BudgetId::Named(_)) = (above, &id) {
            state.budgets_below.insert((above, slot));
        }
        Ok(())
    }

    pub(super) fn meter(&mut self, form: MeterForm<'_>) -> Result<(), String> {
        let meter = form.meter(&mut self.names)?;
        if let Some(budget_id) = &meter.budget_id {
            check::known(&self.state, budget_id).map_err(|message| format!("{}: {message}", meter.id))?;
            need(&mut self.state, budget_id);
        }
        match self.state.meters.insert(meter.id.clone(), Leaf::new(meter)) {
            None => Ok(()),
            Some(known) => Err(format!("{}: expected it once, found it again", known.id)),
        }
    }

    pub(super) fn goal(&mut self, form: GoalForm<'_>) -> Result<(), String> {
        let goal = form.goal(&mut self.names)?;
        let id = goal.id();
        let slot = check::goal(&self.state, &goal)
            .and_then(|slot| self.follow_goal(&goal).map(|()| slot))
            .map_err(|message| format!("{id}: {message}"))?;
        match self.state.goals.insert(slot, Leaf::own(goal)) {
            None => Ok(()),
            Some(_) => Err(format!("{id}: expected it once, found it again")),
        }
    }

    fn follow_goal(&mut self, goal: &GoalRecord) -> Result<(), String> {
        let (state, facts) = (&mut self.state, &*goal.facts);
        facts.budgets.iter().for_each(|budget_id| need(state, budget_id));
        if !goal.status.is_terminal() {
            if let Some(parent) = facts.parent_goal {
                state.open_children.insert((parent, facts.id));
            }
            for budget_id in facts.budgets.iter() {
                state.named_by.insert((budget_id.clone(), facts.id));
            }
        }
        if goal.status != GoalStatus::Active {
            return Ok(());
        }
        match state.active.insert(facts.scope.clone(), facts.id) {
            None => Ok(()),
            Some(other) => {
                Err(format!("expected one active goal in scope {:?}, found goal {other}, too", facts.scope))
            }
        }
    }
}

/// Takes note that something needs a budget, which is there.
fn need(state: &mut State, id: &BudgetId) {
    if let Some(budget) = state.budgets.get(id) {
        state.endings.need(budget);
    }
}

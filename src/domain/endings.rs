//! What ended and may be forgotten: goals by the budgets of their tokens, and closed budgets; those that nothing
//! remembered needs, in the order of their last change.
//!
//! A goal needs the goal above it and the budgets that it names, a budget the one above it, a meter the budget that it
//! is bound to. What is spent or set aside needs no counting: it changes its budget, so that it is forgotten itself by
//! the time that its budget has not changed for longer than idempotency keys are remembered.

use std::time::Duration;

use imbl::{OrdMap, OrdSet};

use crate::clock::Timestamp;
use crate::domain::keys::made_at_ms;
use crate::domain::{Budget, Rejection, RejectionKind, State};
use crate::ids::{BudgetId, GoalId};

/// The order in which what ended will be forgotten, and up to when goals were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Endings {
    /// How many remembered goals, budgets and meters need a budget, for every one that is needed; the goal whose tokens it
    /// counts is not among them.
    needs: OrdMap<BudgetId, u64>,
    /// The closed budgets that nothing needs, by the time of their last change.
    idle: OrdSet<(Timestamp, BudgetId)>,
    /// The time of the youngest goal that was ever forgotten: up to here, one that is not known may have been.
    goals_forgotten_through: Option<Timestamp>,
}

impl Endings {
    /// The same, told anew from the goals, budgets and meters of a state.
    #[cfg(test)]
    pub(super) fn anew(state: &State, goals_forgotten_through: Option<Timestamp>) -> Endings {
        let mut endings = Endings { goals_forgotten_through, ..Endings::default() };
        let above = state.budgets().filter_map(|budget| budget.parent.as_ref());
        let named = state.goals.iter().flat_map(|(_, goal)| goal.facts.budgets.iter());
        let metered = state.meters().filter_map(|meter| meter.budget_id.as_ref());
        for budget in above.chain(named).chain(metered).filter_map(|id| state.budget(id)) {
            endings.need(budget);
        }
        state.budgets().for_each(|budget| endings.closed(budget));
        endings
    }

    /// How many need a budget.
    pub(super) fn needs(&self, id: &BudgetId) -> u64 {
        self.needs.get(id).copied().unwrap_or(0)
    }

    /// What nothing needs, that which changed least lately first.
    pub(super) fn idle(&self) -> impl Iterator<Item = &(Timestamp, BudgetId)> {
        self.idle.iter()
    }

    /// When what nothing needs, and changed least lately, changed last.
    pub(super) fn idle_since(&self) -> Option<Timestamp> {
        self.idle.get_min().map(|(at, _)| *at)
    }

    pub(super) fn goals_forgotten_through(&self) -> Option<Timestamp> {
        self.goals_forgotten_through
    }

    /// Takes note that a budget has closed; it says when already.
    pub(super) fn closed(&mut self, budget: &Budget) {
        if budget.is_closed() && self.needs(&budget.id) == 0 {
            self.idle.insert((budget.updated_at, budget.id.clone()));
        }
    }

    /// Takes note that a budget is about to change.
    pub(super) fn changes(&mut self, budget: &Budget, at: Timestamp) {
        if budget.is_closed() && self.idle.remove(&(budget.updated_at, budget.id.clone())).is_some() {
            self.idle.insert((at, budget.id.clone()));
        }
    }

    /// Takes note that one more needs a budget.
    pub(super) fn need(&mut self, budget: &Budget) {
        let needs = self.needs.entry(budget.id.clone()).or_default();
        *needs = needs.saturating_add(1);
        if budget.is_closed() {
            self.idle.remove(&(budget.updated_at, budget.id.clone()));
        }
    }

    /// Takes note that one less needs a budget.
    pub(super) fn need_no_more(&mut self, budget: &Budget) {
        let needs = self.needs(&budget.id);
        if needs > 1 {
            self.needs.insert(budget.id.clone(), needs - 1);
            return;
        }
        self.needs.remove(&budget.id);
        self.closed(budget);
    }

    /// Takes note that a budget is forgotten.
    pub(super) fn forgot(&mut self, budget: &Budget) {
        self.idle.remove(&(budget.updated_at, budget.id.clone()));
    }

    /// Takes note that a goal from that time is forgotten.
    pub(super) fn forgot_goal(&mut self, at: Timestamp) {
        self.goals_forgotten_through = self.goals_forgotten_through.max(Some(at));
    }
}

impl State {
    /// Whether a goal of that id may have been [forgotten](crate::Options::forget_after): it is not known, and its id is a
    /// UUID of version 7 that is no younger than the youngest goal that was.
    pub fn is_goal_forgotten(&self, id: GoalId) -> bool {
        let made_at_ms = made_at_ms(&id.to_string());
        let is_from_before = made_at_ms
            .zip(self.endings.goals_forgotten_through)
            .is_some_and(|(made_at_ms, forgotten)| made_at_ms <= forgotten.as_millis());
        is_from_before && self.record(id).is_none()
    }

    /// When that changed last which can be forgotten first: of the goals that ended and the budgets that closed, and that
    /// nothing remembered needs, the one that changed least lately.
    pub fn oldest_ending(&self) -> Option<Timestamp> {
        self.endings.idle_since()
    }

    /// After how much time without a change endings are forgotten, where that much is asked for: never before the keys of
    /// commands that were about them.
    pub(crate) fn forgotten_after(&self, asked: Duration) -> Duration {
        asked.max(Duration::from_millis(self.key_window().max_age_ms))
    }

    /// Why there is no goal of that id.
    pub(crate) fn no_goal(&self, id: GoalId) -> Rejection {
        if self.is_goal_forgotten(id) {
            return Rejection::new(
                RejectionKind::Forgotten,
                format!(
                    "goal {id} is not remembered: it ended long ago, or never was; goals of that time were forgotten \
                     after their end; their events are in the journal as far back as it is retained"
                ),
            );
        }
        Rejection::new(RejectionKind::NotFound, format!("there is no goal {id}"))
    }

    /// Why there is no budget of that id. The budget of a goal is forgotten with it.
    pub(crate) fn no_budget(&self, id: &BudgetId) -> Rejection {
        match id {
            BudgetId::Goal(goal) if self.is_goal_forgotten(*goal) => self.no_goal(*goal),
            _ => Rejection::new(RejectionKind::NotFound, format!("there is no budget {id}")),
        }
    }
}

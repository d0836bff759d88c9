//! Making, adjusting and closing budgets, and what time does to them.

use super::{Answer, BudgetModel, ModelBudget, rejected};
use crate::domain::{AdjustBudget, CloseBudget, Limit, NewBudget, SetProgress};
use crate::event::{Fraction, RefusalKind, Window};
use crate::ids::{BudgetId, ReservationId};

/// The start and the end of the window of `PT<n>S` that a moment lies in; the model knows no others.
pub(in super::super) fn span_of(window: &Window, at: i64) -> (i64, i64) {
    let seconds = window.every.strip_prefix("PT").and_then(|text| text.strip_suffix('S'));
    let length = seconds.unwrap().parse::<i64>().unwrap() * 1_000_000;
    let anchor = window.anchor.unwrap().as_micros();
    let start = anchor + (at - anchor).div_euclid(length) * length;
    (start, start + length)
}

fn defaults() -> Vec<Fraction> {
    [500_000, 800_000, 950_000].map(|ppm| Fraction::from_ppm(ppm).unwrap()).to_vec()
}

/// Thresholds in ascending order, each once; none may be 0.
fn ascending(mut thresholds: Vec<Fraction>) -> Answer<Vec<Fraction>> {
    thresholds.sort();
    thresholds.dedup();
    match thresholds.first() {
        Some(&Fraction::ZERO) => rejected("invalid"),
        _ => Ok(thresholds),
    }
}

impl BudgetModel {
    pub(super) fn allocate(&mut self, new: &NewBudget) -> Answer {
        let is_goals = |id: &BudgetId| matches!(id, BudgetId::Goal(_));
        if is_goals(&new.budget_id)
            || new.parent.as_ref().is_some_and(|parent| is_goals(parent) || *parent == new.budget_id)
        {
            return rejected("invalid");
        }
        let limit = match new.limit {
            Limit::Unlimited => None,
            Limit::Of(limit) if limit > 0 => Some(limit),
            Limit::Of(_) | Limit::Default if self.default_limit.is_some() => self.default_limit,
            Limit::Of(_) | Limit::Default => return rejected("invalid"),
        };
        let thresholds = new.thresholds.clone().map_or_else(|| Ok(defaults()), ascending)?;
        if new.parent.as_ref().is_some_and(|parent| self.find(parent).is_none()) {
            return rejected("not_found");
        }
        if new.parent.as_ref().is_some_and(|parent| self.budget(parent).unit != new.unit) {
            return rejected("invalid");
        }
        if self.find(&new.budget_id).is_some() {
            return rejected("exists");
        }
        if let Some(closed) = new.parent.as_ref().filter(|parent| self.budget(parent).closed) {
            return Err(self.refuse(RefusalKind::BudgetClosed, closed, 0));
        }
        self.push_budget(ModelBudget {
            id: new.budget_id.clone(),
            unit: new.unit.clone(),
            parent: new.parent.clone(),
            limit,
            hard: new.hard,
            thresholds,
            window: new.window.clone(),
            span: new.window.as_ref().map(|window| span_of(window, self.now)),
            rolled_at: 0,
            crossed: 0,
            progress: None,
            widen_by: new.widen_by.clone(),
            closed: false,
            released: Vec::new(),
        });
        Ok(())
    }

    /// The budget of a goal's tokens.
    pub(super) fn push_goal_budget(
        &mut self,
        id: BudgetId,
        parent: Option<BudgetId>,
        limit: Option<u128>,
        widen_by: Option<Vec<std::sync::Arc<str>>>,
    ) {
        self.push_budget(ModelBudget {
            id,
            unit: "tokens".into(),
            parent,
            limit,
            hard: true,
            thresholds: defaults(),
            window: None,
            span: None,
            rolled_at: 0,
            crossed: 0,
            progress: None,
            widen_by,
            closed: false,
            released: Vec::new(),
        });
    }

    fn push_budget(&mut self, budget: ModelBudget) {
        self.budgets.push(budget);
    }

    pub(super) fn adjust(&mut self, adjust: &AdjustBudget) -> Answer {
        let id = &adjust.budget_id;
        let thresholds = adjust.thresholds.clone().map(ascending).transpose()?;
        let has_window = adjust.window.as_ref().is_some_and(Option::is_some);
        if matches!(id, BudgetId::Goal(_)) && (has_window || adjust.limit == Some(Some(0))) {
            return rejected("invalid");
        }
        let Some(old) = self.find(id).cloned() else { return rejected("not_found") };
        let mut new = old.clone();
        new.limit = adjust.limit.unwrap_or(old.limit);
        new.hard = adjust.hard.unwrap_or(old.hard);
        new.thresholds = thresholds.unwrap_or_else(|| old.thresholds.clone());
        new.window = adjust.window.clone().unwrap_or_else(|| old.window.clone());
        if old.closed {
            return Err(self.refuse(RefusalKind::BudgetClosed, id, amount_of(new.limit)));
        }
        let is_rearmed = new.limit != old.limit || new.thresholds != old.thresholds;
        let is_changed = is_rearmed || new.hard != old.hard || new.window != old.window;
        if !is_changed {
            return Err(super::Expected::Unchanged);
        }
        if is_wider(&old, &new) && !self.may_widen(&old) {
            return Err(self.refuse(RefusalKind::Forbidden, id, amount_of(new.limit)));
        }
        if new.window != old.window {
            new.span = new.window.as_ref().map(|window| span_of(window, self.now));
        }
        *self.budget_mut(id) = new;
        if is_rearmed {
            self.rearm(id);
        }
        Ok(())
    }

    /// Arms the thresholds anew, and fires those that are reached.
    pub(super) fn rearm(&mut self, id: &BudgetId) {
        self.budget_mut(id).crossed = self.reached(id);
    }

    pub(super) fn may_widen(&self, budget: &ModelBudget) -> bool {
        match (&budget.widen_by, &self.actor) {
            (None, _) => true,
            (Some(named), Some(actor)) => named.contains(actor),
            (Some(_), None) => false,
        }
    }

    pub(super) fn set_progress(&mut self, set: &SetProgress) -> Answer {
        let Some(budget) = self.find(&set.budget_id) else { return rejected("not_found") };
        if budget.closed {
            return Err(self.refuse(RefusalKind::BudgetClosed, &set.budget_id, 0));
        }
        if budget.progress == Some(set.progress) {
            return Err(super::Expected::Unchanged);
        }
        self.budget_mut(&set.budget_id).progress = Some(set.progress);
        Ok(())
    }

    pub(super) fn close(&mut self, close: &CloseBudget) -> Answer {
        let top = &close.budget_id;
        if matches!(top, BudgetId::Goal(_)) {
            return rejected("invalid");
        }
        let Some(budget) = self.find(top) else { return rejected("not_found") };
        if budget.closed {
            return Err(self.refuse(RefusalKind::BudgetClosed, top, 0));
        }
        let all = self.budgets.iter().filter(|budget| !budget.closed && self.is_at_or_below(&budget.id, top));
        let all: Vec<BudgetId> = all.map(|budget| budget.id.clone()).collect();
        if all.len() > 1 && !close.with_children {
            return rejected("invalid_transition");
        }
        let mut of_all = Vec::new();
        for id in &all {
            let released = self.shut(id);
            of_all.extend(released.iter().cloned());
            self.budget_mut(id).released = released;
        }
        of_all.sort();
        self.budget_mut(top).released = of_all;
        Ok(())
    }

    /// Closes one budget. Which reservations were released by it, sorted.
    pub(super) fn shut(&mut self, id: &BudgetId) -> Vec<ReservationId> {
        self.budget_mut(id).closed = true;
        let held = self.reservations.iter_mut().filter(|held| held.budget == *id && held.is_held());
        let mut released: Vec<_> = held
            .map(|held| {
                held.status = "released";
                held.id.clone()
            })
            .collect();
        released.sort();
        released
    }

    /// What is due, in the order in which it happens: expiries before rolls of the same moment.
    pub(in super::super) fn deadlines(&self) -> Vec<(i64, u8, String)> {
        let open = self.reservations.iter().filter(|reservation| reservation.status == "open");
        let expiries = open.filter_map(|open| open.expires_at.map(|at| (at, 0, open.id.to_string())));
        let open = self.budgets.iter().filter(|budget| !budget.closed);
        let rolls = open.filter_map(|open| open.span.map(|(_, end)| (end, 1, open.id.to_string())));
        let mut due: Vec<_> = expiries.chain(rolls).collect();
        due.sort();
        due
    }

    pub(super) fn elapse(&mut self, max_events: usize) -> Answer {
        let due: Vec<_> = self.deadlines().into_iter().filter(|(at, ..)| *at <= self.now).collect();
        if due.is_empty() {
            return Err(super::Expected::Unchanged);
        }
        for (_, kind, id) in due.into_iter().take(max_events) {
            if kind == 0 {
                self.reservation_mut(&ReservationId::from(id)).status = "expired";
                continue;
            }
            let (now, booked) = (self.now, self.entries.len());
            let budget = self.budget_mut(&BudgetId::from(id));
            budget.span = budget.window.as_ref().map(|window| span_of(window, now));
            budget.rolled_at = booked;
            budget.crossed = 0;
        }
        Ok(())
    }
}

/// The amount that a refusal names: the limit that was asked for.
fn amount_of(limit: Option<u128>) -> u128 {
    limit.unwrap_or(0)
}

fn is_wider(old: &ModelBudget, new: &ModelBudget) -> bool {
    let raised = is_raised(old.limit, new.limit);
    let softened = old.hard && !new.hard;
    let fewer_up_to = |threshold: &Fraction| {
        let count = |all: &[Fraction]| all.iter().filter(|one| *one <= threshold).count();
        count(&new.thresholds) < count(&old.thresholds)
    };
    raised || softened || old.thresholds.iter().any(fewer_up_to) || old.window != new.window
}

/// Whether a limit is raised or removed.
pub(super) fn is_raised(old: Option<u128>, new: Option<u128>) -> bool {
    match (old, new) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(old), Some(new)) => new > old,
    }
}

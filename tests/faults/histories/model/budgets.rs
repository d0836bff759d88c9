//! Budgets as such, and what follows when something is booked.

use tallybook::{AdjustBudget, CloseBudget, Limit, NewBudget};

use super::{Facts, Model, Node, Stop, Subject, THRESHOLDS};
use crate::histories::history::{Name, name};

impl Model {
    pub(super) fn allocate(&mut self, new: &NewBudget) -> Result<(Subject, Facts), Stop> {
        let limit = match new.limit {
            Limit::Of(limit) if limit > 0 => Some(limit),
            Limit::Unlimited => None,
            _ => return Err(Stop::Rejected("invalid")),
        };
        let (id, parent) = (name(&new.budget_id), new.parent.as_ref().map(name));
        if parent.as_ref() == Some(&id) {
            return Err(Stop::Rejected("invalid"));
        }
        if parent.as_ref().is_some_and(|parent| !self.budgets.contains_key(parent)) {
            return Err(Stop::Rejected("not_found"));
        }
        if self.budgets.contains_key(&id) {
            return Err(Stop::Rejected("exists"));
        }
        if let Some(closed) = parent.clone().filter(|parent| self.is_closed(parent)) {
            return Err(closed_stop("allocate", closed, 0));
        }
        let fact = format!("allocated {id} {limit:?} hard {} under {parent:?}", new.hard);
        self.budgets.insert(id.clone(), Node::new(parent, limit, new.hard));
        Ok((Subject::Budget(id), vec![fact]))
    }

    pub(super) fn adjust(&mut self, adjust: &AdjustBudget) -> Result<(Subject, Facts), Stop> {
        let id = name(&adjust.budget_id);
        let Some(node) = self.budgets.get(&id).cloned() else { return Err(Stop::Rejected("not_found")) };
        let (limit, hard) = (adjust.limit.unwrap_or(node.limit), adjust.hard.unwrap_or(node.hard));
        if node.closed.is_some() {
            return Err(closed_stop("adjust_budget", id, limit.unwrap_or(0)));
        }
        if (limit, hard) == (node.limit, node.hard) {
            return Err(Stop::Unchanged(Subject::Budget(id)));
        }
        let mut facts = vec![format!("adjusted {id} {limit:?} hard {hard}")];
        self.set_terms(&id, limit, hard, &mut facts);
        Ok((Subject::Budget(id), facts))
    }

    /// Another limit arms the thresholds again; one that is reached already, or becomes hard, exhausts at once.
    pub(super) fn set_terms(&mut self, id: &Name, limit: Option<u128>, hard: bool, facts: &mut Facts) {
        let was_exhausted = self.is_exhausted(id);
        let node = self.node(id);
        let hardens = hard && !node.hard;
        if limit != node.limit {
            node.crossed = 0;
        }
        (node.limit, node.hard) = (limit, hard);
        self.cross(id, facts);
        if (!was_exhausted || hardens) && self.is_exhausted(id) {
            self.exhaust(id, facts);
        }
    }

    /// Books an amount at a budget, and so at all above it. What of it passes the limit of each.
    pub(super) fn book(&mut self, budget: &Name, amount: u128) -> Vec<(Name, u128)> {
        let path = self.path(budget);
        let over = |model: &Model, id: &Name| {
            model.budgets[id].limit.map_or(0, |limit| model.spent(id).saturating_sub(limit))
        };
        let before: Vec<u128> = path.iter().map(|id| over(self, id)).collect();
        self.node(budget).own_spent += amount;
        let mut passed = Vec::new();
        for (id, before) in path.into_iter().zip(before) {
            let more = over(self, &id) - before;
            if more > 0 {
                self.node(&id).overage_total += more;
                passed.push((id, more));
            }
        }
        passed
    }

    /// The budgets on the paths of these, each once, and which of them are exhausted now.
    pub(super) fn standing(&self, budgets: &[Name]) -> Vec<(Name, bool)> {
        let mut standing: Vec<(Name, bool)> = Vec::new();
        for id in budgets.iter().flat_map(|budget| self.path(budget)) {
            if !standing.iter().any(|(known, _)| *known == id) {
                let is_exhausted = self.is_exhausted(&id);
                standing.push((id, is_exhausted));
            }
        }
        standing
    }

    /// What follows from bookings at these, which were exhausted or not before.
    pub(super) fn follow(&mut self, standing: Vec<(Name, bool)>, facts: &mut Facts) {
        for (id, was_exhausted) in standing {
            self.cross(&id, facts);
            if !was_exhausted && self.is_exhausted(&id) {
                self.exhaust(&id, facts);
            }
        }
    }

    fn cross(&mut self, id: &Name, facts: &mut Facts) {
        let (spent, node) = (self.spent(id), self.node(id));
        let Some(limit) = node.limit else { return };
        while let Some(ppm) = THRESHOLDS.get(node.crossed) {
            if spent < (limit * ppm).div_ceil(1_000_000) {
                return;
            }
            node.crossed += 1;
            facts.push(format!("crossed {id} {ppm} at {spent} of {limit}"));
        }
    }

    fn exhaust(&mut self, id: &Name, facts: &mut Facts) {
        let (spent, node) = (self.spent(id), &self.budgets[id]);
        let (limit, hard) = (node.limit.expect("what is exhausted has a limit"), node.hard);
        facts.push(format!("exhausted {id} {spent} of {limit} hard {hard}"));
        if hard {
            self.pause_under(id, facts);
        }
    }

    pub(super) fn close(&mut self, close: &CloseBudget) -> Result<(Subject, Facts), Stop> {
        let id = name(&close.budget_id);
        if !self.budgets.contains_key(&id) {
            return Err(Stop::Rejected("not_found"));
        }
        if self.is_closed(&id) {
            return Err(closed_stop("close_budget", id, 0));
        }
        let open = |other: &Name| *other != id && !self.is_closed(other) && self.path(other).contains(&id);
        let below: Vec<Name> = self.budgets.keys().filter(|other| open(other)).cloned().collect();
        if !below.is_empty() && !close.with_children {
            return Err(Stop::Rejected("invalid_transition"));
        }
        let (mut facts, mut all) = (Facts::new(), Vec::new());
        for budget in below.iter().chain([&id]) {
            let mut own = self.release_all(budget, "budget_closed", &mut facts);
            all.extend_from_slice(&own);
            if *budget == id {
                own = std::mem::take(&mut all);
                own.sort_unstable();
            }
            facts.push(format!("closed {budget} {own:?}"));
            self.node(budget).closed = Some(own);
        }
        Ok((Subject::Closed(id), facts))
    }

    /// Releases all that is held at a budget itself.
    pub(super) fn release_all(&mut self, budget: &Name, why: &str, facts: &mut Facts) -> Vec<Name> {
        let held = self.holds.iter().filter(|(_, hold)| hold.budget == *budget && hold.status.is_held());
        let held: Vec<Name> = held.map(|(id, _)| id.clone()).collect();
        for id in &held {
            facts.push(self.release(id, why));
        }
        held
    }
}

impl Node {
    pub(super) fn new(parent: Option<Name>, limit: Option<u128>, hard: bool) -> Node {
        let (own_spent, own_held, overage_total) = (0, 0, 0);
        Node { parent, limit, hard, own_spent, own_held, overage_total, crossed: 0, entries: 0, closed: None }
    }
}

pub(super) fn closed_stop(op: &'static str, budget: Name, amount: u128) -> Stop {
    Stop::Refused { kind: "budget_closed", op, budget, amount, hold: None }
}

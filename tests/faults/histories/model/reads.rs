//! What is shown.

use std::collections::BTreeMap;

use tallybook::{ReservationStatus, Timestamp};

use super::{Model, Node, Stop, Subject};
use crate::histories::history::{
    Answer, Figures, GoalShown, HoldShown, Name, Shown, SpendShown, Whole, name,
};

impl Model {
    pub(super) fn show(&self, subject: &Subject) -> Shown {
        match subject {
            Subject::Budget(id) => Shown::Budget(self.figures(id), self.available(id)),
            Subject::Closed(id) => {
                let released = self.budgets[id].closed.clone().unwrap_or_default();
                Shown::Closed(self.figures(id), released)
            }
            Subject::Spend(id) => Shown::Spend(self.spend_shown(id)),
            Subject::Hold(id) => Shown::Hold(self.hold_shown(id)),
            Subject::Meter(id) => {
                self.meters.get(id).map_or(Shown::Nothing, |meter| Shown::Meter(meter.total, meter.booked))
            }
            Subject::Goal(id) => Shown::Goal(self.goal_shown(id)),
        }
    }

    fn figures(&self, id: &Name) -> Figures {
        Model::figures_of(&self.budgets[id], self.spent(id), self.held(id))
    }

    /// The figures of all budgets: what is at each itself, added to all above it.
    pub(in crate::histories) fn all_figures(&self) -> BTreeMap<Name, Figures> {
        let mut sums = BTreeMap::<&Name, (u128, u128)>::new();
        for (id, node) in &self.budgets {
            let mut next = Some(id);
            while let Some(above) = next {
                let sum = sums.entry(above).or_default();
                *sum = (sum.0 + node.own_spent, sum.1 + node.own_held);
                next = self.budgets[above].parent.as_ref();
            }
        }
        let of = |(id, (spent, held)): (&Name, (u128, u128))| {
            (id.clone(), Model::figures_of(&self.budgets[id], spent, held))
        };
        sums.into_iter().map(of).collect()
    }

    fn figures_of(node: &Node, spent: u128, reserved: u128) -> Figures {
        let used = spent + reserved;
        Figures {
            limit: node.limit,
            hard: node.hard,
            spent,
            // Without windows, what is spent is spent for life.
            spent_total: spent,
            reserved,
            remaining: node.limit.map(|limit| limit.saturating_sub(used)),
            overage: node.limit.map_or(0, |limit| used.saturating_sub(limit)),
            overage_total: node.overage_total,
            crossed: node.crossed,
            entries: node.entries,
            status: match (&node.closed, node.limit.is_some_and(|limit| spent >= limit)) {
                (Some(_), _) => "closed",
                (None, true) => "exhausted",
                (None, false) => "active",
            },
        }
    }

    fn available(&self, id: &Name) -> Option<u128> {
        self.path(id).iter().filter_map(|above| self.remaining(above)).min()
    }

    fn spend_shown(&self, id: &Name) -> SpendShown {
        let spend = &self.spends[id];
        SpendShown {
            id: id.clone(),
            budget: spend.budget.clone(),
            amount: spend.amount,
            reversed: spend.reversed,
            late: spend.late,
            incurred: spend.incurred,
            overage: spend.overage.clone(),
            reservation: spend.hold.clone(),
        }
    }

    fn hold_shown(&self, id: &Name) -> HoldShown {
        let hold = &self.holds[id];
        let (budget, status) = (hold.budget.clone(), hold.status.name());
        HoldShown { id: id.clone(), budget, amount: hold.amount, status }
    }

    fn goal_shown(&self, id: &Name) -> GoalShown {
        let (goal, budget) = (&self.goals[id], name(format!("goal:{id}")));
        GoalShown {
            status: goal.status.name(),
            reason: goal.reason.map(|reason| reason.name()),
            limit: self.budgets[&budget].limit,
            used: self.spent(&budget),
            own: self.budgets[&budget].own_spent,
            turns: goal.turns,
            revision: goal.revision,
        }
    }

    pub(super) fn check(&self, budget: &Name, amount: u128) -> Answer {
        let admitted = self.find(budget).and_then(|id| self.admit("check", &id, amount));
        match admitted {
            Err(Stop::Refused { kind, budget, amount, hold, .. }) => {
                Answer::Refused(self.refused(kind, &budget, amount, hold))
            }
            Err(_) => Answer::Rejected("not_found"),
            Ok(()) => {
                let passes = |above: &Name| self.remaining(above).is_some_and(|remaining| amount > remaining);
                let exceeds = self.path(budget).into_iter().find(passes);
                Answer::Read(Shown::Allowed(self.remaining(budget), self.available(budget), exceeds))
            }
        }
    }

    pub(in crate::histories) fn whole(&self) -> Whole {
        let held = self.holds.iter().filter(|(_, hold)| hold.status.is_held());
        Whole {
            seq: self.seq,
            budgets: self.all_figures(),
            goals: self.goals.keys().map(|id| (id.clone(), self.goal_shown(id))).collect(),
            holds: held.map(|(id, _)| (id.clone(), self.hold_shown(id))).collect(),
            meters: self.meters.iter().map(|(id, meter)| (id.clone(), (meter.total, meter.booked))).collect(),
        }
    }

    /// A reservation that is open, and should have expired by then.
    pub(in crate::histories) fn overdue(&self, by: Timestamp) -> Option<&Name> {
        let is_overdue = |status, expires_at: Option<Timestamp>| {
            status == ReservationStatus::Open && expires_at.is_some_and(|at| at <= by)
        };
        let mut holds = self.holds.iter();
        holds.find(|(_, hold)| is_overdue(hold.status, hold.expires_at)).map(|(id, _)| id)
    }

    pub(in crate::histories) fn is_open(&self, hold: &Name) -> bool {
        self.holds.get(hold).is_some_and(|hold| hold.status == ReservationStatus::Open)
    }

    /// A hard budget on the path of that one which is used beyond its limit.
    pub(in crate::histories) fn overspent(&self, budget: &Name) -> Option<Name> {
        let used = |above: &Name| self.spent(above) + self.held(above);
        let is_over = |above: &Name| {
            let node = &self.budgets[above];
            node.hard && node.limit.is_some_and(|limit| used(above) > limit)
        };
        self.path(budget).into_iter().find(is_over)
    }
}

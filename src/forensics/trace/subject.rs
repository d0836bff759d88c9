//! Whose story it is: which events tell of it, and as what.

use std::collections::HashSet;

use super::TraceKind;
use crate::domain::State;
use crate::engine::feed::subject::{budget_of, goals_of, is_of_budget};
use crate::error::{Error, ErrorKind};
use crate::event::{ChangeEvent, Payload};
use crate::ids::{BudgetId, GoalId};

/// Whose story it is.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) id: String,
    kind: Option<TraceKind>,
    goal: Option<GoalId>,
    /// A budget, or that of a goal, with all that are below it.
    families: Vec<Family>,
}

/// A budget and those below it, as far as they were met.
#[derive(Debug)]
struct Family {
    kind: TraceKind,
    root: BudgetId,
    members: HashSet<BudgetId>,
}

impl Subject {
    /// # Errors
    /// `InvalidArgument` for an id that cannot be of that kind.
    pub(super) fn new(id: &str, kind: Option<TraceKind>) -> Result<Subject, Error> {
        let wrong = |expected: &str| {
            Err(Error::new(ErrorKind::InvalidArgument, format!("expected {expected}, found {id:?}")))
        };
        if id.is_empty() {
            return wrong("an id to trace");
        }
        let may_be = |wanted| kind.is_none_or(|kind| kind == wanted);
        let goal: Option<GoalId> = id.parse().ok().filter(|_| may_be(TraceKind::Goal));
        let budget: Option<BudgetId> = id.parse().ok().filter(|_| may_be(TraceKind::Budget));
        match kind {
            Some(TraceKind::Goal) if goal.is_none() => return wrong("the id of a goal, a UUID"),
            Some(TraceKind::Budget) if budget.is_none() => return wrong("the id of a budget"),
            _ => {}
        }
        let family = |kind, root: BudgetId| Family { kind, members: HashSet::from([root.clone()]), root };
        let families = [
            goal.map(|goal| family(TraceKind::Goal, BudgetId::Goal(goal))),
            budget.map(|budget| family(TraceKind::Budget, budget)),
        ];
        Ok(Subject { id: id.to_owned(), kind, goal, families: families.into_iter().flatten().collect() })
    }

    pub(super) fn has_families(&self) -> bool {
        !self.families.is_empty()
    }

    /// The budgets whose story it is.
    pub(super) fn roots(&self) -> impl Iterator<Item = &BudgetId> {
        self.families.iter().map(|family| &family.root)
    }

    /// The budgets below those, as far as they are known.
    pub(super) fn below(&self) -> impl Iterator<Item = &BudgetId> {
        self.families.iter().flat_map(|family| family.members.iter().filter(|id| **id != family.root))
    }

    /// Learns which budgets are below from the state that the story begins with.
    pub(super) fn learn_from(&mut self, state: &State) {
        for family in &mut self.families {
            for budget in state.budgets() {
                let parent = |id: &BudgetId| state.budget(id).and_then(|budget| budget.parent.clone());
                if std::iter::successors(budget.parent.clone(), parent).any(|id| id == family.root) {
                    family.members.insert(budget.id.clone());
                }
            }
        }
    }

    /// Learns of a budget that is made below. The budget, if it is one of them.
    pub(super) fn learn(&mut self, payload: &Payload) -> Option<BudgetId> {
        let (made, parent) = match payload {
            Payload::BudgetAllocated(made) => (made.budget_id.clone(), made.parent.clone()?),
            Payload::GoalCreated(made) => (BudgetId::Goal(made.goal_id), BudgetId::Goal(made.parent_goal?)),
            _ => return None,
        };
        let mut is_new = false;
        for family in &mut self.families {
            is_new |= family.members.contains(&parent) && family.members.insert(made.clone());
        }
        is_new.then_some(made)
    }

    /// As what the event tells of it.
    pub(super) fn roles(&self, event: &ChangeEvent) -> Vec<TraceKind> {
        let may_be = |kind: &TraceKind| self.kind.is_none_or(|wanted| wanted == *kind);
        TraceKind::ALL.into_iter().filter(|kind| may_be(kind) && self.is(*kind, event)).collect()
    }

    fn is(&self, kind: TraceKind, event: &ChangeEvent) -> bool {
        let is = |text: Option<&str>| text == Some(&*self.id);
        let payload = &event.payload;
        match kind {
            TraceKind::Goal => self.is_of_goal(payload) || self.is_of_family(kind, payload),
            TraceKind::Budget => self.is_of_family(kind, payload),
            TraceKind::Reservation => is_of_reservation(&self.id, payload),
            TraceKind::Spend => match payload {
                Payload::SpendRecorded(spend) => *spend.spend_id.0 == *self.id,
                Payload::SpendReversed(spend) => *spend.spend_id.0 == *self.id,
                _ => false,
            },
            TraceKind::Key => is(event.key.as_ref().map(|key| &*key.key)),
            TraceKind::Session => is(event.session_id.as_deref()),
            TraceKind::Actor => is(event.actor.as_deref()),
            TraceKind::Event => match payload {
                Payload::EventRecorded(event) => is(event.event_id.as_ref().map(|id| &*id.0)),
                _ => false,
            },
            TraceKind::Meter => match payload {
                Payload::MeterObserved(meter) => *meter.meter_id.0 == *self.id,
                Payload::MeterReset(meter) => *meter.meter_id.0 == *self.id,
                Payload::SpendRecorded(spend) => is(spend.meter_id.as_ref().map(|id| &*id.0)),
                _ => false,
            },
        }
    }

    fn is_of_goal(&self, payload: &Payload) -> bool {
        let Some(goal) = self.goal else { return false };
        goals_of(payload).any(|id| id == goal)
    }

    fn is_of_family(&self, kind: TraceKind, payload: &Payload) -> bool {
        let Some(family) = self.families.iter().find(|family| family.kind == kind) else { return false };
        let is_child = match payload {
            Payload::BudgetAllocated(made) => made.parent.as_ref() == Some(&family.root),
            Payload::GoalCreated(made) => made.parent_goal.map(BudgetId::Goal).as_ref() == Some(&family.root),
            _ => false,
        };
        is_child
            || is_of_budget(payload, &family.root)
            || booked_on(payload).is_some_and(|budget| family.members.contains(&budget))
    }

    /// The budget whose balance matters: the one whose story it is, or else the one that the event is about.
    pub(super) fn balance_budget(&self, event: &ChangeEvent) -> Option<BudgetId> {
        let own = self.families.iter().find(|family| match family.kind {
            TraceKind::Goal => {
                self.is_of_goal(&event.payload) || self.is_of_family(family.kind, &event.payload)
            }
            _ => self.is_of_family(family.kind, &event.payload),
        });
        own.map(|family| family.root.clone()).or_else(|| about(&event.payload))
    }
}

fn is_of_reservation(id: &str, payload: &Payload) -> bool {
    let is = |found: &crate::ids::ReservationId| *found.0 == *id;
    match payload {
        Payload::ReservationMade(made) => is(&made.reservation_id),
        Payload::ReservationReleased(released) => is(&released.reservation_id),
        Payload::ReservationExpired(expired) => is(&expired.reservation_id),
        Payload::ReservationMarkedUnknown(marked) => is(&marked.reservation_id),
        Payload::SpendRecorded(spend) => spend.reservation_id.as_ref().is_some_and(is),
        Payload::CommandRefused(refused) => refused.reservation_id.as_ref().is_some_and(is),
        Payload::BudgetClosed(closed) => closed.released.iter().any(is),
        _ => false,
    }
}

/// The budget on which an event books, or sets aside, something: it counts at those above, too.
fn booked_on(payload: &Payload) -> Option<BudgetId> {
    match payload {
        Payload::TurnRecorded(turn) => Some(BudgetId::Goal(turn.goal_id)),
        Payload::SpendRecorded(_)
        | Payload::SpendReversed(_)
        | Payload::ReservationMade(_)
        | Payload::ReservationReleased(_)
        | Payload::ReservationExpired(_) => budget_of(payload).cloned(),
        _ => None,
    }
}

/// The budget that an event is about; of a goal, that of its tokens.
fn about(payload: &Payload) -> Option<BudgetId> {
    let goal = match payload {
        Payload::GoalCreated(made) => Some(made.goal_id),
        Payload::GoalTransitioned(change) => Some(change.goal_id),
        Payload::GoalBudgetSet(set) => Some(set.goal_id),
        Payload::TurnRecorded(turn) => Some(turn.goal_id),
        _ => None,
    };
    goal.map(BudgetId::Goal).or_else(|| budget_of(payload).cloned())
}

//! Filters: which events a client wants.

use std::sync::Arc;

use super::subject::{goals_of, is_of_budget};
use crate::error::{Error, ErrorKind};
use crate::event::{ChangeEvent, Payload};
use crate::ids::{BudgetId, GoalId};

/// Which events a feed gives: those that agree with everything the filter asks for. Asked for more than once, any of the
/// values will do.
///
/// Events of the host's own ([`RecordEvent`](crate::RecordEvent)) are of no goal, scope or budget: no filter by these lets
/// them pass. What time brought about (expiries, new windows, forgetting) is of no session.
///
/// A filter does not narrow the state in a [`Reset`](super::Reset) or in a [snapshot](super::Subscription::snapshot): do
/// not hand that to a client that may see one session only.
///
/// ```
/// use tallybook::EventFilter;
/// # fn main() -> Result<(), tallybook::Error> {
/// let refusals_and_ends = EventFilter::new().budget("task-7").kind("command_refused")?.kind("budget_closed")?;
/// assert!(!refusals_and_ends.is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    pub(super) scopes: Vec<Arc<str>>,
    goals: Vec<GoalId>,
    budgets: Vec<BudgetId>,
    pub(super) sessions: Vec<Arc<str>>,
    pub(super) kinds: Vec<&'static str>,
    pub(super) events: Vec<Arc<str>>,
}

impl EventFilter {
    /// One that lets every event pass.
    pub fn new() -> EventFilter {
        EventFilter::default()
    }

    /// Only events of goals of this scope, as [`goal`](Self::goal) understands it.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<Arc<str>>) -> EventFilter {
        self.scopes.push(scope.into());
        self
    }

    /// Only events of this goal, of its token budget, charged on its turns, or brought about by it.
    #[must_use]
    pub fn goal(mut self, goal_id: GoalId) -> EventFilter {
        self.goals.push(goal_id);
        self
    }

    /// Only events of this budget, its spends and reservations, and what passes its limit; that of a goal's tokens is
    /// `goal:<goal_id>`.
    #[must_use]
    pub fn budget(mut self, budget_id: impl Into<BudgetId>) -> EventFilter {
        self.budgets.push(budget_id.into());
        self
    }

    /// Only events of commands of this session.
    #[must_use]
    pub fn session(mut self, session_id: impl Into<Arc<str>>) -> EventFilter {
        self.sessions.push(session_id.into());
        self
    }

    /// Only events of this kind, by its name in the journal: one of [`Payload::KINDS`].
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such kind.
    pub fn kind(mut self, kind: &str) -> Result<EventFilter, Error> {
        let known = Payload::KINDS.iter().find(|known| **known == kind).ok_or_else(|| {
            let found: String = kind.chars().take(100).collect();
            let kinds = Payload::KINDS.join(", ");
            let message = format!("expected a kind of event, found {found:?}; there are {kinds}");
            Error::new(ErrorKind::InvalidArgument, message)
        })?;
        self.kinds.push(known);
        Ok(self)
    }

    /// Only events of the host's own of this [name](crate::RecordEvent::name).
    #[must_use]
    pub fn event(mut self, name: impl Into<Arc<str>>) -> EventFilter {
        self.events.push(name.into());
        self
    }

    /// Whether it lets every event pass.
    pub fn is_empty(&self) -> bool {
        let EventFilter { scopes, goals, budgets, sessions, kinds, events } = self;
        scopes.is_empty()
            && goals.is_empty()
            && budgets.is_empty()
            && sessions.is_empty()
            && kinds.is_empty()
            && events.is_empty()
    }

    /// Whether an event agrees with everything but the scopes, which no event says of itself.
    pub(super) fn agrees_but_for_scopes(&self, event: &ChangeEvent) -> bool {
        let payload = &event.payload;
        is_any(&self.kinds, |kind| *kind == payload.kind())
            && is_any(&self.sessions, |session| event.session_id.as_ref() == Some(session))
            && is_any(&self.events, |name| is_host_event(payload, name))
            && is_any(&self.budgets, |budget| is_of_budget(payload, budget))
            && (self.goals.is_empty() || goals_of(payload).any(|goal| self.goals.contains(&goal)))
    }
}

/// Whether an event is one of the host's own, of that name.
fn is_host_event(payload: &Payload, name: &Arc<str>) -> bool {
    matches!(payload, Payload::EventRecorded(event) if event.name == *name)
}

/// Whether one of the values will do, if any are given.
fn is_any<T>(values: &[T], will_do: impl Fn(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(will_do)
}

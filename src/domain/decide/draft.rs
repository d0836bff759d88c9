//! The events of one command in the making, and the statuses that goals will have after them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::domain::decide::blocking_below;
use crate::domain::decide::reservation::released;
use crate::domain::goal::GoalRecord;
use crate::domain::{Decision, State};
use crate::event::{BudgetExhausted, GoalStatus, GoalTransitioned, Payload, ReleaseReason, TransitionReason};
use crate::ids::{BudgetId, GoalId};
use crate::planted::{Bug, planted};

/// The events of one command in the making.
///
/// Whatever their number, no `seq` among them shows two active goals in a scope, nor an active goal under one that is
/// not: pauses and ends go from the lowest goal upwards, resumptions from the highest downwards.
pub(super) struct Draft<'a> {
    state: &'a State,
    events: Vec<Payload>,
    statuses: BTreeMap<GoalId, GoalStatus>,
    active: BTreeMap<Arc<str>, Option<GoalId>>,
}

/// Why a goal changes its status.
#[derive(Clone)]
pub(super) struct Cause {
    pub(super) reason: TransitionReason,
    pub(super) by_goal: Option<GoalId>,
    pub(super) budget_id: Option<BudgetId>,
    pub(super) note: Option<Arc<str>>,
}

impl Cause {
    pub(super) fn of(reason: TransitionReason) -> Cause {
        Cause { reason, by_goal: None, budget_id: None, note: None }
    }

    pub(super) fn by(reason: TransitionReason, goal: GoalId) -> Cause {
        Cause { by_goal: Some(goal), ..Cause::of(reason) }
    }

    /// The cause of a change that follows from the same change of the goal above.
    fn from_parent(goal: &GoalRecord) -> Cause {
        Cause { by_goal: goal.facts.parent_goal, ..Cause::of(TransitionReason::Parent) }
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &'a State) -> Draft<'a> {
        // Most commands lead to one event, and events are large.
        Draft { state, events: Vec::with_capacity(1), statuses: BTreeMap::new(), active: BTreeMap::new() }
    }

    pub(super) fn push(&mut self, event: Payload) {
        self.events.push(event);
    }

    pub(super) fn finish(self) -> Decision {
        Decision::Events(self.events)
    }

    fn status(&self, goal: &GoalRecord) -> GoalStatus {
        self.statuses.get(&goal.id()).copied().unwrap_or(goal.status)
    }

    fn active_in(&self, scope: &str) -> Option<GoalId> {
        self.active.get(scope).copied().unwrap_or_else(|| self.state.active_goal_id(scope))
    }

    /// Moves one goal, once in a draft.
    fn transition(&mut self, goal: &GoalRecord, to: GoalStatus, cause: Cause) {
        let from = self.status(goal);
        if to.is_terminal() {
            // Its budget ends with it, so nothing stays set aside there.
            let budget_id = BudgetId::Goal(goal.id());
            let held = self.state.held_on(&budget_id);
            self.events.extend(held.map(|reservation| released(reservation, ReleaseReason::GoalEnded)));
        }
        self.events.push(Payload::GoalTransitioned(GoalTransitioned {
            goal_id: goal.id(),
            from,
            to,
            reason: cause.reason,
            // A revision counts the changes of one goal: no journal lives to see 2^64 of them.
            revision: goal.revision.saturating_add(1),
            by_goal: cause.by_goal,
            budget_id: cause.budget_id,
            note: cause.note,
        }));
        self.statuses.insert(goal.id(), to);
        if to == GoalStatus::Active {
            self.active.insert(goal.facts.scope.clone(), Some(goal.id()));
        } else if from == GoalStatus::Active {
            self.active.insert(goal.facts.scope.clone(), None);
        }
    }

    /// Pauses a goal and the active ones below it.
    pub(super) fn pause(&mut self, goal: &'a GoalRecord, cause: Cause) {
        self.move_below_first(goal, GoalStatus::Paused, cause);
    }

    /// Ends a goal and clears the open ones below it.
    pub(super) fn end(&mut self, goal: &'a GoalRecord, to: GoalStatus, cause: Cause) {
        self.move_below_first(goal, to, cause);
    }

    fn move_below_first(&mut self, goal: &'a GoalRecord, to: GoalStatus, cause: Cause) {
        let (status_below, include_paused) = match to {
            GoalStatus::Paused => (GoalStatus::Paused, false),
            _ => (GoalStatus::Cleared, true),
        };
        let subtree = self.subtree(goal, |status| status == GoalStatus::Active || include_paused);
        for descendant in subtree.into_iter().skip(1).rev() {
            self.transition(descendant, status_below, Cause::from_parent(descendant));
        }
        self.transition(goal, to, cause);
    }

    /// States that a budget is exhausted. Where its limit is a hard one, that pauses whatever is active at or below a
    /// goal that is held by it, every one for that reason.
    pub(super) fn exhaust(&mut self, exhausted: BudgetExhausted) {
        let (budget_id, hard) = (exhausted.budget_id.clone(), exhausted.hard);
        self.events.push(Payload::BudgetExhausted(exhausted));
        if !hard {
            return;
        }
        for goal in self.held_by(&budget_id) {
            if self.status(goal) == GoalStatus::Active {
                self.pause_exhausted(goal, &budget_id);
            }
        }
    }

    fn pause_exhausted(&mut self, goal: &'a GoalRecord, budget_id: &BudgetId) {
        let is_paused = |status| status == GoalStatus::Active && !planted(Bug::ExhaustionPausesOneGoal);
        for active in self.subtree(goal, is_paused).into_iter().rev() {
            let budget_id = Some(budget_id.clone());
            let cause = Cause { budget_id, ..Cause::of(TransitionReason::BudgetExhausted) };
            self.transition(active, GoalStatus::Paused, cause);
        }
    }

    /// The goals that a budget holds: the one whose tokens it counts, or those that name it, or one below it.
    fn held_by(&self, budget_id: &BudgetId) -> Vec<&'a GoalRecord> {
        let state = self.state;
        if let BudgetId::Goal(id) = budget_id {
            return state.record(*id).into_iter().collect();
        }
        let mut goals: Vec<_> = state.naming(budget_id).collect();
        let mut parents: Vec<_> = state.budgets_below(budget_id).collect();
        while let Some(budget) = parents.pop() {
            goals.extend(state.naming(&budget.id));
            parents.extend(state.budgets_below(&budget.id));
        }
        goals
    }

    /// Makes room in a scope for a goal that is about to be active there.
    pub(super) fn supersede(&mut self, scope: &str, by: GoalId) {
        if let Some(active) = self.active_in(scope).and_then(|id| self.state.record(id))
            && !planted(Bug::TwoActiveInAScope)
        {
            self.pause(active, Cause::by(TransitionReason::Superseded, by));
        }
    }

    /// Resumes a goal, and below it what was paused with it, level by level, each in the order of the ids. What cannot
    /// be active stays paused, with all below it: a goal whose scope has another active one by then, or whose budget
    /// is exhausted.
    pub(super) fn resume(&mut self, goal: &'a GoalRecord, cause: Cause) {
        self.supersede(&goal.facts.scope, goal.id());
        self.transition(goal, GoalStatus::Active, cause);
        let mut resumed = VecDeque::from([goal]);
        while let Some(parent) = resumed.pop_front() {
            for child in self.state.open_children(parent.id()) {
                if self.can_follow(child) {
                    self.transition(child, GoalStatus::Active, Cause::from_parent(child));
                    resumed.push_back(child);
                }
            }
        }
    }

    fn can_follow(&self, child: &GoalRecord) -> bool {
        self.status(child) == GoalStatus::Paused
            && child.pause_reason == Some(TransitionReason::Parent)
            && self.active_in(&child.facts.scope).is_none()
            && blocking_below(self.state, child).is_none()
    }

    /// A goal and the open ones below it that can be reached through those that `follow` accepts, each before those
    /// below it.
    fn subtree(&self, top: &'a GoalRecord, follow: impl Fn(GoalStatus) -> bool) -> Vec<&'a GoalRecord> {
        let mut found = vec![top];
        let mut next = 0;
        while let Some(&parent) = found.get(next) {
            next += 1;
            let children = self.state.open_children(parent.id());
            found.extend(children.filter(|child| follow(self.status(child))));
        }
        found
    }
}

//! Goals: at most one is active in a scope, none under one that is not, none while a hard budget that holds it is
//! exhausted.

use std::collections::VecDeque;

use tallybook::{
    GoalStatus, NewGoal, RecordTurn, SetGoalBudget, TransitionGoal, TransitionReason, Turn, TurnTarget,
};

use super::budgets::closed_stop;
use super::{Facts, GoalNode, Model, Node, Stop, Subject};
use crate::histories::history::{Name, name};

use GoalStatus::{Active, Cleared, Paused};

fn budget_of(goal: &Name) -> Name {
    name(format!("goal:{goal}"))
}

fn exhausted_stop(op: &'static str, budget: Name) -> Stop {
    Stop::Refused { kind: "budget_exceeded", op, budget, amount: 0, hold: None }
}

const NO_TRANSITION: Stop = Stop::Rejected("invalid_transition");

impl Model {
    pub(super) fn create_goal(&mut self, new: &NewGoal) -> Result<(Subject, Facts), Stop> {
        let id = name(new.goal_id.expect("goals are given ids here"));
        let names: Vec<Name> = new.budgets.iter().map(name).collect();
        if names.iter().any(|budget| budget.starts_with("goal:")) {
            return Err(Stop::Rejected("invalid"));
        }
        names.iter().try_for_each(|budget| self.find(budget).map(drop))?;
        let parent = new.parent_goal.map(name);
        if parent.as_ref().is_some_and(|parent| !self.goals.contains_key(parent)) {
            return Err(Stop::Rejected("not_found"));
        }
        if self.goals.contains_key(&id) {
            return Err(Stop::Rejected("exists"));
        }
        let scope = new.scope.clone().expect("goals are given scopes here");
        if let Some(parent) = &parent {
            if self.goals[parent].status.is_terminal() {
                return Err(NO_TRANSITION);
            }
            if let Some(budget) = self.blocking(parent) {
                return Err(exhausted_stop("create_goal", budget));
            }
            self.check_standing(Some(parent), &scope)?;
        }
        if let Some(closed) = names.iter().find(|budget| self.is_closed(budget)) {
            return Err(closed_stop("create_goal", closed.clone(), 0));
        }
        if let Some(budget) = self.blocking_named(&names) {
            return Err(exhausted_stop("create_goal", budget));
        }
        let mut facts = Facts::new();
        self.supersede(&scope, &mut facts);
        facts.push(format!("goal {id} with {:?}", new.token_budget));
        let above = parent.as_ref().map(budget_of);
        self.budgets.insert(budget_of(&id), Node::new(above, new.token_budget, true));
        let (status, reason, turns, revision) = (Active, None, 0, 1);
        self.goals.insert(id.clone(), GoalNode { parent, scope, names, status, reason, turns, revision });
        Ok((Subject::Goal(id), facts))
    }

    pub(super) fn transition_goal(&mut self, change: &TransitionGoal) -> Result<(Subject, Facts), Stop> {
        let (id, to) = (name(change.goal_id), change.to);
        let Some(goal) = self.goals.get(&id).cloned() else { return Err(Stop::Rejected("not_found")) };
        if goal.status.is_terminal() || goal.status == to {
            return Err(NO_TRANSITION);
        }
        let mut facts = Facts::new();
        match to {
            Active => {
                if let Some(budget) = self.blocking(&id) {
                    return Err(exhausted_stop("transition_goal", budget));
                }
                self.check_standing(goal.parent.as_ref(), &goal.scope)?;
                self.resume(&id, &mut facts);
            }
            Paused => self.pause(&id, TransitionReason::Requested, &mut facts),
            _ => {
                for below in self.goals_below(&id) {
                    if !self.goals[&below].status.is_terminal() {
                        self.set(&below, Cleared, TransitionReason::Parent, &mut facts);
                    }
                }
                self.set(&id, to, TransitionReason::Requested, &mut facts);
            }
        }
        Ok((Subject::Goal(id), facts))
    }

    pub(super) fn set_goal_budget(&mut self, set: &SetGoalBudget) -> Result<(Subject, Facts), Stop> {
        let (id, limit) = (name(set.goal_id), set.token_budget);
        if limit == Some(0) {
            return Err(Stop::Rejected("invalid"));
        }
        let Some(goal) = self.goals.get(&id).cloned() else { return Err(Stop::Rejected("not_found")) };
        if goal.status.is_terminal() {
            return Err(NO_TRANSITION);
        }
        let budget = budget_of(&id);
        let resumes = set.resume && goal.status == Paused;
        if set.resume {
            let mut then = self.clone();
            then.node(&budget).limit = limit;
            if let Some(budget) = then.blocking(&id) {
                let limit = then.budgets[&budget].limit;
                return Err(Stop::Blocked { op: "set_goal_budget", budget, limit });
            }
        }
        if resumes {
            self.check_standing(goal.parent.as_ref(), &goal.scope)?;
        }
        let hard = self.budgets[&budget].hard;
        let mut facts = vec![format!("goal {id} limit {limit:?}")];
        self.set_terms(&budget, limit, hard, &mut facts);
        if resumes {
            self.resume(&id, &mut facts);
        }
        Ok((Subject::Goal(id), facts))
    }

    pub(super) fn record_turn(&mut self, record: &RecordTurn) -> Result<(Subject, Facts), Stop> {
        let TurnTarget::Goal(goal) = &record.target else { panic!("turns are of goals here") };
        self.turn(&name(goal), &record.turn)
    }

    pub(super) fn turn(&mut self, id: &Name, turn: &Turn) -> Result<(Subject, Facts), Stop> {
        let charges: Vec<(Name, u128)> =
            turn.charges.iter().map(|charge| (name(&charge.budget_id), charge.amount)).collect();
        charges.iter().try_for_each(|(budget, _)| self.find(budget).map(drop))?;
        let Some(goal) = self.goals.get(id) else { return Err(Stop::Rejected("not_found")) };
        let (late, turns, tokens) = (goal.status != Active, turn.turns, turn.tokens);
        let budget = budget_of(id);
        let booked: Vec<Name> =
            [&budget].into_iter().chain(charges.iter().map(|(budget, _)| budget)).cloned().collect();
        let standing = self.standing(&booked);
        let over = self.book(&budget, tokens);
        let mut facts = vec![format!("turn {id} {tokens} ×{turns} late {late} over {over:?}")];
        for (budget, amount) in &charges {
            let late = late || self.is_closed(budget);
            facts.push(self.book_own(budget, *amount, late));
        }
        self.goals.get_mut(id).expect("it was there before").turns += turns;
        self.follow(standing, &mut facts);
        Ok((Subject::Goal(id.clone()), facts))
    }

    /// Pauses whatever a budget holds: its goal, or the goals that name it or one below it, and all below those.
    pub(super) fn pause_under(&mut self, budget: &Name, facts: &mut Facts) {
        let is_held = |id: &Name, goal: &GoalNode| {
            budget_of(id) == *budget || goal.names.iter().any(|named| self.path(named).contains(budget))
        };
        let held: Vec<Name> =
            self.goals.iter().filter(|(id, goal)| is_held(id, goal)).map(|(id, _)| id.clone()).collect();
        for top in held.into_iter().filter(|id| self.goals[id].status == Active).collect::<Vec<_>>() {
            for id in self.goals_below(&top).into_iter().chain([top]) {
                if self.goals[&id].status == Active {
                    self.set(&id, Paused, TransitionReason::BudgetExhausted, facts);
                }
            }
        }
    }

    fn pause(&mut self, id: &Name, reason: TransitionReason, facts: &mut Facts) {
        for below in self.goals_below(id) {
            if self.goals[&below].status == Active {
                self.set(&below, Paused, TransitionReason::Parent, facts);
            }
        }
        self.set(id, Paused, reason, facts);
    }

    /// A goal becomes active, and below it what was paused with it and can be active.
    fn resume(&mut self, id: &Name, facts: &mut Facts) {
        let scope = self.goals[id].scope.clone();
        self.supersede(&scope, facts);
        self.set(id, Active, TransitionReason::Requested, facts);
        let mut resumed = VecDeque::from([id.clone()]);
        while let Some(parent) = resumed.pop_front() {
            let children = self.goals.iter().filter(|(_, goal)| goal.parent.as_ref() == Some(&parent));
            for child in children.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
                let goal = &self.goals[&child];
                let was_paused_with_it =
                    goal.status == Paused && goal.reason == Some(TransitionReason::Parent);
                let is_free = self.active_in(&goal.scope).is_none() && self.blocking(&child).is_none();
                if was_paused_with_it && is_free {
                    self.set(&child, Active, TransitionReason::Parent, facts);
                    resumed.push_back(child);
                }
            }
        }
    }

    fn supersede(&mut self, scope: &str, facts: &mut Facts) {
        if let Some(active) = self.active_in(scope) {
            self.pause(&active, TransitionReason::Superseded, facts);
        }
    }

    /// A goal is active only under one that is, and does not take the place of one that it works for.
    fn check_standing(&self, parent: Option<&Name>, scope: &str) -> Result<(), Stop> {
        let Some(parent) = parent else { return Ok(()) };
        let is_above = |active: &Name| active == parent || self.goals_below(active).contains(parent);
        let takes_its_place = self.active_in(scope).is_some_and(|active| is_above(&active));
        match self.goals[parent].status == Active && !takes_its_place {
            true => Ok(()),
            false => Err(NO_TRANSITION),
        }
    }

    fn set(&mut self, id: &Name, to: GoalStatus, reason: TransitionReason, facts: &mut Facts) {
        let budget = budget_of(id);
        if to.is_terminal() {
            let released = self.release_all(&budget, "goal_ended", facts);
            self.node(&budget).closed = Some(released);
        }
        let goal = self.goals.get_mut(id).expect("there is such a goal");
        goal.status = to;
        goal.reason = (to == Paused).then_some(reason);
        goal.revision += 1;
        facts.push(format!("goal {id} {to} {reason}"));
    }

    /// The nearest exhausted hard budget that holds a goal: of its own path, else of those that it or a goal above names.
    fn blocking(&self, id: &Name) -> Option<Name> {
        let own = self.path(&budget_of(id)).into_iter().find(|budget| self.is_blocking(budget));
        own.or_else(|| {
            let mut next = Some(id);
            while let Some(id) = next {
                let goal = &self.goals[id];
                if let Some(budget) = self.blocking_named(&goal.names) {
                    return Some(budget);
                }
                next = goal.parent.as_ref();
            }
            None
        })
    }

    fn blocking_named(&self, names: &[Name]) -> Option<Name> {
        names.iter().flat_map(|named| self.path(named)).find(|budget| self.is_blocking(budget))
    }

    fn active_in(&self, scope: &str) -> Option<Name> {
        let mut goals = self.goals.iter();
        goals.find(|(_, goal)| goal.status == Active && *goal.scope == *scope).map(|(id, _)| id.clone())
    }

    /// All goals below one, at whatever depth, the lowest first.
    fn goals_below(&self, top: &Name) -> Vec<Name> {
        let mut found = vec![top.clone()];
        let mut next = 0;
        while let Some(parent) = found.get(next).cloned() {
            next += 1;
            let children = self.goals.iter().filter(|(_, goal)| goal.parent.as_ref() == Some(&parent));
            found.extend(children.map(|(id, _)| id.clone()));
        }
        found.remove(0);
        found.reverse();
        found
    }
}

//! A plain model of the rules: a list of goals, a list of keys, and sums that are added up anew each time. It is
//! slow and simple on purpose; the property test holds the domain against it.

use crate::event::{GoalStatus, TransitionReason};

/// A command of the model. Goals are numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    Create { id: u128, parent: Option<u128>, scope: Option<u8>, limit: Option<u128> },
    Transition { id: u128, to: GoalStatus, blocked: bool, expected: Option<u64> },
    SetBudget { id: u128, limit: Option<u128>, resume: bool, expected: Option<u64> },
    Turn { id: u128, tokens: u128 },
    ScopeTurn { scope: u8, tokens: u128 },
    KeyWindow { max_age_secs: u64, max_count: usize },
}

/// What the model expects of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    Done,
    Unchanged,
    Refused { budget: u128, limit: u128, spent: u128, suppressed: bool },
    Rejected(&'static str),
    Retried { first_seq: u64, last_seq: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelGoal {
    pub(super) id: u128,
    pub(super) parent: Option<u128>,
    pub(super) scope: String,
    pub(super) limit: Option<u128>,
    pub(super) status: GoalStatus,
    pub(super) reason: Option<TransitionReason>,
    pub(super) revision: u64,
    pub(super) own: u128,
    pub(super) turns: u64,
}

#[derive(Debug)]
struct ModelKey {
    key: u8,
    op: Op,
    at: u64,
    seqs: (u64, u64),
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) goals: Vec<ModelGoal>,
    pub(super) now_secs: u64,
    keys: Vec<ModelKey>,
    window: Option<(u64, usize)>,
    refusals: Vec<(u64, u128)>,
}

use GoalStatus::{Active, Cleared, Completed, Paused};

impl Model {
    pub(super) fn apply(&mut self, op: &Op, key: Option<u8>) -> Expected {
        if let Some(known) = key.and_then(|key| self.keys.iter().find(|known| known.key == key)) {
            if known.op != *op {
                return Expected::Rejected("conflict");
            }
            let (first_seq, last_seq) = known.seqs;
            return Expected::Retried { first_seq, last_seq };
        }
        self.run(op).unwrap_or_else(|answer| answer)
    }

    /// To be told of every command that wrote events, and where.
    pub(super) fn wrote(&mut self, op: &Op, key: Option<u8>, seqs: (u64, u64)) {
        if let Some(key) = key {
            self.keys.push(ModelKey { key, op: op.clone(), at: self.now_secs, seqs });
        }
        self.forget();
    }

    fn forget(&mut self) {
        let (max_age, max_count) = self.window.unwrap_or((24 * 60 * 60, 65_536));
        self.keys.retain(|key| self.now_secs - key.at <= max_age);
        let surplus = self.keys.len().saturating_sub(max_count);
        self.keys.drain(..surplus);
    }

    fn run(&mut self, op: &Op) -> Result<Expected, Expected> {
        match *op {
            Op::Create { id, parent, scope, limit } => self.create(id, parent, scope, limit),
            Op::Transition { id, to, blocked, expected } => self.transition(id, to, blocked, expected),
            Op::SetBudget { id, limit, resume, expected } => self.set_budget(id, limit, resume, expected),
            Op::Turn { id, tokens } => self.turn(id, tokens),
            Op::ScopeTurn { scope, tokens } => match self.active_in(&scope_name(scope)) {
                Some(id) => self.turn(id, tokens),
                None => Err(Expected::Unchanged),
            },
            Op::KeyWindow { max_age_secs, max_count } => {
                let window = Some((max_age_secs, max_count));
                if self.window == window {
                    return Err(Expected::Unchanged);
                }
                // What the old window no longer holds at this time is not brought back by a wider one.
                self.forget();
                self.window = window;
                Ok(Expected::Done)
            }
        }
    }

    fn create(
        &mut self,
        id: u128,
        parent: Option<u128>,
        scope: Option<u8>,
        limit: Option<u128>,
    ) -> Result<Expected, Expected> {
        if limit == Some(0) {
            return Err(Expected::Rejected("invalid"));
        }
        if parent.is_some_and(|parent| self.find(parent).is_none()) {
            return Err(Expected::Rejected("not_found"));
        }
        if self.find(id).is_some() {
            return Err(Expected::Rejected("exists"));
        }
        let scope = scope.map_or_else(|| parent.map_or_else(String::new, |_| own_scope(id)), scope_name);
        if let Some(parent) = parent {
            if self.goal(parent).status.is_terminal() {
                return Err(Expected::Rejected("invalid_transition"));
            }
            self.refuse_under_exhausted(parent)?;
            self.check_can_stand(Some(parent), &scope)?;
        }
        self.supersede(&scope);
        self.goals.push(ModelGoal {
            id,
            parent,
            scope,
            limit,
            status: Active,
            reason: None,
            revision: 1,
            own: 0,
            turns: 0,
        });
        Ok(Expected::Done)
    }

    fn transition(
        &mut self,
        id: u128,
        to: GoalStatus,
        blocked: bool,
        expected: Option<u64>,
    ) -> Result<Expected, Expected> {
        if blocked && to != Paused {
            return Err(Expected::Rejected("invalid"));
        }
        let Some(goal) = self.find(id).cloned() else { return Err(Expected::Rejected("not_found")) };
        if goal.status.is_terminal() || goal.status == to {
            return Err(Expected::Rejected("invalid_transition"));
        }
        let exhausted = to == Active && self.exhausted_above(id).is_some();
        if to == Active && !exhausted {
            self.check_can_stand(goal.parent, &goal.scope)?;
        }
        if expected.is_some_and(|expected| expected != goal.revision) {
            return Err(Expected::Rejected("stale"));
        }
        let reason = if blocked { TransitionReason::Blocked } else { TransitionReason::Requested };
        match to {
            Active => {
                self.refuse_under_exhausted(id)?;
                self.resume(id);
            }
            Paused => self.pause(id, reason),
            Completed | Cleared => {
                for below in self.below(id) {
                    if !self.goal(below).status.is_terminal() {
                        self.set(below, Cleared, TransitionReason::Parent);
                    }
                }
                self.set(id, to, reason);
            }
        }
        Ok(Expected::Done)
    }

    fn set_budget(
        &mut self,
        id: u128,
        limit: Option<u128>,
        resume: bool,
        expected: Option<u64>,
    ) -> Result<Expected, Expected> {
        if limit == Some(0) {
            return Err(Expected::Rejected("invalid"));
        }
        let Some(goal) = self.find(id).cloned() else { return Err(Expected::Rejected("not_found")) };
        if goal.status.is_terminal() {
            return Err(Expected::Rejected("invalid_transition"));
        }
        let was_exhausted = self.is_exhausted(id);
        self.goal_mut(id).limit = limit;
        let answer = self.with_new_limit(&goal, was_exhausted, resume, expected);
        if answer.is_err() {
            self.goal_mut(id).limit = goal.limit;
        }
        answer
    }

    fn with_new_limit(
        &mut self,
        goal: &ModelGoal,
        was_exhausted: bool,
        resume: bool,
        expected: Option<u64>,
    ) -> Result<Expected, Expected> {
        let resumes = resume && goal.status == Paused;
        if resumes && self.exhausted_above(goal.id).is_none() {
            self.check_can_stand(goal.parent, &goal.scope)?;
        }
        if expected.is_some_and(|expected| expected != goal.revision) {
            return Err(Expected::Rejected("stale"));
        }
        if resume {
            self.refuse_under_exhausted(goal.id)?;
        }
        if self.is_exhausted(goal.id) && !was_exhausted {
            self.exhaust(goal.id);
        }
        if resumes {
            self.resume(goal.id);
        }
        Ok(Expected::Done)
    }

    fn turn(&mut self, id: u128, tokens: u128) -> Result<Expected, Expected> {
        if self.find(id).is_none() {
            return Err(Expected::Rejected("not_found"));
        }
        let path = self.path(id);
        let before: Vec<bool> = path.iter().map(|&node| self.is_exhausted(node)).collect();
        let goal = self.goal_mut(id);
        goal.own += tokens;
        goal.turns += 1;
        for (&node, was_exhausted) in path.iter().zip(before) {
            if self.is_exhausted(node) && !was_exhausted {
                self.exhaust(node);
            }
        }
        Ok(Expected::Done)
    }

    fn exhaust(&mut self, id: u128) {
        let mut paused = self.below(id);
        paused.push(id);
        for goal in paused {
            if self.goal(goal).status == Active {
                self.set(goal, Paused, TransitionReason::BudgetExhausted);
            }
        }
    }

    fn supersede(&mut self, scope: &str) {
        if let Some(active) = self.active_in(scope) {
            self.pause(active, TransitionReason::Superseded);
        }
    }

    fn pause(&mut self, id: u128, reason: TransitionReason) {
        for below in self.below(id) {
            if self.goal(below).status == Active {
                self.set(below, Paused, TransitionReason::Parent);
            }
        }
        self.set(id, Paused, reason);
    }

    fn resume(&mut self, id: u128) {
        let scope = self.goal(id).scope.clone();
        self.supersede(&scope);
        self.set(id, Active, TransitionReason::Requested);
        // A level at a time, each in the order of its parents, then of the ids.
        let mut below = self.below(id);
        below.sort_by_key(|&goal| {
            let path = self.path(goal);
            (path.len(), path.into_iter().rev().collect::<Vec<_>>())
        });
        for goal in below {
            let can_follow = {
                let goal = self.goal(goal);
                goal.status == Paused
                    && goal.reason == Some(TransitionReason::Parent)
                    && goal.parent.is_some_and(|parent| self.goal(parent).status == Active)
                    && self.active_in(&goal.scope).is_none()
                    && !self.is_exhausted(goal.id)
            };
            if can_follow {
                self.set(goal, Active, TransitionReason::Parent);
            }
        }
    }

    fn refuse_under_exhausted(&mut self, id: u128) -> Result<(), Expected> {
        let Some(budget) = self.exhausted_above(id) else { return Ok(()) };
        let this = (self.now_secs / 60, budget);
        let suppressed = self.refusals.iter().filter(|&&refusal| refusal == this).count() >= 16;
        if !suppressed {
            self.refusals.push(this);
        }
        let limit = self.goal(budget).limit.unwrap();
        Err(Expected::Refused { budget, limit, spent: self.used(budget), suppressed })
    }

    fn check_can_stand(&self, parent: Option<u128>, scope: &str) -> Result<(), Expected> {
        let Some(parent) = parent else { return Ok(()) };
        let supersedes_ancestor =
            self.active_in(scope).is_some_and(|active| self.path(parent).contains(&active));
        match self.goal(parent).status == Active && !supersedes_ancestor {
            true => Ok(()),
            false => Err(Expected::Rejected("invalid_transition")),
        }
    }

    fn set(&mut self, id: u128, to: GoalStatus, reason: TransitionReason) {
        let goal = self.goal_mut(id);
        goal.status = to;
        goal.reason = (to == Paused).then_some(reason);
        goal.revision += 1;
    }

    pub(super) fn used(&self, id: u128) -> u128 {
        self.goals.iter().filter(|goal| self.path(goal.id).contains(&id)).map(|goal| goal.own).sum()
    }

    pub(super) fn is_exhausted(&self, id: u128) -> bool {
        self.goal(id).limit.is_some_and(|limit| self.used(id) >= limit)
    }

    pub(super) fn exhausted_above(&self, id: u128) -> Option<u128> {
        self.path(id).into_iter().find(|&node| self.is_exhausted(node))
    }

    /// A goal and those above it.
    pub(super) fn path(&self, id: u128) -> Vec<u128> {
        let mut path = vec![id];
        let mut next = self.goal(id).parent;
        while let Some(parent) = next {
            path.push(parent);
            next = self.goal(parent).parent;
        }
        path
    }

    /// All goals below one, at whatever depth.
    fn below(&self, id: u128) -> Vec<u128> {
        let below = self.goals.iter().filter(|goal| goal.id != id && self.path(goal.id).contains(&id));
        below.map(|goal| goal.id).collect()
    }

    fn active_in(&self, scope: &str) -> Option<u128> {
        let active = self.goals.iter().find(|goal| goal.status == Active && goal.scope == scope);
        active.map(|goal| goal.id)
    }

    fn find(&self, id: u128) -> Option<&ModelGoal> {
        self.goals.iter().find(|goal| goal.id == id)
    }

    fn goal(&self, id: u128) -> &ModelGoal {
        self.find(id).unwrap()
    }

    fn goal_mut(&mut self, id: u128) -> &mut ModelGoal {
        self.goals.iter_mut().find(|goal| goal.id == id).unwrap()
    }
}

pub(super) fn scope_name(scope: u8) -> String {
    format!("scope {scope}")
}

fn own_scope(id: u128) -> String {
    super::harness::id(id).to_string()
}

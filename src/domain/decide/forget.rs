//! Forgetting what ended long ago, so that memory holds no more than what is still of use. Its events stay in the journal,
//! as far back as that is retained.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::{Context, Decision, Forget, Outcome, Rejection, State};
use crate::event::{EndedForgotten, Payload};
use crate::ids::BudgetId;

pub(super) fn decide(state: &State, forget: Forget, context: &Context<'_>) -> Result<Decision, Rejection> {
    let age = state.forgotten_after(forget.age);
    let mut draft = Forgetting {
        state,
        now: context.now,
        age,
        spared: BTreeMap::new(),
        freed: VecDeque::new(),
        ended: EndedForgotten { goals: Vec::new(), budgets: Vec::new() },
    };
    let mut idle = state.endings.idle().take_while(|(at, _)| context.now.saturating_since(*at) > age);
    for _ in 0..forget.max_entities {
        // What nothing needs any more by what went before goes first: whole trees go at once, from below.
        let Some(id) = draft.freed.pop_front().or_else(|| idle.next().map(|(_, id)| id.clone())) else {
            break;
        };
        draft.forget(&id);
    }
    let EndedForgotten { goals, budgets } = &draft.ended;
    Ok(match goals.is_empty() && budgets.is_empty() {
        true => Decision::Unchanged(Outcome::Nothing),
        false => Decision::Events(vec![Payload::EndedForgotten(draft.ended)]),
    })
}

/// What is forgotten in one frame, in the making.
struct Forgetting<'a> {
    state: &'a State,
    now: Timestamp,
    age: Duration,
    /// How many of those that need a budget are among the forgotten.
    spared: BTreeMap<BudgetId, u64>,
    /// What nothing needs any more by that, and is old enough.
    freed: VecDeque<BudgetId>,
    ended: EndedForgotten,
}

impl Forgetting<'_> {
    fn forget(&mut self, id: &BudgetId) {
        let state = self.state;
        if let Some(parent) = state.budget(id).and_then(|budget| budget.parent.as_ref()) {
            self.spare(parent);
        }
        match id {
            BudgetId::Named(_) => self.ended.budgets.push(id.clone()),
            BudgetId::Goal(goal) => {
                self.ended.goals.push(*goal);
                let named = state.record(*goal).map(|goal| &*goal.facts.budgets).unwrap_or_default();
                named.iter().for_each(|id| self.spare(id));
            }
        }
    }

    /// One less needs a budget.
    fn spare(&mut self, id: &BudgetId) {
        let spared = self.spared.entry(id.clone()).or_default();
        *spared += 1;
        let is_needed = self.state.endings.needs(id) > *spared;
        let is_old = |at| self.now.saturating_since(at) > self.age;
        if !is_needed
            && self.state.budget(id).is_some_and(|budget| budget.is_closed() && is_old(budget.updated_at))
        {
            self.freed.push_back(id.clone());
        }
    }
}

//! The fold: one event into the state (law FOLD).

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::decision::subject;
use crate::domain::goal::{GoalFacts, GoalRecord, is_legal};
use crate::domain::keys::RememberedKey;
use crate::domain::leaf::Leaf;
use crate::domain::{
    Budget, DEFAULT_THRESHOLDS, KeyWindow, Outcome, Refusal, Remembered, RememberedOutcome, State,
};
use crate::event::{
    BudgetExhausted, BudgetTerms, ChangeEvent, CommandRefused, GoalBudgetSet, GoalCreated, GoalStatus,
    GoalTransitioned, Payload, TurnRecorded,
};
use crate::ids::{BudgetId, GoalId};

/// An event that does not fit the state before it: the journal holds a history that no engine could have decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event with seq {seq} ({kind}) does not fit the state before it: {message}")]
pub struct EvolveError {
    /// The event's position.
    pub seq: u64,
    /// The event's kind.
    pub kind: &'static str,
    /// What was expected, and what was found.
    pub message: String,
}

impl EvolveError {
    /// An error about that event.
    pub(crate) fn new(event: &ChangeEvent, message: impl Into<String>) -> EvolveError {
        EvolveError { seq: event.seq, kind: event.payload.kind(), message: message.into() }
    }
}

/// Takes one event into the state.
///
/// # Errors
/// When the event does not fit the state: nothing that this crate decided, then. The state is not to be used any
/// more, since part of the event may be in it.
pub fn evolve(state: &mut State, event: &ChangeEvent) -> Result<(), EvolveError> {
    state.keys.forget_older(event.ts);
    fold(state, event).map_err(|message| EvolveError::new(event, message))
}

fn fold(state: &mut State, event: &ChangeEvent) -> Result<(), String> {
    let ts = event.ts;
    match &event.payload {
        Payload::GoalCreated(created) => goal_created(state, event, created)?,
        Payload::GoalTransitioned(change) => goal_transitioned(state, ts, change)?,
        Payload::GoalBudgetSet(set) => goal_budget_set(state, ts, set)?,
        Payload::TurnRecorded(turn) => turn_recorded(state, ts, turn)?,
        Payload::BudgetExhausted(exhausted) => budget_exhausted(state, exhausted)?,
        Payload::CommandRefused(refused) => state.refusals.count(&refused.budget_id, refused.refusal, ts),
        Payload::RefusalsSuppressed(_) => {}
        Payload::KeyWindowSet(set) => {
            state.keys.set_window(KeyWindow { max_age_ms: set.max_age_ms, max_count: set.max_count }, ts);
        }
        other => return Err(format!("{} is not folded yet", other.kind())),
    }
    remember_key(state, event)
}

fn goal_created(state: &mut State, event: &ChangeEvent, created: &GoalCreated) -> Result<(), String> {
    let (id, ts) = (created.goal_id, event.ts);
    if state.goals.contains_key(&id) {
        return Err(format!("expected a new goal, but goal {id} exists"));
    }
    if let Some(parent) = created.parent_goal {
        if state.record(parent).is_none() {
            return Err(format!("expected its parent, goal {parent}, to exist"));
        }
        state.open_children.insert((parent, id));
    }
    activate(state, &created.scope, id)?;
    let ordinal = state.created.get_max().map_or(0, |(last, _)| last + 1);
    state.created.insert(ordinal, id);
    let parent_budget = created.parent_goal.map(BudgetId::Goal);
    let budget = Budget {
        id: BudgetId::Goal(id),
        unit: Budget::tokens(),
        parent: parent_budget,
        terms: BudgetTerms {
            limit: created.token_budget,
            hard: true,
            thresholds: DEFAULT_THRESHOLDS.clone(),
            window: None,
        },
        span: None,
        spent: 0,
        spent_total: 0,
        reserved: 0,
        overage_total: 0,
        crossed: 0,
        entry_count: 0,
        progress: None,
        widen_by: created.widen_by.clone(),
        closing: None,
        created_at: ts,
        updated_at: ts,
        meta: None,
        made_seq: event.seq,
        rolled_seq: 0,
    };
    state.budgets.insert(BudgetId::Goal(id), Leaf::new(budget));
    let facts = GoalFacts {
        id,
        ordinal,
        scope: created.scope.clone(),
        text: created.text.clone(),
        parent_goal: created.parent_goal,
        budgets: created.budgets.as_slice().into(),
        created_at: ts,
        meta: event.meta.clone(),
    };
    let record = GoalRecord {
        facts: Arc::new(facts),
        status: GoalStatus::Active,
        pause_reason: None,
        tokens_own: 0,
        turns_used: 0,
        seconds_used: 0,
        revision: 1,
        updated_at: ts,
        completed_at: None,
    };
    state.goals.insert(id, Leaf::new(record));
    Ok(())
}

/// Makes a goal the active one of its scope, of which there is at most one.
fn activate(state: &mut State, scope: &Arc<str>, id: GoalId) -> Result<(), String> {
    match state.active.insert(scope.clone(), id) {
        None => Ok(()),
        Some(other) => Err(format!("expected no active goal in scope {scope:?}, found goal {other}")),
    }
}

fn goal_transitioned(state: &mut State, ts: Timestamp, change: &GoalTransitioned) -> Result<(), String> {
    let (id, from, to) = (change.goal_id, change.from, change.to);
    let goal = change_goal(state, id)?;
    if goal.status != from || !is_legal(from, to) {
        let (found, from, to) = (goal.status.name(), from.name(), to.name());
        return Err(format!("expected a legal change of goal {id}, which is {found}, found {from} to {to}"));
    }
    if goal.revision.checked_add(1) != Some(change.revision) {
        let (found, revision) = (change.revision, goal.revision);
        return Err(format!("expected the revision after {revision} of goal {id}, found {found}"));
    }
    goal.status = to;
    goal.pause_reason = (to == GoalStatus::Paused).then_some(change.reason);
    goal.revision = change.revision;
    goal.updated_at = ts;
    goal.completed_at = to.is_terminal().then_some(ts);
    let facts = goal.facts.clone();
    if from == GoalStatus::Active {
        state.active.remove(&facts.scope);
    }
    match (to, facts.parent_goal) {
        (GoalStatus::Active, _) => activate(state, &facts.scope, id)?,
        (GoalStatus::Completed | GoalStatus::Cleared, Some(parent)) => {
            state.open_children.remove(&(parent, id));
        }
        _ => {}
    }
    Ok(())
}

fn goal_budget_set(state: &mut State, ts: Timestamp, set: &GoalBudgetSet) -> Result<(), String> {
    let budget = change_budget(state, &BudgetId::Goal(set.goal_id))?;
    if budget.terms.limit != set.previous {
        let (expected, found) = (budget.terms.limit, set.previous);
        return Err(format!(
            "expected the previous limit {expected:?} of goal {}, found {found:?}",
            set.goal_id
        ));
    }
    budget.terms.limit = set.token_budget;
    budget.updated_at = ts;
    Ok(())
}

fn turn_recorded(state: &mut State, ts: Timestamp, turn: &TurnRecorded) -> Result<(), String> {
    let id = turn.goal_id;
    let passes = |what: &str| format!("expected sums within bounds, but {what} would pass them");
    let goal = change_goal(state, id)?;
    goal.tokens_own =
        goal.tokens_own.checked_add(turn.tokens).ok_or_else(|| passes("the goal's own tokens"))?;
    goal.turns_used = goal.turns_used.checked_add(turn.turns).ok_or_else(|| passes("the goal's turns"))?;
    goal.seconds_used =
        goal.seconds_used.checked_add(turn.seconds).ok_or_else(|| passes("the goal's seconds"))?;
    goal.updated_at = ts;
    let mut next = Some(BudgetId::Goal(id));
    while let Some(budget_id) = next {
        let budget = change_budget(state, &budget_id)?;
        budget.spent = budget
            .spent
            .checked_add(turn.tokens)
            .ok_or_else(|| passes(&format!("what is spent of budget {budget_id}")))?;
        budget.updated_at = ts;
        next = budget.parent.clone();
    }
    Ok(())
}

/// Changes nothing: a budget is exhausted when its figures say so. But the figures must say so.
fn budget_exhausted(state: &State, exhausted: &BudgetExhausted) -> Result<(), String> {
    let id = &exhausted.budget_id;
    let budget = state.budget(id).ok_or_else(|| no_budget(id))?;
    if budget.terms.limit != Some(exhausted.limit)
        || budget.spent != exhausted.spent
        || !budget.is_exhausted()
    {
        let (limit, spent) = (budget.terms.limit, budget.spent);
        return Err(format!(
            "expected budget {id} to have spent {} of {}, found {spent} of {limit:?}",
            exhausted.spent, exhausted.limit
        ));
    }
    Ok(())
}

fn remember_key(state: &mut State, event: &ChangeEvent) -> Result<(), String> {
    let Some(event_key) = &event.key else { return Ok(()) };
    let key = &event_key.key;
    let outcome = own_outcome(event);
    let Some(fingerprint) = event_key.fingerprint else {
        state.keys.extend(key, event.seq, outcome);
        return Ok(());
    };
    if let Some(known) = state.keys.get(key) {
        let first_seq = known.remembered.first_seq;
        return Err(format!("expected a new key, but {key:?} is remembered from seq {first_seq}"));
    }
    let remembered = Remembered {
        first_seq: event.seq,
        last_seq: event.seq,
        outcome: outcome.unwrap_or(RememberedOutcome::Done(Outcome::Nothing)),
    };
    state.keys.remember(key, RememberedKey { fingerprint, at: event.ts, remembered });
    Ok(())
}

/// How the event's command ended, if this event can tell.
fn own_outcome(event: &ChangeEvent) -> Option<RememberedOutcome> {
    match &event.payload {
        Payload::CommandRefused(refused) => {
            Some(RememberedOutcome::Refused(Box::new(refusal(refused, Some(event.seq)))))
        }
        payload => subject(payload).map(RememberedOutcome::Done),
    }
}

/// The refusal that an event tells of.
pub(super) fn refusal(refused: &CommandRefused, seq: Option<u64>) -> Refusal {
    Refusal {
        kind: refused.refusal,
        seq,
        suppressed: false,
        budget_id: refused.budget_id.clone(),
        limit: refused.limit,
        spent: refused.spent,
        reserved: refused.reserved,
        amount: refused.amount,
        reservation_id: refused.reservation_id.clone(),
        reason: refused.reason.clone(),
    }
}

fn change_goal(state: &mut State, id: GoalId) -> Result<&mut GoalRecord, String> {
    let goal = state.goals.get_mut(&id).map(Leaf::change);
    goal.ok_or_else(|| format!("expected goal {id} to exist, found none"))
}

fn change_budget<'a>(state: &'a mut State, id: &BudgetId) -> Result<&'a mut Budget, String> {
    state.budgets.get_mut(id).map(Leaf::change).ok_or_else(|| no_budget(id))
}

fn no_budget(id: &BudgetId) -> String {
    format!("expected budget {id} to exist, found none")
}

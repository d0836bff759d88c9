//! Deciding: what a command leads to. Each command has a file; here is what they have in common.

mod adjust_budget;
mod admission;
mod allocate;
mod authority;
mod booking;
mod close_budget;
mod create_goal;
mod draft;
mod elapse;
mod forget;
mod housekeeping;
mod limits;
mod meter;
mod record_event;
mod record_turn;
mod reservation;
mod set_goal_budget;
mod spend;
mod transition_goal;

pub(crate) use adjust_budget::impose_terms;
pub use admission::{Allowance, CheckError, check};

use crate::domain::evolve::refusal;
use crate::domain::goal::GoalRecord;
use crate::domain::slots::Slot;
use crate::domain::{
    Budget, Command, Context, Decision, Rejection, RejectionKind, Request, State, fingerprint,
};
use crate::event::{CommandRefused, GoalStatus, Payload, RefusalKind};
use crate::ids::{BudgetId, GoalId};
use crate::planted::{Bug, planted};

/// Decides what a request leads to. Nothing changes by it: the events of the answer are the change, once they are
/// journaled and folded in.
///
/// Where several answers apply, the key comes first (retry, conflict, `key_expired`), then `invalid`, `not_found` or
/// `forgotten`, `exists`, `invalid_transition`, `stale`, and a refusal last.
pub fn decide(state: &State, request: &Request, context: &Context<'_>) -> Decision {
    answer(state, request, context).unwrap_or_else(Decision::Rejected)
}

fn answer(state: &State, request: &Request, context: &Context<'_>) -> Result<Decision, Rejection> {
    limits::check_envelope(request)?;
    if let Some(retry) = known_key(state, request, context)? {
        return Ok(retry);
    }
    match &request.command {
        Command::CreateGoal(new) => create_goal::decide(state, new, context),
        Command::TransitionGoal(change) => transition_goal::decide(state, change, context),
        Command::SetGoalBudget(set) => set_goal_budget::decide(state, request, set, context),
        Command::RecordTurn(record) => record_turn::decide(state, record, context),
        Command::Allocate(new) => allocate::decide(state, new, context),
        Command::RecordSpend(record) => spend::record(state, request, record, context),
        Command::Reserve(new) => reservation::reserve(state, request, new, context),
        Command::Settle(settle) => spend::settle(state, request, settle, context),
        Command::Release(release) => reservation::release(state, &release.reservation_id, context),
        Command::MarkUnknown(mark) => reservation::mark_unknown(state, &mark.reservation_id, context),
        Command::ReverseSpend(reverse) => spend::reverse(state, request, reverse, context),
        Command::AdjustBudget(adjust) => adjust_budget::decide(state, request, adjust, context),
        Command::SetProgress(set) => adjust_budget::set_progress(state, set, context),
        Command::CloseBudget(close) => close_budget::decide(state, close, context),
        Command::ObserveMeter(observe) => meter::observe(state, observe, context),
        Command::ResetMeter(reset) => meter::reset(state, request, reset, context),
        Command::RecordEvent(record) => record_event::decide(state, request, record, context),
        Command::Elapse(elapse) => elapse::decide(state, *elapse, context),
        Command::Forget(forget) => forget::decide(state, *forget, context),
        Command::SetKeyWindow(window) => housekeeping::set_key_window(state, *window),
        Command::ReportSuppressed(report) => housekeeping::report_suppressed(report),
    }
}

/// A retry is recognised, a key used for something else is refused, and so is one that is too old to tell (law
/// EXACT: never booked twice).
fn known_key(state: &State, request: &Request, context: &Context<'_>) -> Result<Option<Decision>, Rejection> {
    let Some(key) = request.key.as_ref().filter(|_| !planted(Bug::RetriedKeyBookedTwice)) else {
        return Ok(None);
    };
    let Some(known) = state.keys.get(key) else {
        return match state.keys.is_expired(key, context.now) {
            false => Ok(None),
            true => Err(key_expired(state, key)),
        };
    };
    if known.fingerprint == fingerprint(request) {
        return Ok(Some(Decision::Retried(known.remembered.clone())));
    }
    let seq = known.remembered.first_seq;
    Err(Rejection::new(
        RejectionKind::Conflict,
        format!("key {key:?} was used at seq {seq} for another command; give this command a key of its own"),
    ))
}

fn key_expired(state: &State, key: &str) -> Rejection {
    let window = state.key_window();
    Rejection::new(
        RejectionKind::KeyExpired,
        format!(
            "key {key:?} is older than the window in which keys are remembered ({} ms, {} keys): \
             whether it was used before cannot be told",
            window.max_age_ms, window.max_count
        ),
    )
}

fn find(state: &State, id: GoalId) -> Result<&GoalRecord, Rejection> {
    state.record(id).ok_or_else(|| state.no_goal(id))
}

/// A goal and its slot, which is that of its budget.
fn find_goal_slot(state: &State, id: GoalId) -> Result<(Slot, &GoalRecord), Rejection> {
    let slot = state.goal_slot(id);
    let found = slot.and_then(|slot| Some((slot, &**state.goals.get(slot)?)));
    found.ok_or_else(|| state.no_goal(id))
}

fn invalid_transition(message: String) -> Rejection {
    Rejection::new(RejectionKind::InvalidTransition, message)
}

fn check_revision(state: &State, goal: &GoalRecord, expected: Option<u64>) -> Result<(), Rejection> {
    match expected {
        Some(expected) if expected != goal.revision => {
            let (id, found) = (goal.id(), goal.revision);
            let message = format!("expected revision {expected} of goal {id}, found {found}");
            let current = state.goal(id).map(Box::new);
            Err(Rejection { goal: current, ..Rejection::new(RejectionKind::Stale, message) })
        }
        _ => Ok(()),
    }
}

fn find_budget<'a>(state: &'a State, id: &BudgetId) -> Result<&'a Budget, Rejection> {
    state.budget(id).ok_or_else(|| state.no_budget(id))
}

/// A budget and its slot, from where its path is walked without being looked for again.
fn find_slot<'a>(state: &'a State, id: &BudgetId) -> Result<(Slot, &'a Budget), Rejection> {
    state.budgets.find(id).ok_or_else(|| state.no_budget(id))
}

/// The nearest budget under which this goal cannot be active: an exhausted hard one of its own path, else one on the
/// path of a budget that it, or a goal above it, names.
fn blocking<'a>(state: &'a State, goal: &'a GoalRecord) -> Option<&'a Budget> {
    let own = state.path(&BudgetId::Goal(goal.id())).find(|budget| budget.is_blocking());
    let and_above = || std::iter::once(goal).chain(state.ancestors(goal));
    own.or_else(|| and_above().find_map(|goal| blocking_named(state, &goal.facts.budgets)))
}

/// The same for a goal whose ancestors are known not to be held.
fn blocking_below<'a>(state: &'a State, goal: &GoalRecord) -> Option<&'a Budget> {
    let own = state.budget(&BudgetId::Goal(goal.id())).filter(|budget| budget.is_blocking());
    own.or_else(|| blocking_named(state, &goal.facts.budgets))
}

/// The first exhausted hard budget on the paths of these.
fn blocking_named<'a>(state: &'a State, named: &[BudgetId]) -> Option<&'a Budget> {
    named.iter().find_map(|id| state.path(id).find(|budget| budget.is_blocking()))
}

/// A goal is active only under goals that are.
fn check_parent(state: &State, goal: &GoalRecord) -> Result<(), Rejection> {
    match goal.facts.parent_goal.map(|parent| find(state, parent)).transpose()? {
        Some(parent) if parent.status != GoalStatus::Active => Err(parent_not_active(goal.id(), parent)),
        _ => Ok(()),
    }
}

fn parent_not_active(goal: GoalId, parent: &GoalRecord) -> Rejection {
    let (parent_id, status) = (parent.id(), parent.status.name());
    invalid_transition(format!(
        "goal {goal} can be active only under an active goal, but its parent, goal {parent_id}, is {status}"
    ))
}

/// A goal that is about to be active would pause the active goal of its scope. It cannot do so to one that it
/// stands under.
fn check_supersedes_no_ancestor(
    scope: &str,
    goal: GoalId,
    active: Option<GoalId>,
    mut ancestors: impl Iterator<Item = GoalId>,
) -> Result<(), Rejection> {
    match active {
        Some(active) if ancestors.any(|ancestor| ancestor == active) => Err(invalid_transition(format!(
            "goal {goal} would supersede goal {active} in scope {scope:?}, which it works for; give it another scope"
        ))),
        _ => Ok(()),
    }
}

/// A refusal because of an exhausted budget.
fn refuse_exhausted(
    state: &State,
    context: &Context<'_>,
    op: &str,
    goal_id: GoalId,
    budget: &Budget,
) -> Decision {
    let about = admission::about(op, RefusalKind::BudgetExceeded, budget, 0);
    refuse(state, context, CommandRefused { goal_id: Some(goal_id), ..about })
}

/// A refusal: an event, or in a refusal loop none (law HONEST).
fn refuse(state: &State, context: &Context<'_>, refused: CommandRefused) -> Decision {
    let mut answer = Box::new(refusal(&refused, None));
    let is_loop = state.refusals.is_loop(&refused.budget_id, refused.refusal, context.now);
    if is_loop || planted(Bug::RefusalWithoutEvent) {
        answer.suppressed = true;
        return Decision::Suppressed(answer);
    }
    Decision::Refused(Box::new(Payload::CommandRefused(refused)), answer)
}

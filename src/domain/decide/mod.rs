//! Deciding: what a command leads to. Each command has a file; here is what they have in common.

mod create_goal;
mod draft;
mod housekeeping;
mod limits;
mod record_turn;
mod set_goal_budget;
mod transition_goal;

use crate::domain::evolve::refusal;
use crate::domain::goal::GoalRecord;
use crate::domain::{
    Budget, Command, Context, Decision, Rejection, RejectionKind, Request, State, fingerprint,
};
use crate::event::{CommandRefused, GoalStatus, Payload, RefusalKind};
use crate::ids::{BudgetId, GoalId};

/// Decides what a request leads to. Nothing changes by it: the events of the answer are the change, once they are
/// journaled and folded in.
///
/// Where several answers apply, the key comes first (retry, conflict, `key_expired`), then `invalid`, `not_found`,
/// `exists`, `invalid_transition`, `stale`, and a refusal last.
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
        Command::SetGoalBudget(set) => set_goal_budget::decide(state, set, context),
        Command::RecordTurn(record) => record_turn::decide(state, record),
        Command::SetKeyWindow(window) => housekeeping::set_key_window(state, *window),
        Command::ReportSuppressed(report) => housekeeping::report_suppressed(state, report),
        other => Err(Rejection::invalid(format!("{} is not decided yet", other.op()))),
    }
}

/// A retry is recognised, a key used for something else is refused, and so is one that is too old to tell (law
/// EXACT: never booked twice).
fn known_key(state: &State, request: &Request, context: &Context<'_>) -> Result<Option<Decision>, Rejection> {
    let Some(key) = &request.key else { return Ok(None) };
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
    state.record(id).ok_or_else(|| Rejection::new(RejectionKind::NotFound, format!("there is no goal {id}")))
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

/// The nearest exhausted budget from this goal's upwards: under it, nothing is active.
fn exhausted_on_path(state: &State, goal: GoalId) -> Option<&Budget> {
    state.path(&BudgetId::Goal(goal)).find(|budget| budget.is_exhausted())
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

/// A refusal because of an exhausted budget: an event, or in a refusal loop none (law HONEST).
fn refuse_exhausted(
    state: &State,
    context: &Context<'_>,
    op: &str,
    goal_id: GoalId,
    budget: &Budget,
) -> Decision {
    let refused = CommandRefused {
        op: op.into(),
        refusal: RefusalKind::BudgetExceeded,
        budget_id: budget.id.clone(),
        goal_id: Some(goal_id),
        reservation_id: None,
        limit: budget.terms.limit,
        spent: budget.spent,
        reserved: budget.reserved,
        amount: 0,
        reason: None,
    };
    let mut answer = refusal(&refused, None);
    if state.refusals.is_loop(&refused.budget_id, refused.refusal, context.now) {
        answer.suppressed = true;
        return Decision::Suppressed(answer);
    }
    Decision::Refused(Payload::CommandRefused(refused), answer)
}

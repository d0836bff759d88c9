//! Commands, as their events tell of them.

use uuid::Uuid;

use crate::domain::{
    AdjustBudget, CloseBudget, Command, KeyWindow, Limit, MarkUnknown, NewBudget, NewGoal, NewReservation,
    ObserveMeter, RecordEvent, RecordSpend, RecordTurn, Release, Request, ResetMeter, ReverseSpend,
    SetGoalBudget, SetProgress, Settle, Spend, TransitionGoal, Ttl, Turn,
};
use crate::event::{
    BudgetAdjusted, BudgetAllocated, ChangeEvent, Charge, CommandRefused, GoalCreated, GoalStatus,
    GoalTransitioned, MeterObserved, Payload, RefusalKind, ReleaseReason, SpendRecorded, TransitionReason,
    TurnRecorded,
};
use crate::ids::BudgetId;

/// The command of a frame, and the id that it made where that is decided by it.
pub(super) struct Derived {
    pub(super) command: Command,
    pub(super) new_id: Uuid,
}

impl From<Command> for Derived {
    fn from(command: Command) -> Derived {
        Derived { command, new_id: Uuid::nil() }
    }
}

/// The command that was done by these events; `None` where no caller's command was: time has passed, what ended is forgotten, a
/// command was refused.
pub(super) fn done(events: &[ChangeEvent]) -> Option<Derived> {
    events.iter().find_map(|event| own(&event.payload, events))
}

/// The command that an event is the own one of: not one that followed from it.
fn own(payload: &Payload, events: &[ChangeEvent]) -> Option<Derived> {
    let command = match payload {
        Payload::GoalCreated(made) => return Some(created(made)),
        Payload::GoalTransitioned(change) => transitioned(change)?,
        Payload::GoalBudgetSet(set) => {
            let new = SetGoalBudget::new(set.goal_id, set.token_budget);
            SetGoalBudget { resume: resumed(set.goal_id, events), ..new }.into()
        }
        Payload::TurnRecorded(turn) => turn_recorded(turn, events),
        Payload::BudgetAllocated(made) => allocated(made),
        Payload::BudgetAdjusted(adjusted) => self::adjusted(adjusted),
        Payload::ProgressSet(set) => {
            SetProgress { budget_id: set.budget_id.clone(), progress: set.progress }.into()
        }
        Payload::BudgetClosed(closed) if closed.by_budget.is_none() => {
            let follows = |event: &ChangeEvent| matches!(&event.payload, Payload::BudgetClosed(below) if below.by_budget.is_some());
            let with_children = events.iter().any(follows);
            CloseBudget { with_children, ..CloseBudget::new(closed.budget_id.clone()) }.into()
        }
        Payload::SpendRecorded(spend) => spent(spend),
        Payload::SpendReversed(reversed) => ReverseSpend {
            spend_id: reversed.spend_id.clone(),
            amount: Some(reversed.amount),
            reason: reversed.reason.clone(),
        }
        .into(),
        Payload::ReservationMade(made) => NewReservation {
            budget_id: made.budget_id.clone(),
            amount: made.amount,
            // An id that the engine made is no key.
            reservation_id: made.body.map(|_| made.reservation_id.clone()),
            // When it expires was decided then, and is taken from there.
            ttl: Some(Ttl::NEVER),
            owner: made.owner.clone(),
        }
        .into(),
        Payload::ReservationReleased(released) if released.reason == ReleaseReason::Requested => {
            Release { reservation_id: released.reservation_id.clone() }.into()
        }
        Payload::ReservationMarkedUnknown(marked) => {
            MarkUnknown { reservation_id: marked.reservation_id.clone() }.into()
        }
        Payload::MeterObserved(observed) => self::observed(observed),
        Payload::MeterReset(reset) => {
            ResetMeter { meter_id: reset.meter_id.clone(), baseline: reset.baseline }.into()
        }
        Payload::EventRecorded(recorded) => RecordEvent {
            name: recorded.name.clone(),
            data: recorded.data.clone(),
            event_id: recorded.event_id.clone(),
        }
        .into(),
        Payload::RefusalsSuppressed(report) => Command::ReportSuppressed(report.clone()),
        Payload::KeyWindowSet(set) => {
            KeyWindow { max_age_ms: set.max_age_ms, max_count: set.max_count }.into()
        }
        Payload::BudgetClosed(_)
        | Payload::ReservationReleased(_)
        | Payload::BudgetExhausted(_)
        | Payload::ThresholdCrossed(_)
        | Payload::WindowRolled(_)
        | Payload::EndedForgotten(_)
        | Payload::ReservationExpired(_)
        | Payload::CommandRefused(_) => return None,
    };
    Some(command.into())
}

fn created(made: &GoalCreated) -> Derived {
    let new = NewGoal {
        // Given as one that the engine makes: it was new then.
        goal_id: None,
        text: made.text.clone(),
        scope: Some(made.scope.clone()),
        token_budget: made.token_budget,
        parent_goal: made.parent_goal,
        budgets: made.budgets.clone(),
        widen_by: made.widen_by.as_ref().map(|actors| actors.to_vec()),
    };
    Derived { command: new.into(), new_id: made.goal_id.0 }
}

fn transitioned(change: &GoalTransitioned) -> Option<Command> {
    let blocked = change.reason == TransitionReason::Blocked;
    let is_own = blocked || change.reason == TransitionReason::Requested;
    let new = TransitionGoal::new(change.goal_id, change.to);
    is_own.then(|| TransitionGoal { blocked, note: change.note.clone(), ..new }.into())
}

/// Whether a goal was resumed along with the new limit of its tokens.
fn resumed(goal: crate::ids::GoalId, events: &[ChangeEvent]) -> bool {
    events.iter().any(|event| {
        matches!(&event.payload, Payload::GoalTransitioned(change)
            if change.goal_id == goal && change.to == GoalStatus::Active)
    })
}

fn turn_recorded(turn: &TurnRecorded, events: &[ChangeEvent]) -> Command {
    let charges = events.iter().filter_map(|event| match &event.payload {
        Payload::SpendRecorded(spend) if spend.goal_id.is_some() => {
            Some(Charge { budget_id: spend.budget_id.clone(), amount: spend.amount })
        }
        _ => None,
    });
    let TurnRecorded { goal_id, tokens, turns, seconds, .. } = *turn;
    RecordTurn::goal(goal_id, Turn { tokens, seconds, turns, charges: charges.collect() }).into()
}

fn allocated(made: &BudgetAllocated) -> Command {
    NewBudget {
        budget_id: made.budget_id.clone(),
        unit: made.unit.clone(),
        limit: made.terms.limit.map_or(Limit::Unlimited, Limit::Of),
        parent: made.parent.clone(),
        hard: made.terms.hard,
        thresholds: Some(made.terms.thresholds.to_vec()),
        // The window that it begins in was decided then: both are taken from there.
        window: None,
        widen_by: made.widen_by.as_ref().map(|actors| actors.to_vec()),
    }
    .into()
}

fn adjusted(adjusted: &BudgetAdjusted) -> Command {
    let BudgetAdjusted { budget_id, previous, terms, .. } = adjusted;
    let window = terms.window.as_deref().cloned();
    AdjustBudget {
        budget_id: budget_id.clone(),
        limit: (terms.limit != previous.limit).then_some(terms.limit),
        hard: (terms.hard != previous.hard).then_some(terms.hard),
        thresholds: (terms.thresholds != previous.thresholds).then(|| terms.thresholds.to_vec()),
        window: (terms.window != previous.window).then_some(window),
    }
    .into()
}

fn spent(spend: &SpendRecorded) -> Command {
    let given = Spend {
        amount: spend.amount,
        // An id that the engine made is no key.
        spend_id: spend.body.map(|_| spend.spend_id.clone()),
        details: spend.details.clone(),
    };
    match &spend.reservation_id {
        Some(id) => Settle { reservation_id: id.clone(), spend: given }.into(),
        None => {
            let (budget_id, incurred) = (spend.budget_id.clone(), spend.incurred);
            RecordSpend { budget_id, spend: given, incurred }.into()
        }
    }
}

fn observed(observed: &MeterObserved) -> Command {
    ObserveMeter {
        meter_id: observed.meter_id.clone(),
        reading: observed.reading,
        budget_id: observed.budget_id.clone(),
    }
    .into()
}

/// The command that was refused, as far as the refusal tells of it; `None` where it does not tell enough, or where nothing
/// that may be changed could let it pass.
pub(super) fn refused(refused: &CommandRefused) -> Option<Command> {
    let CommandRefused { op, refusal, budget_id, goal_id, reservation_id, amount, .. } = refused;
    if *refusal == RefusalKind::Forbidden {
        return None;
    }
    let reservation_id = || reservation_id.clone();
    match &**op {
        "record_spend" => Some(RecordSpend::new(budget_id.clone(), Spend::of(*amount)).into()),
        "reserve" => Some(NewReservation::new(budget_id.clone(), *amount).into()),
        "transition_goal" => Some(TransitionGoal::new((*goal_id)?, GoalStatus::Active).into()),
        // Where another budget refused, the limit that was asked for is not told.
        "set_goal_budget" if goal_id.map(BudgetId::Goal).as_ref() == Some(budget_id) => {
            Some(SetGoalBudget::new((*goal_id)?, refused.limit).resume().into())
        }
        "release" => Some(Release { reservation_id: reservation_id()? }.into()),
        "mark_unknown" => Some(MarkUnknown { reservation_id: reservation_id()? }.into()),
        _ => None,
    }
}

/// A command with what the first of its events carries.
pub(super) fn request(command: Command, first: &ChangeEvent) -> Request {
    Request {
        command,
        key: first.key.as_ref().map(|key| key.key.clone()),
        actor: first.actor.clone(),
        session_id: first.session_id.clone(),
        meta: first.meta.clone(),
    }
}

//! What [`decide`](crate::domain::decide) answers.

use std::fmt;
use std::sync::Arc;

use crate::domain::Goal;
use crate::event::{Payload, RefusalKind, ReleaseReason, TransitionReason};
use crate::ids::{BudgetId, GoalId, MeterId, ReservationId, SpendId};

/// What a command leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// These events, as one frame (law ATOMIC); never empty. What the command was about: [`outcome`]; the answer is
    /// read from the state after they are folded in.
    Events(Vec<Payload>),
    /// Nothing: the state is already as the command asks, or a turn finds no active goal. No key is remembered.
    Unchanged(Outcome),
    /// A retry: the key is remembered, and for the same command.
    Retried(Remembered),
    /// A refusal, and the event that says so (law HONEST). The refusal's `seq` is that event's, once it has one.
    Refused(Box<Payload>, Box<Refusal>),
    /// A refusal in a refusal loop: no event, no `seq`, and no key is remembered.
    Suppressed(Box<Refusal>),
    /// The command cannot be done as it stands. Nothing is written, no key is remembered.
    Rejected(Rejection),
}

/// What a successful command is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A goal.
    Goal(GoalId),
    /// A budget.
    Budget(BudgetId),
    /// A budget that was closed: the answer is a report.
    Closed(BudgetId),
    /// A spend.
    Spend(SpendId),
    /// A reservation.
    Reservation(ReservationId),
    /// An external meter.
    Meter(MeterId),
    /// Nothing in particular.
    Nothing,
}

/// A refusal by limit, status, authority or risk: a value that the host matches on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Why.
    pub kind: RefusalKind,
    /// Where it stands in the journal; `None` if it was suppressed, or is the answer to a check.
    pub seq: Option<u64>,
    /// Whether it has no event of its own, being one of [too many](crate::domain::REFUSALS_PER_MINUTE) alike. It leaves
    /// the key of its command unused.
    pub suppressed: bool,
    /// The budget that blocked.
    pub budget_id: BudgetId,
    /// The budget's limit; `None`: unlimited.
    pub limit: Option<u128>,
    /// What is spent of it.
    pub spent: u128,
    /// What is reserved of it.
    pub reserved: u128,
    /// What the command asked for: an amount to spend or to set aside, the amount of the reservation, or the limit that
    /// the budget would have; 0 where it is none of these.
    pub amount: u128,
    /// The reservation that the command was about.
    pub reservation_id: Option<ReservationId>,
    /// What else explains it: the reason of a risk assessor, say.
    pub reason: Option<Arc<str>>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of budget {} (", self.kind, self.budget_id)?;
        match self.limit {
            Some(limit) => write!(f, "limit {limit}")?,
            None => f.write_str("no limit")?,
        }
        write!(f, ", spent {}, reserved {}, amount {})", self.spent, self.reserved, self.amount)?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, ": {reason}"))
    }
}

/// Why a command cannot be done as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The kind of it.
    pub kind: RejectionKind,
    /// What was expected, and what was found.
    pub message: String,
    /// The limit that was passed, where it is one of length.
    pub max: Option<u64>,
    /// The goal as it is now, where the command's expectation was stale.
    pub goal: Option<Box<Goal>>,
}

impl Rejection {
    pub(super) fn new(kind: RejectionKind, message: impl Into<String>) -> Rejection {
        Rejection { kind, message: message.into(), max: None, goal: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Rejection {
        Rejection::new(RejectionKind::Invalid, message)
    }

    pub(super) fn too_long(max: usize, message: impl Into<String>) -> Rejection {
        Rejection { max: u64::try_from(max).ok(), ..Rejection::invalid(message) }
    }
}

/// The kind of a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// A value is out of bounds, or two do not go together.
    Invalid,
    /// There is no such goal, budget, spend or reservation, or it is not remembered any more.
    NotFound,
    /// There is such a goal, budget or reservation already.
    Exists,
    /// The key, the spend id or the event id was used for another command, the reservation was settled otherwise, or the meter is of
    /// another kind or bound otherwise.
    Conflict,
    /// The goal has another revision than expected.
    Stale,
    /// The goal's status, or that of one above it, does not allow it; or the budget has open ones below it.
    InvalidTransition,
    /// The key, or the id that the caller gave to a spend, a reservation or an event, is older than the window in which
    /// they are remembered: whether it was used cannot be told. Only UUIDs of version 7 tell their age.
    KeyExpired,
    /// It was done before, and what it was about is no longer remembered: the retry of a command whose spend or reservation
    /// has left the memory, or the settlement again of a reservation whose spend has. Or it is about a goal whose id says
    /// that it may have been one of those that were forgotten (see [`State::is_goal_forgotten`](crate::State::is_goal_forgotten)); only UUIDs of version 7
    /// tell.
    Forgotten,
}

impl fmt::Display for RejectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl RejectionKind {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            RejectionKind::Invalid => "invalid",
            RejectionKind::NotFound => "not_found",
            RejectionKind::Exists => "exists",
            RejectionKind::Conflict => "conflict",
            RejectionKind::Stale => "stale",
            RejectionKind::InvalidTransition => "invalid_transition",
            RejectionKind::KeyExpired => "key_expired",
            RejectionKind::Forgotten => "forgotten",
        }
    }
}

/// What is remembered of a command that carried a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The `seq` of its first event.
    pub first_seq: u64,
    /// The `seq` of its last event.
    pub last_seq: u64,
    /// How it ended.
    pub outcome: RememberedOutcome,
}

impl Remembered {
    /// A command that wrote that event and no other, and was about nothing in particular.
    pub(super) fn nothing_at(seq: u64) -> Remembered {
        Remembered { first_seq: seq, last_seq: seq, outcome: RememberedOutcome::Done(Outcome::Nothing) }
    }
}

/// How a command that carried a key ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RememberedOutcome {
    /// It was done. The answer to a retry shows the current figures of what it was about.
    Done(Outcome),
    /// It was refused, and its retry is refused in the same words.
    Refused(Box<Refusal>),
}

/// What the command of these events is about.
pub fn outcome(events: &[Payload]) -> Outcome {
    events.iter().find_map(subject).unwrap_or(Outcome::Nothing)
}

/// What the command of this event is about, if this event can tell: it is the command's own, not one that followed
/// from it.
pub(super) fn subject(event: &Payload) -> Option<Outcome> {
    match event {
        Payload::GoalCreated(created) => Some(Outcome::Goal(created.goal_id)),
        Payload::GoalTransitioned(change) => {
            matches!(change.reason, TransitionReason::Requested | TransitionReason::Blocked)
                .then_some(Outcome::Goal(change.goal_id))
        }
        Payload::GoalBudgetSet(set) => Some(Outcome::Goal(set.goal_id)),
        Payload::TurnRecorded(turn) => Some(Outcome::Goal(turn.goal_id)),
        Payload::BudgetAllocated(made) => Some(Outcome::Budget(made.budget_id.clone())),
        Payload::BudgetAdjusted(adjusted) => Some(Outcome::Budget(adjusted.budget_id.clone())),
        Payload::ProgressSet(set) => Some(Outcome::Budget(set.budget_id.clone())),
        Payload::BudgetClosed(closed) => {
            closed.by_budget.is_none().then(|| Outcome::Closed(closed.budget_id.clone()))
        }
        // Charges of a turn and bookings of a meter follow from the event before them.
        Payload::SpendRecorded(spend) => (spend.goal_id.is_none() && spend.meter_id.is_none())
            .then(|| Outcome::Spend(spend.spend_id.clone())),
        Payload::SpendReversed(reversed) => Some(Outcome::Spend(reversed.spend_id.clone())),
        Payload::ReservationMade(made) => Some(Outcome::Reservation(made.reservation_id.clone())),
        Payload::ReservationReleased(released) => (released.reason == ReleaseReason::Requested)
            .then(|| Outcome::Reservation(released.reservation_id.clone())),
        Payload::ReservationMarkedUnknown(marked) => {
            Some(Outcome::Reservation(marked.reservation_id.clone()))
        }
        Payload::MeterObserved(observed) => Some(Outcome::Meter(observed.meter_id.clone())),
        Payload::MeterReset(reset) => Some(Outcome::Meter(reset.meter_id.clone())),
        Payload::BudgetExhausted(_)
        | Payload::ThresholdCrossed(_)
        | Payload::WindowRolled(_)
        | Payload::EndedForgotten(_)
        | Payload::ReservationExpired(_)
        | Payload::EventRecorded(_)
        | Payload::CommandRefused(_)
        | Payload::RefusalsSuppressed(_)
        | Payload::KeyWindowSet(_) => None,
    }
}

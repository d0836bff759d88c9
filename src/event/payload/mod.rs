//! The catalogue of kinds: what each event says. Every field is a fact that was decided; folding needs nothing else
//! (law FOLD).

use std::sync::Arc;

mod budget;
mod event;
mod forgotten;
mod goal;
mod meter;
mod refusal;
mod reservation;
mod spend;

pub use budget::{
    BudgetAdjusted, BudgetAllocated, BudgetClosed, BudgetExhausted, BudgetTerms, Charge, ProgressSet, Span,
    ThresholdCrossed, Window, WindowRolled,
};
pub use event::EventRecorded;
pub use forgotten::EndedForgotten;
pub use goal::{GoalBudgetSet, GoalCreated, GoalStatus, GoalTransitioned, TransitionReason, TurnRecorded};
pub use meter::{MeterObserved, MeterReset, Reading};
pub use refusal::{CommandRefused, RefusalKind, RefusalsSuppressed};
pub use reservation::{
    ReleaseReason, ReservationExpired, ReservationMade, ReservationMarkedUnknown, ReservationReleased,
};
pub use spend::{Quantity, SpendDetails, SpendRecorded, SpendReversed};

/// What happened. The kind's name in the journal is the variant's name in `snake_case`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload {
    /// A goal was created, and is active.
    GoalCreated(GoalCreated),
    /// A goal changed its status.
    GoalTransitioned(GoalTransitioned),
    /// The token budget of a goal was set, raised, lowered or removed.
    GoalBudgetSet(GoalBudgetSet),
    /// One or more turns were booked on a goal.
    TurnRecorded(TurnRecorded),
    /// What was spent reached a budget's limit.
    BudgetExhausted(BudgetExhausted),
    /// What was spent reached one of a budget's thresholds.
    ThresholdCrossed(ThresholdCrossed),
    /// A budget was made.
    BudgetAllocated(BudgetAllocated),
    /// The limit, its hardness, the thresholds or the window of a budget was changed.
    BudgetAdjusted(BudgetAdjusted),
    /// The progress of the work behind a budget was set.
    ProgressSet(ProgressSet),
    /// A budget was closed.
    BudgetClosed(BudgetClosed),
    /// A window ended, and the next began.
    WindowRolled(WindowRolled),
    /// Goals that ended and budgets that closed long ago left memory.
    EndedForgotten(EndedForgotten),
    /// Something was spent. Shared by all that remember it.
    SpendRecorded(Arc<SpendRecorded>),
    /// A spend was taken back, whole or in part.
    SpendReversed(SpendReversed),
    /// An amount was set aside.
    ReservationMade(ReservationMade),
    /// A reservation was given back.
    ReservationReleased(ReservationReleased),
    /// A reservation's time to live was over.
    ReservationExpired(ReservationExpired),
    /// The outcome of what a reservation was made for is not known.
    ReservationMarkedUnknown(ReservationMarkedUnknown),
    /// An external meter was read.
    MeterObserved(MeterObserved),
    /// An external meter begins anew.
    MeterReset(MeterReset),
    /// An event of the host's own.
    EventRecorded(EventRecorded),
    /// A command was refused by limit, status, authority or risk.
    CommandRefused(CommandRefused),
    /// How many further refusals of a refusal loop were answered without an event of their own.
    RefusalsSuppressed(RefusalsSuppressed),
    /// The window in which idempotency keys are remembered was changed.
    KeyWindowSet(KeyWindowSet),
}

/// The window in which idempotency keys are remembered was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyWindowSet {
    /// Keys older than this are forgotten, in milliseconds.
    pub max_age_ms: u64,
    /// The oldest keys beyond this number are forgotten.
    pub max_count: u64,
}

impl Payload {
    /// Every kind's name in the journal, in the order of the catalogue.
    pub const KINDS: [&'static str; 24] = [
        "goal_created",
        "goal_transitioned",
        "goal_budget_set",
        "turn_recorded",
        "budget_exhausted",
        "threshold_crossed",
        "budget_allocated",
        "budget_adjusted",
        "progress_set",
        "budget_closed",
        "window_rolled",
        "ended_forgotten",
        "spend_recorded",
        "spend_reversed",
        "reservation_made",
        "reservation_released",
        "reservation_expired",
        "reservation_marked_unknown",
        "meter_observed",
        "meter_reset",
        "event_recorded",
        "command_refused",
        "refusals_suppressed",
        "key_window_set",
    ];

    /// The kind's name in the journal.
    pub const fn kind(&self) -> &'static str {
        match self {
            Payload::GoalCreated(_) => "goal_created",
            Payload::GoalTransitioned(_) => "goal_transitioned",
            Payload::GoalBudgetSet(_) => "goal_budget_set",
            Payload::TurnRecorded(_) => "turn_recorded",
            Payload::BudgetExhausted(_) => "budget_exhausted",
            Payload::ThresholdCrossed(_) => "threshold_crossed",
            Payload::BudgetAllocated(_) => "budget_allocated",
            Payload::BudgetAdjusted(_) => "budget_adjusted",
            Payload::ProgressSet(_) => "progress_set",
            Payload::BudgetClosed(_) => "budget_closed",
            Payload::WindowRolled(_) => "window_rolled",
            Payload::EndedForgotten(_) => "ended_forgotten",
            Payload::SpendRecorded(_) => "spend_recorded",
            Payload::SpendReversed(_) => "spend_reversed",
            Payload::ReservationMade(_) => "reservation_made",
            Payload::ReservationReleased(_) => "reservation_released",
            Payload::ReservationExpired(_) => "reservation_expired",
            Payload::ReservationMarkedUnknown(_) => "reservation_marked_unknown",
            Payload::MeterObserved(_) => "meter_observed",
            Payload::MeterReset(_) => "meter_reset",
            Payload::EventRecorded(_) => "event_recorded",
            Payload::CommandRefused(_) => "command_refused",
            Payload::RefusalsSuppressed(_) => "refusals_suppressed",
            Payload::KeyWindowSet(_) => "key_window_set",
        }
    }
}

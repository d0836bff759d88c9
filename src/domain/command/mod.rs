//! The write side: one [`Command`] enum, and the [`Request`] that carries a command.

mod budget;
mod event;
mod goal;
mod spend;

pub use budget::{AdjustBudget, CloseBudget, Limit, NewBudget, SetProgress};
pub use event::RecordEvent;
pub use goal::{NewGoal, RecordTurn, SetGoalBudget, TransitionGoal, Turn, TurnTarget};
pub use spend::{
    MarkUnknown, NewReservation, ObserveMeter, RecordSpend, Release, ResetMeter, ReverseSpend, Settle, Spend,
    Ttl,
};

use std::sync::Arc;
use std::time::Duration;

use crate::domain::KeyWindow;
use crate::event::{Meta, RefusalsSuppressed};

/// A command, with what every command may carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is to be done.
    pub command: Command,
    /// The idempotency key, 1 to 200 bytes without control characters: within the key window the same key with the
    /// same command is a retry, and is not done again (law EXACT); with another command it is a conflict. Actor,
    /// session and metadata are not compared. A command that wrote no event (rejected, a suppressed refusal, a turn
    /// where no goal is active) leaves its key unused.
    pub key: Option<Arc<str>>,
    /// Who asks, as the host says, which is believed: at most 200 bytes without control characters. Only an actor who
    /// is named may widen a budget that [names](NewBudget::widen_by) any.
    pub actor: Option<Arc<str>>,
    /// The session that it belongs to: at most 200 bytes without control characters.
    pub session_id: Option<Arc<str>>,
    /// Metadata of the host.
    pub meta: Option<Meta>,
}

impl Request {
    /// A request that carries nothing but the command.
    pub fn new(command: impl Into<Command>) -> Request {
        Request { command: command.into(), key: None, actor: None, session_id: None, meta: None }
    }

    /// With an idempotency key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Arc<str>>) -> Request {
        self.key = Some(key.into());
        self
    }

    /// On behalf of an actor.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<Arc<str>>) -> Request {
        self.actor = Some(actor.into());
        self
    }

    /// As part of a session.
    #[must_use]
    pub fn session(mut self, session_id: impl Into<Arc<str>>) -> Request {
        self.session_id = Some(session_id.into());
        self
    }

    /// With metadata of the host.
    #[must_use]
    pub fn meta(mut self, meta: Meta) -> Request {
        self.meta = Some(meta);
        self
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Create a goal, active from the start.
    CreateGoal(NewGoal),
    /// Move a goal to another status.
    TransitionGoal(TransitionGoal),
    /// Set, raise, lower or remove the limit of a goal's tokens.
    SetGoalBudget(SetGoalBudget),
    /// Book one or more turns.
    RecordTurn(RecordTurn),
    /// Make a budget.
    Allocate(NewBudget),
    /// Spend of a budget.
    RecordSpend(RecordSpend),
    /// Set an amount aside.
    Reserve(NewReservation),
    /// Settle a reservation with what was really spent.
    Settle(Settle),
    /// Give a reservation back.
    Release(Release),
    /// Mark the outcome of a reservation as unknown.
    MarkUnknown(MarkUnknown),
    /// Take a spend back, whole or in part.
    ReverseSpend(ReverseSpend),
    /// Change the limit, its hardness, the thresholds or the window of a budget.
    AdjustBudget(AdjustBudget),
    /// Set the progress of the work behind a budget.
    SetProgress(SetProgress),
    /// Close a budget.
    CloseBudget(CloseBudget),
    /// Read an external meter.
    ObserveMeter(ObserveMeter),
    /// Begin an external meter anew.
    ResetMeter(ResetMeter),
    /// Record an event of the host's own.
    RecordEvent(RecordEvent),
    /// Change the window in which idempotency keys are remembered.
    SetKeyWindow(KeyWindow),
    /// Journal how many refusals were answered without an event of their own. The engine asks this of itself.
    ReportSuppressed(RefusalsSuppressed),
    /// Let what is due happen: expiries and rolls of windows. The engine asks this of itself.
    Elapse(Elapse),
    /// Forget what ended long ago. The engine asks this of itself.
    Forget(Forget),
}

impl Command {
    /// The name of the operation, as scripts write it.
    pub const fn op(&self) -> &'static str {
        match self {
            Command::CreateGoal(_) => "create_goal",
            Command::TransitionGoal(_) => "transition_goal",
            Command::SetGoalBudget(_) => "set_goal_budget",
            Command::RecordTurn(_) => "record_turn",
            Command::Allocate(_) => "allocate",
            Command::RecordSpend(_) => "record_spend",
            Command::Reserve(_) => "reserve",
            Command::Settle(_) => "settle",
            Command::Release(_) => "release",
            Command::MarkUnknown(_) => "mark_unknown",
            Command::ReverseSpend(_) => "reverse_spend",
            Command::AdjustBudget(_) => "adjust_budget",
            Command::SetProgress(_) => "set_progress",
            Command::CloseBudget(_) => "close_budget",
            Command::ObserveMeter(_) => "observe_meter",
            Command::ResetMeter(_) => "reset_meter",
            Command::RecordEvent(_) => "record_event",
            Command::SetKeyWindow(_) => "set_key_window",
            Command::ReportSuppressed(_) => "report_suppressed",
            Command::Elapse(_) => "elapse",
            Command::Forget(_) => "forget",
        }
    }

    /// Whether it is admitted only if every limit on its path allows it.
    pub(crate) const fn is_admitted(&self) -> bool {
        match self {
            Command::RecordSpend(record) => !record.incurred,
            Command::Reserve(_) => true,
            _ => false,
        }
    }

    /// Whether only the engine itself may ask this: what a host made up of it would be no fact (law HONEST).
    pub const fn is_engines_own(&self) -> bool {
        matches!(self, Command::ReportSuppressed(_) | Command::Elapse(_) | Command::Forget(_))
    }
}

macro_rules! from_command {
    ($($variant:ident($command:ty)),* $(,)?) => {
        $(impl From<$command> for Command {
            fn from(command: $command) -> Command {
                Command::$variant(command)
            }
        }

        impl From<$command> for Request {
            fn from(command: $command) -> Request {
                Request::new(command)
            }
        })*
    };
}

from_command! {
    CreateGoal(NewGoal),
    TransitionGoal(TransitionGoal),
    SetGoalBudget(SetGoalBudget),
    RecordTurn(RecordTurn),
    Allocate(NewBudget),
    RecordSpend(RecordSpend),
    Reserve(NewReservation),
    Settle(Settle),
    Release(Release),
    MarkUnknown(MarkUnknown),
    ReverseSpend(ReverseSpend),
    AdjustBudget(AdjustBudget),
    SetProgress(SetProgress),
    CloseBudget(CloseBudget),
    ObserveMeter(ObserveMeter),
    ResetMeter(ResetMeter),
    RecordEvent(RecordEvent),
    SetKeyWindow(KeyWindow),
    ReportSuppressed(RefusalsSuppressed),
    Elapse(Elapse),
    Forget(Forget),
}

impl From<Command> for Request {
    fn from(command: Command) -> Request {
        Request::new(command)
    }
}

/// Let what is due happen: expiries and rolls of windows. The engine asks this of itself, at the time of the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapse {
    /// No more events than so many in one frame; the engine asks again for the rest.
    pub max_events: usize,
}

/// Forget goals that ended and budgets that closed, that have not changed for longer than this, nor than idempotency keys
/// are remembered, and that nothing remembered needs. The engine asks this of itself, at the time of the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forget {
    /// For how long they have not changed.
    pub age: Duration,
    /// No more of them than so many in one frame; the engine asks again for the rest.
    pub max_entities: usize,
}

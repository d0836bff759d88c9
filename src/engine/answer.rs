//! What callers get for a command.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::vector::SharedAnswers;
use crate::domain::{Budget, BudgetView, Goal, Meter, Refusal, Rejection, Reservation, SpendRecord};
use crate::error::{Error, ErrorKind};

/// A command was carried out, and its events are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The `seq` of its first event; `None` when it changed nothing.
    pub first_seq: Option<u64>,
    /// The `seq` of its last event.
    pub last_seq: Option<u64>,
    /// Whether the command was carried out before, under the same key, spend id or reservation id, or as the settlement
    /// of the same reservation: the `seq`s are those of then, the result is as of now.
    pub retried: bool,
    /// What it was about.
    pub result: CommandResult,
}

impl Receipt {
    /// The goal that the command was about, if it was about one.
    pub fn goal(&self) -> Option<&Goal> {
        match &self.result {
            CommandResult::Goal(goal) => Some(goal),
            _ => None,
        }
    }

    /// The same, taken out.
    pub fn into_goal(self) -> Option<Goal> {
        self.result.into_goal()
    }
}

/// What a command was about, as it is right after it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandResult {
    /// A goal.
    Goal(Box<Goal>),
    /// A budget.
    Budget(Box<BudgetView>),
    /// A budget that was closed: the answer to a closing is a report.
    Closed(Box<Budget>),
    /// A spend.
    Spend(SpendRecord),
    /// A reservation.
    Reservation(Box<Reservation>),
    /// An external meter.
    Meter(Box<Meter>),
    /// Nothing: a turn where no goal is active, a command about the journal as a whole, or a retry of a command whose
    /// spend or reservation is not remembered any more.
    Nothing,
}

impl CommandResult {
    /// The goal, if it was about one.
    pub fn into_goal(self) -> Option<Goal> {
        if let CommandResult::Goal(goal) = self { Some(*goal) } else { None }
    }

    /// The budget, if it was about one that is not closed by it.
    pub fn into_budget(self) -> Option<BudgetView> {
        if let CommandResult::Budget(budget) = self { Some(*budget) } else { None }
    }

    /// The budget that was closed, if it was about one: the report of the closing.
    pub fn into_closed(self) -> Option<Budget> {
        if let CommandResult::Closed(budget) = self { Some(*budget) } else { None }
    }

    /// The spend, if it was about one.
    pub fn into_spend(self) -> Option<SpendRecord> {
        if let CommandResult::Spend(spend) = self { Some(spend) } else { None }
    }

    /// The reservation, if it was about one.
    pub fn into_reservation(self) -> Option<Reservation> {
        if let CommandResult::Reservation(reservation) = self { Some(*reservation) } else { None }
    }

    /// The external meter, if it was about one.
    pub fn into_meter(self) -> Option<Meter> {
        if let CommandResult::Meter(meter) = self { Some(*meter) } else { None }
    }
}

/// Why a command was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommandError {
    /// A limit, a status, an authority or a risk stands against it. The refusal is an event of its own (law HONEST),
    /// unless it is the answer to a check, or one of too many alike.
    #[error("refused: {0}")]
    Refused(Box<Refusal>),
    /// It does not make sense as it is. Nothing was written.
    #[error("{}: {}", .0.kind.name(), .0.message)]
    Rejected(Rejection),
    /// The engine could not do its work; the error's kind says what to do next.
    #[error(transparent)]
    Engine(#[from] Error),
}

impl From<Rejection> for CommandError {
    fn from(rejection: Rejection) -> CommandError {
        CommandError::Rejected(rejection)
    }
}

/// How a command ended.
pub(super) type CommandAnswer = Result<Receipt, CommandError>;

/// The answer to a command that was handed over, once its outcome is durable. Dropping it does not take the command
/// back.
#[derive(Debug)]
#[must_use = "the outcome of the command is in here"]
pub struct Pending(Source);

/// Where an answer comes from.
#[derive(Debug)]
enum Source {
    /// A command that was handed over by itself.
    One(oneshot::Receiver<CommandAnswer>),
    /// One of many that were handed over together, by its index.
    OneOf(Arc<SharedAnswers>, usize),
}

impl Pending {
    pub(super) fn new() -> (oneshot::Sender<CommandAnswer>, Pending) {
        let (sender, receiver) = oneshot::channel();
        (sender, Pending(Source::One(receiver)))
    }

    pub(super) fn of(answers: Arc<SharedAnswers>, index: usize) -> Pending {
        Pending(Source::OneOf(answers, index))
    }

    /// An answer that is there already.
    pub(super) fn answered(answer: CommandAnswer) -> Pending {
        let (sender, pending) = Pending::new();
        // The receiver is right here.
        let _ = sender.send(answer);
        pending
    }

    /// Waits on this thread, without a runtime.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn wait(self) -> Result<Receipt, CommandError> {
        // Of many that were handed over together most are answered by the time that the first is.
        self.try_wait().unwrap_or_else(pollster::block_on)
    }

    /// The answer, if it is there already.
    ///
    /// # Errors
    /// Gives the handle back when the answer is not there yet.
    pub fn try_wait(mut self) -> Result<Result<Receipt, CommandError>, Pending> {
        match &mut self.0 {
            Source::One(receiver) => match receiver.try_recv() {
                Ok(answer) => Ok(answer),
                Err(oneshot::error::TryRecvError::Empty) => Err(self),
                Err(oneshot::error::TryRecvError::Closed) => Ok(Err(writer_is_gone().into())),
            },
            Source::OneOf(answers, index) => answers.take(*index).ok_or(self),
        }
    }
}

impl Future for Pending {
    type Output = Result<Receipt, CommandError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Source::One(receiver) => Pin::new(receiver)
                .poll(context)
                .map(|received| received.unwrap_or_else(|_| Err(writer_is_gone().into()))),
            Source::OneOf(answers, index) => answers.poll(*index, context),
        }
    }
}

/// The writer ended without an answer: it panicked.
pub(super) fn writer_is_gone() -> Error {
    Error::new(
        ErrorKind::OutcomeUnknown,
        "the writer ended without an answer: the outcome is unknown; reopen to see",
    )
}

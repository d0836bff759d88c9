//! Where the answer to a command goes.

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::answer::{CommandAnswer, CommandError, CommandResult};
use super::budgets::forgotten;
use super::hold::Claim;
use super::shared::Shared;
use crate::error::Error;

/// Where a reservation goes that its caller is to hold.
pub(super) type HoldReply = oneshot::Sender<Result<Claim, CommandError>>;

/// Where the answer to a command goes.
#[derive(Debug)]
pub(super) enum Reply {
    /// To whoever waits for it; if nobody does any more, it is dropped.
    Answer(oneshot::Sender<CommandAnswer>),
    /// To the guard of the reservation that the command makes; if nobody waits for it any more, it is released.
    Hold(HoldReply),
    /// To nobody: if the event that the command records is not recorded, it is counted.
    Event(Unconfirmed),
}

impl Reply {
    /// Answers. A caller that no longer waits has nothing to be told.
    pub(super) fn send(self, answer: CommandAnswer, shared: &Arc<Shared>) {
        match self {
            Reply::Answer(reply) => drop(reply.send(answer)),
            Reply::Hold(reply) => {
                let claim = answer.and_then(|receipt| match receipt.result {
                    CommandResult::Reservation(reservation) => {
                        Ok(Claim::new(shared, *reservation, receipt.retried))
                    }
                    _ => Err(forgotten("reservation", receipt.first_seq)),
                });
                // A claim that comes back is dropped here, and by that released.
                drop(reply.send(claim));
            }
            Reply::Event(event) => match answer {
                Ok(_) => event.recorded(),
                Err(error) => event.dropped(&error),
            },
        }
    }

    /// Answers that the engine could not do its work.
    pub(super) fn fail(self, why: &Error) {
        match self {
            Reply::Answer(reply) => drop(reply.send(Err(why.clone().into()))),
            Reply::Hold(reply) => drop(reply.send(Err(why.clone().into()))),
            Reply::Event(event) => event.dropped(why),
        }
    }
}

/// An event of the host's for which nobody waits. However it gets lost, it is counted: by whoever says that it was
/// dropped, and where nobody does (a panic), when this is dropped.
#[derive(Debug)]
pub(super) struct Unconfirmed {
    /// `None` once it is known what became of it.
    shared: Option<Arc<Shared>>,
}

impl Unconfirmed {
    pub(super) fn new(shared: &Arc<Shared>) -> Unconfirmed {
        Unconfirmed { shared: Some(Arc::clone(shared)) }
    }

    /// It is durable.
    fn recorded(mut self) {
        self.shared = None;
    }

    /// It is not there, or may not be.
    pub(super) fn dropped(mut self, why: &dyn fmt::Display) {
        if let Some(shared) = self.shared.take() {
            shared.count_dropped_event(why);
        }
    }
}

impl Drop for Unconfirmed {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.count_dropped_event(&"something panicked");
        }
    }
}

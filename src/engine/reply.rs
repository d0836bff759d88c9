//! Where the answer to a command goes.

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
        }
    }

    /// Answers that the engine could not do its work.
    pub(super) fn fail(self, why: &Error) {
        match self {
            Reply::Answer(reply) => drop(reply.send(Err(why.clone().into()))),
            Reply::Hold(reply) => drop(reply.send(Err(why.clone().into()))),
        }
    }
}

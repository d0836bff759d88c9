//! Forgetting what ended long ago, while nobody waits.

use std::time::Duration;

use super::answer::CommandError;
use super::carry_out::Stopped;
use super::core::{Answers, Core};
use crate::domain::{Forget, Request};
use crate::error::Error;

/// How many goals and budgets go into one frame at most.
const FORGOTTEN_PER_FRAME: usize = 256;
/// What is due may wait so long for more, so that what ends one after the other is forgotten together.
const GATHER: Duration = Duration::from_secs(1);
/// The writer looks at the clock at least this often while something is to be forgotten: a clock may jump.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(60);
/// What could not be done is tried again after this.
const TRY_AGAIN: Duration = Duration::from_secs(1);

impl Core {
    /// Forgets what is due, in one frame of its own and behind a sync of its own: a batch of commands waits for no more
    /// than that. When there is more to do, at once or later; `None`: nothing that is known now will be due.
    pub(super) fn forget(&mut self) -> Option<Duration> {
        let due_in = self.until_forgetting()?;
        if !due_in.is_zero() {
            return Some(due_in.min(LOOK_AT_CLOCK));
        }
        let seq = self.working.seq;
        let result = self.forget_some();
        self.finish(seq, result, Answers::default());
        if !self.is_open() {
            return None;
        }
        if self.working.seq == seq {
            return Some(TRY_AGAIN);
        }
        self.until_forgetting().map(|due_in| due_in.min(LOOK_AT_CLOCK))
    }

    /// How long nothing is due to be forgotten; `None` where nothing will be.
    fn until_forgetting(&self) -> Option<Duration> {
        let age = self.working.state.forgotten_after(self.options.forget_after?);
        let idle = self.now().saturating_since(self.working.state.oldest_ending()?);
        Some(age.saturating_add(GATHER).saturating_sub(idle))
    }

    fn forget_some(&mut self) -> Result<(), Error> {
        let Some(age) = self.options.forget_after else { return Ok(()) };
        let forget = Forget { age, max_entities: FORGOTTEN_PER_FRAME };
        match self.carry_out(&Request::from(forget), None) {
            Ok(_) => Ok(()),
            Err(Stopped::Engine(error)) => Err(error),
            Err(Stopped::Command(CommandError::Engine(error))) => {
                tracing::warn!(%error, "what is to be forgotten waits");
                Ok(())
            }
            Err(Stopped::Command(error)) => {
                tracing::warn!(%error, "what is to be forgotten is not");
                Ok(())
            }
        }
    }
}

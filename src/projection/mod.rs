//! The state as a fold of events, at a position.

use crate::clock::Timestamp;
use crate::domain::{EvolveError, State, evolve};
use crate::event::ChangeEvent;

/// The state after the event with that `seq`. Copying it costs the same however much it holds, so it is what is
/// published to readers.
#[derive(Debug, Clone, Default)]
pub struct Projection {
    /// The state.
    pub state: State,
    /// The position of the last event; 0 before the first.
    pub seq: u64,
    /// When the last event was decided.
    pub last_ts: Timestamp,
}

impl Projection {
    /// Takes the next event in (law ORDER: without a gap, and not back in time).
    ///
    /// # Errors
    /// When the event is not the next one, or does not fit the state. The projection is not to be used any more.
    pub fn apply(&mut self, event: &ChangeEvent) -> Result<(), EvolveError> {
        let expected = self.seq.checked_add(1);
        if expected != Some(event.seq) {
            return Err(EvolveError::new(event, format!("expected the seq after {}", self.seq)));
        }
        if self.seq > 0 && event.ts < self.last_ts {
            let message = format!("expected a time from {} on, found {}", self.last_ts, event.ts);
            return Err(EvolveError::new(event, message));
        }
        evolve(&mut self.state, event)?;
        self.seq = event.seq;
        self.last_ts = event.ts;
        Ok(())
    }
}

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

impl std::ops::Deref for Projection {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{KeyWindowSet, Payload};

    fn event(seq: u64, secs: i64) -> ChangeEvent {
        ChangeEvent {
            seq,
            ts: Timestamp::from_micros(secs * 1_000_000),
            session_id: None,
            actor: None,
            key: None,
            meta: None,
            payload: Payload::KeyWindowSet(KeyWindowSet { max_age_ms: 1_000, max_count: seq }),
        }
    }

    /// Law ORDER: `seq` starts at 1 and has no gaps.
    #[test]
    fn events_are_taken_in_order_without_a_gap() {
        let mut projection = Projection::default();
        assert_eq!(projection.apply(&event(2, 0)).unwrap_err().seq, 2, "the first is 1");
        projection.apply(&event(1, 0)).unwrap();
        for seq in [0, 1, 3] {
            let error = projection.apply(&event(seq, 0)).unwrap_err();
            assert!(error.to_string().contains("expected the seq after 1"), "{error}");
        }
        projection.apply(&event(2, 0)).unwrap();
        assert_eq!((projection.seq, projection.state.key_window().max_count), (2, 2));
    }

    #[test]
    fn time_stands_still_or_goes_on_but_not_back() {
        let mut projection = Projection::default();
        projection.apply(&event(1, -5)).unwrap();
        projection.apply(&event(2, -5)).unwrap();
        let error = projection.apply(&event(3, -6)).unwrap_err();
        assert!(error.to_string().contains("expected a time from 1969-12-31T23:59:55"), "{error}");
    }

    #[test]
    fn what_was_published_stays_as_it_was() {
        let mut projection = Projection::default();
        projection.apply(&event(1, 0)).unwrap();
        let published = projection.clone();
        projection.apply(&event(2, 1)).unwrap();
        assert_eq!((published.seq, published.state.key_window().max_count), (1, 1));
    }
}

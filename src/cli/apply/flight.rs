//! How many commands are in flight.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Counts the lines that are handed over and not answered yet, and makes the reader wait while there are enough.
#[derive(Debug)]
pub(super) struct Flight {
    window: usize,
    state: Mutex<FlightState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct FlightState {
    in_flight: usize,
    /// Whether the window was found full, and half of it is not free again yet.
    is_crowded: bool,
    is_over: bool,
}

impl FlightState {
    /// How many places may be taken: all that are free.
    ///
    /// A window that was found full stays shut until half of it is free: handing over one command for each that is
    /// answered would make the batches behind a sync ever smaller. Nothing waits for ever, since what is in flight
    /// ends by itself.
    fn places(&mut self, window: usize) -> usize {
        self.is_crowded |= self.in_flight >= window;
        self.is_crowded &= self.in_flight > window / 2;
        if self.is_crowded { 0 } else { window - self.in_flight }
    }
}

impl Flight {
    pub(super) fn new(window: usize) -> Flight {
        Flight { window, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Takes places, once there are any; `None` when nobody answers any more.
    pub(super) fn take(&self) -> Option<usize> {
        let has_none = |state: &mut FlightState| !state.is_over && state.places(self.window) == 0;
        let mut state =
            self.changed.wait_while(self.lock(), has_none).unwrap_or_else(PoisonError::into_inner);
        if state.is_over {
            return None;
        }
        let places = state.places(self.window);
        state.in_flight += places;
        Some(places)
    }

    /// Gives places back, because what was in them is answered, or because they were not needed.
    pub(super) fn give_back(&self, places: usize) {
        let mut state = self.lock();
        state.in_flight = state.in_flight.saturating_sub(places);
        if state.in_flight <= self.window / 2 {
            self.changed.notify_all();
        }
    }

    /// Nobody answers any more.
    pub(super) fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    fn lock(&self) -> MutexGuard<'_, FlightState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_window_that_was_full_opens_again_when_half_of_it_is_answered() {
        let mut state = FlightState { in_flight: 4, ..FlightState::default() };
        assert_eq!(state.places(4), 0);
        state.in_flight = 3;
        assert_eq!(state.places(4), 0, "one place of four is not worth a batch");
        state.in_flight = 2;
        assert_eq!(state.places(4), 2);
        state.in_flight = 3;
        assert_eq!(state.places(4), 1, "it was not full since");
    }

    #[test]
    fn a_window_that_is_not_full_lets_in_what_there_is_room_for() {
        let flight = Flight::new(4);
        assert_eq!(flight.take(), Some(4));
        flight.give_back(1);
        // Three are in flight: the reader had taken four places and needed three.
        assert_eq!(flight.take(), Some(1));
    }

    #[test]
    fn the_end_frees_who_waits_for_a_place() {
        let flight = Arc::new(Flight::new(1));
        assert_eq!(flight.take(), Some(1));
        let taker = Arc::clone(&flight);
        let thread = std::thread::spawn(move || taker.take());
        flight.end();
        assert_eq!(thread.join().unwrap(), None);
    }
}

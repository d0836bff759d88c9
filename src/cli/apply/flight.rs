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
    is_over: bool,
}

impl Flight {
    pub(super) fn new(window: usize) -> Flight {
        Flight { window, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Takes places, all that are free; `None` when nobody answers any more.
    ///
    /// Where none is free it waits until half of them are: handing over one command for each that is answered would
    /// make the batches behind a sync ever smaller. Nothing waits for ever, since what is in flight ends by itself.
    pub(super) fn take(&self) -> Option<usize> {
        let mut state = self.lock();
        if state.in_flight >= self.window {
            let is_crowded = |state: &mut FlightState| state.in_flight > self.window / 2 && !state.is_over;
            state = self.changed.wait_while(state, is_crowded).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_over {
            return None;
        }
        let places = self.window - state.in_flight;
        state.in_flight = self.window;
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
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_full_window_opens_again_when_half_of_it_is_answered() {
        let flight = Arc::new(Flight::new(4));
        assert_eq!(flight.take(), Some(4));
        let (taken, places) = channel();
        let taker = Arc::clone(&flight);
        let thread = std::thread::spawn(move || taken.send(taker.take()).unwrap());
        flight.give_back(1);
        assert!(
            places.recv_timeout(Duration::from_millis(50)).is_err(),
            "one place of four is not worth a batch"
        );
        flight.give_back(1);
        assert_eq!(places.recv().unwrap(), Some(2));
        thread.join().unwrap();
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

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

//! Waiting for other threads, no longer than for so long; and a clock that holds the writer up.

#![allow(dead_code, reason = "each test that takes this file in uses another part of it")]
#![allow(clippy::disallowed_methods, reason = "it waits for threads, no longer than for so long")]

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tallybook::{Clock, ManualClock, Timestamp};

/// How long anything may take before it counts as a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for a condition, not for a time.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Does something on a thread of its own that must come to its end.
pub(crate) fn in_time<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(run()));
    result.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// A gate: who passes it waits while it is closed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn close(&self) {
        *self.0.0.lock().unwrap() = true;
    }

    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = false;
        self.0.1.notify_all();
    }

    pub(crate) fn pass(&self) {
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |is_closed| *is_closed).unwrap());
    }
}

/// A clock whose gate the writer has to pass to read it; others read it at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct GatedClock {
    pub(crate) gate: Gate,
    pub(crate) clock: ManualClock,
}

impl Clock for GatedClock {
    fn now(&self) -> Timestamp {
        if std::thread::current().name() == Some("tallybook-writer") {
            self.gate.pass();
        }
        self.clock.now()
    }
}

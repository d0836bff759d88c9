//! SIGINT and SIGTERM: the first asks for a clean end, the second ends at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::outcome::Failure;

/// Whether a signal has asked for the end.
#[derive(Debug, Clone, Default)]
pub(super) struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    pub(super) fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Sets the flag at the first signal, then calls `wake` for those who wait for something else.
pub(super) fn stop_on_signal(flag: &StopFlag, wake: impl Fn() + Send + 'static) -> Result<(), Failure> {
    let doing = |error: io::Error| Failure::Input("listening for signals".to_owned(), error);
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(doing)?;
    let flag = flag.clone();
    let listen = move || {
        for signal in signals.forever() {
            if flag.is_set() {
                // It does not return for these two; if it did, the first request would still stand.
                let _ = emulate_default_handler(signal);
            }
            flag.set();
            wake();
        }
    };
    let thread = std::thread::Builder::new().name("tallybook-signals".into()).spawn(listen);
    thread.map(drop).map_err(doing)
}

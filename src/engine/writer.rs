//! The writer: its thread, and how others take its place while it sleeps.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::alerts::{self, AlertCallback};
use super::answer::{CommandError, writer_is_gone};
use super::core::Core;
use super::inbox::{Assessed, Drained, Work};
use super::maintenance::is_maintenance_thread;
use super::options::Options;
use super::published::View;
use super::replay::Replay;
use super::reply::Reply;
use super::shared::Shared;
use crate::clock::monotonic;
use crate::domain::{KeyWindow, Request};
use crate::error::{Error, ErrorKind};
use crate::journal::JournalWriter;
use crate::projection::Projection;
use crate::storage::{Storage, Watched};

/// The writer: a thread, or whoever gets hold of the core while the thread sleeps.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    core: Mutex<Core>,
    /// When the thread will come by itself at the latest; `None`: when it is woken.
    wakes_at: Mutex<Option<Instant>>,
}

impl Writer {
    /// Opens the journal and rebuilds the state by replaying it.
    pub(super) fn open(options: Options, storage: Arc<dyn Storage>) -> Result<Writer, Error> {
        let span = tracing::info_span!("tallybook.open");
        let _entered = span.enter();
        let journal_options = options.journal()?;
        // Whoever holds the lock is the only one to change a name.
        let names = Arc::new(Watched::new(storage));
        let storage: Arc<dyn Storage> = Arc::clone(&names) as _;
        let mut replay = Replay::new(Projection::default(), &options.background);
        let now = options.clock.now();
        let opened =
            JournalWriter::open(Arc::clone(&storage), journal_options, &*options.entropy, now, &mut replay);
        let (journal, report) = opened
            .map_err(|error| replay.first_error(error))
            .inspect_err(|error| tracing::error!(%error, "the journal was not opened"))?;
        let projection = replay.into_projection();
        if let Some(from) = report.restored_from {
            tracing::debug!(before = %from, "restored from a snapshot");
        }
        if let Some(recovered) = &report.recovered {
            tracing::warn!(file = %recovered.file, handed_over = recovered.handed_over, torn_bytes = recovered.torn_len, "recovered from an unclean stop");
        }
        tracing::info!(journal = %journal.journal_id(), epoch = %journal.epoch(), seq = projection.seq, is_new = report.is_new, "opened");
        let view = View::new(projection.clone(), journal.journal_id(), journal.epoch(), journal.last_epoch());
        let shared = Arc::new(Shared::new(names, &options, journal.published(), view));
        let key_window = options.key_window;
        let on_alert = options.on_alert.clone();
        let core = Core::new(options, Arc::clone(&shared), journal, projection);
        let writer = Writer { shared, core: Mutex::new(core), wakes_at: Mutex::new(None) };
        if let Err(error) = writer.begin(on_alert, key_window, report.has_closed) {
            // Not left open: each try would need a recovery.
            drop(writer.lock().close());
            writer.shared.close();
            return Err(error);
        }
        Ok(writer)
    }

    /// What comes before the first command. The alerts first: what came due while the journal was closed is told, too.
    fn begin(
        &self,
        on_alert: Option<AlertCallback>,
        key_window: Option<KeyWindow>,
        has_closed: bool,
    ) -> Result<(), Error> {
        on_alert.map_or(Ok(()), |callback| alerts::start(&self.shared, callback))?;
        // What cannot be told now is told after the first run.
        self.shared.upkeep.look(&*self.shared.storage);
        if has_closed {
            self.lock().look_after();
        }
        key_window.map_or(Ok(()), |window| self.set_key_window(window))
    }

    /// A window that differs from the recorded one becomes a fact (law FOLD).
    fn set_key_window(&self, window: KeyWindow) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let assessed = Assessed { request: Request::from(window), veto: None };
        let work = vec![Work::Command(assessed, Reply::Answer(reply))];
        self.lock().commit(Drained { work, ..Drained::default() });
        match pollster::block_on(answer) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(CommandError::Engine(error))) => Err(error),
            Ok(Err(error)) => {
                Err(Error::new(ErrorKind::InvalidArgument, format!("setting the key window: {error}")))
            }
            Err(_) => Err(writer_is_gone()),
        }
    }

    /// The thread: until the engine is closed or halts.
    pub(super) fn run(&self) {
        let _guard = HaltOnPanic::new(&self.shared);
        // At once: something may have come due while the journal was closed.
        let mut timeout = Some(Duration::ZERO);
        loop {
            self.shared.inbox.wait(timeout);
            // The core first: nobody may overtake what is taken out of the inbox.
            let mut core = self.lock();
            core.gather();
            match self.step(&mut core) {
                Some(next) => timeout = next,
                None => return,
            }
            *self.wakes_at.lock().unwrap_or_else(PoisonError::into_inner) =
                timeout.map(|timeout| monotonic() + timeout);
        }
    }

    /// Does what waits, on this thread, if nobody else is at it; else it is left to those.
    pub(super) fn step_here(&self) {
        if is_maintenance_thread() {
            // Whoever closes the journal waits for the maintenance.
            return self.shared.inbox.nudge();
        }
        let mut core = match self.core.try_lock() {
            Ok(core) => core,
            Err(TryLockError::Poisoned(poisoned)) => abandoned(poisoned),
            Err(TryLockError::WouldBlock) => return self.shared.inbox.nudge(),
        };
        let _guard = HaltOnPanic::new(&self.shared);
        core.gather();
        let Some(Some(timeout)) = self.step(&mut core) else { return };
        // The thread has to learn of it, unless it comes by itself in time.
        let wakes_at = *self.wakes_at.lock().unwrap_or_else(PoisonError::into_inner);
        if wakes_at.is_none_or(|at| at > monotonic() + timeout) {
            self.shared.inbox.wake();
        }
    }

    /// Does what waits, on this thread.
    pub(super) fn step_inline(&self) {
        let mut core = self.lock();
        let _guard = HaltOnPanic::new(&self.shared);
        self.step(&mut core);
    }

    /// One batch. When to come again at the latest; `None` when that was the last.
    fn step(&self, core: &mut Core) -> Option<Option<Duration>> {
        let drained = core.drain();
        let is_closing = drained.is_closing;
        if !core.is_open() {
            return None;
        }
        if drained.is_empty() {
            core.keep_list(drained.work);
        } else {
            core.commit(drained);
        }
        let timeout = core.tick();
        if is_closing && core.is_open() {
            self.release_the_last(core);
            // What comes from now on is refused at once, however long the rest takes.
            self.shared.refuse();
            match core.close() {
                Ok(()) => self.shared.close(),
                Err(error) => self.shared.halt(&error, Vec::new()),
            }
        }
        core.is_open().then_some(timeout)
    }

    /// What was answered last may have found nobody who waits for it: a reservation of whoever has gone is released
    /// before the end, too.
    fn release_the_last(&self, core: &mut Core) {
        loop {
            let drained = core.drain();
            if drained.is_empty() || !core.is_open() {
                return;
            }
            core.commit(drained);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(abandoned)
    }
}

/// Whoever panicked while it held the core may have left half a batch there: none of it may reach the disk.
fn abandoned(poisoned: PoisonError<MutexGuard<'_, Core>>) -> MutexGuard<'_, Core> {
    let mut core = poisoned.into_inner();
    core.abandon();
    core
}

/// A writer that panics halts the engine: nobody may wait for it for ever.
struct HaltOnPanic<'a> {
    shared: &'a Shared,
    /// A host may call us while it unwinds from a panic of its own.
    was_panicking: bool,
}

impl<'a> HaltOnPanic<'a> {
    fn new(shared: &'a Shared) -> HaltOnPanic<'a> {
        HaltOnPanic { shared, was_panicking: std::thread::panicking() }
    }
}

impl Drop for HaltOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.was_panicking {
            self.shared.halt(&Error::new(ErrorKind::Halted, "the writer panicked"), Vec::new());
        }
    }
}

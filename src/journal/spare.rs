//! The next segment, made ahead under a temporary name and filled with zeros, so that rotating is cheap and the
//! first syncs in it are too.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::bytes::{index_of, offset_of};
use super::layout::SPARE_NAME;
use crate::background::{Background, BackgroundThread};
use crate::clock::monotonic;
use crate::error::Error;
use crate::storage::{Storage, StorageFile};

/// When a segment is full.
#[derive(Debug, Clone)]
pub(crate) enum RotationSize {
    /// At this size, in bytes.
    Fixed(u64),
    /// From [`RotationSize::DEFAULT`] on, larger as long as segments fill up fast.
    Adaptive {
        /// The size now, in bytes.
        bytes: u64,
        /// When the last rotation was.
        last: Option<Instant>,
    },
}

impl RotationSize {
    /// The size that segments have unless load asks for more: 8 MiB.
    pub(crate) const DEFAULT: u64 = 8 << 20;
    /// The size that they grow to under load: 64 MiB.
    pub(crate) const MAX: u64 = 64 << 20;

    const FAST: Duration = Duration::from_millis(500);
    const SLOW: Duration = Duration::from_secs(10);

    pub(crate) fn adaptive() -> RotationSize {
        RotationSize::Adaptive { bytes: Self::DEFAULT, last: None }
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            RotationSize::Fixed(bytes) | RotationSize::Adaptive { bytes, .. } => *bytes,
        }
    }

    /// Notes a rotation: a segment that filled up in under half a second makes the next twice as large, one that
    /// took over ten seconds half as large.
    pub(super) fn rotating(&mut self) {
        let RotationSize::Adaptive { bytes, last } = self else { return };
        let now = monotonic();
        let took = last.map(|last| now.duration_since(last));
        *last = Some(now);
        if took.is_some_and(|took| took < Self::FAST) {
            *bytes = (*bytes * 2).min(Self::MAX);
        } else if took.is_some_and(|took| took > Self::SLOW) {
            *bytes = (*bytes / 2).max(Self::DEFAULT);
        }
    }
}

/// A built spare: the file, and how long it is.
type Built = (Arc<dyn StorageFile>, u64);

/// The next segment in the making.
#[derive(Debug)]
pub(super) struct Spare {
    storage: Arc<dyn Storage>,
    background: Background,
    state: State,
}

#[derive(Debug)]
enum State {
    None,
    Building(BackgroundThread, Arc<Mutex<Option<Built>>>),
    Ready(Built),
}

impl Spare {
    pub(super) fn new(storage: Arc<dyn Storage>, background: Background) -> Spare {
        Spare { storage, background, state: State::None }
    }

    /// Begins to make the next segment, unless that was begun already. Whether it worked is seen when it is taken.
    pub(super) fn start(&mut self, len: u64) {
        if !matches!(self.state, State::None) {
            return;
        }
        let storage = Arc::clone(&self.storage);
        if self.background.is_inline() {
            self.state = build(&*storage, len).map_or(State::None, State::Ready);
            return;
        }
        let built = Arc::new(Mutex::new(None));
        let into = Arc::clone(&built);
        let work = move || {
            // Whether it worked is seen when it is taken.
            let result = build(&*storage, len).ok();
            *into.lock().unwrap_or_else(PoisonError::into_inner) = result;
        };
        if let Ok(thread) = self.background.spawn("tallybook-spare", work) {
            self.state = State::Building(thread, built);
        }
    }

    /// The next segment; made now, where it is not there yet.
    pub(super) fn take(&mut self, len: u64) -> Result<Built, Error> {
        self.join();
        if let State::Ready(built) = std::mem::replace(&mut self.state, State::None) {
            return Ok(built);
        }
        build(&*self.storage, len).map_err(|error| Error::io("preparing the next segment", error))
    }

    /// Waits for the thread, if there is one.
    fn join(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::None) {
            State::Building(thread, built) => {
                thread.join();
                let built = built.lock().unwrap_or_else(PoisonError::into_inner).take();
                built.map_or(State::None, State::Ready)
            }
            state => state,
        };
    }

    /// Removes what was made and will not be used. A leftover does no harm: the next opening removes it.
    pub(super) fn discard(&mut self) {
        self.join();
        if let State::Ready(_) = std::mem::replace(&mut self.state, State::None)
            && let Err(error) = self.storage.remove(SPARE_NAME)
        {
            tracing::debug!(%error, "the spare segment was left behind");
        }
    }
}

impl Drop for Spare {
    /// No thread may still be making files once the lock is given up.
    fn drop(&mut self) {
        self.join();
    }
}

fn build(storage: &dyn Storage, len: u64) -> io::Result<Built> {
    let result = try_build(storage, len);
    if result.is_err() {
        // What is half built only takes up room; that it cannot be removed either adds nothing to the first error.
        let _ = storage.remove(SPARE_NAME);
    }
    result
}

fn try_build(storage: &dyn Storage, len: u64) -> io::Result<Built> {
    let file = storage.create(SPARE_NAME)?;
    write_zeros(&*file, 0, len)?;
    file.sync()?;
    Ok((file, len))
}

/// Fills a file with zeros from `from` up to `to`.
pub(super) fn write_zeros(file: &dyn StorageFile, from: u64, to: u64) -> io::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut at = from;
    while at < to {
        let len = index_of(to - at).min(ZEROS.len());
        file.write_all_at(&ZEROS[..len], at)?;
        at += offset_of(len);
    }
    Ok(())
}

//! The next segment, made ahead under a temporary name and filled with zeros, so that rotating is cheap and the
//! first syncs in it are too.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::bytes::{index_of, offset_of};
use super::layout::{SPARE_NAME, SegmentName};
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

/// How much of a spare is written and synced at once: one large sync would hold up the writer's beside it.
const PIECE: u64 = 256 << 10;

/// The same once it is needed soon: each sync costs by itself, too.
const URGENT_PIECE: u64 = 4 << 20;

/// How long the disk is left to the writer between two pieces, as long as there is no hurry.
const REST: Duration = Duration::from_millis(1);

/// A built spare: the file, and how long it is.
type Built = (Arc<dyn StorageFile>, u64);

/// A sealed segment, with zeros after its end.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) name: SegmentName,
    pub(super) file: Arc<dyn StorageFile>,
    pub(super) end: u64,
}

impl Sealed {
    /// Gives the room after the end back.
    fn trim(&self) {
        if let Err(error) = self.file.set_len(self.end) {
            // The successor states where this one ends: zeros after it cost room, and nothing else.
            tracing::warn!(%error, segment = %self.name, "the sealed segment was not trimmed");
        }
    }
}

/// The next segment in the making.
#[derive(Debug)]
pub(super) struct Spare {
    storage: Arc<dyn Storage>,
    background: Background,
    state: State,
    /// A segment that is to be trimmed when the next spare is begun: nobody waits for that.
    sealed: Option<Sealed>,
    orders: Arc<Orders>,
}

/// What whoever makes the next segment is told meanwhile.
#[derive(Debug, Default)]
struct Orders {
    /// It is needed soon.
    is_urgent: AtomicBool,
    /// It is not needed any more.
    is_called_off: AtomicBool,
}

#[derive(Debug)]
enum State {
    None,
    Building(BackgroundThread, Arc<Mutex<Option<Built>>>),
    Ready(Built),
}

impl Spare {
    pub(super) fn new(storage: Arc<dyn Storage>, background: Background) -> Spare {
        Spare { storage, background, state: State::None, sealed: None, orders: Arc::default() }
    }

    /// Has a sealed segment trimmed, where there are threads for it later on one of them.
    pub(super) fn trim(&mut self, sealed: Sealed) {
        if self.background.is_inline() {
            return sealed.trim();
        }
        if let Some(before) = self.sealed.replace(sealed) {
            before.trim();
        }
    }

    /// Tells whoever makes the next segment that it is needed soon.
    pub(super) fn hurry(&self) {
        self.orders.is_urgent.store(true, Ordering::Relaxed);
    }

    /// Begins to make the next segment, unless that was begun already. Whether it worked is seen when it is taken.
    pub(super) fn start(&mut self, len: u64) {
        if !matches!(self.state, State::None) {
            return;
        }
        let storage = Arc::clone(&self.storage);
        if self.background.is_inline() {
            self.state = build(&*storage, len, &at_once).map_or(State::None, State::Ready);
            return;
        }
        let built = Arc::new(Mutex::new(None));
        let into = Arc::clone(&built);
        let sealed = self.sealed.take();
        self.orders = Arc::default();
        let orders = Arc::clone(&self.orders);
        // Where one thread runs at a time, none is held up by another.
        let rests = !self.background.is_scheduled();
        let work = move || {
            sealed.iter().for_each(Sealed::trim);
            let next_piece = || {
                if orders.is_called_off.load(Ordering::Relaxed) {
                    return Err(io::Error::other("the next segment is not needed any more"));
                }
                if orders.is_urgent.load(Ordering::Relaxed) {
                    return Ok(URGENT_PIECE);
                }
                if rests {
                    sleep(REST);
                }
                Ok(PIECE)
            };
            // Whether it worked is seen when it is taken.
            let result = build(&*storage, len, &next_piece).ok();
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
        build(&*self.storage, len, &at_once).map_err(|error| Error::io("preparing the next segment", error))
    }

    /// Waits for the thread, if there is one; what it makes is needed.
    fn join(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::None) {
            State::Building(thread, built) => {
                self.hurry();
                thread.join();
                let built = built.lock().unwrap_or_else(PoisonError::into_inner).take();
                built.map_or(State::None, State::Ready)
            }
            state => state,
        };
    }

    /// Waits for the thread, if there is one, no longer than for the piece that it is at: whoever closes or halts has
    /// others waiting.
    fn call_off(&mut self) {
        self.orders.is_called_off.store(true, Ordering::Relaxed);
        self.join();
    }

    /// Removes what was made and will not be used. A leftover does no harm: the next opening removes it.
    pub(super) fn discard(&mut self) {
        self.call_off();
        self.sealed.take().iter().for_each(Sealed::trim);
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
        self.call_off();
    }
}

/// The length of the next piece, where nobody has any use for a rest.
fn at_once() -> io::Result<u64> {
    Ok(URGENT_PIECE)
}

/// `next_piece`: how long the next piece is to be, asked before each; an error where there is to be none.
fn build(storage: &dyn Storage, len: u64, next_piece: &dyn Fn() -> io::Result<u64>) -> io::Result<Built> {
    let result = try_build(storage, len, next_piece);
    if result.is_err() {
        // What is half built only takes up room; that it cannot be removed either adds nothing to the first error.
        let _ = storage.remove(SPARE_NAME);
    }
    result
}

fn try_build(storage: &dyn Storage, len: u64, next_piece: &dyn Fn() -> io::Result<u64>) -> io::Result<Built> {
    let file = storage.create(SPARE_NAME)?;
    let mut at = 0;
    while at < len {
        let end = (at + next_piece()?).min(len);
        write_zeros(&*file, at, end)?;
        file.sync()?;
        at = end;
    }
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

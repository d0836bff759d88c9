//! Opening an engine with its options, once they are known to be in range.

use std::path::Path;
use std::sync::Arc;

use super::archive::ArchiveHook;
use super::blocking::Blocking;
use super::handle::Engine;
use super::options::{Durability, Options};
use crate::domain::KeyWindow;
use crate::error::{Error, ErrorKind};
use crate::journal::{JournalOptions, RotationSize};
use crate::storage::{Files, Storage};

/// How many bytes of a batch go behind one sync at most: also the longest torn tail that is ever believed.
const MAX_UNSYNCED_SYNC: u64 = 1 << 20;
/// The same at interval durability.
const MAX_UNSYNCED_INTERVAL: u64 = 64 << 20;

impl Options {
    /// Opens the journal in `dir`, or makes one there, and starts the engine.
    ///
    /// # Errors
    /// See [`Engine::open`].
    pub async fn open(self, dir: impl AsRef<Path>) -> Result<Engine, Error> {
        let dir = dir.as_ref().to_owned();
        let archive = self.archive.clone();
        Engine::start(self, move || open_files(&dir, archive.as_ref())).await
    }

    /// The same for callers without a runtime.
    ///
    /// # Errors
    /// See [`Engine::open`].
    pub fn open_blocking(self, dir: impl AsRef<Path>) -> Result<Blocking, Error> {
        pollster::block_on(self.open(dir)).map(|engine| engine.blocking())
    }

    /// Opens the journal in any storage: a simulated disk, say.
    ///
    /// # Errors
    /// See [`Engine::open`].
    #[cfg(any(test, feature = "test-util"))]
    pub fn open_storage(self, storage: Arc<dyn Storage>) -> Result<Engine, Error> {
        pollster::block_on(Engine::start(self, move || Ok(storage)))
    }

    /// Opens a new journal in memory, for the tests of a host: everything works as on a disk, and is gone with the
    /// engine.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tallybook::{ManualClock, NewGoal, Options, Timestamp};
    ///
    /// let clock = ManualClock::new(Timestamp::parse("2026-11-21T09:00:00Z")?);
    /// let engine = Options::new().clock(clock.clone()).open_in_memory()?;
    /// let goal = engine.create_goal(NewGoal::new("ship 2.0"))?;
    /// assert_eq!(goal.created_at.to_string(), "2026-11-21T09:00:00.000000Z");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` for options out of range.
    #[cfg(any(test, feature = "test-util"))]
    pub fn open_in_memory(self) -> Result<Blocking, Error> {
        self.open_storage(crate::storage::SimulatedDisk::new(0).process()).map(|engine| engine.blocking())
    }

    /// What the journal needs to know; refuses what is out of range.
    pub(super) fn journal(&self) -> Result<JournalOptions, Error> {
        let out_of_range = |message: String| Err(Error::new(ErrorKind::InvalidArgument, message));
        let rotation = match self.segment_bytes {
            None if !self.background.has_writer() => RotationSize::Fixed(RotationSize::DEFAULT),
            None => RotationSize::adaptive(),
            Some(bytes) if (Self::MIN_SEGMENT_BYTES..=Self::MAX_SEGMENT_BYTES).contains(&bytes) => {
                RotationSize::Fixed(bytes)
            }
            Some(bytes) => {
                let (min, max) = (Self::MIN_SEGMENT_BYTES, Self::MAX_SEGMENT_BYTES);
                return out_of_range(format!(
                    "expected a segment size from {min} to {max} bytes, found {bytes}"
                ));
            }
        };
        if self.inbox_capacity == 0 || self.inbox_capacity > tokio::sync::Semaphore::MAX_PERMITS {
            return out_of_range(format!(
                "expected an inbox of at least one command, found {}",
                self.inbox_capacity
            ));
        }
        if let Some(window) = self.key_window.filter(|window| window.max_age_ms == 0 || window.max_count == 0)
        {
            let KeyWindow { max_age_ms, max_count } = window;
            return out_of_range(format!(
                "expected a key window of at least 1 ms and 1 key, found {max_age_ms} ms and {max_count} keys"
            ));
        }
        if let Some(age) = self.forget_after.filter(|age| age.as_millis() == 0) {
            return out_of_range(format!("expected to forget after at least 1 ms, found {age:?}"));
        }
        let is_sync = self.durability == Durability::Sync;
        Ok(JournalOptions {
            rotation,
            max_unsynced: if is_sync { MAX_UNSYNCED_SYNC } else { MAX_UNSYNCED_INTERVAL },
            zero_ahead: is_sync,
            background: self.background.clone(),
        })
    }
}

fn open_files(dir: &Path, archive: Option<&ArchiveHook>) -> Result<Arc<dyn Storage>, Error> {
    // First, so that a refused archive leaves nothing behind.
    archive.map_or(Ok(()), |archive| archive.prepare(dir))?;
    let files = Files::create(dir)
        .map_err(|error| Error::io(format!("opening the directory {}", dir.display()), error))?;
    Ok(Arc::new(files))
}

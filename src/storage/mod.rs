//! The storage seam: all that the journal asks of a file system, and nothing that it knows about journals.
//!
//! Two implementations: [`Files`], and (for tests, with the feature `test-util`) `SimulatedDisk`, which can drop,
//! reorder, zero and tear whatever was not synced.
//!
//! # What is assumed of the media
//! - A `sync` that succeeds means that all bytes written to that file before are durable; after one that fails,
//!   nothing is known about any byte since the last that succeeded.
//! - A name (create, rename, remove) is durable after `sync_dir`.
//! - Overwriting part of a sector tears nothing of the sector's other bytes that was durable ("powersafe overwrite"):
//!   after a power cut a sector holds one of the contents that were written to it, or the one that was durable.
//! - Where a file grew and was not synced, a sector that did not get to the disk is zeros, not bytes of some other file.
//! - A rename is atomic: after a power cut the file has the old name or the new one, and what had the new name before
//!   has it still or is gone.

use std::fmt;
use std::io;
use std::sync::Arc;

mod file;
mod map;
mod place;
#[cfg(any(test, feature = "test-util"))]
mod sim;
mod watched;

pub use file::Files;
pub use map::{Mapping, SharedPage};
pub(crate) use place::is_within;
#[cfg(any(test, feature = "test-util"))]
pub(crate) use sim::ScheduledThread;
#[cfg(any(test, feature = "test-util"))]
pub use sim::{Fault, Schedule, SimulatedDisk, Survivors};
pub(crate) use watched::Watched;

/// One directory of files. Names are plain file names, without any path.
pub trait Storage: fmt::Debug + Send + Sync + 'static {
    /// The names of the files in the directory, in no particular order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes a new, empty file for reading and writing; an old one of that name is an error (`AlreadyExists`).
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>>;

    /// Opens a file for reading.
    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>>;

    /// Opens a file for reading and writing.
    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn StorageFile>>;

    /// Gives a file another name, in place of any file of that name. Durable after [`sync_dir`](Self::sync_dir).
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Durable after [`sync_dir`](Self::sync_dir).
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes all changes of names durable.
    fn sync_dir(&self) -> io::Result<()>;

    /// A mark of the names in the directory, where one can be had cheaply: so that whoever has listed it need not list it
    /// again as long as nothing changed there. `None`: nothing listed before may be relied on.
    fn names_mark(&self) -> io::Result<Option<NamesMark>> {
        Ok(None)
    }

    /// Takes the exclusive lock on the file `name`, which is made if need be, and gives its shared page; `None` when
    /// another holds it. The lock is held until the page is dropped, or the process ends in any way.
    fn try_lock(&self, name: &str) -> io::Result<Option<Arc<SharedPage>>>;

    /// Looks at the lock file `name` without taking the lock and without changing anything; `None` when there is no
    /// such file.
    fn peek_lock(&self, name: &str) -> io::Result<Option<LockPeek>>;
}

/// What [`Storage::names_mark`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamesMark {
    /// Which directory it is: another one under the same path has another number.
    pub directory: (u64, u64),
    /// When a name in it changed last, in whatever unit the storage has.
    pub changed: (i64, i64),
    /// Whether every later change is sure to show as another mark. Just after a change it is not: clocks of file systems
    /// stand still for a while between two ticks.
    pub is_settled: bool,
}

/// What [`Storage::peek_lock`] sees.
#[derive(Debug)]
pub struct LockPeek {
    /// Whether a writer holds the lock.
    pub held: bool,
    /// The page as it is shared with the writer; it goes on changing. Read `held` again before believing it.
    pub page: Arc<SharedPage>,
}

/// One open file. All methods may be called from any thread.
pub trait StorageFile: fmt::Debug + Send + Sync + 'static {
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `buffer` from `offset` on; reading past the end is an error (`UnexpectedEof`).
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`, growing the file where needed.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts the file, or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes all bytes written so far, and the length, durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;

    /// The first `len` bytes, mapped into memory. The caller maps only files that will never be written again: closed
    /// segments.
    fn map(&self, len: u64) -> io::Result<Mapping>;
}

/// Refuses what is not the plain name of a file, so that nothing outside the directory can be reached.
fn check_name(name: &str) -> io::Result<()> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
        let message = format!("expected the plain name of a file, found {name:?}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(())
}

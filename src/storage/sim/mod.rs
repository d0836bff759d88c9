//! The one simulated disk of all fault tests: a page cache over a disk that may lose, reorder, zero and tear whatever
//! was not synced.
//!
//! A test makes a [`SimulatedDisk`] from a seed, gives [`process`](SimulatedDisk::process) to what it tests, plans
//! faults, and after each crash calls [`restart`](SimulatedDisk::restart) or [`kill`](SimulatedDisk::kill) and asks
//! for the storage of the next process. The same seed and the same calls give the same disk again.
//!
//! ```
//! use tallybook::storage::{SimulatedDisk, Survivors};
//! # fn main() -> std::io::Result<()> {
//! let disk = SimulatedDisk::new(7);
//! let storage = disk.process();
//! let file = storage.create("a")?;
//! file.write_all_at(b"synced", 0)?;
//! file.sync()?;
//! storage.sync_dir()?;
//! file.write_all_at(b"gone", 0)?;
//! disk.restart(Survivors::Nothing);
//! assert_eq!(disk.contents("a")?, b"synced");
//! assert!(file.sync().is_err(), "its process is dead");
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::disk::Disk;
use self::process::Process;
pub use self::schedule::Schedule;
pub(crate) use self::schedule::ScheduledThread;
use super::Storage;

mod directory;
mod disk;
mod inode;
mod process;
mod schedule;
#[cfg(test)]
mod tests;

/// What is made to go wrong with one operation, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The device fails (`EIO`), and nothing was done. After a sync that failed so, the bytes still wait for one.
    Eio,
    /// The disk is full (`ENOSPC`), and nothing was done.
    Enospc,
    /// A signal interrupted the call (`EINTR`), and nothing was done. [`Files`](super::Files) makes such a call again
    /// itself; a storage that does not must not be taken for one that did its work.
    Interrupted,
    /// Some of the bytes of a write, from its beginning, get into the file before the disk is full (`ENOSPC`). Any
    /// other operation fails as with [`Enospc`](Self::Enospc).
    ShortWrite,
    /// A sync fails (`EIO`), and the system forgets that the bytes still wait for one: they can be read, the next
    /// sync succeeds, and they are not on the disk ("fsyncgate"). Any other operation fails as with
    /// [`Eio`](Self::Eio), a sync of the directory too: a file system stops when its journal fails.
    SyncLost,
}

impl Fault {
    fn error(self) -> io::Error {
        // By number, as the operating system does, so that the kind and the text are the real ones.
        io::Error::from_raw_os_error(match self {
            Fault::Eio | Fault::SyncLost => 5,
            Fault::Enospc | Fault::ShortWrite => 28,
            Fault::Interrupted => 4,
        })
    }
}

/// What is still there, after a power cut, of that which was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survivors {
    /// Whatever the seed decides, anew for each sector, length and name.
    Seeded,
    /// Nothing.
    Nothing,
    /// All of it, except what a [lost sync](Fault::SyncLost) forgot.
    Everything,
}

/// A disk in memory, with one directory of files, which fails as it is told to. Clones are the same disk.
///
/// An *operation* is a call that changes something: `write_all_at`, `set_len`, `sync`, `rename`, `remove`, `create`,
/// `sync_dir`, and a `try_lock` that makes its file. All are counted from 0, also those that fail; so are, apart from
/// them, all other calls, the *reads*.
#[derive(Clone)]
pub struct SimulatedDisk(Arc<Mutex<Disk>>);

impl SimulatedDisk {
    /// An empty disk with sectors of 512 bytes.
    pub fn new(seed: u64) -> SimulatedDisk {
        SimulatedDisk(Arc::new(Mutex::new(Disk::new(seed))))
    }

    /// Sets the size of the sectors of the files that are made from now on, in bytes: 512 or 4096 on real disks.
    #[must_use]
    pub fn sector(self, bytes: usize) -> SimulatedDisk {
        self.disk().sector = bytes.max(1);
        self
    }

    /// A disk in the same state, with another seed and without planned faults: one crash, many outcomes.
    #[must_use]
    pub fn fork(&self, seed: u64) -> SimulatedDisk {
        SimulatedDisk(Arc::new(Mutex::new(self.disk().fork(seed))))
    }

    /// The storage as a process sees it that starts now. Once that process is killed or the power cut, all that came
    /// from it (files and the lock, too) fails for ever: a writer that goes on as a ghost changes nothing.
    pub fn process(&self) -> Arc<dyn Storage> {
        let generation = self.disk().generation;
        Arc::new(Process::new(self.clone(), generation, None))
    }

    /// The same, where each call is a point at which the schedule may let another thread of it go on.
    pub fn scheduled_process(&self, schedule: &Schedule) -> Arc<dyn Storage> {
        let generation = self.disk().generation;
        Arc::new(Process::new(self.clone(), generation, Some(schedule.clone())))
    }

    /// From now on `witness` gets, before each operation, its number and a disk of its own: this one, but that the power
    /// was cut at that operation, which may be done in part, wholly or not at all. So one run shows what every cut in it
    /// would leave; [`restart`](Self::restart) or [`kill`](Self::kill) what it shows, and open it. The witness must not
    /// call this disk. `None` ends it.
    pub fn watch(&self, witness: Option<Box<dyn FnMut(u64, SimulatedDisk) + Send>>) {
        self.disk().witness = witness.map(|mut witness| -> disk::Witness {
            Box::new(move |number, cut| witness(number, SimulatedDisk(Arc::new(Mutex::new(cut)))))
        });
    }

    /// How many operations there were; so the number of the next one.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// How many reads there were; so the number of the next one.
    pub fn reads(&self) -> u64 {
        self.disk().reads
    }

    /// Plans a fault for the operation with that number.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.disk().faults.insert(operation, fault);
    }

    /// Plans that the read with that number fails (`EIO`).
    pub fn fail_read_at(&self, read: u64) {
        self.fail_read_with(read, Fault::Eio);
    }

    /// Plans a fault for the read with that number, of which nothing is done.
    pub fn fail_read_with(&self, read: u64, fault: Fault) {
        self.disk().read_faults.insert(read, fault);
    }

    /// Plans that everything stops at the operation with that number. It may be done in part, wholly or not at all; it
    /// and all later calls fail, until [`restart`](Self::restart) says that the power was cut, or
    /// [`kill`](Self::kill) that only the process ended.
    pub fn power_cut_at(&self, operation: u64) {
        self.disk().cut_at = Some(operation);
    }

    /// Whether a planned cut has happened, and nothing was restarted since.
    pub fn is_off(&self) -> bool {
        self.disk().is_off
    }

    /// Cuts the power (if that has not happened yet) and turns it on again. Of what was not synced remains what
    /// `survivors` says. All processes are dead, and all planned faults forgotten.
    pub fn restart(&self, survivors: Survivors) {
        self.disk().restart(survivors);
    }

    /// Kills all processes. The page cache stays: the next process reads all that was written, and what was not synced
    /// can still be lost by a later power cut. All planned faults are forgotten.
    pub fn kill(&self) {
        self.disk().kill();
    }

    /// From now on the disk has room for that many bytes (of whole sectors that were ever written; holes are free);
    /// without a number, for any.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.disk().capacity = bytes;
    }

    /// How many bytes of the capacity are taken.
    pub fn used(&self) -> u64 {
        self.disk().used()
    }

    /// The names of the files as a process sees them, sorted.
    pub fn names(&self) -> Vec<String> {
        self.disk().directory.names()
    }

    /// The bytes of a file as a process reads them.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn contents(&self, name: &str) -> io::Result<Vec<u8>> {
        self.disk().contents(name)
    }

    /// The bytes of a file as they were when it was last synced: what [`Survivors::Nothing`] leaves.
    ///
    /// # Errors
    /// When there is no such file, or its name is not durable.
    pub fn durable_contents(&self, name: &str) -> io::Result<Vec<u8>> {
        self.disk().durable_contents(name)
    }

    /// Flips the bits `xor` of the byte at `offset`, durably.
    ///
    /// # Errors
    /// When there is no such file, or no such byte in it.
    pub fn corrupt(&self, name: &str, offset: u64, xor: u8) -> io::Result<()> {
        self.disk().corrupt(name, offset, xor)
    }

    /// Makes a file with these bytes, in place of any of that name. It and all names are durable.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        self.disk().put(name, bytes);
    }

    /// Takes a file away. All names are durable.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn remove_file(&self, name: &str) -> io::Result<()> {
        self.disk().remove_file(name)
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        // A test that panicked elsewhere does not make the disk less consistent: nothing panics between two changes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SimulatedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let disk = self.disk();
        write!(f, "SimulatedDisk(seed {}, {} operations)", disk.seed, disk.operations)
    }
}

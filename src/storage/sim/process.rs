//! The simulated disk as one process sees it, until it dies.

use std::fmt;
use std::io;
use std::sync::{Arc, MutexGuard};

use super::directory::InodeId;
use super::disk::Disk;
use super::{Schedule, SimulatedDisk};
use crate::storage::{LockPeek, Mapping, SharedPage, Storage, StorageFile, check_name};

#[derive(Debug)]
pub(super) struct Process(Calls);

/// How a process reaches the disk.
#[derive(Debug, Clone)]
struct Calls {
    disk: SimulatedDisk,
    generation: u64,
    schedule: Option<Schedule>,
}

impl Calls {
    /// Begins a call: others may go on first.
    fn disk(&self) -> MutexGuard<'_, Disk> {
        if let Some(schedule) = &self.schedule {
            schedule.pass();
        }
        self.disk.disk()
    }

    /// Begins a call that changes nothing.
    fn read(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let mut disk = self.disk();
        disk.begin_read(self.generation)?;
        Ok(disk)
    }

    /// Makes a call that changes something, and shows before what a power cut at it would leave.
    fn change<T>(&self, operation: impl Fn(&mut Disk, u64) -> io::Result<T>) -> io::Result<T> {
        let mut disk = self.disk();
        disk.show_cut(self.generation, |cut| drop(operation(cut, self.generation)));
        operation(&mut disk, self.generation)
    }
}

impl Process {
    pub(super) fn new(disk: SimulatedDisk, generation: u64, schedule: Option<Schedule>) -> Process {
        Process(Calls { disk, generation, schedule })
    }

    fn open_file(&self, name: &str, is_writable: bool) -> io::Result<Arc<dyn StorageFile>> {
        check_name(name)?;
        let inode = self.0.read()?.find(name)?;
        Ok(self.handle(inode, is_writable))
    }

    fn handle(&self, inode: InodeId, is_writable: bool) -> Arc<dyn StorageFile> {
        Arc::new(OpenFile { calls: self.0.clone(), inode, is_writable })
    }
}

impl Storage for Process {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.read()?.directory.names())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        check_name(name)?;
        let inode = self.0.change(|disk, generation| disk.create(generation, name))?;
        Ok(self.handle(inode, true))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.open_file(name, false)
    }

    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.open_file(name, true)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(from)?;
        check_name(to)?;
        self.0.change(|disk, generation| disk.rename(generation, from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        self.0.change(|disk, generation| disk.remove(generation, name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.0.change(|disk, generation| disk.sync_dir(generation))
    }

    fn try_lock(&self, name: &str) -> io::Result<Option<Arc<SharedPage>>> {
        check_name(name)?;
        let mut disk = self.0.disk();
        if disk.find(name).is_err() {
            disk.show_cut(self.0.generation, |cut| drop(cut.create(self.0.generation, name)));
        }
        disk.try_lock(self.0.generation, name)
    }

    fn peek_lock(&self, name: &str) -> io::Result<Option<LockPeek>> {
        check_name(name)?;
        self.0.disk().peek_lock(self.0.generation, name)
    }
}

struct OpenFile {
    calls: Calls,
    inode: InodeId,
    is_writable: bool,
}

impl OpenFile {
    fn refuse_read_only(&self) -> io::Result<()> {
        // EBADF, which is what the operating system says of a file that was opened for reading.
        if self.is_writable { Ok(()) } else { Err(io::Error::from_raw_os_error(9)) }
    }
}

impl StorageFile for OpenFile {
    fn len(&self) -> io::Result<u64> {
        self.calls.read()?.len(self.inode)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.calls.read()?.read_exact(self.inode, buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.refuse_read_only()?;
        self.calls.change(|disk, generation| disk.write(generation, self.inode, bytes, offset))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.refuse_read_only()?;
        self.calls.change(|disk, generation| disk.set_len(generation, self.inode, len))
    }

    fn sync(&self) -> io::Result<()> {
        self.calls.change(|disk, generation| disk.sync(generation, self.inode))
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        self.calls.read()?.map(self.inode, len)
    }
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenFile(file number {} of {:?})", self.inode, self.calls.disk)
    }
}

//! The simulated disk as one process sees it, until it dies.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::SimulatedDisk;
use super::directory::InodeId;
use crate::storage::{LockPeek, Mapping, SharedPage, Storage, StorageFile, check_name};

#[derive(Debug)]
pub(super) struct Process {
    disk: SimulatedDisk,
    generation: u64,
}

impl Process {
    pub(super) fn new(disk: SimulatedDisk, generation: u64) -> Process {
        Process { disk, generation }
    }

    fn open_file(&self, name: &str, is_writable: bool) -> io::Result<Arc<dyn StorageFile>> {
        check_name(name)?;
        let mut disk = self.disk.disk();
        disk.begin_read(self.generation)?;
        let inode = disk.find(name)?;
        Ok(self.handle(inode, is_writable))
    }

    fn handle(&self, inode: InodeId, is_writable: bool) -> Arc<dyn StorageFile> {
        Arc::new(OpenFile { disk: self.disk.clone(), generation: self.generation, inode, is_writable })
    }
}

impl Storage for Process {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut disk = self.disk.disk();
        disk.begin_read(self.generation)?;
        Ok(disk.directory.names())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        check_name(name)?;
        let inode = self.disk.disk().create(self.generation, name)?;
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
        self.disk.disk().rename(self.generation, from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        self.disk.disk().remove(self.generation, name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.disk.disk().sync_dir(self.generation)
    }

    fn try_lock(&self, name: &str) -> io::Result<Option<Arc<SharedPage>>> {
        check_name(name)?;
        self.disk.disk().try_lock(self.generation, name)
    }

    fn peek_lock(&self, name: &str) -> io::Result<Option<LockPeek>> {
        check_name(name)?;
        self.disk.disk().peek_lock(self.generation, name)
    }
}

struct OpenFile {
    disk: SimulatedDisk,
    generation: u64,
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
        let mut disk = self.disk.disk();
        disk.begin_read(self.generation)?;
        disk.len(self.inode)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut disk = self.disk.disk();
        disk.begin_read(self.generation)?;
        disk.read_exact(self.inode, buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.refuse_read_only()?;
        self.disk.disk().write(self.generation, self.inode, bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.refuse_read_only()?;
        self.disk.disk().set_len(self.generation, self.inode, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.disk().sync(self.generation, self.inode)
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        let mut disk = self.disk.disk();
        disk.begin_read(self.generation)?;
        disk.map(self.inode, len)
    }
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenFile(file number {} of {:?})", self.inode, self.disk)
    }
}

//! A simulated disk as another machine sees it: its processes come and go, the reader stays.

use std::io;
use std::sync::{Arc, Mutex};

use tallybook::storage::{LockPeek, Mapping, SharedPage, SimulatedDisk, Storage, StorageFile};

/// Reads the disk through whatever process is alive there.
#[derive(Debug)]
pub(crate) struct Remote(pub(crate) SimulatedDisk);

#[derive(Debug)]
struct RemoteFile {
    disk: SimulatedDisk,
    name: String,
    file: Mutex<Arc<dyn StorageFile>>,
}

impl RemoteFile {
    /// Once more on a file opened anew, where the process is gone through which it was opened.
    fn retried<T>(&self, read: impl Fn(&dyn StorageFile) -> io::Result<T>) -> io::Result<T> {
        let mut file = self.file.lock().unwrap();
        read(&**file).or_else(|error| {
            *file = self.disk.process().open(&self.name).map_err(|_| error)?;
            read(&**file)
        })
    }
}

impl Storage for Remote {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.process().list()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = Mutex::new(self.0.process().open(name)?);
        Ok(Arc::new(RemoteFile { disk: self.0.clone(), name: name.to_owned(), file }))
    }

    fn peek_lock(&self, name: &str) -> io::Result<Option<LockPeek>> {
        self.0.process().peek_lock(name)
    }

    fn create(&self, _: &str) -> io::Result<Arc<dyn StorageFile>> {
        Err(refused())
    }

    fn open_writable(&self, _: &str) -> io::Result<Arc<dyn StorageFile>> {
        Err(refused())
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Err(refused())
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Err(refused())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Err(refused())
    }

    fn try_lock(&self, _: &str) -> io::Result<Option<Arc<SharedPage>>> {
        Err(refused())
    }
}

impl StorageFile for RemoteFile {
    fn len(&self) -> io::Result<u64> {
        self.retried(|file| file.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let buffer = Mutex::new(buffer);
        self.retried(|file| file.read_exact_at(&mut buffer.lock().unwrap(), offset))
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        self.retried(|file| file.map(len))
    }

    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(refused())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(refused())
    }

    fn sync(&self) -> io::Result<()> {
        Err(refused())
    }
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "it only reads")
}

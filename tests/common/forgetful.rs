//! A storage that keeps nothing, beside which it shows what is kept of others.

use std::io;
use std::sync::Arc;

use tallybook::storage::{Files, LockPeek, SharedPage, Storage, StorageFile};

/// The storage of a directory that cannot tell whether its names have changed: of it nothing is kept.
#[derive(Debug)]
pub(crate) struct Forgetful(pub(crate) Files);

impl Storage for Forgetful {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.0.create(name)
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.0.open(name)
    }
    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.0.open_writable(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }
    fn try_lock(&self, name: &str) -> io::Result<Option<Arc<SharedPage>>> {
        self.0.try_lock(name)
    }
    fn peek_lock(&self, name: &str) -> io::Result<Option<LockPeek>> {
        self.0.peek_lock(name)
    }
}

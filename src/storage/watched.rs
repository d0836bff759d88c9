//! A storage that counts the changes of its names: where all of them are made by one process, as in the directory of an
//! engine, that is the cheapest of marks. Once the engine has let go of the directory, others change it, too.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::{LockPeek, NamesMark, SharedPage, Storage, StorageFile};

/// A storage in which nobody changes a name but by this, until it is let go of.
#[derive(Debug)]
pub(crate) struct Watched {
    storage: Arc<dyn Storage>,
    changes: AtomicI64,
    is_let_go: AtomicBool,
}

impl Watched {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Watched {
        Watched { storage, changes: AtomicI64::new(0), is_let_go: AtomicBool::new(false) }
    }

    /// Takes note that others may change names from now on: to be called before the lock is given up.
    pub(crate) fn let_go(&self) {
        self.is_let_go.store(true, Ordering::SeqCst);
    }

    /// Counts a change once it is made, or has failed: whoever listed the names before that sees another mark from then
    /// on.
    fn counted<T>(&self, change: io::Result<T>) -> io::Result<T> {
        self.changes.fetch_add(1, Ordering::SeqCst);
        change
    }
}

impl Storage for Watched {
    fn list(&self) -> io::Result<Vec<String>> {
        self.storage.list()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.counted(self.storage.create(name))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.storage.open(name)
    }

    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.storage.open_writable(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.counted(self.storage.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.counted(self.storage.remove(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.storage.sync_dir()
    }

    fn names_mark(&self) -> io::Result<Option<NamesMark>> {
        if self.is_let_go.load(Ordering::SeqCst) {
            return self.storage.names_mark();
        }
        let changed = (self.changes.load(Ordering::SeqCst), 0);
        Ok(Some(NamesMark { directory: (0, 0), changed, is_settled: true }))
    }

    fn try_lock(&self, name: &str) -> io::Result<Option<Arc<SharedPage>>> {
        self.storage.try_lock(name)
    }

    fn peek_lock(&self, name: &str) -> io::Result<Option<LockPeek>> {
        self.storage.peek_lock(name)
    }
}

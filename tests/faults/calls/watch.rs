//! The storage seam, watched: which call it was that failed, and of which file.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tallybook::format::SnapshotName;
use tallybook::storage::{Fault, LockPeek, Mapping, SharedPage, SimulatedDisk, Storage, StorageFile};

use crate::tally::Tally;

/// What goes wrong, once: at an operation or a read with this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    Operation(u64, Fault),
    Read(u64, Fault),
}

/// A call of the seam.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Create,
    Write,
    SetLen,
    Sync,
    Rename,
    Remove,
    SyncDir,
    Lock,
    List,
    Open,
    Len,
    Read,
    Map,
    Peek,
}

/// A call that failed as planned.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    pub(super) call: Call,
    pub(super) wrong: Wrong,
    file: String,
    /// Whether only zeros were written to that file through this handle: the next segment in the making.
    is_blank: bool,
}

impl Hit {
    pub(super) fn is_read(&self) -> bool {
        matches!(self.wrong, Wrong::Read(..))
    }

    /// Whether the disk was full, or said so.
    pub(super) fn is_short_of_room(&self) -> bool {
        matches!(self.wrong, Wrong::Operation(_, Fault::Enospc | Fault::ShortWrite))
    }

    /// Whether an engine that runs has to live on after this alone: it is of the upkeep, or a read, or there was no room to
    /// prepare the next segment.
    pub(super) fn is_survivable(&self) -> bool {
        let is_of_upkeep = ["snapshot.tmp", "spine", "spine.tmp"].contains(&self.file.as_str())
            || SnapshotName::parse(&self.file).is_some();
        let is_preparing = self.file == "spare.tmp" && self.is_blank && self.call != Call::Rename;
        self.is_read()
            || is_of_upkeep
            || self.call == Call::Remove
            || (is_preparing && self.is_short_of_room())
    }

    /// Counts it by call and fault.
    pub(super) fn count(&self, tally: &mut Tally) {
        let fault = match self.wrong {
            Wrong::Operation(_, fault) | Wrong::Read(_, fault) => fault,
        };
        let names = names(self.call);
        tally.count("calls failed");
        tally.count(match fault {
            Fault::Eio => names[0],
            Fault::Enospc => names[1],
            Fault::Interrupted => names[2],
            Fault::ShortWrite => names[3],
            Fault::SyncLost => names[4],
            _ => "a fault that is not known here",
        });
    }
}

macro_rules! named {
    ($call:literal) => {
        [
            concat!("failed: ", $call, ", EIO"),
            concat!("failed: ", $call, ", ENOSPC"),
            concat!("failed: ", $call, ", EINTR"),
            concat!("failed: ", $call, ", short write"),
            concat!("failed: ", $call, ", sync lost"),
        ]
    };
}

fn names(call: Call) -> [&'static str; 5] {
    match call {
        Call::Create => named!("create"),
        Call::Write => named!("write"),
        Call::SetLen => named!("set_len"),
        Call::Sync => named!("sync"),
        Call::Rename => named!("rename"),
        Call::Remove => named!("remove"),
        Call::SyncDir => named!("sync_dir"),
        Call::Lock => named!("try_lock"),
        Call::List => named!("list"),
        Call::Open => named!("open"),
        Call::Len => named!("len"),
        Call::Read => named!("read"),
        Call::Map => named!("map"),
        Call::Peek => named!("peek_lock"),
    }
}

/// What is planned for a disk, and what of it has happened.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    disk: SimulatedDisk,
    log: Arc<Mutex<Log>>,
}

#[derive(Debug, Default)]
struct Log {
    planned: Vec<Wrong>,
    hits: Vec<Hit>,
}

impl Watch {
    pub(super) fn new(disk: &SimulatedDisk) -> Watch {
        Watch { disk: disk.clone(), log: Arc::default() }
    }

    /// Has this go wrong; the number is counted from the next call on.
    pub(super) fn plan(&self, wrong: Wrong) {
        let absolute = match wrong {
            Wrong::Operation(number, fault) => Wrong::Operation(self.disk.operations() + number, fault),
            Wrong::Read(number, fault) => Wrong::Read(self.disk.reads() + number, fault),
        };
        match absolute {
            Wrong::Operation(number, fault) => self.disk.fail_at(number, fault),
            Wrong::Read(number, fault) => self.disk.fail_read_with(number, fault),
        }
        self.log().planned.push(absolute);
    }

    /// The storage of a process, watched.
    pub(super) fn process(&self) -> Arc<dyn Storage> {
        Arc::new(Watched { inner: self.disk.process(), watch: self.clone() })
    }

    pub(super) fn hits(&self) -> Vec<Hit> {
        self.log().hits.clone()
    }

    pub(super) fn hit_count(&self) -> usize {
        self.log().hits.len()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch<T>(&self, call: Call, file: (&str, bool), act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let (operations, reads) = (self.disk.operations(), self.disk.reads());
        let result = act();
        let (operations, reads) = (operations..self.disk.operations(), reads..self.disk.reads());
        let mut log = self.log();
        let of_this_call = |wrong: &Wrong| match wrong {
            Wrong::Operation(number, _) => operations.contains(number),
            Wrong::Read(number, _) => reads.contains(number),
        };
        if let Some(index) = log.planned.iter().position(of_this_call) {
            let wrong = log.planned.swap_remove(index);
            assert!(result.is_err(), "{call:?} of {} was to fail: {wrong:?}", file.0);
            log.hits.push(Hit { call, wrong, file: file.0.to_owned(), is_blank: file.1 });
        }
        result
    }
}

#[derive(Debug)]
struct Watched {
    inner: Arc<dyn Storage>,
    watch: Watch,
}

impl Watched {
    fn handle(&self, name: &str, inner: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
        let is_blank = AtomicBool::new(true);
        Arc::new(WatchedFile { inner, name: name.to_owned(), is_blank, watch: self.watch.clone() })
    }
}

impl Storage for Watched {
    fn list(&self) -> io::Result<Vec<String>> {
        self.watch.watch(Call::List, ("", false), || self.inner.list())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = self.watch.watch(Call::Create, (name, true), || self.inner.create(name))?;
        Ok(self.handle(name, file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = self.watch.watch(Call::Open, (name, false), || self.inner.open(name))?;
        Ok(self.handle(name, file))
    }

    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = self.watch.watch(Call::Open, (name, false), || self.inner.open_writable(name))?;
        Ok(self.handle(name, file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.watch.watch(Call::Rename, (from, false), || self.inner.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.watch.watch(Call::Remove, (name, false), || self.inner.remove(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.watch.watch(Call::SyncDir, ("", false), || self.inner.sync_dir())
    }

    fn try_lock(&self, name: &str) -> io::Result<Option<Arc<SharedPage>>> {
        self.watch.watch(Call::Lock, (name, false), || self.inner.try_lock(name))
    }

    fn peek_lock(&self, name: &str) -> io::Result<Option<LockPeek>> {
        self.watch.watch(Call::Peek, (name, false), || self.inner.peek_lock(name))
    }
}

#[derive(Debug)]
struct WatchedFile {
    inner: Arc<dyn StorageFile>,
    name: String,
    is_blank: AtomicBool,
    watch: Watch,
}

impl WatchedFile {
    fn watch<T>(&self, call: Call, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.watch.watch(call, (&self.name, self.is_blank.load(Ordering::SeqCst)), act)
    }
}

impl StorageFile for WatchedFile {
    fn len(&self) -> io::Result<u64> {
        self.watch(Call::Len, || self.inner.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.watch(Call::Read, || self.inner.read_exact_at(buffer, offset))
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if bytes.iter().any(|&byte| byte != 0) {
            self.is_blank.store(false, Ordering::SeqCst);
        }
        self.watch(Call::Write, || self.inner.write_all_at(bytes, offset))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.watch(Call::SetLen, || self.inner.set_len(len))
    }

    fn sync(&self) -> io::Result<()> {
        self.watch(Call::Sync, || self.inner.sync())
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        self.watch(Call::Map, || self.inner.map(len))
    }
}

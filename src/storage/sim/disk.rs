//! The state of the simulated disk, and what each call does to it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Weak};

use super::directory::{Directory, InodeId};
use super::inode::Inode;
use super::{Fault, Survivors};
use crate::ids::SeededEntropy;
use crate::storage::map::HeapPage;
use crate::storage::{LockPeek, Mapping, SharedPage};

pub(super) struct Disk {
    pub(super) seed: u64,
    entropy: SeededEntropy,
    pub(super) sector: usize,
    pub(super) capacity: Option<u64>,
    /// Grows whenever all processes die; what came from an earlier one is dead.
    pub(super) generation: u64,
    pub(super) is_off: bool,
    pub(super) operations: u64,
    pub(super) reads: u64,
    pub(super) cut_at: Option<u64>,
    pub(super) faults: BTreeMap<u64, Fault>,
    pub(super) read_faults: BTreeMap<u64, Fault>,
    pub(super) directory: Directory,
    /// Shared with the forks of this disk, until one of them changes the file.
    inodes: BTreeMap<InodeId, Arc<Inode>>,
    next_inode: InodeId,
    locks: BTreeMap<InodeId, Lock>,
    /// The mappings of files that were given out, by their bytes.
    mappings: BTreeMap<InodeId, Vec<Weak<[u8]>>>,
    /// Gets the disk as a power cut at each operation would leave it.
    pub(super) witness: Option<Witness>,
}

/// Gets the number of an operation, and the disk on which the power was cut at it.
pub(super) type Witness = Box<dyn FnMut(u64, Disk) + Send>;

/// A lock file whose page some process has mapped.
struct Lock {
    page: Arc<HeapPage>,
    holder: Weak<SharedPage>,
}

/// How an operation fails.
struct Failure {
    error: io::Error,
    reach: Reach,
}

/// How far an operation is done that fails.
enum Reach {
    Nothing,
    Part,
    /// In part, wholly, or not at all.
    Chance,
    SyncLost,
}

impl Disk {
    pub(super) fn new(seed: u64) -> Disk {
        Disk {
            seed,
            entropy: SeededEntropy::new(seed),
            sector: 512,
            capacity: None,
            generation: 0,
            is_off: false,
            operations: 0,
            reads: 0,
            cut_at: None,
            faults: BTreeMap::new(),
            read_faults: BTreeMap::new(),
            directory: Directory::default(),
            inodes: BTreeMap::new(),
            next_inode: 0,
            locks: BTreeMap::new(),
            mappings: BTreeMap::new(),
            witness: None,
        }
    }

    pub(super) fn fork(&mut self, seed: u64) -> Disk {
        self.write_back_pages();
        Disk {
            sector: self.sector,
            capacity: self.capacity,
            generation: self.generation,
            is_off: self.is_off,
            operations: self.operations,
            reads: self.reads,
            directory: self.directory.clone(),
            inodes: self.inodes.clone(),
            next_inode: self.next_inode,
            ..Disk::new(seed)
        }
    }

    /// Shows the witness, if there is one, what the power being cut at the next operation would leave.
    pub(super) fn show_cut(&mut self, generation: u64, operation: impl FnOnce(&mut Disk)) {
        if self.witness.is_none() || self.refuse_the_dead(generation).is_err() {
            return;
        }
        let number = self.operations;
        let mut cut = self.fork(self.seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        cut.cut_at = Some(number);
        operation(&mut cut);
        if let Some(witness) = &mut self.witness {
            witness(number, cut);
        }
    }

    // What a process calls.

    /// Counts a call that changes nothing, and fails it where that was planned.
    pub(super) fn begin_read(&mut self, generation: u64) -> io::Result<()> {
        self.refuse_the_dead(generation)?;
        let number = self.reads;
        self.reads += 1;
        self.read_faults.remove(&number).map_or(Ok(()), |fault| Err(fault.error()))
    }

    /// Counts a call that changes something, and says how it fails where that was planned.
    fn begin_operation(&mut self, generation: u64) -> Result<(), Failure> {
        self.refuse_the_dead(generation).map_err(|error| Failure { error, reach: Reach::Nothing })?;
        let number = self.operations;
        self.operations += 1;
        if self.cut_at.is_some_and(|cut_at| cut_at <= number) {
            self.is_off = true;
            return Err(Failure { error: power_is_off(), reach: Reach::Chance });
        }
        let Some(fault) = self.faults.remove(&number) else { return Ok(()) };
        let reach = match fault {
            Fault::ShortWrite => Reach::Part,
            Fault::SyncLost => Reach::SyncLost,
            Fault::Eio | Fault::Enospc | Fault::Interrupted => Reach::Nothing,
        };
        Err(Failure { error: fault.error(), reach })
    }

    fn refuse_the_dead(&self, generation: u64) -> io::Result<()> {
        if generation != self.generation {
            return Err(io::Error::other("a stale handle: the simulated process that had it is dead"));
        }
        if self.is_off {
            return Err(power_is_off());
        }
        Ok(())
    }

    /// An operation that is done wholly or not at all.
    fn whole_operation<T>(
        &mut self,
        generation: u64,
        operation: impl FnOnce(&mut Disk) -> io::Result<T>,
    ) -> io::Result<T> {
        let Err(failure) = self.begin_operation(generation) else { return operation(self) };
        if matches!(failure.reach, Reach::Chance) && self.entropy.below(2) == 0 {
            // Nobody learns how it ended.
            let _ = operation(self);
        }
        Err(failure.error)
    }

    pub(super) fn create(&mut self, generation: u64, name: &str) -> io::Result<InodeId> {
        self.whole_operation(generation, |disk| {
            disk.directory.add(name, disk.next_inode)?;
            let sector = disk.sector;
            Ok(disk.add_inode(Inode::new(sector)))
        })
    }

    pub(super) fn rename(&mut self, generation: u64, from: &str, to: &str) -> io::Result<()> {
        self.whole_operation(generation, |disk| disk.directory.rename(from, to))
    }

    pub(super) fn remove(&mut self, generation: u64, name: &str) -> io::Result<()> {
        self.whole_operation(generation, |disk| disk.directory.remove(name))
    }

    pub(super) fn sync_dir(&mut self, generation: u64) -> io::Result<()> {
        self.whole_operation(generation, |disk| {
            disk.directory.sync();
            Ok(())
        })
    }

    pub(super) fn set_len(&mut self, generation: u64, inode: InodeId, len: u64) -> io::Result<()> {
        self.whole_operation(generation, |disk| {
            disk.refuse_below_mapping(inode, len, "cut")?;
            disk.inode_mut(inode)?.set_len(len)
        })
    }

    pub(super) fn sync(&mut self, generation: u64, inode: InodeId) -> io::Result<()> {
        let outcome = self.begin_operation(generation);
        let file = self.inode_mut(inode)?;
        match outcome {
            Ok(()) => file.sync(),
            Err(Failure { error, reach }) => {
                // Of a sync at a power cut, the restart decides how much got to the disk.
                if matches!(reach, Reach::SyncLost) {
                    file.lose_sync();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    pub(super) fn write(
        &mut self,
        generation: u64,
        inode: InodeId,
        bytes: &[u8],
        offset: u64,
    ) -> io::Result<()> {
        let outcome = self.begin_operation(generation);
        let len = bytes.len() as u64;
        let reached = match &outcome {
            Ok(()) => len,
            Err(Failure { reach: Reach::Part, .. }) => self.entropy.below(len),
            Err(Failure { reach: Reach::Chance, .. }) => self.entropy.below(len + 1),
            Err(Failure { reach: Reach::Nothing | Reach::SyncLost, .. }) => 0,
        };
        let reached = usize::try_from(reached).unwrap_or(0);
        let room = self.room();
        let fitting = self.inode(inode)?.fitting(offset, reached, room);
        if fitting > 0 {
            self.refuse_below_mapping(inode, offset, "write")?;
            self.inode_mut(inode)?.write(&bytes[..fitting], offset)?;
        }
        outcome.map_err(|failure| failure.error)?;
        if fitting < reached { Err(Fault::Enospc.error()) } else { Ok(()) }
    }

    pub(super) fn find(&self, name: &str) -> io::Result<InodeId> {
        self.directory.find(name)
    }

    pub(super) fn len(&self, inode: InodeId) -> io::Result<u64> {
        Ok(self.inode(inode)?.cached_bytes().len() as u64)
    }

    pub(super) fn read_exact(&mut self, inode: InodeId, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.write_back_page(inode);
        self.inode(inode)?.read_exact(buffer, offset)
    }

    pub(super) fn map(&mut self, inode: InodeId, len: u64) -> io::Result<Mapping> {
        self.write_back_page(inode);
        let bytes = self.inode(inode)?.map(len)?;
        let mappings = self.mappings.entry(inode).or_default();
        // A dead one keeps its memory until it is let go.
        mappings.retain(|mapping| mapping.strong_count() > 0);
        mappings.push(Arc::downgrade(&bytes));
        Ok(Mapping::from_heap(bytes))
    }

    /// A mapping shows bytes that must not change; to change them is undefined behaviour on a real file, so that here
    /// it must not pass unseen.
    fn refuse_below_mapping(&mut self, inode: InodeId, offset: u64, doing: &str) -> io::Result<()> {
        let Some(mappings) = self.mappings.get_mut(&inode) else { return Ok(()) };
        mappings.retain(|mapping| mapping.strong_count() > 0);
        let mapped = mappings.iter().filter_map(Weak::upgrade).map(|bytes| bytes.len()).max().unwrap_or(0);
        if offset < mapped as u64 {
            let message =
                format!("expected no {doing} below {mapped}, up to where the file is mapped, found {offset}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(())
    }

    pub(super) fn try_lock(&mut self, generation: u64, name: &str) -> io::Result<Option<Arc<SharedPage>>> {
        let inode = match self.find(name) {
            Ok(inode) => {
                self.begin_read(generation)?;
                inode
            }
            Err(_) => self.create(generation, name)?,
        };
        if self.is_locked(inode) {
            return Ok(None);
        }
        let page = self.page(inode)?;
        // Like the real one, which sees to it that the disk has room for the page before it is stored to.
        let bytes = SharedPage::of_heap(Arc::clone(&page), false).to_bytes();
        let room = self.room();
        let file = self.inode_mut(inode)?;
        if file.fitting(0, bytes.len(), room) < bytes.len() {
            return Err(Fault::Enospc.error());
        }
        file.write(&bytes, 0)?;
        let held = Arc::new(SharedPage::of_heap(Arc::clone(&page), true));
        self.locks.insert(inode, Lock { page, holder: Arc::downgrade(&held) });
        Ok(Some(held))
    }

    pub(super) fn peek_lock(&mut self, generation: u64, name: &str) -> io::Result<Option<LockPeek>> {
        self.begin_read(generation)?;
        let Ok(inode) = self.find(name) else { return Ok(None) };
        let page = Arc::new(SharedPage::of_heap(self.page(inode)?, false));
        Ok(Some(LockPeek { held: self.is_locked(inode), page }))
    }

    fn is_locked(&self, inode: InodeId) -> bool {
        self.locks.get(&inode).is_some_and(|lock| lock.holder.strong_count() > 0)
    }

    /// The page of a lock file, shared by all processes that have it mapped.
    fn page(&mut self, inode: InodeId) -> io::Result<Arc<HeapPage>> {
        if let Some(lock) = self.locks.get(&inode) {
            return Ok(Arc::clone(&lock.page));
        }
        let bytes = self.inode(inode)?.cached_bytes();
        let page = Arc::new(HeapPage::new(&bytes[..bytes.len().min(SharedPage::LEN)]));
        self.locks.insert(inode, Lock { page: Arc::clone(&page), holder: Weak::new() });
        Ok(page)
    }

    /// Brings what was stored to mapped pages into their files, and forgets the pages that nobody has any more.
    fn write_back_pages(&mut self) {
        for inode in self.locks.keys().copied().collect::<Vec<_>>() {
            self.write_back_page(inode);
        }
        self.locks.retain(|_, lock| Arc::strong_count(&lock.page) > 1);
    }

    fn write_back_page(&mut self, inode: InodeId) {
        let (Some(lock), Some(file)) = (self.locks.get(&inode), self.inodes.get_mut(&inode)) else { return };
        let bytes = SharedPage::of_heap(Arc::clone(&lock.page), false).to_bytes();
        // A shorter file was never locked, so that nothing was stored to its page; and peeking changes nothing.
        if file.cached_bytes().get(..bytes.len()).is_some_and(|cached| cached != bytes) {
            // It fails for files that are too large only.
            let _ = Arc::make_mut(file).write(&bytes, 0);
        }
    }

    // What a test calls.

    pub(super) fn restart(&mut self, survivors: Survivors) {
        self.end_processes();
        self.directory.survive(survivors, &self.entropy);
        for inode in self.inodes.values_mut().filter(|inode| !inode.is_settled()) {
            Arc::make_mut(inode).survive(survivors, &self.entropy);
        }
        self.forget_unreachable();
    }

    pub(super) fn kill(&mut self) {
        self.end_processes();
        self.forget_unreachable();
    }

    fn end_processes(&mut self) {
        self.write_back_pages();
        self.locks.clear();
        self.mappings.clear();
        self.generation += 1;
        self.is_off = false;
        self.cut_at = None;
        self.faults.clear();
        self.read_faults.clear();
    }

    fn forget_unreachable(&mut self) {
        let reachable = self.directory.reachable();
        self.inodes.retain(|inode, _| reachable.contains(inode));
    }

    /// How many bytes of the disk are free.
    fn room(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()))
    }

    pub(super) fn used(&self) -> u64 {
        self.directory
            .inodes()
            .filter_map(|inode| self.inodes.get(&inode))
            .map(|inode| inode.allocated_bytes())
            .sum()
    }

    pub(super) fn contents(&mut self, name: &str) -> io::Result<Vec<u8>> {
        self.write_back_pages();
        Ok(self.inode(self.find(name)?)?.cached_bytes().to_vec())
    }

    pub(super) fn durable_contents(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(self.inode(self.directory.find_durable(name)?)?.durable_bytes().to_vec())
    }

    pub(super) fn corrupt(&mut self, name: &str, offset: u64, xor: u8) -> io::Result<()> {
        self.write_back_pages();
        let inode = self.find(name)?;
        self.inode_mut(inode)?.corrupt(offset, xor)
    }

    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) {
        let inode = self.add_inode(Inode::durable(self.sector, bytes));
        self.directory.replace(name, inode);
        self.directory.sync();
    }

    pub(super) fn remove_file(&mut self, name: &str) -> io::Result<()> {
        self.directory.remove(name)?;
        self.directory.sync();
        Ok(())
    }

    fn add_inode(&mut self, inode: Inode) -> InodeId {
        let id = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(id, Arc::new(inode));
        id
    }

    fn inode(&self, id: InodeId) -> io::Result<&Inode> {
        self.inodes
            .get(&id)
            .map(|inode| &**inode)
            .ok_or_else(|| io::Error::other(format!("the simulated disk has no file number {id}")))
    }

    fn inode_mut(&mut self, id: InodeId) -> io::Result<&mut Inode> {
        self.inodes
            .get_mut(&id)
            .map(Arc::make_mut)
            .ok_or_else(|| io::Error::other(format!("the simulated disk has no file number {id}")))
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the simulated power is off")
}

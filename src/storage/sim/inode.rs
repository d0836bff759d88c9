//! One simulated file: what a process reads of it, what is on the disk, and what is on its way there.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::Survivors;
use crate::ids::SeededEntropy;

/// Larger files are refused: a test that asks for one has lost its way, and memory is real.
const MAX_LEN: usize = 1 << 30;

#[derive(Debug, Clone)]
pub(super) struct Inode {
    sector: usize,
    /// What a process reads.
    cached: Vec<u8>,
    /// What the disk held after the last sync.
    durable: Vec<u8>,
    /// All contents that the sectors have had since they were last synced, oldest first; each as long as a sector.
    unsynced: BTreeMap<usize, Vec<Box<[u8]>>>,
    /// All lengths that the file has had since the last sync, beginning with the durable one.
    lengths: Vec<usize>,
    /// The sectors that take room on the disk.
    allocated: BTreeSet<usize>,
    /// Whether a sync was lost since the last restart, so that cache and disk differ though nothing waits for a sync.
    has_lost_sync: bool,
}

impl Inode {
    pub(super) fn new(sector: usize) -> Inode {
        Inode {
            sector,
            cached: Vec::new(),
            durable: Vec::new(),
            unsynced: BTreeMap::new(),
            lengths: vec![0],
            allocated: BTreeSet::new(),
            has_lost_sync: false,
        }
    }

    /// A file that is on the disk as it is.
    pub(super) fn durable(sector: usize, bytes: &[u8]) -> Inode {
        Inode {
            cached: bytes.to_vec(),
            durable: bytes.to_vec(),
            lengths: vec![bytes.len()],
            allocated: (0..bytes.len().div_ceil(sector)).collect(),
            ..Inode::new(sector)
        }
    }

    pub(super) fn cached_bytes(&self) -> &[u8] {
        &self.cached
    }

    /// What the disk holds, when nothing that was not synced has got to it.
    pub(super) fn durable_bytes(&self) -> &[u8] {
        &self.durable
    }

    pub(super) fn allocated_bytes(&self) -> u64 {
        self.allocated.len() as u64 * self.sector as u64
    }

    pub(super) fn read_exact(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = self.cached.get(start..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    pub(super) fn map(&self, len: u64) -> io::Result<Arc<[u8]>> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        Ok(Arc::from(self.cached.get(..len).ok_or(io::ErrorKind::UnexpectedEof)?))
    }

    /// Of a write at `offset`, how many of the `len` bytes fit when only `room` bytes of the disk are free.
    pub(super) fn fitting(&self, offset: u64, len: usize, room: u64) -> usize {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(MAX_LEN);
        let end = start.saturating_add(len);
        let mut free_sectors = room / self.sector as u64;
        for index in self.sectors(start..end) {
            if self.allocated.contains(&index) {
                continue;
            }
            if free_sectors == 0 {
                return (index * self.sector).saturating_sub(start);
            }
            free_sectors -= 1;
        }
        len
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let range = usize::try_from(offset)
            .ok()
            .and_then(|start| Some(start..start.checked_add(bytes.len())?))
            .filter(|range| range.end <= MAX_LEN)
            .ok_or(io::ErrorKind::FileTooLarge)?;
        if self.cached.len() < range.end {
            self.cached.resize(range.end, 0);
            self.lengths.push(range.end);
        }
        self.cached[range.clone()].copy_from_slice(bytes);
        for index in self.sectors(range) {
            self.allocated.insert(index);
            self.touch(index);
        }
        Ok(())
    }

    pub(super) fn set_len(&mut self, len: u64) -> io::Result<()> {
        let len =
            usize::try_from(len).ok().filter(|len| *len <= MAX_LEN).ok_or(io::ErrorKind::FileTooLarge)?;
        if len == self.cached.len() {
            return Ok(());
        }
        if len < self.cached.len() {
            // Whatever was on its way to the sectors cut off never gets there, and the rest of the last one is zeroed.
            let kept = len.div_ceil(self.sector);
            self.unsynced.retain(|index, _| *index < kept);
            self.allocated.retain(|index| *index < kept);
        }
        let cuts_a_sector = len < self.cached.len() && !len.is_multiple_of(self.sector);
        self.cached.resize(len, 0);
        self.lengths.push(len);
        if cuts_a_sector {
            self.touch(len / self.sector);
        }
        Ok(())
    }

    pub(super) fn sync(&mut self) {
        // What was cut off and grown again in between is zeros, also where the disk has the old bytes.
        self.durable.truncate(self.shortest(self.lengths.len()));
        self.durable.resize(self.cached.len(), 0);
        // Only what is known to wait, not all that is cached: a sync that was lost stays lost.
        for index in std::mem::take(&mut self.unsynced).into_keys() {
            let range = clipped(index, self.sector, self.cached.len());
            self.durable[range.clone()].copy_from_slice(&self.cached[range]);
        }
        self.lengths = vec![self.cached.len()];
    }

    /// Forgets which bytes wait for a sync, without a sync. (The length is kept in the file system's own journal, and
    /// is not lost so.)
    pub(super) fn lose_sync(&mut self) {
        self.has_lost_sync |= !self.unsynced.is_empty();
        self.unsynced.clear();
    }

    /// Whether a power cut changes nothing here.
    pub(super) fn is_settled(&self) -> bool {
        self.unsynced.is_empty() && self.lengths.len() == 1 && !self.has_lost_sync
    }

    /// The power is cut: what was not synced is on the disk or is not.
    pub(super) fn survive(&mut self, survivors: Survivors, entropy: &SeededEntropy) {
        let (position, len) = self.surviving_length(survivors, entropy);
        self.durable.truncate(self.shortest(position + 1));
        self.durable.resize(len, 0);
        let mut fate = Fate::draw(survivors, self.unsynced.len(), entropy);
        for (index, versions) in std::mem::take(&mut self.unsynced) {
            let range = clipped(index, self.sector, len);
            if let Some(version) = fate.version(versions.len(), entropy) {
                let written = range.len();
                self.durable[range].copy_from_slice(&versions[version][..written]);
            }
        }
        self.cached.clone_from(&self.durable);
        self.lengths = vec![len];
        self.allocated.retain(|index| *index < len.div_ceil(self.sector));
        self.has_lost_sync = false;
    }

    pub(super) fn corrupt(&mut self, offset: u64, xor: u8) -> io::Result<()> {
        let index = usize::try_from(offset).unwrap_or(usize::MAX);
        let len = self.cached.len();
        let byte = self.cached.get_mut(index).ok_or_else(|| {
            let message = format!("expected an offset below the file's {len} bytes, found {offset}");
            io::Error::new(io::ErrorKind::InvalidInput, message)
        })?;
        *byte ^= xor;
        if let Some(byte) = self.durable.get_mut(index) {
            *byte ^= xor;
        }
        for version in self.unsynced.get_mut(&(index / self.sector)).into_iter().flatten() {
            version[index % self.sector] ^= xor;
        }
        Ok(())
    }

    /// Notes what a sector holds now as a content that may reach the disk.
    fn touch(&mut self, index: usize) {
        let range = clipped(index, self.sector, self.cached.len());
        let mut content = vec![0; self.sector].into_boxed_slice();
        content[..range.len()].copy_from_slice(&self.cached[range]);
        self.unsynced.entry(index).or_default().push(content);
    }

    fn sectors(&self, bytes: Range<usize>) -> Range<usize> {
        if bytes.is_empty() { 0..0 } else { bytes.start / self.sector..bytes.end.div_ceil(self.sector) }
    }

    /// The least of the first `count` lengths since the last sync.
    fn shortest(&self, count: usize) -> usize {
        self.lengths.iter().take(count).copied().min().unwrap_or(0)
    }

    /// The length that a power cut leaves, and the position in the history of lengths that it stands for.
    fn surviving_length(&self, survivors: Survivors, entropy: &SeededEntropy) -> (usize, usize) {
        let last = self.lengths.len() - 1;
        let position = match survivors {
            Survivors::Nothing => 0,
            Survivors::Everything => last,
            Survivors::Seeded => match entropy.below(4) {
                0 => 0,
                1 | 2 => last,
                _ => below(entropy, self.lengths.len()),
            },
        };
        let len = self.lengths[position];
        let before = self.lengths[position.saturating_sub(1)];
        if survivors == Survivors::Seeded && before < len && entropy.below(4) == 0 {
            // A file grows on the disk as its sectors get there.
            let between = before + below(entropy, len - before);
            return (position, (between - between % self.sector).max(before));
        }
        (position, len)
    }
}

/// The bytes of a sector, as far as they are in a file of that length.
fn clipped(index: usize, sector: usize, len: usize) -> Range<usize> {
    (index * sector).min(len)..((index + 1) * sector).min(len)
}

fn below(entropy: &SeededEntropy, bound: usize) -> usize {
    usize::try_from(entropy.below(bound as u64)).unwrap_or(0)
}

/// What a power cut does to the unsynced sectors of one file. Pure chance for each sector would hardly ever try what
/// happens most: all there, nothing there, one hole.
enum Fate {
    Durable,
    Newest,
    NewestWithHole { sectors_before: Option<usize> },
    Any,
}

impl Fate {
    fn draw(survivors: Survivors, sectors: usize, entropy: &SeededEntropy) -> Fate {
        match survivors {
            Survivors::Nothing => Fate::Durable,
            Survivors::Everything => Fate::Newest,
            Survivors::Seeded => match entropy.below(6) {
                0 => Fate::Durable,
                1 => Fate::Newest,
                2 => Fate::NewestWithHole { sectors_before: Some(below(entropy, sectors)) },
                _ => Fate::Any,
            },
        }
    }

    /// Which of a sector's `versions` is on the disk; none when it is the durable one.
    fn version(&mut self, versions: usize, entropy: &SeededEntropy) -> Option<usize> {
        let newest = versions.checked_sub(1)?;
        match self {
            Fate::Durable => None,
            Fate::Newest => Some(newest),
            Fate::NewestWithHole { sectors_before } => {
                let is_hole = *sectors_before == Some(0);
                *sectors_before = sectors_before.and_then(|before| before.checked_sub(1));
                if is_hole { None } else { Some(newest) }
            }
            Fate::Any => match entropy.below(4) {
                0 | 1 => None,
                2 => Some(newest),
                _ => Some(below(entropy, versions)),
            },
        }
    }
}

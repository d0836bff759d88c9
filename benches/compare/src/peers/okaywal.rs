//! OkayWAL: an entry a batch with a chunk an event; threads that commit at once share a sync. It is made to be emptied
//! into another store; here it is the store, so that it is never asked to: its segment is as large as the run needs, and
//! preallocated, as its documentation asks for.

use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use okaywal::{
    Configuration, Entry, EntryId, LogManager, LogPosition, ReadChunkResult, SegmentReader, WriteAheadLog,
};

use crate::Outcome;
use crate::event::{Event, Fold, amount};
use crate::host::fill;
use crate::order::{Ledger, Order};
use crate::store::{Bare, Chronicle, Level, Store};

/// For durable commands, and for a history, which is filled through few large entries.
const PREALLOCATED: u32 = 16 << 20;
const PREALLOCATED_HISTORY: u32 = 320 << 20;
const BUFFER: usize = 1 << 18;

#[derive(Debug)]
pub(crate) struct OkayWal {
    log: WriteAheadLog,
    recovered: Arc<Mutex<Recovered>>,
}

/// What was in it when it was opened, and where.
#[derive(Debug, Default)]
struct Recovered {
    fold: Fold,
    positions: Vec<LogPosition>,
}

#[derive(Debug)]
struct Manager(Arc<Mutex<Recovered>>);

impl LogManager for Manager {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        let mut recovered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        while let ReadChunkResult::Chunk(mut chunk) = entry.read_chunk()? {
            recovered.positions.push(chunk.log_position());
            bytes.clear();
            chunk.read_to_end(&mut bytes)?;
            if !chunk.check_crc()? {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a chunk's CRC does not match"));
            }
            recovered.fold.line(&bytes).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn checkpoint_to(&mut self, _: EntryId, _: &mut SegmentReader, _: &WriteAheadLog) -> io::Result<()> {
        Err(io::Error::other("a checkpoint would drop events"))
    }
}

impl Store for OkayWal {
    fn open(dir: &Path, level: Level) -> Outcome<OkayWal> {
        let recovered = Arc::new(Mutex::new(Recovered::default()));
        let preallocated = match level {
            Level::Synced => PREALLOCATED,
            Level::Relaxed => PREALLOCATED_HISTORY,
        };
        let log = Configuration::default_for(dir.join("log"))
            .preallocate_bytes(preallocated)
            .checkpoint_after_bytes(u64::MAX)
            .buffer_bytes(BUFFER)
            .open(Manager(Arc::clone(&recovered)))?;
        Ok(OkayWal { log, recovered })
    }

    fn close(self) -> Outcome<()> {
        Ok(self.log.shutdown()?)
    }

    fn replay(dir: &Path) -> Outcome<Ledger> {
        let store = OkayWal::open(dir, Level::Synced)?;
        let ledger =
            std::mem::take(&mut store.recovered.lock().unwrap_or_else(PoisonError::into_inner).fold.ledger);
        store.close()?;
        Ok(ledger)
    }
}

impl Bare for OkayWal {
    type Row = Vec<u8>;

    fn row(order: Order) -> Outcome<Vec<u8>> {
        Event::now(order).encode()
    }

    /// Synced at either level: it has no other.
    fn store(&self, rows: &mut [Vec<u8>]) -> Outcome<u64> {
        let mut entry = self.log.begin_entry()?;
        for row in rows {
            entry.write_chunk(row)?;
        }
        Ok(entry.commit()?.0)
    }
}

impl Chronicle for OkayWal {
    fn fill(&self, orders: impl Iterator<Item = Order>) -> Outcome<()> {
        fill(self, orders)
    }

    /// Each event is read on its own, from a position that the host keeps: there is no other way while it is open.
    fn read(&mut self, number: u64, count: u64) -> Outcome<u64> {
        let recovered = self.recovered.lock().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(number)?;
        let positions =
            recovered.positions.get(from..from + usize::try_from(count)?).ok_or("no such event")?;
        let (mut sum, mut bytes) = (0, Vec::new());
        for position in positions {
            bytes.clear();
            self.log.read_at(*position)?.read_to_end(&mut bytes)?;
            sum += amount(&bytes)?;
        }
        Ok(sum)
    }
}

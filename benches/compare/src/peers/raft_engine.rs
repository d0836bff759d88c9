//! raft-engine: log entries of a raft group, whose indexes have no gaps. Each thread that writes at the same time has a
//! group of its own, as in TiKV, and the engine puts their writes behind one sync; a drain has one group.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use protobuf::well_known_types::BytesValue;
use raft_engine::{Config, Engine, LogBatch, MessageExt, ReadableSize};

use crate::Outcome;
use crate::event::{Event, Fold, amount};
use crate::host::fill;
use crate::order::{Ledger, Order};
use crate::store::{Bare, Chronicle, Level, Store};

/// The group of the first caller, and of every one that never meets another.
const FIRST_GROUP: u64 = 1;
const INDEX_BYTES: usize = size_of::<u64>();
/// How many events are fetched at once where all are read.
const FETCH: u64 = 1_024;

pub(crate) struct RaftEngine {
    level: Level,
    groups: Mutex<Groups>,
    engine: Engine,
}

/// Groups that nobody writes to at the moment, and how many there are.
#[derive(Debug, Default)]
struct Groups {
    idle: Vec<Group>,
    count: u64,
}

#[derive(Debug)]
struct Group {
    id: u64,
    next_index: u64,
}

/// An entry is a message with an index: its bytes begin with it.
struct IndexedEvent;

impl MessageExt for IndexedEvent {
    type Entry = BytesValue;

    fn index(entry: &BytesValue) -> u64 {
        entry.value.first_chunk().map_or(0, |index| u64::from_le_bytes(*index))
    }
}

fn event(entry: &BytesValue) -> Outcome<&[u8]> {
    Ok(entry.value.get(INDEX_BYTES..).ok_or("an entry without an index")?)
}

impl RaftEngine {
    fn fetch(&self, group: u64, from: u64, to: u64) -> Outcome<Vec<BytesValue>> {
        let mut entries = Vec::with_capacity(usize::try_from(to - from)?);
        self.engine.fetch_entries_to::<IndexedEvent>(group, from, to, None, &mut entries)?;
        Ok(entries)
    }
}

impl Store for RaftEngine {
    fn open(dir: &Path, level: Level) -> Outcome<RaftEngine> {
        let dir = dir.join("raft").to_str().ok_or("expected a directory whose name is UTF-8")?.to_owned();
        // Events that are zipped are smaller, but not sooner on a disk like this.
        let config = Config { dir, batch_compression_threshold: ReadableSize(0), ..Config::default() };
        let engine = Engine::open(config)?;
        let group = |id: u64| Group { id, next_index: engine.last_index(id).map_or(1, |last| last + 1) };
        let count = engine.raft_groups().len() as u64;
        let idle = (FIRST_GROUP..FIRST_GROUP + count).rev().map(group).collect();
        Ok(RaftEngine { level, groups: Mutex::new(Groups { idle, count }), engine })
    }

    fn close(self) -> Outcome<()> {
        if self.level == Level::Relaxed {
            self.engine.sync()?;
        }
        Ok(())
    }

    fn replay(dir: &Path) -> Outcome<Ledger> {
        let store = RaftEngine::open(dir, Level::Synced)?;
        let mut fold = Fold::default();
        for group in store.engine.raft_groups() {
            let end = store.engine.last_index(group).map_or(1, |last| last + 1);
            let mut from = 1;
            while from < end {
                let to = end.min(from + FETCH);
                for entry in store.fetch(group, from, to)? {
                    fold.line(event(&entry)?)?;
                }
                from = to;
            }
        }
        Ok(fold.ledger)
    }
}

impl Bare for RaftEngine {
    type Row = BytesValue;

    fn row(order: Order) -> Outcome<BytesValue> {
        let mut entry = BytesValue::new();
        // The index comes when it is stored.
        entry.value = vec![0; INDEX_BYTES];
        entry.value.extend(Event::now(order).encode()?);
        Ok(entry)
    }

    fn store(&self, rows: &mut [BytesValue]) -> Outcome<u64> {
        let mut group = {
            let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
            groups.idle.pop().unwrap_or_else(|| {
                groups.count += 1;
                Group { id: FIRST_GROUP + groups.count - 1, next_index: 1 }
            })
        };
        let first = group.next_index;
        for entry in rows.iter_mut() {
            entry.value[..INDEX_BYTES].copy_from_slice(&group.next_index.to_le_bytes());
            group.next_index += 1;
        }
        let mut batch = LogBatch::with_capacity(rows.len());
        batch.add_entries::<IndexedEvent>(group.id, rows)?;
        self.engine.write(&mut batch, self.level == Level::Synced)?;
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).idle.push(group);
        Ok(first)
    }
}

impl Chronicle for RaftEngine {
    fn fill(&self, orders: impl Iterator<Item = Order>) -> Outcome<()> {
        fill(self, orders)
    }

    fn read(&mut self, number: u64, count: u64) -> Outcome<u64> {
        let entries = self.fetch(FIRST_GROUP, number + 1, number + 1 + count)?;
        entries.iter().map(|entry| amount(event(entry)?)).sum()
    }
}

//! fjall: a keyspace from `seq`, big-endian, to the encoded event; a write batch whose journal is synced with
//! `PersistMode::SyncData` before it is acknowledged, as its documentation says of manual persistence.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::Outcome;
use crate::event::{Event, Fold, amount};
use crate::host::fill;
use crate::order::{Ledger, Order};
use crate::store::{Bare, Chronicle, Level, Store};

pub(crate) struct Fjall {
    persist: PersistMode,
    next_seq: AtomicU64,
    events: Keyspace,
    database: Database,
}

impl Store for Fjall {
    fn open(dir: &Path, level: Level) -> Outcome<Fjall> {
        let database = Database::builder(dir.join("events.fjall")).manual_journal_persist(true).open()?;
        let events = database.keyspace("events", KeyspaceCreateOptions::default)?;
        let last = match events.last_key_value() {
            None => 0,
            Some(last) => u64::from_be_bytes(last.key()?.as_ref().try_into()?),
        };
        let persist = match level {
            Level::Synced => PersistMode::SyncData,
            Level::Relaxed => PersistMode::Buffer,
        };
        Ok(Fjall { persist, next_seq: AtomicU64::new(last + 1), events, database })
    }

    fn close(self) -> Outcome<()> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    fn replay(dir: &Path) -> Outcome<Ledger> {
        let store = Fjall::open(dir, Level::Synced)?;
        let mut fold = Fold::default();
        for entry in store.events.iter() {
            fold.line(&entry.value()?)?;
        }
        Ok(fold.ledger)
    }
}

impl Bare for Fjall {
    type Row = Vec<u8>;

    fn row(order: Order) -> Outcome<Vec<u8>> {
        Event::now(order).encode()
    }

    fn store(&self, rows: &mut [Vec<u8>]) -> Outcome<u64> {
        let first = self.next_seq.fetch_add(rows.len() as u64, Ordering::Relaxed);
        let mut batch = self.database.batch().durability(Some(self.persist));
        for (seq, row) in (first..).zip(rows) {
            batch.insert(&self.events, seq.to_be_bytes(), row.as_slice());
        }
        batch.commit()?;
        Ok(first)
    }
}

impl Chronicle for Fjall {
    fn fill(&self, orders: impl Iterator<Item = Order>) -> Outcome<()> {
        fill(self, orders)
    }

    fn read(&mut self, number: u64, count: u64) -> Outcome<u64> {
        let (from, to) = ((number + 1).to_be_bytes(), (number + count).to_be_bytes());
        let mut sum = 0;
        for entry in self.events.range(from..=to) {
            sum += amount(&entry.value()?)?;
        }
        Ok(sum)
    }
}

//! redb: a table from `seq` to the encoded event, a transaction a batch, `Durability::Immediate` where it is to be synced.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use crate::Outcome;
use crate::event::{Event, Fold, amount};
use crate::host::fill;
use crate::order::{Ledger, Order};
use crate::store::{Bare, Chronicle, Level, Store};

const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");

#[derive(Debug)]
pub(crate) struct Redb {
    level: Level,
    database: Database,
}

impl Store for Redb {
    fn open(dir: &Path, level: Level) -> Outcome<Redb> {
        let database = Database::create(dir.join("events.redb"))?;
        let transaction = database.begin_write()?;
        transaction.open_table(EVENTS)?;
        transaction.commit()?;
        Ok(Redb { level, database })
    }

    fn close(self) -> Outcome<()> {
        if self.level == Level::Relaxed {
            // What was not synced is gone at the next opening, unless a commit follows that is.
            self.database.begin_write()?.commit()?;
        }
        Ok(self.database.close()?)
    }

    fn replay(dir: &Path) -> Outcome<Ledger> {
        let store = Redb::open(dir, Level::Synced)?;
        let table = store.database.begin_read()?.open_table(EVENTS)?;
        let mut fold = Fold::default();
        for entry in table.iter()? {
            fold.line(entry?.1.value())?;
        }
        Ok(fold.ledger)
    }
}

impl Bare for Redb {
    type Row = Vec<u8>;

    fn row(order: Order) -> Outcome<Vec<u8>> {
        Event::now(order).encode()
    }

    fn store(&self, rows: &mut [Vec<u8>]) -> Outcome<u64> {
        let mut transaction = self.database.begin_write()?;
        let durability = match self.level {
            Level::Synced => Durability::Immediate,
            Level::Relaxed => Durability::None,
        };
        transaction.set_durability(durability)?;
        let first = {
            let mut table = transaction.open_table(EVENTS)?;
            let first = table.last()?.map_or(1, |(last, _)| last.value() + 1);
            for (seq, row) in (first..).zip(rows) {
                table.insert(seq, row.as_slice())?;
            }
            first
        };
        transaction.commit()?;
        Ok(first)
    }
}

impl Chronicle for Redb {
    fn fill(&self, orders: impl Iterator<Item = Order>) -> Outcome<()> {
        fill(self, orders)
    }

    fn read(&mut self, number: u64, count: u64) -> Outcome<u64> {
        let table = self.database.begin_read()?.open_table(EVENTS)?;
        let mut sum = 0;
        for entry in table.range(number + 1..=number + count)? {
            sum += amount(entry?.1.value())?;
        }
        Ok(sum)
    }
}

//! SQLite through `rusqlite`, with its own build of SQLite: write-ahead log, `synchronous=FULL`, one connection behind a
//! mutex (SQLite has one writer at a time), prepared statements that are kept. A row an event, with a column a field.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use crate::Outcome;
use crate::event::{Change, Event};
use crate::host::fill;
use crate::order::{Ledger, Order};
use crate::store::{Bare, Chronicle, Level, Store};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, session_id TEXT NOT NULL, actor TEXT NOT NULL,
    spend_id TEXT NOT NULL, budget_id TEXT NOT NULL, amount INTEGER NOT NULL, tool TEXT NOT NULL
) STRICT";
const INSERT: &str = "INSERT INTO events (ts, session_id, actor, spend_id, budget_id, amount, tool)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const SELECT: &str = "SELECT ts, session_id, actor, spend_id, budget_id, amount, tool FROM events
    WHERE seq >= ?1 ORDER BY seq LIMIT ?2";
/// As SQLite is told that there is no limit.
const ALL: i64 = -1;

#[derive(Debug)]
pub(crate) struct Sqlite {
    connection: Mutex<Connection>,
}

/// Reads a row into the event that it is, and hands that on.
fn with_event<T>(row: &Row<'_>, visit: impl FnOnce(Event<'_>) -> T) -> Outcome<T> {
    let text = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_str()?);
    Ok(visit(Event {
        ts: Timestamp::from_microsecond(row.get(0)?)?,
        session_id: text(1)?,
        actor: text(2)?,
        change: Change::SpendRecorded {
            spend_id: Uuid::try_parse(text(3)?)?,
            budget_id: text(4)?,
            amount: row.get::<_, i64>(5)?.cast_unsigned(),
            tool: text(6)?,
        },
    }))
}

/// Hands so many events on, from a `seq` on.
fn each(connection: &Connection, from: i64, count: i64, mut visit: impl FnMut(Event<'_>)) -> Outcome<()> {
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query([from, count])?;
    while let Some(row) = rows.next()? {
        with_event(row, &mut visit)?;
    }
    Ok(())
}

impl Store for Sqlite {
    fn open(dir: &Path, level: Level) -> Outcome<Sqlite> {
        let connection = Connection::open(dir.join("events.sqlite"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // At NORMAL a write-ahead log is synced when it is copied back, no sooner.
        let synchronous = if level == Level::Synced { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.execute(TABLE, [])?;
        Ok(Sqlite { connection: Mutex::new(connection) })
    }

    fn close(self) -> Outcome<()> {
        let connection = self.connection.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(connection.close().map_err(|(_, error)| error)?)
    }

    fn replay(dir: &Path) -> Outcome<Ledger> {
        let store = Sqlite::open(dir, Level::Synced)?;
        let connection = store.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ledger = Ledger::default();
        each(&connection, 0, ALL, |event| {
            let Change::SpendRecorded { budget_id, amount, .. } = event.change;
            ledger.book(budget_id, amount);
        })?;
        Ok(ledger)
    }
}

impl Bare for Sqlite {
    type Row = Event<'static>;

    fn row(order: Order) -> Outcome<Event<'static>> {
        Ok(Event::now(order))
    }

    fn store(&self, rows: &mut [Event<'static>]) -> Outcome<u64> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        // The only writer, and a single statement is a transaction of its own.
        if let [event] = rows {
            return insert(&connection, event);
        }
        let transaction = connection.transaction()?;
        let mut last = 0;
        for event in rows.iter() {
            last = insert(&transaction, event)?;
        }
        transaction.commit()?;
        Ok(last + 1 - rows.len() as u64)
    }
}

fn insert(connection: &Connection, event: &Event<'_>) -> Outcome<u64> {
    let Change::SpendRecorded { spend_id, budget_id, amount, tool } = &event.change;
    let mut text = Uuid::encode_buffer();
    let spend_id: &str = spend_id.hyphenated().encode_lower(&mut text);
    let ts = event.ts.as_microsecond();
    let values = params![ts, event.session_id, event.actor, spend_id, budget_id, amount.cast_signed(), tool];
    Ok(connection.prepare_cached(INSERT)?.insert(values)?.try_into()?)
}

impl Chronicle for Sqlite {
    fn fill(&self, orders: impl Iterator<Item = Order>) -> Outcome<()> {
        fill(self, orders)
    }

    fn read(&mut self, number: u64, count: u64) -> Outcome<u64> {
        let connection = self.connection.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut sum = 0;
        each(connection, i64::try_from(number)? + 1, count.try_into()?, |event| {
            let Change::SpendRecorded { amount, .. } = std::hint::black_box(event).change;
            sum += amount;
        })?;
        Ok(sum)
    }
}

//! SQLite through `sqlx`, the way tables of goals are kept: a pool, write-ahead log, `synchronous=FULL`, and in one
//! transaction a row for the event and the new balance of its budget, which the database checks.

use std::path::Path;
use std::str::FromStr;

use jiff::Timestamp;
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{QueryBuilder, Row};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::Outcome;
use crate::event::{Change, Event};
use crate::host::FILL_BATCH;
use crate::order::{LIMIT, Ledger, Order, Total, budget_ids};
use crate::store::{Chronicle, Level, Receipt, Store, Tasks};

/// SQLite has one writer at a time: of the pool's connections all but one wait, and with more of them, waiting is what
/// takes longer.
const CONNECTIONS: u32 = 1;
const TABLES: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS events (
        seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, session_id TEXT NOT NULL, actor TEXT NOT NULL,
        spend_id TEXT NOT NULL, budget_id TEXT NOT NULL, amount INTEGER NOT NULL, tool TEXT NOT NULL
    ) STRICT",
    "CREATE TABLE IF NOT EXISTS budgets (
        budget_id TEXT PRIMARY KEY, max INTEGER NOT NULL, spent INTEGER NOT NULL, count INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID",
];
const INSERT: &str = "INSERT INTO events (ts, session_id, actor, spend_id, budget_id, amount, tool)";
const UPDATE: &str = "UPDATE budgets SET spent = spent + ?2, count = count + ?3
    WHERE budget_id = ?1 AND spent + ?2 <= max RETURNING spent";
const SELECT: &str = "SELECT ts, session_id, actor, spend_id, budget_id, amount, tool FROM events
    WHERE seq >= ?1 ORDER BY seq LIMIT ?2";
/// How many rows are read at once where all are.
const FETCH: i64 = 4_096;

#[derive(Debug)]
pub(crate) struct SqlxSqlite {
    pool: SqlitePool,
}

/// Hands what a row says on, as a typed event.
fn with_event<T>(row: &SqliteRow, visit: impl FnOnce(Event<'_>) -> T) -> Outcome<T> {
    Ok(visit(Event {
        ts: Timestamp::from_microsecond(row.try_get(0)?)?,
        session_id: row.try_get(1)?,
        actor: row.try_get(2)?,
        change: Change::SpendRecorded {
            spend_id: Uuid::from_str(row.try_get(3)?)?,
            budget_id: row.try_get(4)?,
            amount: u64::try_from(row.try_get::<i64, _>(5)?)?,
            tool: row.try_get(6)?,
        },
    }))
}

impl SqlxSqlite {
    async fn create(dir: &Path, level: Level) -> Outcome<SqlxSqlite> {
        let synchronous = match level {
            Level::Synced => SqliteSynchronous::Full,
            Level::Relaxed => SqliteSynchronous::Normal,
        };
        let options = SqliteConnectOptions::new()
            .filename(dir.join("events.sqlite"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
        for table in TABLES {
            sqlx::query(table).execute(&pool).await?;
        }
        let mut budgets =
            QueryBuilder::<Sqlite>::new("INSERT OR IGNORE INTO budgets (budget_id, max, spent, count) ");
        budgets.push_values(budget_ids(), |mut row, id| {
            row.push_bind(id.as_str()).push_bind(LIMIT.cast_signed()).push("0").push("0");
        });
        budgets.build().execute(&pool).await?;
        Ok(SqlxSqlite { pool })
    }

    /// So many rows, from a `seq` on.
    async fn rows(&self, from: i64, count: i64) -> Outcome<Vec<SqliteRow>> {
        Ok(sqlx::query(SELECT).bind(from).bind(count).fetch_all(&self.pool).await?)
    }

    /// Inserts many rows with one statement, as its documentation says of bulk inserts, and moves each balance once.
    async fn store(&self, orders: &[Order]) -> Outcome<()> {
        let mut ledger = std::collections::BTreeMap::<&str, Total>::new();
        let mut insert = QueryBuilder::<Sqlite>::new(INSERT);
        insert.push_values(orders, |mut row, order| {
            let Event { ts, session_id, actor, change } = Event::now(*order);
            let Change::SpendRecorded { spend_id, budget_id, amount, tool } = change;
            let total = ledger.entry(budget_id).or_default();
            *total = Total { count: total.count + 1, spent: total.spent + amount };
            row.push_bind(ts.as_microsecond()).push_bind(session_id).push_bind(actor);
            row.push_bind(spend_id.to_string()).push_bind(budget_id);
            row.push_bind(amount.cast_signed()).push_bind(tool);
        });
        let mut transaction = self.pool.begin().await?;
        insert.build().execute(&mut *transaction).await?;
        for (budget_id, total) in ledger {
            let update = sqlx::query(UPDATE).bind(budget_id);
            let update = update.bind(total.spent.cast_signed()).bind(total.count.cast_signed());
            update.fetch_one(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }
}

impl Store for SqlxSqlite {
    fn open(dir: &Path, level: Level) -> Outcome<SqlxSqlite> {
        Handle::current().block_on(SqlxSqlite::create(dir, level))
    }

    fn close(self) -> Outcome<()> {
        Handle::current().block_on(self.pool.close());
        Ok(())
    }

    /// The rows are folded, and what comes of it is compared with the balances that the database kept.
    fn replay(dir: &Path) -> Outcome<Ledger> {
        Handle::current().block_on(async {
            let store = SqlxSqlite::create(dir, Level::Synced).await?;
            let (mut ledger, mut next) = (Ledger::default(), 1);
            loop {
                let rows = store.rows(next, FETCH).await?;
                for row in &rows {
                    with_event(row, |event| {
                        let Change::SpendRecorded { budget_id, amount, .. } = event.change;
                        ledger.book(budget_id, amount);
                    })?;
                }
                next += FETCH;
                if i64::try_from(rows.len())? < FETCH {
                    break;
                }
            }
            let mut balances = Ledger::default();
            let budgets = sqlx::query("SELECT budget_id, count, spent FROM budgets WHERE count > 0");
            for row in budgets.fetch_all(&store.pool).await? {
                let total = |index| Ok::<_, crate::Failure>(row.try_get::<i64, _>(index)?.cast_unsigned());
                balances.set(row.try_get(0)?, Total { count: total(1)?, spent: total(2)? });
            }
            ledger.expect(&balances)?;
            store.pool.close().await;
            Ok(ledger)
        })
    }
}

impl Tasks for SqlxSqlite {
    async fn spend(&self, order: Order) -> Outcome<Receipt> {
        let Event { ts, session_id, actor, change } = Event::now(order);
        let Change::SpendRecorded { spend_id, budget_id, amount, tool } = change;
        let amount = amount.cast_signed();
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let update = sqlx::query_scalar(UPDATE).bind(budget_id).bind(amount).bind(1_i64);
        let spent: i64 = update.fetch_optional(&mut *transaction).await?.ok_or("over the limit")?;
        let insert = sqlx::query(
            "INSERT INTO events (ts, session_id, actor, spend_id, budget_id, amount, tool)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        );
        let insert = insert.bind(ts.as_microsecond()).bind(session_id).bind(actor).bind(spend_id.to_string());
        let inserted = insert.bind(budget_id).bind(amount).bind(tool).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Receipt { seq: inserted.last_insert_rowid().cast_unsigned(), spent: spent.try_into()? })
    }
}

impl Chronicle for SqlxSqlite {
    fn fill(&self, mut orders: impl Iterator<Item = Order>) -> Outcome<()> {
        Handle::current().block_on(async {
            loop {
                let batch: Vec<Order> = orders.by_ref().take(FILL_BATCH).collect();
                if batch.is_empty() {
                    return Ok(());
                }
                self.store(&batch).await?;
            }
        })
    }

    fn read(&mut self, number: u64, count: u64) -> Outcome<u64> {
        let rows = Handle::current().block_on(self.rows(i64::try_from(number)? + 1, count.try_into()?))?;
        let mut sum = 0;
        for row in &rows {
            with_event(row, |event| {
                let Change::SpendRecorded { amount, .. } = std::hint::black_box(event).change;
                sum += amount;
            })?;
        }
        Ok(sum)
    }
}

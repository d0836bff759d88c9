//! UmaDB, without its server: the same writer thread, channel and batches that the server puts before the store. Events
//! carry no tags, so that no index of them is kept.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};
use umadb_core::db::UmaDb;
use umadb_core::mvcc::{Mvcc, StorageOptions};
use umadb_core::writer_thread_blocking::writer_thread_blocking;
use umadb_core::writer_thread_request::WriterThreadRequest;
use umadb_dcb::{DcbEvent, DcbEventStoreSync};

use crate::Outcome;
use crate::event::{Event, Fold, amount};
use crate::host::{Balances, FILL_BATCH};
use crate::order::{Ledger, Order};
use crate::store::{Chronicle, Level, Receipt, Store, Tasks};

const INBOX: usize = 4_096;
const BATCH: usize = 1_024;
/// More than the pages that a run touches again and again.
const PAGE_CACHE_MB: usize = 256;
/// How many events are read at once where all are.
const FETCH: u32 = 4_096;

pub(crate) struct UmaDbCore {
    balances: Balances,
    database: UmaDb,
    inbox: mpsc::Sender<WriterThreadRequest>,
    thread: JoinHandle<()>,
}

fn event(order: Order) -> Outcome<DcbEvent> {
    let mut event = DcbEvent::new();
    event.event_type = "spend_recorded".to_owned();
    event.data = Event::now(order).encode()?;
    Ok(event)
}

fn open(dir: &Path) -> Outcome<Arc<Mvcc>> {
    let options = StorageOptions::default().db_path(dir.join("uma.db")).page_cache_max_mb(PAGE_CACHE_MB);
    Ok(Arc::new(Mvcc::new(false, options)?))
}

impl UmaDbCore {
    /// Hands events over, and gives the way to wait until they are durable.
    fn append(events: Vec<DcbEvent>) -> (WriterThreadRequest, oneshot::Receiver<umadb_dcb::DcbResult<u64>>) {
        let (response_tx, answer) = oneshot::channel();
        let request = WriterThreadRequest::Append {
            events,
            condition: None,
            tracking_info: None,
            response_tx,
            cancel: None,
        };
        (request, answer)
    }
}

impl Store for UmaDbCore {
    /// Synced at either level: it has no other.
    fn open(dir: &Path, _: Level) -> Outcome<UmaDbCore> {
        let mvcc = open(dir)?;
        let (inbox, requests) = mpsc::channel(INBOX);
        let (head, _) = watch::channel(None);
        let written = Arc::clone(&mvcc);
        let write = move || writer_thread_blocking(written, requests, head, BATCH);
        let thread = std::thread::Builder::new().name("umadb".into()).spawn(write)?;
        Ok(UmaDbCore { balances: Balances::new(), database: UmaDb::from_arc(mvcc), inbox, thread })
    }

    fn close(self) -> Outcome<()> {
        drop(self.inbox);
        Ok(self.thread.join().map_err(|_| "the writer of umadb panicked")?)
    }

    fn replay(dir: &Path) -> Outcome<Ledger> {
        let database = UmaDb::from_arc(open(dir)?);
        let (mut fold, mut next) = (Fold::default(), 1);
        loop {
            let events = database.read(None, Some(next), false, Some(FETCH))?.next_batch()?;
            let Some(last) = events.last() else { return Ok(fold.ledger) };
            next = last.position + 1;
            for event in &events {
                fold.line(&event.event.data)?;
            }
        }
    }
}

impl Tasks for UmaDbCore {
    async fn spend(&self, order: Order) -> Outcome<Receipt> {
        let spent = self.balances.admit(order)?;
        let (request, answer) = UmaDbCore::append(vec![event(order)?]);
        self.inbox.send(request).await.map_err(|_| "the writer of umadb is gone")?;
        Ok(Receipt { seq: answer.await??, spent })
    }
}

impl Chronicle for UmaDbCore {
    fn fill(&self, mut orders: impl Iterator<Item = Order>) -> Outcome<()> {
        let mut under_way = None;
        loop {
            let admit = |order| self.balances.admit(order).and_then(|_| event(order));
            let events: Vec<DcbEvent> =
                orders.by_ref().take(FILL_BATCH).map(admit).collect::<Outcome<_>>()?;
            let is_last = events.is_empty();
            let mut next = None;
            if !is_last {
                let (request, answer) = UmaDbCore::append(events);
                self.inbox.blocking_send(request).map_err(|_| "the writer of umadb is gone")?;
                next = Some(answer);
            }
            if let Some(answer) = std::mem::replace(&mut under_way, next) {
                answer.blocking_recv()??;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    fn read(&mut self, number: u64, count: u64) -> Outcome<u64> {
        let limit = Some(u32::try_from(count)?);
        let events = self.database.read(None, Some(number + 1), false, limit)?.next_batch()?;
        events.iter().map(|event| amount(&event.event.data)).sum()
    }
}

//! What a host puts around a bare store: balances in memory, a mutex before them, and, for tasks, a thread that drains a
//! channel and stores all that waits in one go.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use crate::Outcome;
use crate::order::{LIMIT, Ledger, Order, budget_ids};
use crate::store::{Bare, Blocking, Level, Receipt, Store, Tasks};

/// How many commands may wait, and how many go into one batch.
const INBOX: usize = 4_096;
const BATCH: usize = 1_024;
/// How many orders are handed over at once where a history is filled, to every store alike.
pub(crate) const FILL_BATCH: usize = 512;

/// The balances that a host checks spends against.
#[derive(Debug)]
pub(crate) struct Balances(Mutex<HashMap<&'static str, Balance>>);

#[derive(Debug)]
struct Balance {
    limit: u64,
    spent: u64,
}

impl Balances {
    pub(crate) fn new() -> Balances {
        let balance = |id: &'static String| (id.as_str(), Balance { limit: LIMIT, spent: 0 });
        Balances(Mutex::new(budget_ids().iter().map(balance).collect()))
    }

    /// Takes it from its budget, and tells what that has spent. The host does so before the event is durable: law
    /// DURABLE, which holds readers back until then, costs the peers nothing here.
    pub(crate) fn admit(&self, order: Order) -> Outcome<u128> {
        let mut balances = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let balance = balances.get_mut(order.budget_id()).ok_or("no such budget")?;
        let spent = balance.spent + order.amount;
        if spent > balance.limit {
            return Err(format!("{}: over the limit", order.budget_id()).into());
        }
        balance.spent = spent;
        Ok(u128::from(spent))
    }
}

/// A bare store that threads call, each waiting for its own.
#[derive(Debug)]
pub(crate) struct Threads<S> {
    balances: Balances,
    store: S,
}

impl<S: Bare> Store for Threads<S> {
    fn open(dir: &Path, level: Level) -> Outcome<Threads<S>> {
        Ok(Threads { balances: Balances::new(), store: S::open(dir, level)? })
    }

    fn close(self) -> Outcome<()> {
        self.store.close()
    }

    fn replay(dir: &Path) -> Outcome<Ledger> {
        S::replay(dir)
    }
}

impl<S: Bare> Blocking for Threads<S> {
    fn spend(&self, order: Order) -> Outcome<Receipt> {
        let spent = self.balances.admit(order)?;
        let seq = self.store.store(&mut [S::row(order)?])?;
        Ok(Receipt { seq, spent })
    }
}

/// A row, and who waits for its number. One error is told to everyone whose row was in the batch.
type Waiting<R> = (R, oneshot::Sender<Result<u64, Arc<str>>>);

/// A bare store behind a channel. Callers check and encode, so that the thread has only to store.
#[derive(Debug)]
pub(crate) struct Drain<S: Bare> {
    balances: Balances,
    inbox: mpsc::Sender<Waiting<S::Row>>,
    thread: JoinHandle<S>,
}

impl<S: Bare> Store for Drain<S> {
    fn open(dir: &Path, level: Level) -> Outcome<Drain<S>> {
        let store = S::open(dir, level)?;
        let (inbox, mut waiting) = mpsc::channel::<Waiting<S::Row>>(INBOX);
        let thread = std::thread::Builder::new().name("drain".into()).spawn(move || {
            while let Some((row, reply)) = waiting.blocking_recv() {
                let (mut rows, mut replies) = (vec![row], vec![reply]);
                while rows.len() < BATCH
                    && let Ok((row, reply)) = waiting.try_recv()
                {
                    rows.push(row);
                    replies.push(reply);
                }
                let stored = store.store(&mut rows).map_err(|error| Arc::from(error.to_string()));
                for (place, reply) in (0..).zip(replies) {
                    // A caller that is gone is none of the store's business.
                    drop(reply.send(stored.clone().map(|first: u64| first + place)));
                }
            }
            store
        })?;
        Ok(Drain { balances: Balances::new(), inbox, thread })
    }

    fn close(self) -> Outcome<()> {
        drop(self.inbox);
        self.thread.join().map_err(|_| "the thread of the drain panicked")?.close()
    }

    fn replay(dir: &Path) -> Outcome<Ledger> {
        S::replay(dir)
    }
}

impl<S: Bare> Tasks for Drain<S> {
    async fn spend(&self, order: Order) -> Outcome<Receipt> {
        let spent = self.balances.admit(order)?;
        let (reply, answer) = oneshot::channel();
        self.inbox.send((S::row(order)?, reply)).await.map_err(|_| "the thread of the drain is gone")?;
        let seq = answer.await?.map_err(|error| error.to_string())?;
        Ok(Receipt { seq, spent })
    }
}

/// Fills a bare store: checked, encoded, and stored in vectors.
pub(crate) fn fill<S: Bare>(store: &S, orders: impl Iterator<Item = Order>) -> Outcome<()> {
    let balances = Balances::new();
    let mut rows = Vec::with_capacity(FILL_BATCH);
    for order in orders {
        balances.admit(order)?;
        rows.push(S::row(order)?);
        if rows.len() == FILL_BATCH {
            store.store(&mut rows)?;
            rows.clear();
        }
    }
    if !rows.is_empty() {
        store.store(&mut rows)?;
    }
    Ok(())
}

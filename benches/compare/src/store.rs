//! What a contestant has to offer.

use std::path::Path;

use crate::Outcome;
use crate::order::{Ledger, Order};

/// When an order counts as carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// It is on the disk, and would survive a power cut.
    Synced,
    /// It is handed to the operating system; syncing may come later.
    Relaxed,
}

/// What a caller is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receipt {
    /// The number that the store gave to the event.
    pub(crate) seq: u64,
    /// What the budget has spent with it.
    pub(crate) spent: u128,
}

/// Something that keeps spends in a directory.
pub(crate) trait Store: Sized + Send + Sync + 'static {
    /// Opens it, with whatever is in the directory.
    fn open(dir: &Path, level: Level) -> Outcome<Self>;

    /// Closes it, so that it can be opened again.
    fn close(self) -> Outcome<()>;

    /// A cold start: opens it, reads every event typed, and folds what it holds.
    fn replay(dir: &Path) -> Outcome<Ledger>;
}

/// One that is called from a thread and answers there.
pub(crate) trait Blocking: Store {
    /// Carries it out; once it returns, it is durable.
    fn spend(&self, order: Order) -> Outcome<Receipt>;
}

/// One that is called from a task.
pub(crate) trait Tasks: Store {
    /// Carries it out; once it is ready, it is durable.
    fn spend(&self, order: Order) -> impl Future<Output = Outcome<Receipt>> + Send;
}

/// One whose history can be filled fast and read from anywhere.
pub(crate) trait Chronicle: Store {
    /// Carries them out in vectors, at the level it was opened for.
    fn fill(&self, orders: impl Iterator<Item = Order>) -> Outcome<()>;

    /// Reads so many events typed, from that of the order with this number on, and adds up their amounts. The history was
    /// [filled](Self::fill) in the order of the numbers.
    fn read(&mut self, number: u64, count: u64) -> Outcome<u64>;
}

/// A bare store of rows: who uses it checks balances in memory and encodes events himself.
pub(crate) trait Bare: Store {
    /// What is stored of an event.
    type Row: Send;

    fn row(order: Order) -> Outcome<Self::Row>;

    /// Stores them in one go, and answers with the number of the first. What it writes into the rows is its own business.
    fn store(&self, rows: &mut [Self::Row]) -> Outcome<u64>;
}

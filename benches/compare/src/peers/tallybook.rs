//! Ours: typed commands through the whole engine, answered with receipts. It writes the same fields as the hosts of the
//! bare stores do, and besides remembers ids of spends, keeps what a budget has left on its whole path, and feeds.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tallybook::event::Payload;
use tallybook::{
    Blocking as Engine, BudgetId, CommandError, CommandResult, Durability, FeedItem, NewBudget, Options,
    RecordSpend, Request, Retention, Spend, Start,
};

use crate::Outcome;
use crate::host::FILL_BATCH;
use crate::order::{ACTOR, BUDGETS, LIMIT, Ledger, Order, Total, budget_ids, session_ids, tools};
use crate::store::{Blocking, Chronicle, Level, Receipt, Store, Tasks};

const INTERVAL: Duration = Duration::from_millis(50);
const DEADLINE: Duration = Duration::from_secs(60);

/// The names as a host keeps them, so that none is copied for a command.
struct Names {
    actor: Arc<str>,
    budgets: Vec<BudgetId>,
    sessions: Vec<Arc<str>>,
    tools: Vec<Arc<str>>,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    actor: ACTOR.into(),
    budgets: budget_ids().iter().map(|id| BudgetId::from(id.as_str())).collect(),
    sessions: session_ids().iter().map(|id| id.as_str().into()).collect(),
    tools: tools().iter().copied().map(Arc::from).collect(),
});

fn request(order: Order) -> Request {
    let spend = Spend::of(u128::from(order.amount)).tool(Arc::clone(&NAMES.tools[order.tool]));
    Request::new(RecordSpend::new(&NAMES.budgets[order.budget], spend))
        .session(Arc::clone(&NAMES.sessions[order.session]))
        .actor(Arc::clone(&NAMES.actor))
}

/// With a history that is kept whole, and no snapshot: a replay is one of every event.
fn open(dir: &Path, durability: Durability) -> Outcome<Engine> {
    let options =
        Options::new().durability(durability).retention(Retention::keep_all()).snapshot_bytes(u64::MAX);
    Ok(options.open_blocking(dir.join("book"))?)
}

fn open_at(dir: &Path, level: Level) -> Outcome<Engine> {
    let engine = match level {
        Level::Synced => open(dir, Durability::Sync)?,
        Level::Relaxed => open(dir, Durability::Interval(INTERVAL))?,
    };
    if engine.view().seq() == 0 {
        let budget = |id: &String| {
            Request::from(NewBudget::new(id.as_str()).unit("usd-micro").limit(u128::from(LIMIT)))
        };
        for pending in engine.submit_all(budget_ids().iter().map(budget).collect())? {
            pending.wait()?;
        }
    }
    Ok(engine)
}

fn replay(dir: &Path) -> Outcome<Ledger> {
    for entry in std::fs::read_dir(dir.join("book"))? {
        let name = entry?.file_name();
        if name.to_string_lossy().ends_with(".snap") {
            return Err(
                format!("expected a replay of every event, found the snapshot {}", name.display()).into()
            );
        }
    }
    let engine = open(dir, Durability::Sync)?;
    let (view, mut ledger) = (engine.view(), Ledger::default());
    for (name, id) in budget_ids().iter().zip(&NAMES.budgets) {
        let budget = view.budget(id).ok_or("a budget is gone")?;
        if budget.entry_count > 0 {
            ledger.set(name, Total { count: budget.entry_count, spent: budget.spent.try_into()? });
        }
    }
    engine.shutdown(DEADLINE)?;
    Ok(ledger)
}

fn receipt(answer: Result<tallybook::Receipt, CommandError>) -> Outcome<Receipt> {
    let receipt = answer?;
    let (Some(seq), CommandResult::Spend(spend)) = (receipt.last_seq, receipt.result) else {
        return Err("expected a spend as the answer to a spend".into());
    };
    Ok(Receipt { seq, spent: spend.amount })
}

/// A thread a command in flight.
#[derive(Debug)]
pub(crate) struct ByThreads(Engine);

impl Store for ByThreads {
    fn open(dir: &Path, level: Level) -> Outcome<ByThreads> {
        open_at(dir, level).map(ByThreads)
    }

    fn close(self) -> Outcome<()> {
        Ok(self.0.shutdown(DEADLINE)?)
    }

    fn replay(dir: &Path) -> Outcome<Ledger> {
        replay(dir)
    }
}

impl Blocking for ByThreads {
    fn spend(&self, order: Order) -> Outcome<Receipt> {
        receipt(self.0.execute(request(order)))
    }
}

/// A task a command in flight, and, as a chronicle, read through the feed.
#[derive(Debug)]
pub(crate) struct ByTasks {
    engine: Engine,
    handle: tallybook::Engine,
}

impl Store for ByTasks {
    fn open(dir: &Path, level: Level) -> Outcome<ByTasks> {
        let engine = open_at(dir, level)?;
        Ok(ByTasks { handle: engine.engine().clone(), engine })
    }

    fn close(self) -> Outcome<()> {
        Ok(self.engine.shutdown(DEADLINE)?)
    }

    fn replay(dir: &Path) -> Outcome<Ledger> {
        replay(dir)
    }
}

impl Tasks for ByTasks {
    async fn spend(&self, order: Order) -> Outcome<Receipt> {
        receipt(self.handle.execute(request(order)).await)
    }
}

/// The `seq` of the event of the order with this number: those of the budgets come before.
fn seq(number: u64) -> u64 {
    BUDGETS as u64 + number + 1
}

/// Hands vectors over, each while the one before is under way.
fn fill(engine: &Engine, mut orders: impl Iterator<Item = Order>) -> Outcome<()> {
    let mut before = Vec::new();
    loop {
        let requests: Vec<Request> = orders.by_ref().take(FILL_BATCH).map(request).collect();
        let is_last = requests.is_empty();
        let next = if is_last { Vec::new() } else { engine.submit_all(requests)? };
        for pending in std::mem::replace(&mut before, next) {
            receipt(pending.wait())?;
        }
        if is_last {
            return Ok(());
        }
    }
}

fn amount(payload: &Payload) -> Outcome<u64> {
    match payload {
        Payload::SpendRecorded(spend) => Ok(spend.amount.try_into()?),
        other => Err(format!("expected a spend, found {other:?}").into()),
    }
}

impl Chronicle for ByTasks {
    fn fill(&self, orders: impl Iterator<Item = Order>) -> Outcome<()> {
        fill(&self.engine, orders)
    }

    fn read(&mut self, number: u64, count: u64) -> Outcome<u64> {
        let mut feed = self.engine.subscribe(Start::From(seq(number)))?;
        let (mut sum, mut left) = (0, count);
        while left > 0 {
            match feed.next_blocking().ok_or("the feed is over")?? {
                FeedItem::Event(event) => {
                    sum += amount(&event.event.payload)?;
                    left -= 1;
                }
                other => return Err(format!("expected an event, found {other:?}").into()),
            }
        }
        Ok(sum)
    }
}

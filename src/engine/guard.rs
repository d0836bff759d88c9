//! A budget as a tool sees it: an object that it can check, spend of and reserve from, and nothing else.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::answer::CommandError;
use super::budgets::spend_of;
use super::handle::Engine;
use super::hold::Hold;
use crate::domain::{Allowance, NewReservation, RecordSpend, Request, Spend, SpendRecord, Ttl};
use crate::ids::BudgetId;

/// What a [`BudgetGuard`] gives.
pub type GuardFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, CommandError>> + Send + 'a>>;

/// A budget that can be handed to a tool as an object: it can check, spend and reserve within the limits, settle what
/// it reserved, and do nothing else. It can neither widen, reverse nor close. What it settles beyond a reservation is
/// booked all the same, and is overage where it passes a limit.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use tallybook::{BudgetGuard, CommandError, Engine, NewBudget, Spend, Ttl};
///
/// /// A tool that knows nothing of engines.
/// async fn search(query: &str, budget: &dyn BudgetGuard) -> Result<String, CommandError> {
///     let hold = budget.reserve(500, Ttl::secs(30)).await?;
///     let found = format!("what is known about {query}"); // here it would ask somebody
///     hold.settle(Spend::of(420).tool("web.search")).await?;
///     Ok(found)
/// }
///
/// let engine = Engine::open(&dir).await?;
/// engine.allocate(NewBudget::new("task-7").unit("usd-micro").limit(800)).await?;
/// let budget = engine.guard("task-7");
/// search("tallies", &*budget).await?;
/// assert!(matches!(search("books", &*budget).await, Err(CommandError::Refused(_))));
/// # Ok(()) }) }
/// ```
pub trait BudgetGuard: fmt::Debug + Send + Sync {
    /// The budget.
    fn budget_id(&self) -> &BudgetId;

    /// Whether an amount would be admitted now. See [`Engine::check`].
    fn check(&self, amount: u128) -> GuardFuture<'_, Allowance>;

    /// Spends, if the limits allow it. See [`Engine::record_spend`].
    fn record(&self, spend: Spend) -> GuardFuture<'_, SpendRecord>;

    /// Sets an amount aside, if the limits allow it. See [`Engine::reserve`].
    fn reserve(&self, amount: u128, ttl: Ttl) -> GuardFuture<'_, Hold>;
}

/// A budget of an engine as a [`BudgetGuard`], with who asks: an actor and a session that a tool cannot change. A [`Hold`]
/// that it gave is settled and released on their behalf, too.
#[derive(Debug, Clone)]
pub struct EngineGuard {
    engine: Engine,
    budget_id: BudgetId,
    actor: Option<Arc<str>>,
    session_id: Option<Arc<str>>,
}

impl EngineGuard {
    /// The budget of that id, which may be made later.
    pub fn new(engine: &Engine, budget_id: impl Into<BudgetId>) -> EngineGuard {
        EngineGuard { engine: engine.clone(), budget_id: budget_id.into(), actor: None, session_id: None }
    }

    /// On behalf of an actor.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<Arc<str>>) -> EngineGuard {
        self.actor = Some(actor.into());
        self
    }

    /// As part of a session.
    #[must_use]
    pub fn session(mut self, session_id: impl Into<Arc<str>>) -> EngineGuard {
        self.session_id = Some(session_id.into());
        self
    }

    fn request(&self, request: impl Into<Request>) -> Request {
        let (actor, session_id) = (self.actor.clone(), self.session_id.clone());
        Request { actor, session_id, ..request.into() }
    }
}

impl BudgetGuard for EngineGuard {
    fn budget_id(&self) -> &BudgetId {
        &self.budget_id
    }

    fn check(&self, amount: u128) -> GuardFuture<'_, Allowance> {
        let (actor, session_id) = (self.actor.clone(), self.session_id.clone());
        Box::pin(self.engine.check_for(&self.budget_id, amount, actor, session_id))
    }

    fn record(&self, spend: Spend) -> GuardFuture<'_, SpendRecord> {
        let request = self.request(RecordSpend::new(&self.budget_id, spend));
        Box::pin(async move { spend_of(self.engine.execute(request).await?) })
    }

    fn reserve(&self, amount: u128, ttl: Ttl) -> GuardFuture<'_, Hold> {
        let request = self.request(NewReservation::new(&self.budget_id, amount).ttl(ttl));
        Box::pin(self.engine.reserve_with(request))
    }
}

impl Engine {
    /// A budget as an object to hand to tools. To act on behalf of somebody, make an [`EngineGuard`].
    pub fn guard(&self, budget_id: impl Into<BudgetId>) -> Arc<dyn BudgetGuard> {
        Arc::new(EngineGuard::new(self, budget_id))
    }
}

//! Budgets: what is spent, reserved and left of a limit.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use crate::clock::Timestamp;
use crate::event::{BudgetTerms, Fraction, Meta, Span};
use crate::ids::{BudgetId, ReservationId};

/// The unit of the budgets of goals.
pub const UNIT_TOKENS: &str = "tokens";

static TOKENS: LazyLock<Arc<str>> = LazyLock::new(|| UNIT_TOKENS.into());

/// Where a budget alerts that is not told where: at 0.5, 0.8 and 0.95 of its limit. Part of the fold version for the
/// budgets of goals, since no event says it for them.
pub static DEFAULT_THRESHOLDS: LazyLock<Arc<[Fraction]>> =
    LazyLock::new(|| [500_000, 800_000, 950_000].into_iter().filter_map(Fraction::from_ppm).collect());

/// A budget as of one moment. The token usage of a goal is one: `goal:<goal_id>`.
///
/// Always `limit + overage() = spent + reserved + remaining()`, where there is a limit.
///
/// What changes with every spend is here; the rest ([`BudgetFacts`], [`BudgetExtras`]) is reached through it as if it
/// were: `budget.id`, `budget.terms`, `budget.meta`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// What is spent, here and below: in this window, where it has windows.
    pub spent: u128,
    /// What was spent for life, here and below.
    pub spent_total: u128,
    /// What is set aside, here and below.
    pub reserved: u128,
    /// How many of the thresholds, from the lowest on, have been crossed.
    pub crossed: usize,
    /// How many spends were booked here; neither those of budgets below, nor the tokens of turns.
    pub entry_count: u64,
    /// When it changed last.
    pub updated_at: Timestamp,
    pub(super) facts: Arc<BudgetFacts>,
}

/// What seldom changes of a budget; shared by all states in which it is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BudgetFacts {
    /// Its id.
    pub id: BudgetId,
    /// What is counted.
    pub unit: Arc<str>,
    /// The budget that it hangs under.
    pub parent: Option<BudgetId>,
    /// How it is limited.
    pub terms: BudgetTerms,
    /// When it was made.
    pub created_at: Timestamp,
    /// The `seq` of the event that made it: the order of listings.
    pub(super) made_seq: u64,
    pub(super) extras: Arc<BudgetExtras>,
}

/// What most budgets never have; those that have none of it share one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BudgetExtras {
    /// The window that it is in, where it has windows.
    pub span: Option<Span>,
    /// What of all that was spent for life passed the limit when it was booked; what was taken back since is not taken
    /// off. It stays at 2^128 − 1 should it come that far.
    pub overage_total: u128,
    /// How much of the work behind it is done; `None`: nobody has said.
    pub progress: Option<Fraction>,
    /// Who may widen it; `None`: everyone, empty: nobody.
    pub widen_by: Option<Arc<[Arc<str>]>>,
    /// How it was closed; `None` while it is not.
    pub closing: Option<Arc<Closing>>,
    /// The metadata that its making carried.
    pub meta: Option<Meta>,
    /// The `seq` of the event with which what is spent began anew; 0: never. A spend from before is part of the totals
    /// only.
    pub(super) rolled_seq: u64,
}

static NO_EXTRAS: LazyLock<Arc<BudgetExtras>> = LazyLock::new(Arc::default);

impl BudgetExtras {
    /// Shared by all that have none.
    pub(super) fn shared(self) -> Arc<BudgetExtras> {
        if self == **NO_EXTRAS { NO_EXTRAS.clone() } else { Arc::new(self) }
    }
}

impl Deref for Budget {
    type Target = BudgetFacts;

    fn deref(&self) -> &BudgetFacts {
        &self.facts
    }
}

impl Deref for BudgetFacts {
    type Target = BudgetExtras;

    fn deref(&self) -> &BudgetExtras {
        &self.extras
    }
}

/// How a budget was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closing {
    /// When.
    pub at: Timestamp,
    /// The reservations that were released by it, those of budgets closed along with it included.
    pub released: Arc<[ReservationId]>,
}

/// What a budget is open for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BudgetStatus {
    /// What is spent has not reached the limit, or there is none. What is set aside may leave nothing of it.
    Active,
    /// What is spent has reached the limit, a hard one or a soft one.
    Exhausted,
    /// Closed, for good.
    Closed,
}

impl BudgetStatus {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            BudgetStatus::Active => "active",
            BudgetStatus::Exhausted => "exhausted",
            BudgetStatus::Closed => "closed",
        }
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<BudgetStatus> {
        [BudgetStatus::Active, BudgetStatus::Exhausted, BudgetStatus::Closed]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// A budget, and what its path leaves of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BudgetView {
    /// The budget.
    pub budget: Budget,
    /// The least that remains on the path to the root; `None`: no budget on it has a limit.
    pub available: Option<u128>,
}

impl Deref for BudgetView {
    type Target = Budget;

    fn deref(&self) -> &Budget {
        &self.budget
    }
}

impl Budget {
    /// How much may be spent; `None`: it only counts.
    pub fn limit(&self) -> Option<u128> {
        self.terms.limit
    }

    /// Whether it is active, exhausted or closed.
    pub fn status(&self) -> BudgetStatus {
        match (&self.closing, self.is_exhausted()) {
            (Some(_), _) => BudgetStatus::Closed,
            (None, true) => BudgetStatus::Exhausted,
            (None, false) => BudgetStatus::Active,
        }
    }

    /// What is spent and reserved beyond the limit. Events, alerts and [`overage_total`](BudgetExtras::overage_total) count
    /// what is spent only.
    pub fn overage(&self) -> u128 {
        overage(self.terms.limit, self.spent.saturating_add(self.reserved))
    }

    /// What can still be spent or reserved within the limit; `None`: there is no limit.
    pub fn remaining(&self) -> Option<u128> {
        self.terms.limit.map(|limit| limit.saturating_sub(self.spent.saturating_add(self.reserved)))
    }

    /// Whether what is spent has reached the limit. Reservations exhaust nothing.
    pub fn is_exhausted(&self) -> bool {
        is_exhausted(self.terms.limit, self.spent)
    }

    /// Whether it is exhausted, and its limit a hard one: then nothing below it is admitted, and no goal active.
    pub fn is_blocking(&self) -> bool {
        self.terms.hard && self.is_exhausted()
    }

    /// Whether nothing is admitted any more.
    pub fn is_closed(&self) -> bool {
        self.closing.is_some()
    }

    /// The thresholds that have been crossed.
    pub fn crossed_thresholds(&self) -> &[Fraction] {
        self.terms.thresholds.get(..self.crossed).unwrap_or(&self.terms.thresholds)
    }

    /// What is counted in the budgets of goals.
    pub(super) fn tokens() -> Arc<str> {
        TOKENS.clone()
    }

    /// A budget without anything spent or set aside.
    pub(super) fn new(facts: BudgetFacts) -> Budget {
        Budget {
            spent: 0,
            spent_total: 0,
            reserved: 0,
            crossed: 0,
            entry_count: 0,
            updated_at: facts.created_at,
            facts: Arc::new(facts),
        }
    }

    /// What seldom changes, to be changed.
    pub(super) fn facts_mut(&mut self) -> &mut BudgetFacts {
        Arc::make_mut(&mut self.facts)
    }

    /// What most budgets never have, to be given.
    pub(super) fn extras_mut(&mut self) -> &mut BudgetExtras {
        Arc::make_mut(&mut self.facts_mut().extras)
    }
}

/// `max(0, used − limit)`.
pub(super) fn overage(limit: Option<u128>, used: u128) -> u128 {
    limit.map_or(0, |limit| used.saturating_sub(limit))
}

/// Exhausted ⇔ `spent ≥ limit`.
pub(super) fn is_exhausted(limit: Option<u128>, spent: u128) -> bool {
    limit.is_some_and(|limit| spent >= limit)
}

/// Whether what is spent has reached a threshold.
pub(super) fn is_reached(threshold: Fraction, limit: u128, spent: u128) -> bool {
    // Most often it is far from it. To tell that much takes no division: 2^20 parts are more than a million.
    let at_least = (limit >> 20).saturating_mul(u128::from(threshold.ppm()));
    spent >= at_least && spent >= threshold.of(limit)
}

/// Which budgets to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetQuery {
    /// No more than so many.
    pub limit: usize,
    /// Only those made before this one. An id that is not known finds nothing.
    pub before: Option<BudgetId>,
    /// Only those right under this one.
    pub parent: Option<BudgetId>,
    /// Only those of this unit.
    pub unit: Option<Arc<str>>,
    /// Only those with this status.
    pub status: Option<BudgetStatus>,
}

impl Default for BudgetQuery {
    /// The newest hundred.
    fn default() -> BudgetQuery {
        BudgetQuery { limit: 100, before: None, parent: None, unit: None, status: None }
    }
}

//! Commands about budgets as a whole.

use std::sync::Arc;

use crate::event::{Fraction, Window};
use crate::ids::BudgetId;

/// The limit of a new budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Limit {
    /// The [default](crate::domain::Rules::default_limit) of the engine; rejected where there is none.
    #[default]
    Default,
    /// None: the budget only counts.
    Unlimited,
    /// So much; 0 is taken for [`Default`](Limit::Default).
    Of(u128),
}

/// Make a budget.
///
/// ```
/// use tallybook::NewBudget;
/// let budget = NewBudget::new("task-7").unit("usd-micro").limit(10_000_000).parent("team");
/// # let _ = budget;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBudget {
    /// Its id.
    pub budget_id: BudgetId,
    /// What is counted: 1 to 200 bytes without control characters.
    pub unit: Arc<str>,
    /// How much may be spent.
    pub limit: Limit,
    /// The budget that it hangs under, for good; of the same unit, and not one of a goal.
    pub parent: Option<BudgetId>,
    /// Whether admission is refused beyond the limit. A soft limit lets pass and says so.
    pub hard: bool,
    /// Where to alert, as fractions of the limit, above 0 and at most 64; `None`: at 0.5, 0.8 and 0.95.
    pub thresholds: Option<Vec<Fraction>>,
    /// When what is spent begins anew; `None`: never.
    pub window: Option<Window>,
    /// Who may widen it, at most 64 actors, for good; `None`: everyone. An empty list: nobody. What
    /// [`AdjustBudget`] calls widening is guarded by it, and what gives room back at the budget or below it as widening does:
    /// taking back spends, and setting a meter forward. Spending, closing, and ending a reservation are open to every caller.
    /// The [actor](crate::Request::actor) is whom the host says it is.
    pub widen_by: Option<Vec<Arc<str>>>,
}

impl NewBudget {
    /// The unit of a budget that is not told any.
    pub const DEFAULT_UNIT: &'static str = "units";

    /// A budget of [units](Self::DEFAULT_UNIT) with the default limit, hard, without a window, at the root.
    pub fn new(budget_id: impl Into<BudgetId>) -> NewBudget {
        NewBudget {
            budget_id: budget_id.into(),
            unit: Self::DEFAULT_UNIT.into(),
            limit: Limit::Default,
            parent: None,
            hard: true,
            thresholds: None,
            window: None,
            widen_by: None,
        }
    }

    /// Counting in that unit.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<Arc<str>>) -> NewBudget {
        self.unit = unit.into();
        self
    }

    /// With a limit.
    #[must_use]
    pub fn limit(mut self, limit: u128) -> NewBudget {
        self.limit = Limit::Of(limit);
        self
    }

    /// Without a limit: it only counts.
    #[must_use]
    pub fn unlimited(mut self) -> NewBudget {
        self.limit = Limit::Unlimited;
        self
    }

    /// Under another budget.
    #[must_use]
    pub fn parent(mut self, parent: impl Into<BudgetId>) -> NewBudget {
        self.parent = Some(parent.into());
        self
    }

    /// With a limit that lets pass and says so.
    #[must_use]
    pub fn soft(mut self) -> NewBudget {
        self.hard = false;
        self
    }

    /// Alerting at these fractions of the limit.
    #[must_use]
    pub fn thresholds(mut self, thresholds: impl IntoIterator<Item = Fraction>) -> NewBudget {
        self.thresholds = Some(thresholds.into_iter().collect());
        self
    }

    /// Beginning anew with every window.
    #[must_use]
    pub fn window(mut self, window: Window) -> NewBudget {
        self.window = Some(window);
        self
    }

    /// That only these actors may widen.
    #[must_use]
    pub fn widen_by<A: Into<Arc<str>>>(mut self, actors: impl IntoIterator<Item = A>) -> NewBudget {
        self.widen_by = Some(actors.into_iter().map(Into::into).collect());
        self
    }
}

/// Change how a budget is limited; what is left out stays. To widen it, an actor may have to be
/// [named](NewBudget::widen_by): raising or removing the limit, loosening hard to soft, moving thresholds up or
/// dropping them, changing the window in whatever way. Lowering and tightening is open to everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdjustBudget {
    /// The budget.
    pub budget_id: BudgetId,
    /// The limit; `Some(None)`: unlimited. 0 lets nothing pass any more; not for the budget of a goal.
    pub limit: Option<Option<u128>>,
    /// Whether the limit is a hard one.
    pub hard: Option<bool>,
    /// Where to alert.
    pub thresholds: Option<Vec<Fraction>>,
    /// The window; `Some(None)`: none. The budget of a goal has none.
    pub window: Option<Option<Window>>,
}

impl AdjustBudget {
    /// Changes nothing, until told what.
    pub fn new(budget_id: impl Into<BudgetId>) -> AdjustBudget {
        AdjustBudget { budget_id: budget_id.into(), limit: None, hard: None, thresholds: None, window: None }
    }

    /// To this limit.
    #[must_use]
    pub fn limit(mut self, limit: u128) -> AdjustBudget {
        self.limit = Some(Some(limit));
        self
    }

    /// To no limit.
    #[must_use]
    pub fn unlimited(mut self) -> AdjustBudget {
        self.limit = Some(None);
        self
    }

    /// To a hard limit (`true`), or a soft one.
    #[must_use]
    pub fn hard(mut self, hard: bool) -> AdjustBudget {
        self.hard = Some(hard);
        self
    }

    /// To these alerts.
    #[must_use]
    pub fn thresholds(mut self, thresholds: impl IntoIterator<Item = Fraction>) -> AdjustBudget {
        self.thresholds = Some(thresholds.into_iter().collect());
        self
    }

    /// To this window, or none. What is spent counts on until the end of the one that is now.
    #[must_use]
    pub fn window(mut self, window: Option<Window>) -> AdjustBudget {
        self.window = Some(window);
        self
    }
}

/// Set the progress of the work behind a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetProgress {
    /// The budget.
    pub budget_id: BudgetId,
    /// How much is done.
    pub progress: Fraction,
}

/// Close a budget: nothing is admitted any more, its reservations are released, those of unknown outcome included. What
/// was incurred, or is settled after all, is still booked, as late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseBudget {
    /// The budget.
    pub budget_id: BudgetId,
    /// Whether the open budgets below it are closed along with it; otherwise it is not closed while there are any.
    pub with_children: bool,
}

impl CloseBudget {
    /// Closes a budget without open budgets below it.
    pub fn new(budget_id: impl Into<BudgetId>) -> CloseBudget {
        CloseBudget { budget_id: budget_id.into(), with_children: false }
    }

    /// And those below it.
    #[must_use]
    pub fn with_children(mut self) -> CloseBudget {
        self.with_children = true;
        self
    }
}

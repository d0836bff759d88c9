//! What happens to budgets as such.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::event::Fraction;
use crate::ids::{BudgetId, ReservationId};

/// An amount on a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The budget.
    pub budget_id: BudgetId,
    /// How much, in the budget's unit.
    pub amount: u128,
}

/// What was spent reached a budget's limit: once, until a raised limit, a reversal or a new window clears it; again
/// where a soft limit that is reached becomes a hard one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetExhausted {
    /// The budget.
    pub budget_id: BudgetId,
    /// Its limit.
    pub limit: u128,
    /// What is spent.
    pub spent: u128,
    /// What of that is beyond the limit.
    pub overage: u128,
    /// Whether the limit is a hard one: then every goal below is paused in this frame.
    pub hard: bool,
}

/// What was spent reached one of a budget's thresholds. Once per threshold until the limit or the thresholds change, or
/// a new window begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThresholdCrossed {
    /// The budget.
    pub budget_id: BudgetId,
    /// The threshold, as a fraction of the limit.
    pub threshold: Fraction,
    /// The limit.
    pub limit: u128,
    /// What is spent.
    pub spent: u128,
}

/// How a budget is limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetTerms {
    /// How much may be spent; `None`: it only counts.
    pub limit: Option<u128>,
    /// Whether admission is refused beyond the limit. A soft limit lets pass and says so.
    pub hard: bool,
    /// Where to alert, as fractions of the limit: ascending, each once, none 0.
    pub thresholds: Arc<[Fraction]>,
    /// When what is spent begins anew; `None`: never.
    pub window: Option<Arc<Window>>,
}

/// How often what is spent of a budget begins anew.
///
/// Years, months, weeks and days are steps of the zone's calendar, so that a day has 23 hours or 25 where the clock is
/// set; hours, minutes and seconds are elapsed time. Windows are counted from the anchor: months from 31 January begin
/// on 28 February and on 31 March.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Window {
    /// `hour`, `day`, `week`, `month`, or an ISO 8601 duration of whole units from `PT1S` to `P100Y`.
    pub every: Arc<str>,
    /// Where one of the windows starts; `None`: where the calendar has them start, at local midnight, weeks on Mondays,
    /// months on the 1st; ISO 8601 durations at the start of 1970, those of whole weeks on Monday, 1970-01-05.
    pub anchor: Option<Timestamp>,
    /// The IANA time zone whose calendar counts; `None`: UTC.
    pub tz: Option<Arc<str>>,
}

impl Window {
    /// Windows of that kind: `hour`, `day`, `week`, `month`, or an ISO 8601 duration (`PT6H`, `P14D`), by the calendar
    /// of UTC. What is none is rejected by the command that it is given to.
    ///
    /// ```
    /// use tallybook::Window;
    /// let window = Window::every("month").tz("Europe/Berlin");
    /// # let _ = window;
    /// ```
    pub fn every(every: impl Into<Arc<str>>) -> Window {
        Window { every: every.into(), anchor: None, tz: None }
    }

    /// One of which starts then.
    #[must_use]
    pub fn anchor(mut self, anchor: Timestamp) -> Window {
        self.anchor = Some(anchor);
        self
    }

    /// By the calendar of that IANA time zone.
    #[must_use]
    pub fn tz(mut self, tz: impl Into<Arc<str>>) -> Window {
        self.tz = Some(tz.into());
        self
    }
}

/// One window: from its start on, up to and without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
}

/// A budget was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetAllocated {
    /// The budget.
    pub budget_id: BudgetId,
    /// What is counted.
    pub unit: Arc<str>,
    /// The budget that it hangs under.
    pub parent: Option<BudgetId>,
    /// How it is limited.
    pub terms: BudgetTerms,
    /// The window that it begins in, where its terms have windows.
    pub span: Option<Span>,
    /// Who may widen it; `None`: everyone.
    pub widen_by: Option<Arc<[Arc<str>]>>,
}

/// The terms of a budget were changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetAdjusted {
    /// The budget.
    pub budget_id: BudgetId,
    /// How it was limited.
    pub previous: BudgetTerms,
    /// How it is limited now.
    pub terms: BudgetTerms,
    /// The window that it is in now, where its terms have windows. What is spent counts on in it.
    pub span: Option<Span>,
}

/// The progress of the work behind a budget was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressSet {
    /// The budget.
    pub budget_id: BudgetId,
    /// How much is done.
    pub progress: Fraction,
}

/// A budget was closed: nothing is admitted any more. What was incurred is still booked, as late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetClosed {
    /// The budget.
    pub budget_id: BudgetId,
    /// The budget above whose closing brought this one about.
    pub by_budget: Option<BudgetId>,
    /// Its reservations that were released by it, those of budgets closed along with it included.
    pub released: Vec<ReservationId>,
}

/// A window ended, and the next began: nothing is spent in it yet. Open reservations carry over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowRolled {
    /// The budget.
    pub budget_id: BudgetId,
    /// The window that ended.
    pub ended: Span,
    /// What was spent in it.
    pub spent: u128,
    /// The window that began; windows in between, in which nothing happened, are left out.
    pub span: Span,
}

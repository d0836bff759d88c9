//! What is to be otherwise.

use std::collections::BTreeMap;

use super::prices::PriceTable;
use crate::domain::Budget;
use crate::error::{Error, ErrorKind};
use crate::event::BudgetTerms;
use crate::ids::BudgetId;

/// What is to be otherwise when a history is decided again; nothing, until told.
///
/// ```
/// use tallybook::forensics::Changes;
/// let changes = Changes::new().limit("task-7", Some(5_000_000)).hard("team", false);
/// assert_eq!(Changes::new().set("task-7.limit=5000000").unwrap().set("team.hard=false").unwrap(), changes);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    budgets: BTreeMap<BudgetId, Terms>,
    default_limit: Option<Option<u128>>,
    prices: Option<PriceTable>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Terms {
    limit: Option<Option<u128>>,
    hard: Option<bool>,
}

impl Changes {
    /// Nothing.
    pub fn new() -> Changes {
        Changes::default()
    }

    /// Whether nothing is to be otherwise.
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }

    /// The limit of that budget, the tokens of a goal included (`goal:<id>`), whatever adjusts it; `None`: none.
    #[must_use]
    pub fn limit(mut self, budget: impl Into<BudgetId>, limit: Option<u128>) -> Changes {
        self.budgets.entry(budget.into()).or_default().limit = Some(limit);
        self
    }

    /// Whether the limit of that budget is a hard one, whatever adjusts it.
    #[must_use]
    pub fn hard(mut self, budget: impl Into<BudgetId>, hard: bool) -> Changes {
        self.budgets.entry(budget.into()).or_default().hard = Some(hard);
        self
    }

    /// The limit of every budget that has none set by [`limit`](Self::limit), those of goals left out. Which of them had
    /// their limit by default a journal does not tell.
    #[must_use]
    pub fn default_limit(mut self, limit: Option<u128>) -> Changes {
        self.default_limit = Some(limit);
        self
    }

    /// What quantities cost.
    #[must_use]
    pub fn prices(mut self, prices: PriceTable) -> Changes {
        self.prices = Some(prices);
        self
    }

    /// A change as the command line has it: `BUDGET.limit=AMOUNT`, `BUDGET.limit=none`, `BUDGET.hard=true`,
    /// `BUDGET.hard=false`, `default-limit=AMOUNT` or `default-limit=none`.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else.
    pub fn set(self, text: &str) -> Result<Changes, Error> {
        let wrong = |found: &str| {
            let expected =
                "BUDGET.limit=AMOUNT (or none), BUDGET.hard=true (or false) or default-limit=AMOUNT";
            Error::new(ErrorKind::InvalidArgument, format!("expected {expected}, found {found:?}"))
        };
        let (what, value) = text.rsplit_once('=').ok_or_else(|| wrong(text))?;
        if what == "default-limit" {
            return Ok(self.default_limit(limit(value).ok_or_else(|| wrong(text))?));
        }
        let (budget, field) = what.rsplit_once('.').ok_or_else(|| wrong(text))?;
        let id = BudgetId::from(budget);
        let is_goals = matches!(id, BudgetId::Goal(_));
        match (field, value) {
            _ if budget.is_empty() => Err(wrong(text)),
            ("limit", "0") if is_goals => Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("expected a limit of more than 0, or none, for the tokens of a goal, found {text:?}"),
            )),
            ("limit", value) => Ok(self.limit(id, limit(value).ok_or_else(|| wrong(text))?)),
            ("hard", "true") => Ok(self.hard(id, true)),
            ("hard", "false") => Ok(self.hard(id, false)),
            _ => Err(wrong(text)),
        }
    }

    pub(super) fn price_table(&self) -> Option<&PriceTable> {
        self.prices.as_ref()
    }

    /// The limit that a budget is to have, if that is changed.
    pub(super) fn limit_of(&self, id: &BudgetId) -> Option<Option<u128>> {
        let own = self.budgets.get(id).and_then(|terms| terms.limit);
        own.or_else(|| self.default_limit.filter(|_| matches!(id, BudgetId::Named(_))))
    }

    /// Whether the limit of a budget is to be a hard one, if that is changed.
    pub(super) fn hard_of(&self, id: &BudgetId) -> Option<bool> {
        self.budgets.get(id).and_then(|terms| terms.hard)
    }

    /// The terms that a budget is to have from now on, if they are to be others.
    pub(super) fn terms_of(&self, budget: &Budget) -> Option<BudgetTerms> {
        let mut terms = budget.terms.clone();
        terms.limit = self.limit_of(&budget.id).unwrap_or(terms.limit);
        terms.hard = self.hard_of(&budget.id).unwrap_or(terms.hard);
        (terms != budget.terms && !budget.is_closed()).then_some(terms)
    }

    /// The budgets that are named.
    pub(super) fn named(&self) -> impl Iterator<Item = &BudgetId> {
        self.budgets.keys()
    }

    /// Whether every budget is to have another limit.
    pub(super) fn has_default(&self) -> bool {
        self.default_limit.is_some()
    }
}

/// An amount in digits, or `none`.
fn limit(text: &str) -> Option<Option<u128>> {
    match text {
        "none" => Some(None),
        _ => crate::event::value::read_u128(text.as_bytes()).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_from_behind_since_budgets_may_be_named_anything() {
        let changes = Changes::new().set("a.b=c.limit=none").unwrap().set("x.hard.limit=0").unwrap();
        assert_eq!(changes, Changes::new().limit("a.b=c", None).limit("x.hard", Some(0)));
        let changes = Changes::new().set("default-limit=7").unwrap().limit("a", Some(1));
        assert_eq!(changes.limit_of(&"a".into()), Some(Some(1)));
        assert_eq!(changes.limit_of(&"b".into()), Some(Some(7)));
        let goal: BudgetId = "goal:0190b5a8-7b1c-7000-8000-000000000001".into();
        assert_eq!(changes.limit_of(&goal), None);
    }

    #[test]
    fn what_is_no_change_is_refused() {
        let goal = "goal:0190b5a8-7b1c-7000-8000-000000000001.limit=0";
        for text in [
            "",
            "a",
            "a.limit",
            "a.limit=",
            "a.limit=-1",
            "a.limit=01",
            "a.limit=1.5",
            "a.hard=yes",
            "a.soft=true",
            ".limit=1",
            "limit=1",
            "default-limit=",
            "default-limit=x",
            goal,
        ] {
            let error = Changes::new().set(text).unwrap_err();
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
}

//! The JSON of a budget.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::text::Text;
use crate::domain::{Budget, State};

/// A budget as JSON: amounts as strings, what is not there as null.
#[derive(Debug, Clone, Copy)]
pub struct BudgetJson<'a> {
    /// The budget.
    pub budget: &'a Budget,
    /// The state that it is of: what is available depends on the budgets above it.
    pub state: &'a State,
}

impl BudgetJson<'_> {
    /// The least that remains on the path to the root; `None`: no budget on it has a limit.
    fn available(&self) -> Option<u128> {
        let parent = |budget: &&Budget| budget.parent.as_ref().and_then(|id| self.state.budget(id));
        std::iter::successors(Some(self.budget), parent).filter_map(Budget::remaining).min()
    }
}

impl Serialize for BudgetJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Budget { id, unit, terms, spent, parent, created_at, updated_at, .. } = self.budget;
        let limit = terms.limit;
        let mut budget = serializer.serialize_struct("Budget", 11)?;
        budget.serialize_field("budget_id", &Text(id))?;
        budget.serialize_field("unit", &**unit)?;
        budget.serialize_field("limit", &limit.map(Text))?;
        budget.serialize_field("spent", &Text(spent))?;
        budget.serialize_field("remaining", &self.budget.remaining().map(Text))?;
        budget.serialize_field("available", &self.available().map(Text))?;
        budget.serialize_field("overage", &Text(self.budget.overage()))?;
        budget.serialize_field("parent", &parent.as_ref().map(Text))?;
        budget.serialize_field("created_at", &Text(created_at))?;
        budget.serialize_field("updated_at", &Text(updated_at))?;
        budget.end()
    }
}

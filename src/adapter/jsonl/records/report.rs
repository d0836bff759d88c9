//! The report of a budget that was closed.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::super::text::{MetaJson, Text};
use crate::domain::Budget;

/// The report of a budget that was closed, as JSON: amounts as strings, what is not there as null.
#[derive(Debug, Clone, Copy)]
pub struct ReportJson<'a>(pub &'a Budget);

impl ReportJson<'_> {
    /// How long the budget was open.
    fn duration_ms(&self) -> u64 {
        let closed_at = self.0.closing.as_ref().map_or(self.0.updated_at, |closing| closing.at);
        u64::try_from(closed_at.saturating_since(self.0.created_at).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Serialize for ReportJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let budget = self.0;
        let released = budget.closing.as_ref().map(|closing| &*closing.released).unwrap_or_default();

        let mut json = serializer.serialize_struct("Report", 9)?;
        json.serialize_field("budget_id", &Text(&budget.id))?;
        json.serialize_field("limit", &budget.limit().map(Text))?;
        json.serialize_field("spent", &Text(budget.spent))?;
        json.serialize_field("spent_total", &Text(budget.spent_total))?;
        json.serialize_field("entry_count", &budget.entry_count)?;
        json.serialize_field("duration_ms", &self.duration_ms())?;
        json.serialize_field("status", budget.status().name())?;
        json.serialize_field("released", &released.iter().map(Text).collect::<Vec<_>>())?;
        json.serialize_field("meta", &budget.meta.as_ref().map(MetaJson))?;
        json.end()
    }
}

//! The JSON of a refusal.

use super::super::text::Text;
use crate::domain::Refusal;
use crate::ids::{BudgetId, ReservationId};

/// A refusal, with the figures that explain it.
#[derive(serde::Serialize)]
pub(super) struct RefusalJson<'a> {
    kind: &'static str,
    /// A check has none, since it writes nothing; null: one of too many alike, which has no event of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<Option<u64>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    suppressed: bool,
    budget_id: Text<&'a BudgetId>,
    limit: Option<Text<u128>>,
    spent: Text<u128>,
    reserved: Text<u128>,
    amount: Text<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_id: Option<Text<&'a ReservationId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl RefusalJson<'_> {
    /// The refusal of a command.
    pub(super) fn of_command(refusal: &Refusal) -> RefusalJson<'_> {
        RefusalJson {
            kind: refusal.kind.name(),
            seq: Some(refusal.seq),
            suppressed: refusal.suppressed,
            budget_id: Text(&refusal.budget_id),
            limit: refusal.limit.map(Text),
            spent: Text(refusal.spent),
            reserved: Text(refusal.reserved),
            amount: Text(refusal.amount),
            reservation_id: refusal.reservation_id.as_ref().map(Text),
            reason: refusal.reason.as_deref(),
        }
    }

    /// What a check says.
    pub(super) fn of_check(refusal: &Refusal) -> RefusalJson<'_> {
        RefusalJson { seq: None, suppressed: false, ..RefusalJson::of_command(refusal) }
    }
}

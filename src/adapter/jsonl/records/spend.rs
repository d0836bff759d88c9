//! The JSON of a spend.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::super::text::{MetaJson, Text};
use crate::domain::SpendRecord;
use crate::event::{Charge, Quantity, SpendDetails};
use crate::ids::BudgetId;

/// A spend as JSON: amounts as strings, what is not there as null.
///
/// Only for `serde_json`: metadata are written as the bytes that they were given as.
#[derive(Debug, Clone, Copy)]
pub struct SpendJson<'a>(pub &'a SpendRecord);

impl Serialize for SpendJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let spend = self.0;
        let SpendDetails { peer, tool, reason, quantities, occurred_at } = &spend.details;
        let overage: Vec<ChargeJson<'_>> = spend.overage.iter().map(ChargeJson::of).collect();

        let mut json = serializer.serialize_struct("Spend", 18)?;
        json.serialize_field("spend_id", &Text(&spend.spend_id))?;
        json.serialize_field("budget_id", &Text(&spend.budget_id))?;
        json.serialize_field("amount", &Text(spend.amount))?;
        json.serialize_field("reversed", &Text(spend.reversed))?;
        json.serialize_field("late", &spend.late)?;
        json.serialize_field("incurred", &spend.incurred)?;
        json.serialize_field("overage", &overage)?;
        json.serialize_field("reservation_id", &spend.reservation_id.as_ref().map(Text))?;
        json.serialize_field("goal_id", &spend.goal_id.map(Text))?;
        json.serialize_field("meter_id", &spend.meter_id.as_ref().map(Text))?;
        json.serialize_field("peer", peer)?;
        json.serialize_field("tool", tool)?;
        json.serialize_field("reason", reason)?;
        json.serialize_field("quantities", &Quantities(quantities))?;
        json.serialize_field("occurred_at", &occurred_at.map(Text))?;
        json.serialize_field("seq", &spend.seq)?;
        json.serialize_field("created_at", &Text(spend.at))?;
        json.serialize_field("meta", &spend.meta.as_ref().map(MetaJson))?;
        json.end()
    }
}

/// What of a spend passed the limit of a budget.
#[derive(serde::Serialize)]
struct ChargeJson<'a> {
    budget_id: Text<&'a BudgetId>,
    amount: Text<u128>,
}

impl ChargeJson<'_> {
    fn of(charge: &Charge) -> ChargeJson<'_> {
        ChargeJson { budget_id: Text(&charge.budget_id), amount: Text(charge.amount) }
    }
}

/// Amounts by name.
struct Quantities<'a>(&'a [Quantity]);

impl Serialize for Quantities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|Quantity { name, amount }| (&**name, Text(amount))))
    }
}

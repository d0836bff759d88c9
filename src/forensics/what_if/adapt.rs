//! Commands as they are given when limits and prices are others.

use std::sync::Arc;

use super::rerun::Rerun;
use crate::domain::{Command, Limit, RecordSpend, Spend};
use crate::error::Error;
use crate::event::{ChangeEvent, Payload};
use crate::ids::BudgetId;

impl Rerun<'_> {
    /// A command under what is changed; `None` where nothing is left of it.
    pub(super) fn changed(
        &mut self,
        mut command: Command,
        events: &[ChangeEvent],
    ) -> Result<Option<Command>, Error> {
        let changes = self.changes;
        match &mut command {
            Command::Allocate(new) => {
                self.seen.extend(changes.named().find(|id| **id == new.budget_id).cloned());
                let was = if let Limit::Of(limit) = new.limit { Some(limit) } else { None };
                let limit = changes.limit_of(&new.budget_id).unwrap_or(was);
                // By default, so that one of 0 passes, too.
                self.rules.default_limit = limit;
                new.limit = limit.map_or(Limit::Unlimited, |_| Limit::Default);
                new.hard = changes.hard_of(&new.budget_id).unwrap_or(new.hard);
            }
            Command::CreateGoal(new) => {
                let Some(id) = events.iter().find_map(|event| match &event.payload {
                    Payload::GoalCreated(made) => Some(BudgetId::Goal(made.goal_id)),
                    _ => None,
                }) else {
                    return Ok(Some(command));
                };
                self.seen.extend(changes.named().find(|named| **named == id).cloned());
                new.token_budget = changes.limit_of(&id).unwrap_or(new.token_budget);
            }
            Command::SetGoalBudget(set) => {
                let id = BudgetId::Goal(set.goal_id);
                set.token_budget = changes.limit_of(&id).unwrap_or(set.token_budget);
            }
            Command::AdjustBudget(adjust) => {
                adjust.limit = adjust.limit.filter(|_| changes.limit_of(&adjust.budget_id).is_none());
                adjust.hard = adjust.hard.filter(|_| changes.hard_of(&adjust.budget_id).is_none());
            }
            Command::RecordSpend(RecordSpend { spend, .. }) => {
                self.reprice(spend, &events[0].payload)?;
                if spend.amount == 0 {
                    return Ok(None);
                }
            }
            Command::Settle(settle) => self.reprice(&mut settle.spend, &events[0].payload)?,
            Command::ReverseSpend(reverse) if changes.price_table().is_some() => {
                let left =
                    self.then.state.spend(&reverse.spend_id).map(|spend| spend.amount - spend.reversed);
                reverse.amount = reverse.amount.filter(|amount| left != Some(*amount));
            }
            _ => {}
        }
        Ok(Some(command))
    }

    /// The amount that a spend has by the table of prices, if it has one.
    fn reprice(&mut self, spend: &mut Spend, payload: &Payload) -> Result<(), Error> {
        let (Some(table), Payload::SpendRecorded(was)) = (self.changes.price_table(), payload) else {
            return Ok(());
        };
        let unit = self.then.state.budget(&was.budget_id).map(|budget| Arc::clone(&budget.unit));
        match table.cost(&spend.details, unit.as_deref().unwrap_or_default())? {
            Some(cost) => {
                self.repriced += u64::from(cost != spend.amount);
                spend.amount = cost;
            }
            // One that only ever had an amount needs no price.
            None => self.unpriced += u64::from(!spend.details.quantities.is_empty()),
        }
        Ok(())
    }
}

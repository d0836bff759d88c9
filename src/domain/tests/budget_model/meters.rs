//! External meters.

use super::spends::entry;
use super::{Answer, BudgetModel, Entry, Expected, ModelMeter, is_id, rejected};
use crate::domain::{MeterKind, ObserveMeter, ResetMeter};
use crate::event::Reading;
use crate::ids::{BudgetId, MeterId, SpendId};

impl BudgetModel {
    pub(super) fn observe_meter(&mut self, observe: &ObserveMeter) -> Answer {
        let kind = match observe.reading {
            Reading::Cumulative(_) => MeterKind::Cumulative,
            Reading::Delta(_) => MeterKind::Delta,
        };
        if !is_id(&observe.meter_id.0) {
            return rejected("invalid");
        }
        let known = self.meter(&observe.meter_id).cloned();
        let is_first = known.as_ref().is_none_or(|known| known.kind.is_none());
        let mut meter = known.unwrap_or_else(|| free(&observe.meter_id));
        if is_first {
            meter.kind = Some(kind);
            meter.budget.clone_from(&observe.budget_id);
        }
        let is_other_budget = observe.budget_id.is_some() && observe.budget_id != meter.budget;
        if meter.kind != Some(kind) || is_other_budget {
            return rejected("conflict");
        }
        if meter.budget.as_ref().is_some_and(|id| self.find(id).is_none()) {
            return rejected("not_found");
        }
        let increase = match observe.reading {
            Reading::Delta(increase) => Some(increase),
            Reading::Cumulative(total) => total.checked_sub(meter.total),
        };
        let Some(increase) = increase else { return rejected("invalid") };
        if increase == 0 && !is_first {
            return Err(Expected::Unchanged);
        }
        let Some(total) = meter.total.checked_add(increase) else { return rejected("invalid") };
        meter.total = total;
        if let Some(budget) = meter.budget.clone() {
            self.book_reading(&budget, &mut meter, increase)?;
        }
        self.meters.retain(|known| known.id != meter.id);
        self.meters.push(meter);
        Ok(())
    }

    fn book_reading(&mut self, budget: &BudgetId, meter: &mut ModelMeter, increase: u128) -> Answer {
        self.check_sums(budget, increase)?;
        let Some(booked) = meter.booked.checked_add(increase) else { return rejected("invalid") };
        meter.booked = booked;
        if increase > 0 {
            let late = self.budget(budget).closed;
            let spend_id = Some(SpendId::from(self.new_id()));
            let meter = Some(meter.id.clone());
            self.book(Entry { spend_id, incurred: true, late, meter, ..entry(budget, increase) });
        }
        Ok(())
    }

    pub(super) fn reset_meter(&mut self, reset: &ResetMeter) -> Answer {
        if !is_id(&reset.meter_id.0) {
            return rejected("invalid");
        }
        let known = self.meter(&reset.meter_id).cloned();
        if known.as_ref().is_some_and(|known| known.total == reset.baseline) {
            return Err(Expected::Unchanged);
        }
        let mut meter = known.unwrap_or_else(|| free(&reset.meter_id));
        if let Some(budget) = meter.budget.clone().filter(|_| reset.baseline > meter.total) {
            self.may_give_room(&budget, reset.baseline - meter.total)?;
        }
        meter.total = reset.baseline;
        self.meters.retain(|known| known.id != meter.id);
        self.meters.push(meter);
        Ok(())
    }

    fn meter(&self, id: &MeterId) -> Option<&ModelMeter> {
        self.meters.iter().find(|meter| meter.id == *id)
    }
}

fn free(id: &MeterId) -> ModelMeter {
    ModelMeter { id: id.clone(), kind: None, total: 0, booked: 0, budget: None }
}

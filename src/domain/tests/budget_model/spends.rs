//! Spending and taking back.

use super::{Answer, BudgetModel, Entry, Expected, is_id, rejected};
use crate::domain::{Command, RecordSpend, ReverseSpend};
use crate::event::RefusalKind;
use crate::ids::{BudgetId, SpendId};

impl BudgetModel {
    pub(super) fn record_spend(&mut self, record: &RecordSpend, command: &Command) -> Answer {
        let (id, amount) = (&record.budget_id, record.spend.amount);
        check_spend_id(record.spend.spend_id.as_ref())?;
        if amount == 0 {
            return rejected("invalid");
        }
        if let Some(known) = record.spend.spend_id.as_ref().and_then(|id| self.entry(id)) {
            return Err(match known.body.as_ref() == Some(command) {
                true => Expected::Retried(known.seqs.0, known.seqs.1),
                false => Expected::Rejected("conflict"),
            });
        }
        if self.find(id).is_none() {
            return rejected("not_found");
        }
        if !record.incurred {
            self.admit(id, amount)?;
        }
        self.check_sums(id, amount)?;
        let late = self.budget(id).closed;
        let made = self.new_id();
        self.book(Entry {
            spend_id: Some(record.spend.spend_id.clone().unwrap_or(SpendId::from(made))),
            incurred: record.incurred,
            late,
            body: record.spend.spend_id.as_ref().map(|_| command.clone()),
            ..entry(id, amount)
        });
        Ok(())
    }

    pub(super) fn reverse(&mut self, reverse: &ReverseSpend) -> Answer {
        if reverse.amount == Some(0) {
            return rejected("invalid");
        }
        let of_it = |entry: &&mut Entry| entry.spend_id.as_ref() == Some(&reverse.spend_id);
        let Some(entry) = self.entries.iter_mut().find(of_it) else { return rejected("not_found") };
        let left = entry.amount - entry.reversed;
        let amount = reverse.amount.unwrap_or(left);
        if amount == 0 || amount > left {
            return rejected("invalid");
        }
        let budget = entry.budget.clone();
        self.may_give_room(&budget, amount)?;
        let of_it = |entry: &&mut Entry| entry.spend_id.as_ref() == Some(&reverse.spend_id);
        if let Some(entry) = self.entries.iter_mut().find(of_it) {
            entry.reversed += amount;
        }
        Ok(())
    }

    /// Whoever may not widen a budget gives no room back below it either.
    pub(super) fn may_give_room(&mut self, id: &BudgetId, amount: u128) -> Answer {
        let guarded = self.path(id).into_iter().find(|id| !self.may_widen(self.budget(id)));
        match guarded {
            Some(id) => Err(self.refuse(RefusalKind::Forbidden, &id, amount)),
            None => Ok(()),
        }
    }

    pub(in super::super) fn entry(&self, id: &SpendId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.spend_id.as_ref() == Some(id))
    }

    /// Closed, vetoed, or beyond a hard limit: refused, by the nearest budget that blocks.
    pub(super) fn admit(&mut self, id: &BudgetId, amount: u128) -> Answer {
        let path = self.path(id);
        if let Some(closed) = path.iter().find(|id| self.budget(id).closed) {
            return Err(self.refuse(RefusalKind::BudgetClosed, closed, amount));
        }
        if self.is_vetoed {
            return Err(self.refuse(RefusalKind::Risk, id, amount));
        }
        let is_passed = |id: &&BudgetId| {
            let budget = self.budget(id);
            let would_be = (self.spent(id) + self.reserved(id)).checked_add(amount);
            budget.hard && budget.limit.is_some_and(|limit| would_be.is_none_or(|used| used > limit))
        };
        match path.iter().find(is_passed) {
            Some(passed) => Err(self.refuse(RefusalKind::BudgetExceeded, passed, amount)),
            None => Ok(()),
        }
    }

    /// No sum on the path may pass what a number holds.
    pub(super) fn check_sums(&self, id: &BudgetId, amount: u128) -> Answer {
        self.check_path(id, |id| {
            let spent = self.spent(id).checked_add(amount);
            let used = spent.and_then(|spent| spent.checked_add(self.reserved(id)));
            used.is_some() && self.spent_total(id).checked_add(amount).is_some()
        })
    }

    /// What is spent for life and reserved may not either, if so much more is reserved; nor the latter pass the half.
    pub(super) fn check_reserved(&self, id: &BudgetId, amount: u128) -> Answer {
        self.check_path(id, |id| {
            let reserved = self.reserved(id).checked_add(amount);
            reserved.is_some_and(|reserved| reserved <= 1 << 127)
                && reserved.and_then(|reserved| reserved.checked_add(self.spent_total(id))).is_some()
        })
    }

    fn check_path(&self, id: &BudgetId, fits: impl FnMut(&BudgetId) -> bool) -> Answer {
        match self.path(id).iter().all(fits) {
            true => Ok(()),
            false => rejected("invalid"),
        }
    }

    /// Books at a budget, and says what passes the limits on the path. Fires the thresholds that are reached.
    pub(super) fn book(&mut self, entry: Entry) {
        let path = self.path(&entry.budget);
        let beyond = |model: &BudgetModel, id: &BudgetId| {
            model.budget(id).limit.map_or(0, |limit| model.spent(id).saturating_sub(limit))
        };
        let before: Vec<u128> = path.iter().map(|id| beyond(self, id)).collect();
        self.entries.push(entry);
        let passed = path.iter().zip(before).map(|(id, before)| (id.clone(), beyond(self, id) - before));
        let passed: Vec<_> = passed.filter(|(_, amount)| *amount > 0).collect();
        self.entries.last_mut().unwrap().overage = passed;
        for id in path {
            let reached = self.reached(&id);
            let budget = self.budget_mut(&id);
            budget.crossed = budget.crossed.max(reached);
        }
    }
}

pub(super) fn check_spend_id(id: Option<&SpendId>) -> Answer {
    match id.is_none_or(|id| is_id(&id.0)) {
        true => Ok(()),
        false => rejected("invalid"),
    }
}

/// So much at a budget, and nothing more to say of it.
pub(super) fn entry(id: &BudgetId, amount: u128) -> Entry {
    Entry {
        budget: id.clone(),
        spend_id: None,
        amount,
        reversed: 0,
        incurred: false,
        late: false,
        reservation: None,
        goal: None,
        meter: None,
        overage: Vec::new(),
        body: None,
        seqs: (0, 0),
    }
}

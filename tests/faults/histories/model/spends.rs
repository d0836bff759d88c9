//! Spending, setting aside, and what becomes of it.

use tallybook::{
    Command, NewReservation, ObserveMeter, Reading, RecordSpend, ReservationStatus, ReverseSpend, Settle,
    Spend,
};

use super::budgets::closed_stop;
use super::{Facts, HoldNode, Made, MeterNode, Model, Slot, SpendNode, Stop, Subject};
use crate::histories::history::{Name, name};

/// Where something is made is not known before all its events are.
const NOT_YET: (u64, u64) = (0, 0);

impl Model {
    pub(super) fn record_spend(
        &mut self,
        command: &Command,
        record: &RecordSpend,
        slot: &Slot<'_>,
    ) -> Result<(Subject, Facts), Stop> {
        let RecordSpend { budget_id, spend, incurred } = record;
        if spend.amount == 0 {
            return Err(Stop::Rejected("invalid"));
        }
        self.check_new_spend(command, spend)?;
        let budget = self.find(&name(budget_id))?;
        if !incurred {
            self.admit("record_spend", &budget, spend.amount)?;
        }
        let standing = self.standing(std::slice::from_ref(&budget));
        let made = SpendNode { incurred: *incurred, ..self.new_spend(command, &budget, spend) };
        Ok(self.book_spend(made, spend, standing, slot))
    }

    pub(super) fn settle(
        &mut self,
        command: &Command,
        settle: &Settle,
        slot: &Slot<'_>,
    ) -> Result<(Subject, Facts), Stop> {
        let (id, spend) = (name(&settle.reservation_id), &settle.spend);
        let Some(hold) = self.holds.get(&id).cloned() else { return Err(Stop::Rejected("not_found")) };
        if let Some(spend_id) = &hold.settled_by {
            let known = &self.spends[spend_id];
            let is_same = known.amount == spend.amount
                && spend.spend_id.as_ref().is_none_or(|id| name(id) == *spend_id);
            return Err(match is_same {
                true => Stop::Retried(known.made.seqs, Subject::Spend(spend_id.clone())),
                false => Stop::Rejected("conflict"),
            });
        }
        self.check_new_spend(command, spend)?;
        let standing = self.standing(std::slice::from_ref(&hold.budget));
        let mut made = self.new_spend(command, &hold.budget, spend);
        made.hold = Some(id.clone());
        if hold.status.is_held() {
            self.node(&hold.budget).own_held -= hold.amount;
        } else {
            made.late = true;
        }
        let (subject, facts) = self.book_spend(made, spend, standing, slot);
        let Subject::Spend(spend_id) = &subject else { unreachable!("it is about the spend") };
        let hold = self.holds.get_mut(&id).expect("it was there before");
        (hold.status, hold.settled_by) = (ReservationStatus::Settled, Some(spend_id.clone()));
        Ok((subject, facts))
    }

    fn new_spend(&self, command: &Command, budget: &Name, spend: &Spend) -> SpendNode {
        SpendNode {
            budget: budget.clone(),
            amount: spend.amount,
            reversed: 0,
            late: self.is_closed(budget),
            incurred: false,
            overage: Vec::new(),
            hold: None,
            made: Made { by: spend.spend_id.as_ref().map(|_| command.clone()), seqs: NOT_YET },
        }
    }

    fn book_spend(
        &mut self,
        mut made: SpendNode,
        spend: &Spend,
        standing: Vec<(Name, bool)>,
        slot: &Slot<'_>,
    ) -> (Subject, Facts) {
        let given = spend.spend_id.as_ref().map(name);
        let id = given.or_else(|| slot.made.cloned()).unwrap_or_else(|| name("an id of the engine's"));
        made.overage = self.book(&made.budget, made.amount);
        self.node(&made.budget).entries += 1;
        let SpendNode { budget, amount, incurred, late, overage, hold, .. } = &made;
        let mut facts = vec![format!(
            "spent {id} {amount} of {budget} incurred {incurred} late {late} over {overage:?} hold {hold:?}"
        )];
        self.spends.insert(id.clone(), made);
        self.follow(standing, &mut facts);
        (Subject::Spend(id), facts)
    }

    /// A spend id that was used is a retry of the same command, and for another a conflict.
    fn check_new_spend(&self, command: &Command, spend: &Spend) -> Result<(), Stop> {
        let Some(id) = spend.spend_id.as_ref().map(name) else { return Ok(()) };
        match self.spends.get(&id) {
            None => Ok(()),
            Some(known) if known.made.by.as_ref() == Some(command) => {
                Err(Stop::Retried(known.made.seqs, Subject::Spend(id)))
            }
            Some(_) => Err(Stop::Rejected("conflict")),
        }
    }

    pub(super) fn find(&self, budget: &Name) -> Result<Name, Stop> {
        match self.budgets.contains_key(budget) {
            true => Ok(budget.clone()),
            false => Err(Stop::Rejected("not_found")),
        }
    }

    /// Nothing passes under a closed budget, and nothing beyond a hard limit on the path.
    pub(super) fn admit(&self, op: &'static str, budget: &Name, amount: u128) -> Result<(), Stop> {
        let path = self.path(budget);
        if let Some(closed) = path.iter().find(|above| self.is_closed(above)) {
            return Err(closed_stop(op, closed.clone(), amount));
        }
        let passes = |above: &&Name| {
            self.budgets[*above].hard && self.remaining(above).is_some_and(|remaining| amount > remaining)
        };
        match path.iter().find(passes) {
            Some(above) => {
                let budget = above.clone();
                Err(Stop::Refused { kind: "budget_exceeded", op, budget, amount, hold: None })
            }
            None => Ok(()),
        }
    }

    pub(super) fn reverse(&mut self, reverse: &ReverseSpend) -> Result<(Subject, Facts), Stop> {
        let id = name(&reverse.spend_id);
        let Some(spend) = self.spends.get_mut(&id) else { return Err(Stop::Rejected("not_found")) };
        let left = spend.amount - spend.reversed;
        let amount = reverse.amount.unwrap_or(left);
        if amount == 0 || amount > left {
            return Err(Stop::Rejected("invalid"));
        }
        spend.reversed += amount;
        let budget = spend.budget.clone();
        self.node(&budget).own_spent -= amount;
        let fact = format!("reversed {id} {amount}");
        Ok((Subject::Spend(id), vec![fact]))
    }

    pub(super) fn reserve(
        &mut self,
        command: &Command,
        new: &NewReservation,
        slot: &Slot<'_>,
    ) -> Result<(Subject, Facts), Stop> {
        if new.amount == 0 {
            return Err(Stop::Rejected("invalid"));
        }
        let given = new.reservation_id.as_ref().map(name);
        if let Some((id, known)) = given.as_ref().and_then(|id| Some((id, self.holds.get(id)?))) {
            return Err(match known.made.by.as_ref() == Some(command) {
                true => Stop::Retried(known.made.seqs, Subject::Hold(id.clone())),
                false => Stop::Rejected("exists"),
            });
        }
        let budget = self.find(&name(&new.budget_id))?;
        self.admit("reserve", &budget, new.amount)?;
        self.node(&budget).own_held += new.amount;
        let by = given.as_ref().map(|_| command.clone());
        let id = given.or_else(|| slot.made.cloned()).unwrap_or_else(|| name("an id of the engine's"));
        let ttl = new.ttl.and_then(|ttl| ttl.0);
        let hold = HoldNode {
            budget: budget.clone(),
            amount: new.amount,
            status: ReservationStatus::Open,
            expires_at: ttl.map(|ttl| slot.ts.saturating_add(ttl)),
            settled_by: None,
            made: Made { by, seqs: NOT_YET },
        };
        self.holds.insert(id.clone(), hold);
        let fact = format!("reserved {id} {} of {budget}", new.amount);
        Ok((Subject::Hold(id), vec![fact]))
    }

    pub(super) fn release_asked(&mut self, id: &Name) -> Result<(Subject, Facts), Stop> {
        self.check_held("release", id)?;
        let fact = self.release(id, "requested");
        Ok((Subject::Hold(id.clone()), vec![fact]))
    }

    /// Gives back what is held.
    pub(super) fn release(&mut self, id: &Name, why: &str) -> String {
        self.end_hold(id, ReservationStatus::Released);
        format!("released {id} {why}")
    }

    fn end_hold(&mut self, id: &Name, status: ReservationStatus) {
        let hold = self.holds.get_mut(id).expect("there is such a reservation");
        hold.status = status;
        let (budget, amount) = (hold.budget.clone(), hold.amount);
        self.node(&budget).own_held -= amount;
    }

    pub(super) fn mark_unknown(&mut self, id: &Name) -> Result<(Subject, Facts), Stop> {
        let subject = Subject::Hold(id.clone());
        if self.check_held("mark_unknown", id)? == ReservationStatus::Unknown {
            return Err(Stop::Unchanged(subject));
        }
        let hold = self.holds.get_mut(id).expect("it was there before");
        hold.status = ReservationStatus::Unknown;
        Ok((subject, vec![format!("unknown {id}")]))
    }

    fn check_held(&self, op: &'static str, id: &Name) -> Result<ReservationStatus, Stop> {
        let Some(hold) = self.holds.get(id) else { return Err(Stop::Rejected("not_found")) };
        if hold.status.is_held() {
            return Ok(hold.status);
        }
        let (budget, amount) = (hold.budget.clone(), hold.amount);
        Err(Stop::Refused { kind: "reservation_gone", op, budget, amount, hold: Some(id.clone()) })
    }

    /// Reservations expire, by themselves; why they may not, if they may not.
    pub(in crate::histories) fn expire(
        &mut self,
        ids: &[Name],
        slot: &Slot<'_>,
    ) -> Result<Vec<String>, String> {
        let mut facts = Facts::new();
        for id in ids {
            let is_due = |hold: &HoldNode| {
                hold.status == ReservationStatus::Open && hold.expires_at.is_some_and(|at| at <= slot.ts)
            };
            if !self.holds.get(id).is_some_and(is_due) {
                return Err(format!("reservation {id} expired, and was not due: {:?}", self.holds.get(id)));
            }
            self.end_hold(id, ReservationStatus::Expired);
            facts.push(format!("expired {id}"));
        }
        Ok(facts)
    }

    pub(super) fn observe(&mut self, observe: &ObserveMeter) -> Result<(Subject, Facts), Stop> {
        let (id, asked) = (name(&observe.meter_id), observe.budget_id.as_ref().map(name));
        let is_cumulative = matches!(observe.reading, Reading::Cumulative(_));
        let known = self.meters.get(&id).cloned();
        let is_other = |known: &MeterNode| {
            known.is_cumulative != is_cumulative || (asked.is_some() && asked != known.budget)
        };
        if known.as_ref().is_some_and(is_other) {
            return Err(Stop::Rejected("conflict"));
        }
        let budget = known.as_ref().map_or(asked, |known| known.budget.clone());
        let budget = budget.map(|budget| self.find(&budget)).transpose()?;
        let (before, booked) = known.as_ref().map_or((0, 0), |known| (known.total, known.booked));
        let increase = match observe.reading {
            Reading::Delta(increase) => increase,
            Reading::Cumulative(total) if total < before => return Err(Stop::Rejected("invalid")),
            Reading::Cumulative(total) => total - before,
        };
        if known.is_some() && increase == 0 {
            return Err(Stop::Unchanged(Subject::Meter(id)));
        }
        let total = before + increase;
        let mut facts = vec![format!("meter {id} +{increase} ={total}")];
        let of = budget.clone();
        if let Some(budget) = budget.filter(|_| increase > 0) {
            let standing = self.standing(std::slice::from_ref(&budget));
            let late = self.is_closed(&budget);
            facts.push(self.book_own(&budget, increase, late));
            self.follow(standing, &mut facts);
        }
        let booked = booked + increase;
        self.meters.insert(id.clone(), MeterNode { total, booked, is_cumulative, budget: of });
        Ok((Subject::Meter(id), facts))
    }

    /// Books what follows from a turn or a reading.
    pub(super) fn book_own(&mut self, budget: &Name, amount: u128, late: bool) -> String {
        let over = self.book(budget, amount);
        self.node(budget).entries += 1;
        format!("spent its own {amount} of {budget} incurred true late {late} over {over:?} hold None")
    }
}

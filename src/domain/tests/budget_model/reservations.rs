//! Setting aside, settling, giving back.

use super::spends::{check_spend_id, entry};
use super::{Answer, BudgetModel, Entry, Expected, ModelReservation, is_id, rejected};
use crate::domain::{Command, NewReservation, Settle, Ttl};
use crate::event::RefusalKind;
use crate::ids::{ReservationId, SpendId};

impl BudgetModel {
    pub(super) fn reserve(&mut self, new: &NewReservation, command: &Command) -> Answer {
        if new.amount == 0 || new.reservation_id.as_ref().is_some_and(|id| !is_id(&id.0)) {
            return rejected("invalid");
        }
        let ttl = new.ttl.and_then(|Ttl(ttl)| ttl);
        if ttl.is_some_and(|ttl| ttl.as_millis() == 0) {
            return rejected("invalid");
        }
        if let Some(known) = new.reservation_id.as_ref().and_then(|id| self.reservation(id)) {
            return Err(match known.body.as_ref() == Some(command) {
                true => Expected::Retried(known.seqs.0, known.seqs.1),
                false => Expected::Rejected("exists"),
            });
        }
        if self.find(&new.budget_id).is_none() {
            return rejected("not_found");
        }
        self.admit(&new.budget_id, new.amount)?;
        self.check_reserved(&new.budget_id, new.amount)?;
        let made = self.new_id();
        self.reservations.push(ModelReservation {
            id: new.reservation_id.clone().unwrap_or(ReservationId::from(made)),
            budget: new.budget_id.clone(),
            amount: new.amount,
            owner: new.owner.clone(),
            expires_at: ttl.map(|ttl| self.now + i64::try_from(ttl.as_micros()).unwrap()),
            status: "open",
            spend: None,
            body: new.reservation_id.as_ref().map(|_| command.clone()),
            seqs: (0, 0),
        });
        Ok(())
    }

    pub(super) fn settle(&mut self, settle: &Settle, command: &Command) -> Answer {
        let (id, spend) = (&settle.reservation_id, &settle.spend);
        check_spend_id(spend.spend_id.as_ref())?;
        let Some(reservation) = self.reservation(id).cloned() else { return rejected("not_found") };
        if let Some(first) = reservation.spend.as_ref().and_then(|id| self.entry(id)) {
            let is_same = first.amount == spend.amount
                && (spend.spend_id.is_none() || spend.spend_id == first.spend_id);
            return Err(match is_same {
                true => Expected::Retried(first.seqs.0, first.seqs.1),
                false => Expected::Rejected("conflict"),
            });
        }
        if spend.spend_id.as_ref().is_some_and(|id| self.entry(id).is_some()) {
            return rejected("conflict");
        }
        // What is held returns by it, so the sums are checked without it.
        self.reservation_mut(id).status = "settled";
        if let Err(answer) = self.check_sums(&reservation.budget, spend.amount) {
            self.reservation_mut(id).status = reservation.status;
            return Err(answer);
        }
        let late = !reservation.is_held() || self.budget(&reservation.budget).closed;
        let made = SpendId::from(self.new_id());
        let spend_id = spend.spend_id.clone().unwrap_or(made);
        self.reservation_mut(id).spend = Some(spend_id.clone());
        self.book(Entry {
            spend_id: Some(spend_id),
            late,
            reservation: Some(id.clone()),
            body: spend.spend_id.as_ref().map(|_| command.clone()),
            ..entry(&reservation.budget, spend.amount)
        });
        Ok(())
    }

    pub(super) fn release(&mut self, id: &ReservationId) -> Answer {
        self.held(id)?;
        self.reservation_mut(id).status = "released";
        Ok(())
    }

    pub(super) fn mark_unknown(&mut self, id: &ReservationId) -> Answer {
        if self.held(id)? == "unknown" {
            return Err(Expected::Unchanged);
        }
        self.reservation_mut(id).status = "unknown";
        Ok(())
    }

    /// The status of a reservation that is still held; refused where it has ended.
    fn held(&mut self, id: &ReservationId) -> Answer<&'static str> {
        let Some(reservation) = self.reservation(id).cloned() else { return rejected("not_found") };
        match reservation.is_held() {
            true => Ok(reservation.status),
            false => Err(self.refuse_about(
                RefusalKind::ReservationGone,
                &reservation.budget,
                reservation.amount,
                Some(id),
            )),
        }
    }

    pub(in super::super) fn reservation(&self, id: &ReservationId) -> Option<&ModelReservation> {
        self.reservations.iter().find(|reservation| reservation.id == *id)
    }

    pub(super) fn reservation_mut(&mut self, id: &ReservationId) -> &mut ModelReservation {
        self.reservations.iter_mut().find(|reservation| reservation.id == *id).unwrap()
    }
}

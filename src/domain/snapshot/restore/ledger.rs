//! What is set aside, what was spent, and what is remembered of it.

use std::sync::Arc;

use crate::domain::entries::{Booking, Entry};
use crate::domain::keys::RememberedKey;
use crate::domain::leaf::Leaf;
use crate::domain::snapshot::form::{RefusalsForm, ReleasingForm, ReservationForm};
use crate::domain::state::Due;
use crate::domain::{Outcome, Remembered, RememberedOutcome, Reservation, ReservationStatus, SpendRecord};

use super::{StateRestorer, check};

impl StateRestorer {
    pub(super) fn reservation(&mut self, form: ReservationForm<'_>) -> Result<(), String> {
        let (reservation, ended_seq) = form.reservation(&mut self.names)?;
        let id = reservation.id.clone();
        check::reservation(&self.state, &reservation, ended_seq)
            .and_then(|()| self.follow_reservation(&reservation, ended_seq))
            .map_err(|message| format!("{id}: {message}"))?;
        match self.state.reservations.insert(id, Leaf::new(reservation)) {
            None => Ok(()),
            Some(known) => Err(format!("{}: expected it once, found it again", known.id)),
        }
    }

    fn follow_reservation(
        &mut self,
        reservation: &Reservation,
        ended_seq: Option<u64>,
    ) -> Result<(), String> {
        let (state, id) = (&mut self.state, &reservation.id);
        if let Some(other) = state.reservations_made.insert(reservation.made_seq, id.clone()) {
            let seq = reservation.made_seq;
            return Err(format!("expected no other to be made by seq {seq}, found reservation {other}"));
        }
        if let (Some(seq), Some(at)) = (ended_seq, reservation.ended_at) {
            return state.ended.restore(Entry { seq, at, what: id.clone() });
        }
        state.held.insert((reservation.budget_id.clone(), id.clone()));
        if let (ReservationStatus::Open, Some(at)) = (reservation.status, reservation.expires_at) {
            state.deadlines.insert((at, Due::Expiry(id.clone())));
        }
        Ok(())
    }

    pub(super) fn spend(&mut self, spend: SpendRecord) -> Result<(), String> {
        check::spend(&self.state, &spend)
            .and_then(|()| self.state.spends.restore(&spend.spend_id.0, spend.clone()))
            .map_err(|message| format!("{}: {message}", spend.spend_id))?;
        if spend.amount > 0 && self.bookings_from.is_some_and(|from| from <= spend.seq) {
            self.following.push_back(spend);
        }
        Ok(())
    }

    pub(super) fn booking(&mut self, booking: Entry<Booking>) -> Result<(), String> {
        let seq = booking.seq;
        check::known(&self.state, booking.what.budget_id())
            .map(|_| ())
            .and_then(|()| check::no_spend_of_nothing(&self.state, seq))
            .and_then(|()| self.follow_bookings(seq))
            .and_then(|()| self.state.bookings.restore(booking))
            .map_err(|message| format!("seq {seq}: {message}"))
    }

    /// The bookings that follow from spends, up to the event with that `seq`.
    pub(super) fn follow_bookings(&mut self, last: u64) -> Result<(), String> {
        while let Some(spend) = self.following.pop_front_if(|spend| spend.seq <= last) {
            let what = Booking::Spent(Arc::clone(&spend.booked));
            self.state.bookings.restore(Entry { seq: spend.seq, at: spend.at, what })?;
        }
        Ok(())
    }

    pub(super) fn key(&mut self, mut entry: RememberedKey) -> Result<(), String> {
        let Remembered { first_seq, last_seq, outcome } = &mut entry.remembered;
        if let RememberedOutcome::Done(Outcome::Spend(id)) = outcome
            && let Some(spend) = self.state.spends.get(&id.0)
        {
            *id = spend.spend_id.clone();
        }
        let key = entry.key.clone();
        if last_seq < first_seq {
            return Err(
                key.with(|key| format!("{key:?}: expected `last_seq` from {first_seq} on, found {last_seq}"))
            );
        }
        let keys = &mut self.state.keys;
        key.with(|key| keys.restore(key, entry).map_err(|message| format!("{key:?}: {message}")))
    }

    pub(super) fn event_id(&mut self, entry: RememberedKey) -> Result<(), String> {
        let (id, event_ids) = (entry.key.clone(), &mut self.state.event_ids);
        id.with(|id| event_ids.restore(id, entry).map_err(|message| format!("{id}: {message}")))
    }

    pub(super) fn releasing(&mut self, form: ReleasingForm<'_>) -> Result<(), String> {
        let (budget_id, released) = form.releasing(&mut self.names);
        check::known(&self.state, &budget_id)?;
        match self.state.releasing.insert(budget_id.clone(), released) {
            None => Ok(()),
            Some(_) => Err(format!("{budget_id}: expected it once, found it again")),
        }
    }

    pub(super) fn refusals(&mut self, form: RefusalsForm<'_>) -> Result<(), String> {
        let (budget_id, kind, count) = form.refusals(&mut self.names);
        let restored = self.state.refusals.restore(budget_id.clone(), kind, count);
        restored.map_err(|message| format!("{budget_id}: {message}"))
    }
}

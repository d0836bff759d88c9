//! What is set aside, what was spent, and what is remembered of it.

use std::sync::Arc;

use crate::domain::entries::Entry;
use crate::domain::leaf::Leaf;
use crate::domain::snapshot::form::{
    BookingForm, EventIdForm, KeyForm, RefusalsForm, ReleasingForm, ReservationForm, SpendForm,
};
use crate::domain::state::Due;
use crate::domain::{Reservation, ReservationStatus};

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

    pub(super) fn spend(&mut self, form: SpendForm<'_>) -> Result<(), String> {
        let spend = form.spend(&mut self.names)?;
        let id = spend.id.clone();
        check::spend(&self.state, &spend)
            .and_then(|()| self.state.spends.restore(&id.0, Arc::new(spend)))
            .map_err(|message| format!("{id}: {message}"))
    }

    pub(super) fn booking(&mut self, form: BookingForm<'_>) -> Result<(), String> {
        let (seq, at, booking) = form.booking(&mut self.names);
        check::known(&self.state, &booking.budget_id)
            .map(|_| ())
            .and_then(|()| self.state.bookings.restore(Entry { seq, at, what: booking }))
            .map_err(|message| format!("seq {seq}: {message}"))
    }

    pub(super) fn key(&mut self, form: KeyForm<'_>) -> Result<(), String> {
        let (key, entry) = form.key(&mut self.names);
        let (first, last) = (entry.remembered.first_seq, entry.remembered.last_seq);
        if last < first {
            return Err(format!("{key:?}: expected `last_seq` from {first} on, found {last}"));
        }
        self.state.keys.restore(&key, entry).map_err(|message| format!("{key:?}: {message}"))
    }

    pub(super) fn event_id(&mut self, form: EventIdForm<'_>) -> Result<(), String> {
        let (id, entry) = form.event_id();
        self.state.event_ids.restore(&id, entry).map_err(|message| format!("{id}: {message}"))
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

//! What happens by itself: it does so otherwise, too, to whatever is there.

use super::rerun::Rerun;
use crate::domain::ReservationStatus;
use crate::error::Error;
use crate::event::{ChangeEvent, EndedForgotten, Payload, ReservationExpired, WindowRolled};

impl Rerun<'_> {
    /// Expiries and rolls of windows, at the bounds that they had.
    pub(super) fn elapse(&mut self, events: &[ChangeEvent]) -> Result<(), Error> {
        let happens = |payload: &Payload| match payload {
            Payload::ReservationExpired(expired) => self.expires(expired).then(|| payload.clone()),
            Payload::WindowRolled(rolled) => self.rolls(rolled),
            _ => None,
        };
        let payloads: Vec<Payload> = events.iter().filter_map(|event| happens(&event.payload)).collect();
        self.write(events, payloads)
    }

    fn expires(&self, expired: &ReservationExpired) -> bool {
        let held = self.other.state.reservation(&expired.reservation_id);
        held.is_some_and(|held| held.status == ReservationStatus::Open && held.amount == expired.amount)
    }

    fn rolls(&self, rolled: &WindowRolled) -> Option<Payload> {
        let budget = self.other.state.budget(&rolled.budget_id)?;
        let is_in_it = budget.span == Some(rolled.ended);
        is_in_it.then(|| Payload::WindowRolled(WindowRolled { spent: budget.spent, ..rolled.clone() }))
    }

    /// What ended long ago is forgotten, as far as it would have ended and nothing would need it.
    pub(super) fn forget(&mut self, events: &[ChangeEvent], ended: &EndedForgotten) -> Result<(), Error> {
        self.note_forgotten(ended);
        if self.try_forget(events, ended.clone()) {
            return Ok(());
        }
        // One by one, each before what it needs.
        for goal in &ended.goals {
            self.try_forget(events, EndedForgotten { goals: vec![*goal], budgets: Vec::new() });
        }
        for budget in &ended.budgets {
            self.try_forget(events, EndedForgotten { goals: Vec::new(), budgets: vec![budget.clone()] });
        }
        Ok(())
    }

    fn try_forget(&mut self, events: &[ChangeEvent], ended: EndedForgotten) -> bool {
        let before = self.other.clone();
        let is_done = self.write(events, vec![Payload::EndedForgotten(ended)]).is_ok();
        if !is_done {
            self.other = before;
        }
        is_done
    }
}

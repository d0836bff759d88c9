//! What nobody waits for: turns that were accounted fire-and-forget, reservations whose guards were dropped, and what
//! happens by itself because time has passed.

use std::collections::btree_map;
use std::time::Duration;

use super::answer::CommandError;
use super::carry_out::Stopped;
use super::core::{Answers, Core};
use crate::domain::{Elapse, RecordTurn, Release, Request, ReservationStatus, Turn};
use crate::error::Error;
use crate::ids::{BudgetId, GoalId, ReservationId};

/// How many expiries and rolls go into one frame at most.
const ELAPSED_PER_FRAME: usize = 256;
/// The writer looks at the clock at least this often while something is to come: a clock may jump.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(1);

impl Core {
    /// Whether a reservation or a window has come to its end by the clock.
    pub(super) fn is_due(&self) -> bool {
        self.working.state.next_deadline().is_some_and(|deadline| deadline <= self.now())
    }

    /// How long nothing is due; `None` where nothing will be. What is due and could not be done is tried again then.
    pub(super) fn until_due(&self) -> Option<Duration> {
        let deadline = self.working.state.next_deadline()?;
        let until = deadline.saturating_since(self.now());
        let soon = Duration::from_millis(1);
        Some(if until.is_zero() { LOOK_AT_CLOCK } else { until.clamp(soon, LOOK_AT_CLOCK) })
    }

    /// Lets what is due happen: expiries and rolls of windows (law HONEST: time acts on the state only through events).
    /// What finds no room waits for the next occasion; why is returned then.
    pub(super) fn elapse(&mut self) -> Result<Option<Error>, Error> {
        let mut max_events = ELAPSED_PER_FRAME;
        while self.is_due() {
            let seq = self.working.seq;
            match self.carry_out(&Request::from(Elapse { max_events }), None) {
                Ok(_) if self.working.seq > seq => {}
                Ok(_) => {
                    tracing::warn!(now = %self.now(), "something is due that cannot be done");
                    break;
                }
                // There may be room for less.
                Err(Stopped::Command(CommandError::Engine(_))) if max_events > 1 => max_events = 1,
                Err(Stopped::Engine(error)) => return Err(error),
                Err(Stopped::Command(CommandError::Engine(error))) => {
                    tracing::warn!(%error, "what is due waits");
                    return Ok(Some(error));
                }
                Err(Stopped::Command(error)) => {
                    tracing::warn!(%error, "what is due waits");
                    break;
                }
            }
        }
        Ok(None)
    }

    /// Releases a reservation whose guard was dropped, if it is still open.
    pub(super) fn release_dropped(&mut self, id: ReservationId, answers: &mut Answers) -> Result<(), Error> {
        let is_open = |status| status == ReservationStatus::Open;
        if !self.working.state.reservation(&id).is_some_and(|reservation| is_open(reservation.status)) {
            return Ok(());
        }
        let request = Request::from(Release { reservation_id: id.clone() });
        match self.carry_out(&request, None) {
            Ok(_) => answers.released.push(id),
            Err(Stopped::Engine(error)) => {
                answers.released.push(id);
                return Err(error);
            }
            Err(Stopped::Command(CommandError::Engine(error))) => {
                tracing::warn!(%error, reservation_id = %id, "a release waits for room");
                self.shared.inbox.defer_release(id);
            }
            Err(Stopped::Command(error)) => self.shared.count_dropped_release(&id, &error),
        }
        Ok(())
    }

    /// Books the turns that were added up. Why some have to wait on, if they have to.
    pub(super) fn book_pending(
        &mut self,
        turns: &mut btree_map::IntoIter<GoalId, Turn>,
        answers: &mut Answers,
    ) -> Result<Option<Error>, Error> {
        let mut waits = None;
        for (goal_id, turn) in turns {
            waits = self.book_accounted(goal_id, turn, answers)?.or(waits);
        }
        Ok(waits)
    }

    /// Books turns for which nobody waits. What finds no room waits for the next occasion (why is returned then); what
    /// cannot be booked at all is counted.
    pub(super) fn book_accounted(
        &mut self,
        goal_id: GoalId,
        turn: Turn,
        answers: &mut Answers,
    ) -> Result<Option<Error>, Error> {
        let turn = self.with_bookable_charges(goal_id, turn);
        let request = Request::from(RecordTurn::goal(goal_id, turn.clone()));
        match self.carry_out(&request, None) {
            Ok(_) => {
                answers.accounted.push((goal_id, turn));
                Ok(None)
            }
            Err(Stopped::Engine(error)) => {
                answers.accounted.push((goal_id, turn));
                Err(error)
            }
            Err(Stopped::Command(CommandError::Engine(error))) => {
                tracing::warn!(%error, %goal_id, "turns wait for room");
                if let Err(turn) = self.shared.inbox.defer_turn(goal_id, turn) {
                    self.shared.count_dropped_turns(goal_id, &turn, &error);
                }
                Ok(Some(error))
            }
            Err(Stopped::Command(error)) => {
                self.shared.count_dropped_turns(goal_id, &turn, &error);
                Ok(None)
            }
        }
    }

    /// The turn without the charges that would have it rejected as a whole, those of other turns with which it was
    /// added up included: they are counted.
    fn with_bookable_charges(&self, goal_id: GoalId, mut turn: Turn) -> Turn {
        let state = &self.working.state;
        turn.charges.retain(|charge| {
            let is_bookable = charge.amount > 0
                && matches!(charge.budget_id, BudgetId::Named(_))
                && state.budget(&charge.budget_id).is_some();
            if !is_bookable {
                self.shared.count_dropped_charge(goal_id, charge);
            }
            is_bookable
        });
        turn
    }
}

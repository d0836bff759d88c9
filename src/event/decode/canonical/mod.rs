//! The fast path: reads exactly what `encode/` writes, and answers `None` to any surprise.
//!
//! `None` never means an error here: `any_form/` then reads the same bytes and gives the event or says what is
//! wrong with them. Whatever is read here, is read there as the same event.

mod budget;
mod event;
mod goal;
mod refusal;
mod spend;

use std::sync::Arc;

use crate::event::{ChangeEvent, EventKey, KeyWindowSet, Payload};

use super::fields;
use super::names::Names;
use super::reader::{Reader, Texts};

/// The event, if `line` is its canonical form. `names`: what events before it had in common.
#[inline]
pub(super) fn read_with(line: &[u8], names: &mut Names) -> Option<ChangeEvent> {
    let mut line = Reader::new(std::str::from_utf8(line).ok()?, names);
    let seq = line.after(r#"{"seq":"#)?.number()?;
    let ts = line.after(r#","ts":"#)?.timestamp()?;
    let payload = line.after(r#","kind":"#)?.payload()?;
    let session_id = line.if_after(r#","session_id":"#, Reader::known_text)?;
    let actor = line.if_after(r#","actor":"#, Reader::known_text)?;
    let key = line.if_after(r#","key":"#, Reader::event_key)?;
    let meta = line.if_after(r#","meta":"#, Reader::meta)?;
    line.end()?;
    line.is_empty().then_some(ChangeEvent { seq, ts, session_id, actor, key, meta, payload })
}

impl<N: Texts> Reader<'_, N> {
    fn event_key(&mut self) -> Option<EventKey> {
        let key = self.text()?;
        let fingerprint = self.if_after(r#","key_body":"#, Reader::fingerprint)?;
        Some(EventKey { key, fingerprint })
    }

    #[inline(always)]
    fn payload(&mut self) -> Option<Payload> {
        let payload = match self.string()? {
            "turn_recorded" => Payload::TurnRecorded(self.turn_recorded()?),
            "spend_recorded" => Payload::SpendRecorded(Arc::new(self.spend_recorded()?)),
            "reservation_made" => Payload::ReservationMade(self.reservation_made()?),
            "event_recorded" => Payload::EventRecorded(self.event_recorded()?),
            "goal_created" => Payload::GoalCreated(self.goal_created()?),
            "goal_transitioned" => Payload::GoalTransitioned(self.goal_transitioned()?),
            "goal_budget_set" => Payload::GoalBudgetSet(self.goal_budget_set()?),
            "budget_exhausted" => Payload::BudgetExhausted(self.budget_exhausted()?),
            "threshold_crossed" => Payload::ThresholdCrossed(self.threshold_crossed()?),
            "budget_allocated" => Payload::BudgetAllocated(self.budget_allocated()?),
            "budget_adjusted" => Payload::BudgetAdjusted(self.budget_adjusted()?),
            "progress_set" => Payload::ProgressSet(self.progress_set()?),
            "budget_closed" => Payload::BudgetClosed(self.budget_closed()?),
            "window_rolled" => Payload::WindowRolled(self.window_rolled()?),
            "ended_forgotten" => Payload::EndedForgotten(self.ended_forgotten()?),
            "spend_reversed" => Payload::SpendReversed(self.spend_reversed()?),
            "reservation_released" => Payload::ReservationReleased(self.reservation_released()?),
            "reservation_expired" => Payload::ReservationExpired(self.reservation_expired()?),
            "reservation_marked_unknown" => {
                Payload::ReservationMarkedUnknown(self.reservation_marked_unknown()?)
            }
            "meter_observed" => Payload::MeterObserved(self.meter_observed()?),
            "meter_reset" => Payload::MeterReset(self.meter_reset()?),
            "command_refused" => Payload::CommandRefused(self.command_refused()?),
            "refusals_suppressed" => Payload::RefusalsSuppressed(self.refusals_suppressed()?),
            "key_window_set" => Payload::KeyWindowSet(self.key_window_set()?),
            _ => return None,
        };
        self.end()?;
        Some(payload)
    }

    fn key_window_set(&mut self) -> Option<KeyWindowSet> {
        Some(KeyWindowSet {
            max_age_ms: self.after(r#","data":{"max_age_ms":"#)?.number()?,
            max_count: self.after(r#","max_count":"#)?.number()?,
        })
    }
}

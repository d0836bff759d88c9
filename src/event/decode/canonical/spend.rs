//! What is spent, set aside and measured.

use crate::event::{
    MeterObserved, MeterReset, Quantity, ReleaseReason, ReservationExpired, ReservationMade,
    ReservationMarkedUnknown, ReservationReleased, SpendDetails, SpendRecorded, SpendReversed,
};
use crate::ids::{BudgetId, MeterId, ReservationId, SpendId};

use super::{Reader, fields};

impl Reader<'_> {
    #[inline(always)]
    pub(super) fn spend_recorded(&mut self) -> Option<SpendRecorded> {
        Some(SpendRecorded {
            spend_id: self.after(br#","data":{"spend_id":"#)?.name().map(SpendId)?,
            budget_id: self.after(br#","budget_id":"#)?.budget_id()?,
            amount: self.after(br#","amount":"#)?.amount()?,
            incurred: self.after(br#","incurred":true"#).is_some(),
            late: self.after(br#","late":true"#).is_some(),
            overage: self.list_if_after(br#","overage":"#, Reader::charge)?,
            reservation_id: self.if_after(br#","reservation_id":"#, Reader::name)?.map(ReservationId),
            goal_id: self.if_after(br#","goal_id":"#, Reader::goal_id)?,
            meter_id: self.if_after(br#","meter_id":"#, Reader::known_name)?.map(MeterId),
            body: self.if_after(br#","body":"#, Reader::fingerprint)?,
            details: self.spend_details()?,
        })
    }

    #[inline(always)]
    fn spend_details(&mut self) -> Option<SpendDetails> {
        Some(SpendDetails {
            peer: self.if_after(br#","peer":"#, Reader::known_text)?,
            tool: self.if_after(br#","tool":"#, Reader::known_text)?,
            reason: self.if_after(br#","reason":"#, Reader::text)?,
            quantities: self.list_if_after(br#","quantities":"#, Reader::quantity)?,
            occurred_at: self.if_after(br#","occurred_at":"#, Reader::timestamp)?,
        })
    }

    fn quantity(&mut self) -> Option<Quantity> {
        let name = self.after(br#"{"name":"#)?.known_text()?;
        let amount = self.after(br#","amount":"#)?.amount()?;
        self.after(b"}")?;
        Some(Quantity { name, amount })
    }

    pub(super) fn spend_reversed(&mut self) -> Option<SpendReversed> {
        Some(SpendReversed {
            spend_id: self.after(br#","data":{"spend_id":"#)?.name().map(SpendId)?,
            budget_id: self.after(br#","budget_id":"#)?.budget_id()?,
            amount: self.after(br#","amount":"#)?.amount()?,
            reason: self.after(br#","reason":"#)?.nullable(Reader::text)?,
        })
    }

    pub(super) fn reservation_made(&mut self) -> Option<ReservationMade> {
        let (reservation_id, budget_id, amount) = self.reservation()?;
        let owner = self.if_after(br#","owner":"#, Reader::known_text)?;
        let expires_at = self.if_after(br#","expires_at":"#, Reader::timestamp)?;
        let body = self.if_after(br#","body":"#, Reader::fingerprint)?;
        Some(ReservationMade { reservation_id, budget_id, amount, owner, expires_at, body })
    }

    pub(super) fn reservation_released(&mut self) -> Option<ReservationReleased> {
        let (reservation_id, budget_id, amount) = self.reservation()?;
        let reason = self.after(br#","reason":"#)?.named(ReleaseReason::from_name)?;
        Some(ReservationReleased { reservation_id, budget_id, amount, reason })
    }

    pub(super) fn reservation_expired(&mut self) -> Option<ReservationExpired> {
        let (reservation_id, budget_id, amount) = self.reservation()?;
        Some(ReservationExpired { reservation_id, budget_id, amount })
    }

    pub(super) fn reservation_marked_unknown(&mut self) -> Option<ReservationMarkedUnknown> {
        let (reservation_id, budget_id, amount) = self.reservation()?;
        Some(ReservationMarkedUnknown { reservation_id, budget_id, amount })
    }

    /// What every event of a reservation begins with.
    fn reservation(&mut self) -> Option<(ReservationId, BudgetId, u128)> {
        let reservation_id = self.after(br#","data":{"reservation_id":"#)?.name().map(ReservationId)?;
        let budget_id = self.after(br#","budget_id":"#)?.budget_id()?;
        let amount = self.after(br#","amount":"#)?.amount()?;
        Some((reservation_id, budget_id, amount))
    }

    pub(super) fn meter_observed(&mut self) -> Option<MeterObserved> {
        let meter_id = self.after(br#","data":{"meter_id":"#)?.name().map(MeterId)?;
        let budget_id = self.after(br#","budget_id":"#)?.nullable(Reader::budget_id)?;
        let delta = self.after(br#","delta":"#)?.nullable(Reader::amount)?;
        let cumulative = self.after(br#","cumulative":"#)?.nullable(Reader::amount)?;
        Some(MeterObserved {
            meter_id,
            budget_id,
            reading: fields::read_reading(delta, cumulative)?,
            increase: self.after(br#","increase":"#)?.amount()?,
            total: self.after(br#","total":"#)?.amount()?,
        })
    }

    pub(super) fn meter_reset(&mut self) -> Option<MeterReset> {
        Some(MeterReset {
            meter_id: self.after(br#","data":{"meter_id":"#)?.name().map(MeterId)?,
            previous: self.after(br#","previous":"#)?.amount()?,
            baseline: self.after(br#","baseline":"#)?.amount()?,
        })
    }
}

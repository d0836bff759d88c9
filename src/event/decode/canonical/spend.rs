//! What is spent, set aside and measured.

use crate::event::{
    MeterObserved, MeterReset, ReleaseReason, ReservationExpired, ReservationMade, ReservationMarkedUnknown,
    ReservationReleased, SpendRecorded, SpendReversed,
};
use crate::ids::{BudgetId, MeterId, ReservationId, SpendId};

use super::{Reader, Texts, fields};

impl<N: Texts> Reader<'_, N> {
    #[inline(always)]
    pub(super) fn spend_recorded(&mut self) -> Option<SpendRecorded> {
        Some(SpendRecorded {
            spend_id: self.after(r#","data":{"spend_id":"#)?.name().map(SpendId)?,
            budget_id: self.after(r#","budget_id":"#)?.budget_id()?,
            amount: self.after(r#","amount":"#)?.amount()?,
            incurred: self.after(r#","incurred":true"#).is_some(),
            late: self.after(r#","late":true"#).is_some(),
            overage: self.list_if_after(r#","overage":"#, Reader::charge)?,
            reservation_id: self.if_after(r#","reservation_id":"#, Reader::name)?.map(ReservationId),
            goal_id: self.if_after(r#","goal_id":"#, Reader::goal_id)?,
            meter_id: self.if_after(r#","meter_id":"#, Reader::known_name)?.map(MeterId),
            body: self.if_after(r#","body":"#, Reader::fingerprint)?,
            details: self.spend_details()?,
        })
    }

    pub(super) fn spend_reversed(&mut self) -> Option<SpendReversed> {
        Some(SpendReversed {
            spend_id: self.after(r#","data":{"spend_id":"#)?.name().map(SpendId)?,
            budget_id: self.after(r#","budget_id":"#)?.budget_id()?,
            amount: self.after(r#","amount":"#)?.amount()?,
            reason: self.after(r#","reason":"#)?.nullable(Reader::text)?,
        })
    }

    pub(super) fn reservation_made(&mut self) -> Option<ReservationMade> {
        let (reservation_id, budget_id, amount) = self.reservation()?;
        let owner = self.if_after(r#","owner":"#, Reader::known_text)?;
        let expires_at = self.if_after(r#","expires_at":"#, Reader::timestamp)?;
        let body = self.if_after(r#","body":"#, Reader::fingerprint)?;
        Some(ReservationMade { reservation_id, budget_id, amount, owner, expires_at, body })
    }

    pub(super) fn reservation_released(&mut self) -> Option<ReservationReleased> {
        let (reservation_id, budget_id, amount) = self.reservation()?;
        let reason = self.after(r#","reason":"#)?.named(ReleaseReason::from_name)?;
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
        let reservation_id = self.after(r#","data":{"reservation_id":"#)?.name().map(ReservationId)?;
        let budget_id = self.after(r#","budget_id":"#)?.budget_id()?;
        let amount = self.after(r#","amount":"#)?.amount()?;
        Some((reservation_id, budget_id, amount))
    }

    pub(super) fn meter_observed(&mut self) -> Option<MeterObserved> {
        let meter_id = self.after(r#","data":{"meter_id":"#)?.name().map(MeterId)?;
        let budget_id = self.after(r#","budget_id":"#)?.nullable(Reader::budget_id)?;
        let delta = self.after(r#","delta":"#)?.nullable(Reader::amount)?;
        let cumulative = self.after(r#","cumulative":"#)?.nullable(Reader::amount)?;
        Some(MeterObserved {
            meter_id,
            budget_id,
            reading: fields::read_reading(delta, cumulative)?,
            increase: self.after(r#","increase":"#)?.amount()?,
            total: self.after(r#","total":"#)?.amount()?,
        })
    }

    pub(super) fn meter_reset(&mut self) -> Option<MeterReset> {
        Some(MeterReset {
            meter_id: self.after(r#","data":{"meter_id":"#)?.name().map(MeterId)?,
            previous: self.after(r#","previous":"#)?.amount()?,
            baseline: self.after(r#","baseline":"#)?.amount()?,
        })
    }
}

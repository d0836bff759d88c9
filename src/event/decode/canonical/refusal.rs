//! What was refused.

use crate::event::{CommandRefused, RefusalKind, RefusalsSuppressed};
use crate::ids::ReservationId;

use super::Reader;

impl Reader<'_> {
    pub(super) fn command_refused(&mut self) -> Option<CommandRefused> {
        Some(CommandRefused {
            op: self.after(br#","v":2,"data":{"op":"#)?.known_text()?,
            refusal: self.after(br#","refusal":"#)?.named(RefusalKind::from_name)?,
            budget_id: self.after(br#","budget_id":"#)?.budget_id()?,
            goal_id: self.after(br#","goal_id":"#)?.nullable(Reader::goal_id)?,
            reservation_id: self.after(br#","reservation_id":"#)?.nullable(Reader::name)?.map(ReservationId),
            limit: self.after(br#","limit":"#)?.nullable(Reader::amount)?,
            spent: self.after(br#","spent":"#)?.amount()?,
            reserved: self.after(br#","reserved":"#)?.amount()?,
            amount: self.after(br#","amount":"#)?.amount()?,
            reason: self.after(br#","reason":"#)?.nullable(Reader::text)?,
        })
    }

    pub(super) fn refusals_suppressed(&mut self) -> Option<RefusalsSuppressed> {
        Some(RefusalsSuppressed {
            budget_id: self.after(br#","data":{"budget_id":"#)?.budget_id()?,
            refusal: self.after(br#","refusal":"#)?.named(RefusalKind::from_name)?,
            count: self.after(br#","count":"#)?.number()?,
            minute: self.after(br#","minute":"#)?.timestamp()?,
        })
    }
}

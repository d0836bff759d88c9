//! What was refused.

use crate::event::{CommandRefused, RefusalKind, RefusalsSuppressed};
use crate::ids::ReservationId;

use super::{Reader, Texts};

impl<N: Texts> Reader<'_, N> {
    pub(super) fn command_refused(&mut self) -> Option<CommandRefused> {
        Some(CommandRefused {
            op: self.after(r#","v":2,"data":{"op":"#)?.known_text()?,
            refusal: self.after(r#","refusal":"#)?.named(RefusalKind::from_name)?,
            budget_id: self.after(r#","budget_id":"#)?.budget_id()?,
            goal_id: self.after(r#","goal_id":"#)?.nullable(Reader::goal_id)?,
            reservation_id: self.after(r#","reservation_id":"#)?.nullable(Reader::name)?.map(ReservationId),
            limit: self.after(r#","limit":"#)?.nullable(Reader::amount)?,
            spent: self.after(r#","spent":"#)?.amount()?,
            reserved: self.after(r#","reserved":"#)?.amount()?,
            amount: self.after(r#","amount":"#)?.amount()?,
            reason: self.after(r#","reason":"#)?.nullable(Reader::text)?,
        })
    }

    pub(super) fn refusals_suppressed(&mut self) -> Option<RefusalsSuppressed> {
        Some(RefusalsSuppressed {
            budget_id: self.after(r#","data":{"budget_id":"#)?.budget_id()?,
            refusal: self.after(r#","refusal":"#)?.named(RefusalKind::from_name)?,
            count: self.after(r#","count":"#)?.number()?,
            minute: self.after(r#","minute":"#)?.timestamp()?,
        })
    }
}

//! The fast path of a restoration: reads lines of what is remembered exactly as `write/` writes them, and answers `None` to
//! any surprise.
//!
//! `None` never means an error here: `form/` then reads the same line, or says what is wrong with it. Whatever is read
//! here, is read there as the same.

use std::sync::Arc;

use crate::domain::entries::{Booking, Entry};
use crate::domain::keys::{KeyText, RememberedKey};
use crate::domain::snapshot::intern::Interner;
use crate::domain::{
    Budget, BudgetExtras, BudgetFacts, Closing, Outcome, Remembered, RememberedOutcome, SpendRecord,
};
use crate::event::SpendRecorded;
use crate::event::value::{Reader, Texts};
use crate::ids::{MeterId, ReservationId, SpendId};

/// A budget, if the line is one in its canonical form.
pub(super) fn budget(line: &str, names: &mut Interner) -> Option<Budget> {
    let mut line = Reader::new(line, names);
    let id = line.after(r#"{"part":"budget","budget_id":"#)?.budget_id()?;
    let unit = line.after(r#","unit":"#)?.known_text()?;
    let parent = line.if_after(r#","parent":"#, Reader::budget_id)?;
    let terms = line.after(r#","terms":"#)?.terms()?;
    let span = line.if_after(r#","span":"#, Reader::span)?;
    let spent = line.after(r#","spent":"#)?.amount()?;
    let spent_total = line.after(r#","spent_total":"#)?.amount()?;
    let reserved = line.after(r#","reserved":"#)?.amount()?;
    let overage_total = line.after(r#","overage_total":"#)?.amount()?;
    let crossed = usize::try_from(line.after(r#","crossed":"#)?.number()?).ok()?;
    let entry_count = line.after(r#","entry_count":"#)?.number()?;
    let progress = line.if_after(r#","progress_ppm":"#, Reader::fraction)?;
    let widen_by = line.if_after(r#","widen_by":"#, Reader::actors)?;
    let closing = line.if_after(r#","closed":"#, Reader::closing)?.map(Arc::new);
    let created_at = line.after(r#","created_at":"#)?.timestamp()?;
    let updated_at = line.after(r#","updated_at":"#)?.timestamp()?;
    let made_seq = line.after(r#","made_seq":"#)?.number()?;
    let rolled_seq = line.after(r#","rolled_seq":"#)?.number()?;
    let meta = line.if_after(r#","meta":"#, Reader::meta)?;
    whole(&mut line)?;
    let extras = BudgetExtras { span, overage_total, progress, widen_by, closing, meta, rolled_seq };
    let facts = BudgetFacts { id, unit, parent, terms, created_at, made_seq, extras: extras.shared() };
    let facts = Arc::new(facts);
    Some(Budget { spent, spent_total, reserved, crossed, entry_count, updated_at, facts })
}

/// A spend, if the line is one in its canonical form.
pub(super) fn spend(line: &str, names: &mut Interner) -> Option<SpendRecord> {
    let mut line = Reader::new(line, names);
    let spend = line.spend()?;
    whole(&mut line)?;
    Some(spend)
}

/// A booking, if the line is one in its canonical form.
pub(super) fn booking(line: &str, names: &mut Interner) -> Option<Entry<Booking>> {
    let mut line = Reader::new(line, names);
    let seq = line.after(r#"{"part":"booking","seq":"#)?.number()?;
    let at = line.after(r#","at":"#)?.timestamp()?;
    let budget_id = line.after(r#","budget_id":"#)?.budget_id()?;
    let amount = line.after(r#","amount":"#)?.amount()?;
    let is_reversal = line.after(r#","reversal":true"#).is_some();
    whole(&mut line)?;
    Some(Entry { seq, at, what: Booking::new(budget_id, amount, is_reversal) })
}

/// A key, if the line is one in its canonical form, and its command was done.
pub(super) fn key(line: &str, names: &mut Interner) -> Option<RememberedKey> {
    let mut line = Reader::new(line, names);
    let key = line.after(r#"{"part":"key","key":"#)?.string().map(KeyText::read)?;
    let fingerprint = line.after(r#","body":"#)?.fingerprint()?;
    let at = line.after(r#","at":"#)?.timestamp()?;
    let first_seq = line.after(r#","first_seq":"#)?.number()?;
    let last_seq = line.after(r#","last_seq":"#)?.number()?;
    let outcome = RememberedOutcome::Done(line.after(r#","outcome":"#)?.outcome()?);
    whole(&mut line)?;
    Some(RememberedKey { key, fingerprint, at, remembered: Remembered { first_seq, last_seq, outcome } })
}

/// The id of a host's event, if the line is one in its canonical form.
pub(super) fn event_id(line: &str, names: &mut Interner) -> Option<RememberedKey> {
    let mut line = Reader::new(line, names);
    let key = line.after(r#"{"part":"event_id","event_id":"#)?.name_text().map(KeyText::read)?;
    let fingerprint = line.after(r#","body":"#)?.fingerprint()?;
    let at = line.after(r#","at":"#)?.timestamp()?;
    let seq = line.after(r#","seq":"#)?.number()?;
    whole(&mut line)?;
    Some(RememberedKey { key, fingerprint, at, remembered: Remembered::nothing_at(seq) })
}

/// The line ends here.
fn whole<N: Texts>(line: &mut Reader<'_, N>) -> Option<()> {
    line.end()?;
    line.is_empty().then_some(())
}

impl<N: Texts> Reader<'_, N> {
    fn spend(&mut self) -> Option<SpendRecord> {
        let spend_id = SpendId(self.after(r#"{"part":"spend","spend_id":"#)?.name()?);
        let seq = self.after(r#","seq":"#)?.number()?;
        let last_seq = self.after(r#","last_seq":"#)?.number()?;
        let at = self.after(r#","at":"#)?.timestamp()?;
        let budget_id = self.after(r#","budget_id":"#)?.budget_id()?;
        let amount = self.after(r#","amount":"#)?.amount()?;
        let reversed = self.after(r#","reversed":"#)?.amount()?;
        let booked = SpendRecorded {
            spend_id,
            budget_id,
            amount,
            incurred: self.after(r#","incurred":true"#).is_some(),
            late: self.after(r#","late":true"#).is_some(),
            overage: self.list_if_after(r#","overage":"#, Reader::charge)?,
            reservation_id: self.if_after(r#","reservation_id":"#, Reader::name)?.map(ReservationId),
            goal_id: self.if_after(r#","goal_id":"#, Reader::goal_id)?,
            meter_id: self.if_after(r#","meter_id":"#, Reader::known_name)?.map(MeterId),
            body: self.if_after(r#","body":"#, Reader::fingerprint)?,
            details: self.spend_details()?,
        };
        let meta = self.if_after(r#","meta":"#, Reader::meta)?;
        Some(SpendRecord { seq, at, reversed, meta, booked: Arc::new(booked), last_seq })
    }

    fn closing(&mut self) -> Option<Closing> {
        let at = self.after(r#"{"at":"#)?.timestamp()?;
        let released = self.after(r#","released":"#)?.list(Reader::known_name)?;
        self.end()?;
        Some(Closing { at, released: released.into_iter().map(ReservationId).collect() })
    }

    /// What a command was about. One that was refused is a surprise: there are few.
    fn outcome(&mut self) -> Option<Outcome> {
        if self.after(r#""nothing""#).is_some() {
            return Some(Outcome::Nothing);
        }
        let outcome = match self.after("{")?.string()? {
            "goal" => Outcome::Goal(self.after(":")?.goal_id()?),
            "budget" => Outcome::Budget(self.after(":")?.budget_id()?),
            "closed" => Outcome::Closed(self.after(":")?.budget_id()?),
            "spend" => Outcome::Spend(SpendId(self.after(":")?.name()?)),
            "reservation" => Outcome::Reservation(ReservationId(self.after(":")?.name()?)),
            "meter" => Outcome::Meter(MeterId(self.after(":")?.known_name()?)),
            _ => return None,
        };
        self.end()?;
        Some(outcome)
    }
}

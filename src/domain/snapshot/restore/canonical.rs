//! The fast path of a restoration: reads lines of what is remembered exactly as `write/` writes them, and answers `None` to
//! any surprise.
//!
//! `None` never means an error here: `form/` then reads the same line, or says what is wrong with it. Whatever is read
//! here, is read there as the same.

use std::str::FromStr;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::entries::{Booking, Entry};
use crate::domain::keys::{KeyText, RememberedKey};
use crate::domain::snapshot::intern::Interner;
use crate::domain::{Outcome, Remembered, RememberedOutcome, SpendRecord};
use crate::event::value::{plain_len, read_fingerprint, split_u64, split_u128};
use crate::event::{Charge, Meta, Quantity, SpendDetails, SpendRecorded};
use crate::ids::{BudgetId, GoalId, MeterId, ReservationId, SpendId, is_name};

/// A spend, if the line is one in its canonical form.
pub(super) fn spend(line: &str, names: &mut Interner) -> Option<SpendRecord> {
    let mut line = Reader { rest: line, names };
    let spend = line.spend()?;
    line.rest.is_empty().then_some(spend)
}

/// A booking, if the line is one in its canonical form.
pub(super) fn booking(line: &str, names: &mut Interner) -> Option<Entry<Booking>> {
    let mut line = Reader { rest: line, names };
    let seq = line.after(r#"{"part":"booking","seq":"#)?.number()?;
    let at = line.after(r#","at":"#)?.timestamp()?;
    let budget_id = line.after(r#","budget_id":"#)?.budget_id()?;
    let amount = line.after(r#","amount":"#)?.amount()?;
    let is_reversal = line.after(r#","reversal":true"#).is_some();
    line.end()?;
    Some(Entry { seq, at, what: Booking::new(budget_id, amount, is_reversal) })
}

/// A key, if the line is one in its canonical form, and its command was done.
pub(super) fn key(line: &str, names: &mut Interner) -> Option<RememberedKey> {
    let mut line = Reader { rest: line, names };
    let key = line.after(r#"{"part":"key","key":"#)?.string().map(KeyText::read)?;
    let fingerprint = line.after(r#","body":"#)?.fingerprint()?;
    let at = line.after(r#","at":"#)?.timestamp()?;
    let first_seq = line.after(r#","first_seq":"#)?.number()?;
    let last_seq = line.after(r#","last_seq":"#)?.number()?;
    let outcome = RememberedOutcome::Done(line.after(r#","outcome":"#)?.outcome()?);
    line.end()?;
    Some(RememberedKey { key, fingerprint, at, remembered: Remembered { first_seq, last_seq, outcome } })
}

/// The id of a host's event, if the line is one in its canonical form.
pub(super) fn event_id(line: &str, names: &mut Interner) -> Option<RememberedKey> {
    let mut line = Reader { rest: line, names };
    let key = line.after(r#"{"part":"event_id","event_id":"#)?.name().map(KeyText::read)?;
    let fingerprint = line.after(r#","body":"#)?.fingerprint()?;
    let at = line.after(r#","at":"#)?.timestamp()?;
    let seq = line.after(r#","seq":"#)?.number()?;
    line.end()?;
    Some(RememberedKey { key, fingerprint, at, remembered: Remembered::nothing_at(seq) })
}

/// What is still to be read of a line.
struct Reader<'a, 'n> {
    rest: &'a str,
    names: &'n mut Interner,
}

impl<'a> Reader<'a, '_> {
    fn spend(&mut self) -> Option<SpendRecord> {
        let spend_id = SpendId(self.after(r#"{"part":"spend","spend_id":"#)?.own_id()?);
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
            reservation_id: self.if_after(r#","reservation_id":"#, Reader::own_id)?.map(ReservationId),
            goal_id: self.if_after(r#","goal_id":"#, Reader::goal_id)?,
            meter_id: self.if_after(r#","meter_id":"#, Reader::shared_id)?.map(MeterId),
            body: self.if_after(r#","body":"#, Reader::fingerprint)?,
            details: self.details()?,
        };
        let meta = self.meta_and_end()?;
        Some(SpendRecord { seq, at, reversed, meta, booked: Arc::new(booked), last_seq })
    }

    fn details(&mut self) -> Option<SpendDetails> {
        Some(SpendDetails {
            peer: self.if_after(r#","peer":"#, Reader::text)?,
            tool: self.if_after(r#","tool":"#, Reader::text)?,
            reason: self.if_after(r#","reason":"#, Reader::text)?,
            quantities: self.list_if_after(r#","quantities":"#, Reader::quantity)?,
            occurred_at: self.if_after(r#","occurred_at":"#, Reader::timestamp)?,
        })
    }

    fn charge(&mut self) -> Option<Charge> {
        let budget_id = self.after(r#"{"budget_id":"#)?.budget_id()?;
        let amount = self.after(r#","amount":"#)?.amount()?;
        self.end()?;
        Some(Charge { budget_id, amount })
    }

    fn quantity(&mut self) -> Option<Quantity> {
        let name = self.after(r#"{"name":"#)?.text()?;
        let amount = self.after(r#","amount":"#)?.amount()?;
        self.end()?;
        Some(Quantity { name, amount })
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
            "spend" => Outcome::Spend(SpendId(self.after(":")?.own_id()?)),
            "reservation" => Outcome::Reservation(ReservationId(self.after(":")?.own_id()?)),
            "meter" => Outcome::Meter(MeterId(self.after(":")?.shared_id()?)),
            _ => return None,
        };
        self.end()?;
        Some(outcome)
    }

    /// Steps over `expected`.
    fn after(&mut self, expected: &str) -> Option<&mut Self> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(self)
    }

    fn end(&mut self) -> Option<()> {
        self.after("}").map(|_| ())
    }

    /// What `read` reads after `prefix`, if that is what comes next.
    fn if_after<T>(&mut self, prefix: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.after(prefix) {
            Some(line) => read(line).map(Some),
            None => Some(None),
        }
    }

    /// A list of what `read` reads after `prefix`; empty, if that is not what comes next.
    fn list_if_after<T>(&mut self, prefix: &str, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        if self.after(prefix).is_none() {
            return Some(items);
        }
        self.after("[")?;
        loop {
            items.push(read(self)?);
            if self.after("]").is_some() {
                return Some(items);
            }
            self.after(",")?;
        }
    }

    fn number(&mut self) -> Option<u64> {
        let (value, rest) = split_u64(self.rest.as_bytes())?;
        self.rest = self.rest.get(self.rest.len() - rest.len()..)?;
        Some(value)
    }

    fn amount(&mut self) -> Option<u128> {
        let digits = self.rest.strip_prefix('"')?;
        let (value, rest) = split_u128(digits.as_bytes())?;
        self.rest = digits.get(digits.len() - rest.len()..)?.strip_prefix('"')?;
        Some(value)
    }

    /// A string in which nothing is escaped.
    fn string(&mut self) -> Option<&'a str> {
        let rest = self.rest.strip_prefix('"')?;
        let (string, rest) = rest.split_at_checked(plain_len(rest.as_bytes()))?;
        self.rest = rest.strip_prefix('"')?;
        Some(string)
    }

    /// A text that others are like to have, too.
    fn text(&mut self) -> Option<Arc<str>> {
        let text = self.string()?;
        Some(self.names.text(text))
    }

    /// An id that a host gives.
    fn name(&mut self) -> Option<&'a str> {
        let is_plain = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        self.string()
            .filter(|text| matches!(text.len(), 1..=BudgetId::MAX_LEN) && is_plain(text) || is_name(text))
    }

    /// The id of something that there is once.
    fn own_id(&mut self) -> Option<Arc<str>> {
        let id = self.name()?;
        Some(self.names.own(id))
    }

    /// The id of something that many name.
    fn shared_id(&mut self) -> Option<Arc<str>> {
        let id = self.name()?;
        Some(self.names.text(id))
    }

    fn goal_id(&mut self) -> Option<GoalId> {
        GoalId::from_str(self.string()?).ok()
    }

    fn budget_id(&mut self) -> Option<BudgetId> {
        let id = self.name()?;
        match id.strip_prefix(BudgetId::GOAL_PREFIX) {
            Some(goal) => GoalId::from_str(goal).ok().map(BudgetId::Goal),
            None => Some(BudgetId::Named(self.names.text(id))),
        }
    }

    fn timestamp(&mut self) -> Option<Timestamp> {
        Timestamp::from_ascii(self.string()?.as_bytes().try_into().ok()?)
    }

    fn fingerprint(&mut self) -> Option<u64> {
        read_fingerprint(self.string()?)
    }

    /// The metadata come last, so that they end one byte before the line does.
    fn meta_and_end(&mut self) -> Option<Option<Meta>> {
        if self.after(r#","meta":"#).is_none() {
            return self.end().map(|()| None);
        }
        let meta = self.rest.strip_suffix('}')?;
        self.rest = "";
        Meta::parse(meta).ok().map(Some)
    }
}

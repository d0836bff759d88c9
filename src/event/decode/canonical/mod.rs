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

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::event::{
    ChangeEvent, Charge, EventKey, Fraction, Json, KeyWindowSet, Meta, Payload, json, number, text,
};
use crate::ids::{BudgetId, GoalId, is_name};

use super::fields;
use super::names::Names;

/// The event, if `line` is its canonical form.
pub(super) fn read(line: &[u8]) -> Option<ChangeEvent> {
    read_with(line, &mut Names::default())
}

/// The same, with what events before it had in common.
pub(super) fn read_with(line: &[u8], names: &mut Names) -> Option<ChangeEvent> {
    let mut line = Reader { rest: line, names };
    let seq = line.after(br#"{"seq":"#)?.number()?;
    let ts = line.after(br#","ts":"#)?.timestamp()?;
    let payload = line.after(br#","kind":"#)?.payload()?;
    let session_id = line.if_after(br#","session_id":"#, Reader::known_text)?;
    let actor = line.if_after(br#","actor":"#, Reader::known_text)?;
    let key = line.if_after(br#","key":"#, Reader::event_key)?;
    let meta = line.if_after(br#","meta":"#, Reader::meta)?;
    line.after(b"}")?;
    line.rest.is_empty().then_some(ChangeEvent { seq, ts, session_id, actor, key, meta, payload })
}

/// What is still to be read.
struct Reader<'a> {
    rest: &'a [u8],
    names: &'a mut Names,
}

impl<'a> Reader<'a> {
    /// Steps over `expected`.
    #[inline]
    fn after(&mut self, expected: &[u8]) -> Option<&mut Self> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(self)
    }

    /// What `read` reads after `prefix`, if that is what comes next.
    fn if_after<T>(&mut self, prefix: &[u8], read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                read(self).map(Some)
            }
            None => Some(None),
        }
    }

    /// A list of what `read` reads after `prefix`; empty, if that is not what comes next.
    fn list_if_after<T>(&mut self, prefix: &[u8], read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.if_after(prefix, |line| line.list(read)).map(Option::unwrap_or_default)
    }

    /// What `read` reads, unless `null` comes next.
    fn nullable<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.rest.strip_prefix(b"null") {
            Some(rest) => {
                self.rest = rest;
                Some(None)
            }
            None => read(self).map(Some),
        }
    }

    /// A list of what `read` reads.
    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.after(b"[")?;
        let mut items = Vec::new();
        if self.after(b"]").is_some() {
            return Some(items);
        }
        loop {
            items.push(read(self)?);
            if self.after(b"]").is_some() {
                return Some(items);
            }
            self.after(b",")?;
        }
    }

    fn number(&mut self) -> Option<u64> {
        let (value, rest) = number::split_u64(self.rest)?;
        self.rest = rest;
        Some(value)
    }

    fn amount(&mut self) -> Option<u128> {
        let (value, rest) = number::split_u128(self.rest.strip_prefix(b"\"")?)?;
        self.rest = rest.strip_prefix(b"\"")?;
        Some(value)
    }

    fn boolean(&mut self) -> Option<bool> {
        if self.after(b"true").is_some() {
            return Some(true);
        }
        self.after(b"false").map(|_| false)
    }

    /// The bytes of a string in which nothing is escaped. An escape is a surprise: it is rare, and the general
    /// parser knows them all.
    fn string(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.strip_prefix(b"\"")?;
        let (string, rest) = rest.split_at(text::plain_len(rest));
        self.rest = rest.strip_prefix(b"\"")?;
        Some(string)
    }

    fn text(&mut self) -> Option<Arc<str>> {
        std::str::from_utf8(self.string()?).ok().map(Arc::from)
    }

    /// A text that other events are likely to have, too.
    fn known_text(&mut self) -> Option<Arc<str>> {
        let text = self.string()?;
        self.names.text(text)
    }

    /// What `from_name` makes of a string.
    fn named<T>(&mut self, from_name: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        from_name(std::str::from_utf8(self.string()?).ok()?)
    }

    /// The `N` bytes of a string of that length.
    fn fixed<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (fixed, rest) = self.rest.strip_prefix(b"\"")?.split_first_chunk()?;
        self.rest = rest.strip_prefix(b"\"")?;
        Some(fixed)
    }

    fn timestamp(&mut self) -> Option<Timestamp> {
        let text = self.fixed()?;
        self.names.timestamp(text)
    }

    fn goal_id(&mut self) -> Option<GoalId> {
        Uuid::try_parse_ascii(self.fixed::<36>()?).ok().map(GoalId)
    }

    fn budget_id(&mut self) -> Option<BudgetId> {
        let id = self.string()?;
        match id.strip_prefix(BudgetId::GOAL_PREFIX.as_bytes()) {
            Some(goal) if goal.len() == 36 => {
                Uuid::try_parse_ascii(goal).ok().map(|goal| BudgetId::Goal(GoalId(goal)))
            }
            Some(_) => None,
            None => self.names.id(id, as_name).map(BudgetId::Named),
        }
    }

    /// An id that a host gives, or that is made like those.
    fn name(&mut self) -> Option<Arc<str>> {
        as_name(self.string()?).map(Arc::from)
    }

    /// The same of something that other events are likely to name, too.
    fn known_name(&mut self) -> Option<Arc<str>> {
        let id = self.string()?;
        self.names.id(id, as_name)
    }

    fn fraction(&mut self) -> Option<Fraction> {
        fields::read_fraction(self.number()?)
    }

    fn fingerprint(&mut self) -> Option<u64> {
        let digits = self.fixed::<16>()?;
        digits.iter().try_fold(0, |value, digit| match digit {
            b'0'..=b'9' => Some(value << 4 | u64::from(digit - b'0')),
            b'a'..=b'f' => Some(value << 4 | u64::from(digit - b'a' + 10)),
            _ => None,
        })
    }

    /// Who may widen a budget.
    fn actors(&mut self) -> Option<Arc<[Arc<str>]>> {
        self.list(Reader::known_text).map(Arc::from)
    }

    fn charge(&mut self) -> Option<Charge> {
        let budget_id = self.after(br#"{"budget_id":"#)?.budget_id()?;
        let amount = self.after(br#","amount":"#)?.amount()?;
        self.after(b"}")?;
        Some(Charge { budget_id, amount })
    }

    fn event_key(&mut self) -> Option<EventKey> {
        let key = self.text()?;
        let fingerprint = self.if_after(br#","key_body":"#, Reader::fingerprint)?;
        Some(EventKey { key, fingerprint })
    }

    /// The metadata come last, so that they end one byte before the line does.
    fn meta(&mut self) -> Option<Meta> {
        let (meta, rest) = self.rest.split_at(self.rest.len().checked_sub(1)?);
        self.rest = rest;
        Meta::parse(std::str::from_utf8(meta).ok()?).ok()
    }

    /// A value of the host, whatever it is.
    fn json(&mut self) -> Option<Json> {
        let (json, rest) = self.rest.split_at(json::value_len(self.rest)?);
        self.rest = rest;
        Json::parse(std::str::from_utf8(json).ok()?).ok()
    }

    fn payload(&mut self) -> Option<Payload> {
        let payload = match self.string()? {
            b"turn_recorded" => Payload::TurnRecorded(self.turn_recorded()?),
            b"spend_recorded" => Payload::SpendRecorded(Arc::new(self.spend_recorded()?)),
            b"reservation_made" => Payload::ReservationMade(self.reservation_made()?),
            b"event_recorded" => Payload::EventRecorded(self.event_recorded()?),
            b"goal_created" => Payload::GoalCreated(self.goal_created()?),
            b"goal_transitioned" => Payload::GoalTransitioned(self.goal_transitioned()?),
            b"goal_budget_set" => Payload::GoalBudgetSet(self.goal_budget_set()?),
            b"budget_exhausted" => Payload::BudgetExhausted(self.budget_exhausted()?),
            b"threshold_crossed" => Payload::ThresholdCrossed(self.threshold_crossed()?),
            b"budget_allocated" => Payload::BudgetAllocated(self.budget_allocated()?),
            b"budget_adjusted" => Payload::BudgetAdjusted(self.budget_adjusted()?),
            b"progress_set" => Payload::ProgressSet(self.progress_set()?),
            b"budget_closed" => Payload::BudgetClosed(self.budget_closed()?),
            b"window_rolled" => Payload::WindowRolled(self.window_rolled()?),
            b"ended_forgotten" => Payload::EndedForgotten(self.ended_forgotten()?),
            b"spend_reversed" => Payload::SpendReversed(self.spend_reversed()?),
            b"reservation_released" => Payload::ReservationReleased(self.reservation_released()?),
            b"reservation_expired" => Payload::ReservationExpired(self.reservation_expired()?),
            b"reservation_marked_unknown" => {
                Payload::ReservationMarkedUnknown(self.reservation_marked_unknown()?)
            }
            b"meter_observed" => Payload::MeterObserved(self.meter_observed()?),
            b"meter_reset" => Payload::MeterReset(self.meter_reset()?),
            b"command_refused" => Payload::CommandRefused(self.command_refused()?),
            b"refusals_suppressed" => Payload::RefusalsSuppressed(self.refusals_suppressed()?),
            b"key_window_set" => Payload::KeyWindowSet(self.key_window_set()?),
            _ => return None,
        };
        self.after(b"}")?;
        Some(payload)
    }

    fn key_window_set(&mut self) -> Option<KeyWindowSet> {
        Some(KeyWindowSet {
            max_age_ms: self.after(br#","data":{"max_age_ms":"#)?.number()?,
            max_count: self.after(br#","max_count":"#)?.number()?,
        })
    }
}

/// The text of an id that a host gives, if it can be one. `bytes` are those of a string in which nothing is escaped, so
/// that only what is not ASCII, and one character that is, has to be looked at more closely.
fn as_name(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_printable = !bytes.iter().fold(false, |found, &byte| found | (byte >= 0x7f));
    let is_valid = if is_printable { (1..=BudgetId::MAX_LEN).contains(&bytes.len()) } else { is_name(text) };
    is_valid.then_some(text)
}

//! The fast path: reads exactly what `encode.rs` writes, and answers `None` to any surprise.
//!
//! `None` never means an error here: `any_form.rs` then reads the same bytes and gives the event or says what is
//! wrong with them. Whatever is read here, is read there as the same event.

use std::sync::Arc;

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::event::{
    BudgetExhausted, ChangeEvent, Charge, CommandRefused, EventKey, GoalBudgetSet, GoalCreated, GoalStatus,
    GoalTransitioned, KeyWindowSet, Meta, Payload, RefusalKind, RefusalsSuppressed, TransitionReason,
    TurnRecorded, number, text,
};
use crate::ids::{BudgetId, GoalId};

use super::fields;

/// The event, if `line` is its canonical form.
pub(super) fn read(line: &[u8]) -> Option<ChangeEvent> {
    let mut line = Reader { rest: line };
    let seq = line.after(br#"{"seq":"#)?.number()?;
    let ts = line.after(br#","ts":"#)?.timestamp()?;
    let payload = line.after(br#","kind":"#)?.payload()?;
    let session_id = line.if_after(br#","session_id":"#, Reader::text)?;
    let actor = line.if_after(br#","actor":"#, Reader::text)?;
    let key = line.if_after(br#","key":"#, Reader::event_key)?;
    let meta = line.if_after(br#","meta":"#, Reader::meta)?;
    line.after(b"}")?;
    line.rest.is_empty().then_some(ChangeEvent { seq, ts, session_id, actor, key, meta, payload })
}

/// What is still to be read.
struct Reader<'a> {
    rest: &'a [u8],
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
        Timestamp::from_ascii(self.fixed()?)
    }

    fn goal_id(&mut self) -> Option<GoalId> {
        Uuid::try_parse_ascii(self.fixed::<36>()?).ok().map(GoalId)
    }

    fn budget_id(&mut self) -> Option<BudgetId> {
        self.named(|id| id.parse().ok())
    }

    fn charge(&mut self) -> Option<Charge> {
        let budget_id = self.after(br#"{"budget_id":"#)?.budget_id()?;
        let amount = self.after(br#","amount":"#)?.amount()?;
        self.after(b"}")?;
        Some(Charge { budget_id, amount })
    }

    fn event_key(&mut self) -> Option<EventKey> {
        let key = self.text()?;
        let fingerprint = self.if_after(br#","key_body":"#, |line| line.named(fields::read_fingerprint))?;
        Some(EventKey { key, fingerprint })
    }

    /// The metadata come last, so that they end one byte before the line does.
    fn meta(&mut self) -> Option<Meta> {
        let (meta, rest) = self.rest.split_at(self.rest.len().checked_sub(1)?);
        self.rest = rest;
        Meta::parse(std::str::from_utf8(meta).ok()?).ok()
    }

    fn payload(&mut self) -> Option<Payload> {
        let payload = match self.string()? {
            b"turn_recorded" => Payload::TurnRecorded(self.turn_recorded()?),
            b"goal_created" => Payload::GoalCreated(self.goal_created()?),
            b"goal_transitioned" => Payload::GoalTransitioned(self.goal_transitioned()?),
            b"goal_budget_set" => Payload::GoalBudgetSet(self.goal_budget_set()?),
            b"budget_exhausted" => Payload::BudgetExhausted(self.budget_exhausted()?),
            b"command_refused" => Payload::CommandRefused(self.command_refused()?),
            b"refusals_suppressed" => Payload::RefusalsSuppressed(self.refusals_suppressed()?),
            b"key_window_set" => Payload::KeyWindowSet(self.key_window_set()?),
            _ => return None,
        };
        self.after(b"}")?;
        Some(payload)
    }

    fn goal_created(&mut self) -> Option<GoalCreated> {
        Some(GoalCreated {
            goal_id: self.after(br#","data":{"goal_id":"#)?.goal_id()?,
            scope: self.after(br#","scope":"#)?.text()?,
            text: self.after(br#","text":"#)?.text()?,
            token_budget: self.after(br#","token_budget":"#)?.nullable(Reader::amount)?,
            parent_goal: self.after(br#","parent_goal":"#)?.nullable(Reader::goal_id)?,
            budgets: self.after(br#","budgets":"#)?.list(Reader::budget_id)?,
            widen_by: None,
        })
    }

    fn goal_transitioned(&mut self) -> Option<GoalTransitioned> {
        Some(GoalTransitioned {
            goal_id: self.after(br#","data":{"goal_id":"#)?.goal_id()?,
            from: self.after(br#","from":"#)?.named(GoalStatus::from_name)?,
            to: self.after(br#","to":"#)?.named(GoalStatus::from_name)?,
            reason: self.after(br#","reason":"#)?.named(TransitionReason::from_name)?,
            revision: self.after(br#","revision":"#)?.number()?,
            by_goal: self.after(br#","by_goal":"#)?.nullable(Reader::goal_id)?,
            budget_id: self.after(br#","budget_id":"#)?.nullable(Reader::budget_id)?,
            note: self.after(br#","note":"#)?.nullable(Reader::text)?,
        })
    }

    fn goal_budget_set(&mut self) -> Option<GoalBudgetSet> {
        Some(GoalBudgetSet {
            goal_id: self.after(br#","data":{"goal_id":"#)?.goal_id()?,
            previous: self.after(br#","previous":"#)?.nullable(Reader::amount)?,
            token_budget: self.after(br#","token_budget":"#)?.nullable(Reader::amount)?,
        })
    }

    fn turn_recorded(&mut self) -> Option<TurnRecorded> {
        Some(TurnRecorded {
            goal_id: self.after(br#","v":2,"data":{"goal_id":"#)?.goal_id()?,
            tokens: self.after(br#","tokens":"#)?.amount()?,
            turns: self.after(br#","turns":"#)?.number()?,
            seconds: self.after(br#","seconds":"#)?.number()?,
            late: self.after(br#","late":"#)?.boolean()?,
            overage: self.after(br#","overage":"#)?.list(Reader::charge)?,
        })
    }

    fn budget_exhausted(&mut self) -> Option<BudgetExhausted> {
        Some(BudgetExhausted {
            budget_id: self.after(br#","data":{"budget_id":"#)?.budget_id()?,
            limit: self.after(br#","limit":"#)?.amount()?,
            spent: self.after(br#","spent":"#)?.amount()?,
            overage: self.after(br#","overage":"#)?.amount()?,
            hard: true,
        })
    }

    fn command_refused(&mut self) -> Option<CommandRefused> {
        Some(CommandRefused {
            op: self.after(br#","data":{"op":"#)?.text()?,
            refusal: self.after(br#","refusal":"#)?.named(RefusalKind::from_name)?,
            budget_id: self.after(br#","budget_id":"#)?.budget_id()?,
            goal_id: self.after(br#","goal_id":"#)?.nullable(Reader::goal_id)?,
            reservation_id: None,
            reason: None,
            limit: self.after(br#","limit":"#)?.nullable(Reader::amount)?,
            spent: self.after(br#","spent":"#)?.amount()?,
            reserved: self.after(br#","reserved":"#)?.amount()?,
            amount: self.after(br#","amount":"#)?.amount()?,
        })
    }

    fn refusals_suppressed(&mut self) -> Option<RefusalsSuppressed> {
        Some(RefusalsSuppressed {
            budget_id: self.after(br#","data":{"budget_id":"#)?.budget_id()?,
            refusal: self.after(br#","refusal":"#)?.named(RefusalKind::from_name)?,
            count: self.after(br#","count":"#)?.number()?,
            minute: self.after(br#","minute":"#)?.timestamp()?,
        })
    }

    fn key_window_set(&mut self) -> Option<KeyWindowSet> {
        Some(KeyWindowSet {
            max_age_ms: self.after(br#","data":{"max_age_ms":"#)?.number()?,
            max_count: self.after(br#","max_count":"#)?.number()?,
        })
    }
}

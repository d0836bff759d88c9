//! Reading JSON that stands in the one form in which we write it, without a general parser: it answers `None` to any
//! surprise, and whoever asks then has a general one read the same text.

use std::sync::Arc;

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::event::{BudgetTerms, Charge, Fraction, Json, Meta, Quantity, Span, SpendDetails, Window};
use crate::event::{json, number, text};
use crate::ids::{BudgetId, GoalId, is_name};

use super::fields;

/// Where texts are kept that many lines have in common.
pub(crate) trait Texts {
    /// A text that others are likely to have, too.
    fn text(&mut self, text: &str) -> Arc<str>;

    /// The same of an id; `None` where `is_id` denies that it is one.
    fn id(&mut self, text: &str, is_id: impl FnOnce(&str) -> bool) -> Option<Arc<str>>;

    /// The id of something that there is once.
    fn own_id(&mut self, id: &str) -> Arc<str>;

    /// A text that somebody wrote himself.
    fn remark(&mut self, text: &str) -> Arc<str>;

    /// The time that a text writes in the canonical form.
    fn timestamp(&mut self, text: &[u8; 27]) -> Option<Timestamp>;

    /// The thresholds of a budget.
    fn thresholds(&mut self, thresholds: Vec<Fraction>) -> Arc<[Fraction]>;

    /// The window of a budget.
    fn window(&mut self, window: Window) -> Arc<Window>;

    /// Who may widen a budget.
    fn actors(&mut self, actors: Vec<Arc<str>>) -> Arc<[Arc<str>]>;
}

/// What is still to be read of a line.
#[derive(Debug)]
pub(crate) struct Reader<'a, N> {
    rest: &'a str,
    names: &'a mut N,
}

impl<'a, N: Texts> Reader<'a, N> {
    pub(crate) fn new(line: &'a str, names: &'a mut N) -> Reader<'a, N> {
        Reader { rest: line, names }
    }

    /// Whether all of it was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Steps over `expected`.
    #[inline]
    pub(crate) fn after(&mut self, expected: &str) -> Option<&mut Self> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(self)
    }

    /// Steps over the end of an object.
    #[inline]
    pub(crate) fn end(&mut self) -> Option<()> {
        self.after("}").map(|_| ())
    }

    /// What `read` reads after `prefix`, if that is what comes next.
    #[inline]
    pub(crate) fn if_after<T>(
        &mut self,
        prefix: &str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.after(prefix) {
            Some(line) => read(line).map(Some),
            None => Some(None),
        }
    }

    /// A list of what `read` reads after `prefix`; empty, if that is not what comes next.
    #[inline]
    pub(crate) fn list_if_after<T>(
        &mut self,
        prefix: &str,
        read: impl Fn(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        match self.after(prefix) {
            Some(line) => line.list(read),
            None => Some(Vec::new()),
        }
    }

    /// What `read` reads, unless `null` comes next.
    pub(crate) fn nullable<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.after("null") {
            Some(_) => Some(None),
            None => read(self).map(Some),
        }
    }

    /// A list of what `read` reads.
    pub(crate) fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.after("[")?;
        let mut items = Vec::new();
        if self.after("]").is_some() {
            return Some(items);
        }
        loop {
            items.push(read(self)?);
            if self.after("]").is_some() {
                return Some(items);
            }
            self.after(",")?;
        }
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        let (value, rest) = number::split_u64(self.rest.as_bytes())?;
        self.rest = self.rest.get(self.rest.len() - rest.len()..)?;
        Some(value)
    }

    pub(crate) fn amount(&mut self) -> Option<u128> {
        let digits = self.rest.strip_prefix('"')?;
        let (value, rest) = number::split_u128(digits.as_bytes())?;
        self.rest = digits.get(digits.len() - rest.len()..)?.strip_prefix('"')?;
        Some(value)
    }

    pub(crate) fn boolean(&mut self) -> Option<bool> {
        if self.after("true").is_some() {
            return Some(true);
        }
        self.after("false").map(|_| false)
    }

    /// A string in which nothing is escaped. An escape is a surprise: it is rare, and the general parser knows them all.
    #[inline]
    pub(crate) fn string(&mut self) -> Option<&'a str> {
        let rest = self.rest.strip_prefix('"')?;
        let (string, rest) = rest.split_at_checked(text::plain_len(rest.as_bytes()))?;
        self.rest = rest.strip_prefix('"')?;
        Some(string)
    }

    /// A text that somebody wrote himself.
    pub(crate) fn text(&mut self) -> Option<Arc<str>> {
        let text = self.string()?;
        Some(self.names.remark(text))
    }

    /// A text that others are likely to have, too.
    pub(crate) fn known_text(&mut self) -> Option<Arc<str>> {
        let text = self.string()?;
        Some(self.names.text(text))
    }

    /// What `from_name` makes of a string.
    pub(crate) fn named<T>(&mut self, from_name: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        from_name(self.string()?)
    }

    /// The `N` bytes of a string of that length.
    fn fixed<const LEN: usize>(&mut self) -> Option<&'a [u8; LEN]> {
        let (fixed, rest) = self.rest.strip_prefix('"')?.split_at_checked(LEN)?;
        self.rest = rest.strip_prefix('"')?;
        fixed.as_bytes().first_chunk()
    }

    pub(crate) fn timestamp(&mut self) -> Option<Timestamp> {
        let text = self.fixed()?;
        self.names.timestamp(text)
    }

    pub(crate) fn goal_id(&mut self) -> Option<GoalId> {
        Uuid::try_parse_ascii(self.fixed::<36>()?).ok().map(GoalId)
    }

    pub(crate) fn budget_id(&mut self) -> Option<BudgetId> {
        let id = self.string()?;
        match id.strip_prefix(BudgetId::GOAL_PREFIX) {
            Some(goal) if goal.len() == 36 => {
                Uuid::try_parse_ascii(goal.as_bytes()).ok().map(|goal| BudgetId::Goal(GoalId(goal)))
            }
            Some(_) => None,
            None => self.names.id(id, is_id).map(BudgetId::Named),
        }
    }

    /// The id of something that there is once.
    pub(crate) fn name(&mut self) -> Option<Arc<str>> {
        let id = self.name_text()?;
        Some(self.names.own_id(id))
    }

    /// An id that a host gives, or that is made like those.
    pub(crate) fn name_text(&mut self) -> Option<&'a str> {
        self.string().filter(|id| is_id(id))
    }

    /// The id of something that others are likely to name, too.
    pub(crate) fn known_name(&mut self) -> Option<Arc<str>> {
        let id = self.string()?;
        self.names.id(id, is_id)
    }

    pub(crate) fn fraction(&mut self) -> Option<Fraction> {
        fields::read_fraction(self.number()?)
    }

    pub(crate) fn fingerprint(&mut self) -> Option<u64> {
        let digits = self.fixed::<16>()?;
        digits.iter().try_fold(0, |value, digit| match digit {
            b'0'..=b'9' => Some(value << 4 | u64::from(digit - b'0')),
            b'a'..=b'f' => Some(value << 4 | u64::from(digit - b'a' + 10)),
            _ => None,
        })
    }

    /// Who may widen a budget.
    pub(crate) fn actors(&mut self) -> Option<Arc<[Arc<str>]>> {
        let actors = self.list(Reader::known_text)?;
        Some(self.names.actors(actors))
    }

    pub(crate) fn charge(&mut self) -> Option<Charge> {
        let budget_id = self.after(r#"{"budget_id":"#)?.budget_id()?;
        let amount = self.after(r#","amount":"#)?.amount()?;
        self.end()?;
        Some(Charge { budget_id, amount })
    }

    #[inline]
    pub(crate) fn spend_details(&mut self) -> Option<SpendDetails> {
        Some(SpendDetails {
            peer: self.if_after(r#","peer":"#, Reader::known_text)?,
            tool: self.if_after(r#","tool":"#, Reader::known_text)?,
            reason: self.if_after(r#","reason":"#, Reader::text)?,
            quantities: self.list_if_after(r#","quantities":"#, Reader::quantity)?,
            occurred_at: self.if_after(r#","occurred_at":"#, Reader::timestamp)?,
        })
    }

    fn quantity(&mut self) -> Option<Quantity> {
        let name = self.after(r#"{"name":"#)?.known_text()?;
        let amount = self.after(r#","amount":"#)?.amount()?;
        self.end()?;
        Some(Quantity { name, amount })
    }

    pub(crate) fn terms(&mut self) -> Option<BudgetTerms> {
        let limit = self.after(r#"{"limit":"#)?.nullable(Reader::amount)?;
        let hard = self.after(r#","hard":"#)?.boolean()?;
        let thresholds = self.after(r#","thresholds_ppm":"#)?.list(Reader::fraction)?;
        let window = self.after(r#","window":"#)?.nullable(Reader::window)?;
        self.end()?;
        let (thresholds, names) = (self.names.thresholds(thresholds), &mut self.names);
        Some(BudgetTerms { limit, hard, thresholds, window: window.map(|window| names.window(window)) })
    }

    fn window(&mut self) -> Option<Window> {
        let window = Window {
            every: self.after(r#"{"every":"#)?.text()?,
            anchor: self.after(r#","anchor":"#)?.nullable(Reader::timestamp)?,
            tz: self.after(r#","tz":"#)?.nullable(Reader::known_text)?,
        };
        self.end()?;
        Some(window)
    }

    pub(crate) fn span(&mut self) -> Option<Span> {
        let start = self.after(r#"{"start":"#)?.timestamp()?;
        let end = self.after(r#","end":"#)?.timestamp()?;
        self.end()?;
        Some(Span { start, end })
    }

    /// The metadata come last, so that they end one byte before the line does.
    pub(crate) fn meta(&mut self) -> Option<Meta> {
        let meta = self.rest.strip_suffix('}')?;
        self.rest = self.rest.get(meta.len()..)?;
        Meta::parse(meta).ok()
    }

    /// A value of the host, whatever it is.
    pub(crate) fn json(&mut self) -> Option<Json> {
        let (json, rest) = self.rest.split_at_checked(json::value_len(self.rest.as_bytes())?)?;
        self.rest = rest;
        Json::parse(json).ok()
    }
}

/// Whether a string in which nothing is escaped can be an id that a host gives: only what is not ASCII, and one
/// character that is, has to be looked at more closely.
fn is_id(text: &str) -> bool {
    let is_printable = !text.bytes().fold(false, |found, byte| found | (byte >= 0x7f));
    if is_printable { (1..=BudgetId::MAX_LEN).contains(&text.len()) } else { is_name(text) }
}

//! Idempotency keys: which are remembered, for what, and for how long (law EXACT).

use std::sync::Arc;

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::domain::hex::read_hex;
use crate::domain::leaf::Digest;
use crate::domain::log::Happened;
use crate::domain::register::{Identified, Register};
use crate::domain::{Remembered, RememberedOutcome};

/// The window in which idempotency keys are remembered. Outside it a key is forgotten, by the time and number of the
/// events, not by the clock; a retry is then a new command, unless the key is a UUID of version 7, which tells its age:
/// that is rejected as [`KeyExpired`](crate::RejectionKind::KeyExpired).
///
/// The same window, each counted for itself, holds for spends, for reservations that have ended, for the ids of the host's
/// own events, and for all that was booked or taken back, turns included. So it also bounds how long a spend can be
/// reversed, an ended reservation settled, and how far back a burn rate looks. It outlives restarts and the close of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyWindow {
    /// Keys older than this are forgotten, in milliseconds; at least 1.
    pub max_age_ms: u64,
    /// The oldest keys beyond this number are forgotten; at least 1.
    pub max_count: u64,
}

impl KeyWindow {
    /// 24 hours and 65,536 keys: where a journal begins. Part of the fold version, since no event says it.
    pub const DEFAULT: KeyWindow = KeyWindow { max_age_ms: 24 * 60 * 60 * 1_000, max_count: 65_536 };

    /// Whether what happened at that time is too old to be remembered.
    pub(super) fn is_too_old(self, at: Timestamp, now: Timestamp) -> bool {
        let age_micros = now.as_micros().saturating_sub(at.as_micros());
        u64::try_from(age_micros).is_ok_and(|age| age > self.max_age_ms.saturating_mul(1_000))
    }

    /// Whether it is too much to be remembered.
    pub(super) fn is_too_many(self, count: usize) -> bool {
        u64::try_from(count).is_ok_and(|count| count > self.max_count)
    }

    /// Whether an id that is not remembered says itself that it may have been: it is a UUID of version 7, from before
    /// what is remembered, the youngest that was forgotten having been used at `forgotten_through`.
    pub(super) fn is_expired(self, id: &str, forgotten_through: Option<Timestamp>, now: Timestamp) -> bool {
        let Some(made_at_ms) = made_at_ms(id) else { return false };
        let made_at = Timestamp::from_micros(made_at_ms.saturating_mul(1_000));
        self.is_too_old(made_at, now)
            || forgotten_through.is_some_and(|forgotten| made_at_ms <= forgotten.as_millis())
    }
}

impl Default for KeyWindow {
    fn default() -> KeyWindow {
        KeyWindow::DEFAULT
    }
}

/// One remembered key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RememberedKey {
    pub(super) key: KeyText,
    pub(super) fingerprint: u64,
    pub(super) at: Timestamp,
    pub(super) remembered: Remembered,
}

impl Happened for RememberedKey {
    /// That of the first event of its command.
    fn seq(&self) -> u64 {
        self.remembered.first_seq
    }

    fn at(&self) -> Timestamp {
        self.at
    }
}

impl Identified for RememberedKey {
    fn is(&self, id: &str) -> bool {
        self.key.is(id)
    }
}

/// The text of a key. Most are UUIDs in their usual spelling, and those are kept in 16 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyText {
    Uuid([u8; 16]),
    Other(Arc<str>),
}

impl KeyText {
    /// Shares the text where it is no UUID.
    pub(super) fn new(text: &Arc<str>) -> KeyText {
        KeyText::uuid(text).map_or_else(|| KeyText::Other(text.clone()), KeyText::Uuid)
    }

    /// Of a text that is not kept otherwise.
    pub(super) fn read(text: &str) -> KeyText {
        KeyText::uuid(text).map_or_else(|| KeyText::Other(text.into()), KeyText::Uuid)
    }

    /// The bytes of a UUID that is written in lower case, with hyphens: only that text comes of them again.
    fn uuid(text: &str) -> Option<[u8; 16]> {
        let uuid = (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()?;
        (*uuid.hyphenated().encode_lower(&mut [0; 36]) == *text).then_some(uuid.into_bytes())
    }

    /// Hands the text over.
    pub(super) fn with<R>(&self, take: impl FnOnce(&str) -> R) -> R {
        match self {
            KeyText::Uuid(uuid) => take(Uuid::from_bytes(*uuid).hyphenated().encode_lower(&mut [0; 36])),
            KeyText::Other(text) => take(text),
        }
    }

    fn is(&self, text: &str) -> bool {
        self.with(|known| known == text)
    }
}

/// The remembered keys, or other ids that are keys, too.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    window: KeyWindow,
    /// By the first `seq` of their commands, which is also by age.
    register: Register<RememberedKey>,
}

impl Keys {
    pub(super) fn window(&self) -> KeyWindow {
        self.window
    }

    /// The time of the youngest key that was ever forgotten: up to here, one that is not known may have been used.
    pub(super) fn forgotten_through(&self) -> Option<Timestamp> {
        self.register.forgotten_through()
    }

    pub(super) fn get(&self, key: &str) -> Option<&RememberedKey> {
        self.register.get(key)
    }

    pub(super) fn len(&self) -> usize {
        self.register.len()
    }

    /// The keys in the order of their commands.
    pub(super) fn iter(&self) -> impl Iterator<Item = &RememberedKey> {
        self.register.iter()
    }

    /// Hands over the digests of all of them, by chunks.
    pub(super) fn digests(&self, compute: impl Fn(&[RememberedKey]) -> Digest, each: impl FnMut(&Digest)) {
        self.register.digests(compute, each);
    }

    /// The keys of a snapshot, before any is taken in.
    pub(super) fn restored(window: KeyWindow, forgotten_through: Option<Timestamp>) -> Keys {
        Keys { window, register: Register::restored(forgotten_through) }
    }

    /// Takes in a key of a snapshot, which has to come after those before it.
    pub(super) fn restore(&mut self, key: &str, entry: RememberedKey) -> Result<(), String> {
        self.register.restore(key, entry)
    }

    /// Whether a key that is not remembered says itself that it may have been.
    pub(super) fn is_expired(&self, key: &str, now: Timestamp) -> bool {
        self.window.is_expired(key, self.forgotten_through(), now)
    }

    /// Remembers a key at the first event of its command.
    pub(super) fn remember(&mut self, key: &str, entry: RememberedKey) {
        let now = entry.at;
        self.register.push(key, entry);
        self.forget_outside(now);
    }

    /// Takes note of a further event of a key's command. A key that its own command outlived is left forgotten.
    pub(super) fn extend(&mut self, key: &str, last_seq: u64, outcome: Option<RememberedOutcome>) {
        if let Some(entry) = self.register.change(key) {
            entry.remembered.last_seq = last_seq;
            if let Some(outcome) = outcome {
                entry.remembered.outcome = outcome;
            }
        }
    }

    /// Changes the window. What falls out of it is forgotten.
    pub(super) fn set_window(&mut self, window: KeyWindow, now: Timestamp) {
        self.window = window;
        self.forget_outside(now);
    }

    /// Forgets what is too old at the time of an event, or too much.
    pub(super) fn forget_outside(&mut self, now: Timestamp) {
        let through = |entry: &RememberedKey| entry.key.with(|key| forgotten_through(key, entry.at, now));
        self.register.forget_outside(self.window, now, through);
    }
}

/// Up to when ids may have been used that are not remembered, now that this one, used at that time, is forgotten. The
/// clock of whoever made it may be ahead of ours: then it is forgotten as of the time that it says itself, but of none
/// that is still to come, since new ones are made then.
pub(super) fn forgotten_through(id: &str, at: Timestamp, now: Timestamp) -> Timestamp {
    // Most were made right before they were used, which their first digits tell.
    if first_millis(id).is_some_and(|millis| millis <= at.as_millis()) {
        return at;
    }
    let made_at = made_at_ms(id).map(|millis| Timestamp::from_micros(millis.saturating_mul(1_000)));
    made_at.map_or(at, |made_at| at.max(made_at.min(now)))
}

/// What the first twelve digits say, if the text can be a UUID in lower case: when it was made, if it is one of version 7.
fn first_millis(id: &str) -> Option<i64> {
    let bytes = id.as_bytes();
    let (high, low) = (bytes.first_chunk::<8>()?, bytes.get(9..13)?.first_chunk::<4>()?);
    let [a, b, c, d] = *low;
    let high = read_hex(u64::from_be_bytes(*high))?;
    let low = read_hex(u64::from_be_bytes([b'0', b'0', b'0', b'0', a, b, c, d]))?;
    Some(i64::from(high) << 16 | i64::from(low))
}

/// When a UUID of version 7 says that it was made, in milliseconds since 1970; `None` for every other text.
pub(super) fn made_at_ms(key: &str) -> Option<i64> {
    // Only the hyphenated form: the others that the crate reads are no usual spelling of a key.
    let uuid = (key.len() == 36).then(|| Uuid::try_parse(key).ok()).flatten()?;
    if uuid.get_version_num() != 7 {
        return None;
    }
    i64::try_from(uuid.as_u128() >> 80).ok()
}

//! Reading an event: the canonical form on a fast path, every other JSON form of the same object behind it.

mod any_form;
mod canonical;
pub(super) mod fields;
mod names;
mod reader;

#[cfg(test)]
pub(super) mod arbitrary;
#[cfg(test)]
mod tests;

use crate::event::ChangeEvent;
use names::Names;
pub(crate) use names::Second;
pub(crate) use reader::{Reader, Texts};

/// Reads one event from its JSON.
///
/// The canonical form, which [`encode_event`](crate::event::encode_event) writes, is read without a general JSON
/// parser. Any other legal JSON text of the same object (keys in another order, white space, other escapes) gives
/// the same event. Old versions of a kind are brought to their present form.
///
/// # Errors
/// When `line` is not an event that this version knows in full: nothing is guessed, skipped or filled in.
pub fn decode_event(line: &[u8]) -> Result<ChangeEvent, DecodeError> {
    Decoder::default().decode(line)
}

/// Reads the events of a history one after another: as [`decode_event`] does, with less work and in less room for what
/// many of them have in common.
#[derive(Debug, Default)]
pub(crate) struct Decoder(Names);

impl Decoder {
    /// For a part of a history, where many may be at work at once: it remembers less.
    pub(crate) fn of_few() -> Decoder {
        Decoder(Names::few())
    }

    /// Reads one event from its JSON.
    #[inline]
    pub(crate) fn decode(&mut self, line: &[u8]) -> Result<ChangeEvent, DecodeError> {
        match canonical::read_with(line, &mut self.0) {
            Some(event) => Ok(event),
            None => any_form::read(line),
        }
    }
}

/// Why a text was not read as an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A kind that this version does not know.
    #[error(
        "the event at seq {seq} is of kind `{kind}` (v {version}), which tallybook {} does not know: \
         a newer release may; upgrade to read it",
        env!("CARGO_PKG_VERSION")
    )]
    UnknownKind {
        /// The event's position.
        seq: u64,
        /// Its kind (the first characters, if it is very long).
        kind: String,
        /// The version of the kind.
        version: u64,
    },
    /// A kind that this version knows, in a form newer than it knows.
    #[error(
        "the event at seq {seq} is of kind `{kind}` in v {found}, but tallybook {} knows that kind up to v {known}: \
         a newer release may; upgrade to read it",
        env!("CARGO_PKG_VERSION")
    )]
    UnsupportedVersion {
        /// The event's position.
        seq: u64,
        /// Its kind.
        kind: &'static str,
        /// The version of the kind that was found.
        found: u64,
        /// The newest version of the kind that is known.
        known: u64,
    },
    /// Not an event, or one with a field that is unknown, missing or of the wrong form.
    #[error("{}: {message}", seq.map_or_else(|| "not an event".to_owned(), |seq| format!("the event at seq {seq} is not valid")))]
    Invalid {
        /// The event's position, where it could be told.
        seq: Option<u64>,
        /// What was expected and what was found.
        message: String,
    },
}

impl DecodeError {
    /// The position of the event, where it could be told.
    pub fn seq(&self) -> Option<u64> {
        match self {
            DecodeError::UnknownKind { seq, .. } | DecodeError::UnsupportedVersion { seq, .. } => Some(*seq),
            DecodeError::Invalid { seq, .. } => *seq,
        }
    }
}

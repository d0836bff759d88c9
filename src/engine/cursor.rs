//! Cursors: a place in the feed that survives restarts.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};
use crate::ids::{Epoch, JournalId};

/// The position of an event: which journal, which epoch, which `seq`. As text it is one opaque string, for clients
/// to keep and to hand back.
///
/// The epoch tells apart two futures of the same `seq`: one that a crash unmade, and the one that came instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The journal.
    pub journal_id: JournalId,
    /// The epoch in which the event was first written.
    pub epoch: Epoch,
    /// The event.
    pub seq: u64,
}

const PREFIX: &str = "tb1";

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}.{}.{}.{}", self.journal_id.0.simple(), self.epoch, self.seq)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Cursor, Error> {
        parse(text).ok_or_else(|| {
            let found: String = text.chars().take(100).collect();
            Error::new(
                ErrorKind::InvalidArgument,
                format!("expected a cursor as the feed gave it, found {found:?}"),
            )
        })
    }
}

fn parse(text: &str) -> Option<Cursor> {
    let mut parts = text.split('.');
    let (prefix, journal_id, epoch, seq) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_canonical =
        prefix == PREFIX && parts.next().is_none() && journal_id.len() == 32 && !seq.starts_with('+');
    let cursor = Cursor {
        journal_id: JournalId(uuid::Uuid::try_parse(journal_id).ok()?),
        epoch: epoch.parse().ok()?,
        seq: seq.parse().ok()?,
    };
    (is_canonical && cursor.seq > 0).then_some(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_as_it_prints() {
        let cursor = Cursor {
            journal_id: JournalId(uuid::Uuid::from_u128(5)),
            epoch: Epoch { counter: 2, tag: 0xab },
            seq: 77,
        };
        assert_eq!(cursor.to_string(), "tb1.00000000000000000000000000000005.2-000000ab.77");
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
    }

    #[test]
    fn what_is_no_cursor_is_named() {
        for text in [
            "",
            "77",
            "tb1.x.2-000000ab.77",
            "tb1.00000000000000000000000000000005.2-000000ab.0",
            "tb1.00000000000000000000000000000005.2-000000ab.77.1",
            "tb2.00000000000000000000000000000005.2-000000ab.77",
        ] {
            let error = text.parse::<Cursor>().unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
}

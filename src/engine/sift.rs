//! Frames of a journal, looked at as bytes: to find the few that matter without reading the others.

use std::sync::Arc;

use super::frames::{check_count, lines};
use crate::error::Error;
use crate::journal::{Walk, WalkSource};
use crate::storage::Storage;

/// Goes through all frames of events.
#[derive(Debug)]
pub(crate) struct Sift {
    walk: Walk,
}

/// A frame: which events it holds, and whether any of them is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sifted {
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) is_wanted: bool,
}

impl Sift {
    pub(super) fn open(storage: Arc<dyn Storage>, source: WalkSource) -> Result<Sift, Error> {
        Ok(Sift { walk: Walk::from_floor(storage, source)? })
    }

    /// The `seq` that comes next.
    pub(crate) fn next_seq(&self) -> u64 {
        self.walk.next_seq()
    }

    /// The next frame; `wants` gets each of its lines. `None` at the end.
    pub(crate) fn next(&mut self, wants: &mut dyn FnMut(&[u8]) -> bool) -> Result<Option<Sifted>, Error> {
        let Some(place) = self.walk.next()? else { return Ok(None) };
        check_count(&place)?;
        let (first_seq, mut last_seq, mut is_wanted) = (place.frame.header.first_seq, 0, false);
        for (seq, line) in lines(&place) {
            last_seq = seq;
            is_wanted |= wants(line);
        }
        Ok(Some(Sifted { first_seq, last_seq, is_wanted }))
    }
}

//! A state that is moved along the history: event by event where somebody looks, and in leaps in between.

use std::sync::Arc;

use super::as_of::{AsOf, go_on, start, state_as_of_beside};
use super::frames::{damaged, decode_frame};
use super::reader::StateAt;
use crate::background::Background;
use crate::error::Error;
use crate::event::{ChangeEvent, Decoder};
use crate::journal::{Walk, WalkSource, retained};
use crate::projection::Projection;
use crate::storage::Storage;

/// More events than this are not stepped through but folded as a boot does it, and from a newer snapshot where there is
/// one so far ahead.
const LEAP: u64 = 4_096;

/// A state of the history, and the way on from it.
#[derive(Debug)]
pub(crate) struct Timeline {
    storage: Arc<dyn Storage>,
    source: WalkSource,
    background: Background,
    as_of: AsOf,
    /// Where it goes on event by event; `None` after a leap.
    walk: Option<Walk>,
    decoder: Decoder,
    /// The events of the frame at hand that were not taken in yet, the next one last.
    ahead: Vec<ChangeEvent>,
    /// Where that frame lies.
    file: String,
    offset: u64,
}

impl Timeline {
    /// The state at a point.
    pub(super) fn open(
        storage: Arc<dyn Storage>,
        source: WalkSource,
        at: StateAt,
        background: Background,
    ) -> Result<Timeline, Error> {
        let as_of = state_as_of_beside(&storage, &source, at, &background)?;
        let decoder = Decoder::default();
        let (walk, ahead, file) = (None, Vec::new(), String::new());
        Ok(Timeline { storage, source, background, as_of, walk, decoder, ahead, file, offset: 0 })
    }

    /// The state where it stands.
    pub(crate) fn projection(&self) -> &Projection {
        &self.as_of.projection
    }

    /// Goes to the state after `seq`, which is not behind where it stands and is in the journal.
    ///
    /// # Errors
    /// As [`state_as_of_beside`]; `Pruned` when a live writer has pruned what comes next.
    pub(crate) fn advance_to(&mut self, seq: u64) -> Result<(), Error> {
        if seq.saturating_sub(self.as_of.projection.seq) > LEAP {
            self.leap(seq)?;
        }
        while self.as_of.projection.seq < seq {
            if self.step()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn leap(&mut self, seq: u64) -> Result<(), Error> {
        (self.walk, self.ahead) = (None, Vec::new());
        let newer = retained(&*self.storage)?.snapshots.into_iter().any(|name| {
            let at = name.before.first_seq.saturating_sub(1);
            at <= seq && at > self.as_of.projection.seq.saturating_add(LEAP)
        });
        let at = StateAt::Seq(seq);
        let from = match newer.then(|| start(&self.storage, &self.source, at)) {
            // One that is of no use is no reason to begin before where it stands.
            Some(Ok(found)) if found.projection.seq > self.as_of.projection.seq => found,
            _ => self.as_of.clone(),
        };
        self.as_of = go_on(&self.storage, &self.source, from, at, &self.background, None)?;
        Ok(())
    }

    /// Takes in the next event; `None` when there is none yet.
    ///
    /// # Errors
    /// As [`advance_to`](Self::advance_to).
    pub(crate) fn step(&mut self) -> Result<Option<ChangeEvent>, Error> {
        if self.ahead.is_empty() && !self.load()? {
            return Ok(None);
        }
        let Some(event) = self.ahead.pop() else { return Ok(None) };
        let applied = self.as_of.projection.apply(&event);
        applied.map_err(|error| Error::damaged(&self.file, self.offset, Some(event.seq), error))?;
        Ok(Some(event))
    }

    fn load(&mut self) -> Result<bool, Error> {
        let from = self.as_of.projection.seq + 1;
        let walk = match &mut self.walk {
            Some(walk) => walk,
            None => self.walk.insert(Walk::open(Arc::clone(&self.storage), self.source.clone(), from)?),
        };
        while self.ahead.is_empty() {
            let Some(place) = walk.next()? else { return Ok(false) };
            place.file.clone_into(&mut self.file);
            self.offset = place.frame.offset;
            decode_frame(&place, from, &mut self.decoder, &mut self.ahead)?;
            if let Some(first) = self.ahead.first().filter(|first| first.seq != from) {
                return Err(damaged(&place, from, format!("expected seq {from}, found {}", first.seq)));
            }
        }
        self.ahead.reverse();
        Ok(true)
    }
}

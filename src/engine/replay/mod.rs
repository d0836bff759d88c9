//! Replay: the frames of a journal, in order, into a state.
//!
//! Reading JSON takes as long as folding what it says. So where threads may be used a second one reads what comes next,
//! in batches of copied frames, while this one folds what has been read. The order stays: the first error in the order of
//! the journal is the one that is told, whichever thread came upon it, and whatever was found behind it meanwhile.

mod ahead;
mod batch;

#[cfg(test)]
mod tests;

use super::frames::{damaged, decode_frame};
use super::reader::StateAt;
use super::snapshots::restore;
use crate::background::Background;
use crate::error::Error;
use crate::event::{ChangeEvent, Decoder};
use crate::ids::Epoch;
use crate::journal::{FramePlace, Rebuild, SnapshotFile};
use crate::projection::Projection;
use ahead::ReadAhead;

/// A state that frames are folded into, up to a point of the history.
#[derive(Debug)]
pub(super) struct Replay<'w> {
    fold: Fold<'w>,
    /// The first event that is wanted: those of its frame that come before it are passed over.
    from: u64,
    decoder: Decoder,
    /// Room for the events of a frame.
    events: Vec<ChangeEvent>,
    ahead: Option<ReadAhead>,
}

/// What is folded.
#[derive(Debug)]
struct Fold<'w> {
    projection: Projection,
    at: StateAt,
    /// Whether the point was reached: nothing more is taken then.
    is_reached: bool,
    /// The epoch of the last event that was taken, if any was.
    last_epoch: Option<Epoch>,
    watch: Option<Watching<'w>>,
}

/// Gets the state after each event, with the event; says whether to end there.
pub(super) type Watch<'w> = dyn FnMut(&Projection, &ChangeEvent) -> bool + 'w;

struct Watching<'w>(&'w mut Watch<'w>);

impl std::fmt::Debug for Watching<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watching")
    }
}

impl<'w> Replay<'w> {
    /// Goes on from a state, to the end of what is given.
    pub(super) fn new(projection: Projection, background: &Background) -> Replay<'w> {
        Replay::up_to(projection, StateAt::End, background)
    }

    /// Goes on from a state, no further than a point of the history. What comes before the state is passed over.
    pub(super) fn up_to(projection: Projection, at: StateAt, background: &Background) -> Replay<'w> {
        // Where all is wanted, whatever does not go on at the state is wrong.
        let from = if at == StateAt::End { 0 } else { projection.seq.saturating_add(1) };
        Replay {
            from,
            fold: Fold { projection, at, is_reached: false, last_epoch: None, watch: None },
            decoder: Decoder::default(),
            events: Vec::new(),
            ahead: ReadAhead::where_it_pays(from, background),
        }
    }

    /// Shows every state that it comes to, until `watch` has seen enough.
    pub(super) fn watched_by(mut self, watch: &'w mut Watch<'w>) -> Replay<'w> {
        self.fold.watch = Some(Watching(watch));
        self
    }

    /// Takes a frame. What is wrong with it may be told only by a later call, by [`end`](Self::end) at the latest. Nothing
    /// more is to be given after an error.
    pub(super) fn frame(&mut self, place: &FramePlace<'_>) -> Result<(), Error> {
        if self.fold.is_reached {
            return Ok(());
        }
        let Some(ahead) = &mut self.ahead else {
            self.events.clear();
            let read = decode_frame(place, self.from, &mut self.decoder, &mut self.events);
            return self.fold.frame(place, &self.events, read.err());
        };
        let given = ahead.give(place, &mut |batch| batch.fold_into(&mut self.fold));
        if given.is_err() {
            // What was given behind it does not count.
            self.ahead = None;
        }
        given
    }

    /// Waits until all that was given is folded.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        let Some(ahead) = self.ahead.take() else { return Ok(()) };
        ahead.end(&mut |batch| batch.fold_into(&mut self.fold))
    }

    /// What comes first in the order of the journal, where reading it ended with an error: what is wrong with a frame
    /// that was given before, or that.
    pub(super) fn first_error(&mut self, error: Error) -> Error {
        self.end().err().unwrap_or(error)
    }

    /// Whether the point is reached, as far as that is known by now.
    pub(super) fn is_reached(&self) -> bool {
        self.fold.is_reached
    }

    /// The epoch of the last event that was taken; `None` when none was.
    pub(super) fn last_epoch(&self) -> Option<Epoch> {
        self.fold.last_epoch
    }

    /// The state after the last event that was taken.
    pub(super) fn into_projection(self) -> Projection {
        self.fold.projection
    }
}

impl Rebuild for Replay<'_> {
    fn restore(&mut self, snapshot: &SnapshotFile) -> Result<(), Error> {
        self.fold.projection = restore(snapshot)?;
        Ok(())
    }

    fn frame(&mut self, place: &FramePlace<'_>) -> Result<(), Error> {
        Replay::frame(self, place)
    }

    fn end(&mut self) -> Result<(), Error> {
        Replay::end(self)
    }
}

impl Fold<'_> {
    /// Takes in what was read of a frame, and then what was wrong with the rest of it. What lies behind the point that was
    /// asked for is not looked at, but for what is wrong in the same frame.
    fn frame(
        &mut self,
        place: &FramePlace<'_>,
        events: &[ChangeEvent],
        wrong: Option<Error>,
    ) -> Result<(), Error> {
        for event in events {
            self.is_reached |= self.is_beyond(event);
            if self.is_reached {
                return Ok(());
            }
            self.projection.apply(event).map_err(|error| damaged(place, event.seq, error.to_string()))?;
            self.last_epoch = Some(place.frame.header.epoch);
            if let Some(watch) = &mut self.watch
                && (watch.0)(&self.projection, event)
            {
                self.is_reached = true;
                return Ok(());
            }
        }
        self.is_reached |= wrong.is_none() && self.at == StateAt::Seq(self.projection.seq);
        wrong.map_or(Ok(()), Err)
    }

    fn is_beyond(&self, event: &ChangeEvent) -> bool {
        match self.at {
            StateAt::End => false,
            StateAt::Seq(last) => event.seq > last,
            StateAt::Time(last) => event.ts > last,
        }
    }
}

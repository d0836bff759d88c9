//! Copying what joins, as long as it reads and folds.

use std::sync::Arc;

use super::orphans::Orphans;
use crate::background::Background;
use crate::engine::frames::{check_count, decode_line, lines};
use crate::engine::replay::Replay;
use crate::error::{Error, ErrorKind};
use crate::journal::{Builder, FramePlace, Sink};
use crate::projection::Projection;
use crate::storage::Storage;

/// The new journal, and the state that it comes to.
pub(super) struct Copying {
    pub(super) builder: Builder,
    pub(super) projection: Projection,
    pub(super) orphans: Orphans,
    /// How many events were copied.
    pub(super) events: u64,
}

impl Copying {
    pub(super) fn new(builder: Builder, projection: Projection, to: Arc<dyn Storage>) -> Copying {
        Copying { builder, projection, orphans: Orphans::new(to), events: 0 }
    }
}

/// What a newer version may understand ends the salvage; what nobody does is damage.
fn or_wrong<T>(result: Result<T, Error>) -> Result<Result<T, String>, Error> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) if matches!(error.kind(), ErrorKind::Damaged(_)) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

impl Sink for Copying {
    fn take(&mut self, place: &FramePlace<'_>) -> Result<Result<(), String>, Error> {
        // All events of the frame or none (law ATOMIC).
        let mut replay = Replay::new(self.projection.clone(), &Background::Inline);
        if let Err(wrong) = or_wrong(replay.frame(place))? {
            return Ok(Err(wrong));
        }
        self.builder.append(place)?;
        self.events += u64::from(place.frame.header.event_count);
        self.projection = replay.into_projection();
        Ok(Ok(()))
    }

    fn orphan(&mut self, place: &FramePlace<'_>) -> Result<Result<(), String>, Error> {
        let read = check_count(place).and_then(|()| {
            lines(place).try_for_each(|(seq, line)| decode_line(place, seq, line).map(|_| ()))
        });
        if let Err(wrong) = or_wrong(read)? {
            return Ok(Err(wrong));
        }
        lines(place).try_for_each(|(_, line)| self.orphans.add(line))?;
        Ok(Ok(()))
    }

    fn cut(&mut self) {
        self.builder.cut();
    }
}

//! States as of a point of the history: the newest snapshot at or before it, and the events from there on.

use std::sync::Arc;

use super::frames::fold_up_to;
use super::reader::StateAt;
use crate::error::{Error, ErrorKind};
use crate::ids::{Epoch, JournalId};
use crate::journal::{Walk, WalkSource};
use crate::projection::Projection;
use crate::storage::Storage;

/// A state of the past.
#[derive(Debug, Clone)]
pub(super) struct AsOf {
    /// The state.
    pub(super) projection: Projection,
    /// The epoch of the last event in it; [`Epoch::NONE`] before the first.
    pub(super) last_epoch: Epoch,
    /// The journal.
    pub(super) journal_id: JournalId,
}

/// The state at a point of the history.
///
/// # Errors
/// `Pruned` when it lies below the retention floor, `InvalidArgument` when it is not in the journal yet.
pub(super) fn state_as_of(
    storage: &Arc<dyn Storage>,
    source: &WalkSource,
    at: StateAt,
) -> Result<AsOf, Error> {
    let mut walk = Walk::open(Arc::clone(storage), source.clone(), 1)?;
    let journal_id = walk.journal_id();
    let mut as_of = AsOf { projection: Projection::default(), last_epoch: Epoch::NONE, journal_id };
    if at == StateAt::Seq(0) {
        return Ok(as_of);
    }
    while let Some(place) = walk.next()? {
        let epoch = place.frame.header.epoch;
        let is_last = fold_up_to(&place, &mut as_of.projection, at)?;
        if as_of.projection.seq >= place.frame.header.first_seq {
            as_of.last_epoch = epoch;
        }
        if is_last {
            break;
        }
    }
    match at {
        StateAt::Seq(wanted) if as_of.projection.seq < wanted => {
            let last = as_of.projection.seq;
            let found = format!("seq {wanted} is not in the journal; its last event is seq {last}");
            Err(Error::new(ErrorKind::InvalidArgument, found))
        }
        _ => Ok(as_of),
    }
}

/// The oldest state that is retained: that before the oldest event in the journal. Empty where nothing was pruned.
pub(super) fn oldest_state(storage: &Arc<dyn Storage>, source: &WalkSource) -> Result<AsOf, Error> {
    state_as_of(storage, source, StateAt::Seq(0))
}

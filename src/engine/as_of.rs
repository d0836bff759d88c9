//! States as of a point of the history: the newest snapshot at or before it, and the events from there on.

use std::sync::Arc;

use super::reader::StateAt;
use super::replay::{Replay, Watch};
use super::snapshots;
use crate::background::Background;
use crate::error::{Error, ErrorKind};
use crate::ids::{Epoch, JournalId};
use crate::journal::{Walk, WalkSource, retained, testifies_to_missing};
use crate::projection::Projection;
use crate::storage::Storage;

/// How often it is begun anew when what it began from was pruned meanwhile.
const TRIES: usize = 20;

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

/// The state at a point of the history, on the caller's thread.
///
/// # Errors
/// `Pruned` when it lies below the retention floor, `InvalidArgument` when it is not in the journal yet.
pub(super) fn state_as_of(
    storage: &Arc<dyn Storage>,
    source: &WalkSource,
    at: StateAt,
) -> Result<AsOf, Error> {
    state_as_of_beside(storage, source, at, &Background::Inline)
}

/// The same, with another thread beside the caller's where there may be one.
pub(super) fn state_as_of_beside(
    storage: &Arc<dyn Storage>,
    source: &WalkSource,
    at: StateAt,
    background: &Background,
) -> Result<AsOf, Error> {
    for _ in 1..TRIES {
        match try_state_as_of(storage, source, at, background) {
            Err(error) if *error.kind() == ErrorKind::Pruned && !is_below_floor(storage, at)? => {}
            result => return result,
        }
    }
    try_state_as_of(storage, source, at, background)
}

/// Whether a point is known to lie below the retention floor, so that there is no use in trying again.
fn is_below_floor(storage: &Arc<dyn Storage>, at: StateAt) -> Result<bool, Error> {
    let StateAt::Seq(wanted) = at else { return Ok(false) };
    Ok(wanted < retained(&**storage)?.oldest_state)
}

/// The oldest state that is retained: that before the oldest event in the journal (with an archive that begins late: the oldest
/// there is). Empty where nothing was pruned.
pub(super) fn oldest_state(storage: &Arc<dyn Storage>, source: &WalkSource) -> Result<AsOf, Error> {
    for _ in 1..TRIES {
        let before = retained(&**storage)?.oldest_state;
        match try_state_as_of(storage, source, StateAt::Seq(before), &Background::Inline) {
            Err(error) if *error.kind() == ErrorKind::Pruned => {}
            result => return result,
        }
    }
    let before = retained(&**storage)?.oldest_state;
    try_state_as_of(storage, source, StateAt::Seq(before), &Background::Inline)
}

fn try_state_as_of(
    storage: &Arc<dyn Storage>,
    source: &WalkSource,
    at: StateAt,
    background: &Background,
) -> Result<AsOf, Error> {
    let as_of = start(storage, source, at)?;
    go_on(storage, source, as_of, at, background, None)
}

/// The state at a point of the history that a state of an earlier one comes to. `watch` is shown all states in between,
/// and may end it early.
pub(super) fn go_on<'w>(
    storage: &Arc<dyn Storage>,
    source: &WalkSource,
    mut as_of: AsOf,
    at: StateAt,
    background: &Background,
    watch: Option<&'w mut Watch<'w>>,
) -> Result<AsOf, Error> {
    if at == StateAt::Seq(as_of.projection.seq) {
        return Ok(as_of);
    }
    let mut walk = Walk::open(Arc::clone(storage), source.clone(), as_of.projection.seq + 1)?;
    let is_watched = watch.is_some();
    let mut replay = Replay::up_to(as_of.projection, at, background);
    if let Some(watch) = watch {
        replay = replay.watched_by(watch);
    }
    if let Err(error) = replay_up_to(&mut walk, &mut replay, at) {
        let error = replay.first_error(error);
        if !replay.is_reached() {
            return Err(error);
        }
    }
    let is_ended_early = is_watched && replay.is_reached();
    as_of.last_epoch = replay.last_epoch().unwrap_or(as_of.last_epoch);
    as_of.projection = replay.into_projection();
    match at {
        StateAt::Seq(wanted) if as_of.projection.seq < wanted && !is_ended_early => {
            let last = as_of.projection.seq;
            let found = format!("seq {wanted} is not in the journal; its last event is seq {last}");
            Err(Error::new(ErrorKind::InvalidArgument, found))
        }
        _ => Ok(as_of),
    }
}

/// Replays the journal from where the walk stands, no further than that point.
fn replay_up_to(walk: &mut Walk, replay: &mut Replay<'_>, at: StateAt) -> Result<(), Error> {
    while !replay.is_reached() {
        let Some(place) = walk.next()? else { break };
        replay.frame(&place)?;
        // What is read on another thread is not folded yet; where the end is known, nothing behind it is read.
        if matches!(at, StateAt::Seq(wanted) if place.frame.header.next_seq() > wanted) {
            break;
        }
    }
    replay.end()
}

/// What the newest snapshot at or before a point holds; nothing, where there is none and nothing was pruned.
pub(super) fn start(storage: &Arc<dyn Storage>, source: &WalkSource, at: StateAt) -> Result<AsOf, Error> {
    let retained = retained(&**storage)?;
    let mut first_error = None;
    for &name in retained.snapshots.iter().rev() {
        if matches!(at, StateAt::Seq(wanted) if name.before.first_seq > wanted.saturating_add(1)) {
            continue;
        }
        let restored = snapshots::open(&**storage, name).and_then(|file| match at {
            StateAt::Time(time) if file.header.last_ts > time => Ok(None),
            _ => snapshots::restore(&file)
                .map(|projection| Some((projection, file.header.epoch, file.header.journal_id))),
        });
        match restored {
            Ok(None) => {}
            Ok(Some((projection, last_epoch, journal_id))) => {
                return Ok(AsOf { projection, last_epoch, journal_id });
            }
            Err(error) if testifies_to_missing(&**storage, name)? => return Err(error),
            Err(error) => {
                tracing::warn!(%error, snapshot = %name, "a snapshot is of no use; an older one is tried");
                first_error.get_or_insert(error);
            }
        }
    }
    match first_error {
        Some(error) if retained.is_pruned => Err(error),
        None if retained.is_pruned => {
            let oldest = retained.oldest_state;
            let found = format!(
                "that point lies below the retention floor: the oldest state here is that after seq {oldest}"
            );
            Err(Error::new(ErrorKind::Pruned, found))
        }
        _ => {
            let journal_id = Walk::from_floor(Arc::clone(storage), source.clone())?.journal_id();
            Ok(AsOf { projection: Projection::default(), last_epoch: Epoch::NONE, journal_id })
        }
    }
}

//! The spine, kept up: the Merkle root of every closed segment, made from what is on the disk, off the writer's path.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::frames::{check_count, lines};
use crate::error::{Error, ErrorKind};
use crate::journal::format::SegmentName;
use crate::journal::{FramePlace, Inventory, SpineAppender, visit_closed};
use crate::merkle::{CompactRange, Hash, leaf_hash};
use crate::planted::{Bug, planted};
use crate::storage::Storage;

/// After so many frames it is looked whether to stop, and others may go first.
const PIECE: u64 = 512;

/// How many bytes of segments are still looked at when the engine is closed, but one segment in every run: the next opening
/// goes on.
pub(super) const AT_CLOSE: u64 = 32 << 20;

/// The Merkle root over the events of a closed segment, every CRC checked. `next` is the segment after it. `None` when
/// stopped.
///
/// # Errors
/// `Damaged` and `Io` when the segment cannot be read.
pub(crate) fn root_of_closed(
    storage: &dyn Storage,
    segment: SegmentName,
    next: SegmentName,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Option<Hash>, Error> {
    let (mut range, mut frames, mut was_stopped) = (CompactRange::new(), 0_u64, false);
    let mut visit = |place: &FramePlace<'_>| {
        frames += 1;
        if frames.is_multiple_of(PIECE) {
            was_stopped = is_stopped();
            if was_stopped {
                return Err(Error::new(ErrorKind::Closed, "stopped"));
            }
            std::thread::yield_now();
        }
        check_count(place)?;
        lines(place).for_each(|(seq, line)| range.push(leaf_hash(seq, line)));
        Ok(())
    };
    let visited = visit_closed(storage, segment, next, &mut visit, is_stopped);
    if was_stopped {
        return Ok(None);
    }
    if visited?.is_none() {
        return Ok(None);
    }
    let (found, wanted) = (range.leaves(), next.first_seq.saturating_sub(segment.first_seq));
    if found != wanted {
        let text = format!("{found} events were read, and the name of the next segment says {wanted}");
        return Err(Error::damaged(&segment.to_string(), 0, Some(segment.first_seq), text));
    }
    Ok(Some(range.root()))
}

/// The spine of the journal that an engine writes.
#[derive(Debug, Default)]
pub(super) struct SpineKeeper(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// `None`: it was not opened yet, or has to be opened anew after a failure.
    appender: Option<SpineAppender>,
    /// After a sync that failed nobody knows what the disk holds, until the journal is opened again.
    in_doubt: Option<Error>,
}

impl SpineKeeper {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives every closed segment its entry, as far as that is possible, and until stopped. `at_close`: how many bytes are still
    /// looked at, once the engine is about to be closed: it does not wait for a long history.
    pub(super) fn catch_up(
        &self,
        storage: &dyn Storage,
        found: &Inventory,
        is_stopped: &dyn Fn() -> bool,
        at_close: &dyn Fn() -> Option<u64>,
    ) -> Result<(), Error> {
        let mut looked_at = 0_u64;
        self.lock().with(storage, found, |spine| {
            for (index, segment) in found.closed.iter().enumerate() {
                if segment.name.number != spine.next_number() {
                    continue;
                }
                let next = found.closed.get(index + 1).map_or(found.active, |next| next.name);
                let Some(root) = root_of_closed(storage, segment.name, next, is_stopped)? else {
                    return Ok(());
                };
                if is_stopped() {
                    return Ok(());
                }
                spine.append(storage, segment.name.first_seq, next.first_seq, root)?;
                if let Some(most) = at_close() {
                    looked_at = looked_at.saturating_add(segment.end);
                    if looked_at >= most {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }

    /// Which segment is the first that may not be pruned, because it has no entry; all those before have one on the disk.
    pub(super) fn end(&self, storage: &dyn Storage, found: &Inventory) -> Result<SegmentName, Error> {
        let oldest = found.oldest();
        if planted(Bug::PrunedBeforeTheSpine) {
            return Ok(found.active);
        }
        if oldest == found.active {
            return Ok(oldest);
        }
        let next =
            self.lock().with(storage, found, |spine| spine.settle(storage).map(|()| spine.next_number()))?;
        let segment = found.closed.iter().find(|segment| segment.name.number == next);
        Ok(segment.map_or(found.active, |segment| segment.name))
    }

    /// The head before a segment; zeros where it is not known.
    pub(super) fn head_before(&self, storage: &dyn Storage, found: &Inventory, segment: SegmentName) -> Hash {
        let head = self.lock().with(storage, found, |spine| spine.head_before(segment.number));
        head.unwrap_or_default().unwrap_or_default()
    }
}

impl Kept {
    /// Does something with the spine, which is opened if need be. After a failure it is opened anew the next time.
    fn with<T>(
        &mut self,
        storage: &dyn Storage,
        found: &Inventory,
        act: impl FnOnce(&mut SpineAppender) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(error) = &self.in_doubt {
            return Err(error.clone());
        }
        let mut spine = match self.appender.take() {
            Some(spine) => spine,
            None => SpineAppender::open(storage, found)?,
        };
        match act(&mut spine) {
            Ok(done) => {
                self.appender = Some(spine);
                Ok(done)
            }
            Err(error) => {
                self.in_doubt = spine.is_in_doubt().then(|| error.clone());
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{SPINE_NAME, Spine, inventory};
    use crate::storage::SimulatedDisk;
    use crate::{NewBudget, Options, Retention};

    #[test]
    fn an_engine_that_is_closed_does_not_wait_for_a_long_history_and_the_next_run_goes_on() {
        let disk = SimulatedDisk::new(1);
        let rules = Options::new().inline().segment_bytes(Options::MIN_SEGMENT_BYTES);
        let engine = rules.retention(Retention::keep_all()).open_storage(disk.process()).unwrap().blocking();
        (0..6)
            .for_each(|number| drop(engine.allocate(NewBudget::new(format!("b{number}")).limit(5)).unwrap()));
        drop(engine);
        disk.remove_file(SPINE_NAME).unwrap();
        let storage = disk.process();
        let found = inventory(&*storage, u64::MAX).unwrap();
        assert!(found.closed.len() > 4);
        let next = |at_close: Option<u64>| {
            let keeper = SpineKeeper::default();
            keeper.catch_up(&*storage, &found, &|| false, &|| at_close).unwrap();
            Spine::read(&*storage).unwrap().unwrap().next_number().unwrap()
        };
        // One in every run, so that it comes to an end.
        assert_eq!([next(Some(1)), next(Some(1))], [2, 3]);
        assert_eq!(next(Some(found.closed[2].end + 1)), 5);
        assert_eq!(next(None), found.active.number);
    }
}

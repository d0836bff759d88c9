//! Upkeep of the journal, off the writer's path: the spine, retention (law RETAIN) and snapshots. Each run looks at what there is and
//! does what is due; one that is cut short, by a crash at any point, is made up for by the next.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::archive::{ArchiveHook, ArchivedSegment};
use super::frames::lines;
use super::maintenance::Stop;
use super::options::Options;
use super::retention::{Retention, is_worth_a_base, len_before, tell_ages, wished_floor};
use super::series::{Made, Next, next_snapshot, superfluous};
use super::snapshots::{self, Place};
use super::spine::{AT_CLOSE, SpineKeeper};
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorKind};
use crate::event::decode_event;
use crate::journal::format::{SegmentName, SnapshotName};
use crate::journal::{
    ClosedSegment, FramePlace, Inventory, KeptSegments, inventory, open_segment, remove_leftovers,
    remove_snapshot, retained, set_floor, visit_closed,
};
use crate::planted::{Bug, planted, remove_at_once};
use crate::projection::Projection;
use crate::storage::Storage;

/// What the upkeep works with.
pub(super) struct Upkeep {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    retention: Retention,
    archive: Option<ArchiveHook>,
    snapshot_bytes: Option<u64>,
    /// What the last snapshot of the series took that was made here.
    last_made: Mutex<Option<Made>>,
    record: Arc<UpkeepRecord>,
    spine: SpineKeeper,
    /// Whether moving the floor failed: then no segment is removed any more.
    is_floor_in_doubt: AtomicBool,
}

/// What the writer tells the upkeep, and what it tells everyone.
#[derive(Debug, Default)]
pub(super) struct UpkeepRecord {
    /// The number of the segment that is being written, whose name is durable.
    active: AtomicU64,
    /// The states before the newest segments that were begun, until the upkeep has had its chance to use them.
    handed_over: Mutex<Vec<HandedOver>>,
    put_off: Mutex<PutOff>,
    /// What readers keep of segments.
    pub(super) kept: Arc<KeptSegments>,
    told: Mutex<UpkeepStatus>,
}

/// What the upkeep leaves for later.
#[derive(Debug, Default)]
struct PutOff {
    /// When it is to be done; `None`: there is nothing.
    until: Option<Instant>,
    /// Set when the engine is about to be closed: nothing is put off any more.
    is_over: bool,
}

/// How many states wait for the upkeep at most: each keeps in memory what has changed since.
const MAX_HANDED_OVER: usize = 3;

/// The state before a segment, from the writer, which was there.
#[derive(Debug)]
struct HandedOver {
    /// The number of the segment.
    before: u64,
    state: Projection,
}

/// How the upkeep is doing.
#[derive(Debug, Clone, Default)]
pub(super) struct UpkeepStatus {
    /// The first `seq` that is retained, or will be.
    pub(super) retention_floor: u64,
    /// How many snapshots there are.
    pub(super) snapshots: usize,
    /// The `seq` of the newest.
    pub(super) snapshot_seq: Option<u64>,
    /// How many runs failed.
    pub(super) failures: u64,
    /// How often a segment could not be archived.
    pub(super) archive_failures: u64,
    /// Why the last run failed; `None` when it did not.
    pub(super) last_error: Option<Error>,
}

impl UpkeepRecord {
    /// Tells which segment is being written. Whether that is another one than before.
    pub(super) fn set_active(&self, number: u64) -> bool {
        self.active.swap(number, Ordering::SeqCst) != number
    }

    /// Gives the state before a segment that was begun: all before it is durable, and so is its name.
    pub(super) fn hand_over(&self, before: u64, state: Projection) {
        let mut there = self.handed_over();
        there.push(HandedOver { before, state });
        // Letting go of one may take a while: the upkeep does that, unless it is kept from its work for long.
        let too_old = (there.len() > MAX_HANDED_OVER).then(|| there.remove(0));
        drop(there);
        drop(too_old);
    }

    /// When a run is to be asked for, because something was put off.
    pub(super) fn again_at(&self) -> Option<Instant> {
        self.lock_put_off().until
    }

    /// Puts something off, unless the engine is about to be closed. Whether it is put off.
    fn put_off(&self, until: Instant) -> bool {
        let mut put_off = self.lock_put_off();
        put_off.until = Some(until).filter(|_| !put_off.is_over);
        put_off.until.is_some()
    }

    /// Whether a run has to be asked for because the time has come for what was put off. It is told once.
    pub(super) fn is_again_due(&self, now: Instant) -> bool {
        self.lock_put_off().until.take_if(|until| *until <= now).is_some()
    }

    /// From now on nothing is put off. Whether something was.
    pub(super) fn put_off_no_more(&self) -> bool {
        let mut put_off = self.lock_put_off();
        put_off.is_over = true;
        put_off.until.is_some()
    }

    /// Whether the engine is about to be closed.
    fn is_closing(&self) -> bool {
        self.lock_put_off().is_over
    }

    fn lock_put_off(&self) -> MutexGuard<'_, PutOff> {
        self.put_off.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handed_over(&self) -> MutexGuard<'_, Vec<HandedOver>> {
        self.handed_over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what there is before the first run.
    pub(super) fn look(&self, storage: &dyn Storage) {
        match retained(storage) {
            Ok(found) => self.tell(found.first_seq, &found.snapshots),
            Err(error) => tracing::warn!(%error, "what is retained is not known yet"),
        }
    }

    fn tell(&self, first_seq: u64, snapshots: &[SnapshotName]) {
        let mut status = self.lock();
        status.retention_floor = first_seq;
        status.snapshots = snapshots.len();
        status.snapshot_seq = snapshots.last().map(|newest| newest.before.first_seq.saturating_sub(1));
    }

    pub(super) fn status(&self) -> UpkeepStatus {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, UpkeepStatus> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upkeep {
    pub(super) fn new(options: &Options, storage: Arc<dyn Storage>, record: Arc<UpkeepRecord>) -> Upkeep {
        Upkeep {
            storage,
            clock: Arc::clone(&options.clock),
            retention: options.retention,
            archive: options.archive.clone(),
            snapshot_bytes: options.snapshot_bytes,
            last_made: Mutex::default(),
            record,
            spine: SpineKeeper::default(),
            is_floor_in_doubt: AtomicBool::new(false),
        }
    }

    /// Does what is due. What fails is told, and tried again at the next occasion: nothing of it keeps the engine from
    /// its work.
    pub(super) fn run(&self, stop: &Stop) {
        let begun_at = self.record.active.load(Ordering::SeqCst);
        // What was put off is looked at anew.
        self.record.lock_put_off().until = None;
        let work = || self.seal(stop).and(self.prune(stop)).and(self.snapshot(stop));
        let result = catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Io, "the upkeep of the journal panicked")));
        self.let_go_of(begun_at);
        let failed = result.err().filter(|_| !stop.is_set());
        if let Some(error) = &failed {
            tracing::warn!(%error, "the upkeep of the journal failed; it is tried again at the next rotation");
        }
        // After that: whoever is told may ask how the engine is doing.
        let mut status = self.record.lock();
        status.failures += u64::from(failed.is_some());
        status.last_error = failed;
    }

    /// What there is up to the segment that is being written.
    fn inventory(&self) -> Result<Inventory, Error> {
        let found = inventory(&*self.storage, self.record.active.load(Ordering::SeqCst))?;
        self.record.tell(found.name_at(0).first_seq, &found.snapshots);
        Ok(found)
    }

    // ---- the spine ------------------------------------------------------------------------------------------

    /// Gives closed segments their entries in the spine.
    fn seal(&self, stop: &Stop) -> Result<(), Error> {
        let found = inventory(&*self.storage, self.record.active.load(Ordering::SeqCst))?;
        match found.closed.is_empty() {
            true => Ok(()),
            false => self.spine.catch_up(&*self.storage, &found, &|| stop.is_set(), &|| {
                self.record.is_closing().then_some(AT_CLOSE)
            }),
        }
    }

    // ---- retention ------------------------------------------------------------------------------------------

    /// Lets go of the segments that the rules do not keep.
    fn prune(&self, stop: &Stop) -> Result<(), Error> {
        if self.is_floor_in_doubt.load(Ordering::SeqCst) {
            // After a sync that failed nobody knows what the disk holds, until the journal is opened again.
            return Ok(());
        }
        let cleared = remove_leftovers(&*self.storage).map(drop);
        let mut found = self.inventory()?;
        let newest = found.closed.last().map_or(Timestamp::MIN, |segment| segment.ended_at);
        // As everywhere, time does not go back.
        let now = self.clock.now().max(newest);
        tell_ages(&mut found, &self.retention, now, |segment, next| self.newest_event(segment, next, stop));
        let Some(floor) = wished_floor(&found, &self.retention, now) else { return cleared };
        // What has no entry in the spine stays, and all after it.
        let floor = floor.min(self.spine.end(&*self.storage, &found)?);
        if floor <= found.name_at(0) {
            return cleared;
        }
        // What is not pruned yet need not be archived yet either.
        let floor = if self.is_worth_it(&found, floor) {
            floor
        } else {
            let Some(newest) = found.snapshots_up_to(floor).last() else { return cleared };
            newest.before
        };
        let wished = found.closed.iter().take_while(|segment| segment.name < floor).count();
        let doomed = &found.closed[..wished];
        if planted(Bug::PrunedWithoutASnapshot) {
            return doomed.iter().try_for_each(|segment| remove_at_once(&*self.storage, segment.name));
        }
        let (archived, mut failed) = self.archive(&found, doomed, stop);
        let target = found.name_at(archived);
        if archived > 0
            && !stop.is_set()
            && let (Some(base), missed) = self.base_at(&found, target, stop)?
        {
            failed = failed.or(missed);
            if planted(Bug::RemovedBeforeTheFloorIsSet) {
                doomed[..archived]
                    .iter()
                    .try_for_each(|segment| remove_at_once(&*self.storage, segment.name))?;
            }
            set_floor(&*self.storage, base).inspect_err(|_| {
                self.is_floor_in_doubt.store(!planted(Bug::FailedFloorBelieved), Ordering::SeqCst);
            })?;
            // Whoever reads there goes on; nobody else finds what is gone, and the room is free.
            self.record.kept.forget_before(base.before);
            let files = remove_leftovers(&*self.storage)?;
            tracing::info!(floor = %base, files, "pruned");
            self.inventory()?;
        }
        failed.map_or(cleared, Err)
    }

    /// When the last event in a closed segment was decided; `None` when it holds none.
    fn newest_event(
        &self,
        segment: &ClosedSegment,
        next: SegmentName,
        stop: &Stop,
    ) -> Result<Option<Timestamp>, Error> {
        let mut last = Vec::new();
        let mut visit = |place: &FramePlace<'_>| {
            last.clear();
            last.extend(lines(place).last().map_or(&[][..], |(_, line)| line));
            Ok(())
        };
        visit_closed(&*self.storage, segment.name, next, &mut visit, &|| stop.is_set())?;
        if last.is_empty() {
            return Ok(None);
        }
        let event = decode_event(&last);
        let damaged = |error| Error::damaged(&segment.name.to_string(), 0, Some(segment.last_seq), error);
        event.map(|event| Some(event.ts)).map_err(damaged)
    }

    /// Archives segments from the oldest on. How many of them are in the archive now, and why no more.
    fn archive(&self, found: &Inventory, doomed: &[ClosedSegment], stop: &Stop) -> (usize, Option<Error>) {
        let Some(archive) = &self.archive else { return (doomed.len(), None) };
        for (index, segment) in doomed.iter().enumerate() {
            if stop.is_set() {
                return (0, None);
            }
            if planted(Bug::ArchiveSkipsASegment) && segment.name.number % 2 == 0 {
                continue;
            }
            let archived = open_segment(&*self.storage, segment).and_then(|(file, len)| {
                let name = segment.name.to_string();
                let seqs = (segment.name.first_seq, segment.last_seq);
                let lens = (segment.end, len);
                let number = segment.name.number;
                archive.archive(&ArchivedSegment::new(found.journal_id, &name, number, seqs, lens, &*file))
            });
            if let Err(error) = archived
                && !planted(Bug::ArchiveErrorIgnored)
            {
                self.record.lock().archive_failures += 1;
                return (index, Some(error));
            }
        }
        (doomed.len(), None)
    }

    /// A snapshot that may become the base: one before `target`, made if need be; else the newest one before that. It was
    /// read again. `None` when there is nothing to be gained. With it, why there is no better one.
    fn base_at(
        &self,
        found: &Inventory,
        target: SegmentName,
        stop: &Stop,
    ) -> Result<(Option<SnapshotName>, Option<Error>), Error> {
        let mut candidates: Vec<SnapshotName> = found.snapshots_up_to(target).collect();
        if planted(Bug::WrongBasePicked)
            && let Some(&newest) = found.snapshots.last()
        {
            return Ok((Some(newest), None));
        }
        let mut failed = None;
        if let Some(there) = candidates.pop_if(|newest| newest.before == target) {
            match self.verify(there) {
                Ok(()) => return Ok((Some(there), None)),
                Err(error) => failed = Some(error),
            }
        }
        if self.is_worth_it(found, target) {
            match self.make(found, target, stop) {
                Ok(Some(_)) => return Ok((Some(SnapshotName { before: target, is_base: false }), None)),
                Ok(None) => return Ok((None, None)),
                // Without room for a new one, an older one lets go of as much as it covers.
                Err(error) => failed = Some(error),
            }
        }
        for name in candidates.into_iter().rev() {
            match self.verify(name) {
                Ok(()) => return Ok((Some(name), failed)),
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        failed.map_or(Ok((None, None)), Err)
    }

    /// Reads a snapshot again, before anything relies on it.
    fn verify(&self, name: SnapshotName) -> Result<(), Error> {
        if planted(Bug::BaseNotVerified) {
            return Ok(());
        }
        let verified = snapshots::open(&*self.storage, name).and_then(|file| snapshots::verify(&file));
        verified.map(drop).inspect_err(|error| {
            tracing::warn!(%error, snapshot = %name, "a snapshot covers nothing");
        })
    }

    /// Whether what goes is worth writing a base for it.
    fn is_worth_it(&self, found: &Inventory, target: SegmentName) -> bool {
        let base_len = found.snapshots.last().map_or(0, |&newest| self.len_of(newest));
        is_worth_a_base(len_before(found, target), base_len)
    }

    // ---- snapshots ------------------------------------------------------------------------------------------

    /// What the writer handed over is not kept for longer than a run, unless its snapshot was put off: as the state goes
    /// on, it would keep all in memory that is not part of the state any more.
    fn let_go_of(&self, begun_at: u64) {
        let kept = self.record.again_at().map(|_| begun_at);
        let is_done_with = |there: &mut HandedOver| there.before <= begun_at && Some(there.before) != kept;
        let done_with: Vec<HandedOver> = self.record.handed_over().extract_if(.., is_done_with).collect();
        drop(done_with);
    }

    /// The state before a segment, if the writer handed it over.
    fn state_before(&self, before: SegmentName) -> Option<Projection> {
        let there = self.record.handed_over();
        let found = there.iter().find(|there| there.before == before.number)?;
        // That bug is in folding.
        (!planted(Bug::SnapshotOneSegmentShort)).then(|| found.state.clone())
    }

    /// Makes the next snapshot if it is due, and removes those that the series can do without.
    fn snapshot(&self, stop: &Stop) -> Result<(), Error> {
        let found = self.inventory()?;
        match self.next_snapshot(&found) {
            Next::Now => self.make_next(&found, stop)?,
            Next::At(until) if self.record.put_off(until) => {}
            Next::At(_) => self.make_next(&found, stop)?,
            Next::WithMore => {}
        }
        if stop.is_set() {
            return Ok(());
        }
        for name in superfluous(&self.inventory()?) {
            remove_snapshot(&*self.storage, name)?;
        }
        self.inventory()?;
        Ok(())
    }

    /// When the next of the series is made.
    fn next_snapshot(&self, found: &Inventory) -> Next {
        let last_len = found.snapshots.last().map_or(0, |&newest| self.len_of(newest));
        let bytes = self.snapshot_bytes.unwrap_or(Options::DEFAULT_SNAPSHOT_BYTES);
        // What the host said is done as it said.
        let rested = if self.snapshot_bytes.is_none() { *self.last_made() } else { None };
        next_snapshot(found, last_len, bytes, rested, self.clock.monotonic())
    }

    /// Makes the next of the series.
    fn make_next(&self, found: &Inventory, stop: &Stop) -> Result<(), Error> {
        let began = self.clock.monotonic();
        self.make(found, found.active, stop)?;
        let ended = self.clock.monotonic();
        *self.last_made() = Some(Made { ended, took: ended.saturating_duration_since(began) });
        Ok(())
    }

    fn last_made(&self) -> MutexGuard<'_, Option<Made>> {
        self.last_made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a snapshot. `None` when stopped.
    fn make(&self, found: &Inventory, before: SegmentName, stop: &Stop) -> Result<Option<u64>, Error> {
        let last = found.closed.iter().rfind(|segment| segment.name < before);
        let epoch = last.map(|segment| segment.last_epoch).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, format!("there is no closed segment before {before}"))
        })?;
        let place = Place {
            before,
            oldest: found.name_at(0),
            epoch,
            journal_id: found.journal_id,
            now: self.clock.now(),
            spine_head: self.spine.head_before(&*self.storage, found, before),
        };
        let is_stopped = || stop.is_set();
        let folded = match self.state_before(before) {
            Some(state) => Some(state),
            None => snapshots::fold(&*self.storage, &place, &found.snapshots, &is_stopped)?,
        };
        let made = match folded.filter(|_| !is_stopped()) {
            Some(state) => Some(snapshots::make(&*self.storage, &place, state)?),
            None => None,
        };
        if let Some(bytes) = made {
            tracing::info!(before = %before, bytes, "made a snapshot");
            self.inventory()?;
        }
        Ok(made)
    }

    /// The length of a snapshot; 0 where it cannot be told.
    fn len_of(&self, name: SnapshotName) -> u64 {
        let file = self.storage.open(&name.to_string());
        file.and_then(|file| file.len()).unwrap_or(0)
    }
}

impl Inventory {
    /// The name of the segment after so many closed ones.
    fn name_at(&self, index: usize) -> SegmentName {
        self.closed.get(index).map_or(self.active, |segment| segment.name)
    }

    /// The snapshots that would let something go, up to a floor, oldest first.
    fn snapshots_up_to(&self, floor: SegmentName) -> impl DoubleEndedIterator<Item = SnapshotName> {
        let oldest = self.name_at(0);
        self.snapshots.iter().copied().filter(move |name| name.before > oldest && name.before <= floor)
    }
}

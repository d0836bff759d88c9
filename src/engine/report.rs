//! Reports on a whole journal: what is wrong with it, and what it holds.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::frames::{check_count, decode_line, lines};
use super::sealed::{self, Sealed};
use super::snapshots;
use crate::clock::Timestamp;
use crate::domain::{FOLD_VERSION, State, StateHash};
use crate::error::{Error, ErrorKind};
use crate::event::ChangeEvent;
use crate::ids::{Epoch, JournalId};
use crate::journal::{
    Archived, AuditReport, Finding, FindingKind, FramePlace, SegmentSummary, SnapshotFile, SnapshotSummary,
    Spine, audit,
};
use crate::projection::Projection;
use crate::proof::Witness;
use crate::storage::Storage;

/// What [`JournalReader::verify`](super::JournalReader::verify) found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The journal.
    pub journal_id: JournalId,
    /// How many segments there are.
    pub segments: usize,
    /// How many snapshots there are that can be used.
    pub snapshots: usize,
    /// How many entries the spine has that hold together.
    pub spine_entries: usize,
    /// How many events were read.
    pub events: u64,
    /// The last `seq` that was read; 0 when there is no event.
    pub last_seq: u64,
    /// The last `seq` up to which nothing is wrong; 0 when the first event is.
    pub last_good_seq: u64,
    /// Whether the last writer closed the journal; `false` beside a live one.
    pub is_clean: bool,
    /// Whether a writer holds the journal.
    pub is_live: bool,
    /// What is wrong, in the order of the files.
    pub findings: Vec<Finding>,
}

/// What [`JournalReader::statistics`](super::JournalReader::statistics) counts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Statistics {
    /// The journal.
    pub journal_id: JournalId,
    /// The segments, oldest first.
    pub segments: Vec<SegmentStatistics>,
    /// The snapshots that can be used, oldest first.
    pub snapshots: Vec<SnapshotStatistics>,
    /// The `seq` of the oldest event that is retained, or of the next one: what was before it is pruned.
    pub retention_floor: u64,
    /// The first `seq` that is retained; 0 when there is no event.
    pub first_seq: u64,
    /// The last `seq`; 0 when there is no event.
    pub last_seq: u64,
    /// When the first event that is retained was decided; `None` when there is no event.
    pub first_ts: Option<Timestamp>,
    /// When the last event was decided.
    pub last_ts: Option<Timestamp>,
    /// What the state after the last event holds; `None` where it cannot be had.
    pub state: Option<StateStatistics>,
    /// What the archive holds, where the journal was opened with one. Its segments are among the
    /// [`segments`](Self::segments).
    pub archive: Option<ArchiveStatistics>,
    /// The epochs that frames are of, oldest first.
    pub epochs: Vec<Epoch>,
    /// How many events there are of each kind.
    pub events_by_kind: BTreeMap<String, u64>,
    /// The length of all segment files together, in bytes.
    pub bytes: u64,
    /// Whether the last writer closed the journal; `false` beside a live one.
    pub is_clean: bool,
    /// Whether a writer holds the journal.
    pub is_live: bool,
    /// What is wrong, in the order of the files.
    pub findings: Vec<Finding>,
}

/// How much a state holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateStatistics {
    /// Goals that are not forgotten.
    pub goals: usize,
    /// Budgets that are not forgotten, those of goals' tokens included.
    pub budgets: usize,
    /// Reservations that have not ended.
    pub held_reservations: usize,
    /// External meters.
    pub meters: usize,
    /// Remembered idempotency keys.
    pub keys: usize,
    /// Remembered spends, by whose ids they are recognised.
    pub spends: usize,
    /// Remembered ids of the host's own events.
    pub event_ids: usize,
}

impl StateStatistics {
    pub(super) fn of(state: &State) -> StateStatistics {
        StateStatistics {
            goals: state.goal_count(),
            budgets: state.budget_count(),
            held_reservations: state.held_reservation_count(),
            meters: state.meter_count(),
            keys: state.remembered_key_count(),
            spends: state.remembered_spend_count(),
            event_ids: state.remembered_event_id_count(),
        }
    }
}

/// What an archive holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiveStatistics {
    /// How many segments.
    pub segments: usize,
    /// The first `seq` in them; 0 when there is none.
    pub first_seq: u64,
    /// The last `seq` in them; 0 when there is none.
    pub last_seq: u64,
    /// The length of all of them together, in bytes.
    pub bytes: u64,
}

impl ArchiveStatistics {
    pub(super) fn of(archived: Archived) -> ArchiveStatistics {
        let Archived { segments, first_seq, last_seq, bytes } = archived;
        ArchiveStatistics { segments, first_seq, last_seq, bytes }
    }
}

/// What a segment holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentStatistics {
    /// The file's name in the journal's directory.
    pub file: String,
    /// The segment's number.
    pub number: u64,
    /// Its first `seq`.
    pub first_seq: u64,
    /// Its last `seq`; below `first_seq` when it holds no event.
    pub last_seq: u64,
    /// When its first event was decided; `None` when it holds none that can be read.
    pub first_ts: Option<Timestamp>,
    /// When its last event was decided.
    pub last_ts: Option<Timestamp>,
    /// How many events it holds.
    pub events: u64,
    /// The length of the file, in bytes.
    pub file_len: u64,
    /// Where its frames end, in bytes from the start of the file.
    pub end: u64,
    /// Whether a segment follows it.
    pub is_closed: bool,
}

/// What a snapshot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotStatistics {
    /// The file's name in the journal's directory.
    pub file: String,
    /// The `seq` of the last event that is in the state.
    pub seq: u64,
    /// The time of that event.
    pub last_ts: Timestamp,
    /// The length of the file, in bytes.
    pub file_len: u64,
    /// The version of the fold that made the state: hashes compare only within one.
    pub fold_version: u32,
    /// The hash of the state.
    pub state_hash: StateHash,
    /// Whether it is the base: everything before it is pruned.
    pub is_base: bool,
}

pub(super) fn verify(storage: &dyn Storage) -> Result<VerifyReport, Error> {
    verify_witnessed(storage, Witness::default()).map(|(report, ..)| report)
}

/// Verifies while somebody looks on: for what an anchor says.
pub(crate) fn verify_witnessed(
    storage: &dyn Storage,
    witness: Witness,
) -> Result<(VerifyReport, Sealed, Witness), Error> {
    // Before the segments: whatever has an entry has a successor by then.
    let mut spine = Spine::read(storage);
    let witness = RefCell::new(witness);
    let mut report = inspect_and_fold(storage, &witness)?;
    let witness = witness.into_inner();
    if let (Some(oldest), Some(newest)) = (report.segments.first(), report.segments.last())
        && ends_before(&spine, oldest.number)
    {
        // A live writer went on in between, and pruned what was not in the spine yet.
        spine = Spine::read(storage).map(|found| found.map(|spine| spine.before(newest.number)));
    }
    let sealed = sealed::look(spine, &mut report, &witness)?;
    let verified = VerifyReport {
        journal_id: report.journal_id,
        segments: report.segments.len(),
        snapshots: report.snapshots.len(),
        spine_entries: sealed.entries,
        events: report.segments.iter().map(|segment| segment.events).sum(),
        last_seq: report.segments.iter().map(|segment| segment.last_seq).max().unwrap_or(0),
        last_good_seq: report.last_good_seq,
        is_clean: report.is_clean,
        is_live: report.is_live,
        findings: report.findings,
    };
    Ok((verified, sealed, witness))
}

/// Whether a spine that was read before the segments lacks some of those that are pruned.
fn ends_before(spine: &Result<Option<Spine>, Error>, oldest: u64) -> bool {
    match spine {
        Ok(Some(spine)) => spine.wrong.is_none() && spine.next_number().unwrap_or(1) < oldest,
        Ok(None) => oldest > 1,
        Err(_) => false,
    }
}

fn inspect_and_fold(storage: &dyn Storage, witness: &RefCell<Witness>) -> Result<AuditReport, Error> {
    let folding = RefCell::new(None);
    let hashes = RefCell::new(BTreeMap::new());
    inspect(
        storage,
        &mut |place, line, event| {
            witness.borrow_mut().event(place.file, event.seq, line);
            let mut folding = folding.borrow_mut();
            // A journal that begins with its first event begins from nothing.
            if event.seq == 1 {
                *folding = Some(Projection::default());
            }
            let Some(projection) = &mut *folding else { return Ok(()) };
            if event.seq <= projection.seq {
                return Ok(());
            }
            if event.seq != projection.seq + 1 {
                // What is missing before it is a finding already.
                *folding = None;
                return Ok(());
            }
            if let Err(error) = projection.apply(event) {
                // Past this nothing fits any more; that is one finding, not many.
                *folding = None;
                return Err(error.to_string());
            }
            witness.borrow_mut().state(projection);
            check_hash(projection, &hashes.borrow())
        },
        &mut |file| {
            let restored = snapshots::verify(file)?;
            if file.header.fold_version == FOLD_VERSION {
                hashes.borrow_mut().insert(restored.seq, file.header.state_hash);
            }
            witness.borrow_mut().state(&restored);
            // Folding begins with the oldest.
            let mut folding = folding.borrow_mut();
            if folding.is_none() {
                *folding = Some(restored);
            }
            Ok(())
        },
    )
}

/// A snapshot says what the events before it come to.
fn check_hash(projection: &Projection, hashes: &BTreeMap<u64, [u8; 32]>) -> Result<(), String> {
    match hashes.get(&projection.seq) {
        Some(said) if *said != projection.state_hash().0 => {
            let seq = projection.seq;
            Err(format!("the events up to seq {seq} come to another state than the snapshot after it holds"))
        }
        _ => Ok(()),
    }
}

pub(super) fn statistics(storage: &dyn Storage) -> Result<Statistics, Error> {
    let mut events_by_kind = BTreeMap::new();
    let mut times: BTreeMap<String, (Timestamp, Timestamp)> = BTreeMap::new();
    let report = inspect(
        storage,
        &mut |place, _, event| {
            match times.get_mut(place.file) {
                Some((_, last)) => *last = event.ts,
                None => {
                    times.insert(place.file.to_owned(), (event.ts, event.ts));
                }
            }
            *events_by_kind.entry(event.payload.kind().to_owned()).or_default() += 1;
            Ok(())
        },
        &mut |_| Ok(()),
    )?;
    let holding = || report.segments.iter().filter(|segment| segment.events > 0);
    Ok(Statistics {
        journal_id: report.journal_id,
        first_seq: holding().map(|segment| segment.first_seq).min().unwrap_or(0),
        last_seq: holding().map(|segment| segment.last_seq).max().unwrap_or(0),
        first_ts: times.values().map(|(first, _)| *first).min(),
        last_ts: times.values().map(|(_, last)| *last).max(),
        state: None,
        archive: None,
        retention_floor: report.first_seq,
        snapshots: report.snapshots.iter().map(snapshot_statistics).collect(),
        bytes: report.segments.iter().map(|segment| segment.file_len).sum(),
        epochs: report.epochs.iter().copied().collect(),
        events_by_kind,
        is_clean: report.is_clean,
        is_live: report.is_live,
        segments: report.segments.into_iter().map(|segment| segment_statistics(segment, &times)).collect(),
        findings: report.findings,
    })
}

fn segment_statistics(
    segment: SegmentSummary,
    times: &BTreeMap<String, (Timestamp, Timestamp)>,
) -> SegmentStatistics {
    let SegmentSummary { file, number, first_seq, last_seq, events, file_len, end, is_closed } = segment;
    let (first_ts, last_ts) = times.get(&file).copied().unzip();
    SegmentStatistics {
        file,
        number,
        first_seq,
        last_seq,
        first_ts,
        last_ts,
        events,
        file_len,
        end,
        is_closed,
    }
}

fn snapshot_statistics(snapshot: &SnapshotSummary) -> SnapshotStatistics {
    let SnapshotSummary { file, file_len, is_base, header } = snapshot;
    SnapshotStatistics {
        file: file.clone(),
        seq: header.seq(),
        last_ts: header.last_ts,
        file_len: *file_len,
        fold_version: header.fold_version,
        state_hash: StateHash(header.state_hash),
        is_base: *is_base,
    }
}

/// Gets each event with its frame's place and its line; what it says is wrong is damage.
type Visit<'v> = dyn FnMut(&FramePlace<'_>, &[u8], &ChangeEvent) -> Result<(), String> + 'v;

/// Audits the journal, reading every event. What cannot be read is damage, or ends it when a newer version wrote it.
fn inspect(
    storage: &dyn Storage,
    visit: &mut Visit<'_>,
    inspect_snapshot: &mut dyn FnMut(&SnapshotFile) -> Result<(), Error>,
) -> Result<AuditReport, Error> {
    let mut unsupported = None;
    let audited = audit(
        storage,
        &mut |place| {
            let mut read = || -> Result<(), Error> {
                check_count(place)?;
                for (seq, line) in lines(place) {
                    let event = decode_line(place, seq, line)?;
                    visit(place, line, &event)
                        .map_err(|wrong| Error::damaged(place.file, place.frame.offset, Some(seq), wrong))?;
                }
                Ok(())
            };
            match read() {
                Err(error) if *error.kind() == ErrorKind::Unsupported => {
                    unsupported.get_or_insert(error);
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
                Ok(()) => Ok(()),
            }
        },
        inspect_snapshot,
    );
    let report = audited?;
    unsupported.map_or(Ok(report), Err)
}

impl VerifyReport {
    /// Whether anything that was synced is damaged, missing or foreign.
    pub fn is_damaged(&self) -> bool {
        self.findings.iter().any(|finding| finding.kind == FindingKind::Damage)
    }
}

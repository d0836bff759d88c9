//! Salvage: what is provably good of a damaged journal, as a new journal.

mod copying;
mod orphans;

use std::path::Path;
use std::sync::Arc;

use super::report::verify;
use super::snapshots;
use crate::clock::{Clock, SystemClock};
use crate::domain::{FOLD_VERSION, StateHash, write_state};
use crate::error::{Error, ErrorKind};
use crate::ids::{JournalId, SystemEntropy};
use crate::journal::format::SnapshotName;
use crate::journal::{
    Beginning, Builder, Finding, FindingKind, LOCK_NAME, SnapshotFile, SnapshotOf, SnapshotWriter, Wreck,
    follow, is_refusal, refuse_live,
};
use crate::projection::Projection;
use crate::storage::{Files, Storage, is_within};

use copying::Copying;

/// What [`JournalReader::salvage_dir`](super::JournalReader::salvage_dir) brought back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SalvageReport {
    /// The old journal; `None` where no header is left that tells.
    pub salvaged_from: Option<JournalId>,
    /// The new journal.
    pub journal_id: JournalId,
    /// How many events it holds.
    pub events: u64,
    /// The `seq` of the oldest event in it, or of the next one where it holds none.
    pub first_seq: u64,
    /// The last `seq`; 0 where there is none.
    pub last_seq: u64,
    /// The hash of the state after it.
    pub state_hash: StateHash,
    /// The snapshot that stands for what came before the first event, by its name in the old directory.
    pub snapshot: Option<String>,
    /// The first event that is missing, where more comes after it.
    pub gap_at: Option<u64>,
    /// How many events are good and do not join: those in `orphans.jsonl`.
    pub orphans: u64,
    /// What is wrong with the old journal, in the order of the files.
    pub findings: Vec<Finding>,
}

/// What the state begins as, and where.
struct Start {
    projection: Projection,
    file: Option<SnapshotFile>,
}

pub(super) fn salvage_dir(dir: &Path, out: &Path) -> Result<SalvageReport, Error> {
    let from = Files::open(dir)
        .map_err(|error| Error::io(format!("opening the directory {}", dir.display()), error))?;
    let looking = |error| Error::io(format!("looking at {}", out.display()), error);
    let refuse = |found: &str| {
        let message = format!(
            "expected a new or empty directory for the new journal, found {}: {found}",
            out.display()
        );
        Err(Error::new(ErrorKind::InvalidArgument, message))
    };
    if is_within(out, dir).map_err(looking)? {
        return refuse("it is that of the old journal, or lies in it");
    }
    match Files::is_vacant(out, LOCK_NAME) {
        Ok(true) => {}
        Ok(false) => return refuse("there is something in it"),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return refuse("it is no directory");
        }
        Err(error) => return Err(looking(error)),
    }
    let make = || -> Result<Arc<dyn Storage>, Error> {
        let made = Files::create(out);
        let files =
            made.map_err(|error| Error::io(format!("making the directory {}", out.display()), error))?;
        Ok(Arc::new(files))
    };
    let (wreck, start) = survey(&from).map_err(|error| error.in_dir(dir))?;
    rebuild(wreck, &start, make()?)
}

pub(super) fn salvage_storage(from: &dyn Storage, to: Arc<dyn Storage>) -> Result<SalvageReport, Error> {
    let (wreck, start) = survey(from)?;
    rebuild(wreck, &start, to)
}

/// What there is, and where to begin; before anything is made.
fn survey(from: &dyn Storage) -> Result<(Wreck<'_>, Start), Error> {
    let mut wreck = Wreck::look(from)?;
    let start = choose(&mut wreck)?;
    Ok((wreck, start))
}

fn rebuild(mut wreck: Wreck<'_>, start: &Start, to: Arc<dyn Storage>) -> Result<SalvageReport, Error> {
    let (now, entropy) = (SystemClock.now(), SystemEntropy);
    let beginning = start.file.as_ref().map_or(Beginning::NOTHING, |file| Beginning {
        name: file.header.before,
        epoch: file.header.epoch,
        has_base: true,
    });
    let builder = Builder::begin(Arc::clone(&to), beginning, &entropy, now)?;
    let mut copying = Copying::new(builder, start.projection.clone(), Arc::clone(&to));
    let mut copy = || -> Result<SalvageReport, Error> {
        if let Some(file) = &start.file {
            copy_snapshot(file, &*to, copying.builder.journal_id())?;
        }
        let salvaged = follow(&mut wreck, &beginning, &mut copying)?;
        // What a writer that came meanwhile has changed may have been read half.
        refuse_live(wreck.storage())?;
        let orphans = copying.orphans.finish()?;
        copying.builder.finish(salvaged.newest_epoch, &entropy, orphans)?;
        confirm(&*to, &copying)?;
        Ok(SalvageReport {
            salvaged_from: wreck.journal_id,
            journal_id: copying.builder.journal_id(),
            events: copying.events,
            first_seq: beginning.name.first_seq,
            last_seq: copying.builder.last_seq(),
            state_hash: copying.projection.state_hash(),
            snapshot: start.file.as_ref().map(|file| file.name.to_string()),
            gap_at: salvaged.gap.map(|gap| gap.seq),
            orphans: copying.orphans.count(),
            findings: std::mem::take(&mut wreck.findings),
        })
    };
    let report = copy();
    if report.is_err() {
        // Half a journal is worth nothing, and takes up room.
        copying.builder.discard();
    }
    report
}

/// Where to begin: at the base; where none is whole, at the oldest snapshot that is; with nothing pruned, at the first
/// event, as long as that is there.
fn choose(wreck: &mut Wreck<'_>) -> Result<Start, Error> {
    let names = wreck.snapshots.clone();
    let mut unsupported = None;
    let kept = check(wreck, &names, &mut unsupported)?;
    let nothing = || Start { projection: Projection::default(), file: None };
    if wreck.floor.is_none() && wreck.begins_with_first()? {
        return Ok(nothing());
    }
    if let Some(start) = kept {
        return Ok(start);
    }
    if let Some(error) = unsupported {
        return Err(error);
    }
    // What was pruned and is not removed yet is better than nothing.
    wreck.include_pruned()?;
    if wreck.begins_with_first()? {
        return Ok(nothing());
    }
    let names = wreck.superseded.clone();
    Ok(check(wreck, &names, &mut unsupported)?.unwrap_or_else(nothing))
}

/// Looks at all of these snapshots. The oldest that is whole and of this journal, with its state.
fn check(
    wreck: &mut Wreck<'_>,
    names: &[SnapshotName],
    unsupported: &mut Option<Error>,
) -> Result<Option<Start>, Error> {
    let mut oldest = None;
    for &name in names {
        match look_at(wreck, name) {
            Ok((file, projection)) => {
                if !wreck.has_segment(name.before) {
                    let found = format!("segment {}, before which it stands, is missing", name.before);
                    let seq = Some(name.before.first_seq);
                    wreck.damage(FindingKind::Damage, &name.to_string(), (0, 0), seq, found);
                }
                oldest.get_or_insert(Start { projection, file: Some(file) });
            }
            Err(error) => match error.kind() {
                ErrorKind::Unsupported => {
                    unsupported.get_or_insert(error);
                }
                // It may well be whole.
                _ if is_refusal(&error) => return Err(error),
                kind => {
                    let (kind, range) = match kind {
                        ErrorKind::Damaged(damage) => (FindingKind::Damage, (damage.offset, damage.offset)),
                        _ => (FindingKind::Unreadable, (0, 0)),
                    };
                    let seq = name.before.first_seq.checked_sub(1);
                    wreck.damage(kind, &name.to_string(), range, seq, error.to_string());
                }
            },
        }
    }
    Ok(oldest)
}

fn look_at(wreck: &Wreck<'_>, name: SnapshotName) -> Result<(SnapshotFile, Projection), Error> {
    let file = wreck.open_snapshot(name)?;
    if !wreck.fits(&file.header) {
        return Err(file.damaged("it is of another journal, or of a history that went another way"));
    }
    let projection = snapshots::verify(&file)?;
    Ok((file, projection))
}

/// The same state, under the id of the new journal.
fn copy_snapshot(file: &SnapshotFile, to: &dyn Storage, journal_id: JournalId) -> Result<(), Error> {
    let header = &file.header;
    let mut writer = SnapshotWriter::create(to)?;
    // What an older version of the fold wrote has no hash that this one could tell: it is written anew.
    let state_hash = if header.fold_version == FOLD_VERSION {
        file.read(&mut |line| writer.line(line))?;
        header.state_hash
    } else {
        let state = snapshots::restore(file)?.state;
        write_state(&state, &mut |line| writer.line(line))?;
        state.state_hash().0
    };
    writer.finish(&SnapshotOf {
        journal_id,
        before: header.before,
        epoch: header.epoch,
        last_ts: header.last_ts,
        fold_version: FOLD_VERSION,
        state_hash,
        created_at: SystemClock.now(),
        // A new journal, with a spine of its own.
        spine_head: [0; 32],
    })?;
    Ok(())
}

/// Reads the new journal as any other, and believes nothing else.
fn confirm(to: &dyn Storage, copied: &Copying) -> Result<(), Error> {
    let report = verify(to)?;
    let expected = (copied.events, copied.builder.last_seq());
    if report.findings.is_empty() && report.is_clean && (report.events, report.last_good_seq) == expected {
        return Ok(());
    }
    let found = report.findings.first().map_or_else(
        || format!("{} events up to seq {}", report.events, report.last_good_seq),
        |finding| format!("{}: {}", finding.file, finding.message),
    );
    let (events, last_seq) = expected;
    let message = format!(
        "read again, the new journal is not what was written: expected {events} events up to seq {last_seq}, found {found}"
    );
    Err(Error::new(ErrorKind::Io, message))
}

//! Checking everything: every segment, every frame, every join; going on past damage.

use std::collections::BTreeSet;

use super::bytes::{end_of_nonzero, offset_of};
use super::chain::{Segment, most_frequent, read_range, wrong_succession};
use super::closed::check_join;
use super::directory::{Directory, successor_of};
use super::frame::{FrameKind, FramePlace};
use super::layout::{SegmentName, SnapshotName, header_end};
use super::lock::{Published, peek};
use super::retention::fits_journal;
use super::scan::Scan;
use super::snapshot::{SnapshotFile, SnapshotHeader};
use super::sweep::{Swept, sweep};
use super::tail::read_tail;
use crate::error::{Damage, Error, ErrorKind};
use crate::ids::{Epoch, JournalId};
use crate::storage::Storage;

/// What is wrong somewhere in a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub kind: FindingKind,
    /// The segment file, by its name in the journal's directory.
    pub file: String,
    /// Where the range begins, in bytes from the start of the file.
    pub start: u64,
    /// Where the range ends.
    pub end: u64,
    /// The `seq` of the first event that is affected, where it can be told.
    pub seq: Option<u64>,
    /// What was found.
    pub message: String,
}

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// The last write was cut short, and the next opening recovers. Nothing that was synced is affected: so nothing that
    /// was acknowledged, unless at interval durability.
    TornTail,
    /// Something that was synced is damaged, missing or foreign.
    Damage,
    /// The system does not give the bytes: only a salvage goes on past that, everything else ends with the I/O error. What
    /// it is that cannot be read nobody knows; a copy of the disk may tell.
    Unreadable,
}

/// What a segment holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentSummary {
    pub(crate) file: String,
    pub(crate) number: u64,
    pub(crate) first_seq: u64,
    /// The last `seq` in it; below `first_seq` when it holds no event.
    pub(crate) last_seq: u64,
    pub(crate) events: u64,
    /// The length of the file.
    pub(crate) file_len: u64,
    /// Where its frames end.
    pub(crate) end: u64,
    /// Whether it has a successor.
    pub(crate) is_closed: bool,
}

/// What a snapshot is.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotSummary {
    pub(crate) file: String,
    pub(crate) file_len: u64,
    /// Whether the retention floor is here.
    pub(crate) is_base: bool,
    pub(crate) header: SnapshotHeader,
}

/// What an audit found.
#[derive(Debug)]
pub(crate) struct AuditReport {
    pub(crate) journal_id: JournalId,
    /// The first `seq` that is retained, or will be.
    pub(crate) first_seq: u64,
    pub(crate) segments: Vec<SegmentSummary>,
    /// The snapshots that can be used, oldest first.
    pub(crate) snapshots: Vec<SnapshotSummary>,
    pub(crate) epochs: BTreeSet<Epoch>,
    /// The last `seq` up to which nothing is wrong.
    pub(crate) last_good_seq: u64,
    /// Whether the journal was closed cleanly; `false` beside a live writer.
    pub(crate) is_clean: bool,
    pub(crate) is_live: bool,
    pub(crate) findings: Vec<Finding>,
}

/// How often the segments are listed anew when one is pruned before it is opened.
const TRIES: usize = 20;

/// Gets each frame of events that is valid; what it says is wrong with the payload is reported as damage.
pub(crate) type Inspect<'v> = dyn FnMut(&FramePlace<'_>) -> Result<(), String> + 'v;

/// Gets each snapshot whose header is valid, oldest first, before any frame; what it says is wrong is reported as damage.
pub(crate) type InspectSnapshot<'v> = dyn FnMut(&SnapshotFile) -> Result<(), Error> + 'v;

/// Checks a whole journal. Only an I/O error, or a format that is not known, ends it early.
pub(crate) fn audit(
    storage: &dyn Storage,
    inspect: &mut Inspect<'_>,
    restore: &mut InspectSnapshot<'_>,
) -> Result<AuditReport, Error> {
    let live = peek(storage)?;
    let mut audit = Audit {
        report: AuditReport {
            journal_id: JournalId(uuid::Uuid::nil()),
            first_seq: 1,
            segments: Vec::new(),
            snapshots: Vec::new(),
            epochs: BTreeSet::new(),
            last_good_seq: 0,
            is_clean: false,
            is_live: live.is_some(),
            findings: Vec::new(),
        },
        inspect,
        storage,
    };
    let (directory, segments) = audit.open_all(storage)?;
    audit.names(&directory)?;
    audit.snapshots(storage, &directory, restore)?;
    for (index, segment) in segments.iter().enumerate() {
        let Some(segment) = segment else { continue };
        match segments.get(index + 1) {
            // Only the very next segment states where this one ends.
            Some(Some(successor)) if successor.name.number == segment.name.number + 1 => {
                audit.closed(segment, successor)?;
            }
            Some(_) => audit.without_end(segment)?,
            None => audit.newest(storage, segment)?,
        }
    }
    audit.report.findings.sort_by(|a, b| (&a.file, a.start).cmp(&(&b.file, b.start)));
    // A damaged segment is met by the snapshot before it, too.
    audit.report.findings.dedup();
    Ok(audit.report)
}

struct Audit<'a, 'v> {
    report: AuditReport,
    inspect: &'a mut Inspect<'v>,
    storage: &'a dyn Storage,
}

impl Audit<'_, '_> {
    fn damage(&mut self, file: &str, start: u64, end: u64, seq: Option<u64>, message: impl Into<String>) {
        let message = message.into();
        self.report.findings.push(Finding {
            kind: FindingKind::Damage,
            file: file.to_owned(),
            start,
            end,
            seq,
            message,
        });
    }

    /// Damage becomes a finding; any other error ends the audit.
    fn note<T>(&mut self, result: Result<T, Error>) -> Result<Option<T>, Error> {
        let error = match result {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error,
        };
        let Some(damage) = error.damage() else { return Err(error) };
        let end = self.end_of(damage);
        self.damage(&damage.file, damage.offset, end, damage.seq, error.to_string());
        Ok(None)
    }

    /// How far damage reaches that was met while something was opened: a header is damaged as a whole, and so are the
    /// lines of a snapshot.
    fn end_of(&self, damage: &Damage) -> u64 {
        let is_snapshot = SnapshotName::parse(&damage.file).is_some();
        match damage.offset {
            offset if offset < header_end() => header_end(),
            offset if is_snapshot => {
                let len = self.storage.open(&damage.file).and_then(|file| file.len());
                len.unwrap_or(offset).max(offset)
            }
            offset => offset,
        }
    }

    fn names(&mut self, directory: &Directory) -> Result<(), Error> {
        let names = &directory.segments;
        if names.is_empty() && directory.snapshots.is_empty() {
            return Err(Error::new(ErrorKind::Io, "there is no journal in this directory"));
        }
        let expected = directory.begins_with();
        self.report.first_seq = expected.first_seq;
        if names.first() != Some(&expected) {
            let missing = format!("segment {expected}, with which the journal begins, is missing");
            let file = names.first().unwrap_or(&expected).to_string();
            self.damage(&file, 0, 0, Some(expected.first_seq), missing);
        }
        for pair in names.windows(2) {
            if let Some(wrong) = wrong_succession(pair[0], pair[1]) {
                self.damage(&pair[1].to_string(), 0, 0, Some(pair[1].first_seq), wrong);
            }
        }
        Ok(())
    }

    fn snapshots(
        &mut self,
        storage: &dyn Storage,
        directory: &Directory,
        inspect: &mut InspectSnapshot<'_>,
    ) -> Result<(), Error> {
        let mut unsupported = None;
        for &name in &directory.snapshots {
            let checked = SnapshotFile::open(storage, name).and_then(|file| {
                fits_journal(storage, file.name, &file.header)?;
                inspect(&file)?;
                Ok(file)
            });
            match checked {
                Err(error) if *error.kind() == ErrorKind::Unsupported => {
                    unsupported.get_or_insert(error);
                }
                // It was pruned, or the series did without it, since it was listed.
                Err(_) if !Directory::list(storage)?.snapshots.contains(&name) => {}
                checked => {
                    let file = self.note(checked)?;
                    if name.is_base && file.is_some() {
                        self.report.last_good_seq = name.before.first_seq.saturating_sub(1);
                    }
                    self.report.snapshots.extend(file.map(|file| SnapshotSummary {
                        file: name.to_string(),
                        file_len: file.file_len(),
                        is_base: name.is_base,
                        header: file.header,
                    }));
                }
            }
        }
        // What was pruned cannot be read again: without a snapshot there is no state.
        match unsupported.filter(|_| directory.floor.is_some() && self.report.snapshots.is_empty()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Opens all segments, so that none goes while it is looked at.
    fn open_all(&mut self, storage: &dyn Storage) -> Result<(Directory, Vec<Option<Segment>>), Error> {
        for _ in 1..TRIES {
            match self.try_open_all(storage) {
                // It was pruned since it was listed.
                Err(error) if *error.kind() == ErrorKind::Pruned => self.report.findings.clear(),
                opened => return opened,
            }
        }
        self.try_open_all(storage)
    }

    fn try_open_all(&mut self, storage: &dyn Storage) -> Result<(Directory, Vec<Option<Segment>>), Error> {
        let directory = Directory::list(storage)?;
        let mut segments = Vec::with_capacity(directory.segments.len());
        for name in &directory.segments {
            let opened = Segment::open(storage, *name);
            segments.push(self.note(opened)?);
        }
        let ids = segments.iter().flatten().map(|segment| segment.header.journal_id);
        let journal_id = most_frequent(ids).unwrap_or(JournalId(uuid::Uuid::nil()));
        for opened in &mut segments {
            if let Some(segment) = opened
                && self.note(segment.check_journal(journal_id))?.is_none()
            {
                *opened = None;
            }
        }
        self.report.journal_id = journal_id;
        Ok((directory, segments))
    }

    /// A segment whose successor states where it ends.
    fn closed(&mut self, segment: &Segment, successor: &Segment) -> Result<(), Error> {
        let end = successor.header.predecessor.end;
        let len = segment.file_len()?;
        if len < end {
            self.damage(
                &segment.file_name,
                len,
                end,
                None,
                format!("the file is cut off: it should have {end} bytes, and has {len}"),
            );
        }
        let bytes = segment.read_to(len.min(end))?;
        // Zeros count, too, up to the end that is stated: what belongs there is missing.
        let (scan, is_whole) = self.frames(segment, &bytes, len.min(end))?;
        if is_whole && len >= end {
            self.note(check_join(segment, &scan, &successor.header))?;
        }
        self.summarize(segment, &scan, len, true);
        Ok(())
    }

    /// A segment whose successor cannot be read: it ends where its frames do.
    fn without_end(&mut self, segment: &Segment) -> Result<(), Error> {
        let len = segment.file_len()?;
        let bytes = read_range(&*segment.file, &segment.file_name, 0, len)?;
        let (scan, _) = self.frames(segment, &bytes, offset_of(end_of_nonzero(&bytes, 0)))?;
        self.summarize(segment, &scan, len, true);
        Ok(())
    }

    /// The newest segment: beside a live writer as far as it published, else with the rules of recovery.
    fn newest(&mut self, storage: &dyn Storage, segment: &Segment) -> Result<(), Error> {
        let len = segment.file_len()?;
        let bytes = read_range(&*segment.file, &segment.file_name, 0, len);
        // Looked at after reading: a writer that came before may have been changing what was read.
        if let Some(published) = peek(storage)? {
            self.report.is_live = true;
            return self.newest_of_writer(storage, segment, &published);
        }
        let bytes = bytes?;
        let tail = match read_tail(segment, &bytes, &mut |_, _| Ok(())) {
            Ok(tail) => tail,
            Err(error) if error.damage().is_some() => return self.refused(segment, &bytes, error),
            Err(error) => return Err(error),
        };
        let (scan, _) = self.frames(segment, &bytes, tail.frames_end)?;
        self.report.is_clean = tail.is_clean;
        if tail.torn_len > 0 {
            self.report.findings.push(Finding {
                kind: FindingKind::TornTail,
                file: segment.file_name.to_string(),
                start: tail.frames_end,
                end: tail.frames_end + tail.torn_len,
                seq: Some(tail.next_seq),
                message: "the last write was cut short; the next opening recovers".to_owned(),
            });
        }
        self.summarize(segment, &scan, len, false);
        Ok(())
    }

    fn newest_of_writer(
        &mut self,
        storage: &dyn Storage,
        segment: &Segment,
        published: &Published,
    ) -> Result<(), Error> {
        if let Some(successor) = successor_of(storage, segment.name)? {
            // The writer has gone on while we read: this one is closed now.
            return self.closed(segment, &Segment::open(storage, successor)?);
        }
        let is_this = published.segment == segment.name.number;
        let bytes = segment.read_to(if is_this { published.published } else { header_end() })?;
        let (scan, _) = self.frames(segment, &bytes, offset_of(bytes.len()))?;
        self.summarize(segment, &scan, segment.file_len()?, false);
        Ok(())
    }

    /// A newest segment that cannot be opened: every range that is damaged, and what is still good.
    fn refused(&mut self, segment: &Segment, bytes: &[u8], error: Error) -> Result<(), Error> {
        let known = self.report.findings.len();
        let (scan, _) = self.frames(segment, bytes, offset_of(end_of_nonzero(bytes, 0)))?;
        if self.report.findings.len() == known {
            self.note::<()>(Err(error))?;
        }
        self.summarize(segment, &scan, offset_of(bytes.len()), false);
        Ok(())
    }

    /// Goes through all frames up to `end`, past damage too. Whether everything up to there was valid.
    fn frames<'s>(
        &mut self,
        segment: &'s Segment,
        bytes: &'s [u8],
        end: u64,
    ) -> Result<(Scan<'s>, bool), Error> {
        sweep(segment, bytes, end, &mut |swept| {
            match swept {
                Swept::Good(frame, written_by) => {
                    self.report.epochs.insert(frame.header.epoch);
                    if frame.header.kind == FrameKind::Events {
                        self.events(&FramePlace { file: &segment.file_name, frame, written_by });
                    }
                }
                Swept::Bad(bad) => {
                    self.damage(&segment.file_name, bad.start, bad.end, Some(bad.seq), bad.wrong)
                }
            }
            Ok(())
        })
    }

    fn events(&mut self, place: &FramePlace<'_>) {
        let header = &place.frame.header;
        match (self.inspect)(place) {
            Err(wrong) => {
                self.damage(place.file, place.frame.offset, place.frame.end(), Some(header.first_seq), wrong)
            }
            Ok(()) if !self.is_damaged_up_to(place.file) => {
                self.report.last_good_seq = header.next_seq() - 1;
            }
            Ok(()) => {}
        }
    }

    /// Whether there is damage in this file so far, or in one before it: names sort as the segments do.
    fn is_damaged_up_to(&self, file: &str) -> bool {
        let of_segments = |finding: &&Finding| SegmentName::parse(&finding.file).is_some();
        let mut findings = self.report.findings.iter().filter(of_segments);
        findings.any(|finding| finding.kind == FindingKind::Damage && finding.file.as_str() <= file)
    }

    fn summarize(&mut self, segment: &Segment, scan: &Scan<'_>, file_len: u64, is_closed: bool) {
        self.report.segments.push(SegmentSummary {
            file: segment.file_name.to_string(),
            number: segment.name.number,
            first_seq: segment.name.first_seq,
            last_seq: scan.next_seq - 1,
            events: scan.events,
            file_len,
            end: scan.offset,
            is_closed,
        });
    }
}

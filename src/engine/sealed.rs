//! What verification makes of the spine: whether it holds together, and whether the events come to what it says.

use crate::error::Error;
use crate::journal::format::{SPINE_HEADER_LEN, SnapshotHeader};
use crate::journal::{AuditReport, Finding, FindingKind, SPINE_NAME, SegmentSummary, SnapshotSummary, Spine};
use crate::merkle::Hash;
use crate::planted::{Bug, planted};
use crate::proof::{Chain, Witness};

/// The closed segments, and the chain over them.
#[derive(Debug, Default)]
pub(crate) struct Sealed {
    /// As far as the spine is good, and on from there as far as segments can be read; `None` where there is none.
    pub(crate) chain: Option<Chain>,
    /// How many of its entries stand in the spine.
    pub(crate) entries: usize,
    /// The segments whose events were read and come to the root in the chain, as their first `seq` and that after their last.
    pub(crate) confirmed: Vec<(u64, u64)>,
    /// Those that come to another one.
    pub(crate) differing: Vec<(u64, u64)>,
}

/// The spine as it was read before the segments were.
pub(super) type SpineRead = Result<Option<Spine>, Error>;

/// Looks at the spine beside the segments. What is wrong becomes a finding.
pub(super) fn look(spine: SpineRead, report: &mut AuditReport, witness: &Witness) -> Result<Sealed, Error> {
    let mut looking = Looking { report, witness, sealed: Sealed::default() };
    match spine {
        Ok(Some(spine)) => looking.spine(&spine),
        Ok(None) if looking.report.segments.first().is_some_and(|oldest| oldest.number == 1) => {
            let journal_id = looking.report.journal_id;
            looking.sealed.chain = Some(Chain::new(journal_id, 1, Vec::new()));
        }
        Ok(None) => {
            let told = |found: &&SnapshotSummary| found.is_base && found.header.spine_head != [0; 32];
            if let Some(base) = looking.report.snapshots.iter().find(told).map(|base| base.file.clone()) {
                looking.damage(
                    0,
                    0,
                    None,
                    format!("the spine is missing, and {base} says that it was there"),
                );
            }
        }
        Err(error) => match error.damage() {
            Some(_) => looking.damage(0, SPINE_HEADER_LEN as u64, None, error.to_string()),
            None => return Err(error),
        },
    }
    looking.go_on();
    looking.snapshots();
    Ok(looking.sealed)
}

struct Looking<'a> {
    report: &'a mut AuditReport,
    witness: &'a Witness,
    sealed: Sealed,
}

impl Looking<'_> {
    fn find(
        &mut self,
        kind: FindingKind,
        file: &str,
        (start, end): (u64, u64),
        seq: Option<u64>,
        message: String,
    ) {
        let file = file.to_owned();
        self.report.findings.push(Finding { kind, file, start, end, seq, message });
    }

    fn damage(&mut self, start: u64, end: u64, seq: Option<u64>, message: String) {
        self.find(FindingKind::Damage, SPINE_NAME, (start, end), seq, message);
    }

    /// The entries that are there.
    fn spine(&mut self, spine: &Spine) {
        if spine.journal_id != self.report.journal_id {
            let found = format!(
                "the spine belongs to journal {}, not to {}",
                spine.journal_id, self.report.journal_id
            );
            return self.damage(0, SPINE_HEADER_LEN as u64, None, found);
        }
        if let Some(damage) = spine.wrong.as_ref().and_then(Error::damage) {
            let message = spine.wrong.as_ref().map(ToString::to_string).unwrap_or_default();
            self.damage(damage.offset, damage.offset + SPINE_HEADER_LEN as u64, damage.seq, message);
        }
        let (oldest, newest) = match (self.report.segments.first(), self.report.segments.last()) {
            (Some(oldest), Some(newest)) => (oldest.clone(), newest.clone()),
            _ => return,
        };
        let next = spine.next_number().unwrap_or(1);
        let end = spine.len();
        let is_closed =
            |number| self.report.segments.iter().any(|found| found.number == number && found.is_closed);
        match spine.torn {
            Some((start, end)) if !is_closed(next) => {
                let message =
                    "something follows the last entry, and no segment is closed that it could be of";
                self.damage(start, end, spine.next_seq(), message.to_owned());
            }
            // Beside a live writer it is being written.
            Some((start, end)) if !self.report.is_live => {
                let message =
                    "the writing of an entry was cut short; the next opening writes it anew".to_owned();
                self.find(FindingKind::TornTail, SPINE_NAME, (start, end), spine.next_seq(), message);
            }
            _ => {}
        }
        if next < oldest.number && spine.wrong.is_none() {
            let found =
                format!("the spine ends before segment {next}, and those before {} are pruned", oldest.file);
            self.damage(end, end, spine.next_seq(), found);
        }
        if next > newest.number {
            let found = format!(
                "the spine tells of segment {}, which was closed, and the newest is {}",
                next - 1,
                newest.file
            );
            self.damage(0, end, Some(newest.first_seq), found);
        }
        let first_seq = spine.entries.first().map_or(1, |first| first.first_seq);
        self.sealed.entries = spine.entries.len();
        self.sealed.chain = Some(Chain::new(spine.journal_id, first_seq, spine.entries.clone()));
        for segment in self.report.segments.clone().iter().filter(|segment| segment.is_closed) {
            if let Some(entry) = spine.entry(segment.number) {
                let at = spine.offset_of(segment.number);
                self.entry(segment, (entry.first_seq, entry.next_seq, entry.root), at);
            }
        }
    }

    /// What an entry says of a segment that is there.
    fn entry(&mut self, segment: &SegmentSummary, said: (u64, u64, Hash), (start, end): (u64, u64)) {
        let (first_seq, next_seq, root) = said;
        if planted(Bug::RootNotRecomputed) {
            self.sealed.confirmed.push((first_seq, next_seq));
            return;
        }
        if self.is_damaged(segment) {
            return;
        }
        match self.witness.root_of(&segment.file, first_seq, next_seq) {
            Some(found) if found == root => self.sealed.confirmed.push((first_seq, next_seq)),
            _ => {
                self.sealed.differing.push((first_seq, next_seq));
                let found = format!(
                    "the events of {} are not those that the spine states (seq {first_seq} up to before {next_seq}, with another root): one of the two was changed",
                    segment.file
                );
                self.damage(start, end, Some(first_seq), found);
            }
        }
    }

    fn is_damaged(&self, segment: &SegmentSummary) -> bool {
        self.report.findings.iter().any(|finding| finding.file == segment.file)
    }

    /// The closed segments that have no entry yet.
    fn go_on(&mut self) {
        let Some(mut chain) = self.sealed.chain.take() else { return };
        for segment in self.report.segments.iter().filter(|segment| segment.is_closed) {
            let next_seq = segment.last_seq.saturating_add(1);
            let is_next = match chain.entries().last() {
                Some(last) => segment.number == last.number + 1,
                None => segment.number == 1,
            };
            if !is_next || segment.first_seq != chain.next_seq() || self.is_damaged(segment) {
                continue;
            }
            let Some(root) = self.witness.root_of(&segment.file, segment.first_seq, next_seq) else { break };
            chain.push(segment.number, next_seq, root);
            self.sealed.confirmed.push((segment.first_seq, next_seq));
        }
        self.sealed.chain = Some(chain);
    }

    /// Snapshots tell the head before their segment.
    fn snapshots(&mut self) {
        let Some(chain) = &self.sealed.chain else { return };
        let told: Vec<(String, SnapshotHeader)> = self
            .report
            .snapshots
            .iter()
            .filter(|snapshot| snapshot.header.spine_head != [0; 32])
            .filter(|snapshot| {
                let known = chain.head_before_segment(snapshot.header.before.number);
                known.is_some_and(|known| known != snapshot.header.spine_head)
            })
            .map(|snapshot| (snapshot.file.clone(), snapshot.header.clone()))
            .collect();
        for (file, header) in told {
            let message = "it states another head of the spine than that before its segment".to_owned();
            self.find(FindingKind::Damage, &file, (134, 166), Some(header.seq()), message);
        }
    }
}

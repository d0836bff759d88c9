//! What joins: from the beginning up to the first gap; and what is good beyond it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::audit::{Finding, FindingKind};
use super::super::chain::Segment;
use super::super::frame::{FrameHeader, FrameKind, FramePlace};
use super::super::sweep::{Bad, Swept, sweep};
use super::super::tail::read_tail;
use super::build::Beginning;
use super::copies::{Copied, HandedOver, Limits};
use super::read::Bytes;
use super::wreck::{Part, Wreck};
use crate::error::Error;
use crate::ids::Epoch;

/// Who gets the frames.
pub(crate) trait Sink {
    /// A frame that joins. `Ok(Err(why))`: what it holds does not fit, and it was not taken.
    fn take(&mut self, place: &FramePlace<'_>) -> Result<Result<(), String>, Error>;

    /// A frame that is good and does not join. `Ok(Err(why))`: what it holds cannot be read.
    fn orphan(&mut self, place: &FramePlace<'_>) -> Result<Result<(), String>, Error>;

    /// What joins from here on stood in another segment than what came before.
    fn cut(&mut self);
}

/// Where the history breaks off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The first event that is missing.
    pub(crate) seq: u64,
}

/// What was found to join.
#[derive(Debug)]
pub(crate) struct Salvaged {
    /// The newest epoch that any frame or header showed.
    pub(crate) newest_epoch: Epoch,
    /// Where it breaks off, if more comes after.
    pub(crate) gap: Option<Gap>,
}

/// Gives everything that is good to `sink`, in the order of segments and offsets. What is wrong is added to the findings.
pub(crate) fn follow(
    wreck: &mut Wreck<'_>,
    beginning: &Beginning,
    sink: &mut dyn Sink,
) -> Result<Salvaged, Error> {
    let mut chain = Chain {
        sink,
        first_seq: beginning.name.first_seq,
        next_seq: beginning.name.first_seq,
        last_epoch: beginning.epoch,
        newest_epoch: beginning.epoch,
        seen: BTreeSet::new(),
        gap: None,
        is_explained: false,
        copies: BTreeMap::new(),
        findings: Vec::new(),
    };
    let oldest = wreck.floor.map_or(1, |floor| floor.number).min(beginning.name.number);
    let mut before = oldest.saturating_sub(1);
    let parts = std::mem::take(&mut wreck.parts);
    let groups: Vec<&[Part]> = parts.chunk_by(|a, b| a.place.number == b.place.number).collect();
    for (index, group) in groups.iter().enumerate() {
        let number = group[0].place.number;
        if number > before + 1 {
            let found = match number - before {
                2 => format!("segment {}, which comes before it, is missing", before + 1),
                _ => format!("segments {} to {}, which come before it, are missing", before + 1, number - 1),
            };
            chain.report(FindingKind::Damage, &group[0], (0, 0), Some(chain.next_seq), found);
        }
        before = number;
        chain.group(wreck, group, groups.get(index + 1).map(|next| &next[0]))?;
    }
    if groups.is_empty() {
        let file = beginning.name.to_string();
        let message =
            "the segment with which the journal begins is missing, and all that come after it".to_owned();
        let seq = Some(beginning.name.first_seq);
        chain.findings.push(Finding { kind: FindingKind::Damage, file, start: 0, end: 0, seq, message });
    }
    chain.end()?;
    let Chain { newest_epoch, gap, mut findings, .. } = chain;
    if let Some(Gap { seq }) = gap
        && findings.is_empty()
        && wreck.findings.is_empty()
    {
        // Only copies lie beyond it: nothing else told that anything is missing.
        let file = beginning.name.to_string();
        let message = format!("the sequence has a gap: seq {seq} is missing");
        findings.push(Finding { kind: FindingKind::Damage, file, start: 0, end: 0, seq: Some(seq), message });
    }
    wreck.findings.extend(findings);
    wreck.findings.sort_by(|a, b| (&a.file, a.start).cmp(&(&b.file, b.start)));
    Ok(Salvaged { newest_epoch, gap })
}

struct Chain<'a> {
    sink: &'a mut dyn Sink,
    /// The first event that is to be copied.
    first_seq: u64,
    next_seq: u64,
    last_epoch: Epoch,
    newest_epoch: Epoch,
    /// The epochs that the files themselves show, but for their copies.
    seen: BTreeSet<Epoch>,
    gap: Option<Gap>,
    /// Whether something was found since the last frame that joined.
    is_explained: bool,
    /// Further copies of frames, by their first `seq`: those that a recovery handed over to the next segment, and those of
    /// files that are there twice.
    copies: BTreeMap<u64, Copied>,
    findings: Vec<Finding>,
}

impl Chain<'_> {
    fn report(
        &mut self,
        kind: FindingKind,
        part: &Part,
        (start, end): (u64, u64),
        seq: Option<u64>,
        message: impl Into<String>,
    ) {
        let (file, message) = (part.file_name.to_string(), message.into());
        self.findings.push(Finding { kind, file, start, end, seq, message });
        self.is_explained = true;
    }

    /// All files that are of one segment; the first of them is the one that counts.
    fn group(&mut self, wreck: &Wreck<'_>, group: &[Part], next: Option<&Part>) -> Result<(), Error> {
        let Some((part, doubles)) = group.split_first() else { return Ok(()) };
        let limits = Limits::before(part, next);
        for double in doubles {
            let found = format!("{} is of the same segment", part.file_name);
            self.report(FindingKind::Damage, double, (0, double.len), Some(part.place.first_seq), found);
            match wreck.read(double)? {
                Ok((segment, bytes)) => self.keep_copies(&segment, &bytes, limits)?,
                Err(found) => self.report(FindingKind::Unreadable, double, (0, double.len), None, found),
            }
        }
        self.enter(part)?;
        match wreck.read(part)? {
            Ok((segment, bytes)) => self.read(part, &segment, &bytes, limits, next.is_none())?,
            Err(found) => self.report(FindingKind::Unreadable, part, (0, part.len), None, found),
        }
        self.fill(limits.seq)
    }

    /// Whether the history goes on in this segment.
    fn enter(&mut self, part: &Part) -> Result<(), Error> {
        self.fill(part.place.first_seq)?;
        self.sink.cut();
        if let Some(header) = &part.header {
            self.note_epoch(header.epoch);
        }
        if self.gap.is_some() || part.place.first_seq < self.next_seq {
            return Ok(());
        }
        if part.place.first_seq > self.next_seq {
            self.stop(part, 0);
        } else if let Some(header) = &part.header
            && header.previous_epoch != self.last_epoch
        {
            let found = format!(
                "the event before it is of epoch {}, and it says {}: it is of a history that went another way",
                self.last_epoch, header.previous_epoch
            );
            self.report(FindingKind::Damage, part, (0, 0), Some(self.next_seq), found);
            self.stop(part, 0);
        }
        Ok(())
    }

    fn note_epoch(&mut self, epoch: Epoch) {
        self.newest_epoch = self.newest_epoch.max(epoch);
        self.seen.insert(epoch);
    }

    fn stop(&mut self, part: &Part, offset: u64) {
        let seq = self.next_seq;
        if !self.is_explained {
            let found = format!("the sequence has a gap: seq {seq} is missing");
            self.report(FindingKind::Damage, part, (offset, offset), Some(seq), found);
        }
        self.gap = Some(Gap { seq });
    }

    fn read(
        &mut self,
        part: &Part,
        segment: &Segment,
        bytes: &Bytes,
        limits: Limits,
        is_newest: bool,
    ) -> Result<(), Error> {
        let end = limits.end.unwrap_or_else(|| bytes.used());
        let torn_at = if is_newest { self.torn_tail(part, segment, bytes)? } else { None };
        self.unreadable(part, bytes);
        if end > bytes.len() {
            let found = format!("the file is cut off: it should have {end} bytes, and has {}", bytes.len());
            self.report(FindingKind::Damage, part, (bytes.len(), end), None, found);
        }
        // Behind the stated end of a segment there may be what a recovery handed over. Behind a torn tail's beginning there
        // may be whole frames of the same batch, which no opening keeps.
        let swept_end = torn_at.unwrap_or_else(|| bytes.used().max(end.min(bytes.len())));
        let mut copies = limits.handed_over;
        sweep(segment, &bytes.bytes, swept_end, &mut |swept| match swept {
            Swept::Good(frame, written_by) => {
                let place = FramePlace { file: &segment.file_name, frame, written_by };
                self.good(part, &place, limits, &mut copies)
            }
            Swept::Bad(bad) => {
                // What a recovery handed over reaches up to the first bad frame that it saw.
                copies = HandedOver::NOTHING;
                if bad.start < end {
                    self.bad(part, bytes, &bad, end);
                }
                match bad.misplaced {
                    Some((frame, written_by)) => {
                        let place = FramePlace { file: &segment.file_name, frame, written_by };
                        self.good(part, &place, limits, &mut copies)
                    }
                    None => Ok(()),
                }
            }
        })?;
        Ok(())
    }

    /// Where the torn tail of the newest segment begins, if what is wrong there is no more than that.
    fn torn_tail(&mut self, part: &Part, segment: &Segment, bytes: &Bytes) -> Result<Option<u64>, Error> {
        if part.header.is_none() || !bytes.unreadable.is_empty() {
            return Ok(None);
        }
        match read_tail(segment, &bytes.bytes, &mut |_, _| Ok(())) {
            Ok(tail) => {
                if tail.torn_len > 0 {
                    let range = (tail.frames_end, tail.frames_end + tail.torn_len);
                    let found = "the last write was cut short; what it did not complete is left out";
                    self.report(FindingKind::TornTail, part, range, Some(tail.next_seq), found);
                }
                Ok(Some(tail.frames_end))
            }
            Err(error) => {
                let Some(damage) = error.damage() else { return Err(error) };
                // Bytes that are bad are told as they are come across. This is for those that are not there any more.
                if damage.offset >= bytes.used() {
                    let range = (damage.offset, damage.offset);
                    self.report(FindingKind::Damage, part, range, damage.seq, error.to_string());
                }
                Ok(None)
            }
        }
    }

    fn unreadable(&mut self, part: &Part, bytes: &Bytes) {
        for unreadable in &bytes.unreadable {
            let range = (unreadable.range.start, unreadable.range.end);
            let found = format!("these bytes cannot be read: {}", unreadable.error);
            self.report(FindingKind::Unreadable, part, range, None, found);
        }
    }

    fn bad(&mut self, part: &Part, bytes: &Bytes, bad: &Bad<'_>, end: u64) {
        let is_unreadable = bytes.unreadable.iter().any(|range| range.overlaps(bad.start, bad.end));
        let range = (bad.start, bad.end.min(end));
        let (kind, wrong) = if is_unreadable {
            (FindingKind::Unreadable, "what cannot be read is a part of this".to_owned())
        } else {
            (FindingKind::Damage, bad.wrong.clone())
        };
        self.report(kind, part, range, Some(bad.seq), wrong);
    }

    fn good(
        &mut self,
        part: &Part,
        place: &FramePlace<'_>,
        limits: Limits,
        copies: &mut HandedOver,
    ) -> Result<(), Error> {
        let is_held = limits.hold(&place.frame);
        if is_held {
            self.note_epoch(place.frame.header.epoch);
        }
        if place.frame.header.kind != FrameKind::Events {
            return Ok(());
        }
        if is_held {
            return self.arrive(part, place);
        }
        if copies.take(&place.frame) {
            self.copies.entry(place.frame.header.first_seq).or_insert_with(|| Copied::of(place));
        }
        Ok(())
    }

    /// The frames of a file that is there twice.
    fn keep_copies(&mut self, segment: &Segment, bytes: &Bytes, limits: Limits) -> Result<(), Error> {
        let end = limits.end.unwrap_or(u64::MAX).min(bytes.used());
        sweep(segment, &bytes.bytes, end, &mut |swept| {
            if let Swept::Good(frame, written_by) = swept
                && frame.header.kind == FrameKind::Events
                && limits.hold(&frame)
            {
                let place = FramePlace { file: &segment.file_name, frame, written_by };
                self.copies.entry(frame.header.first_seq).or_insert_with(|| Copied::of(&place));
            }
            Ok(())
        })?;
        Ok(())
    }

    /// A frame of the segment that counts.
    fn arrive(&mut self, part: &Part, place: &FramePlace<'_>) -> Result<(), Error> {
        let header = &place.frame.header;
        // That leaves none below it.
        self.fill(header.first_seq)?;
        self.copies.remove(&header.first_seq);
        let is_before = header.next_seq() <= self.first_seq;
        if self.gap.is_none() && !is_before {
            if header.first_seq == self.next_seq && self.follows(header.epoch) {
                match self.sink.take(place)? {
                    Ok(()) => {
                        self.taken(header);
                        return Ok(());
                    }
                    Err(wrong) => {
                        let range = (place.frame.offset, place.frame.end());
                        self.report(FindingKind::Damage, part, range, Some(header.first_seq), wrong);
                    }
                }
            }
            if header.first_seq >= self.next_seq {
                self.stop(part, place.frame.offset);
            }
        }
        if let Err(wrong) = self.sink.orphan(place)? {
            let range = (place.frame.offset, place.frame.end());
            self.report(FindingKind::Damage, part, range, Some(header.first_seq), wrong);
        }
        Ok(())
    }

    fn taken(&mut self, header: &FrameHeader) {
        self.next_seq = header.next_seq();
        self.last_epoch = header.epoch;
        self.is_explained = false;
    }

    /// Two epochs of one counter are of histories that went different ways.
    fn follows(&self, epoch: Epoch) -> bool {
        epoch.counter > self.last_epoch.counter || epoch == self.last_epoch
    }

    /// Closes gaps below `seq` with copies, where there are any; where it does not join any more, they are orphans.
    fn fill(&mut self, seq: u64) -> Result<(), Error> {
        while let Some(entry) = self.copies.first_entry().filter(|entry| *entry.key() < seq) {
            let copy = entry.remove();
            let (place, header) = (copy.place(), &copy.header);
            let is_before = header.next_seq() <= self.first_seq;
            if self.gap.is_none() && !is_before && header.first_seq < self.next_seq {
                continue;
            }
            let joins = self.gap.is_none()
                && header.first_seq == self.next_seq
                && self.follows(header.epoch)
                && (header.epoch == self.last_epoch || self.seen.contains(&header.epoch));
            if joins && self.sink.take(&place)?.is_ok() {
                self.taken(header);
                continue;
            }
            if self.gap.is_none() && header.first_seq > self.next_seq {
                self.gap = Some(Gap { seq: self.next_seq });
            }
            // That a copy of what is lost cannot be read either adds nothing to the finding about what is lost.
            let _ = self.sink.orphan(&place)?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        self.fill(u64::MAX)
    }
}

//! Closed segments: read to the end that their successors state; up to there no damage is tolerated.

use super::chain::Segment;
use super::frame::{FrameKind, FramePlace};
use super::header::SegmentHeader;
use super::layout::SegmentName;
use super::recovery::Visit;
use super::scan::{Scan, Step};
use crate::error::Error;
use crate::ids::Epoch;
use crate::planted::{Bug, planted};
use crate::storage::Storage;

/// Goes through closed segments, each with the header of its successor: those from `first` on wholly, those before only
/// for how they join. `names` ends with the segment after the last of them.
pub(super) fn read_closed(
    storage: &dyn Storage,
    names: &[SegmentName],
    first: SegmentName,
    visit: &mut Visit<'_>,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Option<ClosedEnd>, Error> {
    let Some((oldest, rest)) = names.split_first() else { return Ok(None) };
    let mut segment = Segment::open(storage, *oldest)?;
    let mut newest_epoch = segment.header.epoch;
    for name in rest {
        if is_stopped() {
            return Ok(None);
        }
        let successor = Segment::open(storage, *name)?;
        successor.check_journal(segment.header.journal_id)?;
        let epoch = if segment.name >= first {
            read_closed_segment(&segment, &successor.header, visit)?
        } else {
            segment.check_len(successor.header.predecessor.end)?;
            segment.header.epoch
        };
        newest_epoch = newest_epoch.max(epoch).max(successor.header.epoch);
        segment = successor;
    }
    Ok(Some(ClosedEnd { newest_epoch, next: segment }))
}

/// Where closed segments leave off.
pub(super) struct ClosedEnd {
    /// The newest epoch that any frame or header showed.
    pub(super) newest_epoch: Epoch,
    /// The segment after the last of them.
    pub(super) next: Segment,
}

fn read_closed_segment(
    segment: &Segment,
    successor: &SegmentHeader,
    visit: &mut Visit<'_>,
) -> Result<Epoch, Error> {
    let bytes = segment.read_to(successor.predecessor.end)?;
    let mut scan = Scan::new(segment, &bytes);
    while scan.offset < successor.predecessor.end {
        match scan.step()? {
            Step::Stop(_) if planted(Bug::ClosedSegmentTorn) => return Ok(scan.newest_epoch),
            Step::Stop(wrong) => return Err(segment.damaged(scan.offset, scan.next_seq, wrong)),
            Step::Frame(frame) if frame.header.kind == FrameKind::Events => {
                visit(&FramePlace { file: &segment.file_name, frame, written_by: scan.written_by })?;
            }
            Step::Frame(_) => {}
        }
    }
    check_join(segment, &scan, successor)?;
    Ok(scan.newest_epoch)
}

/// Refuses a successor that does not go on where its predecessor ends.
pub(super) fn check_join(segment: &Segment, scan: &Scan<'_>, successor: &SegmentHeader) -> Result<(), Error> {
    if scan.next_seq != successor.first_seq {
        let found = format!(
            "the sequence has a gap: the next segment begins with seq {}, expected {}",
            successor.first_seq, scan.next_seq
        );
        return Err(segment.damaged(scan.offset, scan.next_seq, found));
    }
    if scan.last_epoch != successor.previous_epoch {
        let found = format!(
            "its last event is of epoch {}, the next segment says {}",
            scan.last_epoch, successor.previous_epoch
        );
        return Err(segment.damaged(scan.offset, scan.next_seq, found));
    }
    Ok(())
}

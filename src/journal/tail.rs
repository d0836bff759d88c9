//! How far the newest segment can be believed: the line between a torn tail, which is honest, and damage, which is
//! not (law EVIDENCE).

use super::bytes::{end_of_nonzero, index_of, offset_of};
use super::chain::Segment;
use super::frame::{Frame, FrameHeader, FrameKind, FrameRead};
use super::header::WriterVersion;
use super::scan::{Scan, Step};
use crate::error::Error;
use crate::ids::Epoch;
use crate::planted::{Bug, planted};

/// What the newest segment holds.
#[derive(Debug)]
pub(super) struct Tail {
    /// Whether it was closed cleanly: its last frame is the mark.
    pub(super) is_clean: bool,
    /// X: where the first bad frame begins, or the frames end.
    pub(super) frames_end: u64,
    /// D: up to here it is known to be on disk.
    pub(super) believed: Believed,
    /// The frames of events between D and X, as offsets: to be handed over to a new segment.
    pub(super) unbelieved: Vec<u64>,
    /// The offset of the close mark, if it was closed cleanly.
    pub(super) mark_at: u64,
    /// How many bytes that are no frames lie after X, up to the last that is not zero.
    pub(super) torn_len: u64,
    /// The `seq` that the next event has.
    pub(super) next_seq: u64,
    /// The epoch of the last event.
    pub(super) last_epoch: Epoch,
    /// The newest epoch that any frame or header showed.
    pub(super) newest_epoch: Epoch,
    /// Frames of events in the segment.
    pub(super) frames: u64,
    /// Events in the segment.
    pub(super) events: u64,
}

/// The point up to which a segment is known to be on disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Believed {
    /// The offset.
    pub(super) end: u64,
    /// The `seq` that the event after it has.
    pub(super) next_seq: u64,
    /// The epoch of the last event before it.
    pub(super) last_epoch: Epoch,
}

/// Reads the newest segment of a journal that nobody is writing. `bytes` is the whole file; `visit` gets each frame
/// of events up to X, before it is certain that the journal can be opened.
pub(super) fn read_tail(
    segment: &Segment,
    bytes: &[u8],
    visit: &mut dyn FnMut(&Frame<'_>, WriterVersion) -> Result<(), Error>,
) -> Result<Tail, Error> {
    let mut scan = Scan::new(segment, bytes);
    let mut history = Vec::new();
    let mut last_at = scan.offset;
    let stopped = loop {
        let before = Believed { end: scan.offset, next_seq: scan.next_seq, last_epoch: scan.last_epoch };
        match scan.step()? {
            Step::Stop(wrong) => break wrong,
            Step::Frame(frame) => {
                history.push((before, frame.header.kind));
                last_at = frame.offset;
                if frame.header.kind == FrameKind::Events {
                    visit(&frame, scan.written_by)?;
                }
            }
        }
    };
    let torn_len = check_torn(segment, bytes, &scan, stopped)?;
    let is_clean = scan.ended == Some(FrameKind::Close);
    let is_believed =
        is_clean || planted(Bug::ReadableIsDurable) || planted(Bug::SealBelieved) && scan.ended.is_some();
    let end_of_frames = Believed { end: scan.offset, next_seq: scan.next_seq, last_epoch: scan.last_epoch };
    let believed =
        if is_believed { end_of_frames } else { believed_of(segment, &scan, &history, end_of_frames)? };
    let unbelieved = history
        .iter()
        .filter(|(before, kind)| *kind == FrameKind::Events && before.end >= believed.end)
        .filter(|_| !planted(Bug::DroppedPastD))
        .map(|(before, _)| before.end)
        .collect();
    let end = if planted(Bug::DroppedPastD) { believed } else { end_of_frames };
    let begins_anew = planted(Bug::SeqStartsAgainAtOne) && scan.events == 0 && torn_len > 0;
    Ok(Tail {
        is_clean,
        frames_end: scan.offset,
        believed,
        unbelieved,
        mark_at: last_at,
        torn_len,
        next_seq: if begins_anew { 1 } else { end.next_seq },
        last_epoch: end.last_epoch,
        newest_epoch: scan.newest_epoch,
        frames: scan.frames,
        events: scan.events,
    })
}

/// With no successor and no mark, nothing past D is believed to be on disk, a seal included: after a failed sync the
/// page cache shows bytes that the disk does not have. D is where some frame begins, or the frames end.
fn believed_of(
    segment: &Segment,
    scan: &Scan<'_>,
    history: &[(Believed, FrameKind)],
    end_of_frames: Believed,
) -> Result<Believed, Error> {
    let end = scan.durable_through;
    history.iter().map(|(before, _)| *before).chain([end_of_frames]).find(|at| at.end == end).ok_or_else(
        || {
            segment.damaged(
                scan.offset,
                scan.next_seq,
                format!("{end} bytes were synced, but no frame ends there"),
            )
        },
    )
}

/// Tells a torn tail from damage, at X. The length of what is torn, or a refusal.
fn check_torn(segment: &Segment, bytes: &[u8], scan: &Scan<'_>, stopped: &str) -> Result<u64, Error> {
    let x = scan.offset;
    let torn_len = offset_of(end_of_nonzero(bytes, index_of(x))).saturating_sub(x);
    if planted(Bug::ZeroedLengthIsTheEnd) && matches!(segment.codec.read(bytes, x), FrameRead::Blank) {
        return Ok(0);
    }
    if x < scan.durable_through {
        let found = format!("{stopped}, but {} bytes of the file were synced", scan.durable_through);
        return Err(segment.damaged(x, scan.next_seq, found));
    }
    let proves =
        |header: &FrameHeader| header.durable_through > x || planted(Bug::ValidFrameAfterABadOneIsDamage);
    let proof = segment.codec.find_header(bytes, x, proves);
    if let Some((at, header)) = proof.filter(|_| !planted(Bug::TruncatedAtTheFirstBadBatch)) {
        let found = format!(
            "{stopped}; the frame at offset {at} proves that {} bytes of the file were synced",
            header.durable_through
        );
        return Err(segment.damaged(x, scan.next_seq, found));
    }
    if scan.ended.is_some() && torn_len > 0 {
        return Err(segment.damaged(
            x,
            scan.next_seq,
            format!("{torn_len} bytes follow the end of the segment"),
        ));
    }
    if torn_len > scan.max_unsynced && !planted(Bug::TornTailOfAnyLength) {
        let found = format!(
            "{stopped}, and {torn_len} bytes follow; its writer never left more than {} unsynced, so this is no torn tail",
            scan.max_unsynced
        );
        return Err(segment.damaged(x, scan.next_seq, found));
    }
    Ok(torn_len)
}

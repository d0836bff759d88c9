//! Events to the payload of a frame, and back: one JSON object a line.

use memchr::{memchr, memchr_iter};

use super::reader::StateAt;
use crate::error::{Error, ErrorKind};
use crate::event::{ChangeEvent, DecodeError, decode_event, encode_event};
use crate::journal::FramePlace;
use crate::journal::format::WriterVersion;
use crate::projection::Projection;

/// Appends the event as a line.
pub(super) fn push_line(event: &ChangeEvent, payload: &mut Vec<u8>) {
    encode_event(event, payload);
    payload.push(b'\n');
}

/// The lines of a frame, each with its `seq`, without line ends.
pub(super) fn lines<'a>(place: &FramePlace<'a>) -> impl Iterator<Item = (u64, &'a [u8])> {
    let mut rest = place.frame.payload;
    let lines = std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, after) = match memchr(b'\n', rest) {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &[][..]),
        };
        rest = after;
        Some(line)
    });
    (place.frame.header.first_seq..).zip(lines)
}

/// Reads one line of a frame.
pub(super) fn decode_line(place: &FramePlace<'_>, seq: u64, line: &[u8]) -> Result<ChangeEvent, Error> {
    decode_at(place.file, place.frame.offset, place.written_by, seq, line)
}

/// The same, where only the frame's place is left.
pub(super) fn decode_at(
    file: &str,
    offset: u64,
    written_by: WriterVersion,
    seq: u64,
    line: &[u8],
) -> Result<ChangeEvent, Error> {
    let damaged = |found: String| Error::damaged(file, offset, Some(seq), found);
    let event = decode_event(line).map_err(|error| match error {
        // What this version does not know is unsupported, with the version that may know it.
        DecodeError::UnknownKind { .. } | DecodeError::UnsupportedVersion { .. } => Error::new(
            ErrorKind::Unsupported,
            format!("{error}; file {file}, offset {offset}, was written by tallybook {written_by}"),
        ),
        DecodeError::Invalid { .. } => damaged(error.to_string()),
    })?;
    if event.seq != seq {
        return Err(damaged(format!("the event says that it is seq {}", event.seq)));
    }
    Ok(event)
}

/// Reads all events of a frame and takes them into the state.
pub(super) fn fold(place: &FramePlace<'_>, projection: &mut Projection) -> Result<(), Error> {
    check_count(place)?;
    for (seq, line) in lines(place) {
        let event = decode_line(place, seq, line)?;
        projection.apply(&event).map_err(|error| damaged(place, seq, error.to_string()))?;
    }
    Ok(())
}

/// The same, but no further than a point of the history. Whether that was reached.
pub(super) fn fold_up_to(
    place: &FramePlace<'_>,
    projection: &mut Projection,
    at: StateAt,
) -> Result<bool, Error> {
    if at == StateAt::End {
        return fold(place, projection).map(|()| false);
    }
    check_count(place)?;
    let known = projection.seq;
    for (seq, line) in lines(place).filter(|&(seq, _)| seq > known) {
        let event = decode_line(place, seq, line)?;
        if matches!(at, StateAt::Time(time) if event.ts > time) || at == StateAt::Seq(seq - 1) {
            return Ok(true);
        }
        projection.apply(&event).map_err(|error| damaged(place, seq, error.to_string()))?;
    }
    Ok(at == StateAt::Seq(projection.seq))
}

/// Refuses a frame that does not hold as many lines as its header says.
pub(super) fn check_count(place: &FramePlace<'_>) -> Result<(), Error> {
    let (stated, payload) = (place.frame.header.event_count, place.frame.payload);
    // Most frames hold one event.
    if stated == 1 && memchr(b'\n', payload).is_some_and(|end| end + 1 == payload.len()) {
        return Ok(());
    }
    let found = memchr_iter(b'\n', payload).count();
    if u32::try_from(found) == Ok(stated) && place.frame.payload.ends_with(b"\n") {
        return Ok(());
    }
    let seq = place.frame.header.first_seq;
    Err(damaged(place, seq, format!("the frame says that it holds {stated} events, and has {found} lines")))
}

fn damaged(place: &FramePlace<'_>, seq: u64, found: String) -> Error {
    Error::damaged(place.file, place.frame.offset, Some(seq), found)
}

//! Events to the payload of a frame, and back: one JSON object a line.

use memchr::{memchr, memchr_iter};

use crate::error::{Error, ErrorKind};
use crate::event::{ChangeEvent, DecodeError, Decoder, Encoder};
use crate::journal::FramePlace;
use crate::journal::format::WriterVersion;

/// Appends the event as a line.
pub(super) fn push_line(encoder: &mut Encoder, event: &ChangeEvent, payload: &mut Vec<u8>) {
    encoder.encode(event, payload);
    payload.push(b'\n');
}

/// The lines of a frame, each with its `seq`, without line ends.
pub(crate) fn lines<'a>(place: &FramePlace<'a>) -> impl Iterator<Item = (u64, &'a [u8])> {
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
    decode_with(&mut Decoder::default(), file, offset, written_by, seq, line)
}

/// The same, with what the events before it had in common.
#[inline]
pub(super) fn decode_with(
    decoder: &mut Decoder,
    file: &str,
    offset: u64,
    written_by: WriterVersion,
    seq: u64,
    line: &[u8],
) -> Result<ChangeEvent, Error> {
    match decoder.decode(line) {
        Ok(event) if event.seq == seq => Ok(event),
        Ok(event) => Err(wrong_seq(file, offset, seq, &event)),
        Err(error) => Err(misread(file, offset, written_by, seq, &error)),
    }
}

/// Why a line is no event that can be taken.
#[cold]
fn misread(file: &str, offset: u64, written_by: WriterVersion, seq: u64, error: &DecodeError) -> Error {
    match error {
        // What this version does not know is unsupported, with the version that may know it.
        DecodeError::UnknownKind { .. } | DecodeError::UnsupportedVersion { .. } => Error::new(
            ErrorKind::Unsupported,
            format!("{error}; file {file}, offset {offset}, was written by tallybook {written_by}"),
        ),
        DecodeError::Invalid { .. } => Error::damaged(file, offset, Some(seq), error),
    }
}

#[cold]
fn wrong_seq(file: &str, offset: u64, seq: u64, event: &ChangeEvent) -> Error {
    Error::damaged(file, offset, Some(seq), format!("the event says that it is seq {}", event.seq))
}

/// Reads the events of a frame, without those before `from`, and puts them behind `events`. Where one cannot be read, those
/// before it are there.
pub(super) fn decode_frame(
    place: &FramePlace<'_>,
    from: u64,
    decoder: &mut Decoder,
    events: &mut Vec<ChangeEvent>,
) -> Result<(), Error> {
    let begin = events.len();
    let mut found = 0;
    for (seq, line) in lines(place) {
        found += 1;
        if seq < from {
            continue;
        }
        let (file, offset) = (place.file, place.frame.offset);
        let error = match decoder.decode(line) {
            Ok(event) if event.seq == seq => {
                events.push(event);
                continue;
            }
            Ok(event) => wrong_seq(file, offset, seq, &event),
            Err(error) => misread(file, offset, place.written_by, seq, &error),
        };
        // What is wrong with the whole frame comes before what is wrong with one of its lines.
        check_count(place).inspect_err(|_| events.truncate(begin))?;
        return Err(error);
    }
    if found == place.frame.header.event_count && place.frame.payload.ends_with(b"\n") {
        return Ok(());
    }
    events.truncate(begin);
    check_count(place)
}

/// Whether a frame holds one line, as its header says: most do.
pub(super) fn is_one_line(place: &FramePlace<'_>) -> bool {
    let payload = place.frame.payload;
    place.frame.header.event_count == 1 && memchr(b'\n', payload).is_some_and(|end| end + 1 == payload.len())
}

/// Refuses a frame that does not hold as many lines as its header says.
pub(crate) fn check_count(place: &FramePlace<'_>) -> Result<(), Error> {
    if is_one_line(place) {
        return Ok(());
    }
    let (stated, payload) = (place.frame.header.event_count, place.frame.payload);
    let found = memchr_iter(b'\n', payload).count();
    if u32::try_from(found) == Ok(stated) && payload.ends_with(b"\n") {
        return Ok(());
    }
    let seq = place.frame.header.first_seq;
    Err(damaged(place, seq, format!("the frame says that it holds {stated} events, and has {found} lines")))
}

/// Damage in what a frame says.
pub(super) fn damaged(place: &FramePlace<'_>, seq: u64, found: String) -> Error {
    Error::damaged(place.file, place.frame.offset, Some(seq), found)
}

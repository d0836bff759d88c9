//! Damage to the files of a journal, as the input says: what media and operators do, and what a checksum cannot see.

use tallybook::JournalId;
use tallybook::format::{
    FrameCodec, FrameHeader, FrameRead, HEADER_LEN, Predecessor, SegmentHeader, SegmentName,
};

use crate::input::Input;
use crate::samples::Files;

/// The most that one edit may add, so that no input takes for ever.
const MAX_ADDED: usize = 64 << 10;

/// Edits the files until the input is used up.
pub(crate) fn edit(files: &mut Files, input: &mut Input<'_>) {
    while !input.is_empty() {
        let op = input.u8() % 12;
        let Some(index) = input.index(files.len()) else { return };
        match op {
            0 => flip(&mut files[index].1, input),
            1 => zero(&mut files[index].1, input),
            2 => {
                let len = input.index(files[index].1.len() + 1).unwrap_or(0);
                files[index].1.truncate(len);
            }
            3 => drop(files.remove(index)),
            4 => append(&mut files[index].1, input),
            5 => files[index].0 = name(input),
            6 => {
                let copy = (name(input), files[index].1.clone());
                put(files, copy);
            }
            7 => swap(files, index, input),
            8 => move_bytes(&mut files[index].1, input),
            9 => reframe(&mut files[index].1, input),
            10 => rewrite_header(&mut files[index].1, input),
            _ => overwrite(&mut files[index].1, input),
        }
    }
}

/// A file in place of any of that name.
pub(crate) fn put(files: &mut Files, file: (String, Vec<u8>)) {
    files.retain(|(name, _)| *name != file.0);
    files.push(file);
}

/// The name of a segment, near those that a short journal has.
pub(crate) fn name(input: &mut Input<'_>) -> String {
    let (number, first_seq) = (input.u8(), input.u16());
    SegmentName { number: u64::from(number % 8), first_seq: u64::from(first_seq % 256) }.to_string()
}

fn flip(bytes: &mut [u8], input: &mut Input<'_>) {
    let at = input.index(bytes.len());
    let xor = input.u8();
    if let Some(at) = at {
        bytes[at] ^= xor;
    }
}

fn zero(bytes: &mut [u8], input: &mut Input<'_>) {
    let (at, len) = (input.index(bytes.len()).unwrap_or(0), usize::from(input.u16()));
    bytes[at..].iter_mut().take(len).for_each(|byte| *byte = 0);
}

fn append(bytes: &mut Vec<u8>, input: &mut Input<'_>) {
    let (zeros, len) = (usize::from(input.u16()), usize::from(input.u8()));
    bytes.resize(bytes.len() + zeros.min(MAX_ADDED), 0);
    bytes.extend_from_slice(input.take(len));
}

fn overwrite(bytes: &mut [u8], input: &mut Input<'_>) {
    let (at, len) = (input.index(bytes.len()).unwrap_or(0), usize::from(input.u8()));
    let new = input.take(len.min(bytes.len() - at));
    bytes[at..at + new.len()].copy_from_slice(new);
}

fn swap(files: &mut Files, index: usize, input: &mut Input<'_>) {
    let other = input.index(files.len()).unwrap_or(index);
    let name = files[index].0.clone();
    files[index].0 = std::mem::replace(&mut files[other].0, name);
}

/// Bytes written to the wrong place.
fn move_bytes(bytes: &mut [u8], input: &mut Input<'_>) {
    let (from, to) = (input.index(bytes.len()).unwrap_or(0), input.index(bytes.len()).unwrap_or(0));
    let len = usize::from(input.u16()).min(bytes.len() - from.max(to));
    bytes.copy_within(from..from + len, to);
}

/// Another payload or header in a frame, with checksums that match: what only the layers above can refuse.
fn reframe(bytes: &mut [u8], input: &mut Input<'_>) {
    let Ok(header) = SegmentHeader::from_bytes(bytes) else { return };
    let codec = FrameCodec::new(header.journal_id, header.number);
    let frames = frames(&codec, bytes);
    let Some((offset, mut frame, mut payload)) =
        input.index(frames.len()).and_then(|chosen| frames.into_iter().nth(chosen))
    else {
        return;
    };
    let field = input.u8() % 8;
    match field {
        0 => frame.first_seq = frame.first_seq.wrapping_add(input.u64()),
        1 => frame.event_count = input.u32(),
        2 => frame.durable_through = input.u64(),
        3 => frame.epoch = tallybook::Epoch::from_bits(input.u64()),
        4 => frame.handed_over = !frame.handed_over,
        5 => flip(&mut payload, input),
        _ => overwrite(&mut payload, input),
    }
    let mut written = Vec::new();
    codec.append(&mut written, offset as u64, &frame, &payload);
    bytes[offset..offset + written.len()].copy_from_slice(&written);
}

/// The frames of a segment, up to the first that does not read.
fn frames(codec: &FrameCodec, bytes: &[u8]) -> Vec<(usize, FrameHeader, Vec<u8>)> {
    let (mut found, mut offset) = (Vec::new(), HEADER_LEN);
    while let FrameRead::Frame(frame) = codec.read(bytes, offset as u64) {
        found.push((offset, frame.header, frame.payload.to_vec()));
        offset += usize::try_from(frame.length).expect("the frame lies in memory");
    }
    found
}

/// Another header, with a checksum that matches.
fn rewrite_header(bytes: &mut [u8], input: &mut Input<'_>) {
    let Ok(mut header) = SegmentHeader::from_bytes(bytes) else { return };
    match input.u8() % 10 {
        0 => header.journal_id = JournalId(uuid::Uuid::from_u128(input.u128())),
        1 => header.number = input.u64(),
        2 => header.first_seq = input.u64(),
        3 => header.epoch = tallybook::Epoch::from_bits(input.u64()),
        4 => header.previous_epoch = tallybook::Epoch::from_bits(input.u64()),
        5 => header.predecessor = Predecessor { end: input.u64(), ..header.predecessor },
        6 => header.predecessor = Predecessor { discarded_len: input.u64(), ..header.predecessor },
        7 => header.birth = input.u64(),
        8 => header.max_unsynced = input.u64(),
        _ => header.predecessor = Predecessor { last_seq: input.u64(), ..header.predecessor },
    }
    bytes[..HEADER_LEN].copy_from_slice(&header.to_bytes());
}

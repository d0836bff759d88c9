//! Damage to the files of a journal, as the input says: what media and operators do, and what a checksum cannot see.

use tallybook::JournalId;
use tallybook::format::{
    FrameCodec, FrameHeader, FrameKind, FrameRead, HEADER_LEN, Predecessor, SegmentHeader, SegmentName,
    SnapshotHeader, SnapshotName,
};

use crate::input::Input;
use crate::json::edit_lines;
use crate::mend::mend;
use crate::samples::Files;

/// The most that one edit may add, so that no input takes for ever.
const MAX_ADDED: usize = 64 << 10;

/// Edits the files until the input is used up.
pub(crate) fn edit(files: &mut Files, input: &mut Input<'_>) {
    while !input.is_empty() {
        let op = input.u8() % 16;
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
            11 => overwrite(&mut files[index].1, input),
            12 => rewrite_events(files, index, input),
            13 => rewrite_snapshot(&mut files[index].1, input),
            14 => restate(files, index, input),
            _ => mend(&mut files[index].1),
        }
    }
}

/// A file in place of any of that name.
pub(crate) fn put(files: &mut Files, file: (String, Vec<u8>)) {
    files.retain(|(name, _)| *name != file.0);
    files.push(file);
}

/// A name near those that a short journal has: of a segment, now and then of a snapshot or of torn bytes.
pub(crate) fn name(input: &mut Input<'_>) -> String {
    let (number, first_seq) = (input.u8(), input.u16());
    let before = SegmentName { number: u64::from(number % 8), first_seq: u64::from(first_seq % 256) };
    match number / 8 % 8 {
        0 => SnapshotName { before, is_base: false }.to_string(),
        1 => SnapshotName { before, is_base: true }.to_string(),
        2 => before.to_string().replace(".seg", ".torn"),
        _ => before.to_string(),
    }
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

/// Another event in a frame, which may be longer: all that comes after it moves, and whatever states places moves along.
fn rewrite_events(files: &mut Files, index: usize, input: &mut Input<'_>) {
    let bytes = &files[index].1;
    let Ok(mut header) = SegmentHeader::from_bytes(bytes) else { return };
    let codec = FrameCodec::new(header.journal_id, header.number);
    let frames = frames(&codec, bytes);
    let events: Vec<usize> =
        (0..frames.len()).filter(|&frame| frames[frame].1.kind == FrameKind::Events).collect();
    let Some(chosen) = input.short_index(events.len()).map(|chosen| events[chosen]) else { return };
    let (changed_at, end) = (frames[chosen].0 as u64, end_of(&frames));
    let mut written = bytes[..HEADER_LEN].to_vec();
    let mut moved = 0_i64;
    for (number, (_, mut frame, mut payload)) in frames.into_iter().enumerate() {
        let before = payload.len().next_multiple_of(8);
        if number == chosen {
            edit_lines(&mut payload, input);
        }
        if frame.durable_through > changed_at {
            frame.durable_through = frame.durable_through.saturating_add_signed(moved);
        }
        frame.payload_len = u32::try_from(payload.len()).expect("a short payload");
        let offset = written.len() as u64;
        codec.append(&mut written, offset, &frame, &payload);
        if number == chosen {
            moved = payload.len().next_multiple_of(8) as i64 - before as i64;
        }
    }
    written.extend_from_slice(&bytes[end..]);
    if header.birth > changed_at {
        header.birth = header.birth.saturating_add_signed(moved);
    }
    written[..HEADER_LEN].copy_from_slice(&header.to_bytes());
    files[index].1 = written;
    for (_, bytes) in files {
        let Ok(mut next) = SegmentHeader::from_bytes(bytes) else { continue };
        if next.number == header.number.wrapping_add(1) && next.predecessor.end > changed_at {
            next.predecessor.end = next.predecessor.end.saturating_add_signed(moved);
            bytes[..HEADER_LEN].copy_from_slice(&next.to_bytes());
        }
    }
}

fn end_of(frames: &[(usize, FrameHeader, Vec<u8>)]) -> usize {
    frames
        .last()
        .map_or(HEADER_LEN, |(offset, _, payload)| offset + tallybook::format::frame_len(payload.len()))
}

/// Other lines in a snapshot, or another header, with lengths and checksums that match.
fn rewrite_snapshot(bytes: &mut Vec<u8>, input: &mut Input<'_>) {
    let Ok(mut header) = SnapshotHeader::from_bytes(bytes) else { return };
    match input.u8() % 16 {
        0 => header.journal_id = JournalId(uuid::Uuid::from_u128(input.u128())),
        1 => header.before.number = input.u64(),
        2 => header.before.first_seq = input.u64(),
        3 => header.epoch = tallybook::Epoch::from_bits(input.u64()),
        4 => header.last_ts = tallybook::Timestamp::from_micros(input.u64().cast_signed()),
        5 => header.fold_version = input.u32(),
        6 => header.state_hash[usize::from(input.u8()) % 32] ^= 1,
        7 => header.created_at = tallybook::Timestamp::from_micros(input.u64().cast_signed()),
        _ => {
            let mut lines = bytes.split_off(HEADER_LEN);
            edit_lines(&mut lines, input);
            bytes.extend(lines);
        }
    }
    bytes[..HEADER_LEN].copy_from_slice(&header.to_bytes());
    mend(bytes);
}

/// A segment that says itself what a new name of it says.
fn restate(files: &mut Files, index: usize, input: &mut Input<'_>) {
    let new = name(input);
    let (Some(name), Ok(header)) = (SegmentName::parse(&new), SegmentHeader::from_bytes(&files[index].1))
    else {
        return;
    };
    let predecessor = Predecessor { last_seq: name.first_seq.wrapping_sub(1), ..header.predecessor };
    let stated = SegmentHeader { number: name.number, first_seq: name.first_seq, predecessor, ..header };
    files[index].1[..HEADER_LEN].copy_from_slice(&stated.to_bytes());
    files[index].0 = new;
}

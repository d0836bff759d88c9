//! Frames, headers, records and event lines out of arbitrary bytes: nothing panics, and what reads at all is written
//! again as it was.

use tallybook::JournalId;
use tallybook::event::{decode_event, encode_event};
use tallybook::format::{
    EndRecord, FRAME_ALIGN, FrameCodec, FrameHeader, FrameKind, FrameRead, HEADER_LEN, OpenRecord,
    SegmentHeader, SegmentName, SnapshotHeader, SnapshotName,
};

use crate::input::Input;

/// Reads the input as everything that stands in a segment.
///
/// The first byte chooses: an even one, and the rest is a segment as it stands; an odd one, and the rest is the payload
/// of a valid frame, which arbitrary bytes would hardly ever form.
///
/// # Panics
/// When something that was read is written again differently.
pub fn check_frames(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let is_sealed = input.u8() % 2 == 1;
    let journal_id = JournalId(uuid_of(input.u128()));
    let codec = FrameCodec::new(journal_id, input.u64());
    let segment = if is_sealed { sealed(&codec, &mut input) } else { input.rest().to_vec() };
    check_places(&codec, &segment);
    check_look_ahead(&codec, &segment);
    check_header(&segment);
    check_records(&segment);
    check_line(&segment);
    if let Ok(text) = std::str::from_utf8(&segment)
        && let Some(name) = SegmentName::parse(text)
    {
        assert_eq!(name.to_string(), text);
    }
    if let Ok(text) = std::str::from_utf8(&segment)
        && let Some(name) = SnapshotName::parse(text)
    {
        assert_eq!(name.to_string(), text);
    }
}

/// One valid frame behind room for a header, damaged in one place if the input says so.
fn sealed(codec: &FrameCodec, input: &mut Input<'_>) -> Vec<u8> {
    let kinds = [FrameKind::Events, FrameKind::Open, FrameKind::Close, FrameKind::Seal];
    let kind = kinds[usize::from(input.u8() % 4)];
    let (flags, at, xor) = (input.u8(), input.u32(), input.u8());
    let (event_count, first_seq, durable_through) = (input.u32(), input.u64(), input.u64());
    let epoch = tallybook::Epoch::from_bits(input.u64());
    let payload = input.rest();
    let header = FrameHeader {
        kind,
        handed_over: flags % 2 == 1,
        payload_len: u32::try_from(payload.len()).expect("a fuzzer's input is short"),
        event_count,
        first_seq,
        durable_through,
        epoch,
    };
    let mut segment = vec![0; HEADER_LEN];
    codec.append(&mut segment, HEADER_LEN as u64, &header, payload);
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    if let Some(byte) = segment.get_mut(HEADER_LEN..).and_then(|frame| frame.get_mut(at)) {
        *byte ^= xor;
    }
    segment
}

/// Reads at every place where a frame can start, and past the end.
fn check_places(codec: &FrameCodec, segment: &[u8]) {
    for offset in (0..segment.len() + 2 * FRAME_ALIGN).step_by(FRAME_ALIGN) {
        let at = offset as u64;
        match codec.read(segment, at) {
            FrameRead::Frame(frame) => {
                let mut written = Vec::new();
                codec.append(&mut written, at, &frame.header, frame.payload);
                assert_eq!(written, segment[offset..offset + written.len()], "the frame at {offset}");
                assert_eq!(frame.end(), at + written.len() as u64);
                assert_eq!(codec.read_header(segment, at), Some(frame.header));
                check_records(frame.payload);
                frame.payload.split(|&byte| byte == b'\n').for_each(check_line);
            }
            FrameRead::Blank => {
                let head = &segment[offset.min(segment.len())..];
                assert!(head.iter().take(48).all(|&byte| byte == 0), "blank at {offset}");
            }
            FrameRead::Bad(why) => assert!(!why.is_empty()),
        }
    }
}

/// Looks ahead from every place: the header found is valid, and none before it is.
fn check_look_ahead(codec: &FrameCodec, segment: &[u8]) {
    let mut from = 0;
    while let Some((offset, header)) = codec.find_header(segment, from, |_| true) {
        assert!(offset >= from, "found {offset}, looking from {from}");
        assert_eq!(codec.read_header(segment, offset), Some(header));
        for before in (from..offset).step_by(FRAME_ALIGN) {
            assert_eq!(codec.read_header(segment, before), None, "passed over {before}");
        }
        from = offset + FRAME_ALIGN as u64;
    }
}

fn check_header(bytes: &[u8]) {
    if let Ok(header) = SegmentHeader::from_bytes(bytes) {
        assert_eq!(SegmentHeader::from_bytes(&header.to_bytes()), Ok(header));
    }
    if let Ok(header) = SnapshotHeader::from_bytes(bytes) {
        assert_eq!(SnapshotHeader::from_bytes(&header.to_bytes()), Ok(header));
    }
}

fn check_records(payload: &[u8]) {
    if let Some(record) = OpenRecord::from_payload(payload) {
        assert_eq!(OpenRecord::from_payload(&record.to_payload()), Some(record));
    }
    if let Some(record) = EndRecord::from_payload(payload) {
        assert_eq!(EndRecord::from_payload(&record.to_payload()), Some(record));
    }
}

/// An event that reads at all has a canonical form, which reads as the same event and is written as it stands.
fn check_line(line: &[u8]) {
    let Ok(event) = decode_event(line) else { return };
    let mut canonical = Vec::new();
    encode_event(&event, &mut canonical);
    let again = decode_event(&canonical).expect("the canonical form of an event reads");
    assert_eq!(again, event);
    let mut twice = Vec::new();
    encode_event(&again, &mut twice);
    assert_eq!(canonical, twice);
}

fn uuid_of(bits: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(bits)
}

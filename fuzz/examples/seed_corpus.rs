//! Writes the seeds of the corpora, from real journals: `cargo run --example seed_corpus` in `fuzz/`. What fuzzing found
//! (`found-…`) lies beside them and stays.

#![expect(clippy::disallowed_methods, reason = "the corpora are files of the repository")]

use std::path::Path;

use tallybook::format::{FrameCodec, FrameKind, FrameRead, HEADER_LEN, SegmentHeader};
use tallybook_fuzz::{SCRIPT, cursor_texts, proof_seeds, sample_journals, snapshot_journals};

type Seed = (String, Vec<u8>);

fn main() -> std::io::Result<()> {
    write("frame_decode", frame_seeds())?;
    write("open_directory", directory_seeds())?;
    write("snapshot", snapshot_seeds())?;
    write("cursor", cursor_seeds())?;
    write("command_lines", command_seeds())?;
    write("proof", proof_seeds())
}

fn write(target: &str, seeds: Vec<Seed>) -> std::io::Result<()> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&dir)?;
    seeds.into_iter().try_for_each(|(name, bytes)| std::fs::write(dir.join(name), bytes))
}

/// One whole segment as it stands, and each kind of frame as the payload of one with its own checksums.
fn frame_seeds() -> Vec<Seed> {
    let (_, segment) = &sample_journals()[0][0];
    let header = SegmentHeader::from_bytes(segment).expect("the sample is a segment");
    let codec = FrameCodec::new(header.journal_id, header.number);
    let mut place = header.journal_id.0.as_u128().to_le_bytes().to_vec();
    place.extend(header.number.to_le_bytes());
    let mut seeds = Vec::new();
    let mut offset = HEADER_LEN;
    while let FrameRead::Frame(frame) = codec.read(segment, offset as u64) {
        let kind = [FrameKind::Events, FrameKind::Open, FrameKind::Close, FrameKind::Seal]
            .iter()
            .position(|&kind| kind == frame.header.kind)
            .expect("all kinds are listed");
        let mut seed = vec![1];
        seed.extend(&place);
        seed.extend([u8::try_from(kind).expect("there are four"), 0, 0, 0, 0, 0, 0]);
        seed.extend(frame.header.event_count.to_le_bytes());
        seed.extend(frame.header.first_seq.to_le_bytes());
        seed.extend(frame.header.durable_through.to_le_bytes());
        seed.extend(frame.header.epoch.to_bits().to_le_bytes());
        seed.extend(frame.payload);
        seeds.push((format!("frame-{:02}", seeds.len()), seed));
        offset += usize::try_from(frame.length).expect("the frame lies in memory");
    }
    seeds.truncate(10);
    let mut whole = vec![0];
    whole.extend(place);
    whole.extend(&segment[..offset.min(2 * HEADER_LEN)]);
    seeds.push(("segment".to_owned(), whole));
    let mut snapshot = vec![0; 25];
    snapshot.extend(&base_of(0)[..HEADER_LEN]);
    seeds.push(("snapshot".to_owned(), snapshot));
    seeds
}

/// Each sample untouched and with one edit of each kind, and one segment given as a file of its own.
fn directory_seeds() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = (0..sample_journals().len())
        .map(|sample| (format!("sample-{sample}"), vec![1, u8::try_from(sample).expect("there are few")]))
        .collect();
    for op in 0..16_u8 {
        let mut seed = vec![1, op % 8, op];
        // The file, then a place just past its header, then lengths and values: whatever the edit makes of them.
        seed.extend([0, 0, 0, 0, 0x58, 0x10, 0, 0, 5, 1, 0, 9, 9, 9, 9]);
        seeds.push((format!("edit-{op:02}"), seed));
    }
    let (_, segment) = &sample_journals()[0][0];
    let used = segment.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let mut file = vec![0, 4, 1, 1, 0];
    file.extend(u16::try_from(used).unwrap_or(u16::MAX).to_le_bytes());
    file.extend(&segment[..used.min(usize::from(u16::MAX))]);
    seeds.push(("file".to_owned(), file));
    seeds.push(("nothing".to_owned(), vec![0]));
    seeds.push(("others".to_owned(), b"\0\x00\x04\0pid!\x03\x02\0hi\x01\x01\0x".to_vec()));
    seeds
}

/// The base of a sample that rests on one.
fn base_of(journal: usize) -> &'static [u8] {
    let mut files = snapshot_journals()[journal].iter();
    let base = files.find(|(name, _)| name.ends_with(".base"));
    base.map(|(_, bytes)| bytes.as_slice()).expect("the sample has a base")
}

/// Each journal untouched, with an edit of each kind, and with commands of each kind after it; and the lines of a base as
/// they stand.
fn snapshot_seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for form in [0, 2] {
        seeds.push((format!("sample-{form}"), vec![form, 0]));
        for op in 0..14_u8 {
            let commands = [op, 7, 0, 0, (op + 3) % 14, 1, 1, 0, 10, 5, 0, 0, 0, 200, 1, 0];
            let seed = [&[form, 0][..], &commands].concat();
            seeds.push((format!("commands-{form}-{op:02}"), seed));
        }
        for op in 0..8_u8 {
            // An edit in line 1 + op: the 7th token, by a value or by another token.
            let seed = vec![form, 1, 4, 1 + op, 0, op, 6, 0, 2 * op, 0, 0, 1, 0, 0];
            seeds.push((format!("edit-{form}-{op}"), seed));
        }
    }
    let lines = [&[1][..], &base_of(0)[HEADER_LEN..]].concat();
    seeds.push(("lines".to_owned(), lines));
    seeds
}

fn cursor_seeds() -> Vec<Seed> {
    let texts = cursor_texts();
    let chosen = [0, 1, texts.len() / 2, texts.len() - 1];
    let text = |index: usize| (format!("text-{index}"), [&[0][..], texts[index].as_bytes()].concat());
    let mut seeds: Vec<Seed> = chosen.into_iter().map(text).collect();
    let upper = [&[0][..], texts[0].to_uppercase().as_bytes()].concat();
    seeds.push(("text-upper".to_owned(), upper));
    for op in 0..8_u8 {
        seeds.push((format!("edit-{op}"), vec![1, 3 * op, 0, op, 1, 0, 0, 0, 0, 0, 0, 0]));
    }
    seeds.push(("edit-none".to_owned(), vec![1, 2, 0]));
    seeds
}

/// The script under each choice of options, with an edit of each kind; and the commands of the README, ten at a time.
fn command_seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for form in (1..32).step_by(2) {
        seeds.push((format!("script-{form:02}"), vec![form, 0]));
    }
    for op in 0..8_u8 {
        let edits = [4, 4 + op, 0, op, 9, 0, op, 0, 0, op, 2 + op, 0];
        seeds.push((format!("edit-{op}"), [&[1, 2][..], &edits].concat()));
    }
    seeds.push(("lines-script".to_owned(), [&[0][..], SCRIPT.as_bytes()].concat()));
    let readme: Vec<&str> = include_str!("../../examples/commands.jsonl").lines().collect();
    for (number, lines) in readme.chunks(10).enumerate() {
        let form = u8::try_from(number).expect("there are few") * 2;
        let seed = [&[form][..], lines.join("\n").as_bytes()].concat();
        seeds.push((format!("lines-{number:02}"), seed));
    }
    seeds
}

//! `journal-format.md` is normative, and its examples are executed: from the fields to the bytes, and back.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tallybook::event::{decode_event, encode_event};
use tallybook::format::{
    EndRecord, FRAME_HEADER_LEN, FRAME_MAGIC, Frame, FrameCodec, FrameHeader, FrameKind, FrameRead,
    HEADER_LEN, MAX_PAYLOAD_LEN, OpenRecord, Predecessor, RECORD_LEN, RECORD_PAYLOAD_LEN, SEGMENT_MAGIC,
    SPINE_ENTRY_LEN, SPINE_HEADER_LEN, SPINE_MAGIC, SegmentHeader, SegmentName, SnapshotHeader, SpineEntry,
    SpineHeader, WriterVersion, chained_head, first_head,
};
use tallybook::proof::leaf_hash;
use tallybook::{Cursor, Epoch, JournalId, Timestamp};

const PAGE: &str = include_str!("../journal-format.md");
const JOURNAL_ID: &str = "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f1";
const OFFSET: u64 = 4176;

/// The fenced blocks of the page, by language and name.
fn blocks(language: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = PAGE.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix(&format!("```{language} ")) {
            let body: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            assert!(found.insert(name.to_owned(), body.join("\n")).is_none(), "two blocks {language} {name}");
        }
    }
    found
}

/// `OFFSET: xx xx …` a line; what no line names is zero.
fn bytes_of(hex: &str, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    for line in hex.lines() {
        let (offset, row) = line.split_once(": ").expect("OFFSET: xx xx");
        let offset = usize::from_str_radix(offset, 16).unwrap();
        for (index, byte) in row.split_whitespace().enumerate() {
            bytes[offset + index] = u8::from_str_radix(byte, 16).unwrap();
        }
    }
    bytes
}

fn hex_of(bytes: &[u8]) -> String {
    let rows = bytes.chunks(16).enumerate().filter(|(_, row)| row.iter().any(|&byte| byte != 0));
    let row = |(index, row): (usize, &[u8])| {
        let digits: Vec<_> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:04x}: {}", index * 16, digits.join(" "))
    };
    rows.map(row).collect::<Vec<_>>().join("\n")
}

fn epoch(value: &Value) -> Epoch {
    value.as_str().unwrap().parse().unwrap()
}

fn time(value: &Value) -> Timestamp {
    Timestamp::parse(value.as_str().unwrap()).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn version(value: &Value) -> WriterVersion {
    let parts: Vec<u16> = value.as_str().unwrap().split('.').map(|part| part.parse().unwrap()).collect();
    WriterVersion(parts.try_into().unwrap())
}

fn sha256(value: &Value) -> [u8; 32] {
    bytes_of(
        &format!(
            "0: {}",
            value
                .as_str()
                .unwrap()
                .as_bytes()
                .chunks(2)
                .map(|pair| std::str::from_utf8(pair).unwrap())
                .collect::<Vec<_>>()
                .join(" ")
        ),
        32,
    )
    .try_into()
    .unwrap()
}

/// An example: how its fields become bytes, and how its bytes become fields.
struct Example {
    name: &'static str,
    encode: fn(&Value) -> Vec<u8>,
    decode: fn(&[u8]) -> Value,
}

const EXAMPLES: [Example; 8] = [
    Example { name: "segment-header", encode: encode_header, decode: decode_header },
    Example { name: "frame-events", encode: encode_frame, decode: decode_frame },
    Example { name: "record-open", encode: encode_frame, decode: decode_frame },
    Example { name: "record-close", encode: encode_frame, decode: decode_frame },
    Example { name: "record-seal", encode: encode_frame, decode: decode_frame },
    Example { name: "snapshot-header", encode: encode_snapshot_header, decode: decode_snapshot_header },
    Example { name: "spine-header", encode: encode_spine_header, decode: decode_spine_header },
    Example { name: "spine-entry", encode: encode_spine_entry, decode: decode_spine_entry },
];

fn encode_header(fields: &Value) -> Vec<u8> {
    let predecessor = &fields["predecessor"];
    let header = SegmentHeader {
        journal_id: fields["journal_id"].as_str().unwrap().parse().unwrap(),
        number: number(&fields["number"]),
        first_seq: number(&fields["first_seq"]),
        epoch: epoch(&fields["epoch"]),
        previous_epoch: epoch(&fields["previous_epoch"]),
        predecessor: Predecessor {
            last_seq: number(&predecessor["last_seq"]),
            end: number(&predecessor["end"]),
            discarded_len: number(&predecessor["discarded_len"]),
            discarded_sha256: sha256(&predecessor["discarded_sha256"]),
        },
        birth: number(&fields["birth"]),
        max_unsynced: number(&fields["max_unsynced"]),
        created_at: time(&fields["created_at"]),
        written_by: version(&fields["written_by"]),
    };
    header.to_bytes().to_vec()
}

fn decode_header(bytes: &[u8]) -> Value {
    let header = SegmentHeader::from_bytes(bytes).unwrap();
    let digest: String =
        header.predecessor.discarded_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "journal_id": header.journal_id.to_string(),
        "number": header.number,
        "first_seq": header.first_seq,
        "epoch": header.epoch.to_string(),
        "previous_epoch": header.previous_epoch.to_string(),
        "predecessor": {
            "last_seq": header.predecessor.last_seq,
            "end": header.predecessor.end,
            "discarded_len": header.predecessor.discarded_len,
            "discarded_sha256": digest,
        },
        "birth": header.birth,
        "max_unsynced": header.max_unsynced,
        "created_at": header.created_at.to_string(),
        "written_by": header.written_by.to_string(),
    })
}

fn encode_snapshot_header(fields: &Value) -> Vec<u8> {
    let header = SnapshotHeader {
        journal_id: fields["journal_id"].as_str().unwrap().parse().unwrap(),
        before: SegmentName { number: number(&fields["segment"]), first_seq: number(&fields["first_seq"]) },
        epoch: epoch(&fields["epoch"]),
        last_ts: time(&fields["last_ts"]),
        fold_version: number(&fields["fold_version"]).try_into().unwrap(),
        state_hash: sha256(&fields["state_hash"]),
        lines: number(&fields["lines"]),
        payload_len: number(&fields["payload_len"]),
        payload_crc: u32::from_str_radix(fields["payload_crc"].as_str().unwrap(), 16).unwrap(),
        created_at: time(&fields["created_at"]),
        written_by: version(&fields["written_by"]),
        spine_head: sha256(&fields["spine_head"]),
    };
    header.to_bytes().to_vec()
}

fn digits(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decode_snapshot_header(bytes: &[u8]) -> Value {
    let header = SnapshotHeader::from_bytes(bytes).unwrap();
    json!({
        "journal_id": header.journal_id.to_string(),
        "segment": header.before.number,
        "first_seq": header.before.first_seq,
        "epoch": header.epoch.to_string(),
        "last_ts": header.last_ts.to_string(),
        "fold_version": header.fold_version,
        "state_hash": digits(&header.state_hash),
        "lines": header.lines,
        "payload_len": header.payload_len,
        "payload_crc": format!("{:08x}", header.payload_crc),
        "created_at": header.created_at.to_string(),
        "written_by": header.written_by.to_string(),
        "spine_head": digits(&header.spine_head),
    })
}

fn journal_id(fields: &Value) -> JournalId {
    fields["journal_id"].as_str().unwrap().parse().unwrap()
}

fn encode_spine_header(fields: &Value) -> Vec<u8> {
    SpineHeader { journal_id: journal_id(fields) }.to_bytes().to_vec()
}

fn decode_spine_header(bytes: &[u8]) -> Value {
    json!({ "journal_id": SpineHeader::from_bytes(bytes).unwrap().journal_id.to_string() })
}

fn encode_spine_entry(fields: &Value) -> Vec<u8> {
    let entry = SpineEntry {
        number: number(&fields["number"]),
        first_seq: number(&fields["first_seq"]),
        next_seq: number(&fields["next_seq"]),
        root: sha256(&fields["root"]),
        head: sha256(&fields["head"]),
    };
    entry.to_bytes(journal_id(fields), number(&fields["offset"])).to_vec()
}

fn decode_spine_entry(bytes: &[u8]) -> Value {
    let entry = SpineEntry::from_bytes(bytes, JOURNAL_ID.parse().unwrap(), SPINE_ENTRY_LEN as u64).unwrap();
    json!({
        "journal_id": JOURNAL_ID,
        "offset": SPINE_ENTRY_LEN,
        "number": entry.number,
        "first_seq": entry.first_seq,
        "next_seq": entry.next_seq,
        "root": digits(&entry.root),
        "head": digits(&entry.head),
    })
}

/// Root and head of the example are those of the event of the example frame, as the page says how.
#[test]
fn the_spine_of_the_example_is_that_of_its_event() {
    let fields = blocks("json");
    let frame: Value = serde_json::from_str(&fields["frame-events"]).unwrap();
    let entry: Value = serde_json::from_str(&fields["spine-entry"]).unwrap();
    let line = frame["payload"][0].as_str().unwrap();
    let root = leaf_hash(number(&frame["first_seq"]), line.as_bytes());
    assert_eq!(entry["root"], digits(&root));
    let (first_seq, next_seq) = (number(&entry["first_seq"]), number(&entry["next_seq"]));
    let head = chained_head(&first_head(journal_id(&entry)), first_seq, next_seq, &root);
    assert_eq!(entry["head"], digits(&head));
}

fn codec(fields: &Value) -> FrameCodec {
    let journal_id: JournalId = fields["journal_id"].as_str().unwrap().parse().unwrap();
    FrameCodec::new(journal_id, number(&fields["segment"]))
}

const KINDS: [(&str, FrameKind); 4] = [
    ("events", FrameKind::Events),
    ("open", FrameKind::Open),
    ("close", FrameKind::Close),
    ("seal", FrameKind::Seal),
];

fn encode_payload(kind: FrameKind, payload: &Value) -> Vec<u8> {
    match kind {
        FrameKind::Events => payload
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line.as_str().unwrap().to_owned() + "\n")
            .collect::<String>()
            .into(),
        FrameKind::Open => OpenRecord {
            opened_at: time(&payload["opened_at"]),
            max_unsynced: number(&payload["max_unsynced"]),
            written_by: version(&payload["written_by"]),
            pid: number(&payload["pid"]).try_into().unwrap(),
        }
        .to_payload()
        .to_vec(),
        FrameKind::Close | FrameKind::Seal => EndRecord {
            ended_at: time(&payload["ended_at"]),
            last_seq: number(&payload["last_seq"]),
            frames: number(&payload["frames"]),
            events: number(&payload["events"]),
        }
        .to_payload()
        .to_vec(),
    }
}

fn decode_payload(frame: &Frame<'_>) -> Value {
    match frame.header.kind {
        FrameKind::Events => std::str::from_utf8(frame.payload).unwrap().lines().collect(),
        FrameKind::Open => {
            let record = OpenRecord::from_payload(frame.payload).unwrap();
            json!({
                "opened_at": record.opened_at.to_string(),
                "max_unsynced": record.max_unsynced,
                "written_by": record.written_by.to_string(),
                "pid": record.pid,
            })
        }
        FrameKind::Close | FrameKind::Seal => {
            let record = EndRecord::from_payload(frame.payload).unwrap();
            json!({
                "ended_at": record.ended_at.to_string(),
                "last_seq": record.last_seq,
                "frames": record.frames,
                "events": record.events,
            })
        }
    }
}

fn encode_frame(fields: &Value) -> Vec<u8> {
    let (_, kind) = KINDS.into_iter().find(|(name, _)| fields["kind"] == *name).unwrap();
    let payload = encode_payload(kind, &fields["payload"]);
    let header = FrameHeader {
        kind,
        handed_over: fields["handed_over"].as_bool().unwrap(),
        payload_len: payload.len().try_into().unwrap(),
        event_count: number(&fields["event_count"]).try_into().unwrap(),
        first_seq: number(&fields["first_seq"]),
        durable_through: number(&fields["durable_through"]),
        epoch: epoch(&fields["epoch"]),
    };
    let mut out = Vec::new();
    codec(fields).append(&mut out, number(&fields["offset"]), &header, &payload);
    out
}

fn decode_frame(bytes: &[u8]) -> Value {
    let place = json!({ "journal_id": JOURNAL_ID, "segment": 3, "offset": OFFSET });
    let FrameRead::Frame(frame) = codec(&place).read_at(bytes, OFFSET) else { panic!("no frame") };
    let header = frame.header;
    let (kind, _) = KINDS.into_iter().find(|(_, kind)| *kind == header.kind).unwrap();
    json!({
        "journal_id": JOURNAL_ID,
        "segment": 3,
        "offset": frame.offset,
        "kind": kind,
        "handed_over": header.handed_over,
        "event_count": header.event_count,
        "first_seq": header.first_seq,
        "durable_through": header.durable_through,
        "epoch": header.epoch.to_string(),
        "payload": decode_payload(&frame),
    })
}

#[test]
fn every_hexadecimal_example_holds_both_ways() {
    let (fields, hex) = (blocks("json"), blocks("hex"));
    assert_eq!(
        hex.keys().map(String::as_str).collect::<Vec<_>>().len(),
        EXAMPLES.len(),
        "an example is not executed"
    );
    for Example { name, encode, decode } in EXAMPLES {
        let fields: Value = serde_json::from_str(&fields[name]).unwrap();
        let encoded = encode(&fields);
        assert_eq!(hex_of(&encoded), hex[name], "{name}: the fields as bytes");
        let bytes = bytes_of(&hex[name], encoded.len());
        assert_eq!(decode(&bytes), fields, "{name}: the bytes as fields");
    }
}

#[test]
fn every_example_event_is_canonical() {
    let examples: Vec<&str> = PAGE.lines().filter(|line| line.starts_with("{\"seq\":")).collect();
    let mut kinds: Vec<&str> = Vec::new();
    for line in &examples {
        let event = decode_event(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
        let mut again = Vec::new();
        encode_event(&event, &mut again);
        assert_eq!(std::str::from_utf8(&again).unwrap(), *line);
        kinds.push(event.payload.kind());
    }
    for kind in tallybook::Payload::KINDS {
        assert!(kinds.contains(&kind), "the page has no example of {kind}");
        assert!(PAGE.contains(&format!("### `{kind}`")), "the page has no section on {kind}");
    }
}

/// The first cells of the table in the section on a kind, and its heading.
fn section(kind: &str) -> (&'static str, Vec<&'static str>) {
    let start = PAGE.find(&format!("### `{kind}`")).unwrap_or_else(|| panic!("no section on {kind}"));
    let section = &PAGE[start..];
    let section = section[3..].find("\n###").map_or(section, |end| &section[..3 + end]);
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    (section.lines().next().unwrap(), rows.map(|(field, _)| field).collect())
}

/// The table of each kind has the fields of its data, all of them, in the order in which they are written; and the
/// heading has the version.
#[test]
fn every_table_of_a_kind_is_that_of_its_example() {
    for kind in tallybook::Payload::KINDS {
        let (heading, fields) = section(kind);
        let of_kind = PAGE.lines().filter(|line| line.starts_with(r#"{"seq":"#));
        let of_kind = of_kind.filter(|line| line.contains(&format!(r#""kind":"{kind}""#)));
        let longest = of_kind.max_by_key(|line| line.len()).unwrap();
        let event: Value = serde_json::from_str(longest).unwrap();
        let version = event["v"].as_u64().map_or(String::new(), |version| format!(" (version {version})"));
        assert_eq!(heading, format!("### `{kind}`{version}"));
        let data = event["data"].as_object().unwrap();
        assert_eq!(fields.len(), data.len(), "{kind}");
        let mut rest = longest.split_once(r#""data":"#).unwrap().1;
        for field in fields {
            let found = rest.split_once(&format!(r#""{field}":"#));
            assert!(
                data.contains_key(field) && found.is_some(),
                "{kind}: {field} is not where the table says"
            );
            rest = found.unwrap().1;
        }
    }
}

#[test]
fn the_numbers_of_the_page_are_those_of_the_code() {
    assert_eq!((HEADER_LEN, FRAME_HEADER_LEN, RECORD_PAYLOAD_LEN, RECORD_LEN), (4096, 48, 32, 80));
    assert_eq!(MAX_PAYLOAD_LEN, 67_108_864);
    assert_eq!(SEGMENT_MAGIC, [0x89, 0x54, 0x42, 0x53, 0x0d, 0x0a, 0x1a, 0x0a]);
    assert_eq!(FRAME_MAGIC, [0x1e, 0x54, 0x42, 0x46]);
    assert_eq!(tallybook::format::FORMAT_VERSION, 3);
    assert_eq!((SPINE_HEADER_LEN, SPINE_ENTRY_LEN), (96, 96));
    assert_eq!(SPINE_MAGIC, [0x89, 0x54, 0x42, 0x48, 0x0d, 0x0a, 0x1a, 0x0a]);
    for number in ["4096 bytes", "48 bytes", "32 bytes", "(80 bytes)", "67,108,864", "Format version 3"] {
        assert!(PAGE.contains(number), "the page does not say {number}");
    }
    let name = SegmentName { number: 3, first_seq: 1_000 };
    assert_eq!(name.to_string().len(), "NNNNNNNNNN-SSSSSSSSSSSSSSSSSSSS.seg".len());
    let cursor =
        Cursor { journal_id: JOURNAL_ID.parse().unwrap(), epoch: "3-9f86d081".parse().unwrap(), seq: 7 };
    assert_eq!(cursor.to_string(), "tb1.0f1e2d3c4b5a49788695a4b3c2d1e0f1.3-9f86d081.7");
}

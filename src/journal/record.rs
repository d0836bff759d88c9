//! Records: the housekeeping of the journal. They take no `seq` (law ORDER).

use super::bytes::{i64_at, put, u32_at, u64_at};
use super::header::WriterVersion;
use super::layout::RECORD_PAYLOAD_LEN;
use crate::clock::Timestamp;

/// A writer opened the journal: written and synced before anything of its epoch is exposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenRecord {
    /// When.
    pub opened_at: Timestamp,
    /// How many bytes this writer lets stand unsynced at most, from here on in this segment.
    pub max_unsynced: u64,
    /// The version of Tallybook that writes from here on.
    pub written_by: WriterVersion,
    /// The process id of the writer.
    pub pid: u32,
}

impl OpenRecord {
    /// The payload of the record.
    pub fn to_payload(self) -> [u8; RECORD_PAYLOAD_LEN] {
        let mut out = [0; RECORD_PAYLOAD_LEN];
        put(&mut out, 0, &self.opened_at.as_micros().to_le_bytes());
        put(&mut out, 8, &self.max_unsynced.to_le_bytes());
        self.written_by.put(&mut out, 16);
        put(&mut out, 24, &self.pid.to_le_bytes());
        out
    }

    /// Reads the payload of the record; `None` when it is not exactly as long as one.
    pub fn from_payload(payload: &[u8]) -> Option<OpenRecord> {
        (payload.len() == RECORD_PAYLOAD_LEN).then(|| OpenRecord {
            opened_at: Timestamp::from_micros(i64_at(payload, 0)),
            max_unsynced: u64_at(payload, 8),
            written_by: WriterVersion::at(payload, 16),
            pid: u32_at(payload, 24),
        })
    }
}

/// The end of a segment (a seal), or of a run of a writer (the mark of a clean close).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndRecord {
    /// When.
    pub ended_at: Timestamp,
    /// The last `seq` of the journal so far; 0 when there is none.
    pub last_seq: u64,
    /// How many frames of events the segment holds.
    pub frames: u64,
    /// How many events the segment holds.
    pub events: u64,
}

impl EndRecord {
    /// The payload of the record.
    pub fn to_payload(self) -> [u8; RECORD_PAYLOAD_LEN] {
        let mut out = [0; RECORD_PAYLOAD_LEN];
        put(&mut out, 0, &self.ended_at.as_micros().to_le_bytes());
        put(&mut out, 8, &self.last_seq.to_le_bytes());
        put(&mut out, 16, &self.frames.to_le_bytes());
        put(&mut out, 24, &self.events.to_le_bytes());
        out
    }

    /// Reads the payload of the record; `None` when it is not exactly as long as one.
    pub fn from_payload(payload: &[u8]) -> Option<EndRecord> {
        (payload.len() == RECORD_PAYLOAD_LEN).then(|| EndRecord {
            ended_at: Timestamp::from_micros(i64_at(payload, 0)),
            last_seq: u64_at(payload, 8),
            frames: u64_at(payload, 16),
            events: u64_at(payload, 24),
        })
    }
}

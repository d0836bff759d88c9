//! The journal: opaque payloads, numbered and checked, in rotating segment files.
//!
//! `journal-format.md` at the root of the repository is the specification of every byte; the rules that the code
//! upholds, and why, stand there too. This layer knows frames, segments and positions; what a payload says it
//! does not know.
//!
//! From the bottom up: [`layout`] (names and sizes), [`frame`], [`header`] and [`record`] (bytes of each),
//! [`chain`] (the segments of a directory and how they join), [`tail`] (how far the newest segment can be
//! believed), [`recovery`] (opening), [`writer`] (batches, rotation, closing), [`walk`] (reading on from a `seq`,
//! beside a live writer too), [`audit`] (checking everything, going on past damage).

mod audit;
mod bytes;
mod chain;
mod frame;
mod header;
mod layout;
mod lock;
mod record;
mod recovery;
mod scan;
mod spare;
mod tail;
mod walk;
mod writer;

pub(crate) use audit::{AuditReport, SegmentSummary, audit};
pub use audit::{Finding, FindingKind};
pub(crate) use frame::FramePlace;
pub(crate) use lock::{LockView, holder};
pub(crate) use recovery::{OpenReport, Recovered};
pub(crate) use spare::RotationSize;
pub(crate) use walk::{Walk, WalkStart};
pub(crate) use writer::{JournalOptions, JournalWriter};

/// Parts of the format that fuzz targets and the tests of `journal-format.md` drive directly. Not a stable API.
#[cfg(any(test, feature = "test-util"))]
pub mod format {
    pub use super::frame::{Frame, FrameCodec, FrameHeader, FrameKind, FrameRead};
    pub use super::header::{Predecessor, SegmentHeader, WriterVersion};
    pub use super::layout::{FRAME_HEADER_LEN, HEADER_LEN, MAX_PAYLOAD_LEN, RECORD_LEN, SegmentName};
    pub use super::record::{EndRecord, OpenRecord};
}

/// Where an event lies on disk: its frame's place. One frame holds the events of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The segment file, by its name in the journal's directory.
    pub file: String,
    /// Where the frame starts, in bytes from the start of the file.
    pub offset: u64,
    /// How long the frame is, header and padding included, in bytes.
    pub length: u64,
    /// The CRC-32 of its payload, as journaled.
    pub crc: u32,
}

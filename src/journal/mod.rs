//! The journal: opaque payloads, numbered and checked, in rotating segment files.
//!
//! `journal-format.md` at the root of the repository is the specification of every byte; the rules that the code
//! upholds, and why, stand there too. This layer knows frames, segments and positions; what a payload says it
//! does not know.
//!
//! From the bottom up: [`layout`] (names and sizes), [`frame`], [`header`] and [`record`] (bytes of each),
//! [`directory`] (what lies there, and where the retention floor is), [`chain`] (segments and how they join), [`closed`]
//! (reading those that are closed), [`tail`] (how far the newest segment can be believed), [`snapshot`] (the state before
//! a segment), [`spine`] (a chain of roots over segments), [`recovery`] (opening), [`writer`] (batches, rotation,
//! closing), [`retention`] (letting go of old segments), [`kept`] (what readers keep from one read to the next), [`walk`]
//! (reading on from a `seq`, beside a live writer too), [`durable`] (how much is known to be on the disk), [`union`] (a
//! journal with an archive under it), [`sweep`] (all frames of a segment, past damage too), [`audit`] (checking everything,
//! going on past damage), [`salvage`] (what is good of a damaged journal, into a new one).

mod audit;
mod bytes;
mod chain;
mod closed;
mod directory;
mod durable;
mod frame;
mod header;
mod kept;
mod layout;
mod lock;
mod record;
mod recovery;
mod retention;
mod salvage;
mod scan;
mod snapshot;
mod spare;
mod spine;
mod sweep;
mod tail;
mod union;
mod walk;
mod writer;

pub(crate) use audit::{AuditReport, SegmentSummary, SnapshotSummary, audit};
pub use audit::{Finding, FindingKind};
pub(crate) use durable::DurableEnd;
pub(crate) use frame::FramePlace;
pub(crate) use kept::KeptSegments;
pub(crate) use layout::{LOCK_NAME, SPINE_NAME};
pub(crate) use lock::{PublishedCell, is_journal, peek};
pub(crate) use recovery::Rebuild;
pub(crate) use retention::{
    ClosedSegment, Inventory, fits_journal, inventory, open_segment, remove_leftovers, remove_snapshot,
    retained, set_floor, testifies_to_missing, visit_closed,
};
pub(crate) use salvage::{
    Beginning, Builder, ORPHANS_NAME, ORPHANS_TMP_NAME, Sink, Wreck, follow, is_refusal, refuse_live,
};
pub(crate) use snapshot::{SnapshotFile, SnapshotOf, SnapshotWriter};
pub(crate) use spare::RotationSize;
pub(crate) use spine::{Spine, SpineAppender};
pub(crate) use union::{Archived, Union};
pub(crate) use walk::{Walk, WalkSource};
pub(crate) use writer::{JournalOptions, JournalWriter};

/// The format itself, for the tests of `journal-format.md`, for fuzzing, and for tools that look at raw segments.
/// It follows the format's version, not the crate's.
pub mod format {
    pub use super::frame::{FRAME_MAGIC, Frame, FrameCodec, FrameHeader, FrameKind, FrameRead};
    pub use super::header::{HeaderError, Predecessor, SEGMENT_MAGIC, SegmentHeader, WriterVersion};
    pub use super::layout::{
        FORMAT_VERSION, FRAME_ALIGN, FRAME_HEADER_LEN, HEADER_LEN, MAX_PAYLOAD_LEN, RECORD_LEN,
        RECORD_PAYLOAD_LEN, SegmentName, SnapshotName, frame_len,
    };
    pub use super::record::{EndRecord, OpenRecord};
    pub use super::snapshot::{SNAPSHOT_MAGIC, SnapshotHeader};
    pub use super::spine::{
        SPINE_ENTRY_LEN, SPINE_HEADER_LEN, SPINE_MAGIC, SpineEntry, SpineHeader, chained_head, first_head,
    };
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

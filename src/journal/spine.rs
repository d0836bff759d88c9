//! The spine: a Merkle root for every closed segment, chained, in a file that is never pruned (`journal-format.md`). This
//! layer knows the file; how the events of a segment come to a root it does not know.

mod file;
mod format;

pub(crate) use file::{Spine, SpineAppender};
pub use format::{
    SPINE_ENTRY_LEN, SPINE_HEADER_LEN, SPINE_MAGIC, SpineEntry, SpineHeader, chained_head, first_head,
};

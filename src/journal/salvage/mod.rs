//! Bringing back what is provably good of a journal that is damaged.
//!
//! The CRCs of a frame cover the journal, the segment and the offset, so each valid frame proves where it belongs, whatever
//! has become of the file around it, of its name or of its header. What joins in sequence from the beginning is copied;
//! what is good beyond the first gap is given to whoever keeps orphans.
//!
//! From the bottom up: [`read`] (bytes, also off a disk that fails), [`seed`] (proving frames whose journal is not known),
//! [`wreck`] (which file is what), [`copies`] (frames that are there more than once), [`chain`] (what joins), [`build`] (the
//! new journal).

mod build;
mod chain;
mod copies;
mod read;
mod seed;
mod wreck;

pub(crate) use build::{Beginning, Builder, ORPHANS_NAME, ORPHANS_TMP_NAME};
pub(crate) use chain::{Sink, follow};
pub(crate) use wreck::{Wreck, is_refusal, refuse_live};

//! A history that can be proved: checkpoints for someone else to keep, and what can be checked against them later.
//!
//! A [`Checkpoint`] states the head of a chain of Merkle roots over all events (`journal-format.md`, "The spine"). Signed and
//! kept elsewhere it is an *anchor*: [`verify`] checks a whole journal against it, [`prove`] shows one event to be what it
//! covers, and [`Proof::check`] believes that without the journal. Without an anchor held elsewhere nothing is proved: whoever
//! can write the journal can compute every hash anew. `docs/proof.md` tells auditors what that means.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
//! use tallybook::{Blocking, JournalReader, NewGoal, proof};
//! Blocking::open(&dir)?.create_goal(NewGoal::new("ship 2.0"))?;
//!
//! let reader = JournalReader::open(&dir)?;
//! let anchor = proof::checkpoint(&reader)?;
//! assert!(proof::verify(&reader, &anchor)?.holds());
//! let proof = proof::prove(&reader, 1, Some(&anchor))?;
//! proof.check(&anchor)?; // needs no journal
//! # Ok(()) }
//! ```

mod chain;
mod checkpoint;
pub(crate) mod hex;
mod inclusion;
#[cfg(feature = "checkpoint")]
mod keys;
#[cfg(feature = "checkpoint")]
mod note;
mod proving;
mod verify;
mod witness;

pub use crate::merkle::{
    CompactRange, Hash, InclusionPath, leaf_hash, node_hash, range_before, root_of_path,
};
pub(crate) use chain::Chain;
pub use checkpoint::{Checkpoint, checkpoint};
pub use inclusion::{Link, Proof};
#[cfg(feature = "checkpoint")]
pub use keys::{PrivateKey, VerifierKey};
#[cfg(feature = "checkpoint")]
pub use note::SignedNote;
pub use proving::prove;
pub use verify::{AnchorReport, Mismatch, StateCheck, verify, verify_dir, verify_storage};
pub(crate) use witness::Witness;

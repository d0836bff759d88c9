//! A history that can be proved: Merkle trees over events, and what is made of them.

pub(crate) mod hex;
mod merkle;

pub use merkle::{CompactRange, Hash, InclusionPath, leaf_hash, node_hash, range_before, root_of_path};

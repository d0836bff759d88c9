//! What the fuzz targets do with their input, as plain functions: so that a failure can be stepped through.
//!
//! `run`, beside this crate, builds the targets with coverage on the stable toolchain and runs them from the committed
//! corpora on; `examples/seed_corpus.rs` makes these from real journals. An input is mostly not the bytes of a file but a list
//! of edits to a journal, with checksums that match again: behind those is what there is to find.

mod commands;
mod cursors;
mod directory;
mod edits;
mod engine;
mod frames;
mod input;
mod json;
mod mend;
mod proofs;
mod samples;
mod snapshots;

pub use commands::check_command_lines;
pub use cursors::{check_cursor, cursor_texts};
pub use directory::check_directory;
pub use frames::check_frames;
pub use proofs::{check_proof, proof_seeds};
pub use samples::{SCRIPT, sample_journals, snapshot_journals};
pub use snapshots::check_snapshot;

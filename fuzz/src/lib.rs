//! What the fuzz targets do with their input, as plain functions: so that a failure can be stepped through, and the
//! corpora are replayed by `cargo test` on a stable toolchain.

mod commands;
mod cursors;
mod directory;
mod edits;
mod engine;
mod frames;
mod input;
mod json;
mod mend;
mod samples;
mod snapshots;

pub use commands::check_command_lines;
pub use cursors::{check_cursor, cursor_texts};
pub use directory::check_directory;
pub use frames::check_frames;
pub use samples::{SCRIPT, sample_journals, snapshot_journals};
pub use snapshots::check_snapshot;

//! What the fuzz targets do with their input, as plain functions: so that a failure can be stepped through, and the
//! corpora are replayed by `cargo test` on a stable toolchain.

mod directory;
mod edits;
mod frames;
mod input;
mod samples;

pub use directory::check_directory;
pub use frames::check_frames;
pub use samples::sample_journals;

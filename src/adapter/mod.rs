//! Faces of the engine for those who do not call it from Rust.

pub mod jsonl;

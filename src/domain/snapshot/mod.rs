//! The state as lines of JSON, and back: what a snapshot of it holds.
//!
//! Each line is one object that names its part: a goal, a budget, a spend. The forms are those of `journal-format.md`
//! and of nothing else: they are written by hand and read by types of their own, so that no change of a type of the
//! domain changes what is on disk. A part whose form changes gets another version, and a step in `parts.rs`.
//!
//! Lines come in one order, and a line refers only to what stands before it. Only what says something is written: which
//! goal is active, what hangs under what, what is due, all that follows, and is put together again as the lines are
//! read. On the way everything is held against everything else: what no history of events could have led to is
//! refused, and so is what this version does not know (law RETAIN: a snapshot takes the place of history only if it
//! says the same).

mod error;
mod form;
mod intern;
mod parts;
mod restore;
mod write;

pub(crate) use error::RestoreError;
pub(crate) use restore::StateRestorer;
pub(crate) use write::write_state;

//! Looking back: what changed between two moments ([`diff`]), the story of one thing ([`Trace`]),
//! and when a condition came true ([`bisect`]).
//!
//! All of it works on states and events as a [`JournalReader`](crate::JournalReader) gives them, without a lock, beside a live
//! writer too, and writes nothing. Whatever the command line tells of the past, it has from here.

mod bisect;
mod diff;
mod fields;
mod trace;
mod value;

pub use bisect::{BisectOptions, Bisected, Condition, ConditionError, TermChange, bisect};
pub use diff::{Change, FieldChange, StateDiff, diff};
pub use trace::{Trace, TraceBalance, TraceKind, TraceStep};
pub use value::Value;

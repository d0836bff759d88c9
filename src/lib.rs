//! Goals and budgets for long-running software agents: embedded, event-sourced, on an append-only journal.

pub mod clock;
pub mod domain;
pub mod error;
pub mod event;
pub mod ids;
pub mod projection;
pub mod storage;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use error::{Damage, Error, ErrorKind};

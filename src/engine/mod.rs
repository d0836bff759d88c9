//! The engine: the only place where events meet bytes.
//!
//! One writer owns everything that changes. It drains the [inbox](inbox), decides each command against its working
//! state, gathers the events into frames, writes once, syncs once for all, and only then publishes the state and
//! answers (law DURABLE). Readers look at the published state, which is a value of its own, and never wait.
//!
//! From the bottom up: `frames` (events to payloads and back), `options`, `answer` (what callers get), `inbox`,
//! `published` (what readers see), `shared` (what all parts look at), `core` (batches: write, sync, publish, answer) with
//! `carry_out` (one command), `writer` (the thread), `handle` and `blocking` (what hosts hold), `turns`, `cursor` and
//! `feed`, `reader` and `report` (a journal without an engine).

mod answer;
mod blocking;
mod carry_out;
mod core;
mod cursor;
mod feed;
mod frames;
mod handle;
mod health;
mod inbox;
mod options;
mod published;
mod reader;
mod report;
mod shared;
mod turns;
mod writer;

pub use answer::{CommandError, CommandResult, Pending, Receipt};
pub use blocking::Blocking;
pub use cursor::Cursor;
pub use feed::{FeedEvent, FeedItem, Start, Subscription};
pub use handle::Engine;
pub use health::{EngineStatus, Health};
pub use options::{Durability, Options};
pub use published::{Head, View};
pub use reader::{Events, JournalReader, JournaledEvent, StateAt};
pub use report::{SegmentStatistics, Statistics, VerifyReport};
pub use turns::{PendingTurns, TurnHandle};

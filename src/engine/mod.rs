//! The engine: the only place where events meet bytes.
//!
//! One writer owns everything that changes. It drains the [inbox](inbox), decides each command against its working
//! state, gathers the events into frames, writes once, syncs once for all, and only then publishes the state and
//! answers (law DURABLE). Readers look at the published state, which is a value of its own, and never wait.
//!
//! From the bottom up: `frames` (events to payloads and back), `replay` (frames into a state), `options` and `opening`, `answer` (what callers get) and `reply` (how),
//! `vector` (many commands as one piece of work), `inbox`, `published` (what readers see), `shared` (what all parts look at), `core` (batches: write, sync, publish,
//! answer) with `pace` (whether a batch waits for more), `carry_out` (one command) and `unattended` (what nobody waits for), `writer` (the thread), `risk` (who is
//! asked before), `handle` and `blocking` (what hosts hold) with `submit`, `budgets` and `spends`, `turns`, `recorder`,
//! `hold` and `guard`, `cursor`, `feed` and `alerts`, `maintenance` (a thread for what may not delay the writer) with
//! `retention` and `series` (what is kept) and `archive` (what keeps the rest), `events`, `sift` (frames as bytes), `timeline` (a state
//! that is moved along the history), `reader`, `report` and `salvage` (a journal without an engine).

mod alerts;
mod answer;
mod archive;
mod as_of;
mod blocking;
mod blocking_budgets;
mod budgets;
mod carry_out;
mod core;
mod cursor;
mod directory_archive;
mod events;
pub(crate) mod feed;
mod forgetting;
mod frames;
mod guard;
mod handle;
mod health;
mod hold;
mod inbox;
mod maintenance;
mod opening;
mod options;
mod pace;
mod published;
mod reader;
mod recorder;
mod replay;
mod reply;
mod report;
mod retention;
mod risk;
mod salvage;
mod sealed;
mod series;
mod shared;
mod sift;
mod snapshots;
mod spends;
mod spine;
mod submit;
mod texts;
mod timeline;
mod turns;
mod unattended;
mod upkeep;
mod vector;
mod writer;

pub use alerts::{Alert, AlertKind};
pub use answer::{CommandError, CommandResult, Pending, Receipt};
pub use archive::{Archive, ArchiveError, ArchivedSegment, SegmentReader};
pub use blocking::Blocking;
pub use cursor::Cursor;
pub use directory_archive::DirectoryArchive;
pub use events::{Events, JournaledEvent};
pub use feed::{
    EventFilter, FeedEvent, FeedItem, FeedIter, Follower, Reset, ResetCause, Start, Subscription,
};
pub(crate) use frames::{check_count, lines};
pub use guard::{BudgetGuard, EngineGuard, GuardFuture};
pub use handle::Engine;
pub use health::{EngineStatus, Health};
pub use hold::{BlockingHold, Hold};
pub use options::{Durability, Options};
pub use published::{Head, View};
pub use reader::{JournalReader, StateAt};
pub use recorder::{HostEvent, Recorded, Recorder};
pub(crate) use report::verify_witnessed;
pub use report::{
    ArchiveStatistics, SegmentStatistics, SnapshotStatistics, StateStatistics, Statistics, VerifyReport,
};
pub use retention::Retention;
pub use risk::{RiskAssessor, RiskCase, Verdict};
pub use salvage::SalvageReport;
pub(crate) use sealed::Sealed;
pub(crate) use sift::{Sift, Sifted};
pub(crate) use spine::root_of_closed;
pub(crate) use timeline::Timeline;
pub use turns::{PendingTurns, TurnHandle};

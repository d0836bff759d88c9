//! Goals and budgets for long-running software agents: embedded, event-sourced, on an append-only journal.
//!
//! A host opens an [`Engine`] (or, without a runtime, a [`Blocking`] one) on a directory and gives it commands:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?; let dir = dir.path();
//! use tallybook::{Blocking, CommandError, NewGoal, Turn};
//!
//! let engine = Blocking::open(dir)?;
//! let goal = engine.create_goal(NewGoal::new("ship 2.0").token_budget(1_000))?;
//! engine.record_turn(goal.id, Turn::tokens(1_200))?; // durable; the budget is exhausted, so the goal is paused
//! match engine.resume_goal(goal.id) {
//!     Err(CommandError::Refused(refusal)) => assert_eq!((refusal.limit, refusal.spent), (Some(1_000), 1_200)),
//!     other => unreachable!("{other:?}"),
//! }
//! # Ok(()) }
//! ```
//!
//! A goal's tokens are a budget; budgets of money, or of anything else that is counted, are made by name:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?; let dir = dir.path();
//! use tallybook::{Blocking, CommandError, NewBudget, RefusalKind, Spend, Ttl};
//!
//! let engine = Blocking::open(dir)?;
//! engine.allocate(NewBudget::new("task-7").unit("usd-micro").limit(400_000))?;
//! let hold = engine.reserve("task-7", 250_000, Ttl::secs(60))?; // given back if it is dropped
//! hold.settle(Spend::of(241_500).tool("web.search"))?; // the rest returns
//! match engine.record_spend("task-7", Spend::of(200_000)) {
//!     Err(CommandError::Refused(refusal)) => assert_eq!(refusal.kind, RefusalKind::BudgetExceeded),
//!     other => unreachable!("{other:?}"),
//! }
//! # Ok(()) }
//! ```
//!
//! A command has one of four outcomes. It is **done**: its events are durable, numbered, published and fed. It is
//! **refused** ([`Refusal`]) by a limit, a status, an authority or a risk, and the refusal is an event of its own,
//! unless it is [one of too many alike](Refusal::suppressed). It is **rejected** ([`Rejection`]): it makes no sense as
//! it is, and nothing was written. Or the engine **could not** carry it out ([`Error`]), and the error's
//! [kind](ErrorKind) says what to do next.
//!
//! | to | use |
//! | --- | --- |
//! | give commands, with idempotency keys and actors | [`Engine::execute`] with a [`Request`], or the typed methods |
//! | read the state, consistent at one `seq` | [`Engine::view`], [`View`] |
//! | follow what changes | [`Engine::subscribe`], [`Start`], [`Subscription`], [`FeedItem`], [`Reset`], [`EventFilter`], [`Cursor`] |
//! | follow a journal of another process | [`JournalReader::follow`], [`Follower`] |
//! | account turns of an agent | [`Engine::begin_turn`], [`TurnHandle`], [`Engine::account_turn`] |
//! | record events of the host's own, in order with everything else | [`Engine::recorder`], [`HostEvent`] |
//! | spend, or set aside and settle | [`Engine::record_spend`], [`Engine::reserve`], [`Hold`] |
//! | hand a budget to a tool | [`Engine::guard`], [`BudgetGuard`] |
//! | be called back for alerts | [`Options::on_alert`], [`Alert`] |
//! | veto spends and reservations | [`Options::risk_assessor`], [`RiskAssessor`] |
//! | bound the history, and archive what is pruned | [`Options::retention`], [`Options::archive`], [`DirectoryArchive`] |
//! | bound the memory | [`Options::forget_after`], [`Options::key_window`] |
//! | read a journal without an engine, beside a live one too | [`JournalReader`] |
//! | look back: what changed between two moments | [`forensics`] |
//! | bring back what is good of a damaged journal | [`JournalReader::salvage_dir`], [`SalvageReport`] |
//! | speak JSON lines | [`adapter::jsonl`] |
//!
//! With `default-features = false` there is only the library, without the command line. The feature `test-util` adds
//! what tests of a host need: an engine in memory, seeded randomness, an engine without a thread, and a simulated disk.

pub mod adapter;
mod background;
pub mod clock;
pub mod domain;
mod engine;
pub mod error;
pub mod event;
pub mod forensics;
mod hashing;
pub mod ids;
mod journal;
mod merkle;
mod planted;
pub mod projection;
pub mod proof;
pub mod storage;

#[cfg(any(test, feature = "test-util"))]
pub use clock::SimulatedClock;
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use domain::{
    AdjustBudget, Allowance, Budget, BudgetExtras, BudgetFacts, BudgetQuery, BudgetStatus, BudgetView,
    BurnRate, CloseBudget, Command, Goal, GoalQuery, KeyWindow, Limit, MarkUnknown, Meter, MeterKind,
    NewBudget, NewGoal, NewReservation, ObserveMeter, RecordEvent, RecordSpend, RecordTurn, Refusal,
    Rejection, RejectionKind, Release, Request, Reservation, ReservationQuery, ReservationStatus, ResetMeter,
    ReverseSpend, Rules, SetGoalBudget, SetProgress, Settle, Spend, SpendQuery, SpendRecord, State,
    StateHash, TransitionGoal, Ttl, Turn, TurnTarget,
};
pub use engine::{
    Alert, AlertKind, Archive, ArchiveError, ArchiveStatistics, ArchivedSegment, Blocking, BlockingHold,
    BudgetGuard, CommandError, CommandResult, Cursor, DirectoryArchive, Durability, Engine, EngineGuard,
    EngineStatus, EventFilter, Events, FeedEvent, FeedItem, FeedIter, Follower, GuardFuture, Head, Health,
    Hold, HostEvent, JournalReader, JournaledEvent, Options, Pending, PendingTurns, Receipt, Recorded,
    Recorder, Reset, ResetCause, Retention, RiskAssessor, RiskCase, SalvageReport, SegmentReader,
    SegmentStatistics, SnapshotStatistics, Start, StateAt, StateStatistics, Statistics, Subscription,
    TurnHandle, Verdict, VerifyReport, View,
};
pub use error::{Damage, Error, ErrorKind};
pub use event::{
    BudgetTerms, ChangeEvent, Charge, Fraction, GoalStatus, Json, JsonError, Meta, Payload, Quantity,
    Reading, RefusalKind, Span, SpendDetails, TransitionReason, Window,
};
pub use ids::{BudgetId, Epoch, EventId, GoalId, JournalId, MeterId, ReservationId, SpendId};
pub use journal::{Finding, FindingKind, Location, format};
pub use projection::Projection;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

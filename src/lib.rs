//! Goals and budgets for long-running software agents: embedded, event-sourced, on an append-only journal.

pub mod adapter;
pub mod clock;
pub mod domain;
mod engine;
pub mod error;
pub mod event;
pub mod ids;
mod journal;
pub mod projection;
pub mod storage;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use domain::{
    Goal, GoalQuery, KeyWindow, NewGoal, RecordTurn, Refusal, Rejection, RejectionKind, Request, Rules,
    SetGoalBudget, StateHash, TransitionGoal, Turn,
};
pub use engine::{
    Blocking, CommandError, CommandResult, Cursor, Durability, Engine, EngineStatus, Events, FeedEvent,
    FeedItem, Head, Health, JournalReader, JournaledEvent, Options, Pending, PendingTurns, Receipt,
    SegmentStatistics, Start, StateAt, Statistics, Subscription, TurnHandle, VerifyReport, View,
};
pub use error::{Damage, Error, ErrorKind};
pub use event::{ChangeEvent, GoalStatus, Payload};
pub use ids::{BudgetId, Epoch, GoalId, JournalId};
pub use journal::{Finding, FindingKind, Location, format};

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! Pure decide and evolve: what a command leads to, and what an event does to the state. No clock, no I/O, no
//! chance; nothing here knows that there is a journal.
//!
//! A [`Request`] carries a [`Command`]. [`decide`] looks at the [`State`] and answers with a [`Decision`]: the events
//! to be journaled, a refusal, a rejection, or a retry that was recognised. [`evolve`] is the fold: it takes one
//! event into the state, and reads nothing but events (law FOLD).
//!
//! ```
//! use tallybook::Timestamp;
//! use tallybook::domain::{Context, Decision, NewGoal, Request, Rules, State, decide};
//!
//! let rules = Rules::default();
//! let context = Context {
//!     now: Timestamp::UNIX_EPOCH,
//!     rules: &rules,
//!     new_id: "0190b5a8-7b1c-7000-8000-000000000001".parse().unwrap(),
//!     veto: None,
//! };
//! let request = Request::from(NewGoal::new("ship 2.0").token_budget(100_000)).key("create-1");
//! let Decision::Events(events) = decide(&State::default(), &request, &context) else { unreachable!() };
//! assert_eq!(events[0].kind(), "goal_created");
//! ```

mod budget;
mod budgets;
mod burn;
mod command;
mod context;
mod decide;
mod decision;
mod directory;
mod endings;
mod entries;
mod evolve;
mod fingerprint;
mod goal;
mod hash;
mod hex;
mod index;
mod keys;
mod leaf;
mod listing;
mod log;
mod meter;
mod refusals;
mod register;
mod reservation;
mod slots;
mod snapshot;
mod spend;
mod state;
mod window;

#[cfg(test)]
mod tests;

pub use budget::{
    Budget, BudgetExtras, BudgetFacts, BudgetQuery, BudgetStatus, BudgetView, Closing, DEFAULT_THRESHOLDS,
    UNIT_TOKENS,
};
pub use burn::BurnRate;
pub use command::{
    AdjustBudget, CloseBudget, Command, Elapse, Forget, Limit, MarkUnknown, NewBudget, NewGoal,
    NewReservation, ObserveMeter, RecordEvent, RecordSpend, RecordTurn, Release, Request, ResetMeter,
    ReverseSpend, SetGoalBudget, SetProgress, Settle, Spend, TransitionGoal, Ttl, Turn, TurnTarget,
};
pub use context::{Context, Rules};
pub(crate) use decide::impose_terms;
pub use decide::{Allowance, CheckError, check, decide};
pub use decision::{
    Decision, Outcome, Refusal, Rejection, RejectionKind, Remembered, RememberedOutcome, outcome,
};
pub use evolve::{EvolveError, evolve};
pub use fingerprint::fingerprint;
pub use goal::{Goal, GoalQuery};
pub use hash::{FOLD_VERSION, StateHash};
pub use keys::KeyWindow;
pub use meter::{Meter, MeterKind};
pub use refusals::{REFUSALS_PER_MINUTE, minute_of};
pub use reservation::{Reservation, ReservationQuery, ReservationStatus};
pub(crate) use snapshot::{RestoreError, StateRestorer, write_state};
pub use spend::{SpendQuery, SpendRecord};
pub use state::State;
pub use window::WindowError;

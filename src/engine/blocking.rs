//! The blocking face of the engine: for hosts without a runtime.

use std::path::Path;
use std::time::Duration;

use super::answer::{CommandError, Pending, Receipt};
use super::feed::{EventFilter, Start, Subscription};
use super::handle::{Engine, goal_of};
use super::health::Health;
use super::options::Options;
use super::published::View;
use super::turns::{PendingTurns, TurnHandle};
use crate::domain::{Goal, NewGoal, RecordTurn, Request, SetGoalBudget, TransitionGoal, Turn};
use crate::error::Error;
use crate::event::GoalStatus;
use crate::ids::GoalId;

/// An engine whose methods wait on the caller's thread. No runtime is needed; on a thread that runs asynchronous
/// tasks they would block those.
///
/// A command given here while the writer is idle is committed on the caller's thread: the fastest way to have one
/// command at a time durable.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use tallybook::{Blocking, NewGoal, Turn};
///
/// let engine = Blocking::open(&dir)?;
/// let goal = engine.create_goal(NewGoal::new("ship 2.0"))?;
/// assert_eq!(engine.record_turn(goal.id, Turn::tokens(1_500))?.tokens_used, 1_500);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Blocking {
    engine: Engine,
}

impl Blocking {
    pub(super) fn new(engine: Engine) -> Blocking {
        Blocking { engine }
    }

    /// Opens the journal in the directory `dir` with the default [`Options`], or makes one there.
    ///
    /// # Errors
    /// See [`Engine::open`].
    pub fn open(dir: impl AsRef<Path>) -> Result<Blocking, Error> {
        Options::new().open_blocking(dir)
    }

    /// The options to open an engine with; see [`Options::open_blocking`].
    pub fn options() -> Options {
        Options::new()
    }

    /// The same engine with methods that return futures.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Carries out a command, and answers once its outcome is durable.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn execute(&self, request: impl Into<Request>) -> Result<Receipt, CommandError> {
        let pending = self.engine.enqueue_blocking(request.into())?;
        self.engine.kick_here();
        pending.wait()
    }

    /// Hands a command over, waiting only for a place in the inbox.
    ///
    /// # Errors
    /// See [`Engine::submit`].
    pub fn submit(&self, request: impl Into<Request>) -> Result<Pending, Error> {
        pollster::block_on(self.engine.submit(request))
    }

    /// Hands many commands over at once, in order.
    ///
    /// # Errors
    /// See [`Engine::submit_all`].
    pub fn submit_all(&self, requests: Vec<Request>) -> Result<Vec<Pending>, Error> {
        pollster::block_on(self.engine.submit_all(requests))
    }

    /// Hands a command over if there is a place in the inbox.
    ///
    /// # Errors
    /// See [`Engine::try_submit`].
    pub fn try_submit(&self, request: impl Into<Request>) -> Result<Pending, Error> {
        self.engine.try_submit(request)
    }

    /// Creates a goal. See [`Engine::create_goal`].
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn create_goal(&self, goal: NewGoal) -> Result<Goal, CommandError> {
        goal_of(self.execute(goal)?)
    }

    /// Pauses, resumes, completes or clears a goal. See [`Engine::transition_goal`].
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn transition_goal(&self, transition: TransitionGoal) -> Result<Goal, CommandError> {
        goal_of(self.execute(transition)?)
    }

    /// Pauses a goal. See [`Engine::transition_goal`].
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn pause_goal(&self, id: GoalId) -> Result<Goal, CommandError> {
        self.transition_goal(TransitionGoal::new(id, GoalStatus::Paused))
    }

    /// Resumes a goal. See [`Engine::transition_goal`].
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn resume_goal(&self, id: GoalId) -> Result<Goal, CommandError> {
        self.transition_goal(TransitionGoal::new(id, GoalStatus::Active))
    }

    /// Completes a goal, for good. See [`Engine::transition_goal`].
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn complete_goal(&self, id: GoalId) -> Result<Goal, CommandError> {
        self.transition_goal(TransitionGoal::new(id, GoalStatus::Completed))
    }

    /// Clears a goal, for good. See [`Engine::transition_goal`].
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn clear_goal(&self, id: GoalId) -> Result<Goal, CommandError> {
        self.transition_goal(TransitionGoal::new(id, GoalStatus::Cleared))
    }

    /// Sets the token budget of a goal. See [`Engine::set_goal_budget`].
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn set_goal_budget(&self, set: SetGoalBudget) -> Result<Goal, CommandError> {
        goal_of(self.execute(set)?)
    }

    /// Books a turn on a goal. See [`Engine::record_turn`].
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn record_turn(&self, id: GoalId, turn: Turn) -> Result<Goal, CommandError> {
        goal_of(self.execute(RecordTurn::goal(id, turn))?)
    }

    /// The published state. See [`Engine::view`].
    pub fn view(&self) -> View {
        self.engine.view()
    }

    /// Looks at the published state in passing. See [`Engine::read`].
    pub fn read<T>(&self, look: impl FnOnce(&View) -> T) -> T {
        self.engine.read(look)
    }

    /// The state after everything that was handed over before. See [`Engine::settled_view`].
    ///
    /// # Errors
    /// See [`Engine::settled_view`].
    pub fn settled_view(&self) -> Result<View, Error> {
        pollster::block_on(self.engine.settled_view())
    }

    /// Waits until the event `seq` is in the published state.
    ///
    /// # Errors
    /// See [`Engine::wait_for`].
    pub fn wait_for(&self, seq: u64) -> Result<View, Error> {
        pollster::block_on(self.engine.wait_for(seq))
    }

    /// Begins a turn of the goal that is active in `scope`. See [`Engine::begin_turn`].
    pub fn begin_turn(&self, scope: &str) -> Option<TurnHandle> {
        self.engine.begin_turn(scope)
    }

    /// Books a turn without ever failing or delaying it. See [`Engine::account_turn`].
    pub fn account_turn(&self, goal_id: GoalId, turn: Turn) {
        self.engine.account_turn(goal_id, turn);
    }

    /// The turns that wait to be booked. See [`Engine::pending_turns`].
    pub fn pending_turns(&self) -> PendingTurns {
        self.engine.pending_turns()
    }

    /// Follows the journal from a place on; wait with [`Subscription::iter`], [`Subscription::next_blocking`] or
    /// [`Subscription::next_timeout`].
    ///
    /// # Errors
    /// See [`Engine::subscribe`].
    pub fn subscribe(&self, start: Start) -> Result<Subscription, Error> {
        self.engine.subscribe(start)
    }

    /// The same for those events only that a filter lets pass.
    ///
    /// # Errors
    /// See [`Engine::subscribe`].
    pub fn subscribe_to(&self, start: Start, filter: EventFilter) -> Result<Subscription, Error> {
        self.engine.subscribe_to(start, filter)
    }

    /// How the engine is doing.
    pub fn health(&self) -> Health {
        self.engine.health()
    }

    /// Waits until the turns that were added up while the inbox was full are booked. See [`Engine::flush_turns`].
    ///
    /// # Errors
    /// See [`Engine::flush_turns`].
    pub fn flush_turns(&self) -> Result<View, Error> {
        pollster::block_on(self.engine.flush_turns())
    }

    /// Finishes what was handed over, and closes the journal cleanly; waits for retention, snapshots and the archive as
    /// well. See [`Engine::shutdown`].
    ///
    /// # Errors
    /// See [`Engine::shutdown`].
    pub fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        pollster::block_on(self.engine.shutdown(deadline))
    }
}

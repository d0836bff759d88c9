//! Turns: handles that capture their goal when the turn begins, and accounting that is fire-and-forget.

use std::collections::BTreeMap;

use super::answer::CommandError;
use super::handle::Engine;
use super::inbox::Work;
use super::published::View;
use crate::domain::{Goal, Turn};
use crate::error::{Error, ErrorKind};
use crate::ids::GoalId;

/// A turn that has begun. It belongs to the goal that was active then: what happens to the goal in between (a pause,
/// another goal taking over, its end) loses none of the turn's usage.
#[derive(Debug)]
#[must_use = "a turn that is neither finished nor accounted books nothing"]
pub struct TurnHandle {
    engine: Engine,
    goal_id: GoalId,
}

/// The turns that were added up per goal while the inbox was full, and are not booked yet.
pub type PendingTurns = BTreeMap<GoalId, Turn>;

impl TurnHandle {
    /// The goal that the turn belongs to.
    pub fn goal_id(&self) -> GoalId {
        self.goal_id
    }

    /// Books the turn, and answers once it is durable.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn finish(self, turn: Turn) -> Result<Goal, CommandError> {
        self.engine.record_turn(self.goal_id, turn).await
    }

    /// Books the turn, fire-and-forget. See [`Engine::account_turn`].
    pub fn account(self, turn: Turn) {
        self.engine.account_turn(self.goal_id, turn);
    }
}

impl Engine {
    /// Begins a turn of the goal that is active in `scope` now; `None` where none is. Touches no disk.
    pub fn begin_turn(&self, scope: &str) -> Option<TurnHandle> {
        let goal_id = self.view().active_goal_id(scope)?;
        Some(TurnHandle { engine: self.clone(), goal_id })
    }

    /// Books a turn without ever failing or delaying it: for the hot path of an agent. When the inbox is full, turns
    /// add up per goal in memory and are booked together, as one event that says for how many it stands, with one
    /// spend for each budget that they charge; so do turns for which the disk has no room. A charge that cannot be
    /// booked (to a budget that there is not, say) does not keep the rest of its turn from being booked. See [`pending_turns`](Self::pending_turns) and
    /// [`flush_turns`](Self::flush_turns). What cannot be booked at all, or may not have been when the engine halted,
    /// is counted in [`Health::dropped_turns`](super::Health::dropped_turns) and
    /// [`Health::dropped_charges`](super::Health::dropped_charges).
    pub fn account_turn(&self, goal_id: GoalId, turn: Turn) {
        let inbox = &self.shared().inbox;
        let handed_over = match inbox.try_reserve() {
            Ok(()) => self.hand_over(Work::Account(goal_id, Box::new(turn.clone()))),
            Err(busy) if *busy.kind() == ErrorKind::Busy => {
                inbox.add_turn(goal_id, turn.clone()).map(|()| self.kick()).map_err(|_| busy)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = handed_over {
            self.shared().count_dropped_turns(goal_id, &turn, &error);
        }
    }

    /// The turns that were added up while the inbox was full, and are not booked yet.
    pub fn pending_turns(&self) -> PendingTurns {
        self.shared().inbox.pending_turns()
    }

    /// Waits until everything that was accounted before is booked and durable.
    ///
    /// # Errors
    /// `Halted`, `Closed` or `OutcomeUnknown`; `NoSpace` when there is no room to book it.
    pub async fn flush_turns(&self) -> Result<View, Error> {
        self.ask(Work::Flush).await
    }
}

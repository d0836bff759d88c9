//! The state: a value that is cheap to copy, with all that a decision or a reader looks at.

use std::fmt;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::domain::budgets::Budgets;
use crate::domain::endings::Endings;
use crate::domain::entries::{Booking, Entry, Memory};
use crate::domain::goal::GoalRecord;
use crate::domain::keys::Keys;
use crate::domain::leaf::Leaf;
use crate::domain::refusals::RefusalCounts;
use crate::domain::register::Register;
use crate::domain::slots::{Slot, Slots};
use crate::domain::{
    Budget, BudgetView, Goal, GoalQuery, KeyWindow, Meter, Reservation, SpendRecord, StateHash, hash,
};
use crate::ids::{BudgetId, GoalId, MeterId, ReservationId, SpendId};

/// Goals, budgets and remembered keys, as of one moment. Copying it costs the same however much it holds: copies
/// share what they have in common.
///
/// It changes only by [`evolve`](crate::domain::evolve) (law FOLD).
#[derive(Clone, Default)]
pub struct State {
    pub(super) budgets: Budgets,
    /// Each goal in the slot of the budget of its tokens, so in the order of their creation.
    pub(super) goals: Slots<Leaf<GoalRecord>>,
    /// The active goal of each scope that has one.
    pub(super) active: OrdMap<Arc<str>, GoalId>,
    /// Parent and child, for every child that is not ended.
    pub(super) open_children: OrdSet<(GoalId, GoalId)>,
    /// Parent and child, for every budget that is not a goal's; closed ones included.
    pub(super) budgets_below: OrdSet<(Slot, Slot)>,
    /// Budget and goal, for every goal that is not ended and names a budget.
    pub(super) named_by: OrdSet<(BudgetId, GoalId)>,
    pub(super) reservations: OrdMap<ReservationId, Arc<Leaf<Reservation>>>,
    /// The reservations in the order of their making.
    pub(super) reservations_made: OrdMap<u64, ReservationId>,
    /// Budget and reservation, for every one that is open or unknown.
    pub(super) held: OrdSet<(BudgetId, ReservationId)>,
    pub(super) meters: OrdMap<MeterId, Arc<Leaf<Meter>>>,
    /// When what is due next.
    pub(super) deadlines: OrdSet<(Timestamp, Due)>,
    /// The remembered spends, in the order of their booking. A memory of their own: their ids are keys, and nothing else
    /// may push them out.
    pub(super) spends: Register<SpendRecord>,
    /// What was booked lately, of whatever kind: how fast budgets are spent.
    pub(super) bookings: Memory<Entry<Booking>>,
    /// The reservations that have ended and are remembered.
    pub(super) ended: Memory<Entry<ReservationId>>,
    /// What was released because its budget ends, until the event in which it does; empty between frames.
    pub(super) releasing: OrdMap<BudgetId, Vec<ReservationId>>,
    pub(super) keys: Keys,
    /// The ids of the host's own events, which are keys, too. A memory of their own: nothing else may push them out.
    pub(super) event_ids: Keys,
    pub(super) refusals: RefusalCounts,
    /// What ended and may be forgotten.
    pub(super) endings: Endings,
}

/// What happens by itself at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A reservation expires.
    Expiry(ReservationId),
    /// A window ends.
    Roll(BudgetId),
}

impl State {
    /// A goal.
    pub fn goal(&self, id: GoalId) -> Option<Goal> {
        let slot = self.goal_slot(id)?;
        Some(self.goals.get(slot)?.with_budget(self.budgets.at(slot)?))
    }

    /// The scope of a goal.
    pub fn scope_of(&self, id: GoalId) -> Option<&Arc<str>> {
        self.record(id).map(|goal| &goal.facts.scope)
    }

    /// The active goal of a scope.
    pub fn active_goal(&self, scope: &str) -> Option<Goal> {
        self.goal(self.active_goal_id(scope)?)
    }

    /// The id of the active goal of a scope.
    pub fn active_goal_id(&self, scope: &str) -> Option<GoalId> {
        self.active.get(scope).copied()
    }

    /// The goals that a query asks for, newest first.
    pub fn list_goals(&self, query: &GoalQuery) -> Vec<Goal> {
        let before = match query.before.map(|id| self.goal_slot(id)) {
            Some(None) => return Vec::new(),
            before => before.flatten(),
        };
        self.goals
            .newest_first(before)
            .filter(|(_, goal)| query.scope.as_deref().is_none_or(|scope| *goal.facts.scope == *scope))
            .filter(|(_, goal)| query.status.is_none_or(|status| goal.status == status))
            .filter_map(|(slot, goal)| Some(goal.with_budget(self.budgets.at(slot)?)))
            .take(query.limit)
            .collect()
    }

    /// All goals, in the order of their ids.
    pub fn goals(&self) -> impl Iterator<Item = Goal> + '_ {
        let mut goals: Vec<(Slot, &GoalRecord)> =
            self.goals.iter().map(|(slot, goal)| (slot, &**goal)).collect();
        goals.sort_unstable_by_key(|(_, goal)| goal.id());
        goals.into_iter().filter_map(|(slot, goal)| Some(goal.with_budget(self.budgets.at(slot)?)))
    }

    /// How many goals there are.
    pub fn goal_count(&self) -> usize {
        self.goals.len()
    }

    /// A budget.
    pub fn budget(&self, id: &BudgetId) -> Option<&Budget> {
        self.budgets.get(id)
    }

    /// Whether the id of a spend that is not remembered says itself that it may have been.
    pub(super) fn is_spend_id_expired(&self, id: &SpendId, now: Timestamp) -> bool {
        self.keys.window().is_expired(&id.0, self.spends.forgotten_through(), now)
    }

    /// Whether the id of a reservation that is not remembered says itself that it may have been.
    pub(super) fn is_reservation_id_expired(&self, id: &ReservationId, now: Timestamp) -> bool {
        self.keys.window().is_expired(&id.0, self.ended.forgotten_through(), now)
    }

    /// A budget, with what its path leaves of it.
    pub fn budget_view(&self, id: &BudgetId) -> Option<BudgetView> {
        let mut path = self.budgets.path_of(id);
        let budget = path.next()?;
        let above = path.filter_map(Budget::remaining).min();
        let available =
            budget.remaining().map_or(above, |own| Some(above.map_or(own, |above| own.min(above))));
        Some(BudgetView { budget: budget.clone(), available })
    }

    /// The view of a budget in that slot.
    pub(super) fn view_of(&self, slot: Slot, budget: &Budget) -> BudgetView {
        let available = self.budgets.path(Some(slot)).filter_map(Budget::remaining).min();
        BudgetView { budget: budget.clone(), available }
    }

    /// The least that remains on the path from a budget to the root; `None`: no budget on it has a limit.
    pub fn available(&self, id: &BudgetId) -> Option<u128> {
        self.path(id).filter_map(Budget::remaining).min()
    }

    /// All budgets, in the order of their ids.
    pub fn budgets(&self) -> impl Iterator<Item = &Budget> + '_ {
        let mut budgets: Vec<&Budget> = self.budgets.iter().collect();
        budgets.sort_unstable_by(|left, right| left.id.cmp(&right.id));
        budgets.into_iter()
    }

    /// A reservation.
    pub fn reservation(&self, id: &ReservationId) -> Option<&Reservation> {
        self.reservations.get(id).map(|leaf| &***leaf)
    }

    /// A spend, while it is remembered.
    pub fn spend(&self, id: &SpendId) -> Option<&SpendRecord> {
        self.spends.get(&id.0)
    }

    /// An external meter.
    pub fn meter(&self, id: &MeterId) -> Option<&Meter> {
        self.meters.get(id).map(|leaf| &***leaf)
    }

    /// All external meters, in the order of their ids.
    pub fn meters(&self) -> impl Iterator<Item = &Meter> + '_ {
        self.meters.values().map(|leaf| &***leaf)
    }

    /// The reservations that have not ended, by budget, then by id.
    pub fn held_reservations(&self) -> impl Iterator<Item = &Reservation> + '_ {
        self.held.iter().filter_map(|(_, id)| self.reservation(id))
    }

    /// The reservations that have not ended, and those that ended and are remembered, in the order of their ids.
    pub fn reservations(&self) -> impl Iterator<Item = &Reservation> + '_ {
        self.reservations.values().map(|leaf| &***leaf)
    }

    /// How many budgets there are, those of goals included.
    pub fn budget_count(&self) -> usize {
        self.budgets.len()
    }

    /// How many reservations have not ended.
    pub fn held_reservation_count(&self) -> usize {
        self.held.len()
    }

    /// How many reservations there are, those that ended and are remembered included.
    pub fn reservation_count(&self) -> usize {
        self.reservations.len()
    }

    /// How many external meters there are.
    pub fn meter_count(&self) -> usize {
        self.meters.len()
    }

    /// How many spends are remembered.
    pub fn remembered_spend_count(&self) -> usize {
        self.spends.len()
    }

    /// When something is due next: a reservation expires, a window ends.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.get_min().map(|(at, _)| *at)
    }

    /// The window in which idempotency keys are remembered.
    pub fn key_window(&self) -> KeyWindow {
        self.keys.window()
    }

    /// How many idempotency keys are remembered.
    pub fn remembered_key_count(&self) -> usize {
        self.keys.len()
    }

    /// How many ids of the host's own events are remembered.
    pub fn remembered_event_id_count(&self) -> usize {
        self.event_ids.len()
    }

    /// A digest of all that decides and all that is shown: equal states have equal hashes, on any machine. Only
    /// what changed since it was last asked is digested anew; the digests of all are then put together.
    pub fn state_hash(&self) -> StateHash {
        hash::state_hash(self)
    }

    /// A goal's record.
    pub(super) fn record(&self, id: GoalId) -> Option<&GoalRecord> {
        self.goals.get(self.goal_slot(id)?).map(|leaf| &**leaf)
    }

    /// The slot of a goal, which is that of its budget.
    pub(super) fn goal_slot(&self, id: GoalId) -> Option<Slot> {
        self.budgets.slot(&BudgetId::Goal(id))
    }

    /// A budget and those above it, up to the root.
    pub(super) fn path(&self, from: &BudgetId) -> impl Iterator<Item = &Budget> {
        self.budgets.path_of(from)
    }

    /// A goal's ancestors, the nearest first.
    pub(super) fn ancestors(&self, goal: &GoalRecord) -> impl Iterator<Item = &GoalRecord> {
        let parent_of = |goal: &GoalRecord| goal.facts.parent_goal.and_then(|id| self.record(id));
        std::iter::successors(parent_of(goal), move |goal| parent_of(goal))
    }

    /// The budgets right below one, closed ones included, in the order of their ids.
    pub(super) fn budgets_below(&self, parent: &BudgetId) -> impl Iterator<Item = &Budget> {
        let parent = self.budgets.slot(parent);
        let all = parent.map(|parent| self.budgets_below.range((parent, Slot::FIRST)..=(parent, Slot::LAST)));
        let mut below: Vec<&Budget> =
            all.into_iter().flatten().filter_map(|(_, below)| self.budgets.at(*below)).collect();
        below.sort_unstable_by(|left, right| left.id.cmp(&right.id));
        below.into_iter()
    }

    /// The goals that are not ended and name a budget.
    pub(super) fn naming(&self, budget: &BudgetId) -> impl Iterator<Item = &GoalRecord> {
        let all = (budget.clone(), GoalId(Uuid::nil()))..=(budget.clone(), GoalId(Uuid::max()));
        self.named_by.range(all).filter_map(|(_, goal)| self.record(*goal))
    }

    /// The reservations that are open or unknown on a budget.
    pub(super) fn held_on(&self, budget: &BudgetId) -> impl Iterator<Item = &Reservation> {
        let budget = budget.clone();
        self.held
            .range((budget.clone(), ReservationId("".into()))..)
            .take_while(move |(on, _)| *on == budget)
            .filter_map(|(_, id)| self.reservation(id))
    }

    /// A goal's children that are not ended, in the order of their ids.
    pub(super) fn open_children(&self, parent: GoalId) -> impl Iterator<Item = &GoalRecord> {
        let all = (parent, GoalId(Uuid::nil()))..=(parent, GoalId(Uuid::max()));
        self.open_children.range(all).filter_map(|&(_, child)| self.record(child))
    }
}

impl fmt::Debug for State {
    /// Its size, not its contents: those can be listed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("goals", &self.goals.len())
            .field("budgets", &self.budgets.len())
            .field("remembered_keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

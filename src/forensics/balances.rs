//! Budgets over time: what was spent, reserved and left after each change, or at the end of each interval.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::{Budget, BudgetStatus, State};
use crate::engine::{Events, JournalReader, StateAt};
use crate::error::{Error, ErrorKind};
use crate::event::Payload;
use crate::ids::BudgetId;
use crate::projection::Projection;

/// The figures of a budget at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Balance {
    /// Of each change: when it was decided. Of each interval: its end.
    pub ts: Timestamp,
    /// The event after which they are so.
    pub seq: u64,
    /// The budget.
    pub budget_id: BudgetId,
    /// What is counted.
    pub unit: Arc<str>,
    /// What is spent, in the window that it is in where it has windows.
    pub spent: u128,
    /// What is spent for life.
    pub spent_total: u128,
    /// What is set aside.
    pub reserved: u128,
    /// The limit; `None`: there is none.
    pub limit: Option<u128>,
    /// What can still be spent or reserved within the limit.
    pub remaining: Option<u128>,
    /// Whether it is active, exhausted or closed.
    pub status: BudgetStatus,
}

/// How often there is a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// With every event that changes one.
    Event,
    /// At the end of every interval of that length, for the budgets that changed in it. Intervals are counted from the
    /// start of 1970, UTC.
    Interval(Duration),
}

/// Balances over time, as the events of a journal change them.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use tallybook::forensics::{Balances, Every};
/// use tallybook::{Blocking, JournalReader, NewBudget, Spend};
/// let engine = Blocking::open(&dir)?;
/// engine.allocate(NewBudget::new("task").limit(10))?;
/// engine.record_spend("task", Spend::of(3))?;
///
/// let mut balances = Balances::open(&JournalReader::open(&dir)?, 0, Every::Event)?;
/// let mut spent = Vec::new();
/// while let Some(balance) = balances.next()? {
///     spent.push((balance.seq, balance.spent, balance.remaining));
/// }
/// assert_eq!(spent, [(1, 0, Some(10)), (2, 3, Some(7))]);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Balances {
    events: Events,
    projection: Projection,
    every: Every,
    /// Only these, where any are named.
    only: BTreeSet<BudgetId>,
    /// What changed in the interval under way.
    changed: BTreeSet<BudgetId>,
    /// Of these, those that were forgotten in it, as they were last.
    forgotten: BTreeMap<BudgetId, Balance>,
    /// Its end.
    ends_at: Option<Timestamp>,
    /// Made and not given yet, the next at the end.
    made: Vec<Balance>,
    /// After the last event.
    is_over: bool,
    to: Option<Limits>,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    seq: u64,
    ts: Timestamp,
}

impl Balances {
    /// Of the events from `from` on; 0: from the oldest before which there is a state.
    ///
    /// # Errors
    /// `Pruned` when that event lies below the retention floor; `InvalidArgument` when it is not in the journal, or the
    /// interval is shorter than a millisecond; `Io`, `Damaged` and `Unsupported` when the journal cannot be read.
    pub fn open(reader: &JournalReader, from: u64, every: Every) -> Result<Balances, Error> {
        if let Every::Interval(interval) = every
            && interval.as_millis() == 0
        {
            let message = format!("expected an interval of at least 1 ms, found {interval:?}");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let begin = |from: u64| Ok((reader.state(StateAt::Seq(from - 1))?, reader.events(from)?));
        let (projection, events) = if from == 0 { from_oldest(reader, begin)? } else { begin(from)? };
        Ok(Balances {
            projection,
            events,
            every,
            only: BTreeSet::new(),
            changed: BTreeSet::new(),
            forgotten: BTreeMap::new(),
            ends_at: None,
            made: Vec::new(),
            is_over: false,
            to: None,
        })
    }

    /// Of that budget, and of others that are named so.
    #[must_use]
    pub fn budget(mut self, id: impl Into<BudgetId>) -> Balances {
        self.only.insert(id.into());
        self
    }

    /// No further than that event, and that time.
    #[must_use]
    pub fn up_to(mut self, seq: u64, ts: Timestamp) -> Balances {
        self.to = Some(Limits { seq, ts });
        self
    }

    /// The `seq` of the last event that was looked at.
    pub fn seq(&self) -> u64 {
        self.projection.seq
    }

    /// The next balance; `None` at the end.
    ///
    /// # Errors
    /// `Io`, `Damaged` and `Unsupported` when the journal cannot be read; `Pruned` when pruning overtook it.
    #[expect(clippy::should_implement_trait, reason = "it may fail, like the events that it reads")]
    pub fn next(&mut self) -> Result<Option<Balance>, Error> {
        loop {
            if let Some(balance) = self.made.pop() {
                return Ok(Some(balance));
            }
            if self.is_over || !self.step()? {
                return Ok(None);
            }
        }
    }

    /// Takes the next event; `false` where nothing comes of it any more.
    fn step(&mut self) -> Result<bool, Error> {
        let event = self.events.next()?.map(|event| event.decode()).transpose()?;
        let is_within =
            |to: Limits| event.as_ref().is_some_and(|event| event.seq <= to.seq && event.ts <= to.ts);
        let Some(event) = event.as_ref().filter(|_| self.to.is_none_or(is_within)) else {
            self.is_over = true;
            self.end_interval();
            return Ok(!self.made.is_empty());
        };
        if self.ends_at.is_some_and(|ends_at| event.ts >= ends_at) {
            self.end_interval();
        }
        let about = about(&event.payload);
        let before = self.path(about.as_ref());
        if matches!(event.payload, Payload::EndedForgotten(_)) {
            self.keep_changed();
        }
        self.projection.apply(event).map_err(|error| misfit(&error))?;
        let state = &self.projection.state;
        let mut changed: Vec<BudgetId> = about.as_ref().map_or_else(Vec::new, |id| path(state, id));
        changed.retain(|id| match before.iter().find(|balance| balance.budget_id == *id) {
            Some(was) => {
                state.budget(id).is_some_and(|budget| figures(&balance(budget, 0, was.ts)) != figures(was))
            }
            // One that was just made; those above it are as they were.
            None => about.as_ref() == Some(id),
        });
        changed.retain(|id| self.only.is_empty() || self.only.contains(id));
        match self.every {
            Every::Event => {
                let seq = event.seq;
                let budgets = changed.iter().rev().filter_map(|id| state.budget(id));
                self.made.extend(budgets.map(|budget| balance(budget, seq, event.ts)));
            }
            Every::Interval(interval) if !changed.is_empty() => {
                self.ends_at = Some(end_of_interval(event.ts, interval));
                self.changed.extend(changed);
            }
            Every::Interval(_) => {}
        }
        Ok(true)
    }

    /// The balances of a budget and those above it, as they are.
    fn path(&self, id: Option<&BudgetId>) -> Vec<Balance> {
        let (state, ts) = (&self.projection.state, self.projection.last_ts);
        let ids = id.map_or_else(Vec::new, |id| path(state, id));
        ids.iter().filter_map(|id| state.budget(id)).map(|budget| balance(budget, 0, ts)).collect()
    }

    fn end_interval(&mut self) {
        let Some(ends_at) = self.ends_at.take() else { return };
        let (state, seq) = (&self.projection.state, self.projection.seq);
        let (changed, forgotten) = (std::mem::take(&mut self.changed), std::mem::take(&mut self.forgotten));
        self.made.extend(changed.iter().rev().filter_map(|id| match state.budget(id) {
            Some(budget) => Some(balance(budget, seq, ends_at)),
            None => forgotten.get(id).cloned(),
        }));
    }

    /// Keeps what changed in the interval as it is, for it is about to be forgotten, and its end is still to come.
    fn keep_changed(&mut self) {
        let Some(ends_at) = self.ends_at else { return };
        let (state, seq) = (&self.projection.state, self.projection.seq);
        let budgets = self.changed.iter().filter_map(|id| state.budget(id));
        self.forgotten.extend(budgets.map(|budget| (budget.id.clone(), balance(budget, seq, ends_at))));
    }
}

/// A budget and those above it, from the root down.
fn path(state: &State, id: &BudgetId) -> Vec<BudgetId> {
    let above = |id: &BudgetId| state.budget(id)?.parent.clone();
    let mut ids: Vec<BudgetId> = std::iter::successors(Some(id.clone()), above).collect();
    ids.reverse();
    ids
}

fn balance(budget: &Budget, seq: u64, ts: Timestamp) -> Balance {
    Balance {
        ts,
        seq,
        budget_id: budget.id.clone(),
        unit: budget.unit.clone(),
        spent: budget.spent,
        spent_total: budget.spent_total,
        reserved: budget.reserved,
        limit: budget.limit(),
        remaining: budget.remaining(),
        status: budget.status(),
    }
}

/// What makes two balances of a budget the same.
fn figures(balance: &Balance) -> (u128, u128, u128, Option<u128>, BudgetStatus) {
    let Balance { spent, spent_total, reserved, limit, status, .. } = balance;
    (*spent, *spent_total, *reserved, *limit, *status)
}

fn end_of_interval(ts: Timestamp, interval: Duration) -> Timestamp {
    let micros = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX);
    let begins = ts.as_micros() - ts.as_micros().rem_euclid(micros);
    Timestamp::from_micros(begins.saturating_add(micros))
}

/// The budget whose figures an event changes, with those above it.
pub(super) fn about(payload: &Payload) -> Option<BudgetId> {
    Some(match payload {
        Payload::GoalCreated(made) => BudgetId::Goal(made.goal_id),
        Payload::GoalTransitioned(change) => BudgetId::Goal(change.goal_id),
        Payload::GoalBudgetSet(set) => BudgetId::Goal(set.goal_id),
        Payload::TurnRecorded(turn) => BudgetId::Goal(turn.goal_id),
        Payload::BudgetExhausted(exhausted) => exhausted.budget_id.clone(),
        Payload::ThresholdCrossed(crossed) => crossed.budget_id.clone(),
        Payload::BudgetAllocated(made) => made.budget_id.clone(),
        Payload::BudgetAdjusted(adjusted) => adjusted.budget_id.clone(),
        Payload::ProgressSet(set) => set.budget_id.clone(),
        Payload::BudgetClosed(closed) => closed.budget_id.clone(),
        Payload::WindowRolled(rolled) => rolled.budget_id.clone(),
        Payload::SpendRecorded(spend) => spend.budget_id.clone(),
        Payload::SpendReversed(reversed) => reversed.budget_id.clone(),
        Payload::ReservationMade(made) => made.budget_id.clone(),
        Payload::ReservationReleased(released) => released.budget_id.clone(),
        Payload::ReservationExpired(expired) => expired.budget_id.clone(),
        Payload::ReservationMarkedUnknown(marked) => marked.budget_id.clone(),
        Payload::MeterObserved(observed) => observed.budget_id.clone()?,
        Payload::CommandRefused(refused) => refused.budget_id.clone(),
        Payload::RefusalsSuppressed(report) => report.budget_id.clone(),
        Payload::EndedForgotten(_)
        | Payload::MeterReset(_)
        | Payload::EventRecorded(_)
        | Payload::KeyWindowSet(_) => return None,
    })
}

/// Begins with the oldest event before which there is a state: an archive may begin with events before that. Where pruning
/// overtook it meanwhile, it begins again.
pub(super) fn from_oldest<T>(
    reader: &JournalReader,
    begin: impl Fn(u64) -> Result<T, Error>,
) -> Result<T, Error> {
    let oldest = || Ok(reader.oldest_seq()?.max(reader.state_seqs()?.0.saturating_add(1)));
    let mut from = oldest()?;
    loop {
        let error = match begin(from) {
            Err(error) if *error.kind() == ErrorKind::Pruned => error,
            begun => return begun,
        };
        match oldest()? {
            now if now > from => from = now,
            _ => return Err(error),
        }
    }
}

/// An event that does not fit the state before it.
pub(super) fn misfit(error: &crate::domain::EvolveError) -> Error {
    let damage = crate::error::Damage { file: String::new(), offset: 0, seq: Some(error.seq) };
    Error::new(ErrorKind::Damaged(damage), format!("{error}; `tallybook verify` says more"))
}

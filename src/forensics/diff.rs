//! What changed between two states.

use std::cmp::Ordering;
use std::iter::Peekable;

use serde::Serialize;

use super::fields::{self, Field};
use super::value::Value;
use crate::domain::{Budget, Goal, Meter, Reservation, State};
use crate::ids::{BudgetId, GoalId, MeterId, ReservationId};

/// What is another in one state than in another, by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StateDiff {
    /// Goals.
    pub goals: Vec<Change<GoalId>>,
    /// Budgets, those of goals' tokens included.
    pub budgets: Vec<Change<BudgetId>>,
    /// Reservations: those that are held in one of the two, and those that the later one remembers.
    pub reservations: Vec<Change<ReservationId>>,
    /// External meters.
    pub meters: Vec<Change<MeterId>>,
}

/// How one of them changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change<Id> {
    /// It is there only afterwards, with these fields.
    Added(Id, Vec<(&'static str, Value)>),
    /// It is there only before, with these fields: it left memory.
    Removed(Id, Vec<(&'static str, Value)>),
    /// It is in both, with these fields not the same.
    Changed(Id, Vec<FieldChange>),
}

/// How a field changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FieldChange {
    /// Its name, as in the JSON of answers.
    pub field: &'static str,
    /// What it held.
    pub before: Value,
    /// What it holds.
    pub after: Value,
}

impl<Id> Change<Id> {
    /// Which one.
    pub fn id(&self) -> &Id {
        match self {
            Change::Added(id, _) | Change::Removed(id, _) | Change::Changed(id, _) => id,
        }
    }
}

impl StateDiff {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.goals.is_empty()
            && self.budgets.is_empty()
            && self.reservations.is_empty()
            && self.meters.is_empty()
    }
}

/// What changed from one state to another, each list in the order of ids.
///
/// What follows from something else is left out: when something changed last, and what of a budget is `available` on
/// its path. A reservation that ended and was forgotten since is no change.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use tallybook::forensics::{Change, Value, diff};
/// use tallybook::{Blocking, JournalReader, NewBudget, Spend, StateAt};
/// let engine = Blocking::open(&dir)?;
/// engine.allocate(NewBudget::new("task-7").limit(1_000))?;
/// engine.record_spend("task-7", Spend::of(300))?;
///
/// let reader = JournalReader::open(&dir)?;
/// let changed = diff(&reader.state(StateAt::Seq(1))?.state, &reader.state(StateAt::End)?.state);
/// let Change::Changed(id, fields) = &changed.budgets[0] else { unreachable!() };
/// assert_eq!((id.to_string().as_str(), fields[0].field), ("task-7", "spent"));
/// assert_eq!((&fields[0].before, &fields[0].after), (&Value::Amount(0), &Value::Amount(300)));
/// # Ok(()) }
/// ```
pub fn diff(before: &State, after: &State) -> StateDiff {
    let states = (before, after);
    StateDiff {
        goals: compare(before.goals(), after.goals(), |goal| goal.id, fields::GOAL, states),
        budgets: compare(
            before.budgets(),
            after.budgets(),
            |budget| budget.id.clone(),
            fields::BUDGET,
            states,
        ),
        reservations: reservations(before, after),
        meters: compare(before.meters(), after.meters(), |meter| meter.id.clone(), fields::METER, states),
    }
}

/// Goals are put together to be looked at, everything else is there.
trait Subject {
    type Of: PartialEq;
    fn get(&self) -> &Self::Of;
}

impl Subject for Goal {
    type Of = Goal;
    fn get(&self) -> &Goal {
        self
    }
}

macro_rules! borrowed {
    ($($of:ty),*) => {$(
        impl Subject for &$of {
            type Of = $of;
            fn get(&self) -> &$of {
                self
            }
        }
    )*};
}

borrowed!(Budget, Reservation, Meter);

/// Goes through both, which are in the order of their ids.
fn compare<S: Subject, Id: Ord>(
    before: impl Iterator<Item = S>,
    after: impl Iterator<Item = S>,
    id: fn(&S::Of) -> Id,
    fields: &[Field<S::Of>],
    states: (&State, &State),
) -> Vec<Change<Id>> {
    let (mut before, mut after) = (before.peekable(), after.peekable());
    let mut changes = Vec::new();
    while let Some(order) = next_order(&mut before, &mut after, id) {
        let old = if order == Ordering::Greater { None } else { before.next() };
        let new = if order == Ordering::Less { None } else { after.next() };
        match (old, new) {
            (Some(old), Some(new)) => {
                let (old, new) = (old.get(), new.get());
                let fields = if old == new { Vec::new() } else { changed(old, new, fields, states) };
                if !fields.is_empty() {
                    changes.push(Change::Changed(id(new), fields));
                }
            }
            (None, Some(new)) => {
                changes.push(Change::Added(id(new.get()), all(new.get(), fields, states.1)));
            }
            (Some(old), None) => {
                changes.push(Change::Removed(id(old.get()), all(old.get(), fields, states.0)));
            }
            (None, None) => {}
        }
    }
    changes
}

/// Which of the two comes next; both, where they are of one id.
fn next_order<S: Subject, Id: Ord>(
    before: &mut Peekable<impl Iterator<Item = S>>,
    after: &mut Peekable<impl Iterator<Item = S>>,
    id: fn(&S::Of) -> Id,
) -> Option<Ordering> {
    match (before.peek(), after.peek()) {
        (Some(old), Some(new)) => Some(id(old.get()).cmp(&id(new.get()))),
        (Some(_), None) => Some(Ordering::Less),
        (None, Some(_)) => Some(Ordering::Greater),
        (None, None) => None,
    }
}

fn changed<T>(old: &T, new: &T, fields: &[Field<T>], states: (&State, &State)) -> Vec<FieldChange> {
    let told = fields.iter().filter(|field| !field.is_derived);
    told.filter_map(|field| {
        let (before, after) = ((field.read)(old, states.0), (field.read)(new, states.1));
        (before != after).then_some(FieldChange { field: field.name, before, after })
    })
    .collect()
}

/// What is there of one, without what it does not have.
fn all<T>(subject: &T, fields: &[Field<T>], state: &State) -> Vec<(&'static str, Value)> {
    let told = fields.iter().filter(|field| !field.is_derived);
    let read = told.map(|field| (field.name, (field.read)(subject, state)));
    read.filter(|(_, value)| *value != Value::None).collect()
}

fn reservations(before: &State, after: &State) -> Vec<Change<ReservationId>> {
    // What ended long before, and was forgotten in between, did not change.
    let is_told = |old: &&Reservation| old.status.is_held() || after.reservation(&old.id).is_some();
    let old = before.reservations().filter(is_told);
    compare(old, after.reservations(), |hold| hold.id.clone(), fields::RESERVATION, (before, after))
}

//! The fields of goals, budgets, reservations and meters, by the names that they have in the JSON of answers; those of a
//! window have its name before theirs.

use super::value::Value;
use crate::domain::{Budget, Goal, Meter, MeterKind, Reservation, State};
use crate::event::{Fraction, TransitionReason, Window};

/// A field of a `T`.
pub(super) struct Field<T> {
    /// Its name.
    pub(super) name: &'static str,
    /// What it can be compared with.
    pub(super) kind: FieldKind,
    /// Whether it says nothing of its own: it follows from other fields, or from the budgets above.
    pub(super) is_derived: bool,
    /// Reads it.
    pub(super) read: fn(&T, &State) -> Value,
}

/// What a field can be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    /// A whole number.
    Number,
    /// A number from 0 to 1.
    Fraction,
    /// `true` or `false`.
    Truth,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text.
    Text,
    /// A moment.
    Time,
    /// Nothing but itself.
    Other,
}

const fn field<T>(name: &'static str, kind: FieldKind, read: fn(&T, &State) -> Value) -> Field<T> {
    Field { name, kind, is_derived: false, read }
}

const fn derived<T>(name: &'static str, kind: FieldKind, read: fn(&T, &State) -> Value) -> Field<T> {
    Field { name, kind, is_derived: true, read }
}

use FieldKind::{Number, Other, Text, Time, Truth, Word};

const GOAL_STATUS: FieldKind = Word(&["active", "paused", "completed", "cleared"]);
const PAUSE_REASON: FieldKind = Word(&["requested", "superseded", "budget_exhausted", "blocked", "parent"]);
const BUDGET_STATUS: FieldKind = Word(&["active", "exhausted", "closed"]);
const RESERVATION_STATUS: FieldKind = Word(&["open", "unknown", "settled", "released", "expired"]);

/// The fields of a goal.
pub(super) static GOAL: &[Field<Goal>] = &[
    field("status", GOAL_STATUS, |goal, _| Value::Word(goal.status.name())),
    field("pause_reason", PAUSE_REASON, |goal, _| {
        Value::of(goal.pause_reason.map(TransitionReason::name), Value::Word)
    }),
    field("text", Text, |goal, _| Value::Text(goal.text.clone())),
    field("scope", Text, |goal, _| Value::Text(goal.scope.clone())),
    field("token_budget", Number, |goal, _| Value::of(goal.token_budget, Value::Amount)),
    field("tokens_used", Number, |goal, _| Value::Amount(goal.tokens_used)),
    field("tokens_own", Number, |goal, _| Value::Amount(goal.tokens_own)),
    field("turns_used", Number, |goal, _| Value::Count(goal.turns_used)),
    field("seconds_used", Number, |goal, _| Value::Count(goal.seconds_used)),
    field("parent_goal", Text, |goal, _| Value::of(goal.parent_goal, Value::text)),
    field("budgets", Other, |goal, _| Value::List(goal.budgets.iter().map(Value::text).collect())),
    field("revision", Number, |goal, _| Value::Count(goal.revision)),
    field("created_at", Time, |goal, _| Value::Time(goal.created_at)),
    derived("updated_at", Time, |goal, _| Value::Time(goal.updated_at)),
    field("completed_at", Time, |goal, _| Value::of(goal.completed_at, Value::Time)),
    field("meta", Other, |goal, _| Value::of(goal.meta.clone(), Value::Meta)),
];

/// The fields of a budget.
pub(super) static BUDGET: &[Field<Budget>] = &[
    field("status", BUDGET_STATUS, |budget, _| Value::Word(budget.status().name())),
    field("limit", Number, |budget, _| Value::of(budget.limit(), Value::Amount)),
    field("spent", Number, |budget, _| Value::Amount(budget.spent)),
    field("spent_total", Number, |budget, _| Value::Amount(budget.spent_total)),
    field("reserved", Number, |budget, _| Value::Amount(budget.reserved)),
    field("remaining", Number, |budget, _| Value::of(budget.remaining(), Value::Amount)),
    derived("available", Number, |budget, state| Value::of(state.available(&budget.id), Value::Amount)),
    field("overage", Number, |budget, _| Value::Amount(budget.overage())),
    field("overage_total", Number, |budget, _| Value::Amount(budget.overage_total)),
    field("hard", Truth, |budget, _| Value::Truth(budget.terms.hard)),
    field("unit", Text, |budget, _| Value::Text(budget.unit.clone())),
    field("parent", Text, |budget, _| Value::of(budget.parent.as_ref(), Value::text)),
    field("progress", FieldKind::Fraction, |budget, _| Value::of(budget.progress, Value::Fraction)),
    field("entry_count", Number, |budget, _| Value::Count(budget.entry_count)),
    field("thresholds", Other, |budget, _| fractions(&budget.terms.thresholds)),
    field("crossed", Other, |budget, _| fractions(budget.crossed_thresholds())),
    field("window.every", Text, |budget, _| window(budget, |window| Value::Text(window.every.clone()))),
    field("window.tz", Text, |budget, _| window(budget, |window| Value::of(window.tz.clone(), Value::Text))),
    field("window.anchor", Time, |budget, _| window(budget, |window| Value::of(window.anchor, Value::Time))),
    field("window.start", Time, |budget, _| Value::of(budget.span, |span| Value::Time(span.start))),
    field("window.end", Time, |budget, _| Value::of(budget.span, |span| Value::Time(span.end))),
    field("widen_by", Other, |budget, _| {
        Value::of(budget.widen_by.as_deref(), |by| Value::List(by.iter().cloned().map(Value::Text).collect()))
    }),
    field("created_at", Time, |budget, _| Value::Time(budget.created_at)),
    derived("updated_at", Time, |budget, _| Value::Time(budget.updated_at)),
    field("closed_at", Time, |budget, _| {
        Value::of(budget.closing.as_ref(), |closing| Value::Time(closing.at))
    }),
    field("meta", Other, |budget, _| Value::of(budget.meta.clone(), Value::Meta)),
];

/// The fields of a reservation.
pub(super) static RESERVATION: &[Field<Reservation>] = &[
    field("status", RESERVATION_STATUS, |hold, _| Value::Word(hold.status.name())),
    field("budget_id", Text, |hold, _| Value::text(&hold.budget_id)),
    field("amount", Number, |hold, _| Value::Amount(hold.amount)),
    field("owner", Text, |hold, _| Value::of(hold.owner.clone(), Value::Text)),
    field("expires_at", Time, |hold, _| Value::of(hold.expires_at, Value::Time)),
    field("spend_id", Text, |hold, _| Value::of(hold.spend_id.as_ref(), Value::text)),
    field("created_at", Time, |hold, _| Value::Time(hold.created_at)),
    field("ended_at", Time, |hold, _| Value::of(hold.ended_at, Value::Time)),
    field("meta", Other, |hold, _| Value::of(hold.meta.clone(), Value::Meta)),
];

/// The fields of an external meter.
pub(super) static METER: &[Field<Meter>] = &[
    field("total", Number, |meter, _| Value::Amount(meter.total)),
    field("booked", Number, |meter, _| Value::Amount(meter.booked)),
    field("kind", Word(&["cumulative", "delta"]), |meter, _| {
        Value::of(meter.kind.map(MeterKind::name), Value::Word)
    }),
    field("budget_id", Text, |meter, _| Value::of(meter.budget_id.as_ref(), Value::text)),
    derived("updated_at", Time, |meter, _| Value::Time(meter.updated_at)),
    field("meta", Other, |meter, _| Value::of(meter.meta.clone(), Value::Meta)),
];

fn fractions(fractions: &[Fraction]) -> Value {
    Value::List(fractions.iter().copied().map(Value::Fraction).collect())
}

fn window(budget: &Budget, read: impl FnOnce(&Window) -> Value) -> Value {
    Value::of(budget.terms.window.as_deref(), read)
}

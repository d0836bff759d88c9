//! A condition on the state, and whether it holds.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::TermChange;
use super::parse::parse;
use crate::clock::Timestamp;
use crate::domain::State;
use crate::forensics::fields::{self, Field};
use crate::forensics::value::Value;
use crate::ids::{BudgetId, GoalId, MeterId, ReservationId};

/// A condition on the state.
///
/// ```text
/// condition   = and { ("or" | "||") and }
/// and         = not { ("and" | "&&") not }
/// not         = "not" not | "(" condition ")" | comparison
/// comparison  = term [ ("==" | "!=" | "<" | "<=" | ">" | ">=") value ]
/// term        = ("budget" | "goal" | "reservation" | "meter") "(" text ")" "." field
///             | ("spent" | "reserved" | "remaining") "(" text ")"
///             | ("goals" | "budgets" | "reservations" | "meters") "." "count"
/// value       = number | text | word | "true" | "false" | "null"
/// text        = '"' … '"', with \" and \\
/// ```
///
/// `spent("x")` is short for `budget("x").spent`. Fields are those of the JSON of answers, and `exists`; those of a window
/// are `window.every` and so on. `reservations.count` counts those that are held. Numbers may have `_` or `,` between digits;
/// times are texts (RFC 3339). Fields that are true or false need no comparison.
///
/// A comparison with a field of something that is not there is false, whichever way it compares: `exists` asks for that. A
/// field that holds nothing (no limit, say) is `null`, and neither below nor above anything.
#[derive(Debug, Clone)]
pub struct Condition {
    pub(super) root: Node,
    pub(super) terms: Vec<Term>,
}

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionError {
    /// At which character of the text, counted from 1.
    pub column: usize,
    /// What was expected there, and what was found.
    pub message: String,
}

impl ConditionError {
    pub(super) fn new(column: usize, message: impl Into<String>) -> ConditionError {
        ConditionError { column, message: message.into() }
    }
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)
    }
}

impl std::error::Error for ConditionError {}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Condition, ConditionError> {
        parse(text)
    }
}

/// A part of a condition. Terms are named by their place.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Or(Vec<Node>),
    And(Vec<Node>),
    Not(Box<Node>),
    Compare(usize, Operator, Literal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a term is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Null,
    Truth(bool),
    Number(u128),
    /// In parts per million.
    Fraction(u128),
    Text(Arc<str>),
    Time(Timestamp),
}

/// What a condition looks at.
#[derive(Debug, Clone)]
pub(super) struct Term {
    pub(super) text: String,
    pub(super) of: TermOf,
}

#[derive(Debug, Clone)]
pub(super) enum TermOf {
    Budget(BudgetId, Part),
    Goal(GoalId, Part),
    Reservation(ReservationId, Part),
    Meter(MeterId, Part),
    Count(fn(&State) -> usize),
}

/// What of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Whether it is there.
    Exists,
    /// The field at that place.
    Field(usize),
}

impl Part {
    fn read<T>(self, subject: Option<&T>, fields: &[Field<T>], state: &State) -> Option<Value> {
        match self {
            Part::Exists => Some(Value::Truth(subject.is_some())),
            Part::Field(at) => Some((fields.get(at)?.read)(subject?, state)),
        }
    }
}

impl Term {
    /// What it is in that state; `None` where there is no such thing.
    fn read(&self, state: &State) -> Option<Value> {
        match &self.of {
            TermOf::Budget(id, part) => part.read(state.budget(id), fields::BUDGET, state),
            TermOf::Goal(id, part) => part.read(state.goal(*id).as_ref(), fields::GOAL, state),
            TermOf::Reservation(id, part) => part.read(state.reservation(id), fields::RESERVATION, state),
            TermOf::Meter(id, part) => part.read(state.meter(id), fields::METER, state),
            TermOf::Count(count) => Some(Value::Count(u64::try_from(count(state)).unwrap_or(u64::MAX))),
        }
    }
}

impl Condition {
    /// Whether it holds in that state.
    pub fn holds_in(&self, state: &State) -> bool {
        self.holds(&self.values(state))
    }

    /// What its terms are in that state.
    pub(super) fn values(&self, state: &State) -> Vec<Option<Value>> {
        let mut values = Vec::with_capacity(self.terms.len());
        self.values_into(state, &mut values);
        values
    }

    pub(super) fn values_into(&self, state: &State, values: &mut Vec<Option<Value>>) {
        values.clear();
        values.extend(self.terms.iter().map(|term| term.read(state)));
    }

    pub(super) fn holds(&self, values: &[Option<Value>]) -> bool {
        self.root.holds(values)
    }

    pub(super) fn changes(&self, before: &[Option<Value>], after: &[Option<Value>]) -> Vec<TermChange> {
        let values = before.iter().cloned().zip(after.iter().cloned());
        let change =
            |(term, (before, after)): (&Term, _)| TermChange { term: term.text.clone(), before, after };
        self.terms.iter().zip(values).map(change).collect()
    }
}

impl Node {
    fn holds(&self, values: &[Option<Value>]) -> bool {
        match self {
            Node::Or(parts) => parts.iter().any(|part| part.holds(values)),
            Node::And(parts) => parts.iter().all(|part| part.holds(values)),
            Node::Not(part) => !part.holds(values),
            Node::Compare(term, operator, literal) => {
                let value = values.get(*term).and_then(Option::as_ref);
                value.is_some_and(|value| compare(value, *operator, literal))
            }
        }
    }
}

fn compare(value: &Value, operator: Operator, literal: &Literal) -> bool {
    let order = order(value, literal);
    match operator {
        Operator::Equal => order == Some(Ordering::Equal),
        Operator::NotEqual => order != Some(Ordering::Equal),
        Operator::Less => order == Some(Ordering::Less),
        Operator::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Operator::Greater => order == Some(Ordering::Greater),
        Operator::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// How the two compare, where they do. The parser has seen to it that they are of one type, or one of them nothing.
fn order(value: &Value, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        (Value::None, Literal::Null) => Some(Ordering::Equal),
        (Value::Truth(value), Literal::Truth(literal)) => Some(value.cmp(literal)),
        (Value::Amount(value), Literal::Number(literal)) => Some(value.cmp(literal)),
        (Value::Count(value), Literal::Number(literal)) => Some(u128::from(*value).cmp(literal)),
        (Value::Fraction(value), Literal::Fraction(ppm)) => Some(u128::from(value.ppm()).cmp(ppm)),
        (Value::Time(value), Literal::Time(literal)) => Some(value.cmp(literal)),
        (Value::Word(value), Literal::Text(literal)) => Some((*value).cmp(literal)),
        (Value::Text(value), Literal::Text(literal)) => Some((**value).cmp(literal)),
        _ => None,
    }
}

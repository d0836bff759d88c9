//! What a field of a goal, a budget, a reservation or a meter holds.

use std::fmt;
use std::sync::Arc;

use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::event::{Fraction, Meta};

/// What a field holds. As JSON it is what the answers of `apply` give for it: amounts, ids and times as strings, counters
/// as integers, what is not there as null.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing: no limit, no parent, not ended.
    None,
    /// Whether something is so.
    Truth(bool),
    /// An amount in the unit of a budget.
    Amount(u128),
    /// How many.
    Count(u64),
    /// A part of a whole.
    Fraction(Fraction),
    /// A moment.
    Time(Timestamp),
    /// One of a few words: a status, a reason.
    Word(&'static str),
    /// A text or an id.
    Text(Arc<str>),
    /// Several.
    List(Vec<Value>),
    /// Metadata of the host.
    Meta(Meta),
}

impl Value {
    pub(super) fn of<T>(value: Option<T>, make: impl FnOnce(T) -> Value) -> Value {
        value.map_or(Value::None, make)
    }

    pub(super) fn text(text: impl fmt::Display) -> Value {
        Value::Text(text.to_string().into())
    }
}

impl fmt::Display for Value {
    /// For people: nothing is `none`, a text stands without quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("none"),
            Value::Truth(is_so) => is_so.fmt(f),
            Value::Amount(amount) => amount.fmt(f),
            Value::Count(count) => count.fmt(f),
            Value::Fraction(fraction) => fraction.fmt(f),
            Value::Time(time) => time.fmt(f),
            Value::Word(word) => f.write_str(word),
            Value::Text(text) => f.write_str(text),
            Value::Meta(meta) => f.write_str(meta.as_str()),
            Value::List(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Both as the bytes that they are.
        let raw = |json: String| RawValue::from_string(json).map_err(S::Error::custom);
        match self {
            Value::None => serializer.serialize_none(),
            Value::Truth(is_so) => serializer.serialize_bool(*is_so),
            Value::Amount(amount) => serializer.collect_str(amount),
            Value::Count(count) => serializer.serialize_u64(*count),
            Value::Fraction(fraction) => raw(fraction.to_string())?.serialize(serializer),
            Value::Time(time) => serializer.collect_str(time),
            Value::Word(word) => serializer.serialize_str(word),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(values) => serializer.collect_seq(values),
            Value::Meta(meta) => raw(meta.as_str().to_owned())?.serialize(serializer),
        }
    }
}

//! How old versions of a kind are brought to their present form.
//!
//! Events in a journal are never rewritten (law EVIDENCE); so every form that was ever written is read for ever.
//! When the data of a kind change, the kind's version goes up by one and a step is added to its history here, which
//! makes the data of the version before into those of the new one. A step adds what was implied then, and may lose
//! nothing.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::event::Payload;

/// The data of an event, as JSON.
type Data = Map<String, Value>;

/// Makes the data of one version into those of the next.
type Step = fn(&mut Data) -> Result<(), String>;

/// A kind, and how it came to be what it is.
pub(super) struct History {
    /// The kind's name in the journal.
    pub(super) kind: &'static str,
    /// The step from version 1 first.
    steps: &'static [Step],
}

impl History {
    /// The present version, which is the one that is written.
    pub(super) fn current(&self) -> u64 {
        1 + self.steps.len() as u64
    }
}

/// Every kind, in the order of the catalogue.
static HISTORIES: [History; Payload::KINDS.len()] = [
    History { kind: "goal_created", steps: &[goal_created_1_to_2] },
    History { kind: "goal_transitioned", steps: &[] },
    History { kind: "goal_budget_set", steps: &[] },
    History { kind: "turn_recorded", steps: &[turn_recorded_1_to_2] },
    History { kind: "budget_exhausted", steps: &[budget_exhausted_1_to_2] },
    History { kind: "threshold_crossed", steps: &[] },
    History { kind: "budget_allocated", steps: &[] },
    History { kind: "budget_adjusted", steps: &[] },
    History { kind: "progress_set", steps: &[] },
    History { kind: "budget_closed", steps: &[] },
    History { kind: "window_rolled", steps: &[] },
    History { kind: "ended_forgotten", steps: &[] },
    History { kind: "spend_recorded", steps: &[] },
    History { kind: "spend_reversed", steps: &[] },
    History { kind: "reservation_made", steps: &[] },
    History { kind: "reservation_released", steps: &[] },
    History { kind: "reservation_expired", steps: &[] },
    History { kind: "reservation_marked_unknown", steps: &[] },
    History { kind: "meter_observed", steps: &[] },
    History { kind: "meter_reset", steps: &[] },
    History { kind: "event_recorded", steps: &[] },
    History { kind: "command_refused", steps: &[command_refused_1_to_2] },
    History { kind: "refusals_suppressed", steps: &[] },
    History { kind: "key_window_set", steps: &[] },
];

/// The history of the kind of that name, if it is known.
pub(super) fn history(kind: &str) -> Option<&'static History> {
    HISTORIES.iter().find(|history| history.kind == kind)
}

/// The present form of `data`, which are in `version` of the kind.
pub(super) fn to_current<'a>(history: &History, version: u64, data: &'a str) -> Result<Cow<'a, str>, String> {
    let done = usize::try_from(version.saturating_sub(1)).unwrap_or(usize::MAX);
    let steps = history.steps.get(done..).unwrap_or_default();
    if steps.is_empty() {
        return Ok(Cow::Borrowed(data));
    }
    let Fields(mut data) = serde_json::from_str(data).map_err(|error| error.to_string())?;
    for step in steps {
        step(&mut data)?;
    }
    serde_json::to_string(&data).map(Cow::Owned).map_err(|error| error.to_string())
}

/// Data in which no field is doubled. (Read as a plain map, the last of two would win.)
struct Fields(Data);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
        let mut data = Data::new();
        while let Some((field, value)) = entries.next_entry::<String, Value>()? {
            if data.contains_key(&field) {
                return Err(A::Error::custom(format_args!("duplicate field `{field}`")));
            }
            data.insert(field, value);
        }
        Ok(Fields(data))
    }
}

/// Drafts before the first release kept `tokens` as a JSON integer, booked one turn an event, and did not say what
/// passed a limit.
fn turn_recorded_1_to_2(data: &mut Data) -> Result<(), String> {
    let tokens = data.get_mut("tokens").ok_or("missing field `tokens`")?;
    let exact = tokens
        .as_u64()
        .ok_or_else(|| format!("expected `tokens` as an integer below 2^64, found {tokens}"))?;
    *tokens = Value::String(exact.to_string());
    add(data, "turns", Value::from(1))?;
    add(data, "overage", Value::Array(Vec::new()))
}

/// Drafts before the first release let everyone widen the budget of a goal.
fn goal_created_1_to_2(data: &mut Data) -> Result<(), String> {
    add(data, "widen_by", Value::Null)
}

/// Drafts before the first release had hard limits only.
fn budget_exhausted_1_to_2(data: &mut Data) -> Result<(), String> {
    add(data, "hard", Value::Bool(true))
}

/// Drafts before the first release refused by limit only, so that there always was one, and nothing else to explain.
fn command_refused_1_to_2(data: &mut Data) -> Result<(), String> {
    if data.get("limit").is_some_and(Value::is_null) {
        return Err("expected `limit` as an amount, found null".to_owned());
    }
    add(data, "reservation_id", Value::Null)?;
    add(data, "reason", Value::Null)
}

/// Adds a field that the version before did not have.
fn add(data: &mut Data, field: &str, value: Value) -> Result<(), String> {
    match data.insert(field.to_owned(), value) {
        None => Ok(()),
        Some(_) => Err(format!("unknown field `{field}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_history() {
        let kinds: Vec<&str> = HISTORIES.iter().map(|history| history.kind).collect();
        assert_eq!(kinds, Payload::KINDS);
    }
}

//! How single fields are read from JSON by the general parser. Each is as strict as the canonical form: one value,
//! one text; no default for what is missing.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::event::{Charge, GoalStatus, RefusalKind, TransitionReason, number};
use crate::ids::BudgetId;

use super::any_form::ChargeForm;

/// The fingerprint that `text` writes as 16 lower-case hexadecimal digits.
pub(super) fn read_fingerprint(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if digits && text.len() == 16 { u64::from_str_radix(text, 16).ok() } else { None }
}

/// The general parser at the start of a text.
type Json<'a> = serde_json::Deserializer<serde_json::de::StrRead<'a>>;

/// What `read` reads, if `text` is one JSON object. (A reader that is derived for a struct takes an array of its
/// fields' values as well.)
pub(super) fn object<'a, T>(
    text: &'a str,
    read: impl FnOnce(&mut Json<'a>) -> serde_json::Result<T>,
) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_str(text);
    let object = read(&mut json)?;
    json.end()?;
    if !text.starts_with('{') {
        return Err(Error::custom("expected an object, found an array"));
    }
    Ok(object)
}

/// A string that `read` understands.
fn string<'de, D, T>(
    deserializer: D,
    expected: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
{
    let text = Cow::<str>::deserialize(deserializer)?;
    read(&text).ok_or_else(|| wrong(expected, &text))
}

/// A string that `read` understands, or null. (Without this, a missing field would be read as null.)
fn nullable_string<'de, D, T>(
    deserializer: D,
    expected: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
{
    let Some(text) = Option::<Cow<'_, str>>::deserialize(deserializer)? else { return Ok(None) };
    read(&text).ok_or_else(|| wrong(expected, &text)).map(Some)
}

fn wrong<E: Error>(expected: &str, found: &str) -> E {
    let found: String = found.chars().take(80).collect();
    E::custom(format_args!("expected {expected}, found {found:?}"))
}

const AMOUNT: &str = "an amount below 2^128 as a string of decimal digits without leading zeros";

pub(super) fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    string(deserializer, AMOUNT, |text| number::read_u128(text.as_bytes()))
}

pub(super) fn nullable_amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u128>, D::Error> {
    nullable_string(deserializer, AMOUNT, |text| number::read_u128(text.as_bytes()))
}

pub(super) fn nullable_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Arc<str>>, D::Error> {
    Option::deserialize(deserializer)
}

pub(super) fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    string(deserializer, "a time in UTC like 2026-11-21T01:15:13.123456Z", |text| {
        Timestamp::from_ascii(text.as_bytes().try_into().ok()?)
    })
}

pub(super) fn nullable_fingerprint<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    nullable_string(deserializer, "16 lower-case hexadecimal digits", read_fingerprint)
}

/// An id, whose own error says what was expected and found.
pub(super) fn id<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

pub(super) fn nullable_id<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = Option::<Cow<'_, str>>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

pub(super) fn budget_ids<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<BudgetId>, D::Error> {
    let texts = Vec::<Cow<'_, str>>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}

pub(super) fn charges<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Charge>, D::Error> {
    let items = Vec::<&RawValue>::deserialize(deserializer)?;
    items
        .iter()
        .map(|item| object(item.get(), |json| ChargeForm::deserialize(json)).map_err(D::Error::custom))
        .collect()
}

pub(super) fn goal_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<GoalStatus, D::Error> {
    string(deserializer, "the status active, paused, completed or cleared", GoalStatus::from_name)
}

pub(super) fn transition_reason<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<TransitionReason, D::Error> {
    let expected = "the reason requested, superseded, budget_exhausted, blocked or parent";
    string(deserializer, expected, TransitionReason::from_name)
}

pub(super) fn refusal_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RefusalKind, D::Error> {
    string(deserializer, "the refusal budget_exceeded", RefusalKind::from_name)
}

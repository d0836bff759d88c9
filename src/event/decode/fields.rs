//! How single fields are read from JSON by the general parser. Each is as strict as the canonical form: one value,
//! one text; no default for what is missing, unless the form of its kind says so.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::event::{
    BudgetTerms, Charge, Fraction, GoalStatus, Json, Quantity, Reading, RefusalKind, ReleaseReason, Span,
    TransitionReason, Window, number,
};

use super::any_form::{BudgetTermsForm, ChargeForm, QuantityForm, SpanForm, WindowForm};

/// The fingerprint that `text` writes as 16 lower-case hexadecimal digits.
pub(crate) fn read_fingerprint(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if digits && text.len() == 16 { u64::from_str_radix(text, 16).ok() } else { None }
}

/// The fraction of so many parts per million, unless that is more than the whole.
pub(crate) fn read_fraction(ppm: u64) -> Option<Fraction> {
    Fraction::from_ppm(u32::try_from(ppm).ok()?)
}

/// What a meter said, if it said one thing.
pub(super) fn read_reading(delta: Option<u128>, cumulative: Option<u128>) -> Option<Reading> {
    match (delta, cumulative) {
        (Some(delta), None) => Some(Reading::Delta(delta)),
        (None, Some(total)) => Some(Reading::Cumulative(total)),
        _ => None,
    }
}

/// The general parser at the start of a text.
type Parser<'a> = serde_json::Deserializer<serde_json::de::StrRead<'a>>;

/// What `read` reads, if `text` is one JSON object. (A reader that is derived for a struct takes an array of its
/// fields' values as well.)
pub(super) fn object<'a, T>(
    text: &'a str,
    read: impl FnOnce(&mut Parser<'a>) -> serde_json::Result<T>,
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

/// Anything, or null. (Without this, a missing field would be read as null.)
pub(super) fn nullable<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}

const TIME: &str = "a time in UTC like 2026-11-21T01:15:13.123456Z";

fn read_timestamp(text: &str) -> Option<Timestamp> {
    Timestamp::from_ascii(text.as_bytes().try_into().ok()?)
}

pub(super) fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    string(deserializer, TIME, read_timestamp)
}

pub(super) fn nullable_timestamp<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    nullable_string(deserializer, TIME, read_timestamp)
}

pub(super) fn fraction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fraction, D::Error> {
    fraction_of(u64::deserialize(deserializer)?)
}

pub(super) fn fractions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[Fraction]>, D::Error> {
    Vec::<u64>::deserialize(deserializer)?.into_iter().map(fraction_of).collect()
}

fn fraction_of<E: Error>(ppm: u64) -> Result<Fraction, E> {
    read_fraction(ppm).ok_or_else(|| {
        E::custom(format_args!("expected parts per million from 0 to {}, found {ppm}", Fraction::WHOLE_PPM))
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

pub(super) fn ids<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let texts = Vec::<Cow<'_, str>>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}

/// A value of the host, whatever it is.
pub(super) fn json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
    Json::parse(<&RawValue>::deserialize(deserializer)?.get()).map_err(D::Error::custom)
}

/// One object, which `read` reads.
fn nested<'de, D, T>(
    deserializer: D,
    read: impl FnOnce(&mut Parser<'de>) -> serde_json::Result<T>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
{
    object(<&RawValue>::deserialize(deserializer)?.get(), read).map_err(D::Error::custom)
}

/// One object, which `read` reads, or null.
fn nullable_nested<'de, D, T>(
    deserializer: D,
    read: impl FnOnce(&mut Parser<'de>) -> serde_json::Result<T>,
) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
{
    let value = Option::<&RawValue>::deserialize(deserializer)?;
    value.map(|value| object(value.get(), read).map_err(D::Error::custom)).transpose()
}

/// An array of objects, each of which `read` reads.
fn list_of<'de, D, T>(
    deserializer: D,
    read: impl Fn(&mut Parser<'de>) -> serde_json::Result<T>,
) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
{
    let items = Vec::<&RawValue>::deserialize(deserializer)?;
    items.iter().map(|item| object(item.get(), &read).map_err(D::Error::custom)).collect()
}

pub(super) fn charges<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Charge>, D::Error> {
    list_of(deserializer, |json| ChargeForm::deserialize(json))
}

pub(super) fn quantities<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Quantity>, D::Error> {
    list_of(deserializer, |json| QuantityForm::deserialize(json))
}

pub(super) fn terms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BudgetTerms, D::Error> {
    nested(deserializer, |json| BudgetTermsForm::deserialize(json))
}

pub(super) fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    nested(deserializer, |json| SpanForm::deserialize(json))
}

pub(super) fn nullable_span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    nullable_nested(deserializer, |json| SpanForm::deserialize(json))
}

pub(super) fn nullable_window<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Arc<Window>>, D::Error> {
    nullable_nested(deserializer, |json| WindowForm::deserialize(json).map(Arc::new))
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

pub(super) fn release_reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ReleaseReason, D::Error> {
    let expected = "the reason requested, budget_closed or goal_ended";
    string(deserializer, expected, ReleaseReason::from_name)
}

pub(super) fn refusal_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RefusalKind, D::Error> {
    let expected = "the refusal budget_exceeded, budget_closed, reservation_gone, forbidden or risk";
    string(deserializer, expected, RefusalKind::from_name)
}

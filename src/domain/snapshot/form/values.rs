//! Single values: each as strict as in events, one value, one text; borrowed from the line where they can be.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::clock::Timestamp;
use crate::domain::snapshot::intern::Interner;
use crate::domain::{MeterKind, ReservationStatus};
use crate::event::value::Texts;
use crate::event::value::{read_fingerprint, read_fraction, read_u128};
use crate::event::{Fraction, GoalStatus, RefusalKind, TransitionReason};
use crate::ids::{BudgetId, GoalId, is_name};

/// A string: a part of the line, unless something in it is escaped.
#[derive(Debug)]
pub(in crate::domain::snapshot) struct Text<'a>(pub(in crate::domain::snapshot) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

fn wrong<E: Error>(expected: &str, found: &str) -> E {
    let found: String = found.chars().take(80).collect();
    E::custom(format_args!("expected {expected}, found {found:?}"))
}

/// Values that are read from a string, and what is expected of it.
macro_rules! read_from_string {
    ($($name:ident($value:ty): $expected:literal, $read:expr;)*) => {$(
        #[derive(Debug)]
        pub(super) struct $name(pub(super) $value);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let read: fn(&str) -> Option<$value> = $read;
                let Text(text) = Text::deserialize(deserializer)?;
                read(&text).map($name).ok_or_else(|| wrong($expected, &text))
            }
        }
    )*};
}

read_from_string! {
    Amount(u128): "an amount below 2^128 as a string of decimal digits without leading zeros",
        |text| read_u128(text.as_bytes());
    At(Timestamp): "a time in UTC like 2026-11-21T01:15:13.123456Z",
        |text| Timestamp::from_ascii(text.as_bytes().try_into().ok()?);
    Body(u64): "16 lower-case hexadecimal digits", read_fingerprint;
    Goal(GoalId): "a goal's UUID of 36 characters", |text| GoalId::from_str(text).ok();
    Status(GoalStatus): "the status active, paused, completed or cleared", GoalStatus::from_name;
    PauseReason(TransitionReason): "the reason requested, superseded, budget_exhausted, blocked or parent",
        TransitionReason::from_name;
    HeldStatus(ReservationStatus): "the status open, unknown, settled, released or expired",
        ReservationStatus::from_name;
    Kind(MeterKind): "the kind cumulative or delta", MeterKind::from_name;
    RefusedBy(RefusalKind):
        "the refusal budget_exceeded, budget_closed, reservation_gone, forbidden or risk",
        RefusalKind::from_name;
}

/// The id of a spend, a reservation or a meter.
#[derive(Debug)]
pub(super) struct Name<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name<'a>, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        match is_name(&text) {
            true => Ok(Name(text)),
            false => Err(wrong("an id of 1 to 200 bytes without control characters", &text)),
        }
    }
}

/// The id of a budget.
#[derive(Debug)]
pub(super) enum BudgetName<'a> {
    Goal(GoalId),
    Named(Cow<'a, str>),
}

impl BudgetName<'_> {
    pub(super) fn id(self, names: &mut Interner) -> BudgetId {
        match self {
            BudgetName::Goal(goal) => BudgetId::Goal(goal),
            BudgetName::Named(name) => BudgetId::Named(names.text(&name)),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for BudgetName<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<BudgetName<'a>, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        if let Some(goal) = text.strip_prefix(BudgetId::GOAL_PREFIX) {
            let goal = GoalId::from_str(goal).map(BudgetName::Goal);
            return goal.map_err(|_| wrong("a goal's UUID after the reserved prefix `goal:`", &text));
        }
        match is_name(&text) {
            true => Ok(BudgetName::Named(text)),
            false => Err(wrong("a budget id of 1 to 200 bytes without control characters", &text)),
        }
    }
}

/// Whole parts per million.
#[derive(Debug)]
pub(super) struct Ppm(pub(super) Fraction);

impl<'de> Deserialize<'de> for Ppm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ppm, D::Error> {
        let ppm = u64::deserialize(deserializer)?;
        read_fraction(ppm).map(Ppm).ok_or_else(|| {
            let whole = Fraction::WHOLE_PPM;
            D::Error::custom(format_args!("expected parts per million from 0 to {whole}, found {ppm}"))
        })
    }
}

/// The version of a part that its form is of, and no other.
#[derive(Debug)]
pub(super) struct Version<const N: u64>;

impl<'de, const N: u64> Deserialize<'de> for Version<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Version<N>, D::Error> {
        match u64::deserialize(deserializer)? {
            found if found == N => Ok(Version),
            found => Err(D::Error::custom(format_args!("expected v {N}, found v {found}"))),
        }
    }
}

/// An object. (A reader that is derived for a struct takes an array of its fields' values as well.)
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Object)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields))
    }
}

/// Something, or null. (Without this, a missing field would be read as null.)
pub(super) fn nullable<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}

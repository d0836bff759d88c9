//! The fields of a JSON object, each kept as the text it was given as, so that numbers stay exact and a message can
//! show what was found.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::invalid;
use crate::clock::Timestamp;
use crate::domain::Rejection;
use crate::event::{Json, Meta, MetaError};
use crate::ids::{BudgetId, MeterId};

/// How much of a value a message shows, in characters.
const SHOWN_CHARS: usize = 60;

/// An object's fields.
pub(super) struct Fields<'a> {
    /// Where the object stands, for messages: empty, or like `charges[0].`.
    place: String,
    entries: Vec<(Cow<'a, str>, &'a str)>,
}

/// The value of a field.
#[derive(Clone)]
pub(super) struct Value<'a> {
    /// The field, for messages.
    name: Cow<'a, str>,
    /// Its JSON, without white space around it.
    json: &'a str,
}

impl<'a> Fields<'a> {
    /// The fields of the object that a line is.
    pub(super) fn of_line(text: &'a str) -> Result<Fields<'a>, Rejection> {
        let entries = serde_json::from_str::<Entries<'a>>(text).map_err(|error| {
            // What is JSON but no object is told apart from what is no JSON.
            match serde_json::from_str::<&RawValue>(text) {
                Ok(other) => {
                    invalid(format!("expected a JSON object, found {}", shortened_json(other.get())))
                }
                Err(_) => {
                    invalid(format!("expected a JSON object, found malformed JSON: {}", described(&error)))
                }
            }
        })?;
        Ok(Fields { place: String::new(), entries: entries.0 })
    }

    /// A field that may be left out, or be null.
    pub(super) fn get(&self, name: &'static str) -> Option<Value<'a>> {
        self.get_or_null(name).filter(|value| value.json != "null")
    }

    /// A field that may be left out, and whose null says something.
    pub(super) fn get_or_null(&self, name: &'static str) -> Option<Value<'a>> {
        let (_, json) = self.entries.iter().find(|(found, _)| found == name)?;
        Some(Value { name: self.full_name(name), json })
    }

    /// A field that has to be there.
    pub(super) fn require(&self, name: &'static str, expected: &str) -> Result<Value<'a>, Rejection> {
        self.get_or_null(name).ok_or_else(|| {
            invalid(format!("{}: expected {expected}, found no such field", self.full_name(name)))
        })
    }

    /// The budget that the operation is about.
    pub(super) fn budget_id(&self) -> Result<BudgetId, Rejection> {
        self.require("budget_id", "a budget id")?.parse()
    }

    /// The external meter that the operation is about.
    pub(super) fn meter_id(&self) -> Result<MeterId, Rejection> {
        self.require("meter_id", "a meter id")?.parse()
    }

    /// How much the operation is about.
    pub(super) fn amount(&self) -> Result<u128, Rejection> {
        self.require("amount", "an amount")?.amount()
    }

    /// Every field has to be known, and to be there once.
    pub(super) fn expect_only(
        &self,
        is_known: impl Fn(&str) -> bool,
        known: impl FnOnce() -> String,
    ) -> Result<(), Rejection> {
        // The known ones come first: once all are, there are few enough to compare each with each.
        if let Some((unknown, _)) = self.entries.iter().find(|(name, _)| !is_known(name)) {
            let message =
                format!("unknown field {}; {}", shortened(&format!("{}{unknown}", self.place)), known());
            return Err(invalid(message));
        }
        let mut seen: Vec<&str> = Vec::with_capacity(self.entries.len().min(16));
        for (name, _) in &self.entries {
            if seen.contains(&&**name) {
                return Err(invalid(format!("{}{name}: expected once, found twice", self.place)));
            }
            seen.push(name);
        }
        Ok(())
    }

    fn full_name(&self, name: &'static str) -> Cow<'a, str> {
        match self.place.as_str() {
            "" => Cow::Borrowed(name),
            place => Cow::Owned(format!("{place}{name}")),
        }
    }
}

impl<'a> Value<'a> {
    /// Why the value will not do.
    pub(super) fn unexpected(&self, expected: impl fmt::Display) -> Rejection {
        invalid(format!("{}: expected {expected}, found {}", self.name, shortened_json(self.json)))
    }

    /// A string.
    pub(super) fn string(&self) -> Result<Cow<'a, str>, Rejection> {
        let inner = self.json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match inner {
            None => Err(self.unexpected("a string")),
            Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
            Some(_) => serde_json::from_str(self.json).map(Cow::Owned).map_err(|error| {
                invalid(format!("{}: expected a string, found {}", self.name, described(&error)))
            }),
        }
    }

    /// A string that is to be kept.
    pub(super) fn shared_string(self) -> Result<Arc<str>, Rejection> {
        self.string().map(Arc::from)
    }

    /// What a string says, read by the type's own rules.
    pub(super) fn parse<T: FromStr<Err: fmt::Display>>(&self) -> Result<T, Rejection> {
        let text = self.string()?;
        text.parse().map_err(|error| invalid(format!("{}: {error}", self.name)))
    }

    /// A time.
    pub(super) fn parse_timestamp(&self) -> Result<Timestamp, Rejection> {
        let text = self.string()?;
        Timestamp::parse(&text).map_err(|error| invalid(format!("{}: {error}", self.name)))
    }

    /// One of a few words.
    pub(super) fn one_of<T>(
        &self,
        expected: &'static str,
        from_name: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Rejection> {
        let text = self.string()?;
        from_name(&text).ok_or_else(|| self.unexpected(expected))
    }

    /// True or false.
    pub(super) fn boolean(&self) -> Result<bool, Rejection> {
        match self.json {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.unexpected("true or false")),
        }
    }

    /// A count, as a JSON integer.
    pub(super) fn count(&self) -> Result<u64, Rejection> {
        exact_integer(self.json)
            .ok_or_else(|| self.unexpected(format_args!("an integer from 0 to {}", u64::MAX)))
    }

    /// A count that is not 0.
    pub(super) fn positive_count(&self) -> Result<u64, Rejection> {
        exact_integer(self.json)
            .filter(|&count| count > 0)
            .ok_or_else(|| self.unexpected(format_args!("an integer from 1 to {}", u64::MAX)))
    }

    /// A JSON number as the nearest float; infinite where it is too large for one.
    pub(super) fn number(&self) -> Option<f64> {
        let is_number = self.json.starts_with(|char: char| char == '-' || char.is_ascii_digit());
        if is_number { self.json.parse().ok() } else { None }
    }

    /// An amount: decimal digits in a string, or a JSON integer below 2^64 (law EXACT: nothing is rounded).
    pub(super) fn amount(&self) -> Result<u128, Rejection> {
        let amount = match self.json.starts_with('"') {
            true => exact_integer(&self.string()?),
            false => exact_integer::<u64>(self.json).map(u128::from),
        };
        amount.ok_or_else(|| {
            self.unexpected(format_args!(
                "an amount, decimal digits in a string (0 to {}) or an integer below 2^64",
                u128::MAX
            ))
        })
    }

    /// An amount, or null.
    pub(super) fn amount_or_null(&self) -> Result<Option<u128>, Rejection> {
        self.or_null(Value::amount)
    }

    /// Null, or what is read of any other value.
    pub(super) fn or_null<T>(
        &self,
        read: impl FnOnce(&Value<'a>) -> Result<T, Rejection>,
    ) -> Result<Option<T>, Rejection> {
        if self.json == "null" { Ok(None) } else { read(self).map(Some) }
    }

    /// Metadata of the host.
    pub(super) fn meta(self) -> Result<Meta, Rejection> {
        Meta::parse(self.json).map_err(|error| {
            let max = match error {
                MetaError::TooLong { .. } => u64::try_from(Meta::MAX_LEN).ok(),
                _ => None,
            };
            Rejection { max, ..invalid(format!("{}: {error}", self.name)) }
        })
    }

    /// A value of the host, whatever it is.
    pub(super) fn json(&self) -> Result<Json, Rejection> {
        Json::parse(self.json).map_err(|error| invalid(format!("{}: {error}", self.name)))
    }

    /// The items of an array.
    pub(super) fn items(&self) -> Result<Vec<Value<'a>>, Rejection> {
        let items: Vec<&'a RawValue> =
            serde_json::from_str(self.json).map_err(|_| self.unexpected("an array"))?;
        let item = |(index, item): (usize, &'a RawValue)| Value {
            name: Cow::Owned(format!("{}[{index}]", self.name)),
            json: item.get(),
        };
        Ok(items.into_iter().enumerate().map(item).collect())
    }

    /// The entries of an object whose names are the caller's, each there once.
    pub(super) fn entries(&self) -> Result<Vec<(Cow<'a, str>, Value<'a>)>, Rejection> {
        let Entries(entries) = serde_json::from_str(self.json).map_err(|_| self.unexpected("an object"))?;
        let full_name = |name: &str| format!("{}[{}]", self.name, shortened(name));
        let mut seen = BTreeSet::new();
        if let Some((twice, _)) = entries.iter().find(|(name, _)| !seen.insert(&**name)) {
            return Err(invalid(format!("{}: expected once, found twice", full_name(twice))));
        }
        let value = |(name, json): (Cow<'a, str>, &'a str)| {
            let value = Value { name: Cow::Owned(full_name(&name)), json };
            (name, value)
        };
        Ok(entries.into_iter().map(value).collect())
    }

    /// The fields of an object that has no others than these.
    pub(super) fn object(&self, known: &[&'static str]) -> Result<Fields<'a>, Rejection> {
        let entries: Entries<'a> =
            serde_json::from_str(self.json).map_err(|_| self.unexpected("an object"))?;
        let fields = Fields { place: format!("{}.", self.name), entries: entries.0 };
        fields.expect_only(|name| known.contains(&name), || format!("it takes {}", known.join(", ")))?;
        Ok(fields)
    }
}

/// The number of a text that matches `0|[1-9][0-9]*`, if it is not too large.
fn exact_integer<T: FromStr>(text: &str) -> Option<T> {
    let is_canonical = match text.as_bytes() {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if is_canonical { text.parse().ok() } else { None }
}

/// A text as a message shows it: quoted, and cut when it is long.
pub(super) fn shortened(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(SHOWN_CHARS).collect();
    match chars.next() {
        None => format!("{start:?}"),
        Some(_) => format!("{start:?}… ({} bytes)", text.len()),
    }
}

/// A JSON text as a message shows it: as it is, or cut when it is long.
fn shortened_json(json: &str) -> String {
    let mut chars = json.chars();
    let start: String = chars.by_ref().take(SHOWN_CHARS).collect();
    let start = start.replace(char::is_control, " ");
    match chars.next() {
        None => start,
        Some(_) => format!("{start}… ({} bytes)", json.len()),
    }
}

/// What serde_json complains about. Of its line and column only the column says something: the text is one line.
fn described(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(what) => format!("{what} at column {}", error.column()),
        None => text,
    }
}

/// An object's fields in the order they were given, twice if they were given twice.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a str)>);

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::with_capacity(8);
                while let Some((Name(name), json)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    entries.push((name, json.get()));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}

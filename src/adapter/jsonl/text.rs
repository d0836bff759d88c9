//! Values as they stand in JSON.

use std::fmt;

use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::event::{Fraction, Meta};

/// A value that is written as a JSON string: an id, a time, an amount (which as a JSON number would be rounded by
/// many a reader: law EXACT).
#[derive(Clone, Copy)]
pub(super) struct Text<T>(pub(super) T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A fraction as a JSON number, of at most six decimals. Only for `serde_json`.
#[derive(Clone, Copy)]
pub(super) struct FractionJson(pub(super) Fraction);

impl Serialize for FractionJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// Metadata as the bytes that they were given as. Only for `serde_json`.
pub(super) struct MetaJson<'a>(pub(super) &'a Meta);

impl Serialize for MetaJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(self.0.as_str()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

//! What is written as a JSON string.

use std::fmt;

use serde::ser::{Serialize, Serializer};

/// A value that is written as a JSON string: an id, a time, an amount (which as a JSON number would be rounded by
/// many a reader: law EXACT).
#[derive(Clone, Copy)]
pub(super) struct Text<T>(pub(super) T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

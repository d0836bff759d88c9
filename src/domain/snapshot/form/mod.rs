//! How each part stands in JSON. A form demands all of its fields, but for those that are left out where there is
//! nothing to say, and takes no other.
//!
//! The form of a part whose version is not 1 demands it: `v: Version<2>`, not optional.

mod budget;
mod goal;
mod key;
mod ledger;
mod values;

pub(super) use budget::{BudgetForm, MeterForm};
pub(super) use goal::GoalForm;
pub(super) use key::{EventIdForm, KeyForm, MemoryForm, RefusalsForm, ReleasingForm};
pub(super) use ledger::{BookingForm, ReservationForm, SpendForm};
pub(super) use values::Text;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::event::Meta;

use values::{Object, Version};

/// The name of the part, which has been read before.
type PartName = IgnoredAny;
/// The version of a part that has only one.
type First = Option<Version<1>>;

/// What a line says, in the form of its part.
pub(super) fn read<'a, T: Deserialize<'a>>(line: &'a str) -> serde_json::Result<T> {
    serde_json::from_str(line).map(|Object(form)| form)
}

fn read_meta(meta: Option<&RawValue>) -> Result<Option<Meta>, String> {
    meta.map(|meta| Meta::parse(meta.get())).transpose().map_err(|error| error.to_string())
}

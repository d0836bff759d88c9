//! Looking back: what changed between two moments, what a history would have been otherwise, and tables made of it.
//!
//! All of it works on states and events as a [`JournalReader`](crate::JournalReader) gives them, without a lock, beside a live
//! writer too, and writes nothing. Whatever the command line tells of the past, it has from here.

mod balances;
mod csv;
mod diff;
mod fields;
mod table;
mod value;
mod what_if;

pub use balances::{Balance, Balances, Every};
pub use diff::{Change, FieldChange, StateDiff, diff};
pub use table::{BALANCE_COLUMNS, EVENT_COLUMNS, put_balance, put_event, put_head};
pub use value::Value;
#[cfg(test)]
pub(crate) use what_if::Rerun;
pub use what_if::{
    BudgetComparison, Changes, Difference, Divergence, DivergenceCounts, Effect, Price, PriceTable, Told,
    WhatIfReport, what_if,
};

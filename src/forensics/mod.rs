//! Looking back: what changed between two moments ([`diff`]), the story of one thing ([`Trace`]), when a condition came true
//! ([`bisect`]), what a history would have been otherwise ([`what_if`]), and budgets over time ([`Balances`]).
//!
//! All of it works on states and events as a [`JournalReader`](crate::JournalReader) gives them, without a lock, beside a live
//! writer too, and writes nothing. Whatever the command line tells of the past, it has from here.

mod balances;
mod bisect;
mod csv;
mod diff;
mod fields;
mod table;
mod trace;
mod value;
mod what_if;

pub use balances::{Balance, Balances, Every};
pub use bisect::{BisectOptions, Bisected, Condition, ConditionError, TermChange, bisect, bisect_telling};
pub use diff::{Change, FieldChange, StateDiff, diff};
pub use table::{BALANCE_COLUMNS, EVENT_COLUMNS, put_balance, put_event, put_head};
pub use trace::{Trace, TraceBalance, TraceKind, TraceStep};
pub use value::Value;
#[cfg(test)]
pub(crate) use what_if::Rerun;
pub use what_if::{
    BudgetComparison, Changes, Difference, Divergence, DivergenceCounts, Effect, Price, PriceTable, Told,
    WhatIfReport, what_if,
};

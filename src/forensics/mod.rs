//! Looking back: what a history tells when it is read again.
//!
//! All of it reads without a lock, is safe beside a live writer, and never writes into the journal's directory.

pub(crate) mod csv;
mod what_if;

#[cfg(test)]
pub(crate) use what_if::Rerun;
pub use what_if::{
    BudgetComparison, Changes, Difference, Divergence, DivergenceCounts, Effect, Price, PriceTable, Told,
    WhatIfReport, what_if,
};

//! Counts what was covered.

use std::collections::BTreeMap;

/// Counts by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    /// One more.
    pub(crate) fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// So many more.
    pub(crate) fn add(&mut self, what: &'static str, number: u64) {
        *self.0.entry(what).or_default() += number;
    }

    /// What another has counted, too.
    pub(crate) fn merge(&mut self, other: &Tally) {
        for (what, number) in &other.0 {
            self.add(what, *number);
        }
    }

    pub(crate) fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// Each count, with its rate over these seconds.
    pub(crate) fn print(&self, seconds: f64) {
        for (what, number) in &self.0 {
            let rate = *number as f64 / seconds.max(1e-9);
            println!("  {what:<44} {number:>14} {rate:>12.1}/s");
        }
    }
}

//! Median, least and greatest.

use std::fmt;

/// Of the rounds of a run.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Spread { median: values[values.len() / 2], least: values[0], greatest: values[values.len() - 1] }
    }
}

impl fmt::Display for Spread {
    /// `1.25 (1.17 .. 1.31)`, with the digits that are asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Spread { median, least, greatest } = self;
        let text = format!("{median:.digits$} ({least:.digits$} .. {greatest:.digits$})");
        f.pad_integral(true, "", &text)
    }
}

//! How far long work is: on stderr, and only where that is a terminal.

use std::io::{IsTerminal, Stderr, Write};
use std::time::{Duration, Instant};

use tallybook::{Clock, SystemClock};

use super::style::Style;
use super::time::span;

/// Work that takes less is not worth a word.
const QUIET: Duration = Duration::from_secs(1);
/// How long a word stays before it is replaced.
const INTERVAL: Duration = Duration::from_millis(200);

/// Tells how far work is that goes through events one after the other. What it told is gone when it is dropped.
pub(super) struct Progress<W: Write = Stderr> {
    /// `None` where nobody looks.
    out: Option<W>,
    first: u64,
    /// The last event, where that is known.
    last: Option<u64>,
    began: Instant,
    told: Option<Instant>,
}

impl Progress {
    /// Of the work from that event on, to that one where it is known.
    pub(super) fn of_events(first: u64, last: Option<u64>) -> Progress {
        let stderr = std::io::stderr();
        let out = if stderr.is_terminal() { Some(stderr) } else { None };
        Progress::new(out, first, last, SystemClock.monotonic())
    }

    /// So far it is.
    pub(super) fn at(&mut self, seq: u64) {
        if self.out.is_some() {
            self.tell(seq, SystemClock.monotonic());
        }
    }
}

impl<W: Write> Progress<W> {
    fn new(out: Option<W>, first: u64, last: Option<u64>, began: Instant) -> Progress<W> {
        Progress { out, first, last, began, told: None }
    }

    /// Takes back what it told: something else is to stand there.
    pub(super) fn hide(&mut self) {
        if let (Some(out), Some(_)) = (&mut self.out, self.told.take()) {
            // Nobody is left to be told when this cannot be printed.
            let _ = write!(out, "\r\u{1b}[K").and_then(|()| out.flush());
        }
    }

    fn tell(&mut self, seq: u64, now: Instant) {
        let elapsed = now.saturating_duration_since(self.began);
        let is_soon = self.told.is_some_and(|told| now.saturating_duration_since(told) < INTERVAL);
        let Some(out) = self.out.as_mut().filter(|_| elapsed >= QUIET && !is_soon) else { return };
        let done = seq.saturating_sub(self.first).saturating_add(1);
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let per_second = done.saturating_mul(1_000) / millis;
        let people = Style { has_colors: false, is_for_people: true };
        let (done_text, rate) = (people.number(done), people.number(per_second));
        let mut line = format!("{done_text} events, {rate}/s");
        if let Some(total) = self.last.and_then(|last| last.checked_sub(self.first)).map(|more| more + 1) {
            let left = total.saturating_sub(done);
            let eta = Duration::from_secs(left / per_second.max(1));
            line = format!("{} %, {line}, {} left", done.saturating_mul(100) / total, span(eta));
        }
        self.told = Some(now);
        // Nobody is left to be told when this cannot be printed.
        let _ = write!(out, "\r\u{1b}[K{line}").and_then(|()| out.flush());
    }
}

impl<W: Write> Drop for Progress<W> {
    fn drop(&mut self) {
        self.hide();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_work_tells_how_far_it_is_and_cleans_up() {
        let began = SystemClock.monotonic();
        let mut out = Vec::new();
        let mut progress = Progress::new(Some(&mut out), 1, Some(100_000), began);
        progress.tell(10, began + Duration::from_millis(999));
        progress.tell(20_000, began + Duration::from_secs(2));
        progress.tell(20_001, began + Duration::from_millis(2_199));
        progress.tell(40_000, began + Duration::from_secs(4));
        progress.hide();
        progress.hide();
        drop(progress);
        let first = "\r\u{1b}[K20 %, 20,000 events, 10,000/s, 8 s left";
        let second = "\r\u{1b}[K40 %, 40,000 events, 10,000/s, 6 s left";
        assert_eq!(String::from_utf8(out).unwrap(), format!("{first}{second}\r\u{1b}[K"));
    }

    #[test]
    fn short_work_and_nobody_looking_are_silent() {
        let began = SystemClock.monotonic();
        let mut out = Vec::new();
        let mut progress = Progress::new(Some(&mut out), 1, None, began);
        progress.tell(10, began + Duration::from_millis(999));
        drop(progress);
        assert!(out.is_empty());
        let mut progress = Progress::of_events(1, None);
        progress.at(10);
        assert!(progress.told.is_none());
    }
}

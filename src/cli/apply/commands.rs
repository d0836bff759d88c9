//! What the lines of a stream ask of the engine, whatever the number in flight.

use tallybook::adapter::jsonl::{Answer, Line, Query, line_too_long, parse_line};
use tallybook::{Blocking, Clock, ManualClock, Rejection, RejectionKind, Timestamp};

use super::input::InputLine;

/// The engine, with the clock that a stream may move.
pub(super) struct Commands {
    pub(super) engine: Blocking,
    clock: Option<ManualClock>,
}

impl Commands {
    pub(super) fn new(engine: Blocking, clock: Option<ManualClock>) -> Commands {
        Commands { engine, clock }
    }

    pub(super) fn parse(&self, line: &InputLine<'_>) -> Result<Line, Rejection> {
        match line.bytes {
            Some(bytes) => parse_line(bytes, self.clock.is_some()),
            None => Err(line_too_long()),
        }
    }

    /// Whether the clock has to be moved before the line is dealt with. What was handed over before is to be decided
    /// at the time that was, so it has to be settled first.
    pub(super) fn moves_clock(&self, now: Option<Timestamp>) -> bool {
        match (&self.clock, now) {
            (Some(clock), Some(now)) => clock.now() != now,
            _ => false,
        }
    }

    /// Moves the clock, which never goes back.
    pub(super) fn move_clock(&self, now: Option<Timestamp>) -> Result<(), Rejection> {
        let (Some(clock), Some(now)) = (&self.clock, now) else { return Ok(()) };
        let before = clock.now();
        if now < before {
            let message = format!("now: expected a time from {before} on, found {now}");
            return Err(Rejection { kind: RejectionKind::Invalid, message, max: None, goal: None });
        }
        clock.set(now);
        Ok(())
    }

    /// Waits until everything that was handed over is decided.
    pub(super) fn settle(&self) {
        // An engine that has halted has nothing under way either; the next command will be told.
        let _ = self.engine.settled_view();
    }

    /// Answers a query from the state after all commands that were handed over before.
    pub(super) fn query(&self, query: &Query) -> Answer {
        Answer::to_query(query, &self.engine)
    }
}

//! Reading: each line is read in the form of its part and taken into a state, together with all that follows from it.

mod canonical;
mod check;
mod diagnose;
mod entities;
mod ledger;

use std::collections::VecDeque;

use serde::Deserialize;

use super::RestoreError;
use super::form::{self, BookingForm, BudgetForm, EventIdForm, KeyForm, MemoryForm, SpendForm};
use super::intern::Interner;
use super::parts::{Outline, PARTS, Part};
use crate::domain::entries::Memory;
use crate::domain::keys::Keys;
use crate::domain::refusals::RefusalCounts;
use crate::domain::register::Register;
use crate::domain::{SpendRecord, State, minute_of};

/// Puts a state together again, line by line.
#[derive(Debug)]
pub(crate) struct StateRestorer {
    state: State,
    /// The `seq` of the last event that is in it.
    through: u64,
    names: Interner,
    /// From which `seq` on spends tell of their bookings; `None`: each booking has a line of its own.
    bookings_from: Option<u64>,
    /// The spends whose bookings are still to be taken in, among those that have lines.
    following: VecDeque<SpendRecord>,
    /// How many lines have been read.
    lines: u64,
}

/// Why a line was not taken in.
#[derive(Debug)]
enum Fault {
    /// It is of a part that is not known.
    Part,
    /// It is not in the form of its part.
    Form(serde_json::Error),
    /// It does not fit what stands before it.
    State(String),
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Fault {
        Fault::Form(error)
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Fault {
        Fault::State(message)
    }
}

impl StateRestorer {
    /// For the state after the event with that `seq`.
    pub(crate) fn after(seq: u64) -> StateRestorer {
        StateRestorer {
            state: State::default(),
            through: seq,
            names: Interner::default(),
            bookings_from: None,
            following: VecDeque::new(),
            lines: 0,
        }
    }

    /// Takes in the next line, without its line end.
    ///
    /// # Errors
    /// When the line is of a part or version that is not known, or is no line of a state, or contradicts those before
    /// it. Nothing more is to be read then.
    pub(crate) fn line(&mut self, line: &[u8]) -> Result<(), RestoreError> {
        self.lines += 1;
        let text = std::str::from_utf8(line).map_err(|error| self.invalid(&error.to_string()))?;
        match leading_part(text) {
            Some(part) => self.take(part, text).or_else(|fault| self.look_again(text, fault)),
            None => self.look_again(text, Fault::Part),
        }
    }

    /// The state, when all of its lines have been read.
    ///
    /// # Errors
    /// When the lines contradict each other.
    pub(crate) fn finish(mut self) -> Result<State, RestoreError> {
        if self.lines == 0 {
            let message = "expected the lines of a state, found none";
            return Err(RestoreError::Invalid(message.to_owned()));
        }
        let in_all = |message| RestoreError::Invalid(format!("in the state as a whole: {message}"));
        self.follow_bookings(u64::MAX).map_err(in_all)?;
        check::bookings(&self.state, self.bookings_from).map_err(in_all)?;
        check::through(&self.state, self.through).map_err(in_all)?;
        check::whole(&self.state).map_err(in_all)?;
        Ok(self.state)
    }

    /// Takes in a line whose part has that name, in its present form.
    fn take(&mut self, part: &str, line: &str) -> Result<(), Fault> {
        if (part == "memory") != (self.lines == 1) {
            return Err(Fault::State("expected the part `memory` first, and once".to_owned()));
        }
        match part {
            "memory" => self.memory(form::read(line)?)?,
            "budget" => self.budget_line(line)?,
            "meter" => self.meter(form::read(line)?)?,
            "goal" => self.goal(form::read(line)?)?,
            "reservation" => self.reservation(form::read(line)?)?,
            "spend" => self.spend_line(line)?,
            "booking" => self.booking_line(line)?,
            "key" => self.key_line(line)?,
            "event_id" => self.event_id_line(line)?,
            "releasing" => self.releasing(form::read(line)?)?,
            "refusals" => self.refusals(form::read(line)?)?,
            _ => return Err(Fault::Part),
        }
        Ok(())
    }

    fn budget_line(&mut self, line: &str) -> Result<(), Fault> {
        let budget = match canonical::budget(line, &mut self.names) {
            Some(budget) => budget,
            None => form::read::<BudgetForm<'_>>(line)?.budget(&mut self.names)?,
        };
        Ok(self.budget(budget)?)
    }

    fn spend_line(&mut self, line: &str) -> Result<(), Fault> {
        let spend = match canonical::spend(line, &mut self.names) {
            Some(spend) => spend,
            None => form::read::<SpendForm<'_>>(line)?.spend(&mut self.names)?,
        };
        Ok(self.spend(spend)?)
    }

    fn booking_line(&mut self, line: &str) -> Result<(), Fault> {
        let booking = match canonical::booking(line, &mut self.names) {
            Some(booking) => booking,
            None => form::read::<BookingForm<'_>>(line)?.booking(&mut self.names),
        };
        Ok(self.booking(booking)?)
    }

    fn key_line(&mut self, line: &str) -> Result<(), Fault> {
        let key = match canonical::key(line, &mut self.names) {
            Some(key) => key,
            None => form::read::<KeyForm<'_>>(line)?.key(&mut self.names),
        };
        Ok(self.key(key)?)
    }

    fn event_id_line(&mut self, line: &str) -> Result<(), Fault> {
        let event_id = match canonical::event_id(line, &mut self.names) {
            Some(event_id) => event_id,
            None => form::read::<EventIdForm<'_>>(line)?.event_id(),
        };
        Ok(self.event_id(event_id)?)
    }

    fn memory(&mut self, form: MemoryForm) -> Result<(), String> {
        let (state, memory) = (&mut self.state, form.memory());
        if minute_of(memory.refusals_minute) != memory.refusals_minute {
            return Err(format!("expected the start of a minute, found {}", memory.refusals_minute));
        }
        state.keys = Keys::restored(memory.window, memory.keys_forgotten_through);
        state.spends = Register::restored(memory.spends_forgotten_through);
        state.bookings = Memory::restored(memory.bookings_forgotten_through);
        self.bookings_from = memory.bookings_from;
        state.ended = Memory::restored(memory.reservations_forgotten_through);
        state.event_ids = Keys::restored(memory.window, memory.event_ids_forgotten_through);
        memory.goals_forgotten_through.into_iter().for_each(|at| state.endings.forgot_goal(at));
        state.refusals = RefusalCounts::restored(memory.refusals_minute);
        Ok(())
    }

    /// Looks again at a line that was not taken in: it may be of an older version, or of one that is not known, or be
    /// written otherwise than we write. If not, says what is wrong with it.
    fn look_again(&mut self, line: &str, fault: Fault) -> Result<(), RestoreError> {
        let outline = Outline::deserialize(&mut serde_json::Deserializer::from_str(line));
        let outline = outline.map_err(|error| self.invalid(&diagnose::form(line, &error)))?;
        let Some(part) = PARTS.iter().find(|part| part.name == outline.part.0) else {
            return Err(self.unsupported(&outline.part.0, outline.v));
        };
        match outline.v {
            0 => Err(self.invalid(&format!("expected {} from v 1 on, found v 0", part.name))),
            version if version > part.current() => Err(self.unsupported(part.name, version)),
            version if version < part.current() => self.take_old(part, version, line),
            _ => match fault {
                Fault::Part => self.take(part.name, line).map_err(|fault| self.fault(part, line, fault)),
                fault => Err(self.fault(part, line, fault)),
            },
        }
    }

    fn take_old(&mut self, part: &Part, version: u64, line: &str) -> Result<(), RestoreError> {
        let line = part.upcast(version, line).map_err(|message| self.invalid(&message))?;
        self.take(part.name, &line).map_err(|fault| self.fault(part, &line, fault))
    }

    fn fault(&self, part: &Part, line: &str, fault: Fault) -> RestoreError {
        match fault {
            Fault::Part => self.invalid(&format!("no reader for part `{}`", part.name)),
            Fault::Form(error) => self.invalid(&format!("{}: {}", part.name, diagnose::form(line, &error))),
            Fault::State(message) => self.invalid(&format!("{}: {message}", part.name)),
        }
    }

    fn invalid(&self, message: &str) -> RestoreError {
        RestoreError::Invalid(format!("in line {} of the state: {message}", self.lines))
    }

    fn unsupported(&self, part: &str, version: u64) -> RestoreError {
        RestoreError::Unsupported { line: self.lines, part: part.chars().take(80).collect(), version }
    }
}

/// The name of the part, if the line begins as we write it.
fn leading_part(line: &str) -> Option<&str> {
    let (part, _) = line.strip_prefix(r#"{"part":""#)?.split_once('"')?;
    Some(part)
}

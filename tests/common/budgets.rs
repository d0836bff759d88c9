//! Budgets from outside: the lines of their commands, and a bank at the other end of a pipe.

#![allow(dead_code, reason = "each test that takes this file in uses another part of it")]

use serde_json::Value;

use crate::cli::{Book, Session, amount};

#[path = "ledger.rs"]
mod ledger;

pub(crate) use ledger::expect_conserved;

pub(crate) const A: &str = "00000000-0000-7000-8000-00000000000a";
pub(crate) const B: &str = "00000000-0000-7000-8000-00000000000b";
pub(crate) const C: &str = "00000000-0000-7000-8000-00000000000c";
pub(crate) const D: &str = "00000000-0000-7000-8000-00000000000d";
/// When the stories of these tests begin: a Monday.
pub(crate) const T0: &str = "2026-01-05T09:00:00.000000Z";
pub(crate) const HEAD: &str = r#"{"op":"head"}"#;

pub(crate) fn allocate(budget_id: &str, limit: u128, more: &str) -> String {
    format!(r#"{{"op":"allocate","budget_id":"{budget_id}","limit":"{limit}"{more}}}"#)
}

/// A budget that only counts.
pub(crate) fn count(budget_id: &str, more: &str) -> String {
    format!(r#"{{"op":"allocate","budget_id":"{budget_id}","limit":null{more}}}"#)
}

pub(crate) fn under(parent: &str) -> String {
    format!(r#","parent":"{parent}""#)
}

pub(crate) fn check(budget_id: &str, amount: u128) -> String {
    format!(r#"{{"op":"check","budget_id":"{budget_id}","amount":"{amount}"}}"#)
}

pub(crate) fn spend(budget_id: &str, amount: u128, more: &str) -> String {
    format!(r#"{{"op":"record_spend","budget_id":"{budget_id}","amount":"{amount}"{more}}}"#)
}

pub(crate) fn incur(budget_id: &str, amount: u128, more: &str) -> String {
    spend(budget_id, amount, &format!(r#","incurred":true{more}"#))
}

pub(crate) fn reserve(budget_id: &str, amount: u128, reservation_id: &str, more: &str) -> String {
    format!(
        r#"{{"op":"reserve","budget_id":"{budget_id}","amount":"{amount}","reservation_id":"{reservation_id}"{more}}}"#
    )
}

pub(crate) fn settle(reservation_id: &str, amount: u128, more: &str) -> String {
    format!(r#"{{"op":"settle","reservation_id":"{reservation_id}","amount":"{amount}"{more}}}"#)
}

pub(crate) fn release(reservation_id: &str) -> String {
    format!(r#"{{"op":"release","reservation_id":"{reservation_id}"}}"#)
}

pub(crate) fn mark_unknown(reservation_id: &str) -> String {
    format!(r#"{{"op":"mark_unknown","reservation_id":"{reservation_id}"}}"#)
}

pub(crate) fn reverse(spend_id: &str, more: &str) -> String {
    format!(r#"{{"op":"reverse_spend","spend_id":"{spend_id}"{more}}}"#)
}

pub(crate) fn adjust(budget_id: &str, fields: &str) -> String {
    format!(r#"{{"op":"adjust_budget","budget_id":"{budget_id}",{fields}}}"#)
}

pub(crate) fn progress(budget_id: &str, progress: &str) -> String {
    format!(r#"{{"op":"set_progress","budget_id":"{budget_id}","progress":{progress}}}"#)
}

pub(crate) fn close(budget_id: &str, more: &str) -> String {
    format!(r#"{{"op":"close_budget","budget_id":"{budget_id}"{more}}}"#)
}

pub(crate) fn get(budget_id: &str) -> String {
    format!(r#"{{"op":"get_budget","budget_id":"{budget_id}"}}"#)
}

pub(crate) fn observe(meter_id: &str, fields: &str) -> String {
    format!(r#"{{"op":"observe_meter","meter_id":"{meter_id}",{fields}}}"#)
}

pub(crate) fn goal(goal_id: &str, more: &str) -> String {
    format!(r#"{{"op":"create_goal","goal_id":"{goal_id}","text":"ship 2.0"{more}}}"#)
}

pub(crate) fn turn(goal_id: &str, tokens: u128, more: &str) -> String {
    format!(r#"{{"op":"record_turn","goal_id":"{goal_id}","tokens":"{tokens}"{more}}}"#)
}

pub(crate) fn transition(goal_id: &str, to: &str) -> String {
    format!(r#"{{"op":"transition_goal","goal_id":"{goal_id}","to":"{to}"}}"#)
}

/// The line with one more field.
pub(crate) fn with(line: &str, field: &str) -> String {
    format!("{},{field}}}", line.strip_suffix('}').expect("a line is an object"))
}

/// A journal and its only writer, whose clock stands still.
pub(crate) struct Bank {
    pub(crate) book: Book,
    flags: Vec<String>,
    writer: Option<Session>,
}

impl Bank {
    /// A new one, at [`T0`].
    pub(crate) fn open() -> Bank {
        Bank::open_with(&[])
    }

    pub(crate) fn open_with(flags: &[&str]) -> Bank {
        let flags = ["--manual-clock"].iter().chain(flags).map(|&flag| flag.to_owned()).collect();
        let mut bank = Bank { book: Book::new(), flags, writer: None };
        bank.start();
        bank.at(T0);
        bank
    }

    fn start(&mut self) {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        self.writer = Some(self.book.writer(&flags));
    }

    /// Moves the clock on to this moment.
    #[track_caller]
    pub(crate) fn at(&mut self, time: &str) {
        self.ok(&format!(r#"{{"op":"head","now":"{time}"}}"#));
    }

    /// One command and its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str) -> Value {
        let answer = self.writer.as_mut().expect("the writer runs").ask(line);
        let kinds = ["ok", "refused", "error"].iter().filter(|&&kind| answer[kind].is_object()).count();
        assert_eq!(kinds, 1, "exactly one of the three: {answer}");
        assert_eq!(answer.as_object().unwrap().len(), 2, "`line`, and one of the three: {answer}");
        answer
    }

    /// The `ok` of the answer.
    #[track_caller]
    pub(crate) fn done(&mut self, line: &str) -> Value {
        let mut answer = self.ask(line);
        assert!(answer["ok"].is_object(), "expected {line} to be done, found {answer}");
        answer["ok"].take()
    }

    /// The result of a command that is done, or of a query.
    #[track_caller]
    pub(crate) fn ok(&mut self, line: &str) -> Value {
        self.done(line)["result"].take()
    }

    /// The refusal of a command that is refused.
    #[track_caller]
    pub(crate) fn refused(&mut self, kind: &str, line: &str) -> Value {
        let mut answer = self.ask(line);
        assert_eq!(answer["refused"]["kind"], kind, "{line}: {answer}");
        answer["refused"].take()
    }

    /// The error of a command that cannot be done; it changes nothing.
    #[track_caller]
    pub(crate) fn error(&mut self, kind: &str, line: &str) -> Value {
        let before = self.head();
        let mut answer = self.ask(line);
        assert_eq!(answer["error"]["kind"], kind, "{line}: {answer}");
        assert!(!answer["error"]["message"].as_str().unwrap().is_empty(), "{answer}");
        assert_eq!(self.head(), before, "{line} is an error and changes nothing");
        answer["error"].take()
    }

    /// A command that changes nothing, and says so by having no `seq`.
    #[track_caller]
    pub(crate) fn unchanged(&mut self, line: &str) -> Value {
        let before = self.head();
        let mut done = self.done(line);
        assert_eq!(done.get("first_seq"), None, "{line} changes nothing: {done}");
        assert_eq!(self.head(), before, "{line} changes nothing");
        done["result"].take()
    }

    /// The events of a command that is done.
    #[track_caller]
    pub(crate) fn frame(&mut self, line: &str) -> Vec<Value> {
        let done = self.done(line);
        self.events_of(&done)
    }

    /// The events of an answer.
    #[track_caller]
    pub(crate) fn events_of(&self, done: &Value) -> Vec<Value> {
        let seq = |name: &str| done[name].as_u64().unwrap_or_else(|| panic!("expected {name} in {done}"));
        let (first, last) = (seq("first_seq"), seq("last_seq"));
        let events = self.book.events(&["--from", &first.to_string(), "--to", &last.to_string()]);
        let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, (first..=last).collect::<Vec<_>>(), "the frame of {done}");
        events
    }

    #[track_caller]
    pub(crate) fn budget(&mut self, budget_id: &str) -> Value {
        self.ok(&get(budget_id))
    }

    #[track_caller]
    pub(crate) fn goal(&mut self, goal_id: &str) -> Value {
        self.ok(&format!(r#"{{"op":"get_goal","goal_id":"{goal_id}"}}"#))
    }

    #[track_caller]
    pub(crate) fn head(&mut self) -> Value {
        self.ok(HEAD)
    }

    /// Holds these figures of a budget to what is expected of them: spent, reserved, remaining.
    #[track_caller]
    pub(crate) fn expect(&mut self, budget_id: &str, spent: u128, reserved: u128, remaining: u128) {
        let budget = self.budget(budget_id);
        let figures = ["spent", "reserved", "remaining"].map(|name| amount(&budget[name]));
        assert_eq!(figures, [spent, reserved, remaining], "spent, reserved, remaining of {budget}");
    }

    /// Ends the writer and starts another on the same journal: it knows what the first knew.
    #[track_caller]
    pub(crate) fn reopen(&mut self) {
        let before = self.head();
        self.writer.take().expect("the writer runs").end().expect_code(0);
        self.start();
        let after = self.head();
        for same in ["seq", "state_hash", "journal_id"] {
            assert_eq!(after[same], before[same], "{same} outlives a restart");
        }
    }

    /// Ends the writer, and holds everything that it left to the laws.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        self.reopen();
        self.writer.take().expect("the writer runs").end().expect_code(0);
        expect_conserved(&self.book);
        assert_eq!(self.book.verify()["clean"], true);
    }
}

/// The kind of each event.
pub(crate) fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

/// What the events say under that name.
pub(crate) fn data<'a>(events: &'a [Value], kind: &str, name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["kind"] == kind).map(|event| &event["data"][name]).collect()
}

/// Holds the named fields to what is expected of them; further fields are free.
#[track_caller]
pub(crate) fn expect_fields(found: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(found[name], *value, "{name} of {found}");
        assert!(found.get(name).is_some(), "{name} of {found}");
    }
}

/// The same for the data of an event, which leaves out what is false or empty.
#[track_caller]
pub(crate) fn expect_data(event: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        let is_default = *value == false || value.as_array().is_some_and(Vec::is_empty);
        let found = &event["data"][name];
        assert!(found == value || is_default && found.is_null(), "{name} is not {value}: {event}");
    }
}

/// Fractions as numbers, whichever way JSON wrote them.
#[track_caller]
pub(crate) fn fractions(list: &Value) -> Vec<f64> {
    let list = list.as_array().unwrap_or_else(|| panic!("expected a list of fractions, found {list}"));
    list.iter().map(|fraction| fraction.as_f64().unwrap()).collect()
}

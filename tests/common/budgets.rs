//! Budgets from outside: the lines of their commands, a bank at the other end of a pipe, and a second bookkeeper, who
//! adds up what the events say and holds the state to it.

#![allow(dead_code, reason = "each test that takes this file in uses another part of it")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::{self, Book, Session, amount};

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

/// Fractions as numbers, whichever way JSON wrote them.
#[track_caller]
pub(crate) fn fractions(list: &Value) -> Vec<f64> {
    let list = list.as_array().unwrap_or_else(|| panic!("expected a list of fractions, found {list}"));
    list.iter().map(|fraction| fraction.as_f64().unwrap()).collect()
}

/// One budget, as the second bookkeeper knows it.
#[derive(Default)]
struct Account {
    parent: Option<String>,
    spent: u128,
    spent_total: u128,
    reserved: u128,
    overage_total: u128,
    entry_count: u64,
    rolled_seq: u64,
}

/// All budgets, added up from the events alone.
#[derive(Default)]
struct Ledger {
    accounts: BTreeMap<String, Account>,
    spends: BTreeMap<String, (String, u64, u128)>,
    held: BTreeMap<String, (String, u128)>,
}

impl Ledger {
    /// Budget and everything above it.
    fn path(&self, budget_id: &str) -> Vec<String> {
        let mut path = vec![budget_id.to_owned()];
        while let Some(parent) = self.accounts[path.last().unwrap()].parent.clone() {
            path.push(parent);
        }
        path
    }

    fn on_path(&mut self, budget_id: &str, change: impl Fn(&mut Account)) {
        for id in self.path(budget_id) {
            change(self.accounts.get_mut(&id).unwrap());
        }
    }

    fn book(&mut self, budget_id: &str, amount: u128) {
        self.on_path(budget_id, |account| {
            account.spent += amount;
            account.spent_total += amount;
        });
    }

    fn let_go(&mut self, reservation_id: &str) {
        if let Some((budget_id, amount)) = self.held.remove(reservation_id) {
            self.on_path(&budget_id, |account| account.reserved -= amount);
        }
    }

    fn overage(&mut self, data: &Value) {
        for passed in data["overage"].as_array().into_iter().flatten() {
            let account = self.accounts.get_mut(passed["budget_id"].as_str().unwrap()).unwrap();
            account.overage_total += amount(&passed["amount"]);
        }
    }

    fn fold(&mut self, event: &Value) {
        let (data, seq) = (&event["data"], event["seq"].as_u64().unwrap());
        let text = |name: &str| data[name].as_str().map(str::to_owned);
        let budget_id = text("budget_id").unwrap_or_default();
        match event["kind"].as_str().unwrap() {
            "goal_created" => {
                let parent = text("parent_goal").map(|goal| format!("goal:{goal}"));
                let id = format!("goal:{}", text("goal_id").unwrap());
                self.accounts.insert(id, Account { parent, ..Account::default() });
            }
            "budget_allocated" => {
                let account = Account { parent: text("parent"), ..Account::default() };
                assert!(self.accounts.insert(budget_id, account).is_none(), "made twice: {event}");
            }
            "turn_recorded" => {
                self.book(&format!("goal:{}", text("goal_id").unwrap()), amount(&data["tokens"]));
                self.overage(data);
            }
            "spend_recorded" => {
                let spent = amount(&data["amount"]);
                if let Some(reservation_id) = text("reservation_id") {
                    self.let_go(&reservation_id);
                }
                self.book(&budget_id, spent);
                self.overage(data);
                self.accounts.get_mut(&budget_id).unwrap().entry_count += 1;
                self.spends.insert(text("spend_id").unwrap(), (budget_id, seq, spent));
            }
            "spend_reversed" => {
                let back = amount(&data["amount"]);
                let (of, spent_seq, left) = self.spends.get_mut(&text("spend_id").unwrap()).unwrap();
                *left = left.checked_sub(back).unwrap_or_else(|| panic!("more than was spent: {event}"));
                let (of, spent_seq) = (of.clone(), *spent_seq);
                self.on_path(&of, |account| {
                    account.spent_total -= back;
                    if spent_seq > account.rolled_seq {
                        account.spent -= back;
                    }
                });
            }
            "reservation_made" => {
                let held = amount(&data["amount"]);
                self.on_path(&budget_id, |account| account.reserved += held);
                self.held.insert(text("reservation_id").unwrap(), (budget_id, held));
            }
            "reservation_released" | "reservation_expired" => {
                let id = text("reservation_id").unwrap();
                assert!(self.held.contains_key(&id), "given back twice: {event}");
                self.let_go(&id);
            }
            "window_rolled" => {
                let account = self.accounts.get_mut(&budget_id).unwrap();
                assert_eq!(amount(&data["spent"]), account.spent, "{event}");
                (account.spent, account.rolled_seq) = (0, seq);
            }
            _ => {}
        }
    }
}

/// Holds every budget of the state to what the events add up to, and to the identities of budgets:
/// `limit + overage = spent + reserved + remaining`, `available` the least that remains on the path, children that sum
/// to their parent. Returns the state.
#[track_caller]
pub(crate) fn expect_conserved(book: &Book) -> Value {
    let (events, state) = (book.events(&[]), book.state(&[]));
    cli::expect_gapless(&events);
    let mut ledger = Ledger::default();
    for event in &events {
        ledger.fold(event);
    }
    let budgets = state["budgets"].as_array().unwrap();
    let remaining: BTreeMap<&str, Option<u128>> =
        budgets.iter().map(|budget| (budget["budget_id"].as_str().unwrap(), figures(budget))).collect();
    for budget in budgets {
        let id = budget["budget_id"].as_str().unwrap();
        let account = ledger.accounts.get(id).unwrap_or_else(|| panic!("no event made {budget}"));
        for (name, expected) in [
            ("spent", account.spent),
            ("spent_total", account.spent_total),
            ("reserved", account.reserved),
            ("overage_total", account.overage_total),
        ] {
            assert_eq!(amount(&budget[name]), expected, "{name} of {budget}");
        }
        if !id.starts_with("goal:") {
            assert_eq!(budget["parent"].as_str(), account.parent.as_deref(), "{budget}");
            assert_eq!(budget["entry_count"], account.entry_count, "{budget}");
        }
        let path = ledger.path(id);
        let available = path.iter().filter_map(|id| remaining.get(id.as_str()).copied().flatten()).min();
        assert_eq!(budget["available"].as_str().map(|text| text.parse().unwrap()), available, "{budget}");
    }
    let named = ledger.accounts.keys().filter(|id| !id.starts_with("goal:")).count();
    assert!(budgets.len() >= named, "every budget is in the state");
    for goal in state["goals"].as_array().unwrap() {
        let account = &ledger.accounts[&format!("goal:{}", goal["goal_id"].as_str().unwrap())];
        assert_eq!(amount(&goal["tokens_used"]), account.spent, "{goal}");
    }
    let listed: BTreeMap<&str, (String, u128)> =
        state["reservations"].as_array().unwrap().iter().map(held).collect();
    let held: BTreeMap<&str, (String, u128)> =
        ledger.held.iter().map(|(id, held)| (id.as_str(), held.clone())).collect();
    assert_eq!(listed, held, "open reservations");
    state
}

fn held(reservation: &Value) -> (&str, (String, u128)) {
    assert!(["open", "unknown"].contains(&reservation["status"].as_str().unwrap()), "{reservation}");
    let budget_id = reservation["budget_id"].as_str().unwrap().to_owned();
    (reservation["reservation_id"].as_str().unwrap(), (budget_id, amount(&reservation["amount"])))
}

/// Holds one budget to the identities of its own figures; what remains of it.
#[track_caller]
fn figures(budget: &Value) -> Option<u128> {
    let [spent, reserved, overage] = ["spent", "reserved", "overage"].map(|name| amount(&budget[name]));
    let limit = budget["limit"].as_str().map(|limit| limit.parse::<u128>().unwrap());
    let exhausted = limit.is_some_and(|limit| spent >= limit);
    let status = budget["status"].as_str().unwrap();
    assert!(status == "closed" || status == if exhausted { "exhausted" } else { "active" }, "{budget}");
    let Some(limit) = limit else {
        assert_eq!((&budget["remaining"], overage), (&json!(null), 0), "{budget}");
        return None;
    };
    let remaining = amount(&budget["remaining"]);
    assert_eq!(limit + overage, spent + reserved + remaining, "{budget}");
    assert!(overage == 0 || remaining == 0, "{budget}");
    Some(remaining)
}

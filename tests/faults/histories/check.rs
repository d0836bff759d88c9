//! Whether a history is one that a sequential engine could have had.
//!
//! The order is that of the journal. One command after another is taken from it and given to the model, which has to give
//! the answer that its caller got, the events that are in the journal, and the figures that these fold to. What has no event
//! of its own (reads, retries, rejections, refusals without a `seq`) has to fit somewhere between its invocation and its
//! completion: it is put at the first place where the model gives its answer, which leaves most room for what comes later.
//! Nothing may come before what was completed before it was invoked.

use std::collections::{BTreeMap, BTreeSet};

use tallybook::Command;

use super::history::{Answer, Ask, Figures, Frame, History, Name, Op, Session, Shown, name};
use super::model::{Model, Reply, Slot};
use crate::tally::Tally;

/// Checks a whole history; why it is none, if it is none.
pub(super) fn check(history: &History, tally: &mut Tally) -> Result<(), String> {
    let mut sweep = Sweep {
        model: Model::default(),
        figures: BTreeMap::new(),
        last_ts: None,
        suppressed: BTreeMap::new(),
        tally,
    };
    let mut frames = history.frames.iter().peekable();
    for (index, session) in history.sessions.iter().enumerate() {
        let next = history.sessions.get(index + 1);
        let mut open = Open::new(session);
        loop {
            sweep.place_silent(&mut open);
            let is_of_it = |frame: &&Frame| next.is_none_or(|next| frame.last_seq <= next.opened_at);
            let Some(frame) = frames.next_if(is_of_it) else { break };
            sweep.place_frame(frame, &mut open).map_err(|why| {
                let Frame { first_seq, last_seq, ts, facts, .. } = frame;
                format!("at seq {first_seq} to {last_seq}, {ts}: {facts:?}\n  {why}")
            })?;
        }
        sweep.end(session, &open)?;
    }
    let (expected, found) = (sweep.model.whole(), &history.last);
    match expected == *found {
        true => Ok(()),
        false => Err(format!("after the last reopening, expected\n  {expected:?}\nfound\n  {found:?}")),
    }
}

/// What was asked in a session and has no place in the order yet.
struct Open<'a> {
    /// In the order of their invocations.
    ops: Vec<&'a Op>,
    /// Those without a place, by their completion.
    unplaced: BTreeSet<(u64, usize)>,
    /// The first of those that say to have an event at a `seq`; the others say it, too, since they were retries.
    by_seq: BTreeMap<u64, usize>,
    /// All before this one have a place.
    first: usize,
    is_clean: bool,
}

impl<'a> Open<'a> {
    fn new(session: &'a Session) -> Open<'a> {
        let mut ops: Vec<&Op> = session.ops.iter().collect();
        ops.sort_unstable_by_key(|op| op.invoked);
        let unplaced = ops.iter().enumerate().map(|(index, op)| (completed(op), index)).collect();
        let mut by_seq = BTreeMap::new();
        for (index, op) in ops.iter().enumerate() {
            let seq = match &op.answer {
                Answer::Done(Some((first, _)), false, _) => Some(*first),
                Answer::Refused(refused) => refused.seq,
                _ => None,
            };
            seq.map(|seq| by_seq.entry(seq).or_insert(index));
        }
        Open { ops, unplaced, by_seq, first: 0, is_clean: session.is_clean }
    }

    /// Whether all that was completed before this was invoked has a place.
    fn may_come(&self, index: usize) -> Result<(), String> {
        match self.unplaced.first() {
            Some(&(completed, other)) if completed < self.ops[index].invoked => Err(format!(
                "it was invoked after {:?} was completed, which found no place before it",
                self.ops[other]
            )),
            _ => Ok(()),
        }
    }

    /// Those that may come next.
    fn candidates(&self) -> Vec<usize> {
        let until = self.unplaced.first().map_or(u64::MAX, |(completed, _)| *completed);
        let in_time = (self.first..self.ops.len()).take_while(|&index| self.ops[index].invoked < until);
        in_time.filter(|&index| self.is_unplaced(index)).collect()
    }

    fn is_unplaced(&self, index: usize) -> bool {
        self.unplaced.contains(&(completed(self.ops[index]), index))
    }

    fn place(&mut self, index: usize) {
        self.unplaced.remove(&(completed(self.ops[index]), index));
        while self.first < self.ops.len() && !self.is_unplaced(self.first) {
            self.first += 1;
        }
    }
}

fn key(op: &Op) -> Option<&str> {
    if let Ask::Command(request) = &op.ask { request.key.as_deref() } else { None }
}

/// When it is over, if anybody knows.
fn completed(op: &Op) -> u64 {
    if matches!(op.answer, Answer::Unknown | Answer::Nobody) { u64::MAX } else { op.completed }
}

struct Sweep<'t> {
    model: Model,
    /// In the fold of the events.
    figures: BTreeMap<Name, Figures>,
    last_ts: Option<tallybook::Timestamp>,
    /// Refusals without a `seq`, until an event gives their number.
    suppressed: BTreeMap<(Name, &'static str), u64>,
    tally: &'t mut Tally,
}

impl Sweep<'_> {
    /// Places what changes nothing and fits here.
    fn place_silent(&mut self, open: &mut Open<'_>) {
        // What is placed may make room for what came after it.
        loop {
            let fits = |&index: &usize| self.fits_silently(open.ops[index], open.is_clean);
            let Some(index) = open.candidates().into_iter().find(fits) else { return };
            open.place(index);
            if let Answer::Refused(refused) = &open.ops[index].answer
                && refused.suppressed
            {
                *self.suppressed.entry((refused.budget.clone(), refused.kind)).or_default() += 1;
            }
            self.tally.count(match &open.ops[index].answer {
                Answer::Read(_) => "reads",
                Answer::Refused(refused) if refused.suppressed => "refusals without an event",
                Answer::Rejected(_) => "rejections",
                Answer::Done(_, true, _) | Answer::Refused(_) => "retries",
                _ => "that changed nothing",
            });
        }
    }

    fn fits_silently(&self, op: &Op, is_clean: bool) -> bool {
        // Of an engine that has just ended, a check shows the last state.
        let asks_the_writer = match op.ask {
            Ask::View => false,
            Ask::Check(..) => is_clean,
            _ => true,
        };
        match &op.answer {
            Answer::Unknown | Answer::Nobody => return false,
            Answer::Read(Shown::Whole(whole)) if whole.seq != self.model.seq => return false,
            _ if asks_the_writer && self.model.overdue(op.clock).is_some() => return false,
            _ => {}
        }
        let (_, reply) = self.tried(op, None);
        reply.facts.is_empty() && is_answer(&reply, &op.answer)
    }

    fn tried(&self, op: &Op, frame: Option<&Frame>) -> (Model, Reply) {
        let mut model = self.model.clone();
        let slot = Slot {
            first_seq: self.model.seq + 1,
            ts: frame.map_or(op.clock, |frame| frame.ts),
            made: frame.and_then(|frame| frame.made.as_ref()),
        };
        let reply = model.apply(&op.ask, &slot);
        (model, reply)
    }

    fn place_frame(&mut self, frame: &Frame, open: &mut Open<'_>) -> Result<(), String> {
        if frame.first_seq != self.model.seq + 1 {
            return Err(format!("expected seq {}", self.model.seq + 1));
        }
        if !self.place_engines_own(frame)? {
            let index = match open.by_seq.get(&frame.first_seq) {
                Some(&index) => index,
                None => self.find_unheard(frame, open)?,
            };
            open.may_come(index)?;
            self.place_op(frame, open.ops[index])?;
            open.place(index);
        }
        self.model.seq = frame.last_seq;
        self.last_ts = Some(frame.ts);
        self.figures.extend(frame.changed.iter().cloned());
        self.check_figures()
    }

    /// An event of something whose caller was not told that it has one.
    fn find_unheard(&self, frame: &Frame, open: &Open<'_>) -> Result<usize, String> {
        let fits = |&index: &usize| {
            let op = open.ops[index];
            let is_unheard = matches!(op.answer, Answer::Unknown | Answer::Nobody | Answer::Typed(_));
            // Two may ask for the same at the same time; whose it was, only the key tells.
            is_unheard && key(op) == frame.key.as_deref() && {
                let (_, reply) = self.tried(op, Some(frame));
                is_same(&reply.facts, &frame.facts) && is_answer(&reply, &op.answer)
            }
        };
        let found = open.candidates().into_iter().find(fits);
        found.ok_or_else(|| {
            let first = open.unplaced.first().map(|(_, index)| {
                let op = open.ops[*index];
                format!("{op:?}\n  here: {:?}", self.tried(op, None).1)
            });
            format!("nobody asked for it, or not before what has no place: {first:?}")
        })
    }

    fn place_op(&mut self, frame: &Frame, op: &Op) -> Result<(), String> {
        // What is due comes before whatever is asked later.
        let is_answered = !matches!(op.answer, Answer::Unknown | Answer::Nobody);
        let by = self.last_ts.max(Some(op.clock)).filter(|_| is_answered);
        if let Some(id) = by.and_then(|by| self.model.overdue(by)) {
            return Err(format!("reservation {id} should have expired before {op:?}"));
        }
        let (model, reply) = self.tried(op, Some(frame));
        let last_seq = frame.first_seq + reply.facts.len().max(1) as u64 - 1;
        if !is_same(&reply.facts, &frame.facts) || last_seq != frame.last_seq {
            return Err(format!("of {op:?}\n  expected the events {:?}", reply.facts));
        }
        if !is_answer(&reply, &op.answer) {
            return Err(format!("of {op:?}\n  expected the answer {:?}", reply.answer));
        }
        self.model = model;
        self.tally.count(match &op.answer {
            Answer::Refused(_) => "refusals",
            Answer::Unknown => "unknown, and done",
            Answer::Nobody => "done unattended",
            _ => "done",
        });
        self.check_admission(frame, op)
    }

    /// What is admitted passes no hard limit, whatever else the model may think of it.
    fn check_admission(&self, frame: &Frame, op: &Op) -> Result<(), String> {
        let is_granted =
            frame.facts.iter().any(|fact| fact.starts_with("spent") || fact.starts_with("reserved"));
        let Ask::Command(request) = &op.ask else { return Ok(()) };
        let budget = match &request.command {
            Command::RecordSpend(record) if !record.incurred => &record.budget_id,
            Command::Reserve(new) => &new.budget_id,
            _ => return Ok(()),
        };
        match self.model.overspent(&name(budget)).filter(|_| is_granted) {
            Some(over) => Err(format!("budget {over} is overspent by {op:?}")),
            None => Ok(()),
        }
    }

    /// Expiries, and the number of refusals that have no events of their own.
    fn place_engines_own(&mut self, frame: &Frame) -> Result<bool, String> {
        let first = frame.facts.first().map_or("", String::as_str);
        if first.starts_with("expired ") {
            let ids: Vec<Name> =
                frame.facts.iter().filter_map(|fact| fact.strip_prefix("expired ").map(name)).collect();
            let slot = Slot { first_seq: frame.first_seq, ts: frame.ts, made: None };
            let facts = self.model.expire(&ids, &slot)?;
            self.tally.add("expiries", ids.len() as u64);
            return if facts == frame.facts { Ok(true) } else { Err(format!("expected {facts:?}")) };
        }
        if !first.starts_with("suppressed ") {
            return Ok(false);
        }
        let says = |((budget, kind), count): (&(Name, &'static str), &u64)| {
            format!("suppressed {count} {kind} {budget}") == first
        };
        let counted = self.suppressed.iter().find(|entry| says(*entry)).map(|(what, _)| what.clone());
        match counted.filter(|_| frame.facts.len() == 1) {
            Some(what) => self.suppressed.remove(&what),
            None => return Err(format!("expected the number of {:?}", self.suppressed)),
        };
        Ok(true)
    }

    /// What the events fold to is what the model adds up; and at every node it is all accounted for.
    fn check_figures(&self) -> Result<(), String> {
        let expected = self.model.all_figures();
        if expected == self.figures {
            return Ok(());
        }
        let other = expected.iter().find(|(id, figures)| self.figures.get(*id) != Some(figures));
        Err(format!("of budget {other:?}\n  found {:?}", other.map(|(id, _)| self.figures.get(id))))
    }

    /// The end of a session: whoever was answered has a place, and what nobody hears of was done in peace.
    fn end(&mut self, session: &Session, open: &Open<'_>) -> Result<(), String> {
        for &(_, index) in &open.unplaced {
            let op = open.ops[index];
            let is_done = match (&op.answer, &op.ask) {
                (Answer::Unknown, _) => true,
                (Answer::Nobody, Ask::Drop(id)) => !session.is_clean || !self.model.is_open(id),
                (Answer::Nobody, _) => !session.is_clean,
                _ => false,
            };
            if !is_done {
                let (_, reply) = self.tried(op, None);
                return Err(format!("{op:?}\n  has no place; at the end: {reply:?}, at {}", self.model.seq));
            }
        }
        if session.is_clean && !self.suppressed.is_empty() {
            return Err(format!("expected an event for refusals without one: {:?}", self.suppressed));
        }
        self.suppressed.clear();
        Ok(())
    }
}

/// Whether the model answers what the caller got.
fn is_answer(reply: &Reply, found: &Answer) -> bool {
    match (found, &reply.answer) {
        (Answer::Unknown, _) => true,
        (Answer::Typed(found), Answer::Done(_, _, expected)) => found == expected,
        (found, expected) => found == expected,
    }
}

/// In whatever order.
fn is_same(expected: &[String], found: &[String]) -> bool {
    let sorted = |facts: &[String]| {
        let mut facts = facts.to_vec();
        facts.sort_unstable();
        facts
    };
    expected == found || sorted(expected) == sorted(found)
}

//! The shadow: an oracle that runs every command a second time on state of its own, and so knows, byte for byte, what
//! has to be in the journal.

use std::sync::{Arc, OnceLock};

use tallybook::domain::{Command, Context, Decision, Elapse, decide, fingerprint};
use tallybook::event::{EventKey, encode_event};
use tallybook::projection::Projection;
use tallybook::{
    Blocking, ChangeEvent, Clock, Head, ManualClock, Payload, Request, Rules, StateHash, Timestamp,
};

use super::Answer;

/// What a command has to lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Predicted {
    /// These events.
    Events(u64, u64),
    /// None: it changes nothing, or makes no sense.
    Nothing,
    /// Those of the first time.
    Retried(u64, u64),
}

impl Predicted {
    /// Whether an engine at which nothing goes wrong may answer so.
    pub(crate) fn allows(self, answer: Answer) -> bool {
        let Answer::Acknowledged(seqs, retried) = answer else { return false };
        match self {
            Predicted::Events(first, last) => seqs == Some((first, last)) && retried != Some(true),
            Predicted::Nothing => seqs.is_none() && retried != Some(true),
            Predicted::Retried(first, last) => seqs == Some((first, last)) && retried != Some(false),
        }
    }
}

/// Knows all events that were handed to the engine, acknowledged or not.
#[derive(Debug, Clone)]
pub(crate) struct Shadow {
    rules: Rules,
    lines: Vec<Arc<[u8]>>,
    /// The state at the end of each command, so that the ones that a crash took back can be taken back here, too.
    steps: Vec<Arc<Step>>,
    acknowledged: u64,
}

/// The end of a command.
#[derive(Debug)]
struct Step {
    projection: Projection,
    /// Made when it is asked for.
    state_hash: OnceLock<StateHash>,
}

impl Step {
    fn new(projection: Projection) -> Arc<Step> {
        Arc::new(Step { projection, state_hash: OnceLock::new() })
    }

    fn state_hash(&self) -> StateHash {
        *self.state_hash.get_or_init(|| self.projection.state.state_hash())
    }
}

/// What has to be there after a crash: everything up to `at_least`, nothing after `at_most`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) at_least: u64,
    pub(crate) at_most: u64,
}

impl Default for Shadow {
    fn default() -> Shadow {
        Shadow {
            rules: Rules::default(),
            lines: Vec::new(),
            steps: vec![Step::new(Projection::default())],
            acknowledged: 0,
        }
    }
}

impl Shadow {
    pub(crate) fn projection(&self) -> &Projection {
        &self.last_step().projection
    }

    fn last_step(&self) -> &Step {
        self.steps.last().expect("the first step is never taken back")
    }

    /// The last `seq` that there may be.
    pub(crate) fn seq(&self) -> u64 {
        self.projection().seq
    }

    /// The last `seq` that there has to be.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Notes that everything up to `seq` has to be there from now on.
    pub(crate) fn acknowledge(&mut self, seq: u64) {
        assert!(seq <= self.seq(), "seq {seq} was acknowledged, and only {} were handed over", self.seq());
        self.acknowledged = self.acknowledged.max(seq);
    }

    /// Lets happen what is due by now, as an engine does before anything else (law HONEST).
    pub(crate) fn elapse(&mut self, clock: &ManualClock) {
        loop {
            let now = clock.now().max(self.projection().last_ts);
            let deadline = self.projection().state.next_deadline();
            if deadline.is_none_or(|deadline| deadline > now) {
                return;
            }
            let (request, seq) = (Request::from(Elapse { max_events: 256 }), self.seq());
            self.carry_out(&request, now);
            assert!(self.seq() > seq, "something is due that cannot be done");
        }
    }

    /// Carries the command out in the shadow.
    pub(crate) fn predict(&mut self, request: &Request, clock: &ManualClock) -> Predicted {
        self.elapse(clock);
        self.predict_at_once(request, clock)
    }

    /// The same where what is due waits, for want of room.
    pub(crate) fn predict_at_once(&mut self, request: &Request, clock: &ManualClock) -> Predicted {
        self.carry_out(request, clock.now().max(self.projection().last_ts))
    }

    fn carry_out(&mut self, request: &Request, now: Timestamp) -> Predicted {
        if let Command::CreateGoal(new) = &request.command {
            assert!(new.goal_id.is_some(), "the shadow cannot guess ids");
        }
        let context = Context { now, rules: &self.rules, new_id: uuid::Uuid::nil(), veto: None };
        match decide(&self.projection().state, request, &context) {
            Decision::Events(payloads) => self.take(payloads, request, now),
            Decision::Refused(payload, _) => self.take(vec![*payload], request, now),
            Decision::Retried(first) => Predicted::Retried(first.first_seq, first.last_seq),
            Decision::Unchanged(_) | Decision::Rejected(_) | Decision::Suppressed(_) => Predicted::Nothing,
        }
    }

    fn take(&mut self, payloads: Vec<Payload>, request: &Request, ts: Timestamp) -> Predicted {
        let first = self.seq() + 1;
        let mut projection = self.projection().clone();
        for (seq, payload) in (first..).zip(payloads) {
            let fingerprint = (seq == first).then(|| fingerprint(request));
            let event = ChangeEvent {
                seq,
                ts,
                session_id: request.session_id.clone(),
                actor: request.actor.clone(),
                key: request.key.clone().map(|key: Arc<str>| EventKey { key, fingerprint }),
                meta: request.meta.clone(),
                payload,
            };
            projection.apply(&event).unwrap();
            let mut line = Vec::new();
            encode_event(&event, &mut line);
            self.lines.push(line.into());
        }
        let last = projection.seq;
        self.steps.push(Step::new(projection));
        Predicted::Events(first, last)
    }

    /// Takes back everything after `seq`, which has to be the end of a command (law ATOMIC).
    pub(crate) fn take_back_to(&mut self, seq: u64) {
        while self.seq() > seq {
            self.steps.pop();
        }
        assert_eq!(self.seq(), seq, "law ATOMIC: a command is there in part");
        self.lines.truncate(usize::try_from(seq).unwrap());
    }

    /// Compares an engine that was just opened, and the journal under it, with what has to be there: laws ORDER,
    /// ATOMIC, DURABLE, FOLD. What was handed over and is not there is taken back.
    pub(crate) fn check(&mut self, engine: &Blocking, lines: &[super::Line]) {
        let head = engine.view().head();
        self.check_lines(lines);
        assert_eq!(head.seq, self.seq(), "the engine and a reader disagree");
        assert_eq!(
            head.state_hash,
            self.last_step().state_hash(),
            "law FOLD: the engine's state is not the fold of its events, at seq {}",
            head.seq
        );
    }

    /// The same for the journal alone.
    pub(crate) fn check_lines(&mut self, lines: &[super::Line]) {
        for (line, seq) in lines.iter().zip(1..) {
            assert_eq!(line.seq, seq, "law ORDER: a gap, or a seq twice");
        }
        let count = lines.len() as u64;
        let acknowledged = self.acknowledged;
        assert!(
            count >= acknowledged,
            "law DURABLE: seq {count} is the last, {acknowledged} was acknowledged"
        );
        assert!(count <= self.seq(), "there are {count} events, and only {} were handed over", self.seq());
        for (line, expected) in lines.iter().zip(&self.lines) {
            let texts = (String::from_utf8_lossy(&line.bytes), String::from_utf8_lossy(expected));
            assert_eq!(texts.0, texts.1, "law EVIDENCE: seq {} was altered", line.seq);
        }
        self.take_back_to(count);
        assert_eq!(refold(lines).state_hash(), self.last_step().state_hash(), "law FOLD");
    }

    /// The same where older events are pruned: `lines` are those from the floor on.
    pub(crate) fn check_pruned(&mut self, engine: &Blocking, floor: u64, lines: &[super::Line]) {
        let count = floor - 1 + lines.len() as u64;
        for (line, seq) in lines.iter().zip(floor..) {
            assert_eq!(line.seq, seq, "law ORDER: a gap, or a seq twice");
        }
        let acknowledged = self.acknowledged;
        assert!(
            count >= acknowledged,
            "law DURABLE: seq {count} is the last, {acknowledged} was acknowledged"
        );
        assert!(count <= self.seq(), "there are {count} events, and only {} were handed over", self.seq());
        let first = usize::try_from(floor - 1).unwrap();
        for (line, expected) in lines.iter().zip(&self.lines[first..]) {
            let texts = (String::from_utf8_lossy(&line.bytes), String::from_utf8_lossy(expected));
            assert_eq!(texts.0, texts.1, "law EVIDENCE: seq {} was altered", line.seq);
        }
        self.take_back_to(count);
        let head = engine.view().head();
        assert_eq!(head.seq, self.seq(), "the engine and a reader disagree");
        assert_eq!(
            head.state_hash,
            self.last_step().state_hash(),
            "law RETAIN: the engine's state is not that of the unpruned twin, at seq {}",
            head.seq
        );
    }

    /// Compares what an opening after a crash came to with what has to be there, and takes nothing back. `lines` are those
    /// from `floor` on. The last `seq` that is there.
    pub(crate) fn expect(&self, expected: Expected, head: &Head, floor: u64, lines: &[super::Line]) -> u64 {
        let count = floor - 1 + lines.len() as u64;
        for (line, seq) in lines.iter().zip(floor..) {
            assert_eq!(line.seq, seq, "law ORDER: a gap, or a seq twice");
        }
        let Expected { at_least, at_most } = expected;
        assert!(count >= at_least, "law DURABLE: seq {count} is the last, {at_least} was acknowledged");
        assert!(count <= at_most, "there are {count} events, and only {at_most} were handed over");
        let first = usize::try_from(floor - 1).unwrap();
        for (line, expected) in lines.iter().zip(&self.lines[first..]) {
            if line.bytes[..] != expected[..] {
                let texts = (String::from_utf8_lossy(&line.bytes), String::from_utf8_lossy(expected));
                assert_eq!(texts.0, texts.1, "law EVIDENCE: seq {} was altered", line.seq);
            }
        }
        assert_eq!(head.seq, count, "the engine and a reader disagree");
        let step = self.steps.binary_search_by_key(&count, |step| step.projection.seq);
        let step =
            step.unwrap_or_else(|_| panic!("law ATOMIC: a command is there in part, up to seq {count}"));
        assert_eq!(
            head.state_hash,
            self.steps[step].state_hash(),
            "law FOLD: the engine's state is not the fold of its events, at seq {count}"
        );
        count
    }

    /// What an event has to be.
    pub(crate) fn line(&self, seq: u64) -> &[u8] {
        &self.lines[usize::try_from(seq - 1).unwrap()]
    }

    /// What every snapshot of the first `seq` events has to say of itself; `None`: it is in the middle of a command.
    pub(crate) fn state_hash_at(&self, seq: u64) -> Option<StateHash> {
        let step = self.steps.binary_search_by_key(&seq, |step| step.projection.seq);
        step.ok().map(|step| self.steps[step].state_hash())
    }

    /// The lines of all events, from the first on.
    pub(crate) fn history(&self) -> Vec<super::Line> {
        let line = |(bytes, seq): (&Arc<[u8]>, u64)| super::Line {
            seq,
            bytes: bytes.to_vec(),
            file: String::new(),
            offset: 0,
            length: 0,
        };
        self.lines.iter().zip(1..).map(line).collect()
    }

    /// From now on everything that is there has been seen, and has to stay.
    pub(crate) fn expose(&mut self) {
        self.acknowledged = self.seq();
    }
}

/// The fold of lines as they were read, by nobody's help.
pub(crate) fn refold(lines: &[super::Line]) -> tallybook::domain::State {
    let mut projection = Projection::default();
    for line in lines {
        let event = tallybook::event::decode_event(&line.bytes).unwrap();
        projection.apply(&event).unwrap();
    }
    projection.state
}

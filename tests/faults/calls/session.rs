//! A session of a life: opened, used, looked at from outside, closed; with what was planned going wrong on the way.

use tallybook::event::encode_event;
use tallybook::{
    Blocking, CommandError, EngineStatus, Error, ErrorKind, FeedItem, NewGoal, Request, Start, Subscription,
};

use super::life::{Life, index};
use super::look;
use super::watch::{Hit, Watch};
use crate::common::{self, Answer, DEADLINE, Predicted, answer_of};

/// What is done in a session, and how it ends.
#[derive(Debug, Clone)]
pub(super) struct Script {
    /// How many commands are handed over at once, each time.
    pub(super) batches: Vec<u64>,
    /// After which of them somebody looks from outside.
    pub(super) looks: Option<usize>,
    /// After which of them a full disk has room again.
    pub(super) has_room_after: Option<usize>,
    pub(super) ends_by: End,
}

/// How a session ends in which nothing goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Close,
    Kill,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    NotOpened,
    Halted,
    LivedOn,
}

/// What was seen of a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) outcome: Outcome,
    pub(super) commands: u64,
    /// How many commands were refused for want of room.
    pub(super) refused: u64,
    /// Whether the engine told of an upkeep that failed.
    pub(super) has_told: bool,
    /// How many subscriptions, and looks from outside, failed.
    pub(super) readers_failed: u64,
}

/// Carries a script out.
pub(super) fn run(life: &mut Life, script: &Script, watch: &Watch) -> Seen {
    let mut seen =
        Seen { outcome: Outcome::LivedOn, commands: 0, refused: 0, has_told: false, readers_failed: 0 };
    life.settle_doubt();
    let segments = common::segments(&life.disk);
    let options = life.options();
    let engine = match options.open_storage(watch.process()) {
        Ok(engine) => engine.blocking(),
        Err(error) => {
            expect_honest_refusal(life, &error, &watch.hits(), &segments);
            seen.outcome = Outcome::NotOpened;
            return seen;
        }
    };
    life.opened(&engine);
    let feed = subscribe(&engine, watch, Start::after_view(&engine.view()));
    let last_fed = engine.view().seq();
    let mut session =
        Session { life, watch, engine: &engine, feed, last_fed, fed: Vec::new(), may_lack_room: false, seen };
    session.run(script);
    let (fed, seen) = (session.fed, session.seen);
    expect_fed_as_decided(life, &fed);
    // Whatever happened, the journal is free now, also as long as the handle is there.
    seen
}

/// A subscription begins by reading: where that fails it tells, and the next one does not.
fn subscribe(engine: &Blocking, watch: &Watch, start: Start) -> Subscription {
    loop {
        let hits = watch.hit_count();
        match engine.subscribe(start) {
            Ok(feed) => return feed,
            Err(error) => {
                assert!(watch.hit_count() > hits, "a subscription failed by itself: {error}");
                assert_eq!(*error.kind(), ErrorKind::Io, "{error}");
            }
        }
    }
}

/// An opening may fail where a call failed or the disk is full, and says so; nothing was changed then that was there.
fn expect_honest_refusal(life: &Life, error: &Error, hits: &[Hit], segments: &[(String, Vec<u8>)]) {
    let is_full = life.is_full();
    assert!(!hits.is_empty() || is_full, "an honest journal was refused: {error}");
    let may_lack_room = is_full || hits.iter().any(Hit::is_short_of_room);
    assert!(
        *error.kind() == ErrorKind::Io || (may_lack_room && *error.kind() == ErrorKind::NoSpace),
        "{hits:?}: {error:?}"
    );
    let text = error.to_string();
    assert!(!text.contains("floor") && !text.contains("archiv"), "the upkeep refused it: {error}");
    if hits.iter().all(Hit::is_read) && !is_full {
        assert!(common::segments(&life.disk) == segments, "{hits:?}: a segment was changed");
    }
}

/// What was fed is, byte for byte, what was decided.
fn expect_fed_as_decided(life: &Life, fed: &[(u64, Vec<u8>)]) {
    if fed.is_empty() {
        return;
    }
    let history = life.shadow.history();
    for (seq, bytes) in fed {
        let decided = &history[index(seq - 1)].bytes;
        assert!(bytes == decided, "the feed: seq {seq} is {}", String::from_utf8_lossy(bytes));
    }
}

/// A session with an engine.
struct Session<'a> {
    life: &'a mut Life,
    watch: &'a Watch,
    engine: &'a Blocking,
    feed: Subscription,
    last_fed: u64,
    fed: Vec<(u64, Vec<u8>)>,
    /// Whether there may have been no room for what was handed over last.
    may_lack_room: bool,
    seen: Seen,
}

impl Session<'_> {
    fn run(&mut self, script: &Script) {
        let unknown = std::mem::take(&mut self.life.unknown);
        // Law EXACT: a retry with the same key after an unknown outcome books exactly once.
        if !unknown.is_empty() {
            let predicted = unknown.iter().map(|request| self.life.predict(request)).collect();
            // Also if it is never written: the seqs before are those that are there.
            let before = self.engine.view().seq();
            if !self.hand_over(unknown, predicted, before) {
                return;
            }
        }
        for (number, count) in script.batches.iter().enumerate() {
            let before = self.life.shadow.seq();
            let (requests, predicted) = self.life.requests(*count);
            if !self.hand_over(requests, predicted, before) {
                return;
            }
            if script.looks == Some(number) && !look::from_outside(self.life, self.watch, self.engine) {
                self.seen.readers_failed += 1;
            }
            if script.has_room_after == Some(number) {
                self.life.set_room(None);
            }
        }
        self.end(script.ends_by);
    }

    fn end(&mut self, ends_by: End) {
        if ends_by == End::Kill {
            self.life.in_cache = self.engine.view().seq();
            return self.life.disk.kill();
        }
        // An engine that looks at the clock sees what is due.
        let before = self.life.shadow.seq();
        self.life.elapse(256);
        let published = self.engine.view().seq();
        let hits = self.watch.hit_count();
        match self.engine.shutdown(DEADLINE) {
            Ok(()) => {
                let seq = self.engine.view().seq();
                self.note_room(hits);
                if self.may_lack_room {
                    self.life.shadow.take_back_to(before);
                    assert!(self.life.settle(&[], seq), "after seq {before}, up to {seq}");
                }
                assert_eq!(self.life.shadow.seq(), seq, "the state is not what was answered");
                self.life.shadow.acknowledge(seq);
                self.drain();
            }
            Err(error) => {
                assert_eq!(*error.kind(), ErrorKind::Halted, "{error}");
                let seq = self.engine.view().seq();
                // What was due may have been answered before.
                let is_elapsed = seq == self.life.shadow.seq();
                self.halted(if is_elapsed { seq } else { published });
            }
        }
    }

    /// Hands commands over at once, and notes how they ended. Whether the engine still runs.
    fn hand_over(&mut self, requests: Vec<Request>, predicted: Vec<Predicted>, before: u64) -> bool {
        self.seen.commands += requests.len() as u64;
        let published = self.engine.view().seq();
        let hits = self.watch.hit_count();
        let pending = match self.engine.submit_all(requests.clone()) {
            Ok(pending) => pending,
            Err(error) => {
                assert_eq!(*error.kind(), ErrorKind::Halted, "it halted after its last answer");
                self.life.shadow.take_back_to(before);
                self.life.unknown = requests;
                return self.halted(published);
            }
        };
        let answers: Vec<_> = pending.into_iter().map(|pending| answer_of(&pending.wait())).collect();
        self.note_room(hits);
        if answers.contains(&Answer::Unknown) || answers.contains(&Answer::Halted) {
            let is_answered = |answer: &Answer| matches!(answer, Answer::Acknowledged(..) | Answer::NoSpace);
            assert!(!answers.iter().any(is_answered), "answered, and not durable: {answers:?}");
            if self.may_lack_room {
                self.life.in_doubt = Some((before, requests.clone()));
            }
            self.life.unknown = requests;
            return self.halted(published);
        }
        if answers.contains(&Answer::NoSpace) {
            assert!(self.may_lack_room, "there is room: {answers:?}");
            self.seen.refused += answers.iter().filter(|answer| **answer == Answer::NoSpace).count() as u64;
        }
        if self.may_lack_room {
            self.life.shadow.take_back_to(before);
            let all: Vec<_> = requests.into_iter().zip(answers).collect();
            let seq = self.engine.view().seq();
            assert!(self.life.settle(&all, seq), "after seq {before}, up to {seq}: {all:?}");
        } else {
            for ((request, predicted), answer) in requests.iter().zip(predicted).zip(&answers) {
                assert!(predicted.allows(*answer), "{request:?}: {predicted:?}, {answer:?}");
            }
        }
        self.look_after_batch()
    }

    /// Notes whether there may have been no room, after so many calls that had failed before.
    fn note_room(&mut self, hits: usize) {
        let is_short = self.watch.hits()[hits..].iter().any(Hit::is_short_of_room);
        self.may_lack_room = self.life.is_full() || is_short;
    }

    fn look_after_batch(&mut self) -> bool {
        let health = self.engine.engine().health();
        assert_eq!(health.seq, self.engine.view().seq());
        assert_eq!(self.life.shadow.seq(), health.seq, "the state is not what was answered");
        self.life.shadow.acknowledge(health.durable_seq);
        self.seen.has_told |= health.last_upkeep_error.is_some();
        assert!(health.last_upkeep_error.is_none() || health.upkeep_failures > 0);
        if health.status == EngineStatus::Halted {
            // After its last answer, while it prepared for more.
            return self.halted(health.seq);
        }
        self.drain();
        assert_eq!(self.last_fed, health.seq, "the feed: something is missing");
        true
    }

    /// Takes out of the feed what there is, which is durable at the level and without a gap.
    fn drain(&mut self) {
        while let Some(error) = self.drain_until_it_ends() {
            assert_eq!(*error.kind(), ErrorKind::Io, "{error}");
            self.seen.readers_failed += 1;
        }
    }

    /// The same, until it fails: with what.
    fn drain_until_it_ends(&mut self) -> Option<Error> {
        loop {
            let hits = self.watch.hit_count();
            match self.feed.try_next() {
                Ok(Some(FeedItem::Event(event))) => {
                    let seq = event.event.seq;
                    assert_eq!(seq, self.last_fed + 1, "law ORDER, in the feed");
                    self.last_fed = seq;
                    let mut bytes = Vec::new();
                    encode_event(&event.event, &mut bytes);
                    self.fed.push((seq, bytes));
                }
                Ok(Some(FeedItem::Reset(reset))) => {
                    assert!(self.life.terms.keep.is_some(), "nothing is pruned: {:?}", reset.cause);
                    assert!(reset.view.seq() >= self.last_fed, "the feed went back");
                    self.last_fed = reset.view.seq();
                }
                Ok(Some(_)) => {}
                Ok(None) => {
                    let durable = self.engine.engine().health().durable_seq;
                    assert!(
                        self.last_fed <= durable || !self.life.is_synced_at_once(),
                        "law DURABLE: seq {} was fed, {durable} is durable",
                        self.last_fed
                    );
                    return None;
                }
                Err(error) if *error.kind() == ErrorKind::Halted => return Some(error),
                Err(error) => {
                    assert!(self.watch.hit_count() > hits, "the feed failed by itself: {error}");
                    self.feed = subscribe(self.engine, self.watch, Start::From(self.last_fed + 1));
                    return Some(error);
                }
            }
        }
    }

    /// Law HALT, and law DURABLE: nothing goes on, and nothing that is not durable can be seen. `published`: what was.
    fn halted(&mut self, published: u64) -> bool {
        let (engine, hits) = (self.engine, self.watch.hits());
        self.seen.outcome = Outcome::Halted;
        let health = engine.engine().health();
        assert_eq!(health.status, EngineStatus::Halted);
        let error = health.last_error.expect("it says why").to_string();
        assert!(!hits.is_empty() || self.life.is_full(), "it halted by itself: {error}");
        if let ([hit], false) = (&hits[..], self.life.is_full()) {
            assert!(!hit.is_survivable(), "it need not have halted: {hit:?}, {error}");
        }
        let upkeep = ["snapshot", "pruned", "floor", "torn", "archiv"];
        assert!(!upkeep.iter().any(|word| error.contains(word)), "the upkeep halted it: {error}");
        assert_eq!(engine.view().seq(), published, "the state was published ahead of what is durable");
        self.life.shadow.acknowledge(health.durable_seq);
        if self.life.is_synced_at_once() {
            assert_eq!(published, self.life.shadow.acknowledged(), "published, and not durable");
        }
        self.life.in_cache = published;
        let fed = loop {
            match self.drain_until_it_ends() {
                Some(error) if *error.kind() == ErrorKind::Io => self.seen.readers_failed += 1,
                other => break other,
            }
        };
        assert_eq!(
            fed.map(|error| error.kind().clone()),
            Some(ErrorKind::Halted),
            "the feed says why it ends"
        );
        assert_eq!(self.last_fed, published, "everything that was published was fed, and no more");
        let is_refused = |kind: &ErrorKind| *kind == ErrorKind::Halted;
        match engine.execute(NewGoal::new("too late")) {
            Err(CommandError::Engine(error)) => assert!(is_refused(error.kind()), "law HALT: {error}"),
            other => panic!("law HALT: too late, and answered {other:?}"),
        }
        assert!(is_refused(engine.settled_view().unwrap_err().kind()));
        assert!(is_refused(engine.wait_for(published + 1).unwrap_err().kind()));
        assert_eq!(*engine.shutdown(DEADLINE).unwrap_err().kind(), ErrorKind::Halted);
        false
    }
}

impl Life {
    /// What a process finds that has opened the journal: all that is there will stay there.
    fn opened(&mut self, engine: &Blocking) {
        let head = engine.view().head();
        assert!(head.seq >= self.in_cache, "the end of a process took back what it had answered");
        assert!(head.seq >= self.shadow.acknowledged(), "law DURABLE: seq {} is the last", head.seq);
        self.shadow.take_back_to(head.seq);
        let expected = self.shadow.projection().state.state_hash();
        assert_eq!(head.state_hash, expected, "law FOLD: at seq {}", head.seq);
        self.shadow.expose();
        self.in_cache = head.seq;
    }

    /// What commands have led to, up to `seq`, whose engine may have had no room: what is due comes before a command, or some
    /// of it, or it waits. `false` when they cannot have been answered so.
    fn settle(&mut self, answered: &[(Request, Answer)], seq: u64) -> bool {
        let before = self.shadow.seq();
        for due in [256, 0, 1, 2, 3, 4, 5] {
            self.shadow.take_back_to(before);
            let has_come = (0..due).take_while(|_| self.elapse(if due == 256 { 256 } else { 1 })).count();
            if due > 0 && has_come == 0 {
                continue;
            }
            let is_settled = match answered.split_first() {
                None => self.shadow.seq() == seq,
                Some(((_, Answer::NoSpace), rest)) => self.settle(rest, seq),
                Some(((request, answer), rest)) => {
                    let predicted = self.shadow.predict_at_once(request, &self.clock);
                    predicted.allows(*answer) && self.shadow.seq() <= seq && self.settle(rest, seq)
                }
            };
            if is_settled {
                return true;
            }
        }
        self.shadow.take_back_to(before);
        false
    }
}

//! What is known of a journal outside of it: every answer that a client had, and every event that a reader has seen. Holds
//! the journal to it (laws ORDER, ATOMIC, DURABLE, FOLD, EVIDENCE, RETAIN, EXACT).

use std::collections::BTreeMap;

use tallybook::event::decode_event;
use tallybook::projection::Projection;
use tallybook::{Blocking, ChangeEvent, JournalReader, StateAt};

use super::bookkeeper::Bookkeeper;
use super::commands::{CLIENTS, OF_STEWARD, STEWARD, command, expect_done, expect_refused, parse_key};
use super::record::Record;
use super::told::{Answer, Told, kind_of};
use crate::tally::Tally;

/// How many commands are given again of those that were answered.
const ANSWERED_AGAIN: u64 = 3;

/// An event that was seen, and the frame that it was in.
#[derive(Debug)]
struct Seen {
    event: ChangeEvent,
    line: Vec<u8>,
}

/// What is known outside.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// The answer to each command, by client and number.
    answers: BTreeMap<(u64, u64), Answer>,
    /// Those that the journal was not held to yet.
    unchecked: Vec<(u64, u64)>,
    /// What an engine said of itself: at that `seq`, that hash.
    heads: Vec<(u64, String)>,
    /// Every event that was seen, from the first on.
    seen: Vec<Seen>,
    /// The seqs of the events of each command.
    spans: BTreeMap<(u64, u64), (u64, u64)>,
    /// The fold of what was seen.
    projection: Projection,
    bookkeeper: Bookkeeper,
    /// The highest floor that was seen.
    floor: u64,
}

impl Witness {
    /// Where each client has to go on: a few commands before the first that has no answer.
    pub(crate) fn begin(&self) -> Vec<u64> {
        let first_unanswered = |client| {
            let answered =
                self.answers.range((client, 0)..=(client, u64::MAX)).map(|((_, number), _)| *number);
            (0..).zip(answered).find(|(expected, number)| expected != number).map_or_else(
                || self.answers.range((client, 0)..=(client, u64::MAX)).count() as u64,
                |(gap, _)| gap,
            )
        };
        let again = |client| if client == STEWARD { OF_STEWARD } else { ANSWERED_AGAIN };
        (0..=CLIENTS).map(|client| first_unanswered(client).saturating_sub(again(client))).collect()
    }

    /// The last `seq` that was seen.
    pub(crate) fn seq(&self) -> u64 {
        self.seen.len() as u64
    }

    /// Notes what a victim told.
    pub(crate) fn note(&mut self, told: &[Told], tally: &mut Tally) {
        for told in told {
            match told {
                Told::Answered(client, number, answer) => {
                    tally.count("answers");
                    self.note_answer((*client, *number), *answer, tally);
                }
                Told::Opened(seq, hash) => self.heads.push((*seq, hash.clone())),
                Told::Failed(_, _, kind) if kind == "OutcomeUnknown" => tally.count("outcomes unknown"),
                _ => {}
            }
        }
    }

    fn note_answer(&mut self, command: (u64, u64), answer: Answer, tally: &mut Tally) {
        assert!(answer != Answer::Senseless, "command {command:?} makes sense, and was answered otherwise");
        match (self.answers.get(&command), answer) {
            (Some(Answer::Done(first, last, _)), answer) => {
                assert_eq!(answer, Answer::Done(*first, *last, true), "law EXACT: {command:?} once more");
                tally.count("retries recognised");
                return;
            }
            (Some(Answer::Refused(Some(seq))), answer) => {
                assert_eq!(answer, Answer::Refused(Some(*seq)), "law EXACT: {command:?} once more");
                tally.count("retries recognised");
                return;
            }
            // One of too many alike leaves its key unused.
            (Some(_) | None, Answer::Refused(None)) => {}
            (_, Answer::Done(.., true)) => tally.count("unanswered, and there after all"),
            _ => {}
        }
        self.answers.insert(command, answer);
        self.unchecked.push(command);
    }

    /// Holds what is on the disk to everything that is known, without an engine.
    pub(crate) fn inspect(&mut self, record: &Record, tally: &mut Tally) {
        if !record.has_begun() {
            assert!(self.answers.is_empty() && self.seen.is_empty(), "law DURABLE: all that was is gone");
            return;
        }
        tally.count("inspections");
        let report = JournalReader::verify_dir(&record.dir).unwrap();
        assert!(!report.is_damaged(), "law EVIDENCE: damage after a kill: {:?}", report.findings);
        assert!(!report.is_live, "it is dead: {report:?}");
        let whole = record.whole();
        if record.archive.is_some() {
            let report = JournalReader::verify_dir(&whole).unwrap();
            assert!(!report.is_damaged(), "law RETAIN, archive + retained: {:?}", report.findings);
        }
        let before = self.seq();
        self.read(&JournalReader::open(&whole).unwrap(), before);
        tally.add("events", self.seq() - before);
        self.check_answers();
        self.check_heads();
        self.check_state(record);
    }

    /// Reads the whole history: what was seen is as it was, and what is new is whole, without gap, and nothing is twice.
    fn read(&mut self, reader: &JournalReader, before: u64) {
        let mut events = reader.events(1).unwrap();
        let (mut seq, mut frame) = (0, None);
        while let Some(journaled) = events.next().unwrap() {
            seq += 1;
            assert_eq!(journaled.seq, seq, "law ORDER: a gap, or a seq twice");
            if let Some(seen) = self.seen.get(usize::try_from(seq - 1).unwrap()) {
                let texts = (String::from_utf8_lossy(journaled.line), String::from_utf8_lossy(&seen.line));
                assert_eq!(texts.0, texts.1, "law EVIDENCE: seq {seq} was altered");
                continue;
            }
            let event = decode_event(journaled.line).unwrap();
            let place = (journaled.location().file.clone(), journaled.location().offset);
            let is_same_frame = frame.as_ref() == Some(&place);
            frame = Some(place);
            self.take(event, journaled.line.to_vec(), is_same_frame);
        }
        assert!(seq >= before, "law DURABLE: {seq} events of {before} that were seen");
    }

    fn take(&mut self, event: ChangeEvent, line: Vec<u8>, is_same_frame: bool) {
        let command = event.key.as_ref().map(|key| parse_key(&key.key).expect("a key of ours"));
        if let Some(command) = command {
            let of_command = self.spans.entry(command).or_insert((event.seq, event.seq));
            let is_first = of_command.0 == event.seq;
            let goes_on = is_same_frame && of_command.1 + 1 == event.seq;
            assert!(
                is_first || goes_on,
                "law EXACT or ATOMIC: command {command:?} is there twice: {event:?}"
            );
            of_command.1 = event.seq;
        }
        self.projection.apply(&event).expect("law FOLD");
        self.bookkeeper.take(&event);
        self.seen.push(Seen { event, line });
    }

    fn check_answers(&mut self) {
        for command in std::mem::take(&mut self.unchecked) {
            let (first, last) = match self.answers[&command] {
                Answer::Done(first, last, _) => (first, last),
                Answer::Refused(Some(seq)) => (seq, seq),
                Answer::Refused(None) | Answer::Senseless => continue,
            };
            assert_eq!(
                self.spans.get(&command),
                Some(&(first, last)),
                "law DURABLE: command {command:?} was answered with seqs {first} to {last}, of {}",
                self.seq()
            );
            let range = usize::try_from(first - 1).unwrap()..usize::try_from(last).unwrap();
            let events: Vec<_> = self.seen[range].iter().map(|seen| seen.event.clone()).collect();
            match self.answers[&command] {
                Answer::Refused(_) => expect_refused(command.0, command.1, &events),
                _ => expect_done(command.0, command.1, &events),
            }
        }
    }

    /// What engines said of themselves when they had opened the journal.
    fn check_heads(&mut self) {
        for (seq, hash) in std::mem::take(&mut self.heads) {
            assert!(
                seq <= self.seq(),
                "law DURABLE: an engine opened at seq {seq}, and {} are left",
                self.seq()
            );
            let folded = if seq == self.seq() { self.projection.clone() } else { self.fold(seq) };
            assert_eq!(folded.state.state_hash().to_string(), hash, "law FOLD: opened at seq {seq}");
        }
    }

    /// The fold of all events up to that one.
    fn fold(&self, seq: u64) -> Projection {
        let mut projection = Projection::default();
        for seen in &self.seen[..usize::try_from(seq).unwrap()] {
            projection.apply(&seen.event).expect("it was folded before");
        }
        projection
    }

    /// The state that a reader makes of snapshots and events is that of the whole history.
    fn check_state(&mut self, record: &Record) {
        let reader = JournalReader::open(&record.dir).unwrap();
        let state = reader.state(StateAt::End).unwrap();
        assert_eq!(state.seq, self.seq(), "what is pruned is still in the state");
        let hash = self.projection.state.state_hash();
        assert_eq!(state.state.state_hash(), hash, "law RETAIN: the state of the whole history");
        self.bookkeeper.expect_agrees(&state.state);

        let oldest = reader.oldest_seq().unwrap();
        assert!(oldest >= self.floor, "law RETAIN: the floor went from {} back to {oldest}", self.floor);
        if oldest > self.floor.max(1) {
            let at_floor = reader.state(StateAt::Seq(oldest - 1)).unwrap();
            let expected = self.fold(oldest - 1);
            assert_eq!(at_floor.state.state_hash(), expected.state.state_hash(), "law RETAIN: at the floor");
        }
        self.floor = oldest;
    }

    /// Holds an engine that was just opened to what is known.
    pub(crate) fn check_opened(&mut self, engine: &Blocking) {
        // One view: the engine may go on by itself, as time does.
        let view = engine.view();
        let head = view.head();
        assert!(head.seq >= self.seq(), "law DURABLE: {} events of {} that were seen", head.seq, self.seq());
        self.heads.push((head.seq, head.state_hash.to_string()));
        if head.seq == self.seq() {
            self.bookkeeper.expect_agrees(view.state());
        }
    }

    /// Gives every command once more that was ever answered: each is known, and nothing is booked.
    pub(crate) fn give_all_again(&mut self, engine: &Blocking, tally: &mut Tally) {
        let commands: Vec<(u64, u64)> = self.answers.keys().copied().collect();
        for chunk in commands.chunks(256) {
            let requests = chunk.iter().map(|(client, number)| command(*client, *number)).collect();
            let answers = engine.submit_all(requests).unwrap();
            for (command, pending) in chunk.iter().zip(answers) {
                match Answer::of(pending.wait()) {
                    Ok(answer) => self.note_answer(*command, answer, tally),
                    Err(error) => panic!("{command:?} once more: {}: {error}", kind_of(&error)),
                }
            }
        }
    }
}

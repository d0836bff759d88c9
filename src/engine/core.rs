//! Deciding and committing: one batch of work, one write, one sync, then state, answers and feed.

use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::answer::{CommandAnswer, CommandError};
use super::carry_out::{Stopped, engines_own};
use super::inbox::{Drained, ViewReply, Work};
use super::options::{Durability, Options};
use super::published::View;
use super::shared::Shared;
use crate::clock::{Timestamp, monotonic};
use crate::domain::{Command, RecordTurn, Request, Turn, minute_of};
use crate::error::{Error, ErrorKind};
use crate::event::RefusalKind;
use crate::ids::{BudgetId, GoalId};
use crate::journal::JournalWriter;
use crate::projection::Projection;

/// The writer's own: working state and journal. Whoever holds it is the writer for that time.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) options: Options,
    pub(super) shared: Arc<Shared>,
    /// `None` once closed or halted: then the lock is given up, and the journal can be reopened.
    pub(super) journal: Option<JournalWriter>,
    /// Ahead of what is published while a batch is under way.
    pub(super) working: Projection,
    pub(super) payload: Vec<u8>,
    /// Refusals without an event of their own, by minute.
    pub(super) suppressed: BTreeMap<(BudgetId, RefusalKind), (Timestamp, u64)>,
    /// Since when something is written and not synced, at interval durability.
    unsynced_since: Option<Instant>,
}

/// The answers of a batch, held back until it is durable.
#[derive(Debug, Default)]
struct Answers {
    commands: Vec<(oneshot::Sender<CommandAnswer>, CommandAnswer)>,
    views: Vec<(ViewReply, Result<View, Error>)>,
    /// Turns for which nobody waits: to be counted, should the engine halt.
    accounted: Vec<(GoalId, Turn)>,
    /// What came after the work at which the engine had to halt.
    not_begun: Vec<Work>,
}

impl Core {
    pub(super) fn new(
        options: Options,
        shared: Arc<Shared>,
        journal: JournalWriter,
        working: Projection,
    ) -> Core {
        Core {
            options,
            shared,
            journal: Some(journal),
            working,
            payload: Vec::new(),
            suppressed: BTreeMap::new(),
            unsynced_since: None,
        }
    }

    /// Whether the engine can still work.
    pub(super) fn is_open(&self) -> bool {
        self.journal.is_some()
    }

    /// Gives up the journal as it is on disk, with nothing of what is only in memory (law HALT).
    pub(super) fn abandon(&mut self) {
        self.journal = None;
    }

    /// Carries out a batch of work.
    pub(super) fn commit(&mut self, drained: Drained) {
        let mut answers = Answers::default();
        let seq_before = self.working.seq;
        let result = self.decide_all(drained, &mut answers).and_then(|()| self.make_durable());
        match result {
            Ok(()) => {
                self.publish();
                answers.send();
                tracing::trace!(events = self.working.seq - seq_before, seq = self.working.seq, "committed");
                if self.working.seq != seq_before {
                    self.work_ahead();
                }
            }
            Err(error) => self.halt(&error, answers),
        }
    }

    /// What has to be done now and then even if nothing arrives. How long it may wait.
    pub(super) fn tick(&mut self) -> Option<Duration> {
        if !self.is_open() {
            return None;
        }
        if self.has_past_suppressed() {
            self.commit(Drained::default());
        }
        let sync_in = match (self.options.durability, self.unsynced_since) {
            (Durability::Interval(interval), Some(since)) => {
                let left = interval.saturating_sub(monotonic().duration_since(since));
                if left.is_zero() { self.sync_late() } else { Some(left) }
            }
            _ => None,
        };
        let has_deferred = !self.suppressed.is_empty() || self.shared.inbox.has_deferred();
        sync_in.into_iter().chain(has_deferred.then_some(Duration::from_secs(1))).min()
    }

    /// Finishes what waits and closes the journal with the mark of a clean close.
    pub(super) fn close(&mut self) -> Result<(), Error> {
        if !self.is_open() {
            return self.shared.inbox.check_open();
        }
        let reported = self.report_suppressed(|_| true);
        let (now, last) = (self.now(), self.view());
        // However this ends, the journal is done with: the lock is given up, and the writer's thread with it.
        let Some(journal) = self.journal.take() else { return Ok(()) };
        reported.and_then(|()| journal.close(now))?;
        self.shared.durable_seq(last.seq());
        self.shared.publish(last);
        Ok(())
    }

    fn decide_all(&mut self, drained: Drained, answers: &mut Answers) -> Result<(), Error> {
        let minute = minute_of(self.now());
        let mut turns = drained.turns.into_iter();
        let mut work = drained.work.into_iter();
        let mut flushes = Vec::new();
        let result = self.report_suppressed(|then| then < minute);
        let result = result.and_then(|()| self.do_work(&mut work, &mut flushes, answers));
        let result = result.and_then(|()| self.book_pending(&mut turns, answers));
        match result {
            Ok(waits) => {
                let flushed = waits.map_or_else(|| Ok(self.view()), Err);
                answers.views.extend(flushes.into_iter().map(|reply| (reply, flushed.clone())));
                Ok(())
            }
            Err(error) => {
                let turns = turns.map(|(goal_id, turn)| Work::Account(goal_id, Box::new(turn)));
                answers.not_begun = flushes.into_iter().map(Work::Flush).chain(work).chain(turns).collect();
                Err(error)
            }
        }
    }

    /// Carries out what was handed over, in order, until that is all or the engine has to halt.
    fn do_work(
        &mut self,
        work: &mut std::vec::IntoIter<Work>,
        flushes: &mut Vec<ViewReply>,
        answers: &mut Answers,
    ) -> Result<(), Error> {
        for next in work {
            match next {
                Work::Command(request, reply) if matches!(request.command, Command::ReportSuppressed(_)) => {
                    answers.commands.push((reply, Err(engines_own(&request.command).into())));
                }
                Work::Command(request, reply) => match self.carry_out(&request) {
                    Ok(receipt) => answers.commands.push((reply, Ok(receipt))),
                    Err(Stopped::Command(error)) => answers.commands.push((reply, Err(error))),
                    Err(Stopped::Engine(error)) => {
                        answers.commands.push((reply, Err(error.clone().into())));
                        return Err(error);
                    }
                },
                Work::Account(goal_id, turn) => {
                    self.book_accounted(goal_id, *turn, answers)?;
                }
                Work::View(reply) => answers.views.push((reply, Ok(self.view()))),
                Work::Flush(reply) => flushes.push(reply),
            }
        }
        Ok(())
    }

    /// Books the turns that were added up. Why some have to wait on, if they have to.
    fn book_pending(
        &mut self,
        turns: &mut btree_map::IntoIter<GoalId, Turn>,
        answers: &mut Answers,
    ) -> Result<Option<Error>, Error> {
        let mut waits = None;
        for (goal_id, turn) in turns {
            waits = self.book_accounted(goal_id, turn, answers)?.or(waits);
        }
        Ok(waits)
    }

    /// Books turns for which nobody waits. What finds no room waits for the next occasion (why is returned then); what
    /// cannot be booked at all is counted.
    fn book_accounted(
        &mut self,
        goal_id: GoalId,
        turn: Turn,
        answers: &mut Answers,
    ) -> Result<Option<Error>, Error> {
        let request = Request::from(RecordTurn::goal(goal_id, turn.clone()));
        match self.carry_out(&request) {
            Ok(_) => {
                answers.accounted.push((goal_id, turn));
                Ok(None)
            }
            Err(Stopped::Engine(error)) => {
                answers.accounted.push((goal_id, turn));
                Err(error)
            }
            Err(Stopped::Command(CommandError::Engine(error))) => {
                tracing::warn!(%error, %goal_id, "turns wait for room");
                if let Err(turn) = self.shared.inbox.defer_turn(goal_id, turn) {
                    self.shared.count_dropped_turns(goal_id, &turn, &error);
                }
                Ok(Some(error))
            }
            Err(Stopped::Command(error)) => {
                self.shared.count_dropped_turns(goal_id, &turn, &error);
                Ok(None)
            }
        }
    }

    /// Writes and, unless that may wait, syncs everything that was gathered.
    fn make_durable(&mut self) -> Result<(), Error> {
        let Some(journal) = self.journal.as_mut() else { return Err(halted()) };
        if journal.unsynced() == 0 {
            return Ok(());
        }
        match self.options.durability {
            Durability::Sync => journal.sync(),
            Durability::Interval(interval) => {
                journal.write()?;
                let since = *self.unsynced_since.get_or_insert_with(monotonic);
                if monotonic().duration_since(since) >= interval {
                    journal.sync()?;
                    self.unsynced_since = None;
                }
                Ok(())
            }
        }
    }

    /// The sync of an interval in which nothing more arrived.
    fn sync_late(&mut self) -> Option<Duration> {
        let result = self.journal.as_mut().map_or(Ok(()), JournalWriter::sync);
        self.unsynced_since = None;
        match result {
            Ok(()) => self.publish(),
            Err(error) => self.halt(&error, Answers::default()),
        }
        None
    }

    fn publish(&mut self) {
        if let Some(journal) = &self.journal {
            journal.publish();
            self.shared.durable_seq(journal.synced_seq());
        }
        if self.shared.view().seq() != self.working.seq {
            self.shared.publish(self.view());
        }
    }

    fn view(&self) -> View {
        match &self.journal {
            Some(journal) => {
                View::new(self.working.clone(), journal.journal_id(), journal.epoch(), journal.last_epoch())
            }
            None => self.shared.view(),
        }
    }

    /// Room for what will come, while nobody waits.
    fn work_ahead(&mut self) {
        let result = self.journal.as_mut().map_or(Ok(()), JournalWriter::prepare);
        if let Err(error) = result {
            self.halt(&error, Answers::default());
        }
    }

    /// Law HALT: those whose events may or may not be on disk learn that the outcome is unknown; what comes later is
    /// refused. The lock is given up, so that the journal can be reopened.
    fn halt(&mut self, error: &Error, answers: Answers) {
        tracing::error!(%error, seq = self.shared.view().seq(), "the engine halted; reopen to recover");
        self.journal = None;
        self.shared.halt(error, answers.not_begun);
        let unknown = Error::new(
            ErrorKind::OutcomeUnknown,
            format!(
                "the engine halted while this command was under way, so its outcome is unknown; reopen and retry with the same key: {error}"
            ),
        );
        for (goal_id, turn) in answers.accounted {
            self.shared.count_dropped_turns(goal_id, &turn, &unknown);
        }
        for (reply, _) in answers.commands {
            // A caller that no longer waits has nothing to be told.
            let _ = reply.send(Err(unknown.clone().into()));
        }
        for (reply, _) in answers.views {
            let _ = reply.send(Err(unknown.clone()));
        }
    }

    /// The time of what is decided next: never before the last event, whatever the clock does.
    pub(super) fn now(&self) -> Timestamp {
        self.options.clock.now().max(self.working.last_ts)
    }
}

impl Answers {
    fn send(self) {
        for (reply, answer) in self.commands {
            // A caller that no longer waits has nothing to be told.
            let _ = reply.send(answer);
        }
        for (reply, view) in self.views {
            let _ = reply.send(view);
        }
    }
}

/// What a core without a journal answers.
pub(super) fn halted() -> Error {
    Error::new(ErrorKind::Halted, "the engine is not running; nothing was written")
}

//! Deciding and committing: one batch of work, one write, one sync, then state, answers and feed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::{CommandAnswer, CommandError};
use super::carry_out::{Stopped, engines_own};
use super::feed::LiveEvent;
use super::inbox::{Assessed, Drained, ViewReply, Work};
use super::maintenance::{Maintenance, Stop};
use super::options::{Durability, Options};
use super::pace::Pace;
use super::published::View;
use super::reply::Reply;
use super::shared::Shared;
use super::texts::Texts;
use super::upkeep::Upkeep;
use super::vector::{Commands, VectorAnswers};
use crate::clock::Timestamp;
use crate::domain::{Request, Turn, minute_of};
use crate::error::{Error, ErrorKind};
use crate::event::{ChangeEvent, Encoder, RefusalKind};
use crate::ids::{BudgetId, GoalId, IdSource, ReservationId};
use crate::journal::JournalWriter;
use crate::planted::{Bug, planted};
use crate::projection::Projection;

/// How often the upkeep is asked for at most because there is no room.
const ASK_FOR_ROOM: Duration = Duration::from_secs(1);
/// A list of work that has room for more than this is not kept to be filled again.
const KEPT_LIST: usize = 1_024;
/// After how many commands of one batch the clock is read again: reading it costs as much as a tenth of a command.
const COMMANDS_PER_LOOK: usize = 64;

/// The writer's own: working state and journal. Whoever holds it is the writer for that time.
#[derive(Debug)]
pub(super) struct Core {
    /// Before the journal, so that its thread ends before the lock is given up.
    maintenance: Maintenance,
    pub(super) options: Options,
    pub(super) shared: Arc<Shared>,
    /// `None` once closed or halted: then the lock is given up, and the journal can be reopened.
    pub(super) journal: Option<JournalWriter>,
    /// Ahead of what is published while a batch is under way.
    pub(super) working: Projection,
    pub(super) ids: IdSource,
    /// The time by the clock, as it was last read: once a batch, and every so many commands.
    now: Timestamp,
    /// The events of the command under way, and their lines: kept for the next, so that each command needs no memory of its own.
    pub(super) events: Vec<ChangeEvent>,
    pub(super) payload: Vec<u8>,
    pub(super) encoder: Encoder,
    /// Names that spends have in common.
    pub(super) texts: Texts,
    /// Events of the batch under way, for the feed.
    fed: Vec<LiveEvent>,
    /// Refusals without an event of their own, by budget, kind and minute.
    pub(super) suppressed: BTreeMap<(BudgetId, RefusalKind, Timestamp), u64>,
    /// Whether a batch is worth waiting for.
    pace: Pace,
    /// A list that the inbox was emptied by, to be filled again.
    emptied: Vec<Work>,
    /// Since when something is written and not synced, at interval durability.
    unsynced_since: Option<Instant>,
    /// When the upkeep was last asked for because there was no room.
    asked_for_room: Option<Instant>,
    /// The number of the segment before which the upkeep was last given the state.
    handed_over_at: u64,
}

/// The answers of a batch, held back until it is durable.
#[derive(Debug, Default)]
pub(super) struct Answers {
    commands: Vec<(Reply, CommandAnswer)>,
    vectors: Vec<VectorAnswers>,
    views: Vec<(ViewReply, Result<View, Error>)>,
    /// Turns for which nobody waits: to be counted, should the engine halt.
    pub(super) accounted: Vec<(GoalId, Turn)>,
    /// The same for releases of dropped reservations.
    pub(super) released: Vec<ReservationId>,
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
        let upkeep = Upkeep::new(&options, Arc::clone(&shared.storage), Arc::clone(&shared.upkeep));
        let told = Arc::clone(&shared);
        let task = move |stop: &Stop| {
            upkeep.run(stop);
            if told.upkeep.again_at().is_some() {
                // It is the writer that has it done when its time has come.
                told.inbox.wake();
            }
        };
        let maintenance = Maintenance::new(Box::new(task), &options.background);
        shared.upkeep.set_active(journal.active_segment());
        Core {
            maintenance,
            asked_for_room: None,
            ids: IdSource::new(Arc::clone(&options.entropy)),
            // What is before that one was folded by others, or is to be.
            handed_over_at: journal.active_segment(),
            options,
            shared,
            journal: Some(journal),
            working,
            now: Timestamp::MIN,
            events: Vec::new(),
            payload: Vec::new(),
            encoder: Encoder::at(Timestamp::UNIX_EPOCH),
            texts: Texts::default(),
            fed: Vec::new(),
            suppressed: BTreeMap::new(),
            pace: Pace::default(),
            emptied: Vec::new(),
            unsynced_since: None,
        }
    }

    /// Whether the engine can still work.
    pub(super) fn is_open(&self) -> bool {
        self.journal.is_some()
    }

    /// Gives up the journal as it is on disk, with nothing of what is only in memory (law HALT).
    pub(super) fn abandon(&mut self) {
        self.shared.names.let_go();
        // Before the lock is given up: whoever takes it next is alone.
        if self.maintenance.begin_abandoning() {
            self.maintenance.abandon();
            self.journal = None;
            return;
        }
        // Nobody waits for an archive that takes its time; the lock is held until it is done.
        let maintenance = std::mem::replace(&mut self.maintenance, Maintenance::none());
        let journal = self.journal.take();
        let give_up = move || {
            drop(maintenance);
            drop(journal);
        };
        let thread = std::thread::Builder::new().name("tallybook-giving-up".into());
        if let Err(error) = thread.spawn(give_up) {
            tracing::warn!(%error, "there was no thread to wait for the upkeep on; it was waited for here");
        }
    }

    /// Looks after retention and snapshots, off this thread.
    pub(super) fn look_after(&self) {
        self.maintenance.request();
    }

    /// The same when there is no room, now and then: what the rules let go may make some.
    pub(super) fn look_after_room(&mut self) {
        let now = self.options.clock.monotonic();
        if self.asked_for_room.is_none_or(|last| now.duration_since(last) >= ASK_FOR_ROOM) {
            self.asked_for_room = Some(now);
            self.maintenance.request();
        }
    }

    /// Waits for more to come before a batch begins, where that pays.
    pub(super) fn gather(&mut self) {
        let Some(gathering) = self.pace.gathering() else { return };
        if let Some(more) = self.shared.inbox.gather(gathering.wanted, gathering.pause, gathering.pauses) {
            self.pace.gathered(more);
        }
    }

    /// Takes out of the inbox what waits.
    pub(super) fn drain(&mut self) -> Drained {
        self.shared.inbox.drain(std::mem::take(&mut self.emptied))
    }

    /// Keeps an empty list to be filled again: the one with the most room, unless that is very much.
    pub(super) fn keep_list(&mut self, emptied: Vec<Work>) {
        if emptied.capacity() > self.emptied.capacity() && emptied.capacity() <= KEPT_LIST {
            self.emptied = emptied;
        }
    }

    /// Carries out a batch of work.
    pub(super) fn commit(&mut self, drained: Drained) {
        let mut answers = Answers::default();
        let (seq_before, places) = (self.working.seq, drained.places);
        let result = self.decide_all(drained, &mut answers);
        self.finish(seq_before, result, answers);
        if places > 0 {
            self.pace.ended(places, self.shared.inbox.filled());
        }
    }

    /// What was decided after that `seq` becomes durable, then state, answers and feed.
    pub(super) fn finish(&mut self, seq_before: u64, decided: Result<(), Error>, answers: Answers) {
        if let Some(journal) = &mut self.journal {
            journal.look_for_room_again();
        }
        if planted(Bug::PublishedBeforeDurable) {
            drop(self.publish());
        }
        match decided.and_then(|()| self.make_durable()) {
            Ok(()) => {
                let replaced = self.publish();
                answers.send(&self.shared);
                // What only the last view held is freed while nobody waits for it.
                drop(replaced);
                tracing::trace!(events = self.working.seq - seq_before, seq = self.working.seq, "committed");
                if self.working.seq != seq_before {
                    self.work_ahead();
                }
            }
            Err(error) if planted(Bug::AnsweredThoughTheSyncFailed) => {
                answers.send(&self.shared);
                self.halt(&error, Answers::default());
            }
            Err(error) => self.halt(&error, answers),
        }
    }

    /// What has to be done now and then even if nothing arrives. How long it may wait.
    pub(super) fn tick(&mut self) -> Option<Duration> {
        if !self.is_open() {
            return None;
        }
        self.look_at_clock();
        if self.has_past_suppressed() || self.is_due() {
            self.commit(Drained::default());
        }
        let forget_in = if self.is_open() { self.forget() } else { None };
        let sync_in = match (self.options.durability, self.unsynced_since) {
            (Durability::Interval(interval), Some(since)) => {
                let left = interval.saturating_sub(self.options.clock.monotonic().duration_since(since));
                if left.is_zero() { self.sync_late() } else { Some(left) }
            }
            _ => None,
        };
        let has_deferred = !self.suppressed.is_empty() || self.shared.inbox.has_deferred();
        let look_again_in = has_deferred.then_some(Duration::from_secs(1));
        [forget_in, sync_in, look_again_in, self.until_due(), self.until_upkeep()].into_iter().flatten().min()
    }

    /// How long until the upkeep has to be asked for what it put off; when it is time, it is asked.
    fn until_upkeep(&self) -> Option<Duration> {
        let until = self.shared.upkeep.again_at()?;
        let now = self.options.clock.monotonic();
        if self.shared.upkeep.is_again_due(now) {
            self.maintenance.request();
            return None;
        }
        Some(until.saturating_duration_since(now))
    }

    /// Finishes what waits and closes the journal with the mark of a clean close.
    pub(super) fn close(&mut self) -> Result<(), Error> {
        if !self.is_open() {
            return self.shared.inbox.check_open();
        }
        self.look_at_clock();
        let reported = self.report_suppressed(|_| true);
        // An archive may take its time: nothing that was acknowledged waits for it unsynced.
        let synced = self.journal.as_mut().map_or(Ok(()), JournalWriter::sync);
        let (now, last) = (self.now(), self.view());
        if synced.is_ok() {
            drop(self.publish());
        }
        if self.shared.upkeep.put_off_no_more() {
            self.maintenance.request();
        }
        self.maintenance.finish();
        // However this ends, the journal is done with: the lock is given up, and the writer's thread with it.
        let Some(journal) = self.journal.take() else { return Ok(()) };
        self.shared.names.let_go();
        reported.and(synced).and_then(|()| journal.close(now))?;
        self.shared.durable_seq(last.seq());
        drop(self.shared.publish(last, std::mem::take(&mut self.fed)));
        Ok(())
    }

    fn decide_all(&mut self, mut drained: Drained, answers: &mut Answers) -> Result<(), Error> {
        self.look_at_clock();
        let minute = minute_of(self.now());
        let mut turns = drained.turns.into_iter();
        let mut work = drained.work.drain(..);
        let mut releases = drained.releases.into_iter();
        let mut flushes = Vec::new();
        let result = self.report_suppressed(|then| then < minute);
        let result = result.and_then(|()| self.elapse().map(drop));
        let result =
            result.and_then(|()| releases.by_ref().try_for_each(|id| self.release_dropped(id, answers)));
        let result = result.and_then(|()| self.do_work(&mut work, &mut flushes, answers));
        let result = result.and_then(|()| self.book_pending(&mut turns, answers));
        match result {
            Ok(waits) => {
                drop(work);
                self.keep_list(drained.work);
                let flushed = waits.map_or_else(|| Ok(self.view()), Err);
                answers.views.extend(flushes.into_iter().map(|reply| (reply, flushed.clone())));
                Ok(())
            }
            Err(error) => {
                let turns = turns.map(|(goal_id, turn)| Work::Account(goal_id, Box::new(turn)));
                let flushes = flushes.into_iter().map(Work::Flush);
                let releases = releases.map(Work::Release);
                answers.not_begun.extend(flushes.chain(releases).chain(work).chain(turns));
                Err(error)
            }
        }
    }

    /// Carries out what was handed over, in order, until that is all or the engine has to halt.
    fn do_work(
        &mut self,
        work: &mut std::vec::Drain<'_, Work>,
        flushes: &mut Vec<ViewReply>,
        answers: &mut Answers,
    ) -> Result<(), Error> {
        let mut commands = 0;
        while !work.as_slice().is_empty() {
            let waits = self.before_command(&mut commands)?;
            let Some(next) = work.next() else { break };
            match next {
                Work::Command(Assessed { request, veto }, reply) => {
                    let (answer, stopped) = self.answer(&request, veto.as_ref(), waits);
                    answers.commands.push((reply, answer));
                    stopped.map_or(Ok(()), Err)?;
                }
                Work::Commands(vector) => self.do_vector(vector, &mut commands, answers)?,
                Work::Account(goal_id, turn) => {
                    self.book_accounted(goal_id, *turn, answers)?;
                }
                Work::Release(id) => self.release_dropped(id, answers)?,
                Work::View(reply) => answers.views.push((reply, Ok(self.view()))),
                Work::Flush(reply) => flushes.push(reply),
            }
        }
        Ok(())
    }

    /// The same for commands that were handed over together.
    fn do_vector(
        &mut self,
        vector: Commands,
        commands: &mut usize,
        answers: &mut Answers,
    ) -> Result<(), Error> {
        let mut answered = Vec::with_capacity(vector.len());
        let mut result = Ok(());
        for (index, request) in vector.requests.iter().enumerate() {
            let waits = match self.before_command(commands) {
                Ok(waits) => waits,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            };
            let (answer, stopped) = self.answer(request, vector.veto(index), waits);
            answered.push(answer);
            if let Some(error) = stopped {
                result = Err(error);
                break;
            }
        }
        let (begun, rest) = vector.answered(answered);
        answers.vectors.push(begun);
        answers.not_begun.extend(rest.map(Work::Commands));
        result
    }

    /// What is due by now comes before what is asked now. Why some of it has to wait, if it has to.
    fn before_command(&mut self, commands: &mut usize) -> Result<Option<Error>, Error> {
        *commands += 1;
        if commands.is_multiple_of(COMMANDS_PER_LOOK) {
            self.look_at_clock();
        }
        self.elapse()
    }

    /// Carries out one command, unless it may not be. Its answer, and why the engine has to halt, if it has to.
    fn answer(
        &mut self,
        request: &Request,
        veto: Option<&Arc<str>>,
        waits: Option<Error>,
    ) -> (CommandAnswer, Option<Error>) {
        if request.command.is_engines_own() {
            return (Err(engines_own(&request.command).into()), None);
        }
        // Admitted in a window that is over, it would come on top of what is admitted in the next.
        if let Some(error) = waits.filter(|_| request.command.is_admitted()) {
            return (Err(error.into()), None);
        }
        match self.carry_out(request, veto) {
            Ok(receipt) => (Ok(receipt), None),
            Err(Stopped::Command(error)) => (Err(error), None),
            Err(Stopped::Engine(error)) => (Err(CommandError::Engine(error.clone())), Some(error)),
        }
    }

    /// Writes and, unless that may wait, syncs everything that was gathered.
    fn make_durable(&mut self) -> Result<(), Error> {
        let Some(journal) = self.journal.as_mut() else { return Err(halted()) };
        if journal.unsynced() == 0 {
            return Ok(());
        }
        match self.options.durability {
            Durability::Sync => {
                let began = self.options.clock.monotonic();
                journal.sync()?;
                self.pace.synced(self.options.clock.monotonic().saturating_duration_since(began));
                Ok(())
            }
            Durability::Interval(interval) => {
                journal.write()?;
                let now = self.options.clock.monotonic();
                let since = *self.unsynced_since.get_or_insert(now);
                if now.duration_since(since) >= interval {
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
            Ok(()) => drop(self.publish()),
            Err(error) => self.halt(&error, Answers::default()),
        }
        None
    }

    /// Lets everybody see what was decided. What was seen before, to be freed when there is time.
    fn publish(&mut self) -> Option<Arc<View>> {
        if let Some(journal) = &self.journal {
            journal.publish();
            self.shared.durable_seq(journal.synced_seq());
        }
        if self.shared.published_seq() == self.working.seq {
            return None;
        }
        let events = std::mem::take(&mut self.fed);
        Some(self.shared.publish(self.view(), events))
    }

    /// Keeps the events of the command under way until they are published, if anybody follows.
    pub(super) fn keep_for_feed(&mut self) {
        if !self.shared.live.is_wanted() {
            return;
        }
        let has_gap = match (self.fed.last(), self.events.first()) {
            (Some(last), Some(first)) => last.event.seq + 1 != first.seq,
            _ => false,
        };
        if has_gap {
            self.fed.clear();
        }
        let len = self.payload.len() / self.events.len().max(1);
        self.fed.extend(self.events.drain(..).map(|event| LiveEvent { event, len }));
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
        let Some(journal) = self.journal.as_mut() else { return };
        if let Err(error) = journal.prepare() {
            return self.halt(&error, Answers::default());
        }
        if self.shared.upkeep.set_active(journal.active_segment()) {
            self.maintenance.request();
        }
    }

    /// Where the frame that was just gathered is the first in its segment, the state before it is the one to be
    /// snapshotted: a copy costs nothing, and saves the upkeep from making it out of the segments before once more.
    pub(super) fn hand_over_at_a_boundary(&mut self) {
        let Some(journal) = &self.journal else { return };
        if journal.active_segment() != self.handed_over_at {
            self.handed_over_at = journal.active_segment();
            self.shared.upkeep.hand_over(self.handed_over_at, self.working.clone());
        }
    }

    /// Law HALT: those whose events may or may not be on disk learn that the outcome is unknown; what comes later is
    /// refused. The lock is given up, so that the journal can be reopened.
    fn halt(&mut self, error: &Error, answers: Answers) {
        tracing::error!(%error, seq = self.shared.view().seq(), "the engine halted; reopen to recover");
        if planted(Bug::FedThoughTheAppendFailed) {
            drop(self.publish());
        }
        if !planted(Bug::FailureDoesNotHalt) {
            self.abandon();
            self.shared.halt(error, answers.not_begun);
        }
        let unknown = Error::new(
            ErrorKind::OutcomeUnknown,
            format!(
                "the engine halted while this command was under way, so its outcome is unknown; reopen and retry with the same key: {error}"
            ),
        );
        for (goal_id, turn) in answers.accounted {
            self.shared.count_dropped_turns(goal_id, &turn, &unknown);
        }
        for id in answers.released {
            self.shared.count_dropped_release(&id, &unknown);
        }
        for (reply, _) in answers.commands {
            if planted(Bug::WaitersHangAfterAFailedSync) {
                std::mem::forget(reply);
                continue;
            }
            reply.fail(&unknown);
        }
        for vector in answers.vectors {
            if planted(Bug::WaitersHangAfterAFailedSync) {
                std::mem::forget(vector);
                continue;
            }
            vector.fail(&unknown);
        }
        for (reply, _) in answers.views {
            // A caller that no longer waits has nothing to be told.
            let _ = reply.send(Err(unknown.clone()));
        }
    }

    /// Reads the clock. What is decided until it is read again is of that time.
    pub(super) fn look_at_clock(&mut self) {
        self.now = self.options.clock.now();
    }

    /// The time of what is decided next, as the clock was last read: never before the last event, whatever it does.
    pub(super) fn now(&self) -> Timestamp {
        self.now.max(self.working.last_ts)
    }
}

impl Answers {
    fn send(self, shared: &Arc<Shared>) {
        for (reply, answer) in self.commands {
            reply.send(answer, shared);
        }
        self.vectors.into_iter().for_each(VectorAnswers::send);
        for (reply, view) in self.views {
            // A caller that no longer waits has nothing to be told.
            let _ = reply.send(view);
        }
    }
}

/// What a core without a journal answers.
pub(super) fn halted() -> Error {
    Error::new(ErrorKind::Halted, "the engine is not running; nothing was written")
}

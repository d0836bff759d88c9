//! Carrying out one command: decided against the working state, its events journaled as one frame and folded in.

use std::sync::Arc;

use uuid::Uuid;

use super::answer::{CommandAnswer, CommandError, CommandResult, Receipt};
use super::core::{Core, halted};
use super::frames::push_line;
use crate::clock::Timestamp;
use crate::domain::{
    Command, Context, Decision, Outcome, Refusal, Rejection, RejectionKind, Remembered, RememberedOutcome,
    Request, SpendRecord, decide, fingerprint, minute_of, outcome,
};
use crate::error::{Error, ErrorKind};
use crate::event::{ChangeEvent, EventKey, Payload, RefusalsSuppressed};

/// Why a command has no receipt: it was not carried out, or the engine has to halt.
pub(super) enum Stopped {
    Command(CommandError),
    Engine(Error),
}

impl Core {
    /// `veto`: what the host's risk assessor says against it.
    pub(super) fn carry_out(
        &mut self,
        request: &Request,
        veto: Option<&Arc<str>>,
    ) -> Result<Receipt, Stopped> {
        let now = self.now();
        let new_id = self.new_id(&request.command, now);
        let context = Context { now, rules: &self.options.rules, new_id, veto };
        match decide(&self.working.state, request, &context) {
            Decision::Events(payloads) => {
                let subject = outcome(&payloads);
                let reversed = self.reversed_spend(&payloads);
                let (first_seq, last_seq) = self.record(payloads, request, now)?;
                let mut receipt = self.receipt(Some((first_seq, last_seq)), subject, false);
                if let (CommandResult::Nothing, Some(spend)) = (&receipt.result, reversed) {
                    receipt.result = CommandResult::Spend(spend);
                }
                Ok(receipt)
            }
            Decision::Unchanged(subject) => Ok(self.receipt(None, subject, false)),
            Decision::Retried(remembered) => self.retried(remembered).map_err(Stopped::Command),
            Decision::Refused(payload, mut refusal) => {
                let (seq, _) = self.record(vec![*payload], request, now)?;
                refusal.seq = Some(seq);
                Err(refused(refusal))
            }
            Decision::Suppressed(refusal) => {
                self.count_suppressed(&refusal, now);
                Err(refused(refusal))
            }
            Decision::Rejected(rejection) => Err(Stopped::Command(rejection.into())),
        }
    }

    /// Only what makes something without an id needs one. It carries the `seq` of the event that will make it; that of a
    /// goal may be the one of a pause that goes before it.
    fn new_id(&mut self, command: &Command, now: Timestamp) -> Uuid {
        let events_before = match command {
            Command::CreateGoal(new) if new.goal_id.is_none() => 0,
            Command::RecordSpend(record) if record.spend.spend_id.is_none() => 0,
            Command::Settle(settle) if settle.spend.spend_id.is_none() => 0,
            Command::Reserve(new) if new.reservation_id.is_none() => 0,
            // The turn, or the reading, comes first, then what is charged by it; from there on the ids of several charges
            // go up as their `seq`s do.
            Command::RecordTurn(record) if !record.turn.charges.is_empty() => 1,
            Command::ObserveMeter(_) => 1,
            _ => return Uuid::nil(),
        };
        self.ids.next(now, self.working.seq.saturating_add(1 + events_before))
    }

    fn receipt(&self, seqs: Option<(u64, u64)>, subject: Outcome, retried: bool) -> Receipt {
        let state = &self.working.state;
        let result = match subject {
            Outcome::Goal(id) => state.goal(id).map(|goal| CommandResult::Goal(Box::new(goal))),
            Outcome::Budget(id) => {
                state.budget_view(&id).map(|budget| CommandResult::Budget(Box::new(budget)))
            }
            Outcome::Closed(id) => {
                state.budget(&id).cloned().map(|budget| CommandResult::Closed(Box::new(budget)))
            }
            Outcome::Spend(id) => state.spend(&id).cloned().map(CommandResult::Spend),
            Outcome::Reservation(id) => state
                .reservation(&id)
                .cloned()
                .map(|reservation| CommandResult::Reservation(Box::new(reservation))),
            Outcome::Meter(id) => {
                state.meter(&id).cloned().map(|meter| CommandResult::Meter(Box::new(meter)))
            }
            Outcome::Nothing => None,
        };
        Receipt {
            first_seq: seqs.map(|(first, _)| first),
            last_seq: seqs.map(|(_, last)| last),
            retried,
            result: result.unwrap_or(CommandResult::Nothing),
        }
    }

    /// The spend that is about to be taken back, as it will be: an old one may be forgotten by that very event.
    fn reversed_spend(&self, payloads: &[Payload]) -> Option<SpendRecord> {
        let Some(Payload::SpendReversed(reversed)) = payloads.first() else { return None };
        let mut spend = self.working.state.spend(&reversed.spend_id)?.clone();
        spend.reversed = spend.reversed.saturating_add(reversed.amount);
        Some(spend)
    }

    fn retried(&self, remembered: Remembered) -> CommandAnswer {
        match remembered.outcome {
            RememberedOutcome::Done(subject) => {
                Ok(self.receipt(Some((remembered.first_seq, remembered.last_seq)), subject, true))
            }
            RememberedOutcome::Refused(refusal) => Err(CommandError::Refused(refusal)),
        }
    }

    /// Journals the events of one command as one frame (law ATOMIC) and takes them into the working state.
    fn record(
        &mut self,
        mut payloads: Vec<Payload>,
        request: &Request,
        now: Timestamp,
    ) -> Result<(u64, u64), Stopped> {
        for payload in &mut payloads {
            if let Payload::SpendRecorded(spend) = payload {
                self.texts.share(spend);
            }
        }
        let first_seq = self.working.seq + 1;
        self.events.clear();
        self.events.extend(envelopes(payloads, request, first_seq, now));
        self.payload.clear();
        for event in &self.events {
            push_line(&mut self.encoder, event, &mut self.payload);
        }
        let count = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        let journal = self.journal.as_mut().ok_or_else(|| Stopped::Engine(halted()))?;
        if let Err(error) = journal.append(count, &self.payload, now) {
            return Err(match error.kind() {
                ErrorKind::InvalidArgument => Stopped::Command(too_large(&error).into()),
                ErrorKind::NoSpace => {
                    self.look_after_room();
                    Stopped::Command(error.into())
                }
                _ => Stopped::Engine(error),
            });
        }
        self.hand_over_at_a_boundary();
        for event in &self.events {
            self.working.apply(event).map_err(|error| {
                // Decide and evolve disagree. The frame is not written yet, and will not be.
                Stopped::Engine(Error::new(
                    ErrorKind::Halted,
                    format!("a decided event does not fit the state: {error}"),
                ))
            })?;
        }
        self.keep_for_feed();
        Ok((first_seq, self.working.seq))
    }

    fn count_suppressed(&mut self, refusal: &Refusal, now: Timestamp) {
        *self.suppressed.entry((refusal.budget_id.clone(), refusal.kind, minute_of(now))).or_default() += 1;
    }

    pub(super) fn has_past_suppressed(&self) -> bool {
        let minute = minute_of(self.now());
        self.suppressed.keys().any(|(_, _, then)| *then < minute)
    }

    /// One counted event for the refusals of a minute that had none of their own (law HONEST).
    pub(super) fn report_suppressed(&mut self, is_due: impl Fn(Timestamp) -> bool) -> Result<(), Error> {
        if self.suppressed.is_empty() {
            return Ok(());
        }
        let due: Vec<_> = self.suppressed.extract_if(.., |(_, _, minute), _| is_due(*minute)).collect();
        for ((budget_id, refusal, minute), count) in due {
            let report = RefusalsSuppressed { budget_id: budget_id.clone(), refusal, count, minute };
            match self.carry_out(&Request::from(report), None) {
                Ok(_) => {}
                Err(Stopped::Engine(error)) => return Err(error),
                Err(Stopped::Command(error)) => {
                    tracing::warn!(%error, "the count of suppressed refusals waits");
                    self.suppressed.insert((budget_id, refusal, minute), count);
                }
            }
        }
        Ok(())
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Stopped {
        Stopped::Engine(error)
    }
}

fn refused(refusal: Box<Refusal>) -> Stopped {
    Stopped::Command(CommandError::Refused(refusal))
}

/// What a host made up of the engine's own would be no fact (law HONEST).
pub(super) fn engines_own(command: &Command) -> Rejection {
    let message = format!("{} is the engine's own: no caller can give it", command.op());
    Rejection { kind: RejectionKind::Invalid, message, max: None, goal: None }
}

fn too_large(error: &Error) -> Rejection {
    Rejection { kind: RejectionKind::Invalid, message: error.to_string(), max: None, goal: None }
}

/// The events of a command, numbered and stamped. All carry its key; the first also the fingerprint of its body.
fn envelopes(
    payloads: Vec<Payload>,
    request: &Request,
    first_seq: u64,
    now: Timestamp,
) -> impl Iterator<Item = ChangeEvent> {
    let body = request.key.as_ref().map(|_| fingerprint(request));
    let key_of = move |is_first: bool| {
        request
            .key
            .as_ref()
            .map(|key| EventKey { key: Arc::clone(key), fingerprint: body.filter(|_| is_first) })
    };
    (first_seq..).zip(payloads).map(move |(seq, payload)| ChangeEvent {
        seq,
        ts: now,
        session_id: request.session_id.clone(),
        actor: request.actor.clone(),
        key: key_of(seq == first_seq),
        meta: request.meta.clone(),
        payload,
    })
}

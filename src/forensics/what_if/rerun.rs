//! Two histories side by side: the one that was, and the one that would be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::about::About;
use super::changes::Changes;
use super::compare::{difference, keep_facts};
use super::derive::{self, Derived};
use super::divergence::{Difference, Divergence};
use super::report::{BudgetComparison, Tally, WhatIfReport};
use crate::clock::Timestamp;
use crate::domain::{Command, Context, Decision, RejectionKind, Request, Rules, decide, impose_terms};
use crate::error::{Error, ErrorKind};
use crate::event::{ChangeEvent, EndedForgotten, EventKey, GoalStatus, Payload};
use crate::forensics::balances::misfit;
use crate::ids::{BudgetId, GoalId};
use crate::projection::Projection;

/// A history that is decided again, beside the one that was.
pub(crate) struct Rerun<'a> {
    pub(super) changes: &'a Changes,
    /// As it was.
    pub(super) then: Projection,
    /// As it would be. Its `seq`s are its own from the first divergence on.
    pub(super) other: Projection,
    pub(super) rules: Rules,
    /// The changed budgets that were there.
    pub(super) seen: BTreeSet<BudgetId>,
    /// Budgets whose figures were others when they were forgotten.
    forgotten: BTreeMap<BudgetId, BudgetComparison>,
    pub(super) repriced: u64,
    pub(super) unpriced: u64,
    untried: u64,
}

impl<'a> Rerun<'a> {
    /// From that state on.
    pub(crate) fn new(changes: &'a Changes, start: Projection) -> Rerun<'a> {
        // What was accepted then passes: under which rules a journal does not tell.
        let rules = Rules {
            max_text_chars: usize::MAX,
            forbidden_text: "".into(),
            max_event_bytes: usize::MAX,
            ..Rules::default()
        };
        Rerun {
            changes,
            other: start.clone(),
            then: start,
            rules,
            seen: BTreeSet::new(),
            forgotten: BTreeMap::new(),
            repriced: 0,
            unpriced: 0,
            untried: 0,
        }
    }

    /// Changes what is there already, at that time. What follows from it at once, if anything does.
    pub(super) fn begin(&mut self, ts: Timestamp) -> Result<Option<Divergence>, Error> {
        let there = self.changes.named().filter(|id| self.then.state.budget(id).is_some());
        self.seen.extend(there.cloned());
        let ids: Vec<BudgetId> = match self.changes.has_default() {
            true => self.then.state.budgets().map(|budget| budget.id.clone()).collect(),
            false => self.seen.iter().cloned().collect(),
        };
        let mut gained = Vec::new();
        for id in ids {
            let terms = self.other.state.budget(&id).and_then(|budget| self.changes.terms_of(budget));
            let Some(terms) = terms else { continue };
            let payloads = impose_terms(&self.other.state, &id, terms);
            gained.extend(super::compare::effects(&payloads));
            let ts = ts.max(self.other.last_ts);
            let first = ChangeEvent {
                seq: 0,
                ts,
                session_id: None,
                actor: None,
                key: None,
                meta: None,
                payload: Payload::EndedForgotten(EndedForgotten { goals: Vec::new(), budgets: Vec::new() }),
            };
            self.write(&[first], payloads)?;
        }
        let difference = Difference::Otherwise { lost: Vec::new(), gained };
        let is_empty = matches!(&difference, Difference::Otherwise { gained, .. } if gained.is_empty());
        Ok((!is_empty).then(|| Divergence {
            first_seq: self.then.seq,
            last_seq: self.then.seq,
            ts,
            op: "what_if".into(),
            actor: None,
            session_id: None,
            budget_id: None,
            amount: None,
            difference,
        }))
    }

    /// Takes the events of the next command. How it would have come out otherwise, if it would.
    pub(crate) fn frame(&mut self, events: &[ChangeEvent]) -> Result<Option<Divergence>, Error> {
        let Some(first) = events.first() else { return Ok(None) };
        let told = match &first.payload {
            Payload::WindowRolled(_) | Payload::ReservationExpired(_) => self.elapse(events).map(|()| None),
            Payload::EndedForgotten(ended) => self.forget(events, ended).map(|()| None),
            Payload::CommandRefused(refused) => self.refused(first, refused),
            _ => self.done(events),
        };
        events.iter().try_for_each(|event| self.then.apply(event)).map_err(|error| misfit(&error))?;
        Ok(told?.map(|(about, difference)| about.diverges(events, difference)))
    }

    /// A command that was done.
    fn done(&mut self, events: &[ChangeEvent]) -> Result<Option<(About, Difference)>, Error> {
        let Some(Derived { command, new_id }) = derive::done(events) else { return Ok(None) };
        if let Payload::RefusalsSuppressed(report) = &events[0].payload {
            self.untried = self.untried.saturating_add(report.count);
        }
        let Some(command) = self.changed(command, events)? else { return Ok(None) };
        let about = About::of(&command, events);
        if let Some(goal) = self.stopped(events) {
            return Ok(Some((about, Difference::Stopped(goal))));
        }
        let request = derive::request(command, &events[0]);
        let difference = match self.decide(&request, events[0].ts, new_id, None) {
            Decision::Events(mut payloads) => {
                keep_facts(&mut payloads, events);
                let difference = difference(events, &payloads);
                self.write(events, payloads)?;
                difference
            }
            Decision::Refused(payload, refusal) => {
                self.write(events, vec![*payload])?;
                Some(Difference::Refused(refusal))
            }
            Decision::Suppressed(refusal) => Some(Difference::Refused(refusal)),
            Decision::Unchanged(_) => difference(events, &[])
                .or_else(|| (!is_changed_by_us(&request.command)).then_some(Difference::Needless)),
            Decision::Retried(_) => {
                Some(Difference::Impossible("its key, or its id, would have been known already".to_owned()))
            }
            Decision::Rejected(rejection) => Some(self.rejected(&request.command, rejection)),
        };
        Ok(difference.map(|difference| (about, difference)))
    }

    /// The goal of a turn that would not have begun.
    fn stopped(&self, events: &[ChangeEvent]) -> Option<GoalId> {
        let Payload::TurnRecorded(turn) = &events[0].payload else { return None };
        let status = self.other.state.goal(turn.goal_id)?.status;
        (!turn.late && status != GoalStatus::Active).then_some(turn.goal_id)
    }

    /// Why a command could not have been given.
    pub(super) fn rejected(&self, command: &Command, rejection: crate::domain::Rejection) -> Difference {
        let is_so =
            |id: GoalId, to: GoalStatus| self.other.state.goal(id).is_some_and(|goal| goal.status == to);
        match command {
            Command::TransitionGoal(change) if is_so(change.goal_id, change.to) => Difference::Needless,
            Command::Settle(_) | Command::Release(_) | Command::MarkUnknown(_) | Command::ReverseSpend(_)
                if rejection.kind == RejectionKind::NotFound =>
            {
                Difference::Impossible(match command {
                    Command::Settle(settle) => never_made(&settle.reservation_id),
                    Command::Release(release) => never_made(&release.reservation_id),
                    Command::MarkUnknown(mark) => never_made(&mark.reservation_id),
                    Command::ReverseSpend(reverse) => {
                        format!("spend {} would not be booked", reverse.spend_id)
                    }
                    _ => rejection.message,
                })
            }
            _ => Difference::Impossible(rejection.message),
        }
    }

    pub(super) fn decide(
        &self,
        request: &Request,
        now: Timestamp,
        new_id: Uuid,
        veto: Option<&Arc<str>>,
    ) -> Decision {
        let context = Context { now, rules: &self.rules, new_id, veto };
        decide(&self.other.state, request, &context)
    }

    /// Folds what would have happened instead of the events of a frame, with their time and what else they carry.
    pub(super) fn write(&mut self, frame: &[ChangeEvent], payloads: Vec<Payload>) -> Result<(), Error> {
        let Some(first) = frame.first() else { return Ok(()) };
        for (index, payload) in payloads.into_iter().enumerate() {
            let key = first.key.as_ref().map(|key| EventKey {
                key: key.key.clone(),
                fingerprint: key.fingerprint.filter(|_| index == 0),
            });
            let event = ChangeEvent { seq: self.other.seq.saturating_add(1), key, payload, ..first.clone() };
            self.other.apply(&event).map_err(|error| misfit(&error))?;
        }
        Ok(())
    }

    /// Notes the figures of what is about to be forgotten.
    pub(super) fn note_forgotten(&mut self, ended: &EndedForgotten) {
        let goals = ended.goals.iter().map(|id| BudgetId::Goal(*id));
        for id in goals.chain(ended.budgets.iter().cloned()) {
            let Some(last) = self.compare(&id).filter(BudgetComparison::differs) else { continue };
            self.forgotten.insert(id, last);
        }
    }

    /// The figures of a budget, as they are and as they would be.
    fn compare(&self, id: &BudgetId) -> Option<BudgetComparison> {
        let (then, other) = (self.then.state.budget(id), self.other.state.budget(id));
        Some(BudgetComparison {
            budget_id: id.clone(),
            unit: then.or(other)?.unit.clone(),
            limit_then: then.and_then(|budget| budget.terms.limit),
            limit_otherwise: other.and_then(|budget| budget.terms.limit),
            spent_then: then.map_or(0, |budget| budget.spent_total),
            spent_otherwise: other.map_or(0, |budget| budget.spent_total),
            overage_then: then.map_or(0, |budget| budget.overage_total),
            overage_otherwise: other.map_or(0, |budget| budget.overage_total),
        })
    }

    /// As it was, and as it would be.
    #[cfg(test)]
    pub(crate) fn states(&self) -> (&Projection, &Projection) {
        (&self.then, &self.other)
    }

    /// What came of it.
    pub(super) fn report(mut self, from_seq: u64, tally: Tally) -> Result<WhatIfReport, Error> {
        if let Some(missing) = self.changes.named().find(|id| !self.seen.contains(*id)) {
            let message = format!("there is no budget {missing} in that part of the history");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let ids: BTreeSet<BudgetId> = self.then.state.budgets().map(|budget| budget.id.clone()).collect();
        let named: BTreeSet<&BudgetId> = self.changes.named().collect();
        let differing = ids.iter().filter_map(|id| self.compare(id));
        let differing = differing.filter(|found| found.differs() || named.contains(&found.budget_id));
        let differing: Vec<BudgetComparison> = differing.collect();
        for found in differing {
            // One of the same name may have been forgotten before: the one that is there now is told.
            self.forgotten.insert(found.budget_id.clone(), found);
        }
        Ok(WhatIfReport {
            from_seq,
            to_seq: self.then.seq,
            commands: tally.commands,
            counts: tally.counts,
            first: tally.first,
            first_stop: tally.first_stop,
            budgets: self.forgotten.into_values().collect(),
            untried_refusals: self.untried,
            repriced: self.repriced,
            unpriced: self.unpriced,
            state_hash_then: self.then.state.state_hash(),
            state_hash_otherwise: self.other.state.state_hash(),
        })
    }
}

fn never_made(id: &crate::ids::ReservationId) -> String {
    format!("reservation {id} would not have been made")
}

/// Whether what a command changes may be what was set to be otherwise: then it is no wonder that it changes nothing.
fn is_changed_by_us(command: &Command) -> bool {
    matches!(command, Command::AdjustBudget(_))
}

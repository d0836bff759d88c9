//! A book whose ids are far enough apart for commands that make several, and that hears a risk assessor.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::commands::Step;
use crate::clock::Timestamp;
use crate::domain::tests::harness::Answer;
use crate::domain::{Context, Decision, Elapse, Request, Rules, State, decide, evolve, fingerprint, outcome};
use crate::event::{ChangeEvent, EventKey, Payload};

/// So many ids may one command make.
const IDS_PER_COMMAND: u128 = 16;

pub(super) struct Account {
    pub(super) now: Timestamp,
    pub(super) rules: Rules,
    pub(super) state: State,
    pub(super) seq: u64,
    pub(super) events: Vec<ChangeEvent>,
    /// How many events each command wrote, in order.
    pub(super) frames: Vec<usize>,
    made: u128,
}

impl Account {
    pub(super) fn new() -> Account {
        Account {
            now: Timestamp::parse("2026-11-21T01:15:00Z").unwrap(),
            rules: Rules { default_limit: Some(77), ..Rules::default() },
            state: State::default(),
            seq: 0,
            events: Vec::new(),
            frames: Vec::new(),
            made: 1_000,
        }
    }

    /// The account after those steps, whatever they are answered.
    pub(super) fn of(steps: &[Step]) -> Account {
        let mut account = Account::new();
        for step in steps {
            account.wait(step.wait);
            while account.state.next_deadline().is_some_and(|at| at <= account.now) {
                account.apply(&Elapse { max_events: step.max_events }.into(), false);
            }
            account.apply(&step.request, step.is_vetoed);
        }
        account
    }

    pub(super) fn wait(&mut self, by: Duration) {
        self.now = self.now.saturating_add(by);
    }

    /// The first of the ids that the next command may make.
    pub(super) fn next_id(&self) -> Uuid {
        Uuid::from_u128(self.made)
    }

    /// Decides, and folds in what was decided.
    pub(super) fn apply(&mut self, request: &Request, is_vetoed: bool) -> Answer {
        let reason: Arc<str> = "too dear".into();
        let veto = is_vetoed.then_some(&reason);
        let context = Context { now: self.now, rules: &self.rules, new_id: self.next_id(), veto };
        let decision = decide(&self.state, request, &context);
        self.made += IDS_PER_COMMAND;
        match decision {
            Decision::Events(events) => {
                let outcome = outcome(&events);
                self.write(request, events);
                Answer::Done(outcome)
            }
            Decision::Refused(event, refusal) => {
                self.write(request, vec![*event]);
                Answer::Refused(*refusal)
            }
            Decision::Unchanged(outcome) => Answer::Unchanged(outcome),
            Decision::Retried(remembered) => Answer::Retried(remembered),
            Decision::Suppressed(refusal) => Answer::Refused(*refusal),
            Decision::Rejected(rejection) => Answer::Rejected(rejection),
        }
    }

    fn write(&mut self, request: &Request, events: Vec<Payload>) {
        assert!(!events.is_empty(), "a frame is never empty");
        self.frames.push(events.len());
        for (position, payload) in events.into_iter().enumerate() {
            let key = request.key.as_ref().map(|key| EventKey {
                key: key.clone(),
                fingerprint: (position == 0).then(|| fingerprint(request)),
            });
            self.seq += 1;
            let event = ChangeEvent {
                seq: self.seq,
                ts: self.now,
                session_id: None,
                actor: request.actor.clone(),
                key,
                meta: None,
                payload,
            };
            evolve(&mut self.state, &event).unwrap_or_else(|error| panic!("{error}: {event:?}"));
            self.events.push(event);
        }
    }
}

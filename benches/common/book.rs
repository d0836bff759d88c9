//! The domain without a journal.

use std::time::Duration;

use tallybook::domain::{Context, Decision, decide, evolve, fingerprint};
use tallybook::event::{EventKey, Payload};
use tallybook::{ChangeEvent, Request, Rules, State, Timestamp};
use uuid::Uuid;

/// How many commands are published at once.
const BATCH: u64 = 512;
/// From one command to the next.
const STEP: Duration = Duration::from_micros(10);

/// A state, and what the engine would do to it: each command is decided and folded in, and now and then the state is
/// published, so that what changes next has to be copied first.
pub(crate) struct Book {
    pub(crate) state: State,
    published: State,
    pub(crate) seq: u64,
    commands: u64,
    rules: Rules,
    now: Timestamp,
}

impl Book {
    pub(crate) fn new() -> Book {
        Book {
            state: State::default(),
            published: State::default(),
            seq: 0,
            commands: 0,
            rules: Rules::default(),
            now: Timestamp::parse("2026-11-21T09:00:00Z").unwrap(),
        }
    }

    /// The id that is made for the next command: a UUID of version 7 that ends with the `seq` of the command's first event,
    /// as the engine makes them.
    pub(crate) fn next_id(&self) -> Uuid {
        id_at(self.now.saturating_add(STEP), self.seq + 1)
    }

    /// Carries a command out, and gives the id that was made for it.
    pub(crate) fn apply(&mut self, request: impl Into<Request>) -> Uuid {
        let request = request.into();
        let new_id = self.next_id();
        self.now = self.now.saturating_add(STEP);
        let context = Context { now: self.now, rules: &self.rules, new_id, veto: None };
        match decide(&self.state, &request, &context) {
            Decision::Events(payloads) => {
                let mut key =
                    request.key.clone().map(|key| EventKey { key, fingerprint: Some(fingerprint(&request)) });
                payloads.into_iter().for_each(|payload| self.fold(payload, key.take()));
            }
            other => panic!("expected it to be done: {request:?}, found {other:?}"),
        }
        self.commands += 1;
        if self.commands.is_multiple_of(BATCH) {
            self.publish();
        }
        new_id
    }

    /// Lets go of the state that was published before.
    pub(crate) fn publish(&mut self) {
        self.published = self.state.clone();
    }

    fn fold(&mut self, payload: Payload, key: Option<EventKey>) {
        self.seq += 1;
        let event = ChangeEvent {
            seq: self.seq,
            ts: self.now,
            session_id: None,
            actor: None,
            key,
            meta: None,
            payload,
        };
        evolve(&mut self.state, &event).unwrap();
    }
}

fn id_at(now: Timestamp, seq: u64) -> Uuid {
    let mut random = [0; 10];
    let mixed = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    random[..6].copy_from_slice(&mixed[..6]);
    random[6..].copy_from_slice(&seq.to_be_bytes()[4..]);
    let millis = u64::try_from(now.as_millis()).unwrap();
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

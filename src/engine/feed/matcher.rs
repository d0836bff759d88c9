//! A filter at work: it knows which goals are of the scopes that are asked for, and keeps events back before they are
//! decoded where their bytes tell.

use std::collections::HashSet;
use std::sync::Arc;

use memchr::{memchr, memmem};

use super::filter::EventFilter;
use super::subject::goals_of;
use crate::engine::as_of::{oldest_state, state_as_of};
use crate::engine::published::View;
use crate::engine::reader::StateAt;
use crate::error::{Error, ErrorKind};
use crate::event::{ChangeEvent, Payload};
use crate::ids::GoalId;
use crate::journal::WalkSource;
use crate::projection::Projection;
use crate::storage::Storage;

/// A filter at work.
#[derive(Debug)]
pub(in crate::engine) struct Matcher {
    filter: EventFilter,
    /// The goals of the scopes asked for, as far as they were learnt.
    goals: HashSet<GoalId>,
    /// The `seq` whose state knows the goals that were created before the first event; `None` once it was asked.
    knows_older: Option<u64>,
}

/// Where a matcher learns of which scope a goal is.
#[derive(Debug)]
pub(in crate::engine) struct Knowledge<'a> {
    /// The state of now, where there is an engine.
    pub(in crate::engine) now: Option<View>,
    /// The journal, for the state as of then.
    pub(in crate::engine) storage: &'a Arc<dyn Storage>,
    /// The same.
    pub(in crate::engine) source: &'a WalkSource,
}

impl Matcher {
    /// `None` where the filter lets everything pass. The first event comes after `seq`.
    pub(in crate::engine) fn new(filter: EventFilter, seq: u64) -> Option<Box<Matcher>> {
        if filter.is_empty() {
            return None;
        }
        Some(Box::new(Matcher { filter, goals: HashSet::new(), knows_older: Some(seq) }))
    }

    /// Begins anew after `seq`.
    pub(super) fn restart(&mut self, seq: u64) {
        self.goals.clear();
        self.knows_older = Some(seq);
    }

    /// Whether the event in `line` has to be decoded: what this denies is not wanted, and teaches nothing.
    pub(in crate::engine) fn may_want(&self, line: &[u8]) -> bool {
        let EventFilter { scopes, sessions, kinds, events, .. } = &self.filter;
        let kind = kind_of(line);
        let teaches = |kind: &[u8]| matches!(kind, b"goal_created" | b"ended_forgotten");
        if !scopes.is_empty() && kind.is_none_or(teaches) {
            return true;
        }
        let is_of_kind = |kind: &[u8]| kinds.iter().any(|wanted| wanted.as_bytes() == kind);
        if !kinds.is_empty() && kind.is_some_and(|kind| !is_of_kind(kind)) {
            return false;
        }
        if !events.is_empty() && kind.is_some_and(|kind| kind != b"event_recorded") {
            return false;
        }
        // Without a backslash every string stands in the line as it is.
        let is_plain = memchr(b'\\', line).is_none();
        let holds = |text: &Arc<str>| memmem::find(line, text.as_bytes()).is_some();
        let may_hold = |texts: &[Arc<str>]| texts.is_empty() || !is_plain || texts.iter().any(holds);
        may_hold(sessions) && may_hold(events)
    }

    /// Whether the event is wanted. Every event has to be shown that [`may_want`](Self::may_want) does not deny, in
    /// order.
    pub(in crate::engine) fn wants<'a>(
        &mut self,
        event: &ChangeEvent,
        knowledge: impl FnOnce() -> Knowledge<'a>,
    ) -> Result<bool, Error> {
        if self.filter.scopes.is_empty() {
            return Ok(self.filter.agrees_but_for_scopes(event));
        }
        if let Payload::GoalCreated(created) = &event.payload
            && self.filter.scopes.contains(&created.scope)
        {
            self.goals.insert(created.goal_id);
        }
        let is_wanted = self.filter.agrees_but_for_scopes(event) && self.is_of_scopes(event, knowledge)?;
        if let Payload::EndedForgotten(ended) = &event.payload {
            // No event is about them any more.
            self.goals.retain(|goal| !ended.goals.contains(goal));
        }
        Ok(is_wanted)
    }

    fn is_of_scopes<'a>(
        &mut self,
        event: &ChangeEvent,
        knowledge: impl FnOnce() -> Knowledge<'a>,
    ) -> Result<bool, Error> {
        if goals_of(&event.payload).any(|goal| self.goals.contains(&goal)) {
            return Ok(true);
        }
        let knowledge = knowledge();
        for goal in goals_of(&event.payload) {
            if self.is_of_scope(goal, &knowledge)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_of_scope(&mut self, goal: GoalId, knowledge: &Knowledge<'_>) -> Result<bool, Error> {
        if let Some(scope) = knowledge.now.as_ref().and_then(|now| now.scope_of(goal)) {
            return Ok(self.filter.scopes.contains(scope));
        }
        // It was forgotten since, or there is nobody who knows the state of now.
        if let Some(seq) = self.knows_older {
            let state = knowledge.state_at(seq)?.state;
            self.knows_older = None;
            let of_scope = state.goals().filter(|goal| self.filter.scopes.contains(&goal.scope));
            self.goals.extend(of_scope.map(|goal| goal.id));
        }
        Ok(self.goals.contains(&goal))
    }
}

impl Knowledge<'_> {
    /// The state after `seq`; the oldest there is where that was pruned: what it does not know has no event left.
    fn state_at(&self, seq: u64) -> Result<Projection, Error> {
        let state = match state_as_of(self.storage, self.source, StateAt::Seq(seq)) {
            Err(error) if *error.kind() == ErrorKind::Pruned => oldest_state(self.storage, self.source),
            state => state,
        };
        state.map(|as_of| as_of.projection)
    }
}

/// The kind of the event in a line that begins as the canonical form does.
fn kind_of(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(br#"{"seq":"#)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = rest[digits..].strip_prefix(br#","ts":""#)?;
    let rest = rest[memchr(b'"', rest)?..].strip_prefix(br#"","kind":""#)?;
    // With an escape in it, it stands for something else.
    Some(&rest[..memchr(b'"', rest)?]).filter(|kind| memchr(b'\\', kind).is_none())
}

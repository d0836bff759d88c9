//! What a decision may look at besides the state: time, chance and configuration, all turned into facts by it.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::ids::GoalId;

/// What [`decide`](crate::domain::decide) may look at besides the state and the request.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time that the events will be stamped with: never earlier than the last event's.
    pub now: Timestamp,
    /// The configuration.
    pub rules: &'a Rules,
    /// The id of a goal to be created, where the command gives none.
    pub new_goal_id: GoalId,
}

/// The part of the configuration that decides. Events carry what came of it, so that replay does without (law FOLD).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The longest text of a goal, in Unicode scalar values.
    pub max_text_chars: usize,
    /// What the text of a goal may not hold, in whatever ASCII case: the closing tag of the prompt block that hosts
    /// put it into. Empty: anything goes.
    pub forbidden_text: Arc<str>,
}

impl Default for Rules {
    /// 400 characters, without `</active_goal>`.
    fn default() -> Rules {
        Rules { max_text_chars: 400, forbidden_text: "</active_goal>".into() }
    }
}

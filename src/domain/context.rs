//! What a decision may look at besides the state: time, chance and configuration, all turned into facts by it.

use std::sync::Arc;

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::domain::Ttl;

/// What [`decide`](crate::domain::decide) may look at besides the state and the request.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time that the events will be stamped with: never earlier than the last event's.
    pub now: Timestamp,
    /// The configuration.
    pub rules: &'a Rules,
    /// A UUID of version 7 for what is to be made, where the command gives no id. Where several are made, the numbers
    /// after it are taken, too. The engine has its last 32 bits be those of the `seq` of the event that makes it, where that is
    /// a spend or a reservation: a spend is found by them.
    pub new_id: Uuid,
    /// What the host's risk assessor says against the command.
    pub veto: Option<&'a Arc<str>>,
}

/// The part of the configuration that decides. Events carry what came of it, so that replay does without (law FOLD).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The longest text of a goal, in Unicode scalar values.
    pub max_text_chars: usize,
    /// What the text of a goal may not hold, in whatever ASCII case: the closing tag of the prompt block that hosts
    /// put it into. Empty: anything goes.
    pub forbidden_text: Arc<str>,
    /// The limit of a new budget that is not told any; `None`: it has to be told.
    pub default_limit: Option<u128>,
    /// How long a reservation lives that is not told; [`Ttl::NEVER`] unless set, so that one whose host dies is left
    /// behind.
    pub default_ttl: Ttl,
    /// The longest data of an event of the host's own, in bytes, white space not counted.
    pub max_event_bytes: usize,
}

impl Default for Rules {
    /// 400 characters, without `</active_goal>`; no default limit; reservations stay until they are ended; 64 KiB for
    /// the data of an event.
    fn default() -> Rules {
        Rules {
            max_text_chars: 400,
            forbidden_text: "</active_goal>".into(),
            default_limit: None,
            default_ttl: Ttl::NEVER,
            max_event_bytes: 64 * 1024,
        }
    }
}

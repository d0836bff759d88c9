//! Commands and queries as JSON, one object a line, and their answers: what `tallybook apply` reads and writes, for
//! any host that talks to other languages.
//!
//! Reading is strict: an unknown operation, an unknown field, a field given twice, a value of another type are
//! refused with a message that names the field, what was expected and what was found. A field that may be left out
//! may also be `null`.
//!
//! ```
//! use tallybook::adapter::jsonl::{Operation, parse_line};
//!
//! let line = parse_line(br#"{"op":"create_goal","text":"ship 2.0","token_budget":"100000"}"#, false).unwrap();
//! let Operation::Command(request) = line.operation else { unreachable!() };
//! assert_eq!(request.command.op(), "create_goal");
//!
//! let rejection = parse_line(br#"{"op":"create_goal","txt":"ship 2.0"}"#, false).unwrap_err();
//! assert!(rejection.message.starts_with("unknown field \"txt\""));
//! ```

mod answer;
mod budget;
mod command;
mod fields;
mod goal;
mod query;
mod text;

pub use answer::{Answer, QueryResult};
pub use budget::BudgetJson;
pub use goal::GoalJson;
pub use query::Query;

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::{Command, Rejection, RejectionKind, Request};
use crate::event::Meta;
use fields::{Fields, Value, shortened};

/// The longest line that is read, in bytes, its end not included.
pub const MAX_LINE_LEN: usize = 1024 * 1024;

/// What one line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The command or query.
    pub operation: Operation,
    /// What time it is from this line on. Only for a clock that stands still otherwise.
    pub now: Option<Timestamp>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// To change something.
    Command(Box<Request>),
    /// To be told something.
    Query(Query),
}

/// Reads the fields of one operation that are its own.
type Read = fn(&Fields<'_>) -> Result<Asked, Rejection>;

/// An operation without what every line may carry.
enum Asked {
    Command(Command),
    Query(Query),
}

/// An operation: its name, the fields of its own, and how they are read.
struct Op {
    name: &'static str,
    fields: &'static [&'static str],
    read: Read,
}

/// What every line may carry; `now` only with a manual clock.
const ENVELOPE: [&str; 6] = ["op", "key", "actor", "session_id", "meta", "now"];

/// Every operation, in the order of the protocol.
static OPS: [Op; 8] = [
    Op {
        name: "create_goal",
        fields: &["text", "goal_id", "scope", "token_budget", "parent_goal", "budgets"],
        read: command::create_goal,
    },
    Op {
        name: "transition_goal",
        fields: &["goal_id", "to", "expected_revision", "reason", "note"],
        read: command::transition_goal,
    },
    Op {
        name: "set_goal_budget",
        fields: &["goal_id", "token_budget", "resume", "expected_revision"],
        read: command::set_goal_budget,
    },
    Op {
        name: "record_turn",
        fields: &["tokens", "goal_id", "scope", "seconds", "charges"],
        read: command::record_turn,
    },
    Op { name: "get_goal", fields: &["goal_id"], read: query::get_goal },
    Op { name: "active_goal", fields: &["scope"], read: query::active_goal },
    Op { name: "list_goals", fields: &["limit", "before", "scope", "status"], read: query::list_goals },
    Op { name: "head", fields: &[], read: query::head },
];

/// Reads one line; its end may be there or not. `now` is taken only where the clock is a manual one.
///
/// # Errors
/// A rejection of kind `invalid` that says what was expected and what was found. Nothing was done.
pub fn parse_line(line: &[u8], clock_is_manual: bool) -> Result<Line, Rejection> {
    if line.len() > MAX_LINE_LEN {
        return Err(line_too_long());
    }
    let text = std::str::from_utf8(line).map_err(|error| {
        let at = error.valid_up_to();
        let byte = line.get(at).copied().unwrap_or_default();
        invalid(format!("expected UTF-8, found the byte 0x{byte:02x} at offset {at} of the line"))
    })?;
    let fields = Fields::of_line(text)?;
    let op = operation(&fields)?;
    fields.expect_only(|name| op.fields.contains(&name) || ENVELOPE.contains(&name), || own_fields(op))?;

    let now = match fields.get("now") {
        Some(now) if !clock_is_manual => return Err(now.unexpected("only with a manual clock")),
        now => now.map(|value| value.parse_timestamp()).transpose()?,
    };
    let operation = match ((op.read)(&fields)?, envelope(&fields)?) {
        (Asked::Query(query), _) => Operation::Query(query),
        (Asked::Command(command), envelope) => {
            let Envelope { key, actor, session_id, meta } = envelope;
            Operation::Command(Box::new(Request { command, key, actor, session_id, meta }))
        }
    };
    Ok(Line { operation, now })
}

/// How a line longer than [`MAX_LINE_LEN`] is rejected: for readers that do not want to hold it in memory only to
/// be told.
pub fn line_too_long() -> Rejection {
    let max = u64::try_from(MAX_LINE_LEN).ok();
    Rejection {
        max,
        ..invalid(format!("expected a line of at most {MAX_LINE_LEN} bytes, found a longer one"))
    }
}

/// Which operation a line names.
fn operation(fields: &Fields<'_>) -> Result<&'static Op, Rejection> {
    let name = fields.require("op", "the name of an operation")?.string()?;
    OPS.iter().find(|op| op.name == name).ok_or_else(|| {
        let known: Vec<&str> = OPS.iter().map(|op| op.name).collect();
        invalid(format!("unknown op {}; this version knows {}", shortened(&name), known.join(", ")))
    })
}

/// What an operation takes, for the message about a field that it does not take.
fn own_fields(op: &Op) -> String {
    match op.fields {
        [] => format!("{} takes no fields of its own", op.name),
        fields => format!("{} takes {}", op.name, fields.join(", ")),
    }
}

/// What every line may carry.
struct Envelope {
    key: Option<Arc<str>>,
    actor: Option<Arc<str>>,
    session_id: Option<Arc<str>>,
    meta: Option<Meta>,
}

fn envelope(fields: &Fields<'_>) -> Result<Envelope, Rejection> {
    let name = |field| fields.get(field).map(Value::shared_string).transpose();
    Ok(Envelope {
        key: name("key")?,
        actor: name("actor")?,
        session_id: name("session_id")?,
        meta: fields.get("meta").map(Value::meta).transpose()?,
    })
}

fn invalid(message: impl Into<String>) -> Rejection {
    Rejection { kind: RejectionKind::Invalid, message: message.into(), max: None, goal: None }
}

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod tests;

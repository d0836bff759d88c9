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
mod command;
mod fields;
mod find;
mod op;
mod query;
mod records;
mod text;

pub use answer::{Answer, QueryResult};
pub use query::Query;
pub use records::{BudgetJson, GoalJson, MeterJson, ReportJson, ReservationJson, SpendJson};

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::{Rejection, RejectionKind, Request};
use crate::event::Meta;
use fields::{Fields, Value};
use op::{Asked, Op};

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

/// What every line may carry; `now` only with a manual clock.
const ENVELOPE: [&str; 6] = ["op", "key", "actor", "session_id", "meta", "now"];

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
    let op = Op::of(&fields)?;
    fields.expect_only(|name| op.fields.contains(&name) || ENVELOPE.contains(&name), || op.own_fields())?;

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
mod tests;

//! Answers, and how they are written.

mod refusal;
mod result;

pub use result::QueryResult;

use std::borrow::Cow;
use std::io;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::GoalJson;
use crate::domain::{Refusal, Rejection, RejectionKind};
use crate::engine::{CommandError, Receipt};
use crate::error::{Error, ErrorKind};
use refusal::RefusalJson;
use result::ResultJson;

/// The answer to one line.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A command was carried out.
    Done(Receipt),
    /// A query was answered.
    Found(QueryResult),
    /// A command was refused by limit, status, authority or risk.
    Refused(Box<Refusal>),
    /// A check says that a spend would be refused. Nothing was written.
    CheckRefused(Box<Refusal>),
    /// A line that cannot be read, or a command or query that cannot be done as it stands.
    Rejected(Rejection),
    /// The engine could not do its work.
    Failed(Error),
}

impl Answer {
    /// Writes the answer to the line of that number, its line end included.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, line: u64, out: &mut impl io::Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, &Numbered { line, body: self.body() })?;
        out.write_all(b"\n")
    }

    fn body(&self) -> Body<'_> {
        match self {
            Answer::Done(Receipt { first_seq, last_seq, retried, result }) => Body::Ok(Success {
                first_seq: *first_seq,
                last_seq: *last_seq,
                result: result.into(),
                retried: *retried,
            }),
            Answer::Found(found) => {
                Body::Ok(Success { first_seq: None, last_seq: None, result: found.into(), retried: false })
            }
            Answer::Refused(refusal) => Body::Refused(RefusalJson::of_command(refusal)),
            Answer::CheckRefused(refusal) => Body::Refused(RefusalJson::of_check(refusal)),
            Answer::Rejected(Rejection { kind, message, max, goal }) => Body::Error(ErrorJson {
                kind: kind.name(),
                message: Cow::Borrowed(message),
                max: *max,
                goal: goal.as_deref().map(GoalJson),
            }),
            Answer::Failed(error) => Body::Error(ErrorJson {
                kind: error_name(error),
                message: Cow::Owned(error.to_string()),
                max: None,
                goal: None,
            }),
        }
    }
}

impl From<Result<Receipt, CommandError>> for Answer {
    fn from(result: Result<Receipt, CommandError>) -> Answer {
        result.map_or_else(Answer::from, Answer::Done)
    }
}

impl From<CommandError> for Answer {
    fn from(error: CommandError) -> Answer {
        match error {
            CommandError::Refused(refusal) => Answer::Refused(refusal),
            CommandError::Rejected(rejection) => Answer::Rejected(rejection),
            CommandError::Engine(error) => Answer::Failed(error),
        }
    }
}

impl From<Rejection> for Answer {
    fn from(rejection: Rejection) -> Answer {
        Answer::Rejected(rejection)
    }
}

impl From<Error> for Answer {
    fn from(error: Error) -> Answer {
        Answer::Failed(error)
    }
}

/// What the caller of a script does next: wait and try again (`busy`), correct the command (`invalid`), or reopen
/// the journal and try again with the same key (`halted`).
fn error_name(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::Busy | ErrorKind::NoSpace => "busy",
        ErrorKind::InvalidArgument => RejectionKind::Invalid.name(),
        _ => "halted",
    }
}

/// `{"line":N, and exactly one of ok, refused and error}`.
struct Numbered<'a> {
    line: u64,
    body: Body<'a>,
}

enum Body<'a> {
    Ok(Success<'a>),
    Refused(RefusalJson<'a>),
    Error(ErrorJson<'a>),
}

impl Serialize for Numbered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut answer = serializer.serialize_struct("Answer", 2)?;
        answer.serialize_field("line", &self.line)?;
        match &self.body {
            Body::Ok(success) => answer.serialize_field("ok", success)?,
            Body::Refused(refusal) => answer.serialize_field("refused", refusal)?,
            Body::Error(error) => answer.serialize_field("error", error)?,
        }
        answer.end()
    }
}

#[derive(serde::Serialize)]
struct Success<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seq: Option<u64>,
    result: ResultJson<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    retried: bool,
}

#[derive(serde::Serialize)]
struct ErrorJson<'a> {
    kind: &'static str,
    message: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<GoalJson<'a>>,
}

//! Answers, and how they are written.

use std::borrow::Cow;
use std::io;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::text::Text;
use super::{GoalJson, Query, invalid};
use crate::domain::{Goal, Refusal, Rejection, RejectionKind, StateHash};
use crate::engine::{CommandError, CommandResult, Head, Receipt, View};
use crate::error::{Error, ErrorKind};
use crate::ids::{BudgetId, Epoch, GoalId, JournalId};

/// The answer to one line.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A command was carried out.
    Done(Receipt),
    /// A query was answered.
    Found(QueryResult),
    /// A command was refused by limit, status, authority or risk.
    Refused(Refusal),
    /// A line that cannot be read, or a command or query that cannot be done as it stands.
    Rejected(Rejection),
    /// The engine could not do its work.
    Failed(Error),
}

/// What a query found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryResult {
    /// A goal, or that there is none.
    Goal(Option<Box<Goal>>),
    /// Goals.
    Goals(Vec<Goal>),
    /// Where the journal stands.
    Head(Head),
}

impl Answer {
    /// Answers a query from a view.
    pub fn to_query(query: &Query, view: &View) -> Answer {
        let found = match query {
            Query::Goal(id) => match view.goal(*id) {
                Some(goal) => QueryResult::Goal(Some(Box::new(goal))),
                None => return no_such_goal("goal_id", *id),
            },
            Query::ActiveGoal(scope) => QueryResult::Goal(view.active_goal(scope).map(Box::new)),
            Query::Goals(query) => match query.before {
                // A place that is not there would look like the end of the list.
                Some(before) if view.goal(before).is_none() => return no_such_goal("before", before),
                _ => QueryResult::Goals(view.list_goals(query)),
            },
            Query::Head => QueryResult::Head(view.head()),
        };
        Answer::Found(found)
    }

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
                result: match result {
                    CommandResult::Goal(goal) => ResultJson::Goal(Some(GoalJson(goal))),
                    _ => ResultJson::Goal(None),
                },
                retried: *retried,
            }),
            Answer::Found(found) => Body::Ok(Success {
                first_seq: None,
                last_seq: None,
                result: match found {
                    QueryResult::Goal(goal) => ResultJson::Goal(goal.as_deref().map(GoalJson)),
                    QueryResult::Goals(goals) => ResultJson::Goals(goals.iter().map(GoalJson).collect()),
                    QueryResult::Head(head) => ResultJson::Head(HeadJson::of(head)),
                },
                retried: false,
            }),
            Answer::Refused(refusal) => Body::Refused(RefusalJson::of(refusal)),
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
        match result {
            Ok(receipt) => Answer::Done(receipt),
            Err(CommandError::Refused(refusal)) => Answer::Refused(*refusal),
            Err(CommandError::Rejected(rejection)) => Answer::Rejected(rejection),
            Err(CommandError::Engine(error)) => Answer::Failed(error),
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

fn no_such_goal(field: &str, id: GoalId) -> Answer {
    Answer::Rejected(Rejection {
        kind: RejectionKind::NotFound,
        ..invalid(format!("{field}: expected the id of a goal, found {id}, of which there is none"))
    })
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
#[serde(untagged)]
enum ResultJson<'a> {
    Goal(Option<GoalJson<'a>>),
    Goals(Vec<GoalJson<'a>>),
    Head(HeadJson<'a>),
}

#[derive(serde::Serialize)]
struct HeadJson<'a> {
    seq: u64,
    epoch: Text<&'a Epoch>,
    journal_id: Text<&'a JournalId>,
    state_hash: Text<&'a StateHash>,
}

impl HeadJson<'_> {
    fn of(head: &Head) -> HeadJson<'_> {
        HeadJson {
            seq: head.seq,
            epoch: Text(&head.epoch),
            journal_id: Text(&head.journal_id),
            state_hash: Text(&head.state_hash),
        }
    }
}

#[derive(serde::Serialize)]
struct RefusalJson<'a> {
    kind: &'static str,
    seq: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    suppressed: bool,
    budget_id: Text<&'a BudgetId>,
    limit: Option<Text<u128>>,
    spent: Text<u128>,
    reserved: Text<u128>,
    amount: Text<u128>,
}

impl RefusalJson<'_> {
    fn of(refusal: &Refusal) -> RefusalJson<'_> {
        RefusalJson {
            kind: refusal.kind.name(),
            seq: refusal.seq,
            suppressed: refusal.suppressed,
            budget_id: Text(&refusal.budget_id),
            limit: refusal.limit.map(Text),
            spent: Text(refusal.spent),
            reserved: Text(refusal.reserved),
            amount: Text(refusal.amount),
        }
    }
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

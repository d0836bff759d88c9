//! What is read, what is written.

mod answers;
mod bad_budgets;
mod budget_answers;
mod budgets;
mod events;
mod lines;

use super::*;
use crate::domain::Command;

const GOAL: &str = "0190b5a8-7b1c-7000-8000-000000000001";

fn read(line: &str) -> Result<Operation, Rejection> {
    parse_line(line.replace("GOAL", GOAL).as_bytes(), false).map(|line| line.operation)
}

fn command(line: &str) -> Command {
    match read(line) {
        Ok(Operation::Command(request)) => request.command,
        other => panic!("{line}: {other:?}"),
    }
}

fn query(line: &str) -> Query {
    match read(line) {
        Ok(Operation::Query(query)) => query,
        other => panic!("{line}: {other:?}"),
    }
}

#[track_caller]
fn message(line: &str) -> String {
    let rejection = read(line).expect_err(line);
    assert_eq!(rejection.kind, RejectionKind::Invalid, "{line}");
    rejection.message
}

fn written(answer: impl Into<Answer>) -> String {
    let mut out = Vec::new();
    answer.into().write(9, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

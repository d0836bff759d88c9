//! One command in flight: each is carried out and answered before the next is looked at. The shortest way from a
//! command to its answer, since an idle writer commits on this thread.

use std::io::Write;

use tallybook::adapter::jsonl::{Answer, Line, Operation};

use super::super::outcome::Failure;
use super::super::output::stdout;
use super::super::signals::StopFlag;
use super::commands::Commands;
use super::input::{Batches, InputLine};

/// Answers every line. An engine that has halted says so to each that is left.
pub(super) fn run(commands: &Commands, batches: &Batches, stop: &StopFlag) -> Result<(), Failure> {
    let mut out = stdout();
    while let Some(batch) = batches.next(|| stop.is_set())? {
        for line in batch.lines().take_while(|_| !stop.is_set()) {
            let answer = answer(commands, &line);
            answer.write(line.number, &mut out)?;
            out.flush()?;
        }
    }
    Ok(())
}

fn answer(commands: &Commands, line: &InputLine<'_>) -> Answer {
    let Line { operation, now } = match commands.parse(line) {
        Ok(line) => line,
        Err(rejection) => return rejection.into(),
    };
    if let Err(rejection) = commands.move_clock(now) {
        return rejection.into();
    }
    match operation {
        Operation::Command(request) => commands.engine.execute(*request).into(),
        Operation::Query(query) => commands.query(&query),
    }
}

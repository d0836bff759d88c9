//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::Outcome;
use crate::contestants::{durables, historians, is_asked};

pub(crate) const USAGE: &str =
    "usage: tallybook-compare [--quick] [--rounds N] [--only NAME,…] [--json FILE]";

/// How much is run.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Arguments {
    /// How many rounds of durable commands.
    pub(crate) rounds: usize,
    /// How many rounds of histories, which take longer.
    pub(crate) history_rounds: usize,
    /// How long durable commands of one kind go on.
    pub(crate) slice: Duration,
    /// How many events a history has.
    pub(crate) events: u64,
    /// Names, or families of them; none: everyone.
    pub(crate) only: Vec<String>,
    /// Where the figures go, besides the table.
    #[serde(skip)]
    pub(crate) json: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn parse(mut given: impl Iterator<Item = String>) -> Outcome<Arguments> {
        let (mut is_quick, mut rounds, mut only, mut json) = (false, None, Vec::new(), None);
        while let Some(argument) = given.next() {
            let mut value =
                || given.next().ok_or(format!("{argument}: expected a value, found none\n{USAGE}"));
            match argument.as_str() {
                "--quick" => is_quick = true,
                "--rounds" => rounds = Some(count(&value()?)?),
                "--only" => only.extend(value()?.split(',').map(name).collect::<Outcome<Vec<String>>>()?),
                "--json" => json = Some(PathBuf::from(value()?)),
                other => return Err(format!("expected an option, found {other:?}\n{USAGE}").into()),
            }
        }
        let (usual, slice, events) = if is_quick { (3, 150, 100_000) } else { (7, 500, 1_000_000) };
        let rounds = rounds.unwrap_or(usual);
        let history_rounds = if is_quick { rounds.min(2) } else { rounds.min(5) };
        let slice = Duration::from_millis(slice);
        Ok(Arguments { rounds, history_rounds, slice, events, only, json })
    }
}

fn count(value: &str) -> Outcome<usize> {
    match value.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(format!("--rounds: expected a number from 1 on, found {value:?}\n{USAGE}").into()),
    }
}

fn name(asked: &str) -> Outcome<String> {
    let only = [asked.to_owned()];
    let durables: Vec<_> = durables().iter().map(|one| one.name).collect();
    let historians: Vec<_> = historians().iter().map(|one| one.name).collect();
    let mut names = durables.iter().chain(&historians);
    if asked.is_empty() || !names.any(|name| is_asked(&only, name)) {
        let known = durables.join(", ");
        return Err(format!(
            "--only: expected a name or what names begin with, found {asked:?}; there are {known}"
        )
        .into());
    }
    let [asked] = only;
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Outcome<Arguments> {
        Arguments::parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn options_are_taken_in_any_order() {
        let arguments =
            parse("--only redb,jsonl --rounds 2 --json out.json --quick --only tallybook-tasks").unwrap();
        assert_eq!(arguments.only, ["redb", "jsonl", "tallybook-tasks"]);
        assert_eq!((arguments.rounds, arguments.events), (2, 100_000));
        assert_eq!(arguments.json, Some(PathBuf::from("out.json")));
        assert_eq!(parse("").unwrap().events, 1_000_000);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_was_expected() {
        for (line, says) in [
            ("--rounds", "expected a value"),
            ("--rounds 0", "expected a number from 1 on, found \"0\""),
            ("--only redb,,jsonl", "found \"\""),
            ("--only leveldb", "found \"leveldb\"; there are tallybook-threads"),
            ("quick", "expected an option, found \"quick\""),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(says), "{line}: {error}");
        }
    }
}

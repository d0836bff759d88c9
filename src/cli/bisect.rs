//! `tallybook bisect`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;
use tallybook::StateAt;
use tallybook::event::encode_event;
use tallybook::forensics::{BisectOptions, Bisected, Condition, TermChange, Value, bisect_telling};

use super::archive::ArchiveArguments;
use super::outcome::{EXIT_DONE, Failure};
use super::output::{print_json, stdout};
use super::progress::Progress;
use super::style::value_text;
use super::table::{Align, Table, printable};
use super::values;

/// Find the first seq after which a condition on the state holds.
///
/// Conditions compare fields of budgets, goals, reservations and meters, as the JSON of state has them, with values:
/// budget("id").spent >= 400000, goal("id").status == paused, reservation("id").status == open, spent("id") > 5,
/// budgets.count > 3, budget("id").exists; with and, or, not and parentheses. What is not there compares with nothing.
#[derive(Debug, Args)]
pub(super) struct BisectArguments {
    /// The journal's directory.
    dir: PathBuf,
    /// The condition.
    #[arg(long, value_name = "CONDITION")]
    when: Condition,
    /// The first event to look at [default: the oldest that can be].
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,
    /// Look no further than this.
    #[arg(long, value_name = "SEQ or TIME", value_parser = values::state_at, allow_hyphen_values = true)]
    to: Option<StateAt>,
    /// Believe that the condition, once it holds, goes on to hold: then snapshots are halved, and most of the history need
    /// not be read. If that is not so, what is found may not be the first.
    #[arg(long)]
    monotone: bool,
    #[command(flatten)]
    archive: ArchiveArguments,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct BisectJson<'a> {
    seq: Option<u64>,
    /// Whether it already held before the first event that was looked at.
    already: bool,
    event: Option<Box<RawValue>>,
    terms: &'a [TermChange],
    from_seq: u64,
    to_seq: u64,
}

pub(super) fn run(arguments: &BisectArguments) -> Result<u8, Failure> {
    let reader = arguments.archive.open(&arguments.dir)?;
    let mut options = BisectOptions::default();
    options.from = arguments.from;
    options.to = arguments.to.unwrap_or(StateAt::End);
    options.is_monotone = arguments.monotone;
    let first = arguments.from.map_or_else(|| reader.oldest_seq(), Ok)?;
    let last = if let Some(StateAt::Seq(last)) = arguments.to { Some(last) } else { None };
    let mut progress = Progress::of_events(first, last);
    let found = bisect_telling(&reader, &arguments.when, &options, &mut |seq| progress.at(seq))?;
    drop(progress);
    if arguments.json {
        print_json(&BisectJson {
            seq: found.seq,
            already: found.seq.is_some() && found.event.is_none(),
            event: event(&found)?.map(RawValue::from_string).transpose()?,
            terms: &found.terms,
            from_seq: found.seqs.0,
            to_seq: found.seqs.1,
        })?;
    } else {
        print(&found)?;
    }
    Ok(EXIT_DONE)
}

fn event(found: &Bisected) -> Result<Option<String>, Failure> {
    let Some(event) = &found.event else { return Ok(None) };
    let mut line = Vec::new();
    encode_event(event, &mut line);
    let text = String::from_utf8(line).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(Some(text.trim_end().to_owned()))
}

fn print(found: &Bisected) -> Result<(), Failure> {
    let mut out = stdout();
    let (first, last) = found.seqs;
    match (&found.event, found.seq) {
        (Some(event), _) => writeln!(out, "it holds first after seq {}  {}", event.seq, event.ts)?,
        (None, Some(seq)) => writeln!(out, "it holds already after seq {seq}, before what was looked at")?,
        (None, None) => writeln!(out, "it never holds, from after seq {first} to after seq {last}")?,
    }
    if let Some(line) = event(found)? {
        writeln!(out, "  {}", printable(&line))?;
    }
    writeln!(out)?;
    let mut table =
        Table::new([("", Align::Left), ("BEFORE", Align::RightAsIs), ("AFTER", Align::RightAsIs)]);
    let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), value_text);
    for term in &found.terms {
        table.row([term.term.clone(), text(&term.before), text(&term.after)]);
    }
    table.print(&mut out)?;
    Ok(out.flush()?)
}

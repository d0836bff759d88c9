//! `tallybook replay`.

mod json;

use std::io::Write;
use std::ops::{Bound, ControlFlow};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tallybook::forensics::{Changes, Divergence, PriceTable, Told, WhatIfReport, what_if};

use json::{DivergenceJson, ReportJson};

use super::archive::ArchiveArguments;
use super::outcome::{EXIT_DONE, Failure};
use super::output::{print_json, stdout};
use super::progress::Progress;
use super::style::{Paint, style};
use super::table::{Align, Table};
use super::time::when;

/// Decide the history again under other limits or prices, and tell where it would have come out otherwise.
///
/// Nothing is written. A limit that is set stays as it is set, whatever adjusted it then. A refused spend or reservation is
/// tried again with its amount at the budget that refused it; a reservation that passes is taken to be settled in full. A
/// turn of a goal that would have been paused is not booked. What follows from something that would not have happened is
/// told as impossible. With nothing set it checks that the history can be decided again as it was.
#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// The journal's directory.
    dir: PathBuf,
    /// What is to be otherwise: BUDGET.limit=AMOUNT (or none), BUDGET.hard=true (or false), default-limit=AMOUNT (or none).
    #[arg(long, value_name = "CHANGE")]
    set: Vec<String>,
    /// A table of prices for spends that carry quantities: CSV with the columns quantity, price, per, tool and unit, or JSON
    /// ({"prices":[{"quantity":"output_tokens","price":"15","per":1000,"tool":"opus"}]}). Costs are rounded up.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// From the first command that begins at this seq or later; unless given, from the oldest before which there is a state.
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// To the last command that begins at this seq or before.
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    #[command(flatten)]
    archive: ArchiveArguments,
    /// Print every command that would have come out otherwise, not the first ones only.
    #[arg(long)]
    all: bool,
    /// Print JSON: one line for each command that would have come out otherwise, and one with the report.
    #[arg(long)]
    json: bool,
}

/// How many divergences are printed unless all are asked for.
const SHOWN: u64 = 10;

pub(super) fn run(arguments: &ReplayArguments) -> Result<u8, Failure> {
    let changes = changes(arguments)?;
    let reader = arguments.archive.open(&arguments.dir)?;
    let from = arguments.from.map_or(Bound::Unbounded, Bound::Included);
    let to = arguments.to.map_or(Bound::Unbounded, Bound::Included);
    let first = arguments.from.map_or_else(|| reader.oldest_seq(), Ok)?;
    let mut progress = Progress::of_events(first, arguments.to);
    let mut out = stdout();
    let mut failed = None;
    let mut shown = 0u64;
    let report = what_if(&reader, &changes, (from, to), &mut |told| match told {
        Told::At(seq) => {
            progress.at(seq);
            ControlFlow::Continue(())
        }
        Told::Diverged(divergence) => {
            shown += 1;
            let printed = match arguments.json {
                true => put_json(&mut out, &DivergenceJson::of(divergence)),
                false if arguments.all || shown <= SHOWN => put_line(&mut out, divergence),
                false => Ok(()),
            };
            failed = printed.err();
            // Nobody reads on: the rest need not be decided.
            if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
        _ => ControlFlow::Continue(()),
    });
    drop(progress);
    if let Some(failure) = failed {
        return Err(failure);
    }
    let report = report?;
    if arguments.json {
        out.flush()?;
        drop(out);
        print_json(&ReportJson::of(&report))?;
    } else {
        let hidden = if arguments.all { 0 } else { shown.saturating_sub(SHOWN) };
        print(&report, &changes, hidden, &mut out)?;
        out.flush()?;
    }
    Ok(EXIT_DONE)
}

fn changes(arguments: &ReplayArguments) -> Result<Changes, Failure> {
    let changes = arguments.set.iter().try_fold(Changes::new(), |changes, text| changes.set(text))?;
    let Some(path) = &arguments.prices else { return Ok(changes) };
    let text = super::values::read_text(path)?;
    let is_json = text.trim_start().starts_with('{');
    let table = if is_json { PriceTable::from_json(&text) } else { PriceTable::from_csv(&text) };
    Ok(changes.prices(table?))
}

fn put_json(out: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, value)?;
    Ok(out.write_all(b"\n")?)
}

fn put_line(out: &mut impl Write, divergence: &Divergence) -> Result<(), Failure> {
    let paint = if divergence.stops_work() { Paint::Bad } else { Paint::Warning };
    let seq = style().paint(paint, &format!("seq {}", style().number(divergence.first_seq)));
    Ok(writeln!(out, "{seq}  {}  {divergence}", divergence.ts)?)
}

fn print(report: &WhatIfReport, changes: &Changes, hidden: u64, out: &mut impl Write) -> Result<(), Failure> {
    if hidden > 0 {
        writeln!(out, "… and {} more (--all shows them)", style().number(hidden))?;
    }
    if report.counts.total() > 0 {
        writeln!(out)?;
    }
    writeln!(out, "{}", verdict(report, changes))?;
    writeln!(out)?;
    let counts = &report.counts;
    let mut table = Table::of_pairs();
    table.pair("seqs", format!("{} to {}", report.from_seq, report.to_seq));
    table.pair("commands", report.commands);
    let parts = [
        ("refused", counts.refused),
        ("passed", counts.passed),
        ("stopped", counts.stopped),
        ("impossible", counts.impossible),
        ("needless", counts.needless),
        ("otherwise", counts.otherwise),
        ("refusals not tried", report.untried_refusals),
        ("repriced spends", report.repriced),
        ("unpriced spends", report.unpriced),
    ];
    parts.into_iter().filter(|(_, count)| *count > 0).for_each(|(name, count)| table.pair(name, count));
    table.print(out)?;
    if report.budgets.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut table = Table::new([
        ("BUDGET", Align::Left),
        ("UNIT", Align::Left),
        ("LIMIT THEN", Align::Right),
        ("OTHERWISE", Align::Right),
        ("SPENT THEN", Align::Right),
        ("OTHERWISE", Align::Right),
        ("OVERAGE THEN", Align::Right),
        ("OTHERWISE", Align::Right),
    ]);
    let limit = |limit: Option<u128>| limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
    for budget in &report.budgets {
        table.row([
            budget.budget_id.to_string(),
            budget.unit.to_string(),
            limit(budget.limit_then),
            limit(budget.limit_otherwise),
            budget.spent_then.to_string(),
            budget.spent_otherwise.to_string(),
            budget.overage_then.to_string(),
            budget.overage_otherwise.to_string(),
        ]);
    }
    Ok(table.print(out)?)
}

/// The answer, in a sentence.
fn verdict(report: &WhatIfReport, changes: &Changes) -> String {
    let number = |seq: u64| style().number(seq);
    match (&report.first_stop, &report.first) {
        (Some(stop), _) => {
            format!("it would have stopped work at seq {}, {}: {stop}", number(stop.first_seq), when(stop.ts))
        }
        (None, Some(first)) => format!(
            "it would have stopped no work; the first to come out otherwise is seq {}, {}: {first}",
            number(first.first_seq),
            when(first.ts)
        ),
        (None, None) if changes.is_empty() => {
            "nothing was changed, and every command comes out as it did".to_owned()
        }
        (None, None) => "every command would have come out as it did".to_owned(),
    }
}

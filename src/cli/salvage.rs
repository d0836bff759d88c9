//! `tallybook salvage`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tallybook::{JournalReader, SalvageReport};

use super::findings::{self, FindingJson};
use super::outcome::Failure;
use super::output::{print_json, stdout};
use super::style::{Paint, style};
use super::table::Table;

/// Copy what is provably good into a new journal; DIR stays as it is.
///
/// The new journal has an id of its own and ends at the first gap. Events that are good beyond it are written to
/// `orphans.jsonl` beside it, one a line, as they were journaled.
///
/// Exit code 0: nothing was lost; 1: the last write was cut short; 2: something that was synced is damaged, or a newer
/// version wrote it; 4: something cannot be read (what could be was salvaged), or another I/O error; 5: a writer holds the
/// journal. Where nothing was salvaged, nothing is printed to stdout.
#[derive(Debug, Args)]
pub(super) struct SalvageArguments {
    /// The journal's directory.
    dir: PathBuf,
    /// The directory of the new journal: a new or an empty one, outside of DIR.
    #[arg(long, value_name = "DIR2")]
    out: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct SalvageJson<'a> {
    journal_id: String,
    salvaged_from: Option<String>,
    events: u64,
    first_seq: u64,
    last_seq: u64,
    state_hash: String,
    snapshot: Option<&'a str>,
    gap_at: Option<u64>,
    orphans: u64,
    findings: Vec<FindingJson<'a>>,
}

pub(super) fn run(arguments: &SalvageArguments) -> Result<u8, Failure> {
    let report = JournalReader::salvage_dir(&arguments.dir, &arguments.out)?;
    if arguments.json {
        print_json(&to_json(&report))?
    } else {
        print(&report)?
    }
    Ok(findings::exit_code(&report.findings))
}

fn to_json(report: &SalvageReport) -> SalvageJson<'_> {
    SalvageJson {
        journal_id: report.journal_id.to_string(),
        salvaged_from: report.salvaged_from.map(|id| id.to_string()),
        events: report.events,
        first_seq: report.first_seq,
        last_seq: report.last_seq,
        state_hash: report.state_hash.to_string(),
        snapshot: report.snapshot.as_deref(),
        gap_at: report.gap_at,
        orphans: report.orphans,
        findings: findings::to_json(&report.findings),
    }
}

fn print(report: &SalvageReport) -> Result<(), Failure> {
    let mut out = stdout();
    let mut table = Table::of_pairs();
    table.pair("new journal", report.journal_id);
    let from =
        report.salvaged_from.map_or_else(|| "unknown: no header is left".to_owned(), |id| id.to_string());
    table.pair("salvaged from", from);
    table.pair("begins with", report.snapshot.as_deref().unwrap_or("the first event"));
    table.pair("events", report.events);
    table.pair("last seq", report.last_seq);
    table.pair("state hash", report.state_hash);
    if let Some(seq) = report.gap_at {
        table.pair("gap at", format!("seq {seq}"));
    }
    let orphans = match report.orphans {
        0 => "none".to_owned(),
        count => format!("{count}, in orphans.jsonl"),
    };
    table.pair("orphans", orphans);
    table.print(&mut out)?;
    match report.findings.as_slice() {
        [] => writeln!(out, "{}", style().paint(Paint::Good, "nothing is wrong"))?,
        findings => findings::print(findings, &mut out)?,
    }
    Ok(out.flush()?)
}

//! `tallybook verify`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tallybook::{JournalReader, VerifyReport};

use super::findings::{self, FindingJson};
use super::outcome::Failure;
use super::output::{print_json, stdout};
use super::style::{Paint, style};
use super::table::Table;

/// Check everything, and report damage by file and byte range.
///
/// Exit code 0: nothing is wrong; 1: the last write was cut short; 2: something that was synced is damaged.
#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// The journal's directory.
    dir: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct VerifyJson<'a> {
    journal_id: String,
    segments: usize,
    snapshots: usize,
    events: u64,
    last_good_seq: u64,
    clean: bool,
    live: bool,
    findings: Vec<FindingJson<'a>>,
}

pub(super) fn run(arguments: &VerifyArguments) -> Result<u8, Failure> {
    let report = JournalReader::verify_dir(&arguments.dir)?;
    if arguments.json {
        print_json(&to_json(&report))?
    } else {
        print(&report)?
    }
    Ok(findings::exit_code(&report.findings))
}

fn to_json(report: &VerifyReport) -> VerifyJson<'_> {
    let VerifyReport {
        journal_id,
        segments,
        snapshots,
        events,
        last_good_seq,
        is_clean,
        is_live,
        findings,
        ..
    } = report;
    VerifyJson {
        journal_id: journal_id.to_string(),
        segments: *segments,
        snapshots: *snapshots,
        events: *events,
        last_good_seq: *last_good_seq,
        clean: *is_clean,
        live: *is_live,
        findings: findings::to_json(findings),
    }
}

fn print(report: &VerifyReport) -> Result<(), Failure> {
    let mut out = stdout();
    let mut table = Table::of_pairs();
    table.pair("journal", report.journal_id);
    table.pair("condition", findings::condition(report.is_clean, report.is_live));
    table.pair("segments", report.segments);
    table.pair("snapshots", report.snapshots);
    table.pair("events", report.events);
    table.pair("last good seq", report.last_good_seq);
    table.print(&mut out)?;
    match report.findings.as_slice() {
        [] => writeln!(out, "{}", style().paint(Paint::Good, "nothing is wrong"))?,
        findings => findings::print(findings, &mut out)?,
    }
    Ok(out.flush()?)
}

//! `tallybook verify`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tallybook::proof::{self, AnchorReport, Mismatch, StateCheck};
use tallybook::{JournalReader, VerifyReport};

use super::anchor::{Anchor, KeyArguments};
use super::archive::ArchiveArguments;
use super::findings::{self, FindingJson};
use super::outcome::{EXIT_MISMATCH, Failure};
use super::output::{print_json, stdout};
use super::style::{Paint, style};
use super::table::Table;

/// Check everything, and report damage by file and byte range.
///
/// With --anchor also that the history is what a checkpoint covered: its signature, the chain of roots, every root made anew
/// from the events, and the state.
///
/// Exit code 0: nothing is wrong; 1: the last write was cut short; 2: something that was synced is damaged; 3: the journal
/// is not what the anchor covered.
#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// The journal's directory.
    dir: PathBuf,
    /// A checkpoint that was kept elsewhere.
    #[arg(long, value_name = "NOTE")]
    anchor: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArguments,
    #[command(flatten)]
    archive: ArchiveArguments,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct VerifyJson<'a> {
    journal_id: String,
    segments: usize,
    snapshots: usize,
    spine_entries: usize,
    events: u64,
    last_good_seq: u64,
    clean: bool,
    live: bool,
    findings: Vec<FindingJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor: Option<AnchorJson<'a>>,
}

#[derive(Serialize)]
struct AnchorJson<'a> {
    size: u64,
    sealed: u64,
    time: String,
    key: &'a str,
    key_given: bool,
    holds: bool,
    chained: bool,
    proved: &'a [(u64, u64)],
    unseen: &'a [(u64, u64)],
    state: &'static str,
    mismatches: Vec<MismatchJson<'a>>,
}

#[derive(Serialize)]
struct MismatchJson<'a> {
    first_seq: u64,
    last_seq: u64,
    message: &'a str,
}

pub(super) fn run(arguments: &VerifyArguments) -> Result<u8, Failure> {
    let Some(note) = &arguments.anchor else {
        let report = match arguments.archive.is_given() {
            true => arguments.archive.open(&arguments.dir)?.verify()?,
            false => JournalReader::verify_dir(&arguments.dir)?,
        };
        if arguments.json {
            print_json(&to_json(&report, None))?;
        } else {
            let mut out = stdout();
            print(&report, &mut out)?;
            out.flush()?;
        }
        return Ok(findings::exit_code(&report.findings));
    };
    let anchor = arguments.key.open(note)?;
    let report = match arguments.archive.is_given() {
        true => proof::verify(&arguments.archive.open(&arguments.dir)?, &anchor.checkpoint)?,
        false => proof::verify_dir(&arguments.dir, &anchor.checkpoint)?,
    };
    if arguments.json {
        print_json(&to_json(&report.journal, Some(anchor_json(&report, &anchor))))?;
    } else {
        let mut out = stdout();
        print(&report.journal, &mut out)?;
        print_anchor(&report, &anchor, &mut out)?;
        out.flush()?;
    }
    match report.mismatches.is_empty() {
        true => Ok(findings::exit_code(&report.journal.findings)),
        false => Ok(EXIT_MISMATCH),
    }
}

fn anchor_json<'a>(report: &'a AnchorReport, anchor: &'a Anchor) -> AnchorJson<'a> {
    let mismatch = |found: &'a Mismatch| MismatchJson {
        first_seq: found.first_seq,
        last_seq: found.last_seq,
        message: &found.message,
    };
    AnchorJson {
        size: anchor.checkpoint.size,
        sealed: anchor.checkpoint.sealed_size,
        time: anchor.checkpoint.time.to_string(),
        key: &anchor.key,
        key_given: anchor.is_key_given,
        holds: report.holds(),
        chained: report.is_chained,
        proved: &report.proved,
        unseen: &report.unseen,
        state: match report.state {
            StateCheck::Matches => "matches",
            StateCheck::Differs => "differs",
            StateCheck::Unavailable => "unavailable",
            StateCheck::OtherFold => "other_fold",
        },
        mismatches: report.mismatches.iter().map(mismatch).collect(),
    }
}

fn runs(runs: &[(u64, u64)]) -> String {
    let run = |(first, last): &(u64, u64)| match first == last {
        true => format!("seq {first}"),
        false => format!("seq {first} to {last}"),
    };
    match runs {
        [] => "nothing".to_owned(),
        runs => runs.iter().map(run).collect::<Vec<_>>().join(", "),
    }
}

/// What the anchor proves, and what it does not.
fn print_anchor(report: &AnchorReport, anchor: &Anchor, out: &mut impl Write) -> Result<(), Failure> {
    let Anchor { checkpoint, .. } = anchor;
    writeln!(out)?;
    let mut table = Table::of_pairs();
    table.pair("anchor", format!("seq 1 to {}, the last of {}", checkpoint.size, checkpoint.time));
    table.pair("signed by", anchor.signed_by());
    table.pair("proved", format!("{}: read, and what the anchor covered", runs(&report.proved)));
    let unseen = match report.unseen.is_empty() {
        true => "nothing".to_owned(),
        false => format!(
            "{}: pruned, damaged, or older than the spine; nothing is proved of it",
            runs(&report.unseen)
        ),
    };
    table.pair("not seen", unseen);
    table.pair(
        "state",
        match report.state {
            StateCheck::Matches => "as the anchor says",
            StateCheck::Differs => "another than the anchor says",
            StateCheck::Unavailable => "not looked at: what leads there is pruned or damaged",
            StateCheck::OtherFold => "not compared: it was hashed by another version of the fold",
        },
    );
    table.print(out)?;
    for Mismatch { first_seq, last_seq, message } in &report.mismatches {
        writeln!(out, "mismatch: {}: {message}", runs(&[(*first_seq, *last_seq)]))?;
    }
    if report.mismatches.is_empty() {
        writeln!(out, "nothing contradicts the anchor")?;
    }
    Ok(())
}

fn to_json<'a>(report: &'a VerifyReport, anchor: Option<AnchorJson<'a>>) -> VerifyJson<'a> {
    let VerifyReport {
        journal_id,
        segments,
        snapshots,
        spine_entries,
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
        spine_entries: *spine_entries,
        events: *events,
        last_good_seq: *last_good_seq,
        clean: *is_clean,
        live: *is_live,
        findings: findings::to_json(findings),
        anchor,
    }
}

fn print(report: &VerifyReport, out: &mut impl Write) -> Result<(), Failure> {
    let mut table = Table::of_pairs();
    table.pair("journal", report.journal_id);
    table.pair("condition", findings::condition(report.is_clean, report.is_live));
    table.pair("segments", report.segments);
    table.pair("snapshots", report.snapshots);
    table.pair("spine entries", report.spine_entries);
    table.pair("events", report.events);
    table.pair("last good seq", report.last_good_seq);
    table.print(out)?;
    match report.findings.as_slice() {
        [] => writeln!(out, "{}", style().paint(Paint::Good, "nothing is wrong"))?,
        findings => findings::print(findings, out)?,
    }
    Ok(())
}

//! What is wrong with a journal, as `verify` and `stat` report it.

use std::io::{self, Write};

use serde::Serialize;
use tallybook::{Finding, FindingKind};

use super::outcome::{EXIT_DAMAGED, EXIT_DONE, EXIT_IO, EXIT_TORN_TAIL};
use super::style::{Paint, style};

/// A finding as JSON.
#[derive(Serialize)]
pub(super) struct FindingJson<'a> {
    kind: &'static str,
    file: &'a str,
    start: u64,
    end: u64,
    seq: Option<u64>,
    message: &'a str,
}

pub(super) fn to_json(findings: &[Finding]) -> Vec<FindingJson<'_>> {
    fn json(finding: &Finding) -> FindingJson<'_> {
        let Finding { kind, file, start, end, seq, message } = finding;
        let kind = match kind {
            FindingKind::TornTail => "torn_tail",
            FindingKind::Damage => "damage",
            FindingKind::Unreadable => "unreadable",
        };
        FindingJson { kind, file, start: *start, end: *end, seq: *seq, message }
    }
    findings.iter().map(json).collect()
}

/// One line for each finding: what, where, which `seq`.
pub(super) fn print(findings: &[Finding], out: &mut impl Write) -> io::Result<()> {
    for Finding { kind, file, start, end, seq, message } in findings {
        let what = match kind {
            FindingKind::TornTail => "torn tail",
            FindingKind::Damage => "damage",
            FindingKind::Unreadable => "unreadable",
        };
        let seq = seq.map_or_else(|| "seq unknown".to_owned(), |seq| format!("seq {seq}"));
        let paint = if *kind == FindingKind::TornTail { Paint::Warning } else { Paint::Bad };
        let what = style().paint(paint, what);
        writeln!(out, "{what}: {file}, bytes {start} to {end}, {seq}: {message}")?;
    }
    Ok(())
}

/// The exit code for the worst of them.
pub(super) fn exit_code(findings: &[Finding]) -> u8 {
    match findings.iter().map(|finding| finding.kind).max() {
        None => EXIT_DONE,
        Some(FindingKind::TornTail) => EXIT_TORN_TAIL,
        Some(FindingKind::Damage) => EXIT_DAMAGED,
        Some(FindingKind::Unreadable) => EXIT_IO,
    }
}

/// How the last writer left the journal.
pub(super) fn condition(is_clean: bool, is_live: bool) -> &'static str {
    match (is_live, is_clean) {
        (true, _) => "a writer holds it",
        (false, true) => "closed cleanly",
        (false, false) => "not closed cleanly",
    }
}

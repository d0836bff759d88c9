//! `tallybook verify-proof`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use tallybook::proof::Proof;

use super::anchor::KeyArguments;
use super::outcome::{EXIT_DONE, Failure};
use super::output::stdout;
use super::user_files::read_text;

/// Check a proof against an anchor, without the journal, and print its event.
///
/// Exit code 3: the proof does not hold.
#[derive(Debug, Args)]
pub(super) struct VerifyProofArguments {
    /// The proof, as prove printed it.
    #[arg(value_name = "PROOF")]
    file: PathBuf,
    /// The anchor: a checkpoint that was kept elsewhere.
    #[arg(long, value_name = "NOTE")]
    anchor: PathBuf,
    #[command(flatten)]
    key: KeyArguments,
}

pub(super) fn run(arguments: &VerifyProofArguments) -> Result<u8, Failure> {
    let anchor = arguments.key.open(&arguments.anchor)?;
    let proof = Proof::from_json(&read_text(&arguments.file)?)?;
    proof.check(&anchor.checkpoint)?;
    let mut out = stdout();
    writeln!(out, "{}", proof.event)?;
    out.flush()?;
    // Nobody is left to be told when this cannot be printed.
    let _ = writeln!(
        std::io::stderr().lock(),
        "the proof holds: journal {} had this event as seq {} at {}\nsigned by {}",
        proof.journal_id,
        proof.seq,
        anchor.checkpoint.time,
        anchor.signed_by()
    );
    Ok(EXIT_DONE)
}

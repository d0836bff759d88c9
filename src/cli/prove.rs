//! `tallybook prove`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use tallybook::proof;

use super::anchor::KeyArguments;
use super::archive::ArchiveArguments;
use super::outcome::{EXIT_DONE, Failure};
use super::output::stdout;

/// Print a proof that an event is what an anchor covers, for verify-proof.
///
/// Without --anchor it fits checkpoints that are made from now on until the next event, and earlier ones where that can be
/// (see docs/proof.md). Exit code 3: the journal is not what the anchor covered.
#[derive(Debug, Args)]
pub(super) struct ProveArguments {
    /// The journal's directory.
    dir: PathBuf,
    /// The event's seq.
    seq: u64,
    /// The anchor that the proof is for.
    #[arg(long, value_name = "NOTE")]
    anchor: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArguments,
    #[command(flatten)]
    archive: ArchiveArguments,
}

pub(super) fn run(arguments: &ProveArguments) -> Result<u8, Failure> {
    let anchor = arguments.anchor.as_deref().map(|note| arguments.key.open(note)).transpose()?;
    let reader = arguments.archive.open(&arguments.dir)?;
    let proof = proof::prove(&reader, arguments.seq, anchor.as_ref().map(|anchor| &anchor.checkpoint))?;
    let mut out = stdout();
    writeln!(out, "{}", proof.to_json())?;
    out.flush()?;
    Ok(EXIT_DONE)
}

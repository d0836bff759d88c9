//! `tallybook checkpoint`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use tallybook::JournalReader;
use tallybook::proof::{self, PrivateKey};

use super::outcome::{EXIT_DONE, Failure};
use super::output::stdout;
use super::user_files::read_text;

/// Print a signed note of what the journal is now, for someone else to keep.
///
/// It covers every event that is durable. Later, verify and verify-proof hold the journal against it. Kept beside the journal
/// it proves nothing.
#[derive(Debug, Args)]
pub(super) struct CheckpointArguments {
    /// The journal's directory.
    dir: PathBuf,
    /// The private key, as keygen made it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

pub(super) fn run(arguments: &CheckpointArguments) -> Result<u8, Failure> {
    let key = PrivateKey::parse(&read_text(&arguments.key)?)?;
    let checkpoint = proof::checkpoint(&JournalReader::open(&arguments.dir)?)?;
    let mut out = stdout();
    out.write_all(checkpoint.sign(&key).as_bytes())?;
    out.flush()?;
    Ok(EXIT_DONE)
}

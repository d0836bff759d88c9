//! `tallybook keygen`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use tallybook::ids::SystemEntropy;
use tallybook::proof::PrivateKey;

use super::outcome::{EXIT_DONE, Failure};
use super::output::stdout;
use super::user_files::{create, remove};

/// Make a key for signing checkpoints, and print the one that checks them.
///
/// The private key goes to FILE, which only its owner may read, and the other to FILE.pub; neither may be there before. Keep
/// the private key where nobody can write the journal.
#[derive(Debug, Args)]
pub(super) struct KeygenArguments {
    /// Where the private key goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Whose key it is, as notes name it.
    #[arg(long, value_name = "NAME", default_value = "tallybook")]
    name: String,
}

pub(super) fn run(arguments: &KeygenArguments) -> Result<u8, Failure> {
    let key = PrivateKey::generate(&arguments.name, &SystemEntropy)?;
    let public = format!("{}\n", key.verifier());
    let mut beside = arguments.out.clone().into_os_string();
    beside.push(".pub");
    let beside = PathBuf::from(beside);
    // Both or none: the private key is of use as soon as it is there, so it comes last.
    create(&beside, &public, 0o644)?;
    let secret = format!("{}\n", key.to_secret_text());
    create(&arguments.out, &secret, 0o600).inspect_err(|_| remove(&beside))?;
    let mut out = stdout();
    out.write_all(public.as_bytes())?;
    out.flush()?;
    Ok(EXIT_DONE)
}

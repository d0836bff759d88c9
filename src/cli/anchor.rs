//! Anchors: checkpoints that were kept elsewhere.

use std::path::{Path, PathBuf};

use clap::Args;
use tallybook::proof::{Checkpoint, SignedNote, VerifierKey};

use super::outcome::Failure;
use super::user_files::read_text;

/// With which key an anchor's signature is checked.
#[derive(Debug, Args)]
pub(super) struct KeyArguments {
    /// The key that has to have signed the anchor, or a file with it, as keygen gives it. Without it the signature is checked
    /// with the key that the anchor names itself, which shows no more than that the anchor is whole.
    #[arg(long, value_name = "FILE|KEY", requires = "anchor")]
    public_key: Option<String>,
}

/// An anchor whose signature is good.
pub(super) struct Anchor {
    pub(super) checkpoint: Checkpoint,
    /// The key that signed it.
    pub(super) key: String,
    /// Whether the user gave that key.
    pub(super) is_key_given: bool,
}

impl KeyArguments {
    /// Reads an anchor and checks its signature.
    pub(super) fn open(&self, note: &Path) -> Result<Anchor, Failure> {
        let note = SignedNote::parse(&read_text(note)?)?;
        let given = self.public_key.as_deref().map(read_key).transpose()?;
        let checkpoint = note.open(given.as_ref())?;
        let is_key_given = given.is_some();
        let key = match given {
            Some(key) => key,
            None => note.named_key()?,
        };
        Ok(Anchor { checkpoint, key: key.to_string(), is_key_given })
    }
}

/// A key, or what a file of that name holds.
fn read_key(text: &str) -> Result<VerifierKey, Failure> {
    match VerifierKey::parse(text) {
        Ok(key) => Ok(key),
        Err(_) => Ok(VerifierKey::parse(&read_text(&PathBuf::from(text))?)?),
    }
}

impl Anchor {
    /// Who signed it, and what that is worth.
    pub(super) fn signed_by(&self) -> String {
        let Anchor { key, is_key_given, .. } = self;
        match is_key_given {
            true => format!("{key}, the key that was given"),
            false => format!(
                "{key}, the key that the anchor names itself: compare it with one that you know, or give that with --public-key"
            ),
        }
    }
}

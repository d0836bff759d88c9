//! Which journal to read, and how far back.

use std::path::{Path, PathBuf};

use clap::Args;
use tallybook::JournalReader;

use super::outcome::Failure;

/// An archive to read beneath the journal.
#[derive(Debug, Args)]
pub(super) struct ArchiveArguments {
    /// Also read the segments that were archived here before they were pruned (apply --archive), so that it goes back
    /// further than what the journal retains.
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
}

impl ArchiveArguments {
    /// Opens the journal in that directory, with the archive if there is one.
    pub(super) fn open(&self, dir: &Path) -> Result<JournalReader, Failure> {
        Ok(match &self.archive {
            Some(archive) => JournalReader::open_with_archive(dir, archive)?,
            None => JournalReader::open(dir)?,
        })
    }

    /// Whether there is one.
    pub(super) fn is_given(&self) -> bool {
        self.archive.is_some()
    }
}

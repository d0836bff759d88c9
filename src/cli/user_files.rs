//! Files that are the user's own, no part of a journal: notes, proofs and keys.
#![expect(clippy::disallowed_methods, reason = "the files are the user's, no part of a journal")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::outcome::Failure;

/// The whole text of a file.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::Input(format!("reading {}", path.display()), error))
}

/// Makes a new file, durably; one that is there is an error. `mode`: who may read it.
pub(super) fn create(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| Failure::Input(format!("making {}", path.display()), error))
}

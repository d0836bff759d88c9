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
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        // One that is half written stands in the way of the next try.
        written.and_then(|()| sync_parent(path)).inspect_err(|_| remove(path))
    };
    write().map_err(|error| Failure::Input(format!("making {}", path.display()), error))
}

/// Removes a file that was made just now.
pub(super) fn remove(path: &Path) {
    // What is left then is told by the error that led here.
    let _ = fs::remove_file(path);
}

/// Makes the name of a new file durable.
fn sync_parent(path: &Path) -> std::io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

//! Where a path leads.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Whether `path` is the directory `dir` or lies in it, whatever links lead there. Neither has to be there yet.
pub(crate) fn is_within(path: &Path, dir: &Path) -> io::Result<bool> {
    Ok(resolved(path)?.starts_with(resolved(dir)?))
}

/// The path without links, as far as there is something; the rest as it is written.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                out.pop();
            }
            component => out.push(component),
        }
        match out.canonicalize() {
            Ok(canonical) => out = canonical,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Files;

    #[test]
    fn a_place_is_told_whatever_leads_there() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        Files::create(&at("book/deep")).unwrap();
        std::os::unix::fs::symlink(at("book"), at("link")).unwrap();
        for inside in
            ["book", "book/", "book/deep", "book/new/er", "link", "link/new", "x/../book", "book/deep/.."]
        {
            assert!(is_within(&at(inside), &at("book")).unwrap(), "{inside}");
            assert!(is_within(&at(inside), &at("link")).unwrap(), "{inside}");
        }
        for outside in ["", "bookkeeping", "archive/book", "book/../archive", "link/../archive"] {
            assert!(!is_within(&at(outside), &at("book")).unwrap(), "{outside}");
        }
        assert!(is_within(&at("new/a"), &at("new")).unwrap(), "neither is there yet");
        assert!(is_within(Path::new("here"), Path::new("./here")).unwrap());
    }
}

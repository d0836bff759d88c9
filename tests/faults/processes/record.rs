//! The journal's directory, its archive, and both put together.
#![expect(clippy::disallowed_methods, reason = "a test looks at what a process left on the disk")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tallybook::JournalReader;
use tallybook::format::{SegmentName, SnapshotName};

/// Where the journal of a case is.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) dir: PathBuf,
    pub(crate) archive: Option<PathBuf>,
    /// For what is put together.
    whole: PathBuf,
}

/// The names of the files in a directory; none where there is no directory.
fn names(dir: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(dir) else { return BTreeSet::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

impl Record {
    /// A journal in `dir`; what else is needed comes to lie in `beside`.
    pub(crate) fn new(dir: PathBuf, beside: &Path, has_archive: bool) -> Record {
        let archive = has_archive.then(|| beside.join("archive"));
        Record { dir, archive, whole: beside.join("whole") }
    }

    /// The names of all files of the journal.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        names(&self.dir)
    }

    /// The names of all files of the archive.
    pub(crate) fn archived_names(&self) -> BTreeSet<String> {
        self.archive.as_deref().map(names).unwrap_or_default()
    }

    /// Whether anything was ever finished in it.
    pub(crate) fn has_begun(&self) -> bool {
        self.names().iter().any(|name| SegmentName::parse(name).is_some())
    }

    /// What is archived and what is retained, in one directory without snapshots: the whole history. Where there is no
    /// archive, nothing is pruned, and the journal is whole as it is.
    pub(super) fn whole(&self) -> PathBuf {
        let Some(archive) = &self.archive else { return self.dir.clone() };
        if self.whole.exists() {
            fs::remove_dir_all(&self.whole).unwrap();
        }
        fs::create_dir(&self.whole).unwrap();
        // What both hold is taken from the archive.
        for from in [archive, &self.dir] {
            for name in names(from).iter().filter(|name| SegmentName::parse(name).is_some()) {
                let link = self.whole.join(name);
                if link.symlink_metadata().is_err() {
                    symlink(from.join(name), link).unwrap();
                }
            }
        }
        self.whole.clone()
    }

    /// The first retained segment, as the newest base states it.
    pub(super) fn floor(&self) -> SegmentName {
        let bases = self.names().into_iter().filter_map(|name| SnapshotName::parse(&name));
        let newest = bases.filter(|name| name.is_base).max();
        newest.map_or(SegmentName { number: 1, first_seq: 1 }, |base| base.before)
    }

    /// Whether there is a snapshot that would let a segment go which is still there.
    pub(crate) fn has_snapshot_above_floor(&self) -> bool {
        let floor = self.floor();
        let names = self.names().into_iter().filter_map(|name| SnapshotName::parse(&name));
        names.filter(|name| name.before > floor).count() > 0
    }

    /// How many closed segments are retained.
    pub(crate) fn closed(&self) -> usize {
        let floor = self.floor();
        let segments = self.names().into_iter().filter_map(|name| SegmentName::parse(&name));
        segments.filter(|name| *name >= floor).count().saturating_sub(1)
    }

    /// Nothing is there that an engine which closed in peace leaves behind, and the journal is without a finding.
    #[track_caller]
    pub(crate) fn expect_tidy(&self) {
        let floor = self.floor();
        for name in self.names() {
            assert!(!name.ends_with(".tmp"), "{name} is left over");
            if let Some(segment) = SegmentName::parse(&name) {
                assert!(segment >= floor, "{name} is left over below {floor}");
            }
            if let Some(snapshot) = SnapshotName::parse(&name) {
                assert!(snapshot.before >= floor, "{name} is left over below {floor}");
                assert!(!snapshot.is_base || snapshot.before == floor, "{name} is a base too many");
            }
        }
        // A copy that a kill broke off stays until that segment is archived after all.
        let archived = self.archived_names();
        let segment_of = |name: &String| name.split_once(".seg.").map(|(stem, _)| format!("{stem}.seg"));
        let left: Vec<_> =
            archived.iter().filter_map(segment_of).filter(|name| archived.contains(name)).collect();
        assert_eq!(left, Vec::<String>::new(), "copies left over in the archive");
        let report = JournalReader::verify_dir(&self.dir).unwrap();
        assert!(report.is_clean && !report.is_live, "it was closed: {report:?}");
        assert!(report.findings.is_empty(), "after a clean close: {:?}", report.findings);
    }
}

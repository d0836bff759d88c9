//! Journals outlive code: one that an earlier version of the format wrote is opened, read and continued.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test")]

use std::path::Path;

use tallybook::{Blocking, JournalReader, NewGoal, StateAt};

/// A journal of format version 1, with events of the first versions of their kinds, a clean close and a recovery in it.
const VERSION_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/journal-v1");

fn copy_of(fixture: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(Path::new(fixture)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    dir
}

fn versions(dir: &Path) -> Vec<u8> {
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()[8]).collect()
}

#[test]
fn a_journal_of_format_version_1_is_read_and_continued() {
    let dir = copy_of(VERSION_1);
    let dir = dir.path();
    assert!(versions(dir).iter().all(|&version| version == 1));
    let before = JournalReader::open(dir).unwrap().state(StateAt::End).unwrap();
    assert_eq!((before.seq, before.goal_count()), (62, 9));

    let engine = Blocking::options().segment_bytes(8_192).open_blocking(dir).unwrap();
    assert_eq!(engine.view().state_hash(), before.state_hash());
    for number in 0..60 {
        engine.create_goal(NewGoal::new("go on").scope(format!("scope-{number}"))).unwrap();
    }
    let hash = engine.view().state_hash();
    drop(engine);

    let versions = versions(dir);
    assert_eq!((versions.first(), versions.last()), (Some(&1), Some(&2)), "old files stay as they are");
    let reader = JournalReader::open(dir).unwrap();
    assert!(reader.verify().unwrap().findings.is_empty());
    assert_eq!(reader.state(StateAt::End).unwrap().state_hash(), hash);
}

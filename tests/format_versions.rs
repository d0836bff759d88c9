//! Journals outlive code: one that an earlier version of the format wrote is opened, read and continued.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test")]

use std::path::Path;

use tallybook::format::{SPINE_ENTRY_LEN, SpineEntry, SpineHeader};
use tallybook::{Blocking, JournalId, JournalReader, NewGoal, StateAt};

/// A journal of format version 1, with events of the first versions of their kinds, a clean close and a recovery in it.
const VERSION_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/journal-v1");

/// A journal of format version 2, with a base, a snapshot and no spine: segments 1 to 4 are pruned.
const VERSION_2: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/journal-v2");

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
    assert_eq!((versions.first(), versions.last()), (Some(&1), Some(&3)), "old files stay as they are");
    let reader = JournalReader::open(dir).unwrap();
    assert!(reader.verify().unwrap().findings.is_empty());
    assert_eq!(reader.state(StateAt::End).unwrap().state_hash(), hash);
}

/// The first entry of a journal's spine, and how many there are.
fn spine(dir: &Path, journal_id: JournalId) -> (SpineEntry, u64) {
    let bytes = std::fs::read(dir.join("spine")).unwrap();
    assert_eq!(SpineHeader::from_bytes(&bytes).unwrap().journal_id, journal_id);
    let entries: Vec<SpineEntry> = (1_u64..)
        .map_while(|index| {
            let offset = index * SPINE_ENTRY_LEN as u64;
            let bytes = bytes.get(usize::try_from(offset).unwrap()..)?;
            SpineEntry::from_bytes(bytes, journal_id, offset)
        })
        .collect();
    (entries[0], entries.len() as u64)
}

#[test]
fn a_journal_of_format_version_2_gets_its_spine_and_says_where_that_begins() {
    let dir = copy_of(VERSION_2);
    let dir = dir.path();
    assert!(versions(dir).iter().all(|&version| version == 2));
    let before = JournalReader::open(dir).unwrap().state(StateAt::End).unwrap();
    let hash = "4-492feca9c7875f41358726b4a9756a1ba5d6ebd7c1aff6518e7e31abca84a335";
    assert_eq!((before.seq, before.state_hash().to_string().as_str()), (89, hash));
    assert!(!dir.join("spine").exists(), "a reader makes none");

    let engine = Blocking::options().segment_bytes(8_192).open_blocking(dir).unwrap();
    let journal_id = engine.view().journal_id();
    for number in 0..60 {
        engine.create_goal(NewGoal::new("go on").scope(format!("scope-{number}"))).unwrap();
    }
    drop(engine);

    let (first, entries) = spine(dir, journal_id);
    assert_eq!(
        (first.number, first.first_seq, first.next_seq),
        (5, 53, 66),
        "what was pruned before is not in it"
    );
    assert_eq!(entries + 1, versions(dir).len() as u64, "each closed segment has its entry");
    assert!(JournalReader::open(dir).unwrap().verify().unwrap().findings.is_empty());
}

//! Resuming in the middle: what a reader keeps from one read to the next changes nothing of what it reads.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test, which damages a file")]

#[path = "common/forgetful.rs"]
mod forgetful;

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forgetful::Forgetful;
use tallybook::storage::{Files, LockPeek, Mapping, NamesMark, SharedPage, Storage, StorageFile};
use tallybook::{
    Blocking, Error, ErrorKind, FeedItem, JournalReader, NewGoal, Options, Request, Retention, Start,
};

/// A position, and the line that stands there.
type Line = (u64, Vec<u8>);

const LINES: usize = 40;

fn open(dir: &Path) -> Blocking {
    let retention = Retention::new().segments(5);
    Options::new().segment_bytes(16 << 10).retention(retention).snapshot_bytes(1).open_blocking(dir).unwrap()
}

/// Two events a command, from the second on: the goal that was active is paused.
fn write(engine: &Blocking, goals: usize) {
    let new = |_| Request::from(NewGoal::new("read from the middle, again and again"));
    let pending = engine.submit_all((0..goals).map(new).collect()).unwrap();
    pending.into_iter().for_each(|pending| drop(pending.wait().unwrap()));
}

fn lines(reader: &JournalReader, from: u64) -> Result<Vec<Line>, Error> {
    let mut events = reader.events(from)?;
    let mut lines = Vec::new();
    while lines.len() < LINES
        && let Some(event) = events.next()?
    {
        lines.push((event.seq, event.line.to_vec()));
    }
    Ok(lines)
}

fn forgetful(dir: &Path) -> JournalReader {
    JournalReader::with_storage(Arc::new(Forgetful(Files::open(dir).unwrap()))).unwrap()
}

/// The events of a subscription; it may begin with a reset, or be given nothing.
fn subscribed(engine: &Blocking, from: u64) -> Option<Vec<u64>> {
    let mut feed = engine.subscribe(Start::From(from)).unwrap();
    let mut seqs = Vec::new();
    while seqs.len() < LINES {
        match feed.next_timeout(Duration::from_secs(20)).unwrap().expect("it catches up") {
            FeedItem::Event(event) => seqs.push(event.event.seq),
            FeedItem::CaughtUp(_) => break,
            FeedItem::Bookmark(_) => {}
            _ => return None,
        }
    }
    Some(seqs)
}

/// Whether three readers say the same of what comes from there on.
fn agree(engine: &Blocking, kept: &JournalReader, plain: &JournalReader, from: u64) -> bool {
    let (expected, found) = (lines(plain, from), lines(kept, from));
    match (&expected, &found) {
        (Ok(expected), Ok(found)) => {
            let seqs: Vec<u64> = expected.iter().map(|(seq, _)| *seq).collect();
            expected == found && subscribed(engine, from).is_some_and(|live| live == seqs)
        }
        (Err(expected), Err(found)) => {
            assert_eq!((expected.kind(), found.kind()), (&ErrorKind::Pruned, &ErrorKind::Pruned));
            subscribed(engine, from).is_none()
        }
        _ => false,
    }
}

#[test]
fn what_is_kept_changes_nothing_across_rotations_pruning_and_openings() {
    let dir = tempfile::tempdir().unwrap();
    let mut engine = open(dir.path());
    write(&engine, 10);
    let (kept, plain) = (JournalReader::open(dir.path()).unwrap(), forgetful(dir.path()));
    let mut random = 1_u64;
    let mut pruned = 0;
    for round in 0..24 {
        write(&engine, 30);
        if round % 6 == 5 {
            engine.shutdown(Duration::from_secs(60)).unwrap();
            engine = open(dir.path());
        }
        for _ in 0..12 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let from = 1 + (random >> 33) % engine.view().seq();
            // Segments go beside this, so that one of the three may have looked before and another after that.
            let agreed = (0..500).any(|_| {
                agree(&engine, &kept, &plain, from) || {
                    std::thread::sleep(Duration::from_millis(5));
                    false
                }
            });
            assert!(agreed, "from {from}: {:?}, {:?}", lines(&plain, from), lines(&kept, from));
            pruned += u32::from(lines(&plain, from).is_err());
        }
    }
    assert!(pruned > 0, "some of it was pruned");
    assert!(kept.oldest_seq().unwrap() > 1);
}

#[test]
fn what_is_handed_out_is_checked_however_often_it_was_read() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Options::new()
        .segment_bytes(16 << 10)
        .retention(Retention::keep_all())
        .open_blocking(dir.path())
        .unwrap();
    write(&engine, 100);
    let reader = JournalReader::open(dir.path()).unwrap();
    let before = lines(&reader, 21).unwrap();
    assert_eq!(lines(&reader, 21).unwrap(), before);
    let mut events = reader.events(30).unwrap();
    let place = events.next().unwrap().unwrap().location().clone();
    let path = dir.path().join(&place.file);
    let at = place.offset + place.length - 20;
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    let refused = lines(&reader, 21).unwrap_err();
    assert_eq!(refused.damage().map(|damage| damage.offset), Some(place.offset), "{refused}");
    assert_eq!(lines(&reader, 33).unwrap()[..8], before[12..20], "after it nothing is wrong");
    assert!(lines(&forgetful(dir.path()), 33).is_err(), "whoever comes that way for the first time sees it");
}

/// The storage of a directory of which no file can be mapped.
#[derive(Debug)]
struct Unmappable(Files);

impl Storage for Unmappable {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.0.create(name)
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        Ok(Arc::new(UnmappableFile(self.0.open(name)?)))
    }
    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.0.open_writable(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }
    fn names_mark(&self) -> io::Result<Option<NamesMark>> {
        self.0.names_mark()
    }
    fn try_lock(&self, name: &str) -> io::Result<Option<Arc<SharedPage>>> {
        self.0.try_lock(name)
    }
    fn peek_lock(&self, name: &str) -> io::Result<Option<LockPeek>> {
        self.0.peek_lock(name)
    }
}

#[derive(Debug)]
struct UnmappableFile(Arc<dyn StorageFile>);

impl StorageFile for UnmappableFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
    fn map(&self, _: u64) -> io::Result<Mapping> {
        Err(io::Error::other("it cannot be mapped"))
    }
}

/// A device that fails under a mapping ends the process: the segment that is being written is never mapped.
#[test]
fn an_open_segment_is_read_and_not_mapped() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Options::new().open_blocking(dir.path()).unwrap();
    let storage = Unmappable(Files::open(dir.path()).unwrap());
    let (kept, plain) = (JournalReader::with_storage(Arc::new(storage)).unwrap(), forgetful(dir.path()));
    // Names that have just changed are listed anew each time, and nothing is kept of them.
    std::thread::sleep(Duration::from_millis(50));
    for _ in 0..3 {
        write(&engine, 200);
        let last = engine.view().seq();
        for from in [1, last / 3, last / 2, last / 2, last - 5, last].map(|seq| seq.max(1)) {
            assert_eq!(lines(&kept, from).unwrap(), lines(&plain, from).unwrap(), "from {from}");
        }
    }
}

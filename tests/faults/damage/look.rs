//! One damage: done to the disk, looked at by readers, by `verify` and by an opening, and undone.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tallybook::format::{RECORD_LEN, SegmentName, SnapshotName};
use tallybook::storage::SimulatedDisk;
use tallybook::{
    Damage as Place, Error, ErrorKind, Finding, FindingKind, JournalReader, StateAt, StateHash, VerifyReport,
};

use super::book::{Book, Contents, contents, index, retained_lines, stated_floor};
use super::expect::Expected;
use crate::common;
use crate::tally::Tally;

/// What is done to a journal.
pub(super) struct Damage {
    /// What it is called where damages are counted.
    pub(super) kind: &'static str,
    pub(super) what: String,
    pub(super) change: Change,
    /// Whether readers and `verify` look at it, too, not the opening alone.
    pub(super) is_read: bool,
}

pub(super) enum Change {
    /// One bit of a file.
    Flip { file: String, at: usize, bit: u32 },
    /// Files with other bytes, or without any.
    Files(Vec<(String, Option<Arc<[u8]>>)>),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.change {
            Change::Flip { file, at, bit } => write!(f, "bit {bit} of byte {at} of {file}"),
            Change::Files(files) => {
                let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
                write!(f, "{}: {} ({})", self.kind, self.what, names.join(", "))
            }
        }
    }
}

impl Change {
    /// The files as they are with it.
    fn applied_to(&self, files: &Contents) -> Contents {
        let mut changed = files.clone();
        match self {
            Change::Flip { file, at, bit } => {
                let mut bytes = files[file].to_vec();
                bytes[*at] ^= 1 << bit;
                changed.insert(file.clone(), bytes.into());
            }
            Change::Files(files) => {
                for (name, bytes) in files {
                    match bytes {
                        Some(bytes) => changed.insert(name.clone(), Arc::clone(bytes)),
                        None => changed.remove(name),
                    };
                }
            }
        }
        changed
    }

    /// The names that it concerns.
    fn names(&self) -> Vec<&str> {
        match self {
            Change::Flip { file, .. } => vec![file],
            Change::Files(files) => files.iter().map(|(name, _)| name.as_str()).collect(),
        }
    }

    /// The one file that holds something else, if it is one, and it was there before.
    fn bent_file(&self, book: &Book) -> Option<&str> {
        match self {
            Change::Flip { file, .. } => Some(file),
            Change::Files(files) => match &files[..] {
                [(name, Some(_))] if book.files.contains_key(name) => Some(name),
                _ => None,
            },
        }
    }
}

/// Looks at damage after damage of a journal, on a copy of its disk that is made anew whenever it was changed.
pub(super) struct Look<'a> {
    book: &'a Book,
    disk: SimulatedDisk,
    tally: &'a mut Tally,
}

impl<'a> Look<'a> {
    pub(super) fn new(book: &'a Book, tally: &'a mut Tally) -> Look<'a> {
        Look { book, disk: book.disk.fork(0), tally }
    }

    /// Without any damage nothing is refused, and nothing is found.
    pub(super) fn at_the_honest_journal(&mut self) {
        let nothing =
            Damage { kind: "honest", what: String::new(), change: Change::Files(Vec::new()), is_read: true };
        self.at(&nothing);
        let report = JournalReader::with_storage(self.disk.process()).unwrap().verify().unwrap();
        assert!(!report.is_damaged(), "an honest journal: {:?}", report.findings);
        assert_eq!(report.last_good_seq, self.book.seq());
        // The spine may end in an entry of which only a part was written; the next opening writes it anew.
        let is_torn = report.findings.iter().any(|finding| finding.file != "spine");
        let (name, segment) = self.book.segments.last_key_value().expect("there is a segment");
        let end = super::expect::end_of_nonzero(&self.book.files[name]);
        assert_eq!(is_torn, end > segment.end(), "{:?}", report.findings);
        self.tally.count(if is_torn { "journals with a torn tail" } else { "journals without a torn tail" });
        self.tally.count(if report.is_clean { "journals closed" } else { "journals not closed" });
    }

    /// Does a damage and looks what comes of it.
    pub(super) fn at(&mut self, damage: &Damage) {
        let looked = catch_unwind(AssertUnwindSafe(|| self.try_at(damage)));
        if let Err(panic) = looked {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            panic!("{damage}: {}", text.unwrap_or_default());
        }
        self.tally.count("damages");
        self.tally.count(damage.kind);
    }

    fn try_at(&mut self, damage: &Damage) {
        let files = damage.change.applied_to(&self.book.files);
        let expected = self.book.expect(&files);
        // Opened before: so that `verify` looks at what has no beginning, too.
        let before = damage.is_read.then(|| JournalReader::with_storage(self.disk.process()).unwrap());
        self.apply(&damage.change);
        if let Some(reader) = before {
            self.verify(damage, &files, &expected, &reader);
            self.read(&files, &expected);
        }
        match common::open(&self.disk, self.book.options()) {
            Err(error) => {
                self.refused(damage, &files, &expected, &error);
                self.undo(&damage.change);
            }
            Ok(engine) => {
                let (seq, hash) = (engine.view().seq(), engine.view().head().state_hash);
                self.opened(damage, &files, &expected, seq, hash);
                // Without the mark of a clean close, which nobody will look at.
                self.disk.kill();
                drop(engine);
                self.disk = self.book.disk.fork(0);
            }
        }
    }

    fn apply(&self, change: &Change) {
        match change {
            Change::Flip { file, at, bit } => self.disk.corrupt(file, *at as u64, 1 << bit).unwrap(),
            Change::Files(files) => {
                for (name, bytes) in files {
                    match bytes {
                        Some(bytes) => self.disk.put(name, bytes),
                        None => self.disk.remove_file(name).unwrap(),
                    }
                }
            }
        }
    }

    fn undo(&self, change: &Change) {
        match change {
            Change::Flip { .. } => self.apply(change),
            Change::Files(files) => {
                for (name, _) in files {
                    match self.book.files.get(name) {
                        Some(bytes) => self.disk.put(name, bytes),
                        None => self.disk.remove_file(name).unwrap(),
                    }
                }
            }
        }
        // Whoever looked at it is gone, and so are the files that have no name any more.
        self.disk.kill();
    }

    // ---- opening --------------------------------------------------------------------------------------------

    /// Law EVIDENCE: a refusal names the place, and changes nothing.
    fn refused(&mut self, damage: &Damage, files: &Contents, expected: &Expected, error: &Error) {
        let place = error.damage().unwrap_or_else(|| panic!("refused, and not as damaged: {error:?}"));
        match expected {
            Expected::Opened { may_be_refused: false, .. } => panic!("expected {expected:?}: {error}"),
            Expected::Opened { .. } => {}
            Expected::Refused(Some(exact)) if damage.change.names().len() == 1 => {
                assert_eq!((&place.file, place.offset), (&exact.file, exact.offset), "{error}");
                assert_eq!(place.seq, exact.seq, "{error}");
            }
            Expected::Refused(_) => self.expect_named(damage, place, error),
        }
        assert!(
            error.to_string().contains(&format!("file {}, offset {}", place.file, place.offset)),
            "{error}"
        );
        let left = contents(&self.disk);
        assert!(left.keys().eq(files.keys()), "a refusal changed names: {:?}", left.keys());
        for (name, bytes) in files.iter().filter(|(name, _)| *name != "lock") {
            assert!(left[name] == *bytes, "law EVIDENCE: a refusal changed {name}");
        }
        self.tally.count("refused");
    }

    /// One that concerns whole files names one of them, or one that misses them.
    fn expect_named(&self, damage: &Damage, place: &Place, error: &Error) {
        let names = damage.change.names();
        let bent_snapshot =
            damage.change.bent_file(self.book).filter(|name| SnapshotName::parse(name).is_some());
        if let Some(snapshot) = bent_snapshot {
            assert_eq!(place.file, snapshot, "{error}");
        }
        let text = error.to_string();
        let is_named = names.iter().any(|name| text.contains(name));
        assert!(is_named || SegmentName::parse(&place.file).is_some(), "{error}");
    }

    /// Nothing that was acknowledged is lost or altered, and the state is that of the events.
    fn opened(&mut self, damage: &Damage, files: &Contents, expected: &Expected, seq: u64, hash: StateHash) {
        let Expected::Opened { seq: last, floor, .. } = *expected else {
            panic!("it was opened, at seq {seq}: expected {expected:?}")
        };
        assert_eq!(seq, last, "the last event");
        assert!(hash == self.book.hashes[index(seq)], "law FOLD: the state is another, at seq {seq}");
        let left = contents(&self.disk);
        let newest = files.keys().rfind(|name| SegmentName::parse(name).is_some());
        let is_retained =
            |name: &&String| SegmentName::parse(name).is_some_and(|name| name.first_seq >= floor);
        for name in files.keys().filter(is_retained) {
            let now = left.get(name).unwrap_or_else(|| panic!("{name} is gone"));
            let is_kept = now == &files[name] || (newest == Some(name) && is_gone_on_in(&files[name], now));
            assert!(is_kept, "law EVIDENCE: an opening edited {name}");
        }
        if damage.is_read {
            self.expect_lines(floor, retained_lines(&self.disk), seq);
        }
        self.tally.count(if seq == self.book.seq() {
            "opened, nothing lost"
        } else {
            "opened, the unproven end lost"
        });
    }

    // ---- reading --------------------------------------------------------------------------------------------

    /// Readers give what is true, or say that it is damaged.
    fn read(&mut self, files: &Contents, expected: &Expected) {
        let (floor, last) = match *expected {
            Expected::Opened { floor, seq, .. } => (floor, seq),
            // The events begin where a base says so by its name, whatever it holds.
            Expected::Refused(_) => {
                (stated_floor(files.keys()).map_or(1, |floor| floor.first_seq), self.book.seq())
            }
        };
        self.expect_lines(floor, retained_lines(&self.disk), last);
        let state =
            JournalReader::with_storage(self.disk.process()).and_then(|reader| reader.state(StateAt::End));
        match state {
            Ok(state) => {
                assert_eq!(state.seq, last, "`state` leaves out what is there");
                let is_true = state.state.state_hash() == self.book.hashes[index(state.seq)];
                assert!(is_true, "`state` is another, at seq {}", state.seq);
            }
            Err(error) => expect_damaged(&error),
        }
    }

    /// Lines as they were read: all of them up to `last`, each as it was written; or damage.
    fn expect_lines(&self, floor: u64, lines: Result<Vec<common::Line>, Error>, last: u64) {
        match lines {
            Err(error) => expect_damaged(&error),
            Ok(lines) => {
                for (line, seq) in lines.iter().zip(floor..) {
                    assert_eq!(line.seq, seq, "law ORDER");
                    assert!(line.bytes == self.book.lines[index(seq - 1)], "seq {seq} was altered");
                }
                let found = floor - 1 + lines.len() as u64;
                assert_eq!(found, last, "the last event that is read");
            }
        }
    }

    // ---- verify ---------------------------------------------------------------------------------------------

    fn verify(&mut self, damage: &Damage, files: &Contents, expected: &Expected, reader: &JournalReader) {
        let report = match reader.verify() {
            Ok(report) => report,
            Err(error) => panic!("`verify` ended: {error:?}"),
        };
        let has_foreign_header = matches!(expected, Expected::Refused(None));
        if let Some(file) = damage.change.bent_file(self.book).filter(|_| !has_foreign_header) {
            let Some(at) = self.book.expect_finding(files, file) else { return };
            let is_found = |finding: &Finding| finding.file == file && touches(finding, at);
            assert!(
                report.findings.iter().any(is_found),
                "`verify` did not find byte {at} of {file}: {:?}",
                report.findings
            );
            self.tally.count("found by verify");
        } else if matches!(expected, Expected::Refused(_)) {
            expect_some_finding(&report);
            self.tally.count("found by verify");
        }
    }
}

/// What is refused when it is opened is damaged when it is verified.
fn expect_some_finding(report: &VerifyReport) {
    let is_damage = |finding: &Finding| finding.kind == FindingKind::Damage && !finding.file.is_empty();
    assert!(report.findings.iter().any(is_damage), "`verify` found nothing: {:?}", report.findings);
}

fn touches(finding: &Finding, at: u64) -> bool {
    (finding.start..=finding.end).contains(&at)
}

fn expect_damaged(error: &Error) {
    assert!(matches!(error.kind(), ErrorKind::Damaged(_)), "expected damage: {error:?}");
}

/// Whether one is the other but for a record that was written in the place of the mark.
fn is_gone_on_in(before: &[u8], after: &[u8]) -> bool {
    let mark_at = before.len().saturating_sub(RECORD_LEN);
    after.get(..mark_at) == before.get(..mark_at) && after.len() >= before.len()
}

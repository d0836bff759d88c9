//! All that is done to a journal.

use std::collections::BTreeSet;
use std::sync::Arc;

use tallybook::format::{SegmentName, SnapshotName};

use super::book::Book;
use super::look::{Change, Damage, Look};

/// How much is done of it all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portion {
    /// Every so-and-so-manieth bit, length and pair of sectors; 1: all.
    pub(super) step: usize,
}

/// Sectors of disks.
const SECTORS: [usize; 2] = [512, 4096];

pub(super) fn do_all(book: &Book, look: &mut Look<'_>, seed: u64, portion: Portion) {
    let offset = usize::try_from(seed % 8).unwrap();
    for file in book.files.keys() {
        flip_bits(book, look, file, offset, portion);
        cut(book, look, file, portion);
        for sector in SECTORS {
            spoil_sectors(book, look, file, sector, portion);
        }
    }
    move_files(book, look);
}

/// Every bit. Readers and `verify` look at one of each byte; files on which nothing relies have no other.
fn flip_bits(book: &Book, look: &mut Look<'_>, file: &str, offset: usize, portion: Portion) {
    let kind = kind_of(file, ["a bit of a segment", "a bit of a snapshot", "a bit of another file"]);
    let bits = (offset % portion.step..book.files[file].len() * 8).step_by(portion.step);
    for number in bits {
        let (at, bit) = (number / 8, number % 8);
        let is_read = bit == (at + offset) % 8 || portion.step > 8;
        if is_read || is_relied_on(file) {
            let change = Change::Flip { file: file.to_owned(), at, bit: u32::try_from(bit).unwrap() };
            look.at(&Damage { kind, what: String::new(), change, is_read });
        }
    }
}

/// Every length.
fn cut(book: &Book, look: &mut Look<'_>, file: &str, portion: Portion) {
    let kind = kind_of(file, ["a segment cut off", "a snapshot cut off", "another file cut off"]);
    let bytes = &book.files[file];
    let step = if is_relied_on(file) { portion.step } else { portion.step.max(61) };
    for (count, len) in (0..bytes.len()).step_by(step).enumerate() {
        let change = Change::Files(vec![(file.to_owned(), Some(bytes[..len].into()))]);
        let what = format!("{len} of {} bytes", bytes.len());
        // Frames and fields begin at multiples of 8.
        look.at(&Damage { kind, what, change, is_read: count % 8 == 0 });
    }
}

/// Each sector zeroed, with what it held before, with what the other journal has there, and with each other sector.
fn spoil_sectors(book: &Book, look: &mut Look<'_>, file: &str, len: usize, portion: Portion) {
    let bytes = &book.files[file];
    for start in (0..bytes.len()).step_by(len) {
        let mut spoiler =
            Spoiler { look, bytes, file, start, end: (start + len).min(bytes.len()), seen: BTreeSet::new() };
        spoiler.with("a sector zeroed", &[]);
        for former in book.former.get(file).into_iter().flatten() {
            spoiler.with("a sector stale", former.get(start..).unwrap_or_default());
        }
        if let Some(twin) = book.twin.get(file) {
            spoiler.with("a sector of another journal", twin.get(start..).unwrap_or_default());
        }
        for (at, other) in book.files.values().flat_map(|other| other.chunks(len)).enumerate() {
            if at % portion.step == 0 {
                spoiler.with("a sector of elsewhere", other);
            }
        }
    }
}

struct Spoiler<'s, 'a> {
    look: &'s mut Look<'a>,
    bytes: &'s [u8],
    file: &'s str,
    start: usize,
    end: usize,
    seen: BTreeSet<Vec<u8>>,
}

impl Spoiler<'_, '_> {
    /// The sector with other bytes, with zeros where these end; once for each content that it had not.
    fn with(&mut self, kind: &'static str, sector: &[u8]) {
        let len = self.end - self.start;
        let mut content = sector[..sector.len().min(len)].to_vec();
        content.resize(len, 0);
        if content == self.bytes[self.start..self.end] || !self.seen.insert(content.clone()) {
            return;
        }
        let mut bytes = self.bytes.to_vec();
        bytes[self.start..self.end].copy_from_slice(&content);
        let (start, end) = (self.start, self.end);
        put(self.look, kind, || format!("bytes {start} to {end}"), self.file, bytes);
    }
}

fn put(look: &mut Look<'_>, kind: &'static str, what: impl Fn() -> String, file: &str, bytes: Vec<u8>) {
    let change = Change::Files(vec![(file.to_owned(), Some(bytes.into()))]);
    look.at(&Damage { kind, what: what(), change, is_read: true });
}

/// Each file deleted, in the place of each other, swapped with it, and once more under the names that come next.
fn move_files(book: &Book, look: &mut Look<'_>) {
    let mut files = |kind: &'static str, what: &str, files: Vec<(String, Option<Arc<[u8]>>)>| {
        look.at(&Damage { kind, what: what.to_owned(), change: Change::Files(files), is_read: true });
    };
    for (name, bytes) in &book.files {
        // Of a journal whose only file is gone, nothing tells that it was there.
        let counts =
            |name: &String| SegmentName::parse(name).is_some() || SnapshotName::parse(name).is_some();
        if book.files.keys().any(|other| other != name && counts(other)) {
            files("a file deleted", "", vec![(name.clone(), None)]);
        }
        for next in next_names(book, name) {
            files("a file duplicated", &format!("of {name}"), vec![(next, Some(Arc::clone(bytes)))]);
        }
        for (other, others) in book.files.iter().filter(|(_, others)| *others != bytes) {
            let copied = vec![(other.clone(), Some(Arc::clone(bytes)))];
            files("a file in the place of another", &format!("of {name}"), copied);
            if name < other {
                let swapped =
                    vec![(name.clone(), Some(Arc::clone(others))), (other.clone(), Some(Arc::clone(bytes)))];
                files("two files swapped", "", swapped);
            }
        }
    }
}

/// Names that a copy of a file may be found under, which no file has.
fn next_names(book: &Book, name: &str) -> Vec<String> {
    let after = |name: SegmentName| {
        let SegmentName { number, first_seq } = name;
        [(number + 1, first_seq), (number, first_seq + 1), (number + 1, book.seq() + 1)]
            .map(|(number, first_seq)| SegmentName { number, first_seq })
    };
    let mut names: Vec<String> = match (SegmentName::parse(name), SnapshotName::parse(name)) {
        (Some(segment), _) => after(segment).iter().map(SegmentName::to_string).collect(),
        (_, Some(snapshot)) => {
            let segments = book.files.keys().filter_map(|name| SegmentName::parse(name));
            let places = after(snapshot.before).into_iter().chain(segments);
            places.map(|before| SnapshotName { before, ..snapshot }.to_string()).collect()
        }
        _ => vec![format!("{name}.1")],
    };
    names.sort();
    names.dedup();
    names.retain(|name| !book.files.contains_key(name));
    names
}

/// Whether it is a segment or a snapshot.
fn is_relied_on(file: &str) -> bool {
    SegmentName::parse(file).is_some() || SnapshotName::parse(file).is_some()
}

fn kind_of(file: &str, [segment, snapshot, other]: [&'static str; 3]) -> &'static str {
    if SegmentName::parse(file).is_some() {
        segment
    } else if SnapshotName::parse(file).is_some() {
        snapshot
    } else {
        other
    }
}

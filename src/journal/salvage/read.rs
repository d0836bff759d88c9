//! Reading a file off a disk that may fail here and there.

use std::io;
use std::ops::Range;

use super::super::bytes::{index_of, offset_of};
use crate::storage::StorageFile;

/// What is read at once where a whole file cannot be: what disks call a sector.
const SECTOR: u64 = 512;
/// Tried first, so that a large file with one bad sector does not take a call for each sector.
const BLOCK: u64 = 64 << 10;

/// The bytes of a file, with zeros in the place of what cannot be read.
pub(super) struct Bytes {
    pub(super) bytes: Vec<u8>,
    pub(super) unreadable: Vec<Unreadable>,
}

/// A range that the system does not give.
pub(super) struct Unreadable {
    pub(super) range: Range<u64>,
    pub(super) error: String,
}

impl Unreadable {
    pub(super) fn overlaps(&self, start: u64, end: u64) -> bool {
        self.range.start < end && start < self.range.end
    }
}

/// Whether an error says nothing about the disk: whoever may not read a file, or whose process or machine is short of
/// something, is to be told that, and not that the file is lost.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    /// The machine, or the process, has as many files open as it may.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    let kinds = [io::ErrorKind::PermissionDenied, io::ErrorKind::NotFound, io::ErrorKind::OutOfMemory];
    kinds.contains(&error.kind()) || [Some(ENFILE), Some(EMFILE)].contains(&error.raw_os_error())
}

/// Reads the first `len` bytes. A failed read is made again in smaller pieces: it is never the end of the file.
///
/// # Errors
/// Those that say nothing about the disk.
pub(super) fn read(file: &dyn StorageFile, len: u64) -> io::Result<Bytes> {
    let mut out = Bytes { bytes: vec![0; index_of(len)], unreadable: Vec::new() };
    match file.read_exact_at(&mut out.bytes, 0) {
        Ok(()) => {}
        Err(error) if is_refusal(&error) => return Err(error),
        Err(_) => {
            out.bytes.fill(0);
            pieces(file, 0..len, BLOCK, &mut out)?;
        }
    }
    Ok(out)
}

fn pieces(file: &dyn StorageFile, range: Range<u64>, size: u64, out: &mut Bytes) -> io::Result<()> {
    let mut start = range.start;
    while start < range.end {
        let end = (start + size).min(range.end);
        let buffer = &mut out.bytes[index_of(start)..index_of(end)];
        match file.read_exact_at(buffer, start) {
            Ok(()) => {}
            Err(error) if is_refusal(&error) => return Err(error),
            Err(_) if size > SECTOR => {
                buffer.fill(0);
                pieces(file, start..end, SECTOR, out)?;
            }
            Err(error) => {
                buffer.fill(0);
                out.note(start..end, &error);
            }
        }
        start = end;
    }
    Ok(())
}

impl Bytes {
    fn note(&mut self, range: Range<u64>, error: &io::Error) {
        match self.unreadable.last_mut() {
            Some(last) if last.range.end == range.start => last.range.end = range.end,
            _ => self.unreadable.push(Unreadable { range, error: error.to_string() }),
        }
    }

    /// The length, as an offset.
    pub(super) fn len(&self) -> u64 {
        offset_of(self.bytes.len())
    }
}

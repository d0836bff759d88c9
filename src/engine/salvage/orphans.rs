//! The events that are good and do not join: one a line, as they were journaled.

use std::sync::Arc;

use crate::error::Error;
use crate::journal::{ORPHANS_NAME, ORPHANS_TMP_NAME};
use crate::storage::{Storage, StorageFile};

/// How much is written at once.
const CHUNK: usize = 1 << 20;

/// The file for them, made when the first one comes.
#[derive(Debug)]
pub(super) struct Orphans {
    storage: Arc<dyn Storage>,
    file: Option<Arc<dyn StorageFile>>,
    buffer: Vec<u8>,
    written: u64,
    count: u64,
}

impl Orphans {
    pub(super) fn new(storage: Arc<dyn Storage>) -> Orphans {
        Orphans { storage, file: None, buffer: Vec::new(), written: 0, count: 0 }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Adds an event, given without its line's end.
    pub(super) fn add(&mut self, line: &[u8]) -> Result<(), Error> {
        self.buffer.extend_from_slice(line);
        self.buffer.push(b'\n');
        self.count += 1;
        if self.buffer.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let failed = |error| Error::io(format!("writing {ORPHANS_NAME}"), error);
        if self.file.is_none() {
            self.file = Some(self.storage.create(ORPHANS_TMP_NAME).map_err(failed)?);
        }
        if let Some(file) = &self.file {
            file.write_all_at(&self.buffer, self.written).map_err(failed)?;
        }
        self.written += u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
        self.buffer.clear();
        Ok(())
    }

    /// Syncs the file, if there is one. It still has its temporary name; which other it gets.
    pub(super) fn finish(&mut self) -> Result<&'static [(&'static str, &'static str)], Error> {
        if !self.buffer.is_empty() {
            self.flush()?;
        }
        let Some(file) = &self.file else { return Ok(&[]) };
        file.sync().map_err(|error| Error::io(format!("syncing {ORPHANS_NAME}"), error))?;
        Ok(&[(ORPHANS_TMP_NAME, ORPHANS_NAME)])
    }
}

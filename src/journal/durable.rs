//! How much of a journal is known to be on the disk, as a reader from outside can tell.

use super::chain::{Segment, read_range};
use super::directory::Directory;
use super::layout::SegmentName;
use super::lock::peek;
use super::tail::read_tail;
use crate::error::{Error, ErrorKind};
use crate::storage::Storage;

/// How often it is looked again while a writer comes or goes.
const TRIES: usize = 20;

/// Up to where no power cut can unmake anything: all of the segments before one, and that one up to an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DurableEnd {
    /// The number of the newest segment whose name is durable, too.
    pub(crate) segment: u64,
    /// The offset.
    pub(crate) offset: u64,
}

/// Whether a sync failed because the medium knows none (`EINVAL`), or is read-only (`EROFS`).
fn is_without_sync(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::ReadOnlyFilesystem)
}

impl DurableEnd {
    /// Looks: what a live writer says that it has synced; else what the frames testify to.
    ///
    /// # Errors
    /// `Damaged` and `Io` when the newest segment cannot be read.
    pub(crate) fn look(storage: &dyn Storage) -> Result<DurableEnd, Error> {
        for _ in 1..TRIES {
            if let Some(end) = DurableEnd::try_look(storage)? {
                return Ok(end);
            }
            std::thread::yield_now();
        }
        let found = "a writer opens and closes the journal all the time; try again";
        DurableEnd::try_look(storage)?.ok_or_else(|| Error::new(ErrorKind::Io, found))
    }

    fn try_look(storage: &dyn Storage) -> Result<Option<DurableEnd>, Error> {
        if let Some(published) = peek(storage)? {
            return Ok(Some(DurableEnd { segment: published.segment, offset: published.synced }));
        }
        let none = || Error::new(ErrorKind::Io, "there is no journal in this directory");
        let newest = *Directory::read(storage)?.segments.last().ok_or_else(none)?;
        let segment = Segment::open(storage, newest)?;
        let bytes = read_range(&*segment.file, &segment.file_name, 0, segment.file_len()?)?;
        let tail = read_tail(&segment, &bytes, &mut |_, _| Ok(()));
        if peek(storage)?.is_some() {
            // One that has come since may have changed what was read.
            return Ok(None);
        }
        let tail = tail?;
        if !tail.is_clean {
            // Its writer may have died before the name was durable.
            match storage.sync_dir() {
                // What cannot be written or synced, a mounted image say, holds nothing that waits for it.
                Err(error) if is_without_sync(&error) => {}
                synced => {
                    synced.map_err(|error| Error::io("syncing the journal's directory", error))?;
                }
            }
        }
        Ok(Some(DurableEnd { segment: newest.number, offset: tail.believed.end }))
    }

    /// Whether a frame that ends there is durable.
    pub(crate) fn covers(&self, file: &str, end: u64) -> bool {
        SegmentName::parse(file).is_some_and(|name| {
            name.number < self.segment || name.number == self.segment && end <= self.offset
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_medium_that_knows_no_sync_is_excused() {
        // EINVAL and EROFS; EIO and ENOSPC.
        let is_excused = |number| is_without_sync(&std::io::Error::from_raw_os_error(number));
        assert_eq!([22, 30, 5, 28].map(is_excused), [true, true, false, false]);
    }
}

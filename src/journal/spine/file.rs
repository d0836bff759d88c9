//! The file of the spine: read as a whole, written an entry at a time.

use std::sync::Arc;

use super::format::{SPINE_ENTRY_LEN, SPINE_HEADER_LEN, SpineEntry, SpineHeader, chained_head, first_head};
use crate::error::{Error, ErrorKind};
use crate::ids::JournalId;
use crate::journal::bytes::{index_of, offset_of};
use crate::journal::chain::read_range;
use crate::journal::header::HeaderError;
use crate::journal::layout::{FORMAT_VERSION, SPINE_NAME, SPINE_TMP_NAME};
use crate::journal::retention::Inventory;
use crate::journal::snapshot::SnapshotFile;
use crate::merkle::Hash;
use crate::storage::{Storage, StorageFile};

/// The file grows by so many bytes at a time, so that most entries need no room on a disk that is full.
const ROOM: usize = 4096;

/// Where an entry stands, the first being 0.
fn offset_of_entry(index: u64) -> u64 {
    offset_of(SPINE_HEADER_LEN) + index * offset_of(SPINE_ENTRY_LEN)
}

/// The spine of a journal, as far as it is good.
#[derive(Debug)]
pub(crate) struct Spine {
    pub(crate) journal_id: JournalId,
    /// The entries, which join; at least one, unless something is wrong with the first.
    pub(crate) entries: Vec<SpineEntry>,
    /// Where the bytes of an entry stand whose writing was cut short, if that is how the spine ends.
    pub(crate) torn: Option<(u64, u64)>,
    /// What is wrong after these entries.
    pub(crate) wrong: Option<Error>,
    file_len: u64,
}

impl Spine {
    /// Reads the spine; `None` where there is none.
    ///
    /// # Errors
    /// `Damaged` and `Unsupported` by its header, `Io`.
    pub(crate) fn read(storage: &dyn Storage) -> Result<Option<Spine>, Error> {
        let file = match storage.open(SPINE_NAME) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| Error::io("opening the spine", error))?,
        };
        let len = file.len().map_err(|error| Error::io("asking for the length of the spine", error))?;
        let bytes = read_range(&*file, SPINE_NAME, 0, len)?;
        Spine::of(&bytes).map(Some)
    }

    /// What the bytes of a spine say.
    pub(crate) fn of(bytes: &[u8]) -> Result<Spine, Error> {
        let header = SpineHeader::from_bytes(bytes).map_err(|error| match error {
            HeaderError::Unsupported { found } => Error::new(
                ErrorKind::Unsupported,
                format!("the spine is of format version {found}, which is unsupported: this is Tallybook {}, which knows versions up to {FORMAT_VERSION}: upgrade", env!("CARGO_PKG_VERSION")),
            ),
            HeaderError::Bad(wrong) => Error::damaged(SPINE_NAME, 0, None, wrong),
        })?;
        let (journal_id, file_len) = (header.journal_id, offset_of(bytes.len()));
        let mut spine = Spine { journal_id, entries: Vec::new(), torn: None, wrong: None, file_len };
        spine.wrong = spine.take(&bytes[SPINE_HEADER_LEN..]).err();
        Ok(spine)
    }

    /// Takes the entries, and says what is wrong with the first that is not to be believed.
    fn take(&mut self, mut rest: &[u8]) -> Result<(), Error> {
        let is_zero = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
        while !is_zero(rest) {
            let offset = offset_of_entry(offset_of(self.entries.len()));
            let (entry, after) = rest.split_at(SPINE_ENTRY_LEN.min(rest.len()));
            let wrong = |found: &str| Err(Error::damaged(SPINE_NAME, offset, self.next_seq(), found));
            match SpineEntry::from_bytes(entry, self.journal_id, offset) {
                Some(entry) if !self.goes_on_with(&entry) => {
                    return wrong("an entry does not join the one before it");
                }
                Some(entry) => self.entries.push(entry),
                None if is_zero(after) && !self.entries.is_empty() => {
                    self.torn = Some((offset, offset + offset_of(entry.len())));
                    return Ok(());
                }
                None => return wrong("the CRC of an entry does not match"),
            }
            rest = after;
        }
        match self.entries.is_empty() {
            true => {
                Err(Error::damaged(SPINE_NAME, offset_of_entry(0), None, "there is no entry in the spine"))
            }
            false => Ok(()),
        }
    }

    /// Whether an entry follows from what was there before: nothing, or another.
    fn goes_on_with(&self, entry: &SpineEntry) -> bool {
        let before = self.entries.last();
        let joins = before.is_none_or(|last| {
            last.number.checked_add(1) == Some(entry.number) && last.next_seq == entry.first_seq
        });
        let (number, first_seq) = (entry.number, entry.first_seq);
        let head = chained_head(&self.head(), first_seq, entry.next_seq, &entry.root);
        // There is one after each.
        let is_counted = number < u64::MAX && entry.next_seq < u64::MAX;
        joins
            && is_counted
            && number > 0
            && first_seq > 0
            && entry.next_seq >= first_seq
            && head == entry.head
    }

    /// The spine as it was when `active` was being written: a live writer may have gone on since.
    pub(crate) fn before(mut self, active: u64) -> Spine {
        let known = self.entries.len();
        self.entries.retain(|entry| entry.number < active);
        if self.entries.len() < known {
            (self.torn, self.wrong) = (None, None);
        }
        self
    }

    /// The head after the last entry.
    pub(crate) fn head(&self) -> Hash {
        self.entries.last().map_or_else(|| first_head(self.journal_id), |last| last.head)
    }

    /// The number of the first segment that has no entry; `None` when there is no entry at all.
    pub(crate) fn next_number(&self) -> Option<u64> {
        self.entries.last().map(|last| last.number + 1)
    }

    /// The first `seq` after the last entry; `None` when there is no entry at all.
    pub(crate) fn next_seq(&self) -> Option<u64> {
        self.entries.last().map(|last| last.next_seq)
    }

    /// Where the entries end.
    pub(crate) fn len(&self) -> u64 {
        offset_of_entry(offset_of(self.entries.len()))
    }

    /// Where the entry of a segment begins and ends.
    pub(crate) fn offset_of(&self, number: u64) -> (u64, u64) {
        let first = self.entries.first().map_or(number, |first| first.number);
        let start = offset_of_entry(number.saturating_sub(first));
        (start, start + offset_of(SPINE_ENTRY_LEN))
    }

    /// The entry of a segment.
    pub(crate) fn entry(&self, number: u64) -> Option<&SpineEntry> {
        let index = number.checked_sub(self.entries.first()?.number)?;
        self.entries.get(index_of(index))
    }

    /// Refuses a spine that contradicts the names and headers of the segments: it is evidence, and so are they.
    pub(crate) fn check(&self, found: &Inventory) -> Result<(), Error> {
        let wrong = |seq, found: String| Err(Error::damaged(SPINE_NAME, 0, seq, found));
        if self.journal_id != found.journal_id {
            return wrong(
                None,
                format!("it belongs to journal {}, not to {}", self.journal_id, found.journal_id),
            );
        }
        let next = self.next_number().unwrap_or(1);
        let oldest = found.oldest();
        if next < oldest.number {
            let text = format!("it ends before segment {next}, and those before {oldest} are pruned");
            return wrong(self.next_seq(), text);
        }
        if next > found.active.number {
            let text = format!("it tells of segment {}, and the newest is {}", next - 1, found.active);
            return wrong(Some(found.active.first_seq), text);
        }
        if let Some((at, _)) = self.torn.filter(|_| next == found.active.number) {
            let text = "something follows the last entry, and no segment is closed that it could be of";
            return Err(Error::damaged(SPINE_NAME, at, self.next_seq(), text));
        }
        for segment in &found.closed {
            let name = segment.name;
            let Some(entry) = self.entry(name.number) else { continue };
            if (entry.first_seq, entry.next_seq) != (name.first_seq, segment.last_seq.saturating_add(1)) {
                let text = format!(
                    "it says that segment {name} holds seq {} up to before {}, and the next segment that it ends with seq {}",
                    entry.first_seq, entry.next_seq, segment.last_seq
                );
                return wrong(Some(name.first_seq), text);
            }
        }
        Ok(())
    }
}

/// Refuses to begin a spine anew where the base says that there was one: what it held of the pruned segments is lost.
fn expect_none(storage: &dyn Storage, found: &Inventory) -> Result<(), Error> {
    let Some(&base) = found.snapshots.first().filter(|name| name.is_base) else { return Ok(()) };
    match SnapshotFile::open(storage, base)?.header.spine_head == [0; 32] {
        true => Ok(()),
        false => Err(Error::damaged(
            SPINE_NAME,
            0,
            None,
            format!("it is missing, and {base} says that it was there"),
        )),
    }
}

/// The spine, for writing what comes next. Only one that wrote or synced an entry itself relies on it.
#[derive(Debug)]
pub(crate) struct SpineAppender {
    journal_id: JournalId,
    /// `None`: there is no spine yet.
    file: Option<Arc<dyn StorageFile>>,
    file_len: u64,
    first_number: u64,
    last: Option<SpineEntry>,
    /// Whether the last entry is known to be synced: of a former writer's nobody knows.
    is_settled: bool,
    /// Whether nobody knows what the disk holds, until the journal is opened again.
    is_in_doubt: bool,
}

impl SpineAppender {
    /// Opens the spine, or begins one with the oldest segment that is there.
    ///
    /// # Errors
    /// `Damaged` where it contradicts itself or the segments, `Unsupported`, `Io`.
    pub(crate) fn open(storage: &dyn Storage, found: &Inventory) -> Result<SpineAppender, Error> {
        let Some(spine) = Spine::read(storage)? else {
            expect_none(storage, found)?;
            let oldest = found.oldest();
            return Ok(SpineAppender {
                journal_id: found.journal_id,
                file: None,
                file_len: 0,
                first_number: oldest.number,
                last: None,
                is_settled: true,
                is_in_doubt: false,
            });
        };
        spine.check(found)?;
        if let Some(wrong) = spine.wrong {
            return Err(wrong);
        }
        let file = storage.open_writable(SPINE_NAME);
        Ok(SpineAppender {
            journal_id: spine.journal_id,
            file: Some(file.map_err(|error| Error::io("opening the spine for writing", error))?),
            file_len: spine.file_len,
            first_number: spine.entries.first().map_or(1, |first| first.number),
            last: spine.entries.last().copied(),
            is_settled: false,
            is_in_doubt: false,
        })
    }

    /// The number of the first segment that has no entry.
    pub(crate) fn next_number(&self) -> u64 {
        self.last.map_or(self.first_number, |last| last.number + 1)
    }

    /// Whether a failure leaves open what is on the disk: nothing more may be done with it.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.is_in_doubt
    }

    /// The head before the segment of that number; `None` where it is not known (yet).
    ///
    /// # Errors
    /// `Io`; `Damaged` when an entry has changed meanwhile.
    pub(crate) fn head_before(&self, number: u64) -> Result<Option<Hash>, Error> {
        if number == self.next_number() {
            return Ok(Some(self.last.map_or_else(|| first_head(self.journal_id), |last| last.head)));
        }
        let (Some(file), Some(index)) = (&self.file, number.checked_sub(self.first_number)) else {
            return Ok(None);
        };
        let Some(index) = index.checked_sub(1).filter(|_| number < self.next_number()) else {
            return Ok((index == 0).then(|| first_head(self.journal_id)));
        };
        let offset = offset_of_entry(index);
        let bytes = read_range(&**file, SPINE_NAME, offset, offset_of(SPINE_ENTRY_LEN))?;
        let entry = SpineEntry::from_bytes(&bytes, self.journal_id, offset);
        let wrong = || Error::damaged(SPINE_NAME, offset, None, "the CRC of an entry does not match");
        entry.map(|entry| Some(entry.head)).ok_or_else(wrong)
    }

    /// Adds the entry of the next segment, durably.
    ///
    /// # Errors
    /// `Io`, `NoSpace`. The spine is to be opened anew then.
    pub(crate) fn append(
        &mut self,
        storage: &dyn Storage,
        first_seq: u64,
        next_seq: u64,
        root: Hash,
    ) -> Result<(), Error> {
        self.settle(storage)?;
        let previous = self.last.map_or_else(|| first_head(self.journal_id), |last| last.head);
        let entry = SpineEntry::after(&previous, self.next_number(), first_seq, next_seq, root);
        let written = match &self.file {
            None => self.create(storage, &entry),
            Some(file) => {
                let file = Arc::clone(file);
                self.write(&*file, &entry)
            }
        };
        written.map_err(|error| Error::io("writing the spine", error))?;
        self.last = Some(entry);
        self.is_settled = true;
        self.make_room();
        Ok(())
    }

    /// Sees to it that the last entry is on the disk, and the spine's name. What a former writer left may have been seen in
    /// the page cache only, after a sync that failed: so the entry is written once more, and the directory synced.
    ///
    /// # Errors
    /// `Io`, `NoSpace`. The spine is to be opened anew then.
    pub(crate) fn settle(&mut self, storage: &dyn Storage) -> Result<(), Error> {
        if let (Some(file), Some(last)) = (self.file.clone(), self.last.filter(|_| !self.is_settled)) {
            let doing = |error| Error::io("syncing the spine", error);
            self.write(&*file, &last).map_err(doing)?;
            self.is_in_doubt = true;
            storage.sync_dir().map_err(doing)?;
            self.is_in_doubt = false;
        }
        self.is_settled = true;
        Ok(())
    }

    /// Writes an entry in its place, with zeros up to the end of the room.
    fn write(&mut self, file: &dyn StorageFile, entry: &SpineEntry) -> std::io::Result<()> {
        let offset = offset_of_entry(entry.number - self.first_number);
        let mut bytes = entry.to_bytes(self.journal_id, offset).to_vec();
        let end = offset + offset_of(bytes.len());
        if end > self.file_len {
            bytes.resize(bytes.len() + index_of(end.next_multiple_of(offset_of(ROOM)) - end), 0);
        }
        file.write_all_at(&bytes, offset)?;
        file.sync()?;
        self.file_len = self.file_len.max(offset + offset_of(bytes.len()));
        Ok(())
    }

    /// Makes room for another entry, so that it can be written when the disk is full. Without it that one tries again.
    fn make_room(&mut self) {
        let end = offset_of_entry(self.next_number() - self.first_number);
        let wanted = end + offset_of(SPINE_ENTRY_LEN);
        let Some(file) = self.file.as_ref().filter(|_| wanted > self.file_len) else { return };
        let room = wanted.next_multiple_of(offset_of(ROOM));
        let zeros = vec![0; index_of(room - self.file_len)];
        match file.write_all_at(&zeros, self.file_len).and_then(|()| file.sync()) {
            Ok(()) => self.file_len = room,
            Err(error) => tracing::warn!(%error, "no room was made for the next entry of the spine"),
        }
    }

    /// Makes the file, whole before it has its name.
    fn create(&mut self, storage: &dyn Storage, first: &SpineEntry) -> std::io::Result<()> {
        let file = match storage.create(SPINE_TMP_NAME) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                storage.remove(SPINE_TMP_NAME).and_then(|()| storage.create(SPINE_TMP_NAME))?
            }
            created => created?,
        };
        let mut bytes = SpineHeader { journal_id: self.journal_id }.to_bytes().to_vec();
        bytes.extend(first.to_bytes(self.journal_id, offset_of_entry(0)));
        bytes.resize(ROOM, 0);
        let written = file.write_all_at(&bytes, 0).and_then(|()| file.sync());
        written.inspect_err(|_| {
            // What is half written only takes up room.
            let _ = storage.remove(SPINE_TMP_NAME);
        })?;
        self.is_in_doubt = true;
        storage.rename(SPINE_TMP_NAME, SPINE_NAME)?;
        storage.sync_dir()?;
        (self.is_in_doubt, self.file_len, self.file) = (false, offset_of(ROOM), Some(file));
        Ok(())
    }
}

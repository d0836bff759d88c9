//! The lock file: who writes, and how far what it wrote may be read.
//!
//! Advisory, and believed only while the lock is held: without it a reader in another process could not know that
//! the last batch of an idle journal is durable. The layout stands in `journal-format.md`.

use std::sync::{Arc, PoisonError, RwLock};

use super::layout::LOCK_NAME;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::ids::Epoch;
use crate::storage::{SharedPage, Storage};

const MAGIC: u64 = u64::from_le_bytes(*b"TBLOCK01");
const MAGIC_WORD: usize = 0;
const VERSION_WORD: usize = 1;
const EPOCH_WORD: usize = 2;
const SEGMENT_WORD: usize = 3;
const PUBLISHED_WORD: usize = 4;
const SYNCED_WORD: usize = 5;
const SEQ_WORD: usize = 6;
const HOLDER_LEN_WORD: usize = 63;
const HOLDER_WORD: usize = 64;
const HOLDER_MAX_LEN: usize = (SharedPage::WORDS - HOLDER_WORD) * 8;

/// How often a reader looks again while the words change: some milliseconds' worth.
const TRIES: u32 = 10_000;

/// What the writer publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Published {
    /// The epoch of the writer.
    pub(crate) epoch: Epoch,
    /// The segment that is being written.
    pub(crate) segment: u64,
    /// How far readers may read it.
    pub(crate) published: u64,
    /// How far it is known to be synced.
    pub(crate) synced: u64,
    /// The last `seq` before `published`.
    pub(crate) seq: u64,
}

/// The lock, held.
#[derive(Debug)]
pub(super) struct WriterLock {
    page: Arc<SharedPage>,
}

impl WriterLock {
    /// Takes the lock, or says who holds it.
    pub(super) fn acquire(storage: &dyn Storage, now: Timestamp) -> Result<WriterLock, Error> {
        let taken = storage
            .try_lock(LOCK_NAME)
            .map_err(|error| Error::io(format!("taking the lock file {LOCK_NAME}"), error))?;
        let Some(page) = taken else {
            let by = holder(storage).unwrap_or_else(|| "a writer that did not say who it is".to_owned());
            return Err(Error::new(
                ErrorKind::Locked,
                format!("the journal is locked by another writer: {by}"),
            ));
        };
        let lock = WriterLock { page };
        lock.clear();
        lock.write_holder(now);
        Ok(lock)
    }

    fn write_holder(&self, now: Timestamp) {
        let program =
            std::env::args_os().next().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or_default();
        let holder =
            serde_json::json!({ "pid": std::process::id(), "program": program, "since": now.to_string() });
        let text = holder.to_string();
        let text = &text.as_bytes()[..text.len().min(HOLDER_MAX_LEN)];
        for (index, chunk) in text.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.page.store(HOLDER_WORD + index, u64::from_le_bytes(word));
        }
        self.page.store(HOLDER_LEN_WORD, super::bytes::offset_of(text.len()));
        self.page.store(MAGIC_WORD, MAGIC);
    }

    /// Publishes how far readers may read. The version word is odd while the others change (a seqlock: Lameter,
    /// "Effective Synchronization on Linux/NUMA Systems", 2005).
    pub(super) fn publish(&self, state: Published) {
        let version = self.page.load(VERSION_WORD) | 1;
        self.page.store(VERSION_WORD, version);
        self.page.store(EPOCH_WORD, state.epoch.to_bits());
        self.page.store(SEGMENT_WORD, state.segment);
        self.page.store(PUBLISHED_WORD, state.published);
        self.page.store(SYNCED_WORD, state.synced);
        self.page.store(SEQ_WORD, state.seq);
        self.page.store(VERSION_WORD, version.wrapping_add(1));
    }

    /// Publishes nothing: what the page said before is of a writer that is gone, or is going.
    pub(super) fn clear(&self) {
        self.publish(Published { epoch: Epoch::NONE, segment: 0, published: 0, synced: 0, seq: 0 });
    }
}

/// What the writer publishes to readers in its own process. It outlives the lock: what was published stays readable.
#[derive(Debug, Default)]
pub(crate) struct PublishedCell(RwLock<Option<Published>>);

impl PublishedCell {
    pub(super) fn set(&self, published: Option<Published>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = published;
    }

    pub(crate) fn read(&self) -> Option<Published> {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look from outside at what the writer publishes.
#[derive(Debug)]
struct LockView {
    page: Arc<SharedPage>,
}

impl LockView {
    /// What is published now; `None` while a writer is opening or closing.
    fn read(&self) -> Option<Published> {
        for _ in 0..TRIES {
            let before = self.page.load(VERSION_WORD);
            let state = Published {
                epoch: Epoch::from_bits(self.page.load(EPOCH_WORD)),
                segment: self.page.load(SEGMENT_WORD),
                published: self.page.load(PUBLISHED_WORD),
                synced: self.page.load(SYNCED_WORD),
                seq: self.page.load(SEQ_WORD),
            };
            if before.is_multiple_of(2) && self.page.load(VERSION_WORD) == before {
                return (state.segment != 0).then_some(state);
            }
            std::thread::yield_now();
        }
        // An odd version that stays is of a writer that died in the middle: its word is worth nothing.
        None
    }
}

/// What the writer of the journal publishes, looked at from outside; `None` when no writer holds the lock.
pub(crate) fn peek(storage: &dyn Storage) -> Result<Option<Published>, Error> {
    let peeked = storage
        .peek_lock(LOCK_NAME)
        .map_err(|error| Error::io(format!("looking at the lock file {LOCK_NAME}"), error))?;
    Ok(peeked.filter(|peeked| peeked.held).and_then(|peeked| LockView { page: peeked.page }.read()))
}

/// Who holds the lock, as it said itself: a JSON object with `pid`, `program` and `since`.
pub(crate) fn holder(storage: &dyn Storage) -> Option<String> {
    let peeked = storage.peek_lock(LOCK_NAME).ok().flatten().filter(|peeked| peeked.held)?;
    let page = peeked.page;
    let len = super::bytes::index_of(page.load(HOLDER_LEN_WORD)).min(HOLDER_MAX_LEN);
    let mut text = Vec::with_capacity(len + 8);
    for index in 0..len.div_ceil(8) {
        text.extend_from_slice(&page.load(HOLDER_WORD + index).to_le_bytes());
    }
    text.truncate(len);
    let is_written = page.load(MAGIC_WORD) == MAGIC && !text.is_empty();
    String::from_utf8(text).ok().filter(|_| is_written)
}

/// Whether a journal is or was written in this directory.
pub(crate) fn is_journal(storage: &dyn Storage) -> Result<bool, Error> {
    let names = storage.list().map_err(|error| Error::io("listing a directory", error))?;
    Ok(names.iter().any(|name| name == LOCK_NAME))
}

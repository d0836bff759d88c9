//! Files mapped into memory: bytes that never change any more, and the one page that a writer shares with readers.
//!
//! The only file of the crate with `unsafe` code: mapping a file cannot be safe, because other processes can write
//! it. Each use says what keeps it sound.
#![allow(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use memmap2::{Mmap, MmapOptions, MmapRaw};

/// Bytes of a file that do not change any more, without a copy where the storage can map them.
pub struct Mapping(Bytes);

enum Bytes {
    Mapped(Mmap),
    Heap(Arc<[u8]>),
}

impl Mapping {
    /// Bytes that lie in memory already.
    pub fn from_heap(bytes: Arc<[u8]>) -> Mapping {
        Mapping(Bytes::Heap(bytes))
    }

    /// Maps the first `len` bytes of `file`, which has to be that long: past its end a mapping cannot be read.
    pub(super) fn of_file(file: &File, len: u64) -> io::Result<Mapping> {
        let found = file.metadata()?.len();
        if found < len {
            let message = format!("expected a file of at least {len} bytes to map, found {found} bytes");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        if len == 0 {
            return Ok(Mapping::from_heap(Arc::from([])));
        }
        let len = usize::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        // SAFETY: the bytes behind the slice must not change while it lives. `StorageFile::map` is asked only for
        // bytes that no writer of this crate writes again or cuts off, and they were there a moment ago. That
        // nobody else edits the files of a journal is the assumption on which the whole directory stands.
        let mapped = unsafe { MmapOptions::new().len(len).map(file) }?;
        Ok(Mapping(Bytes::Mapped(mapped)))
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Mapped(mapped) => mapped,
            Bytes::Heap(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapping({} bytes)", self.len())
    }
}

/// The page of a lock file: 512 words of 64 bits, little-endian in the file, shared by the writer and any reader on
/// the machine. A writer's page holds the lock until it is dropped; a [`view`](Self::view) of it does not.
///
/// Words are loaded and stored one at a time. Every reader sees the stores of the writer in the order in which they
/// were made, so words that belong together can be guarded by a counter that is stored before and after them.
pub struct SharedPage {
    words: Words,
    writable: bool,
    lock: Option<File>,
}

#[derive(Clone)]
enum Words {
    Mapped(Arc<MmapRaw>),
    Heap(Arc<HeapPage>),
}

impl SharedPage {
    /// How many words the page has.
    pub const WORDS: usize = 512;
    /// The length of the page in bytes.
    pub const LEN: usize = Self::WORDS * size_of::<u64>();

    /// The page of a lock file on which the caller holds the lock, for loading and storing. The file must have all
    /// the bytes of the page.
    pub(super) fn of_locked(file: File) -> io::Result<SharedPage> {
        let mapped = MmapOptions::new().len(Self::LEN).map_raw(&file)?;
        Ok(SharedPage { words: Words::Mapped(Arc::new(mapped)), writable: true, lock: Some(file) })
    }

    /// The page of a lock file that another may hold, for loading only. The file must have all the bytes of the page.
    pub(super) fn of_peeked(file: &File) -> io::Result<SharedPage> {
        let mapped = MmapOptions::new().len(Self::LEN).map_raw_read_only(file)?;
        Ok(SharedPage { words: Words::Mapped(Arc::new(mapped)), writable: false, lock: None })
    }

    /// A page in memory, shared with whoever has the same `page`.
    pub(super) fn of_heap(page: Arc<HeapPage>, writable: bool) -> SharedPage {
        SharedPage { words: Words::Heap(page), writable, lock: None }
    }

    /// The same page for loading only. It does not hold the lock, so a reader may keep it longer than the writer.
    pub fn view(&self) -> SharedPage {
        SharedPage { words: self.words.clone(), writable: false, lock: None }
    }

    /// Reads one word; it and whatever is loaded later is at least as new as the store that it shows.
    ///
    /// # Panics
    /// When there is no such word.
    pub fn load(&self, index: usize) -> u64 {
        let value = self.word(index).load(Ordering::Relaxed);
        // Not an acquiring load: on memory that is mapped read-only, only relaxed ones are sure to work.
        fence(Ordering::Acquire);
        u64::from_le(value)
    }

    /// Writes one word; whoever loads it sees all that was stored before it, too.
    ///
    /// # Panics
    /// When there is no such word, or the page is for loading only: a reader has nothing to say in it.
    pub fn store(&self, index: usize, value: u64) {
        assert!(
            self.writable,
            "expected the page of the holder of the lock to store into, found one for loading only"
        );
        self.word(index).store(value.to_le(), Ordering::Release);
    }

    /// All bytes of the page, as in the file. Each word is whole, but the words need not belong together.
    pub fn to_bytes(&self) -> Vec<u8> {
        (0..Self::WORDS).flat_map(|index| self.load(index).to_le_bytes()).collect()
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < Self::WORDS, "expected a word below {}, found {index}", Self::WORDS);
        match &self.words {
            // SAFETY: the mapping is `LEN` bytes long, starts at a page and so is aligned for words, lives as long
            // as `self`, and the file behind it is never cut (a lock file only grows, and to this length before it
            // is mapped). All access in this and other processes is by atomic words. A page that was mapped
            // read-only is never stored to, and is loaded only with relaxed ordering, which the documentation of
            // `std::sync::atomic` allows on read-only memory for words of this size.
            Words::Mapped(mapped) => unsafe { &*mapped.as_ptr().cast::<AtomicU64>().add(index) },
            Words::Heap(page) => &page.0[index],
        }
    }
}

impl Drop for SharedPage {
    fn drop(&mut self) {
        // To close the file is not enough: the lock lives as long as anything refers to the opened file, and a
        // mapping (of a view) does, and so does a child process that is being started at this moment.
        if let Some(Err(error)) = self.lock.as_ref().map(File::unlock) {
            tracing::warn!(%error, "the lock file could not be unlocked; the lock is free once the process ends");
        }
    }
}

impl fmt::Debug for SharedPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.words {
            Words::Mapped(_) => "mapped",
            Words::Heap(_) => "in memory",
        };
        write!(f, "SharedPage({place}, {})", if self.writable { "locked" } else { "for loading only" })
    }
}

/// The words of a page that lies in memory only.
pub(super) struct HeapPage([AtomicU64; SharedPage::WORDS]);

impl HeapPage {
    /// A page with the first bytes taken from `bytes`, and zeros after them.
    pub(super) fn new(bytes: &[u8]) -> HeapPage {
        let mut words = bytes.chunks(size_of::<u64>()).map(|chunk| {
            let mut word = [0; size_of::<u64>()];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word).to_le()
        });
        HeapPage(std::array::from_fn(|_| AtomicU64::new(words.next().unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_page_are_little_endian_bytes() {
        let page = SharedPage::of_heap(Arc::new(HeapPage::new(&[1, 2, 3])), true);
        assert_eq!(page.load(0), 0x03_02_01);
        page.store(511, 0x0807_0605_0403_0201);
        let bytes = page.to_bytes();
        assert_eq!(bytes.len(), SharedPage::LEN);
        assert_eq!(bytes[..4], [1, 2, 3, 0]);
        assert_eq!(bytes[SharedPage::LEN - 8..], [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn a_page_in_memory_is_shared() {
        let words = Arc::new(HeapPage::new(&[]));
        let writer = SharedPage::of_heap(Arc::clone(&words), true);
        let reader = SharedPage::of_heap(words, false);
        let view = writer.view();
        writer.store(7, u64::MAX);
        assert_eq!((reader.load(7), view.load(7)), (u64::MAX, u64::MAX));
    }

    #[test]
    #[should_panic(expected = "found one for loading only")]
    fn a_peeked_page_is_not_stored_to() {
        SharedPage::of_heap(Arc::new(HeapPage::new(&[])), false).store(0, 1);
    }

    #[test]
    #[should_panic(expected = "expected a word below 512, found 512")]
    fn a_word_past_the_page_is_refused() {
        SharedPage::of_heap(Arc::new(HeapPage::new(&[])), true).load(512);
    }

    #[test]
    fn readers_see_stores_in_their_order() {
        let words = Arc::new(HeapPage::new(&[]));
        let writer = SharedPage::of_heap(Arc::clone(&words), true);
        let reader = SharedPage::of_heap(words, false);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for value in 1..=20_000 {
                    writer.store(0, value);
                    writer.store(1, value);
                }
            });
            loop {
                let later = reader.load(1);
                let earlier = reader.load(0);
                assert!(earlier >= later, "word 1 shows {later}, word 0, stored before it, only {earlier}");
                if later == 20_000 {
                    break;
                }
            }
        });
    }
}

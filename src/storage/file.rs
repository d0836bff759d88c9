//! The storage of a real directory.
//!
//! Calls that the operating system interrupted are made again and short writes are continued below the seam (the
//! standard library does both in the calls used here), so that an error which comes out of it is one.
#![expect(clippy::disallowed_methods, reason = "this is the one home of the file system")]

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::map::HeapPage;
use super::{LockPeek, Mapping, NamesMark, SharedPage, Storage, StorageFile, check_name};
use crate::clock::{Clock, SystemClock, Timestamp};

/// How often a lock is tried before another is said to hold it. A reader that peeks takes it for an instant, and
/// must not make a writer believe that there is another one.
const LOCK_ATTEMPTS: u32 = 41;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// How long after a change of names another one may bear the same time: several ticks of the slowest of kernels.
const TICKS: Duration = Duration::from_millis(50);
/// The same where times look as if the file system kept no more than seconds of them, or two.
const COARSE_TICKS: Duration = Duration::from_secs(3);

/// A directory of the operating system.
#[derive(Debug)]
pub struct Files {
    path: PathBuf,
    directory: File,
}

impl Files {
    /// The directory `path`, which has to exist.
    ///
    /// # Errors
    /// When there is no such directory, or it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Files> {
        // A look before the opening, because to open what is a pipe would wait for its other end.
        if !fs::metadata(path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Files { path: path.to_owned(), directory: File::open(path)? })
    }

    /// The directory `path`; it and missing parents are made, durably. It may exist already.
    ///
    /// # Errors
    /// When a directory cannot be made or synced, or `path` is something else.
    pub fn create(path: &Path) -> io::Result<Files> {
        let missing = path.ancestors().take_while(|ancestor| !is_present(ancestor)).collect::<Vec<_>>();
        // The topmost directory that is there may have been made by a process that died before it synced the name.
        // The parents of that one are safe: each name is synced before anything is made below it.
        let present = path.ancestors().nth(missing.len()).unwrap_or(path);
        sync_name_of(present)?;
        for ancestor in missing.into_iter().rev() {
            match fs::create_dir(ancestor) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made?,
            }
            sync_name_of(ancestor)?;
        }
        Files::open(path)
    }

    /// Whether a directory at `path` would be new or is empty; a file of the name `ignored` counts for nothing.
    pub(crate) fn is_vacant(path: &Path, ignored: &str) -> io::Result<bool> {
        let entries = match fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A link that leads nowhere is something.
                return Ok(fs::symlink_metadata(path).is_err());
            }
            entries => entries?,
        };
        for entry in entries {
            if entry?.file_name() != ignored {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn path_of(&self, name: &str) -> io::Result<PathBuf> {
        check_name(name)?;
        Ok(self.path.join(name))
    }
}

fn is_present(path: &Path) -> bool {
    // The empty path is the end of the ancestors of a relative one: the current directory.
    path.as_os_str().is_empty() || fs::symlink_metadata(path).is_ok()
}

fn sync_name_of(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        // The root has no name, and the name of the current directory is not ours to make.
        None => return Ok(()),
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    };
    match File::open(parent) {
        Ok(directory) => directory.sync_all(),
        // What may not even be listed is a directory of the system, not one that was made for a journal.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

impl Storage for Files {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // No directory, and no pipe either, whose opening would wait for its other end. A name that is not
            // UTF-8 is none of ours.
            let mut kind = entry.file_type()?;
            if kind.is_symlink() {
                match fs::metadata(entry.path()) {
                    Ok(target) => kind = target.file_type(),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
            }
            if kind.is_file() {
                names.extend(entry.file_name().into_string().ok());
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(self.path_of(name)?)?;
        Ok(Arc::new(OpenFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        Ok(Arc::new(OpenFile(File::open(self.path_of(name)?)?)))
    }

    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.path_of(name)?)?;
        Ok(Arc::new(OpenFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path_of(from)?, self.path_of(to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path_of(name)?)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.directory.sync_all()
    }

    fn names_mark(&self) -> io::Result<Option<NamesMark>> {
        // By its path, as everything else: another directory may have taken its place.
        let found = fs::metadata(&self.path)?;
        let (seconds, nanoseconds) = (found.ctime(), found.ctime_nsec());
        let changed =
            Timestamp::from_micros(seconds.saturating_mul(1_000_000).saturating_add(nanoseconds / 1_000));
        let ticks = if nanoseconds % 1_000_000 == 0 { COARSE_TICKS } else { TICKS };
        let is_settled = SystemClock.now().saturating_since(changed) > ticks;
        Ok(Some(NamesMark {
            directory: (found.dev(), found.ino()),
            changed: (seconds, nanoseconds),
            is_settled,
        }))
    }

    fn try_lock(&self, name: &str) -> io::Result<Option<Arc<SharedPage>>> {
        let path = self.path_of(name)?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        for attempt in 1..=LOCK_ATTEMPTS {
            match file.try_lock() {
                Ok(()) => {
                    prepare_page(&file)?;
                    return Ok(Some(Arc::new(SharedPage::of_locked(file)?)));
                }
                Err(TryLockError::WouldBlock) if attempt < LOCK_ATTEMPTS => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    fn peek_lock(&self, name: &str) -> io::Result<Option<LockPeek>> {
        let file = match File::open(self.path_of(name)?) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let held = match file.try_lock_shared() {
            Ok(()) => {
                file.unlock()?;
                false
            }
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        // Shorter for an instant while its first writer makes it; to load past the end of a file kills a process.
        let whole = file.metadata()?.len() >= SharedPage::LEN as u64;
        let page = if whole {
            SharedPage::of_peeked(&file)?
        } else {
            SharedPage::of_heap(Arc::new(HeapPage::new(&[])), false)
        };
        Ok(Some(LockPeek { held, page: Arc::new(page) }))
    }
}

/// Gives a lock file all the bytes of its page, by writing what it holds once more: a store to a mapped page for
/// which a full disk finds no room kills the process, whereas a write for which it finds none is an error.
fn prepare_page(file: &File) -> io::Result<()> {
    let mut page = [0; SharedPage::LEN];
    let present = usize::try_from(file.metadata()?.len()).map_or(page.len(), |len| len.min(page.len()));
    file.read_exact_at(&mut page[..present], 0)?;
    file.write_all_at(&page, 0)
}

#[derive(Debug)]
struct OpenFile(File);

impl StorageFile for OpenFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
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
        self.0.sync_data()
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        Mapping::of_file(&self.0, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, Files) {
        let home = tempfile::tempdir().unwrap();
        let files = Files::open(home.path()).unwrap();
        (home, files)
    }

    #[test]
    fn what_is_written_is_read() {
        let (_home, files) = directory();
        let file = files.create("a").unwrap();
        assert!(file.is_empty().unwrap());
        file.write_all_at(b"world", 6).unwrap();
        file.write_all_at(b"hello", 0).unwrap();
        file.sync().unwrap();
        files.sync_dir().unwrap();
        let again = files.open("a").unwrap();
        let mut bytes = [1; 11];
        again.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"hello\0world");
        assert_eq!(again.read_exact_at(&mut bytes, 1).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(&again.map(5).unwrap()[..], b"hello");
        assert!(again.write_all_at(b"x", 0).is_err(), "it was opened for reading");
    }

    #[test]
    fn a_change_of_names_changes_the_mark_once_it_was_settled() {
        let (home, files) = directory();
        let settled = || loop {
            match files.names_mark().unwrap().unwrap() {
                mark if mark.is_settled => return mark,
                _ => thread::sleep(TICKS / 5),
            }
        };
        let empty = settled();
        files.create("a").unwrap().write_all_at(b"hello", 0).unwrap();
        let one = files.names_mark().unwrap().unwrap();
        assert!(!one.is_settled && one.changed != empty.changed, "{one:?} after {empty:?}");
        let one = settled();
        files.open_writable("a").unwrap().write_all_at(b"world", 0).unwrap();
        assert_eq!(settled(), one, "what is in a file is no name");
        files.rename("a", "b").unwrap();
        assert_ne!(files.names_mark().unwrap().unwrap().changed, one.changed);
        let renamed = settled();
        files.remove("b").unwrap();
        assert_ne!(settled(), renamed);
        fs::rename(home.path(), home.path().with_extension("old")).unwrap();
        fs::create_dir(home.path()).unwrap();
        assert_ne!(files.names_mark().unwrap().unwrap().directory, one.directory, "another directory");
        fs::remove_dir(home.path().with_extension("old")).unwrap();
    }

    #[test]
    fn a_file_is_cut_and_extended_with_zeros() {
        let (_home, files) = directory();
        files.create("a").unwrap().write_all_at(b"hello", 0).unwrap();
        let file = files.open_writable("a").unwrap();
        file.set_len(2).unwrap();
        file.set_len(4).unwrap();
        assert_eq!(&file.map(4).unwrap()[..], b"he\0\0");
    }

    #[test]
    fn no_more_is_mapped_than_there_is() {
        let (_home, files) = directory();
        let file = files.create("a").unwrap();
        assert!(file.map(0).unwrap().is_empty());
        let error = file.map(1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains("at least 1 bytes to map, found 0"), "{error}");
    }

    #[test]
    fn names_are_made_once_renamed_over_and_removed() {
        let (_home, files) = directory();
        files.create("a").unwrap().write_all_at(b"a", 0).unwrap();
        files.create("b").unwrap();
        let error = files.create("a").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        files.rename("a", "b").unwrap();
        assert_eq!(files.list().unwrap(), ["b"]);
        assert_eq!(files.open("b").unwrap().len().unwrap(), 1);
        files.remove("b").unwrap();
        assert!(files.list().unwrap().is_empty());
        for error in [
            files.open("b").unwrap_err(),
            files.open_writable("b").unwrap_err(),
            files.remove("b").unwrap_err(),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_name_is_no_path() {
        let (_home, files) = directory();
        for name in ["", ".", "..", "a/b", "/etc/passwd", "../a", "a\0"] {
            let error = files.create(name).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
    }

    #[test]
    fn only_regular_files_are_listed() {
        let (home, files) = directory();
        fs::create_dir(home.path().join("directory")).unwrap();
        fs::write(home.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("file", home.path().join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", home.path().join("dangling")).unwrap();
        std::os::unix::net::UnixListener::bind(home.path().join("socket")).unwrap();
        let mut names = files.list().unwrap();
        names.sort();
        assert_eq!(names, ["file", "link"]);
    }

    #[test]
    fn missing_parents_are_made_and_present_ones_are_fine() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b/c");
        assert_eq!(Files::open(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(Files::create(&path).unwrap().path(), path);
        Files::create(&path).unwrap().create("file").unwrap();
        assert_eq!(Files::open(&path).unwrap().list().unwrap(), ["file"]);
    }

    #[test]
    fn a_file_is_no_directory() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        fs::write(&path, "").unwrap();
        assert_eq!(Files::open(&path).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        assert_eq!(Files::create(&path).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        assert!(Files::create(&path.join("below")).is_err());
    }

    #[test]
    fn one_writer_holds_the_lock_until_its_page_is_dropped() {
        let (home, files) = directory();
        let page = files.try_lock("lock").unwrap().expect("nobody else is there");
        let others = Files::open(home.path()).unwrap();
        assert!(others.try_lock("lock").unwrap().is_none());
        assert!(others.peek_lock("lock").unwrap().unwrap().held);
        drop(page);
        assert!(!others.peek_lock("lock").unwrap().unwrap().held);
        assert!(others.try_lock("lock").unwrap().is_some());
    }

    #[test]
    fn a_view_outlives_the_lock_without_holding_it() {
        let (_home, files) = directory();
        let page = files.try_lock("lock").unwrap().unwrap();
        let view = page.view();
        drop(page);
        let next = files.try_lock("lock").unwrap().expect("only a view is left");
        next.store(0, 9);
        assert_eq!(view.load(0), 9);
        drop(view);
        assert!(files.peek_lock("lock").unwrap().unwrap().held);
    }

    #[test]
    fn a_page_is_seen_while_it_is_stored_to_and_stays_in_the_file() {
        let (_home, files) = directory();
        let page = files.try_lock("lock").unwrap().unwrap();
        let peek = files.peek_lock("lock").unwrap().unwrap();
        page.store(0, 1);
        page.store(SharedPage::WORDS - 1, 0x0102);
        assert_eq!((peek.page.load(0), peek.page.load(SharedPage::WORDS - 1)), (1, 0x0102));
        drop(page);
        let next = files.try_lock("lock").unwrap().unwrap();
        assert_eq!(next.load(SharedPage::WORDS - 1), 0x0102);
        assert_eq!(
            peek.page.to_bytes(),
            &files.open("lock").unwrap().map(SharedPage::LEN as u64).unwrap()[..]
        );
    }

    #[test]
    fn a_peek_makes_and_changes_nothing() {
        let (home, files) = directory();
        assert!(files.peek_lock("lock").unwrap().is_none());
        assert!(files.list().unwrap().is_empty());
        fs::write(home.path().join("lock"), "short").unwrap();
        let peek = files.peek_lock("lock").unwrap().unwrap();
        assert!(!peek.held);
        assert_eq!(peek.page.load(0), 0);
        assert_eq!(files.open("lock").unwrap().len().unwrap(), 5);
    }

    #[test]
    fn a_reader_that_peeks_does_not_keep_a_writer_out() {
        let (home, files) = directory();
        let peeker = File::create(home.path().join("lock")).unwrap();
        peeker.try_lock_shared().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(30));
                peeker.unlock().unwrap();
            });
            assert!(files.try_lock("lock").unwrap().is_some());
        });
    }
}

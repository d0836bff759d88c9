use std::io;

use super::*;
use crate::storage::SharedPage;

#[test]
fn one_process_holds_the_lock_until_its_page_is_dropped() {
    let disk = SimulatedDisk::new(1);
    let (writer, other) = (disk.process(), disk.process());
    assert!(other.peek_lock("lock").unwrap().is_none());
    let page = writer.try_lock("lock").unwrap().expect("nobody else is there");
    assert!(writer.try_lock("lock").unwrap().is_none());
    assert!(other.try_lock("lock").unwrap().is_none());
    let peek = other.peek_lock("lock").unwrap().unwrap();
    assert!(peek.held);
    let view = page.view();
    page.store(3, 7);
    assert_eq!((peek.page.load(3), view.load(3)), (7, 7));
    drop(page);
    assert!(!other.peek_lock("lock").unwrap().unwrap().held);
    let page = other.try_lock("lock").unwrap().expect("it was dropped");
    assert_eq!(page.load(3), 7);
}

#[test]
fn a_lock_file_is_a_file() {
    let disk = SimulatedDisk::new(1);
    let storage = disk.process();
    let page = storage.try_lock("lock").unwrap().unwrap();
    assert_eq!(disk.operations(), 1, "it was made");
    page.store(0, 0x0102);
    assert_eq!(storage.list().unwrap(), ["lock"]);
    assert_eq!(read(&*storage.open("lock").unwrap()), page.to_bytes());
    assert_eq!(disk.contents("lock").unwrap()[..3], [2, 1, 0]);
    assert_eq!(disk.contents("lock").unwrap().len(), SharedPage::LEN);
    drop(page);
    disk.corrupt("lock", 0, 3).unwrap();
    assert_eq!(storage.try_lock("lock").unwrap().unwrap().load(0), 0x0101);
}

#[test]
fn a_kill_frees_the_lock_and_keeps_the_page() {
    let disk = SimulatedDisk::new(1);
    let ghost = disk.process();
    let page = ghost.try_lock("lock").unwrap().unwrap();
    page.store(0, 1);
    disk.kill();
    page.store(0, 2);
    let peek = disk.process().peek_lock("lock").unwrap().unwrap();
    assert!(!peek.held);
    assert_eq!(peek.page.load(0), 1, "a ghost is not heard");
    let next = disk.process().try_lock("lock").unwrap().expect("its holder is dead");
    assert!(ghost.try_lock("lock").is_err() && ghost.peek_lock("lock").is_err());
    drop(page);
    assert!(disk.process().try_lock("lock").unwrap().is_none(), "a ghost frees nothing");
    drop(next);
}

#[test]
fn a_power_cut_keeps_the_page_or_loses_it() {
    let disk = SimulatedDisk::new(1);
    disk.put("lock", &[0; SharedPage::LEN]);
    let page = disk.process().try_lock("lock").unwrap().unwrap();
    page.store(0, 1);
    let seen = outcomes(&disk, |disk| disk.process().try_lock("lock").unwrap().unwrap().load(0));
    assert_eq!(Vec::from_iter(seen), [0, 1]);
}

#[test]
fn a_peek_changes_nothing() {
    let disk = SimulatedDisk::new(1);
    disk.put("lock", b"short");
    let peek = disk.process().peek_lock("lock").unwrap().unwrap();
    assert!(!peek.held);
    assert_eq!(disk.contents("lock").unwrap(), b"short");
    assert_eq!(disk.operations(), 0);
}

#[test]
fn a_lock_needs_room_for_its_page() {
    let disk = SimulatedDisk::new(1);
    disk.set_capacity(Some(512));
    let storage = disk.process();
    assert_eq!(storage.try_lock("lock").unwrap_err().kind(), io::ErrorKind::StorageFull);
    disk.set_capacity(None);
    assert!(storage.try_lock("lock").unwrap().is_some());
    disk.set_capacity(Some(0));
    assert!(storage.try_lock("lock").unwrap().is_some(), "it has its room");
}

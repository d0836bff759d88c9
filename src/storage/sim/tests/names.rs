use std::collections::BTreeSet;
use std::io;

use super::*;

/// What a seeded power cut leaves of the names, as `a b c`.
fn names(disk: &SimulatedDisk) -> String {
    disk.names().join(" ")
}

fn all<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.map(str::to_owned).into()
}

#[test]
fn a_name_is_durable_only_once_the_directory_is_synced() {
    let disk = SimulatedDisk::new(1);
    let storage = disk.process();
    let file = storage.create("a").unwrap();
    file.write_all_at(b"bytes", 0).unwrap();
    file.sync().unwrap();
    assert_eq!(disk.durable_contents("a").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(outcomes(&disk, names), all(["", "a"]));
    storage.sync_dir().unwrap();
    assert_eq!(disk.durable_contents("a").unwrap(), b"bytes");
    assert_eq!(outcomes(&disk, |disk| disk.contents("a").unwrap()), BTreeSet::from([b"bytes".to_vec()]));
}

#[test]
fn a_durable_name_does_not_make_the_bytes_durable() {
    let disk = SimulatedDisk::new(1);
    let storage = disk.process();
    storage.create("a").unwrap().write_all_at(b"bytes", 0).unwrap();
    storage.sync_dir().unwrap();
    let seen = outcomes(&disk, |disk| disk.contents("a").unwrap());
    assert_eq!(seen, BTreeSet::from([b"".to_vec(), b"\0\0\0\0\0".to_vec(), b"bytes".to_vec()]));
}

#[test]
fn changes_of_names_reach_the_disk_in_any_order() {
    let disk = SimulatedDisk::new(1);
    disk.put("old", b"");
    let storage = disk.process();
    storage.create("new").unwrap();
    storage.remove("old").unwrap();
    assert_eq!(outcomes(&disk, names), all(["", "new", "new old", "old"]));
}

#[test]
fn a_rename_is_atomic_and_replaces() {
    let disk = SimulatedDisk::new(1);
    disk.put("a", b"old");
    let storage = disk.process();
    let file = storage.create("b").unwrap();
    file.write_all_at(b"new", 0).unwrap();
    file.sync().unwrap();
    storage.sync_dir().unwrap();
    storage.rename("b", "a").unwrap();
    assert_eq!(storage.list().unwrap(), ["a"]);
    let seen = outcomes(&disk, |disk| (names(disk), disk.contents("a").unwrap()));
    assert_eq!(
        seen,
        BTreeSet::from([("a".to_owned(), b"new".to_vec()), ("a b".to_owned(), b"old".to_vec())])
    );
}

#[test]
fn a_file_never_has_two_names() {
    let disk = SimulatedDisk::new(1);
    disk.put("a", b"");
    let storage = disk.process();
    storage.rename("a", "b").unwrap();
    storage.rename("b", "c").unwrap();
    assert_eq!(outcomes(&disk, names), all(["a", "b", "c"]));
}

#[test]
fn a_removed_file_that_comes_back_has_its_bytes() {
    let disk = SimulatedDisk::new(1);
    disk.put("a", b"bytes");
    disk.process().remove("a").unwrap();
    disk.kill();
    assert!(disk.names().is_empty());
    let seen = outcomes(&disk, |disk| disk.contents("a").ok());
    assert_eq!(seen, BTreeSet::from([None, Some(b"bytes".to_vec())]));
}

#[test]
fn an_open_file_is_read_and_written_after_it_lost_its_name() {
    let disk = SimulatedDisk::new(1);
    let storage = disk.process();
    let file = storage.create("a").unwrap();
    storage.remove("a").unwrap();
    storage.sync_dir().unwrap();
    file.write_all_at(b"bytes", 0).unwrap();
    file.sync().unwrap();
    assert_eq!(read(&*file), b"bytes");
}

#[test]
fn names_are_refused_as_on_a_real_disk() {
    let disk = SimulatedDisk::new(1);
    let storage = disk.process();
    storage.create("a").unwrap();
    assert_eq!(storage.create("a").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(storage.open("b").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(storage.open_writable("b").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(storage.remove("b").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(storage.rename("b", "a").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(storage.create("a/b").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(storage.rename("a", "..").unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_test_puts_and_takes_files_durably() {
    let disk = SimulatedDisk::new(1);
    disk.put("a", b"one");
    disk.put("a", b"two");
    disk.put("b", b"");
    disk.remove_file("b").unwrap();
    assert_eq!(disk.remove_file("b").unwrap_err().kind(), io::ErrorKind::NotFound);
    let seen = outcomes(&disk, |disk| (names(disk), disk.contents("a").unwrap()));
    assert_eq!(seen, BTreeSet::from([("a".to_owned(), b"two".to_vec())]));
}

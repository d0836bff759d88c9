use std::collections::BTreeSet;
use std::io;

use super::*;
use crate::storage::Storage;

/// One call of each kind of operation, by name.
type Operation = (&'static str, fn(&dyn Storage, &dyn StorageFile) -> io::Result<()>);

const OPERATIONS: [Operation; 7] = [
    ("write_all_at", |_, file| file.write_all_at(b"new", 0)),
    ("set_len", |_, file| file.set_len(1)),
    ("sync", |_, file| file.sync()),
    ("create", |storage, _| storage.create("b").map(drop)),
    ("rename", |storage, _| storage.rename("a", "c")),
    ("remove", |storage, _| storage.remove("a")),
    ("sync_dir", |storage, _| storage.sync_dir()),
];

const READS: [Operation; 7] = [
    ("list", |storage, _| storage.list().map(drop)),
    ("open", |storage, _| storage.open("a").map(drop)),
    ("open_writable", |storage, _| storage.open_writable("a").map(drop)),
    ("peek_lock", |storage, _| storage.peek_lock("none").map(drop)),
    ("len", |_, file| file.len().map(drop)),
    ("read_exact_at", |_, file| file.read_exact_at(&mut [0], 0)),
    ("map", |_, file| file.map(1).map(drop)),
];

fn disk_with_a() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    disk.put("a", b"old");
    disk
}

#[test]
fn every_operation_fails_once_as_planned_and_does_nothing() {
    for (name, operation) in OPERATIONS {
        for (fault, kind, number) in [
            (Fault::Eio, None, 5),
            (Fault::Enospc, Some(io::ErrorKind::StorageFull), 28),
            (Fault::Interrupted, Some(io::ErrorKind::Interrupted), 4),
        ] {
            let disk = disk_with_a();
            let storage = disk.process();
            let file = storage.open_writable("a").unwrap();
            disk.fail_at(1, fault);
            storage.sync_dir().unwrap();
            let error = operation(&*storage, &*file).expect_err(name);
            assert_eq!(error.raw_os_error(), Some(number), "{name}");
            assert!(kind.is_none_or(|kind| error.kind() == kind), "{name}");
            assert_eq!(disk.names(), ["a"], "{name}");
            assert_eq!(disk.contents("a").unwrap(), b"old", "{name}");
            assert_eq!(disk.operations(), 2);
            operation(&*storage, &*file).expect(name);
        }
    }
}

#[test]
fn every_read_fails_once_as_planned() {
    for (name, call) in READS {
        let disk = disk_with_a();
        let storage = disk.process();
        let file = storage.open_writable("a").unwrap();
        disk.fail_read_at(disk.reads());
        assert_eq!(call(&*storage, &*file).expect_err(name).raw_os_error(), Some(5), "{name}");
        call(&*storage, &*file).expect(name);
        assert_eq!((disk.reads(), disk.operations()), (3, 0), "{name}");
    }
}

#[test]
fn everything_fails_from_the_cut_to_the_restart() {
    for (name, operation) in OPERATIONS {
        let disk = disk_with_a();
        let storage = disk.process();
        let file = storage.open_writable("a").unwrap();
        disk.power_cut_at(1);
        storage.sync_dir().unwrap();
        assert!(!disk.is_off());
        operation(&*storage, &*file).expect_err(name);
        assert!(disk.is_off());
        for (later, call) in OPERATIONS.into_iter().chain(READS) {
            assert!(call(&*storage, &*file).is_err(), "{later} after {name}");
        }
        assert!(disk.process().list().is_err(), "power is off for new processes, too");
        assert_eq!(disk.operations(), 2, "what the dead ask for is not counted");
        disk.restart(Survivors::Nothing);
        assert_eq!(disk.process().list().unwrap(), ["a"], "{name}");
        for (later, call) in OPERATIONS.into_iter().chain(READS) {
            assert!(call(&*storage, &*file).is_err(), "{later} by a ghost, after {name}");
        }
        assert_eq!(disk.contents("a").unwrap(), b"old", "{name}");
    }
}

#[test]
fn an_operation_at_the_cut_is_done_or_not() {
    for (name, operation) in OPERATIONS {
        let seen = (0..64)
            .map(|seed| {
                let disk = disk_with_a().fork(seed);
                let storage = disk.process();
                let file = storage.open_writable("a").unwrap();
                disk.power_cut_at(0);
                operation(&*storage, &*file).expect_err(name);
                disk.kill();
                (disk.names(), disk.contents("a").ok())
            })
            .collect::<BTreeSet<_>>();
        let expected = match name {
            "sync" | "sync_dir" => 1,
            "write_all_at" => 4,
            _ => 2,
        };
        assert_eq!(seen.len(), expected, "{name}: {seen:?}");
    }
}

#[test]
fn a_short_write_leaves_its_beginning() {
    let seen = (0..64)
        .map(|seed| {
            let disk = disk_with_a().fork(seed);
            disk.fail_at(0, Fault::ShortWrite);
            let error = disk.process().open_writable("a").unwrap().write_all_at(b"new", 0).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            disk.contents("a").unwrap()
        })
        .collect::<BTreeSet<_>>();
    assert_eq!(seen, BTreeSet::from([*b"old", *b"nld", *b"ned"].map(Vec::from)));
}

#[test]
fn after_a_failed_sync_the_next_one_does_it() {
    let disk = disk_with_a();
    let file = disk.process().open_writable("a").unwrap();
    file.write_all_at(b"new", 0).unwrap();
    disk.fail_at(disk.operations(), Fault::Eio);
    assert!(file.sync().is_err());
    assert_eq!(disk.durable_contents("a").unwrap(), b"old");
    file.sync().unwrap();
    disk.restart(Survivors::Nothing);
    assert_eq!(disk.contents("a").unwrap(), b"new");
}

#[test]
fn after_a_lost_sync_the_next_one_succeeds_and_the_bytes_are_not_there() {
    let disk = disk_with_a();
    let storage = disk.process();
    let file = storage.open_writable("a").unwrap();
    file.write_all_at(b"new", 0).unwrap();
    disk.fail_at(disk.operations(), Fault::SyncLost);
    assert!(file.sync().is_err());
    file.write_all_at(b"later", 512).unwrap();
    file.sync().unwrap();
    disk.kill();
    assert_eq!(disk.contents("a").unwrap()[..3], *b"new", "the page cache shows it");
    disk.restart(Survivors::Everything);
    let bytes = disk.contents("a").unwrap();
    assert_eq!((&bytes[..3], &bytes[512..]), (&b"old"[..], &b"later"[..]));
}

#[test]
fn what_is_written_again_after_a_lost_sync_is_synced_again() {
    let disk = disk_with_a();
    let file = disk.process().open_writable("a").unwrap();
    file.write_all_at(b"new", 0).unwrap();
    disk.fail_at(disk.operations(), Fault::SyncLost);
    assert!(file.sync().is_err());
    file.write_all_at(b"w", 2).unwrap();
    file.sync().unwrap();
    disk.restart(Survivors::Nothing);
    assert_eq!(disk.contents("a").unwrap(), b"new");
}

#[test]
fn a_full_disk_takes_only_what_fits_until_room_is_made() {
    let disk = disk_with_a();
    assert_eq!(disk.used(), 512);
    disk.set_capacity(Some(3 * 512));
    let storage = disk.process();
    let file = storage.create("b").unwrap();
    file.set_len(1 << 20).unwrap();
    assert_eq!(disk.used(), 512, "a hole takes no room");
    let error = file.write_all_at(&[1; 2000], 100).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    let bytes = read(&*file);
    assert!(bytes[100..1024].iter().all(|byte| *byte == 1) && bytes[1024..].iter().all(|byte| *byte == 0));
    file.write_all_at(&[2; 1024], 0).unwrap();
    storage.remove("a").unwrap();
    file.write_all_at(&[2; 512], 1024).unwrap();
    assert!(file.write_all_at(&[2], 4096).is_err());
    file.set_len(512).unwrap();
    file.write_all_at(&[2], 4096).unwrap();
    assert!(file.write_all_at(&[2; 512], 8192).is_ok());
    assert_eq!(disk.used(), 3 * 512);
    disk.set_capacity(None);
    file.write_all_at(&[2; 5000], 0).unwrap();
}

#[test]
fn a_restart_forgets_what_was_planned() {
    for end in [SimulatedDisk::kill as fn(&SimulatedDisk), |disk| disk.restart(Survivors::Nothing)] {
        let disk = disk_with_a();
        disk.fail_at(0, Fault::Eio);
        disk.fail_read_at(0);
        disk.power_cut_at(1);
        end(&disk);
        let storage = disk.process();
        assert_eq!(storage.list().unwrap(), ["a"]);
        storage.sync_dir().unwrap();
        storage.sync_dir().unwrap();
    }
}

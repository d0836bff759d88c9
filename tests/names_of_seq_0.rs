//! Events are numbered from 1 on. Files whose names say that something begins with seq 0 are no work of ours, but anybody can
//! name a file so: they are passed over or refused like others that make no sense (found by fuzzing).
#![allow(clippy::unwrap_used, reason = "a test")]

use tallybook::storage::SimulatedDisk;
use tallybook::{Blocking, Error, ErrorKind, JournalReader, NewGoal, Options, Start};

const SEGMENT: &str = "0000000001-00000000000000000001.seg";

fn open(disk: &SimulatedDisk) -> Result<Blocking, Error> {
    Ok(Options::new().inline().open_storage(disk.process())?.blocking())
}

fn journal() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    open(&disk).unwrap().create_goal(NewGoal::new("ship 2.0")).unwrap();
    disk
}

#[test]
fn a_snapshot_of_before_seq_0_is_passed_over() {
    let disk = journal();
    disk.put("0000000001-00000000000000000000.snap", b"no snapshot");
    let engine = open(&disk).unwrap();
    assert_eq!((engine.view().seq(), engine.health().last_snapshot_seq), (1, Some(0)));
    assert!(engine.subscribe(Start::Beginning).unwrap().try_next().unwrap().is_some());
}

#[test]
fn a_base_that_says_that_nothing_before_seq_0_was_kept_is_damage() {
    let disk = journal();
    let bytes = disk.contents(SEGMENT).unwrap();
    disk.remove_file(SEGMENT).unwrap();
    disk.put("0000000001-00000000000000000000.seg", &bytes);
    disk.put("0000000001-00000000000000000000.base", b"no snapshot");
    for refused in [open(&disk).err(), JournalReader::with_storage(disk.process()).err()] {
        assert!(matches!(refused.unwrap().kind(), ErrorKind::Damaged(_)));
    }
}

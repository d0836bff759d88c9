use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::*;

/// A disk with a synced file of `sectors` sectors of `a`, open for writing.
fn disk_of_a(sectors: usize) -> (SimulatedDisk, Arc<dyn StorageFile>) {
    let disk = SimulatedDisk::new(1);
    disk.put("file", &vec![b'a'; sectors * 512]);
    let file = disk.process().open_writable("file").unwrap();
    (disk, file)
}

/// The first byte of each sector, after a check that no sector is torn.
fn letters(disk: &SimulatedDisk) -> String {
    let bytes = disk.contents("file").unwrap();
    bytes
        .chunks(512)
        .map(|sector| {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "a torn sector");
            if sector[0] == 0 { '0' } else { char::from(sector[0]) }
        })
        .collect()
}

#[test]
fn what_was_synced_survives() {
    let (disk, file) = disk_of_a(2);
    file.write_all_at(&[b'b'; 1024], 512).unwrap();
    file.sync().unwrap();
    assert_eq!(outcomes(&disk, letters), BTreeSet::from(["abb".to_owned()]));
}

#[test]
fn unsynced_sectors_are_dropped_kept_and_reordered() {
    let (disk, file) = disk_of_a(3);
    file.write_all_at(&[b'b'; 3 * 512], 0).unwrap();
    let all = ["aaa", "aab", "aba", "abb", "baa", "bab", "bba", "bbb"].map(str::to_owned);
    assert_eq!(outcomes(&disk, letters), BTreeSet::from(all));
}

#[test]
fn a_sector_holds_any_content_that_was_written_to_it() {
    let (disk, file) = disk_of_a(1);
    for letter in [b'b', b'c', b'd'] {
        file.write_all_at(&[letter; 512], 0).unwrap();
    }
    assert_eq!(outcomes(&disk, letters), BTreeSet::from(["a", "b", "c", "d"].map(str::to_owned)));
}

#[test]
fn a_write_to_part_of_a_sector_leaves_its_other_bytes() {
    let (disk, file) = disk_of_a(1);
    file.write_all_at(b"b", 100).unwrap();
    let mut written = vec![b'a'; 512];
    written[100] = b'b';
    let seen = outcomes(&disk, |disk| disk.contents("file").unwrap());
    assert_eq!(seen, BTreeSet::from([vec![b'a'; 512], written]));
}

#[test]
fn a_file_that_grew_has_any_length_in_between_and_zeros_where_nothing_got() {
    let (disk, file) = disk_of_a(1);
    file.write_all_at(&[b'b'; 2 * 512], 512).unwrap();
    let seen = outcomes(&disk, letters);
    let all = ["a", "a0", "ab", "a00", "a0b", "ab0", "abb"].map(str::to_owned);
    assert_eq!(seen, BTreeSet::from(all));
}

#[test]
fn what_was_cut_off_is_back_or_not_but_never_in_what_grew_later() {
    let (disk, file) = disk_of_a(2);
    file.set_len(0).unwrap();
    file.set_len(1024).unwrap();
    let seen = outcomes(&disk, letters);
    assert!(seen.is_superset(&BTreeSet::from(["aa", "", "00"].map(str::to_owned))), "{seen:?}");
    assert!(seen.iter().all(|letters| !letters.contains('a') || letters == "aa"), "{seen:?}");
}

#[test]
fn what_was_never_synced_and_cut_off_does_not_come_back() {
    let (disk, file) = disk_of_a(1);
    file.write_all_at(&[b'b'; 1024], 0).unwrap();
    file.set_len(100).unwrap();
    file.set_len(1024).unwrap();
    let mut expected = vec![b'b'; 100];
    expected.resize(1024, 0);
    assert_eq!(read(&*file), expected);
    disk.restart(Survivors::Everything);
    assert_eq!(disk.contents("file").unwrap(), expected);
}

#[test]
fn sectors_are_as_large_as_asked() {
    let disk = SimulatedDisk::new(1).sector(4096);
    disk.put("file", &[b'a'; 4096]);
    disk.process().open_writable("file").unwrap().write_all_at(&[b'b'; 4096], 0).unwrap();
    let seen = outcomes(&disk, |disk| disk.contents("file").unwrap());
    assert_eq!(seen, BTreeSet::from([vec![b'a'; 4096], vec![b'b'; 4096]]));
}

#[test]
fn nothing_and_everything_can_be_asked_for() {
    let (disk, file) = disk_of_a(1);
    file.write_all_at(&[b'b'; 1024], 0).unwrap();
    for (survivors, expected) in [(Survivors::Nothing, "a"), (Survivors::Everything, "bb")] {
        let fork = disk.fork(3);
        fork.restart(survivors);
        assert_eq!(letters(&fork), expected);
        assert_eq!(fork.durable_contents("file").unwrap(), fork.contents("file").unwrap());
    }
}

#[test]
fn a_kill_loses_nothing_but_a_later_power_cut_may() {
    let (disk, file) = disk_of_a(1);
    file.write_all_at(&[b'b'; 512], 0).unwrap();
    disk.kill();
    assert_eq!(letters(&disk), "b");
    assert_eq!(disk.durable_contents("file").unwrap(), [b'a'; 512]);
    assert_eq!(outcomes(&disk, letters), BTreeSet::from(["a", "b"].map(str::to_owned)));
    let next = disk.process().open_writable("file").unwrap();
    next.sync().unwrap();
    assert_eq!(outcomes(&disk, letters), BTreeSet::from(["b".to_owned()]));
}

#[test]
fn the_same_seed_gives_the_same_disk_and_another_seed_another() {
    let run = |seed| {
        let (disk, file) = disk_of_a(8);
        file.write_all_at(&[b'b'; 8 * 512], 0).unwrap();
        let fork = disk.fork(seed);
        fork.restart(Survivors::Seeded);
        letters(&fork)
    };
    assert_eq!(run(5), run(5));
    assert!((0..20).map(run).collect::<BTreeSet<_>>().len() > 5);
}

#[test]
fn a_fork_is_another_disk() {
    let (disk, file) = disk_of_a(1);
    let fork = disk.fork(1);
    file.write_all_at(&[b'b'; 512], 0).unwrap();
    assert_eq!(letters(&fork), "a");
    fork.remove_file("file").unwrap();
    assert_eq!(letters(&disk), "b");
}

#[test]
fn reading_past_the_end_is_an_error() {
    let (_disk, file) = disk_of_a(1);
    for (len, offset) in [(1, 512), (513, 0), (1, u64::MAX)] {
        let error = file.read_exact_at(&mut vec![0; len], offset).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
    assert_eq!(file.map(513).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(file.write_all_at(b"x", u64::MAX).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn what_is_mapped_must_not_be_written_or_cut() {
    let (_disk, file) = disk_of_a(2);
    let mapping = file.map(512).unwrap();
    assert_eq!(&mapping[..], [b'a'; 512]);
    let error = file.write_all_at(b"x", 511).unwrap_err();
    assert!(error.to_string().contains("no write below 512"), "{error}");
    let error = file.set_len(511).unwrap_err();
    assert!(error.to_string().contains("no cut below 512"), "{error}");
    file.write_all_at(b"x", 512).unwrap();
    drop(mapping);
    file.write_all_at(b"x", 511).unwrap();
}

#[test]
fn a_file_opened_for_reading_is_not_written() {
    let (disk, _file) = disk_of_a(1);
    let file = disk.process().open("file").unwrap();
    assert!(file.write_all_at(b"x", 0).is_err());
    assert!(file.set_len(0).is_err());
    assert_eq!(letters(&disk), "a");
}

#[test]
fn a_byte_is_corrupted_for_good() {
    let (disk, file) = disk_of_a(1);
    file.write_all_at(&[b'b'; 512], 0).unwrap();
    disk.corrupt("file", 511, 1).unwrap();
    let seen = outcomes(&disk, |disk| disk.contents("file").unwrap()[510..].to_vec());
    assert_eq!(seen, BTreeSet::from([b"a`".to_vec(), b"bc".to_vec()]));
    assert_eq!(disk.corrupt("file", 512, 1).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(disk.corrupt("none", 0, 1).unwrap_err().kind(), io::ErrorKind::NotFound);
}

//! Snapshots that are bent, cut off, half written, missing, of another journal, of another history, or of a newer version: an
//! opening falls back to an older one or to the journal, with the same state, or (pruned, none left) refuses and names the
//! file. Retention relies on none of them.
//!
//! `TALLYBOOK_ROUNDS` asks for every bit and every length instead of a sample.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/retained.rs"]
mod retained;

use std::collections::BTreeMap;

use common::{DEADLINE, Shadow, Workload, clock, must, open, options, segments};
use retained::{closed_count, expect_tidy, expect_true_snapshots, floor, snapshot_header, snapshots};
use tallybook::domain::FOLD_VERSION;
use tallybook::format::{FORMAT_VERSION, HEADER_LEN, SegmentName, SnapshotHeader, SnapshotName};
use tallybook::ids::SeededEntropy;
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{
    Epoch, Error, ErrorKind, JournalId, JournalReader, ManualClock, Options, Retention, StateAt, StateHash,
};

/// A closed journal, and the state that it has to give, whatever happens to its snapshots.
struct Book {
    disk: SimulatedDisk,
    clock: ManualClock,
    shadow: Shadow,
}

/// Keeps everything, and makes a snapshot now and then.
fn growing(seed: u64, clock: &ManualClock) -> Options {
    options(seed, clock).retention(Retention::keep_all()).snapshot_bytes(9_000)
}

impl Book {
    fn with(rules: Retention, commands: u64) -> Book {
        let (clock, disk, mut shadow) = (clock(), SimulatedDisk::new(2), Shadow::default());
        let mut workload = Workload::new(21);
        let engine = open(&disk, growing(1, &clock).retention(rules)).unwrap();
        for _ in 0..commands {
            let request = workload.next(shadow.projection(), &clock);
            must(&engine, &mut shadow, &clock, request);
        }
        engine.shutdown(DEADLINE).unwrap();
        disk.restart(Survivors::Nothing);
        Book { disk, clock, shadow }
    }

    /// Nothing pruned, two snapshots or more.
    fn unpruned() -> Book {
        let book = Book::with(Retention::keep_all(), 60);
        assert!(snapshots(&book.disk).len() >= 2 && floor(&book.disk).number == 1, "{:?}", book.disk.names());
        book
    }

    /// Pruned, with a base and nothing else.
    fn with_a_base_only() -> Book {
        let book = Book::with(Retention::new().segments(1), 24);
        for name in snapshots(&book.disk).into_iter().filter(|name| !name.is_base) {
            book.disk.remove_file(&name.to_string()).unwrap();
        }
        assert!(floor(&book.disk).number > 1 && snapshots(&book.disk).len() == 1);
        book
    }

    fn seq(&self) -> u64 {
        self.shadow.seq()
    }

    fn hash(&self) -> StateHash {
        self.shadow.projection().state.state_hash()
    }

    /// Opens a copy that was spoiled; with nothing due, so that only the opening is looked at.
    fn opens(&self, spoil: impl FnOnce(&SimulatedDisk)) -> Result<(u64, StateHash), Error> {
        let disk = common::copy(&self.disk);
        spoil(&disk);
        let engine = open(&disk, growing(7, &self.clock).snapshot_bytes(u64::MAX))?;
        let head = engine.view().head();
        Ok((head.seq, head.state_hash))
    }

    fn expect_same(&self, what: &str, spoil: impl FnOnce(&SimulatedDisk)) {
        match self.opens(spoil) {
            Ok(found) => assert!(found == (self.seq(), self.hash()), "{what}: another state"),
            Err(error) => panic!("{what}: refused: {error}"),
        }
    }

    /// With the only snapshot of a pruned journal spoiled there is no state: it is refused, with the name of the file.
    fn expect_refused(&self, what: &str, spoil: impl FnOnce(&SimulatedDisk)) -> Error {
        let name = snapshots(&self.disk)[0].to_string();
        match self.opens(spoil) {
            Ok(_) => panic!("{what}: opened"),
            Err(error) => {
                assert!(error.to_string().contains(&name), "{what}: {error}");
                assert!(
                    matches!(error.kind(), ErrorKind::Damaged(_) | ErrorKind::Unsupported),
                    "{what}: {error:?}"
                );
                error
            }
        }
    }
}

fn newest(disk: &SimulatedDisk) -> SnapshotName {
    *snapshots(disk).last().unwrap()
}

/// Rewrites a snapshot: its header and its lines as `change` leaves them, with all that tells that they are whole.
fn rewrite(disk: &SimulatedDisk, name: SnapshotName, change: impl FnOnce(&mut SnapshotHeader, &mut Vec<u8>)) {
    let bytes = disk.contents(&name.to_string()).unwrap();
    let mut header = SnapshotHeader::from_bytes(&bytes).unwrap();
    let mut lines = bytes[HEADER_LEN..].to_vec();
    change(&mut header, &mut lines);
    header.payload_len = lines.len() as u64;
    header.payload_crc = crc32fast::hash(&lines);
    header.lines = lines.iter().filter(|&&byte| byte == b'\n').count() as u64;
    let mut bytes = header.to_bytes().to_vec();
    bytes.extend(lines);
    disk.put(&name.to_string(), &bytes);
}

/// Adds a line to the state that no version has ever written.
fn add_unknown_part(_: &mut SnapshotHeader, lines: &mut Vec<u8>) {
    lines.extend_from_slice(b"{\"part\":\"tapestry\",\"v\":1}\n");
}

/// A state that says something else and fits in every other way: an amount that is another.
fn forge(lines: &mut Vec<u8>) {
    let text = String::from_utf8(lines.clone()).unwrap();
    let forged = text.replacen(r#""max_count":65536"#, r#""max_count":65537"#, 1);
    assert_ne!(text, forged);
    *lines = forged.into_bytes();
}

/// What is done to the header and the lines of a snapshot.
type Change = fn(&mut SnapshotHeader, &mut Vec<u8>);

/// What is wrong with a whole snapshot that still is one.
fn foreign_ways() -> BTreeMap<&'static str, Change> {
    let ways: [(&str, Change); 8] = [
        ("a foreign journal's", |header, _| header.journal_id = JournalId(uuid::Uuid::from_u128(5))),
        ("of an unmade future", |header, _| header.epoch = Epoch { counter: 1, tag: !header.epoch.tag }),
        ("of a later epoch", |header, _| header.epoch.counter += 1),
        ("of another seq", |header, _| header.before.first_seq += 1),
        ("of another segment", |header, _| header.before.number += 1),
        ("of a newer fold", |header, _| header.fold_version = FOLD_VERSION + 1),
        ("of an unknown part", add_unknown_part),
        ("without its last line", |_, lines| {
            let end = lines[..lines.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
            lines.truncate(end - 1);
        }),
    ];
    ways.into_iter().collect()
}

fn is_whole() -> bool {
    std::env::var_os("TALLYBOOK_ROUNDS").is_some()
}

/// Bits of a snapshot: those of what its header says, and of the rest so many. With rounds asked for, all of them.
fn bits(len: usize, sample: u64) -> Vec<usize> {
    if is_whole() {
        return (0..len * 8).collect();
    }
    let chance = SeededEntropy::new(len as u64);
    let mut bits: Vec<usize> = (0..136 * 8).step_by(13).chain((HEADER_LEN - 4) * 8..HEADER_LEN * 8).collect();
    bits.extend((0..sample).map(|_| usize::try_from(chance.below(len as u64 * 8)).unwrap()));
    bits
}

#[test]
fn law_retain_a_bent_snapshot_is_passed_over() {
    let book = Book::unpruned();
    let name = newest(&book.disk).to_string();
    let len = book.disk.contents(&name).unwrap().len();
    for bit in bits(len, 50) {
        book.expect_same(&format!("bit {bit} of {name}"), |disk| {
            disk.corrupt(&name, bit as u64 / 8, 1 << (bit % 8)).unwrap();
        });
    }
}

#[test]
fn law_retain_the_only_snapshot_of_a_pruned_journal_is_refused_when_it_is_bent() {
    let book = Book::with_a_base_only();
    let name = newest(&book.disk).to_string();
    let len = book.disk.contents(&name).unwrap().len();
    for bit in bits(len, 150) {
        let error = book.expect_refused(&format!("bit {bit} of {name}"), |disk| {
            disk.corrupt(&name, bit as u64 / 8, 1 << (bit % 8)).unwrap();
        });
        assert!(matches!(error.kind(), ErrorKind::Damaged(_)), "bit {bit}: no newer version: {error}");
    }
}

#[test]
fn law_retain_a_snapshot_that_is_cut_off_is_passed_over_or_refused() {
    let (unpruned, pruned) = (Book::unpruned(), Book::with_a_base_only());
    for (book, is_pruned) in [(&unpruned, false), (&pruned, true)] {
        let name = newest(&book.disk).to_string();
        let bytes = book.disk.contents(&name).unwrap();
        let step = if is_whole() { 1 } else { 499 };
        let near = [0, 1, HEADER_LEN - 1, HEADER_LEN, HEADER_LEN + 1, bytes.len() - 1, bytes.len() + 1];
        for len in (0..bytes.len()).step_by(step).chain(near) {
            let mut cut = bytes.clone();
            cut.resize(len, 0);
            let what = format!("{len} of {} bytes of {name}", bytes.len());
            if is_pruned {
                book.expect_refused(&what, |disk| disk.put(&name, &cut));
            } else {
                book.expect_same(&what, |disk| disk.put(&name, &cut));
            }
            // The same with zeros in the place of what is not there: a file that was never synced.
            cut.resize(bytes.len(), 0);
            if cut != bytes && is_pruned {
                book.expect_refused(&what, |disk| disk.put(&name, &cut));
            } else if cut != bytes {
                book.expect_same(&what, |disk| disk.put(&name, &cut));
            }
        }
    }
}

#[test]
fn law_retain_a_snapshot_of_something_else_is_passed_over_or_refused() {
    let (unpruned, pruned) = (Book::unpruned(), Book::with_a_base_only());
    for (what, change) in foreign_ways() {
        unpruned.expect_same(what, |disk| rewrite(disk, newest(disk), change));
        unpruned.expect_same(what, |disk| {
            snapshots(disk).into_iter().for_each(|name| rewrite(disk, name, change))
        });
        let error = pruned.expect_refused(what, |disk| rewrite(disk, newest(disk), change));
        let is_newer = what == "of a newer fold" || what == "of an unknown part";
        assert_eq!(*error.kind() == ErrorKind::Unsupported, is_newer, "{what}: {error}");
    }
    let newer = |disk: &SimulatedDisk| {
        let name = newest(disk).to_string();
        let mut bytes = disk.contents(&name).unwrap();
        bytes[8..12].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
        let crc = crc32fast::hash(&bytes[..HEADER_LEN - 4]);
        bytes[HEADER_LEN - 4..HEADER_LEN].copy_from_slice(&crc.to_le_bytes());
        disk.put(&name, &bytes);
    };
    unpruned.expect_same("of a newer format", newer);
    let error = pruned.expect_refused("of a newer format", newer);
    assert_eq!(*error.kind(), ErrorKind::Unsupported, "{error}");
}

#[test]
fn law_retain_snapshots_that_are_missing_swapped_or_half_written_are_no_loss() {
    let book = Book::unpruned();
    let names = snapshots(&book.disk);
    book.expect_same("the newest is missing", |disk| disk.remove_file(&newest(disk).to_string()).unwrap());
    book.expect_same("all are missing", |disk| {
        names.iter().for_each(|name| disk.remove_file(&name.to_string()).unwrap());
    });
    book.expect_same("two are swapped", |disk| {
        let (a, b) = (names[0].to_string(), names[1].to_string());
        let bytes = (disk.contents(&a).unwrap(), disk.contents(&b).unwrap());
        disk.put(&a, &bytes.1);
        disk.put(&b, &bytes.0);
    });
    book.expect_same("one of a segment that there is not", |disk| {
        let before = SegmentName { number: 99, first_seq: 9_999 };
        let bytes = disk.contents(&names[0].to_string()).unwrap();
        disk.put(&SnapshotName { before, is_base: false }.to_string(), &bytes);
        let seq = names[0].before.first_seq + 1;
        let before = SegmentName { first_seq: seq, ..names[0].before };
        disk.put(&SnapshotName { before, is_base: false }.to_string(), &bytes);
    });
    for len in [0, 100, 5_000] {
        book.expect_same("half written", |disk| {
            let bytes = disk.contents(&names[0].to_string()).unwrap();
            disk.put("snapshot.tmp", &bytes[..len.min(bytes.len())]);
        });
    }
}

/// What is left of a pruned journal has to be there.
#[test]
fn law_retain_a_pruned_journal_without_its_first_segment_or_its_base_is_refused() {
    let book = Book::with(Retention::new().segments(2), 40);
    let (first, base) = (floor(&book.disk).to_string(), snapshots(&book.disk)[0]);
    assert!(base.is_base && snapshots(&book.disk).len() > 1, "{:?}", book.disk.names());
    let error = book.opens(|disk| disk.remove_file(&first).unwrap()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Damaged(_)), "{error}");
    assert!(error.to_string().contains(&first), "{error}");
    let error = book.opens(|disk| disk.remove_file(&base.to_string()).unwrap()).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Damaged(_)),
        "nothing says that what is missing was pruned: {error}"
    );
    assert!(error.to_string().contains(".seg"), "{error}");
    // The base spoiled, the one after it whole: the state is there, what was before is not.
    let disk = common::copy(&book.disk);
    disk.corrupt(&base.to_string(), 5_000, 1).unwrap();
    let engine = open(&disk, growing(7, &book.clock).snapshot_bytes(u64::MAX)).unwrap();
    assert_eq!(engine.view().head().state_hash, book.hash());
    let reader = JournalReader::with_storage(disk.process()).unwrap();
    let error = reader.state(StateAt::Seq(base.before.first_seq)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Damaged(_)), "{error}");
}

#[test]
fn law_retain_what_lies_below_the_floor_is_left_over_and_removed_whole_or_with_gaps() {
    let before = Book::with(Retention::keep_all(), 60);
    let disk = common::copy(&before.disk);
    let engine = open(&disk, growing(3, &before.clock).retention(Retention::new().segments(1))).unwrap();
    engine.shutdown(DEADLINE).unwrap();
    let floor = floor(&disk);
    let old: Vec<String> =
        before.disk.names().into_iter().filter(|name| !disk.names().contains(name)).collect();
    assert!(old.len() > 5, "{old:?}");
    let chance = SeededEntropy::new(4);
    for _ in 0..12 {
        let disk = common::copy(&disk);
        for name in old.iter().filter(|_| chance.below(2) == 0) {
            let mut bytes = before.disk.contents(name).unwrap();
            // Whatever they hold.
            if chance.below(3) == 0 {
                bytes.truncate(index(chance.below(9_000)).min(bytes.len()));
            }
            disk.put(name, &bytes);
        }
        let reader = JournalReader::with_storage(disk.process()).unwrap();
        assert_eq!(reader.verify().unwrap().findings, Vec::new());
        let mut events = reader.events(0).unwrap();
        assert_eq!(events.next().unwrap().unwrap().seq, floor.first_seq);
        let engine = open(&disk, growing(4, &before.clock)).unwrap();
        assert_eq!((engine.view().seq(), engine.view().head().state_hash), (before.seq(), before.hash()));
        expect_tidy(&disk);
        assert_eq!(retained::floor(&disk), floor);
    }
}

/// A floor is stated by the name of a base; but only a base that says of itself that it stands there lets anything go.
#[test]
fn law_retain_a_base_under_the_name_of_another_lets_nothing_go() {
    let book = Book::with(Retention::new().segments(4), 60);
    let disk = common::copy(&book.disk);
    let all = segments(&disk);
    let base = snapshots(&disk).into_iter().find(|name| name.is_base).expect("something was pruned");
    let later = SegmentName::parse(&all[all.len() - 2].0).unwrap();
    let copy = SnapshotName { before: later, is_base: true };
    disk.put(&copy.to_string(), &disk.contents(&base.to_string()).unwrap());
    if let Ok(engine) = open(&disk, growing(4, &book.clock).retention(Retention::new().segments(4))) {
        let health = engine.engine().health();
        let told = health.last_upkeep_error.map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains(&copy.to_string()), "{told}");
        disk.kill();
    }
    for (name, bytes) in all {
        let kept = disk.contents(&name).unwrap_or_else(|_| panic!("{name} is gone"));
        assert_eq!(kept[..HEADER_LEN], bytes[..HEADER_LEN], "{name}");
    }
    assert!(disk.contents(&base.to_string()).is_ok(), "the base itself is there");
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

/// Law RETAIN: what retention relies on was read again and compared. A snapshot whose state has another hash than it says, a
/// bent one, and one of another journal become no base, and none is made of them; the floor goes where it has to go.
#[test]
fn law_retain_no_spoiled_snapshot_becomes_a_base_or_the_beginning_of_one() {
    let book = Book::unpruned();
    let mut ways = foreign_ways();
    ways.insert("with a hash of another state", |header, _| header.state_hash[3] ^= 1);
    ways.insert("with another state than its hash", |_, lines| forge(lines));
    for (what, change) in ways {
        for keep in 0..u64::try_from(closed_count(&book.disk)).unwrap() {
            let disk = common::copy(&book.disk);
            snapshots(&disk).into_iter().for_each(|name| rewrite(&disk, name, change));
            if what.contains("hash") {
                // An opening believes the CRC; so that it gets the true state, only what stands in for it is spoiled.
                let name = newest(&disk);
                disk.put(&name.to_string(), &book.disk.contents(&name.to_string()).unwrap());
            }
            let rules = growing(5, &book.clock).retention(Retention::new().segments(keep));
            let engine = open(&disk, rules).unwrap();
            let bases: Vec<_> = snapshots(&disk).into_iter().filter(|name| name.is_base).collect();
            assert_eq!(engine.view().head().state_hash, book.hash(), "{what}");
            for base in &bases {
                let header = snapshot_header(&disk, *base);
                let expected = common::refold(&book.shadow.history()[..index(header.seq())]).state_hash();
                assert_eq!(header.state_hash, expected.0, "{what}, keeping {keep}: {base} covers nothing");
            }
            engine.shutdown(DEADLINE).unwrap();
            disk.restart(Survivors::Nothing);
            let engine = open(&disk, growing(6, &book.clock)).unwrap();
            assert_eq!(engine.view().head().state_hash, book.hash(), "{what}, keeping {keep}, opened again");
            if let Some(base) = bases.last() {
                let reader = JournalReader::with_storage(disk.process()).unwrap();
                let oldest = reader.state(StateAt::Seq(base.before.first_seq - 1)).unwrap();
                let expected = common::refold(&book.shadow.history()[..index(oldest.seq)]).state_hash();
                assert_eq!(oldest.state.state_hash(), expected, "{what}, keeping {keep}");
            }
        }
    }
    expect_true_snapshots(&book.disk, &book.shadow.history());
}

/// Law EVIDENCE: nothing else tells of newest segments that are gone, but a snapshot that was made behind them does.
#[test]
fn law_evidence_a_snapshot_before_a_segment_that_is_gone_is_testimony() {
    let book = Book::unpruned();
    let snapshot = newest(&book.disk);
    let disk = common::copy(&book.disk);
    for (name, _) in common::segments(&disk) {
        if SegmentName::parse(&name).unwrap() >= snapshot.before {
            disk.remove_file(&name).unwrap();
        }
    }
    let left = disk.names();
    let reader = JournalReader::with_storage(disk.process()).unwrap();
    let errors = [
        open(&disk, growing(7, &book.clock)).unwrap_err(),
        common::lines(&disk).unwrap_err(),
        reader.state(StateAt::End).unwrap_err(),
    ];
    for error in errors {
        let found = error.damage().map(|damage| damage.file.clone());
        assert_eq!(found, Some(snapshot.to_string()), "{error}");
        assert!(error.to_string().contains(&snapshot.before.to_string()), "{error}");
    }
    assert!(reader.verify().unwrap().is_damaged());
    assert_eq!(disk.names(), left);
}

/// A flipped digit, and nothing that tells of it but the CRC.
#[test]
fn law_retain_a_snapshot_of_a_forged_state_is_passed_over() {
    let book = Book::unpruned();
    book.expect_same("with another amount", |disk| {
        let name = newest(disk).to_string();
        let bytes = disk.contents(&name).unwrap();
        let (header, lines) = bytes.split_at(HEADER_LEN);
        let mut lines = lines.to_vec();
        forge(&mut lines);
        disk.put(&name, &[header, &lines].concat());
    });
}

#[test]
fn law_retain_a_snapshot_with_something_behind_its_end_is_refused() {
    let book = Book::with_a_base_only();
    let name = newest(&book.disk).to_string();
    let longer = [book.disk.contents(&name).unwrap(), vec![0]].concat();
    book.expect_refused("a byte more", |disk| disk.put(&name, &longer));
}

/// Its CRC is right; what it says of its state is not. An opening starts from another one, so that it is retention alone
/// that has to look.
#[test]
fn law_retain_a_snapshot_with_another_state_than_its_hash_becomes_no_base() {
    let book = Book::unpruned();
    let disk = common::copy(&book.disk);
    let wrong = snapshots(&disk)[0];
    rewrite(&disk, wrong, |_, lines| forge(lines));
    let closed = book.disk.names().into_iter().filter_map(|name| SegmentName::parse(&name));
    let keep = closed.filter(|name| name.number >= wrong.before.number).count() as u64 - 1;
    let engine = open(&disk, growing(5, &book.clock).retention(Retention::new().segments(keep))).unwrap();
    engine.shutdown(DEADLINE).unwrap();
    let base = snapshots(&disk)[0];
    assert!(base.is_base && base.before == wrong.before, "the floor is where the rule says: {base}");
    let state = JournalReader::with_storage(disk.process()).unwrap();
    let state = state.state(StateAt::Seq(base.before.first_seq - 1)).unwrap().state;
    let expected = common::refold(&book.shadow.history()[..index(base.before.first_seq - 1)]);
    assert_eq!(state.state_hash(), expected.state_hash(), "law RETAIN: {base} covers nothing");
}

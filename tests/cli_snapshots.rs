//! What is done to the snapshots of a journal between two runs: the next boot comes to the same state, or refuses and says which
//! file is to blame (laws EVIDENCE, FOLD, RETAIN).
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::OnceLock;

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;
#[path = "common/pruning.rs"]
mod pruning;

use cli::{Book, Ran};
use pruning::{
    HEAD, TWIN, archived, booted, copy, floor, names, numbers, read, rename, spends, tiny, twin_of, whole,
};

const EVENTS: u64 = 21;
const HEADER_LEN: usize = 4096;
const AT_VERSION: usize = 8;
const AT_FOLD_VERSION: usize = 64;
const AT_PAYLOAD_CRC: usize = 68;
const AT_HEADER_CRC: usize = 4092;

/// A pruned journal, as it is; and all that ever was, with every snapshot that was ever made, as a journal without a floor.
struct Originals {
    pruned: Book,
    all: Book,
    hash: Value,
}

fn make_originals(first_amount: u64) -> Originals {
    let (pruned, stash) = (Book::new(), Book::new());
    let archive = pruned.beside("archive");
    let mut commands = spends(EVENTS);
    commands[1] = commands[1].replace(r#""amount":"1""#, &format!(r#""amount":"{first_amount}""#));
    for run in [&commands[..6], &commands[6..11], &commands[11..16], &commands[16..]] {
        pruned.apply(&archived(&["--retain-segments", "3"], &archive), run);
        copy(pruned.dir(), ".base", stash.dir());
        copy(pruned.dir(), ".snap", stash.dir());
    }
    let all = whole(&archive, &pruned);
    copy(stash.dir(), "", all.dir());
    for base in names(all.dir(), ".base") {
        rename(all.dir(), &base, &base.replace(".base", ".snap"));
    }
    let hash = pruned.state(&[])["state_hash"].clone();
    assert_eq!(all.state(&[])["state_hash"], hash);
    assert_eq!(floor(&all), 1);
    assert!(snapshots(&all).len() >= 4 && !snapshots(&pruned).is_empty());
    Originals { pruned, all, hash }
}

fn originals() -> &'static Originals {
    static MADE: OnceLock<Originals> = OnceLock::new();
    MADE.get_or_init(|| make_originals(1))
}

/// The same commands but for one amount, so that all files have the same names.
fn of_another_journal() -> &'static Originals {
    static MADE: OnceLock<Originals> = OnceLock::new();
    MADE.get_or_init(|| make_originals(5))
}

/// The names of all snapshots, oldest first.
fn snapshots(book: &Book) -> Vec<String> {
    let mut all = [names(book.dir(), ".snap"), names(book.dir(), ".base")].concat();
    all.sort();
    all
}

/// CRC-32 as in gzip.
fn crc32(bytes: &[u8]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    (!crc).to_le_bytes()
}

/// Writes the CRCs that a snapshot with these bytes has to have.
fn make_valid(bytes: &mut [u8]) {
    let payload = crc32(&bytes[HEADER_LEN..]);
    bytes[AT_PAYLOAD_CRC..AT_PAYLOAD_CRC + 4].copy_from_slice(&payload);
    let header = crc32(&bytes[..AT_HEADER_CRC]);
    bytes[AT_HEADER_CRC..HEADER_LEN].copy_from_slice(&header);
}

/// What is done to a snapshot of that name.
#[derive(Debug, Clone, Copy)]
enum Harm {
    /// A bit is turned so many bytes from the start.
    Flip(usize),
    /// The same from the end.
    FlipFromEnd(usize),
    Truncate(usize),
    CutOne,
    Append,
    Zeroes,
    Remove,
    /// A snapshot of another journal, the one of this name if it has one.
    Foreign,
    /// The CRCs are right.
    FutureFormat,
    FutureFold,
    /// A spent amount is another, and the CRCs are right: only the state hash tells.
    OtherState,
}

const DAMAGE: [Harm; 16] = [
    Harm::Flip(0),
    Harm::Flip(AT_VERSION),
    Harm::Flip(20),
    Harm::Flip(33),
    Harm::Flip(41),
    Harm::Flip(53),
    Harm::Flip(90),
    Harm::Flip(2000),
    Harm::Flip(AT_HEADER_CRC),
    Harm::Flip(HEADER_LEN),
    Harm::FlipFromEnd(2),
    Harm::Truncate(0),
    Harm::Truncate(HEADER_LEN),
    Harm::CutOne,
    Harm::Append,
    Harm::Zeroes,
];

fn harm(book: &Book, name: &str, harm: Harm) {
    let mut bytes = read(&book.dir().join(name));
    match harm {
        Harm::Flip(at) => bytes[at] ^= 0x10,
        Harm::FlipFromEnd(back) => {
            let at = bytes.len() - back;
            bytes[at] ^= 0x10;
        }
        Harm::Truncate(len) => bytes.truncate(len),
        Harm::CutOne => bytes.truncate(bytes.len() - 1),
        Harm::Append => bytes.push(b'\n'),
        Harm::Zeroes => bytes.fill(0),
        Harm::Remove => return book.remove(name),
        Harm::Foreign => {
            let other = &of_another_journal().all;
            let there = snapshots(other);
            let same = there.iter().find(|other| numbers(other) == numbers(name));
            let own = bytes;
            bytes = read(&other.dir().join(same.or(there.last()).unwrap()));
            assert_ne!(bytes, own);
        }
        Harm::FutureFormat => {
            bytes[AT_VERSION] = 99;
            make_valid(&mut bytes);
        }
        Harm::FutureFold => {
            bytes[AT_FOLD_VERSION] = 99;
            make_valid(&mut bytes);
        }
        Harm::OtherState => {
            let (from, to) = (&b"\"limit\":\"1000000\""[..], &b"\"limit\":\"1000001\""[..]);
            let at = bytes.windows(from.len()).position(|window| window == from);
            let at = at.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&bytes[HEADER_LEN..])));
            bytes[at..at + to.len()].copy_from_slice(to);
            make_valid(&mut bytes);
        }
    }
    book.put(name, &bytes);
}

#[track_caller]
fn expect_named(ran: &Ran, code: i32, names: &[String]) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    let told = ran.stdout.clone() + &ran.stderr;
    assert!(names.iter().any(|name| told.contains(name)), "{names:?}: {ran:?}");
}

/// The files but for the lock file.
fn files(book: &Book) -> Vec<(String, Vec<u8>)> {
    book.files().into_iter().filter(|(name, _)| name != "lock").collect()
}

/// Asserts that nothing opens the journal, that a snapshot is named, and that nothing is changed by that.
#[track_caller]
fn expect_refused(book: &Book, blamed: &[String], what: &str) {
    let before = files(book);
    for arguments in [
        &["apply", "--manual-clock", "--retain-segments", "0"][..],
        &["state", "--json"],
        &["verify", "--json"],
    ] {
        let ran = book.run(arguments[0], &arguments[1..], HEAD.as_bytes());
        assert_eq!(ran.code, Some(2), "{what}: {arguments:?}: {ran:?}");
        expect_named(&ran, 2, blamed);
    }
    assert!(files(book) == before, "{what}: a refusal changes nothing");
}

#[test]
fn a_journal_that_has_all_its_segments_needs_no_snapshot() {
    for damage in
        DAMAGE.into_iter().chain([Harm::Remove, Harm::Foreign, Harm::FutureFormat, Harm::FutureFold])
    {
        let book = twin_of(&originals().all);
        for name in snapshots(&book) {
            harm(&book, &name, damage);
        }
        assert_eq!(book.state(&[])["state_hash"], originals().hash, "{damage:?}");
        assert_eq!(booted(&book), originals().hash, "{damage:?}");
        assert_eq!(book.events(&[]).len() as u64, EVENTS, "{damage:?}");
    }
}

#[test]
fn damaged_snapshots_are_found() {
    for damage in DAMAGE.into_iter().chain([Harm::Foreign, Harm::OtherState]) {
        let book = twin_of(&originals().all);
        let name = snapshots(&book).remove(1);
        harm(&book, &name, damage);
        let ran = book.run("verify", &["--json"], b"");
        assert_eq!(ran.code, Some(2), "{damage:?}: {ran:?}");
        let findings = ran.json()["findings"].clone();
        assert_eq!(findings.as_array().unwrap().len(), 1, "{damage:?}: {findings}");
        assert_eq!(findings[0]["file"], name, "{damage:?}: {findings}");
        expect_named(&book.run("verify", &[], b""), 2, &[name]);
    }
}

#[test]
fn what_lies_before_a_snapshot_is_not_read_again_unless_the_snapshot_is_gone() {
    let harmed_at = |book: &Book, number: usize| {
        let (name, mut bytes) = book.segments().swap_remove(number);
        bytes[4200] ^= 1;
        book.put(&name, &bytes);
        name
    };
    let book = twin_of(&originals().all);
    let segment = harmed_at(&book, 2);
    assert_eq!(booted(&book), originals().hash, "a boot begins at the newest snapshot");
    expect_named(&book.run("verify", &["--json"], b""), 2, std::slice::from_ref(&segment));
    let all = snapshots(&book);
    let (oldest, newer) = all.split_first().unwrap();
    assert!(numbers(oldest).0 > 3);
    for name in newer {
        harm(&book, name, Harm::Flip(HEADER_LEN));
    }
    assert_eq!(booted(&book), originals().hash, "the oldest does as well");
    assert_eq!(book.state(&[])["state_hash"], originals().hash);
    harm(&book, oldest, Harm::Flip(HEADER_LEN));
    expect_named(&book.run("apply", &TWIN, HEAD.as_bytes()), 2, std::slice::from_ref(&segment));
}

#[test]
fn a_pruned_journal_boots_as_long_as_one_snapshot_is_good() {
    let all = snapshots(&originals().pruned);
    assert!(all.len() > 1, "one damaged file must not cost the state");
    for damage in DAMAGE.into_iter().chain([Harm::Foreign, Harm::FutureFormat, Harm::FutureFold]) {
        for good in &all {
            let book = twin_of(&originals().pruned);
            for name in all.iter().filter(|name| *name != good) {
                harm(&book, name, damage);
            }
            assert_eq!(book.state(&[])["state_hash"], originals().hash, "{damage:?}, but for {good}");
            assert_eq!(booted(&book), originals().hash, "{damage:?}, but for {good}");
        }
    }
}

#[test]
fn a_pruned_journal_without_a_good_snapshot_is_refused() {
    for damage in DAMAGE.into_iter().chain([Harm::Foreign]) {
        let book = twin_of(&originals().pruned);
        let all = snapshots(&book);
        for name in &all {
            harm(&book, name, damage);
        }
        expect_refused(&book, &all, &format!("{damage:?}"));
    }
}

#[test]
fn a_pruned_journal_with_snapshots_of_the_future_is_refused_as_unsupported() {
    for future in [Harm::FutureFormat, Harm::FutureFold] {
        let book = twin_of(&originals().pruned);
        let all = snapshots(&book);
        for name in &all {
            harm(&book, name, future);
        }
        for arguments in [&["apply", "--manual-clock"][..], &["state"]] {
            let ran = book.run(arguments[0], &arguments[1..], HEAD.as_bytes());
            expect_named(&ran, 2, &all);
            assert!(
                ran.stderr.contains("version 99") && !ran.stderr.contains("damaged"),
                "{future:?}: {ran:?}"
            );
        }
    }
}

#[test]
fn verify_says_that_a_journal_cannot_be_opened_by_this_version() {
    for future in [Harm::FutureFormat, Harm::FutureFold] {
        let book = twin_of(&originals().pruned);
        let all = snapshots(&book);
        for name in &all {
            harm(&book, name, future);
        }
        expect_named(&book.run("verify", &["--json"], b""), 2, &all);
    }
}

#[test]
fn a_floor_that_no_file_states_any_more_is_refused_until_it_is_put_back() {
    let book = twin_of(&originals().pruned);
    let base = names(book.dir(), ".base").remove(0);
    let bytes = read(&book.dir().join(&base));
    let oldest = book.segments().remove(0).0;
    book.remove(&base);
    expect_refused(&book, &[oldest.clone(), base.clone()], "removed");
    book.put(&base.replace(".base", ".snap"), &bytes);
    expect_refused(&book, &[oldest, base.clone()], "no base any more");
    book.put(&base, &bytes);
    assert_eq!(booted(&book), originals().hash);
}

#[test]
fn a_base_under_a_name_that_is_not_its_own_costs_nothing() {
    let segments = originals().pruned.segments();
    for (segment, _) in &segments[1..] {
        let book = twin_of(&originals().pruned);
        let base = names(book.dir(), ".base").remove(0);
        let bytes = read(&book.dir().join(&base));
        let renamed = segment.replace(".seg", ".base");
        rename(book.dir(), &base, &renamed);
        let ran = book.run("apply", &["--manual-clock", "--retain-segments", "0"], HEAD.as_bytes());
        match ran.code {
            Some(0) => assert_eq!(ran.json()["ok"]["result"]["state_hash"], originals().hash, "{renamed}"),
            code => {
                assert_eq!(code, Some(2), "{renamed}: {ran:?}");
                expect_named(&ran, 2, &snapshots(&book));
                assert_eq!(
                    book.segments().len(),
                    segments.len(),
                    "{renamed}: nothing goes that is not provably pruned"
                );
                book.remove(&renamed);
                book.put(&base, &bytes);
                assert_eq!(booted(&book), originals().hash, "{renamed}");
            }
        }
    }
}

#[test]
fn a_base_before_a_segment_that_is_not_there_is_refused_by_all() {
    let book = twin_of(&originals().pruned);
    let base = names(book.dir(), ".base").remove(0);
    let renamed = "0000001000-00000000000000001000.base";
    rename(book.dir(), &base, renamed);
    expect_refused(&book, &["0000001000-00000000000000001000".to_owned()], "renamed");
}

/// A journal with all its segments, the newest snapshot of which is harmed, and stands where the floor will be when three
/// closed segments are kept.
fn harmed_where_the_floor_will_be(damage: Harm) -> Book {
    let book = twin_of(&originals().all);
    let all = snapshots(&book);
    let target = all.iter().rfind(|name| numbers(name).0 == EVENTS - 3).expect("there is one");
    harm(&book, target, damage);
    for newer in all.iter().filter(|name| *name > target) {
        book.remove(newer);
    }
    book
}

#[test]
fn a_snapshot_that_retention_is_to_rely_on_is_not_believed_unread() {
    let more = |number: u64| {
        format!(r#"{{"op":"record_spend","budget_id":"b","amount":"1","spend_id":"more{number}"}}"#)
    };
    let more: Vec<String> = (1..=5).map(more).collect();
    let expected = twin_of(&originals().all);
    expected.apply(&TWIN, &more);
    for damage in [
        Harm::Flip(0),
        Harm::Flip(HEADER_LEN),
        Harm::FlipFromEnd(2),
        Harm::Truncate(0),
        Harm::CutOne,
        Harm::Foreign,
        Harm::FutureFormat,
    ] {
        let book = harmed_where_the_floor_will_be(damage);
        book.apply(&tiny(&["--retain-segments", "3"]), &[HEAD]);
        assert!((2..=EVENTS - 3).contains(&floor(&book)), "{damage:?}: {:?}", names(book.dir(), ""));
        assert_eq!(book.state(&[])["state_hash"], originals().hash, "{damage:?}");
        assert_eq!(booted(&book), originals().hash, "{damage:?}");
        let at = (floor(&book) - 1).to_string();
        assert_eq!(book.state(&["--at", &at]), originals().all.state(&["--at", &at]), "{damage:?}");

        book.apply(&tiny(&["--retain-segments", "3"]), &more);
        assert_eq!(floor(&book), EVENTS + 5 - 3, "{damage:?}: the damage is outlived");
        assert_eq!(book.state(&[]), expected.state(&[]), "{damage:?}");
        assert_eq!(book.verify()["findings"], json!([]), "{damage:?}");
    }
}

#[test]
fn a_damaged_snapshot_does_not_keep_what_is_to_go() {
    let book = harmed_where_the_floor_will_be(Harm::Flip(HEADER_LEN));
    book.apply(&tiny(&["--retain-segments", "3"]), &[HEAD]);
    assert_eq!(floor(&book), EVENTS - 3, "the bound holds: {:?}", names(book.dir(), ""));
    assert_eq!(booted(&book), originals().hash);
}

#[test]
fn what_is_left_of_a_snapshot_in_the_making_is_harmless() {
    for left in [b"".to_vec(), b"half of a snapshot".to_vec(), vec![0; 100_000]] {
        let book = twin_of(&originals().pruned);
        book.put("snapshot.tmp", &left);
        assert_eq!(book.state(&[])["state_hash"], originals().hash);
        assert_eq!(book.verify()["findings"], json!([]));
        book.apply(&tiny(&["--retain-segments", "1"]), &[HEAD]);
        assert_eq!(floor(&book), EVENTS - 1, "pruning goes on");
        assert_eq!(names(book.dir(), ".tmp"), Vec::<String>::new());
        assert_eq!(booted(&book), originals().hash);
    }
}

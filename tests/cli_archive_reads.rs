//! `--archive` of the reading commands: the archive under the journal, without a copy of either.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;
#[path = "common/pruning.rs"]
mod pruning;

use cli::{Book, Ran};
use pruning::{HEAD, TWIN, archived, floor, history, make_dir, names, spends, tiny};

const RULES: [&str; 2] = ["--retain-segments", "2"];

/// A journal that was pruned into an archive, and its twin that was not.
fn pruned() -> (Book, Book) {
    let (book, twin) = (Book::new(), Book::new());
    let archive = book.beside("archive");
    let commands = [history(7), pruning::use_of_the_beginning()].concat();
    for run in commands.chunks(25) {
        book.apply(&archived(&RULES, &archive), run);
        twin.apply(&TWIN, run);
    }
    assert!(floor(&book) > 40);
    (book, twin)
}

fn with<'a>(archive: &'a Path, flags: &[&'a str]) -> Vec<&'a str> {
    [flags, &["--archive", archive.to_str().unwrap()]].concat()
}

fn refused(book: &Book, command: &str, flags: &[&str], code: i32) -> Ran {
    let ran = book.run(command, flags, b"").expect_code(code);
    assert_eq!(ran.stdout, "", "nothing is printed of what is not there");
    ran
}

#[expect(clippy::disallowed_methods, reason = "the test takes segments out of an archive")]
fn remove(dir: &Path, name: &str) {
    std::fs::remove_file(dir.join(name)).unwrap();
}

#[test]
fn with_the_archive_it_reads_as_if_nothing_had_been_pruned() {
    let (book, twin) = pruned();
    let archive = book.beside("archive");
    let before = (book.files(), names(&archive, ""));
    let told = |book: &Book, flags: &[&str]| book.run("events", flags, b"").expect_code(0).stdout;
    assert_eq!(told(&book, &with(&archive, &[])), told(&twin, &[]), "event for event");
    for flags in [&["--budget", "member"][..], &["--from", "3", "--to", "7"], &["--scope", pruning::CHILD]] {
        assert_eq!(told(&book, &with(&archive, flags)), told(&twin, flags), "{flags:?}");
    }
    let last = twin.state(&[])["seq"].as_u64().unwrap();
    for seq in 0..=last {
        let at = seq.to_string();
        assert_eq!(book.state(&with(&archive, &["--at", &at])), twin.state(&["--at", &at]));
    }
    let time = twin.events(&[])[20]["ts"].as_str().unwrap().to_owned();
    assert_eq!(book.state(&with(&archive, &["--at", &time])), twin.state(&["--at", &time]));
    let stat = book.run("stat", &with(&archive, &["--json"]), b"").expect_code(0).json();
    assert_eq!((&stat["first_seq"], &stat["retention_floor"]), (&json!(1), &json!(1)));
    assert_eq!(stat["events_by_kind"], twin.stat()["events_by_kind"]);
    assert_eq!(stat["state"], twin.stat()["state"]);
    assert_eq!((&twin.stat()["archive"], &book.stat()["archive"]), (&json!(null), &json!(null)));
    let bytes: usize =
        names(&archive, ".seg").iter().map(|name| pruning::read(&archive.join(name)).len()).sum();
    let segments = names(&archive, ".seg").len();
    let span = json!({"segments": segments, "first_seq": 1, "last_seq": floor(&book) - 1, "bytes": bytes});
    assert_eq!(stat["archive"], span);
    assert_eq!((book.files(), names(&archive, "")), before, "nothing is written anywhere");
}

#[test]
fn below_retention_an_archive_is_hinted_at_and_the_floor_named() {
    let (book, _) = pruned();
    let oldest = floor(&book);
    let events = refused(&book, "events", &["--from", "5"], 4).stderr;
    assert!(events.contains(&format!("seq {oldest}")) && events.contains("--archive"), "{events}");
    let state = refused(&book, "state", &["--at", "5"], 4).stderr;
    assert!(state.contains(&format!("seq {}", oldest - 1)) && state.contains("--archive"), "{state}");
}

#[test]
fn an_archive_that_begins_late_is_the_floor() {
    let book = Book::new();
    let archive = book.beside("archive");
    let commands = spends(20);
    book.apply(&tiny(&RULES), &commands[..6]);
    book.apply(&archived(&RULES, &archive), &commands[6..]);
    assert_eq!(floor(&book), 18);
    let told = book.events(&with(&archive, &[]));
    assert_eq!((told.len(), &told[0]["seq"]), (17, &json!(4)));
    pruning::expect_gapless_from(&told, 4);
    let error = refused(&book, "events", &with(&archive, &["--from", "3"]), 4).stderr;
    assert!(error.contains("seq 4") && !error.contains("--archive"), "{error}");
    // No snapshot went into the archive.
    let error = refused(&book, "state", &with(&archive, &["--at", "9"]), 4).stderr;
    assert!(error.contains("seq 17"), "{error}");
    assert_eq!(book.state(&with(&archive, &["--at", "17"])), book.state(&["--at", "17"]));
    assert_eq!(book.events(&with(&archive, &["--scope", "x"])), Vec::<Value>::new());
    // What needs a state begins where there is one, unless told otherwise.
    let replayed = book.run("replay", &with(&archive, &["--json"]), b"").expect_code(0).json();
    assert_eq!((&replayed["report"]["from_seq"], &replayed["report"]["commands"]), (&json!(18), &json!(3)));
    let balances = ["--format", "jsonl", "--what", "balances"];
    let told = book.run("export", &with(&archive, &balances), b"").expect_code(0).stdout;
    assert_eq!(told.lines().count(), 3);
    let since = [&balances[..], &["--since", "2000-01-01T00:00:00Z"]].concat();
    assert_eq!(book.run("export", &with(&archive, &since), b"").expect_code(0).stdout, told);
    let from = [&balances[..], &["--from", "5"]].concat();
    refused(&book, "replay", &with(&archive, &["--from", "5"]), 4);
    book.run("export", &with(&archive, &from), b"").expect_code(4);
    let stat = book.run("stat", &with(&archive, &["--json"]), b"").expect_code(0).json();
    assert_eq!((&stat["first_seq"], &stat["findings"]), (&json!(4), &json!([])));
    let plain = book.run("stat", &with(&archive, &[]), b"").expect_code(0).stdout;
    assert!(plain.contains("seqs 4 to 17, segments 14"), "{plain}");
}

#[test]
fn an_empty_archive_changes_nothing_and_one_that_is_not_there_is_an_error() {
    let (book, _) = pruned();
    let empty = make_dir(&book.beside("empty"));
    assert_eq!(book.events(&with(&empty, &[])), book.events(&[]));
    assert_eq!(book.state(&with(&empty, &[])), book.state(&[]));
    for place in [book.beside("nowhere"), book.put_beside("file", b"")] {
        let error = refused(&book, "state", &with(&place, &[]), 4).stderr;
        assert!(error.contains(place.to_str().unwrap()), "{error}");
    }
}

#[test]
fn the_archive_of_another_journal_is_refused() {
    let ((book, _), other) = (pruned(), Book::new());
    let archive = other.beside("archive");
    other.apply(&archived(&RULES, &archive), &spends(10));
    for command in ["events", "state", "stat"] {
        let error = refused(&book, command, &with(&archive, &[]), 64).stderr;
        assert!(error.contains("archive of journal") && error.contains("belongs to journal"), "{error}");
    }
    // A longer one: also by its names.
    let error = refused(&other, "events", &with(&book.beside("archive"), &[]), 64).stderr;
    assert!(error.contains("archive of journal"), "{error}");
}

#[test]
fn segments_that_are_in_neither_are_named() {
    let book = Book::new();
    let archive = book.beside("archive");
    book.apply(&archived(&RULES, &archive), &spends(20));
    assert_eq!(floor(&book), 18);
    let segments = names(&archive, ".seg");
    remove(&archive, &segments[9]);
    let error = refused(&book, "events", &with(&archive, &[]), 2).stderr;
    assert!(error.contains("segment 10 is in neither") && error.contains("seq 11"), "{error}");
    for segment in &segments[10..] {
        remove(&archive, segment);
    }
    let error = refused(&book, "state", &with(&archive, &["--at", "3"]), 2).stderr;
    assert!(error.contains("segments 10 to 17 are in neither"), "{error}");
    assert_eq!(book.events(&[]).len(), 3, "the journal itself is well");
}

#[test]
fn beside_a_live_writer_that_prunes_nothing_is_missed() {
    let book = Book::new();
    let archive = book.beside("archive");
    let mut writer = book.writer(&archived(&RULES, &archive));
    writer.ask(HEAD);
    for (line, seq) in spends(60).iter().zip(1_u64..) {
        writer.ask(line);
        let told = book.events(&with(&archive, &[]));
        assert_eq!(told.len() as u64, seq, "after each of them");
        pruning::expect_gapless_from(&told, 1);
        if seq.is_multiple_of(7) {
            let state = book.state(&with(&archive, &["--at", "3"]));
            assert_eq!(state["budgets"][0]["spent"], "3");
        }
    }
    writer.end().expect_code(0);
}

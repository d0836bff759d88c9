//! `apply --archive`, from outside: what is pruned is in the archive before it goes, and with the archive the history is whole.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::time::Duration;

use serde_json::json;

#[path = "common/cli.rs"]
mod cli;
#[path = "common/pruning.rs"]
mod pruning;

use cli::{Book, Session, poll_until};
use pruning::{
    HEAD, TWIN, archived, booted, closed, expect_gapless_from, floor, history, make_dir, names, numbers,
    read, spends, tiny, whole,
};

const RULES: [&str; 2] = ["--retain-segments", "2"];

/// Holds archive and journal together to the state of the journal, and to a gapless history of so many events.
#[track_caller]
fn expect_whole(archive: &Path, book: &Book, events: u64) {
    let whole = whole(archive, book);
    let told = whole.events(&[]);
    assert_eq!(told.len() as u64, events);
    expect_gapless_from(&told, 1);
    assert_eq!(whole.verify()["findings"], json!([]));
    assert_eq!(whole.state(&[]), book.state(&[]));
    let at_floor = (floor(book) - 1).to_string();
    assert_eq!(whole.state(&["--at", &at_floor]), book.state(&["--at", &at_floor]));
    // A writer takes it for a journal too.
    assert_eq!(booted(&whole), book.state(&[])["state_hash"]);
}

#[expect(clippy::disallowed_methods, reason = "the test stands in the way of an archive")]
fn remove_dir(path: &Path) {
    std::fs::remove_dir_all(path).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the test stands in the way of an archive")]
fn put(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the test stands in the way of an archive")]
fn remove(path: &Path) {
    std::fs::remove_file(path).unwrap();
}

fn ask_all(writer: &mut Session, lines: &[String]) {
    for line in lines {
        let answer = writer.ask(line);
        assert!(answer["ok"].is_object(), "the engine goes on: {line}: {answer}");
    }
}

#[track_caller]
fn expect_pruned(book: &Book) {
    assert!(poll_until(|| closed(book) == 2), "{:?}", names(book.dir(), ""));
}

fn name(number: u64) -> String {
    format!("{number:010}-{number:020}.seg")
}

#[test]
fn with_the_archive_the_history_is_whole() {
    let (book, twin) = (Book::new(), Book::new());
    let archive = book.beside("archive");
    let commands = [history(7), pruning::use_of_the_beginning()].concat();
    for run in commands.chunks(25) {
        book.apply(&archived(&RULES, &archive), run);
        twin.apply(&TWIN, run);
    }
    let last = twin.state(&[])["seq"].as_u64().unwrap();
    assert!(floor(&book) > 40);
    assert_eq!(numbers(&names(&archive, ".seg")[0]), (1, 1));
    expect_whole(&archive, &book, last);
    assert_eq!(book.state(&[]), twin.state(&[]));
    let whole = whole(&archive, &book);
    for seq in (1..=last).step_by(11) {
        let at = seq.to_string();
        assert_eq!(whole.state(&["--at", &at]), twin.state(&["--at", &at]));
    }
    let told = |book: &Book| book.run("events", &[], b"").expect_code(0).stdout;
    assert_eq!(told(&whole), told(&twin), "event for event");
}

#[test]
fn a_segment_is_in_the_archive_before_it_goes() {
    let book = Book::new();
    let archive = book.beside("archive");
    let mut writer = book.writer(&archived(&RULES, &archive));
    writer.ask(HEAD);
    let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
    let commands = spends(30);
    for line in &commands {
        assert!(writer.send(line));
    }
    let (mut rounds, mut answers) = (0, 0);
    while answers < commands.len() {
        while writer.line_within(Duration::from_millis(2)).is_some() {
            answers += 1;
        }
        rounds += 1;
        // What is not here was gone before the archive was looked at.
        let oldest = floor(&book);
        for number in 1..oldest {
            let bytes = read(&archive.join(name(number)));
            match seen.iter().find(|(known, _)| *known == name(number)) {
                Some((_, known)) => assert_eq!(*known, bytes, "a file of the archive changed"),
                None => seen.push((name(number), bytes)),
            }
        }
    }
    assert!(rounds > 1 && seen.len() > 1, "{rounds} looks, {} segments", seen.len());
    expect_pruned(&book);
    writer.end().expect_code(0);
    assert_eq!(floor(&book), 28);
    expect_whole(&archive, &book, 30);
}

#[test]
fn without_an_archive_nothing_is_kept_elsewhere() {
    let book = Book::new();
    let archive = book.beside("archive");
    book.apply(&tiny(&RULES), &spends(6));
    assert_eq!(floor(&book), 4);
    book.apply(&archived(&RULES, &archive), &spends(9)[6..]);
    assert_eq!(names(&archive, ".seg"), [4, 5, 6].map(name), "an archive holds what went since there is one");
}

#[test]
fn an_archive_that_breaks_while_the_writer_runs_prunes_nothing_and_is_made_up_for() {
    let book = Book::new();
    let archive = book.beside("archive");
    let commands = spends(24);
    let mut writer = book.writer(&archived(&RULES, &archive));
    ask_all(&mut writer, &commands[..6]);
    expect_pruned(&book);
    assert_eq!(floor(&book), 4);

    let aside = book.beside("aside");
    pruning::rename(book.dir().parent().unwrap(), "archive", "aside");
    put(&archive, b"not a directory");
    ask_all(&mut writer, &commands[6..14]);
    assert_eq!(floor(&book), 4, "nothing goes that is not archived");
    assert_eq!(names(book.dir(), ".seg").len(), 11);
    // The same at an end in peace.
    writer.end().expect_code(0);
    assert_eq!(floor(&book), 4);
    assert_eq!(read(&archive), b"not a directory");

    remove(&archive);
    pruning::rename(book.dir().parent().unwrap(), "aside", "archive");
    assert!(!aside.exists());
    let mut writer = book.writer(&archived(&RULES, &archive));
    ask_all(&mut writer, &commands[14..15]);
    expect_pruned(&book);
    ask_all(&mut writer, &commands[15..]);
    expect_pruned(&book);
    writer.end().expect_code(0);
    expect_whole(&archive, &book, 24);
}

#[test]
fn an_archive_that_comes_back_is_used_at_the_next_rotation() {
    let book = Book::new();
    let archive = book.beside("archive");
    let commands = spends(16);
    let mut writer = book.writer(&archived(&RULES, &archive));
    writer.ask(HEAD);
    remove_dir(&archive);
    put(&archive, b"not a directory");
    ask_all(&mut writer, &commands[..8]);
    assert_eq!(names(book.dir(), ".seg").len(), 8);
    remove(&archive);
    make_dir(&archive);
    ask_all(&mut writer, &commands[8..]);
    expect_pruned(&book);
    writer.end().expect_code(0);
    expect_whole(&archive, &book, 16);
}

#[test]
fn a_file_that_cannot_be_archived_holds_the_floor_where_it_is() {
    let book = Book::new();
    let archive = book.beside("archive");
    // Not even root can write a file in the place of a directory that is not empty.
    let obstacle = make_dir(&archive.join(name(4)).join("in")).parent().unwrap().to_owned();
    book.apply(&archived(&RULES, &archive), &spends(10));
    assert_eq!(floor(&book), 4, "as far as archived, and no further");
    assert_eq!(book.verify()["findings"], json!([]));
    assert_eq!(book.stat()["retention_floor"], 4);
    remove_dir(&obstacle);
    book.apply(&archived(&RULES, &archive), &[HEAD]);
    assert_eq!(floor(&book), 8);
    expect_whole(&archive, &book, 10);
}

#[test]
fn an_archive_that_fails_is_told_on_stderr() {
    let book = Book::new();
    let archive = book.beside("archive");
    make_dir(&archive.join(name(1)).join("in"));
    let ran =
        book.run("apply", &archived(&RULES, &archive), cli::joined(&spends(10)).as_bytes()).expect_code(0);
    assert_eq!(ran.stdout.lines().count(), 10);
    assert_eq!(floor(&book), 1);
    assert!(ran.stderr.contains("archive") && ran.stderr.contains(&name(1)), "{ran:?}");
}

#[test]
fn half_a_copy_that_a_crash_left_is_not_taken_for_the_segment() {
    let original = Book::new();
    original.apply(&tiny(&[]), &spends(10));
    let segment = original.segments()[2].clone();
    let (head, zeroes) = (segment.1[..4200].to_vec(), vec![0; segment.1.len()]);
    for bytes in [&b""[..], &head, &zeroes] {
        let book = pruning::twin_of(&original);
        let archive = book.beside("archive");
        put(&make_dir(&archive).join(&segment.0), bytes);
        book.apply(&archived(&RULES, &archive), &[HEAD]);
        if floor(&book) > 3 {
            expect_whole(&archive, &book, 10);
        } else {
            assert_eq!(floor(&book), 3, "what is not archived stays, and what is goes");
            assert_eq!(book.events(&["--from", "3"]).len(), 8);
        }
    }
}

#[test]
fn the_archive_of_another_journal_is_not_overwritten() {
    let (book, other) = (Book::new(), Book::new());
    let archive = book.beside("archive");
    other.apply(&archived(&RULES, &archive), &spends(10));
    let before: Vec<Vec<u8>> = names(&archive, ".seg").iter().map(|file| read(&archive.join(file))).collect();
    let ran = book.run("apply", &archived(&RULES, &archive), cli::joined(&history(0)).as_bytes());
    assert!(matches!(ran.code, Some(0 | 4 | 64)), "{ran:?}");
    let after: Vec<Vec<u8>> = names(&archive, ".seg").iter().map(|file| read(&archive.join(file))).collect();
    assert!(before == after, "the other journal's archive is as it was");
    expect_whole(&archive, &other, 10);
    if ran.code == Some(0) {
        assert_eq!(floor(&book), 1, "nothing of this journal went");
    }
}

#[test]
fn an_archive_inside_the_journal_is_wrong_usage_and_changes_nothing() {
    let book = Book::new();
    book.apply(&tiny(&RULES), &spends(6));
    let before = book.files();
    for archive in [book.dir().to_owned(), book.dir().join("archive"), book.dir().join("deep/er")] {
        let ran = book.run("apply", &archived(&["--retain-segments", "0"], &archive), HEAD.as_bytes());
        assert_eq!(ran.code, Some(64), "{ran:?}");
        assert_eq!(book.files(), before);
    }
}

#[test]
fn an_archive_that_is_a_file_prunes_nothing() {
    let book = Book::new();
    book.apply(&tiny(&[]), &spends(6));
    let file = book.put_beside("file", b"not a directory");
    for archive in [file.clone(), file.join("below")] {
        let ran = book.run("apply", &archived(&RULES, &archive), HEAD.as_bytes());
        assert!(matches!(ran.code, Some(4 | 64)), "{ran:?}");
        assert!(ran.stderr.contains(file.to_str().unwrap()), "{ran:?}");
        assert_eq!(names(book.dir(), ".seg").len(), 6);
    }
}

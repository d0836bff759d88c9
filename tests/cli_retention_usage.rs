//! The flags of `apply` about retention and the archive: what is wrong usage, and that it touches nothing.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "common/cli.rs"]
mod cli;

use cli::Book;

const HEAD: &[u8] = b"{\"op\":\"head\"}\n";

#[test]
fn rules_are_whole_numbers_and_durations() {
    let book = Book::new();
    for flags in [
        &["--retain-segments"][..],
        &["--retain-segments", "x"],
        &["--retain-segments", "-1"],
        &["--retain-segments", "1.5"],
        &["--retain-bytes", "512M"],
        &["--retain-bytes", "18446744073709551616"],
        &["--retain-age", "30"],
        &["--retain-age", "0s"],
        &["--retain-age", "a month"],
        &["--retain-all", "--retain-bytes", "1"],
        &["--retain-all", "--retain-segments", "1"],
        &["--retain-all", "--retain-age", "1d"],
        &["--archive"],
    ] {
        let ran = book.run("apply", flags, HEAD);
        assert_eq!(ran.code, Some(64), "{flags:?}: {ran:?}");
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{flags:?}: {ran:?}");
        assert!(!book.dir().exists(), "{flags:?} made a journal");
    }
}

#[test]
fn any_rules_go_together() {
    let book = Book::new();
    for flags in [
        &["--retain-segments", "0", "--retain-bytes", "0", "--retain-age", "500ms"][..],
        &["--retain-bytes", "18446744073709551615", "--retain-age", "36500d"],
        &["--retain-all"],
    ] {
        book.run("apply", flags, HEAD).expect_code(0);
    }
}

#[test]
fn an_archive_in_the_journals_own_directory_is_refused_before_anything_is_made() {
    let book = Book::new();
    let dir = book.dir().to_str().unwrap();
    let below = format!("{dir}/archive");
    let around = format!("{dir}/../book/archive");
    let refused = |archive: &str| {
        let ran = book.run("apply", &["--archive", archive], HEAD).expect_code(64);
        assert!(ran.stderr.contains(dir) && ran.stderr.contains(archive), "{ran:?}");
    };
    for archive in [dir, &below, &around] {
        refused(archive);
        assert!(!book.dir().exists(), "{archive} made a journal");
    }
    book.run("apply", &[], HEAD).expect_code(0);
    let link = book.beside("link");
    std::os::unix::fs::symlink(book.dir(), &link).unwrap();
    for archive in [dir, &below, &around, link.to_str().unwrap()] {
        refused(archive);
    }
    assert!(!book.dir().join("archive").exists());
}

#[test]
fn an_archive_in_the_directory_of_another_journal_is_refused() {
    let (book, other) = (Book::new(), Book::new());
    other.run("apply", &[], HEAD).expect_code(0);
    let other_dir = other.dir().to_str().unwrap();
    let ran = book.run("apply", &["--archive", other_dir], HEAD).expect_code(64);
    assert!(ran.stderr.contains(other_dir) && ran.stderr.contains("journal"), "{ran:?}");
    assert!(!book.dir().exists());
}

#[test]
fn a_missing_archive_is_made_and_one_that_cannot_be_is_an_error() {
    let book = Book::new();
    let archive = book.beside("archives/of/book");
    book.run("apply", &["--archive", archive.to_str().unwrap()], HEAD).expect_code(0);
    assert!(archive.is_dir());
    let file = book.put_beside("file", b"not a directory");
    let ran = book.run("apply", &["--archive", file.to_str().unwrap()], HEAD).expect_code(4);
    assert!(ran.stderr.contains("archive") && ran.stderr.contains(file.to_str().unwrap()), "{ran:?}");
}

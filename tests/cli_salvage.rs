//! `tallybook salvage` from outside: what it copies, what it says, how it exits, and what it leaves alone.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;
#[path = "common/pruning.rs"]
mod pruning;

use cli::{Book, Ran};
use pruning::{TINY, archived, history, tiny, twin_of};

const A: &str = "00000000-0000-7000-8000-00000000000a";
/// Segments of two or three commands.
const SMALL: [&str; 2] = ["--segment-bytes", "6144"];

fn turn(tokens: u64) -> String {
    format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":{tokens}}}"#)
}

fn commands(turns: u64) -> Vec<String> {
    let create = format!(r#"{{"op":"create_goal","goal_id":"{A}","text":"ship 2.0"}}"#);
    [create].into_iter().chain((1..=turns).map(turn)).collect()
}

/// A journal that was closed cleanly.
fn closed(turns: u64, flags: &[&str]) -> Book {
    let book = Book::new();
    book.apply(flags, &commands(turns));
    book
}

/// A journal whose writer was killed after it had answered all commands.
fn killed(turns: u64, flags: &[&str]) -> Book {
    let book = Book::new();
    let mut writer = book.writer(flags);
    for command in commands(turns) {
        assert!(writer.ask(&command)["ok"].is_object());
    }
    writer.kill();
    book
}

/// Salvages into a journal of its own. Nothing of the old one may change, not even the lock file.
#[track_caller]
fn salvage(book: &Book, code: i32) -> (Book, Value) {
    let (before, new) = (book.files(), Book::new());
    let ran = run(book.dir(), new.dir(), &["--json"]).expect_code(code);
    assert!(book.files() == before, "the damaged journal was written to");
    (new, ran.json())
}

#[track_caller]
fn run(dir: &Path, out: &Path, flags: &[&str]) -> Ran {
    let paths = ["salvage", dir.to_str().unwrap(), "--out", out.to_str().unwrap()];
    cli::run(paths.iter().chain(flags), b"")
}

fn lines(book: &Book) -> Vec<String> {
    book.run("events", &[], b"").expect_code(0).stdout.lines().map(str::to_owned).collect()
}

fn orphans(book: &Book) -> Option<Vec<String>> {
    let (_, bytes) = book.files().into_iter().find(|(name, _)| name == "orphans.jsonl")?;
    Some(String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect())
}

/// Flips a bit in the payload of the frame of that event.
fn bend(book: &Book, seq: u64) -> (String, u64) {
    let seq = seq.to_string();
    let raw = book.events(&["--raw", "--from", &seq, "--to", &seq]).remove(0);
    let (file, offset) = (raw["file"].as_str().unwrap().to_owned(), raw["offset"].as_u64().unwrap());
    flip(book, &file, offset + 60);
    (file, offset)
}

fn flip(book: &Book, file: &str, at: u64) {
    let (_, mut bytes) = book.files().into_iter().find(|(name, _)| name == file).unwrap();
    bytes[usize::try_from(at).unwrap()] ^= 4;
    book.put(file, &bytes);
}

#[test]
fn a_journal_with_which_nothing_is_wrong_is_copied_whole() {
    for book in [closed(40, &SMALL), killed(12, &SMALL), closed(0, &[])] {
        let expected = lines(&book);
        let before = book.state(&[]);
        let (new, report) = salvage(&book, 0);
        assert_eq!((&report["findings"], &report["orphans"]), (&json!([]), &json!(0)));
        assert_eq!((&report["gap_at"], &report["snapshot"]), (&Value::Null, &Value::Null));
        assert_eq!(report["salvaged_from"], book.stat_of_any()["journal_id"]);
        assert_eq!(report["journal_id"], new.stat()["journal_id"]);
        assert_ne!(report["journal_id"], report["salvaged_from"]);
        assert_eq!(
            (&report["events"], &report["last_seq"]),
            (&json!(expected.len()), &json!(expected.len()))
        );
        assert_eq!(lines(&new), expected, "byte for byte");
        assert_eq!(report["state_hash"], before["state_hash"], "law FOLD");
        assert_eq!(new.state(&[])["state_hash"], before["state_hash"]);
        assert_eq!(new.verify()["clean"], true);
        assert_eq!(orphans(&new), None);
        // It goes on where the old one stood.
        let answer = new.apply(&[], &[turn(7)]).remove(0);
        assert_eq!(answer["ok"]["first_seq"], expected.len() + 1);
        new.verify();
    }
}

#[test]
fn what_is_good_beyond_damage_is_kept_in_orphans() {
    let book = closed(60, &SMALL);
    let expected = lines(&book);
    assert!(book.segments().len() > 5);
    let (file, offset) = bend(&book, 20);
    let (new, report) = salvage(&book, 2);
    assert_eq!(lines(&new), expected[..19]);
    assert_eq!(orphans(&new).unwrap(), expected[20..]);
    assert_eq!((&report["gap_at"], &report["orphans"]), (&json!(20), &json!(expected.len() - 20)));
    let finding = &report["findings"][0];
    assert_eq!((&finding["kind"], &finding["file"]), (&json!("damage"), &json!(file)));
    assert_eq!((&finding["start"], &finding["seq"]), (&json!(offset), &json!(20)));
    assert_eq!(report["findings"].as_array().unwrap().len(), 1);
    // The state is that of the old journal as of then.
    let whole = closed(60, &SMALL);
    let as_of = whole.state(&["--at", "19"]);
    assert_eq!(as_of["goals"][0]["tokens_used"], new.state(&[])["goals"][0]["tokens_used"]);
    new.verify();
    // The file of orphans is none of the journal's: it is opened, and salvaged again, beside it.
    new.apply(&[], &[turn(1)]);
    let (again, _) = salvage(&new, 0);
    assert_eq!(lines(&again).len(), 20);

    // The same for people.
    let ran = run(book.dir(), &book.beside("for-people"), &[]).expect_code(2);
    for said in ["gap at", "seq 20", "orphans.jsonl", "damage: ", &file, "the first event"] {
        assert!(ran.stdout.contains(said), "expected {said:?} in {}", ran.stdout);
    }
}

#[test]
fn a_torn_tail_is_told_and_left_out() {
    let book = killed(5, &[]);
    let expected = lines(&book);
    let (file, mut bytes) = book.segments().remove(0);
    let end = (bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1).next_multiple_of(8);
    bytes[end..end + 30].fill(b'x');
    book.put(&file, &bytes);
    let (new, report) = salvage(&book, 1);
    assert_eq!(lines(&new), expected);
    assert_eq!(report["findings"][0]["kind"], "torn_tail");
    assert_eq!(report["findings"][0]["start"], end);
    assert_eq!(orphans(&new), None);
}

#[test]
fn a_header_a_segment_and_a_stranger() {
    let whole = closed(60, &SMALL);
    let expected = lines(&whole);
    let names: Vec<String> = whole.segments().into_iter().map(|(name, _)| name).collect();
    let first_seq = |name: &str| name[11..31].parse::<usize>().unwrap();

    // A header says nothing that its frames do not prove.
    let book = twin_of(&whole);
    flip(&book, &names[2], 20);
    let (new, report) = salvage(&book, 2);
    assert_eq!((lines(&new).len(), orphans(&new)), (expected.len(), None));
    assert_eq!(report["findings"][0]["file"], *names[2]);

    let book = twin_of(&whole);
    book.remove(&names[2]);
    let (new, report) = salvage(&book, 2);
    assert_eq!(lines(&new), expected[..first_seq(&names[2]) - 1]);
    assert_eq!(orphans(&new).unwrap(), expected[first_seq(&names[3]) - 1..]);
    assert!(report["findings"][0]["message"].as_str().unwrap().contains("segment 3"), "{report}");

    let book = twin_of(&whole);
    let other = closed(60, &SMALL);
    book.put(&names[0], &other.segments()[0].1);
    let (new, report) = salvage(&book, 2);
    assert_eq!(report["salvaged_from"], whole.stat()["journal_id"], "the one that most files are of");
    assert_eq!((lines(&new).len(), report["last_seq"].as_u64()), (0, Some(0)));
    assert_eq!(orphans(&new).unwrap(), expected[first_seq(&names[1]) - 1..]);
    let answer = new.apply(&[], &commands(0)).remove(0);
    assert_eq!(answer["ok"]["first_seq"], 1, "an empty journal is one, too");
}

#[test]
fn wrong_usage_is_refused_before_anything_is_made() {
    let book = closed(3, &[]);
    let other = closed(1, &[]);
    let inside = book.dir().join("inside");
    let file = book.put_beside("file", b"no directory");
    let before = (book.files(), other.files());
    for out in [book.dir(), &inside, other.dir(), &file, book.dir().parent().unwrap()] {
        let ran = run(book.dir(), out, &[]).expect_code(64);
        assert!(ran.stdout.is_empty() && ran.stderr.contains(out.to_str().unwrap()), "{ran:?}");
    }
    cli::run(["salvage", book.dir().to_str().unwrap()], b"").expect_code(64);
    assert!(!inside.exists());
    assert!((book.files(), other.files()) == before);

    let (nowhere, new) = (book.beside("nowhere"), book.beside("new"));
    let ran = run(&nowhere, &new, &[]).expect_code(4);
    assert!(ran.stderr.contains("nowhere"), "{}", ran.stderr);
    let empty = pruning::make_dir(&book.beside("empty"));
    let ran = run(&empty, &new, &[]).expect_code(4);
    assert!(ran.stderr.contains("there is no journal"), "{}", ran.stderr);
    assert!(!new.exists(), "where there is nothing to salvage, nothing is made");
    run(book.dir(), &empty, &[]).expect_code(0);
}

#[test]
fn a_live_writer_is_refused_and_not_disturbed() {
    let book = Book::new();
    let mut writer = book.writer(&[]);
    writer.ask(&commands(0)[0]);
    let out = book.beside("out");
    let ran = run(book.dir(), &out, &[]).expect_code(5);
    assert!(ran.stderr.contains(&writer.pid().to_string()), "{}", ran.stderr);
    assert!(!out.exists());
    assert_eq!(writer.ask(&turn(1))["ok"]["first_seq"], 2);
    writer.kill();
    run(book.dir(), &out, &[]).expect_code(0);
}

#[test]
fn a_newer_format_is_refused_as_unsupported() {
    let book = closed(3, &[]);
    let (file, mut bytes) = book.segments().remove(0);
    (bytes[8], bytes[300]) = (4, 7);
    book.put(&file, &bytes);
    let out = book.beside("out");
    let ran = run(book.dir(), &out, &[]).expect_code(2);
    assert!(ran.stderr.contains("format version 4") && ran.stderr.contains("upgrade"), "{}", ran.stderr);
    assert!(ran.stdout.is_empty() && !out.exists());
}

#[test]
fn a_pruned_journal_keeps_its_base() {
    let book = Book::new();
    book.apply(&tiny(&["--retain-segments", "8"]), &history(20));
    let base = book.files().into_iter().map(|(name, _)| name).find(|name| name.ends_with(".base")).unwrap();
    let (expected, before) = (lines(&book), book.state(&[]));
    let (new, report) = salvage(&book, 0);
    assert_eq!((&report["snapshot"], &report["state_hash"]), (&json!(base), &before["state_hash"]));
    assert_eq!(lines(&new), expected);
    let floor = report["first_seq"].as_u64().unwrap();
    assert!(floor > 1);
    assert_eq!(new.stat()["retention_floor"], floor);
    let at = (floor - 1).to_string();
    assert_eq!(new.state(&["--at", &at])["state_hash"], book.state(&["--at", &at])["state_hash"]);
    // Retries are recognised as before: what is remembered came along with the base.
    let known = history(20).into_iter().find(|line| line.contains(r#""key":"t13""#)).unwrap();
    let retried = new.apply(&["--manual-clock"], &[known]).remove(0);
    assert!(retried["ok"]["first_seq"].as_u64().unwrap() < floor, "{retried}");
    assert_eq!(retried["ok"]["retried"], true, "{retried}");

    // Without the base it begins with the next snapshot, and what is before that is kept.
    flip(&book, &base, 4200);
    let (new, report) = salvage(&book, 2);
    assert!(report["snapshot"].as_str().unwrap().ends_with(".snap"), "{report}");
    assert_eq!(report["state_hash"], before["state_hash"]);
    assert_eq!([orphans(&new).unwrap(), lines(&new)].concat(), expected);

    // Without any there is no state to begin from; all events are kept.
    let snapshots = book.files().into_iter().map(|(name, _)| name).filter(|name| name.ends_with(".snap"));
    snapshots.for_each(|name| book.remove(&name));
    let (new, report) = salvage(&book, 2);
    assert_eq!((&report["events"], &report["snapshot"]), (&json!(0), &Value::Null));
    assert_eq!(orphans(&new).unwrap(), expected);
    assert_eq!(report["findings"][0]["file"], base);
}

#[test]
fn archived_segments_without_snapshots_are_a_journal() {
    let book = Book::new();
    let archive = book.beside("archive");
    book.apply(&archived(&["--retain-segments", "3"], &archive), &history(6));
    let new = Book::new();
    let ran = run(&archive, new.dir(), &["--json"]);
    let report = ran.json();
    let events = report["events"].as_u64().unwrap();
    assert_eq!(report["orphans"], 0);
    // The newest archived segment has no successor here, which is no damage.
    assert_eq!((ran.code, &report["findings"]), (Some(0), &json!([])));
    cli::expect_gapless(&new.events(&[]));
    assert_eq!(new.events(&[]).len() as u64, events);
    new.verify();
}

#[test]
fn a_journal_of_format_version_1_is_salvaged_into_one_of_today() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal-v1");
    let book = Book::new();
    pruning::copy(&fixture, ".seg", book.dir());
    let expected = lines(&book);
    let verified = book.run("verify", &[], b"").code.unwrap();
    let (new, report) = salvage(&book, verified);
    assert_eq!(lines(&new), expected);
    assert_eq!(report["last_seq"], expected.len());
    for (name, bytes) in new.segments() {
        assert_eq!(bytes[8], 3, "{name} is of this version");
    }
    // Damaged in the middle.
    bend(&book, 30);
    let (new, _) = salvage(&book, 2);
    assert_eq!(lines(&new), expected[..29]);
}

#[test]
fn a_journal_of_more_segments_than_a_process_may_open_is_salvaged() {
    let book = Book::new();
    book.apply(&TINY, &history(10));
    let (expected, segments) = (lines(&book), book.segments());
    assert!(segments.len() > 40, "{}", segments.len());
    // With the first one gone the new journal is small, and all that the old one holds is read.
    book.remove(&segments[0].0);
    let out = book.beside("out");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 20; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_tallybook"), "salvage"]);
    command.arg(book.dir()).arg("--out").arg(&out).arg("--json");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let report = cli::finish(command, b"").expect_code(2).json();
    let kept = expected.len() + 1 - segments[1].0[11..31].parse::<usize>().unwrap();
    assert_eq!((&report["orphans"], &report["findings"][1]), (&json!(kept), &Value::Null), "{report}");
}

#[test]
fn a_cursor_of_the_old_journal_is_none_of_the_new_one() {
    let book = closed(5, &[]);
    let cursor = book.events(&["--raw"])[2]["cursor"].as_str().unwrap().to_owned();
    let (new, _) = salvage(&book, 0);
    let ran = new.run("events", &["--after", &cursor], b"");
    assert!(ran.code != Some(0) && ran.stderr.contains("another journal"), "{ran:?}");
}

//! Exit codes of what is wrong with a journal: torn tails, damage, other versions, other writers (law EVIDENCE).
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::cast_possible_truncation, reason = "offsets and seqs of a test are small")]

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;

use cli::{Book, Ran};

const A: &str = "00000000-0000-7000-8000-00000000000a";

fn turn(tokens: u64) -> String {
    format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":{tokens}}}"#)
}

/// A goal and so many turns.
fn commands(turns: u64) -> Vec<String> {
    let create = format!(r#"{{"op":"create_goal","goal_id":"{A}","text":"ship 2.0"}}"#);
    [create].into_iter().chain((1..=turns).map(turn)).collect()
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

/// A journal that was closed cleanly.
fn closed(turns: u64, flags: &[&str]) -> Book {
    let book = Book::new();
    book.apply(&[&["--window", "256"], flags].concat(), &commands(turns));
    book
}

/// Where the frame of each event lies: file, offset, length.
fn frames(book: &Book) -> Vec<(String, usize, usize)> {
    let at = |event: &Value, name: &str| event[name].as_u64().unwrap() as usize;
    let events = book.events(&["--raw"]);
    events
        .iter()
        .map(|event| (event["file"].as_str().unwrap().to_owned(), at(event, "offset"), at(event, "length")))
        .collect()
}

fn bytes_of(book: &Book, file: &str) -> Vec<u8> {
    let (_, bytes) = book.files().into_iter().find(|(name, _)| name == file).unwrap();
    bytes
}

/// The end of what was written to the only segment.
fn end(book: &Book) -> (String, usize) {
    let stat = book.run("stat", &["--json"], b"").json();
    let segments = stat["segments"].as_array().unwrap();
    let last = segments.last().unwrap();
    (last["file"].as_str().unwrap().to_owned(), last["end"].as_u64().unwrap() as usize)
}

#[track_caller]
fn expect_findings(ran: &Ran, kind: &str) -> Value {
    let report = cli::parse(&ran.stdout);
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["kind"] == kind), "{report}");
    report
}

/// Everything that is kept: the lock file only says who tried last.
fn without_lock(book: &Book) -> Vec<(String, Vec<u8>)> {
    book.files().into_iter().filter(|(name, _)| name != "lock").collect()
}

/// Refused by what would write, and by what checks; the message names all of these.
#[track_caller]
fn expect_refused(book: &Book, names: &[&str]) {
    let before = without_lock(book);
    let ran = book.run("apply", &[], (turn(1) + "\n").as_bytes());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    for name in names {
        assert!(ran.stderr.contains(name), "expected {name:?} in {:?}", ran.stderr);
    }
    let verified = book.run("verify", &[], b"");
    assert_eq!(verified.code, Some(2), "{verified:?}");
    let said = verified.stdout + &verified.stderr;
    for name in names {
        assert!(said.contains(name), "expected {name:?} in {said:?}");
    }
    assert!(without_lock(book) == before, "a refusal changes nothing");
}

#[test]
fn a_torn_tail_is_told_and_recovered_from() {
    let patterns: [&[u8]; 4] = [b"x", b"\x1e", &[0xff; 100], &[b'{'; 5_000]];
    for garbage in patterns {
        let book = killed(5, &[]);
        let events = book.run("events", &[], b"").stdout;
        let (file, end) = end(&book);
        let mut bytes = bytes_of(&book, &file);
        bytes[end..end + garbage.len()].copy_from_slice(garbage);
        book.put(&file, &bytes);
        expect_torn(&book, &file, end);

        let answers = book.apply(&[], &[turn(100)]);
        assert_eq!(answers[0]["ok"]["first_seq"], 7, "what was answered is there, and seq goes on");
        assert_eq!(answers[0]["ok"]["result"]["tokens_used"], "115");
        let after = book.run("events", &["--to", "6"], b"").stdout;
        assert_eq!(after, events, "recovery alters nothing");
        assert!(bytes_of(&book, &file) == bytes, "torn bytes stay where they lie");
        assert_eq!(book.verify()["findings"], json!([]));
        book.stat();
    }
}

#[track_caller]
fn expect_torn(book: &Book, file: &str, end: usize) {
    for command in ["verify", "stat"] {
        let ran = book.run(command, &["--json"], b"").expect_code(1);
        let report = expect_findings(&ran, "torn_tail");
        let finding = &report["findings"][0];
        assert_eq!((&finding["file"], &finding["start"]), (&json!(file), &json!(end)), "{report}");
        book.run(command, &[], b"").expect_code(1);
    }
    assert_eq!(book.events(&[]).len(), 6, "readers stop there");
}

/// The last frame, not synced yet, cut off at many a length, as by a power cut: it is gone, and nothing else.
#[test]
fn a_last_frame_cut_off_at_any_length_costs_only_itself() {
    let whole = killed(3, &["--durability", "interval:3600000"]);
    let (file, offset, length) = frames(&whole).pop().unwrap();
    let bytes = bytes_of(&whole, &file);
    for torn in (0..length).step_by(9) {
        let book = killed_copy(&whole);
        let mut cut = bytes.clone();
        cut.truncate(offset + torn);
        book.put(&file, &cut);
        book.run("verify", &[], b"").expect_code(if torn == 0 { 0 } else { 1 });
        let answers = book.apply(&[], &[turn(100)]);
        assert_eq!(answers[0]["ok"]["first_seq"], 4, "{torn} of {length}");
        assert_eq!(answers[0]["ok"]["result"]["tokens_used"], "103");
        book.verify();
    }
}

/// The same directory once more.
#[expect(clippy::disallowed_methods, reason = "the test copies what the binary left")]
fn killed_copy(of: &Book) -> Book {
    let book = Book::new();
    std::fs::create_dir(book.dir()).unwrap();
    for (name, bytes) in of.files() {
        book.put(&name, &bytes);
    }
    book
}

/// ORDER: a newest segment with only torn bytes does not restart `seq`.
#[test]
fn a_newest_segment_with_only_torn_bytes_does_not_restart_seq() {
    let book = killed(5, &[]);
    // Recovery makes a new segment; the next writer is killed before it wrote to it, and what lies there is garbage.
    let mut writer = book.writer(&[]);
    writer.ask(r#"{"op":"head"}"#);
    writer.kill();
    let (file, end) = end(&book);
    let mut bytes = bytes_of(&book, &file);
    // Whether zeros follow depends on when it was killed.
    bytes.truncate(end);
    bytes.extend([b'#'; 50]);
    book.put(&file, &bytes);
    assert_eq!(book.apply(&[], &[turn(1)])[0]["ok"]["first_seq"], 7);
    assert_eq!(book.verify()["last_good_seq"], 7);
}

#[test]
fn a_flipped_byte_in_what_was_synced_is_refused_by_name() {
    let after_kill = killed(8, &[]);
    let after_close = closed(8, &[]);
    for (whole, damaged) in [(&after_kill, 1..7), (&after_close, 1..9)] {
        let frames = frames(whole);
        for index in damaged {
            let (file, offset, length) = &frames[index];
            for at in [0, length / 2, length - 9] {
                let book = killed_copy(whole);
                let mut bytes = bytes_of(&book, file);
                bytes[offset + at] ^= 0x20;
                book.put(file, &bytes);
                let seq = format!("seq {}", index + 1);
                expect_refused(&book, &[file, &offset.to_string(), &seq]);
                expect_reported(&book, file, *offset, index as u64 + 1);
            }
        }
    }
}

/// `verify` and `stat` say where, and readers give what is before it and fail.
fn expect_reported(book: &Book, file: &str, offset: usize, seq: u64) {
    let ran = book.run("verify", &["--json"], b"").expect_code(2);
    let report = expect_findings(&ran, "damage");
    let finding = &report["findings"][0];
    let found = (&finding["file"], &finding["start"], &finding["seq"]);
    assert_eq!(found, (&json!(file), &json!(offset), &json!(seq)), "{report}");
    assert_eq!(report["last_good_seq"], seq - 1);
    book.run("stat", &["--json"], b"").expect_code(2);
    let ran = book.run("events", &[], b"").expect_code(2);
    let events = ran.json_lines();
    assert_eq!(events.len() as u64, seq - 1, "what is before it is printed");
    assert!(ran.stderr.contains(file), "{}", ran.stderr);
    book.run("state", &["--json"], b"").expect_code(2);
}

#[test]
fn damage_in_a_closed_segment_is_refused_by_name() {
    let whole = closed(300, &["--segment-bytes", "16384"]);
    assert!(whole.segments().len() > 3);
    let frames = frames(&whole);
    let (file, offset, length) = &frames[40];
    let book = killed_copy(&whole);
    let mut bytes = bytes_of(&book, file);
    bytes[offset + length / 2] ^= 1;
    book.put(file, &bytes);
    expect_refused(&book, &[file, &offset.to_string(), "seq 41"]);
    // Nothing after the damage is held back from who checks: it goes on past it.
    let report = expect_findings(&book.run("verify", &["--json"], b""), "damage");
    assert_eq!(report["findings"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["segments"], whole.segments().len());

    let book = killed_copy(&whole);
    let mut bytes = bytes_of(&book, file);
    bytes[20] ^= 1;
    book.put(file, &bytes);
    expect_refused(&book, &[file]);

    let book = killed_copy(&whole);
    let mut bytes = bytes_of(&book, file);
    bytes.truncate(offset + 5);
    book.put(file, &bytes);
    expect_refused(&book, &[file]);
}

#[test]
fn a_missing_or_swapped_segment_is_refused_by_name() {
    let whole = closed(300, &["--segment-bytes", "16384"]);
    let names: Vec<String> = whole.segments().into_iter().map(|(name, _)| name).collect();
    let number = |index: usize| names[index].split('-').next().unwrap().trim_start_matches('0').to_owned();
    for (missing, name) in names.iter().enumerate().take(names.len() - 1).skip(1) {
        let book = killed_copy(&whole);
        book.remove(name);
        expect_refused(&book, &[&number(missing)]);
    }
    let book = killed_copy(&whole);
    book.remove(&names[0]);
    expect_refused(&book, &[]);

    let book = killed_copy(&whole);
    let (first, second) = (bytes_of(&book, &names[1]), bytes_of(&book, &names[2]));
    book.put(&names[1], &second);
    book.put(&names[2], &first);
    expect_refused(&book, &[&names[1]]);

    let book = killed_copy(&whole);
    let other = closed(300, &["--segment-bytes", "16384"]);
    book.put(&names[1], &bytes_of(&other, &other.segments()[1].0));
    expect_refused(&book, &[&names[1]]);
}

#[test]
fn a_newer_format_is_unsupported_not_damaged() {
    let book = closed(3, &[]);
    let (file, mut bytes) = book.segments().remove(0);
    // The version, and something whose layout is another there: a header of ours with nothing else bent is damaged.
    (bytes[8], bytes[300]) = (4, 7);
    book.put(&file, &bytes);
    for command in ["apply", "verify", "events", "state", "stat"] {
        let ran = book.run(command, &[], b"").expect_code(2);
        let said = (ran.stdout + &ran.stderr).to_lowercase();
        assert!(said.contains("format version 4") && said.contains(&file), "{command}: {said}");
        assert!(!said.contains("damage"), "{command}: {said}");
    }
}

#[test]
fn a_second_writer_is_told_who_holds_the_lock() {
    let book = Book::new();
    let mut writer = book.writer(&[]);
    writer.ask(&commands(0)[0]);
    let ran = book.run("apply", &[], (turn(1) + "\n").as_bytes()).expect_code(5);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains(&writer.pid().to_string()), "{}", ran.stderr);
    assert_eq!(writer.ask(&turn(1))["ok"]["first_seq"], 2, "the first one is not disturbed");
    writer.kill();
    assert_eq!(book.apply(&[], &[turn(1)])[0]["ok"]["first_seq"], 3, "a dead one holds nothing");
}

#[test]
fn where_no_journal_is_reading_fails_and_makes_none() {
    let book = Book::new();
    for command in ["events", "follow", "state", "stat", "verify"] {
        let ran = book.run(command, &[], b"").expect_code(4);
        assert!(ran.stderr.contains(book.dir().to_str().unwrap()), "{command}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
        assert!(!book.dir().exists());
    }
    let file = book.put_beside("file", b"no directory");
    for command in ["apply", "events", "verify"] {
        let ran = cli::run([command, file.to_str().unwrap()], b"").expect_code(4);
        assert!(ran.stderr.contains("file"), "{}", ran.stderr);
    }
}

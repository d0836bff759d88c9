//! Retention from outside: old segments go, into the archive first, and no state goes with them (law RETAIN).
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;

use cli::Book;

const GOAL: &str = "00000000-0000-7000-8000-00000000000a";

/// A goal from the very beginning, and so many turns on it.
fn lines(turns: u64) -> Vec<String> {
    let create = format!(
        r#"{{"op":"create_goal","goal_id":"{GOAL}","text":"ship 2.0","token_budget":"1000000","now":"2026-01-05T09:00:00Z"}}"#
    );
    let turn = |tokens| {
        format!(r#"{{"op":"record_turn","goal_id":"{GOAL}","tokens":{tokens},"session_id":"night"}}"#)
    };
    [create].into_iter().chain((0..turns).map(turn)).collect()
}

fn flags<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["--manual-clock", "--segment-bytes", "16384", "--window", "16"][..], more].concat()
}

/// The archive's files, sorted by name.
#[expect(clippy::disallowed_methods, reason = "the test looks at what the binary left")]
fn files_in(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn the_state_is_that_of_a_twin_that_keeps_everything() {
    let (book, twin) = (Book::new(), Book::new());
    let lines = lines(900);
    for part in lines.chunks(300) {
        book.apply(&flags(&["--retain-segments", "2"]), part);
        twin.apply(&flags(&["--retain-all"]), part);
    }
    let (stat, whole) = (book.stat(), twin.stat());
    assert!(whole["segments"].as_array().unwrap().len() > 6, "{whole}");
    assert_eq!(stat["segments"].as_array().unwrap().len(), 3, "two closed ones, and the active one: {stat}");
    let floor = stat["retention_floor"].as_u64().unwrap();
    assert_eq!((&stat["first_seq"], &whole["retention_floor"]), (&json!(floor), &json!(1)));
    assert!(floor > 500, "{stat}");

    let base = &stat["snapshots"][0];
    assert_eq!((&base["base"], &base["seq"]), (&json!(true), &json!(floor - 1)), "{stat}");
    assert_eq!(whole["snapshots"], json!([]), "too little for one");
    let at_floor = (floor - 1).to_string();
    assert_eq!(base["state_hash"], twin.state(&["--at", &at_floor])["state_hash"]);
    let plain = book.run("stat", &[], b"").expect_code(0).stdout;
    for part in [base["file"].as_str().unwrap(), base["state_hash"].as_str().unwrap(), "base"] {
        assert!(plain.contains(part), "{part} in {plain}");
    }

    assert_eq!(book.state(&[]), twin.state(&[]));
    assert_eq!(book.state(&["--at", &at_floor]), twin.state(&["--at", &at_floor]));
    let below = (floor - 2).to_string();
    let ran = book.run("state", &["--at", &below], b"").expect_code(4);
    assert!(ran.stderr.contains("retention floor"), "{ran:?}");
    let floor = floor.to_string();
    let from_floor = ["--from", &floor];
    assert_eq!(book.events(&from_floor), twin.events(&from_floor));
    assert_eq!(book.verify()["snapshots"], stat["snapshots"].as_array().unwrap().len());
    assert_eq!(book.head()["state_hash"], twin.head()["state_hash"]);
}

#[test]
fn without_flags_half_a_gibibyte_is_kept() {
    let book = Book::new();
    book.apply(&flags(&[]), &lines(300));
    let stat = book.stat();
    assert!(stat["segments"].as_array().unwrap().len() > 2);
    assert_eq!((&stat["retention_floor"], &stat["snapshots"]), (&json!(1), &json!([])));
    // Told now, it goes at the next opening.
    book.apply(&flags(&["--retain-bytes", "0"]), &[r#"{"op":"head"}"#]);
    let stat = book.stat();
    assert_eq!(stat["segments"].as_array().unwrap().len(), 1, "{stat}");
}

#[test]
fn a_segment_is_archived_before_it_goes_and_with_the_archive_all_is_there() {
    let (book, whole) = (Book::new(), Book::new());
    let archive = book.beside("archive");
    let with_archive = flags(&["--retain-segments", "1", "--archive", archive.to_str().unwrap()]);
    for part in lines(600).chunks(200) {
        book.apply(&with_archive, part);
    }
    let archived = files_in(&archive);
    let segments = book.segments();
    assert!(archived.len() > 3 && archived.iter().all(|(name, _)| name.ends_with(".seg")), "{archived:?}");
    assert!(archived.last().unwrap().0 < segments[0].0);

    // What was archived and what is retained are the whole journal, without any snapshot.
    whole.apply(&[], &[r#"{"op":"head"}"#]);
    whole.remove(&whole.segments()[0].0);
    for (name, bytes) in archived.iter().chain(&segments) {
        whole.put(name, bytes);
    }
    let events = whole.events(&[]);
    assert_eq!(events.len(), 601);
    cli::expect_gapless(&events);
    assert_eq!(whole.state(&[]), book.state(&[]));
    whole.verify();
}

#[test]
fn what_cannot_be_archived_stays_and_goes_once_it_can() {
    let book = Book::new();
    let archive = book.beside("archive");
    let with_archive = flags(&["--retain-segments", "0", "--archive", archive.to_str().unwrap()]);
    // The second segment's name is taken.
    let lines = lines(600);
    book.apply(&flags(&["--retain-all"]), &lines[..400]);
    let segments = book.segments();
    book.run("apply", &["--archive", archive.to_str().unwrap()], b"").expect_code(0);
    let in_the_way = book.put_beside(&format!("archive/{}", segments[1].0), b"something else");

    book.apply(&with_archive, &lines[400..]);
    let stat = book.stat();
    let floor = &stat["retention_floor"];
    assert_eq!(*floor, stat["segments"][0]["first_seq"]);
    assert_eq!(stat["segments"][0]["file"], segments[1].0, "only the first one went: {stat}");
    assert_eq!(files_in(&archive).len(), 2);

    #[expect(clippy::disallowed_methods, reason = "the operator makes way")]
    std::fs::remove_file(in_the_way).unwrap();
    book.apply(&with_archive, &[r#"{"op":"head"}"#]);
    assert_eq!(book.stat()["segments"].as_array().unwrap().len(), 1);
    let archived = files_in(&archive);
    assert!(archived.len() > 4);
    assert_eq!(archived[1].0, segments[1].0);
    let end = archived[1].1.len();
    assert!(archived[1].1 == segments[1].1[..end], "as it was");
    assert_eq!(book.state(&[])["goals"][0]["tokens_used"], (0..600u64).sum::<u64>().to_string());
}

#[test]
fn segments_go_by_age_at_the_next_rotation() {
    let book = Book::new();
    let at = |day: u32, tokens: u64| {
        format!(
            r#"{{"op":"record_turn","goal_id":"{GOAL}","tokens":{tokens},"now":"2026-01-{day:02}T09:00:00Z"}}"#
        )
    };
    let mut all = lines(0);
    for day in 6..=20 {
        all.extend((0..100).map(|_| at(day, 1)));
    }
    book.apply(&flags(&["--retain-age", "3d"]), &all);
    let floor = book.stat()["retention_floor"].to_string();
    let events = book.events(&["--from", &floor]);
    let days: Vec<&str> = events.iter().map(|event| &event["ts"].as_str().unwrap()[..10]).collect();
    assert!(("2026-01-14".."2026-01-18").contains(&days[0]), "{}", days[0]);
    assert_eq!(days.last(), Some(&"2026-01-20"));
    let state: Value = book.state(&[]);
    assert_eq!(state["goals"][0]["tokens_used"], "1500");
}

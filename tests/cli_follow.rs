//! `tallybook follow` beside a writer of another process: across its rotation, pruning, death and return; resets and
//! progress.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::print_stdout, reason = "the seed")]

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;
#[path = "common/killing.rs"]
mod killing;

use cli::{Book, Session, joined, parse};

const A: &str = "00000000-0000-7000-8000-00000000000a";
const B: &str = "00000000-0000-7000-8000-00000000000b";

fn create(id: &str, scope: &str) -> String {
    format!(r#"{{"op":"create_goal","goal_id":"{id}","text":"ship 2.0","scope":"{scope}"}}"#)
}

fn turn(id: &str, tokens: u64) -> String {
    format!(r#"{{"op":"record_turn","goal_id":"{id}","tokens":{tokens}}}"#)
}

fn next(number: u64) -> String {
    turn(A, number)
}

fn with_turns(count: u64) -> Vec<String> {
    [create(A, "")].into_iter().chain((0..count).map(|_| turn(A, 1))).collect()
}

/// The cursor of an event.
fn cursor(book: &Book, seq: u64) -> String {
    let seq = seq.to_string();
    book.events(&["--raw", "--from", &seq, "--to", &seq])[0]["cursor"].as_str().unwrap().to_owned()
}

/// Waits for the event, with everything before it; the lines.
fn lines_to(follower: &Session, seq: u64) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| parse(line)["seq"] != seq) {
        lines.push(follower.next_line().expect("a follower goes on until it is told to stop"));
    }
    lines
}

fn stop(follower: Session) {
    follower.signal("TERM");
    follower.wait().expect_code(0);
}

/// `TALLYBOOK_SEED` and `TALLYBOOK_ROUNDS` ask for other and for more rounds.
#[test]
fn law_order_a_follower_sees_every_seq_once_while_writers_are_killed_and_come_back() {
    let (mut dice, rounds) = killing::begin("cli_follow", 4);
    for durability in ["sync", "interval:5"] {
        let book = Book::new();
        book.apply(&[], &[create(A, "")]);
        let follower = book.follower(&[]);
        let flags = ["--segment-bytes", "4096", "--window", "16", "--retain-all", "--durability", durability];
        for _ in 0..rounds {
            let begin = book.stat_of_any()["last_seq"].as_u64().unwrap();
            killing::live_and_die(&book, &flags, next, begin, &mut dice);
        }
        // A last writer recovers what the one before it left.
        let answers = book.apply(&flags, &vec![turn(A, 1); 10]);
        let last = answers[9]["ok"]["last_seq"].as_u64().unwrap();
        let followed = lines_to(&follower, last);
        stop(follower);
        let events = book.run("events", &[], b"").expect_code(0).stdout;
        assert_eq!(
            followed,
            events.lines().collect::<Vec<_>>(),
            "every seq once, as journaled, at {durability}"
        );
        assert!(book.segments().len() > 3);
    }
}

#[test]
fn a_follower_goes_on_while_the_writer_prunes_behind_it() {
    let book = Book::new();
    // More turns to a segment than are ever left unread: what is pruned has been read, however soon that is.
    let mut writer = book.writer(&["--segment-bytes", "8192", "--retain-segments", "1"]);
    writer.ask(&create(A, ""));
    let follower = book.follower(&[]);
    let mut followed = vec![follower.next_line().unwrap()];
    let mut last = 1;
    for _ in 0..30 {
        for _ in 0..10 {
            last = writer.ask(&turn(A, 1))["ok"]["last_seq"].as_u64().unwrap();
        }
        followed.extend(lines_to(&follower, last));
    }
    writer.end().expect_code(0);
    stop(follower);
    let seqs: Vec<u64> = followed.iter().map(|line| parse(line)["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=last).collect::<Vec<_>>(), "it kept up, so it missed nothing");
    let floor = book.stat()["retention_floor"].as_u64().unwrap();
    assert!(floor > 200, "{floor}");

    // Without a cursor it begins with the oldest event that is retained.
    let follower = book.follower(&["--to", &last.to_string()]);
    assert_eq!(follower.answer()["seq"], floor);
    follower.wait().expect_code(0);
}

#[test]
fn a_cursor_below_retention_is_told_the_state_and_goes_on() {
    let book = Book::new();
    book.apply(&[], &[create(A, "")]);
    let old = cursor(&book, 1);
    book.apply(&["--segment-bytes", "4096", "--retain-segments", "1"], &with_turns(120));
    let state = book.state(&[]);
    let seq = state["seq"].as_u64().unwrap();
    let follower = book.follower(&["--after", &old, "--progress"]);
    let reset = follower.answer()["reset"].clone();
    assert_eq!((&reset["cause"], &reset["seq"]), (&json!("below_retention"), &json!(seq)));
    assert_eq!(reset["cursor"], cursor(&book, seq));
    assert_eq!(reset["state"], state, "as `state --json` prints it");
    assert_eq!(follower.answer(), json!({ "caught_up": cursor(&book, seq) }));
    book.apply(&[], &[turn(A, 1)]);
    assert_eq!(follower.answer()["seq"], seq + 1);
    stop(follower);

    // Asked for by its seq, it is told what it takes to begin with the oldest event.
    let floor = book.stat()["retention_floor"].as_u64().unwrap();
    let follower = book.follower(&["--from", "1"]);
    let reset = follower.answer()["reset"].clone();
    assert_eq!((&reset["cause"], &reset["seq"]), (&json!("below_retention"), &json!(floor - 1)));
    assert_eq!(reset["state"], book.state(&["--at", &(floor - 1).to_string()]));
    assert_eq!(follower.answer()["seq"], floor);
    stop(follower);

    // `events` tells it as an error, as it does for every cursor that does not fit.
    for flags in [["--after", old.as_str()], ["--from", "1"]] {
        let ran = book.run("events", &flags, b"");
        assert!(ran.code == Some(4) && ran.stdout.is_empty() && ran.stderr.contains("retention"), "{ran:?}");
    }
}

#[test]
fn a_cursor_of_another_journal_or_of_a_future_that_is_gone_is_told_so() {
    let (book, other) = (Book::new(), Book::new());
    book.apply(&[], &with_turns(3));
    other.apply(&[], &with_turns(5));
    let older = book.files();
    book.apply(&[], &[turn(A, 7), turn(A, 7)]);
    let gone = cursor(&book, 6);
    // Somebody restores the copy of before, and another future begins.
    book.files().iter().for_each(|(name, _)| book.remove(name));
    older.iter().for_each(|(name, bytes)| book.put(name, bytes));
    for (unmade, seq) in [(true, 4), (true, 6), (false, 6)] {
        if seq == 6 && unmade {
            book.apply(&[], &[turn(A, 1), turn(A, 1)]);
        }
        let after = if unmade { gone.clone() } else { cursor(&other, 3) };
        let follower = book.follower(&["--after", &after]);
        let reset = follower.answer()["reset"].clone();
        let cause = if unmade { "unmade_future" } else { "foreign_journal" };
        assert_eq!((&reset["cause"], &reset["seq"]), (&json!(cause), &json!(seq)));
        assert_eq!(reset["state"]["state_hash"], book.state(&[])["state_hash"]);
        stop(follower);
        let ran = book.run("events", &["--after", &after], b"");
        assert!(ran.code != Some(0) && ran.stdout.is_empty() && ran.stderr.contains("cursor"), "{ran:?}");
    }
    // One of an empty journal has no cursor to go on from.
    let empty = Book::new();
    empty.apply::<&str>(&[], &[]);
    let follower = empty.follower(&["--after", &gone]);
    assert_eq!(follower.answer()["reset"]["cursor"], Value::Null);
    stop(follower);
}

#[test]
fn progress_is_told_where_it_is_asked_for() {
    let book = Book::new();
    book.apply(&[], &joined_turns());
    let filter = ["--kind", "goal_created", "--scope", "b"];
    let quiet = book.follower(&filter);
    let follower = book.follower(&[&filter[..], &["--progress"]].concat());
    for follower in [&quiet, &follower] {
        assert_eq!(follower.answer()["data"]["goal_id"], B);
    }
    let at = |seq| cursor(&book, seq);
    assert_eq!(follower.answer(), json!({ "bookmark": at(1_026) }));
    assert_eq!(follower.answer(), json!({ "caught_up": at(1_202) }));
    book.apply(&[], &[turn(B, 1)]);
    assert_eq!(follower.answer(), json!({ "bookmark": at(1_203) }));
    stop(follower);
    quiet.signal("TERM");
    assert_eq!(quiet.wait().expect_code(0).stdout, "", "nothing but events");

    // `--to` ends it even where the filter keeps the last event back.
    let ran = book.run("follow", &["--to", "1203", "--kind", "goal_created"], b"").expect_code(0);
    assert_eq!(ran.json_lines().len(), 2);
    let of_b = ["--scope", "b", "--from", "1000"];
    assert_eq!(book.events(&of_b).iter().map(|event| event["seq"].clone()).collect::<Vec<_>>(), [1_203]);
    let either = ["--scope", "b", "--scope", "", "--kind", "goal_created"];
    assert_eq!(book.events(&either).len(), 2, "any of the values of an option given twice");
}

/// Two goals, and turns of the first.
fn joined_turns() -> Vec<String> {
    let goals = [create(A, ""), create(B, "b")];
    goals.into_iter().chain((0..1_200).map(|_| turn(A, 1))).collect()
}

#[test]
fn an_empty_journal_is_caught_up_with_at_once() {
    let book = Book::new();
    book.run("apply", &[], joined::<&str>(&[]).as_bytes()).expect_code(0);
    let follower = book.follower(&["--progress"]);
    assert_eq!(follower.answer(), json!({ "caught_up": null }));
    book.apply(&[], &[create(A, "")]);
    assert_eq!(follower.answer()["seq"], 1);
    stop(follower);
}

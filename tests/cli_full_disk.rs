//! When there is no room: what was answered is kept, the rest is told so, and the journal goes on where there is room
//! again (laws HALT, DURABLE).
//!
//! A limit on the size of files stands in for a full disk, which takes rights that a test does not have: a write fails
//! in the same places, with EFBIG for ENOSPC.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::{Command, Stdio};

use serde_json::Value;

#[path = "common/cli.rs"]
mod cli;

use cli::{Book, Ran, joined};

const A: &str = "00000000-0000-7000-8000-00000000000a";

/// A goal and turns that take far more room than there is.
fn commands() -> Vec<String> {
    let turn = |number: u64| {
        format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":{number},"key":"t{number}"}}"#)
    };
    let create = format!(r#"{{"op":"create_goal","goal_id":"{A}","text":"ship 2.0","key":"c"}}"#);
    [create].into_iter().chain((1..4_000).map(turn)).collect()
}

/// `apply` where no file may be larger than 300 or 600 KiB, as the shell counts.
fn apply_without_room(book: &Book, durability: &str) -> Ran {
    let limited = r#"trap '' XFSZ; ulimit -f 600; exec "$0" apply "$1" --window 64 --durability "$2""#;
    let mut command = Command::new("sh");
    command.args(["-c", limited, env!("CARGO_BIN_EXE_tallybook")]).arg(book.dir()).arg(durability);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    cli::finish(command, joined(&commands()).as_bytes())
}

/// The commands that were answered `ok`; all others have to be answered with one of these errors.
fn answered(ran: &Ran, kind: &str) -> usize {
    let answers = ran.json_lines();
    assert_eq!(answers.len(), commands().len(), "every command is answered: {}", ran.stderr);
    let done = answers.iter().take_while(|answer| answer["ok"].is_object()).count();
    assert!(done > 0 && done < answers.len(), "{done} commands found room");
    for answer in &answers[done..] {
        assert_eq!(answer["error"]["kind"], kind, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(".seg"), "says where: {answer}");
    }
    done
}

/// What was answered is there, and all commands once more are each booked once.
fn expect_kept(book: &Book, answered: usize) {
    let events = book.events(&[]);
    cli::expect_gapless(&events);
    assert!(events.len() >= answered, "{} events of {answered} that were answered", events.len());
    let answers = book.apply(&["--window", "256"], &commands());
    let is_retried = |answer: &&Value| answer["ok"]["retried"] == true;
    assert_eq!(answers.iter().filter(is_retried).count(), events.len());
    assert_eq!(book.events(&[])[..events.len()], events);
    let sum: u64 = (1..4_000).sum();
    assert_eq!(book.state(&[])["goals"][0]["tokens_used"], sum.to_string());
    assert_eq!(book.verify()["clean"], true);
}

#[test]
fn no_room_ahead_refuses_commands_and_ends_cleanly() {
    let book = Book::new();
    let ran = apply_without_room(&book, "sync").expect_code(0);
    let answered = answered(&ran, "busy");
    assert_eq!(book.verify()["clean"], true);
    assert_eq!(book.events(&[]).len(), answered, "what was refused left nothing");
    expect_kept(&book, answered);
}

#[test]
fn a_write_that_fails_halts_and_reopening_recovers() {
    let book = Book::new();
    // Here nothing is prepared ahead, so it is the write of a frame that finds no room.
    let ran = apply_without_room(&book, "interval:20").expect_code(4);
    assert!(ran.stderr.contains(".seg"), "{}", ran.stderr);
    let answered = answered(&ran, "halted");
    let verified = book.run("verify", &["--json"], b"");
    assert!(matches!(verified.code, Some(0 | 1)), "no damage: {verified:?}");
    expect_kept(&book, answered);
}

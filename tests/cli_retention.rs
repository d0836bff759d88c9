//! `apply` with rules of retention, from outside: the bounds hold, and but for old events nothing is missing (laws RETAIN,
//! ORDER, FOLD).
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::Write;

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;
#[path = "common/pruning.rs"]
mod pruning;

use cli::{Book, parse, poll_until};
use pruning::{
    HEAD, TWIN, closed, closed_bytes, comparable, expect_gapless_from, floor, history, names, spends, tiny,
};

fn expect_clean(book: &Book) {
    assert_eq!(book.verify()["findings"], json!([]));
}

/// Gives the same commands to both, in runs of so many, and holds one to the other after each. With every boot, `head` comes
/// first: the state that the boot came to.
fn live_beside_a_twin(rules: &[&str], mut bounds_hold: impl FnMut(&Book)) {
    let (book, twin) = (Book::new(), Book::new());
    let commands: Vec<String> = [history(9), pruning::use_of_the_beginning()].concat();
    for run in commands.chunks(12) {
        let lines = [&[HEAD.to_owned()], run, &[HEAD.to_owned()]].concat();
        let answers = book.apply(&tiny(rules), &lines);
        let expected = twin.apply(&TWIN, &lines);
        for ((answer, expected), line) in answers.into_iter().zip(expected).zip(&lines) {
            assert_eq!(comparable(answer), comparable(expected), "{line}");
        }
        assert_eq!(book.state(&[]), twin.state(&[]));
        bounds_hold(&book);
        expect_clean(&book);
        assert_eq!(book.stat()["retention_floor"], floor(&book));
        assert_eq!(book.stat()["first_seq"], floor(&book));
    }
    assert!(floor(&book) > 40, "most of the history is pruned, also what its end uses: {}", floor(&book));
}

#[test]
fn by_count_the_state_goes_on_like_that_of_a_twin_at_every_boot() {
    live_beside_a_twin(&["--retain-segments", "3"], |book| assert_eq!(closed(book), 3));
}

#[test]
fn by_bytes_the_state_goes_on_like_that_of_a_twin_at_every_boot() {
    live_beside_a_twin(&["--retain-bytes", "20000"], |book| {
        let kept: usize = closed_bytes(book).iter().sum();
        // No segment of one command is twice as large as its header.
        assert!((20_000 - 8192..=20_000).contains(&kept), "{kept} bytes of closed segments");
    });
}

#[test]
fn every_state_from_the_floor_on_is_what_head_said_there() {
    let book = Book::new();
    let lines: Vec<String> = history(5).into_iter().flat_map(|line| [line, HEAD.to_owned()]).collect();
    let answers = book.apply(&tiny(&["--retain-segments", "6"]), &lines);
    let heads: Vec<&Value> =
        answers.iter().skip(1).step_by(2).map(|answer| &answer["ok"]["result"]).collect();
    let floor = floor(&book);
    let asked = heads.iter().filter(|head| head["seq"].as_u64().unwrap() >= floor - 1).collect::<Vec<_>>();
    assert!(asked.len() > 6, "the state before the floor, and one for each command after it: {asked:?}");
    assert_eq!(asked[0]["seq"], floor - 1);
    for head in asked {
        let state = book.state(&["--at", &head["seq"].to_string()]);
        assert_eq!((&state["seq"], &state["state_hash"]), (&head["seq"], &head["state_hash"]));
    }
}

#[test]
fn what_lies_below_the_floor_is_a_clear_error() {
    let book = Book::new();
    book.apply(&tiny(&["--retain-segments", "3"]), &spends(12));
    assert_eq!(floor(&book), 9);
    for arguments in [
        &["events", "--from", "8"][..],
        &["events", "--from", "1", "--to", "2"],
        &["state", "--at", "7"],
        &["state", "--at", "0", "--json"],
        &["state", "--at", "2025-12-31T00:00:00Z"],
    ] {
        let ran = book.run(arguments[0], &arguments[1..], b"");
        assert!(!matches!(ran.code, None | Some(0..=3)), "no success, and no damage: {arguments:?}: {ran:?}");
        assert!(ran.stdout.is_empty(), "{arguments:?}: {ran:?}");
        let oldest = if arguments[0] == "events" { "seq 9" } else { "seq 8" };
        assert!(ran.stderr.contains("floor") && ran.stderr.contains(oldest), "{arguments:?}: {ran:?}");
    }
    let events = book.events(&["--from", "9"]);
    assert_eq!(events.len(), 4);
    expect_gapless_from(&events, 9);
}

#[test]
fn events_begin_at_the_floor() {
    let book = Book::new();
    book.apply(&tiny(&["--retain-segments", "3"]), &spends(12));
    let events = book.events(&[]);
    assert_eq!(events.len(), 4);
    expect_gapless_from(&events, 9);
    assert_eq!(book.events(&["--to", "10"]).len(), 2);
    assert_eq!(book.events(&["--budget", "b"]).len(), 4);
    assert_eq!(book.events(&["--kind", "budget_allocated"]), Vec::<Value>::new());
}

/// A journal of twelve events that begins with the ninth, and the cursors of all twelve.
fn pruned_with_cursors() -> (Book, Vec<String>) {
    let book = Book::new();
    book.apply(&tiny(&[]), &spends(12));
    let events = book.events(&["--raw"]);
    book.apply(&tiny(&["--retain-segments", "3"]), &[HEAD]);
    assert_eq!(floor(&book), 9);
    (book, events.iter().map(|event| event["cursor"].as_str().unwrap().to_owned()).collect())
}

#[test]
fn a_cursor_below_the_floor_is_a_clear_error_and_one_above_goes_on() {
    let (book, cursors) = pruned_with_cursors();
    for (cursor, seq) in cursors.iter().zip(1u64..) {
        let ran = book.run("events", &["--after", cursor], b"");
        if seq < 8 {
            assert!(!matches!(ran.code, None | Some(0..=3)), "events after {seq} are gone: {ran:?}");
            assert!(ran.stdout.is_empty() && ran.stderr.contains("floor"), "{ran:?}");
        } else if seq > 8 {
            let events = ran.expect_code(0).json_lines();
            expect_gapless_from(&events, seq + 1);
            assert_eq!(events.len() as u64, 12 - seq);
        }
    }
}

#[test]
fn a_cursor_just_before_the_floor_has_missed_nothing() {
    let (book, cursors) = pruned_with_cursors();
    let events = book.events(&["--after", &cursors[7]]);
    expect_gapless_from(&events, 9);
    assert_eq!(events.len(), 4);
}

#[test]
fn bounds_hold_while_the_writer_runs() {
    let (book, twin) = (Book::new(), Book::new());
    let commands = history(6);
    twin.apply(&TWIN, &commands);
    let mut writer = book.writer(&tiny(&["--retain-segments", "2"]));
    for run in commands.chunks(8) {
        for line in run {
            writer.ask(line);
        }
        assert!(poll_until(|| closed(&book) <= 2), "{:?}", names(book.dir(), ""));
        assert_eq!(closed(&book), 2, "no more went than had to");
        let at_floor = floor(&book).to_string();
        expect_gapless_from(&book.events(&["--from", &at_floor]), floor(&book));
        expect_clean(&book);
    }
    writer.end().expect_code(0);
    assert_eq!(book.state(&[]), twin.state(&[]));
}

/// A reader that asks for what there is, and not for a certain point, gets it, also when files go while it reads.
#[test]
fn readers_beside_a_writer_that_prunes_find_a_journal_that_is_whole() {
    let book = Book::new();
    let mut writer = book.writer(&tiny(&["--retain-segments", "1", "--window", "16"]));
    writer.ask(HEAD);
    let mut input = writer.take_input();
    let feeder = std::thread::spawn(move || {
        // Until the writer is told to end.
        spends(100_000).iter().all(|line| writeln!(input, "{line}").is_ok());
    });
    let mut failed: Vec<String> = Vec::new();
    let mut last = 0;
    for _ in 0..15 {
        for arguments in [&["state", "--json"][..], &["stat", "--json"], &["verify", "--json"], &["events"]] {
            let ran = book.run(arguments[0], &arguments[1..], b"");
            if ran.code != Some(0) {
                failed.push(format!("{arguments:?}: {:?}: {}", ran.code, ran.stderr));
            } else if arguments[0] == "state" {
                let seq = ran.json()["seq"].as_u64().unwrap();
                assert!(seq >= last, "the state went from {last} back to {seq}");
                last = seq;
            }
        }
    }
    assert!(floor(&book) > 1, "it was pruned meanwhile");
    writer.signal("TERM");
    assert_eq!(writer.wait().code, Some(0));
    feeder.join().unwrap();
    assert_eq!(failed, Vec::<String>::new());
}

#[test]
fn by_age_what_is_old_goes_once_time_has_passed() {
    let (book, twin) = (Book::new(), Book::new());
    let rules = tiny(&["--retain-age", "30d"]);
    let mut commands = spends(10);
    book.apply(&rules, &commands);
    assert_eq!(floor(&book), 1, "nothing is old yet");
    let later = r#"{"op":"record_spend","budget_id":"b","amount":"1","spend_id":"later","now":"2027-01-01T00:00:00Z"}"#;
    let latest = r#"{"op":"record_spend","budget_id":"b","amount":"1","spend_id":"latest"}"#;
    book.apply(&rules, &[later]);
    book.apply(&rules, &[latest]);
    let at_floor = floor(&book);
    assert!((10..=11).contains(&at_floor), "what is a year old is gone, and nothing else: {at_floor}");
    book.apply(&rules, &[r#"{"op":"record_spend","budget_id":"b","amount":"1","spend_id":"x","now":"2027-01-30T00:00:00Z"}"#]);
    assert_eq!(floor(&book), at_floor, "what is 29 days old stays");
    commands.extend([later, latest].map(str::to_owned));
    twin.apply(&TWIN, &commands);
    assert_eq!(book.state(&["--at", "12"])["state_hash"], twin.state(&[])["state_hash"]);
    expect_clean(&book);
}

#[test]
fn by_age_what_has_become_old_goes_at_the_next_boot() {
    let book = Book::new();
    book.apply(&tiny(&[]), &spends(6));
    let later = r#"{"op":"record_spend","budget_id":"b","amount":"1","spend_id":"later","now":"2027-01-01T00:00:00Z"}"#;
    book.apply(&tiny(&[]), &[later]);
    assert_eq!(floor(&book), 1);
    let before = book.state(&[]);
    book.apply(&tiny(&["--retain-age", "1d"]), &[HEAD]);
    assert!((6..=7).contains(&floor(&book)), "{:?}", names(book.dir(), ""));
    assert_eq!(book.state(&[]), before);
}

#[test]
fn by_age_a_segment_is_as_old_as_its_newest_event() {
    let book = Book::new();
    let later = r#"{"op":"record_spend","budget_id":"b","amount":"1","spend_id":"later","now":"2027-01-01T00:00:00Z"}"#;
    book.apply(&tiny(&[]), &[spends(6), vec![later.to_owned()]].concat());
    book.apply(&tiny(&["--retain-age", "1d"]), &[HEAD]);
    assert_eq!(floor(&book), 7, "no closed segment holds an event that is less than a year old");
}

#[test]
fn any_rule_that_is_exceeded_prunes() {
    for (rules, kept) in [
        (&["--retain-segments", "4", "--retain-bytes", "9000"][..], 2),
        (&["--retain-segments", "1", "--retain-bytes", "100000"], 1),
        (&["--retain-segments", "5", "--retain-age", "36500d"], 5),
        (&["--retain-segments", "0"], 0),
        (&["--retain-bytes", "0"], 0),
    ] {
        let book = Book::new();
        book.apply(&tiny(rules), &spends(8));
        assert_eq!(closed(&book), kept, "{rules:?}");
        assert_eq!(book.head()["seq"], 8, "{rules:?}");
        expect_clean(&book);
    }
}

#[test]
fn several_short_runs_prune_too() {
    let (book, twin) = (Book::new(), Book::new());
    let commands = spends(12);
    twin.apply(&TWIN, &commands);
    for command in &commands {
        book.apply(&tiny(&["--retain-segments", "2"]), &[command]);
        assert!(closed(&book) <= 2, "{:?}", names(book.dir(), ""));
    }
    assert_eq!(floor(&book), 10);
    assert_eq!(book.state(&[]), twin.state(&[]));
    expect_clean(&book);
}

#[test]
fn an_opening_prunes_by_the_rules_that_it_is_given() {
    let book = Book::new();
    book.apply(&tiny(&[]), &spends(12));
    let before = book.state(&[]);
    assert_eq!(floor(&book), 1, "by bytes, unless told otherwise, and those are few");
    for (rules, expected) in [
        (&["--retain-segments", "8"][..], 4),
        (&["--retain-segments", "3"], 9),
        // What is gone is gone.
        (&["--retain-segments", "8"], 9),
        (&["--retain-all"], 9),
    ] {
        book.apply(&tiny(rules), &[HEAD]);
        assert_eq!(floor(&book), expected, "{rules:?}");
        assert_eq!(book.state(&[]), before);
    }
}

fn listed(book: &Book, line: &str) -> Vec<String> {
    let answer = book.apply(&tiny(&["--retain-segments", "5"]), &[line]).remove(0);
    let spends = answer["ok"]["result"].as_array().unwrap_or_else(|| panic!("{answer}"));
    spends.iter().map(|spend| spend["spend_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn spends_that_are_not_remembered_are_listed_as_far_back_as_events_are_kept() {
    let book = Book::new();
    let commands = spends(12);
    book.apply(&tiny(&["--retain-segments", "5"]), &commands);
    let all = r#"{"op":"list_spends","budget_id":"b","limit":100}"#;
    assert_eq!(listed(&book, all).len(), 11, "the pruned ones are remembered");
    let later = r#"{"op":"record_spend","budget_id":"b","amount":"1","spend_id":"later","now":"2027-01-01T00:00:00Z"}"#;
    book.apply(&tiny(&["--retain-segments", "5"]), &[later]);
    assert_eq!(floor(&book), 8);
    let kept = ["later", "s11", "s10", "s9", "s8", "s7"];
    assert_eq!(listed(&book, all), kept);
    assert_eq!(listed(&book, r#"{"op":"list_spends","budget_id":"b","limit":3}"#), kept[..3]);
    let older = r#"{"op":"list_spends","budget_id":"b","limit":3,"before":"s10"}"#;
    assert_eq!(listed(&book, older), kept[3..]);
    let budget = book.state(&[])["budgets"][0].clone();
    assert_eq!(
        (&budget["spent"], &budget["entry_count"]),
        (&json!("67"), &json!(12)),
        "totals cover what is gone"
    );
}

#[test]
fn the_floor_and_its_snapshot_are_told() {
    let book = Book::new();
    book.apply(&tiny(&["--retain-segments", "3"]), &spends(12));
    let stat = book.stat();
    assert_eq!(
        (&stat["retention_floor"], &stat["first_seq"], &stat["last_seq"]),
        (&json!(9), &json!(9), &json!(12))
    );
    let snapshots = stat["snapshots"].as_array().unwrap_or_else(|| panic!("snapshots: {stat}"));
    let told: Vec<&str> = snapshots.iter().map(|snapshot| snapshot["file"].as_str().unwrap()).collect();
    let mut there = [names(book.dir(), ".base"), names(book.dir(), ".snap")].concat();
    there.sort();
    assert_eq!(told, there);
    let text = book.run("stat", &[], b"").expect_code(0).stdout;
    assert!(text.contains("floor") && text.contains('9'), "{text}");
}

#[test]
fn an_answer_is_the_same_with_any_window() {
    let states: Vec<Value> = ["1", "256"]
        .iter()
        .map(|window| {
            let book = Book::new();
            let printed = book
                .run(
                    "apply",
                    &tiny(&["--retain-segments", "1", "--window", window]),
                    cli::joined(&history(3)).as_bytes(),
                )
                .expect_code(0)
                .stdout;
            assert!(printed.lines().all(|line| parse(line)["error"].is_null()), "{printed}");
            book.state(&[])
        })
        .collect();
    assert_eq!(states[0], states[1]);
}

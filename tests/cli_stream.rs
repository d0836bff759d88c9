//! `tallybook apply` as a stream: pipes, files, signals, windows, flags.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::Stdio;

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;

use cli::{Book, joined, run};

const A: &str = "00000000-0000-7000-8000-00000000000a";

fn create() -> String {
    format!(r#"{{"op":"create_goal","goal_id":"{A}","text":"ship 2.0"}}"#)
}

fn turn(tokens: u64) -> String {
    format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":{tokens}}}"#)
}

/// Something of everything, with ids of our own, so that the answers follow from the lines alone.
fn mixed_commands() -> Vec<String> {
    let id = |number: u64| format!("00000000-0000-7000-8000-{number:012x}");
    let mut lines = vec![r#"{"op":"list_goals","now":"2026-01-05T09:00:00Z"}"#.to_owned()];
    for number in 0..400u64 {
        let goal = number / 10;
        let line = match number % 10 {
            0 if goal % 3 == 1 => format!(
                r#"{{"op":"create_goal","goal_id":"{}","text":"child","parent_goal":"{}","key":"c{goal}"}}"#,
                id(goal),
                id(goal - 1)
            ),
            0 => format!(
                r#"{{"op":"create_goal","goal_id":"{}","text":"goal","scope":"s{}","token_budget":{},"key":"c{goal}"}}"#,
                id(goal),
                goal % 4,
                50 + goal
            ),
            1 | 2 | 4 | 7 => {
                format!(
                    r#"{{"op":"record_turn","goal_id":"{}","tokens":{number},"key":"t{number}"}}"#,
                    id(goal)
                )
            }
            3 => format!(r#"{{"op":"record_turn","scope":"s{}","tokens":{number}}}"#, goal % 5),
            5 => format!(r#"{{"op":"get_goal","goal_id":"{}"}}"#, id(goal)),
            6 => format!(r#"{{"op":"transition_goal","goal_id":"{}","to":"active"}}"#, id(goal)),
            8 if goal % 2 == 0 => format!(
                r#"{{"op":"set_goal_budget","goal_id":"{}","token_budget":"100000","resume":true,"now":"2026-01-05T10:{:02}:00Z"}}"#,
                id(goal),
                goal
            ),
            8 => "{broken".to_owned(),
            _ => r#"{"op":"list_goals","limit":3}"#.to_owned(),
        };
        lines.push(line);
    }
    lines
}

#[test]
fn the_window_changes_nothing_but_the_speed() {
    let lines = mixed_commands();
    let mut results = Vec::new();
    for window in ["1", "7", "256"] {
        let book = Book::new();
        let ran = book.run("apply", &["--manual-clock", "--window", window], joined(&lines).as_bytes());
        let answers = ran.expect_code(0).stdout;
        let events = book.run("events", &[], b"").expect_code(0).stdout;
        results.push((answers, events, book.head()["state_hash"].clone()));
    }
    let from_file = {
        let book = Book::new();
        let file = book.put_beside("commands.jsonl", joined(&lines).as_bytes());
        let ran = book.run("apply", &[file.to_str().unwrap(), "--manual-clock"], b"");
        let answers = ran.expect_code(0).stdout;
        (answers, book.run("events", &[], b"").expect_code(0).stdout, book.head()["state_hash"].clone())
    };
    results.push(from_file);
    assert_eq!(results[0].0.lines().count(), lines.len());
    for kind in [r#""ok":"#, r#""refused":"#, r#""error":"#] {
        assert!(results[0].0.contains(kind), "the commands have something of everything: {kind}");
    }
    for other in &results[1..] {
        assert_eq!(results[0].0, other.0);
        assert_eq!(results[0].1, other.1);
        assert_eq!(results[0].2, other.2);
    }
}

#[test]
fn answers_come_as_commands_come() {
    for flags in [&[][..], &["--window", "64"], &["--durability", "interval:10000"]] {
        let book = Book::new();
        let mut writer = book.writer(flags);
        assert_eq!(writer.ask(&create())["ok"]["first_seq"], 1, "{flags:?}");
        for number in 1..20u64 {
            let answer = writer.ask(&turn(1));
            assert_eq!(answer["line"], number + 1);
            assert_eq!(answer["ok"]["result"]["tokens_used"], number.to_string());
        }
        assert_eq!(writer.ask("{broken")["error"]["kind"], "invalid");
        assert_eq!(writer.ask(r#"{"op":"head"}"#)["ok"]["result"]["seq"], 20);
        writer.end().expect_code(0);
    }
}

#[test]
fn an_answer_is_durable_when_it_comes() {
    let book = Book::new();
    let mut writer = book.writer(&[]);
    writer.ask(&create());
    let answer = writer.ask(&turn(5));
    writer.kill();
    let events = book.events(&[]);
    assert_eq!(events.len(), 2);
    assert_eq!(events[1]["seq"], answer["ok"]["first_seq"]);
}

#[test]
fn a_signal_ends_the_stream_cleanly() {
    for signal in ["TERM", "INT"] {
        for flags in [&[][..], &["--window", "64"], &["--durability", "interval:10000"]] {
            let book = Book::new();
            let mut writer = book.writer(flags);
            writer.ask(&create());
            writer.ask(&turn(5));
            writer.signal(signal);
            let ran = writer.wait().expect_code(0);
            assert_eq!(ran.stdout, "", "SIG{signal} {flags:?}");
            assert_eq!((&book.stat()["clean"], &book.verify()["clean"]), (&json!(true), &json!(true)));
            assert_eq!(book.events(&[]).len(), 2);
        }
    }
}

#[test]
fn a_signal_in_the_midst_of_it_leaves_every_answer_true() {
    let book = Book::new();
    let mut writer = book.writer(&["--window", "32"]);
    writer.ask(&create());
    let mut input = writer.take_input();
    let feeder = std::thread::spawn(move || {
        use std::io::Write;
        // Until nobody reads any more.
        while writeln!(input, "{}", turn(1)).is_ok() {}
    });
    for _ in 0..50 {
        writer.answer();
    }
    writer.signal("TERM");
    let ran = writer.wait().expect_code(0);
    feeder.join().unwrap();
    let answered = 51 + ran.stdout.lines().count();
    let events = book.events(&[]);
    cli::expect_gapless(&events);
    assert_eq!(events.len(), answered, "every command that was carried out was answered, and no other");
    assert_eq!(book.verify()["clean"], true);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    use std::io::{BufRead, Write};
    for window in ["1", "64"] {
        let book = Book::new();
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tallybook"))
            .args(book.arguments("apply", &["--window", window]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        writeln!(stdin, "{}", create()).unwrap();
        stdout.read_line(&mut String::new()).unwrap();
        drop(stdout);
        // It may find out at once, or with the next answer.
        while writeln!(stdin, "{}", turn(1)).is_ok() {}
        let ended = cli::poll_until(|| child.try_wait().unwrap().is_some());
        let output = child.wait_with_output().unwrap();
        assert!(ended);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        assert_eq!(book.verify()["clean"], true);
    }
}

#[test]
fn readers_end_quietly_when_nobody_reads() {
    let book = Book::new();
    let lines: Vec<String> = [create()].into_iter().chain((0..3_000).map(turn)).collect();
    book.apply(&["--window", "256"], &lines);
    for command in ["events", "follow", "state"] {
        let shell = r#"{ "$0" "$1" "$2"; echo "$?" >&2; } | head -n 1 >/dev/null"#;
        let mut command_line = std::process::Command::new("sh");
        command_line
            .args(["-c", shell, env!("CARGO_BIN_EXE_tallybook"), command])
            .arg(book.dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let ran = cli::finish(command_line, b"");
        assert_eq!(ran.stderr, "0\n", "{command}: the exit code, and no word");
    }
}

#[test]
fn commands_come_from_a_file_too() {
    let book = Book::new();
    let file = book.put_beside("commands.jsonl", joined(&[create(), turn(1), turn(2)]).as_bytes());
    let answers = book.run("apply", &[file.to_str().unwrap()], b"{broken\n").expect_code(0).json_lines();
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[2]["ok"]["result"]["tokens_used"], "3");

    let missing = book.beside("missing.jsonl");
    let ran = book.run("apply", &[missing.to_str().unwrap()], b"").expect_code(4);
    assert!(ran.stderr.contains("missing.jsonl"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
}

#[test]
fn no_input_makes_a_journal_without_events() {
    let book = Book::new();
    assert_eq!(book.run("apply", &[], b"").expect_code(0).stdout, "");
    assert_eq!(book.events(&[]), [] as [Value; 0]);
    assert_eq!(book.verify()["clean"], true);
    assert_eq!(book.head()["seq"], 0);
}

#[test]
fn wrong_usage_is_exit_64_and_touches_nothing() {
    let book = Book::new();
    let dir = book.dir().to_str().unwrap();
    let usages: &[&[&str]] = &[
        &[],
        &["apply"],
        &["frobnicate", dir],
        &["apply", dir, "--frobnicate"],
        &["apply", dir, "a", "b"],
        &["apply", dir, "--window", "0"],
        &["apply", dir, "--window", "many"],
        &["apply", dir, "--window", "-1"],
        &["apply", dir, "--window"],
        &["apply", dir, "--durability", "none"],
        &["apply", dir, "--durability", "interval:"],
        &["apply", dir, "--durability", "interval:0"],
        &["apply", dir, "--segment-bytes", "0"],
        &["apply", dir, "--segment-bytes", "x"],
        &["apply", dir, "--key-window", "5"],
        &["apply", dir, "--forget-after", "0s"],
        &["apply", dir, "--forget-after", "never"],
        &["events", dir, "--from", "x"],
        &["events", dir, "--kind", "no_such_kind"],
        &["events", dir, "--goal", "no-uuid"],
        &["events", dir, "--after", "no-cursor"],
        &["state", dir, "--at", "yesterday"],
        &["stat"],
        &["verify", dir, dir],
    ];
    for usage in usages {
        let ran = run(*usage, b"{\"op\":\"head\"}\n");
        assert_eq!(ran.code, Some(64), "{usage:?}: {ran:?}");
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{usage:?}: {ran:?}");
        assert!(!book.dir().exists(), "{usage:?} made a journal");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for flag in ["--help", "--version"] {
        let ran = run([flag], b"").expect_code(0);
        assert!(ran.stdout.contains("tallybook") && ran.stderr.is_empty(), "{ran:?}");
    }
}

#[test]
fn operations_of_later_versions_are_unknown() {
    let book = Book::new();
    let later = [
        r#"{"op":"unheard_of","name":"n","data":{}}"#,
        r#"{"op":"elapse"}"#,
        r#"{"op":"set_key_window","max_age_ms":1}"#,
    ];
    for answer in book.apply(&[], &later) {
        let error = &answer["error"];
        assert_eq!(error["kind"], "invalid", "{answer}");
        assert!(error["message"].as_str().unwrap().contains("op"), "{answer}");
    }
    assert_eq!(book.head()["seq"], 0);
}

#[test]
fn interval_durability_is_on_disk_after_its_interval() {
    let book = Book::new();
    let lines: Vec<String> = [create()].into_iter().chain((0..500).map(|_| turn(2))).collect();
    let answers = book.apply(&["--durability", "interval:50", "--window", "256"], &lines);
    assert_eq!(answers[500]["ok"]["result"]["tokens_used"], "1000");
    assert_eq!(book.verify()["clean"], true);
    assert_eq!(book.events(&[]).len(), 501);

    // A reader is shown what was answered, while the writer idles.
    let mut writer = book.writer(&["--durability", "interval:50"]);
    let answer = writer.ask(&turn(1));
    let events = book.events(&["--from", "502"]);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["seq"], answer["ok"]["first_seq"]);
    writer.end().expect_code(0);
}

#[test]
fn segments_rotate_at_the_given_size() {
    let book = Book::new();
    let lines: Vec<String> = [create()].into_iter().chain((0..900).map(turn)).collect();
    let answers = book.apply(&["--segment-bytes", "65536", "--window", "64"], &lines);
    let stat = book.stat();
    let segments = stat["segments"].as_array().unwrap();
    assert!(segments.len() >= 3, "{stat}");
    let mut next = 1;
    for (segment, number) in segments.iter().zip(1u64..) {
        assert_eq!((&segment["number"], &segment["first_seq"]), (&json!(number), &json!(next)), "{stat}");
        next += segment["events"].as_u64().unwrap();
        assert_eq!(segment["closed"], number < segments.len() as u64);
    }
    assert_eq!(next, 902);
    cli::expect_gapless(&book.events(&[]));
    let hash = book.head()["state_hash"].clone();
    assert_eq!(book.state(&[])["state_hash"], hash);
    assert_eq!(answers[900]["ok"]["last_seq"], 901);
    assert_eq!(book.verify()["segments"], segments.len());
}

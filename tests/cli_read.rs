//! Reading a journal: what the filters let through, what a follower sees, what the state was, what is left untouched.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::cast_possible_truncation, reason = "offsets and seqs of a test are small")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

#[path = "common/cli.rs"]
mod cli;

use cli::{Book, Session, parse};

const A: &str = "00000000-0000-7000-8000-00000000000a";
const B: &str = "00000000-0000-7000-8000-00000000000b";
const C: &str = "00000000-0000-7000-8000-00000000000c";

/// Fourteen events on three goals: `B` hangs under `A`, and uses up its budget.
fn story() -> Vec<String> {
    let turn = |id: &str, tokens: u64, more: &str| {
        format!(r#"{{"op":"record_turn","goal_id":"{id}","tokens":{tokens}{more}}}"#)
    };
    vec![
        format!(
            r#"{{"op":"create_goal","goal_id":"{A}","text":"a","token_budget":100,"session_id":"s1","now":"2026-01-05T09:00:00Z"}}"#
        ),
        format!(r#"{{"op":"create_goal","goal_id":"{B}","text":"b","parent_goal":"{A}","session_id":"s2"}}"#),
        format!(
            r#"{{"op":"create_goal","goal_id":"{C}","text":"c","scope":"c","now":"2026-01-05T09:01:00Z"}}"#
        ),
        turn(C, 5, r#","session_id":"s2""#),
        turn(A, 60, r#","session_id":"s1","now":"2026-01-05T09:02:00Z""#),
        turn(B, 50, r#","session_id":"s2""#),
        format!(
            r#"{{"op":"transition_goal","goal_id":"{A}","to":"active","now":"2026-01-05T09:03:00Z","key":"r"}}"#
        ),
        format!(r#"{{"op":"transition_goal","goal_id":"{C}","to":"completed"}}"#),
    ]
}

/// The seqs that `events` prints with these flags.
#[track_caller]
fn seqs(book: &Book, flags: &[&str]) -> Vec<u64> {
    book.events(flags).iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

fn told() -> Book {
    let book = Book::new();
    book.apply(&["--manual-clock"], &story());
    assert_eq!(seqs(&book, &[]), (1..=14).collect::<Vec<u64>>());
    book
}

#[test]
fn events_are_filtered_by_seq() {
    let book = told();
    assert_eq!(seqs(&book, &["--from", "12"]), [12, 13, 14]);
    assert_eq!(seqs(&book, &["--to", "2"]), [1, 2]);
    assert_eq!(seqs(&book, &["--from", "3", "--to", "4"]), [3, 4]);
    assert_eq!(seqs(&book, &["--from", "4", "--to", "4"]), [4]);
    assert_eq!(seqs(&book, &["--from", "5", "--to", "4"]), [] as [u64; 0]);
    assert_eq!(seqs(&book, &["--from", "15"]), [] as [u64; 0]);
    assert_eq!(seqs(&book, &["--to", "18446744073709551615"]).len(), 14);
}

#[test]
fn events_are_filtered_by_what_they_are_about() {
    let book = told();
    let of_kind = |kind: &str| seqs(&book, &["--kind", kind]);
    assert_eq!(of_kind("goal_created"), [1, 2, 3]);
    assert_eq!(of_kind("turn_recorded"), [4, 5, 7]);
    assert_eq!(of_kind("threshold_crossed"), [6, 8, 9]);
    assert_eq!(of_kind("budget_exhausted"), [10]);
    assert_eq!(of_kind("goal_transitioned"), [11, 12, 14]);
    assert_eq!(of_kind("command_refused"), [13]);
    assert_eq!(of_kind("goal_budget_set"), [] as [u64; 0]);
    assert_eq!(seqs(&book, &["--goal", C]), [3, 4, 14]);
    assert_eq!(seqs(&book, &["--session", "s2"]), [2, 4, 7, 8, 9, 10, 11, 12]);
    assert_eq!(seqs(&book, &["--session", "s"]), [] as [u64; 0]);
    let of_a = seqs(&book, &["--budget", &format!("goal:{A}")]);
    assert_eq!(of_a, [1, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    // Filters narrow each other.
    let flags = ["--kind", "turn_recorded", "--session", "s2", "--from", "5"];
    assert_eq!(seqs(&book, &flags), [7]);
    assert_eq!(seqs(&book, &["--goal", C, "--kind", "goal_transitioned", "--to", "13"]), [] as [u64; 0]);
}

#[test]
fn raw_adds_where_an_event_lies() {
    let book = told();
    let plain = book.events(&[]);
    let (name, bytes) = book.segments().remove(0);
    let mut last_offset = 0;
    for (raw, plain) in book.events(&["--raw"]).iter().zip(&plain) {
        for (field, value) in plain.as_object().unwrap() {
            assert_eq!(raw[field], *value, "{field}");
        }
        assert_eq!(raw["file"], name);
        let offset = raw["offset"].as_u64().unwrap();
        let end = offset + raw["length"].as_u64().unwrap();
        assert!(last_offset <= offset && end <= bytes.len() as u64, "{raw}");
        let frame = &bytes[offset as usize..end as usize];
        let seq = format!(r#"{{"seq":{},"#, plain["seq"]);
        assert!(frame.windows(seq.len()).any(|window| window == seq.as_bytes()), "{raw}");
        assert_eq!(raw["crc"].as_str().unwrap().len(), 8);
        last_offset = offset;
    }
}

#[test]
fn a_cursor_is_a_place_to_go_on_from() {
    let book = told();
    let cursors: Vec<String> =
        book.events(&["--raw"]).iter().map(|event| event["cursor"].as_str().unwrap().to_owned()).collect();
    for (cursor, seq) in cursors.iter().zip(1u64..) {
        assert_eq!(seqs(&book, &["--after", cursor]), (seq + 1..=14).collect::<Vec<u64>>());
    }
    // It outlives restarts of the writer, and more events.
    book.apply(&[], &[format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":1}}"#)]);
    assert_eq!(seqs(&book, &["--after", &cursors[13]]), [15]);

    // One of another journal, or of events that are not there, is told, not taken for something else.
    let other = told();
    let ran = other.run("events", &["--after", &cursors[3]], b"");
    assert!(ran.code != Some(0) && ran.stdout.is_empty() && ran.stderr.contains("cursor"), "{ran:?}");
}

#[test]
fn a_follower_replays_and_goes_on_live() {
    let book = told();
    let mut follower = book.follower(&[]);
    let seq = |follower: &Session| follower.answer()["seq"].as_u64().unwrap();
    assert_eq!((1..=14).map(|_| seq(&follower)).collect::<Vec<_>>(), (1..=14).collect::<Vec<_>>());

    // The last event of an idle journal, whose writer lives on: each is seen before the next is sent.
    for durability in ["sync", "interval:20"] {
        let mut writer = book.writer(&["--durability", durability]);
        for _ in 0..5 {
            let answer = writer.ask(&format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":1}}"#));
            assert_eq!(follower.answer()["seq"], answer["ok"]["last_seq"], "{durability}");
        }
        writer.end().expect_code(0);
    }
    follower.close_input();
    follower.signal("TERM");
    assert_eq!(follower.wait().expect_code(0).stdout, "");
}

#[test]
fn a_follower_outlives_rotation_kill_and_restart_of_the_writer() {
    let book = told();
    let follower = book.follower(&["--from", "15"]);
    let mut followed = Vec::new();
    for round in 0..4 {
        let mut writer = book.writer(&["--segment-bytes", "16384", "--window", "16"]);
        for number in 0..150 {
            writer.send(&format!(
                r#"{{"op":"record_turn","goal_id":"{A}","tokens":{number},"meta":{{"round":{round}}}}}"#
            ));
        }
        let mut last_seq = 0;
        for _ in 0..150 {
            last_seq = writer.answer()["ok"]["last_seq"].as_u64().unwrap();
        }
        while followed.last().is_none_or(|line: &String| parse(line)["seq"] != last_seq) {
            followed.push(follower.next_line().expect("a follower goes on until it is told to stop"));
        }
        if round % 2 == 0 {
            writer.kill();
        } else {
            writer.end().expect_code(0);
        }
    }
    follower.signal("INT");
    assert_eq!(follower.wait().expect_code(0).stdout, "");
    let events = book.run("events", &["--from", "15"], b"").expect_code(0).stdout;
    assert_eq!(events.lines().collect::<Vec<_>>(), followed, "without gap or duplicate");
    assert!(book.segments().len() > 4, "the writer rotated");
}

#[test]
fn a_follower_begins_after_a_cursor_and_filters() {
    let book = told();
    let cursor = book.events(&["--raw"])[6]["cursor"].as_str().unwrap().to_owned();
    let follower = book.follower(&["--after", &cursor, "--kind", "goal_transitioned"]);
    let seqs: Vec<Value> = (0..3).map(|_| follower.answer()["seq"].clone()).collect();
    assert_eq!(seqs, [11, 12, 14]);
    let mut writer = book.writer(&[]);
    writer.ask(&format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":1}}"#));
    writer.ask(&format!(r#"{{"op":"set_goal_budget","goal_id":"{A}","token_budget":1000,"resume":true}}"#));
    let event = follower.answer();
    assert_eq!((&event["kind"], &event["data"]["to"]), (&json!("goal_transitioned"), &json!("active")));
    follower.signal("TERM");
    follower.wait().expect_code(0);
    writer.end().expect_code(0);
}

#[test]
fn the_state_at_a_seq_is_that_of_the_commands_until_then() {
    let story = story();
    let book = told();
    for count in 0..=story.len() {
        let prefix = Book::new();
        let answers = prefix.apply(&["--manual-clock"], &story[..count]);
        let seq = answers.last().map_or(0, |answer| {
            answer["ok"]["last_seq"].as_u64().or(answer["refused"]["seq"].as_u64()).unwrap()
        });
        let expected = prefix.state(&[]);
        assert_eq!(expected["seq"], seq);
        assert_eq!(book.state(&["--at", &seq.to_string()]), expected, "after {count} commands");
    }
    assert_eq!(book.state(&["--at", "14"]), book.state(&[]));
    let ran = book.run("state", &["--at", "15", "--json"], b"");
    assert!(ran.code != Some(0) && ran.stdout.is_empty() && ran.stderr.contains("15"), "{ran:?}");
}

#[test]
fn the_state_at_a_time_is_that_after_the_last_event_until_then() {
    let book = told();
    for (time, seq) in [
        ("2026-01-05T08:59:59.999999Z", 0),
        ("2026-01-05T09:00:00Z", 2),
        ("2026-01-05T09:00:59.5Z", 2),
        ("2026-01-05T10:01:00+01:00", 4),
        ("2026-01-05T09:02:30Z", 12),
        ("2026-01-05T09:03:00Z", 14),
        ("2999-01-01T00:00:00Z", 14),
    ] {
        let at = book.state(&["--at", time]);
        assert_eq!(at["seq"], seq, "{time}");
        assert_eq!(at, book.state(&["--at", &seq.to_string()]), "{time}");
    }
}

#[test]
fn the_state_says_what_answers_say() {
    let book = told();
    let state = book.state(&[]);
    let names: Vec<&String> = state.as_object().unwrap().keys().collect();
    assert_eq!(names, ["budgets", "goals", "meters", "reservations", "seq", "state_hash"]);
    let gets = [A, B, C].map(|id| format!(r#"{{"op":"get_goal","goal_id":"{id}"}}"#));
    let mut writer = book.writer(&[]);
    for get in &gets {
        let goal = writer.ask(get)["ok"]["result"].clone();
        assert!(state["goals"].as_array().unwrap().contains(&goal), "{goal}");
    }
    assert_eq!(book.state(&[]), state, "beside a live writer");
    let plain = book.run("state", &[], b"").expect_code(0).stdout;
    for part in [A, B, C, "budget_exhausted", state["state_hash"].as_str().unwrap()] {
        assert!(plain.contains(part), "{part} in {plain}");
    }
}

/// Eleven events on two budgets, `task` under `team`: what is spent, held, measured and given back.
fn money() -> Book {
    let book = Book::new();
    let answers = book.apply(
        &["--manual-clock"],
        &[
            r#"{"op":"allocate","budget_id":"team","limit":1000,"thresholds":[],"now":"2026-01-05T09:00:00Z"}"#,
            r#"{"op":"allocate","budget_id":"task","limit":100,"thresholds":[],"parent":"team","unit":"units"}"#,
            r#"{"op":"record_spend","budget_id":"task","amount":30,"spend_id":"s"}"#,
            r#"{"op":"record_spend","budget_id":"team","amount":5}"#,
            r#"{"op":"reserve","budget_id":"task","amount":20,"reservation_id":"r1","owner":"bob"}"#,
            r#"{"op":"reserve","budget_id":"team","amount":2,"reservation_id":"r2","ttl_ms":60000}"#,
            r#"{"op":"reserve","budget_id":"team","amount":3,"reservation_id":"r3"}"#,
            r#"{"op":"release","reservation_id":"r3"}"#,
            r#"{"op":"mark_unknown","reservation_id":"r1"}"#,
            r#"{"op":"observe_meter","meter_id":"m","cumulative":4,"budget_id":"task"}"#,
        ],
    );
    assert!(answers.iter().all(|answer| answer["ok"].is_object()), "{answers:?}");
    book
}

#[test]
fn events_of_a_budget_are_all_that_are_about_it() {
    let book = money();
    assert_eq!(seqs(&book, &["--budget", "task"]), [2, 3, 5, 9, 10, 11]);
    assert_eq!(seqs(&book, &["--budget", "team"]), [1, 4, 6, 7, 8]);
    assert_eq!(seqs(&book, &["--budget", "other"]), [] as [u64; 0]);
    assert_eq!(seqs(&book, &["--budget", "task", "--kind", "spend_recorded"]), [3, 11]);
}

#[test]
fn the_state_has_budgets_what_is_held_and_meters() {
    let book = money();
    let state = book.state(&[]);
    let mut writer = book.writer(&["--manual-clock"]);
    let mut ask = |line: &str| writer.ask(line)["ok"]["result"].clone();
    let budgets = ["task", "team"].map(|id| ask(&format!(r#"{{"op":"get_budget","budget_id":"{id}"}}"#)));
    assert_eq!(state["budgets"], json!(budgets));
    assert_eq!(state["meters"], json!([ask(r#"{"op":"get_meter","meter_id":"m"}"#)]));
    let held = ["unknown", "open"]
        .map(|status| ask(&format!(r#"{{"op":"list_reservations","status":"{status}"}}"#))[0].clone());
    assert_eq!(state["reservations"], json!(held));
    assert_eq!(held.map(|held| held["reservation_id"].clone()), ["r1", "r2"]);
    let before = book.state(&["--at", "5"]);
    assert_eq!((&before["reservations"][0]["status"], &before["meters"]), (&json!("open"), &json!([])));

    let plain = book.run("state", &[], b"").expect_code(0).stdout;
    let rows: Vec<Vec<&str>> = plain.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [
        &["task", "units", "34", "20", "100", "active", "team"][..],
        &["team", "units", "39", "22", "1000", "active", "-"],
        &["r1", "unknown", "task", "20", "bob", "-"],
        &["r2", "open", "team", "2", "-", "2026-01-05T09:01:00.000000Z"],
        &["m", "cumulative", "4", "4", "task"],
    ] {
        assert!(rows.iter().any(|found| found == row), "{row:?} in {plain}");
    }
    assert!(!plain.contains("r3"), "{plain}");
}

#[test]
fn stat_and_verify_tell_what_is_there() {
    let book = told();
    let stat = book.stat();
    assert_eq!((&stat["first_seq"], &stat["last_seq"]), (&json!(1), &json!(14)));
    let kinds = json!({
        "goal_created": 3, "turn_recorded": 3, "threshold_crossed": 3, "budget_exhausted": 1, "goal_transitioned": 3,
        "command_refused": 1,
    });
    assert_eq!(stat["events_by_kind"], kinds);
    assert_eq!(stat["epochs"].as_array().unwrap().len(), 1);
    assert_eq!((&stat["clean"], &stat["live"]), (&json!(true), &json!(false)));
    assert_eq!(stat["segments"][0]["events"], 14);
    assert_eq!(stat["segments"][0]["bytes"], book.segments()[0].1.len());
    let verify = book.verify();
    assert_eq!((&verify["events"], &verify["last_good_seq"]), (&json!(14), &json!(14)));
    assert_eq!(verify["journal_id"], book.head()["journal_id"]);
    assert_eq!(verify["findings"], json!([]));

    let mut writer = book.writer(&[]);
    writer.ask(r#"{"op":"head"}"#);
    assert_eq!((&book.stat()["live"], &book.verify()["live"]), (&json!(true), &json!(true)));
    for command in ["stat", "verify"] {
        assert!(book.run(command, &[], b"").expect_code(0).stdout.contains("14"));
    }
}

/// What a reader may be asked.
const READS: [&[&str]; 9] = [
    &["events"],
    &["events", "--raw"],
    &["state"],
    &["state", "--at", "3", "--json"],
    &["stat"],
    &["stat", "--json"],
    &["verify"],
    &["verify", "--json"],
    &["follow", "--to", "14"],
];

#[test]
fn reading_leaves_a_directory_as_it_is() {
    let clean = told();
    let killed = told();
    let mut writer = killed.writer(&[]);
    writer.ask(&format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":1}}"#));
    writer.kill();
    let live = told();
    let mut writer = live.writer(&[]);
    writer.ask(&format!(r#"{{"op":"record_turn","goal_id":"{A}","tokens":1}}"#));
    for book in [&clean, &killed, &live] {
        let before = book.files();
        for read in READS {
            book.run(read[0], &read[1..], b"").expect_code(0);
            assert!(book.files() == before, "{read:?} changed something");
        }
    }
    writer.end().expect_code(0);
}

/// Where the tests run as root this is no obstacle to the binary; nothing else tells a reader that writes there.
#[test]
fn a_directory_that_cannot_be_written_can_be_read() {
    let book = told();
    let expected = book.run("events", &[], b"").stdout;
    set_mode(&book, 0o555, 0o444);
    let reads: Vec<_> = READS.iter().map(|read| book.run(read[0], &read[1..], b"")).collect();
    set_mode(&book, 0o755, 0o644);
    for (ran, read) in reads.iter().zip(READS) {
        assert_eq!(ran.code, Some(0), "{read:?}: {ran:?}");
    }
    assert_eq!(reads[0].stdout, expected);
}

#[expect(clippy::disallowed_methods, reason = "the test takes rights away and gives them back")]
fn set_mode(book: &Book, dir: u32, file: u32) {
    for entry in std::fs::read_dir(book.dir()).unwrap() {
        std::fs::set_permissions(entry.unwrap().path(), Permissions::from_mode(file)).unwrap();
    }
    std::fs::set_permissions(book.dir(), Permissions::from_mode(dir)).unwrap();
}

#[test]
fn stat_tells_times_and_sizes() {
    let book = Book::new();
    let commands = [
        r#"{"op":"allocate","budget_id":"b","limit":"9","now":"2026-01-01T00:00:00Z"}"#,
        r#"{"op":"reserve","budget_id":"b","reservation_id":"r","amount":"1","key":"k"}"#,
        r#"{"op":"observe_meter","meter_id":"m","delta":"1"}"#,
        r#"{"op":"record_event","name":"n","data":1,"event_id":"e"}"#,
        r#"{"op":"record_spend","budget_id":"b","amount":"1","now":"2026-01-01T00:00:30Z"}"#,
    ];
    book.apply(&["--manual-clock"], &commands);
    let stat = book.stat();
    let (first, last) = ("2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:30.000000Z");
    for of in [&stat, &stat["segments"][0]] {
        assert_eq!((&of["first_ts"], &of["last_ts"]), (&json!(first), &json!(last)));
    }
    let sizes = json!({"goals": 0, "budgets": 1, "reservations": 1, "meters": 1, "keys": 1, "spends": 1, "event_ids": 1});
    assert_eq!(stat["state"], sizes);
    let plain = book.run("stat", &[], b"").expect_code(0).stdout;
    assert!(plain.contains(&format!("{first} to {last}")), "{plain}");
    assert!(plain.contains("goals 0, budgets 1, held reservations 1, meters 1"), "{plain}");
    let empty = Book::new();
    empty.apply::<&str>(&[], &[]);
    assert_eq!((&empty.stat()["first_ts"], &empty.stat()["state"]["budgets"]), (&json!(null), &json!(0)));
}

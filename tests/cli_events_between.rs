//! `events --since --until`, from outside: the events of a time, both ends included.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::Value;

#[path = "common/cli.rs"]
mod cli;
#[path = "common/pruning.rs"]
mod pruning;

use cli::Book;
use pruning::{TWIN, archived, history, spends, tiny};

fn seqs(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

/// Every time of an event, and a moment before and after each.
fn times(events: &[Value]) -> Vec<String> {
    let mut times: Vec<String> =
        events.iter().map(|event| event["ts"].as_str().unwrap().to_owned()).collect();
    times.dedup();
    let near = |time: &String, ending: &str| time.replace(":00.000000Z", ending);
    let before = times.iter().map(|time| near(time, ":00.000001Z"));
    let mut all: Vec<String> = times.iter().cloned().chain(before).collect();
    all.extend(["2025-12-31T00:00:00Z".to_owned(), "2030-01-01T00:00:00Z".to_owned()]);
    all.sort();
    all
}

#[test]
fn each_range_has_what_comparing_every_time_finds() {
    // One large segment, and one for each command.
    for flags in [TWIN.to_vec(), tiny(&["--retain-all"])] {
        let book = Book::new();
        book.apply(&flags, &history(6));
        let all = book.events(&[]);
        let times = times(&all);
        for (index, since) in times.iter().enumerate() {
            let until = &times[(index * 7 + 3) % times.len()];
            let moment = |event: &Value| event["ts"].as_str().unwrap().to_owned();
            let full =
                |time: &String| if time.contains('.') { time.clone() } else { time.replace('Z', ".000000Z") };
            let wanted = |event: &&Value| moment(event) >= full(since) && moment(event) <= full(until);
            let expected: Vec<Value> = all.iter().filter(wanted).cloned().collect();
            assert_eq!(book.events(&["--since", since, "--until", until]), expected, "{since} to {until}");
        }
        let last = times.iter().rev().nth(2).unwrap();
        let member = book.events(&["--since", last, "--budget", "member"]);
        assert!(seqs(&member).iter().all(|seq| seqs(&all).contains(seq)) && member.len() < all.len());
        assert_eq!(book.events(&["--since", "-1d"]), Vec::<Value>::new(), "it was all long ago");
        assert_eq!(book.events(&["--until", "-1s"]), all);
        assert_eq!(seqs(&book.events(&["--since", &times[0], "--from", "9", "--to", "12"])), [9, 10, 11, 12]);
        for wrong in [["--since", "yesterday"], ["--until", "-2"], ["--since", "12"]] {
            assert_eq!(book.run("events", &wrong, b"").expect_code(64).stdout, "");
        }
    }
}

#[test]
fn what_was_pruned_of_a_range_is_said_and_is_there_with_the_archive() {
    let book = Book::new();
    let archive = book.beside("archive");
    let later = (1..=9).map(|day| {
        format!(
            r#"{{"op":"record_spend","budget_id":"member","amount":"1","now":"2026-02-0{day}T00:00:00Z"}}"#
        )
    });
    let commands: Vec<String> = history(9).into_iter().chain(later).collect();
    book.apply(&archived(&["--retain-segments", "2"], &archive), &commands);
    let since = ["--since", "2026-01-01T00:00:00Z"];
    let ran = book.run("events", &since, b"").expect_code(0);
    assert_eq!(ran.json_lines(), book.events(&[]));
    let floor = pruning::floor(&book);
    assert!(ran.stderr.contains(&format!("events before seq {floor} were pruned")), "{ran:?}");
    let whole = book
        .run("events", &[&since[..], &["--archive", archive.to_str().unwrap()]].concat(), b"")
        .expect_code(0);
    assert_eq!((whole.json_lines()[0]["seq"].as_u64(), &*whole.stderr), (Some(1), ""));
    let late = book.events(&[]).last().unwrap()["ts"].as_str().unwrap().to_owned();
    let ran = book.run("events", &["--since", &late], b"").expect_code(0);
    assert_eq!(ran.stderr, "", "nothing of that time was pruned");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test damages a segment")]
fn behind_the_last_seq_nothing_is_read_though_a_filter_hides_it() {
    let book = Book::new();
    book.apply(&tiny(&["--retain-all"]), &spends(20));
    let segments: Vec<String> =
        book.files().into_iter().map(|(name, _)| name).filter(|name| name.ends_with(".seg")).collect();
    let path = book.dir().join(&segments[10]);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let none = ["--kind", "goal_created"];
    assert_eq!(book.run("events", &none, b"").expect_code(2).stdout, "", "it is damaged");
    book.run("events", &[&none[..], &["--to", "5"]].concat(), b"").expect_code(0);
    let export = ["--format", "jsonl", "--to", "5"];
    book.run("export", &[&none[..], &export].concat(), b"").expect_code(0);
    let told = book.run("events", &["--from", "2", "--to", "5"], b"").expect_code(0).stdout;
    assert_eq!(told.lines().count(), 4);
}

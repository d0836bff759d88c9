//! A journal of tiny segments that is pruned, the twin of which nothing is, and what an archive makes whole again.

#![allow(dead_code, reason = "each test that takes this file in uses another part of it")]

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::Book;

/// Segments that hold one command each: nothing fits behind the first frame.
pub(crate) const TINY: [&str; 3] = ["--manual-clock", "--segment-bytes", "4096"];
/// The twin: one segment, and nothing goes.
pub(crate) const TWIN: [&str; 2] = ["--manual-clock", "--retain-all"];
pub(crate) const HEAD: &str = r#"{"op":"head"}"#;

/// The flags of a pruned journal with these rules.
pub(crate) fn tiny<'a>(rules: &[&'a str]) -> Vec<&'a str> {
    [&TINY, rules].concat()
}

/// The same with an archive.
pub(crate) fn archived<'a>(rules: &[&'a str], archive: &'a Path) -> Vec<&'a str> {
    [&TINY, rules, &["--archive", archive.to_str().unwrap()]].concat()
}

/// One spend each, of 1, 2, 3 and so on, in a budget that the first command opens.
pub(crate) fn spends(count: u64) -> Vec<String> {
    let open = r#"{"op":"allocate","budget_id":"b","limit":"1000000","now":"2026-01-01T00:00:00Z"}"#;
    let spend = |number| {
        format!(
            r#"{{"op":"record_spend","budget_id":"b","amount":"{number}","spend_id":"s{number}","key":"k{number}"}}"#
        )
    };
    std::iter::once(open.to_owned()).chain((1..count).map(spend)).collect()
}

/// The goals of [`history`].
pub(crate) const ROOT: &str = "00000000-0000-7000-8000-000000000001";
pub(crate) const CHILD: &str = "00000000-0000-7000-8000-000000000002";

/// Commands about all there is, with ids and times given, so that two journals come to the same (no meter has a budget, since
/// nobody can give the ids of its spends). What the first ten open
/// stays in use to the end.
pub(crate) fn history(rounds: u32) -> Vec<String> {
    let begin = format!(
        r#"{{"op":"create_goal","goal_id":"{ROOT}","text":"root","token_budget":100000,"now":"2026-01-01T00:00:00Z"}}
{{"op":"create_goal","goal_id":"{CHILD}","text":"child","parent_goal":"{ROOT}","session_id":"night"}}
{{"op":"allocate","budget_id":"team","limit":"100000"}}
{{"op":"allocate","budget_id":"member","limit":"900","parent":"team","widen_by":["boss"]}}
{{"op":"allocate","budget_id":"daily","limit":"300","window":{{"every":"day"}}}}
{{"op":"reserve","budget_id":"member","reservation_id":"kept","amount":"300"}}
{{"op":"reserve","budget_id":"team","reservation_id":"short","amount":"200","ttl_ms":36000000}}
{{"op":"observe_meter","meter_id":"chain","cumulative":"100"}}
{{"op":"record_spend","budget_id":"member","spend_id":"first","amount":"40","key":"first"}}
{{"op":"record_turn","goal_id":"{CHILD}","tokens":10,"key":"turn"}}"#
    );
    begin.lines().map(str::to_owned).chain((1..=rounds).flat_map(round)).collect()
}

/// An hour and a half of the history.
fn round(number: u32) -> [String; 5] {
    let minutes = 90 * number;
    let (day, hour, minute) = (1 + minutes / 1440, minutes % 1440 / 60, minutes % 60);
    let now = format!("2026-01-{day:02}T{hour:02}:{minute:02}:00Z");
    let child = if number.is_multiple_of(2) { "active" } else { "paused" };
    [
        format!(
            r#"{{"op":"record_spend","budget_id":"member","amount":"{number}0","spend_id":"m{number}","now":"{now}"}}"#
        ),
        format!(r#"{{"op":"record_turn","goal_id":"{ROOT}","tokens":{},"key":"t{number}"}}"#, 100 + number),
        format!(r#"{{"op":"record_spend","budget_id":"daily","amount":"90","spend_id":"d{number}"}}"#),
        format!(r#"{{"op":"observe_meter","meter_id":"chain","cumulative":"{}"}}"#, 100 + 7 * number),
        format!(r#"{{"op":"transition_goal","goal_id":"{CHILD}","to":"{child}"}}"#),
    ]
}

/// What uses at the end what the beginning opened, repeats it, and asks for all that is left.
pub(crate) fn use_of_the_beginning() -> Vec<String> {
    let end = format!(
        r#"{{"op":"list_reservations","budget_id":"member"}}
{{"op":"record_spend","budget_id":"member","spend_id":"first","amount":"40","key":"first"}}
{{"op":"record_spend","budget_id":"member","spend_id":"first","amount":"41","key":"first"}}
{{"op":"record_spend","budget_id":"member","spend_id":"first","amount":"41"}}
{{"op":"record_turn","goal_id":"{CHILD}","tokens":10,"key":"turn"}}
{{"op":"allocate","budget_id":"team","limit":"5"}}
{{"op":"settle","reservation_id":"kept","amount":"250","spend_id":"settled"}}
{{"op":"settle","reservation_id":"kept","amount":"250","spend_id":"settled"}}
{{"op":"release","reservation_id":"short"}}
{{"op":"reverse_spend","spend_id":"first","amount":"15"}}
{{"op":"observe_meter","meter_id":"chain","cumulative":"1000"}}
{{"op":"get_meter","meter_id":"chain"}}
{{"op":"get_goal","goal_id":"{CHILD}"}}
{{"op":"list_goals"}}
{{"op":"list_budgets"}}
{{"op":"list_reservations"}}
{{"op":"close_budget","budget_id":"team","children":"close"}}"#
    );
    end.lines().map(str::to_owned).collect()
}

/// An answer without what differs from one journal to another.
pub(crate) fn comparable(mut answer: Value) -> Value {
    if let Some(result) = answer.pointer_mut("/ok/result").and_then(Value::as_object_mut) {
        result.remove("epoch");
        result.remove("journal_id");
    }
    answer
}

/// The names of the files in a directory that end like this, sorted; none where there is no directory.
#[expect(clippy::disallowed_methods, reason = "the test looks at what the binary left")]
pub(crate) fn names(dir: &Path, ending: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(ending)).collect();
    names.sort();
    names
}

/// The number and the first seq that a name states.
#[track_caller]
pub(crate) fn numbers(name: &str) -> (u64, u64) {
    let (stem, _) = name.split_once('.').unwrap();
    let (number, first) = stem.split_once('-').unwrap();
    (number.parse().unwrap(), first.parse().unwrap())
}

/// The first seq of the oldest segment.
#[track_caller]
pub(crate) fn floor(book: &Book) -> u64 {
    numbers(names(book.dir(), ".seg").first().expect("there is a segment")).1
}

/// The floor that the newest base states. Segments below it may be left over from a crash.
#[track_caller]
pub(crate) fn stated_floor(book: &Book) -> u64 {
    names(book.dir(), ".base").last().map_or(1, |base| numbers(base).1)
}

/// How many segments are closed.
pub(crate) fn closed(book: &Book) -> usize {
    names(book.dir(), ".seg").len() - 1
}

/// The sizes of the closed segments, oldest first, of a journal that nobody writes.
pub(crate) fn closed_bytes(book: &Book) -> Vec<usize> {
    let mut sizes: Vec<usize> = book.segments().iter().map(|(_, bytes)| bytes.len()).collect();
    sizes.pop();
    sizes
}

/// Asserts that events begin with this seq, and go on without a gap.
#[track_caller]
pub(crate) fn expect_gapless_from(events: &[Value], first: u64) {
    for (event, seq) in events.iter().zip(first..) {
        assert_eq!(event["seq"], seq, "{event}");
    }
}

/// Copies all files of a directory that end like this.
#[expect(clippy::disallowed_methods, reason = "the test puts a journal together")]
pub(crate) fn copy(from: &Path, ending: &str, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in names(from, ending) {
        std::fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

/// The archive and the journal, in one directory without snapshots. What both hold is taken from the archive.
pub(crate) fn whole(archive: &Path, book: &Book) -> Book {
    let whole = Book::new();
    copy(book.dir(), ".seg", whole.dir());
    copy(archive, ".seg", whole.dir());
    whole
}

/// The state hash that an opening comes to, at the time of the last event.
#[track_caller]
pub(crate) fn booted(book: &Book) -> Value {
    book.apply(&TWIN, &[HEAD])[0]["ok"]["result"]["state_hash"].clone()
}

/// A journal of its own with the same files.
pub(crate) fn twin_of(book: &Book) -> Book {
    let twin = Book::new();
    copy(book.dir(), "", twin.dir());
    twin
}

#[expect(clippy::disallowed_methods, reason = "the test damages what the binary left")]
pub(crate) fn rename(dir: &Path, from: &str, to: &str) {
    std::fs::rename(dir.join(from), dir.join(to)).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the test looks at what the binary left")]
pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "the test stands in the way of an archive")]
pub(crate) fn make_dir(path: &Path) -> PathBuf {
    std::fs::create_dir_all(path).unwrap();
    path.to_owned()
}

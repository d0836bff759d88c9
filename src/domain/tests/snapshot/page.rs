//! `journal-format.md` is normative, and its examples are executed: together they are a state, from the lines to the
//! state, and back.

use serde_json::Value;

use super::same::assert_same;
use super::{lines, restore};

const PAGE: &str = include_str!("../../../../journal-format.md");

/// What the page says of the state's lines.
fn section() -> &'static str {
    let (_, section) = PAGE.split_once("\n## Snapshots: the state's lines\n").unwrap();
    section.split_once("\n## ").map_or(section, |(section, _)| section)
}

/// The examples, in the order of the page.
pub(super) fn examples() -> Vec<&'static str> {
    section().lines().filter(|line| line.starts_with(r#"{"part":"#)).collect()
}

/// What the page says of a part: its fields, in their order, and whether each may be left out.
pub(super) fn fields(part: &str) -> Vec<(&'static str, bool)> {
    let (_, rest) = section().split_once(&format!("\n### Part `{part}`\n")).unwrap();
    let table = rest.split_once("\n### ").map_or(rest, |(table, _)| table);
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(field, says)| (field, says.to_lowercase().contains("left out"))).collect()
}

pub(super) fn part(line: &str) -> &str {
    line.strip_prefix(r#"{"part":""#).unwrap().split_once('"').unwrap().0
}

#[test]
fn the_examples_of_the_page_are_a_state_and_are_written_as_they_stand() {
    let state = restore(&examples()).unwrap();
    assert_eq!(lines(&state), examples());
}

/// Lines that are no canonical JSON are read by another parser.
#[test]
fn the_examples_are_the_same_state_however_they_are_spaced() {
    let state = restore(&examples()).unwrap();
    let spaced: Vec<String> = examples().iter().map(|line| line.replacen(r#"":"#, r#"" :"#, 2)).collect();
    assert_same(&restore(&spaced).unwrap(), &state);
}

/// Parts stand in their order, each with an example; every field of the table is in one, where the table says.
#[test]
fn every_table_of_a_part_is_that_of_its_examples() {
    let mut parts: Vec<&str> = examples().into_iter().map(part).collect();
    parts.dedup();
    let headings = section().lines().filter_map(|line| line.strip_prefix("### Part `"));
    assert!(parts.iter().copied().eq(headings.map(|rest| rest.trim_end_matches('`'))));
    for name in parts {
        let mut unseen = fields(name);
        for line in examples().into_iter().filter(|line| part(line) == name) {
            let object: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
            let mut rest = line;
            for (field, may_be_left_out) in fields(name) {
                assert!(may_be_left_out || object.contains_key(field), "{name}: {field} is missing: {line}");
                if object.contains_key(field) {
                    let found = rest.split_once(&format!(r#""{field}":"#));
                    rest = found.unwrap_or_else(|| panic!("{name}: {field} is not where the table says")).1;
                    unseen.retain(|(unseen, _)| *unseen != field);
                }
            }
            assert!(
                object.keys().all(|key| key == "part" || fields(name).iter().any(|(field, _)| field == key))
            );
        }
        assert_eq!(unseen, [], "no example of {name} has these");
    }
}

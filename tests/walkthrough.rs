//! The walkthrough in `docs/forensics.md`: its commands are run, and print what it says that they print.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::{Command, Stdio};

#[path = "common/cli.rs"]
mod cli;

use cli::{Ran, finish};

/// Stands for any text in a line; alone in a line, for any lines.
const ANYTHING: char = '…';

/// A command of the page, and what it prints.
#[derive(Debug)]
struct Step {
    line: usize,
    command: String,
    prints: Vec<String>,
}

/// The commands in the blocks marked `console`: lines that begin with `$`, and go on behind a `\`.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut is_console = false;
    let mut is_open = false;
    for (line, number) in page.lines().zip(1..) {
        if let Some(fence) = line.strip_prefix("```") {
            is_console = fence == "console";
        } else if !is_console {
            continue;
        } else if let Some(step) = steps.last_mut().filter(|_| is_open) {
            step.command.push_str(line);
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { line: number, command: command.to_owned(), prints: Vec::new() });
        } else {
            steps.last_mut().expect("a command before what it prints").prints.push(line.to_owned());
        }
        is_open = is_console && steps.last().is_some_and(|step| step.command.ends_with('\\'));
        if let Some(step) = steps.last_mut().filter(|_| is_open) {
            step.command.pop();
        }
    }
    steps
}

/// Whether a line is what the page says.
fn is_line(expected: &str, found: &str) -> bool {
    let mut parts = expected.split(ANYTHING);
    let Some(mut rest) = parts.next().and_then(|first| found.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn are_lines(expected: &[String], found: &[&str]) -> bool {
    match (expected.split_first(), found.split_first()) {
        (None, _) => found.is_empty(),
        (Some((first, after)), _) if first.chars().eq([ANYTHING]) => {
            (0..=found.len()).any(|skipped| are_lines(after, &found[skipped..]))
        }
        (Some((first, after)), Some((line, rest))) => is_line(first, line) && are_lines(after, rest),
        (Some(_), None) => false,
    }
}

fn run(step: &Step, dir: &Path) -> Ran {
    let binaries = Path::new(env!("CARGO_BIN_EXE_tallybook")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", &step.command]).current_dir(dir).env("PATH", path);
    finish(pipes(command), b"")
}

fn pipes(mut command: Command) -> Command {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the page is read")]
fn every_command_of_the_walkthrough_prints_what_the_page_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/forensics.md")).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root.join("examples"), scratch.path().join("examples")).unwrap();
    let steps = steps(&page);
    assert!(steps.len() > 12, "{} commands", steps.len());
    for step in &steps {
        let ran = run(step, scratch.path());
        let printed = format!("{}{}", ran.stdout, ran.stderr);
        let lines: Vec<&str> = printed.lines().collect();
        let Step { line, command, prints } = step;
        assert!(
            are_lines(prints, &lines),
            "line {line}: $ {command}\nexpected:\n{}\nfound:\n{printed}",
            prints.join("\n")
        );
    }
}

#[test]
fn what_is_left_out_on_the_page_is_marked() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<String>>();
    assert!(are_lines(&lines("a\n…\nd …!"), &["a", "b", "c", "d e!"]));
    assert!(are_lines(&lines("…"), &[]));
    assert!(!are_lines(&lines("a\n…\nd"), &["a", "b"]));
    assert!(!are_lines(&lines("a"), &["a", "b"]));
    assert!(!are_lines(&lines("a…c"), &["ab"]));
}

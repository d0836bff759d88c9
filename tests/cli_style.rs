//! Text for people: colours and grouped digits where they are wanted, plain text everywhere else; completions.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::Command;

#[path = "common/cli.rs"]
mod cli;

use cli::{Book, finish, run};

fn told() -> Book {
    let book = Book::new();
    let lines = [
        r#"{"op":"allocate","budget_id":"task","limit":1234567,"now":"2026-01-05T09:00:00Z"}"#,
        r#"{"op":"record_spend","budget_id":"task","amount":1234567}"#,
        r#"{"op":"reserve","budget_id":"task","amount":1,"reservation_id":"h","ttl_ms":1000}"#,
    ];
    book.apply(&["--manual-clock"], &lines);
    book
}

#[test]
fn into_a_pipe_text_is_plain() {
    let book = told();
    for command in ["state", "stat", "verify"] {
        for flags in [&[][..], &["--color", "auto"], &["--color", "never"]] {
            let text = book.run(command, flags, b"").expect_code(0).stdout;
            assert!(
                !text.contains('\u{1b}') && !text.contains("1,234,567") && !text.contains(" ago"),
                "{text}"
            );
        }
    }
    assert!(book.run("state", &[], b"").stdout.contains("1234567"));
}

#[test]
fn colours_digits_and_times_are_for_people_when_asked() {
    let book = told();
    let text = book.run("state", &["--color", "always"], b"").expect_code(0).stdout;
    assert!(text.contains("1,234,567") && text.contains("\u{1b}[31mexhausted\u{1b}[0m"), "{text}");
    assert!(text.contains("2026-01-05T09:00:00.000000Z (") && text.contains(" ago)"), "{text}");
    let text = book.run("verify", &["--color", "always"], b"").expect_code(0).stdout;
    assert!(text.contains("\u{1b}[32mnothing is wrong\u{1b}[0m"), "{text}");
    let text = book.run("trace", &["task", "--color", "always"], b"").expect_code(0).stdout;
    assert!(text.contains("\u{1b}[1mseq 1\u{1b}[0m  2026-01-05T09:00:00.000000Z ("), "{text}");
    assert!(text.contains("0 of 1,234,567 "), "{text}");
    // What a script reads never has any of it.
    let json = book.run("state", &["--json", "--color", "always"], b"").expect_code(0).stdout;
    assert_eq!(json, book.run("state", &["--json"], b"").stdout);
    let events = book.run("events", &["--color", "always"], b"").expect_code(0).stdout;
    assert!(!events.contains('\u{1b}'), "{events}");
    book.run("state", &["--color", "sometimes"], b"").expect_code(64);
}

/// A pseudo terminal of `script`, where the machine has it.
fn on_a_terminal(book: &Book, environment: &[(&str, &str)]) -> Option<String> {
    let binary = env!("CARGO_BIN_EXE_tallybook");
    let mut command = Command::new("script");
    command.args(["-qec", &format!("'{binary}' state '{}'", book.dir().display()), "/dev/null"]);
    command.env_remove("NO_COLOR").envs(environment.iter().copied());
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    let has_script = Command::new("script").arg("--version").output().is_ok_and(|ran| ran.status.success());
    has_script.then(|| finish(command, b"").stdout)
}

#[test]
fn on_a_terminal_there_are_colours_unless_no_color_is_set() {
    let book = told();
    let (Some(colored), Some(plain)) =
        (on_a_terminal(&book, &[]), on_a_terminal(&book, &[("NO_COLOR", "1")]))
    else {
        return;
    };
    assert!(colored.contains("\u{1b}[31mexhausted"), "{colored}");
    assert!(!plain.contains('\u{1b}') && plain.contains("1,234,567"), "{plain}");
}

#[test]
fn completions_know_every_command() {
    let help = run(["--help"], b"").expect_code(0).stdout;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()))
        .collect();
    assert!(commands.contains(&"replay") && commands.len() > 8, "{commands:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(["completions", shell], b"").expect_code(0).stdout;
        for command in &commands {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
    }
    run(["completions", "sh"], b"").expect_code(64);
}

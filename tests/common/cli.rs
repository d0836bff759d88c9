//! The binary from outside: what a script does with it, with an end to every wait, so that a hang fails.

#![allow(dead_code, reason = "each test that takes this file in uses another part of it")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before it counts as a hang. A busy machine of two cores is slow; a hang is for ever.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a poll waits before it looks again.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// What a finished process left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Every line of stdout, as JSON.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(parse).collect()
    }

    /// Stdout as one JSON value.
    pub(crate) fn json(&self) -> Value {
        parse(&self.stdout)
    }

    /// Itself, once it is certain how the process ended.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "exit code; stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

#[track_caller]
pub(crate) fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("expected JSON ({error}), found {json:?}"))
}

fn command<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tallybook"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the binary to its end on this input.
#[track_caller]
pub(crate) fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I, stdin: &[u8]) -> Ran {
    finish(command(arguments), stdin)
}

/// The same for any command, of which the binary is a part.
#[track_caller]
pub(crate) fn finish(mut command: Command, stdin: &[u8]) -> Ran {
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let given = stdin.to_vec();
    // A process that ends before it has read everything is no failure of the test.
    let feeder = std::thread::spawn(move || drop(input.write_all(&given)));
    let stdout = read_all(child.stdout.take().unwrap());
    let stderr = read_all(child.stderr.take().unwrap());
    let code = wait(&mut child);
    feeder.join().unwrap();
    Ran { code, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    })
}

/// The exit code, or a failed test where there is none in time.
#[track_caller]
fn wait(child: &mut Child) -> Option<i32> {
    let mut status = None;
    let ended = poll_until(|| {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    if !ended {
        let _ = child.kill();
        panic!("expected the process to end within {PATIENCE:?}, found it running");
    }
    status.unwrap().code()
}

#[expect(clippy::disallowed_methods, reason = "the deadline of a wait in a test")]
fn now() -> Instant {
    Instant::now()
}

/// Whether the condition came true in time.
pub(crate) fn poll_until(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = now() + PATIENCE;
    while !condition() {
        if now() > deadline {
            return false;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    true
}

/// A running binary at the other end of two pipes.
pub(crate) struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

impl Session {
    pub(crate) fn start<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Session {
        let mut child = command(arguments).spawn().unwrap();
        let (sender, receiver) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            // A process that was killed may leave half a line: that is none.
            let mut stdout = stdout;
            let mut line = String::new();
            while stdout.read_line(&mut line).is_ok_and(|len| len > 0) && line.ends_with('\n') {
                if sender.send(line.trim_end().to_owned()).is_err() {
                    break;
                }
                line.clear();
            }
        });
        let stderr = read_all(child.stderr.take().unwrap());
        Session { stdin: child.stdin.take(), child, stdout: receiver, stderr: Some(stderr) }
    }

    /// Hands a line over; `false` when nobody reads it any more.
    pub(crate) fn send(&mut self, line: &str) -> bool {
        let stdin = self.stdin.as_mut().expect("the input is open until it is closed");
        writeln!(stdin, "{line}").is_ok()
    }

    /// The next line of stdout; `None` at its end.
    #[track_caller]
    pub(crate) fn next_line(&self) -> Option<String> {
        match self.stdout.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("expected a line within {PATIENCE:?}, found none"),
        }
    }

    /// A line of stdout, if one comes within this time.
    pub(crate) fn line_within(&self, time: Duration) -> Option<String> {
        self.stdout.recv_timeout(time).ok()
    }

    /// The next line of stdout, as JSON.
    #[track_caller]
    pub(crate) fn answer(&self) -> Value {
        parse(&self.next_line().expect("an answer before the end of stdout"))
    }

    /// One command and its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str) -> Value {
        assert!(self.send(line), "expected a process that reads {line}");
        self.answer()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, like `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
    }

    pub(crate) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Takes the input, for a thread that feeds it.
    pub(crate) fn take_input(&mut self) -> ChildStdin {
        self.stdin.take().expect("the input is taken once")
    }

    /// SIGKILL, and what had been printed by then.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.stdout.iter().collect()
    }

    /// Closes the input and waits for the end; stdout is what nobody has read yet.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ran {
        self.close_input();
        self.wait()
    }

    /// Waits for the end, with the input as it is.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ran {
        let code = wait(&mut self.child);
        let stdout = self.stdout.iter().map(|line| line + "\n").collect();
        let stderr = self.stderr.take().expect("it is joined once").join().unwrap();
        Ran { code, stdout, stderr }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Only a failed test leaves a process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory with a journal, or with none yet.
pub(crate) struct Book {
    /// Removed with the last of it.
    _root: TempDir,
    dir: PathBuf,
}

impl Book {
    pub(crate) fn new() -> Book {
        let root = tempfile::tempdir().unwrap();
        Book { dir: root.path().join("book"), _root: root }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A place beside the journal.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.with_file_name(name)
    }

    /// `tallybook COMMAND DIR FLAGS…`
    #[track_caller]
    pub(crate) fn run(&self, command: &str, flags: &[&str], stdin: &[u8]) -> Ran {
        run(self.arguments(command, flags), stdin)
    }

    pub(crate) fn arguments<'a>(&'a self, command: &'a str, flags: &'a [&'a str]) -> Vec<&'a OsStr> {
        let begin = [OsStr::new(command), self.dir.as_os_str()];
        begin.into_iter().chain(flags.iter().map(OsStr::new)).collect()
    }

    /// Applies the lines, one answer each.
    #[track_caller]
    pub(crate) fn apply<S: AsRef<str>>(&self, flags: &[&str], lines: &[S]) -> Vec<Value> {
        let answers = self.run("apply", flags, joined(lines).as_bytes()).expect_code(0).json_lines();
        assert_eq!(answers.len(), lines.len(), "one answer for each line: {answers:#?}");
        answers
    }

    /// `apply`, left running.
    pub(crate) fn writer(&self, flags: &[&str]) -> Session {
        Session::start(self.arguments("apply", flags))
    }

    /// `follow`, left running.
    pub(crate) fn follower(&self, flags: &[&str]) -> Session {
        Session::start(self.arguments("follow", flags))
    }

    /// The events, as JSON.
    #[track_caller]
    pub(crate) fn events(&self, flags: &[&str]) -> Vec<Value> {
        self.run("events", flags, b"").expect_code(0).json_lines()
    }

    /// `state --json`.
    #[track_caller]
    pub(crate) fn state(&self, flags: &[&str]) -> Value {
        let flags: Vec<&str> = ["--json"].into_iter().chain(flags.iter().copied()).collect();
        self.run("state", &flags, b"").expect_code(0).json()
    }

    /// The result of `head` in a process of its own.
    #[track_caller]
    pub(crate) fn head(&self) -> Value {
        self.apply(&[], &[r#"{"op":"head"}"#])[0]["ok"]["result"].clone()
    }

    /// `stat --json` of a journal with which nothing is wrong.
    #[track_caller]
    pub(crate) fn stat(&self) -> Value {
        self.run("stat", &["--json"], b"").expect_code(0).json()
    }

    /// `stat --json` of a journal that may have a torn tail.
    #[track_caller]
    pub(crate) fn stat_of_any(&self) -> Value {
        self.run("stat", &["--json"], b"").json()
    }

    /// `verify --json` of a journal with which nothing is wrong.
    #[track_caller]
    pub(crate) fn verify(&self) -> Value {
        self.run("verify", &["--json"], b"").expect_code(0).json()
    }

    /// The names and contents of all files, sorted.
    #[expect(clippy::disallowed_methods, reason = "the test looks at what the binary left")]
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let entries = std::fs::read_dir(&self.dir).unwrap().map(Result::unwrap);
        let mut files: Vec<(String, Vec<u8>)> = entries
            .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }

    /// The segments, oldest first.
    pub(crate) fn segments(&self) -> Vec<(String, Vec<u8>)> {
        self.files().into_iter().filter(|(name, _)| name.ends_with(".seg")).collect()
    }

    /// Overwrites a file of the journal.
    #[expect(clippy::disallowed_methods, reason = "the test damages what the binary left")]
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.dir.join(name), bytes).unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "the test damages what the binary left")]
    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.dir.join(name)).unwrap();
    }

    /// Writes a file beside the journal.
    #[expect(clippy::disallowed_methods, reason = "a file of commands for the binary")]
    pub(crate) fn put_beside(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.beside(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// The lines, each with its end.
pub(crate) fn joined<S: AsRef<str>>(lines: &[S]) -> String {
    lines.iter().map(|line| line.as_ref().to_owned() + "\n").collect()
}

/// An amount as answers write it.
#[track_caller]
pub(crate) fn amount(value: &Value) -> u128 {
    let text = value.as_str().unwrap_or_else(|| panic!("expected an amount in a string, found {value}"));
    text.parse().unwrap()
}

/// Asserts that events have every `seq` from 1 on.
#[track_caller]
pub(crate) fn expect_gapless(events: &[Value]) {
    for (event, seq) in events.iter().zip(1u64..) {
        assert_eq!(event["seq"], seq, "{event}");
    }
}

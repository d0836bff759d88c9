//! The outside of a victim: starts the process, hears what it tells, and kills it.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::told::Told;
use super::victim::{ORDERS, Orders};
use crate::driver::now;

/// Nothing that a victim does takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that writes a journal.
pub(crate) struct Victim {
    child: Child,
    lines: Receiver<String>,
    listener: Option<JoinHandle<()>>,
    told: Vec<Told>,
    /// What it said besides: a panic, say.
    noise: Vec<String>,
}

/// How a victim ended, and all that it told.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) told: Vec<Told>,
    /// Whether it ended by itself, and without a fault of its own.
    pub(crate) is_orderly: bool,
    /// What else is known of the end, for whoever looks for a reason.
    pub(crate) description: String,
}

/// This program once more; in its tests that is the test which acts as the victim.
fn this_program() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    if cfg!(test) {
        command.args(["--ignored", "--exact", "--nocapture", "tests::the_victim_of_the_other_tests"]);
    }
    command
}

impl Victim {
    pub(crate) fn start(orders: &Orders) -> Victim {
        let mut child = this_program()
            .env(ORDERS, orders.to_text())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pipe = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        let listener = std::thread::spawn(move || {
            for line in pipe.lines() {
                let Ok(line) = line else { return };
                drop(sender.send(line));
            }
        });
        Victim { child, lines, listener: Some(listener), told: Vec::new(), noise: Vec::new() }
    }

    /// What it tells next; `None` when it has nothing more to tell, or did not until then.
    pub(crate) fn hear_until(&mut self, deadline: Instant) -> Option<&Told> {
        loop {
            let left = deadline.saturating_duration_since(now());
            match self.lines.recv_timeout(left) {
                Ok(line) => match Told::parse(&line) {
                    Some(told) => {
                        self.told.push(told);
                        return self.told.last();
                    }
                    None => self.noise.push(line),
                },
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// What it tells next; `None` when it has nothing more to tell.
    pub(crate) fn hear(&mut self) -> Option<&Told> {
        self.hear_until(now() + PATIENCE)
    }

    /// Ends it, wherever it is (SIGKILL).
    pub(crate) fn kill(mut self) -> Exit {
        self.child.kill().unwrap();
        self.end()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self) -> Exit {
        let deadline = now() + PATIENCE;
        while self.hear_until(deadline).is_some() {}
        let is_late = now() >= deadline;
        if is_late {
            self.child.kill().unwrap();
        }
        let exit = self.end();
        let last = &exit.told[exit.told.len().saturating_sub(8)..];
        assert!(
            !is_late,
            "a hang: the victim did not end within {PATIENCE:?}: {last:?}, {}",
            exit.description
        );
        exit
    }

    fn end(&mut self) -> Exit {
        let status = self.child.wait().unwrap();
        if let Some(listener) = self.listener.take() {
            listener.join().unwrap();
        }
        for line in self.lines.try_iter() {
            match Told::parse(&line) {
                Some(told) => self.told.push(told),
                None => self.noise.push(line),
            }
        }
        let signal = status.signal().map_or_else(String::new, |signal| format!(", signal {signal}"));
        Exit {
            told: std::mem::take(&mut self.told),
            is_orderly: status.success() && self.noise.is_empty(),
            description: format!("{status}{signal}: {}", self.noise.join(" | ")),
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Exit {
    /// A process that is killed says nothing besides what it tells.
    #[track_caller]
    pub(crate) fn expect_silent(&self) {
        assert!(self.description.ends_with(": "), "the victim says: {}", self.description);
    }

    /// The victim ended by itself, and in order.
    #[track_caller]
    pub(crate) fn expect_orderly(&self) {
        assert!(self.is_orderly, "the victim ended with {}", self.description);
    }
}
